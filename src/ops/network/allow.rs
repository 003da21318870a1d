//! Rules that let packets pass which are dropped by default.

use super::{NetworkOperation, Packets, TABLE, at, new_rules, nft, sent};
use crate::ops::Told;
use crate::ops::strace::Called;
use crate::spec::Direction;

/// Packets pass that would be dropped by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow(pub Packets);

/// What was allowed no longer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disallow;

/// The commands that make the chain of what is allowed in a direction.
pub(super) fn chain(direction: Direction) -> String {
    format!("add chain inet nsscript allowed_{}", direction.chain())
}

impl NetworkOperation for Allow {
    fn name(&self) -> &'static str {
        "allow"
    }

    fn told(&self, network: &str) -> Told {
        let Self(packets) = self;
        let mut text = TABLE.to_owned();
        for direction in packets.directions() {
            text.push_str(&format!("; {}", chain(direction)));
            for rule in packets.rules("accept") {
                let chain = direction.chain();
                text.push_str(&format!("; add rule inet nsscript allowed_{chain} {rule}"));
            }
        }
        Told {
            sentence: format!("allow {} {}", packets.describe(), at(network)),
            source: None,
            target: None,
            shell: Some(nft(network, &text)),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        new_rules(network, &self.0.rules("accept"))
    }
}

impl NetworkOperation for Disallow {
    fn name(&self) -> &'static str {
        "allow"
    }

    fn told(&self, network: &str) -> Told {
        let mut text = TABLE.to_owned();
        for direction in Direction::ALL {
            let (chain, name) = (chain(direction), direction.chain());
            text.push_str(&format!("; {chain}; flush chain inet nsscript allowed_{name}"));
        }
        Told {
            sentence: format!("remove all allow rules {}", at(network)),
            source: None,
            target: None,
            shell: Some(nft(network, &text)),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        let chains = "chains allowed_input, allowed_forward and allowed_output";
        vec![sent(network, "NFT_MSG_DELRULE", chains)]
    }
}
