//! Starting a process: in new namespaces, or in those of a sandbox; as init.

use crate::ops::words::{letters, names};
use crate::ops::{Facts, Leaves, Lower, Lowering, Operation, Scope, Told, Turn};
use crate::spec::Namespaces;
use crate::sys::Call;

/// A process is started in new namespaces.
#[derive(Clone, Debug, PartialEq)]
pub struct Start(pub Namespaces);

/// A process is started in the namespaces of a sandbox that runs already.
#[derive(Clone, Debug, PartialEq)]
pub struct Join(pub Namespaces);

/// The process becomes init, and another goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct StartInit;

/// The process is killed when nsscript ends.
#[derive(Clone, Debug, PartialEq)]
pub struct DieWithParent;

impl Operation for Start {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "clone",
            turn: Turn::Start,
            scope: Scope::EveryProgram,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let (sentence, shell) = if self.0.is_empty() {
            ("start a process".into(), None)
        } else {
            let sentence = format!("start a process in new {}", names(self.0));
            (sentence, Some(format!("unshare --fork -{}", letters(self.0))))
        };
        Told { sentence, source: None, target: None, shell }
    }
}

impl Operation for Join {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "setns",
            turn: Turn::Start,
            scope: Scope::EveryProgram,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: format!("start a process in the {} of the sandbox", names(self.0)),
            source: None,
            target: None,
            shell: Some(format!("nsenter -t $pid -{}", letters(self.0))),
        }
    }
}

impl Operation for StartInit {
    fn facts(&self) -> Facts<'_> {
        Facts { name: "clone", turn: Turn::Init, scope: Scope::Sandbox, leaves: Leaves::Nothing }
    }

    fn told(&self) -> Told {
        Told {
            sentence: "become init, which starts a second process".into(),
            source: None,
            target: None,
            shell: None,
        }
    }
}

impl Lower for StartInit {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.init = true;
    }
}

impl Operation for DieWithParent {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "session",
            turn: Turn::Parent,
            scope: Scope::EveryProgram,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: "die with nsscript".into(),
            source: None,
            target: None,
            shell: Some("setpriv --pdeathsig KILL".into()),
        }
    }
}

impl Lower for DieWithParent {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::DieWithParent);
    }
}
