//! Policies for system calls: which of them programs can make. See seccomp(2).

mod argument;
mod calls;
mod compile;
mod profile;
mod user_namespaces;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::sync::OnceLock;

pub use argument::{Condition, Wanted, constant};
pub use calls::Architecture;
pub use compile::Instruction;
pub use profile::Circumstances;
pub use user_namespaces::without_user_namespaces;

use super::value_error::ValueError;
use crate::diag::{Origin, closest, quoted};
use calls::Kind;
use compile::{Decision, Table, Test};

/// `SECCOMP_RET_…` of seccomp(2).
const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0x8000_0000;
const LOG: u32 = 0x7ffc_0000;
const ERRNO: u32 = 0x0005_0000;

const EPERM: u16 = 1;
const ENOSYS: u16 = 38;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallAction {
    /// It is made.
    Allow,
    /// It is made, and noted in the log of the kernel.
    Log,
    /// It fails with this error number.
    Deny(u16),
    /// The process is killed by SIGSYS.
    Kill,
}

/// What becomes of a call that a policy cannot know.
const UNKNOWN: CallAction = CallAction::Deny(ENOSYS);

/// The errors that a rule can answer with: errno(3), the same numbers on x86-64 and aarch64.
const ERRNOS: [(&str, u16); 10] = [
    ("EPERM", EPERM),
    ("ENOENT", 2),
    ("EIO", 5),
    ("EBADF", 9),
    ("EAGAIN", 11),
    ("EACCES", 13),
    ("EINVAL", 22),
    ("ENOSYS", ENOSYS),
    ("EOPNOTSUPP", 95),
    ("EAFNOSUPPORT", 97),
];

impl CallAction {
    /// The usual denial.
    pub const DENIED: Self = Self::Deny(EPERM);

    /// A denial with an error by its name in errno(3).
    ///
    /// # Errors
    /// The name is unknown.
    pub fn deny(errno: &str) -> Result<Self, ValueError> {
        let found = ERRNOS.iter().find(|(name, _)| *name == errno);
        found.map(|(_, number)| Self::Deny(*number)).ok_or_else(|| {
            let error =
                ValueError::new(format!("a denied call cannot fail with {}", quoted(errno)));
            let names = ERRNOS.map(|(name, _)| name);
            match closest(errno, names) {
                Some(near) => error.hint(format!("did you mean {}?", quoted(near))),
                None => error.hint(format!("expected one of {}", names.join(", "))),
            }
        })
    }

    /// It in a word: `allow`, `log`, `kill`, or the name of the error.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Log => "log",
            Self::Kill => "kill",
            Self::Deny(errno) => {
                ERRNOS.iter().find(|(_, number)| *number == errno).map_or("deny", |(name, _)| name)
            }
        }
    }

    fn value(self) -> u32 {
        match self {
            Self::Allow => ALLOW,
            Self::Log => LOG,
            Self::Deny(errno) => ERRNO | u32::from(errno),
            Self::Kill => KILL,
        }
    }

    /// Whether the call is made.
    #[must_use]
    pub fn is_made(self) -> bool {
        matches!(self, Self::Allow | Self::Log)
    }
}

/// What a policy begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Every call but those that ordinary programs do not need and through which kernels were attacked.
    Default,
    /// The calls of ordinary services: `@system-service` of systemd.exec(5).
    Strict,
    /// Every call.
    None,
}

/// The presets by name.
const PRESETS: [(&str, Preset); 3] =
    [("default", Preset::Default), ("strict", Preset::Strict), ("none", Preset::None)];

/// What the default denies: the kernel's own programs and counters, rings of calls that no filter
/// sees, keys, other processes' memory, modules, another kernel, the clock, and files by handle.
/// Sorted.
const DENIED: [&str; 33] = [
    "acct",
    "add_key",
    "bpf",
    "clock_settime",
    "clock_settime64",
    "delete_module",
    "finit_module",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "nfsservctl",
    "open_by_handle_at",
    "perf_event_open",
    "pidfd_getfd",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "reboot",
    "request_key",
    "settimeofday",
    "stime",
    "swapoff",
    "swapon",
    "userfaultfd",
];

