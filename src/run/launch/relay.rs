//! The relay between the terminal of a program and that of nsscript.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::sys::{self, Errno, TerminalEvent, TerminalEvents, TerminalState};

/// The maximum number of bytes to relay at once: the buffer of a Linux terminal.
const PIECE: usize = 4096;
/// The maximum output left in the terminal of a program that has ended, in bytes.
const REST: usize = 128 << 10;
/// The number of Ctrl-C within a time that kills a program to which the kernel does not deliver the
/// signal.
const INSISTS: (u8, Duration) = (3, Duration::from_secs(2));

/// The source of typed input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RelayInput {
    /// A terminal, whose settings nsscript changes, and which it reads if allowed.
    Terminal,
    /// Something else.
    Other,
    /// It has ended.
    Nothing,
}

/// A program's terminal that is connected to the terminal of nsscript.
///
/// The terminal of nsscript is in raw mode, so the program's own decides what Ctrl-C and Ctrl-Z
/// mean. Dropping this restores it.
#[derive(Debug)]
pub(in crate::run) struct Relay {
    /// The main end of the program's terminal; `None` after a hangup.
    main: Option<File>,
    /// The earlier state of nsscript's terminal.
    before: TerminalState,
    /// The source of typed input.
    source: RelayInput,
    /// Whether the terminal of nsscript is in raw mode.
    attached: bool,
    events: Option<TerminalEvents>,
    /// The input that the program has not read yet.
    typed: Vec<u8>,
    /// The output that was not shown yet.
    shown: Vec<u8>,
    /// The last byte that the program received.
    last: u8,
    /// Whether no program currently has the terminal open.
    is_free: bool,
    /// The count of Ctrl-C, and the time of the first.
    insisted: (u8, Instant),
    /// The reason why output can no longer be shown, if so.
    pub unseen: Option<Errno>,
}

impl Relay {
    pub fn begin(main: OwnedFd) -> Self {
        // The descriptor is open, so this cannot fail.
        let _ = sys::set_nonblocking(main.as_fd());
        let is_terminal = sys::is_terminal(sys::standard_input());
        let mut relay = Self {
            main: Some(main.into()),
            before: TerminalState::own(),
            source: if is_terminal { RelayInput::Terminal } else { RelayInput::Other },
            attached: false,
            // Without it, the program is just not notified of a new size.
            events: TerminalEvents::watch().ok(),
            typed: Vec::new(),
            shown: Vec::new(),
            last: b'\n',
            is_free: false,
            insisted: (0, Instant::now()),
            unseen: None,
        };
        relay.attach();
        relay
    }

    /// Switches the terminal of nsscript to raw mode, if allowed: not in the background of a shell.
    fn attach(&mut self) {
        let input = sys::standard_input();
        if self.source != RelayInput::Terminal || self.attached || !sys::is_foreground(input) {
            return;
        }
        // A shell sets the terminal for its programs before it moves one to the foreground.
        let now = TerminalState::own();
        if let Some(main) = &self.main {
            // Settings that the program has not changed were those of a shell reading a line.
            if now != self.before && TerminalState::of(main.as_fd()) == self.before {
                now.restore(main.as_fd());
            }
            now.resize(main.as_fd());
        }
        now.enter_raw_mode();
        (self.before, self.attached) = (now, true);
    }

    fn detach(&mut self) {
        let input = sys::standard_input();
        if self.attached {
            if sys::is_foreground(input) {
                self.before.leave_raw_mode();
            } else {
                TerminalState::leave();
            }
        }
        self.attached = false;
    }

    /// The descriptors to watch.
    pub fn watched(&self) -> impl Iterator<Item = (BorrowedFd<'_>, bool)> {
        let main = self.main.as_ref().map(AsFd::as_fd);
        let input = self.reads().then(|| (sys::standard_input(), false));
        let output = main.filter(|_| !self.is_free && self.shown.is_empty());
        let output = output.map(|main| (main, false));
        let pending = main.filter(|_| !self.typed.is_empty() && !self.is_free);
        let pending = pending.map(|main| (main, true));
        let unseen = (!self.shown.is_empty()).then(|| (sys::standard_output(), true));
        let events = self.events.as_ref().map(|events| (events.as_fd(), false));
        [input, output, pending, unseen, events].into_iter().flatten()
    }

    /// Whether to read input: only as much as the program takes.
    fn reads(&self) -> bool {
        let is_there = match self.source {
            RelayInput::Terminal => self.attached,
            RelayInput::Other => true,
            RelayInput::Nothing => false,
        };
        is_there && self.typed.is_empty() && self.main.is_some()
    }

