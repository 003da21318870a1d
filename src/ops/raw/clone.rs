//! A copy of this process, in new namespaces or in none: clone3(2).

use crate::ops::Told;
use crate::ops::raw::{Effect, RawFacts, RawOperation};
use crate::ops::strace::{Called, clone3};
use crate::ops::words::{letters, new_names};
use crate::spec::Namespaces;

/// A copy of this process is started, in these new namespaces.
#[derive(Clone, Debug, PartialEq)]
pub struct Clone3(pub Namespaces);

impl RawOperation for Clone3 {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "clone", effect: Effect::Child(self.0) }
    }

    fn told(&self) -> Told {
        let Self(namespaces) = *self;
        let (sentence, shell) = if namespaces.is_empty() {
            ("start a child process".into(), None)
        } else {
            (
                format!("start a child process in {}", new_names(namespaces)),
                Some(format!("unshare --fork -{}", letters(namespaces))),
            )
        };
        Told { sentence, source: None, target: None, shell }
    }

    fn calls(&self) -> Vec<Called> {
        let Self(namespaces) = self;
        let flags = if namespaces.is_empty() { String::new() } else { namespaces.to_string() };
        vec![clone3(&flags)]
    }
}
