//! Exit statuses and final reports.

use std::io::{ErrorKind, IsTerminal};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::diag::{Format, Report, Sources, escape, os_error, render, say};
use crate::script::End;

/// The exit status of nsscript's own failures, as for env(1) and chroot(1).
pub(super) const FAILED: u8 = 125;

/// The exit status of a recipe whose requirements are not met, as for skipped tests of automake.
pub(super) const NOT_RUN: u8 = 77;

/// The exit status for SIGPIPE, as in a shell.
const UNREAD: u8 = 128 + 13;

/// The form of reports, and whether they have colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ui {
    format: Format,
    colour: bool,
}

/// Whether a report was printed before: an empty line separates the next one.
static SAID: AtomicBool = AtomicBool::new(false);

impl Ui {
    pub fn new(format: Format) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = std::io::stderr().is_terminal() && !plain;
        Self { format, colour }
    }

    /// Whether output has colours.
    pub fn has_colour(self) -> bool {
        self.colour
    }

    /// The format of reports.
    pub fn format(self) -> Format {
        self.format
    }

    /// Writes a report to standard error.
    pub fn say(self, report: &Report, sources: &Sources) {
        let mut text = render(report, sources, self.format, self.colour);
        if SAID.swap(true, Ordering::Relaxed) && self.format == Format::Human {
            text.insert(0, '\n');
        }
        say(&text);
    }

    /// Prints an error without a position, and returns the exit status.
    pub fn fail(self, message: impl Into<String>) -> ExitCode {
        self.say(&Report::error(message), &Sources::default());
        ExitCode::from(FAILED)
    }

    /// Prints the errors of a run, if any, and returns the exit status.
    pub fn end(self, end: &End, sources: &Sources) -> ExitCode {
        let code = match end {
            End::Status(code) => *code,
            End::Signal(signal) => 128 + signal,
            End::NotRun(reason) => {
                self.say(&Report::not_run(escape(reason)), sources);
                i32::from(NOT_RUN)
            }
            End::Failed(reports) => {
                for (index, report) in reports.iter().enumerate() {
                    if !reports[..index].contains(report) {
                        self.say(report, sources);
                    }
                }
                let own = reports.iter().find_map(|report| report.facts.status);
                own.unwrap_or(i32::from(FAILED))
            }
        };
        ExitCode::from(u8::try_from(code & 0xff).unwrap_or(FAILED))
    }
}

/// Writes text to standard output, and returns the exit status. A closed pipe is not an error.
pub(super) fn print(text: &str, ui: Ui) -> ExitCode {
    match crate::diag::print(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::from(UNREAD),
        Err(error) => ui.fail(format!("cannot write to standard output: {}", os_error(&error))),
    }
}
