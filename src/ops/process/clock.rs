//! Offsets of the clocks of a time namespace: time_namespaces(7).

use crate::diag::{Origin, Report, closest, quoted};
use crate::ops::{
    Asking, Changes, Facts, Leaves, Lower, Lowering, Operation, Planning, Scope, Told, Turn,
};
use crate::spec::{GuestPath, Kind, Namespaces, ValueError};
use crate::sys::Call;

/// The clocks that a time namespace has of its own.
const CLOCKS: [&str; 2] = ["boottime", "monotonic"];

/// The largest offset that the kernel accepts, in seconds: half of what a clock can show.
const MOST: u64 = i64::MAX.cast_unsigned() / 1_000_000_000 / 2;

/// Lets a clock of the sandbox differ from that of the machine.
#[derive(Clone, Debug, PartialEq)]
pub struct ClockOffset {
    clock: &'static str,
    /// Whether the clock is behind that of the machine.
    behind: bool,
    by: std::time::Duration,
}

impl ClockOffset {
    /// The clock `clock`, ahead by this time, or behind.
    ///
    /// # Errors
    /// The clock is unknown or has no offset; the offset is too large.
    pub fn new(clock: &str, behind: bool, by: std::time::Duration) -> Result<Self, ValueError> {
        let plain = clock.to_lowercase();
        let plain = plain.strip_prefix("clock_").unwrap_or(&plain);
        let Some(clock) = CLOCKS.into_iter().find(|known| *known == plain) else {
            if plain == "realtime" {
                let error = ValueError::new("the clock `realtime` has no offset in the kernel");
                return Err(error.hint("only `boottime` and `monotonic` belong to a namespace"));
            }
            let error = ValueError::new(format!("unknown clock {}", quoted(clock)));
            return Err(match closest(plain, CLOCKS) {
                Some(near) => error.hint(format!("did you mean {}?", quoted(near))),
                None => error.hint("the clocks are `boottime` and `monotonic`"),
            });
        };
        if by.as_secs() >= MOST {
            let message = format!("an offset of {} seconds is too large", by.as_secs());
            return Err(ValueError::new(message).hint("the kernel accepts at most 146 years"));
        }
        Ok(Self { clock, behind, by })
    }

    /// Whole seconds, rounded down, and nanoseconds, as the kernel takes them.
    fn parts(&self) -> (i64, u32) {
        let (seconds, nanos) = (self.by.as_secs().cast_signed(), self.by.subsec_nanos());
        match (self.behind, nanos) {
            (false, _) => (seconds, nanos),
            (true, 0) => (-seconds, 0),
            (true, _) => (-seconds - 1, 1_000_000_000 - nanos),
        }
    }

    fn shown(&self) -> String {
        let way = if self.behind { "behind" } else { "ahead" };
        format!("{way} by {} s", self.by.as_secs_f64())
    }
}

impl Operation for ClockOffset {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "clock_offset",
            turn: Turn::Clocks,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let (seconds, nanos) = self.parts();
        Told {
            sentence: format!("set the clock {} {}", quoted(self.clock), self.shown()),
            source: None,
            target: Some("/proc/self/timens_offsets".into()),
            shell: (nanos == 0)
                .then(|| format!("unshare --fork --time --{} {seconds}", self.clock)),
        }
    }
}

impl Lower for ClockOffset {
    fn lower(&self, to: &mut Lowering<'_>) {
        // Offsets are those of a namespace that nobody has entered: this process creates it for its
        // children, and enters it with execve(2).
        let first = !std::mem::replace(&mut to.times, true);
        let (seconds, nanos) = self.parts();
        let bytes = format!("{} {seconds} {nanos}\n", self.clock).into_bytes();
        to.push(Call::SetClock { first, bytes });
    }
}

impl Asking for ClockOffset {
    fn name(&self) -> &'static str {
        "clock_offset"
    }

    fn say(&self) -> String {
        format!("clock {} {}", self.clock, self.shown())
    }

    fn changes(&self) -> Changes {
        Changes::Program
    }

    fn key(&self) -> Option<&str> {
        Some(self.clock)
    }

    fn target(&self) -> Option<&GuestPath> {
        None
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        let shown = quoted(self.clock);
        let (major, minor) = to.host.kernel;
        let report = if !to.owns(Kind::Time) {
            let message = format!("cannot set the clock {shown}, because TIME is shared");
            let report = Report::error(message).related(to.shared.as_ref(), "shared here");
            Some(report.hint("leave TIME out of `share`"))
        } else if (major, minor) < (6, 6) {
            let message = format!("`clock_offset` needs Linux 6.6, and this is {major}.{minor}");
            Some(Report::error(message))
        } else {
            self.negative(to)
        };
        match report {
            Some(report) => to.reports.push(report.at(origin.cloned())),
            None => to.push(self.clone(), origin),
        }
        Ok(())
    }
}

impl ClockOffset {
    /// The report of a clock that would be before its start, which the kernel refuses (ERANGE).
    fn negative(&self, to: &Planning<'_>) -> Option<Report> {
        if !self.behind {
            return None;
        }
        let text = to.host.tree.read("/proc/uptime".as_ref()).ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let up: f64 = text.split(' ').next()?.parse().ok()?;
        (self.by.as_secs_f64() >= up).then(|| {
            let shown = quoted(self.clock);
            let message =
                format!("the clock {shown} cannot be {}: it would be negative", self.shown());
            let report = Report::error(message);
            report.note(format!("the machine was started {} s ago", up.floor()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ClockOffset;
    use std::time::Duration;

    #[test]
    fn parts_are_rounded_down() {
        let parts = |behind, millis| {
            let by = Duration::from_millis(millis);
            ClockOffset::new("boottime", behind, by).unwrap().parts()
        };
        assert_eq!(parts(false, 1500), (1, 500_000_000));
        assert_eq!(parts(true, 1500), (-2, 500_000_000));
        assert_eq!(parts(true, 2000), (-2, 0));
    }

    #[test]
    fn clocks_of_the_machine_are_told() {
        let new = |clock| ClockOffset::new(clock, false, Duration::from_secs(1));
        assert!(new("CLOCK_BOOTTIME").is_ok());
        let error = new("realtime").unwrap_err();
        assert_eq!(error.to_string(), "the clock `realtime` has no offset in the kernel");
        assert_eq!(new("bootime").unwrap_err().help(), Some("did you mean `boottime`?"));
        let large = ClockOffset::new("boottime", false, Duration::from_secs(1 << 40));
        assert!(large.unwrap_err().to_string().contains("too large"));
    }
}
