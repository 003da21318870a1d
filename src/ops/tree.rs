//! Directories, files and links that are made in the root.

use std::rc::Rc;

use super::lowering::{c, guest};
use super::words::{in_root, place};
use super::{Facts, Leaves, Lower, Lowering, Operation, Scope, Told, Turn};
use crate::diag::{count, quoted};
use crate::spec::{FileOptions, GuestPath, shell_word};
use crate::sys::Call;

/// A directory is made.
#[derive(Clone, Debug, PartialEq)]
pub struct MakeDirectory {
    /// The place inside.
    pub path: GuestPath,
    /// Its look.
    pub options: FileOptions,
}

/// A file is made.
#[derive(Clone, Debug, PartialEq)]
pub struct MakeFile {
    /// The place inside.
    pub path: GuestPath,
    /// What it holds.
    pub content: Rc<[u8]>,
    /// Its look.
    pub options: FileOptions,
}

/// A symbolic link is made.
#[derive(Clone, Debug, PartialEq)]
pub struct MakeSymlink {
    /// Where the link stands.
    pub path: GuestPath,
    /// What the link says.
    pub says: String,
}

impl Operation for MakeDirectory {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "directory",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            leaves: Leaves::Directory(&self.path),
        }
    }

    fn told(&self) -> Told {
        let Self { path, options } = self;
        let with = options.mode.map_or(String::new(), |mode| format!(" with mode {mode:04o}"));
        let mode = options.mode.unwrap_or(0o755);
        let look = look(path, *options, None);
        Told {
            sentence: format!("make the directory {}{with}", place(path)),
            source: None,
            target: Some(path.to_string()),
            shell: Some(format!("mkdir -p -m {mode:o} {}{look}", in_root(path))),
        }
    }
}

impl Lower for MakeDirectory {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::MakeDirectory {
            path: guest(&self.path),
            mode: self.options.mode.unwrap_or(0o755),
            owner: owner(self.options),
        });
    }
}

impl Operation for MakeFile {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "file",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            leaves: Leaves::File(&self.path),
        }
    }

    fn told(&self) -> Told {
        let Self { path, content, options } = self;
        let look = look(path, *options, options.mode);
        Told {
            sentence: format!("write {} to {}", count(content.len(), "byte"), place(path)),
            source: None,
            target: Some(path.to_string()),
            shell: Some(format!("printf … > {}{look}", in_root(path))),
        }
    }
}

impl Lower for MakeFile {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::MakeFile {
            path: guest(&self.path),
            content: self.content.to_vec(),
            mode: self.options.mode.unwrap_or(0o644),
            owner: owner(self.options),
        });
    }
}

impl Operation for MakeSymlink {
    fn facts(&self) -> Facts<'_> {
        let Self { path, says } = self;
        Facts {
            name: "symlink",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            leaves: Leaves::Symlink { path, says },
        }
    }

    fn told(&self) -> Told {
        let Self { path, says } = self;
        Told {
            sentence: format!("make the link {} to {}", place(path), quoted(says)),
            source: None,
            target: Some(path.to_string()),
            shell: Some(format!("ln -s {} {}", shell_word(says), in_root(path))),
        }
    }
}

impl Lower for MakeSymlink {
    fn lower(&self, to: &mut Lowering<'_>) {
        let (base, path) = to.place(&self.path);
        to.link(&self.path);
        to.push(Call::MakeSymlink { base, path, target: c(&self.says) });
    }
}

/// Owner and group; `u32::MAX` leaves one as it is.
fn owner(options: FileOptions) -> (u32, u32) {
    (options.uid.unwrap_or(u32::MAX), options.gid.unwrap_or(u32::MAX))
}

/// The shell commands that give a file its look.
fn look(path: &GuestPath, options: FileOptions, mode: Option<u32>) -> String {
    let at = in_root(path);
    let mut out = mode.map_or(String::new(), |mode| format!(" && chmod {mode:o} {at}"));
    let id = |id: Option<u32>| id.map(|id| id.to_string()).unwrap_or_default();
    let owner = match options.gid {
        None => id(options.uid),
        gid => format!("{}:{}", id(options.uid), id(gid)),
    };
    if !owner.is_empty() {
        out.push_str(&format!(" && chown {owner} {at}"));
    }
    out
}
