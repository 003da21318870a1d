//! The standard streams of a program: their connections, and the transfer of data.

use std::error::Error;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::copier::{Copied, Copier, Screen};
use super::piped::drain;
use super::process::Process;
use crate::diag::Report;
use crate::plan::Plan;
use crate::run::base::error::RunError;
use crate::spec::{Redirected, Sink, Streams};
use crate::sys::{self, Call, Errno, OwnTerminal, TerminalState, Waiting, ready};

/// The standard input of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The standard input of nsscript.
    Inherited,
    /// Nothing.
    Nothing,
    /// These bytes.
    Bytes(Vec<u8>),
}

/// The standard streams that a program gets.
#[derive(Clone, Copy, Debug)]
pub(in crate::run) struct Given {
    /// Their descriptors.
    pub numbers: [i32; 3],
    /// The terminal inside that replaces them, if any.
    pub terminal: Option<OwnTerminal>,
}

impl Default for Given {
    fn default() -> Self {
        Self { numbers: [0, 1, 2], terminal: None }
    }
}

impl Given {
    /// The call that connects them.
    pub fn call(self) -> Call {
        match self.terminal {
            Some(terminal) => Call::Terminal(terminal),
            None => Call::Streams(self.numbers),
        }
    }
}

/// The ends of a program, and those of nsscript.
#[derive(Debug, Default)]
pub(in crate::run) struct Connected {
    /// The program's ends, kept open until it runs.
    held: Vec<OwnedFd>,
    pub given: Given,
    ends: Ends,
    /// The socket that receives a terminal that is created inside.
    coming: Option<OwnedFd>,
}

/// The ends of nsscript.
#[derive(Debug, Default)]
pub(in crate::run) struct Ends {
    pub input: Option<PipeWriter>,
    pub output: Option<PipeReader>,
    pub errors: Option<PipeReader>,
    /// The main end of the terminal that is relayed to that of nsscript.
    pub terminal: Option<OwnedFd>,
    /// The process that copies to and from the terminal of nsscript, for a program without one.
    pub copier: Option<Copier>,
}

/// The stream of a program that could not be created.
#[derive(Clone, Copy, Debug)]
pub(in crate::run) enum StreamError {
    /// A terminal of its own.
    Terminal(Errno),
    /// `/dev/null`.
    Nothing(Errno),
    /// A pipe.
    Pipe(Errno),
    /// A file that was not opened.
    File(Errno),
    /// The process that copies from and to the terminal of nsscript.
    Copier(Errno),
    /// That process would become process 1 of another PID namespace.
    Elsewhere,
}

impl StreamError {
    /// The kernel's answer.
    pub fn errno(self) -> Option<Errno> {
        match self {
            Self::Terminal(errno)
            | Self::Nothing(errno)
            | Self::Pipe(errno)
            | Self::File(errno)
            | Self::Copier(errno) => Some(errno),
            Self::Elsewhere => None,
        }
    }

    /// What helps.
    pub fn hint(self) -> Option<&'static str> {
        match self {
            Self::Terminal(_) => Some("start the program without a terminal: `tty: false`"),
            // A closure in a sandbox may have no devices.
            Self::Nothing(_) => {
                Some("add `.dev(\"/dev\")` to a sandbox that lacks the usual devices")
            }
            Self::Pipe(_) | Self::File(_) | Self::Copier(_) => None,
            Self::Elsewhere => Some(
                "use `run`, which gives the program its own terminal, or `#{ pipes: true }`; or \
                 create the PID namespace for a closure alone with `within(PID, || …)`",
            ),
        }
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Terminal(_) => "create a terminal",
            Self::Nothing(_) => "open `/dev/null`",
            Self::Pipe(_) => "create a pipe",
            Self::File(_) => "open a file",
            Self::Copier(_) => "copy from and to the terminal",
            Self::Elsewhere => "copy to the terminal from another PID namespace",
        };
        write!(out, "cannot {what} for the program")?;
        self.errno().map_or(Ok(()), |errno| write!(out, ": {errno}"))
    }
}

impl Error for StreamError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Terminal(errno)
            | Self::Nothing(errno)
            | Self::Pipe(errno)
            | Self::File(errno)
            | Self::Copier(errno) => Some(errno),
            Self::Elsewhere => None,
        }
    }
}

/// The surroundings of a program's streams.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(in crate::run) struct Around {
    /// Whether its sandbox has terminals.
    pub inside: bool,
    /// Whether the streams of nsscript are those of its caller.
    pub of_caller: bool,
    /// Whether the program stays in the session of nsscript, and so at its terminal.
    pub keeps_session: bool,
    /// Whether new processes start in another PID namespace.
    pub elsewhere: bool,
}

