//! Queries for the needs of one program or of many.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::abi::Abi;
use super::closure::{self, Closure, Start};
use super::error::{ElfError, ElfErrorKind};
use super::files::{Content, Known};
use super::needs::{Kind, LoadError, Missing, Needs, Role};
use super::object::Object;
use super::script::Shebang;
use super::search::Search;
use super::system::System;
use crate::host::FileView;

/// The number of scripts that may run each other before the kernel refuses; see `execve(2)`.
const MOST_SCRIPTS: usize = 5;

/// Predicts what the loader of a tree would do, without running it.
///
/// Results are kept between programs: every file is read once. The tree is assumed not to change
/// meanwhile.
///
/// Ignored are the environment (`LD_LIBRARY_PATH`, `LD_PRELOAD`), `/etc/ld.so.preload`, libraries
/// that a program loads by `dlopen(3)`, and the legacy hardware directories (`tls`, `haswell`…)
/// that glibc 2.37 removed.
pub struct Loader<'t> {
    tree: &'t dyn FileView,
    search: Search<'t>,
    systems: HashMap<(Abi, Option<PathBuf>), Rc<System>>,
    path_variable: Option<String>,
}

impl<'t> Loader<'t> {
    /// A loader for the programs of `tree`.
    #[must_use]
    pub fn new(tree: &'t dyn FileView) -> Self {
        Self { tree, search: Search::of(tree), systems: HashMap::new(), path_variable: None }
    }

    /// Sets the `PATH` in which `#!/usr/bin/env NAME` will search; see [`Tree::which`].
    #[must_use]
    pub fn with_path_variable(mut self, path_variable: impl Into<String>) -> Self {
        self.path_variable = Some(path_variable.into());
        self
    }

    /// The files that `program`, a path in the tree, needs in order to be loaded.
    ///
    /// A missing library or loader is not an error: it is listed in [`Needs::missing`].
    ///
    /// # Errors
    /// The program, or the interpreter of a script, is not one or cannot be read; or a file that
    /// the loader would look at could not be accessed.
    pub fn needs(&mut self, program: &Path) -> Result<Needs, ElfError> {
        let needs = self.needs_of(&Path::new("/").join(program), 0);
        self.if_all_was_seen(needs)
    }

    /// Remembers a result, unless a look-up failed: another attempt may succeed.
    fn if_all_was_seen<T>(&mut self, answer: Result<T, ElfError>) -> Result<T, ElfError> {
        let Some(unseen) = self.tree.unseen() else { return answer };
        (self.search, self.systems) = (Search::of(self.tree), HashMap::new());
        Err(ElfError::new(&unseen.path, ElfErrorKind::Unreadable(unseen.errno)))
    }

    /// Finds the library `name` for programs like `like`, and its own needs: for libraries that
    /// programs load later, by `dlopen(3)`, such as `libnss_files.so.2`.
    ///
    /// The search is that of a program without `RPATH`. The library's path is `program` in the
    /// result.
    ///
    /// # Errors
    /// `like` cannot be read, or there is no such library.
    pub fn library(&mut self, name: &str, like: &Path) -> Result<Needs, ElfError> {
        let needs = self.needs_of_library(name, like);
        self.if_all_was_seen(needs)
    }

    fn needs_of_library(&mut self, name: &str, like: &Path) -> Result<Needs, ElfError> {
        let like = Path::new("/").join(like);
        let object = self.object_behind(&like)?;
        let system = self.system(&object);
        let found = self.search.find(&system, &[], OsStr::new(name));
        let found = found.map_err(|cause| match cause {
            LoadError::Unusable(error) => error,
            _ => ElfError::new(Path::new(name), ElfErrorKind::NoSuchLibrary),
        })?;
        let resolved = self.search.files.resolve(&found.path)?;
        let start = Start {
            origin: parent(&found.path),
            path: &found.path,
            identity: found.identity,
            object: found.object,
        };
        let closure = closure::follow(&mut self.search, &system, start);
        Ok(assemble(found.path, resolved, Kind::Library, closure))
    }

