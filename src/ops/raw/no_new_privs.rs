//! The promise of this process to gain no rights by a program: PR_SET_NO_NEW_PRIVS(2const).

use crate::ops::Told;
use crate::ops::raw::{Effect, Prepare, RawFacts, RawOperation};
use crate::ops::strace::Called;
use crate::sys::Raw;

/// No program that is executed gains rights.
#[derive(Clone, Debug, PartialEq)]
pub struct NoNewPrivs;

impl RawOperation for NoNewPrivs {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "no_new_privs", effect: Effect::Own }
    }

    fn told(&self) -> Told {
        Told {
            sentence: "prevent programs from gaining privileges".into(),
            source: None,
            target: None,
            shell: Some("setpriv --no-new-privs".into()),
        }
    }

    fn calls(&self) -> Vec<Called> {
        vec![Called::new("prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)")]
    }
}

impl Prepare for NoNewPrivs {
    fn prepare(&self) -> Raw<'static> {
        Raw::NoNewPrivs
    }
}
