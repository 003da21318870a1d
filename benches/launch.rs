//! What a launch costs, beside its peers: the wall time of whole processes.
//!
//! All commands take turns within each round, so whatever slows the machine for a while slows them
//! alike, and the ratios are of launches of the same round. The order turns by one place with each
//! round, so nobody always comes after the same neighbour.
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

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How many rounds there are unless something else is asked for.
const ROUNDS: usize = 60;

/// Rounds whose times nobody looks at: the caches fill.
const WARM_UP: usize = 3;

/// How many launches the recipe makes that launches in a loop.
const LAUNCHES: u32 = 40;

/// Time for the kernel to take down what a launch leaves to it.
const BETWEEN_LAUNCHES: Duration = Duration::from_millis(5);

/// The same, and for whatever else the machine has put off.
const BETWEEN_ROUNDS: Duration = Duration::from_millis(20);

/// What the peers are asked for, as a recipe: a read-only view of the whole host with a /proc,
/// /dev and /tmp of its own.
const GUEST: &str =
    r#"sandbox("/").read_only_root().proc("/proc").dev("/dev").tmpfs("/tmp").run("/bin/true");"#;

const TRUE: &str = "/bin/true";
const BWRAP: &str =
    "bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev --tmpfs /tmp /bin/true";
const UNSHARE: &str = "unshare -Urmpnui --fork --mount-proc /bin/true";

type Answer<T> = Result<T, Box<dyn Error>>;

/// A directory that goes with the value.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Answer<Self> {
        let path = env::temp_dir().join(format!("nsscript-bench-{}", process::id()));
        fs::create_dir(&path)
            .map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        Ok(Self(path))
    }

    fn write(&self, name: &str, text: &str) -> Answer<PathBuf> {
        let path = self.0.join(name);
        fs::write(&path, text)?;
        Ok(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A command that takes its turn, and how long it took in each round.
struct Contender {
    name: String,
    words: Vec<String>,
    /// Why it takes no turn.
    absent: Option<String>,
    times: Vec<Duration>,
}

impl Contender {
    fn new(line: &str) -> Self {
        let words = line.split(' ').map(str::to_owned).collect();
        Self { name: line.to_owned(), words, absent: None, times: Vec::new() }
    }

    fn recipe(name: &str, path: &Path) -> Self {
        let words = vec![env!("CARGO_BIN_EXE_nsscript").to_owned(), path.display().to_string()];
        Self { name: name.to_owned(), words, absent: None, times: Vec::new() }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Runs the command once with ears open: a peer that is missing or refuses takes no turn.
    fn try_out(&mut self) {
        match self.command().stderr(Stdio::piped()).output() {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                let words = String::from_utf8_lossy(&output.stderr);
                let first = words.lines().find(|line| !line.is_empty()).unwrap_or_default();
                self.absent = Some(format!("{}: {first}", output.status));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.absent = Some("not installed".to_owned());
            }
            Err(error) => self.absent = Some(error.to_string()),
        }
    }

    /// Runs the command once and says how long it took.
    fn run(&self) -> Answer<Duration> {
        let mut command = self.command();
        command.stderr(Stdio::null());
        let start = Instant::now();
        let status = command.status()?;
        let time = start.elapsed();
        thread::sleep(BETWEEN_LAUNCHES);
        if status.success() { Ok(time) } else { Err(format!("{}: {status}", self.name).into()) }
    }
}

/// All contenders take turns.
fn race(contenders: &mut [Contender], rounds: usize) -> Answer<()> {
    let count = contenders.len();
    for round in 0..WARM_UP.min(rounds) + rounds {
        for turn in 0..count {
            let contender = &mut contenders[(turn + round) % count];
            if contender.absent.is_none() {
                let time = contender.run()?;
                contender.times.push(time);
            }
        }
        thread::sleep(BETWEEN_ROUNDS);
    }
    for contender in contenders {
        contender.times.drain(..WARM_UP.min(rounds).min(contender.times.len()));
    }
    Ok(())
}

/// The value that `hundredths` of the values are below, of values in any order.
fn quantile(values: &[f64], hundredths: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) * hundredths / 100]
}

fn microseconds(times: &[Duration]) -> Vec<f64> {
    times.iter().map(|time| time.as_secs_f64() * 1e6).collect()
}

/// The median of the ratios within the rounds; nothing where the other took no turn.
fn ratio(times: &[f64], other: &[f64]) -> String {
    if times.len() != other.len() || times.is_empty() {
        return "-".to_owned();
    }
    let ratios: Vec<_> = times.iter().zip(other).map(|(time, other)| time / other).collect();
    format!("{:.2}", quantile(&ratios, 50))
}

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
        Contender::new(TRUE),
        Contender::new(BWRAP),
        Contender::new(UNSHARE),
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
    race(&mut contenders, rounds)?;

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
    let asked: Vec<String> = env::args().collect();
    let has = |word: &str| asked.iter().any(|argument| argument == word);
    let rounds = match env::var("NSSCRIPT_BENCH_ROUNDS").map(|rounds| rounds.parse()) {
        _ if has("--test") || !has("--bench") => 1,
        Ok(Ok(rounds @ 1..)) => rounds,
        Ok(_) => {
            eprintln!("NSSCRIPT_BENCH_ROUNDS is a number of rounds, 1 at the least");
            return ExitCode::FAILURE;
        }
        Err(_) => ROUNDS,
    };
    match measure(rounds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("launch: {error}");
            ExitCode::FAILURE
        }
    }
}
