//! What is tried once, and is asked for by several facts.

use std::ffi::CString;

use crate::host::Host;
use crate::run::lower::clone_flags;
use crate::run::runner::Runner;
use crate::spec::{Kind, Namespaces};
use crate::sys::{self, Call, Fault, Program, Trial, Trouble, flags};

/// What was tried, on which machine.
pub(super) struct Exam<'a> {
    pub runner: &'a Runner,
    pub host: &'a Host,
    /// Each kind of namespace, in the order of [`Kind::ALL`].
    pub kinds: Vec<Tried>,
    /// What was tried in namespaces, as a launch makes them: [`Inside`].
    pub inside: Result<Vec<Result<(), Trouble>>, Fault>,
}

/// A kind of namespace that was tried.
pub(super) struct Tried {
    /// Whether it was made together with a user namespace, which gives the right to make it.
    pub with_user: bool,
    pub answer: Result<(), Fault>,
}

/// What is tried in one process, in this order.
#[derive(Clone, Copy)]
pub(super) enum Inside {
    MountApi,
    Overlay,
    Proc,
    Sysfs,
    PivotRoot,
}

impl<'a> Exam<'a> {
    pub fn new(runner: &'a Runner) -> Self {
        let host = runner.host();
        let kinds: Vec<_> = Kind::ALL.into_iter().map(|kind| Tried::kind(kind, host)).collect();
        let is_made = |kind: &Kind| kinds[*kind as usize].answer.is_ok();
        let of_user = is_made(&Kind::User);
        let trials = [
            Trial::MountApi,
            Trial::Overlay { of_user },
            Trial::FileSystem(c"proc"),
            Trial::FileSystem(c"sysfs"),
            Trial::PivotRoot,
        ];
        // What mounts makes itself a mount namespace; a proc and a sysfs are of these others.
        let namespaces = [Kind::User, Kind::Pid, Kind::Net].into_iter().filter(is_made);
        let namespaces = namespaces.fold(Namespaces::NONE, |all, kind| all | kind.into());
        let mut calls = if of_user { own_maps(host) } else { Vec::new() };
        calls.push(Call::DieWithParent);
        let program = Program { namespaces: clone_flags(namespaces), calls, ..Program::default() };
        let inside = sys::attempt(&program, &trials);
        Self { runner, host, kinds, inside }
    }

    /// What came of a kind of namespace.
    pub fn kind(&self, kind: Kind) -> &Tried {
        &self.kinds[kind as usize]
    }

    /// Whether a kind of namespace can be made.
    pub fn has(&self, kind: Kind) -> bool {
        self.kind(kind).answer.is_ok()
    }

    /// What came of something inside; none where nothing could be tried there.
    pub fn inside(&self, what: Inside) -> Option<Result<(), Trouble>> {
        self.inside.as_ref().ok()?.get(what as usize).copied()
    }

    /// The program of a process that has, as far as they are to be had, the rights to make
    /// namespaces: those of root, or of a user in a user namespace.
    pub fn with_rights(&self) -> Program {
        let user = self.has(Kind::User) && !self.is_direct();
        let mut calls = if user { own_maps(self.host) } else { Vec::new() };
        calls.push(Call::DieWithParent);
        let namespaces = if user { flags::USER } else { 0 };
        Program { namespaces, calls, ..Program::default() }
    }

    /// Whether the caller makes namespaces without a user namespace.
    fn is_direct(&self) -> bool {
        let mount = self.kind(Kind::Mount);
        mount.answer.is_ok() && !mount.with_user
    }
}

impl Tried {
    /// Has a process start in a new namespace of this kind: as root as it is, and where that has
    /// no right to, as a user, in a user namespace.
    fn kind(kind: Kind, host: &Host) -> Self {
        let attempt = |namespaces: u64| {
            let calls = vec![Call::DieWithParent];
            let program = Program { namespaces, calls, ..Program::default() };
            sys::attempt(&program, &[]).map(drop)
        };
        let own = clone_flags(kind.into());
        if host.is_root() || kind == Kind::User {
            let answer = attempt(own);
            let is_denied = answer.is_err_and(|fault| fault.errno.name() == "EPERM");
            if !is_denied || kind == Kind::User {
                return Self { with_user: false, answer };
            }
        }
        Self { with_user: true, answer: attempt(own | flags::USER) }
    }
}

/// Maps one's own ids, in a new user namespace, as every launch does.
fn own_maps(host: &Host) -> Vec<Call> {
    let write = |file: &str, text: String| Call::WriteProc {
        path: CString::new(format!("/proc/self/{file}")).unwrap_or_default(),
        bytes: text.into_bytes(),
    };
    vec![
        write("setgroups", "deny".into()),
        write("uid_map", format!("0 {} 1", host.uid)),
        write("gid_map", format!("0 {} 1", host.gid)),
    ]
}
