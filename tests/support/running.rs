//! A run of nsscript, and how it ended.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::host::{Host, wait_until_gone};
use super::marked_processes;

/// No run of a test takes this long.
const LONGEST: Duration = Duration::from_mins(1);

/// A run of nsscript. It is killed when this value is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    left: Left,
    chunks: Receiver<(usize, Vec<u8>)>,
    /// Output and errors, as far as they were read.
    read: [Vec<u8>; 2],
    open: usize,
    end: Instant,
}

impl Running {
    pub(super) fn new(mut child: Child, left: Left) -> Self {
        let (sender, chunks) = mpsc::channel();
        pass_on(0, child.stdout.take().expect("output is a pipe"), sender.clone());
        pass_on(1, child.stderr.take().expect("errors are a pipe"), sender);
        let (read, open, end) = ([Vec::new(), Vec::new()], 2, Instant::now() + LONGEST);
        Self { child, left, chunks, read, open, end }
    }

    /// The process that was started.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the processes of this run can be told by: see [`marked_processes`].
    pub fn marker(&self) -> u64 {
        self.left.marker
    }

    /// Waits until `text` has been printed.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.read[0]).contains(text) {
            assert!(self.open > 0, "it has ended and not printed {text:?}\n{}", self.told());
            self.take_chunk();
        }
    }

    /// What goes on after it. It is killed when this value is dropped.
    pub fn rest(&self) -> Rest {
        self.left.rest()
    }

    /// What it has printed, as far as a test has waited for it.
    pub fn printed(&self) -> String {
        text(&self.read[0])
    }

    /// Sends a signal to nsscript.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).expect("numbers of processes are small");
        kill(Pid::from_raw(pid), signal).expect("nsscript runs");
    }

    /// Waits for the end, and makes sure that nothing is left of the run.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        while self.open > 0 {
            self.take_chunk();
        }
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            assert!(Instant::now() < self.end, "it closed its output and runs on\n{}", self.told());
            std::thread::sleep(Duration::from_millis(1));
        };
        self.left.assert_nothing(self.pid(), status, &self.told());
        let [stdout, stderr] = std::mem::take(&mut self.read);
        Ended { status, stdout: text(&stdout), stderr: text(&stderr) }
    }

    #[track_caller]
    fn take_chunk(&mut self) {
        let left = self.end.saturating_duration_since(Instant::now());
        match self.chunks.recv_timeout(left) {
            Ok((_, chunk)) if chunk.is_empty() => self.open -= 1,
            Ok((stream, chunk)) => self.read[stream].extend(chunk),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                panic!("it has not ended in {LONGEST:?}\n{}", self.told())
            }
        }
    }

    fn told(&self) -> String {
        let [stdout, stderr] = &self.read;
        format!("output:\n{}\nerrors:\n{}", text(stdout), text(stderr))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.left.kill_rest();
    }
}

/// What a run can leave, and is told by.
#[derive(Debug)]
pub(super) struct Left {
    /// What its processes are told by: see [`marked_processes`].
    pub marker: u64,
    /// The host as it was before.
    pub host: Host,
    /// The directory for temporary files, where it has to be empty in the end.
    pub temporary: Option<PathBuf>,
    /// Whether processes may be left.
    pub goes_on: bool,
}

impl Left {
    /// Fails where something is left of the run of process `pid`, which has ended so and has `told`
    /// this.
    #[track_caller]
    pub fn assert_nothing(&self, pid: u32, status: ExitStatus, told: &str) {
        // Its end is then the kernel's doing, and not nsscript's.
        if status.signal().is_some() && !self.goes_on {
            wait_until_gone(self.marker, Duration::from_secs(10));
        }
        let left = marked_processes(self.marker);
        assert!(left.is_empty() || self.goes_on, "processes are left: {left:?}\n{told}");
        self.host.assert_unchanged(pid);
        if let Some(temporary) = self.temporary.as_ref().filter(|_| status.signal().is_none()) {
            let entries = std::fs::read_dir(temporary).unwrap();
            let left: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            assert!(left.is_empty(), "temporary files are left: {left:?}\n{told}");
        }
    }

    /// What goes on after the run.
    pub fn rest(&self) -> Rest {
        Rest { marker: self.marker }
    }

    /// Only after a failure something is left; these processes are descendants of ours.
    pub fn kill_rest(&self) {
        if !self.goes_on {
            kill_marked(self.marker);
        }
    }
}

fn kill_marked(marker: u64) {
    for (pid, _) in marked_processes(marker) {
        let _ = kill(Pid::from_raw(pid.try_into().unwrap_or(i32::MAX)), Signal::SIGKILL);
    }
}

/// The processes that go on after a run.
#[derive(Debug)]
pub struct Rest {
    marker: u64,
}

impl Rest {
    /// Waits until nothing of it is left.
    #[track_caller]
    pub fn ends(self) {
        wait_until_gone(self.marker, LONGEST);
        let left = marked_processes(self.marker);
        assert!(left.is_empty(), "processes are left: {left:?}");
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        kill_marked(self.marker);
    }
}

/// Sends what comes out of a pipe, and nothing at its end.
fn pass_on(stream: usize, mut pipe: impl Read + Send + 'static, sender: Sender<(usize, Vec<u8>)>) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 65536];
        loop {
            let count = pipe.read(&mut buffer).unwrap_or(0);
            if sender.send((stream, buffer[..count].to_vec())).is_err() || count == 0 {
                return;
            }
        }
    });
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// What it printed. It must have succeeded.
    #[track_caller]
    pub fn succeeded(self) -> String {
        self.ended_with(0).stdout
    }

    /// What it wrote to its standard error. It must have ended with this status.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        self.ended_with(code).stderr
    }

    #[track_caller]
    fn ended_with(self, code: i32) -> Self {
        let Self { status, stdout, stderr } = &self;
        let message = format!("{status}, not {code}\noutput:\n{stdout}\nerrors:\n{stderr}");
        assert!(status.code() == Some(code), "{message}");
        self
    }
}
