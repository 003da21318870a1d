//! A view of the host: what of it a program sees that is run in one.

use super::action::Action;
use super::devices::tmpfs;
use super::mounts::Inside;
use super::view::Backing;
use crate::diag::Origin;
use crate::spec::{GuestPath, Kind, ProcOptions, Step, What};

/// Places of the host that hold what is private, or what talks to services of the host.
const EMPTIED: [&str; 5] = ["/home", "/root", "/run", "/tmp", "/var/tmp"];

impl Inside<'_> {
    /// A view of the host: processes and devices of the sandbox's own, private places empty.
    pub(super) fn host_view(&mut self, origin: Option<&Origin>) {
        let implied = |inside: &mut Self, path: &str, action: &dyn Fn(GuestPath) -> Action| {
            let Ok(target) = GuestPath::new(path) else { return };
            if inside.host.tree.metadata(target.as_str().as_ref()).is_ok_and(|found| found.is_dir())
            {
                inside.view.cover(&target, Backing::Private, None);
                inside.actions.push((action(target), None));
            }
        };
        for path in EMPTIED {
            let mode = if path.ends_with("tmp") { 0o1777 } else { 0o755 };
            implied(self, path, &|target| Action::Mount {
                kind: "tmpfs".into(),
                source: "tmpfs".into(),
                target,
                options: tmpfs(None, mode, true),
                create: false,
            });
        }
        let step = |what| Step { what, origin: origin.cloned() };
        let place = |path: &str| GuestPath::new(path).unwrap_or_else(|_| GuestPath::root());
        if self.namespaces.has(Kind::Pid) {
            let options = ProcOptions::default();
            self.add(&step(What::Proc { target: place("/proc"), options }));
        }
        self.add(&step(What::Dev(place("/dev"))));
    }
}
