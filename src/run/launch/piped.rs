//! Conversations with a program through pipes: its input, and the lines that it writes.
//!
//! Whatever is waited for, what the program writes meanwhile is read and kept: a pipe has room for 64
//! KiB, and a program that has to wait for more room would wait for ever.

use std::io::{ErrorKind, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use super::process::Process;
use crate::diag::{Report, bytes};
use crate::run::base::problem::Problem;
use crate::sys::{self, Errno, PATIENCE, ready};

/// The most that is kept of what a program has written, unless something else is asked for.
pub const MOST_KEPT: u64 = 64 << 20;

/// The most that is read before somebody looks at signals again.
const AT_ONCE: u64 = 1 << 20;

/// A program has written more than is kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::run) struct Full;

/// Reads what is there into `kept`, as long as that has no more than `most` bytes; forgets the pipe at
/// its end.
pub(in crate::run) fn drain(
    pipe: &mut Option<PipeReader>,
    kept: &mut Vec<u8>,
    most: u64,
) -> Result<(), Full> {
    let Some(reader) = pipe.as_mut() else { return Ok(()) };
    let room = most.saturating_sub(kept.len() as u64).min(AT_ONCE) + 1;
    let ended = match reader.take(room).read_to_end(kept) {
        // Less than there was room for is all there is, or will be.
        Ok(length) => (length as u64) < room,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
    };
    if ended {
        *pipe = None;
    }
    if kept.len() as u64 > most { Err(Full) } else { Ok(()) }
}

/// What a program writes that is talked to, as far as nobody has taken it.
#[derive(Debug)]
pub(in crate::run) struct Written {
    pipe: Option<PipeReader>,
    kept: Vec<u8>,
    /// How much of that was taken, and how much has no line end.
    taken: usize,
    searched: usize,
}

impl Written {
    pub fn new(pipe: PipeReader) -> Self {
        // A pipe that was just made is a descriptor for which this cannot fail.
        let _ = sys::set_nonblocking(pipe.as_fd());
        Self { pipe: Some(pipe), kept: Vec::new(), taken: 0, searched: 0 }
    }

    /// The pipe, until its end.
    pub fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Reads what is there.
    pub fn read(&mut self) -> Result<(), Full> {
        if self.taken > 0 {
            self.kept.drain(..self.taken);
            (self.taken, self.searched) = (0, self.searched - self.taken);
        }
        drain(&mut self.pipe, &mut self.kept, MOST_KEPT)
    }

    /// Takes a line, without its line end: at the end of the output the rest, and then none.
    fn line(&mut self) -> Option<Vec<u8>> {
        let new = &self.kept[self.searched..];
        let end = new.iter().position(|byte| *byte == b'\n').map(|at| self.searched + at);
        let (end, next) = match end {
            Some(end) => (end, end + 1),
            None if self.pipe.is_none() && self.taken < self.kept.len() => {
                (self.kept.len(), self.kept.len())
            }
            None => {
                self.searched = self.kept.len();
                return None;
            }
        };
        let line = self.kept[self.taken..end].to_vec();
        (self.taken, self.searched) = (next, next);
        Some(line)
    }
}

impl Process {
    /// Ends a program that has written more than is kept.
    pub(in crate::run) fn too_much(&mut self, most: u64) -> Report {
        self.end_at_once();
        Report::error(format!("the program wrote more than {} and was killed", bytes(most)))
    }

    /// Reads what a program has written that is talked to, if it is there.
    pub(in crate::run) fn keep_written(&mut self) -> Result<(), Problem> {
        let Some(written) = &mut self.written else { return Ok(()) };
        written.read().map_err(|Full| {
            let report = self.too_much(MOST_KEPT);
            report.note("nsscript keeps at most that until `read_line` reads it").into()
        })
    }

    /// Writes to its input. What it writes meanwhile is kept.
    ///
    /// # Errors
    /// None where its input is no pipe; else it has ended or closed its input, or a signal asked
    /// nsscript to end.
    pub fn write(&mut self, mut bytes: &[u8]) -> Option<Result<(), Problem>> {
        let cannot = |errno: Errno| -> Problem {
            let report = Report::error(format!("cannot write to the program: {errno}"));
            report.hint("the program has exited or closed its input").into()
        };
        if self.has_ended() && self.was_piped() {
            return Some(Err(cannot(Errno::PIPE)));
        }
        while !bytes.is_empty() {
            match self.input()?.write(bytes) {
                Ok(length) => bytes = &bytes[length..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if let Err(problem) = self.wait_for_room() {
                        return Some(Err(problem));
                    }
                }
                Err(error) => return Some(Err(cannot(Errno::from(&error)))),
            }
        }
        self.input().map(|_| Ok(()))
    }

    /// Waits until its input takes something, or something else has happened.
    fn wait_for_room(&mut self) -> Result<(), Problem> {
        let (count, wake) = sys::interruption();
        if count > 0 {
            return Err(self.interrupt(None).into());
        }
        let written = self.written.as_ref().and_then(Written::pipe).map(|pipe| (pipe, false));
        let input = self.input_end().map(|input| (input, true));
        let wake = wake.map(|wake| (wake, false));
        let watched: Vec<_> = [written, input, wake].into_iter().flatten().collect();
        let is_written = written.is_some();
        let answers = ready(&watched, Some(PATIENCE)).unwrap_or_default();
        if is_written && answers.first() == Some(&true) { self.keep_written() } else { Ok(()) }
    }

    /// Reads a line of its output without its line end: none at the end.
    ///
    /// # Errors
    /// A signal asked nsscript to end, or the line is longer than what is kept. The outer none: its
    /// output is no pipe.
    pub fn read_line(&mut self) -> Option<Result<Option<Vec<u8>>, Problem>> {
        loop {
            let written = self.written.as_mut()?;
            let line = written.line();
            if line.is_some() || written.pipe().is_none() {
                return Some(Ok(line));
            }
            let (count, wake) = sys::interruption();
            if count > 0 {
                return Some(Err(self.interrupt(None).into()));
            }
            let watched = [written.pipe(), wake];
            let watched: Vec<_> = watched.into_iter().flatten().map(|end| (end, false)).collect();
            if ready(&watched, None).is_ok_and(|ready| ready[0])
                && let Err(problem) = self.keep_written()
            {
                return Some(Err(problem));
            }
        }
    }
}
