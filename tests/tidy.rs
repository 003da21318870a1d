//! The laws of the source tree: which layer may name which, which crate belongs to which folder,
//! where `unsafe` may stand, what a file may look like, why each dependency is there.
//!
//! The laws are the tables below. The readers beside this file know just enough of Rust and of TOML
//! to hold the tree to them: what a comment or a string says is never taken for code, and a
//! `super::super::…` is followed to where it leads.

use std::fs;
use std::path::Path;

// Beside this file a module would be a test of its own.
#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/rust.rs"]
mod rust;

use dependencies::Dependency;
use rust::{Kind, Named, Token};

/// The layers, and what each may name of the others. `cli` starts the conversation, so it may name
/// `repl`; nobody else names either. `library` is the other face of the crate.
const LAYERS: &[(&str, &[&str])] = &[
    ("json", &[]),
    ("diag", &["json"]),
    ("sys", &[]),
    ("spec", &["json", "diag"]),
    ("host", &["diag"]),
    ("ops", &["diag", "spec", "host", "sys"]),
    ("plan", &["json", "diag", "spec", "host", "ops"]),
    ("run", &["json", "diag", "spec", "host", "ops", "plan", "sys"]),
    ("script", &["json", "diag", "spec", "host", "ops", "plan", "run"]),
    ("library", &["json", "diag", "spec", "ops", "plan", "run", "script"]),
    ("repl", &["diag", "spec", "host", "ops", "plan", "run", "script"]),
    ("cli", &["json", "diag", "spec", "host", "ops", "plan", "run", "script", "repl"]),
];

/// The crates that the program is made with, and the only places that may name each: to replace
/// one touches one folder.
const VOCABULARY: &[(&str, &[&str])] = &[
    ("base64", &["src/script"]),
    ("clap", &["src/cli"]),
    ("flate2", &["src/run/layers/archive"]),
    ("glob", &["src/plan", "src/run/raw"]),
    ("indicatif", &["src/cli"]),
    ("liblzma", &["src/run/layers/archive"]),
    ("libc", &["src/sys"]),
    ("netlink_packet_core", &["src/run/network"]),
    ("netlink_packet_route", &["src/run/network"]),
    ("nix", &["src/sys"]),
    ("object", &["src/host/elf"]),
    ("pulldown_cmark", &["src/script/manual"]),
    ("regex_lite", &["src/script"]),
    ("rhai", &["src/script", "src/library", "src/repl"]),
    ("roff", &["src/script/manual"]),
    ("rustyline", &["src/repl"]),
    ("schemars", &["src/json"]),
    ("serde", &["src/json"]),
    ("serde_json", &["src/json", "src/run", "src/script"]),
    ("sha2", &["src/run/layers"]),
    ("shell_words", &["src/script"]),
    ("strsim", &["src/diag"]),
    ("syscalls", &["src/spec"]),
    ("tar", &["src/run/layers"]),
    ("zstd", &["src/run/layers/archive"]),
    ("unicode_width", &["src/diag"]),
];

/// The rooms of a large folder from the lowest to the highest, and what each may name of the others.
/// A room names only rooms above it in the table.
type Rooms = &'static [(&'static str, &'static [&'static str])];

