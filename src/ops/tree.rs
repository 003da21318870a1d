//! Directories, files and links in the root.

use std::sync::Arc;

use super::lowering::{c, guest};
use super::planning::given;
use super::words::{in_root, place};
use super::{
    Asking, Changes, Facts, Leaves, Lower, Lowering, Operation, Planning, Scope, Told, Turn,
};
use crate::diag::{Origin, count, quoted};
use crate::spec::{self, FileOptions, GuestPath, Namespaces, ValueError, shell_word};
use crate::sys::Call;

/// Creates a directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Directory {
    /// The place inside.
    pub path: GuestPath,
    /// Its mode and owner.
    pub options: FileOptions,
}

/// Writes a file.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// The place inside.
    pub path: GuestPath,
    /// Its content.
    pub content: Arc<[u8]>,
    /// Its look.
    pub options: FileOptions,
}

/// Mounts a file in memory over an existing one, which cannot be changed.
#[derive(Clone, Debug, PartialEq)]
pub struct FileOver(pub File);

/// Creates a symbolic link.
#[derive(Clone, Debug, PartialEq)]
pub struct Symlink {
    /// The path of the link.
    pub path: GuestPath,
    /// The target of the link.
    pub says: String,
}

impl File {
    /// A file with this content.
    ///
    /// # Errors
    /// The path is the root.
    pub fn new(path: GuestPath, content: &[u8], options: FileOptions) -> Result<Self, ValueError> {
        spec::check_file(&path)?;
        Ok(Self { path, content: content.into(), options })
    }
}

impl Symlink {
    /// A link at `path` to `target`.
    ///
    /// # Errors
    /// The target is empty or contains a NUL byte, or the path is the root.
    pub fn new(target: String, path: GuestPath) -> Result<Self, ValueError> {
        spec::check_link(&target, &path)?;
        Ok(Self { path, says: target })
    }
}

impl Operation for Directory {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "directory",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Directory(&self.path),
        }
    }

    fn told(&self) -> Told {
        let Self { path, options } = self;
        let with = options.mode.map_or(String::new(), |mode| format!(" with mode {mode:04o}"));
        let mode = options.mode.unwrap_or(0o755);
        let look = look(path, *options, mode);
        Told {
            sentence: format!("create the directory {}{with}", place(path)),
            source: None,
            target: Some(path.to_string()),
            shell: Some(format!("mkdir -p {}{look}", in_root(path))),
        }
    }
}

impl Lower for Directory {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::MakeDirectory {
            path: guest(&self.path),
            mode: self.options.mode.unwrap_or(0o755),
            owner: owner(self.options),
        });
    }
}

impl Operation for File {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "file",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::File(&self.path),
        }
    }

    fn told(&self) -> Told {
        let Self { path, content, options } = self;
        let look = look(path, *options, options.mode.unwrap_or(0o644));
        Told {
            sentence: format!("write {} to {}", count(content.len(), "byte"), place(path)),
            source: None,
            target: Some(path.to_string()),
            shell: printf(content)
                .map(|printed| format!("{}{printed} > {}{look}", parents(path), in_root(path))),
        }
    }
}

impl Lower for File {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::MakeFile {
            path: guest(&self.path),
            content: self.content.to_vec(),
            mode: self.options.mode.unwrap_or(0o644),
            owner: owner(self.options),
        });
    }
}

impl Operation for FileOver {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "file",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::File(&self.0.path),
        }
    }

    fn told(&self) -> Told {
        let File { path, content, options } = &self.0;
        let look = look_at("$t/file", *options, options.mode.unwrap_or(0o644));
        let at = in_root(path);
        let bytes = count(content.len(), "byte");
        // The file stays when nothing leads to its file system any more.
        let shell = printf(content).map(|printed| {
            format!(
                "t=$(mktemp -d) && mount -t tmpfs -o nosuid,nodev,mode=0755 none $t && {printed} > \
                 $t/file{look} && mount --bind $t/file {at} && mount -o \
                 remount,bind,ro,nosuid,nodev {at} && umount -l $t && rmdir $t"
            )
        });
        Told {
            sentence: format!("cover {} with {bytes} in memory, read-only", place(path)),
            source: None,
            target: Some(path.to_string()),
            shell,
        }
    }
}

