//! The actions of the raw layer as others write them: the system call, and a shell's command.

use std::path::Path;

use super::raw::RawAction;
use crate::spec::{Kind, MountFlags, Namespaces, shell_word};

fn text(text: impl AsRef<str>) -> String {
    format!("\"{}\"", crate::diag::escape(text.as_ref()).replace('"', "\\\""))
}

fn c(path: &Path) -> String {
    text(path.to_string_lossy())
}

fn sh(path: &Path) -> String {
    shell_word(&path.to_string_lossy())
}

/// The options of unshare(1) and nsenter(1) for these kinds.
fn letters(namespaces: Namespaces) -> String {
    let letter = |kind| match kind {
        Kind::User => 'U',
        Kind::Mount => 'm',
        Kind::Pid => 'p',
        Kind::Net => 'n',
        Kind::Uts => 'u',
        Kind::Ipc => 'i',
        Kind::Cgroup => 'C',
        Kind::Time => 'T',
    };
    namespaces.kinds().map(letter).collect()
}

fn open(path: &str, what: &str) -> String {
    format!("write({}, {})", path, text(what))
}

impl RawAction {
    /// The system calls, as strace(1) writes them.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        let one = match self {
            Self::EnterSession { namespaces, .. } | Self::Unshare(namespaces) => {
                format!("unshare({namespaces})")
            }
            Self::Setns { namespaces, .. } => format!("setns(fd, {namespaces})"),
            Self::Clone(namespaces) if namespaces.is_empty() => "clone(SIGCHLD)".into(),
            Self::Clone(namespaces) => format!("clone({namespaces}|SIGCHLD)"),
            Self::Mount(mount) => mount.call(),
            Self::SetAttributes { target, recursive, set, clear } => {
                let flags = if *recursive { "AT_RECURSIVE" } else { "0" };
                let (set, clear) = (attributes(*set), attributes(*clear));
                let target = c(target);
                format!(
                    "mount_setattr(AT_FDCWD, {target}, {flags}, \
                     {{attr_set={set}, attr_clr={clear}}}, 32)"
                )
            }
            Self::AttachLoop { file, read_only, .. } => {
                let flags = if *read_only { "LO_FLAGS_READ_ONLY|" } else { "" };
                return vec![
                    "ioctl(open(\"/dev/loop-control\"), LOOP_CTL_GET_FREE)".into(),
                    format!(
                        "ioctl(loop, LOOP_CONFIGURE, {{file={}, flags={flags}LO_FLAGS_AUTOCLEAR}})",
                        c(file)
                    ),
                ];
            }
            Self::Umount { target, lazy } => {
                let flags = if *lazy { "MNT_DETACH" } else { "0" };
                format!("umount2({}, {flags})", c(target))
            }
            Self::PivotRoot(new, old) => format!("pivot_root({}, {})", c(new), c(old)),
            Self::Chroot(root) => format!("chroot({})", c(root)),
            Self::Chdir(path) => format!("chdir({})", c(path)),
            Self::SetHostname(name) => format!("sethostname({}, {})", text(name), name.len()),
            Self::SetDomainname(name) => format!("setdomainname({}, {})", text(name), name.len()),
            Self::Mkdir(path, mode) => format!("mkdir({}, {mode:#05o})", c(path)),
            Self::Mknod { path, kind, mode, device: (major, minor) } => {
                let kind = match kind {
                    'c' => "S_IFCHR",
                    'b' => "S_IFBLK",
                    'p' => "S_IFIFO",
                    's' => "S_IFSOCK",
                    _ => "S_IFREG",
                };
                format!("mknod({}, {kind}|{mode:#05o}, makedev({major}, {minor}))", c(path))
            }
            Self::Symlink { says, path } => format!("symlink({}, {})", text(says), c(path)),
            Self::WriteFile { path, size, append } => {
                let mode = if *append { "O_APPEND" } else { "O_TRUNC" };
                format!("write(open({}, O_WRONLY|O_CREAT|{mode}), …, {size})", c(path))
            }
            Self::Remove(path) => format!("unlink({})", c(path)),
            Self::MapIds { pid, what, map } => open(&map_file(*pid, what), map),
            Self::AllowSetgroups(pid, allow) => {
                let word = if *allow { "allow" } else { "deny" };
                open(&format!("/proc/{pid}/setgroups"), word)
            }
            Self::SetUser(uid) => format!("setresuid({uid}, {uid}, {uid})"),
            Self::SetGroup(gid) => format!("setresgid({gid}, {gid}, {gid})"),
            Self::SetGroups(groups) => {
                let list: Vec<_> = groups.iter().map(ToString::to_string).collect();
                format!("setgroups({}, [{}])", groups.len(), list.join(", "))
            }
            Self::SetCapabilities { names, bounding } => {
                let names = if names.is_empty() { "0".into() } else { names.join("|") };
                let capset = format!("capset(effective={names}, permitted, inheritable=0)");
                return if *bounding {
                    vec!["prctl(PR_CAPBSET_DROP, …)".into(), capset]
                } else {
                    vec![capset]
                };
            }
            Self::Pin { path, .. } => {
                format!("mount(\"/proc/self/fd/N\", {}, NULL, MS_BIND, NULL)", c(path))
            }
            Self::DiskImage { path, size, .. } => {
                format!("ftruncate(open({}, O_CREAT|O_EXCL), {size})", c(path))
            }
            Self::Execute(command) => {
                let words: Vec<_> = command.words().iter().map(text).collect();
                format!("execve({}, [{}], …)", text(command.program()), words.join(", "))
            }
        };
        vec![one]
    }

    /// The command of a shell that does the same, where there is one.
    #[must_use]
    pub fn shell(&self) -> Option<String> {
        Some(match self {
            Self::EnterSession { maps: None, .. } => "unshare --mount --propagation private".into(),
            Self::EnterSession { .. } => "unshare --user --map-root-user --mount".into(),
            Self::Unshare(namespaces) => format!("unshare -{}", letters(*namespaces)),
            Self::Clone(namespaces) if namespaces.is_empty() => return None,
            Self::Clone(namespaces) => format!("unshare --fork -{}", letters(*namespaces)),
            Self::Setns { file, namespaces, .. } => match file.strip_prefix("pid ") {
                Some(pid) => format!("nsenter -t {pid} -{}", letters(*namespaces)),
                None => format!("nsenter -{}{file}", option(*namespaces)),
            },
            Self::Mount(mount) => mount.shell(),
            Self::SetAttributes { target, set, clear, .. } => {
                let words = super::mount_call::attribute_words(*set, *clear).join(",");
                format!("mount -o remount,bind,{words} {}", sh(target))
            }
            Self::AttachLoop { file, read_only, .. } => {
                let read_only = if *read_only { " -r" } else { "" };
                format!("losetup{read_only} --find --show {}", sh(file))
            }
            Self::Umount { target, lazy: false } => format!("umount {}", sh(target)),
            Self::Umount { target, lazy: true } => format!("umount -l {}", sh(target)),
            Self::PivotRoot(new, old) => format!("pivot_root {} {}", sh(new), sh(old)),
            Self::Chroot(root) => format!("chroot {}", sh(root)),
            Self::Chdir(path) => format!("cd {}", sh(path)),
            Self::SetHostname(name) => format!("hostname {}", shell_word(name)),
            Self::SetDomainname(name) => format!("domainname {}", shell_word(name)),
            Self::Mkdir(path, mode) => format!("mkdir -m {mode:o} {}", sh(path)),
            Self::Mknod { path, kind: kind @ ('c' | 'b'), mode, device: (major, minor) } => {
                format!("mknod -m {mode:o} {} {kind} {major} {minor}", sh(path))
            }
            Self::Mknod { path, kind: 'p', mode, .. } => format!("mkfifo -m {mode:o} {}", sh(path)),
            Self::Mknod { kind: 's', .. } => return None,
            Self::Mknod { path, .. } => format!("touch {}", sh(path)),
            Self::Symlink { says, path } => format!("ln -s {} {}", shell_word(says), sh(path)),
            Self::WriteFile { path, append, .. } => {
                format!("printf … {} {}", if *append { ">>" } else { ">" }, sh(path))
            }
            Self::Remove(path) => format!("rm -d {}", sh(path)),
            Self::MapIds { pid, what, map } => {
                format!("echo {} > {}", shell_word(map.trim_end()), map_file(*pid, what))
            }
            Self::AllowSetgroups(pid, allow) => {
                let word = if *allow { "allow" } else { "deny" };
                format!("echo {word} > /proc/{pid}/setgroups")
            }
            Self::SetUser(uid) => format!("setpriv --reuid {uid}"),
            Self::SetGroup(gid) => format!("setpriv --regid {gid} --keep-groups"),
            Self::SetGroups(groups) if groups.is_empty() => "setpriv --clear-groups".into(),
            Self::SetGroups(groups) => {
                let list: Vec<_> = groups.iter().map(ToString::to_string).collect();
                format!("setpriv --groups {}", list.join(","))
            }
            Self::SetCapabilities { names, .. } => {
                let short = names.iter().map(|name| name.trim_start_matches("CAP_").to_lowercase());
                let kept: Vec<_> = short.map(|name| format!(",+{name}")).collect();
                format!("setpriv --bounding-set -all{}", kept.concat())
            }
            Self::Pin { namespace, path } => {
                let file = namespace.split(':').next().unwrap_or_default();
                format!("mount --bind /proc/PID/ns/{file} {}", sh(path))
            }
            Self::DiskImage { path, size, kind } => {
                format!("truncate -s {size} {0} && mkfs.{kind} {0}", sh(path))
            }
            Self::Execute(command) => format!("exec {}", command.shown()),
        })
    }
}

