//! A piece of advice, a failure that gives it, and what is done then: a table of `tests/hints`.
//!
//! A case is some lines `KEY: VALUE`, the first of them `advice: NAME`; a line that begins with
//! blanks goes on with the value above it. `$TMP` is the working directory of a run, `$NSSCRIPT` the
//! binary that it can execute.
//!
//! | key | |
//! |---|---|
//! | `as` | `root` or `user`, if others are not given this advice |
//! | `needs` | programs that the test takes |
//! | `where` | a shell command of who runs the tests: the case is left out where it fails |
//! | `files` | a shell script, run by the user in `$TMP` before anything else |
//! | `fails` | the recipe that fails |
//! | `fails doctor` | the fact of which doctor says `no` or `part`, instead |
//! | `hint` | the whole hint; `…` stands for anything |
//! | `then` | the recipe that succeeds |
//! | `then doctor` | the fact of which doctor says something better then |
//! | `then sees` | what the recipe prints then, among others |
//! | `cannot` | why the advice cannot be followed on a machine for tests; or why not even the failure can be made, if `fails` is left out |
//!
//! More keys say how nsscript is started, for one of both: `fails options`, `fails env` (`NAME=VALUE`),
//! `fails shell` (a script in which `"$@"` is nsscript), `fails world` (a script that has the right to
//! mount, in a mount namespace of its own), `fails becoming` (a script of who runs the tests, in which
//! the words `$BECOME` become the user), and the same with `then`.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Bench, Ended, Launch, User, have, may_mount, missing};

/// A case: its lines by their keys.
#[derive(Debug, Default)]
pub struct Case {
    /// Where it is: `tests/hints/raw.txt:12`.
    place: String,
    lines: BTreeMap<String, String>,
}

/// All keys.
const KEYS: [&str; 22] = [
    "advice",
    "as",
    "needs",
    "where",
    "files",
    "fails",
    "hint",
    "then",
    "cannot",
    "fails doctor",
    "fails options",
    "fails env",
    "fails shell",
    "fails world",
    "fails becoming",
    "then doctor",
    "then options",
    "then env",
    "then shell",
    "then world",
    "then becoming",
    "then sees",
];

/// The cases in a table.
pub fn cases(file: &str, text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut last = String::new();
    for (number, line) in (1..).zip(text.lines()) {
        let place = || format!("{file}:{number}");
        if line.starts_with("# ") || line.trim().is_empty() {
            continue;
        }
        if line.starts_with(' ') {
            let case = cases.last_mut().unwrap_or_else(|| panic!("{}: of no case", place()));
            let value = case.lines.get_mut(&last).expect("a line that begins a value");
            // A shell script goes on with the next command.
            value.push(if last == "files" { '\n' } else { ' ' });
            value.push_str(line.trim());
            continue;
        }
        let (key, value) = line.split_once(':').unwrap_or_else(|| panic!("{}: no key", place()));
        assert!(KEYS.contains(&key), "{}: there is no key `{key}`", place());
        if key == "advice" {
            cases.push(Case { place: place(), ..Case::default() });
        }
        let case = cases.last_mut().unwrap_or_else(|| panic!("{}: of no case", place()));
        let before = case.lines.insert(key.to_owned(), value.trim().to_owned());
        assert!(before.is_none(), "{}: `{key}` is said twice", place());
        key.clone_into(&mut last);
    }
    cases
}

impl Case {
    fn get(&self, key: &str) -> Option<&str> {
        self.lines.get(key).map(String::as_str)
    }

    /// The name of the advice: that of a row, of a remedy, or both with a dot between them.
    #[track_caller]
    pub fn advice(&self) -> &str {
        self.get("advice").expect("a case begins with it")
    }

