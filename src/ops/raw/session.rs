//! The session of the raw layer: the namespaces that nsscript takes before its first raw call.

use crate::ops::raw::{Effect, RawFacts, RawOperation};
use crate::ops::strace::{Called, make_mapped, write_proc};
use crate::ops::{Maps, Told};
use crate::spec::{Kind, Namespaces};

/// The session begins: a private mount namespace, for a user in a user namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct EnterSession {
    /// The namespaces that are new.
    pub namespaces: Namespaces,
    /// The maps of its user namespace, if it has one.
    pub maps: Option<Maps>,
}

impl RawOperation for EnterSession {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "session", effect: Effect::Session(self.namespaces) }
    }

    fn told(&self) -> Told {
        let Self { namespaces: _, maps } = self;
        let (sentence, shell) = match maps {
            None => (
                "work in a private mount namespace".into(),
                "unshare --mount --propagation private",
            ),
            Some(maps) => (
                format!("work in a private user and mount namespace that maps {maps}"),
                if maps.own {
                    "unshare --user --map-root-user --mount"
                } else {
                    "unshare --user --map-root-user --map-auto --mount"
                },
            ),
        };
        Told { sentence, source: None, target: None, shell: Some(shell.into()) }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { namespaces, maps } = self;
        let mut calls = match maps {
            Some(maps) if !maps.own => {
                let mut calls = make_mapped(maps, false);
                calls.push(Called::new("setns(fd, CLONE_NEWUSER)"));
                calls.push(Called::new(format!("unshare({})", *namespaces - Kind::User.into())));
                calls
            }
            _ => vec![Called::new(format!("unshare({namespaces})"))],
        };
        if let Some(maps) = maps.as_ref().filter(|maps| maps.own) {
            calls.push(write_proc("self/setgroups", "deny"));
            calls.push(write_proc("self/uid_map", &maps.users.kernel_text()));
            calls.push(write_proc("self/gid_map", &maps.groups.kernel_text()));
        }
        calls.push(Called::new("mount(NULL, \"/\", NULL, MS_REC|MS_PRIVATE, NULL)"));
        calls
    }
}
