//! Networks in a run.

use std::rc::Rc;
use std::time::Duration;

use super::{Kernel, not_started};
use crate::diag::Report;
use crate::host::routes::Route;
use crate::plan::{NetworkAction, Plan, Request};
use crate::run::{Dropped, Link, Listener, Namespace, Neighbour, Network, Probe, RunError};
use crate::script::binding::call::Call;
use crate::script::binding::effects::{NetworkEffects, joined, network_of, network_of_pid};
use crate::script::binding::error::VerbError;
use crate::script::binding::value::{ProcessHandle, SharedNetwork};
use crate::spec::{JoinedNetwork, NetworkName};

/// The network of a value. A value of a dry run, which a prompt can keep, has none.
pub(super) fn existing(network: &SharedNetwork) -> Result<&Rc<Network>, Report> {
    let missing = || Report::error("this network was not created: it comes from a dry run");
    network.network.as_ref().ok_or_else(missing)
}

impl NetworkEffects for Kernel {
    fn network(
        &self,
        name: Option<NetworkName>,
        call: &Call<'_, '_>,
    ) -> Result<SharedNetwork, RunError> {
        let network = call.context.runner.network(name.as_ref(), call.origin().as_ref())?;
        let label = network.label.clone();
        Ok(SharedNetwork { network: Some(network), label })
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
            None => Err(not_started().into()),
        }
    }

    fn in_network(
        &self,
        network: &SharedNetwork,
        action: NetworkAction,
        other: Option<&SharedNetwork>,
        call: &Call<'_, '_>,
    ) -> Result<(), VerbError> {
        let network = existing(network)?;
        let other = other.map(|other| existing(other)).transpose()?;
        let with = other.map(|other| &**other);
        call.context.runner.in_network(network, &action, with, call.origin().as_ref())?;
        if let Some(other) = other {
            network.join(other);
        }
        Ok(())
    }

    fn remove_network(
        &self,
        network: &SharedNetwork,
        call: &Call<'_, '_>,
    ) -> Result<(), VerbError> {
        let network = existing(network)?;
        Ok(call.context.runner.remove_network(network, call.origin().as_ref())?)
    }

    fn set_resolver(&self, network: &SharedNetwork, text: String) -> Result<(), Report> {
        existing(network)?.set_resolver(text);
        Ok(())
    }

    fn to_join(
        &self,
        network: &SharedNetwork,
        call: &Call<'_, '_>,
    ) -> Result<JoinedNetwork, VerbError> {
        joined(existing(network)?, call)
    }

    fn plan_in_network(
        &self,
        network: &SharedNetwork,
        request: &Request,
        call: &Call<'_, '_>,
    ) -> Result<Plan, VerbError> {
        Ok(call.context.runner.plan_in_network(existing(network)?, request)?)
    }

    fn probe(
        &self,
        network: &SharedNetwork,
        probe: Probe,
        time: Duration,
        call: &Call<'_, '_>,
    ) -> Result<bool, VerbError> {
        let network = existing(network)?;
        let took = call.context.runner.probe(network, probe, time, call.origin().as_ref())?;
        Ok(took.is_some())
    }

    fn listen(
        &self,
        network: &SharedNetwork,
        listener: &Listener,
        call: &Call<'_, '_>,
    ) -> Result<ProcessHandle, VerbError> {
        let network = existing(network)?;
        call.context.printed();
        let process = call.context.runner.listen(network, listener, call.origin().as_ref())?;
        Ok(call.context.started(process))
    }

    fn links(&self, network: &SharedNetwork, call: &Call<'_, '_>) -> Result<Vec<Link>, VerbError> {
        Ok(call.context.runner.links(existing(network)?, call.origin().as_ref())?)
    }

    fn routes(
        &self,
        network: &SharedNetwork,
        call: &Call<'_, '_>,
    ) -> Result<Vec<Route>, VerbError> {
        Ok(call.context.runner.routes(existing(network)?, call.origin().as_ref())?)
    }

    fn neighbours(
        &self,
        network: &SharedNetwork,
        call: &Call<'_, '_>,
    ) -> Result<Vec<Neighbour>, VerbError> {
        Ok(call.context.runner.neighbours(existing(network)?, call.origin().as_ref())?)
    }

    fn dropped(
        &self,
        network: &SharedNetwork,
        call: &Call<'_, '_>,
    ) -> Result<Vec<Dropped>, VerbError> {
        Ok(call.context.runner.dropped(existing(network)?, call.origin().as_ref())?)
    }
}
