//! The doctor: probes of what the machine lets nsscript do, for `nsscript doctor`.
//!
//! Everything is tried by processes in namespaces of their own and goes with them: nothing is
//! changed on the host. What stands in the way, and what helps, [`super::remedy`] says.

mod cgroups;
mod devices;
mod exam;
mod ids;
mod kernel;
mod mounts;
mod namespaces;
mod sandbox;
mod table;

use std::path::Path;

use super::remedy::Remedy;
use crate::json;
use crate::run::launch::launcher::Launcher;
use exam::Exam;
use table::{FactRow, GROUPS};

/// How it stands with a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of it is there.
    Ok,
    /// Some of it is there.
    Part,
    /// It is not there.
    No,
    /// It cannot be found out.
    Unknown,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Part => "part",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

impl From<Verdict> for json::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Ok => Self::Ok,
            Verdict::Part => Self::Part,
            Verdict::No => Self::No,
            Verdict::Unknown => Self::Unknown,
        }
    }
}

/// A fact of the machine.
#[derive(Clone, Debug)]
pub struct Fact {
    /// What programs know it by. It stays the same.
    pub key: &'static str,
    /// What it is told together with.
    pub group: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// How it stands with it.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// The number, or the names, of what was found.
    pub value: json::Finding,
    /// What of nsscript needs it.
    pub enables: &'static str,
    /// What helps, where it is not all there; nothing where nothing does.
    pub cure: Option<String>,
    /// The name of that advice: see [`crate::diag::Report::advise`].
    pub advice: Option<&'static str>,
    /// Whether `recipes/busybox.rhai` needs it.
    pub needed: bool,
}

/// All facts of the machine.
#[derive(Clone, Debug)]
pub struct Examination {
    /// The facts, in the order in which they are told.
    pub facts: Vec<Fact>,
}

impl Examination {
    /// Whether `recipes/busybox.rhai` can work here.
    #[must_use]
    pub fn works(&self) -> bool {
        self.obstacles().next().is_none()
    }

    /// The facts that keep `recipes/busybox.rhai` from working.
    pub fn obstacles(&self) -> impl Iterator<Item = &Fact> {
        self.facts.iter().filter(|fact| fact.needed && fact.verdict == Verdict::No)
    }
}

/// What was found of a fact.
struct Finding {
    verdict: Verdict,
    found: String,
    value: json::Finding,
    remedy: Option<Remedy>,
}

impl Finding {
    fn new(verdict: Verdict, found: impl Into<String>) -> Self {
        Self { verdict, found: found.into(), value: json::Finding::Nothing, remedy: None }
    }

    fn ok(found: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, found)
    }

    /// It cannot be known without /proc.
    fn unread() -> Self {
        let remedy = super::remedy::no_proc();
        Self {
            remedy: Some(remedy),
            ..Self::new(Verdict::Unknown, "nothing is mounted on `/proc`")
        }
    }

    fn value(mut self, value: impl Into<json::Finding>) -> Self {
        self.value = value.into();
        self
    }

    /// What was found together with its cause, where that is known.
    fn remedy(mut self, remedy: impl Into<Option<Remedy>>) -> Self {
        self.remedy = remedy.into();
        self
    }
}

impl Launcher {
    /// How it stands with the fact that programs know by `key`.
    ///
    /// # Errors
    /// There is no such fact: all keys.
    pub fn fact(&self, key: &str) -> Result<Verdict, Vec<&'static str>> {
        let rows = GROUPS.iter().flat_map(|(_, rows)| rows.iter());
        let row = rows.clone().find(|row| row.key == key);
        let row = row.ok_or_else(|| rows.map(|row| row.key).collect::<Vec<_>>())?;
        Ok((row.find)(&Exam::new(self)).verdict)
    }

    /// What keeps a file of /proc/PID from being read, where the process may be there: hidepid.
    #[must_use]
    pub fn hides_process(&self, path: &Path) -> Option<String> {
        let below = path.strip_prefix("/proc").ok()?;
        let first = below.components().next()?.as_os_str().to_str()?;
        let is_number = first.bytes().all(|byte| byte.is_ascii_digit());
        let is_hidden = is_number && (below.components().count() > 1 || !path.exists());
        Some(super::remedy::processes_hidden(self.host()).filter(|_| is_hidden)?.hint())
    }

    /// Finds out what the machine lets nsscript do. It takes less than a second.
    #[must_use]
    pub fn examine(&self) -> Examination {
        let exam = Exam::new(self);
        let fact = |(group, row): (&'static str, &FactRow)| {
            let FactRow { key, name, enables, needed, find } = *row;
            let Finding { verdict, mut found, value, remedy } = find(&exam);
            let remedy = remedy.filter(|_| verdict != Verdict::Ok);
            if let Some(remedy) = &remedy
                && !found.contains(&remedy.cause)
            {
                found = format!("{found}; {}", remedy.cause);
            }
            let advice = remedy.as_ref().map(|remedy| remedy.name).filter(|name| !name.is_empty());
            let cure = remedy.and_then(|Remedy { cure, see, .. }| match see {
                "" => cure,
                see => Some(format!("{} ({see})", cure?)),
            });
            Fact { key, group, name, verdict, found, value, enables, cure, advice, needed }
        };
        let rows = GROUPS.iter().flat_map(|(group, rows)| rows.iter().map(|row| (*group, row)));
        Examination { facts: rows.map(fact).collect() }
    }
}