    /// How nsscript is started, to fail or to succeed.
    fn launch<'b>(&self, which: &str, bench: &'b Bench) -> Launch<'b> {
        let get = |key: &str| Some(placed(self.get(&format!("{which} {key}"))?, bench));
        let mut words = vec!["--error-format=json".to_owned()];
        words.extend(get("options").iter().flat_map(|it| it.split(' ')).map(str::to_owned));
        match self.get(which) {
            Some(recipe) => words.extend(["-e".to_owned(), placed(recipe, bench)]),
            None => words.extend(["doctor", "--json"].map(str::to_owned)),
        }
        let mut launch = bench.nsscript(&words);
        if let Some(script) = get("shell") {
            launch = launch.by_shell(&script);
        }
        if let Some(setup) = get("world") {
            launch = launch.in_world(&setup);
        }
        if let Some(script) = get("becoming") {
            let User { uid, gid, .. } = bench.user;
            let become_user = format!("setpriv --reuid={uid} --regid={gid} --clear-groups");
            let script = script.replace("$BECOME", &become_user);
            launch = launch.becoming(&["sh", "-ec", &script, "sh"]);
        }
        if let Some((name, value)) = get("env").as_deref().and_then(|pair| pair.split_once('=')) {
            launch = launch.env(name, value);
        }
        launch
    }

    /// The hints of this name that a run gave; none if it gave others.
    fn hints(&self, which: &str, ended: &Ended) -> Vec<String> {
        let texts = |value: &Value| -> Vec<String> {
            let texts = value.as_array().into_iter().flatten();
            texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
        };
        if let Some(key) = self.get(&format!("{which} doctor")) {
            let told: Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
            let fact = &told["facts"][key];
            let cure = fact["cure"].as_str().unwrap_or_default();
            let found = fact["found"].as_str().unwrap_or_default();
            let is_it = fact["advice"] == self.advice();
            return is_it.then(|| [format!("{found}; {cure}")]).into_iter().flatten().collect();
        }
        let reports = ended.stderr.lines().filter_map(|line| serde_json::from_str(line).ok());
        let is_it = |report: &Value| texts(&report["advice"]).iter().any(|it| it == self.advice());
        reports.filter(is_it).flat_map(|report: Value| texts(&report["hints"])).collect()
    }

    /// Whether a user is given this advice, and it can be followed here as far as the case goes.
    fn is_for(&self, user: User) -> bool {
        let is_for = match self.get("as") {
            Some("root") => user.is_root(),
            Some("user") => !user.is_root(),
            None => true,
            Some(other) => panic!("{}: as `{other}`", self.place),
        };
        if self.get("fails").or(self.get("fails doctor")).is_none() {
            assert!(self.get("cannot").is_some(), "{}: nothing fails", self.place);
            return false;
        }
        let programs: Vec<&str> =
            self.get("needs").unwrap_or_default().split_whitespace().collect();
        let mounts = ["fails world", "then world"].iter().any(|key| self.get(key).is_some());
        let becomes = ["fails becoming", "then becoming"].iter().any(|it| self.get(it).is_some());
        if is_for && becomes && !User::this().is_root() {
            missing(&format!("root, who becomes another user: {}", self.place));
            return false;
        }
        is_for && have(&programs) && (!mounts || may_mount()) && self.is_here()
    }

    /// Whether this machine is one where the failure can be made.
    fn is_here(&self) -> bool {
        let Some(script) = self.get("where") else { return true };
        let mut command = User::this().command("sh");
        command
            .args(["-c", &script.replace("$NSSCRIPT", env!("CARGO_BIN_EXE_nsscript"))])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let is_here = command.stderr(Stdio::null()).status().is_ok_and(|it| it.success());
        if !is_here {
            missing(&format!("`{script}`: {}", self.place));
        }
        is_here
    }

    /// What is not as the case says, as a user.
    fn wrong(&self, user: User) -> Option<String> {
        let bench = &Bench::new(user);
        if let Some(script) = self.get("files") {
            let mut command = user.command("sh");
            command.args(["-ec", &placed(script, bench)]).current_dir(bench.path(""));
            let done = command.stdin(Stdio::null()).output().expect("a shell");
            if !done.status.success() {
                return Some(format!("no files: {}", String::from_utf8_lossy(&done.stderr)));
            }
        }
        let told = |ended: &Ended| {
            let Ended { status, stdout, stderr } = ended;
            format!("{status}\n{stdout}\n{stderr}")
        };
        let failed = self.launch("fails", bench).end();
        let hints = self.hints("fails", &failed);
        if hints.is_empty() {
            return Some(format!("no such advice: {}", told(&failed)));
        }
        let wanted = placed(self.get("hint").unwrap_or_default(), bench);
        if !hints.iter().any(|hint| is_like(hint, &wanted)) {
            return Some(format!("not the hint\n{wanted}\nbut\n{}", hints.join("\n")));
        }
        if let Some(reason) = self.get("cannot") {
            return reason.is_empty().then(|| "it cannot be followed, without a reason".into());
        }
        let ended = self.launch("then", bench).end();
        let is_good = if let Some(key) = self.get("then doctor") {
            rank(&ended, key) > self.get("fails doctor").map_or(0, |key| rank(&failed, key))
        } else {
            let sees = self.get("then sees").unwrap_or_default();
            ended.status.success() && ended.stdout.contains(&placed(sees, bench))
        };
        let is_good = is_good && self.hints("then", &ended).is_empty();
        (!is_good).then(|| format!("followed, and {}", told(&ended)))
    }
}

/// How good a fact is by what doctor says of it.
fn rank(ended: &Ended, key: &str) -> usize {
    let told: Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
    let verdict = told["facts"][key]["verdict"].as_str();
    ["no", "part", "ok"].into_iter().position(|word| verdict == Some(word)).map_or(0, |it| it + 1)
}

fn placed(text: &str, bench: &Bench) -> String {
    let binary = bench.binary();
    let text = text.replace("$TMP", bench.text("").trim_end_matches('/'));
    text.replace("$NSSCRIPT", binary.to_str().expect("a path of letters"))
}

/// Whether a text is this one, in which `…` stands for anything.
fn is_like(text: &str, wanted: &str) -> bool {
    let mut parts = wanted.split('…');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (index, part) in parts.iter().enumerate() {
        let is_last = index + 1 == parts.len();
        let at = if is_last { rest.strip_suffix(part).map(str::len) } else { rest.find(part) };
        match at {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    !parts.is_empty() || rest.is_empty()
}

/// Fails if a case is not as it says, for one of the users.
#[track_caller]
pub fn follow(cases: &[Case]) {
    // One by its name, while it is written.
    let only = std::env::var("NSSCRIPT_HINT").unwrap_or_default();
    let mut wrong = Vec::new();
    for case in cases.iter().filter(|case| case.advice().contains(&only)) {
        for user in User::all().into_iter().filter(|user| case.is_for(*user)) {
            let tried = catch_unwind(AssertUnwindSafe(|| case.wrong(user)));
            let why = tried.unwrap_or_else(|_| Some("it panicked".into()));
            wrong.extend(
                why.map(|why| format!("== {}: {} as {user}: {why}", case.place, case.advice())),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_stands_for_anything_does() {
    assert!(is_like("one two three", "one … three") && is_like("one", "one"));
    assert!(is_like("one two", "…") && is_like("one two", "one…") && is_like("one two", "…two"));
    assert!(!is_like("one two", "one") && !is_like("one two", "two…") && !is_like("two", "…one"));
    assert!(!is_like("aba", "aba…aba"));
}
