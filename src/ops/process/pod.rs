//! Pods: sandboxes that share namespaces with a running one.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::ops::words::{letters, names};
use crate::ops::{Facts, Leaves, Maps, Operation, Scope, Told, Turn};
use crate::spec::{Kind, Namespaces, ValueError};

/// The namespaces of a running sandbox that another one shares.
#[derive(Clone, Debug)]
pub struct Pod {
    /// The kinds that are shared.
    pub kinds: Namespaces,
    /// Those of them that are entered, because nsscript is in others, with the user namespace that
    /// owns them.
    pub enters: Namespaces,
    /// The ids there.
    pub maps: Maps,
    /// The number of its process; `None` in a dry run.
    pub pid: Option<i32>,
    /// The descriptor of its process; `None` in a dry run.
    pub descriptor: Option<Arc<OwnedFd>>,
}

impl PartialEq for Pod {
    fn eq(&self, other: &Self) -> bool {
        (self.kinds, self.pid) == (other.kinds, other.pid)
    }
}

impl Pod {
    /// Shares `kinds` with a sandbox that differs from nsscript in the kinds `apart`.
    ///
    /// # Errors
    /// Another kind than PID, NET, IPC and UTS, or none.
    pub fn new(kinds: Namespaces, apart: Namespaces, maps: Maps) -> Result<Self, ValueError> {
        let all = [Kind::Pid, Kind::Net, Kind::Ipc, Kind::Uts];
        let all = all.into_iter().fold(Namespaces::NONE, |all, kind| all | kind.into());
        let others = kinds - all;
        if !others.is_empty() {
            let message = format!("a sandbox cannot join the {} of another", names(others));
            return Err(ValueError::new(message).hint("it can join `PID | NET | IPC | UTS`"));
        }
        if kinds.is_empty() {
            return Err(ValueError::new("no namespace to join").hint("name some: `PID | NET`"));
        }
        let user = Namespaces::from(Kind::User) & apart;
        Ok(Self { kinds, enters: (kinds & apart) | user, maps, pid: None, descriptor: None })
    }

    /// The sandbox, in a sentence.
    #[must_use]
    pub fn shown(&self) -> String {
        match self.pid {
            Some(pid) => format!("the sandbox of process {pid}"),
            None => "the running sandbox".into(),
        }
    }
}

/// Enters namespaces of a running sandbox, for a new sandbox.
#[derive(Clone, Debug, PartialEq)]
pub struct EnterSandbox(pub Pod);

impl Operation for EnterSandbox {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "setns",
            turn: Turn::Maps,
            scope: Scope::Sandbox,
            apart: self.0.enters,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let Pod { enters, pid, .. } = &self.0;
        let pid = pid.map_or_else(|| "$pid".to_owned(), |pid| pid.to_string());
        Told {
            sentence: format!("enter the {} of {}", names(*enters), self.0.shown()),
            source: None,
            target: None,
            shell: Some(format!("nsenter -t {pid} -{}", letters(*enters))),
        }
    }
}
