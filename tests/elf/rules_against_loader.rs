//! The rarer rules of the loader, on programs built for the purpose, against the loader itself.
//!
//! Where there is no compiler nothing can be built, and the test says so instead of comparing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nsscript::internal::host::elf::{Loader, Needs};
use nsscript::internal::host::tree::Tree;

/// A directory in which programs are built, removed with the value.
struct Workshop {
    root: PathBuf,
}

impl Workshop {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("rules-{}-{name}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        Self { root: fs::canonicalize(root).unwrap() }
    }

    /// Where `inside` is, its directory made.
    fn path(&self, inside: &str) -> PathBuf {
        let path = self.root.join(inside);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn link(&self, target: &str, inside: &str) {
        std::os::unix::fs::symlink(target, self.path(inside)).unwrap();
    }

    /// Builds the library or program `inside` that asks for `needed`, which must exist.
    fn build(&self, inside: &str, needed: &[&str], options: &[&str]) {
        let is_library = Path::new(inside).extension().is_some_and(|end| end == "so");
        let kind = if is_library { &["-shared"][..] } else { &["-Wl,-e,0", "-pie"] };
        let mut command = Command::new("gcc");
        command.args(["-x", "c", "/dev/null", "-x", "none", "-nostdlib", "-fPIC"]);
        command.args(["-Wl,--no-as-needed,--allow-shlib-undefined"]).args(kind).args(options);
        command.arg("-o").arg(self.path(inside));
        // `-l:` leaves the directory out of what is asked for, unless the library's name has one.
        for needed in needed {
            let path = Path::new(needed);
            let name = path.file_name().unwrap().to_str().unwrap();
            command.arg("-L").arg(self.root.join(path.parent().unwrap()));
            command.arg(format!("-l:{name}"));
        }
        // What nothing but the program asks for the loader does not list: itself.
        if !is_library {
            command.arg("-lc");
        }
        assert!(command.status().unwrap().success(), "{inside} could not be built");
    }

    /// Compares what we say of a program to what its loader says, paths as they are written and
    /// in their order.
    fn compare(&self, program: &str) -> Needs {
        let (needs, ours, theirs) = self.answers(program);
        assert_eq!(ours, theirs, "\n{}", needs.outline());
        needs
    }

    /// What the loader puts in for `$PLATFORM`, which is its own name for some processors: that of a
    /// directory in which it looks for a library.
    fn platform(&self) -> String {
        self.build("asked/libq1.so", &[], &[]);
        self.build("q", &["asked/libq1.so"], &[&with(RUNPATH, "$ORIGIN/of/${PLATFORM}")]);
        let mut command = Command::new(self.path("q"));
        command.env_clear().envs([("LD_TRACE_LOADED_OBJECTS", "1"), ("LD_DEBUG", "libs")]);
        let told = String::from_utf8(command.output().unwrap().stderr).unwrap();
        let tried = format!("trying file={}/of/", self.root.display());
        let platform = told.lines().find_map(|line| line.split_once(&tried)?.1.split('/').next());
        platform.unwrap_or_else(|| panic!("the loader does not say:\n{told}")).to_owned()
    }

    fn answers(&self, program: &str) -> (Needs, Vec<String>, Vec<String>) {
        let tree = Tree::host();
        let program = self.path(program);
        let needs = Loader::new(&tree).needs(&program).unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let mut ours: Vec<String> = needs.library_paths().into_iter().map(text).collect();
        ours.extend(needs.missing.iter().map(|missing| {
            let name = missing.name.to_str().unwrap();
            format!("{name} not found")
        }));
        let traced = Command::new(&program)
            .env_clear()
            .env("LD_TRACE_LOADED_OBJECTS", "1")
            .output()
            .unwrap()
            .stdout;
        let traced = String::from_utf8(traced).unwrap();
        let mut theirs = Vec::new();
        let mut missing = Vec::new();
        for line in traced.lines().map(str::trim).filter(|line| !line.starts_with("linux-vdso")) {
            let (name, path) = line.split_once(" => ").unwrap_or((line, line));
            match path.split_once(" (0x") {
                Some((path, _)) => theirs.push(path.to_owned()),
                None => missing.push(format!("{name} not found")),
            }
        }
        theirs.extend(missing);
        assert!(!theirs.is_empty(), "the loader says nothing of {}", program.display());
        (needs, ours, theirs)
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn can_build() -> bool {
    if !cfg!(target_arch = "x86_64") {
        println!("not compared: the programs are made for x86-64");
        return false;
    }
    let quiet = || Stdio::null();
    let gcc = Command::new("gcc").arg("--version").stdout(quiet()).stderr(quiet()).status();
    let found = gcc.is_ok_and(|status| status.success());
    if !found {
        println!("not compared: there is no gcc to build programs with");
    }
    found
}

const RPATH: &str = "-Wl,--disable-new-dtags,-rpath,";
const RUNPATH: &str = "-Wl,--enable-new-dtags,-rpath,";

fn with(kind: &str, list: &str) -> String {
    format!("{kind}{list}")
}

#[test]
fn rpath_and_runpath() {
    if !can_build() {
        return;
    }
    for (name, outer, inner) in [
        ("rpath", RPATH, None),
        ("runpath", RUNPATH, None),
        ("void", RPATH, Some("/none")),
        ("own", RUNPATH, Some("$ORIGIN")),
    ] {
        let made = Workshop::new(name);
        made.build("lib/libc1.so", &[], &[]);
        made.build("lib/libb1.so", &["lib/libc1.so"], &[]);
        let inner = inner.map(|list| with(RUNPATH, list));
        let options: Vec<&str> = inner.iter().map(String::as_str).collect();
        made.build("lib/liba1.so", &["lib/libb1.so"], &options);
        made.build("bin/x", &["lib/liba1.so"], &[&with(outer, "$ORIGIN/../lib")]);
        let complete = made.compare("bin/x").is_complete();
        assert_eq!(complete, name == "rpath", "{name}");
        made.link("bin/x", "link");
        made.compare("link");
    }
}

#[test]
fn tokens_and_levels() {
    if !can_build() {
        return;
    }
    let made = Workshop::new("tokens");
    // What `$LIB` is differs between distributions, and `$PLATFORM` between processors.
    for lib in ["lib", "lib64", "lib/x86_64-linux-gnu"] {
        made.build(&format!("libs/{lib}/libl1.so"), &[], &[]);
    }
    let name = made.platform();
    let platform = format!("platform/{name}/libp1.so");
    // The loader looks for one name only.
    for name in ["x86_64", "haswell", "xeon_phi", &name] {
        made.build(&format!("platform/{name}/libp1.so"), &[], &[]);
    }
    made.build("levels/libv1.so", &[], &[]);
    for level in ["x86-64-v2", "x86-64-v3", "x86-64-v4"] {
        made.build(&format!("levels/glibc-hwcaps/{level}/libv1.so"), &[], &[]);
    }
    let list = "${ORIGIN}/libs/$LIB:$ORIGIN/platform/${PLATFORM}:$ORIGIN/levels/";
    let needed = ["libs/lib64/libl1.so", &platform, "levels/libv1.so"];
    made.build("x", &needed, &[&with(RUNPATH, list)]);
    assert!(made.compare("x").is_complete());
}

#[test]
fn origin_of_a_library_is_where_it_was_opened() {
    if !can_build() {
        return;
    }
    let made = Workshop::new("origin");
    made.build("real/deps/libd1.so", &[], &[]);
    made.build("links/deps/libd1.so", &[], &[]);
    made.build("real/liba1.so", &["real/deps/libd1.so"], &[&with(RUNPATH, "$ORIGIN/deps")]);
    made.link("../real/liba1.so", "links/liba1.so");
    made.build("x", &["links/liba1.so"], &[&with(RUNPATH, "$ORIGIN/links")]);
    let needs = made.compare("x");
    assert_eq!(needs.libraries[2].path, made.path("links/deps/libd1.so"));
}

#[test]
fn names_already_loaded() {
    if !can_build() {
        return;
    }
    let made = Workshop::new("names");
    made.build("a/libs1.so", &[], &[]);
    made.build("b/libsame.so.1", &[], &["-shared"]);
    made.build("b/libt1.so", &["b/libsame.so.1"], &[]);
    made.build("a/libu1.so", &[], &[]);
    made.link("libu1.so", "a/libw1.so");
    let absolute = made.path("c/libabs1.so");
    let soname = format!("-Wl,-soname,{}", absolute.display());
    made.build("c/libabs1.so", &[], &[&soname]);
    let list = with(RPATH, "$ORIGIN/a:$ORIGIN/b");
    let needed = ["a/libs1.so", "b/libt1.so", "a/libu1.so", "a/libw1.so", "c/libabs1.so"];
    made.build("x", &needed, &[&list]);
    // Only now it gets the name by which another is asked for, too late to be asked for by it.
    made.build("a/libs1.so", &[], &["-Wl,-soname,libsame.so.1"]);
    let needs = made.compare("x");
    assert!(!needs.libraries.iter().any(|library| library.path.ends_with("libsame.so.1")));
    assert!(needs.library_at(&absolute).is_some());
}

#[test]
fn other_machines_filters_and_no_default_directories() {
    if !can_build() {
        return;
    }
    let made = Workshop::new("flags");
    let list = with(RPATH, "$ORIGIN/other:$ORIGIN/own");
    made.build("own/libo1.so", &[], &[]);
    made.build("own/libf1.so", &[], &["-Wl,-F,libo1.so"]);
    made.build("own/libg1.so", &[], &["-Wl,-f,libnone1.so", "-Wl,-f,libo1.so"]);
    made.build("other/libo1.so", &[], &["-m32"]);
    made.build("x", &["own/libg1.so", "own/libf1.so"], &[&list]);
    let (needs, mut ours, mut theirs) = made.answers("x");
    assert!(needs.is_complete());
    // The loader puts what a filter stands for before it, and while tracing reports even what an
    // auxiliary filter does without.
    theirs.retain(|answer| answer != "libnone1.so not found");
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs);

    made.build("gone/libgone1.so", &[], &[]);
    made.build("own/liba1.so", &["gone/libgone1.so"], &[]);
    made.build("y", &["own/liba1.so"], &[&list, "-Wl,-z,nodefaultlib"]);
    let (_, mut ours, theirs) = made.answers("y");
    // Without a libc nothing asks for the loader, which then does not list itself.
    ours.retain(|answer| !answer.starts_with("/lib64/ld-linux"));
    assert_eq!(ours, theirs);
    assert_eq!(theirs[1..], ["libc.so.6 not found", "libgone1.so not found"]);
}
