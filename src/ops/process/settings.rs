//! Settings of a program: streams, session, file mode creation mask, working directory.

use crate::ops::lowering::c;
use crate::ops::words::place;
use crate::ops::{
    AsIs, Called, Carried, Changes, Facts, Leaves, Lower, Lowering, Operation, Scope, Told, Turn,
};
use crate::spec::{GuestPath, Namespaces, Streams, shell_word};
use crate::sys::Call;

/// Connects the standard streams.
#[derive(Clone, Debug, PartialEq)]
pub struct Connect(pub Streams);

/// Starts a new session.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSession {
    /// Whether the process runs a closure; then the new process starts the session, and not the
    /// carried program.
    pub closure: bool,
}

/// Sets the file mode creation mask.
#[derive(Clone, Debug, PartialEq)]
pub struct Umask(pub u32);

/// Enters the working directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Workdir(pub GuestPath);

impl Operation for Connect {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "session",
            turn: Turn::Streams,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let sentence = match self.0 {
            Streams::Inherited => "use the standard streams of nsscript",
            Streams::Terminal => "use its own terminal, relayed to that of nsscript",
            Streams::Captured => "write output and errors to pipes",
            Streams::Piped => "read input from a pipe and write output to one",
        };
        Told { sentence: sentence.into(), source: None, target: None, shell: None }
    }
}

impl Lower for Connect {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(to.prepared.streams.clone());
    }
}

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

impl Operation for Umask {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "umask",
            turn: Turn::Umask,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: format!("set the umask to {:03o}", self.0),
            source: None,
            target: None,
            shell: Some(format!("umask {:03o}", self.0)),
        }
    }
}

impl Lower for Umask {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::Umask(self.0));
    }
}

impl Operation for Workdir {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "workdir",
            turn: Turn::Workdir,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: format!("enter the working directory {}", place(&self.0)),
            source: None,
            target: Some(self.0.to_string()),
            shell: Some(format!("cd {}", shell_word(self.0.as_str()))),
        }
    }
}

impl Lower for Workdir {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::Workdir(c(self.0.as_str())));
    }
}

impl AsIs for Umask {
    fn say(&self) -> String {
        format!("umask {:03o}", self.0)
    }

    fn changes(&self) -> Changes {
        Changes::Program
    }

    fn key(&self) -> Option<&str> {
        Some("umask")
    }
}

impl AsIs for Workdir {
    fn say(&self) -> String {
        format!("working directory {}", self.0)
    }

    fn changes(&self) -> Changes {
        Changes::Program
    }

    fn key(&self) -> Option<&str> {
        Some("workdir")
    }
}
