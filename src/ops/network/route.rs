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
    /// How packets are refused, if the route leads nowhere.
    pub refusal: Option<Refusal>,
    /// Whether it is taken away.
    pub away: bool,
}

/// How packets are refused that a route is for: ip-route(8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody is told.
    Blackhole,
    /// The sender is told that there is no way.
    Unreachable,
    /// The sender is told that it is forbidden.
    Prohibit,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Blackhole, Self::Unreachable, Self::Prohibit];

    /// The word of ip(8).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Blackhole => "blackhole",
            Self::Unreachable => "unreachable",
            Self::Prohibit => "prohibit",
        }
    }
}

impl NetworkOperation for Route {
    fn name(&self) -> &'static str {
        "route"
    }

    fn told(&self, network: &str) -> Told {
        let Self { destination, gateway, name, metric, refusal, away } = self;
        let kind = refusal.map_or(String::new(), |refusal| format!("{} ", refusal.name()));
        let what = match destination {
            Destination::Default => format!("the {kind}default route"),
            Destination::Network(prefix) => format!("the {kind}route to {prefix}"),
        };
        let on = name.as_ref().map_or(String::new(), |name| format!(" on {name}"));
        let doing = if *away { "remove" } else { "add" };
        let via = gateway.map_or(String::new(), |gateway| format!(" via {gateway}"));
        let device = name.as_ref().map_or(String::new(), |it| format!(" dev {}", word(it)));
        let metric = metric.map_or(String::new(), |metric| format!(" metric {metric}"));
        let (ip, verb) = (ip(network), verb(*away));
        Told {
            sentence: format!("{doing} {what}{via}{on} {}", at(network)),
            source: None,
            target: Some(destination.to_string()),
            shell: Some(format!("{ip} route {verb} {kind}{destination}{via}{device}{metric}")),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        let Self { destination, gateway, name, metric, refusal, away } = self;
        let kind = if *away { "RTM_DELROUTE" } else { "RTM_NEWROUTE" };
        let name_of = |refusal: &Refusal| refusal.name().to_uppercase();
        let refused = refusal.as_ref().map(|it| format!("rtm_type=RTN_{}", name_of(it)));
        let mut words: Vec<_> = refused.into_iter().collect();
        words.push(format!("RTA_DST={destination}"));
        words.extend(gateway.map(|gateway| format!("RTA_GATEWAY={gateway}")));
        let index = |name: &InterfaceName| format!("if_nametoindex({:?})", name.as_str());
        words.extend(name.as_ref().map(|name| format!("RTA_OIF={}", index(name))));
        words.extend(metric.map(|metric| format!("RTA_PRIORITY={metric}")));
        vec![sent(network, kind, &words.join(", "))]
    }
}