/// The folders that have rooms. What stands at the top of such a folder is its face: it may name
/// every room, and no room names it.
const ROOMS: &[(&str, Rooms)] = &[
    (
        "src/run",
        &[
            ("base", &[]),
            ("remedy", &[]),
            ("session", &["base", "remedy"]),
            ("trace", &["base", "session"]),
            ("workspace", &["session", "trace"]),
            ("layers", &["base", "remedy", "workspace"]),
            ("advice", &["remedy", "session", "layers"]),
            ("raw", &["base", "remedy", "session", "trace", "layers", "advice"]),
            ("network", &["base", "remedy", "session", "advice", "raw"]),
            (
                "launch",
                &["base", "remedy", "session", "trace", "layers", "advice", "raw", "network"],
            ),
            ("doctor", &["base", "remedy", "session", "network", "launch"]),
            (
                "runner",
                &["base", "session", "trace", "workspace", "layers", "raw", "network", "launch"],
            ),
        ],
    ),
    (
        "src/script",
        &[
            ("language", &[]),
            ("binding", &["language"]),
            ("builtins", &["language", "binding"]),
            ("errors", &["language", "binding"]),
            ("effects", &["binding", "errors"]),
            ("verbs", &["binding", "effects"]),
            ("analysis", &["binding"]),
            ("engine", &["language", "binding", "builtins", "errors", "effects", "analysis"]),
            ("check", &["language", "binding", "builtins", "errors", "analysis", "engine"]),
            (
                "prompt",
                &["language", "binding", "errors", "effects", "analysis", "engine", "check"],
            ),
            ("manual", &["language", "binding"]),
            ("package", &["language", "binding", "builtins", "errors", "effects", "engine"]),
        ],
    ),
    (
        "src/script/verbs",
        &[
            ("host", &[]),
            ("sandbox", &[]),
            ("rootfs", &["sandbox"]),
            ("network", &["host", "sandbox"]),
            ("raw", &["sandbox"]),
        ],
    ),
];

/// Rooms that name one that they may not: the file, the room, and why it has to be.
const UPWARD: &[(&str, &str, &str)] = &[(
    "src/script/binding/catalog.rs",
    "verbs",
    "the list of all verbs is constant data, which whatever looks up a verb by its name needs",
)];

/// The methods of the runner that verbs call themselves: they change nothing, or only the store.
/// Everything else goes through `call.effects()`, so that a dry run only notes it.
const QUESTIONS: &[&str] = &[
    "contents",
    "distrust_store",
    "foresee",
    "foresee_lack",
    "hides_process",
    "host",
    "keeping",
    "lacks",
    "may_open_output",
    "may_save",
    "manifest",
    "network_names",
    "plan",
    "pod",
    "plan_on_host",
    "shell_of",
    "stored_manifest",
    "tree",
];

/// What a file is called when nobody knew what it holds.
const EMPTY_NAMES: &[&str] = &["utils", "helpers", "common", "misc", "types", "manager"];

/// Names of errors that do not tell which error it is.
const VAGUE_ERRORS: &[&str] =
    &["Fault", "Failure", "Invalid", "Missed", "Problem", "Refused", "Stop", "Trouble", "Wrong"];

/// Notes to oneself, spelled so that this file does not hold them.
const NOTES: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];

/// No crate sets the register of aarch64 that keeps a traced process from making a system call.
const REGISTERS: &str = "tests/faults/registers.rs";

/// The most lines that a file of `src` may have. The subject decides where a file is cut; the number
/// only catches one that was forgotten.
const LONGEST: usize = 600;

// The tree.

/// A text file of the project.
struct File {
    /// Its path, relative to the root of the project.
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        has_suffix(&self.path, "rs")
    }

    fn is_source(&self) -> bool {
        self.is_rust() && self.path.starts_with("src/")
    }
}

fn has_suffix(path: &str, suffix: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == suffix)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path))
        .unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

/// All text files at the top of the project and in the folders that hold its sources.
fn tree() -> Vec<File> {
    let mut files = Vec::new();
    walk(root(), "", &mut files);
    files.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(files.iter().any(File::is_source), "no sources below {}", root().display());
    files
}

fn walk(directory: &Path, prefix: &str, files: &mut Vec<File>) {
    const FOLDERS: &[&str] =
        &["src", "tests", "benches", "examples", "recipes", "stdlib", ".ci", ".cargo"];
    let entries = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", directory.display()));
    for entry in entries.map(|entry| entry.expect("the listing goes on")) {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type().expect("the listing says what a file is");
        let path = format!("{prefix}{name}");
        if kind.is_dir() && (!prefix.is_empty() || FOLDERS.contains(&name.as_str())) {
            walk(&entry.path(), &format!("{path}/"), files);
        } else if kind.is_file()
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            files.push(File { path, text });
        }
    }
}

