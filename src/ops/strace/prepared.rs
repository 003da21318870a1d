//! Prepared calls in the notation of strace(1).
//!
//! Descriptors are shown by name. Close-on-exec flags are omitted, and so are calls that only close
//! descriptors.
#![warn(clippy::wildcard_enum_match_arm)]

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Called, write_proc};
use crate::diag::c_literal;
use crate::ops::process::{limit, seccomp};
use crate::sys::{
    self, Attributes, Base, Call, Create, Examined, MountPropagation, Overlay, OwnTerminal, Target,
    Tree,
};

/// The flags for looking up a path beneath a descriptor.
const RESOLVE: &str = "resolve=RESOLVE_NO_MAGICLINKS|RESOLVE_IN_ROOT";
/// The maximum number of content bytes to show, as in strace(1).
const SHOWN: usize = 32;

/// The system calls of a program's calls in this range.
#[must_use]
pub fn prepared(program: &[Call], numbers: &[usize]) -> Vec<Called> {
    let stacks = |call: &&Call| matches!(call, Call::AttachRoot | Call::ShowRootEntries);
    let stacked = program.iter().filter(stacks).count();
    let one = |number: &usize| {
        // A new object is named after its use.
        let becomes = match program.get(number + 1) {
            Some(Call::Keep) => "lower",
            Some(Call::SetAside { .. }) => "slave",
            Some(Call::AttachRoot) => "root",
            _ => "mount",
        };
        program.get(*number).map(|call| calls(call, becomes, stacked)).unwrap_or_default()
    };
    numbers.iter().flat_map(one).collect()
}

fn c(text: &CStr) -> String {
    c_literal(&text.to_string_lossy())
}

/// A path of the host for people, because directories of our own are reached by descriptor.
fn known(path: &CStr) -> String {
    let path = sys::shown(Path::new(OsStr::from_bytes(path.to_bytes())));
    c_literal(&path.to_string_lossy())
}

fn bytes(bytes: &[u8]) -> String {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
    let more = if bytes.len() > SHOWN { "…" } else { "" };
    c_literal(&shown) + more
}

fn call(text: impl Into<String>) -> Called {
    Called::new(text)
}

fn many<const N: usize>(texts: [&str; N]) -> Vec<Called> {
    texts.map(call).into()
}

fn attributes(set: Attributes) -> String {
    let names = [
        (Attributes::READ_ONLY, "MOUNT_ATTR_RDONLY"),
        (Attributes::NO_SUID, "MOUNT_ATTR_NOSUID"),
        (Attributes::NO_DEVICES, "MOUNT_ATTR_NODEV"),
        (Attributes::NO_EXEC, "MOUNT_ATTR_NOEXEC"),
        (Attributes::NO_SYMLINKS, "MOUNT_ATTR_NOSYMFOLLOW"),
    ];
    let names = names.iter().filter(|(one, _)| set.has(*one)).map(|(_, name)| *name);
    let names: Vec<_> = names.collect();
    if names.is_empty() { "0".into() } else { names.join("|") }
}

fn set_attributes(what: &str, flags: &str, set: Attributes) -> Called {
    let set = attributes(set);
    call(format!("mount_setattr({what}, \"\", {flags}, {{attr_set={set}}}, 32)"))
}

/// mount_setattr(2) that maps the ids of a copy, sets attributes and makes it private.
pub(in crate::ops) fn map_ids(recursive: bool, set: Attributes) -> Called {
    let recursion = if recursive { "|AT_RECURSIVE" } else { "" };
    let set = if set == Attributes::NONE { String::new() } else { format!("|{}", attributes(set)) };
    call(format!(
        "mount_setattr(mount, \"\", AT_EMPTY_PATH{recursion}, {{attr_set=MOUNT_ATTR_IDMAP{set}, \
         propagation=MS_PRIVATE, userns_fd=fd}}, 32)"
    ))
}

/// openat2(2) of a path beneath the root.
fn beneath(path: &CStr, flags: &str, gives: &str) -> Called {
    call(format!("openat2(root, {}, {{flags={flags}, {RESOLVE}}}, 24)", c(path))).giving(gives)
}

fn directory(path: &str) -> Called {
    call(format!("mkdirat(root, {path}, 0755) /* if missing */"))
}

