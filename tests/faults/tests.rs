//! The tests: of the rules and of the tracer, and a sample of faults. They are called as `cargo test`
//! calls all tests, and say what those say.

use std::panic::catch_unwind;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::calls;
use super::exceptions::NEVER;
use super::facts::Facts;
use super::fault::{Fault, Phase, Place, Way, draw};
use super::judge::{Class, Trace};
use super::tracer::{self, Aim};

/// A test: its name, and what it does.
pub type Test = (&'static str, fn());

/// All but the sample.
pub const TESTS: &[Test] = &[
    ("a_fault_can_be_read_back", a_fault_can_be_read_back),
    ("a_sample_is_drawn_by_its_seed", a_sample_is_drawn_by_its_seed),
    ("every_call_that_never_fails_has_its_reason", every_call_that_never_fails_has_its_reason),
    ("runs_are_judged_by_what_is_seen_of_them", runs_are_judged_by_what_is_seen_of_them),
    ("what_is_left_is_a_finding", what_is_left_is_a_finding),
    ("a_process_that_outlives_the_run_is_seen", a_process_that_outlives_the_run_is_seen),
    ("a_run_that_does_not_end_is_killed", a_run_that_does_not_end_is_killed),
];

/// What `cargo test` asks a test binary for.
#[derive(Default)]
pub struct Wanted {
    is_list: bool,
    is_exact: bool,
    /// Tests that are ignored, of which there are none, and no others.
    is_ignored: bool,
    filters: Vec<String>,
    skipped: Vec<String>,
}

impl Wanted {
    pub fn new(arguments: &[String]) -> Self {
        let mut wanted = Self::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--list" => wanted.is_list = true,
                "--exact" => wanted.is_exact = true,
                "--ignored" => wanted.is_ignored = true,
                "--skip" => wanted.skipped.extend(words.next().cloned()),
                "--test-threads" | "--format" | "--color" | "--logfile" | "-Z"
                | "--shuffle-seed" => drop(words.next()),
                option if option.starts_with('-') => {}
                filter => wanted.filters.push(filter.to_owned()),
            }
        }
        wanted
    }

    fn wants(&self, name: &str) -> bool {
        let is_it = |filter: &String| {
            if self.is_exact { filter == name } else { name.contains(filter.as_str()) }
        };
        let is_filtered_out = !self.filters.is_empty() && !self.filters.iter().any(is_it);
        !(self.is_ignored || is_filtered_out || self.skipped.iter().any(is_it))
    }

    /// Runs the tests that are wanted. Whether none has failed.
    pub fn run(&self, all: &[Test]) -> bool {
        let tests: Vec<_> = all.iter().filter(|(name, _)| self.wants(name)).collect();
        if self.is_list {
            for (name, _) in &tests {
                println!("{name}: test");
            }
            return true;
        }
        let started = Instant::now();
        println!("\nrunning {} tests", tests.len());
        let mut failed = 0;
        for (name, test) in &tests {
            let is_fine = catch_unwind(test).is_ok();
            failed += usize::from(!is_fine);
            println!("test {name} ... {}", if is_fine { "ok" } else { "FAILED" });
        }
        let (passed, filtered) = (tests.len() - failed, all.len() - tests.len());
        println!(
            "\ntest result: {}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {filtered} \
             filtered out; finished in {:.2}s\n",
            if failed == 0 { "ok" } else { "FAILED" },
            started.elapsed().as_secs_f64()
        );
        failed == 0
    }
}

fn fault(call: &str, errno: Errno) -> Fault {
    let call = calls::named(call).expect("a known call").name;
    let place = Place { phase: Phase::Copy, way: Way("0.1".into()), call, nth: 3 };
    Fault { subject: "raw/root".into(), place, errno }
}

fn a_fault_can_be_read_back() {
    let fault = fault("openat", Errno::EMFILE);
    assert_eq!(fault.to_string(), "raw/root/copy:0.1/openat.3/EMFILE");
    assert_eq!(fault.to_string().parse(), Ok(fault));
    let invalid = [
        "",
        "raw/root/copy:0.1/openat.3",
        "raw/root/0.1/openat.3/EMFILE",
        "raw/root/copy:0.1/openat/EMFILE",
        "raw/root/copy:0.1/open_door.3/EMFILE",
        "raw/root/copy:0.1/openat.3/EMANY",
    ];
    for text in invalid {
        assert!(text.parse::<Fault>().is_err(), "{text}");
    }
}

fn a_sample_is_drawn_by_its_seed() {
    let name = fault("openat", Errno::EMFILE).to_string();
    assert_eq!(draw(&name, 1), draw(&name, 1));
    assert_ne!(draw(&name, 1), draw(&name, 2));
    // Half of them is above the middle, whatever they are called.
    let above = (0..1000).filter(|nth| draw(&format!("a/{nth}"), 1) > u64::MAX / 2).count();
    assert!((450..550).contains(&above), "{above}");
}