/// Calls with arguments that can be tested, and those that do the same with arguments in memory,
/// where no filter sees them.
const UNSEEN: [(&str, &str); 6] = [
    ("clone", "clone3"),
    ("open", "creat"),
    ("open", "openat2"),
    ("openat", "creat"),
    ("openat", "openat2"),
    ("unshare", "clone3"),
];

/// Calls of i386 that have their arguments in memory, unlike those of their names elsewhere.
const IN_MEMORY: [&str; 2] = ["mmap", "select"];

/// A rule: calls, and what becomes of them if the conditions hold.
#[derive(Clone, Debug, PartialEq)]
struct Rule {
    written: Vec<String>,
    calls: BTreeSet<&'static str>,
    conditions: Vec<Condition>,
    action: CallAction,
    origin: Option<Origin>,
}

/// What a policy says of calls that no rule names.
#[derive(Clone, Debug, PartialEq)]
enum Base {
    /// What a preset says.
    Preset(Preset),
    /// What a profile says.
    Profile {
        /// What becomes of them.
        action: CallAction,
        /// The architectures that can make calls at all, each with the highest number in the profile.
        /// Later calls are unknown to it.
        newest: Vec<(Architecture, u32)>,
    },
}

/// A policy for system calls: immutable.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    base: Base,
    rules: Vec<Rule>,
}

/// What a policy says of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Ruled {
    /// The call.
    pub call: &'static str,
    /// What becomes of it, if no condition decides otherwise.
    pub action: CallAction,
    /// Whether arguments decide.
    pub conditional: bool,
    /// The words of the rule, or the name of the preset.
    pub by: String,
    /// The line of the rule.
    pub origin: Option<Origin>,
}

impl Policy {
    /// A policy by the name of its preset: `default`, `strict` or `none`.
    ///
    /// # Errors
    /// The name is unknown.
    pub fn preset(name: &str) -> Result<Self, ValueError> {
        let found = PRESETS.iter().find(|(known, _)| *known == name);
        let policy = |preset| Self { base: Base::Preset(preset), rules: Vec::new() };
        found.map(|(_, preset)| policy(*preset)).ok_or_else(|| {
            let error = ValueError::new(format!("unknown policy {}", quoted(name)));
            match closest(name, PRESETS.map(|(known, _)| known)) {
                _ if name.contains(".json") => {
                    error.hint(format!("read a profile with `seccomp_profile(\"{name}\")`"))
                }
                Some(near) => error.hint(format!("did you mean {}?", quoted(near))),
                None => error.hint("there are `default`, `strict` and `none`"),
            }
        })
    }

    /// Adds a rule, which comes before all others. With conditions, calls that do the same with
    /// arguments in memory fail as on a kernel without them, and programs make the call itself.
    ///
    /// # Errors
    /// A word names no call, or a condition asks for what no filter sees.
    pub fn with(
        mut self,
        words: Vec<String>,
        conditions: Vec<Condition>,
        action: CallAction,
        origin: Option<Origin>,
    ) -> Result<Self, ValueError> {
        let mut calls = BTreeSet::new();
        for word in &words {
            calls.extend(calls::named(word)?);
        }
        self.add(words, calls, conditions, action, origin)?;
        Ok(self)
    }

    fn add(
        &mut self,
        words: Vec<String>,
        calls: BTreeSet<&'static str>,
        conditions: Vec<Condition>,
        action: CallAction,
        origin: Option<Origin>,
    ) -> Result<(), ValueError> {
        for condition in &conditions {
            for call in &calls {
                condition.test(call)?;
            }
        }
        if !conditions.is_empty() {
            let is_seen = |(seen, _): &&(&str, &str)| calls.contains(seen);
            let unseen: BTreeSet<_> = UNSEEN.iter().filter(is_seen).map(|(_, it)| *it).collect();
            if !unseen.is_empty() {
                let (written, conditions) = (words.clone(), Vec::new());
                let action = CallAction::Deny(ENOSYS);
                let origin = origin.clone();
                self.rules.push(Rule { written, calls: unseen, conditions, action, origin });
            }
        }
        self.rules.push(Rule { written: words, calls, conditions, action, origin });
        Ok(())
    }

