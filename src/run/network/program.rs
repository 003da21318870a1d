//! Programs of the host in a network.

use std::os::fd::AsFd;
use std::time::Instant;

use super::Network;
use crate::diag::Report;
use crate::plan::{Action, Plan, Planned, Request, Side};
use crate::run::Exit;
use crate::run::failure::Failure;
use crate::run::launch::connect_streams;
use crate::run::lower::{clone_flags, told};
use crate::run::process::{Output, Process};
use crate::run::runner::{Input, Problem, Runner};
use crate::run::stream::converse;
use crate::run::telling::{Telling, watch};
use crate::spec::{Kind, Namespaces};
use crate::sys::{self, Call, Enter, Fault, Program};

impl Runner {
    /// What is done to run a program in a network: only that is another one.
    #[must_use]
    pub fn plan_in_network(&self, request: &Request) -> Plan {
        let net = Namespaces::from(Kind::Net);
        let environment = self.environment();
        let path = environment.iter().find(|(name, _)| name == "PATH");
        let path = path.map_or("/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", |(_, path)| path);
        let search = path.split(':').map(str::to_owned).collect();
        let command = request.command.clone();
        let execute = Action::Execute { command, search, environment: environment.clone() };
        let of = |action, side| Planned { action, side, origin: request.origin.clone() };
        let actions = vec![
            of(Action::Join(net), Side::Parent),
            of(Action::DieWithParent, Side::Child),
            of(Action::Connect(request.streams), Side::Child),
            of(execute, Side::Child),
        ];
        let command = request.command.clone();
        Plan {
            actions,
            namespaces: net,
            command,
            environment,
            ..Plan::of_one(of(Action::Closure, Side::Child))
        }
    }

    /// Starts a program in a network.
    ///
    /// # Errors
    /// It cannot be executed.
    pub fn start_in_network(
        &self,
        network: &Network,
        request: &Request,
        input: &Input,
    ) -> Result<Process, Problem> {
        self.begin_session(request.origin.as_ref())?;
        let plan = self.plan_in_network(request);
        let connected = connect_streams(request, input)?;
        let mut calls = vec![Call::DieWithParent, Call::Streams(connected.numbers)];
        let mut actions = vec![1, 2];
        if let Some(Planned { action: Action::Execute { command, search, environment }, .. }) =
            plan.actions.last()
        {
            let told = told(command.words(), search, environment, self.is_heard());
            calls.push(Call::Execute { as_init: false, told });
            actions.push(3);
        }
        let held = sys::duplicate(network.namespace.descriptor().as_fd()).map_err(|errno| {
            let message = format!("cannot enter the network {}: {errno}", network.label);
            Report::error(message).at(request.origin.clone())
        })?;
        let enter = Enter { descriptor: held, namespaces: clone_flags(plan.namespaces) };
        let mut program = Program { enter: vec![enter], calls, ..Program::default() };
        let gate = watch(self, &mut program);
        let started = Instant::now();
        let spawned = sys::spawn(&program);
        let telling = Telling { runner: self, plan: &plan, actions: &actions };
        telling.tell(&program, spawned.as_ref().map(sys::Child::pid));
        self.count_process();
        drop(gate);
        match spawned {
            Ok(child) => {
                let number = self.started();
                Ok(Process::new(child, connected.into_ends(), plan, (started, number)))
            }
            Err(Fault { call, syscall, errno }) => {
                let action = call.and_then(|call| actions.get(call).copied()).unwrap_or(0);
                Err(Failure { plan: &plan, action, syscall, errno }.report(self).into())
            }
        }
    }

    /// Runs a program in a network to its end.
    ///
    /// # Errors
    /// It cannot be executed.
    pub fn run_in_network(
        &self,
        network: &Network,
        request: &Request,
        input: &Input,
    ) -> Result<Exit, Problem> {
        let mut process = self.start_in_network(network, request, input)?;
        if let Input::Bytes(bytes) = input {
            converse(&mut process, bytes)?;
        }
        let plan = process.plan.clone();
        self.ended(&plan, &mut process)
    }

    /// Runs a program in a network to its end, and keeps what it writes.
    ///
    /// # Errors
    /// It cannot be executed.
    pub fn output_in_network(
        &self,
        network: &Network,
        request: &Request,
        input: &Input,
    ) -> Result<Output, Problem> {
        let mut process = self.start_in_network(network, request, input)?;
        let bytes = if let Input::Bytes(bytes) = input { bytes.as_slice() } else { &[] };
        let (stdout, stderr) = converse(&mut process, bytes)?;
        let plan = process.plan.clone();
        let exit = self.ended(&plan, &mut process)?;
        Ok(Output { stdout, stderr, exit })
    }
}
