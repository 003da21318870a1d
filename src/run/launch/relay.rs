//! The relay between the terminal of a program and that of nsscript.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::sys::{self, Errno, TerminalEvent, TerminalEvents, TerminalState};

/// The most that is passed on at once: what a terminal of Linux keeps.
const PIECE: usize = 4096;
/// The most that is left of a program that has ended: what is in its terminal.
const REST: usize = 128 << 10;
/// How many times, in how short a time, Ctrl-C ends a program that the kernel does not let it end.
const INSISTS: (u8, Duration) = (3, Duration::from_secs(2));

/// Where what is typed comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RelayInput {
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
pub(in crate::run) struct Relay {
    /// The end of the program's terminal that is not the program's; none once nobody sees it.
    main: Option<File>,
    /// What the terminal of nsscript was like.
    before: TerminalState,
    /// Where what is typed comes from.
    source: RelayInput,
    /// Whether the terminal of nsscript passes every byte on.
    attached: bool,
    events: Option<TerminalEvents>,
    /// What was read and the program has not taken yet.
    typed: Vec<u8>,
    /// What the program has written and nobody has seen yet.
    shown: Vec<u8>,
    /// The last byte that was passed on to the program.
    last: u8,
    /// Whether no program has the terminal open at the moment.
    is_free: bool,
    /// How often Ctrl-C was typed, and when that began.
    insisted: (u8, Instant),
    /// Why nobody sees any more what the program writes, if so.
    pub unseen: Option<Errno>,
}

impl Relay {
    pub fn begin(main: OwnedFd) -> Self {
        // A descriptor that is open: this cannot fail.
        let _ = sys::set_nonblocking(main.as_fd());
        let is_terminal = sys::is_terminal(sys::standard_input());
        let mut relay = Self {
            main: Some(main.into()),
            before: TerminalState::own(),
            source: if is_terminal { RelayInput::Terminal } else { RelayInput::Other },
            attached: false,
            // Without it the program is only not told of another size.
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

    /// Has the terminal of nsscript pass every byte on, where nsscript may do that: not in the
    /// background of a shell.
    fn attach(&mut self) {
        let input = sys::standard_input();
        if self.source != RelayInput::Terminal || self.attached || !sys::is_foreground(input) {
            return;
        }
        // A shell sets it as its programs want it before it has one come to the foreground.
        let now = TerminalState::own();
        if let Some(main) = &self.main {
            // What the program has not changed was that of a shell which was reading a line.
            if now != self.before && TerminalState::of(main.as_fd()) == self.before {
                now.restore(main.as_fd());
            }
            now.resize(main.as_fd());
        }
        now.pass_all();
        (self.before, self.attached) = (now, true);
    }

    fn detach(&mut self) {
        let input = sys::standard_input();
        if self.attached {
            if sys::is_foreground(input) {
                self.before.pass_no_more();
            } else {
                TerminalState::leave();
            }
        }
        self.attached = false;
    }

    /// The descriptors that something has to be done about when they are ready.
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

    /// Whether something is read: only what the program will take.
    fn reads(&self) -> bool {
        let is_there = match self.source {
            RelayInput::Terminal => self.attached,
            RelayInput::Other => true,
            RelayInput::Nothing => false,
        };
        is_there && self.typed.is_empty() && self.main.is_some()
    }

    /// Passes on what is there. `ends_by_signal` says whether Ctrl-C can end the program at all.
    pub fn pass(&mut self, ends_by_signal: &dyn Fn() -> bool) {
        while let Some(event) = self.events.as_ref().and_then(TerminalEvents::next) {
            self.happened(event);
        }
        // A job that comes to the foreground while it runs is not told.
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
            // Who has continued it may have changed the terminal.
            TerminalEvent::Continued => {
                TerminalState::leave();
                self.attached = false;
            }
        }
    }

    /// Shows what the program has written, as far as it is there and somebody takes it.
    fn show(&mut self) {
        if self.shown.is_empty() {
            self.take();
        }
        match sys::write_output(&self.shown) {
            Some(Ok(length)) => drop(self.shown.drain(..length)),
            // Nobody will see anything any more: to the program the terminal hangs up.
            Some(Err(errno)) => {
                self.shown.clear();
                self.main = None;
                self.unseen = Some(errno);
            }
            None => {}
        }
    }

    /// Takes what the program has written; how much that is.
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
                // EIO: nobody has it open, which may be only for now.
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
            // Its end, or that nobody is there any more.
            Some(_) => self.end_input(),
            None => {}
        }
    }

    /// Whoever types Ctrl-C again and again ends a program that is process 1 and does not handle the
    /// signal: from its own namespace the kernel lets none through, pid_namespaces(7).
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

    /// Tells the program that nothing more comes. In the middle of a line that has to be said twice.
    fn end_input(&mut self) {
        let end = self.before.end_of_input();
        let times = if self.last == b'\n' { 1 } else { 2 };
        self.typed.extend(std::iter::repeat_n(end, times));
        self.source = RelayInput::Nothing;
    }

    /// Gives the program as much as it takes.
    fn type_in(&mut self) {
        let Some(main) = self.main.as_mut().filter(|_| !self.typed.is_empty()) else { return };
        // EIO: nobody has it open, which may be only for now.
        if let Ok(length @ 1..) = main.write(&self.typed) {
            self.last = self.typed[length - 1];
            self.typed.drain(..length);
        }
    }

    /// Shows what is left, of a program that has ended.
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
            // Whoever asks nsscript to end does not wait for who does not look.
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