/// Ends the test with all that was found.
fn verdict(law: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{law}\n\n{}\n", findings.join("\n"));
}

/// What the law finds in the files that it is about.
fn judge(about: impl Fn(&File) -> bool, law: impl Fn(&File) -> Vec<String>) -> Vec<String> {
    tree().iter().filter(|file| about(file)).flat_map(law).collect()
}

// The laws, each as what it finds in one file.

/// What a file names that its layer may not.
fn layer_findings(path: &str, source: &str) -> Vec<String> {
    let module = rust::module_of(path);
    let tokens = rust::tokens(source);
    let mut findings = Vec::new();
    let allowed = match module.first() {
        _ if path == "src/lib.rs" => return findings,
        _ if path == "src/main.rs" => ("main", &["cli"][..]),
        Some(layer) => match LAYERS.iter().find(|(name, _)| name == layer) {
            Some(row) => *row,
            None => {
                return vec![format!(
                    "{path}:1: `{layer}` is no layer: move the file into one, or give LAYERS a row"
                )];
            }
        },
        None => return vec![format!("{path}:1: only lib.rs and main.rs are roots")],
    };
    let (layer, below) = allowed;
    for named in rust::named_paths(&tokens) {
        let Some(place) = rust::resolve(&module, &named) else { continue };
        let (words, line) = (named.words.join("::"), named.line);
        match place.first().map(String::as_str) {
            Some(target) if target == layer || below.contains(&target) => {}
            Some(target) if LAYERS.iter().any(|(name, _)| *name == target) => {
                let may = if below.is_empty() { "none".to_owned() } else { below.join(", ") };
                findings.push(format!(
                    "{path}:{line}: `{words}`: `{layer}` may not name `{target}` (it may name: \
                     {may}): move what is shared down, or hand it in from above"
                ));
            }
            _ => findings.push(format!(
                "{path}:{line}: `{words}` leads to the root of the crate: name the layer that \
                 holds it"
            )),
        }
    }
    for (at, token) in tokens.iter().enumerate() {
        let next = |text: &str| tokens.get(at + 1).is_some_and(|next| next.is(text));
        let in_attribute = at > 0 && tokens[at - 1].is("[") && next("=");
        if (token.is("path") && in_attribute) || (token.is("include") && next("!")) {
            findings.push(format!(
                "{path}:{}: `{}` brings in a file from anywhere: use a plain `mod`",
                token.line, token.text
            ));
        }
    }
    findings
}

/// The rooms of `house` that a file of one of them names and may not, each with what is wrong.
fn room_findings(
    house: &str,
    rooms: &[(&str, &[&str])],
    path: &str,
    source: &str,
) -> Vec<(String, String)> {
    let (house, module) = (rust::module_of(house), rust::module_of(path));
    let Some(room) = module.strip_prefix(house.as_slice()).and_then(<[String]>::first) else {
        return Vec::new();
    };
    let Some((_, below)) = rooms.iter().find(|(name, _)| name == room) else {
        let finding = format!("{path}:1: `{room}` is no room: give ROOMS a row for it");
        return vec![(room.clone(), finding)];
    };
    let mut findings = Vec::new();
    for named in rust::named_paths(&rust::without_visibility(rust::tokens(source))) {
        let Some(place) = rust::resolve(&module, &named) else { continue };
        let inside = place.strip_prefix(house.as_slice());
        let Some(target) = inside.and_then(<[String]>::first) else { continue };
        if target != room && !below.contains(&target.as_str()) {
            let (words, line) = (named.words.join("::"), named.line);
            let finding = format!(
                "{path}:{line}: `{words}`: the room `{room}` may not name `{target}`: move what is \
                 shared down, or hand it in from above"
            );
            findings.push((target.clone(), finding));
        }
    }
    findings
}

