//! Probes of the machine's features for `nsscript doctor`.
//!
//! Processes in new namespaces probe everything and take all traces with them: nothing changes on
//! the host. Causes and cures come from [`super::remedy`].

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

/// The verdict on a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Ok,
    /// It works in part.
    Part,
    /// It does not work.
    No,
    /// It could not be tested.
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
    /// Its stable key, for programs.
    pub key: &'static str,
    /// The group in which it is shown.
    pub group: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The verdict.
    pub verdict: Verdict,
    /// The finding, as a sentence.
    pub found: String,
    /// The finding as a value: a number, or names.
    pub value: json::Finding,
    /// The features of nsscript that need it.
    pub enables: &'static str,
    /// The cure, if it does not work in full and can be mended.
    pub cure: Option<String>,
    /// The name of that advice: see [`crate::diag::Report::advise`].
    pub advice: Option<&'static str>,
    /// Whether `recipes/busybox.rhai` needs it.
    pub needed: bool,
}

/// All facts of the machine.
#[derive(Clone, Debug)]
pub struct Examination {
    /// The facts, in the order of the output.
    pub facts: Vec<Fact>,
}

impl Examination {
    /// Whether `recipes/busybox.rhai` can work here.
    #[must_use]
    pub fn works(&self) -> bool {
        self.obstacles().next().is_none()
    }

    /// The facts that prevent `recipes/busybox.rhai` from working.
    pub fn obstacles(&self) -> impl Iterator<Item = &Fact> {
        self.facts.iter().filter(|fact| fact.needed && fact.verdict == Verdict::No)
    }
}

/// The finding on a fact.
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

    /// The finding without /proc.
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

    /// Adds the remedy, if one is known.
    fn remedy(mut self, remedy: impl Into<Option<Remedy>>) -> Self {
        self.remedy = remedy.into();
        self
    }
}

impl Launcher {
    /// The verdict on the fact `key`.
    ///
    /// # Errors
    /// The key is unknown: returns all keys.
    pub fn fact(&self, key: &str) -> Result<Verdict, Vec<&'static str>> {
        let rows = GROUPS.iter().flat_map(|(_, rows)| rows.iter());
        let row = rows.clone().find(|row| row.key == key);
        let row = row.ok_or_else(|| rows.map(|row| row.key).collect::<Vec<_>>())?;
        Ok((row.find)(&Exam::new(self)).verdict)
    }

    /// The option hidepid, if it may hide the files of an existing process in /proc.
    #[must_use]
    pub fn hides_process(&self, path: &Path) -> Option<String> {
        let below = path.strip_prefix("/proc").ok()?;
        let first = below.components().next()?.as_os_str().to_str()?;
        let is_number = first.bytes().all(|byte| byte.is_ascii_digit());
        let is_hidden = is_number && (below.components().count() > 1 || !path.exists());
        Some(super::remedy::processes_hidden(self.host()).filter(|_| is_hidden)?.hint())
    }

    /// Probes the machine. It takes less than a second.
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
