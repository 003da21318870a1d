//! A process that copies between a program and the terminal of nsscript, while nsscript continues.
//!
//! A program with a descriptor of a terminal can change the terminal's settings and read its
//! keyboard, whatever the descriptor was opened for: ioctl_tty(2), and proc(5) on `/proc/PID/fd`.
//! So a program without its own terminal writes to another one, on which nobody types, and reads
//! from a pipe.

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use crate::sys::{
    self, Call, Child, Errno, PATIENCE, Program, TerminalEvent, TerminalEvents, TerminalState,
    is_foreground, ready,
};

/// The maximum number of bytes to copy at once.
const PIECE: usize = 4096;
/// The maximum output left in the terminal or pipe of a program that has ended, in bytes.
const REST: usize = 128 << 10;

/// The connections to copy.
#[derive(Debug, Default)]
pub(in crate::run) struct Copied {
    /// The pipe that receives typed input.
    pub keyboard: Option<PipeWriter>,
    /// The outputs to copy to the terminal on a standard stream.
    pub screens: Vec<Screen>,
}

/// The output of a program for a terminal.
#[derive(Debug)]
pub(in crate::run) struct Screen {
    /// The source of the output.
    from: std::fs::File,
    /// The number of the standard stream of nsscript that receives it.
    number: i32,
    /// The bytes that were read, but not written yet.
    held: Vec<u8>,
}

/// The copying process. Dropping this waits until the output so far has been shown.
#[derive(Debug)]
pub(in crate::run) struct Copier {
    child: Child,
    /// The pipe that announces the end of the output.
    end: PipeWriter,
}

impl Copier {
    /// Starts the process.
    ///
    /// # Errors
    /// No descriptor or no process is left.
    pub fn start(copied: Copied) -> Result<Self, Errno> {
        let (ended, end) = io::pipe().map_err(|error| Errno::from(&error))?;
        let mut work = Some((copied, ended));
        // It has no calls that could fail.
        let program = Program { calls: Vec::<Call>::new(), ..Program::default() };
        let child = sys::fork(&program, false, &mut || {
            if let Some((copied, ended)) = work.take() {
                copied.copy(&ended);
            }
            0
        });
        let child = child.map_err(|failed| failed.error.errno)?;
        Ok(Self { child, end })
    }

    /// Waits until the output so far has been shown, or a signal asks nsscript to end.
    fn finish(&mut self) {
        // It may have ended, because no writer was left.
        let _ = self.end.write_all(b".");
        while self.child.poll().is_none() {
            let (interruptions, wake) = sys::interruption();
            let mut watched = vec![(self.child.pidfd(), false)];
            watched.extend(wake.filter(|_| interruptions == 0).map(|wake| (wake, false)));
            let has_ended = ready(&watched, Some(PATIENCE)).is_ok_and(|it| it[0]);
            if !has_ended && interruptions > 0 {
                return;
            }
        }
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        if self.child.is_own() {
            self.finish();
        }
    }
}

impl Copied {
    /// Whether nothing needs to be copied.
    pub fn is_nothing(&self) -> bool {
        self.keyboard.is_none() && self.screens.is_empty()
    }

    /// Copies until the end of the output.
    fn copy(mut self, ended: &PipeReader) {
        let own = self.screens.iter().map(|screen| screen.from.as_raw_fd());
        let own = own.chain(self.keyboard.iter().map(AsRawFd::as_raw_fd));
        // Locks and other ends of pipes must not be kept open by this process.
        sys::keep_only(own.chain([ended.as_raw_fd()]));
        sys::ignore_interruptions();
        for end in self.screens.iter().map(|screen| screen.from.as_fd()) {
            // The descriptor is open, so this cannot fail.
            let _ = sys::set_nonblocking(end);
        }
        // Without it, the program is just not notified of a new size.
        let events = TerminalEvents::watch().ok();
        while !(self.is_nothing() || self.step(ended, events.as_ref())) {}
        self.screens.iter_mut().for_each(Screen::finish);
    }

