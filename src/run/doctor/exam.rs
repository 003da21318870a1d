//! Probes that several facts share: each runs once, when it is first asked for.

use std::cell::OnceCell;
use std::ffi::CString;

use crate::host::Host;
use crate::ops::clone_flags;
use crate::run::launch::launcher::Launcher;
use crate::run::network;
use crate::run::remedy::NetworkPart;
use crate::spec::{Kind, Namespaces};
use crate::sys::{self, Call, CallError, KernelProbe, LaunchError, Program, flags};

/// The results of probes on a machine. Each probe runs when it is first needed.
pub(super) struct Exam<'a> {
    pub launcher: &'a Launcher,
    pub host: &'a Host,
    /// Each kind of namespace, in the order of [`Kind::ALL`].
    kinds: [OnceCell<Tried>; Kind::ALL.len()],
    inside: OnceCell<Answers>,
    networks: OnceCell<Answers>,
}

/// The results of several probes in one process, or the call that failed before all of them.
type Answers = Result<Vec<Result<(), CallError>>, LaunchError>;

/// The probe of a kind of namespace.
pub(super) struct Tried {
    /// Whether it was created with a user namespace, which grants the right to create it.
    pub with_user: bool,
    pub answer: Result<(), LaunchError>,
}

/// The probes in one process, in this order.
#[derive(Clone, Copy)]
pub(super) enum Inside {
    MountApi,
    Overlay,
    Proc,
    Sysfs,
    PivotRoot,
}

impl<'a> Exam<'a> {
    pub fn new(launcher: &'a Launcher) -> Self {
        Self {
            launcher,
            host: launcher.host(),
            kinds: [const { OnceCell::new() }; Kind::ALL.len()],
            inside: OnceCell::new(),
            networks: OnceCell::new(),
        }
    }

    /// The result for a kind of namespace.
    pub fn kind(&self, kind: Kind) -> &Tried {
        self.kinds[kind as usize].get_or_init(|| Tried::kind(kind, self.host))
    }

    /// The results of [`Inside`], in namespaces like those of a launch.
    pub fn all_inside(&self) -> &Answers {
        self.inside.get_or_init(|| {
            let of_user = self.has(Kind::User);
            let probes = [
                KernelProbe::MountApi,
                KernelProbe::Overlay { of_user },
                KernelProbe::FileSystem(c"proc"),
                KernelProbe::FileSystem(c"sysfs"),
                KernelProbe::PivotRoot,
            ];
            // The mount probe creates its own mount namespace; a proc and a sysfs need these other
            // kinds.
            let made = [Kind::User, Kind::Pid, Kind::Net].into_iter().filter(|it| self.has(*it));
            let namespaces = made.fold(Namespaces::NONE, |all, kind| all | kind.into());
            sys::probe_kernel(&self.program(namespaces), &probes)
        })
    }

    /// The result of a probe inside; `None` if it could not run.
    pub fn inside(&self, what: Inside) -> Option<Result<(), CallError>> {
        self.all_inside().as_ref().ok()?.get(what as usize).copied()
    }

    /// The result of a probe in a network; `None` if network namespaces do not work.
    pub fn network(&self, what: NetworkPart) -> Option<Result<(), CallError>> {
        let answers = self.networks.get_or_init(|| {
            let probes = NetworkPart::ALL.map(network::try_part);
            let probes: Vec<_> = probes.iter().map(|probe| KernelProbe::Of(probe)).collect();
            sys::probe_kernel(&self.with_rights(), &probes)
        });
        answers.as_ref().ok()?.get(what as usize).copied()
    }

    /// A program in new namespaces, which maps its own ids in a new user namespace.
    fn program(&self, namespaces: Namespaces) -> Program {
        let of_user = namespaces.has(Kind::User);
        let mut calls = if of_user { own_maps(self.launcher.own_ids()) } else { Vec::new() };
        calls.push(Call::DieWithParent);
        Program { namespaces: clone_flags(namespaces), calls, ..Program::default() }
    }

    /// Whether a kind of namespace can be created.
    pub fn has(&self, kind: Kind) -> bool {
        self.kind(kind).answer.is_ok()
    }

    /// The program of a process with the rights to create namespaces, if available: those of root,
    /// or of a user in a user namespace.
    pub fn with_rights(&self) -> Program {
        let user = self.has(Kind::User) && !self.is_direct();
        self.program(if user { Kind::User.into() } else { Namespaces::NONE })
    }

    /// Whether the caller can create namespaces without a user namespace.
    fn is_direct(&self) -> bool {
        let mount = self.kind(Kind::Mount);
        mount.answer.is_ok() && !mount.with_user
    }
}

impl Tried {
    /// Starts a process in a new namespace of this kind: directly as root, or else, without the
    /// right, in a user namespace.
    fn kind(kind: Kind, host: &Host) -> Self {
        let attempt = |namespaces: u64| {
            let calls = vec![Call::DieWithParent];
            let program = Program { namespaces, calls, ..Program::default() };
            sys::probe_kernel(&program, &[]).map(drop)
        };
        let own = clone_flags(kind.into());
        if host.is_root() || kind == Kind::User {
            let answer = attempt(own);
            let is_denied = answer.is_err_and(|failed| failed.error.errno.name() == "EPERM");
            if !is_denied || kind == Kind::User {
                return Self { with_user: false, answer };
            }
        }
        Self { with_user: true, answer: attempt(own | flags::USER) }
    }
}

/// The calls that map the caller's own ids in a new user namespace, as every launch does.
fn own_maps((uid, gid): (u32, u32)) -> Vec<Call> {
    let write = |file: &str, text: String| Call::WriteProc {
        path: CString::new(format!("/proc/self/{file}")).unwrap_or_default(),
        bytes: text.into_bytes(),
    };
    vec![
        write("setgroups", "deny".into()),
        write("uid_map", format!("0 {uid} 1")),
        write("gid_map", format!("0 {gid} 1")),
    ]
}