    fn needs_of(&mut self, program: &Path, depth: usize) -> Result<Needs, ElfError> {
        let (resolved, known) = self.look(program)?;
        match known.content {
            Content::Script(shebang) => self.script(program, resolved, &shebang, depth),
            Content::Elf(object) => {
                let kind = match (&object.interpreter, object.is_shared) {
                    (Some(_), _) => Kind::Dynamic,
                    (None, true) => Kind::Library,
                    (None, false) => Kind::Static,
                };
                let closure = if kind == Kind::Static {
                    Closure::default()
                } else {
                    let system = self.system(&object);
                    // A program knows where it is from the kernel, which has followed all links;
                    // a library is where it was opened.
                    let place = if kind == Kind::Dynamic { &resolved } else { program };
                    let origin = parent(place);
                    let identity = known.identity;
                    let start = Start { path: program, origin, identity, object };
                    closure::follow(&mut self.search, &system, start)
                };
                Ok(assemble(program.to_owned(), resolved, kind, closure))
            }
        }
    }

    fn script(
        &mut self,
        program: &Path,
        resolved: PathBuf,
        shebang: &Shebang,
        depth: usize,
    ) -> Result<Needs, ElfError> {
        let interpreter = self.interpreter_of(program, shebang, depth)?;
        let kind = Kind::Script(shebang.clone());
        let mut needs = assemble(program.to_owned(), resolved, kind, Closure::default());
        let started = self.needs_of(&interpreter, depth + 1).map_err(|error| {
            let kind = match error.kind {
                ElfErrorKind::InterpreterLoop => ElfErrorKind::InterpreterLoop,
                _ => ElfErrorKind::InterpreterUnusable(Box::new(error)),
            };
            ElfError::new(program, kind)
        })?;
        needs.interpreters.push(started);
        let Some(wanted) = shebang.wanted_of_env() else {
            return Ok(needs);
        };
        let variable = match &wanted.path_variable {
            Some(set) => Some(set.to_string_lossy().into_owned()),
            None => self.path_variable.clone(),
        };
        let found = self.tree.which(&wanted.program.to_string_lossy(), variable.as_deref());
        let needed = match found {
            // Scripts are counted on, though `env` starts anew: one could name itself.
            Some(path) => self.needs_of(&Path::new("/").join(path), depth + 1),
            None => Err(ElfError::new(Path::new(&wanted.program), ElfErrorKind::NotFound)),
        };
        match needed {
            Ok(needed) => needs.interpreters.push(needed),
            Err(error) => needs.missing.push(Missing {
                name: wanted.program,
                by: program.to_owned(),
                role: Role::Program,
                cause: match error.kind {
                    ElfErrorKind::NotFound => LoadError::NotFound,
                    _ => LoadError::Unusable(error),
                },
            }),
        }
        Ok(needs)
    }

    /// The interpreter of a script, which must exist.
    fn interpreter_of(
        &mut self,
        script: &Path,
        shebang: &Shebang,
        depth: usize,
    ) -> Result<PathBuf, ElfError> {
        if depth == MOST_SCRIPTS {
            return Err(ElfError::new(script, ElfErrorKind::InterpreterLoop));
        }
        let interpreter = Path::new("/").join(&shebang.interpreter);
        match self.look(&interpreter) {
            Err(ElfError { kind: ElfErrorKind::NotFound, .. }) => Err(ElfError::new(
                script,
                ElfErrorKind::InterpreterMissing(shebang.interpreter.clone()),
            )),
            _ => Ok(interpreter),
        }
    }

    /// The program that runs if `program` is started, which may be a script.
    fn object_behind(&mut self, program: &Path) -> Result<Rc<Object>, ElfError> {
        let mut program = program.to_owned();
        for depth in 0.. {
            match self.look(&program)?.1.content {
                Content::Elf(object) => return Ok(object),
                Content::Script(shebang) => {
                    program = self.interpreter_of(&program, &shebang, depth)?;
                }
            }
        }
        Err(ElfError::new(&program, ElfErrorKind::InterpreterLoop))
    }

    /// The path of `program` without links, and its contents.
    fn look(&mut self, program: &Path) -> Result<(PathBuf, Known), ElfError> {
        let resolved = self.search.files.resolve(program)?;
        let known = self.search.files.known(&resolved);
        let known = known.map_err(|error| ElfError::new(program, error.kind))?;
        Ok((resolved, known))
    }

    fn system(&mut self, object: &Object) -> Rc<System> {
        let key = (object.abi, object.interpreter.clone());
        let new = || Rc::new(System::new(self.tree, object.abi, object.interpreter.as_deref()));
        Rc::clone(self.systems.entry(key).or_insert_with(new))
    }
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}

fn assemble(program: PathBuf, resolved: PathBuf, kind: Kind, closure: Closure) -> Needs {
    let Closure { libraries, missing, requests } = closure;
    Needs { program, resolved, kind, libraries, missing, interpreters: Vec::new(), requests }
}
