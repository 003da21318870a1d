//! Binds: a file or directory of the host at a place inside.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::{MapMount, bound, created, kernel, made};
use crate::diag::Origin;
use crate::ops::lowering::path;
use crate::ops::words::{host, in_root, place, sh};
use crate::ops::{
    Asking, Backing, Changes, Facts, Leaves, Lower, Lowering, Operation, Planning, Presence, Scope,
    Told, Turn,
};
use crate::spec::{BindOptions, GuestPath, MountAttributes, Namespaces, ValueError};
use crate::sys::{Call, Create, Identity, Tree};

/// The identity of a source: device and inode.
pub type FileId = (u64, u64);

/// How a sentence states that ids are mapped.
const MAPPED: &str = ", with its ids";

pub(super) fn identity((device, inode): FileId) -> Identity {
    Identity { device, inode }
}

/// A requested bind of a file or directory of the host at a place inside.
#[derive(Clone, Debug, PartialEq)]
pub struct Bind {
    /// The place on the host, absolute.
    pub source: PathBuf,
    /// The place inside.
    pub target: GuestPath,
    /// The options.
    pub options: BindOptions,
}

impl Asking for Bind {
    fn name(&self) -> &'static str {
        "bind"
    }

    fn say(&self) -> String {
        let Self { source, target, options } = self;
        let BindOptions { attributes, recursive, optional, idmap, create, made: _ } = *options;
        let differing = attributes.differing(MountAttributes::default());
        let alone = if recursive { "" } else { ", without submounts" };
        let optional = if optional { ", if it exists" } else { "" };
        let idmap = if idmap { MAPPED } else { "" };
        let made = created(create);
        format!("bind {} on {target}{differing}{alone}{idmap}{optional}{made}", source.display())
    }

    fn changes(&self) -> Changes {
        Changes::Root
    }

    fn key(&self) -> Option<&str> {
        None
    }

    fn target(&self) -> Option<&GuestPath> {
        Some(&self.target)
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        let Self { source, target, options } = self;
        let (directory, id) = match (to.host.tree.metadata(source), options.made) {
            (Ok(found), _) => (found.is_dir(), Some((found.dev(), found.ino()))),
            (Err(_), Some(directory)) => (directory, None),
            (Err(error), _)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                if !options.optional {
                    to.missing_source(source, target, origin);
                }
                return Ok(());
            }
            (Err(error), _) => {
                to.closed_source(source, &error, origin);
                return Ok(());
            }
        };
        to.check_attributes(options.attributes, origin);
        let wanted = if directory { Presence::Directory } else { Presence::File };
        let create = to.place(target, wanted, Some(options.create), origin);
        let backing =
            Backing::Host { path: source.clone(), read_only: options.attributes.read_only };
        to.view.cover(target, backing, origin.cloned());
        let BindOptions { attributes, recursive, .. } = *options;
        let usual = MountAttributes::default();
        let (source, target) = (source.clone(), target.clone());
        let mapped = options.idmap && !to.maps.is_identity();
        let mapped = mapped.then(|| {
            let maps = to.maps.clone();
            MapMount { source: source.clone(), id, attributes, recursive, maps }.plan(to, origin)
        });
        let bound =
            Bound { source, id, directory, target, attributes, usual, recursive, mapped, create };
        to.push(bound, origin);
        Ok(())
    }
}

/// A planned bind of a file or directory of the host at a place inside.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The place on the host.
    pub source: PathBuf,
    /// The identity of the file that was found there.
    pub id: Option<FileId>,
    /// Whether it is a directory.
    pub directory: bool,
    /// The place inside.
    pub target: GuestPath,
    /// Its attributes.
    pub attributes: MountAttributes,
    /// The default attributes of the verb; the sentence states only differences.
    pub usual: MountAttributes,
    /// Whether mounts below the source are included.
    pub recursive: bool,
    /// The number of the copy that [`MapMount`] makes, if ids are mapped.
    pub mapped: Option<usize>,
    /// Whether a missing place is created.
    pub create: bool,
}

impl Operation for Bound {
    fn facts(&self) -> Facts<'_> {
        let Self { source, directory, target, attributes, .. } = self;
        let (directory, attributes) = (*directory, *attributes);
        Facts {
            name: "bind",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Bound { source, directory, target, attributes },
        }
    }

    fn told(&self) -> Told {
        let Self { source, id: _, directory, target, attributes, usual, recursive, mapped, create } =
            self;
        let differing = attributes.differing(*usual);
        let alone = if *recursive { "" } else { ", without submounts" };
        let at = in_root(target);
        let made = made(&at, *directory, *create);
        // A file has no mounts below it.
        let bound = bound(&sh(source), &at, *attributes, *recursive && *directory);
        let idmap = if mapped.is_some() { MAPPED } else { "" };
        let (from, on) = (host(source), place(target));
        Told {
            sentence: format!("bind {from} on {on}{differing}{alone}{idmap}"),
            source: Some(source.to_string_lossy().into_owned()),
            target: Some(target.to_string()),
            // mount(8) maps ids where it mounts, which only root can, outside of the sandbox.
            shell: mapped.is_none().then(|| format!("{made}{bound}")),
        }
    }
}

impl Lower for Bound {
    fn lower(&self, to: &mut Lowering<'_>) {
        let Self { source, id, directory, target, attributes, recursive, mapped, create, usual: _ } =
            self;
        to.push(match mapped {
            // Without a descriptor, attaching it fails.
            Some(number) => {
                let mount = to.prepared.mapped.get(*number).copied().unwrap_or(-1);
                Call::UseGiven { mount }
            }
            None => Call::OpenTree {
                tree: Tree::Host(path(source), id.map(identity)),
                recursive: *recursive,
                set: kernel(*attributes),
            },
        });
        let made = if *directory { Create::Directory } else { Create::File };
        to.attach(target, if *create { made } else { Create::Nothing });
    }
}
