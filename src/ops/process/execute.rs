//! The last step of a process: a program, or a closure of the recipe.

use crate::diag::count;
use crate::ops::lowering::{Around, Before, command};
use crate::ops::strace::execve;
use crate::ops::words::shown;
use crate::ops::{Called, Carried, Facts, Leaves, Lower, Lowering, Operation, Scope, Told, Turn};
use crate::spec::{Command, Namespaces};
use crate::sys::{Call, Passed};

/// Executes the program.
#[derive(Clone, Debug, PartialEq)]
pub struct Execute {
    /// The command to execute.
    pub command: Command,
    /// The directories in which a program without `/` is looked up.
    pub search: Vec<String>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
}

/// Runs a closure of the recipe in the process.
#[derive(Clone, Debug, PartialEq)]
pub struct Closure;

impl Operation for Execute {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "execute",
            turn: Turn::Program,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let command = &self.command;
        Told {
            sentence: format!("execute {}", shown(command)),
            source: None,
            target: Some(command.program().to_owned()),
            shell: Some(format!("exec {}", command.shown())),
        }
    }
}

impl Lower for Execute {
    fn lower(&self, to: &mut Lowering<'_>) {
        let Self { command: what, search, environment } = self;
        let (gated, terminal) = (to.prepared.gated, to.prepared.terminal);
        let capable = to.init && to.capable;
        let around = Around { gated, terminal, capable, stays: to.stays };
        let passed = Passed::new(std::mem::take(&mut to.passed));
        let before =
            Before { passed: Some(&passed), limits: &to.limits, filter: to.filter.as_deref() };
        let told = command(what.words(), search, environment, around, before);
        to.push(Call::Execute { as_init: to.init, told, passed });
    }
}

impl Carried for Execute {
    fn calls(&self) -> Vec<Called> {
        let variables = count(self.environment.len(), "variable");
        vec![execve(&self.command, &format!("/* {variables} */"))]
    }
}

impl Operation for Closure {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "closure",
            turn: Turn::Program,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told { sentence: "run the closure".into(), source: None, target: None, shell: None }
    }
}

impl Lower for Closure {
    fn lower(&self, _: &mut Lowering<'_>) {}
}