/// The methods of the runner that a verb calls and may not.
fn effect_findings(path: &str, source: &str) -> Vec<String> {
    let tokens = rust::tokens(source);
    let called = tokens.windows(3).filter(|three| three[0].is("runner") && three[1].is("."));
    let wrong = called.map(|three| three[2]).filter(|method| !QUESTIONS.contains(&method.text));
    let finding = |Token { text, line, .. }: Token<'_>| {
        format!(
            "{path}:{line}: `runner.{text}`: ask `call.effects()` for what has an effect, or give \
             QUESTIONS a row for what has none"
        )
    };
    wrong.map(finding).collect()
}

fn is_upward(path: &str, target: &str) -> bool {
    UPWARD.iter().any(|(file, room, _)| (*file, *room) == (path, target))
}

/// The crates that a file names outside their places.
fn vocabulary_findings(path: &str, source: &str) -> Vec<String> {
    let below = |place: &&str| {
        path.strip_prefix(*place).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
    };
    let mut findings = Vec::new();
    for Named { words, line, .. } in rust::named_paths(&rust::tokens(source)) {
        let Some((name, places)) = VOCABULARY.iter().find(|(name, _)| *name == words[0]) else {
            continue;
        };
        if !places.iter().any(below) {
            let places = places.join(", ");
            findings.push(format!(
                "{path}:{line}: `{}`: `{name}` may be named only below {places}: add a function \
                 there that says what is meant, and call that",
                words.join("::")
            ));
        }
    }
    findings
}

/// Every `unsafe` that stands where none may, or without its reason.
fn unsafe_findings(path: &str, source: &str) -> Vec<String> {
    let tokens = rust::tokens(source);
    let mut findings = Vec::new();
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.is("unsafe")) {
        let line = token.line;
        if !path.starts_with("src/sys/") && path != "src/sys.rs" && path != REGISTERS {
            findings.push(format!(
                "{path}:{line}: `unsafe` outside src/sys: give `sys` a safe function that does it"
            ));
            continue;
        }
        let mut next = tokens[at + 1..].iter().filter(|token| token.kind != Kind::Comment);
        let mut word = next.next();
        let is = |word: Option<&Token<'_>>, text: &str| word.is_some_and(|word| word.is(text));
        if is(word, "extern") {
            word = next.by_ref().find(|token| token.kind != Kind::Literal);
        }
        if is(word, "fn") && is(next.next(), "(") {
            continue; // The type of a function: whoever makes the pointer states the reason.
        }
        let declares = is(word, "fn") || is(word, "trait");
        let wanted = if declares { "# Safety" } else { "SAFETY:" };
        // A brace that more follows on its line is that of a literal: the statement goes on above.
        let begins = |(at, token): &(usize, &Token<'_>)| {
            token.is(";") || token.is("}") || (token.is("{") && tokens[at + 1].line > token.line)
        };
        let above = tokens[..at].iter().enumerate().rev().take_while(|token| !begins(token));
        let mut comments = above.filter(|(_, token)| token.kind == Kind::Comment);
        if !comments.any(|(_, comment)| comment.text.contains(wanted)) {
            let cure = if declares {
                "document under `# Safety` what the caller must see to"
            } else {
                "say above the statement what the callee requires and why it holds here"
            };
            findings.push(format!("{path}:{line}: `unsafe` without `{wanted}`: {cure}"));
        }
    }
    findings
}

/// What a file of `src` looks like that it should not.
fn shape_findings(path: &str, source: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let lines = source.lines().count();
    if lines > LONGEST {
        findings.push(format!(
            "{path}:{LONGEST}: {lines} lines, {LONGEST} at the most: find the second noun in it \
             and give it a file"
        ));
    }
    if !source.starts_with("//!") {
        findings
            .push(format!("{path}:1: begin with a `//!` comment that says what the file holds"));
    }
    if path.ends_with("/mod.rs") {
        let file = path.replace("/mod.rs", ".rs");
        findings.push(format!("{path}:1: name the file after its module: {file}"));
    }
    for word in path.trim_start_matches("src/").trim_end_matches(".rs").split('/') {
        if EMPTY_NAMES.contains(&word) {
            findings.push(format!("{path}:1: `{word}` is no name: say what the file holds"));
        }
    }
    let code: Vec<_> =
        rust::tokens(source).into_iter().filter(|token| token.kind != Kind::Comment).collect();
    for pair in code.windows(2) {
        if pair[0].is("mod") && EMPTY_NAMES.contains(&pair[1].text) {
            let Token { text, line, .. } = pair[1];
            findings.push(format!("{path}:{line}: `{text}` is no name: say what the module holds"));
        }
    }
    findings
}

