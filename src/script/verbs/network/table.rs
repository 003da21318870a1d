//! The contents of a network, as tables.

use rhai::Map;

use crate::run::{Dropped, Link, Neighbour};
use crate::script::binding::argument::Returned;
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::value::{SharedNamespace, SharedNetwork};
use crate::script::binding::verb::{Verb, verbs};
use crate::script::verbs::host::listing::{interface_row, route_row, row};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["table.rs";
    get name,
    get namespace,
    fn interfaces,
    fn routes,
    fn neighbours,
    fn dropped,
];

fn link_row(link: Link) -> Map {
    let mut row = interface_row(link.interface);
    row.insert("kind".into(), link.kind.into());
    row.insert("bridge".into(), link.bridge.into_dynamic());
    row
}

fn neighbour_row(neighbour: Neighbour) -> Map {
    let mac = neighbour.mac.map(|bytes| bytes.map(|byte| format!("{byte:02x}")).join(":"));
    row([
        ("address", neighbour.address.to_string().into()),
        ("mac", mac.into_dynamic()),
        ("device", neighbour.device.into()),
        ("state", neighbour.state.into()),
    ])
}

fn dropped_row(dropped: Dropped) -> Map {
    let Dropped { rule, flow, packets, bytes } = dropped;
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX).into();
    let text = |part: Option<String>| part.into_dynamic();
    row([
        ("rule", rule.into()),
        ("source", text(flow.as_ref().map(|flow| flow.source.to_string()))),
        ("destination", text(flow.as_ref().map(|flow| flow.destination.to_string()))),
        ("protocol", text(flow.as_ref().map(|flow| flow.protocol.clone()))),
        ("port", flow.and_then(|flow| flow.port).map(i64::from).into_dynamic()),
        ("packets", number(packets)),
        ("bytes", number(bytes)),
    ])
}

/// The name of the network, or `()` if it has none.
fn name(_call: &Call<'_, '_>, network: SharedNetwork) -> Option<String> {
    network.name()
}

/// The network namespace.
fn namespace(_call: &Call<'_, '_>, network: SharedNetwork) -> Option<SharedNamespace> {
    network.namespace()
}

/// Returns the interfaces of the network, sorted by index.
///
/// Each row has the keys of the function `interfaces()`, and `kind` as ip(8) names it (`"veth"`,
/// `"bridge"`; empty for `lo`) and `bridge`, the bridge that it is a port of, or `()`.
///
/// # Errors
/// nsscript has no rights over the network.
///
/// # Example
/// ```rhai
/// for found in netns().bridge("br0", []).interfaces() { print(`${found.name}: ${found.kind}`); }
/// ```
/// # See
/// ip-link(8), rtnetlink(7)
fn interfaces(call: &Call<'_, '_>, network: SharedNetwork) -> Result<Vec<Map>, VerbError> {
    let links = call.effects().links(&network, call)?;
    Ok(links.into_iter().map(link_row).collect())
}

/// Returns the routes of the network, with the keys of the function `routes()`.
///
/// # Errors
/// nsscript has no rights over the network, or no proc filesystem is mounted on /proc.
///
/// # Example
/// ```rhai
/// let net = netns().bridge("br0", []).address("br0", "10.0.0.1/24");
/// for found in net.routes() { print(`${found.destination} by ${found.device}`); }
/// ```
/// # See
/// ip-route(8)
fn routes(call: &Call<'_, '_>, network: SharedNetwork) -> Result<Vec<Map>, VerbError> {
    let routes = call.effects().routes(&network, call)?;
    Ok(routes.into_iter().map(route_row).collect())
}

/// Returns the neighbour table of the network.
///
/// Each row has `address`, `mac` (`()` if it is unknown), `device` and `state`: `"reachable"`,
/// `"stale"`, `"permanent"`, `"incomplete"`, `"failed"`, ….
///
/// # Errors
/// nsscript has no rights over the network.
///
/// # Example
/// ```rhai
/// print(netns().neighbours());
/// ```
/// # See
/// ip-neighbour(8)
fn neighbours(call: &Call<'_, '_>, network: SharedNetwork) -> Result<Vec<Map>, VerbError> {
    let found = call.effects().neighbours(&network, call)?;
    Ok(found.into_iter().map(neighbour_row).collect())
}

/// Returns what the rules of `block` and `drop_by_default` have dropped.
///
/// Each row has `rule` (the sentence of the rule, as in a plan, at most 127 bytes), `source`, `destination`, `protocol`,
/// `port`, `packets` and `bytes`. A rule of `block` has one row, with `()` as addresses, protocol and
/// port; its sentence says which packets it drops. `drop_by_default` has a row for each flow that it
/// dropped: `port` is the destination port, or `()` if the protocol has none. Of more than 4096
/// flows with ports, the further ones are recorded without their ports, and of more than 4096 such
/// flows, the rest is one row without addresses. Rules that dropped nothing have no row.
///
/// # Errors
/// nsscript has no rights over the network. The kernel does not support nftables.
///
/// # Example
/// ```rhai
/// let net = netns().drop_by_default().block(#{ destination: "127.0.0.2" });
/// assert(!net.ping("127.0.0.2", #{ timeout: "50ms" }));
/// for found in net.dropped() { print(`${found.rule}: ${found.packets} packets`); }
/// ```
/// # See
/// nft(8)
fn dropped(call: &Call<'_, '_>, network: SharedNetwork) -> Result<Vec<Map>, VerbError> {
    let found = call.effects().dropped(&network, call)?;
    Ok(found.into_iter().map(dropped_row).collect())
}
