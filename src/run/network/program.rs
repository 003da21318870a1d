//! Programs of the host in a network.

use std::os::fd::AsFd;
use std::time::Instant;

use super::Network;
use crate::diag::Report;
use crate::plan::{Action, Plan, Planned, RawAction, Request, Side};
use crate::run::Exit;
use crate::run::failure::Failure;
use crate::run::launch::connect_streams;
use crate::run::lower::{clone_flags, told};
use crate::run::process::{Output, Process};
use crate::run::runner::{Input, Problem, Runner};
use crate::run::stream::converse;
use crate::run::telling::{Telling, watch};
use crate::spec::{GuestPath, JoinedNetwork, Kind, MountOptions, Namespaces};
use crate::sys::{self, Attributes, Base, Call, Create, Enter, Fault, Program, Target, flags};

/// The calls up to the one that attaches the sysfs of the network.
const SYSFS: usize = 4;

/// /sys shows the network that it was mounted in.
fn sysfs() -> Action {
    Action::Mount {
        kind: "sysfs".into(),
        source: "sysfs".into(),
        target: GuestPath::new("/sys").unwrap_or_else(|_| GuestPath::root()),
        options: MountOptions::default(),
        create: false,
    }
}

impl Runner {
    /// What is done to run a program in a network: only that is another one.
    #[must_use]
    pub fn plan_in_network(&self, network: JoinedNetwork, request: &Request) -> Plan {
        let mount = Namespaces::from(Kind::Mount);
        let environment = self.environment();
        let path = environment.iter().find(|(name, _)| name == "PATH");
        let path = path.map_or("/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", |(_, path)| path);
        let search = path.split(':').map(str::to_owned).collect();
        let command = request.command.clone();
        let execute = Action::Execute { command, search, environment: environment.clone() };
        let of = |action, side| Planned { action, side, origin: request.origin.clone() };
        let actions = vec![
            of(Action::EnterNetwork(network), Side::Parent),
            of(Action::Start(mount), Side::Parent),
            of(Action::MakePrivate, Side::Child),
            of(sysfs(), Side::Child),
            of(Action::DieWithParent, Side::Child),
            of(Action::Connect(request.streams), Side::Child),
            of(execute, Side::Child),
        ];
        let command = request.command.clone();
        Plan {
            actions,
            namespaces: mount,
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
        let held = |errno: sys::Errno| {
            let message = format!("cannot enter the network {}: {errno}", network.label);
            Report::error(message).at(request.origin.clone())
        };
        let joined = network.held().map_err(held)?;
        let what = RawAction::Setns {
            what: format!("network {}", network.label),
            file: "FILE".into(),
            namespaces: Kind::Net.into(),
        };
        self.own_network(network, &what, request.origin.as_ref())?;
        let plan = self.plan_in_network(joined, request);
        match self.try_in_network(network, request, input, plan, true)? {
            Ok(process) => Ok(process),
            // Where /sys is partly hidden, as in containers, no other one may be mounted there.
            Err(Fault { call: Some(call), .. }) if call < SYSFS => {
                let mut plan = self.plan_in_network(network.held().map_err(held)?, request);
                plan.actions.retain(|planned| planned.action != sysfs());
                let started = self.try_in_network(network, request, input, plan.clone(), false)?;
                started.map_err(|fault| self.not_started(&plan, fault).into())
            }
            Err(fault) => {
                let plan = self.plan_in_network(network.held().map_err(held)?, request);
                Err(self.not_started(&plan, fault).into())
            }
        }
    }

    fn not_started(&self, plan: &Plan, Fault { call, syscall, errno }: Fault) -> Report {
        let action = if call.is_some() { plan.actions.len() - 1 } else { 1 };
        Failure { plan, action, syscall, errno }.report(self)
    }

    fn try_in_network(
        &self,
        network: &Network,
        request: &Request,
        input: &Input,
        plan: Plan,
        with_sysfs: bool,
    ) -> Result<Result<Process, Fault>, Problem> {
        let connected = connect_streams(request, input)?;
        let mut calls = vec![Call::MakePrivate];
        let mut actions = vec![2];
        if with_sysfs {
            let attributes = Attributes::NO_SUID.and(Attributes::NO_DEVICES, true);
            let attributes = attributes.and(Attributes::NO_EXEC, true);
            let target = Target { base: Base::Root, path: c"sys".into(), create: Create::Nothing };
            calls.extend([
                Call::OpenRoot(c"/".into()),
                Call::NewMount { kind: c"sysfs".into(), options: Vec::new(), attributes },
                Call::Attach(target),
            ]);
            actions.extend([3; SYSFS - 1]);
        }
        calls.extend([Call::DieWithParent, Call::Streams(connected.numbers)]);
        let last = plan.actions.len() - 1;
        actions.extend([last - 2, last - 1]);
        if let Some(Planned { action: Action::Execute { command, search, environment }, .. }) =
            plan.actions.last()
        {
            let told = told(command.words(), search, environment, self.is_heard());
            calls.push(Call::Execute { as_init: false, told });
            actions.push(last);
        }
        let held = sys::duplicate(network.namespace.descriptor().as_fd()).map_err(|errno| {
            let message = format!("cannot enter the network {}: {errno}", network.label);
            Report::error(message).at(request.origin.clone())
        })?;
        let enter = Enter { descriptor: held, namespaces: flags::NET };
        let namespaces = clone_flags(plan.namespaces);
        let mut program = Program { namespaces, enter: vec![enter], calls, ..Program::default() };
        let gate = watch(self, &mut program);
        let started = Instant::now();
        let spawned = sys::spawn(&program);
        let telling = Telling { runner: self, plan: &plan, actions: &actions };
        telling.tell(&program, spawned.as_ref().map(sys::Child::pid));
        self.count_process();
        drop(gate);
        Ok(spawned.map(|child| {
            let number = self.started();
            Process::new(child, connected.into_ends(), plan, (started, number))
        }))
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
