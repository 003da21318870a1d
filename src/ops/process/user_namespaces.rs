//! Programs without user namespaces of their own: user_namespaces(7).

use crate::diag::Origin;
use crate::ops::lowering::c;
use crate::ops::{
    Asking, Changes, Facts, Leaves, Lower, Lowering, Operation, Planning, Scope, Told, Turn,
};
use crate::spec::{GuestPath, Instruction, Kind, Namespaces, ValueError, without_user_namespaces};
use crate::sys::Call;

/// The request that programs make no user namespaces.
#[derive(Clone, Debug, PartialEq)]
pub struct ForbidUserNamespaces;

/// Limits the number of user namespaces below the one of the sandbox to 0. Only a process with
/// `CAP_SYS_RESOURCE` in that one can raise it.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitUserNamespaces;

/// Filters the system calls that create or enter a user namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterUserNamespaces;

/// The setting, which each user namespace has for itself.
const FILE: &str = "/proc/sys/user/max_user_namespaces";

/// The name of all three.
const NAME: &str = "forbid_user_namespaces";

impl Operation for LimitUserNamespaces {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: NAME,
            turn: Turn::Sysctls,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: "forbid further user namespaces".into(),
            source: None,
            target: Some(FILE.into()),
            shell: Some(format!("echo 0 > {FILE}")),
        }
    }
}

impl Lower for LimitUserNamespaces {
    fn lower(&self, to: &mut Lowering<'_>) {
        // The file is that of the user namespace of the process that opens it.
        to.push(Call::WriteProc { path: c(FILE), bytes: b"0".to_vec() });
    }
}

impl Operation for FilterUserNamespaces {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: NAME,
            turn: Turn::UserNamespaces,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: "filter system calls that create or enter user namespaces".into(),
            source: None,
            target: None,
            shell: None,
        }
    }
}

impl Lower for FilterUserNamespaces {
    fn lower(&self, to: &mut Lowering<'_>) {
        // The init has it as well: a program with CAP_SYS_PTRACE could make its calls.
        let filter = without_user_namespaces().into_iter().map(Instruction::bytes);
        to.push(Call::Seccomp(filter.collect()));
    }
}

impl Asking for ForbidUserNamespaces {
    fn name(&self) -> &'static str {
        NAME
    }

    fn say(&self) -> String {
        "no user namespaces".into()
    }

    fn changes(&self) -> Changes {
        Changes::Program
    }

    fn key(&self) -> Option<&str> {
        Some(NAME)
    }

    fn target(&self) -> Option<&GuestPath> {
        None
    }

    /// The limit is that of the sandbox's own user namespace, and never that of another. A filter
    /// takes its place if there is none, and if programs could raise it.
    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        if to.owns(Kind::User) && !to.kept.has("SYS_RESOURCE") {
            to.push(LimitUserNamespaces, origin);
        } else {
            to.push(FilterUserNamespaces, origin);
        }
        Ok(())
    }
}
