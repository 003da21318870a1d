//! Routes.

use std::net::IpAddr;

use super::{NetworkOperation, at, ip, sent, verb, word};
use crate::ops::Told;
use crate::ops::strace::Called;
use crate::spec::{Destination, InterfaceName};

/// A route is made or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where it leads.
    pub destination: Destination,
    /// The next router.
    pub gateway: Option<IpAddr>,
    /// The interface.
    pub name: Option<InterfaceName>,
    /// Of several the one with the lowest is taken.
    pub metric: Option<u32>,
    /// Whether it is taken away.
    pub away: bool,
}

impl NetworkOperation for Route {
    fn name(&self) -> &'static str {
        "route"
    }

    fn told(&self, network: &str) -> Told {
        let Self { destination, gateway, name, metric, away } = self;
        let what = match destination {
            Destination::Default => "the default route".to_owned(),
            Destination::Network(prefix) => format!("the route to {prefix}"),
        };
        let by = gateway.map_or(String::new(), |gateway| format!(" by {gateway}"));
        let on = name.as_ref().map_or(String::new(), |name| format!(" on {name}"));
        let doing = if *away { "remove" } else { "add" };
        let via = gateway.map_or(String::new(), |gateway| format!(" via {gateway}"));
        let device = name.as_ref().map_or(String::new(), |it| format!(" dev {}", word(it)));
        let metric = metric.map_or(String::new(), |metric| format!(" metric {metric}"));
        let (ip, verb) = (ip(network), verb(*away));
        Told {
            sentence: format!("{doing} {what}{by}{on} {}", at(network)),
            source: None,
            target: Some(destination.to_string()),
            shell: Some(format!("{ip} route {verb} {destination}{via}{device}{metric}")),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        let Self { destination, gateway, name, metric, away } = self;
        let kind = if *away { "RTM_DELROUTE" } else { "RTM_NEWROUTE" };
        let mut words = vec![format!("RTA_DST={destination}")];
        words.extend(gateway.map(|gateway| format!("RTA_GATEWAY={gateway}")));
        let index = |name: &InterfaceName| format!("if_nametoindex({:?})", name.as_str());
        words.extend(name.as_ref().map(|name| format!("RTA_OIF={}", index(name))));
        words.extend(metric.map(|metric| format!("RTA_PRIORITY={metric}")));
        vec![sent(network, kind, &words.join(", "))]
    }
}