    /// Waits for data and copies it; returns true at the end of the output.
    fn step(&mut self, ended: &PipeReader, events: Option<&TerminalEvents>) -> bool {
        let reads = self.keyboard.as_ref().is_some_and(takes_more);
        let keys = reads.then(|| (sys::standard_input(), false));
        let mut watched = vec![(ended.as_fd(), false)];
        watched.extend(keys);
        watched.extend(events.map(|events| (events.as_fd(), false)));
        watched.extend(self.screens.iter().map(Screen::watched));
        // No event reports a job that moves to the foreground, or a pipe that is empty again.
        let patience = self.keyboard.as_ref().map(|_| PATIENCE);
        let answers = ready(&watched, patience).unwrap_or_default();
        while let Some(event) = events.and_then(TerminalEvents::next) {
            self.happened(event);
        }
        if reads {
            self.read();
        }
        self.screens.retain_mut(Screen::pass);
        answers.first() == Some(&true)
    }

    fn happened(&mut self, event: TerminalEvent) {
        match event {
            TerminalEvent::Resized => {
                for screen in &self.screens {
                    TerminalState::own().resize(screen.from.as_fd());
                }
            }
            TerminalEvent::Stop => sys::stop(),
            TerminalEvent::Continued => {}
        }
    }

    /// Copies typed input, until its end, or until the program stops reading.
    fn read(&mut self) {
        let mut piece = [0; PIECE];
        let Some(pipe) = &mut self.keyboard else { return };
        let is_over = match sys::read_input(&mut piece) {
            None => sys::is_abandoned(pipe.as_fd()),
            Some(Ok(0) | Err(_)) => true,
            // The pipe is empty and has room for it.
            Some(Ok(length)) => pipe.write_all(&piece[..length]).is_err(),
        };
        if is_over {
            self.keyboard = None;
        }
    }
}

/// Whether to read input for this pipe: not in the background of a shell, and not before the
/// program has read the earlier input. Input that it does not read is left for the next reader.
fn takes_more(pipe: &PipeWriter) -> bool {
    sys::unread(pipe.as_fd()) == 0 && is_foreground(sys::standard_input())
}

impl Screen {
    pub fn new(from: OwnedFd, number: i32) -> Self {
        Self { from: from.into(), number, held: Vec::new() }
    }

    fn watched(&self) -> (BorrowedFd<'_>, bool) {
        if self.held.is_empty() {
            (self.from.as_fd(), false)
        } else {
            (sys::standard_stream(self.number), true)
        }
    }

    /// Copies available output as far as possible; returns false at its end, or if nobody reads it.
    fn pass(&mut self) -> bool {
        (!self.held.is_empty() || self.take().is_some()) && self.show()
    }

    /// Reads output and returns its length; `None` at the end.
    fn take(&mut self) -> Option<usize> {
        let mut piece = [0; PIECE];
        match self.from.read(&mut piece) {
            Ok(length @ 1..) => {
                self.hold(&piece[..length]);
                Some(length)
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                Some(0)
            }
            // EIO from a terminal, or the end of a pipe: no program has it open any more.
            Ok(0) | Err(_) => None,
        }
    }

    /// Writes held bytes as far as the terminal takes them; returns false if nobody reads them.
    fn show(&mut self) -> bool {
        match sys::write_stream(self.number, &self.held) {
            Some(Ok(length)) => drop(self.held.drain(..length)),
            Some(Err(_)) => return false,
            None => {}
        }
        true
    }

    /// Holds the program's output in the form that the target terminal needs: in raw mode, as for a
    /// line editor or a shell in another sandbox, a terminal does not return to the start of the
    /// line by itself.
    fn hold(&mut self, written: &[u8]) {
        if TerminalState::of(sys::standard_stream(self.number)).ends_lines() {
            return self.held.extend_from_slice(written);
        }
        for byte in written {
            self.held.extend((*byte == b'\n').then_some(b'\r'));
            self.held.push(*byte);
        }
    }

    /// Writes the rest.
    fn finish(&mut self) {
        let mut shown = 0;
        loop {
            if self.held.is_empty() {
                match self.take().filter(|_| shown < REST) {
                    None | Some(0) => return,
                    Some(length) => shown += length,
                }
            }
            let _ = ready(&[self.watched()], None);
            if !self.show() {
                return;
            }
        }
    }
}