    /// The name of the preset, or `profile`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.base {
            Base::Preset(Preset::Default) => "default",
            Base::Preset(Preset::Strict) => "strict",
            Base::Preset(Preset::None) => "none",
            Base::Profile { .. } => "profile",
        }
    }

    /// The number of rules after the preset.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.rules.len()
    }

    /// What becomes of a call that no rule names.
    fn base(&self, call: &str, architecture: Architecture) -> CallAction {
        static SERVICES: OnceLock<BTreeSet<&str>> = OnceLock::new();
        let is_denied = || DENIED.binary_search(&call).is_ok();
        let allowed = match &self.base {
            Base::Preset(Preset::None) => true,
            Base::Preset(Preset::Default) => !is_denied(),
            Base::Preset(Preset::Strict) => {
                let services = || calls::named("@system-service").unwrap_or_default();
                SERVICES.get_or_init(services).contains(call) && !is_denied()
            }
            Base::Profile { action, newest } => {
                let number = architecture.numbers().get(call);
                let newest = newest.iter().find(|(one, _)| *one == architecture);
                let is_new = newest.is_some_and(|(_, newest)| number > Some(newest));
                return if is_new && !action.is_made() { UNKNOWN } else { *action };
            }
        };
        if allowed { CallAction::Allow } else { CallAction::DENIED }
    }

    /// What is said of each call of this machine, by name.
    #[must_use]
    pub fn ruled(&self) -> Vec<Ruled> {
        let names: BTreeSet<&'static str> =
            Architecture::OWN.iter().flat_map(|one| one.numbers().keys().copied()).collect();
        names.into_iter().map(|call| self.ruled_of(call)).collect()
    }

    fn ruled_of(&self, call: &'static str) -> Ruled {
        let mut conditional = false;
        for rule in self.rules.iter().rev().filter(|rule| rule.calls.contains(call)) {
            if rule.conditions.is_empty() {
                let (by, origin) = (rule.written.join(", "), rule.origin.clone());
                return Ruled { call, action: rule.action, conditional, by, origin };
            }
            conditional = true;
        }
        let by = self.name().to_owned();
        let has = |one: &&Architecture| one.numbers().contains_key(call);
        let own = Architecture::OWN.iter().find(has).unwrap_or(&Architecture::OWN[0]);
        Ruled { call, action: self.base(call, *own), conditional, by, origin: None }
    }

    /// Whether programs can make a call with any arguments.
    #[must_use]
    pub fn allows(&self, call: &'static str) -> bool {
        let ruled = self.ruled_of(call);
        ruled.action.is_made() && !ruled.conditional
    }

    /// The decision about a call of an architecture.
    fn decision(&self, call: &str, architecture: Architecture) -> Decision {
        let is_tested = |rule: &Rule| rule.calls.contains(call) && !rule.conditions.is_empty();
        if architecture == Architecture::I386
            && IN_MEMORY.contains(&call)
            && self.rules.iter().any(is_tested)
        {
            return Decision::Return(ERRNO | u32::from(ENOSYS));
        }
        if let Some((_, behind)) = calls::MULTIPLEXED.iter().find(|(name, _)| *name == call)
            && self.rules.iter().any(|rule| {
                behind.iter().any(|call| rule.calls.contains(call))
                    && rule.action != CallAction::Allow
                    || rule.calls.iter().any(|it| behind.contains(it))
                        && !rule.conditions.is_empty()
            })
        {
            // The C library then makes the calls themselves.
            return Decision::Return(ERRNO | u32::from(ENOSYS));
        }
        let mut decision = Decision::Return(self.base(call, architecture).value());
        for rule in self.rules.iter().filter(|rule| rule.calls.contains(call)) {
            let tests = rule.conditions.iter().map(|condition| condition.test(call));
            let Ok(tests) = tests.collect::<Result<Vec<Test>, _>>() else { continue };
            let otherwise = Rc::new(decision);
            let then = Rc::new(Decision::Return(rule.action.value()));
            // All conditions must hold.
            decision = Rc::unwrap_or_clone(tests.into_iter().rev().fold(then, |then, test| {
                Rc::new(Decision::If { test, then, otherwise: Rc::clone(&otherwise) })
            }));
        }
        decision
    }

    /// The decisions about all numbers of an architecture.
    fn table(&self, architecture: Architecture) -> Table {
        let unknown = match self.base {
            Base::Preset(Preset::None) => CallAction::Allow,
            Base::Profile { action, .. } if action.is_made() => action,
            Base::Preset(Preset::Default | Preset::Strict) | Base::Profile { .. } => UNKNOWN,
        };
        let unknown = Decision::Return(unknown.value());
        let is_default = self.base == Base::Preset(Preset::Default) && self.rules.is_empty();
        let mut ranges = if is_default {
            default_ranges(architecture)
        } else {
            self.ranges(architecture, &unknown)
        };
        let end = ranges.last().map_or(0, |(last, _)| last + 1);
        ranges.push((end, unknown));
        if architecture == Architecture::X86_64 {
            // The numbers of x32, which other tables of the kernel lead to.
            ranges.push((X32, Decision::Return(ERRNO | u32::from(ENOSYS))));
        }
        Table { architecture: architecture.audit(), ranges }
    }

    /// The decisions about the numbers that have a name, and about those between them.
    fn ranges(&self, architecture: Architecture, unknown: &Decision) -> Vec<(u32, Decision)> {
        let numbers: BTreeMap<u32, &str> =
            architecture.numbers().iter().map(|(name, number)| (*number, *name)).collect();
        let mut ranges: Vec<(u32, Decision)> = Vec::new();
        let mut next = 0;
        for (number, name) in numbers {
            if number > next {
                ranges.push((next, unknown.clone()));
            }
            ranges.push((number, self.decision(name, architecture)));
            next = number + 1;
        }
        ranges
    }

    /// The filter, as seccomp(2) takes it: for all programs that this machine runs. Those of an
    /// architecture that has no table are killed.
    #[must_use]
    pub fn filter(&self) -> Vec<Instruction> {
        let has = |one: &&Architecture| match &self.base {
            Base::Preset(_) => true,
            Base::Profile { newest, .. } => newest.iter().any(|(it, _)| it == *one),
        };
        let own = Architecture::OWN.iter().filter(has);
        let tables: Vec<_> = own.map(|it| self.table(*it)).collect();
        compile::compile(&tables, KILL)
    }
}

