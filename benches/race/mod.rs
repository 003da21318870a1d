//! Commands that take turns, and how long they take.
//!
//! All take their turns within each round, so whatever slows the machine for a while slows them alike,
//! and the ratios are of the same round. The order turns by one place with each round, so nobody
//! always comes after the same neighbour.

// Each benchmark is compiled with its own copy and uses its own part of it.
#![allow(dead_code, reason = "not every benchmark uses all of it")]

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Rounds whose times nobody looks at: the caches fill.
const WARM_UP: usize = 3;

/// Time for the kernel to take down what a launch leaves to it.
const BETWEEN_TURNS: Duration = Duration::from_millis(5);

/// The same, and for whatever else the machine has put off.
const BETWEEN_ROUNDS: Duration = Duration::from_millis(20);

pub type Answer<T> = Result<T, Box<dyn Error>>;

/// A directory that goes with the value.
pub struct Directory(pub PathBuf);

impl Directory {
    /// In `TMPDIR`, or else in memory where there is a place for that.
    pub fn new() -> Answer<Self> {
        let memory = Path::new("/dev/shm");
        let in_memory = env::var_os("TMPDIR").is_none() && memory.is_dir();
        let above = if in_memory { memory.to_path_buf() } else { env::temp_dir() };
        let path = above.join(format!("nsscript-bench-{}", process::id()));
        fs::create_dir(&path)
            .map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        Ok(Self(path))
    }

    pub fn write(&self, name: &str, text: &str) -> Answer<PathBuf> {
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
pub struct Contender {
    pub name: String,
    pub words: Vec<String>,
    /// What it makes, and must not find: removed before every turn.
    pub makes: Vec<PathBuf>,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    /// Why it takes no turn.
    pub absent: Option<String>,
    pub times: Vec<Duration>,
}

impl Contender {
    pub fn new(name: &str, words: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            words: words.iter().map(|&word| word.to_owned()).collect(),
            makes: Vec::new(),
            environment: Vec::new(),
            absent: None,
            times: Vec::new(),
        }
    }

    /// A command written as a line, which is its name.
    pub fn line(line: &str) -> Self {
        Self::new(line, &line.split(' ').collect::<Vec<_>>())
    }

    pub fn recipe(name: &str, path: &Path) -> Self {
        Self::new(name, &[env!("CARGO_BIN_EXE_nsscript"), &path.display().to_string()])
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).stdin(Stdio::null()).stdout(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Removes what it would otherwise find of an earlier turn.
    fn begin(&self) -> Answer<()> {
        for path in &self.makes {
            match fs::remove_dir_all(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(format!("cannot remove {}: {error}", path.display()).into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Runs the command once with ears open: a peer that is missing or refuses takes no turn.
    pub fn try_out(&mut self) {
        if let Err(error) = self.begin() {
            self.absent = Some(error.to_string());
            return;
        }
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
        self.begin()?;
        let mut command = self.command();
        command.stderr(Stdio::null());
        let start = Instant::now();
        let status = command.status()?;
        let time = start.elapsed();
        thread::sleep(BETWEEN_TURNS);
        if status.success() { Ok(time) } else { Err(format!("{}: {status}", self.name).into()) }
    }
}

/// All contenders take turns.
pub fn race(contenders: &mut [Contender], rounds: usize) -> Answer<()> {
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
pub fn quantile(values: &[f64], hundredths: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) * hundredths / 100]
}

pub fn microseconds(times: &[Duration]) -> Vec<f64> {
    times.iter().map(|time| time.as_secs_f64() * 1e6).collect()
}

/// The median of the ratios within the rounds; nothing where the other took no turn.
pub fn ratio(times: &[f64], other: &[f64]) -> String {
    if times.len() != other.len() || times.is_empty() {
        return "-".to_owned();
    }
    let ratios: Vec<_> = times.iter().zip(other).map(|(time, other)| time / other).collect();
    format!("{:.2}", quantile(&ratios, 50))
}

/// What each took, and the median of its ratios to the first.
pub fn print_table(peer: &str, contenders: &[Contender]) {
    let times: Vec<_> = contenders.iter().map(|one| microseconds(&one.times)).collect();
    let width = contenders.iter().map(|one| one.name.len()).max().unwrap_or_default();
    println!("{:width$}  {:>8} {:>8} {:>8}  {peer:>8}", "command", "p10 ms", "median", "p90");
    for (contender, own) in contenders.iter().zip(&times) {
        if let Some(reason) = &contender.absent {
            println!("{:width$}  {reason}", contender.name);
            continue;
        }
        let at = |hundredths| quantile(own, hundredths) / 1000.0;
        let (low, median, high) = (at(10), at(50), at(90));
        let ratio = ratio(own, &times[0]);
        let name = &contender.name;
        println!("{name:width$}  {low:8.1} {median:8.1} {high:8.1}  {ratio:>8}");
    }
}

/// Lets them take turns; the first is who the others are measured against.
pub fn compete(title: &str, peer: &str, contenders: &mut [Contender], rounds: usize) -> Answer<()> {
    for contender in &mut *contenders {
        contender.try_out();
        if let Some(reason) = &contender.absent {
            return Err(format!("{}: {reason}", contender.name).into());
        }
    }
    race(contenders, rounds)?;
    println!("\n{title}");
    print_table(peer, contenders);
    Ok(())
}

/// Measures as often as the command line and the environment say.
pub fn begin(name: &str, rounds: usize, measure: fn(usize) -> Answer<()>) -> ExitCode {
    let asked: Vec<String> = env::args().collect();
    let has = |word: &str| asked.iter().any(|argument| argument == word);
    let rounds = match env::var("NSSCRIPT_BENCH_ROUNDS").map(|rounds| rounds.parse()) {
        _ if has("--test") || !has("--bench") => 1,
        Ok(Ok(rounds @ 1..)) => rounds,
        Ok(_) => {
            eprintln!("NSSCRIPT_BENCH_ROUNDS is a number of rounds, 1 at the least");
            return ExitCode::FAILURE;
        }
        Err(_) => rounds,
    };
    match measure(rounds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}
