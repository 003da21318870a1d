//! What making a root costs, beside its peers: the wall time of whole processes.
//!
//! A root of many programs is put together by a recipe and by a shell script with `ldd` and `cp`, as
//! such scripts are written; the recipe also runs a program in it. An archive is unpacked by a recipe and by GNU tar, which does less: what
//! nsscript unpacks it hashes, too, and writes its manifest. `again` is what a recipe costs whose root
//! is in the store already.
//!
//! The archive is the one that `NSSCRIPT_BENCH_TAR` names, or one of many small files that is made
//! here. All happens in memory, in /dev/shm, unless `TMPDIR` is set: what a disk takes is neither's.
//!
//! `cargo bench` measures. Without its `--bench`, as `cargo test --bench rootfs` runs it, there is
//! one round: that it works is then all that is to be seen. `NSSCRIPT_BENCH_ROUNDS` sets how many
//! rounds there are.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints what it measures"
)]

mod race;

use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use race::{Answer, Contender, Directory};

/// How many rounds there are unless something else is asked for.
const ROUNDS: usize = 15;

/// How many programs the root has.
const PROGRAMS: usize = 100;

/// How many files the archive has, in directories of 50.
const FILES: usize = 10_000;

/// A root of programs as it is put together by hand.
const SCRIPT: &str = r#"set -e
root=$1
shift
for program; do
    mkdir -p "$root${program%/*}"
    cp "$program" "$root$program"
    ldd "$program" | grep -o '/[^ ]*' | while read -r library; do
        if [ ! -e "$root$library" ]; then
            mkdir -p "$root${library%/*}"
            cp "$library" "$root$library"
        fi
    done
done
"#;

const ASSEMBLE: &str = r#"sandbox(rootfs().binaries(args).binary("true")).run("true");"#;
const UNPACK: &str = "print(rootfs().tar(args[0]).digest());";

/// A recipe whose layers are kept in a store of its own.
fn keeping(name: &str, recipe: &Path, store: &Path, arguments: &[String]) -> Contender {
    let mut contender = Contender::recipe(name, recipe);
    contender.words.extend_from_slice(arguments);
    let store = store.display().to_string();
    contender.environment = vec![("XDG_CACHE_HOME".into(), store)];
    contender
}

/// The first programs of the host that are loaded dynamically.
fn programs() -> Answer<Vec<String>> {
    let entries = fs::read_dir("/usr/bin")?.flatten();
    let mut paths: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|entry| entry.path())
        .filter(|path| is_dynamic(path))
        .collect();
    paths.sort();
    paths.truncate(PROGRAMS);
    if paths.len() < PROGRAMS {
        return Err(format!("/usr/bin has {} programs, not {PROGRAMS}", paths.len()).into());
    }
    Ok(paths.iter().map(|path| path.display().to_string()).collect())
}

/// Whether a file is a program that names a loader, as `ldd` would have it.
fn is_dynamic(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(4096).read_to_end(&mut head));
    read.is_ok() && head.starts_with(b"\x7fELF") && head.windows(4).any(|part| part == b"/ld-")
}

/// Compares what the script has made with what the recipe has.
fn compare(script: &Path, store: &Path) -> Answer<usize> {
    let layers = fs::read_dir(store.join("nsscript/layers"))?.flatten().map(|entry| entry.path());
    let trees: Vec<PathBuf> = layers.map(|layer| layer.join("tree")).collect();
    let [tree] = &trees[..] else {
        return Err(format!("{} layers are in the store, not one", trees.len()).into());
    };
    let (mut files, mut ahead) = (0, vec![script.to_path_buf()]);
    while let Some(directory) = ahead.pop() {
        for path in fs::read_dir(&directory)?.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                ahead.push(path);
                continue;
            }
            let inside = path.strip_prefix(script)?;
            if fs::read(tree.join(inside))? != fs::read(&path)? {
                return Err(format!("{} differs", inside.display()).into());
            }
            files += 1;
        }
    }
    Ok(files)
}