/// The ranges of the default without rules, from a table that the compiler of Rust made: every launch
/// needs them.
fn default_ranges(architecture: Architecture) -> Vec<(u32, Decision)> {
    (0..)
        .zip(architecture.kinds())
        .map(|(number, kind)| {
            let value = match kind {
                Kind::Unknown => ERRNO | u32::from(ENOSYS),
                Kind::Denied => ERRNO | u32::from(EPERM),
                Kind::Other => ALLOW,
            };
            (number, Decision::Return(value))
        })
        .collect()
}

impl fmt::Display for Policy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "policy `{}`", self.name())?;
        for rule in &self.rules {
            let calls = match rule.written.as_slice() {
                words if words.len() <= 8 => words.join(", "),
                words => format!("{} and {} more", words[..3].join(", "), words.len() - 3),
            };
            let when = if rule.conditions.is_empty() { "" } else { " by its arguments" };
            match rule.action {
                CallAction::Allow | CallAction::Log | CallAction::Kill => {
                    write!(out, "\n  {} {calls}{when}", rule.action.word())?;
                }
                CallAction::Deny(_) => {
                    write!(out, "\n  deny {calls}{when}: {}", rule.action.word())?;
                }
            }
        }
        Ok(())
    }
}

/// The bit that marks calls of x32.
const X32: u32 = 0x4000_0000;

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(preset: &str, rules: &[(&str, CallAction)]) -> Policy {
        let first = Policy::preset(preset).unwrap();
        rules.iter().fold(first, |policy, (name, action)| {
            policy.with(vec![(*name).to_owned()], Vec::new(), *action, None).unwrap()
        })
    }

    #[test]
    fn the_last_rule_counts() {
        let says = |policy: &Policy, call| policy.ruled_of(call).action.word();
        let default = policy("default", &[]);
        assert_eq!(
            ["read", "ptrace", "mount", "adjtimex"].map(|it| says(&default, it)),
            ["allow", "EPERM", "allow", "allow"]
        );
        let strict = policy("strict", &[]);
        assert_eq!(
            ["read", "ptrace", "mount"].map(|it| says(&strict, it)),
            ["allow", "EPERM", "EPERM"]
        );
        let both = policy("none", &[("@mount", CallAction::Kill), ("mount", CallAction::Allow)]);
        assert_eq!(
            ["mount", "umount2", "bpf"].map(|it| says(&both, it)),
            ["allow", "kill", "allow"]
        );
    }

    #[test]
    fn calls_behind_a_number_are_denied_with_the_calls() {
        let decides = |policy: &Policy| policy.decision("socketcall", Architecture::I386);
        let enosys = Decision::Return(ERRNO | u32::from(ENOSYS));
        assert_eq!(decides(&policy("default", &[])), Decision::Return(ALLOW));
        assert_eq!(
            decides(&policy("default", &[("mount", CallAction::DENIED)])),
            Decision::Return(ALLOW)
        );
        assert_eq!(decides(&policy("default", &[("socket", CallAction::DENIED)])), enosys);
    }

    #[test]
    fn a_call_with_its_arguments_in_memory_is_no_way_round_a_condition() {
        let wanted = Wanted::Bits(vec![0x1000_0000]);
        let conditions = vec![Condition { argument: 0, wanted }];
        let with = |policy: Policy| {
            policy.with(vec!["clone".into()], conditions.clone(), CallAction::DENIED, None).unwrap()
        };
        let says = |policy: &Policy| policy.ruled_of("clone3").action.word();
        let policy = with(policy("default", &[]));
        assert_eq!(says(&policy), "ENOSYS");
        let clone3 = vec!["clone3".to_owned()];
        let allowed = policy.with(clone3, Vec::new(), CallAction::Allow, None).unwrap();
        assert_eq!(says(&allowed), "allow");
    }

    #[test]
    fn the_default_denies_these_groups_and_more() {
        assert!(DENIED.is_sorted());
        let groups = ["@clock", "@keyring", "@module", "@raw-io", "@reboot", "@swap"];
        let of_groups: BTreeSet<_> =
            groups.iter().flat_map(|group| calls::named(group).unwrap()).collect();
        // These read the clock, too.
        let reads = BTreeSet::from(["adjtimex", "clock_adjtime", "clock_adjtime64"]);
        let is_denied = |call: &&&str| DENIED.binary_search(*call).is_ok();
        let left: BTreeSet<_> = of_groups.iter().filter(|it| !is_denied(it)).copied().collect();
        assert_eq!(left, reads);
        for call in DENIED {
            let siblings = calls::named(call).unwrap_or_default();
            assert!(siblings.iter().all(|sibling| is_denied(&sibling)), "{call}");
        }
    }

    #[test]
    fn the_table_of_the_default_says_what_the_default_says() {
        let default = policy("default", &[]);
        let enosys = Decision::Return(ERRNO | u32::from(ENOSYS));
        for architecture in Architecture::OWN {
            let mut slow = default.ranges(*architecture, &enosys);
            let mut fast = default_ranges(*architecture);
            slow.dedup_by(|one, before| one.1 == before.1);
            fast.dedup_by(|one, before| one.1 == before.1);
            assert_eq!(fast, slow);
        }
    }

    #[test]
    fn policies_are_small() {
        for preset in ["default", "strict", "none"] {
            let length = policy(preset, &[]).filter().len();
            assert!(length < 300, "{preset}: {length}");
        }
    }
}
