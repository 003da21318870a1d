//! The actions of the raw layer as others write them: the system call, and a shell's command.

use std::path::Path;

use super::RawAction;
use super::mount_call::attribute_words;
use crate::diag::c_literal;
use crate::ops::Maps;
use crate::ops::strace::{Called, clone3, execve, make_mapped, write_proc};
use crate::ops::words::{c, letters, sh};
use crate::spec::{Kind, MountFlags, Namespaces, shell_word};

/// A file of the host, opened with these flags.
fn opened(path: &Path, flags: &str) -> Called {
    Called::new(format!("openat(AT_FDCWD, {}, {flags})", c(path))).giving("fd")
}

impl RawAction {
    /// The system calls, as strace(1) writes them.
    #[must_use]
    pub fn calls(&self) -> Vec<Called> {
        let one = match self {
            Self::EnterSession { namespaces, maps } => {
                return enter_session(*namespaces, maps.as_ref());
            }
            Self::Network { network, action } => return action.calls(network),
            Self::Unshare(namespaces) => format!("unshare({namespaces})"),
            Self::Setns { namespaces, .. } => format!("setns(fd, {namespaces})"),
            Self::Clone(namespaces) if namespaces.is_empty() => return vec![clone3("")],
            Self::Clone(namespaces) => return vec![clone3(&namespaces.to_string())],
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
            Self::AttachLoop { file, read_only, .. } => return attach_loop(file, *read_only),
            Self::Umount { target, lazy } => {
                let flags = if *lazy { "MNT_DETACH" } else { "0" };
                format!("umount2({}, {flags})", c(target))
            }
            Self::PivotRoot(new, old) => format!("pivot_root({}, {})", c(new), c(old)),
            Self::Chroot(root) => format!("chroot({})", c(root)),
            Self::Chdir(path) => format!("chdir({})", c(path)),
            Self::SetHostname(name) => format!("sethostname({}, {})", c_literal(name), name.len()),
            Self::SetDomainname(name) => {
                format!("setdomainname({}, {})", c_literal(name), name.len())
            }
            Self::Mkdir(path, mode) => {
                let make = format!("mkdirat(AT_FDCWD, {}, 0{mode:03o})", c(path));
                return vec![Called::new(make), exactly(path, *mode)];
            }
            Self::Mknod { path: path_of, kind, mode, device: (major, minor) } => {
                let kind = match kind {
                    'c' => "S_IFCHR",
                    'b' => "S_IFBLK",
                    'p' => "S_IFIFO",
                    's' => "S_IFSOCK",
                    _ => "S_IFREG",
                };
                let (path, device) = (c(path_of), format!("makedev({major}, {minor})"));
                let made = format!("mknodat(AT_FDCWD, {path}, {kind}|0{mode:03o}, {device})");
                return vec![Called::new(made), exactly(path_of, *mode)];
            }
            Self::Symlink { says, path } => {
                format!("symlinkat({}, AT_FDCWD, {})", c_literal(says), c(path))
            }
            Self::WriteFile { path, size, append } => {
                let flags = match append {
                    // Files of /proc are there, and have nothing to be cut off.
                    _ if path.starts_with("/proc") => "O_WRONLY",
                    true => "O_WRONLY|O_CREAT|O_APPEND, 0666",
                    false => "O_WRONLY|O_CREAT|O_TRUNC, 0666",
                };
                return vec![
                    Called::new(format!("openat(AT_FDCWD, {}, {flags})", c(path))).giving("fd"),
                    Called::new(format!("write(fd, …, {size})")),
                ];
            }
            Self::Remove(path) => format!("unlink({})", c(path)),
            Self::MapIds { pid, what, map } => {
                return vec![write_proc(&map_file(*pid, what), map)];
            }
            Self::AllowSetgroups(pid, allow) => {
                let word = if *allow { "allow" } else { "deny" };
                return vec![write_proc(&format!("{pid}/setgroups"), word)];
            }
            Self::SetUser(uid) => format!("setresuid({uid}, {uid}, {uid})"),
            Self::SetGroup(gid) => format!("setresgid({gid}, {gid}, {gid})"),
            Self::SetGroups(groups) => {
                let list: Vec<_> = groups.iter().map(ToString::to_string).collect();
                format!("setgroups({}, [{}])", groups.len(), list.join(", "))
            }
            Self::SetCapabilities { names, bounding } => {
                let names = if names.is_empty() { "0".into() } else { names.join("|") };
                let header = "{version=_LINUX_CAPABILITY_VERSION_3, pid=0}";
                let sets = format!("{{effective={names}, permitted={names}, inheritable=0}}");
                let capset = Called::new(format!("capset({header}, {sets})"));
                let bound = Called::new("prctl(PR_CAPBSET_DROP, …) /* each of the others */");
                return if *bounding { vec![bound, capset] } else { vec![capset] };
            }
            Self::Pin { path, .. } => {
                format!("mount(\"/proc/self/fd/N\", {}, NULL, MS_BIND, NULL)", c(path))
            }
            Self::DiskImage { path, size, .. } => {
                let truncated = Called::new(format!("ftruncate(fd, {size})"));
                return vec![opened(path, "O_RDWR|O_CREAT|O_EXCL"), truncated];
            }
            Self::Pack(path) => return vec![opened(path, "O_WRONLY|O_CREAT|O_EXCL")],
            Self::Build(path) => return vec![opened(path, "O_PATH|O_DIRECTORY")],
            Self::Signal { pid, signal } => {
                format!("kill({pid}, {})", signal.split(' ').next().unwrap_or_default())
            }
            Self::Execute(command) => return vec![execve(command, "…")],
        };
        vec![Called::new(one)]
    }

