//! The rules: what is right, and what is not, of a run in which a call has failed.

use nix::errno::Errno;

use super::facts::Facts;

/// What a run is, as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// It ended with an error that names the line, the call and the error number.
    Right,
    /// It was as if nothing had failed.
    Harmless,
    /// It was as if nothing had failed, but for a message.
    Told,
    /// It did something else, and a message says so.
    ToldDifferent,
    /// It did something else without a word.
    Silent,
    /// The error names no line.
    NoLine,
    /// The error does not name the error number.
    WrongErrno,
    /// The error names another call.
    WrongCall,
    /// It failed without an error.
    NoError,
    /// nsscript panicked.
    Panicked,
    /// A signal ended nsscript.
    Killed,
    /// It did not end.
    Hung,
    /// It did not make the call.
    NotReached,
}

impl Class {
    pub const ALL: [Self; 13] = [
        Self::Right,
        Self::Harmless,
        Self::Told,
        Self::ToldDifferent,
        Self::Silent,
        Self::NoLine,
        Self::WrongErrno,
        Self::WrongCall,
        Self::NoError,
        Self::Panicked,
        Self::Killed,
        Self::Hung,
        Self::NotReached,
    ];

    /// The head of a column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Harmless => "harmless",
            Self::Told => "message",
            Self::ToldDifferent => "told",
            Self::Silent => "silent",
            Self::NoLine => "no line",
            Self::WrongErrno => "errno",
            Self::WrongCall => "call",
            Self::NoError => "no error",
            Self::Panicked => "panic",
            Self::Killed => "killed",
            Self::Hung => "hung",
            Self::NotReached => "missed",
        }
    }

    /// Whether this is as it should be.
    pub fn is_fine(self) -> bool {
        matches!(self, Self::Right | Self::Harmless | Self::Told | Self::NotReached)
    }
}

/// What a run has left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trace {
    Processes,
    Files,
    HalfMade,
    Host,
    /// The next run was not as it should be.
    Next,
}

impl Trace {
    pub const ALL: [Self; 5] =
        [Self::Processes, Self::Files, Self::HalfMade, Self::Host, Self::Next];

    pub fn name(self) -> &'static str {
        match self {
            Self::Processes => "processes",
            Self::Files => "files",
            Self::HalfMade => "half made",
            Self::Host => "host",
            Self::Next => "next run",
        }
    }
}

impl Facts {
    /// Whether the run was as if nothing had failed.
    pub fn is_harmless(&self) -> bool {
        self.class() == Class::Harmless && self.traces().is_empty()
    }

    /// What the run is.
    pub fn class(&self) -> Class {
        let is_same = self.code == self.usual_code && self.difference.is_empty();
        let error = self.message.find("error: ").map(|at| &self.message[at..]);
        if self.arguments.is_none() {
            Class::NotReached
        } else if self.is_late {
            Class::Hung
        } else if self.code == Some(101) || self.message.contains("panicked at") {
            Class::Panicked
        } else if self.signal.is_some() {
            Class::Killed
        } else if is_same {
            if self.message.is_empty() { Class::Harmless } else { Class::Told }
        } else if self.code == self.usual_code {
            if self.message.is_empty() { Class::Silent } else { Class::ToldDifferent }
        } else if self.ends_as_by_sigpipe() {
            Class::Right
        } else if let Some(error) = error {
            self.class_of(error)
        } else {
            Class::NoError
        }
    }

    /// Whether nobody reads what nsscript prints any more: nobody is told of that.
    fn ends_as_by_sigpipe(&self) -> bool {
        let is_output = |arguments: &String| arguments.starts_with("1<");
        self.fault.errno == Errno::EPIPE
            && self.arguments.as_ref().is_some_and(is_output)
            && self.code == Some(141)
            && self.message.is_empty()
    }

    fn class_of(&self, error: &str) -> Class {
        let place = &self.fault.place;
        let named = called(error);
        if line(error).is_none() {
            Class::NoLine
        } else if !error.contains(&format!("({:?})", self.fault.errno)) {
            Class::WrongErrno
        } else if named.is_some_and(|named| family(named) != family(place.call)) {
            Class::WrongCall
        } else {
            Class::Right
        }
    }

    /// What it has left.
    pub fn traces(&self) -> Vec<Trace> {
        let is_left = |trace: &Trace| match trace {
            Trace::Processes => !self.processes.is_empty(),
            Trace::Files => !self.files.is_empty(),
            Trace::HalfMade => !self.half_made.is_empty(),
            Trace::Host => !self.host.is_empty(),
            Trace::Next => !self.next.is_empty(),
        };
        Trace::ALL.into_iter().filter(is_left).collect()
    }
}

/// The line of the recipe that an error names.
pub fn line(error: &str) -> Option<u32> {
    let place = error.split("──▶ ").nth(1)?.lines().next()?;
    place.strip_prefix("recipe.rhai:")?.split(':').next()?.parse().ok()
}

/// The call that an error names.
fn called(error: &str) -> Option<&str> {
    error.split("the call was ").nth(1)?.split('(').next()
}

/// Calls that do the same have one name.
fn family(call: &str) -> &str {
    match call {
        "stat" | "lstat" | "fstat" | "newfstatat" | "statx" => "stat",
        "prlimit" | "prlimit64" => "prlimit",
        other => other,
    }
}
