//! Passing on what goes between the terminal of a program and that of nsscript.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::sys::{self, TerminalEvent, TerminalEvents, TerminalState};

/// The most that is passed on at once: what a terminal of Linux keeps.
const PIECE: usize = 4096;

/// Where what is typed comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// A terminal, which can be changed, and is read where nsscript may do that.
    Terminal,
    /// Something else.
    Other,
    /// It has ended.
    Nothing,
}

/// A program's terminal, while it is the one that a person sees.
///
/// The terminal of nsscript passes every byte on as it is: what Ctrl-C and Ctrl-Z mean, the
/// program's own decides. When this is dropped it is as it was before.
#[derive(Debug)]
pub(super) struct Relay {
    /// The end of the program's terminal that is not the program's.
    main: File,
    /// What the terminal of nsscript was like.
    before: TerminalState,
    /// Where what is typed comes from.
    source: Source,
    /// Whether it passes every byte on.
    attached: bool,
    events: Option<TerminalEvents>,
    /// What was read and the program has not taken yet.
    typed: Vec<u8>,
    /// The last byte that was passed on to the program.
    last: u8,
    /// Whether no program has the terminal open at the moment.
    is_free: bool,
}

impl Relay {
    pub fn begin(main: OwnedFd) -> Self {
        // A descriptor that is open: this cannot fail.
        let _ = sys::set_nonblocking(main.as_fd());
        let mut relay = Self {
            main: main.into(),
            before: TerminalState::of(io::stdin().as_fd()),
            source: if io::stdin().is_terminal() { Source::Terminal } else { Source::Other },
            attached: false,
            // Without it the program is only not told of another size.
            events: TerminalEvents::watch().ok(),
            typed: Vec::new(),
            last: b'\n',
            is_free: false,
        };
        relay.attach();
        relay
    }

    /// Has the terminal of nsscript pass every byte on, where nsscript may do that: not in the
    /// background of a shell.
    fn attach(&mut self) {
        let input = io::stdin();
        if self.source == Source::Terminal && sys::is_foreground(input.as_fd()) {
            self.before.raw().restore(input.as_fd());
            TerminalState::of(input.as_fd()).resize(self.main.as_fd());
            self.attached = true;
        }
    }

    fn detach(&mut self) {
        if self.attached {
            self.before.restore(io::stdin().as_fd());
            self.attached = false;
        }
    }

    /// The descriptors that something has to be done about when they are ready.
    pub fn watched(&self) -> impl Iterator<Item = (BorrowedFd<'_>, bool)> {
        let input = self.reads().then(|| (sys::standard_input(), false));
        let output = (!self.is_free).then(|| (self.main.as_fd(), false));
        let pending = (!self.typed.is_empty()).then(|| (self.main.as_fd(), true));
        let events = self.events.as_ref().map(|events| (events.as_fd(), false));
        [input, output, pending, events].into_iter().flatten()
    }

    /// Whether something is read: only what the program will take.
    fn reads(&self) -> bool {
        let is_there = match self.source {
            Source::Terminal => self.attached,
            Source::Other => true,
            Source::Nothing => false,
        };
        is_there && self.typed.is_empty()
    }

    /// Passes on what is there.
    pub fn pass(&mut self) {
        while let Some(event) = self.events.as_ref().and_then(TerminalEvents::next) {
            self.happened(event);
        }
        self.show();
        self.read();
        self.type_in();
    }

    fn happened(&mut self, event: TerminalEvent) {
        match event {
            TerminalEvent::Resized => {
                TerminalState::of(io::stdin().as_fd()).resize(self.main.as_fd());
            }
            TerminalEvent::Stop => {
                self.detach();
                sys::stop();
            }
            TerminalEvent::Continued => self.attach(),
        }
    }

    /// Shows what the program has written, as far as it is there; whether that was anything.
    fn show(&mut self) -> bool {
        let mut piece = [0; PIECE];
        match self.main.read(&mut piece) {
            Ok(length) => {
                self.is_free = false;
                let mut out = io::stdout().lock();
                // Whoever does not want to see it does not end the program.
                let _ = out.write_all(&piece[..length]).and_then(|()| out.flush());
                length > 0
            }
            Err(error) => {
                // EIO: nobody has it open, which may be only for now.
                self.is_free = error.kind() != io::ErrorKind::WouldBlock && !self.is_free;
                false
            }
        }
    }

    fn read(&mut self) {
        if !self.reads() {
            return;
        }
        let mut piece = [0; PIECE];
        match sys::read_input(&mut piece) {
            Some(Ok(length)) if length > 0 => self.typed.extend_from_slice(&piece[..length]),
            // Its end, or that nobody is there any more.
            Some(_) => self.end_input(),
            None => {}
        }
    }

    /// Tells the program that nothing more comes. In the middle of a line that has to be said twice.
    fn end_input(&mut self) {
        let end = self.before.end_of_input();
        let times = if self.last == b'\n' { 1 } else { 2 };
        self.typed.extend(std::iter::repeat_n(end, times));
        self.source = Source::Nothing;
    }

    /// Gives the program as much as it takes.
    fn type_in(&mut self) {
        if self.typed.is_empty() {
            return;
        }
        match self.main.write(&self.typed) {
            Ok(length) => {
                self.last = self.typed[length.saturating_sub(1)];
                self.typed.drain(..length);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.typed.clear(),
        }
    }

    /// Shows what is left, of a program that has ended.
    pub fn finish(&mut self) {
        while self.show() {}
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.detach();
    }
}
