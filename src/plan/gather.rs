//! Search for files that programs open at run time: the rows of the table that apply to a program.

mod scripts;

use std::cell::OnceCell;
use std::collections::{HashSet, VecDeque};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use glob::Pattern;

use super::data::{Data, Opened, Piece};
use crate::host::script::Language;
use crate::host::{Host, Packages, elf};
use crate::spec::{DataRow, DataTable};

/// Finds the files that programs open at run time, each once.
pub struct Gatherer<'h> {
    host: &'h Host,
    table: Arc<DataTable>,
    /// The programs and libraries already examined, without links.
    known: HashSet<PathBuf>,
    /// The files already found: by name, and files and directories also without links.
    taken: HashSet<PathBuf>,
    /// The packages of the distribution, read when the first script asks for its own.
    packages: OnceCell<Packages>,
}

/// A program or library.
struct Object {
    /// Its path.
    path: PathBuf,
    /// Its names.
    names: Vec<String>,
    /// Its paths: first without links, then as named, then the links between.
    places: Vec<PathBuf>,
    /// For a script in a language that is read: the language, and its interpreter without links.
    script: Option<(Language, PathBuf)>,
}

impl<'h> Gatherer<'h> {
    /// A new gatherer that has found nothing yet.
    #[must_use]
    pub fn new(host: &'h Host, table: Arc<DataTable>) -> Self {
        Self {
            host,
            table,
            known: HashSet::new(),
            taken: HashSet::new(),
            packages: OnceCell::new(),
        }
    }

    /// The files that a program with these needs opens at run time, including programs that it
    /// starts and libraries that it loads then, except files found before.
    pub fn gather(&mut self, loader: &mut elf::Loader<'_>, needs: &elf::Needs) -> Data {
        self.taken.extend(needs.files().into_iter().map(Path::to_path_buf));
        let (data, ahead) = (Data::default(), VecDeque::new());
        let mut search = Search { loader, program: &needs.program, data, ahead };
        search.queue(self.host, needs);
        while let Some(object) = search.ahead.pop_front() {
            if !object.places.first().is_some_and(|place| self.known.insert(place.clone())) {
                continue;
            }
            for row in &Arc::clone(&self.table).rows {
                if row.of.iter().any(|of| object.names.iter().any(|name| fits(of, name))) {
                    self.row(row, &object, &mut search);
                }
            }
            if let Some((language, interpreter)) = &object.script {
                self.script(*language, interpreter, &object, &mut search);
            }
        }
        search.data
    }

    fn row(&mut self, row: &DataRow, object: &Object, search: &mut Search<'_, '_>) {
        let counts = |place: &&PathBuf| {
            let there = |path: &str| self.host.tree.exists(Path::new(&object.put_in(path, place)));
            row.only_with.as_deref().is_none_or(there)
        };
        let places: Vec<&PathBuf> = object.places.iter().filter(counts).collect();
        if places.is_empty() {
            return;
        }
        let piece = |what| Piece { why: row.why.clone(), by: object.path.clone(), what };
        for template in &row.copy {
            for place in &places {
                for path in self.expand(&object.put_in(template, place)) {
                    self.copy(&path, row, &piece, search);
                }
            }
        }
        for name in &row.libraries {
            if let Ok(needs) = search.loader.library(name, search.program) {
                self.object(&needs, &piece, search);
            }
        }
        for name in &row.binaries {
            if !name.contains('/') {
                self.program(name, &piece, search);
                continue;
            }
            for place in &places {
                for path in self.expand(&object.put_in(name, place)) {
                    self.program(&path.to_string_lossy(), &piece, search);
                }
            }
        }
        for (path, content) in &row.files {
            let (path, content) = (PathBuf::from(path), content.clone());
            if self.taken.insert(path.clone()) {
                search.data.pieces.push(piece(Opened::File { path, content }));
            }
        }
    }

