//! The view of the host's system that a sandbox shows.

use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Planning, unseen};
use crate::diag::{Origin, Report, quoted};
use crate::host::accounts;
use crate::ops::mount::tmpfs;
use crate::ops::{Ask, Backing, Dev, File, Mounted, Op, Proc, Step, Sysfs, What};
use crate::spec::{FileOptions, GuestPath, Kind, MountAttributes, ProcOptions, ValueError};

/// Places of the host with private files, or with sockets of host services.
const EMPTIED: [&str; 6] = ["/home", "/root", "/run", "/tmp", "/var/run", "/var/tmp"];

/// Parts of the system. A home that holds one of them cannot be emptied.
const SYSTEM: [&str; 14] = [
    "/bin",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local",
    "/usr/sbin",
    "/var/lib",
];

impl Planning<'_> {
    /// Adds a view of the host with the sandbox's own processes and devices, and with empty private
    /// places. A mount of `steps` on one of the places replaces the usual one.
    ///
    /// # Errors
    /// None: all places are valid.
    pub fn host_view(
        &mut self,
        steps: &[Arc<Step>],
        origin: Option<&Origin>,
    ) -> Result<(), ValueError> {
        let mut emptied: Vec<PathBuf> = Vec::new();
        let homes = self.homes();
        let homes = homes.iter().map(|home| (home.as_path(), true));
        for (path, is_home) in EMPTIED.iter().map(|path| (Path::new(path), false)).chain(homes) {
            if emptied.iter().any(|place| path.starts_with(place)) {
                continue;
            }
            // A place can be a link, such as `/home` to `/var/home`.
            let place = match self.directory(path) {
                Ok(Some(place)) if !emptied.iter().any(|other| place.starts_with(other)) => place,
                Ok(_) => continue,
                // The sandbox has no more rights over a closed home than the caller.
                Err(error) if is_home && error.kind() == ErrorKind::PermissionDenied => continue,
                // It may contain private files.
                Err(error) => {
                    self.reports.push(unseen(path, &error).at(origin.cloned()));
                    continue;
                }
            };
            if is_home && SYSTEM.iter().any(|part| Path::new(part).starts_with(&place)) {
                self.warn_of_home(&place, origin);
                continue;
            }
            let Some(target) = place.to_str().map(GuestPath::new).transpose()? else {
                let error = io::Error::from(ErrorKind::InvalidData);
                self.reports.push(unseen(&place, &error).at(origin.cloned()));
                continue;
            };
            if !replaced(steps, &target) && !replaced_at(steps, path) {
                self.empty(&target, origin);
            }
            emptied.push(place);
        }
        if self.namespaces.has(Kind::Pid)
            && let Some(target) = self.replaceable("/proc", steps, origin)?
        {
            self.ask(&Proc { target, options: ProcOptions::default() }, origin);
            self.or_bind("/proc");
        }
        if let Some(target) = self.replaceable("/dev", steps, origin)? {
            self.ask(&Dev::new(target), origin);
        }
        // The kernel mounts a sysfs only for a network of one's own, and only if one is visible.
        // Otherwise what the host has is visible.
        if self.namespaces.has(Kind::Net)
            && !matches!(self.directory(Path::new("/sys/kernel")), Ok(None))
            && let Some(target) = self.replaceable("/sys", steps, origin)?
        {
            self.ask(&Sysfs { target, optional: false }, origin);
        }
        Ok(())
    }

    /// The place for a usual mount, if the host has it and no step mounts there.
    fn replaceable(
        &mut self,
        path: &str,
        steps: &[Arc<Step>],
        origin: Option<&Origin>,
    ) -> Result<Option<GuestPath>, ValueError> {
        let place = GuestPath::new(path)?;
        if replaced(steps, &place) {
            return Ok(None);
        }
        match self.directory(Path::new(path)) {
            Ok(found) => Ok(found.map(|_| place)),
            Err(error) => {
                self.reports.push(unseen(Path::new(path), &error).at(origin.cloned()));
                Ok(None)
            }
        }
    }

    /// Provides the file for host name look-ups, if it is a link to an emptied place. The network
    /// must be the host's.
    pub fn keep_resolver(&mut self, origin: Option<&Origin>) {
        let Ok(found) = self.host.tree.resolve(Path::new("/etc/resolv.conf")) else { return };
        let path = found.path.to_str().and_then(|path| GuestPath::new(path).ok());
        let Some(path) = path else { return };
        if matches!(self.view.holder(&path), Some((_, Backing::Private, _)))
            && let Ok(content) = self.host.tree.read(&found.path)
        {
            let options = FileOptions::default();
            self.push(File { path, content: content.into(), options }, origin);
        }
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

    /// The homes of the caller: that of the environment, and that of the account.
    fn homes(&self) -> Vec<PathBuf> {
        let own = self.host.environment.get("HOME").map(PathBuf::from);
        let account = accounts::home(&self.host.tree, self.host.uid);
        own.into_iter().chain(account).filter(|home| home.is_absolute()).collect()
    }

    /// The place of a directory, without links in its path; `None` if it is not there.
    fn directory(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let absent = |kind| matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory);
        // Most places are directories right below `/`: one system call is enough for them.
        if path.parent().is_some_and(|parent| parent.parent().is_none())
            && path.file_name().is_some()
            && self.host.tree.symlink_metadata(path).is_ok_and(|found| found.is_dir())
        {
            return Ok(Some(path.to_path_buf()));
        }
        let found = self.host.tree.resolve(path);
        match found.and_then(|found| Ok((self.host.tree.metadata(&found.path)?, found.path))) {
            Ok((found, place)) => Ok(found.is_dir().then_some(place)),
            Err(error) if absent(error.kind()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Mounts an empty tmpfs on a place that exists.
    fn empty(&mut self, target: &GuestPath, origin: Option<&Origin>) {
        let mode = if target.as_str().ends_with("/tmp") { 0o1777 } else { 0o755 };
        self.view.cover(target, Backing::Private, origin.cloned());
        let mount = Mounted {
            kind: "tmpfs".into(),
            source: "tmpfs".into(),
            target: target.clone(),
            options: tmpfs(None, mode, MountAttributes::default()),
            usual: MountAttributes::default(),
            create: false,
            instead: None,
        };
        self.push(mount, origin);
    }

    /// Warns of a home that stays visible. That of an account of the system, such as `/bin`, has no
    /// private files.
    fn warn_of_home(&mut self, home: &Path, origin: Option<&Origin>) {
        let is_own = |found: std::fs::Metadata| found.uid() == self.host.uid;
        if !self.host.tree.metadata(home).is_ok_and(is_own) {
            return;
        }
        let shown = quoted(home.to_string_lossy());
        let message =
            format!("your home {shown} stays visible, because it holds parts of the system");
        let hint = "hide private files in it with `.mask(path)`";
        let report = Report::warning(message).at(origin.cloned());
        self.warnings.push(report.advise("home_visible", hint));
    }
}

/// Whether a step mounts on exactly this place, whatever the host has.
fn replaced(steps: &[Arc<Step>], place: &GuestPath) -> bool {
    steps.iter().any(|step| {
        let What::Ask(ask) = &step.what else { return false };
        let mounts = match ask {
            // Without its source, the place would show the host's directory.
            Ask::Bind(bind) => !bind.options.optional,
            ask => matches!(
                ask,
                Ask::Tmpfs(_)
                    | Ask::Proc(_)
                    | Ask::Sysfs(_)
                    | Ask::Dev(_)
                    | Ask::Devpts(_)
                    | Ask::Mqueue(_)
                    | Ask::Cgroupfs(_)
                    | Ask::Mount(_)
            ),
        };
        mounts && ask.target() == Some(place)
    })
}

/// The same for a path of the host.
fn replaced_at(steps: &[Arc<Step>], path: &Path) -> bool {
    let place = path.to_str().and_then(|path| GuestPath::new(path).ok());
    place.is_some_and(|place| replaced(steps, &place))
}
