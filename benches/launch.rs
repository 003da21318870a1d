//! What a launch costs, beside its peers: the wall time of whole processes.
//!
//! There is a pause after each launch. A network namespace is taken down by a kernel thread after
//! the process that had it is gone; without the pause, a launch would pay for the one before it
//! with the processor time that this steals.
//!
//! What one launch costs within a recipe that goes on is the time of a recipe with many launches,
//! less that of a recipe with one, divided by how many more there are: the start of the program
//! and the reading of the recipe are not in it.
//!
//! `cargo bench` measures. Without its `--bench`, as `cargo test --bench launch` runs it, there is
//! one round: that it works is then all that is to be seen. `NSSCRIPT_BENCH_ROUNDS` sets how many
//! rounds there are.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints what it measures"
)]

mod race;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use race::{Answer, Contender, Directory, microseconds, quantile, ratio};

/// How many rounds there are unless something else is asked for.
const ROUNDS: usize = 60;

/// How many launches the recipe makes that launches in a loop.
const LAUNCHES: u32 = 40;

/// What the peers are asked for, as a recipe: a read-only view of the whole host with a /proc,
/// /dev and /tmp of its own.
const GUEST: &str = r#"sandbox("/").run("/bin/true");"#;

const TRUE: &str = "/bin/true";
const BWRAP: &str =
    "bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev --tmpfs /tmp /bin/true";
const UNSHARE: &str = "unshare -Urmpnui --fork --mount-proc /bin/true";

fn print_table(rows: &[(&str, Vec<f64>, Option<&str>)]) {
    let times_of = |name: &str| {
        rows.iter().find(|(other, ..)| *other == name).map_or(&[][..], |(_, times, _)| times)
    };
    let width = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or_default();
    println!(
        "{:width$}  {:>8} {:>8} {:>8}  {:>8} {:>8}",
        "command", "p10 us", "median", "p90", "/ bwrap", "/ true"
    );
    for (name, times, absent) in rows {
        if let Some(reason) = absent {
            println!("{name:width$}  {reason}");
            continue;
        }
        println!(
            "{name:width$}  {:8.0} {:8.0} {:8.0}  {:>8} {:>8}",
            quantile(times, 10),
            quantile(times, 50),
            quantile(times, 90),
            ratio(times, times_of(BWRAP)),
            ratio(times, times_of(TRUE)),
        );
    }
}

/// How often each system call was made, by all processes of a command together.
fn count_calls(contender: &Contender, table: &Path) -> Answer<BTreeMap<String, u64>> {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-o"]).arg(table).arg("--").args(&contender.words);
    let output = strace.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let first = words.lines().next().unwrap_or_default();
        return Err(format!("{}: {first}", output.status).into());
    }
    let mut calls = BTreeMap::new();
    for line in fs::read_to_string(table)?.lines() {
        // Share, seconds, time a call, calls, errors if any, name.
        let words: Vec<_> = line.split_whitespace().collect();
        if let (Some(count), Some(name)) = (words.get(3), words.last())
            && let Ok(count) = count.parse()
            && *name != "total"
        {
            calls.insert((*name).to_owned(), count);
        }
    }
    Ok(calls)
}

fn print_calls(contender: &Contender, directory: &Directory) {
    if contender.absent.is_some() {
        return;
    }
    match count_calls(contender, &directory.0.join("calls")) {
        Ok(calls) => {
            let mut often: Vec<_> = calls.iter().collect();
            often.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let often = often.iter().take(10).map(|(name, count)| format!("{name} {count}"));
            let total: u64 = calls.values().sum();
            println!("\n{}: {total} system calls", contender.name);
            println!("  {}", often.collect::<Vec<_>>().join(", "));
        }
        Err(error) => println!("\n{}: strace: {error}", contender.name),
    }
}

fn measure(rounds: usize) -> Answer<()> {
    let directory = Directory::new()?;
    let once = directory.write("t.rhai", GUEST)?;
    let loops = format!("for launch in 0..{LAUNCHES} {{\n    {GUEST}\n}}\n");
    let often = directory.write("often.rhai", &loops)?;
    let mut contenders = [
        Contender::line(TRUE),
        Contender::line(BWRAP),
        Contender::line(UNSHARE),
        Contender::recipe("nsscript t.rhai", &once),
        Contender::recipe("nsscript often.rhai", &often),
    ];
    for contender in &mut contenders {
        contender.try_out();
    }
    let [bare, .., launch, launches] = &contenders;
    for needed in [bare, launch, launches] {
        if let Some(reason) = &needed.absent {
            return Err(format!("{}: {reason}", needed.name).into());
        }
    }
    race::race(&mut contenders, rounds)?;

    let [peers @ .., launch, launches] = &contenders;
    let each = |(all, one): (&Duration, &Duration)| all.saturating_sub(*one) / (LAUNCHES - 1);
    let each: Vec<_> = launches.times.iter().zip(&launch.times).map(each).collect();
    let loop_name = format!("  one launch of {LAUNCHES} in a recipe");
    let mut rows: Vec<_> = peers
        .iter()
        .chain([launch])
        .map(|row| (row.name.as_str(), microseconds(&row.times), row.absent.as_deref()))
        .collect();
    rows.push((&loop_name, microseconds(&each), None));
    println!("rounds: {rounds}\n");
    print_table(&rows);

    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok() {
        print_calls(launch, &directory);
        print_calls(&contenders[1], &directory);
    } else {
        println!("\nstrace is not installed: system calls are not counted");
    }
    Ok(())
}

fn main() -> ExitCode {
    race::begin("launch", ROUNDS, measure)
}
