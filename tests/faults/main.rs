//! Every system call that nsscript makes fails once: fault injection by ptrace(2).
//!
//! A recipe is run, and its system calls are listed. Then it is run again for each of them, with that
//! one call failing, once with each of two errors; programs in sandboxes are left alone. What comes
//! of it is compared with the run in which nothing fails: what the program in the sandbox sees, what
//! is said, what is left, and whether the next run is as it should be. `judge.rs` has the rules.
//!
//! `cargo test --test faults` tries a sample, the same every time. `NSSCRIPT_FAULTS_SEED` and
//! `NSSCRIPT_FAULTS_COUNT` say which sample, and how large. Options, behind `--`:
//!
//! - `--all` tries everything, and says so in a table and a list; `just faults` is that.
//! - `--recipe RECIPE` or `RECIPE/USER`: everything of these; may be said again.
//! - `--only FAULT` tries one, named as in the list, and prints all that was seen of it.
//! - `--survey` only lists what can fail.
//! - `--judge FILE` judges again what was written to FILE.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it prints as the harness of Rust does"
)]

mod archive;
mod calls;
mod crew;
mod descriptor;
mod exceptions;
mod facts;
mod fault;
mod judge;
mod probe;
mod recipe;
mod registers;
mod report;
mod subject;
#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "it is shared with tests that need other parts")]
mod support;
mod tests;
mod tracer;
mod worker;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crew::{Crew, Survey};
use facts::Facts;
use fault::Fault;
use report::Report;
use tests::{TESTS, Test, Wanted};

/// How many faults a sample has.
const COUNT: usize = 500;

/// Which sample it is.
const SEED: u64 = 11;

/// What makes this more than a test.
const OPTIONS: [&str; 5] = ["--all", "--survey", "--recipe", "--only", "--judge"];

/// The last test.
const SAMPLE: Test = ("a_sample_of_calls_fails_once", || match try_sample() {
    Ok(is_fine) => assert!(is_fine, "something is not as it should be"),
    Err(problem) => panic!("{problem}"),
});

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let (first, rest) = (arguments.get(1).map(String::as_str), arguments.get(1..));
    let rest = rest.unwrap_or_default();
    let done = match first {
        _ if arguments.first().is_some_and(|name| name.ends_with("/probe")) => {
            return ExitCode::from(probe::main(rest));
        }
        Some("worker") => worker::main().map(|()| true),
        Some(word) if OPTIONS.contains(&word) => Asked::new(rest).and_then(|asked| asked.answer()),
        _ => Ok(Wanted::new(rest).run(&[TESTS, &[SAMPLE]].concat())),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(101),
        Err(problem) => {
            eprintln!("faults: {problem}");
            ExitCode::from(101)
        }
    }
}

/// Tries a sample of everything. Whether all of it is as it should be.
fn try_sample() -> Result<bool, String> {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let seed = number("NSSCRIPT_FAULTS_SEED").unwrap_or(SEED);
    let count = number("NSSCRIPT_FAULTS_COUNT").and_then(|count| usize::try_from(count).ok());
    let mut crew = Crew::start()?;
    let surveys = crew.survey(&subject::all())?;
    let mut faults = everything(&surveys);
    faults.sort_by_cached_key(|fault| fault::draw(&fault.to_string(), seed));
    faults.truncate(count.unwrap_or(COUNT));
    let facts = crew.fail(&surveys, &faults, &|_| {})?;
    let report = Report::new(&facts);
    println!("{}\n{}", report.table(), report.list());
    println!("{} faults, {} not as they should be", facts.len(), report.findings());
    Ok(report.is_fine())
}

/// All that can fail.
fn everything(surveys: &[Survey]) -> Vec<Fault> {
    surveys.iter().flat_map(|survey| survey.faults.iter().cloned()).collect()
}

/// What is asked on the command line.
#[derive(Default)]
struct Asked {
    is_survey: bool,
    recipes: Vec<String>,
    only: Vec<Fault>,
    judge: Option<PathBuf>,
}

impl Asked {
    fn new(arguments: &[String]) -> Result<Self, String> {
        let mut asked = Self::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("`{word}` wants a value"));
            match word.as_str() {
                "--all" => {}
                "--survey" => asked.is_survey = true,
                "--recipe" => asked.recipes.push(value()?.clone()),
                "--only" => asked.only.push(value()?.parse()?),
                "--judge" => asked.judge = Some(value()?.into()),
                other => return Err(format!("invalid argument `{other}`")),
            }
        }
        Ok(asked)
    }

    /// Does it. Whether all is as it should be.
    fn answer(&self) -> Result<bool, String> {
        if let Some(file) = &self.judge {
            return judge_again(file);
        }
        let mut crew = Crew::start()?;
        let subjects: Vec<_> = subject::all().into_iter().filter(|it| self.wants(it)).collect();
        let surveys = crew.survey(&subjects)?;
        if self.is_survey {
            for fault in everything(&surveys) {
                println!("{fault}");
            }
            return Ok(true);
        }
        if self.only.is_empty() {
            return self.try_everything(crew, &surveys);
        }
        let facts = crew.fail(&surveys, &self.only, &|_| {})?;
        let report = Report::new(&facts);
        print!("{}", report.whole());
        Ok(report.is_fine())
    }

    /// Whether a subject is asked for.
    fn wants(&self, name: &str) -> bool {
        let is_it = |asked: &String| {
            name.strip_prefix(asked.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let is_any = self.recipes.is_empty() && self.only.is_empty();
        is_any || self.recipes.iter().chain(self.only.iter().map(|it| &it.subject)).any(is_it)
    }

    /// Tries everything, and writes what is seen to a file as it is seen.
    fn try_everything(&self, mut crew: Crew, surveys: &[Survey]) -> Result<bool, String> {
        let started = Instant::now();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults.jsonl");
        let file = File::create(&path).map_err(|error| error.to_string())?;
        let faults = everything(surveys);
        let written = Mutex::new((file, 0));
        let facts = crew.fail(surveys, &faults, &|more| {
            let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
            for facts in more {
                // What is lost here is only lost for another judgement.
                let _ = writeln!(written.0, "{}", facts.to_json());
            }
            written.1 += more.len();
            let (done, total) = (written.1, faults.len());
            eprintln!("{done} of {total}, {} s", started.elapsed().as_secs());
        })?;
        drop(crew);
        let report = Report::new(&facts);
        println!("{}\n{}\n{}", report.table(), report.exceptions(), report.list());
        let calls: u64 = surveys.iter().map(|survey| survey.calls).sum();
        println!("everything that was seen is in {}", path.display());
        let stale = if self.recipes.is_empty() { report.stale() } else { Vec::new() };
        for reason in &stale {
            println!("an exception that nothing needs: {reason}");
        }
        println!(
            "{calls} system calls, {} faults, {} not as they should be, {} s",
            facts.len(),
            report.findings(),
            started.elapsed().as_secs()
        );
        Ok(report.is_fine() && stale.is_empty())
    }
}

/// Judges what an earlier run has seen.
fn judge_again(file: &Path) -> Result<bool, String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    let facts = text.lines().map(|line| {
        let value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        Facts::from_json(&value).ok_or(format!("no facts: {line}"))
    });
    let facts: Vec<_> = facts.collect::<Result<_, _>>()?;
    let report = Report::new(&facts);
    println!("{}\n{}\n{}", report.table(), report.exceptions(), report.list());
    for reason in report.stale() {
        println!("an exception that nothing needs: {reason}");
    }
    println!("{} faults, {} not as they should be", facts.len(), report.findings());
    Ok(report.is_fine())
}
