//! The files that a program needs in order to start, and the reasons.

use std::collections::HashSet;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use super::error::{ElfError, Quoted};
use super::outline::Outline;
use super::script::Shebang;

/// The needs of a program, library or script in order to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// The queried file, as it was named, from the root of the tree.
    pub program: PathBuf,
    /// The same without links.
    pub resolved: PathBuf,
    /// Its kind.
    pub kind: Kind,
    /// The libraries in the order in which the loader loads them, breadth first; the loader is
    /// among them, where it is first requested, or else last. The `vdso` is not a file, so it is
    /// not.
    pub libraries: Vec<Library>,
    /// Requested files that are missing.
    pub missing: Vec<Missing>,
    /// For a script: its interpreter and, if that is `env`, the program that `env` will run.
    pub interpreters: Vec<Needs>,
    /// All requests, in order.
    pub requests: Vec<Request>,
}

/// The kind of a file, for a process that runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A program that the kernel starts through the loader it names.
    Dynamic,
    /// A static program, position independent or not.
    Static,
    /// A library.
    Library,
    /// A script.
    Script(Shebang),
}

/// A library that will be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// The name by which it was first requested.
    pub name: OsString,
    /// Its path as the loader opens it, its links not followed.
    pub path: PathBuf,
    /// Its own name (`DT_SONAME`).
    pub soname: Option<OsString>,
    /// The object that first requested it.
    pub by: PathBuf,
    /// The rule by which it was found.
    pub rule: Rule,
}

/// The rule by which the loader found a library; see `ld.so(8)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// It is the loader itself, named by the program (`PT_INTERP`).
    Interpreter,
    /// It was requested by its path.
    Path,
    /// In the `DT_RPATH` of this object, which is the requester or one that led to it.
    Rpath(PathBuf),
    /// In the `DT_RUNPATH` of the requester (with musl, or one that led to it).
    Runpath,
    /// Listed in `/etc/ld.so.cache`.
    Cache,
    /// In a directory built into the loader.
    DefaultDirectory,
    /// In a directory that `/etc/ld.so.conf` lists: the tree has no cache, and the loader finds it
    /// only after `ldconfig` has created one.
    Configuration,
}

/// A requested file that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The name by which it was requested.
    pub name: OsString,
    /// The object that requested it.
    pub by: PathBuf,
    /// Its role.
    pub role: Role,
    /// The cause.
    pub cause: LoadError,
}

/// The role of a needed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// As the loader: without it the kernel says that the program itself does not exist.
    Loader,
    /// As a library.
    Library,
    /// As the program that `env` is to run.
    Program,
}

/// The cause why a file is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// It is not in the search path.
    NotFound,
    /// Only this file has the name, and it is for another machine or class.
    OtherMachine(PathBuf),
    /// It was found, but cannot be loaded.
    Unusable(ElfError),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => write!(f, "is not in the search path"),
            Self::OtherMachine(path) => {
                let path = Quoted(path.as_os_str());
                write!(f, "exists only for another architecture, as {path}")
            }
            Self::Unusable(error) => write!(f, "is unusable: {error}"),
        }
    }
}

impl Error for LoadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotFound | Self::OtherMachine(_) => None,
            Self::Unusable(error) => Some(error),
        }
    }
}

/// A request of one object for another.
///
/// Objects are numbered: 0 is the program, 1 the first of its libraries, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The object that requests.
    pub by: usize,
    /// The requested name.
    pub name: OsString,
    /// The object found; `None` if it is missing.
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

    /// The same files, each with the name by which it is requested.
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

    /// Everything missing, for this and for its interpreters.
    #[must_use]
    pub fn all_missing(&self) -> Vec<&Missing> {
        self.all().into_iter().flat_map(|needs| &needs.missing).collect()
    }

    /// Whether nothing is missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.all_missing().is_empty()
    }

    /// The library that is loaded from `path`, with its requester and the rule.
    #[must_use]
    pub fn library_at(&self, path: &Path) -> Option<&Library> {
        self.all()
            .into_iter()
            .flat_map(|needs| &needs.libraries)
            .find(|library| library.path == path)
    }

    /// All of it as a tree of text; each library is explained at its first appearance.
    #[must_use]
    pub fn outline(&self) -> Outline<'_> {
        Outline(self)
    }

    /// This and its interpreters and theirs, in the order in which they start.
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
            (LoadError::NotFound, Role::Loader) => write!(f, "does not exist"),
            (LoadError::NotFound, Role::Library) => write!(f, "is not in the loader's search path"),
            (LoadError::NotFound, Role::Program) => write!(f, "is not in `PATH`"),
            (cause @ (LoadError::OtherMachine(_) | LoadError::Unusable(_)), _) => cause.fmt(f),
        }
    }
}
