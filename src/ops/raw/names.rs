//! The names of the UTS namespace that this process is in: sethostname(2), setdomainname(2).

use crate::diag::{c_literal, quoted};
use crate::ops::Told;
use crate::ops::raw::{Effect, Prepare, RawFacts, RawOperation};
use crate::ops::strace::Called;
use crate::spec::{Kind, shell_word};
use crate::sys::Raw;

/// The host name is set.
#[derive(Clone, Debug, PartialEq)]
pub struct SetHostname(pub String);

/// The NIS domain name is set.
#[derive(Clone, Debug, PartialEq)]
pub struct SetDomainname(pub String);

impl RawOperation for SetHostname {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "sethostname", effect: Effect::Held(Kind::Uts) }
    }

    fn told(&self) -> Told {
        let Self(name) = self;
        Told {
            sentence: format!("set the host name to {}", quoted(name)),
            source: None,
            target: None,
            shell: Some(format!("hostname {}", shell_word(name))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self(name) = self;
        vec![Called::new(format!("sethostname({}, {})", c_literal(name), name.len()))]
    }
}

impl Prepare for SetHostname {
    fn prepare(&self) -> Raw<'static> {
        Raw::Sethostname(self.0.clone().into_bytes())
    }
}

impl RawOperation for SetDomainname {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "setdomainname", effect: Effect::Held(Kind::Uts) }
    }

    fn told(&self) -> Told {
        let Self(name) = self;
        Told {
            sentence: format!("set the domain name to {}", quoted(name)),
            source: None,
            target: None,
            shell: Some(format!("domainname {}", shell_word(name))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self(name) = self;
        vec![Called::new(format!("setdomainname({}, {})", c_literal(name), name.len()))]
    }
}

impl Prepare for SetDomainname {
    fn prepare(&self) -> Raw<'static> {
        Raw::Setdomainname(self.0.clone().into_bytes())
    }
}