fn symlink(says: &CStr, parent: &str, name: &str) -> Called {
    call(format!("symlinkat({}, {parent}, {})", c(says), c_literal(name)))
}

fn change_owner(what: &str, (uid, gid): (u32, u32)) -> Option<Called> {
    let id = |id: u32| if id == u32::MAX { "-1".to_owned() } else { id.to_string() };
    let given = uid != u32::MAX || gid != u32::MAX;
    let (uid, gid) = (id(uid), id(gid));
    given.then(|| call(format!("fchownat({what}, \"\", {uid}, {gid}, AT_EMPTY_PATH)")))
}

#[expect(clippy::too_many_lines, reason = "one arm for each call")]
fn calls(prepared: &Call, becomes: &str, stacked: usize) -> Vec<Called> {
    match prepared {
        Call::OpenTree { tree, recursive, set } => open_tree(tree, *recursive, *set, becomes),
        Call::NewMount { kind, options, attributes } => {
            new_mount(kind, options, *attributes, becomes)
        }
        Call::AttachRoot => {
            vec![call("move_mount(root, \"\", AT_FDCWD, \"/\", MOVE_MOUNT_F_EMPTY_PATH)")]
        }
        Call::Stage(directories) => {
            let make = |name| call(format!("mkdirat(AT_FDCWD, {}, 0755)", c(name)));
            std::iter::once(call("fchdir(root)"))
                .chain(directories.iter().map(|n| make(n)))
                .collect()
        }
        Call::Keep | Call::UseKept | Call::TakeAside { .. } | Call::UseGiven { .. } => Vec::new(),
        Call::AttachKept(name) => {
            let name = c(name);
            vec![call(format!(
                "move_mount(lower, \"\", AT_FDCWD, {name}, MOVE_MOUNT_F_EMPTY_PATH)"
            ))]
        }
        Call::Attach(target) => attach(target),
        Call::SetAside { .. } => vec![call(
            "mount_setattr(slave, \"\", AT_EMPTY_PATH|AT_RECURSIVE, {propagation=MS_SLAVE}, 32)",
        )],
        Call::SetPropagation { path, kind } => {
            let flag = match kind {
                MountPropagation::Private => "MS_PRIVATE",
                MountPropagation::Slave => "MS_SLAVE",
                MountPropagation::Shared => "MS_SHARED",
                MountPropagation::Unbindable => "MS_UNBINDABLE",
            };
            let flags = "AT_EMPTY_PATH|AT_RECURSIVE";
            let set = format!("mount_setattr(place, \"\", {flags}, {{propagation={flag}}}, 32)");
            vec![beneath(path, "O_PATH", "place"), call(set)]
        }
        Call::Overlay(overlay) => overlay_calls(overlay),
        Call::OpenRoot(path) => {
            vec![call(format!("openat(AT_FDCWD, {}, O_PATH|O_DIRECTORY)", c(path))).giving("root")]
        }
        Call::SetRootAttributes(set) => vec![set_attributes("root", "AT_EMPTY_PATH", *set)],
        Call::BindSelf { base, path, optional, set } => bind_self(*base, path, *optional, *set),
        Call::Mask { path, optional: _ } => mask(path),
        Call::MakeDirectory { path, mode, owner } => {
            let mut all = vec![directory(&c(path)), beneath(path, "O_PATH|O_DIRECTORY", "place")];
            all.extend(change_owner("place", *owner));
            let open =
                format!("openat2(place, \".\", {{flags=O_RDONLY|O_DIRECTORY, {RESOLVE}}}, 24)");
            all.push(call(open).giving("fd"));
            all.push(call(format!("fchmod(fd, 0{mode:03o})")));
            all
        }
        Call::MakeFile { path, content, mode, owner } => {
            let flags = "O_WRONLY|O_CREAT|O_TRUNC|O_NONBLOCK, mode=0600";
            let mut all = vec![beneath(path, flags, "fd")];
            let write = || call(format!("write(fd, {}, {})", bytes(content), content.len()));
            all.extend((!content.is_empty()).then(write));
            all.extend(change_owner("fd", *owner));
            all.push(call(format!("fchmod(fd, 0{mode:03o})")));
            all
        }
        Call::CoverFile { path, content, mode, owner } => cover_file(path, content, *mode, *owner),
        Call::ShowEntries(path) => show_entries(path, "mount", &onto("below")),
        Call::ShowRootEntries => {
            let attach = "move_mount(root, \"\", AT_FDCWD, \"/\", MOVE_MOUNT_F_EMPTY_PATH)";
            show_entries(c".", "root", attach)
        }
        Call::MakeSymlink { base, path, target } => {
            let path = path.to_string_lossy();
            match path.rsplit_once('/').filter(|_| *base == Base::Root) {
                Some((parent, name)) => {
                    let parent = c_literal(parent);
                    let flags = format!("{{flags=O_PATH|O_DIRECTORY, {RESOLVE}}}");
                    let open = format!("openat2(root, {parent}, {flags}, 24)");
                    vec![
                        directory(&parent),
                        call(open).giving("parent"),
                        symlink(target, "parent", name),
                    ]
                }
                None if *base == Base::Root => vec![symlink(target, "root", &path)],
                None => vec![symlink(target, "parent", &path)],
            }
        }
        Call::PivotRoot => {
            let mut all = many(["fchdir(root)", "pivot_root(\".\", \".\")"]);
            all.extend((0..stacked).map(|_| call("umount2(\".\", MNT_DETACH)")));
            all.push(call("chdir(\"/\")"));
            all
        }
        Call::Chroot | Call::ChrootInto(_) => {
            many(["fchdir(root)", "chroot(\".\")", "chdir(\"/\")"])
        }
        Call::Workdir(path) => vec![
            call("openat(AT_FDCWD, \"/\", O_PATH|O_DIRECTORY)").giving("root"),
            beneath(path, "O_PATH|O_DIRECTORY", "place"),
            call("fchdir(place)"),
        ],
        Call::Execute { as_init, told: _, passed } => {
            let name = if *as_init { "init" } else { "exec" };
            let kept = passed.numbers();
            let moves = kept.clone().map(|number| call(format!("dup3(passed, {number}, 0)")));
            let closes = match (kept.clone().next(), kept.last()) {
                (Some(first), Some(last)) => vec![
                    call(format!("close_range(5, {}, 0)", first - 1)),
                    call(format!("close_range({}, ~0U, 0)", last + 1)),
                ],
                _ => vec![call("close_range(5, ~0U, 0)")],
            };
            let execute = call(format!("execveat(init, \"\", [\"{name}\"], …, AT_EMPTY_PATH)"));
            moves.chain(closes).chain([execute]).collect()
        }
        Call::WriteProc { path, bytes } => {
            let path = path.to_string_lossy();
            let path = path.trim_start_matches("/proc/");
            vec![write_proc(path, &String::from_utf8_lossy(bytes))]
        }
        Call::TryWriteProc { directory, files } => {
            let directory = directory.to_string_lossy();
            let directory = directory.trim_start_matches("/proc/");
            let write = |(name, bytes): &(std::ffi::CString, Vec<u8>)| {
                let path = format!("{directory}/{}", name.to_string_lossy());
                write_proc(&path, &String::from_utf8_lossy(bytes))
            };
            files.iter().map(write).collect()
        }
        Call::MakePrivate => {
            let private = "{propagation=MS_PRIVATE}";
            vec![call(format!("mount_setattr(AT_FDCWD, \"/\", AT_RECURSIVE, {private}, 32)"))]
        }
        Call::CoverRoot => vec![
            call("open_tree(AT_FDCWD, \"/\", OPEN_TREE_CLONE|AT_RECURSIVE)").giving("mount"),
            call("move_mount(mount, \"\", AT_FDCWD, \"/\", MOVE_MOUNT_F_EMPTY_PATH)"),
            call("fchdir(mount)"),
            call("chroot(\".\")"),
        ],
        Call::SetClock { first, bytes } => {
            let unshare = first.then(|| call("unshare(CLONE_NEWTIME)"));
            let line = String::from_utf8_lossy(bytes);
            unshare.into_iter().chain([write_proc("self/timens_offsets", &line)]).collect()
        }
        Call::LoopbackUp => vec![
            call("socket(AF_INET, SOCK_DGRAM, IPPROTO_IP)").giving("fd"),
            call("ioctl(fd, SIOCSIFFLAGS, {ifr_name=\"lo\", ifr_flags=IFF_UP|IFF_RUNNING})"),
        ],
        Call::SetHostname(name) => {
            let (text, length) = (bytes(name), name.len());
            vec![call(format!("sethostname({text}, {length})"))]
        }
        Call::SetDomainname(name) => {
            let (text, length) = (bytes(name), name.len());
            vec![call(format!("setdomainname({text}, {length})"))]
        }
        Call::SetGroups(groups) => {
            let list: Vec<_> = groups.iter().map(ToString::to_string).collect();
            vec![call(format!("setgroups({}, [{}])", groups.len(), list.join(", ")))]
        }
        Call::SetGroup(gid) => vec![call(format!("setresgid({gid}, {gid}, {gid})"))],
        Call::SetUser(uid) => vec![
            call("prctl(PR_SET_KEEPCAPS, 1)"),
            call(format!("setresuid({uid}, {uid}, {uid})")),
            call("prctl(PR_SET_KEEPCAPS, 0)"),
        ],
        Call::LimitBoundingSet { kept } => {
            let each = if *kept == 0 { "each capability" } else { "each other capability" };
            vec![call(format!("prctl(PR_CAPBSET_DROP, …) /* {each} */"))]
        }
        Call::LimitCapabilities { kept, ambient } => capabilities(*kept, *ambient),
        Call::NewKeyring => vec![call("keyctl(KEYCTL_JOIN_SESSION_KEYRING, NULL)")],
        Call::NoNewPrivileges => vec![call("prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)")],
        Call::Limit { resource, soft, hard } => vec![limit(*resource, *soft, *hard)],
        Call::Umask(mode) => vec![call(format!("umask(0{mode:02o})"))],
        Call::Seccomp(filter) => vec![seccomp(filter.len())],
        Call::Personality(bits) => vec![call(format!("personality({bits:#x})"))],
        Call::Streams(descriptors) => {
            let names = ["input", "output", "errors"];
            let ends = descriptors.iter().zip(names).enumerate();
            let other = ends.filter(|(number, (from, _))| usize::try_from(**from) != Ok(*number));
            other.map(|(number, (_, name))| call(format!("dup3({name}, {number}, 0)"))).collect()
        }
        Call::Terminal(OwnTerminal { errors, .. }) => own_terminal(*errors),
        Call::NewSession => vec![call("setsid()")],
        Call::ControlTerminal => vec![call("ioctl(0, TIOCSCTTY, 0)")],
        Call::DieWithParent => vec![
            call("prctl(PR_SET_PDEATHSIG, SIGKILL)"),
            call("ppoll([{fd=parent, events=POLLIN}], 1, {tv_sec=0, tv_nsec=0}, NULL)"),
        ],
    }
}

