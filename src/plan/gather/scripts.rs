//! What scripts start and load: programs, modules, and the other files of their packages.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Gatherer, Object, Search, may_be_loaded};
use crate::diag::quoted;
use crate::host::elf;
use crate::host::script::{Language, Requests};
use crate::plan::data::{Opened, Piece};

/// The bytes of a script that are read.
const MOST_TEXT: u64 = 1 << 20;
/// The files of one script, modules among them, that are read.
const MOST_READ: usize = 10_000;

/// Directories of which no file of a package comes with its scripts: programs, of which those that
/// a script starts come for that reason, and what only people read.
const NOT_OPENED: &[&str] = &[
    "bin",
    "etc/init.d",
    "etc/systemd",
    "games",
    "include",
    "lib/systemd",
    "sbin",
    "share/applications",
    "share/bash-completion",
    "share/doc",
    "share/doc-base",
    "share/fish",
    "share/icons",
    "share/info",
    "share/lintian",
    "share/locale",
    "share/man",
    "share/menu",
    "share/pixmaps",
    "share/zsh",
    "usr/games",
    "var/cache",
    "var/log",
];

/// Directories for modules of Python that are no part of it, by the prefix of its interpreter.
const PACKAGES: &[&str] = &[
    "local/lib/{name}/dist-packages",
    "local/lib/{name}/site-packages",
    "lib/python3/dist-packages",
    "lib/{name}/dist-packages",
    "lib/{name}/site-packages",
    "lib64/{name}/site-packages",
];

/// The scripts among a program and its interpreters, each with its language and interpreter.
pub(super) fn among(needs: &elf::Needs) -> HashMap<PathBuf, (Language, PathBuf)> {
    let mut scripts = HashMap::new();
    let mut ahead = vec![needs];
    while let Some(needs) = ahead.pop() {
        ahead.extend(&needs.interpreters);
        let (elf::Kind::Script(_), Some(by)) = (&needs.kind, needs.interpreters.last()) else {
            continue;
        };
        let language = Language::of(&by.program).or_else(|| Language::of(&by.resolved));
        if let Some(language) = language {
            scripts.insert(needs.program.clone(), (language, by.resolved.clone()));
        }
    }
    scripts
}

/// The reading of a script and of what it loads.
struct Reading<'o> {
    language: Language,
    object: &'o Object,
    /// The directories of modules, in the order of the search.
    directories: Vec<PathBuf>,
    /// The texts that are still to be read, each with its directories.
    ahead: Vec<PathBuf>,
    /// The texts and modules that were met.
    seen: HashSet<PathBuf>,
    modules: HashSet<String>,
}

