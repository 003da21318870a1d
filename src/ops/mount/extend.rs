//! Directories of a view of the host that can hold further entries, without a change of the host.

use std::path::PathBuf;

use super::{Overlaid, OverlayChanges};
use crate::ops::lowering::guest;
use crate::ops::words::{in_root, place};
use crate::ops::{Facts, FileId, Leaves, Lower, Lowering, Operation, Scope, Told, Turn};
use crate::spec::{GuestPath, Namespaces, shell_word};
use crate::sys::Call;

/// How a directory of a view is extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// By an overlay, which does not show mounts in the directory.
    Overlay,
    /// By a tmpfs with its entries, each of which is mounted.
    Entries,
}

/// Lets a directory of a view hold further entries. It is writable until it is made read-only.
#[derive(Clone, Debug, PartialEq)]
pub struct Extend {
    /// The directory, by its place inside.
    pub target: GuestPath,
    /// The directory on the host.
    pub source: PathBuf,
    /// The identity of the directory.
    pub id: FileId,
    /// How it is extended.
    pub by: Extension,
}

impl Extend {
    /// The overlay of the directory on itself.
    fn overlay(&self) -> Overlaid {
        Overlaid {
            target: self.target.clone(),
            lower: vec![(self.source.clone(), self.id)],
            changes: OverlayChanges::Discarded,
            create: false,
        }
    }
}

impl Operation for Extend {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "extend",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let Self { target, source, id: _, by } = self;
        let (how, shell) = match by {
            Extension::Overlay => ("an overlay", self.overlay().told().shell),
            Extension::Entries => ("a tmpfs with its entries", Some(show_entries(target))),
        };
        let at = place(target);
        Told {
            sentence: format!("cover {at} with {how}, so that more can be added in memory"),
            source: Some(source.to_string_lossy().into_owned()),
            target: Some(target.to_string()),
            shell,
        }
    }
}

impl Lower for Extend {
    fn lower(&self, to: &mut Lowering<'_>) {
        match self.by {
            Extension::Overlay => self.overlay().lower(to),
            Extension::Entries if self.target.is_root() => to.push(Call::ShowRootEntries),
            Extension::Entries => to.push(Call::ShowEntries(guest(&self.target))),
        }
    }
}

/// The shell command that mounts a tmpfs with the entries of a directory. Since that is then out of
/// sight, it is bound elsewhere meanwhile.
fn show_entries(target: &GuestPath) -> String {
    let at = in_root(target);
    let each = "for e; do n=$0/${e##*/}; if [ -L \"$e\" ]; then cp -P \"$e\" \"$n\"; else if \
                [ -d \"$e\" ]; then mkdir \"$n\"; else : > \"$n\"; fi && mount --rbind \"$e\" \
                \"$n\"; fi || exit; done";
    let each = shell_word(each);
    format!(
        "t=$(mktemp -d) && mount --rbind {at} $t && mount -t tmpfs -o nosuid,nodev,mode=0755 none \
         {at} && find $t -mindepth 1 -maxdepth 1 -exec sh -c {each} {at} {{}} + && umount -l $t \
         && rmdir $t"
    )
}