/// The calls that leave these capabilities.
fn capabilities(kept: u64, ambient: bool) -> Vec<Called> {
    let header = "{version=_LINUX_CAPABILITY_VERSION_3, pid=0}";
    let number = |set: u64| if set == 0 { "0".to_owned() } else { format!("{set:#x}") };
    let (kept_text, inherited) = (number(kept), number(if ambient { kept } else { 0 }));
    let sets = format!("{{effective={kept_text}, permitted={kept_text}, inheritable={inherited}}}");
    let mut all = vec![call(format!("capset({header}, {sets})"))];
    if ambient && kept != 0 {
        all.push(call("prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, …, 0, 0) /* each of them */"));
    }
    all
}

fn new_mount(
    kind: &CStr,
    options: &[(CString, Option<CString>)],
    attributes: Attributes,
    becomes: &str,
) -> Vec<Called> {
    let set = |(key, value): &(CString, Option<CString>)| match value {
        Some(value) => {
            let (key, value) = (c(key), c(value));
            call(format!("fsconfig(fs, FSCONFIG_SET_STRING, {key}, {value}, 0)"))
        }
        None => call(format!("fsconfig(fs, FSCONFIG_SET_FLAG, {}, NULL, 0)", c(key))),
    };
    let mut all = vec![call(format!("fsopen({}, 0)", c(kind))).giving("fs")];
    all.extend(options.iter().map(set));
    all.push(call("fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0)"));
    let attributes = self::attributes(attributes);
    all.push(call(format!("fsmount(fs, 0, {attributes})")).giving(becomes));
    all
}