    /// The command of a shell that does the same, where there is one.
    #[must_use]
    pub fn shell(&self) -> Option<String> {
        Some(match self {
            Self::EnterSession { maps: None, .. } => "unshare --mount --propagation private".into(),
            Self::EnterSession { maps: Some(maps), .. } if !maps.own => {
                "unshare --user --map-root-user --map-auto --mount".into()
            }
            Self::EnterSession { .. } => "unshare --user --map-root-user --mount".into(),
            Self::Network { network, action } => action.shell(network),
            Self::Unshare(namespaces) => format!("unshare -{}", letters(*namespaces)),
            Self::Clone(namespaces) if namespaces.is_empty() => return None,
            Self::Clone(namespaces) => format!("unshare --fork -{}", letters(*namespaces)),
            Self::Setns { file, namespaces, .. } => match file.strip_prefix("pid ") {
                Some(pid) => format!("nsenter -t {pid} -{}", letters(*namespaces)),
                None => format!("nsenter -{}{file}", option(*namespaces)),
            },
            Self::Mount(mount) => mount.shell(),
            Self::SetAttributes { target, set, clear, .. } => {
                let words = attribute_words(*set, *clear).join(",");
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
                let file = map_file(*pid, what);
                format!("printf {} > /proc/{file}", shell_word(&map.replace('\n', "\\n")))
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
            Self::Pack(path) => format!("tar --sort=name --mtime=@0 -C tree -caf {} .", sh(path)),
            Self::Build(path) => format!("cp -a tree/. {}", sh(path)),
            Self::Signal { pid, signal } => {
                let name = signal.split(' ').next().unwrap_or_default();
                format!("kill -s {} {pid}", name.trim_start_matches("SIG"))
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
    format!("{pid}/{name}")
}

fn attach_loop(file: &Path, read_only: bool) -> Vec<Called> {
    let flags = if read_only { "LO_FLAGS_READ_ONLY|" } else { "" };
    let file = format!("fd<{}>", file.display());
    let attach =
        format!("ioctl(loop, LOOP_CONFIGURE, {{fd={file}, flags={flags}LO_FLAGS_AUTOCLEAR}})");
    vec![
        Called::new("ioctl(fd</dev/loop-control>, LOOP_CTL_GET_FREE)").giving("N"),
        Called::new("openat(AT_FDCWD, \"/dev/loopN\", O_RDWR)").giving("loop"),
        Called::new(attach),
    ]
}

/// chmod(2), as the umask takes bits away that were asked for.
fn exactly(path: &Path, mode: u32) -> Called {
    Called::new(format!("fchmodat(AT_FDCWD, {}, 0{mode:03o})", c(path)))
}

/// What the session does to begin.
fn enter_session(namespaces: Namespaces, maps: Option<&Maps>) -> Vec<Called> {
    let mut calls = match maps {
        Some(maps) if !maps.own => {
            let mut calls = make_mapped(maps, false);
            calls.push(Called::new("setns(fd, CLONE_NEWUSER)"));
            calls.push(Called::new(format!("unshare({})", namespaces - Kind::User.into())));
            calls
        }
        _ => vec![Called::new(format!("unshare({namespaces})"))],
    };
    if let Some(maps) = maps.filter(|maps| maps.own) {
        calls.push(write_proc("self/setgroups", "deny"));
        calls.push(write_proc("self/uid_map", &maps.users.kernel_text()));
        calls.push(write_proc("self/gid_map", &maps.groups.kernel_text()));
    }
    calls.push(Called::new("mount(NULL, \"/\", NULL, MS_REC|MS_PRIVATE, NULL)"));
    calls
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
