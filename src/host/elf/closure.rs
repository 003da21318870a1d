//! All needs of a program: breadth first, every object once, like the loader.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::error::{ElfError, ElfErrorKind};
use super::files::{Content, Identity};
use super::needs::{Library, LoadError, Missing, Request, Role, Rule};
use super::object::Object;
use super::search::{Found, Search};
use super::system::{Flavour, System};
use super::tokens;

/// An object that is loaded, or about to be.
#[derive(Debug)]
pub(super) struct Node {
    pub path: PathBuf,
    /// The value of `$ORIGIN` for it.
    pub origin: PathBuf,
    pub object: Rc<Object>,
    /// The directories of its `RPATH` and `RUNPATH`, with tokens expanded.
    pub rpath: Vec<PathBuf>,
    pub runpath: Vec<PathBuf>,
    /// The object that first requested it.
    asker: Option<usize>,
    name: OsString,
    rule: Rule,
    /// Whether it has a place in the order.
    listed: bool,
}

/// A file to start from.
pub(super) struct Start<'p> {
    /// The path used in reports.
    pub path: &'p Path,
    /// The directory it is taken to lie in: for a program, that of its place without links.
    pub origin: PathBuf,
    pub identity: Identity,
    pub object: Rc<Object>,
}

/// The result of a walk from one object.
#[derive(Debug, Default)]
pub(super) struct Closure {
    pub libraries: Vec<Library>,
    pub missing: Vec<Missing>,
    pub requests: Vec<Request>,
}

/// A walk under way.
struct Walk<'w, 't> {
    search: &'w mut Search<'t>,
    system: &'w System,
    nodes: Vec<Node>,
    /// The nodes in the order in which they were requested; the loader is known before that.
    order: Vec<usize>,
    loader: Option<usize>,
    /// The names that each loaded object answers to.
    names: HashMap<OsString, usize>,
    identities: HashMap<Identity, usize>,
    missing: Vec<Missing>,
    requests: Vec<Request>,
}

/// Follows all requests of `start`.
pub(super) fn follow(search: &mut Search, system: &System, start: Start) -> Closure {
    let mut walk = Walk {
        search,
        system,
        nodes: Vec::new(),
        order: vec![0],
        loader: None,
        names: HashMap::new(),
        identities: HashMap::new(),
        missing: Vec::new(),
        requests: Vec::new(),
    };
    let named_loader = start.object.interpreter.clone();
    if let Some(soname) = &start.object.soname {
        walk.names.insert(soname.clone(), 0);
    }
    walk.identities.insert(start.identity, 0);
    let place = (start.path.to_owned(), start.origin);
    walk.load(place, start.object, OsString::new(), None, Rule::Path);
    walk.add_loader();
    let mut next = 0;
    while let Some(node) = walk.order.get(next).copied() {
        let object = Rc::clone(&walk.nodes[node].object);
        for needed in &object.needed {
            walk.request(node, &needed.name, needed.optional);
        }
        next += 1;
    }
    if let Some(path) = named_loader {
        walk.request_loader(path);
    }
    walk.finish()
}

impl Walk<'_, '_> {
    /// Adds the loader, which is in memory before anything requests it.
    fn add_loader(&mut self) {
        let Some(path) = self.system.interpreter.clone() else {
            return;
        };
        let Ok(known) = self.search.files.known(&path) else {
            return;
        };
        let Content::Elf(object) = known.content else {
            return;
        };
        if !self.system.abi.loads(object.abi) || self.identities.contains_key(&known.identity) {
            return;
        }
        let node = self.nodes.len();
        self.names.insert(path.clone().into_os_string(), node);
        if let (Flavour::Glibc, Some(soname)) = (self.system.flavour, &object.soname) {
            self.names.entry(soname.clone()).or_insert(node);
        }
        self.identities.insert(known.identity, node);
        let origin = directory_of(&path);
        let name = path.clone().into_os_string();
        self.load((path, origin), object, name, Some(0), Rule::Interpreter);
        self.loader = Some(node);
    }

    /// Adds an object whose place is a path and the directory that `$ORIGIN` means to it.
    fn load(
        &mut self,
        (path, origin): (PathBuf, PathBuf),
        object: Rc<Object>,
        name: OsString,
        asker: Option<usize>,
        rule: Rule,
    ) {
        let directories = |list: &Option<Vec<u8>>| match list {
            Some(list) => {
                let Search { files, processor, .. } = &*self.search;
                tokens::directories(list, &origin, self.system, files.tree, processor)
            }
            None => Vec::new(),
        };
        let (rpath, runpath) = (directories(&object.rpath), directories(&object.runpath));
        self.nodes.push(Node {
            path,
            origin,
            object,
            rpath,
            runpath,
            asker,
            name,
            rule,
            listed: self.nodes.is_empty(),
        });
    }

