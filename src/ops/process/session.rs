//! The session of programs: setsid(2).

use crate::diag::{Origin, Report};
use crate::ops::{
    Asking, Called, Carried, Changes, Facts, Leaves, Lower, Lowering, Operation, Planning, Scope,
    Told, Turn,
};
use crate::spec::{GuestPath, Namespaces, ValueError};
use crate::sys::Call;

/// Starts a new session.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSession {
    /// Whether the process runs a closure; then the new process starts the session, and not the
    /// carried program.
    pub closure: bool,
}

/// Whether programs stay in the session of nsscript, at its terminal.
#[derive(Clone, Debug, PartialEq)]
pub struct KeepSession(pub bool);

impl Operation for NewSession {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "session",
            turn: if self.closure { Turn::ClosureSession } else { Turn::Session },
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: "start a session".into(),
            source: None,
            target: None,
            shell: Some("setsid --wait".into()),
        }
    }
}

impl Lower for NewSession {
    fn lower(&self, to: &mut Lowering<'_>) {
        if self.closure {
            to.push(Call::NewSession);
            if to.prepared.terminal {
                to.push(Call::ControlTerminal);
            }
        }
    }
}

impl Carried for NewSession {
    fn calls(&self) -> Vec<Called> {
        vec![Called::new("setsid()")]
    }
}

impl Operation for KeepSession {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "session",
            turn: Turn::Session,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: "stay in the session and at the terminal of nsscript".into(),
            source: None,
            target: None,
            shell: None,
        }
    }
}

impl Lower for KeepSession {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.stays = self.0;
    }
}

impl Carried for KeepSession {
    fn calls(&self) -> Vec<Called> {
        Vec::new()
    }
}

impl Asking for KeepSession {
    fn name(&self) -> &'static str {
        "session"
    }

    fn say(&self) -> String {
        if self.0 { "session of nsscript".into() } else { "session of its own".into() }
    }

    fn changes(&self) -> Changes {
        Changes::Program
    }

    fn key(&self) -> Option<&str> {
        Some("session")
    }

    fn target(&self) -> Option<&GuestPath> {
        None
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        if !self.0 {
            return Ok(());
        }
        // Before Linux 6.2, and if this setting is not 0, every process may insert input into the
        // terminal of its session.
        let is_old = to.host.kernel < (6, 2);
        if !to.host.has_terminal() {
            to.push(self.clone(), origin);
            return Ok(());
        }
        if is_old || to.host.setting("dev/tty/legacy_tiocsti").as_deref() != Some("0") {
            let message = "programs of this sandbox can type into the shell that started nsscript \
                           (TIOCSTI), because they stay at its terminal";
            let hint = if is_old {
                "leave out `session(false)`: Linux can forbid that from 6.2 on"
            } else {
                "leave out `session(false)`, or run `sysctl dev.tty.legacy_tiocsti=0` as root"
            };
            to.warnings.push(Report::warning(message).at(origin.cloned()).hint(hint));
        }
        to.push(self.clone(), origin);
        Ok(())
    }
}