/// The types that a file declares, each with its line.
fn declared_types(source: &str) -> Vec<(String, usize)> {
    let code: Vec<_> =
        rust::tokens(source).into_iter().filter(|token| token.kind != Kind::Comment).collect();
    let is_head = |token: &Token<'_>| token.is("struct") || token.is("enum");
    let pairs = code.windows(2).filter(|pair| is_head(&pair[0]) && pair[1].kind == Kind::Word);
    pairs.map(|pair| (pair[1].text.to_owned(), pair[1].line)).collect()
}

/// Whether a file implements `std::error::Error` for a type.
fn implements_error(source: &str, name: &str) -> bool {
    let code: Vec<_> =
        rust::tokens(source).into_iter().filter(|token| token.kind != Kind::Comment).collect();
    let is =
        |window: &[Token<'_>]| window[0].is("Error") && window[1].is("for") && window[2].is(name);
    code.windows(3).any(is)
}

/// The notes to oneself in a text, as whole words.
fn note_findings(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        for word in content.split(|c: char| !c.is_alphanumeric() && c != '_') {
            if NOTES.contains(&word) {
                findings.push(format!("{path}:{line}: `{word}`: do it, or write it to an issue"));
            }
        }
    }
    findings
}

#[test]
fn arrows_point_down() {
    let findings = judge(File::is_source, |file| layer_findings(&file.path, &file.text));
    verdict("a layer names one that it may not:", &findings);
}

#[test]
fn arrows_between_rooms_point_down() {
    for (house, rooms) in ROOMS {
        for (index, (room, below)) in rooms.iter().enumerate() {
            let is_above = |name: &&str| rooms[..index].iter().any(|(known, _)| known == name);
            assert!(below.iter().all(is_above), "{house}: the row of `{room}`");
        }
        let findings = judge(File::is_source, |file| {
            let found = room_findings(house, rooms, &file.path, &file.text).into_iter();
            let found = found.filter(|(target, _)| !is_upward(&file.path, target));
            found.map(|(_, finding)| finding).collect()
        });
        verdict("a room names one that it may not:", &findings);
    }
}

#[test]
fn the_rows_of_rooms_allow_no_more_than_there_is() {
    let mut findings = Vec::new();
    for (house, rooms) in ROOMS {
        let none: Vec<(&str, &[&str])> = rooms.iter().map(|(room, _)| (*room, &[][..])).collect();
        for (room, below) in *rooms {
            let place = format!("{house}/{room}");
            let is_in = |file: &File| {
                let rest = file.path.strip_prefix(&place);
                rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            };
            let named: Vec<String> = tree()
                .iter()
                .filter(|file| file.is_source() && is_in(file))
                .flat_map(|file| room_findings(house, &none, &file.path, &file.text))
                .map(|(target, _)| target)
                .collect();
            let unused = below.iter().filter(|target| !named.iter().any(|name| name == **target));
            findings.extend(unused.map(|target| format!("{place}: `{target}`")));
        }
    }
    verdict("a row of ROOMS allows what no file names: strike it out:", &findings);
}

#[test]
fn verbs_have_effects_only_through_the_seam() {
    let is_verb = |file: &File| file.path.starts_with("src/script/verbs");
    let findings = judge(is_verb, |file| effect_findings(&file.path, &file.text));
    verdict("a verb does something that a dry run would do:", &findings);
    let count = |source| effect_findings("src/script/verbs/a.rs", source).len();
    assert_eq!(count("fn f() { call.context.runner.act(a); let b = runner\n    .run(c); }"), 2);
    assert_eq!(count("fn f() { let runner = &call.context.runner; runner.host() }"), 0);
}

