//! A process that copies between a program and the terminal of nsscript, while nsscript goes on.
//!
//! Whoever has a descriptor of a terminal can set it up and read its keyboard, whatever the
//! descriptor was opened for: `ioctl_tty(2)`, and `proc(5)` on `/proc/PID/fd`. So a program that has
//! no terminal of its own writes to another one, at which nobody types, and reads from a pipe.

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use crate::sys::{
    self, Call, Child, Errno, PATIENCE, Program, TerminalEvent, TerminalEvents, TerminalState,
    is_foreground, ready,
};

/// The most that is copied at once.
const PIECE: usize = 4096;
/// The most that is left of a program that has ended: what is in its terminal or its pipe.
const REST: usize = 128 << 10;

/// What is copied.
#[derive(Debug, Default)]
pub(in crate::run) struct Copied {
    /// What is typed, into this pipe.
    pub keyboard: Option<PipeWriter>,
    /// What comes from these, to the terminal that one of the standard streams is.
    pub screens: Vec<Screen>,
}

/// What a program writes for one terminal.
#[derive(Debug)]
pub(in crate::run) struct Screen {
    /// Where it comes from.
    from: std::fs::File,
    /// Which of the standard streams of nsscript it is for.
    number: i32,
    /// What was read and not shown yet.
    held: Vec<u8>,
}

/// The process that does it. When this is dropped, what was written by then has been shown.
#[derive(Debug)]
pub(in crate::run) struct Copier {
    child: Child,
    /// Anything that comes through here says that nothing more will be written.
    end: PipeWriter,
}

impl Copier {
    /// Starts it.
    ///
    /// # Errors
    /// No descriptor or no process is left.
    pub fn start(copied: Copied) -> Result<Self, Errno> {
        let (ended, end) = io::pipe().map_err(|error| Errno::from(&error))?;
        let mut work = Some((copied, ended));
        // Its calls could fail only if it were to do any.
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

    /// Waits until what was written so far has been shown. Whoever asks nsscript to end does not
    /// wait for who does not look.
    fn finish(&mut self) {
        // It may have ended: nobody could write any more.
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
    /// Whether there is nothing to copy.
    pub fn is_nothing(&self) -> bool {
        self.keyboard.is_none() && self.screens.is_empty()
    }

    /// Copies until nothing more will be written.
    fn copy(mut self, ended: &PipeReader) {
        let own = self.screens.iter().map(|screen| screen.from.as_raw_fd());
        let own = own.chain(self.keyboard.iter().map(AsRawFd::as_raw_fd));
        // Locks, and other ends of pipes: whoever waits for them would wait for this process.
        sys::keep_only(own.chain([ended.as_raw_fd()]));
        sys::ignore_interruptions();
        for end in self.screens.iter().map(|screen| screen.from.as_fd()) {
            // A descriptor that is open: this cannot fail.
            let _ = sys::set_nonblocking(end);
        }
        // Without it the program is only not told of another size.
        let events = TerminalEvents::watch().ok();
        while !(self.is_nothing() || self.step(ended, events.as_ref())) {}
        self.screens.iter_mut().for_each(Screen::finish);
    }

    /// Waits for something to copy, and copies it; true when nothing more will be written.
    fn step(&mut self, ended: &PipeReader, events: Option<&TerminalEvents>) -> bool {
        let reads = self.keyboard.as_ref().is_some_and(takes_more);
        let keys = reads.then(|| (sys::standard_input(), false));
        let mut watched = vec![(ended.as_fd(), false)];
        watched.extend(keys);
        watched.extend(events.map(|events| (events.as_fd(), false)));
        watched.extend(self.screens.iter().map(Screen::watched));
        // Nothing tells of a job that comes to the foreground, or of a pipe that is empty again.
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

    /// Reads what was typed. At its end, and where the program reads no more, that is over.
    fn read(&mut self) {
        let mut piece = [0; PIECE];
        let Some(pipe) = &mut self.keyboard else { return };
        let is_over = match sys::read_input(&mut piece) {
            None => sys::is_abandoned(pipe.as_fd()),
            Some(Ok(0) | Err(_)) => true,
            // It is empty, and takes as much.
            Some(Ok(length)) => pipe.write_all(&piece[..length]).is_err(),
        };
        if is_over {
            self.keyboard = None;
        }
    }
}

/// Whether something is read for this pipe: not in the background of a shell, and not before the
/// program has taken what was typed before. What it does not want is for whoever reads next.
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

    /// Copies what is there, as far as it is taken; false once nothing more comes, or nobody sees it.
    fn pass(&mut self) -> bool {
        (!self.held.is_empty() || self.take().is_some()) && self.show()
    }

    /// Takes what the program has written: how much that is. None once nothing more comes.
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
            // EIO of a terminal, and the end of a pipe: nobody has it open any more.
            Ok(0) | Err(_) => None,
        }
    }

    /// Shows what is held, as far as the terminal takes it; false once nobody sees it.
    fn show(&mut self) -> bool {
        match sys::write_stream(self.number, &self.held) {
            Some(Ok(length)) => drop(self.held.drain(..length)),
            Some(Err(_)) => return false,
            None => {}
        }
        true
    }

    /// Holds what the program has written, as the terminal wants it that it is for: one that passes
    /// every byte on, as for a line editor or a shell in another sandbox, does not go back to the
    /// beginning of the line by itself.
    fn hold(&mut self, written: &[u8]) {
        if TerminalState::of(sys::standard_stream(self.number)).ends_lines() {
            return self.held.extend_from_slice(written);
        }
        for byte in written {
            self.held.extend((*byte == b'\n').then_some(b'\r'));
            self.held.push(*byte);
        }
    }

    /// Shows what is left.
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