/// Creates the pipes or the terminal for `streams` and `input`. Other streams are inherited, except
/// the terminal of the caller, which no program gets.
///
/// # Errors
/// The stream that could not be created.
pub(in crate::run) fn connect(
    streams: &Streams,
    input: &Input,
    around: Around,
) -> Result<Connected, StreamError> {
    let mut connected = Connected::default();
    if *streams == Streams::Terminal && !around.keeps_session {
        connected.terminal(around.inside).map_err(StreamError::Terminal)?;
        return Ok(connected);
    }
    let open_null = |options: &mut OpenOptions| {
        options.open("/dev/null").map_err(|error| StreamError::Nothing(Errno::from(&error)))
    };
    let none = Redirected::default();
    let redirected = if let Streams::Redirected(redirected) = streams { redirected } else { &none };
    let piped = *streams == Streams::Piped || redirected.piped;
    let captured = *streams == Streams::Captured;
    let pipes_input = piped || matches!(input, Input::Bytes(_));
    if pipes_input {
        let (reader, writer) = pipe()?;
        connected.give(0, reader.into());
        connected.ends.input = Some(writer);
    } else if captured || matches!(input, Input::Nothing) {
        connected.give(0, open_null(File::options().read(true))?.into());
    }
    if piped || captured {
        let (reader, writer) = pipe()?;
        connected.give(1, writer.into());
        connected.ends.output = Some(reader);
    }
    for (number, sink) in [(1, &redirected.output), (2, &redirected.errors)] {
        match sink {
            Sink::Inherited => {}
            Sink::Discarded => {
                connected.give(number, open_null(File::options().write(true))?.into());
            }
            Sink::File(file) => {
                // The request holds the file until the program runs.
                let open = file.descriptor.as_ref().ok_or(StreamError::File(Errno::MISSING))?;
                connected.given.numbers[number] = open.as_raw_fd();
            }
        }
    }
    if captured {
        let (reader, writer) = pipe()?;
        connected.give(2, writer.into());
        connected.ends.errors = Some(reader);
    }
    if around.of_caller && !around.keeps_session {
        connected.shield(around.elsewhere)?;
    }
    Ok(connected)
}

/// Creates an output to copy to a standard stream, and the program's end: a terminal if possible,
/// so that the program behaves as on a terminal.
fn screen(number: i32) -> Result<(Screen, OwnedFd), StreamError> {
    let state = TerminalState::of(sys::standard_stream(number)).writing_as_it_is();
    let (from, program) = match sys::open_terminal(&state) {
        Ok(both) => both,
        Err(_) => pipe().map(|(reader, writer)| (reader.into(), writer.into()))?,
    };
    Ok((Screen::new(from, number), program))
}

fn pipe() -> Result<(PipeReader, PipeWriter), StreamError> {
    io::pipe().map_err(|error| StreamError::Pipe(Errno::from(&error)))
}

impl Connected {
    /// Replaces streams that would be a terminal of the caller by copied ones.
    fn shield(&mut self, elsewhere: bool) -> Result<(), StreamError> {
        let mut copied = Copied::default();
        let mut shown: Option<(u64, i32)> = None;
        for (number, stream) in (0..).zip(0..3) {
            let is_inherited = self.given.numbers[number] == stream;
            let terminal = sys::terminal_device(stream).filter(|_| is_inherited);
            let Some(terminal) = terminal else { continue };
            if stream == 0 {
                let (reader, writer) = pipe()?;
                self.give(0, reader.into());
                copied.keyboard = Some(writer);
            } else if let Some((_, given)) = shown.filter(|(same, _)| *same == terminal) {
                // One terminal for both keeps the order of the output.
                self.given.numbers[number] = given;
            } else {
                let (screen, program) = screen(stream)?;
                shown = Some((terminal, program.as_raw_fd()));
                self.give(number, program);
                copied.screens.push(screen);
            }
        }
        if copied.is_nothing() {
            return Ok(());
        }
        if elsewhere {
            return Err(StreamError::Elsewhere);
        }
        self.ends.copier = Some(Copier::start(copied).map_err(StreamError::Copier)?);
        Ok(())
    }

    fn give(&mut self, number: usize, descriptor: OwnedFd) {
        self.given.numbers[number] = descriptor.as_raw_fd();
        self.held.push(descriptor);
    }

