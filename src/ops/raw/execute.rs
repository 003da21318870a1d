//! The program that this process becomes: execve(2).

use crate::ops::Told;
use crate::ops::raw::{Effect, RawFacts, RawOperation};
use crate::ops::strace::{Called, execve};
use crate::ops::words::shown;
use crate::spec::Command;

/// This process becomes a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Execute(pub Command);

impl RawOperation for Execute {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "execute", effect: Effect::Own }
    }

    fn told(&self) -> Told {
        let Self(command) = self;
        Told {
            sentence: format!("execute {}", shown(command)),
            source: None,
            target: Some(command.program().to_owned()),
            shell: Some(format!("exec {}", command.shown())),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self(command) = self;
        vec![execve(command, "…")]
    }
}
