//! Rules that drop packets.

use super::{NetworkOperation, Packets, add_rules, at, flush, new_rules, sent};
use crate::ops::Told;
use crate::ops::strace::Called;
use crate::spec::Direction;

/// Packets are dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block(pub Packets);

/// What was blocked no longer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unblock;

/// The number of bytes that nft(8) lets a comment have.
const LONGEST_COMMENT: usize = 127;

impl Block {
    /// What the rules are called in the kernel, where the comment of a rule cannot contain quotes.
    #[must_use]
    pub fn comment(&self) -> String {
        let comment = format!("drop {}", self.0.describe()).replace(['"', '\\'], "'");
        if comment.len() <= LONGEST_COMMENT {
            return comment;
        }
        let end = comment.floor_char_boundary(LONGEST_COMMENT - "…".len());
        format!("{}…", &comment[..end])
    }

    /// As nft(8) writes them.
    fn rules(&self) -> Vec<String> {
        self.0.rules(&format!("counter drop comment \"{}\"", self.comment()))
    }
}

impl NetworkOperation for Block {
    fn name(&self) -> &'static str {
        "block"
    }

    fn told(&self, network: &str) -> Told {
        let Self(packets) = self;
        let chains: Vec<_> = packets.directions().into_iter().map(Direction::chain).collect();
        Told {
            sentence: format!("drop {} {}", packets.describe(), at(network)),
            source: None,
            target: None,
            shell: Some(add_rules(network, &chains, "filter", &self.rules())),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        new_rules(network, &self.rules())
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
            shell: Some(flush(network, &["input", "forward", "output"], "filter")),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        vec![sent(network, "NFT_MSG_DELRULE", "chains input, forward and output")]
    }
}
