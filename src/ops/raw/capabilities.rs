//! The capabilities of this process: capset(2), and PR_CAPBSET_DROP(2const).

use crate::diag::list;
use crate::ops::Told;
use crate::ops::raw::{Effect, RawFacts, RawOperation};
use crate::ops::strace::Called;
use crate::spec::Capability;

/// The capabilities are changed.
#[derive(Clone, Debug, PartialEq)]
pub struct SetCapabilities {
    /// Those in the effective and permitted sets.
    pub kept: Vec<Capability>,
    /// Others leave the bounding set, too.
    pub bounding: bool,
}

impl SetCapabilities {
    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.kept.iter().map(|one| one.name())
    }

    /// The set, one bit for each.
    #[must_use]
    pub fn set(&self) -> u64 {
        self.kept.iter().fold(0, |set, one| set | 1 << one.number())
    }
}

impl RawOperation for SetCapabilities {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "set_capabilities", effect: Effect::Own }
    }

    fn told(&self) -> Told {
        let Self { kept: _, bounding: _ } = self;
        let names: Vec<_> = self.names().collect();
        let sentence = if names.is_empty() {
            "drop all capabilities".into()
        } else {
            format!("drop all capabilities except {}", list(&names, "and"))
        };
        let short = names.iter().map(|name| name.trim_start_matches("CAP_").to_lowercase());
        let kept: Vec<_> = short.map(|name| format!(",+{name}")).collect();
        let shell = format!("setpriv --bounding-set -all{}", kept.concat());
        Told { sentence, source: None, target: None, shell: Some(shell) }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { kept: _, bounding } = self;
        let names: Vec<_> = self.names().collect();
        let names = if names.is_empty() { "0".into() } else { names.join("|") };
        let header = "{version=_LINUX_CAPABILITY_VERSION_3, pid=0}";
        let sets = format!("{{effective={names}, permitted={names}, inheritable=0}}");
        let capset = Called::new(format!("capset({header}, {sets})"));
        let bound = Called::new("prctl(PR_CAPBSET_DROP, …) /* each of the others */");
        if *bounding { vec![bound, capset] } else { vec![capset] }
    }
}