/// A terminal that is created inside and sent to nsscript.
fn own_terminal(errors: bool) -> Vec<Called> {
    let flags = "O_RDWR|O_NOCTTY|O_CLOEXEC";
    let open = format!("openat(AT_FDCWD, \"/dev/pts/ptmx\", {flags})");
    let mut calls = vec![
        call(open).giving("main"),
        call("ioctl(main, TIOCSPTLCK, [0])"),
        call(format!("ioctl(main, TIOCGPTPEER, {flags})")).giving("terminal"),
        call("ioctl(terminal, TCSETS2, …)"),
        call("ioctl(terminal, TIOCSWINSZ, …)"),
    ];
    let streams = 0..2 + i32::from(errors);
    calls.extend(streams.map(|number| call(format!("dup3(terminal, {number}, 0)"))));
    calls.push(call("sendmsg(nsscript, {msg_control=[main]}, 0)"));
    calls
}

fn open_tree(tree: &Tree, recursive: bool, set: Attributes, becomes: &str) -> Vec<Called> {
    let recursion = if recursive { "|AT_RECURSIVE" } else { "" };
    let open = |at: &str, path: &str, empty: &str| {
        call(format!("open_tree({at}, {path}, OPEN_TREE_CLONE{recursion}{empty})")).giving(becomes)
    };
    let mut all = match tree {
        Tree::Host(path, _) => vec![open("AT_FDCWD", &known(path), "")],
        Tree::Beneath(Base::Fresh, path) => vec![open("parent", &c(path), "")],
        Tree::Beneath(Base::Root, path) => {
            vec![beneath(path, "O_PATH", "place"), open("place", "\"\"", "|AT_EMPTY_PATH")]
        }
    };
    if set != Attributes::NONE {
        all.push(set_attributes(becomes, &format!("AT_EMPTY_PATH{recursion}"), set));
    }
    if matches!(tree, Tree::Host(_, Some(_))) {
        // A file other than the planned one is refused.
        let flags = "AT_SYMLINK_NOFOLLOW|AT_NO_AUTOMOUNT|AT_EMPTY_PATH";
        all.push(call(format!("newfstatat({becomes}, \"\", {{st_dev=…, st_ino=…}}, {flags})")));
    }
    all
}

