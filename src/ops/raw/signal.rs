//! A signal to a process: kill(2).

use crate::ops::Told;
use crate::ops::raw::{Effect, RawFacts, RawOperation};
use crate::ops::strace::Called;

/// A signal is sent to a process.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// The process.
    pub pid: i32,
    /// The number of the signal.
    pub number: i32,
    /// The signal by its name and number: `SIGTERM (15)`.
    pub signal: String,
}

impl Signal {
    fn name(&self) -> &str {
        self.signal.split(' ').next().unwrap_or_default()
    }
}

impl RawOperation for Signal {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "kill", effect: Effect::Process(self.pid) }
    }

    fn told(&self) -> Told {
        let Self { pid, number: _, signal } = self;
        let name = self.name().trim_start_matches("SIG");
        Told {
            sentence: format!("send {signal} to process {pid}"),
            source: None,
            target: None,
            shell: Some(format!("kill -s {name} {pid}")),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { pid, number: _, signal: _ } = self;
        vec![Called::new(format!("kill({pid}, {})", self.name()))]
    }
}
