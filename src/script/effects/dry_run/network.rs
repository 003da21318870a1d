//! Networks in a dry run.

use std::net::IpAddr;
use std::time::Duration;

use rhai::Dynamic;

use super::{DryRun, Effect, process};
use crate::diag::Report;
use crate::host::routes::Route;
use crate::ops::network::{MakeNetwork, RemoveName};
use crate::ops::raw::{Clone3, InNetwork};
use crate::plan::{NetworkAction, Op, Plan, RawAction, Request};
use crate::run::{Dropped, Link, Listener, Namespace, Neighbour, Probe, RunError};
use crate::script::binding::call::Call;
use crate::script::binding::effects::{NetworkEffects, joined, network_of, network_of_pid};
use crate::script::binding::error::VerbError;
use crate::script::binding::value::{ProcessHandle, SharedNetwork};
use crate::spec::{JoinedNetwork, Namespaces, NetworkName};

impl DryRun {
    fn note_network(&self, label: &str, action: impl Into<NetworkAction>, call: &Call<'_, '_>) {
        let action = Box::new(action.into());
        self.note(InNetwork { network: label.to_owned(), action }, call);
    }

    /// The addresses that a run would have given to a network.
    fn addresses(&self, label: &str) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        for effect in self.effects.borrow().iter() {
            if let Effect::Raw { planned, .. } = effect
                && let Op::RawAction(RawAction::InNetwork(InNetwork { network, action })) =
                    &planned.action
                && network == label
                && let NetworkAction::Address(address) = &**action
            {
                address.note(&mut addresses);
            }
        }
        addresses
    }

    /// The names of the networks that a run would have made, and whether they are the recipe's.
    fn networks(&self) -> Vec<(String, bool)> {
        let made = |effect: &Effect| {
            let Effect::Raw { planned, .. } = effect else { return None };
            let Op::RawAction(RawAction::InNetwork(InNetwork { network, action })) =
                &planned.action
            else {
                return None;
            };
            let NetworkAction::MakeNetwork(MakeNetwork(name)) = &**action else { return None };
            Some((network.clone(), name.is_some()))
        };
        self.effects.borrow().iter().filter_map(made).collect()
    }
}

impl NetworkEffects for DryRun {
    fn network(
        &self,
        name: Option<NetworkName>,
        call: &Call<'_, '_>,
    ) -> Result<SharedNetwork, RunError> {
        let made = self.networks();
        let anonymous = made.iter().filter(|(_, is_named)| !is_named).count();
        let number = || format!("net{}", anonymous + 1);
        let label = name.as_ref().map_or_else(number, |name| name.as_str().to_owned());
        if name.is_none() || !made.contains(&(label.clone(), true)) {
            self.note_network(&label, MakeNetwork(name), call);
        }
        Ok(SharedNetwork { network: None, label })
    }

    fn network_of(&self, namespace: Namespace, call: &Call<'_, '_>) -> SharedNetwork {
        network_of(namespace, call)
    }

    fn network_of_process(
        &self,
        handle: &ProcessHandle,
        call: &Call<'_, '_>,
    ) -> Result<SharedNetwork, VerbError> {
        match handle.pid {
            Some(pid) => network_of_pid(pid, call),
            None => Ok(SharedNetwork { network: None, label: "NET".into() }),
        }
    }

    fn in_network(
        &self,
        network: &SharedNetwork,
        action: NetworkAction,
        _: Option<&SharedNetwork>,
        call: &Call<'_, '_>,
    ) -> Result<(), VerbError> {
        self.note_network(&network.label, action, call);
        Ok(())
    }

    fn remove_network(
        &self,
        network: &SharedNetwork,
        call: &Call<'_, '_>,
    ) -> Result<(), VerbError> {
        if let Ok(name) = NetworkName::new(&network.label) {
            self.note_network(&network.label, RemoveName(name), call);
        }
        Ok(())
    }

    fn set_resolver(&self, _: &SharedNetwork, _: String) -> Result<(), Report> {
        Ok(())
    }

    fn to_join(
        &self,
        network: &SharedNetwork,
        call: &Call<'_, '_>,
    ) -> Result<JoinedNetwork, VerbError> {
        // At a prompt, the network can exist.
        if let Some(network) = &network.network {
            return joined(network, call);
        }
        let label = network.label.clone();
        let addresses = self.addresses(&label);
        Ok(JoinedNetwork { label, inode: 0, descriptor: None, resolver: None, addresses })
    }

    fn plan_in_network(
        &self,
        network: &SharedNetwork,
        request: &Request,
        call: &Call<'_, '_>,
    ) -> Result<Plan, VerbError> {
        Ok(call.context.runner.plan_in(self.to_join(network, call)?, request))
    }

    /// A network that was not created is assumed to work.
    fn probe(
        &self,
        _: &SharedNetwork,
        _: Probe,
        _: Duration,
        _: &Call<'_, '_>,
    ) -> Result<bool, VerbError> {
        Ok(true)
    }

    fn listen(
        &self,
        _: &SharedNetwork,
        _: &Listener,
        call: &Call<'_, '_>,
    ) -> Result<ProcessHandle, VerbError> {
        self.note(Clone3(Namespaces::NONE), call);
        Ok(process(None, Dynamic::UNIT))
    }

    fn links(&self, network: &SharedNetwork, call: &Call<'_, '_>) -> Result<Vec<Link>, VerbError> {
        let Some(network) = &network.network else { return Ok(Vec::new()) };
        Ok(call.context.runner.links(network, call.origin().as_ref())?)
    }

    fn routes(
        &self,
        network: &SharedNetwork,
        call: &Call<'_, '_>,
    ) -> Result<Vec<Route>, VerbError> {
        let Some(network) = &network.network else { return Ok(Vec::new()) };
        Ok(call.context.runner.routes(network, call.origin().as_ref())?)
    }

    fn neighbours(
        &self,
        network: &SharedNetwork,
        call: &Call<'_, '_>,
    ) -> Result<Vec<Neighbour>, VerbError> {
        let Some(network) = &network.network else { return Ok(Vec::new()) };
        Ok(call.context.runner.neighbours(network, call.origin().as_ref())?)
    }

    fn dropped(
        &self,
        network: &SharedNetwork,
        call: &Call<'_, '_>,
    ) -> Result<Vec<Dropped>, VerbError> {
        let Some(network) = &network.network else { return Ok(Vec::new()) };
        Ok(call.context.runner.dropped(network, call.origin().as_ref())?)
    }
}