fn attach(target: &Target) -> Vec<Called> {
    let path = c(&target.path);
    if target.base == Base::Fresh {
        let made = match target.create {
            Create::Nothing => None,
            Create::Directory => Some(format!("mkdirat(parent, {path}, 0755)")),
            Create::File => Some(format!("mknodat(parent, {path}, S_IFREG|0644)")),
        };
        let moved = format!("move_mount(mount, \"\", parent, {path}, MOVE_MOUNT_F_EMPTY_PATH)");
        return made.into_iter().chain([moved]).map(call).collect();
    }
    let flags = "O_WRONLY|O_CREAT|O_NOFOLLOW, 0644";
    let made = match target.create {
        Create::Nothing => None,
        Create::Directory => Some(directory(&path)),
        Create::File => Some(call(format!("openat(root, {path}, {flags}) /* if missing */"))),
    };
    let place = beneath(&target.path, "O_PATH", "place");
    made.into_iter().chain([place, onto_place()]).collect()
}

/// An overlay, whose directories are attached in a stage.
fn overlay_calls(overlay: &Overlay) -> Vec<Called> {
    let Overlay { target, lower, names, changes, options, attributes } = overlay;
    let plain = Attributes::NO_SUID.and(Attributes::NO_DEVICES, true);
    let mut all = plain_tmpfs("mount");
    all.extend(attach(target));
    all.push(call("fchdir(mount)"));
    all.extend(names.iter().map(|name| call(format!("mkdirat(AT_FDCWD, {}, 0755)", c(name)))));
    let mut staged = |directory: &Examined, name: &CStr, set| {
        let tree = Tree::Host(directory.path.clone(), Some(directory.identity));
        all.extend(open_tree(&tree, true, set, "lower"));
        let name = c(name);
        all.push(call(format!(
            "move_mount(lower, \"\", AT_FDCWD, {name}, MOVE_MOUNT_F_EMPTY_PATH)"
        )));
    };
    for (directory, name) in lower.iter().zip(names) {
        staged(directory, name, plain);
    }
    if let Some(changes) = changes {
        staged(&changes.above, c"changes", plain.and(Attributes::NO_SYMLINKS, true));
    }
    all.extend(new_mount(c"overlay", options, *attributes, "mount"));
    all.extend(many(["umount2(\".\", MNT_DETACH)", "fchdir(root)"]));
    all.push(if target.base == Base::Fresh {
        let path = c(&target.path);
        call(format!("move_mount(mount, \"\", parent, {path}, MOVE_MOUNT_F_EMPTY_PATH)"))
    } else {
        onto_place()
    });
    all
}

