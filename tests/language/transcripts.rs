//! Transcripts: what `--explain` tells of every lesson, and of the recipes in `tests/explain`, as
//! root, compared with `tests/explain/NAME.txt`.
//!
//! They are made from the JSON form, which has every action in one line and says which process did
//! it. So neither the width of paths nor which of several processes was faster makes a difference:
//! actions stand in the order of their process, and those of a process stand where it is started.
//! What else differs between machines and runs is replaced or left out, as the functions below say;
//! output and errors of programs are no part of a transcript.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::nsscript::{PACKAGE, Ran, Scratch, missing, nsscript, updates};
use super::recipes::recipes_in;
use crate::support::schema::fitting;

const DIRECTORY: &str = "tests/explain";
const REWRITE: &str = "NSSCRIPT_UPDATE=1 cargo test --test suite transcripts";

fn recipes() -> Vec<PathBuf> {
    [recipes_in(DIRECTORY), recipes_in("recipes/lessons")].concat()
}

fn transcript_of(recipe: &Path) -> PathBuf {
    let name = recipe.file_name().unwrap();
    Path::new(PACKAGE).join(DIRECTORY).join(name).with_extension("txt")
}

fn text<'a>(event: &'a Value, key: &str) -> &'a str {
    event[key].as_str().unwrap_or_default()
}

/// Whether an action depends on what the machine has: libraries in places that not all have.
fn is_of_machine(event: &Value) -> bool {
    text(event, "operation") == "bind" && text(event, "sentence").starts_with("bind `/lib")
}

/// Whether an action is one of a row that a verb asks for: the devices of `dev`, the parts of /proc
/// that are protected. Which there are is a matter of the kernel and the machine, so one stands for
/// all.
fn goes_on(before: Option<&Value>, event: &Value) -> bool {
    let same = |key: &str| before.is_some_and(|before| before[key] == event[key]);
    let in_rows = ["bind", "protect", "mask"].contains(&text(event, "operation"));
    event["by"] == "child" && in_rows && ["operation", "place", "process"].into_iter().all(same)
}

/// The actions of a process in their order, each with those of the process that it has started.
fn in_order<'a>(events: &'a [Value], process: &Value, out: &mut Vec<&'a Value>) {
    let below = |number: &Value| {
        let mut path = process.as_array().unwrap().clone();
        path.push(number.clone());
        Value::from(path)
    };
    let mut told = BTreeSet::new();
    for event in events.iter().filter(|event| event["process"] == *process) {
        out.push(event);
        if let Some(number) = event["starts"].as_u64() {
            told.insert(number);
            in_order(events, &below(&event["starts"]), out);
        }
    }
    // The program that an init has started.
    let others: BTreeSet<u64> = events
        .iter()
        .filter_map(|event| event["process"].as_array())
        .filter(|path| path.len() > process.as_array().unwrap().len())
        .filter(|path| path.starts_with(process.as_array().unwrap()))
        .filter_map(|path| path[process.as_array().unwrap().len()].as_u64())
        .collect();
    for number in others.difference(&told) {
        in_order(events, &below(&Value::from(*number)), out);
    }
}

/// The text with `placeholder` for the digits, or whatever `is_part` says, that follow `before`.
fn hide(text: &str, before: &str, placeholder: &str, is_part: fn(char) -> bool) -> String {
    let mut pieces = text.split(before);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(is_part);
        out.push_str(before);
        out.push_str(if rest.len() < piece.len() { placeholder } else { "" });
        out.push_str(rest);
    }
    out
}

/// The text without what differs from run to run and from machine to machine.
fn plain(text: &str, scratch: &Scratch) -> String {
    let digit = |letter: char| letter.is_ascii_digit();
    let mut out = text.replace(scratch.text(), "$TMP").replace(PACKAGE, "$ROOT");
    // The private directory.
    out = hide(&out, "nsscript-0-", "…", |letter: char| letter.is_ascii_hexdigit());
    out = hide(&out, "/layers/", "DIGEST", |letter| letter.is_ascii_hexdigit() || letter == '-');
    for before in ["process ", "/proc/", "nsenter -t "] {
        out = hide(&out, before, "PID", digit);
    }
    for kind in ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"] {
        out = hide(&out, &format!("{kind}:["), "INODE", digit);
    }
    out = hide(&out, "/dev/loop", "N", digit);
    // What is written may be what the machine has said: how long that is says nothing.
    out = hide(&out, "write(fd, …, ", "N", digit);
    for verb in ["write ", "append "] {
        if out.starts_with(verb) {
            out = hide(&out, verb, "N", digit).replace("N byte to", "N bytes to");
        }
    }
    if out.starts_with("clone3(") {
        out = hide(&out, " = ", "PID", digit);
        // Not every kernel puts a process that shares memory into a new time namespace.
        out = out.replace("CLONE_VM|", "");
    }
    out
}

/// Which process it was.
fn bar(event: &Value) -> String {
    let process = event["process"].as_array().unwrap();
    process.iter().fold(String::new(), |bars, number| format!("{bars}{number}│ "))
}