fn every_call_that_never_fails_has_its_reason() {
    let mut argued: Vec<&str> = NEVER.iter().flat_map(|(calls, _)| *calls).copied().collect();
    argued.retain(|name| calls::named(name).is_some());
    let mut without_errors: Vec<&str> = calls::never_fail().map(|call| call.name).collect();
    argued.sort_unstable();
    without_errors.sort_unstable();
    assert_eq!(argued, without_errors);
}

/// What is seen of a run that is as if nothing had failed.
fn harmless(call: &str, errno: Errno) -> Facts {
    Facts {
        fault: fault(call, errno),
        arguments: Some(String::new()),
        code: Some(0),
        usual_code: Some(0),
        signal: None,
        message: String::new(),
        difference: Vec::new(),
        is_late: false,
        processes: Vec::new(),
        files: Vec::new(),
        half_made: Vec::new(),
        host: Vec::new(),
        next: String::new(),
        time: 0,
    }
}

fn runs_are_judged_by_what_is_seen_of_them() {
    let error = "error: cannot mount proc on `/proc`: permission denied (EACCES)\n  \
                 ──▶ recipe.rhai:5:6\n   = step 4 of 34; the call was openat(2)\n";
    let class = |message: &str, code: i32, differs: bool| {
        let difference = if differs { vec!["-a line".into()] } else { Vec::new() };
        let message = message.to_owned();
        let code = Some(code);
        Facts { code, message, difference, ..harmless("openat", Errno::EACCES) }.class()
    };
    assert_eq!(class("", 0, false), Class::Harmless);
    assert_eq!(class("warning: no overlay\n", 0, false), Class::Told);
    assert_eq!(class("warning: no overlay\n", 0, true), Class::ToldDifferent);
    assert_eq!(class("", 0, true), Class::Silent);
    assert_eq!(class(error, 125, true), Class::Right);
    assert_eq!(class(&error.replace("recipe.rhai", "other.rhai"), 125, true), Class::NoLine);
    assert_eq!(class(&error.replace("EACCES", "EPERM"), 125, true), Class::WrongErrno);
    assert_eq!(class(&error.replace("openat", "mount"), 125, true), Class::WrongCall);
    assert_eq!(class("warning: no overlay\n", 125, true), Class::NoError);
    assert_eq!(class("thread 'main' panicked at src/a.rs:1:1\n", 101, true), Class::Panicked);

    let fine = harmless("newfstatat", Errno::EIO);
    let signal = Some("SIGABRT".into());
    assert_eq!(Facts { signal, code: None, ..fine.clone() }.class(), Class::Killed);
    assert_eq!(Facts { is_late: true, code: None, ..fine.clone() }.class(), Class::Hung);
    assert_eq!(Facts { arguments: None, ..fine.clone() }.class(), Class::NotReached);
    let message = error.replace("EACCES", "EIO").replace("openat", "statx");
    assert_eq!(Facts { message, code: Some(125), ..fine }.class(), Class::Right);
}

fn what_is_left_is_a_finding() {
    let fine = harmless("openat", Errno::EACCES);
    assert!(fine.is_harmless());
    let one = || vec!["one".to_owned()];
    let left = [
        (Facts { processes: one(), ..fine.clone() }, Trace::Processes),
        (Facts { files: one(), ..fine.clone() }, Trace::Files),
        (Facts { half_made: one(), ..fine.clone() }, Trace::HalfMade),
        (Facts { host: one(), ..fine.clone() }, Trace::Host),
        (Facts { next: "status 125".into(), ..fine.clone() }, Trace::Next),
    ];
    for (facts, trace) in left {
        assert_eq!(facts.traces(), [trace]);
        assert!(!facts.is_harmless());
        assert_eq!(Facts::from_json(&facts.to_json()), Some(facts));
    }
}

/// What the tracer sees of a shell that does this.
fn traced(script: &str, longest: Duration) -> tracer::Traced {
    let mut command = tracer::waiting(Command::new("sh"), "</dev/null");
    command.args(["sh", "-c", script]);
    tracer::run(&mut command, Aim::Watch, longest).expect("it is traced")
}

fn a_process_that_outlives_the_run_is_seen() {
    let seen = traced("sleep 60 & exit 3", Duration::from_secs(20));
    assert_eq!((seen.code, seen.is_late, seen.left.len()), (Some(3), false, 1), "{seen:?}");
    let seen = traced("sleep 0.1 & exit 3", Duration::from_secs(20));
    assert_eq!((seen.code, seen.is_late, seen.left.len()), (Some(3), false, 0), "{seen:?}");
}

fn a_run_that_does_not_end_is_killed() {
    let seen = traced("sleep 60; exit 3", Duration::from_millis(100));
    assert!(seen.is_late && seen.code.is_none(), "{seen:?}");
    assert_eq!(seen.signal, Some(nix::sys::signal::Signal::SIGKILL));
}
