//! Rules that drop packets.

use super::{NetworkOperation, Packets, at, flush, nft, sent};
use crate::ops::Told;
use crate::ops::strace::Called;

/// Packets are dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block(pub Packets);

/// What was blocked no longer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unblock;

impl NetworkOperation for Block {
    fn name(&self) -> &'static str {
        "block"
    }

    fn told(&self, network: &str) -> Told {
        let Self(packets) = self;
        let rule = format!("{}drop", packets.expression());
        Told {
            sentence: format!("drop {} {}", packets.describe(), at(network)),
            source: None,
            target: None,
            shell: Some(nft(network, &packets.chains(), "filter", &rule)),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        let rule = format!("{}drop", self.0.expression());
        vec![sent(network, "NFT_MSG_NEWRULE", &rule)]
    }
}

impl NetworkOperation for Unblock {
    fn name(&self) -> &'static str {
        "block"
    }

    fn told(&self, network: &str) -> Told {
        Told {
            sentence: format!("remove all block rules {}", at(network)),
            source: None,
            target: None,
            shell: Some(flush(network, &["input", "forward", "output"])),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        vec![sent(network, "NFT_MSG_DELRULE", "chains input, forward and output")]
    }
}
