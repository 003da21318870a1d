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

/// What was tried, on which machine. Each is tried when it is first asked for.
pub(super) struct Exam<'a> {
    pub launcher: &'a Launcher,
    pub host: &'a Host,
    /// Each kind of namespace, in the order of [`Kind::ALL`].
    kinds: [OnceCell<Tried>; Kind::ALL.len()],
    inside: OnceCell<Answers>,
    networks: OnceCell<Answers>,
}

/// What came of several probes in one process; the call of it that failed, where none was reached.
type Answers = Result<Vec<Result<(), CallError>>, LaunchError>;

/// A kind of namespace that was tried.
pub(super) struct Tried {
    /// Whether it was made together with a user namespace, which gives the right to make it.
    pub with_user: bool,
    pub answer: Result<(), LaunchError>,
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
    pub fn new(launcher: &'a Launcher) -> Self {
        Self {
            launcher,
            host: launcher.host(),
            kinds: [const { OnceCell::new() }; Kind::ALL.len()],
            inside: OnceCell::new(),
            networks: OnceCell::new(),
        }
    }

    /// What came of a kind of namespace.
    pub fn kind(&self, kind: Kind) -> &Tried {
        self.kinds[kind as usize].get_or_init(|| Tried::kind(kind, self.host))
    }

    /// What was tried in namespaces, as a launch makes them: [`Inside`].
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
            // What mounts makes itself a mount namespace; a proc and a sysfs are of these others.
            let made = [Kind::User, Kind::Pid, Kind::Net].into_iter().filter(|it| self.has(*it));
            let namespaces = made.fold(Namespaces::NONE, |all, kind| all | kind.into());
            sys::probe_kernel(&self.program(namespaces), &probes)
        })
    }

    /// What came of something inside; none where nothing could be tried there.
    pub fn inside(&self, what: Inside) -> Option<Result<(), CallError>> {
        self.all_inside().as_ref().ok()?.get(what as usize).copied()
    }

    /// What came of something in a network; none where there are no networks.
    pub fn network(&self, what: NetworkPart) -> Option<Result<(), CallError>> {
        let answers = self.networks.get_or_init(|| {
            let probes = NetworkPart::ALL.map(network::try_part);
            let probes: Vec<_> = probes.iter().map(|probe| KernelProbe::Of(probe)).collect();
            sys::probe_kernel(&self.with_rights(), &probes)
        });
        answers.as_ref().ok()?.get(what as usize).copied()
    }

    /// A process in new namespaces, with its own ids in a new user namespace.
    fn program(&self, namespaces: Namespaces) -> Program {
        let of_user = namespaces.has(Kind::User);
        let mut calls = if of_user { own_maps(self.launcher.own_ids()) } else { Vec::new() };
        calls.push(Call::DieWithParent);
        Program { namespaces: clone_flags(namespaces), calls, ..Program::default() }
    }

    /// Whether a kind of namespace can be made.
    pub fn has(&self, kind: Kind) -> bool {
        self.kind(kind).answer.is_ok()
    }

    /// The program of a process that has, as far as they are to be had, the rights to make
    /// namespaces: those of root, or of a user in a user namespace.
    pub fn with_rights(&self) -> Program {
        let user = self.has(Kind::User) && !self.is_direct();
        self.program(if user { Kind::User.into() } else { Namespaces::NONE })
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

/// Maps one's own ids, in a new user namespace, as every launch does.
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
