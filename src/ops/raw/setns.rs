//! Namespaces that exist, entered by a descriptor: setns(2).

use crate::ops::Told;
use crate::ops::raw::{Effect, RawFacts, RawOperation};
use crate::ops::strace::Called;
use crate::ops::words::{letters, names};
use crate::spec::{Kind, Namespaces};

/// Namespaces that exist are entered.
#[derive(Clone, Debug, PartialEq)]
pub struct Setns {
    /// Whose or which, in words.
    pub what: String,
    /// The descriptor's file, for a shell.
    pub file: String,
    /// Which kinds.
    pub namespaces: Namespaces,
}

impl RawOperation for Setns {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "setns", effect: Effect::Enter(self.namespaces) }
    }

    fn told(&self) -> Told {
        let Self { what, file, namespaces } = self;
        let sentence = if what.starts_with("process") {
            format!("enter the {} of {what}", names(*namespaces))
        } else {
            format!("enter the namespace {what}")
        };
        let shell = match file.strip_prefix("pid ") {
            Some(pid) => format!("nsenter -t {pid} -{}", letters(*namespaces)),
            None => format!("nsenter -{}{file}", option(*namespaces)),
        };
        Told { sentence, source: None, target: None, shell: Some(shell) }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { what: _, file: _, namespaces } = self;
        vec![Called::new(format!("setns(fd, {namespaces})"))]
    }
}

/// The option of nsenter(1) that takes a file.
fn option(namespaces: Namespaces) -> String {
    let name = |kind: Kind| if kind == Kind::Mount { "mount" } else { kind.file() };
    let names: Vec<_> = namespaces.kinds().map(name).collect();
    format!("-{}=", names.join("="))
}