    /// A program of the host by its name or path, if there is one.
    fn program(
        &mut self,
        name: &str,
        piece: &dyn Fn(Opened) -> Piece,
        search: &mut Search<'_, '_>,
    ) {
        let search_path = self.host.environment.get("PATH").map(String::as_str);
        let Some(path) = self.host.tree.which(name, search_path) else { return };
        if let Ok(needs) = search.loader.needs(&path) {
            self.object(&needs, piece, search);
        }
    }

    /// A program or library that the host itself can run or load.
    fn object(
        &mut self,
        needs: &elf::Needs,
        piece: &dyn Fn(Opened) -> Piece,
        search: &mut Search<'_, '_>,
    ) {
        if needs.is_complete() && self.taken.insert(needs.program.clone()) {
            let files = needs.files().into_iter().map(Path::to_path_buf).collect();
            search.data.pieces.push(piece(Opened::Object { path: needs.program.clone(), files }));
            search.queue(self.host, needs);
        }
    }

    /// A file or directory of the host, followed by the libraries that its files need.
    fn copy(
        &mut self,
        path: &Path,
        row: &DataRow,
        piece: &dyn Fn(Opened) -> Piece,
        search: &mut Search<'_, '_>,
    ) {
        let Ok(found) = self.host.tree.resolve(path) else { return };
        let path = path.to_path_buf();
        if !self.taken.insert(path.clone()) {
            return;
        }
        if found.path != path && !self.taken.insert(found.path) {
            // A link to a file that is included already.
            let paths = vec![path.clone()];
            search.data.pieces.push(piece(Opened::Tree { path, paths, files: 0, size: 0 }));
            return;
        }
        let (paths, objects, [files, size]) = self.walk(&path, &row.except, search);
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        search.data.pieces.push(piece(Opened::Tree { path, paths, files, size }));
        for object in objects {
            self.libraries_of(&object, piece, search);
        }
    }

    /// The paths at `path` and below it; those that can be programs or libraries; the number of
    /// files, and their size in bytes.
    fn walk(
        &self,
        path: &Path,
        except: &[String],
        search: &mut Search<'_, '_>,
    ) -> (Vec<PathBuf>, Vec<PathBuf>, [u64; 2]) {
        let (mut paths, mut objects, mut sizes) = (Vec::new(), Vec::new(), [0, 0]);
        let tree = &self.host.tree;
        // A requested link is followed; a link below it stays a link.
        let mut ahead = vec![(path.to_path_buf(), tree.metadata(path))];
        while let Some((path, metadata)) = ahead.pop() {
            let mut file = None;
            let is_read = match metadata {
                Ok(found) if found.is_dir() => tree.names(&path).is_ok_and(|mut names| {
                    names.retain(|name| {
                        !except.iter().any(|but| fits(but, &name.to_string_lossy()))
                    });
                    let below = names.into_iter().rev().map(|name| path.join(name));
                    ahead.extend(below.map(|path| {
                        let metadata = tree.symlink_metadata(&path);
                        (path, metadata)
                    }));
                    true
                }),
                Ok(found) if found.is_file() => {
                    if may_be_loaded(&path, &found) {
                        objects.push(path.clone());
                    }
                    let everybody_reads = found.mode() & 0o444 == 0o444;
                    file = Some(found.len());
                    everybody_reads || tree.open(&path).is_ok()
                }
                Ok(found) if found.is_symlink() => {
                    // The target of a link to a file is included, too.
                    let target = tree.metadata(&path).ok().filter(std::fs::Metadata::is_file);
                    file = target.map(|target| target.len());
                    true
                }
                _ => false,
            };
            if !is_read {
                search.data.left_out.push(path);
                continue;
            }
            sizes = [sizes[0] + u64::from(file.is_some()), sizes[1] + file.unwrap_or_default()];
            paths.push(path);
        }
        (paths, objects, sizes)
    }

    /// The libraries that a data file needs, if it is a program or library.
    fn libraries_of(
        &mut self,
        file: &Path,
        piece: &dyn Fn(Opened) -> Piece,
        search: &mut Search<'_, '_>,
    ) {
        let Ok(needs) = search.loader.needs(file) else { return };
        if matches!(needs.kind, elf::Kind::Script(_)) || !needs.is_complete() {
            return;
        }
        search.queue(self.host, &needs);
        for library in &needs.libraries {
            if self.taken.insert(library.path.clone()) {
                let (path, files) = (library.path.clone(), vec![library.path.clone()]);
                let what = Opened::Object { path, files };
                search.data.pieces.push(Piece { by: library.by.clone(), ..piece(what) });
            }
        }
    }

