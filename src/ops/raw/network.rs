//! What is done in a network, as an operation of the raw layer.

use crate::ops::raw::{Effect, RawFacts, RawOperation};
use crate::ops::strace::Called;
use crate::ops::{NetworkAction, Told};

/// Something is done in a network namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct InNetwork {
    /// What that is called.
    pub network: String,
    /// What is done.
    pub action: Box<NetworkAction>,
}

impl RawOperation for InNetwork {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: self.action.name(), effect: Effect::Network }
    }

    fn told(&self) -> Told {
        let Self { network, action } = self;
        action.told(network)
    }

    fn calls(&self) -> Vec<Called> {
        let Self { network, action } = self;
        action.calls(network)
    }
}
