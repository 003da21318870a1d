//! The view of the host that a sandbox shows.

use std::io::ErrorKind;
use std::path::Path;

use super::{Planning, unseen};
use crate::diag::{Origin, Report};
use crate::host::Host;
use crate::ops::mount::tmpfs;
use crate::ops::{Backing, Dev, Mounted, Op, Proc};
use crate::spec::{GuestPath, Kind, MountAttributes, ProcOptions};

/// Places of the host with private files, or with sockets of host services.
const EMPTIED: [&str; 5] = ["/home", "/root", "/run", "/tmp", "/var/tmp"];

impl Planning<'_> {
    /// Adds a view of the host with the sandbox's own processes and devices, and with empty private
    /// places.
    pub fn host_view(&mut self, origin: Option<&Origin>) {
        let implied = |inside: &mut Self, path: &str, mount: &dyn Fn(GuestPath) -> Mounted| {
            let Ok(target) = GuestPath::new(path) else { return };
            match is_directory(inside.host, target.as_str().as_ref()) {
                Ok(true) => {
                    inside.view.cover(&target, Backing::Private, None);
                    inside.actions.push((mount(target).into(), None));
                }
                Ok(false) => {}
                // It may contain private files.
                Err(report) => inside.reports.push(report.at(origin.cloned())),
            }
        };
        for path in EMPTIED {
            let mode = if path.ends_with("tmp") { 0o1777 } else { 0o755 };
            implied(self, path, &|target| Mounted {
                kind: "tmpfs".into(),
                source: "tmpfs".into(),
                target,
                options: tmpfs(None, mode, MountAttributes::default()),
                usual: MountAttributes::default(),
                create: false,
                instead: None,
            });
        }
        let place = |path: &str| GuestPath::new(path).unwrap_or_else(|_| GuestPath::root());
        if self.namespaces.has(Kind::Pid) {
            let (target, options) = (place("/proc"), ProcOptions::default());
            self.ask(&Proc { target, options }, origin);
            self.or_bind("/proc");
        }
        self.ask(&Dev(place("/dev")), origin);
    }

    /// Makes `path` of the host the substitute for the last mount, if the kernel refuses that, as
    /// in most containers.
    pub(in crate::ops) fn or_bind(&mut self, path: &str) {
        let mount = self.actions.iter_mut().rev().find_map(|(action, _)| match action {
            Op::Mounted(mount) => Some(&mut mount.instead),
            _ => None,
        });
        if let Some(instead) = mount {
            *instead = Some(path.into());
        }
    }
}

/// Whether `path` is a directory.
fn is_directory(host: &Host, path: &Path) -> Result<bool, Report> {
    match host.tree.metadata(path) {
        Ok(found) => Ok(found.is_dir()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(error) => Err(unseen(path, &error)),
    }
}
