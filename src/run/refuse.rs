//! What the raw layer does not do to the host by accident.
//!
//! In a session, what would be seen outside of it is refused with the sentence that says how it is
//! done right. Where the kernel itself protects the host, as it does from a user, it is left to
//! answer.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::place::{self, Place, descends};
use super::session::Session;
use crate::diag::{Report, quoted};
use crate::plan::{MountCall, RawAction};
use crate::spec::{Kind, MountFlags};
use crate::sys;

/// Refuses what would change the host.
pub(super) fn refuse(action: &RawAction, session: &Session) -> Result<(), Report> {
    if session.on_host.get() {
        return Ok(());
    }
    match action {
        RawAction::SetHostname(_) | RawAction::SetDomainname(_) => {
            new_namespace(action, Kind::Uts, session)
        }
        RawAction::Mount(mount) => {
            new_namespace(action, Kind::Mount, session)?;
            super_block(action, mount, session)
        }
        RawAction::SetAttributes { .. } | RawAction::Umount { .. } | RawAction::PivotRoot(..) => {
            new_namespace(action, Kind::Mount, session)
        }
        RawAction::Pin { path, .. } => {
            new_namespace(action, Kind::Mount, session)?;
            own_place(action, path, session)
        }
        RawAction::AttachLoop { file, read_only: false, .. } => own_image(action, file, session),
        RawAction::Mkdir(path, _)
        | RawAction::Mknod { path, .. }
        | RawAction::Symlink { path, .. }
        | RawAction::Remove(path) => own_place(action, path, session),
        RawAction::Signal { pid, .. } => own_process(action, *pid, session),
        RawAction::WriteFile { path, .. } => own_file(action, path, session),
        _ => Ok(()),
    }
}

fn refused(action: &RawAction, why: &str) -> Report {
    let mut report = Report::error(format!("refused to {}: {why}", action.describe()));
    report.facts.operation = Some(action.operation().into());
    let (source, target) = action.paths();
    (report.facts.source, report.facts.target) = (source, target);
    report
}

/// What is kept in a namespace is changed only in one that is not the host's.
fn new_namespace(action: &RawAction, kind: Kind, session: &Session) -> Result<(), Report> {
    if !session.is_initial(kind) {
        return Ok(());
    }
    let (name, constant) = (kind.name(), kind.constant());
    let why = format!("this is the {name} namespace of the host");
    let how = match kind {
        Kind::Mount => "the session has a mount namespace of its own; do it before entering the \
                        host's, or say `--host`"
            .to_owned(),
        _ => format!(
            "`unshare({constant})` first, or in `within({constant}, || …)`; `--host` does it to \
             the host"
        ),
    };
    Err(refused(action, &why).hint(how))
}

/// Settings of a file system that the host uses too are not changed, and no disk of the host is
/// mounted.
fn super_block(action: &RawAction, mount: &MountCall, session: &Session) -> Result<(), Report> {
    if let Some(upper) = mount.upper() {
        own_place(action, &upper.join("x"), session)?;
    }
    if session.has_user_namespace() {
        return Ok(());
    }
    let is_remount = mount.flags.has(MountFlags::REMOUNT) && !mount.flags.has(MountFlags::BIND);
    let found = Place::of(&mount.target);
    if is_remount && found.is_ok_and(|found| session.is_of_host(found.device)) {
        let why = "the file system is the host's, and would change there too";
        let hint = "`bind: true` with `remount: true` changes only this mount of it";
        return Err(refused(action, why).hint(hint));
    }
    let Some(kind) = mount.new_file_system() else { return Ok(()) };
    if matches!(kind, "cgroup" | "cgroup2") && session.is_initial(Kind::User) {
        // The options of such a mount are those of the hierarchy, where it is made at its root.
        new_namespace(action, Kind::Cgroup, session)?;
    }
    let source = mount.source.as_deref().map(Path::new);
    let Some(found) = source.and_then(|source| std::fs::metadata(source).ok()) else {
        return Ok(());
    };
    if found.file_type().is_block_device() && !is_own_loop(found.rdev(), session) {
        let why = "that is a disk of the host";
        let hint = "a disk image is mounted by its file; `--host` mounts disks";
        return Err(refused(action, why).hint(hint));
    }
    Ok(())
}