fn bind_self(base: Base, path: &CStr, optional: bool, set: Attributes) -> Vec<Called> {
    let tree = Tree::Beneath(base, path.to_owned());
    let mut all = open_tree(&tree, true, set, "mount");
    if let Some(first) = all.first_mut().filter(|_| optional) {
        first.call.push_str(" /* the rest if it exists */");
    }
    all.extend(match base {
        Base::Fresh => {
            let path = c(path);
            vec![call(format!("move_mount(mount, \"\", parent, {path}, MOVE_MOUNT_F_EMPTY_PATH)"))]
        }
        Base::Root => vec![onto_place()],
    });
    all
}

fn onto_place() -> Called {
    call(onto("place"))
}

fn onto(what: &str) -> String {
    let flags = "MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH";
    format!("move_mount(mount, \"\", {what}, \"\", {flags})")
}

/// An empty tmpfs of our own.
fn plain_tmpfs(becomes: &str) -> Vec<Called> {
    let mode = (CString::from(c"mode"), Some(CString::from(c"0755")));
    let plain = Attributes::NO_SUID.and(Attributes::NO_DEVICES, true);
    new_mount(c"tmpfs", &[mode], plain, becomes)
}

/// A tmpfs with the entries of a directory, which is attached by `attach`.
fn show_entries(path: &CStr, becomes: &str, attach: &str) -> Vec<Called> {
    let mut all = vec![beneath(path, "O_RDONLY|O_DIRECTORY", "below")];
    all.extend(plain_tmpfs(becomes));
    all.push(call(attach));
    all.push(call("getdents64(below, …, 4096) /* then for each entry */"));
    let flags = "OPEN_TREE_CLONE|AT_RECURSIVE|AT_SYMLINK_NOFOLLOW|AT_NO_AUTOMOUNT";
    all.push(call(format!("open_tree(below, …, {flags})")).giving("entry"));
    let make = format!("mkdirat({becomes}, …, 0755) /* a file by mknodat, a link by symlinkat */");
    all.push(call(make));
    all.push(call(format!("move_mount(entry, \"\", {becomes}, …, MOVE_MOUNT_F_EMPTY_PATH)")));
    all
}

/// A file of our own on another one.
fn cover_file(path: &CStr, content: &[u8], mode: u32, owner: (u32, u32)) -> Vec<Called> {
    let mut all = vec![beneath(path, "O_PATH", "place")];
    all.extend(plain_tmpfs("mount"));
    all.push(call(onto("root")));
    let open = "openat(mount, \"file\", O_WRONLY|O_CREAT|O_EXCL, 0600)";
    all.push(call(open).giving("fd"));
    let write = || call(format!("write(fd, {}, {})", bytes(content), content.len()));
    all.extend((!content.is_empty()).then(write));
    all.extend(change_owner("fd", owner));
    all.push(call(format!("fchmod(fd, 0{mode:03o})")));
    all.push(call("open_tree(mount, \"file\", OPEN_TREE_CLONE)").giving("file"));
    let set =
        Attributes::READ_ONLY.and(Attributes::NO_SUID, true).and(Attributes::NO_DEVICES, true);
    all.push(set_attributes("file", "AT_EMPTY_PATH", set));
    all.extend(many(["fchdir(mount)", "umount2(\".\", MNT_DETACH)", "fchdir(root)"]));
    let flags = "MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH";
    all.push(call(format!("move_mount(file, \"\", place, \"\", {flags})")));
    all
}

fn mask(path: &CStr) -> Vec<Called> {
    let set = Attributes::READ_ONLY
        .and(Attributes::NO_SUID, true)
        .and(Attributes::NO_DEVICES, true)
        .and(Attributes::NO_EXEC, true);
    let null = "open_tree(AT_FDCWD, \"/dev/null\", OPEN_TREE_CLONE) /* on a directory a tmpfs */";
    vec![
        beneath(path, "O_PATH", "place"),
        call(null).giving("mount"),
        set_attributes("mount", "AT_EMPTY_PATH", set),
        onto_place(),
    ]
}