#[test]
fn every_arrow_that_points_up_is_there_and_has_its_reason() {
    let mut findings = Vec::new();
    for (path, room, reason) in UPWARD {
        let text = read(path);
        let mut found =
            ROOMS.iter().flat_map(|(house, rooms)| room_findings(house, rooms, path, &text));
        if reason.is_empty() || !found.any(|(target, _)| target == *room) {
            findings.push(format!("{path}:1: `{room}` is not named any more: take the row away"));
        }
    }
    verdict("a row of UPWARD that is not needed:", &findings);
}

#[test]
fn one_foreign_vocabulary_per_layer() {
    let findings = judge(File::is_source, |file| vocabulary_findings(&file.path, &file.text));
    verdict("a crate is named outside its place:", &findings);
}

#[test]
fn unsafe_stays_in_sys_and_gives_its_reason() {
    // An allocator, which that test needs, is unsafe by its nature, and so is what runs before `main`.
    let exempt = ["tests/library.rs", "tests/no_allocation.rs", "tests/support/start.rs"];
    let about = |file: &File| file.is_rust() && !exempt.contains(&file.path.as_str());
    let findings = judge(about, |file| unsafe_findings(&file.path, &file.text));
    verdict("`unsafe` where it may not be:", &findings);
}

#[test]
fn files_are_small_and_say_what_they_hold() {
    let findings = judge(File::is_source, |file| shape_findings(&file.path, &file.text));
    verdict("a file is not in shape:", &findings);
}

#[test]
fn errors_say_which_they_are_and_are_errors() {
    let sources: Vec<File> = tree().into_iter().filter(File::is_source).collect();
    let mut findings = Vec::new();
    for file in &sources {
        for (name, line) in declared_types(&file.text) {
            let place = format!("{}:{line}: `{name}`", file.path);
            if VAGUE_ERRORS.contains(&name.as_str()) {
                findings.push(format!("{place}: name its rank and end it with `Error`"));
            }
            let is_error = name.ends_with("Error") || name.ends_with("ErrorKind");
            if is_error && !sources.iter().any(|file| implements_error(&file.text, &name)) {
                findings.push(format!("{place}: implement `std::error::Error` for it"));
            }
        }
    }
    verdict("an error that does not say which it is, or is none:", &findings);
    assert_eq!(declared_types("// struct A;\nenum B {}\nlet c = \"struct C\";"), [("B".into(), 2)]);
    assert!(implements_error("impl std::error::Error for A {}", "A"));
    assert!(!implements_error("impl Display for A {} // impl Error for A {}", "A"));
}

#[test]
fn nothing_is_left_to_do() {
    let about = |file: &File| {
        ["src/", "tests/", "recipes/", "stdlib/"].iter().any(|place| file.path.starts_with(place))
            || file.path == "README.md"
    };
    verdict("a note to oneself:", &judge(about, |file| note_findings(&file.path, &file.text)));
}

#[test]
fn no_line_ends_in_blanks() {
    let about = |file: &File| {
        let suffixes = ["rs", "rhai", "toml", "md"];
        let whole = file.path == "justfile" || file.path.starts_with(".ci/");
        whole || suffixes.iter().any(|suffix| has_suffix(&file.path, suffix))
    };
    let findings = judge(about, |file| {
        let lines = (1..).zip(file.text.split('\n'));
        let blank = lines.filter(|(_, line)| line.ends_with([' ', '\t', '\r']));
        blank.map(|(line, _)| format!("{}:{line}: take the blanks away", file.path)).collect()
    });
    verdict("a line ends in blanks:", &findings);
}

// What the program depends on.