/// Whether a device is a loop device that writes to no file of the host.
fn is_own_loop(device: u64, session: &Session) -> bool {
    let (major, minor) = sys::device_numbers(device);
    let told = |name: &str| {
        let text = std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/{name}"));
        text.ok().map(|text| text.trim_end_matches('\n').to_owned())
    };
    // Where no sysfs is mounted nothing tells what is behind it.
    let (Some(read_only), Some(file)) = (told("ro"), told("loop/backing_file")) else {
        return major == LOOP;
    };
    let file = Path::new(&file);
    major == LOOP && (read_only == "1" || may_be_written(file, session))
}

/// A signal goes to processes of the recipe: in a PID namespace of its own there are no others.
fn own_process(action: &RawAction, pid: i32, session: &Session) -> Result<(), Report> {
    let proc = Path::new("/proc");
    let leader = session.leader().to_string();
    let there = proc.join(pid.to_string()).exists();
    if !session.is_initial(Kind::Pid) || !there || descends(proc, &pid.to_string(), &leader) {
        return Ok(());
    }
    let why = format!("process {pid} is none of the recipe's");
    Err(refused(action, &why).hint("`--host` sends signals to any process"))
}

/// A name is only made in, or removed from, a file system of the recipe's own.
fn own_place(action: &RawAction, path: &Path, session: &Session) -> Result<(), Report> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    match Place::of(&parent) {
        Ok(place) => own_file_system(action, &place, &parent, session),
        // The call itself says what is wrong with the place.
        Err(_) => Ok(()),
    }
}

/// A file is only written where it is in a file system of the recipe's own, or a setting of this
/// process or its namespaces.
fn own_file(action: &RawAction, path: &Path, session: &Session) -> Result<(), Report> {
    let path = &through_links(path);
    let Ok(found) = std::fs::metadata(path) else { return own_place(action, path, session) };
    let kind = found.file_type();
    if (kind.is_char_device() && harmless(found.rdev())) || kind.is_fifo() || kind.is_socket() {
        return Ok(());
    }
    if kind.is_block_device() || kind.is_char_device() {
        let why = "that is a device of the host";
        return Err(refused(action, why).hint("`--host` writes to devices"));
    }
    if sys::is_procfs(path) {
        return setting(action, path, session);
    }
    match Place::of(path) {
        Ok(place) => own_file_system(action, &place, path, session),
        Err(_) => Ok(()),
    }
}

/// The file system is the recipe's own.
fn own_file_system(
    action: &RawAction,
    place: &Place,
    path: &Path,
    session: &Session,
) -> Result<(), Report> {
    let is_root = !session.has_user_namespace();
    match place.kind.as_deref() {
        Some(kind) if is_root && place::is_of_machine(kind) => return Err(of_kernel(action)),
        None if is_root && sys::is_of_kernel(path) => return Err(of_kernel(action)),
        // The queues are those of the IPC namespace that the file system was mounted in.
        Some("mqueue") if is_root => new_namespace(action, Kind::Ipc, session)?,
        _ => {}
    }
    if session.is_of_host(place.device) {
        return Err(on_host(action, path));
    }
    through_process(action, path, session)
}

/// What another process sees, by its files in /proc, may be the file system of a container that is
/// mounted nowhere here.
fn through_process(action: &RawAction, path: &Path, session: &Session) -> Result<(), Report> {
    let names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
    let [_, proc, pid, ..] = &names[..] else { return Ok(()) };
    let is_process = proc == "proc" && pid.bytes().all(|byte| byte.is_ascii_digit());
    let leader = session.leader().to_string();
    if !is_process || descends(Path::new("/proc"), pid, &leader) {
        return Ok(());
    }
    let why = format!("process {pid}, which sees it, is none of the recipe's");
    Err(refused(action, &why).hint("`--host` changes what others see"))
}

