//! User namespaces that map more than the own id: created once, and entered by every launch.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use super::Session;
use crate::diag::{Report, quoted};
use crate::host::{Host, accounts};
use crate::plan::{Maps, unanswered};
use crate::run::remedy;
use crate::spec::{IdMap, IdRange};
use crate::sys::{self, CallError, Enter, UserNamespace, flags};

/// What tells prepared user namespaces apart: the maps, and whether further ones are allowed. A limit
/// that a launch sets holds for every process there.
type Key = (IdMap, IdMap, bool);

/// The prepared user namespaces.
#[derive(Debug, Default)]
pub(in crate::run) struct UserNamespaces {
    made: Vec<(Key, UserNamespace)>,
}

/// Why a namespace could not be made ready.
#[derive(Debug)]
pub(in crate::run) enum MapError {
    /// A system call failed.
    Call(CallError),
    /// A helper failed, and said this.
    Helper(Box<Report>),
}

impl fmt::Display for MapError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => error.fmt(out),
            Self::Helper(report) => report.fmt(out),
        }
    }
}

impl Error for MapError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Call(error) => Some(error),
            Self::Helper(report) => Some(report),
        }
    }
}

fn key(maps: &Maps, limited: bool) -> Key {
    (maps.users.clone(), maps.groups.clone(), limited)
}

impl UserNamespaces {
    /// Whether the namespace with these maps exists: one that allows no further ones, or another.
    pub fn holds(&self, maps: &Maps, limited: bool) -> bool {
        let wanted = key(maps, limited);
        self.made.iter().any(|(known, _)| *known == wanted)
    }

    /// The namespace, for a new process to enter.
    pub fn enter(
        &mut self,
        maps: &Maps,
        limited: bool,
        host: &Host,
        session: &Session,
    ) -> Result<Enter, MapError> {
        let key = key(maps, limited);
        if !self.holds(maps, limited) {
            let namespace = make(maps, host, session)?;
            self.made.push((key.clone(), namespace));
        }
        let found = self.made.iter().find(|(known, _)| *known == key);
        let (_, namespace) = found.ok_or_else(|| MapError::Call(CallError::unknown()))?;
        let descriptor = namespace.descriptor().map_err(MapError::Call)?;
        Ok(Enter { descriptor, namespaces: flags::USER })
    }

    /// Forgets all of them, because this process has entered one: a process cannot enter the user
    /// namespace that it is in, or one beside it.
    pub fn forget(&mut self) {
        self.made.clear();
    }
}

/// All ids of a user: 0 is the own id, and the subordinate ids follow.
///
/// # Errors
/// The files with subordinate ids cannot be read.
pub(in crate::run) fn all_ids(host: &Host) -> Result<Maps, Report> {
    host.tree.take_unseen();
    let map = |file: &str, own: u32| {
        let mut map = IdMap::single(0, own);
        let mut inside = 1;
        for (outside, count) in accounts::subordinate(&host.tree, file, host.uid) {
            map.ranges.push(IdRange { inside, outside, count });
            // The file may assign the same ids twice.
            if map.overlap().is_some() {
                map.ranges.pop();
            } else {
                inside = inside.saturating_add(count);
            }
        }
        map
    };
    let users = map("/etc/subuid", host.uid);
    let groups = map("/etc/subgid", host.gid);
    let own = users.one().is_some() && groups.one().is_some();
    match unanswered(host) {
        Some(report) => Err(report),
        None => Ok(Maps { users, groups, uid: 0, gid: 0, own }),
    }
}

/// Creates the namespace.
pub(in crate::run) fn make(
    maps: &Maps,
    host: &Host,
    session: &Session,
) -> Result<UserNamespace, MapError> {
    let holder = sys::hold_user_namespace().map_err(MapError::Call)?;
    // In the session's own user namespace, a user may map ids like root.
    if host.is_root() || session.has_user_namespace() {
        let users = session.translate(&maps.users, true);
        let groups = session.translate(&maps.groups, false);
        let texts = (users.kernel_text(), groups.kernel_text());
        holder.write_maps(&texts.0, &texts.1).map_err(MapError::Call)?;
    } else {
        for (helper, map) in [("newuidmap", &maps.users), ("newgidmap", &maps.groups)] {
            let done = run(helper, map, holder.pid(), host);
            done.map_err(|report| MapError::Helper(Box::new(report)))?;
        }
    }
    holder.into_namespace().map_err(MapError::Call)
}

/// Writes the map of process `pid` with newuidmap(1) or newgidmap(1).
fn run(helper: &str, map: &IdMap, pid: i32, host: &Host) -> Result<(), Report> {
    let cannot =
        |why: &str| Report::error(format!("cannot map ids with {}: {why}", quoted(helper)));
    let path: Option<PathBuf> = host.tree.which(helper, None);
    let Some(path) = path else {
        return Err(remedy::helper_missing(helper).advise_cure(cannot("it is not installed")));
    };
    let mut arguments = vec![pid.to_string()];
    for range in &map.ranges {
        arguments.extend([range.inside, range.outside, range.count].map(|id| id.to_string()));
    }
    match sys::run_helper(&path, &arguments) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(said)) => Err(cannot(&crate::diag::escape(&said))),
        Err(error) => Err(cannot(&sys::Errno::from(&error).to_string())),
    }
}