    /// Creates a terminal like that of nsscript. Errors that are redirected stay so.
    fn terminal(&mut self, inside: bool) -> Result<(), Errno> {
        let state = TerminalState::own();
        let errors = sys::is_terminal(sys::standard_stream(2));
        if inside {
            let (coming, socket) = sys::terminal_sockets()?;
            let terminal = OwnTerminal { socket: socket.as_raw_fd(), errors, state };
            self.given.terminal = Some(terminal);
            self.held.push(socket);
            self.coming = Some(coming);
            return Ok(());
        }
        let (main, program) = sys::open_terminal(&state)?;
        let number = program.as_raw_fd();
        self.given.numbers = [number, number, if errors { number } else { 2 }];
        self.held.push(program);
        self.ends.terminal = Some(main);
        Ok(())
    }

    /// Returns the ends of nsscript, and closes those of the running program.
    ///
    /// # Errors
    /// The terminal from inside cannot be received.
    pub fn into_ends(mut self, plan: &Plan) -> Result<Ends, Report> {
        if let Some(coming) = self.coming.take() {
            self.ends.terminal = sys::receive(coming.as_fd()).map_err(|errno| {
                let message = format!("cannot receive the terminal of the program: {errno}");
                let last = plan.actions.last();
                Report::error(message).at(last.and_then(|last| last.origin.clone()))
            })?;
        }
        Ok(self.ends)
    }
}

/// Transfers data until the program has ended: writes `input`, and collects output and errors,
/// together at most `most` bytes.
///
/// # Errors
/// A signal asked nsscript to end, or the program wrote more: it is killed.
pub(in crate::run) fn converse(
    process: &mut Process,
    mut input: &[u8],
    most: u64,
) -> Result<(Vec<u8>, Vec<u8>), RunError> {
    let ends = process.ends();
    let (mut writer, mut reader) = (ends.input.take(), ends.output.take());
    let mut second = ends.errors.take();
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let ends = [
        writer.as_ref().map(AsFd::as_fd),
        reader.as_ref().map(AsFd::as_fd),
        second.as_ref().map(AsFd::as_fd),
    ];
    for end in ends.into_iter().flatten() {
        // A pipe that was just made is a descriptor for which this cannot fail.
        let _ = sys::set_nonblocking(end);
    }
    let waiting = Waiting::begin();
    loop {
        process.pass_on(&waiting);
        if input.is_empty() {
            writer = None;
        }
        process.keep_time();
        process.show_soon();
        let none = process.pidfd();
        let (wake_count, wake) = sys::interruption();
        let watched: [(Option<BorrowedFd<'_>>, bool); 5] = [
            (Some(none), false),
            (wake, false),
            (writer.as_ref().map(AsFd::as_fd), true),
            (reader.as_ref().map(AsFd::as_fd), false),
            (second.as_ref().map(AsFd::as_fd), false),
        ];
        let entries: Vec<_> =
            watched.iter().filter_map(|(end, write)| Some(((*end)?, *write))).collect();
        let patience = [process.time_left(), process.until_shown()].into_iter().flatten().min();
        let answers = ready(&entries, patience).unwrap_or_default();
        let mut answers = answers.into_iter();
        let is_ready = watched.map(|(end, _)| end.is_some() && answers.next().unwrap_or(false));
        if is_ready[2] {
            input = feed(&mut writer, input);
        }
        let ended = is_ready[0];
        // After its end, the pipes contain all remaining output.
        let mut is_full = false;
        if is_ready[3] || ended {
            is_full |= drain(&mut reader, &mut output, most - errors.len() as u64);
        }
        if !is_full && (is_ready[4] || ended) {
            is_full |= drain(&mut second, &mut errors, most - output.len() as u64);
        }
        if is_full {
            let report = process.too_much(most);
            return Err(report
                .advise("output_limit", "raise the option `limit` of `output`")
                .into());
        }
        if ended {
            return Ok((output, errors));
        }
        if wake_count > 0 {
            return Err(process.interrupt(None).into());
        }
    }
}

/// Writes as much as the pipe takes, and returns the rest; drops the pipe if the reader is gone.
fn feed<'a>(writer: &mut Option<PipeWriter>, input: &'a [u8]) -> &'a [u8] {
    match writer.as_mut().map(|writer| writer.write(input)) {
        Some(Ok(written)) => &input[written..],
        Some(Err(error))
            if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
        {
            input
        }
        _ => {
            *writer = None;
            &[]
        }
    }
}