    /// The paths that match one with `*` in it.
    fn expand(&self, path: &str) -> Vec<PathBuf> {
        let mut found = vec![PathBuf::from("/")];
        for component in Path::new(path).components() {
            let Component::Normal(name) = component else { continue };
            let name = name.to_string_lossy();
            found = found.iter().flat_map(|place| self.below(place, &name)).collect();
        }
        found.retain(|path| self.host.tree.exists(path));
        found
    }

    fn below(&self, place: &Path, name: &str) -> Vec<PathBuf> {
        if !name.contains(['*', '[']) {
            return vec![place.join(name)];
        }
        let names = self.host.tree.names(place).unwrap_or_default();
        let fitting = names.iter().filter(|other| fits(name, &other.to_string_lossy()));
        fitting.map(|other| place.join(other)).collect()
    }
}

/// A search under way.
struct Search<'s, 't> {
    loader: &'s mut elf::Loader<'t>,
    /// The program that the search is for.
    program: &'s Path,
    data: Data,
    /// The programs and libraries still to be examined.
    ahead: VecDeque<Object>,
}

impl Search<'_, '_> {
    fn queue(&mut self, host: &Host, needs: &elf::Needs) {
        let objects = needs.objects();
        let scripts = scripts::among(needs);
        self.ahead.extend(objects.into_iter().filter_map(|(name, path)| {
            let found = host.tree.resolve(path).ok()?;
            let mut places = vec![found.path, path.to_path_buf()];
            places.extend(found.links.into_iter().map(|link| link.path));
            let last = places[0].file_name()?.to_string_lossy().into_owned();
            let names = vec![name.to_string_lossy().into_owned(), last];
            let script = scripts.get(path).cloned();
            Some(Object { path: path.to_path_buf(), names, places, script })
        }));
    }
}

impl Object {
    /// A path of the table, for this object at one of its paths.
    fn put_in(&self, path: &str, place: &Path) -> String {
        let directory = place.parent().unwrap_or(Path::new("/"));
        let above = |name: &&Path| {
            let name = name.file_name().and_then(|name| name.to_str());
            matches!(name, Some("bin" | "sbin" | "lib" | "lib32" | "lib64" | "libexec"))
        };
        let prefix = directory.ancestors().find(above).and_then(Path::parent).unwrap_or(directory);
        let name = self.names.last().map_or("", String::as_str);
        let name = name.split_once(".so").map_or(name, |(name, _)| name);
        let name = name.strip_prefix("lib").unwrap_or(name);
        path.replace("{directory}", &directory.to_string_lossy())
            .replace("{prefix}", &prefix.to_string_lossy())
            .replace("{name}", name)
    }
}

/// Whether a name matches a pattern of the table.
fn fits(pattern: &str, name: &str) -> bool {
    pattern == name || Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(name))
}

