//! Resource limits of programs: getrlimit(2).

use crate::diag::{Origin, Report};
use crate::ops::{
    Asking, Called, Carried, Changes, Facts, Leaves, Lower, Lowering, Operation, Planning, Scope,
    Told, Turn,
};
use crate::spec::{GuestPath, Namespaces, Resource, UNLIMITED, ValueError};
use crate::sys::Call;

/// Limits a resource of each process of the program.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// The resource.
    pub resource: Resource,
    /// The soft limit; [`UNLIMITED`] for none.
    pub soft: u64,
    /// The hard limit, up to which the program may raise it.
    pub hard: u64,
}

impl Limit {
    /// A limit that programs may raise to `hard`.
    ///
    /// # Errors
    /// The soft limit is above the hard limit.
    pub fn new(resource: Resource, soft: u64, hard: u64) -> Result<Self, ValueError> {
        if soft > hard {
            let message = format!("the soft limit of `{}` is above its hard limit", resource.name);
            return Err(ValueError::new(message));
        }
        Ok(Self { resource, soft, hard })
    }
}

impl Operation for Limit {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "limit",
            turn: Turn::Limits,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let Self { resource, soft, hard } = *self;
        let number = |limit: u64| match limit {
            UNLIMITED => "unlimited".to_owned(),
            limit => limit.to_string(),
        };
        let (name, shell) = (resource.name, format!("{}:{}", number(soft), number(hard)));
        Told {
            sentence: format!("limit `{name}` to {}", shown(self)),
            source: None,
            target: Some(name.to_owned()),
            shell: Some(format!("prlimit --pid $$ --{name}={shell}")),
        }
    }
}

/// The limit in words, with the hard limit if it differs.
fn shown(limit: &Limit) -> String {
    let Limit { resource, soft, hard } = *limit;
    let more = if soft == hard {
        String::new()
    } else {
        format!(", which programs may raise to {}", resource.shown(hard))
    };
    format!("{}{more}", resource.shown(soft))
}

impl Lower for Limit {
    fn lower(&self, to: &mut Lowering<'_>) {
        let Self { resource, soft, hard } = *self;
        to.limit(Call::Limit { resource: resource.number, soft, hard });
    }
}

impl Carried for Limit {
    fn calls(&self) -> Vec<Called> {
        let Self { resource, soft, hard } = *self;
        vec![limit(resource.number, soft, hard)]
    }
}

/// The call that sets a limit of this process.
pub(in crate::ops) fn limit(resource: u32, soft: u64, hard: u64) -> Called {
    let known = Resource::ALL.iter().find(|known| known.number == resource);
    let name = known.map_or("?", |known| known.constant);
    let number = |limit: u64| match limit {
        UNLIMITED => "RLIM64_INFINITY".to_owned(),
        limit => limit.to_string(),
    };
    let (soft, hard) = (number(soft), number(hard));
    Called::new(format!("prlimit64(0, {name}, {{rlim_cur={soft}, rlim_max={hard}}}, NULL)"))
}

impl Asking for Limit {
    fn name(&self) -> &'static str {
        "limit"
    }

    fn say(&self) -> String {
        format!("limit {} {}", self.resource.name, shown(self))
    }

    fn changes(&self) -> Changes {
        Changes::Program
    }

    fn key(&self) -> Option<&str> {
        Some(self.resource.constant)
    }

    fn target(&self) -> Option<&GuestPath> {
        None
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        if self.resource.name == "nproc" && self.soft != UNLIMITED && to.is_root_outside() {
            let message = "`nproc` does not limit this program, because the kernel exempts root";
            let hint = "map the program to another user outside with `.map_user(0, 100000)` and \
                        `.map_group(0, 100000)`";
            let report = Report::warning(message).at(origin.cloned());
            to.warnings.push(report.advise("limit_exempts_root", hint));
        }
        to.push(self.clone(), origin);
        Ok(())
    }
}
