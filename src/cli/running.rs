//! `nsscript ps`, `exec`, `enter` and `kill`: running sandboxes of the caller.

use std::process::ExitCode;
use std::time::Duration;

use super::exit::{FAILED, Ui, print};
use crate::diag::{Column, Report, Sources, closest, escape, quoted, shortened, table};
use crate::json;
use crate::run::{self, RunError, Runner, Running};
use crate::script::End;
use crate::spec::{Command, Streams, shell_word};

/// The longest command that the table shows, in characters.
const LONGEST: usize = 60;

/// Lists the running sandboxes.
pub(super) fn ps(as_json: bool, ui: Ui) -> ExitCode {
    match Runner::new().running() {
        Ok(all) if as_json => {
            let sandboxes = all.iter().map(document).collect();
            print(&json::text(&json::Sandboxes { version: json::Version, sandboxes }), ui)
        }
        Ok(all) => print(&format!("{}\n", rows(&all)), ui),
        Err(report) => fail(&report, ui),
    }
}

/// Runs a program in a running sandbox, or its shell. Exits as the program does.
pub(super) fn exec(sandbox: &str, words: Vec<String>, privileged: bool, ui: Ui) -> ExitCode {
    run::raise_stack_limit();
    if let Err(errno) = run::watch_interruptions() {
        return ui.fail(format!("cannot watch for signals: {errno}"));
    }
    let command = if words.is_empty() { Ok(None) } else { Command::new(words).map(Some) };
    let command = match command {
        Ok(command) => command,
        Err(invalid) => return fail(&Report::from(&invalid), ui),
    };
    let runner = Runner::new();
    runner.on_warning(Box::new(move |warning| ui.say(warning, &Sources::default())));
    let streams = if run::has_terminal() { Streams::Terminal } else { Streams::Inherited };
    let found = runner.running_one(sandbox).map_err(RunError::from);
    let run = |running: Running| runner.run_in(&running, command, streams, privileged);
    let end = match found.and_then(run) {
        Ok(exit) => End::Status(exit.code),
        Err(RunError::Reports(reports)) => End::Failed(reports),
        Err(RunError::Interrupted(interrupted)) => End::Signal(interrupted.signal),
    };
    runner.close();
    ui.end(&end, &Sources::default())
}

/// Sends a signal to a running sandbox; SIGKILL unless another is given.
pub(super) fn kill(sandbox: &str, signal: Option<&str>, ui: Ui) -> ExitCode {
    let runner = Runner::new();
    let killed = signal.map_or(Ok(9), by_name).and_then(|signal| {
        let running = runner.running_one(sandbox)?;
        runner.signal_running(&running, signal)
    });
    match killed {
        Ok(()) => ExitCode::SUCCESS,
        Err(report) => fail(&report, ui),
    }
}

fn fail(report: &Report, ui: Ui) -> ExitCode {
    ui.say(report, &Sources::default());
    ExitCode::from(FAILED)
}

/// A signal by its name, with or without `SIG`, or its number.
fn by_name(word: &str) -> Result<i32, Report> {
    if let Some(number) = word.parse().ok().filter(|number| (1..=64).contains(number)) {
        return Ok(number);
    }
    run::signal_number(word).ok_or_else(|| {
        let report = Report::error(format!("unknown signal {}", quoted(word)));
        let short = word.to_uppercase();
        match closest(short.trim_start_matches("SIG"), run::signal_names()) {
            Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
            None => report.hint("expected a name such as `TERM`, or a number from 1 to 64"),
        }
    })
}

/// The names of the running sandboxes, for completions, or their numbers.
pub(super) fn names() -> Vec<(String, String)> {
    let all = Runner::new().running().unwrap_or_default();
    let word = |running: &Running| {
        let name = running.name().map_or_else(|| running.number().to_string(), str::to_owned);
        (name, escape(&command(running)))
    };
    all.iter().map(word).collect()
}

fn command(running: &Running) -> String {
    let words: Vec<_> = running.command().iter().map(|word| shell_word(word)).collect();
    shortened(&words.join(" "), LONGEST)
}

fn rows(all: &[Running]) -> String {
    let column = |head: &str, is_right, cell: &dyn Fn(&Running) -> String| Column {
        head: head.to_owned(),
        cells: all.iter().map(cell).collect(),
        is_right,
    };
    let user = |running: &Running| {
        let (uid, gid) = running.user();
        if uid == gid { uid.to_string() } else { format!("{uid}:{gid}") }
    };
    table(&[
        column("number", true, &|it| it.number().to_string()),
        column("name", false, &|it| it.name().unwrap_or("-").to_owned()),
        column("user", false, &user),
        column("root", false, &|it| it.root().to_owned()),
        column("network", false, &|it| it.network().to_owned()),
        column("age", true, &|it| age(it.age())),
        column("command", false, &command),
    ])
}

/// An age in its two largest units: `5s`, `3m 20s`, `2h 5m`, `4d 1h`.
fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// The sandbox as a program reads it.
fn document(running: &Running) -> json::Running {
    let (uid, gid) = running.user();
    json::Running {
        name: running.name().map(str::to_owned),
        number: running.number(),
        nsscript: running.owner(),
        uid,
        gid,
        root: running.root().to_owned(),
        network: running.network().to_owned(),
        command: running.command().to_vec(),
        age: running.age().as_secs(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{age, by_name};

    #[test]
    fn an_age_has_two_units() {
        let of = |seconds| age(Duration::from_secs(seconds));
        assert_eq!([of(0), of(59), of(60)], ["0s", "59s", "1m 0s"]);
        assert_eq!([of(7_500), of(86_400), of(349_200)], ["2h 5m", "1d 0h", "4d 1h"]);
    }

    #[test]
    fn a_signal_has_a_name_or_a_number() {
        for (word, number) in [("TERM", 15), ("sigusr1", 10), ("9", 9), ("64", 64)] {
            assert_eq!(by_name(word).ok(), Some(number), "{word}");
        }
        for (word, hint) in [("TREM", "did you mean `TERM`?"), ("65", "expected a name")] {
            let report = by_name(word).unwrap_err();
            assert!(report.hints[0].starts_with(hint), "{report:?}");
        }
    }
}