    /// Handles the request of `by` for `name`.
    fn request(&mut self, by: usize, name: &OsStr, optional: bool) {
        let answer = match self.answering(name) {
            Some(node) => Ok(node),
            None => self.search_for(by, name),
        };
        let gets = match answer {
            Ok(node) => {
                self.list(node);
                Some(node)
            }
            Err(_) if optional => return,
            Err(cause) => {
                self.miss(name, by, Role::Library, cause);
                None
            }
        };
        self.requests.push(Request { by, name: name.to_owned(), gets });
    }

    /// Appends an object to the order, unless it is already in it.
    fn list(&mut self, node: usize) {
        if !std::mem::replace(&mut self.nodes[node].listed, true) {
            self.order.push(node);
        }
    }

    /// The loaded object with this name.
    fn answering(&self, name: &OsStr) -> Option<usize> {
        if self.system.flavour == Flavour::Musl && is_part_of_musl(name) && self.loader.is_some() {
            return self.loader;
        }
        self.names.get(name).copied()
    }

    fn search_for(&mut self, by: usize, name: &OsStr) -> Result<usize, LoadError> {
        let mut chain = Vec::new();
        let mut asker = Some(by);
        while let Some(node) = asker.map(|index| &self.nodes[index]) {
            chain.push(node);
            asker = node.asker;
        }
        let found = self.search.find(self.system, &chain, name)?;
        let known = self.identities.get(&found.identity).copied();
        let node = known.unwrap_or(self.nodes.len());
        self.name(node, name, &found);
        if known.is_none() {
            self.identities.insert(found.identity, node);
            let place = (found.path.clone(), directory_of(&found.path));
            self.load(place, found.object, name.to_owned(), Some(by), found.rule);
        }
        Ok(node)
    }

    /// Records the names by which an object counts as loaded.
    fn name(&mut self, node: usize, name: &OsStr, found: &Found) {
        let mut add = |name: &OsStr| {
            if !self.names.contains_key(name) {
                self.names.insert(name.to_owned(), node);
            }
        };
        add(name);
        if self.system.flavour == Flavour::Glibc {
            add(found.path.as_os_str());
            found.object.soname.as_deref().map(add);
        }
    }

    /// The program's request for its loader, which comes first and is listed at its place.
    fn request_loader(&mut self, path: PathBuf) {
        let name = path.clone().into_os_string();
        let gets = if let Some(node) = self.loader {
            self.list(node);
            Some(node)
        } else {
            let cause = self.why_no_loader(path);
            self.miss(&name, 0, Role::Loader, cause);
            None
        };
        self.requests.push(Request { by: 0, name, gets });
    }

    fn why_no_loader(&mut self, path: PathBuf) -> LoadError {
        match self.search.files.known(&path) {
            Ok(known) => match known.content {
                Content::Elf(_) => LoadError::OtherMachine(path),
                Content::Script(_) => {
                    LoadError::Unusable(ElfError::new(&path, ElfErrorKind::NotProgram))
                }
            },
            Err(error) if error.kind == ElfErrorKind::NotFound => LoadError::NotFound,
            Err(error) => LoadError::Unusable(error),
        }
    }

    fn miss(&mut self, name: &OsStr, by: usize, role: Role, cause: LoadError) {
        let by = self.nodes[by].path.clone();
        self.missing.push(Missing { name: name.to_owned(), by, role, cause });
    }

    /// Puts the nodes into the order in which they are loaded, and numbers them by it.
    fn finish(self) -> Closure {
        let mut numbers = vec![0; self.nodes.len()];
        for (number, node) in self.order.iter().enumerate() {
            numbers[*node] = number;
        }
        let by = |node: &Node| self.nodes[node.asker.unwrap_or(0)].path.clone();
        let libraries = self.order.iter().skip(1).map(|index| {
            let node = &self.nodes[*index];
            Library {
                name: node.name.clone(),
                path: node.path.clone(),
                soname: node.object.soname.clone(),
                by: by(node),
                rule: node.rule.clone(),
            }
        });
        let libraries = libraries.collect();
        let mut requests = self.requests;
        for request in &mut requests {
            request.by = numbers[request.by];
            request.gets = request.gets.map(|node| numbers[node]);
        }
        Closure { libraries, missing: self.missing, requests }
    }
}

fn directory_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}

/// Whether this is a name for musl itself, which consists of one file.
fn is_part_of_musl(name: &OsStr) -> bool {
    let parts = ["c", "pthread", "rt", "m", "dl", "util", "xnet"].map(str::as_bytes);
    let Some(part) = name.as_bytes().strip_prefix(b"lib") else {
        return false;
    };
    parts.iter().any(|own| part.strip_prefix(*own).is_some_and(|rest| rest.starts_with(b".")))
}