/// Where a link that dangles leads: a file that is written through it is made there.
fn through_links(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    for _ in 0..40 {
        let Ok(says) = std::fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("/")).join(says);
    }
    path
}

/// An image is only written to where the recipe has made it, or in a file system of its own.
fn own_image(action: &RawAction, path: &Path, session: &Session) -> Result<(), Report> {
    if may_be_written(path, session) {
        return Ok(());
    }
    let why = "that image is the host's, and would be written to";
    Err(refused(action, why)
        .hint("`read_only: true` leaves it as it is; `disk_image` makes one of the recipe's own"))
}

/// Whether an image is none of the host's, or is not there.
pub(super) fn may_be_written(path: &Path, session: &Session) -> bool {
    let (Ok(found), Ok(place)) = (std::fs::metadata(path), Place::of(path)) else { return true };
    let made = session.images.borrow().contains(&(found.dev(), found.ino()));
    made || !session.is_of_host(place.device)
}

/// The devices that everybody may write to without a trace: null, zero, full, tty.
fn harmless(device: u64) -> bool {
    [(1, 3), (1, 5), (1, 7), (5, 0)]
        .iter()
        .any(|(major, minor)| sys::device(*major, *minor) == device)
}

fn of_kernel(action: &RawAction) -> Report {
    let why = "it is a file system of the kernel, the same for the whole machine";
    refused(action, why).hint("`--host` changes it")
}

/// The major number of loop devices.
const LOOP: u32 = 7;

/// The number that the root of procfs has in it.
const PROC_ROOT: u64 = 1;

/// Files of procfs: those of the own processes, and settings of namespaces that are not the
/// host's.
fn setting(action: &RawAction, path: &Path, session: &Session) -> Result<(), Report> {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let is_root = |path: &&Path| {
        std::fs::metadata(path).is_ok_and(|it| it.ino() == PROC_ROOT) && sys::is_procfs(path)
    };
    let proc = real.ancestors().find(is_root).unwrap_or(Path::new("/proc"));
    let inside = real.strip_prefix(proc).unwrap_or(&real);
    let names: Vec<_> = inside.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let kind = match names[..] {
        [pid, _, ..] if pid.bytes().all(|byte| byte.is_ascii_digit()) => {
            let own = std::fs::read_link(proc.join("self")).unwrap_or_default();
            if descends(proc, pid, &own.to_string_lossy()) {
                return Ok(());
            }
            let why = format!("process {pid} is none of the recipe's");
            return Err(refused(action, &why).hint("`--host` changes other processes"));
        }
        ["sys", "net", ..] => Some(Kind::Net),
        ["sys", "kernel", "hostname" | "domainname"] => Some(Kind::Uts),
        ["sys", "fs", "mqueue", ..] => Some(Kind::Ipc),
        ["sys", "kernel", name]
            if ["msg", "shm", "sem"].iter().any(|start| name.starts_with(start)) =>
        {
            Some(Kind::Ipc)
        }
        ["sys", "user", ..] if session.has_user_namespace() => return Ok(()),
        ["sys", "user", ..] => Some(Kind::User),
        _ => None,
    };
    if let Some(kind) = kind {
        return new_namespace(action, kind, session);
    }
    let why = "that is a setting of the whole machine";
    Err(refused(action, why).hint("`--host` changes it"))
}

fn on_host(action: &RawAction, place: &Path) -> Report {
    let why = format!("{} is the host's own file system", quoted(place.to_string_lossy()));
    refused(action, &why).hint(
        "work in `scratch()`, or on a tmpfs that is mounted first; `--host` changes the host's \
         files",
    )
}