impl Gatherer<'_> {
    /// What a script asks for, what the files of its package do, and what those that it loads do.
    pub(super) fn script(
        &mut self,
        language: Language,
        interpreter: &Path,
        object: &Object,
        search: &mut Search<'_, '_>,
    ) {
        let Some(place) = object.places.first() else { return };
        let directories = match language {
            Language::Shell | Language::Perl => Vec::new(),
            Language::Python => self.packages_of(interpreter, place),
        };
        let (seen, modules) = (HashSet::new(), HashSet::new());
        let mut reading =
            Reading { language, object, directories, ahead: vec![place.clone()], seen, modules };
        self.package(place, &object.path, &mut reading, search);
        while let Some(path) = reading.ahead.pop() {
            if reading.seen.len() >= MOST_READ || !reading.seen.insert(path.clone()) {
                continue;
            }
            let Some(text) = self.text(&path) else { continue };
            let requests = language.requests(&text);
            self.requests(&requests, &path, &mut reading, search);
        }
    }

    fn requests(
        &mut self,
        requests: &Requests,
        by: &Path,
        reading: &mut Reading<'_>,
        search: &mut Search<'_, '_>,
    ) {
        let is_script = reading.object.places.first().is_some_and(|place| place == by);
        let by = if is_script { reading.object.path.clone() } else { by.to_path_buf() };
        let starts =
            |what| Piece { why: "programs that the script starts".into(), by: by.clone(), what };
        for name in &requests.programs {
            self.program(name, &starts, search);
        }
        for (place, end) in reading
            .object
            .places
            .iter()
            .flat_map(|place| requests.ends.iter().map(move |end| (place, end)))
        {
            self.program(&format!("{}{end}", place.to_string_lossy()), &starts, search);
        }
        let beside = reading.object.places.iter().filter_map(|place| place.parent());
        let beside: Vec<PathBuf> = beside.map(Path::to_path_buf).collect();
        for name in &requests.beside {
            for path in beside.iter().map(|directory| directory.join(name)) {
                if self.host.tree.which(&path.to_string_lossy(), None).is_some() {
                    self.program(&path.to_string_lossy(), &starts, search);
                } else {
                    self.loaded(&path, &by, reading, search);
                }
            }
        }
        for path in &requests.files {
            self.loaded(Path::new(path), &by, reading, search);
        }
        let known = requests.directories.iter().map(PathBuf::from);
        let new: Vec<PathBuf> = known.filter(|path| !reading.directories.contains(path)).collect();
        reading.directories.splice(0..0, new);
        for module in &requests.modules {
            if reading.modules.insert(module.clone()) {
                self.module(module, &by, reading, search);
            }
        }
    }

    /// A file in the language of the script that it reads.
    fn loaded(
        &mut self,
        path: &Path,
        by: &Path,
        reading: &mut Reading<'_>,
        search: &mut Search<'_, '_>,
    ) {
        if !self.host.tree.metadata(path).is_ok_and(|found| found.is_file()) {
            return;
        }
        let why = "files that the script reads";
        self.files(why, by, vec![path.to_path_buf()], search);
        reading.ahead.push(path.to_path_buf());
    }

    /// A module, if it is in one of the directories: with its package, or else with what is in the
    /// directory of modules under its name.
    fn module(
        &mut self,
        module: &str,
        by: &Path,
        reading: &mut Reading<'_>,
        search: &mut Search<'_, '_>,
    ) {
        let (below, ends): (PathBuf, &[&str]) = match reading.language {
            Language::Shell => return,
            Language::Perl => (module.split("::").collect(), &[".pm"]),
            Language::Python => {
                (module.split('.').collect(), &["/__init__.py", ".py", ".*.so", ".so"])
            }
        };
        for directory in reading.directories.clone() {
            let stem = directory.join(&below);
            let with = |end: &&str| self.expand(&format!("{}{end}", stem.to_string_lossy()));
            let Some(file) = ends.iter().flat_map(with).next() else { continue };
            if !self.package(&file, by, reading, search) {
                let top = directory.join(below.iter().next().unwrap_or_default());
                self.unowned(module, &top, &file, by, reading, search);
            }
            return;
        }
    }

    /// A module that no package has: all of its directory, or its file.
    fn unowned(
        &mut self,
        module: &str,
        top: &Path,
        file: &Path,
        by: &Path,
        reading: &mut Reading<'_>,
        search: &mut Search<'_, '_>,
    ) {
        let why =
            format!("the module {}", quoted(module.split(['.', ':']).next().unwrap_or(module)));
        let path = if file.starts_with(top) { top } else { file };
        if reading.language == Language::Perl && path == top {
            // Of a namespace of Perl only what is asked for.
            self.files(&why, by, vec![file.to_path_buf()], search);
            return reading.ahead.push(file.to_path_buf());
        }
        let (paths, ..) = self.walk(path, &[], search);
        reading.ahead.extend(paths.iter().filter(|path| is_module(path)).cloned());
        self.files(&why, by, paths, search);
    }

    /// The files of the package that has the file `path`, of those that everybody may read; whether
    /// there is one. What root keeps to itself, such as a password in /etc, does not come along.
    fn package(
        &mut self,
        path: &Path,
        by: &Path,
        reading: &mut Reading<'_>,
        search: &mut Search<'_, '_>,
    ) -> bool {
        let packages = self.packages.get_or_init(|| crate::host::Packages::of(&self.host.tree));
        let Some(package) = packages.owner(path) else { return false };
        let why = format!("the package {}", quoted(&package.name));
        let opened = package.files().filter(|path| is_opened(path) && self.is_public(path));
        let paths: Vec<PathBuf> = opened.map(Path::to_path_buf).collect();
        if reading.language != Language::Shell {
            reading.ahead.extend(paths.iter().rev().filter(|path| is_module(path)).cloned());
        }
        self.files(&why, by, paths, search);
        true
    }

    /// Whether everybody may read a file, and search its directory.
    fn is_public(&self, path: &Path) -> bool {
        let tree = &self.host.tree;
        let allows =
            |path: &Path, bits| tree.metadata(path).is_ok_and(|at| at.mode() & bits == bits);
        allows(path, 0o004) && path.parent().is_none_or(|above| allows(above, 0o001))
    }

    /// Files of the host, grouped by their directories, with the libraries that they need.
    fn files(&mut self, why: &str, by: &Path, paths: Vec<PathBuf>, search: &mut Search<'_, '_>) {
        let piece = |what| Piece { why: why.to_owned(), by: by.to_path_buf(), what };
        let mut groups: Vec<(PathBuf, Vec<PathBuf>, [u64; 2])> = Vec::new();
        let mut objects = Vec::new();
        for path in paths {
            let tree = &self.host.tree;
            let Ok(found) = tree.symlink_metadata(&path) else { continue };
            // A directory comes with its files; a link to one stays a link.
            if found.is_dir() || self.taken.contains(&path) {
                continue;
            }
            let target = if found.is_symlink() { tree.metadata(&path).ok() } else { Some(found) };
            let Some(target) = target else { continue };
            if target.is_file() && target.mode() & 0o444 != 0o444 && tree.open(&path).is_err() {
                search.data.left_out.push(path);
                continue;
            }
            self.taken.insert(path.clone());
            if target.is_file() && may_be_loaded(&path, &target) {
                objects.push(path.clone());
            }
            let size = if target.is_file() { target.len() } else { 0 };
            let group = group(&path);
            let index = groups.iter().position(|(known, ..)| *known == group);
            let index = index.unwrap_or_else(|| {
                groups.push((group, Vec::new(), [0, 0]));
                groups.len() - 1
            });
            let (_, paths, sizes) = &mut groups[index];
            paths.push(path);
            *sizes = [sizes[0] + 1, sizes[1] + size];
        }
        for (path, paths, [files, size]) in groups {
            let files = usize::try_from(files).unwrap_or(usize::MAX);
            search.data.pieces.push(piece(Opened::Tree { path, paths, files, size }));
        }
        for object in objects {
            self.libraries_of(&object, &piece, search);
        }
    }

    /// The directories in which Python looks for modules of others: that of the script first.
    fn packages_of(&self, interpreter: &Path, script: &Path) -> Vec<PathBuf> {
        let prefix = interpreter.parent().and_then(Path::parent).unwrap_or(Path::new("/usr"));
        let name = interpreter.file_name().unwrap_or_default().to_string_lossy();
        let below = PACKAGES.iter().map(|path| prefix.join(path.replace("{name}", &name)));
        let own = script.parent().map(Path::to_path_buf);
        own.into_iter().chain(below).filter(|path| self.host.tree.exists(path)).collect()
    }

    fn text(&self, path: &Path) -> Option<String> {
        let mut text = Vec::new();
        self.host.tree.open(path).ok()?.take(MOST_TEXT).read_to_end(&mut text).ok()?;
        (!text.contains(&0)).then(|| String::from_utf8_lossy(&text).into_owned())
    }
}

