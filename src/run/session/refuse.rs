//! Raw calls that are refused because they would change the host.
//!
//! In a session, what would be seen outside of it is refused with the sentence that says how it is
//! done right. Where the kernel itself protects the host, as it does from a user, it is left to
//! answer.
#![warn(clippy::wildcard_enum_match_arm)]

use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::place::{self, Place, Seen, descends};
use super::{Owned, Session};
use crate::diag::{Report, os_error, quoted};
use crate::ops::raw::{Becomes, Mount};
use crate::ops::{Effect, RawAction, Told};
use crate::spec::{Kind, MountFlags};
use crate::sys;

/// Refuses what would change the host.
pub(in crate::run) fn refuse(action: &RawAction, session: &Session) -> Result<(), Report> {
    if session.on_host.get() {
        return Ok(());
    }
    match action.effect() {
        Effect::Held(kind) => new_namespace(action, kind, session),
        Effect::Mount(mount) => {
            new_namespace(action, Kind::Mount, session)?;
            super_block(action, mount, session)
        }
        Effect::Pin(path) => {
            new_namespace(action, Kind::Mount, session)?;
            own_place(action, path, session)
        }
        Effect::Image(file) => own_image(action, file, session),
        Effect::Name(path, becomes) => own_place(action, path, session).map_err(|refused| {
            let exists = becomes != Becomes::Nothing && path.symlink_metadata().is_ok();
            if exists { there_already(action, path) } else { refused }
        }),
        Effect::Metadata(path) => own_metadata(action, path, session),
        Effect::Rename(from, to) => {
            own_place(action, from, session)?;
            own_place(action, to, session)
        }
        Effect::Process(pid) => own_process(action, pid, session),
        Effect::Content(path) => own_file(action, path, session),
        // What is made, or done to this process alone; the kernel itself asks who sets maps,
        // networks are looked at with their handle, and files for results are the caller's to make.
        Effect::Own
        | Effect::Session(_)
        | Effect::Unshare(_)
        | Effect::Enter(_)
        | Effect::Child(_)
        | Effect::Ids
        | Effect::Maps(_)
        | Effect::Network
        | Effect::Result(..) => Ok(()),
    }
}

/// What a look-up has found; none where nothing is there, and so nothing can be changed.
///
/// # Errors
/// It has failed, so that what is there may be the host's.
fn seen<T>(action: &RawAction, path: &Path, found: io::Result<T>) -> Result<Option<T>, Report> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => {
            let (path, error) = (quoted(path.to_string_lossy()), os_error(&error));
            Err(refused(action, &format!("cannot determine who owns {path}: {error}")))
        }
    }
}

fn refused(action: &RawAction, why: &str) -> Report {
    let Told { sentence, source, target, shell: _ } = action.told();
    let mut report = Report::error(format!("refused to {sentence}: {why}"));
    report.facts.operation = Some(action.name().into());
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
    let how = if kind == Kind::Mount {
        "the session has a mount namespace of its own; do it before entering the host's, or say \
         `--host`"
            .to_owned()
    } else {
        format!(
            "call `unshare({constant})` first, or use `within({constant}, || …)`. With `--host`, \
             the call changes the host"
        )
    };
    Err(refused(action, &why).hint(how))
}

/// Settings of a file system that the host uses too are not changed, and no disk of the host is
/// mounted.
fn super_block(action: &RawAction, mount: &Mount, session: &Session) -> Result<(), Report> {
    if let Some(upper) = mount.upper() {
        own_place(action, &upper.join("x"), session)?;
    }
    if session.has_user_namespace() {
        return Ok(());
    }
    let is_remount = mount.flags.has(MountFlags::REMOUNT) && !mount.flags.has(MountFlags::BIND);
    let found =
        if is_remount { seen(action, &mount.target, Place::of(&mount.target))? } else { None };
    if found.is_some_and(|found| !matches!(session.owns(&found), Owned::Own)) {
        let why = "the file system is the host's, and would change there too";
        let hint = "`bind: true` with `remount: true` changes only this mount of it";
        return Err(refused(action, why).hint(hint));
    }
    let Some(kind) = mount.new_file_system() else { return Ok(()) };
    if matches!(kind, "cgroup" | "cgroup2") && session.is_initial(Kind::User) {
        // The options of such a mount are those of the hierarchy, where it is made at its root.
        new_namespace(action, Kind::Cgroup, session)?;
    }
    let Some(source) = mount.source.as_deref().map(Path::new) else { return Ok(()) };
    let Some(found) = seen(action, source, std::fs::metadata(source))? else { return Ok(()) };
    if found.file_type().is_block_device() && !is_own_loop(action, source, found.rdev(), session)? {
        let why = "that is a disk of the host";
        let hint = "a disk image is mounted by its file; `--host` mounts disks";
        return Err(refused(action, why).hint(hint));
    }
    Ok(())
}

