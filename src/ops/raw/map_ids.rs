//! The ids of a process in a new user namespace: user_namespaces(7).

use crate::diag::quoted;
use crate::ops::Told;
use crate::ops::raw::{Effect, RawFacts, RawOperation};
use crate::ops::strace::{Called, write_proc};
use crate::spec::shell_word;

/// The ids of a process in a new user namespace are mapped.
#[derive(Clone, Debug, PartialEq)]
pub struct MapIds {
    /// The process.
    pub pid: i32,
    /// `users` or `groups`.
    pub what: &'static str,
    /// The map as the kernel takes it.
    pub map: String,
}

/// Whether setgroups(2) may be used in the user namespace of a process.
#[derive(Clone, Debug, PartialEq)]
pub struct AllowSetgroups {
    /// The process.
    pub pid: i32,
    /// Whether it may.
    pub allow: bool,
}

impl MapIds {
    /// The file that takes the map, in /proc.
    #[must_use]
    pub fn file(&self) -> String {
        let name = if self.what == "users" { "uid_map" } else { "gid_map" };
        format!("{}/{name}", self.pid)
    }
}

impl RawOperation for MapIds {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "map_ids", effect: Effect::Maps(self.pid) }
    }

    fn told(&self) -> Told {
        let Self { pid, what, map } = self;
        let lines = map.trim_end().replace('\n', ", ");
        let text = shell_word(&map.replace('\n', "\\n"));
        Told {
            sentence: format!("map the {what} of process {pid}: {}", quoted(lines)),
            source: None,
            target: None,
            shell: Some(format!("printf {text} > /proc/{}", self.file())),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { pid: _, what: _, map } = self;
        vec![write_proc(&self.file(), map)]
    }
}

impl AllowSetgroups {
    /// The file that takes the word, in /proc.
    #[must_use]
    pub fn file(&self) -> String {
        format!("{}/setgroups", self.pid)
    }

    /// The word that the kernel takes.
    #[must_use]
    pub fn word(&self) -> &'static str {
        if self.allow { "allow" } else { "deny" }
    }
}

impl RawOperation for AllowSetgroups {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "map_ids", effect: Effect::Maps(self.pid) }
    }

    fn told(&self) -> Told {
        let Self { pid, allow: _ } = self;
        let word = self.word();
        Told {
            sentence: format!("{word} setgroups(2) in the user namespace of process {pid}"),
            source: None,
            target: None,
            shell: Some(format!("echo {word} > /proc/{}", self.file())),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { pid: _, allow: _ } = self;
        vec![write_proc(&self.file(), self.word())]
    }
}
