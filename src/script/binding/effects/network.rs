//! The interface for what the verbs of networks do.

use std::rc::Rc;
use std::time::Duration;

use crate::diag::{Report, quoted};
use crate::host::routes::Route;
use crate::plan::{NetworkAction, Plan, Request};
use crate::run::{Dropped, Link, Listener, Namespace, Neighbour, Network, Probe, RunError};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::value::{ProcessHandle, SharedNetwork};
use crate::spec::{JoinedNetwork, NetworkName};

/// The effects of the verbs of networks.
pub trait NetworkEffects {
    /// A network: a new one, or the one of this name.
    fn network(
        &self,
        name: Option<NetworkName>,
        call: &Call<'_, '_>,
    ) -> Result<SharedNetwork, RunError>;

    /// The network of a namespace.
    fn network_of(&self, namespace: Namespace, call: &Call<'_, '_>) -> SharedNetwork;

    /// The network that a process is in.
    fn network_of_process(
        &self,
        process: &ProcessHandle,
        call: &Call<'_, '_>,
    ) -> Result<SharedNetwork, VerbError>;

    /// Performs an action in a network; `other` is the second network of the action, if any.
    fn in_network(
        &self,
        network: &SharedNetwork,
        action: NetworkAction,
        other: Option<&SharedNetwork>,
        call: &Call<'_, '_>,
    ) -> Result<(), VerbError>;

    /// Removes the name of a network.
    fn remove_network(&self, network: &SharedNetwork, call: &Call<'_, '_>)
    -> Result<(), VerbError>;

    /// Sets the /etc/resolv.conf of sandboxes in the network.
    fn set_resolver(&self, network: &SharedNetwork, text: String) -> Result<(), Report>;

    /// A network as a sandbox joins it.
    fn to_join(
        &self,
        network: &SharedNetwork,
        call: &Call<'_, '_>,
    ) -> Result<JoinedNetwork, VerbError>;

    /// The plan of a program that runs in a network.
    fn plan_in_network(
        &self,
        network: &SharedNetwork,
        request: &Request,
        call: &Call<'_, '_>,
    ) -> Result<Plan, VerbError>;

    /// Whether something answers in time.
    fn probe(
        &self,
        network: &SharedNetwork,
        probe: Probe,
        time: Duration,
        call: &Call<'_, '_>,
    ) -> Result<bool, VerbError>;

    /// Starts a process that answers on a port.
    fn listen(
        &self,
        network: &SharedNetwork,
        listener: &Listener,
        call: &Call<'_, '_>,
    ) -> Result<ProcessHandle, VerbError>;

    /// The interfaces of a network.
    fn links(&self, network: &SharedNetwork, call: &Call<'_, '_>) -> Result<Vec<Link>, VerbError>;

    /// The routes of a network.
    fn routes(&self, network: &SharedNetwork, call: &Call<'_, '_>)
    -> Result<Vec<Route>, VerbError>;

    /// The neighbours of a network.
    fn neighbours(
        &self,
        network: &SharedNetwork,
        call: &Call<'_, '_>,
    ) -> Result<Vec<Neighbour>, VerbError>;

    /// What the rules of a network have dropped.
    fn dropped(
        &self,
        network: &SharedNetwork,
        call: &Call<'_, '_>,
    ) -> Result<Vec<Dropped>, VerbError>;
}

pub(in crate::script) fn network_of(namespace: Namespace, call: &Call<'_, '_>) -> SharedNetwork {
    let network = call.context.runner.network_of(namespace);
    let label = network.label.clone();
    SharedNetwork { network: Some(Rc::new(network)), label }
}

/// An existing network for a sandbox that joins it. Holding it has no effect.
pub(in crate::script) fn joined(
    network: &Network,
    call: &Call<'_, '_>,
) -> Result<JoinedNetwork, VerbError> {
    network.living(call.origin().as_ref()).map_err(|report| call.fail(report))?;
    network.held().map_err(|errno| {
        call.fail(Report::error(format!("cannot open the namespace of the network: {errno}")))
    })
}

pub(in crate::script) fn network_of_pid(
    pid: i32,
    call: &Call<'_, '_>,
) -> Result<SharedNetwork, VerbError> {
    let path = format!("/proc/{pid}/ns/net");
    let opened = Namespace::open(path.as_ref()).map_err(|errno| {
        let shown = quoted(&path);
        call.fail(Report::error(format!("cannot open the network namespace {shown}: {errno}")))
    })?;
    let missing = || call.fail(Report::error(format!("{} is not a namespace", quoted(&path))));
    Ok(network_of(opened.ok_or_else(missing)?, call))
}
