//! What we say every program of `/usr/bin` needs, against what its loader says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use nsscript::internal::host::elf::{ElfError, Kind, Loader, Needs, Rule};
use nsscript::internal::host::tree::Tree;

/// What the loader would load for the program, in its order, and what it would not find.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    paths: Vec<PathBuf>,
    missing: BTreeSet<String>,
}

fn canonical(path: &str) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.into())
}

/// Asks the loader itself, which in this mode loads the libraries and does not run the program.
fn ask(loader: &Path, program: &Path) -> Answer {
    let mut command = Command::new(loader);
    command.arg(program).env_clear().env("LD_TRACE_LOADED_OBJECTS", "1");
    let output = command.output().expect("the loader runs");
    let mut answer = Answer { paths: Vec::new(), missing: BTreeSet::new() };
    for line in String::from_utf8(output.stdout).expect("paths are text").lines() {
        let (name, path) = line.trim().split_once(" => ").unwrap_or((line.trim(), line.trim()));
        if path == "not found" {
            answer.missing.insert(name.to_owned());
        } else if let Some((path, _)) = path.split_once(" (0x")
            && !path.starts_with("linux-vdso")
        {
            answer.paths.push(canonical(path));
        }
    }
    answer
}

/// Whether the loader takes a program for one of its own.
fn is_dynamic(program: &Path) -> bool {
    let loader = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
    let loader = loader.iter().find(|loader| Path::new(loader).exists()).expect("glibc is here");
    let status = Command::new(loader).arg("--verify").arg(program).status();
    status.expect("the loader runs").success()
}

fn ours(needs: &Needs) -> Answer {
    let name = |name: &std::ffi::OsStr| name.to_str().expect("names are text").to_owned();
    Answer {
        paths: needs
            .library_paths()
            .into_iter()
            .map(|path| canonical(path.to_str().expect("paths are text")))
            .collect(),
        missing: needs.missing.iter().map(|missing| name(&missing.name)).collect(),
    }
}

/// The programs of `/usr/bin`, links followed: the loader takes `$ORIGIN` from what it is given.
fn programs() -> BTreeSet<PathBuf> {
    let entries = fs::read_dir("/usr/bin").expect("/usr/bin can be listed");
    let paths = entries.filter_map(|entry| fs::canonicalize(entry.ok()?.path()).ok());
    paths.filter(|path| path.is_file()).collect()
}

#[test]
fn libraries_and_their_order_are_those_of_the_loader() {
    let tree = Tree::host();
    let programs = programs();
    let begun = Instant::now();
    let mut loader = Loader::new(&tree);
    let (mut needs, mut refused): (Vec<Needs>, Vec<ElfError>) = (Vec::new(), Vec::new());
    for program in &programs {
        match loader.needs(program) {
            Ok(told) => needs.push(told),
            Err(error) => refused.push(error),
        }
    }
    let took = begun.elapsed();

    for error in &refused {
        let begins = fs::read(&error.path).unwrap_or_default();
        assert!(!begins.starts_with(b"\x7fELF"), "refused: {error}");
    }
    let dynamic: Vec<&Needs> = needs.iter().filter(|needs| needs.kind == Kind::Dynamic).collect();
    let statics = needs.iter().filter(|needs| needs.kind == Kind::Static).count();
    let count: usize = dynamic.iter().map(|needs| needs.libraries.len()).sum();
    println!(
        "{} files, {} dynamic programs with {count} libraries, {statics} static, {} neither program \
         nor script: {took:?}",
        programs.len(),
        dynamic.len(),
        refused.len()
    );
    assert!(dynamic.len() >= 200, "only {} dynamic programs to compare", dynamic.len());

    for program in needs.iter().filter(|needs| needs.kind == Kind::Static) {
        assert!(!is_dynamic(&program.resolved), "{} is not static", program.program.display());
    }
    let compare = |needs: &&Needs| {
        let mut libraries = needs.libraries.iter();
        let Some(loader) = libraries.find(|library| library.rule == Rule::Interpreter) else {
            println!("not compared, its loader is not here: {}", needs.program.display());
            return None;
        };
        let theirs = ask(&loader.path, &needs.resolved);
        let ours = ours(needs);
        let program = needs.program.display();
        (ours != theirs).then(|| format!("{program}\n  ours   {ours:?}\n  theirs {theirs:?}"))
    };
    let begun = Instant::now();
    let (first, second) = dynamic.split_at(dynamic.len() / 2);
    let differences: Vec<String> = thread::scope(|scope| {
        let halves = [first, second]
            .map(|half| scope.spawn(|| half.iter().filter_map(compare).collect::<Vec<_>>()));
        halves.into_iter().flat_map(|half| half.join().expect("the comparison ends")).collect()
    });
    println!("the loader took {:?}", begun.elapsed());
    assert!(
        differences.is_empty(),
        "{} programs differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
}