/// Whether a file may be loadable: a program is executable, a library has a name like one.
fn may_be_loaded(path: &Path, metadata: &std::fs::Metadata) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    metadata.mode() & 0o111 != 0 || name.contains(".so") || name.ends_with(".node")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::elf::{Kind, Needs};
    use crate::host::fixture::Fixture;

    fn host(made: &Fixture) -> Host {
        let environment = std::collections::BTreeMap::default();
        Host { tree: made.tree(), uid: 0, gid: 0, kernel: (6, 1), environment }
    }

    /// A program without recorded needs.
    fn program(host: &Host, path: &str) -> Needs {
        let (program, resolved) = (path.into(), host.tree.resolve(Path::new(path)).unwrap().path);
        Needs {
            program,
            resolved,
            kind: Kind::Static,
            libraries: Vec::new(),
            missing: Vec::new(),
            interpreters: Vec::new(),
            requests: Vec::new(),
        }
    }

    fn gathered(made: &Fixture, path: &str, rows: &[DataRow]) -> Vec<String> {
        let host = host(made);
        let table = Arc::new(DataTable { rows: rows.to_vec() });
        let mut loader = elf::Loader::new(&host.tree);
        let data = Gatherer::new(&host, table).gather(&mut loader, &program(&host, path));
        assert_eq!(data.left_out, Vec::<PathBuf>::new());
        let paths = data.pieces.iter().flat_map(|piece| match &piece.what {
            Opened::Tree { paths, .. } => paths.clone(),
            other => panic!("{other:?}"),
        });
        paths.map(|path| path.to_str().unwrap().to_owned()).collect()
    }

    fn row(of: &str, copy: &[&str]) -> DataRow {
        let copy = copy.iter().map(|&path| path.to_owned()).collect();
        DataRow { of: vec![of.into()], why: "data".into(), copy, ..DataRow::default() }
    }

    #[test]
    fn paths_depend_on_where_a_program_is_and_on_its_links() {
        let made = Fixture::new("data-places");
        made.program("opt/tool/bin/tool-2.1", b"");
        made.link("/opt/tool/bin/tool-2.1", "usr/bin/tool");
        made.file("opt/tool/lib/tool-2.1/library", b"");
        made.file("usr/lib/tool-2.1/more", b"");
        made.file("opt/tool/bin/beside", b"");
        made.file("usr/lib/x86/tool/module", b"");
        let copy = ["{prefix}/lib/{name}", "{directory}/beside", "/usr/lib/*/tool", "/none/*"];
        let found = gathered(&made, "/usr/bin/tool", &[row("tool*", &copy)]);
        let expected = [
            "/opt/tool/lib/tool-2.1",
            "/opt/tool/lib/tool-2.1/library",
            "/usr/lib/tool-2.1",
            "/usr/lib/tool-2.1/more",
            "/opt/tool/bin/beside",
            "/usr/lib/x86/tool",
            "/usr/lib/x86/tool/module",
        ];
        assert_eq!(found, expected);
        assert!(gathered(&made, "/usr/bin/tool", &[row("tool-1*", &copy)]).is_empty());
    }

    #[test]
    fn what_is_left_out_is_left_out_at_every_depth() {
        let made = Fixture::new("data-except");
        made.program("bin/tool", b"");
        for file in ["lib/a", "lib/test/x", "lib/sub/b", "lib/sub/test/x", "lib/sub/tested"] {
            made.file(file, b"");
        }
        let but = DataRow { except: vec!["test".into()], ..row("tool", &["{prefix}/lib"]) };
        let found = gathered(&made, "/bin/tool", &[but]);
        assert_eq!(found, ["/lib", "/lib/a", "/lib/sub", "/lib/sub/b", "/lib/sub/tested"]);
    }

    #[test]
    fn a_row_counts_where_what_it_comes_with_is_there() {
        let made = Fixture::new("data-with");
        made.program("usr/bin/tool", b"");
        made.file("usr/lib/x", b"");
        let with = |path: &str| DataRow {
            only_with: Some(path.into()),
            ..row("tool", &["{prefix}/lib/x"])
        };
        assert_eq!(gathered(&made, "/usr/bin/tool", &[with("{prefix}/cfg")]), Vec::<String>::new());
        made.file("usr/cfg", b"");
        assert_eq!(gathered(&made, "/usr/bin/tool", &[with("{prefix}/cfg")]), ["/usr/lib/x"]);
    }

    #[test]
    fn what_has_several_names_is_taken_once_and_its_links_too() {
        let made = Fixture::new("data-once");
        made.program("bin/tool", b"");
        made.file("etc/certs/one", b"");
        made.link("../etc/certs", "lib/certs");
        made.link("/nowhere", "etc/certs/dangling");
        let rows = [row("tool", &["/etc/certs", "/lib/certs"]), row("*", &["/etc/certs"])];
        let found = gathered(&made, "/bin/tool", &rows);
        assert_eq!(found, ["/etc/certs", "/etc/certs/dangling", "/etc/certs/one", "/lib/certs"]);
    }
}