/// The option of nsenter(1) that takes a file.
fn option(namespaces: Namespaces) -> String {
    let names: Vec<_> = namespaces.kinds().map(Kind::name).collect();
    format!("-{}=", names.join("="))
}

fn map_file(pid: i32, what: &str) -> String {
    let name = if what == "users" { "uid_map" } else { "gid_map" };
    format!("/proc/{pid}/{name}")
}

/// Attributes by the names of mount_setattr(2).
fn attributes(flags: MountFlags) -> String {
    let names = [
        (MountFlags::READ_ONLY, "MOUNT_ATTR_RDONLY"),
        (MountFlags::NO_SUID, "MOUNT_ATTR_NOSUID"),
        (MountFlags::NO_DEVICES, "MOUNT_ATTR_NODEV"),
        (MountFlags::NO_EXEC, "MOUNT_ATTR_NOEXEC"),
        (MountFlags::NO_ACCESS_TIMES, "MOUNT_ATTR_NOATIME"),
        (MountFlags::STRICT_TIMES, "MOUNT_ATTR_STRICTATIME"),
        (MountFlags::NO_DIRECTORY_TIMES, "MOUNT_ATTR_NODIRATIME"),
        (MountFlags::NO_SYMLINKS, "MOUNT_ATTR_NOSYMFOLLOW"),
    ];
    let names: Vec<_> =
        names.iter().filter(|(flag, _)| flags.has(*flag)).map(|(_, name)| *name).collect();
    if names.is_empty() { "0".into() } else { names.join("|") }
}