/// Whether a device is a loop device that writes to no file of the host.
fn is_own_loop(
    action: &RawAction,
    path: &Path,
    device: u64,
    session: &Session,
) -> Result<bool, Report> {
    if sys::device_numbers(device).0 != LOOP {
        return Ok(false);
    }
    let attached = match sys::attached(path) {
        // Nothing is attached to it.
        Err(trouble) if trouble.errno.name() == "ENXIO" => return Ok(false),
        attached => attached.map_err(|trouble| io::Error::from(trouble.errno)),
    };
    Ok(seen(action, path, attached)?.is_some_and(|file| {
        file.read_only || session.images.borrow().contains(&(file.device, file.inode)) || {
            let seen = Seen::Unknown(String::new());
            matches!(session.owns(&Place { device: file.device, seen }), Owned::Own)
        }
    }))
}

/// A signal goes to processes of the recipe: in a PID namespace of its own there are no others.
fn own_process(action: &RawAction, pid: i32, session: &Session) -> Result<(), Report> {
    if !session.is_initial(Kind::Pid) {
        return Ok(());
    }
    let hint = "`process.kill` sends signals to what the recipe has started; `--host` sends them \
                to any process";
    let proc = Path::new("/proc");
    let own = std::fs::read_link(proc.join("self"));
    // Another PID namespace has other numbers.
    if own.is_ok_and(|own| own == Path::new(&sys::process_id().to_string())) {
        let place = proc.join(pid.to_string());
        let there = seen(action, &place, std::fs::metadata(&place))?.is_some();
        if !there || descends(proc, &pid.to_string(), &session.leader().to_string()) {
            return Ok(());
        }
        return Err(
            refused(action, &format!("process {pid} does not belong to the recipe")).hint(hint)
        );
    }
    let why = format!("cannot determine who owns process {pid}: /proc does not show it");
    Err(refused(action, &why).hint(hint))
}

/// A name is only made in, or removed from, a file system of the recipe's own.
fn own_place(action: &RawAction, path: &Path, session: &Session) -> Result<(), Report> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    match seen(action, &parent, Place::of(&parent))? {
        Some(place) => own_file_system(action, &place, &parent, session),
        // The call itself says what is wrong with the place.
        None => Ok(()),
    }
}

/// A file is only written where it is in a file system of the recipe's own, or a setting of this
/// process or its namespaces.
fn own_file(action: &RawAction, path: &Path, session: &Session) -> Result<(), Report> {
    let path = &through_links(action, path)?;
    let Some(found) = seen(action, path, std::fs::metadata(path))? else {
        return own_place(action, path, session);
    };
    let kind = found.file_type();
    if (kind.is_char_device() && harmless(found.rdev())) || kind.is_fifo() || kind.is_socket() {
        return Ok(());
    }
    if kind.is_block_device() || kind.is_char_device() {
        let why = "that is a device of the host";
        return Err(refused(action, why).hint("`--host` writes to devices"));
    }
    if seen(action, path, sys::is_procfs(path))? == Some(true) {
        return setting(action, path, session);
    }
    match seen(action, path, Place::of(path))? {
        Some(place) => own_file_system(action, &place, path, session),
        None => Ok(()),
    }
}

/// Mode and owner are only set in a file system of the recipe's own, of devices as well: they are
/// part of the file system, and not of the device.
fn own_metadata(action: &RawAction, path: &Path, session: &Session) -> Result<(), Report> {
    let Some(place) = seen(action, path, Place::of(path))? else {
        // The call itself says that nothing is there.
        return Ok(());
    };
    // The kernel keeps the mode of a file of procfs for every instance of it.
    if seen(action, path, sys::is_procfs(path))? == Some(true) {
        return Err(of_kernel(action));
    }
    own_file_system(action, &place, path, session)
}

