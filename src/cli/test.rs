//! `nsscript test`: recipes as tests, one after the other, each in its own process.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::args::Tests;
use super::command::SUBCOMMANDS;
use super::exit::{NOT_RUN, Ui, print};
use super::recipe::absolute;
use crate::diag::{Format, count, escape, os_error, quoted};
use crate::host::Tree;
use crate::json::{self, Outcome, ReportHead, TestResult};
use crate::run;

/// The default directory of recipes.
const DEFAULT: &str = "recipes";
/// This program, even if its file has been replaced meanwhile.
const SELF: &str = "/proc/self/exe";
/// The number of bytes kept from the end of each stream.
const KEPT: usize = 1 << 20;
/// The number of last lines shown of a failed recipe's output.
const SHOWN: usize = 10;
/// The time for a recipe to end after a signal that the terminal has sent to it as well. A second
/// signal would leave its programs no time.
const GRACE: Duration = Duration::from_secs(3);

/// Runs the recipes and reports the result of each.
pub(super) fn test(tests: &Tests, ui: Ui) -> ExitCode {
    let recipes = match recipes(&tests.paths) {
        Ok(recipes) => recipes,
        Err(message) => return ui.fail(message),
    };
    if let Err(errno) = run::watch_interruptions() {
        return ui.fail(format!("cannot watch for signals: {errno}"));
    }
    let width = recipes.iter().map(|recipe| shown(recipe).chars().count()).max().unwrap_or(0);
    let mut tally = Tally::default();
    for recipe in &recipes {
        if run::interrupted().is_some() {
            break;
        }
        let ran = match perform(recipe, tests.trust, ui) {
            Ok(ran) => ran,
            Err(error) => return ui.fail(format!("cannot run nsscript: {}", os_error(&error))),
        };
        // An interrupted recipe has neither passed nor failed.
        if run::interrupted().is_some() && !ran.status.success() {
            break;
        }
        tally.add(&ran.result);
        let line = if tests.json { ran.json(recipe) } else { ran.text(recipe, width) };
        let printed = print(&line, ui);
        if printed != ExitCode::SUCCESS {
            return printed;
        }
    }
    let left = recipes.len() - tally.passed - tally.failed - tally.not_run;
    let summary = tally.summary(left);
    let printed = if tests.json { ExitCode::SUCCESS } else { print(&summary, ui) };
    if printed != ExitCode::SUCCESS {
        return printed;
    }
    match run::interrupted() {
        Some(signal) => ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX)),
        None => ExitCode::from(u8::from(tally.failed > 0)),
    }
}

/// The number of results of each kind.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    not_run: usize,
}

impl Tally {
    fn add(&mut self, result: &Verdict) {
        match result {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed => self.failed += 1,
            Verdict::NotRun(_) => self.not_run += 1,
        }
    }

    fn summary(&self, left: usize) -> String {
        let Self { passed, failed, not_run } = self;
        let left = match run::interrupted() {
            Some(signal) => format!(", {left} not reached: {}", run::signal_name(signal)),
            None => String::new(),
        };
        format!("{passed} passed, {failed} failed, {not_run} not run{left}\n")
    }
}

// Selection of recipes.

