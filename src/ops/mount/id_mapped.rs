//! ID-mapped binds: files of id N on the host belong to id N of the sandbox.

use std::path::PathBuf;

use super::{identity, kernel};
use crate::diag::{Origin, Report};
use crate::ops::lowering::path;
use crate::ops::strace::{Called, map_ids, prepared};
use crate::ops::words::host;
use crate::ops::{Facts, FileId, Leaves, Maps, Op, Operation, Planning, Scope, Told, Turn};
use crate::spec::{MountAttributes, Namespaces};
use crate::sys::{Attributes, Call, Identity, Tree};

/// Copies the mounts of a source, and maps the ids of their files like those of the sandbox. Only
/// the machine's root may, which the new process is not.
#[derive(Clone, Debug, PartialEq)]
pub struct MapMount {
    /// The place on the host.
    pub source: PathBuf,
    /// The identity of the file that was found there.
    pub id: Option<FileId>,
    /// The attributes of the copies.
    pub attributes: MountAttributes,
    /// Whether mounts below the source are included.
    pub recursive: bool,
    /// The maps of the sandbox.
    pub maps: Maps,
}

impl MapMount {
    /// Adds it to a plan, and reports a caller who may not; returns its number.
    pub(super) fn plan(self, to: &mut Planning<'_>, origin: Option<&Origin>) -> usize {
        if !to.host.is_root() {
            let shown = host(&self.source);
            let message = format!("cannot map the ids of {shown}: only root can");
            let mut report = Report::error(message);
            report = report.note(
                "the kernel lets only root of the user namespace in which a file system was \
                 mounted map its ids",
            );
            let yours = match to.maps.users.inside(to.host.uid) {
                Some(id) => format!("your own files then belong to user {id} of the sandbox"),
                None => "your own files then belong to no user of the sandbox".to_owned(),
            };
            let hint = format!("run the recipe as root, or leave out `idmap`: {yours}");
            report = report.advise("idmap_of_root", hint);
            report.facts.operation = Some("bind".into());
            report.facts.source = Some(self.source.to_string_lossy().into_owned());
            to.reports.push(report.at(origin.cloned()));
        }
        let number = to.actions.iter().filter(|(op, _)| matches!(op, Op::MapMount(_))).count();
        to.push(self, origin);
        number
    }

    /// The identity of the source, for the copy.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        self.id.map(identity)
    }

    /// The attributes of the copies, for the kernel.
    #[must_use]
    pub fn set(&self) -> Attributes {
        kernel(self.attributes)
    }

    /// Its system calls, once there is a user namespace with the maps.
    #[must_use]
    pub fn calls(&self) -> Vec<Called> {
        let Self { source, id: _, attributes: _, recursive, maps: _ } = self;
        let tree = Tree::Host(path(source), self.identity());
        let copy = Call::OpenTree { tree, recursive: *recursive, set: Attributes::NONE };
        let mut calls = prepared(&[copy], &[0]);
        calls.push(map_ids(*recursive, self.set()));
        calls
    }
}

impl Operation for MapMount {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "bind",
            turn: Turn::Maps,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let source = host(&self.source);
        Told {
            sentence: format!("map the ids of {source} like those of the sandbox"),
            source: Some(self.source.to_string_lossy().into_owned()),
            target: None,
            // A shell has no name for a mount that is not attached.
            shell: None,
        }
    }
}