/// An archive of many small files of text, most of them shorter than 8 KiB and a few much longer.
fn make_archive(directory: &Directory) -> Answer<PathBuf> {
    let (top, archive) = (directory.0.join("files"), directory.0.join("files.tar"));
    let words = ["mount", "namespace", "overlay", "sandbox", "layer", "root", "process", "kernel"];
    let mut state: u64 = 1;
    // The constants of Knuth's MMIX: the same files every time.
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005);
        state = state.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default()
    };
    for file in 0..FILES {
        let place = top.join(format!("{}", file / 50));
        if file % 50 == 0 {
            fs::create_dir_all(&place)?;
        }
        let length = if file % 100 == 0 { 200_000 } else { next() % 8192 };
        let mut text = String::with_capacity(length + 16);
        while text.len() < length {
            text.push_str(words[next() % words.len()]);
            text.push(if next() % 9 == 0 { '\n' } else { ' ' });
        }
        fs::write(place.join(format!("file-{file}")), text)?;
    }
    run("tar", &["-cf", &text(&archive), "-C", &text(&top), "."])?;
    fs::remove_dir_all(top)?;
    Ok(archive)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn run(program: &str, words: &[&str]) -> Answer<()> {
    let status = Command::new(program).args(words).status();
    let status = status.map_err(|error| format!("{program}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{program}: {status}").into()) }
}

/// The contenders of one kind of archive: GNU tar first.
fn unpackers(directory: &Directory, recipe: &Path, archive: &Path) -> [Contender; 2] {
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    let (place, store) = (directory.0.join("unpacked"), directory.0.join("store-of-archive"));
    let unpack = r#"mkdir "$0" && exec tar -C "$0" -xf "$1""#;
    let words = ["sh", "-c", unpack, &text(&place), &text(archive)];
    let mut tar = Contender::new(&format!("tar -xf {name}"), &words);
    tar.makes = vec![place];
    let mut own = keeping(&format!("nsscript, tar(\"{name}\")"), recipe, &store, &[text(archive)]);
    own.makes = vec![store];
    [tar, own]
}

fn measure(rounds: usize) -> Answer<()> {
    println!("rounds: {rounds}");
    let directory = Directory::new()?;
    let place = |name: &str| directory.0.join(name);

    let programs = programs()?;
    let (script, recipe) =
        (directory.write("assemble.sh", SCRIPT)?, directory.write("assemble.rhai", ASSEMBLE)?);
    let mut by_hand = Contender::new("sh, ldd and cp", &["sh", &text(&script)]);
    by_hand.words.push(text(&place("root")));
    by_hand.words.extend_from_slice(&programs);
    by_hand.makes = vec![place("root")];
    let mut own = keeping("nsscript, binaries(…)", &recipe, &place("store"), &programs);
    own.makes = vec![place("store")];
    let again = keeping("nsscript, again", &recipe, &place("kept"), &programs);
    let mut contenders = [by_hand, own, again];
    let title = format!("a root of {PROGRAMS} programs");
    race::compete(&title, "/ sh", &mut contenders, rounds)?;
    let files = compare(&place("root"), &place("store"))?;
    println!("each of the {files} files of the script is in the root of the recipe");

    let recipe = directory.write("unpack.rhai", UNPACK)?;
    let given = env::var_os("NSSCRIPT_BENCH_TAR").filter(|path| !path.is_empty());
    let archive = match given {
        Some(given) => {
            let archive = place("archive.tar");
            fs::copy(given, &archive)?;
            archive
        }
        None => make_archive(&directory)?,
    };
    for (program, suffix) in [("", ""), ("gzip", ".gz"), ("xz", ".xz"), ("zstd", ".zst")] {
        if !program.is_empty() {
            let made = format!("{program} -c -1 {0} > {0}{suffix}", text(&archive));
            if let Err(error) = run("sh", &["-c", &made]) {
                println!("\n{error}: left out");
                continue;
            }
        }
        let archive = PathBuf::from(format!("{}{suffix}", text(&archive)));
        let size = fs::metadata(&archive)?.len() >> 20;
        let mut contenders = unpackers(&directory, &recipe, &archive);
        race::compete(&format!("an archive of {size} MiB"), "/ tar", &mut contenders, rounds)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    race::begin("rootfs", ROUNDS, measure)
}
