//! Conversations with a program through pipes: writing its input, and reading lines of its output.
//!
//! While nsscript waits, it reads and keeps the program's output, because a pipe has room for only
//! 64 KiB, and the program would block forever.

use std::io::{ErrorKind, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use super::process::Process;
use crate::diag::{Report, bytes};
use crate::run::base::error::RunError;
use crate::sys::{self, Errno, PATIENCE, Waiting, ready};

/// The default maximum of kept output, in bytes.
pub const MOST_KEPT: u64 = 64 << 20;

/// The maximum number of bytes to read before checking for signals.
const AT_ONCE: u64 = 1 << 20;

/// Reads what is there into `kept`, as long as that has no more than `most` bytes; forgets the pipe
/// at its end. Whether the program has written more than that.
#[must_use]
pub(in crate::run) fn drain(pipe: &mut Option<PipeReader>, kept: &mut Vec<u8>, most: u64) -> bool {
    let Some(reader) = pipe.as_mut() else { return false };
    let room = most.saturating_sub(kept.len() as u64).min(AT_ONCE) + 1;
    let ended = match reader.take(room).read_to_end(kept) {
        // A short read means that no more is available.
        Ok(length) => (length as u64) < room,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
    };
    if ended {
        *pipe = None;
    }
    kept.len() as u64 > most
}

/// The unread output of a program in a conversation.
#[derive(Debug)]
pub(in crate::run) struct Written {
    pipe: Option<PipeReader>,
    kept: Vec<u8>,
    /// The number of bytes that were taken, and the number that were searched for a line end.
    taken: usize,
    searched: usize,
}

impl Written {
    pub fn new(pipe: PipeReader) -> Self {
        // This cannot fail for a new pipe.
        let _ = sys::set_nonblocking(pipe.as_fd());
        Self { pipe: Some(pipe), kept: Vec::new(), taken: 0, searched: 0 }
    }

    /// The pipe, until its end.
    pub fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Reads what is there. Whether it is more than is kept.
    #[must_use]
    pub fn read(&mut self) -> bool {
        if self.taken > 0 {
            self.kept.drain(..self.taken);
            (self.taken, self.searched) = (0, self.searched - self.taken);
        }
        drain(&mut self.pipe, &mut self.kept, MOST_KEPT)
    }

    /// Takes a line without its line end; at the end of the output the rest, and then `None`.
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
    /// Kills a program that has written more than the maximum.
    pub(in crate::run) fn too_much(&mut self, most: u64) -> Report {
        self.end_at_once();
        Report::error(format!("the program wrote more than {} and was killed", bytes(most)))
    }

    /// Reads available output of a program in a conversation.
    pub(in crate::run) fn keep_written(&mut self) -> Result<(), RunError> {
        let Some(written) = &mut self.written else { return Ok(()) };
        if !written.read() {
            return Ok(());
        }
        let report = self.too_much(MOST_KEPT);
        Err(report.note("nsscript keeps at most that until `read_line` reads it").into())
    }

    /// Writes to the program's input, and keeps its output meanwhile; `None` if its input is not a
    /// pipe.
    ///
    /// # Errors
    /// The program has exited or closed its input, or a signal asked nsscript to end.
    pub fn write(&mut self, mut bytes: &[u8]) -> Option<Result<(), RunError>> {
        let cannot = |errno: Errno| -> RunError {
            let report = Report::error(format!("cannot write to the program: {errno}"));
            report.hint("the program has exited or closed its input").into()
        };
        if self.has_ended() && self.was_piped() {
            return Some(Err(cannot(Errno::PIPE)));
        }
        let waiting = Waiting::begin();
        while !bytes.is_empty() {
            match self.input()?.write(bytes) {
                Ok(length) => bytes = &bytes[length..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.pass_on(&waiting);
                    if let Err(error) = self.wait_for_room() {
                        return Some(Err(error));
                    }
                }
                Err(error) => return Some(Err(cannot(Errno::from(&error)))),
            }
        }
        self.input().map(|_| Ok(()))
    }

    /// Waits until the input has room, or another event.
    fn wait_for_room(&mut self) -> Result<(), RunError> {
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

    /// Reads a line of its output without the line end; the inner `None` is the end, the outer one
    /// means that its output is not a pipe.
    ///
    /// # Errors
    /// A signal asked nsscript to end, or the line exceeds the maximum.
    pub fn read_line(&mut self) -> Option<Result<Option<Vec<u8>>, RunError>> {
        let waiting = Waiting::begin();
        loop {
            self.pass_on(&waiting);
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
                && let Err(error) = self.keep_written()
            {
                return Some(Err(error));
            }
        }
    }
}