#[test]
fn every_package_is_of_the_registry() {
    // cargo-deny takes a directory for a part of the project if a version is asked for, too.
    let lock = read("Cargo.lock");
    let packages = lock.split("[[package]]\nname = ").skip(1);
    // It also looks only at what is built for Linux.
    let registry = "\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
    let others = packages.filter(|package| !package.contains(registry));
    let names: Vec<_> = others.filter_map(|package| package.lines().next()).collect();
    assert_eq!(names, ["\"nsscript\""], "Cargo.lock: take versions that crates.io has");
}

#[test]
fn every_dependency_has_its_reason_and_its_place() {
    let named = dependencies::named_in(&read("Cargo.toml"));
    assert!(!named.is_empty(), "Cargo.toml names dependencies");
    let mut findings = Vec::new();
    for Dependency { section, name, line, commented } in named {
        if !commented {
            findings.push(format!(
                "Cargo.toml:{line}: `{name}`: say in a comment directly above what it is for"
            ));
        }
        let crate_name = name.replace('-', "_");
        let of_program = !section.contains("dev-") && !section.contains("build-");
        if of_program && !VOCABULARY.iter().any(|(known, _)| *known == crate_name) {
            findings.push(format!(
                "Cargo.toml:{line}: `{name}`: give it a row in VOCABULARY of tests/tidy.rs, which \
                 says where it may be named"
            ));
        }
    }
    verdict("a dependency that nobody explains:", &findings);
}

// The readers themselves.

#[test]
fn a_layer_is_found_behind_every_disguise() {
    let caught = [
        ("src/plan/build.rs", "use crate::run::Runner;"),
        ("src/plan/build.rs", "use crate::{diag::Origin, run::{Runner as Host}};"),
        ("src/plan/build.rs", "use ::nsscript::run::Runner;"),
        ("src/plan/build.rs", "fn f() { super::super::run::go() }"),
        ("src/plan/mod.rs", "fn f() { super::run::go() }"),
        ("src/plan/build.rs", "mod inner { use super::super::super::sys; }"),
        ("src/plan/build.rs", "mod inner {} fn f() { super::super::sys::f() }"),
        ("src/host/elf/cache.rs", "type T = <u8 as crate::spec::T>::U;"),
        ("src/sys/call.rs", "macro_rules! m { () => { $crate::diag::words() } }"),
        ("src/spec/step.rs", "use crate as top;"),
        ("src/spec/step.rs", "use super::super::*;"),
        ("src/spec/step.rs", "const C: char = '\"'; use crate::host::Host; const D: char = '\"';"),
        ("src/spec/step.rs", "#[path = \"../run/mod.rs\"] mod run;"),
        ("src/spec/step.rs", "macro_rules! m { (use $($a:ident),*) => { crate::run::f() } }"),
        ("src/main.rs", "fn main() { nsscript::run::go() }"),
        ("src/stray/mod.rs", ""),
    ];
    for (path, source) in caught {
        assert_eq!(layer_findings(path, source).len(), 1, "{path}: {source}");
    }
}

#[test]
fn what_is_allowed_or_no_code_is_not_found() {
    let fine = [
        ("src/plan/build.rs", "use crate::{diag::Origin, host::{self, Host}};"),
        (
            "src/plan/build.rs",
            "// crate::run\n/* /* */ crate::run */ const S: &str = \"crate::run\";",
        ),
        ("src/plan/build.rs", "const S: &str = r#\"\" crate::run::x \"#; fn f<'a>(a: &'a str) {}"),
        ("src/plan/build.rs", "mod tests { use super::*; fn f() { super::super::shadow::f() } }"),
        (
            "src/host/elf/cache.rs",
            "use super::super::tree; fn f() { tree::run::f(x::crate_run()) }",
        ),
        ("src/run/hint.rs", "use std::run; fn f() -> impl Sized + use<'_> { a::sys::b() }"),
        ("src/main.rs", "fn main() -> ExitCode { nsscript::cli::main() }"),
        ("src/lib.rs", "pub use crate::cli::main;"),
    ];
    for (path, source) in fine {
        assert_eq!(layer_findings(path, source), Vec::<String>::new(), "{path}: {source}");
    }
}