/// An action as a person would read it, without the time.
fn shown(event: &Value, scratch: &Scratch) -> String {
    let failed = &event["failed"];
    let (mark, mut sentence) =
        (if failed.is_null() { '▸' } else { '✗' }, text(event, "sentence").to_owned());
    let mut calls: Vec<&str> =
        event["calls"].as_array().unwrap().iter().map(|call| call.as_str().unwrap()).collect();
    if text(event, "operation") == "build" {
        // How many files and bytes depends on the programs of the machine.
        sentence.truncate(sentence.find(':').unwrap_or(sentence.len()));
        calls.truncate(1);
    }
    let place = &event["place"];
    let place = match text(place, "file").rsplit('/').next() {
        Some(file) if !file.is_empty() => format!("  {file}:{}:{}", place["line"], place["column"]),
        _ => String::new(),
    };
    let mut lines = vec![format!("{mark} {}{place}", plain(&sentence, scratch))];
    let last = calls.len().saturating_sub(1);
    for (index, call) in calls.iter().enumerate() {
        let result = match failed["name"].as_str() {
            Some(errno) if index == last => format!(" = -1 {errno}"),
            _ => String::new(),
        };
        let starts = event["starts"].as_u64().filter(|_| index == last);
        let starts = starts.map(|number| format!("  → {number}│")).unwrap_or_default();
        lines.push(format!("    {}{result}{starts}", plain(call, scratch)));
    }
    let shell = event["shell"].as_str();
    lines.extend(shell.map(|shell| format!("    $ {}", plain(shell, scratch))));
    let bar = bar(event);
    lines.iter().fold(String::new(), |out, line| format!("{out}{bar}{line}\n"))
}

/// What is told of a recipe, or why it failed; nothing where it needs what is not there.
fn transcript(recipe: &Path) -> Option<Result<String, String>> {
    let scratch = Scratch::new();
    let path = recipe.strip_prefix(PACKAGE).unwrap().to_str().unwrap();
    let mut command = nsscript(&["--explain=json", path]);
    // Without a store every root is built.
    command.env_remove("XDG_CACHE_HOME").env_remove("HOME");
    let ran = Ran::of(command.env("TMPDIR", scratch.path()));
    if ran.status == Some(77) {
        missing(&format!("{path}: {}", ran.stderr.lines().last().unwrap_or_default()));
        return None;
    }
    if ran.status != Some(0) {
        let said: Vec<&str> = ran.stderr.lines().filter(|line| !line.starts_with('{')).collect();
        return Some(Err(format!("{path} ended with {:?}\n{}\n", ran.status, said.join("\n"))));
    }
    if !scratch.is_empty() {
        return Some(Err(format!("{path} left something behind\n")));
    }
    let events: Vec<Value> = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with(r#"{"version":1,"sentence":"#))
        .map(|line| fitting("explain", line))
        .collect();
    let mut ordered = Vec::new();
    in_order(&events, &Value::from(Vec::<Value>::new()), &mut ordered);
    assert_eq!(ordered.len(), events.len(), "{path}: a process that nobody has started");
    let mut out = String::new();
    let (mut before, mut in_row) = (None, false);
    for event in ordered.into_iter().filter(|event| !is_of_machine(event)) {
        let goes_on = goes_on(before, event);
        if !goes_on {
            out.push_str(&shown(event, &scratch));
        } else if !in_row {
            out.push_str(&format!("{}…\n", bar(event)));
        }
        (before, in_row) = (Some(event), goes_on);
    }
    Some(Ok(out))
}

/// How often a recipe is run at the most. An action is told once it is done: who has seen its effect
/// may kill the process before it has told it.
const RUNS: usize = 8;

/// Says how a transcript differs from the one that is written down, or rewrites that.
fn check(recipe: &Path) -> Option<String> {
    let file = transcript_of(recipe);
    let wanted = fs::read_to_string(&file).unwrap_or_default();
    let mut given = String::new();
    for _ in 0..RUNS {
        let told = match transcript(recipe)? {
            Ok(told) => told,
            Err(why) => return Some(why),
        };
        if !updates() && told == wanted {
            return None;
        }
        // The one that tells the most is the one in which nobody was killed too early.
        if told.len() > given.len() {
            given = told;
        }
    }
    if updates() {
        fs::write(file, given).unwrap();
        return None;
    }
    let differ = wanted.lines().zip(given.lines()).position(|(wanted, given)| wanted != given);
    let from = differ.unwrap_or(wanted.lines().count().min(given.lines().count()));
    let part = |text: &str| text.lines().skip(from).take(5).collect::<Vec<_>>().join("\n");
    (wanted != given).then(|| {
        let (name, line) = (recipe.display(), from + 1);
        format!(
            "{name}, line {line}\n--- expected\n{}\n--- given\n{}\n",
            part(&wanted),
            part(&given)
        )
    })
}

#[test]
fn what_is_told_of_every_recipe_is_what_is_written_down() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return missing("root, as whom transcripts are made");
    }
    let differences: Vec<String> = recipes().iter().filter_map(|recipe| check(recipe)).collect();
    let all = differences.join("\n");
    assert!(differences.is_empty(), "{all}\n`{REWRITE}` rewrites them");
}

#[test]
fn every_transcript_has_its_recipe() {
    let wanted: BTreeSet<PathBuf> = recipes().iter().map(|recipe| transcript_of(recipe)).collect();
    assert_eq!(wanted.len(), recipes().len(), "two recipes have the same name");
    let entries = fs::read_dir(Path::new(PACKAGE).join(DIRECTORY)).unwrap();
    let found = entries.map(|entry| entry.unwrap().path());
    let found = found.filter(|path| path.extension().is_some_and(|suffix| suffix == "txt"));
    let lost: Vec<PathBuf> = found.filter(|path| !wanted.contains(path)).collect();
    assert!(lost.is_empty(), "{lost:?} are of no recipe");
}

#[test]
fn only_what_follows_is_hidden() {
    let digit = |letter: char| letter.is_ascii_digit();
    assert_eq!(hide("process 12 and 3", "process ", "PID", digit), "process PID and 3");
    assert_eq!(hide("process x, process 4", "process ", "PID", digit), "process x, process PID");
}
