//! A person at a terminal: what they type, and what they see.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::{Pid, tcgetpgrp};

use super::running::{Left, Rest};

/// Nothing that a test waits for takes this long.
const LONGEST: Duration = Duration::from_secs(20);

/// A program at a terminal of its own. It is killed when this value is dropped.
#[derive(Debug)]
pub struct Screen {
    child: Child,
    terminal: File,
    chunks: Receiver<Vec<u8>>,
    /// What has been seen and not been waited for yet.
    ahead: String,
    /// All that was seen.
    seen: String,
    left: Left,
}

/// Both ends of a terminal of this size. No program that another test starts meanwhile inherits them.
pub(super) fn new_terminal(rows: u16, columns: u16) -> (File, OwnedFd) {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags).expect("a terminal");
    grantpt(&master).expect("it is ours");
    unlockpt(&master).expect("it is ours");
    let name = ptsname_r(&master).expect("it has a name");
    let other = File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open(name);
    let (master, other) = (File::from(OwnedFd::from(master)), other.expect("its other end"));
    resize(&other, rows, columns);
    (master, other.into())
}

/// Gives a terminal this size.
fn resize(terminal: &File, rows: u16, columns: u16) {
    let (rows, columns) = (rows.to_string(), columns.to_string());
    let mut stty = std::process::Command::new("stty");
    stty.args(["rows", &rows, "columns", &columns]);
    let terminal = terminal.try_clone().expect("a descriptor is left");
    assert!(stty.stdin(terminal).status().expect("there is stty").success());
}

impl Screen {
    pub(super) fn new(child: Child, terminal: File, left: Left) -> Self {
        let mut reader = terminal.try_clone().expect("a descriptor is left");
        let (sender, chunks) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // EIO: nobody has the other end open any more.
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, terminal, chunks, ahead: String::new(), seen: String::new(), left }
    }

    /// Types something, with Enter after it.
    pub fn enter(&mut self, line: &str) {
        self.types(&format!("{line}\r"));
    }

    /// Types something as it is: `"\x03"` is Ctrl-C.
    pub fn types(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).expect("the terminal is there");
    }

    /// Waits until `text` is seen, and gives what was seen before it since the last time.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        let end = Instant::now() + LONGEST;
        loop {
            if let Some(at) = self.ahead.find(text) {
                let before = self.ahead[..at].to_owned();
                self.ahead.drain(..at + text.len());
                return before;
            }
            let more = self.more(end);
            assert!(more, "{text:?} is not seen, but:\n{}\nahead: {:?}", self.seen, self.ahead);
        }
    }

    /// Waits until all of these texts are seen, in any order.
    #[track_caller]
    pub fn wait_for_all(&mut self, texts: &[&str]) {
        let end = Instant::now() + LONGEST;
        while !texts.iter().all(|text| self.ahead.contains(text)) {
            let more = self.more(end);
            assert!(more, "{texts:?} are not seen, but:\n{}\nahead: {:?}", self.seen, self.ahead);
        }
    }

    /// Types keys until `text` is seen: what they are for may be about to begin.
    #[track_caller]
    pub fn insist(&mut self, keys: &str, text: &str) {
        for _ in 0..40 {
            self.types(keys);
            let end = Instant::now() + Duration::from_millis(250);
            while !self.ahead.contains(text) && self.more(end) {}
            if self.ahead.contains(text) {
                break;
            }
        }
        self.wait_for(text);
    }

    /// Types keys again and again until the program has ended.
    pub fn ends_by(&mut self, keys: &str) {
        let end = Instant::now() + LONGEST;
        while self.child.try_wait().expect("a child can be waited for").is_none() {
            assert!(Instant::now() < end, "it does not end by {keys:?}, but shows:\n{}", self.seen);
            // It may just have ended, and its terminal with it.
            let _ = self.terminal.write_all(keys.as_bytes());
            let wait = Instant::now() + Duration::from_millis(200);
            while self.more(wait) {}
        }
    }

    /// Types a line and waits until `text` is seen.
    #[track_caller]
    pub fn ask(&mut self, line: &str, text: &str) -> String {
        self.enter(line);
        self.wait_for(text)
    }

    /// Waits for more to see; false where that takes too long, or nothing more comes.
    fn more(&mut self, end: Instant) -> bool {
        let left = end.saturating_duration_since(Instant::now());
        match self.chunks.recv_timeout(left) {
            Ok(chunk) => {
                let text = String::from_utf8_lossy(&chunk);
                self.ahead.push_str(&text);
                self.seen.push_str(&text);
                true
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
        }
    }

    /// What goes on after it. It is killed when this value is dropped.
    pub fn rest(&self) -> Rest {
        self.left.rest()
    }

    /// Gives the terminal another size.
    pub fn resize(&self, rows: u16, columns: u16) {
        resize(&self.terminal, rows, columns);
    }

    /// The settings of the terminal, and the processes in its foreground.
    pub fn state(&self) -> (Termios, Option<Pid>) {
        let settings = tcgetattr(&self.terminal).expect("a terminal has settings");
        (settings, tcgetpgrp(self.terminal.as_fd()).ok())
    }

    /// Waits for the end, and makes sure that nothing is left. Gives the status and what was seen.
    #[track_caller]
    pub fn end(mut self) -> (ExitStatus, String) {
        let end = Instant::now() + LONGEST;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            assert!(Instant::now() < end, "it has not ended, but shown:\n{}", self.seen);
            self.more(Instant::now() + Duration::from_millis(5));
        };
        while self.more(Instant::now() + Duration::from_millis(20)) {}
        self.left.assert_nothing(self.child.id(), status, &self.seen);
        (status, std::mem::take(&mut self.seen))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.left.kill_rest();
    }
}