/// Whether a file of a package is one that its scripts can open.
fn is_opened(path: &Path) -> bool {
    let Ok(below) = path.strip_prefix("/") else { return false };
    let merged = below.strip_prefix("usr").unwrap_or(below);
    let own = merged.strip_prefix("local").unwrap_or(merged);
    !NOT_OPENED.iter().any(|directory| own.starts_with(directory) || below.starts_with(directory))
}

/// Whether a file is a module that is read for what it loads itself.
fn is_module(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "py" || end == "pm")
}

/// The directory under which a file is listed.
fn group(path: &Path) -> PathBuf {
    let names: Vec<_> = path.components().collect();
    let of_modules = |name: &str| name == "dist-packages" || name == "site-packages";
    let modules = names.iter().position(|name| name.as_os_str().to_str().is_some_and(of_modules));
    // The root counts, too: `/usr/share/tool`, `/etc/tool`.
    let length = match (modules, names.get(1).map(|name| name.as_os_str())) {
        (Some(place), _) => place + 2,
        (None, Some(first)) if first == "usr" => 4,
        (None, _) => 3,
    };
    names.iter().take(length).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use super::*;
    use crate::host::Host;
    use crate::host::elf::{Kind, Needs, Shebang};
    use crate::host::fixture::Fixture;
    use crate::spec::DataTable;

    fn host(made: &Fixture) -> Host {
        let environment = BTreeMap::default();
        Host { tree: made.tree(), uid: 0, gid: 0, kernel: (6, 1), environment }
    }

    /// The needs of a program, or of a script with this interpreter.
    fn needs(host: &Host, path: &str, interpreter: Option<&str>) -> Needs {
        let shebang = |interpreter: &str| {
            Kind::Script(Shebang { interpreter: interpreter.into(), argument: None })
        };
        Needs {
            program: path.into(),
            resolved: host.tree.resolve(Path::new(path)).unwrap().path,
            kind: interpreter.map_or(Kind::Static, shebang),
            libraries: Vec::new(),
            missing: Vec::new(),
            interpreters: interpreter.iter().map(|path| needs(host, path, None)).collect(),
            requests: Vec::new(),
        }
    }

    /// The files that come with a script: the paths, and why.
    fn gathered(made: &Fixture, script: &str, interpreter: &str) -> Vec<(String, String)> {
        let host = host(made);
        let mut loader = elf::Loader::new(&host.tree);
        let needs = needs(&host, script, Some(interpreter));
        let table = Arc::new(DataTable::default());
        let data = Gatherer::new(&host, table).gather(&mut loader, &needs);
        assert_eq!(data.left_out, Vec::<PathBuf>::new());
        let mut files = Vec::new();
        for piece in &data.pieces {
            let Opened::Tree { paths, .. } = &piece.what else { panic!("{piece:?}") };
            let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
            files.extend(paths.iter().map(|path| (text(path), piece.why.clone())));
        }
        files
    }

    fn pairs(files: &[(&str, &str)]) -> Vec<(String, String)> {
        files.iter().map(|&(path, why)| (path.into(), why.into())).collect()
    }

    #[test]
    fn a_script_comes_with_its_package_and_the_files_that_it_reads() {
        let made = Fixture::new("scripts-package");
        made.program("bin/sh", b"");
        made.program(
            "usr/share/tool/run",
            b"#!/bin/sh\n. /usr/share/other/functions\n. /missing\n",
        );
        made.link("/usr/share/tool/run", "usr/bin/tool");
        made.file("usr/share/other/functions", b". $(dirname $0)/more\n");
        made.file("usr/share/tool/more", b"");
        made.file("usr/share/tool/data/one", b"");
        made.file("usr/share/doc/tool/copyright", b"");
        made.file("etc/tool/settings", b"");
        made.file("etc/tool/password", b"");
        let restrict = |path: &str, mode: u32| {
            let path = host(&made).tree.real(Path::new(path));
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        restrict("/etc/tool/password", 0o640);
        let list = b"/.\n/usr\n/usr/bin/tool\n/usr/share/tool\n/usr/share/tool/run\n/usr/share/tool/data\n\
            /usr/share/tool/data/one\n/usr/share/doc/tool/copyright\n/etc/tool/settings\n/etc/tool/password\n/gone\n";
        made.file("var/lib/dpkg/info/tool.list", list);
        let (package, reads) = ("the package `tool`", "files that the script reads");
        let expected = [
            ("/usr/share/tool/run", package),
            ("/usr/share/tool/data/one", package),
            ("/etc/tool/settings", package),
            ("/usr/share/other/functions", reads),
            ("/usr/share/tool/more", reads),
        ];
        assert_eq!(gathered(&made, "/usr/bin/tool", "/bin/sh"), pairs(&expected));
    }

    #[test]
    fn modules_of_python_come_with_their_packages_and_what_those_load() {
        let made = Fixture::new("scripts-python");
        made.program("usr/bin/python3.11", b"");
        made.link("python3.11", "usr/bin/python3");
        made.program(
            "usr/bin/tool",
            b"#!/usr/bin/python3\nimport json, owned.part, beside\nfrom plain import x\n",
        );
        made.file("usr/bin/beside.py", b"");
        made.file("usr/lib/python3.11/json/__init__.py", b"import never");
        let modules = "usr/lib/python3/dist-packages";
        made.file(&format!("{modules}/owned/__init__.py"), b"");
        made.file(&format!("{modules}/owned/part.py"), b"from _owned import y\n");
        made.file(&format!("{modules}/owned.dist-info/METADATA"), b"");
        made.file(&format!("{modules}/_owned.cpython-311.so"), b"");
        made.file(&format!("{modules}/plain/__init__.py"), b"import other\n");
        made.file(&format!("{modules}/plain/data"), b"");
        made.file("usr/local/lib/python3.11/dist-packages/other.py", b"");
        made.file(&format!("{modules}/unused.py"), b"");
        let list = format!(
            "/{modules}/owned/__init__.py\n/{modules}/owned/part.py\n/{modules}/owned.dist-info/METADATA\n"
        );
        made.file("var/lib/dpkg/info/python3-owned.list", list.as_bytes());
        let at = |path: &str| format!("/{modules}/{path}");
        let files = gathered(&made, "/usr/bin/tool", "/usr/bin/python3");
        let why =
            |path: &str| files.iter().find(|(file, _)| file == path).map(|(_, why)| why.as_str());
        let package = Some("the package `python3-owned`");
        for path in ["owned/__init__.py", "owned/part.py", "owned.dist-info/METADATA"] {
            assert_eq!(why(&at(path)), package, "{path}");
        }
        assert_eq!(why(&at("_owned.cpython-311.so")), Some("the module `_owned`"));
        assert_eq!(why(&at("plain/data")), Some("the module `plain`"));
        assert_eq!(
            why("/usr/local/lib/python3.11/dist-packages/other.py"),
            Some("the module `other`")
        );
        assert_eq!(why("/usr/bin/beside.py"), Some("the module `beside`"));
        assert_eq!(files.len(), 8, "{files:?}");
        assert_eq!(files, gathered(&made, "/usr/bin/tool", "/usr/bin/python3"));
    }

    #[test]
    fn modules_of_perl_are_found_in_the_directories_that_a_script_adds() {
        let made = Fixture::new("scripts-perl");
        made.program("usr/bin/perl", b"");
        made.program("opt/tool", b"#!/usr/bin/perl\nuse lib '/opt/lib';\nuse Own::Part;\n");
        made.file("opt/lib/Own/Part.pm", b"package Own::Part; use Own::More;\n");
        made.file("opt/lib/Own/More.pm", b"");
        made.file("opt/lib/Own/Unused.pm", b"");
        let why = "the module `Own`";
        let expected = [("/opt/lib/Own/Part.pm", why), ("/opt/lib/Own/More.pm", why)];
        assert_eq!(gathered(&made, "/opt/tool", "/usr/bin/perl"), pairs(&expected));
    }

    #[test]
    fn no_list_of_packages_is_read_unless_a_script_asks() {
        let made = Fixture::new("scripts-none");
        made.program("bin/tool", b"");
        let host = host(&made);
        let mut loader = elf::Loader::new(&host.tree);
        let mut gatherer = Gatherer::new(&host, Arc::new(DataTable::default()));
        gatherer.gather(&mut loader, &needs(&host, "/bin/tool", None));
        assert!(gatherer.packages.get().is_none());
    }
}
