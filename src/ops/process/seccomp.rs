//! The filter of system calls of programs: seccomp(2).

use std::sync::Arc;

use crate::diag::{count, quoted};
use crate::ops::{
    AsIs, Called, Carried, Changes, Facts, Leaves, Lower, Lowering, Operation, Scope, Told, Turn,
};
use crate::spec::{Instruction, Namespaces, Policy, ValueError};
use crate::sys::Call;

/// The most instructions of a filter: `BPF_MAXINSNS`, seccomp(2).
const LARGEST: usize = 4096;

/// Filters the system calls of each program.
#[derive(Clone, Debug, PartialEq)]
pub struct Seccomp {
    policy: String,
    filter: Arc<[[u8; 8]]>,
}

impl Seccomp {
    /// The filter of a policy.
    ///
    /// # Errors
    /// No program could start. The filter is too large.
    pub fn new(policy: &Policy) -> Result<Self, ValueError> {
        if !policy.allows("execve") {
            let error = ValueError::new("no program could start: the policy denies `execve`");
            return Err(error.hint("allow it with `.allow(\"execve\")` as the last rule"));
        }
        let name = quoted(policy.name());
        let shown = match policy.rules() {
            0 => name,
            rules => format!("{name} with {}", count(rules, "rule")),
        };
        let filter: Arc<[_]> = policy.filter().into_iter().map(Instruction::bytes).collect();
        if filter.len() > LARGEST {
            let error = ValueError::new(format!(
                "the policy needs {} instructions, and the kernel takes {LARGEST}",
                filter.len()
            ));
            return Err(error.hint("use fewer conditions"));
        }
        Ok(Self { policy: shown, filter })
    }

    /// The filter of a sandbox that runs, with its policy in words.
    #[must_use]
    pub fn of_running(policy: String, filter: &[[u8; 8]]) -> Self {
        Self { policy, filter: filter.into() }
    }

    /// The policy in words.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// The instructions, as the kernel reads them.
    pub fn filter(&self) -> impl Iterator<Item = [u8; 8]> {
        self.filter.iter().copied()
    }

    fn called(&self) -> Called {
        seccomp(self.filter.len())
    }
}

/// The call that sets a filter of `length` instructions.
pub(in crate::ops) fn seccomp(length: usize) -> Called {
    Called::new(format!("seccomp(SECCOMP_SET_MODE_FILTER, 0, {{len={length}, filter=…}})"))
}

impl Operation for Seccomp {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "seccomp",
            turn: Turn::SystemCalls,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: format!("filter system calls by the policy {}", self.policy),
            source: None,
            target: None,
            shell: None,
        }
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

impl Lower for Seccomp {
    fn lower(&self, to: &mut Lowering<'_>) {
        if to.prepared.closure {
            to.push(Call::Seccomp(self.filter().collect()));
            return;
        }
        let mut text = String::with_capacity(1 + 16 * self.filter.len());
        text.push('f');
        for byte in self.filter().flatten() {
            text.extend(
                [byte >> 4, byte & 0xf].map(|digit| char::from(DIGITS[usize::from(digit)])),
            );
        }
        to.filter = Some(text);
    }
}

impl Carried for Seccomp {
    fn calls(&self) -> Vec<Called> {
        vec![self.called()]
    }
}

impl AsIs for Seccomp {
    fn say(&self) -> String {
        format!("seccomp {}", self.policy)
    }

    fn changes(&self) -> Changes {
        Changes::Program
    }

    fn key(&self) -> Option<&str> {
        Some("seccomp")
    }
}