    /// Relays available data. `ends_by_signal` returns whether Ctrl-C can end the program.
    pub fn pass(&mut self, ends_by_signal: &dyn Fn() -> bool) {
        while let Some(event) = self.events.as_ref().and_then(TerminalEvents::next) {
            self.happened(event);
        }
        // A job that moves to the foreground is not notified.
        self.attach();
        self.show();
        self.read(ends_by_signal);
        self.type_in();
    }

    fn happened(&mut self, event: TerminalEvent) {
        match event {
            TerminalEvent::Resized => {
                if let Some(main) = &self.main {
                    TerminalState::own().resize(main.as_fd());
                }
            }
            TerminalEvent::Stop => {
                self.detach();
                sys::stop();
            }
            // The program that continued it may have changed the terminal.
            TerminalEvent::Continued => {
                TerminalState::leave();
                self.attached = false;
            }
        }
    }

    /// Shows available output as far as possible.
    fn show(&mut self) {
        if self.shown.is_empty() {
            self.take();
        }
        match sys::write_output(&self.shown) {
            Some(Ok(length)) => drop(self.shown.drain(..length)),
            // Output can no longer be shown, so the program's terminal hangs up.
            Some(Err(errno)) => {
                self.shown.clear();
                self.main = None;
                self.unseen = Some(errno);
            }
            None => {}
        }
    }

    /// Reads output, and returns its length.
    fn take(&mut self) -> usize {
        let mut piece = [0; PIECE];
        let read = self.main.as_mut().map(|main| {
            loop {
                match main.read(&mut piece) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    done => break done,
                }
            }
        });
        match read {
            Some(Ok(length)) => {
                self.is_free = false;
                self.shown.extend_from_slice(&piece[..length]);
                length
            }
            Some(Err(error)) => {
                // EIO: no program has it open, maybe only for now.
                self.is_free = error.kind() != io::ErrorKind::WouldBlock && !self.is_free;
                0
            }
            None => 0,
        }
    }

    fn read(&mut self, ends_by_signal: &dyn Fn() -> bool) {
        if !self.reads() {
            return;
        }
        let mut piece = [0; PIECE];
        match sys::read_input(&mut piece) {
            Some(Ok(length)) if length > 0 => {
                self.insist(&piece[..length], ends_by_signal);
                self.typed.extend_from_slice(&piece[..length]);
            }
            // The input has ended, or its terminal is gone.
            Some(_) => self.end_input(),
            None => {}
        }
    }

    /// Kills the program after repeated Ctrl-C, if it is process 1 and does not handle the signal:
    /// the kernel delivers none from its own namespace, pid_namespaces(7).
    fn insist(&mut self, typed: &[u8], ends_by_signal: &dyn Fn() -> bool) {
        let Some(main) = &self.main else { return };
        let key = TerminalState::of(main.as_fd()).interrupt();
        if !typed.iter().all(|byte| Some(*byte) == key) || ends_by_signal() {
            self.insisted.0 = 0;
            return;
        }
        if self.insisted.0 == 0 || self.insisted.1.elapsed() > INSISTS.1 {
            self.insisted = (0, Instant::now());
        }
        let number = u8::try_from(typed.len()).unwrap_or(u8::MAX);
        self.insisted.0 = self.insisted.0.saturating_add(number);
        if self.insisted.0 >= INSISTS.0 {
            sys::interrupt();
        }
    }

    /// Ends the program's input. In the middle of a line, this needs two characters.
    fn end_input(&mut self) {
        let end = self.before.end_of_input();
        let times = if self.last == b'\n' { 1 } else { 2 };
        self.typed.extend(std::iter::repeat_n(end, times));
        self.source = RelayInput::Nothing;
    }

    /// Writes as much input as the program takes.
    fn type_in(&mut self) {
        let Some(main) = self.main.as_mut().filter(|_| !self.typed.is_empty()) else { return };
        // EIO: no program has it open, maybe only for now.
        if let Ok(length @ 1..) = main.write(&self.typed) {
            self.last = self.typed[length - 1];
            self.typed.drain(..length);
        }
    }

    /// Shows the rest of the output after the program's end.
    pub fn finish(&mut self) {
        let mut shown = 0;
        while shown < REST {
            if self.shown.is_empty() {
                shown += self.take();
            }
            if self.shown.is_empty() {
                return;
            }
            let output = [(sys::standard_output(), true)];
            let is_taken = sys::ready(&output, Some(Duration::from_millis(100)));
            // A signal that asks nsscript to end does not wait for a blocked terminal.
            if !is_taken.is_ok_and(|it| it[0]) && sys::interrupted().is_some() {
                return;
            }
            self.show();
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.detach();
    }
}