#[test]
fn a_room_is_found_behind_every_disguise() {
    let rooms: Rooms = &[("low", &[]), ("high", &["low"])];
    let count = |path, source| room_findings("src/run", rooms, path, source).len();
    assert_eq!(count("src/run/low/a.rs", "use super::super::high::B;"), 1);
    assert_eq!(count("src/run/low.rs", "fn f() { crate::run::high::f() }"), 1);
    assert_eq!(count("src/run/low/a.rs", "use crate::run::Face;"), 1);
    assert_eq!(count("src/run/attic/a.rs", ""), 1);
    assert_eq!(count("src/run/high/a.rs", "use crate::run::{high::b, low::{a, c}};"), 0);
    assert_eq!(count("src/run/low/a.rs", "pub(in crate::run) fn f() { super::b::f() }"), 0);
    assert_eq!(count("src/run.rs", "pub use high::B; use crate::run::high::C;"), 0);
    assert_eq!(count("src/plan/low.rs", "use crate::run::high::C;"), 0);
}

#[test]
fn a_foreign_crate_is_found_wherever_it_is_named() {
    let count = |path, source| vocabulary_findings(path, source).len();
    assert_eq!(
        count("src/run/hint.rs", "use {libc::c_int, nix as other}; fn f(d: rhai::Map) {}"),
        3
    );
    assert_eq!(count("src/run/hint.rs", "extern crate libc; fn f() -> ::libc::c_int { 0 }"), 2);
    assert_eq!(count("src/host/elfin.rs", "use object::elf;"), 1);
    assert_eq!(count("src/host/elf/object.rs", "use object::elf; use super::libc::x;"), 0);
    assert_eq!(count("src/sys/call.rs", "use serde_json::Value;"), 1);
    assert_eq!(count("src/cli.rs", "use clap::Parser; // not libc::c_int"), 0);
}

#[test]
fn an_unsafe_without_its_reason_is_found() {
    let count = |path, source| unsafe_findings(path, source).len();
    assert_eq!(count("src/run/hint.rs", "// SAFETY: none.\nunsafe { f() }"), 1);
    assert_eq!(count("src/sys/call.rs", "fn g() { unsafe { f() } }"), 1);
    assert_eq!(count("src/sys/call.rs", "// SAFETY: no.\nlet a = 1;\nlet b = unsafe { f() };"), 1);
    assert_eq!(count("src/sys/call.rs", "// SAFETY: yes.\nlet a =\n    unsafe { f() };"), 0);
    assert_eq!(
        count("src/sys/call.rs", "// SAFETY: yes.\n#[cfg(unix)]\nunsafe impl Send for A {}"),
        0
    );
    assert_eq!(count("src/sys/call.rs", "unsafe extern \"C\" { fn f(); }"), 1);
    assert_eq!(count("src/sys/call.rs", "#[unsafe(no_mangle)]\nfn f() {}"), 1);
    assert_eq!(count("src/sys/call.rs", "/// Does.\npub unsafe extern \"C\" fn f() {}"), 1);
    assert_eq!(count("src/sys/call.rs", "/// # Safety\n/// Ask.\npub unsafe fn f() {}"), 0);
    assert_eq!(count(REGISTERS, "fn g() { unsafe { f() } }"), 1);
    assert_eq!(count(REGISTERS, "// SAFETY: yes.\nunsafe { f() }"), 0);
    assert_eq!(count("tests/faults/tracer.rs", "// SAFETY: yes.\nunsafe { f() }"), 1);
    assert_eq!(count("src/sys/call.rs", "type F = unsafe extern \"C\" fn(u8); // unsafe { }"), 0);
}

#[test]
fn a_module_in_the_old_style_is_found() {
    let count = |path| shape_findings(path, "//! Plans.\n").len();
    assert_eq!(count("src/plan/mod.rs"), 1);
    assert_eq!(count("src/plan.rs"), 0);
    assert_eq!(count("src/plan/build.rs"), 0);
}