/// The recipes at these paths, in order: files, and all recipes in directories.
fn recipes(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    if paths.is_empty() {
        if !Path::new(DEFAULT).is_dir() {
            return Err(format!(
                "directory {} not found; name the recipes to run: `nsscript test PATH`",
                quoted(DEFAULT)
            ));
        }
        search(Path::new(DEFAULT), &mut found)?;
    }
    for path in paths {
        let kind = std::fs::metadata(path).map_err(|error| {
            let near = Tree::host().near(&absolute(path)).map(|near| path.with_file_name(near));
            let near = near.filter(|_| error.kind() == ErrorKind::NotFound);
            let near =
                near.map(|near| format!("; did you mean {}?", quoted(near.to_string_lossy())));
            let (shown, near) = (quoted(path.to_string_lossy()), near.unwrap_or_default());
            format!("cannot read the recipe {shown}: {}{near}", os_error(&error))
        })?;
        if kind.is_dir() {
            search(path, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    if found.is_empty() {
        let places: Vec<_> = paths.iter().map(|path| quoted(path.to_string_lossy())).collect();
        let places = if places.is_empty() { quoted(DEFAULT) } else { places.join(", ") };
        return Err(format!("no recipes (`*.rhai`) in {places}"));
    }
    Ok(found)
}

/// Adds all recipes in a directory and its subdirectories, sorted. Links to directories are not
/// followed.
fn search(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), String> {
    let cannot = |error: std::io::Error| {
        format!("cannot list {}: {}", quoted(directory.to_string_lossy()), os_error(&error))
    };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        entries.push((entry.path(), entry.file_type().map_err(cannot)?));
    }
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (path, kind) in entries {
        if kind.is_dir() {
            search(&path, found)?;
        } else if path.extension().is_some_and(|suffix| suffix == "rhai") && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

fn shown(recipe: &Path) -> String {
    escape(&recipe.to_string_lossy())
}

// Running one recipe.

/// The result of a recipe.
enum Verdict {
    Passed,
    Failed,
    /// This requirement is not met.
    NotRun(String),
}

/// The exit status and output of a run.
struct Ran {
    result: Verdict,
    status: ExitStatus,
    took: Duration,
    /// The message of its first error.
    said: Option<String>,
    stdout: String,
    stderr: String,
}

fn perform(recipe: &Path, trust: bool, ui: Ui) -> std::io::Result<Ran> {
    let mut command = Command::new(SELF);
    command.arg0("nsscript");
    command.args(match ui.format() {
        Format::Human => None,
        Format::Short => Some("--error-format=short"),
        Format::Json => Some("--error-format=json"),
    });
    if trust {
        command.arg("--trust-recipe");
    }
    // A recipe can have the name of an option or a command.
    let is_word = recipe.to_str().is_some_and(|name| SUBCOMMANDS.contains(&name));
    if is_word || recipe.as_os_str().as_encoded_bytes().starts_with(b"-") {
        command.arg(Path::new(".").join(recipe));
    } else {
        command.arg(recipe);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    run::die_with_us(&mut command);
    let begin = Instant::now();
    let mut child = command.spawn()?;
    let (stdout, stderr) = written(&mut child);
    let status = child.wait()?;
    let took = begin.elapsed();
    let missing = said(&stderr, "not run", ui.format());
    let result = match (status.code(), missing) {
        (Some(0), _) => Verdict::Passed,
        (Some(code), Some(missing)) if code == i32::from(NOT_RUN) => Verdict::NotRun(missing),
        _ => Verdict::Failed,
    };
    let said = said(&stderr, "error", ui.format());
    Ok(Ran { result, status, took, said, stdout, stderr })
}

/// Reads the output of a recipe until it ends. Forwards a signal that asks nsscript to exit, if the
/// recipe does not end by itself.
fn written(child: &mut Child) -> (String, String) {
    let mut stdout = Kept { pipe: child.stdout.take().map(OwnedFd::from), bytes: Vec::new() };
    let mut stderr = Kept { pipe: child.stderr.take().map(OwnedFd::from), bytes: Vec::new() };
    let mut asked: Option<Instant> = None;
    let mut is_passed_on = false;
    // Both streams end when no process is left that could write.
    while stdout.pipe.is_some() || stderr.pipe.is_some() {
        let open: Vec<_> = [&stdout, &stderr]
            .iter()
            .filter_map(|it| Some((it.pipe.as_ref()?.as_fd(), false)))
            .collect();
        let answers = run::ready(&open, Some(Duration::from_millis(50))).unwrap_or_default();
        let mut answers = answers.into_iter();
        for kept in [&mut stdout, &mut stderr] {
            if kept.pipe.is_some() && answers.next().unwrap_or(false) {
                kept.read();
            }
        }
        let Some(signal) = run::interrupted() else { continue };
        let since = *asked.get_or_insert_with(Instant::now);
        if since.elapsed() >= GRACE && !is_passed_on {
            // If the recipe has ended meanwhile, its streams are closed.
            let _ = run::kill(i32::try_from(child.id()).unwrap_or(0), signal);
            is_passed_on = true;
        }
    }
    (stdout.text(), stderr.text())
}

/// The end of the data from a pipe.
struct Kept {
    pipe: Option<OwnedFd>,
    bytes: Vec<u8>,
}

impl Kept {
    /// Reads the available data, and drops the pipe at its end.
    fn read(&mut self) {
        let Some(pipe) = self.pipe.take() else { return };
        let mut chunk = [0; 1 << 14];
        let mut pipe = File::from(pipe);
        match pipe.read(&mut chunk) {
            Ok(0) => return,
            Ok(length) => self.bytes.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
        self.pipe = Some(pipe.into());
        if self.bytes.len() > 2 * KEPT {
            self.bytes.drain(..self.bytes.len() - KEPT);
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// The message of the first report of this severity, in any format of reports.
fn said(stderr: &str, severity: &str, format: Format) -> Option<String> {
    let head = format!("{severity}: ");
    stderr.lines().find_map(|line| match format {
        Format::Human => line.strip_prefix(&head).map(str::to_owned),
        Format::Short => {
            let place = line.find(&head)?;
            let is_head = place == 0 || line[..place].ends_with(": ");
            is_head.then(|| line[place + head.len()..].to_owned())
        }
        Format::Json => {
            let report = ReportHead::read(line)?;
            (report.severity == severity).then_some(report.message)
        }
    })
}

// The report of a run.

impl Ran {
    /// The line of a recipe, and for a failed one its output.
    fn text(&self, recipe: &Path, width: usize) -> String {
        let (word, why) = match &self.result {
            Verdict::Passed => ("ok", format!("{} ms", self.took.as_millis())),
            Verdict::Failed => ("failed", self.ended()),
            Verdict::NotRun(missing) => ("not run", missing.clone()),
        };
        let mut out = format!("{word:<7}  {:<width$}  {why}\n", shown(recipe));
        if matches!(self.result, Verdict::Failed) {
            indented(&mut out, "    ", self.stderr.lines());
            let lines = self.last_lines();
            if !lines.is_empty() {
                out.push_str(&format!("    last {} of its output:\n", count(lines.len(), "line")));
                indented(&mut out, "      ", lines.into_iter());
            }
        }
        out
    }

    fn json(&self, recipe: &Path) -> String {
        let (result, reason) = match &self.result {
            Verdict::Passed => (Outcome::Passed, None),
            Verdict::Failed => {
                (Outcome::Failed, Some(self.said.clone().unwrap_or_else(|| self.ended())))
            }
            Verdict::NotRun(missing) => (Outcome::NotRun, Some(missing.clone())),
        };
        let has_failed = result == Outcome::Failed;
        json::line(&TestResult {
            version: json::Version,
            path: recipe.to_string_lossy().into_owned(),
            result,
            status: self.status.code(),
            milliseconds: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            reason,
            stderr: has_failed.then(|| self.stderr.clone()),
            stdout: has_failed.then(|| self.last_lines().join("\n")),
        })
    }

    fn ended(&self) -> String {
        match (self.status.code(), self.status.signal()) {
            (None, Some(signal)) => format!("killed by {}", run::signal_name(signal)),
            (code, _) => format!("status {}", code.unwrap_or_default()),
        }
    }

    fn last_lines(&self) -> Vec<&str> {
        let lines: Vec<&str> = self.stdout.lines().collect();
        lines[lines.len().saturating_sub(SHOWN)..].to_vec()
    }
}

fn indented<'a>(out: &mut String, indent: &str, lines: impl Iterator<Item = &'a str>) {
    for line in lines {
        out.push_str(format!("{indent}{line}").trim_end());
        out.push('\n');
    }
}
