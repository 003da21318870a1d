//! The workers, and how the work is shared between them.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::facts::Facts;
use super::fault::Fault;
use super::support::User;

/// How many workers there are. Root's two are as fast as two processors, and as deterministic as one:
/// each has places of its own. Those of an ordinary user would see each other's terminals.
fn workers() -> usize {
    if User::this().is_root() { 2 } else { 1 }
}

/// How many faults a worker takes at a time.
const AT_ONCE: usize = 100;

/// What root prepares in the namespaces of a worker: a network with a way out, which pasta(1) wants;
/// terminals that have the same numbers in every run; a device for tunnels that all may open; the subordinate ids of user 65534; an empty /run, which
/// is as after the first network with a name.
const PREPARE: &str = r#"
    ip link set lo up
    ip link add w0 type veth peer name w1
    ip link set w1 up
    ip address add 10.99.0.2/24 dev w0
    ip link set w0 up
    ip route add default via 10.99.0.1
    mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts /dev/pts
    mount --bind /dev/pts/ptmx /dev/ptmx
    mount -t tmpfs -o mode=755 tmpfs /run
    ip netns add first
    ip netns delete first
    mkdir /run/made
    mknod /run/made/tun c 10 200
    chmod 666 /run/made/tun
    mount --bind /run/made/tun /dev/net/tun
    echo 65534:100000:65536 > /run/made/ids
    for file in /etc/subuid /etc/subgid; do mount --bind /run/made/ids $file; done
    exec "$0" worker
"#;

/// A worker, seen from outside.
struct Worker {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    fn start() -> Result<Self, String> {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = if User::this().is_root() {
            let mut command = Command::new("unshare");
            command.args(["--mount", "--propagation", "private", "--net", "--uts", "--ipc"]);
            command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
            command.args(["sh", "-c", PREPARE]).arg(this);
            command
        } else {
            // Without root's rights nothing of the host can be changed.
            let mut command = Command::new(this);
            command.arg("worker");
            command
        };
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("cannot start a worker: {error}"))?;
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("it is a pipe"));
        Ok(Self { child, requests, answers })
    }

    /// Asks for something, and waits for the answer.
    fn ask(&mut self, request: &Value) -> Result<Value, String> {
        let requests = self.requests.as_mut().ok_or("the worker has ended")?;
        writeln!(requests, "{request}")
            .map_err(|error| format!("the worker has ended: {error}"))?;
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|error| error.to_string())?;
        let answer: Value =
            serde_json::from_str(&line).map_err(|_| format!("a worker has ended at {request}"))?;
        match answer["problem"].as_str() {
            Some(problem) => Err(problem.to_owned()),
            None => Ok(answer),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It ends, and takes its places away, once it can read nothing more.
        self.requests = None;
        let _ = self.child.wait();
    }
}

/// All workers.
pub struct Crew {
    workers: Vec<Worker>,
}

/// What can fail in the run of a subject.
pub struct Survey {
    pub subject: String,
    /// How many system calls it makes.
    pub calls: u64,
    pub faults: Vec<Fault>,
    /// Who has made it, and is ready for its faults.
    worker: usize,
}

impl Crew {
    pub fn start() -> Result<Self, String> {
        let workers: Result<_, String> = (0..workers()).map(|_| Worker::start()).collect();
        Ok(Self { workers: workers? })
    }

    /// Finds out what can fail in runs of these subjects.
    pub fn survey(&mut self, subjects: &[String]) -> Result<Vec<Survey>, String> {
        let jobs = subjects.iter().map(|subject| (None, subject.clone())).collect();
        self.spread(jobs, |worker, number, subject| {
            let answer = worker.ask(&json!({ "survey": subject }))?;
            let faults = answer["faults"].as_array().ok_or("no faults in the answer")?;
            let faults = faults.iter().map(|fault| fault.as_str().unwrap_or_default().parse());
            let faults = faults.collect::<Result<_, _>>()?;
            let calls = answer["calls"].as_u64().unwrap_or_default();
            Ok(Survey { subject: subject.clone(), calls, faults, worker: number })
        })
    }

    /// Has these calls fail, one a run.
    pub fn fail(
        &mut self,
        surveys: &[Survey],
        faults: &[Fault],
        done: &(dyn Fn(&[Facts]) + Sync),
    ) -> Result<Vec<Facts>, String> {
        let mut jobs = Vec::new();
        for survey in surveys {
            let own: Vec<_> = faults.iter().filter(|it| it.subject == survey.subject).collect();
            for chunk in own.chunks(AT_ONCE) {
                let chunk: Vec<Fault> = chunk.iter().map(|&fault| fault.clone()).collect();
                jobs.push((Some(survey.worker), chunk));
            }
        }
        let facts = self.spread(jobs, |worker, _, faults: &Vec<Fault>| {
            let mut all = Vec::new();
            for fault in faults {
                let answer = worker.ask(&json!({ "fail": fault.to_string() }))?;
                all.push(Facts::from_json(&answer).ok_or("no facts in the answer")?);
            }
            done(&all);
            Ok(all)
        })?;
        Ok(facts.into_iter().flatten().collect())
    }

    /// Has every job done by some worker, if possible by the one that it names, and gives the
    /// results in the order of the jobs.
    fn spread<J: Send + Sync, R: Send>(
        &mut self,
        jobs: Vec<(Option<usize>, J)>,
        one: impl Fn(&mut Worker, usize, &J) -> Result<R, String> + Sync,
    ) -> Result<Vec<R>, String> {
        let waiting: Mutex<VecDeque<_>> = Mutex::new(jobs.into_iter().enumerate().collect());
        let results = Mutex::new(Vec::new());
        let next = |number: usize| {
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let own = |(_, (wanted, _)): &(usize, (Option<usize>, J))| {
                wanted.is_none_or(|wanted| wanted == number)
            };
            match waiting.iter().position(own) {
                Some(index) => waiting.remove(index),
                None => waiting.pop_back(),
            }
        };
        std::thread::scope(|scope| {
            for (number, worker) in self.workers.iter_mut().enumerate() {
                let (next, one, results) = (&next, &one, &results);
                scope.spawn(move || {
                    while let Some((index, (_, job))) = next(number) {
                        let result = one(worker, number, &job);
                        let failed = result.is_err();
                        let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                        results.push((index, result));
                        if failed {
                            return;
                        }
                    }
                });
            }
        });
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_unstable_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }
}
