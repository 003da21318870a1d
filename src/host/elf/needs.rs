//! What a program needs in order to start, and why.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use super::error::{ElfError, Quoted};
use super::outline::Outline;
use super::script::Shebang;

/// What a program, library or script needs in order to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// The file asked about, as it was named, from the root of the tree.
    pub program: PathBuf,
    /// The same without links.
    pub resolved: PathBuf,
    /// What kind of file it is.
    pub kind: Kind,
    /// The libraries in the order in which the loader loads them, breadth first; the loader is
    /// among them, where it is first asked for, or else last. The `vdso` is no file and is not.
    pub libraries: Vec<Library>,
    /// What was asked for and is not there.
    pub missing: Vec<Missing>,
    /// For a script: its interpreter and, where that is `env`, the program `env` will run.
    pub interpreters: Vec<Needs>,
    /// Who asked for what, in the order in which it was.
    pub requests: Vec<Request>,
}

/// What kind of file something is, to those who run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A program that the kernel starts through the loader it names.
    Dynamic,
    /// A program that needs nothing, position independent or not.
    Static,
    /// A library.
    Library,
    /// A script.
    Script(Shebang),
}

/// A library that will be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// The name by which it was first asked for.
    pub name: OsString,
    /// Its path as the loader opens it, its links not followed.
    pub path: PathBuf,
    /// The name it gives itself (`DT_SONAME`).
    pub soname: Option<OsString>,
    /// The object that first asked for it.
    pub by: PathBuf,
    /// By which rule it was found.
    pub rule: Rule,
}

/// The rule by which the loader found a library; see `ld.so(8)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// It is the loader itself, named by the program (`PT_INTERP`).
    Interpreter,
    /// It was requested by its path.
    Path,
    /// In the `DT_RPATH` of this object, which is the one that asked or one that led to it.
    Rpath(PathBuf),
    /// In the `DT_RUNPATH` of the object that asked (with musl, or one that led to it).
    Runpath,
    /// Listed in `/etc/ld.so.cache`.
    Cache,
    /// In a directory built into the loader.
    DefaultDirectory,
    /// In a directory that `/etc/ld.so.conf` lists: the tree has no cache, and the loader finds
    /// it only once `ldconfig` has made one.
    Configuration,
}

/// Something that was asked for and is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The name by which it was asked for.
    pub name: OsString,
    /// The object that asked.
    pub by: PathBuf,
    /// What was asked for.
    pub role: Role,
    /// Why it is not there.
    pub cause: Cause,
}

/// As what something is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// As the loader: without it the kernel says that the program itself does not exist.
    Loader,
    /// As a library.
    Library,
    /// As the program that `env` is to run.
    Program,
}

/// Why something is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It is nowhere that would be searched.
    NotFound,
    /// Only this file has the name, and it is for another machine or class.
    OtherMachine(PathBuf),
    /// It was found, and cannot be loaded.
    Unusable(ElfError),
}

/// That one object asks for another.
///
/// Objects are counted: 0 is the program, 1 the first of its libraries, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The object that asks.
    pub by: usize,
    /// The name by which it asks.
    pub name: OsString,
    /// The object that it gets; `None` when it is missing.
    pub gets: Option<usize>,
}

impl Needs {
    /// The paths of all libraries, loaders included, in load order, those of a script's
    /// interpreters too; each once, as the loader opens them.
    #[must_use]
    pub fn library_paths(&self) -> Vec<&Path> {
        let mut seen = HashSet::new();
        let all = self.all().into_iter().flat_map(|needs| &needs.libraries);
        all.map(|library| library.path.as_path()).filter(|path| seen.insert(*path)).collect()
    }

    /// The paths of all files: the program, its libraries, its interpreters and theirs; each
    /// once, as it is opened.
    #[must_use]
    pub fn files(&self) -> Vec<&Path> {
        self.objects().into_iter().map(|(_, path)| path).collect()
    }

    /// The same files, each with the name by which it is asked for.
    #[must_use]
    pub fn objects(&self) -> Vec<(&OsStr, &Path)> {
        let mut seen = HashSet::new();
        let all = self.all().into_iter().flat_map(|needs| {
            let name = needs.program.file_name().unwrap_or_default();
            let libraries = needs.libraries.iter();
            let libraries =
                libraries.map(|library| (library.name.as_os_str(), library.path.as_path()));
            std::iter::once((name, needs.program.as_path())).chain(libraries)
        });
        all.filter(|(_, path)| seen.insert(*path)).collect()
    }

    /// All that is missing, to this and to its interpreters.
    #[must_use]
    pub fn all_missing(&self) -> Vec<&Missing> {
        self.all().into_iter().flat_map(|needs| &needs.missing).collect()
    }

    /// Whether nothing is missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.all_missing().is_empty()
    }

    /// The library that is loaded from `path`, which tells who asked for it and how it was found.
    #[must_use]
    pub fn library_at(&self, path: &Path) -> Option<&Library> {
        self.all()
            .into_iter()
            .flat_map(|needs| &needs.libraries)
            .find(|library| library.path == path)
    }

    /// The whole as a tree of text, each library explained where it first appears.
    #[must_use]
    pub fn outline(&self) -> Outline<'_> {
        Outline(self)
    }

    /// This and its interpreters and theirs, in the order in which they are started.
    fn all(&self) -> Vec<&Self> {
        let mut all = vec![self];
        all.extend(self.interpreters.iter().flat_map(Self::all));
        all
    }
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = Quoted(self.by.as_os_str());
        write!(f, "{}, needed by {by}: {}", Quoted(self.path.as_os_str()), self.rule)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interpreter => "the loader",
            Self::Path => "requested by its path",
            Self::Rpath(owner) => return write!(f, "RPATH of {}", Quoted(owner.as_os_str())),
            Self::Runpath => "RUNPATH",
            Self::Cache => "ld.so.cache",
            Self::DefaultDirectory => "default directory",
            Self::Configuration => "ld.so.conf, effective after ldconfig has run",
        })
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, by) = (Quoted(&self.name), Quoted(self.by.as_os_str()));
        match self.role {
            Role::Loader => write!(f, "{name}, the loader of {by}, ")?,
            Role::Library => write!(f, "{name}, needed by {by}, ")?,
            Role::Program => write!(f, "{name}, which {by} asks `env` for, ")?,
        }
        match (&self.cause, self.role) {
            (Cause::NotFound, Role::Loader) => write!(f, "does not exist"),
            (Cause::NotFound, Role::Library) => write!(f, "is not in the loader's search path"),
            (Cause::NotFound, Role::Program) => write!(f, "is not in `PATH`"),
            (Cause::OtherMachine(path), _) => {
                let path = Quoted(path.as_os_str());
                write!(f, "exists only for another architecture, as {path}")
            }
            (Cause::Unusable(error), _) => write!(f, "is unusable: {error}"),
        }
    }
}
