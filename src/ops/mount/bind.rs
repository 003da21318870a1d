//! Binds: a file or directory of the host at a place inside.

use std::path::PathBuf;

use super::{options, words};
use crate::ops::lowering::path;
use crate::ops::words::{host, in_root, place, sh};
use crate::ops::{Facts, Leaves, Lower, Lowering, Operation, Scope, Told, Turn};
use crate::spec::{BindOptions, GuestPath};
use crate::sys::{Attributes, Call, Create, Identity, Tree};

/// What identifies a source: device and inode.
pub type FileId = (u64, u64);

/// A file or directory of the host appears at a place inside.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The place on the host.
    pub source: PathBuf,
    /// The file that was found there.
    pub id: Option<FileId>,
    /// Whether it is a directory.
    pub directory: bool,
    /// The place inside.
    pub target: GuestPath,
    /// How it differs from its source.
    pub options: BindOptions,
    /// Whether the place is made if it is missing.
    pub create: bool,
}

impl Operation for Bound {
    fn facts(&self) -> Facts<'_> {
        let Self { source, directory, target, .. } = self;
        Facts {
            name: "bind",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            leaves: Leaves::Bound { source, directory: *directory, target },
        }
    }

    fn told(&self) -> Told {
        let Self { source, id: _, directory: _, target, options: given, create: _ } = self;
        let BindOptions { read_only, recursive, devices, exec, suid, optional: _, made: _ } =
            *given;
        let read_only_too = if read_only { ", read-only" } else { "" };
        let r = if recursive { "r" } else { "" };
        let options = options(&words([
            (read_only, "ro"),
            (!suid, "nosuid"),
            (!devices, "nodev"),
            (!exec, "noexec"),
        ]));
        Told {
            sentence: format!("bind {} on {}{read_only_too}", host(source), place(target)),
            source: Some(source.to_string_lossy().into_owned()),
            target: Some(target.to_string()),
            shell: Some(format!("mount --{r}bind{options} {} {}", sh(source), in_root(target))),
        }
    }
}

impl Lower for Bound {
    fn lower(&self, to: &mut Lowering<'_>) {
        let Self { source, id, directory, target, options, create } = self;
        let id = id.map(|(device, inode)| Identity { device, inode });
        to.push(Call::OpenTree {
            tree: Tree::Host(path(source), id),
            recursive: options.recursive,
            set: attributes(*options),
        });
        let made = if *directory { Create::Directory } else { Create::File };
        to.attach(target, if *create { made } else { Create::Nothing });
    }
}

fn attributes(options: BindOptions) -> Attributes {
    Attributes::NONE
        .and(Attributes::READ_ONLY, options.read_only)
        .and(Attributes::NO_SUID, !options.suid)
        .and(Attributes::NO_DEVICES, !options.devices)
        .and(Attributes::NO_EXEC, !options.exec)
}
