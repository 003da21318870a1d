//! Programs of the host in a network.

use super::{Network, Networks};
use crate::diag::Report;
use crate::ops::raw::Setns;
use crate::ops::{
    Closure, Connect, DieWithParent, EnterNetwork, Execute, MakePrivate, Mounted, Op, RawAction,
    Start, StartMaps,
};
use crate::plan::{Plan, Planned, Request, Side};
use crate::run::base::error::RunError;
use crate::spec::{GuestPath, JoinedNetwork, Kind, MountAttributes, MountOptions, Namespaces};

/// /sys shows the network that it was mounted in.
fn sysfs() -> Mounted {
    Mounted {
        kind: "sysfs".into(),
        source: "sysfs".into(),
        target: GuestPath::new("/sys").unwrap_or_else(|_| GuestPath::root()),
        options: MountOptions { data: Vec::new(), attributes: MountAttributes::DATA },
        usual: MountAttributes::DATA,
        create: false,
        instead: None,
    }
}

impl Networks {
    /// What is done to run a program of the host in a network: only that is another one.
    ///
    /// # Errors
    /// The network is one that others on the host are in, or was removed.
    pub fn plan_in_network(&self, network: &Network, request: &Request) -> Result<Plan, RunError> {
        let origin = request.origin.as_ref();
        self.begin_session(origin)?;
        let entered = RawAction::from(Setns {
            what: format!("network {}", network.label),
            file: "FILE".into(),
            namespaces: Kind::Net.into(),
        });
        self.own_network(network, &entered, origin)?;
        let held = network.held().map_err(|errno| {
            let message = format!("cannot enter the network {}: {errno}", network.label);
            Report::error(message).at(origin.cloned())
        })?;
        Ok(self.plan_in(held, request))
    }

    /// The same for a network that may not be made yet.
    #[must_use]
    pub fn plan_in(&self, network: JoinedNetwork, request: &Request) -> Plan {
        let mount = Namespaces::from(Kind::Mount);
        let before = [
            (EnterNetwork(network).into(), Side::Parent),
            (Start { namespaces: mount, maps: StartMaps::None }.into(), Side::Parent),
            (MakePrivate.into(), Side::Child),
            (sysfs().into(), Side::Child),
        ];
        let plan = self.host_plan(before.into(), mount, request);
        if self.no_sysfs.get() { self.do_without_sysfs(plan) } else { plan }
    }

    /// What is done to run a program of the host where nsscript is.
    #[must_use]
    pub fn plan_on_host(&self, request: &Request) -> Plan {
        let start = Start { namespaces: Namespaces::NONE, maps: StartMaps::None };
        self.host_plan(vec![(start.into(), Side::Parent)], Namespaces::NONE, request)
    }

    /// The plan of a program of the host, with what is done before its streams are connected.
    fn host_plan(
        &self,
        before: Vec<(Op, Side)>,
        namespaces: Namespaces,
        request: &Request,
    ) -> Plan {
        let environment = self.environment();
        let path = environment.iter().find(|(name, _)| name == "PATH");
        let path = path.map_or("/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", |(_, path)| path);
        let search = path.split(':').map(str::to_owned).collect();
        let command = request.command.clone();
        let execute = Execute { command, search, environment: environment.clone() };
        let of = |action: Op, side| Planned { action, side, origin: request.origin.clone() };
        let after = [
            (DieWithParent { keeper: false }.into(), Side::Child),
            (Connect(request.streams.clone()).into(), Side::Child),
            (execute.into(), Side::Child),
        ];
        let actions = before.into_iter().chain(after).map(|(action, side)| of(action, side));
        Plan {
            actions: actions.collect(),
            namespaces,
            command: request.command.clone(),
            environment,
            ..Plan::of_one(of(Closure.into(), Side::Child))
        }
    }

    /// The same plan without a sysfs, and those that are made from here on.
    pub(in crate::run) fn do_without_sysfs(&self, mut plan: Plan) -> Plan {
        self.no_sysfs.set(true);
        if let Some(index) = plan.sysfs_of_host() {
            plan.actions.remove(index);
        }
        plan
    }
}