impl Lower for FileOver {
    fn lower(&self, to: &mut Lowering<'_>) {
        let File { path, content, options } = &self.0;
        to.push(Call::CoverFile {
            path: guest(path),
            content: content.to_vec(),
            mode: options.mode.unwrap_or(0o644),
            owner: owner(*options),
        });
    }
}

impl Operation for Symlink {
    fn facts(&self) -> Facts<'_> {
        let Self { path, says } = self;
        Facts {
            name: "symlink",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Symlink { path, says },
        }
    }

    fn told(&self) -> Told {
        let Self { path, says } = self;
        Told {
            sentence: format!("create the link {} to {}", place(path), quoted(says)),
            source: None,
            target: Some(path.to_string()),
            shell: Some(format!(
                "{}ln -sT -- {} {}",
                parents(path),
                shell_word(says),
                in_root(path)
            )),
        }
    }
}

impl Lower for Symlink {
    fn lower(&self, to: &mut Lowering<'_>) {
        let (base, path) = to.place(&self.path);
        to.link(&self.path);
        to.push(Call::MakeSymlink { base, path, target: c(&self.says) });
    }
}

impl Asking for Directory {
    fn name(&self) -> &'static str {
        "directory"
    }

    fn say(&self) -> String {
        format!("directory {}", self.path)
    }

    fn changes(&self) -> Changes {
        Changes::Root
    }

    fn key(&self) -> Option<&str> {
        None
    }

    fn target(&self) -> Option<&GuestPath> {
        Some(&self.path)
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        to.owner(given(self.options), origin);
        to.make_directory(self, origin);
        Ok(())
    }
}

impl Asking for File {
    fn name(&self) -> &'static str {
        "file"
    }

    fn say(&self) -> String {
        format!("file {} of {} bytes", self.path, self.content.len())
    }

    fn changes(&self) -> Changes {
        Changes::Root
    }

    fn key(&self) -> Option<&str> {
        None
    }

    fn target(&self) -> Option<&GuestPath> {
        Some(&self.path)
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        to.owner(given(self.options), origin);
        to.make_file(self, origin);
        Ok(())
    }
}

impl Asking for Symlink {
    fn name(&self) -> &'static str {
        "symlink"
    }

    fn say(&self) -> String {
        format!("symlink {} to {}", self.path, self.says)
    }

    fn changes(&self) -> Changes {
        Changes::Root
    }

    fn key(&self) -> Option<&str> {
        None
    }

    fn target(&self) -> Option<&GuestPath> {
        Some(&self.path)
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        to.make_symlink(self, origin);
        Ok(())
    }
}

/// Owner and group; `u32::MAX` leaves one unchanged.
fn owner(options: FileOptions) -> (u32, u32) {
    (options.uid.unwrap_or(u32::MAX), options.gid.unwrap_or(u32::MAX))
}

/// The maximum content of a shell command, in bytes.
const LONGEST: usize = 200;

/// The shell command that prints a content; `None` if it is long or not text.
fn printf(content: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(content).ok().filter(|text| text.len() <= LONGEST)?;
    let is_plain = |letter: char| letter == '\n' || letter == '\t' || !letter.is_control();
    let text = text.chars().all(is_plain).then_some(text)?;
    let text = text.replace('\\', "\\\\").replace('%', "%%");
    Some(format!("printf -- {}", shell_word(&text.replace('\n', "\\n").replace('\t', "\\t"))))
}

/// The shell command that creates the parent directories of a place.
fn parents(path: &GuestPath) -> String {
    let above = path.parent().filter(|above| !above.is_root());
    above.map_or_else(String::new, |above| format!("mkdir -p {} && ", in_root(&above)))
}

/// The shell commands that set owner and mode of a file. chown(1) clears set-user-ID bits, so it
/// comes first.
fn look(path: &GuestPath, options: FileOptions, mode: u32) -> String {
    look_at(&in_root(path), options, mode)
}

fn look_at(at: &str, options: FileOptions, mode: u32) -> String {
    let id = |id: Option<u32>| id.map(|id| id.to_string()).unwrap_or_default();
    let owner = match options.gid {
        None => id(options.uid),
        gid => format!("{}:{}", id(options.uid), id(gid)),
    };
    let chown = if owner.is_empty() { String::new() } else { format!(" && chown {owner} {at}") };
    format!("{chown} && chmod {mode:o} {at}")
}