/// The file system is the recipe's own.
fn own_file_system(
    action: &RawAction,
    place: &Place,
    path: &Path,
    session: &Session,
) -> Result<(), Report> {
    let is_root = !session.has_user_namespace();
    match place.kind() {
        Some(kind) if is_root && place::is_of_machine(kind) => return Err(of_kernel(action)),
        None if is_root && seen(action, path, sys::is_of_kernel(path))? == Some(true) => {
            return Err(of_kernel(action));
        }
        // The queues are those of the IPC namespace that the file system was mounted in.
        Some("mqueue") if is_root => new_namespace(action, Kind::Ipc, session)?,
        _ => {}
    }
    match session.owns(place) {
        Owned::Own => through_process(action, path, session),
        Owned::Host => Err(on_host(action, path)),
        Owned::Unknown(_) if is_through_descendant(path, session) => Ok(()),
        Owned::Unknown(why) => Err(on_host(action, path).note(why)),
    }
}

/// The process whose files in /proc a path leads through, as it is written.
fn process_in(path: &Path) -> Option<&str> {
    let mut names = path.iter().filter_map(|name| name.to_str());
    let (root, proc, pid) = (names.next()?, names.next()?, names.next()?);
    let is_process = pid.bytes().all(|byte| byte.is_ascii_digit());
    (root == "/" && proc == "proc" && is_process).then_some(pid)
}

/// Whether a path leads through the files that /proc has of a process of the recipe.
fn is_through_descendant(path: &Path, session: &Session) -> bool {
    let leader = session.leader().to_string();
    process_in(path).is_some_and(|pid| descends(Path::new("/proc"), pid, &leader))
}

/// What another process sees, by its files in /proc, may be the file system of a container that is
/// mounted nowhere here.
fn through_process(action: &RawAction, path: &Path, session: &Session) -> Result<(), Report> {
    let Some(pid) = process_in(path) else { return Ok(()) };
    if is_through_descendant(path, session) {
        return Ok(());
    }
    let why = format!("process {pid}, which sees it, does not belong to the recipe");
    Err(refused(action, &why).hint("`--host` changes what others see"))
}

/// Where a link that dangles leads: a file that is written through it is made there.
fn through_links(action: &RawAction, path: &Path) -> Result<PathBuf, Report> {
    let mut path = path.to_path_buf();
    for _ in 0..40 {
        let says = match std::fs::read_link(&path) {
            // It is no link.
            Err(error) if error.kind() == ErrorKind::InvalidInput => None,
            says => seen(action, &path, says)?,
        };
        let Some(says) = says else { break };
        path = path.parent().unwrap_or(Path::new("/")).join(says);
    }
    Ok(path)
}

/// An image is only written to where the recipe has made it, or in a file system of its own.
fn own_image(action: &RawAction, path: &Path, session: &Session) -> Result<(), Report> {
    let found = seen(action, path, std::fs::metadata(path))?;
    let place = seen(action, path, Place::of(path))?;
    // Attaching what is not there fails by itself.
    let (Some(found), Some(place)) = (found, place) else { return Ok(()) };
    if is_of_recipe(&found, &place, session) {
        return Ok(());
    }
    let why = "that image is the host's, and would be written to";
    Err(refused(action, why)
        .hint("`read_only: true` leaves it as it is; `disk_image` makes one of the recipe's own"))
}

/// Whether an image is none of the host's, or is not there.
pub(in crate::run) fn may_be_written(path: &Path, session: &Session) -> bool {
    let (Ok(found), Ok(place)) = (std::fs::metadata(path), Place::of(path)) else { return true };
    is_of_recipe(&found, &place, session)
}

/// Whether the recipe has made an image, or it lies in a file system of its own.
fn is_of_recipe(found: &std::fs::Metadata, place: &Place, session: &Session) -> bool {
    let made = session.images.borrow().contains(&(found.dev(), found.ino()));
    made || matches!(session.owns(place), Owned::Own)
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
    let Some(real) = seen(action, path, std::fs::canonicalize(path))? else { return Ok(()) };
    let is_root = |path: &&Path| {
        let is_first = std::fs::metadata(path).is_ok_and(|it| it.ino() == PROC_ROOT);
        is_first && sys::is_procfs(path).is_ok_and(|is_procfs| is_procfs)
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
            let why = format!("process {pid} does not belong to the recipe");
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

/// What exists on the host is the nearer cause: the kernel would refuse the call as well.
fn there_already(action: &RawAction, path: &Path) -> Report {
    let why = format!("{} exists already", quoted(path.to_string_lossy()));
    refused(action, &why).hint("choose another path; `exists(path)` shows whether it exists")
}

fn on_host(action: &RawAction, place: &Path) -> Report {
    let why = format!("{} is the host's own file system", quoted(place.to_string_lossy()));
    refused(action, &why).hint(
        "work in `scratch()`, or on a tmpfs that is mounted first; `--host` changes the host's \
         files",
    )
}
