//! Mount points that nsscript makes on the host, because the recipe asks for that.

use std::path::PathBuf;

use super::FileId;
use crate::ops::words::{host, sh};
use crate::ops::{Facts, Leaves, Operation, Scope, Told, Turn};
use crate::spec::Namespaces;

/// Makes a missing mount point in a writable directory of the host.
#[derive(Clone, Debug, PartialEq)]
pub struct MakeOnHost {
    /// The directory that the recipe makes writable, without links in its path.
    pub base: PathBuf,
    /// Its identity.
    pub id: FileId,
    /// The path of the mount point below it, without links.
    pub below: PathBuf,
    /// Whether it is a directory.
    pub directory: bool,
}

impl Operation for MakeOnHost {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "create",
            turn: Turn::OnHost,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let Self { base, id: _, below, directory } = self;
        let path = base.join(below);
        let (what, shell) = if *directory {
            ("directory", format!("mkdir -p {}", sh(&path)))
        } else {
            ("file", format!("install -Dm 644 /dev/null {}", sh(&path)))
        };
        Told {
            sentence: format!("create the {what} {} on the host", host(&path)),
            source: None,
            target: Some(path.to_string_lossy().into_owned()),
            shell: Some(shell),
        }
    }
}
