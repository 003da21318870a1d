//! A process that runs recipes: one at a time, in namespaces of its own.
//!
//! It reads requests and writes answers, a line of JSON each.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::time::Instant;

use serde_json::{Value, json};

use super::facts::Facts;
use super::fault::Fault;
use super::subject::{Reference, Run, Subject, clean_host, different_lines};
use super::tracer::{Aim, Made};

/// Of calls that a process makes again and again, so many of the first and of the last fail.
const FIRST: u32 = 40;
const LAST: u32 = 10;

/// After so many harmless faults the next run is looked at, where it could find nothing anyway.
const CHECKED: u32 = 25;

/// How often a run is tried that does not come to the call that is to fail: threads are not always
/// as fast.
const TRIES: usize = 3;

/// Serves until there are no more requests.
pub fn main() -> Result<(), String> {
    let mut subjects = HashMap::new();
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let request: Value = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        let answer = answer(&mut subjects, &request);
        let answer = answer.unwrap_or_else(|problem| json!({ "problem": problem }));
        let mut output = io::stdout().lock();
        let written = writeln!(output, "{answer}").and_then(|()| output.flush());
        written.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// A subject that is ready to be run.
struct Prepared {
    subject: Subject,
    reference: Reference,
    harmless: u32,
}

fn answer(subjects: &mut HashMap<String, Prepared>, request: &Value) -> Result<Value, String> {
    let mut prepared = |name: &str| -> Result<Prepared, String> {
        if let Some(prepared) = subjects.remove(name) {
            return Ok(prepared);
        }
        let subject = Subject::new(name)?;
        // A machine that has much else to do can be late once.
        let reference = subject.reference().or_else(|_| subject.reference());
        let reference = reference.map_err(|problem| format!("{name}: {problem}"))?;
        Ok(Prepared { subject, reference, harmless: 0 })
    };
    if let Some(name) = request["survey"].as_str() {
        let prepared = prepared(name)?;
        let faults = faults(name, &prepared.reference.calls);
        let faults: Vec<_> = faults.iter().map(Fault::to_string).collect();
        let answer = json!({ "faults": faults, "calls": prepared.reference.calls.len() });
        subjects.insert(name.to_owned(), prepared);
        return Ok(answer);
    }
    let fault = request["fail"].as_str().ok_or("no such request")?;
    let fault: Fault = fault.parse()?;
    let mut prepared = prepared(&fault.subject)?;
    let facts = prepared.fail(&fault).map_err(|problem| format!("{fault}: {problem}"))?;
    subjects.insert(fault.subject.clone(), prepared);
    Ok(facts.to_json())
}

/// Everything that can fail in a run that makes these calls.
fn faults(subject: &str, made: &[Made]) -> Vec<Fault> {
    let mut totals: HashMap<_, u32> = HashMap::new();
    for Made { place, .. } in made {
        *totals.entry((place.phase, &place.way, place.call)).or_default() += 1;
    }
    let mut faults = Vec::new();
    for Made { place, errors } in made {
        let total = totals[&(place.phase, &place.way, place.call)];
        if place.nth > FIRST && place.nth + LAST <= total {
            continue;
        }
        for &errno in errors {
            faults.push(Fault { subject: subject.to_owned(), place: place.clone(), errno });
        }
    }
    faults
}

impl Prepared {
    /// Has a call fail, and looks at what comes of it.
    fn fail(&mut self, fault: &Fault) -> Result<Facts, String> {
        let Self { subject, reference, .. } = self;
        let aim = Aim::Fail(&fault.place, fault.errno);
        let started = Instant::now();
        subject.reset()?;
        let mut run = subject.run(aim)?;
        for _ in 1..TRIES {
            if run.traced.hit.is_none() {
                subject.reset()?;
                run = subject.run(aim)?;
            }
        }
        let Run { traced, ended, files: left, half_made, host } = run;
        let usual = &reference.ended;
        let message = if ended.stderr == usual.stderr { "" } else { &ended.stderr };
        let mut facts = Facts {
            fault: fault.clone(),
            arguments: traced.hit,
            code: ended.code,
            usual_code: usual.code,
            signal: traced.signal.map(|signal| signal.to_string()),
            message: message.to_owned(),
            difference: different_lines(&usual.stdout, &ended.stdout),
            is_late: traced.is_late,
            processes: traced.left,
            files: left.iter().cloned().collect(),
            half_made: Vec::new(),
            host,
            next: String::new(),
            time: 0,
        };
        let is_harmless = facts.is_harmless() && half_made.is_empty();
        self.harmless += u32::from(is_harmless);
        if !is_harmless || subject.has_store() || self.harmless.is_multiple_of(CHECKED) {
            // As the next run of a person: what is in the store is what this one has left.
            let next = subject.run(Aim::Watch)?;
            facts.next = reference.differences(&next.ended);
            facts.half_made = next.half_made;
            let still: Vec<_> = subject.files().intersection(&left).cloned().collect();
            if !still.is_empty() {
                facts.next += &format!("\nstill left: {still:?}");
            }
        }
        // What is killed cannot take anything away; the next run does.
        if facts.signal.is_some() {
            facts.files.clear();
        }
        if !facts.host.is_empty() {
            clean_host();
        }
        if !facts.next.is_empty() || !facts.half_made.is_empty() {
            subject.refill()?;
        }
        facts.time = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(facts)
    }
}
