//! Rights of the program: capabilities, all ids, and everything that a container has.

use rhai::Dynamic;

use crate::diag::Caller;
use crate::ops::{
    ForbidUserNamespaces, KeepCapabilities, KeepSession, OutliveParent, Sandbox, What,
};
use crate::run;
use crate::script::binding::argument::AllIdsWord;
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::verb::{Verb, verbs};
use crate::script::effects::child;
use crate::spec::{AllIds, Capabilities};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["privilege.rs";
    fn container,
    fn keep_capabilities,
    fn forbid_user_namespaces,
    fn map_users,
    fn map_groups,
    fn session,
    fn outlive_parent,
    fn pass_fd,
];

options! {
    /// What a descriptor may be.
    struct Passing {
        /// passes a directory, by which the program leaves its root
        directory: bool = "false",
    }

    /// Whether the caller must have further ids.
    struct All {
        /// maps only the caller's own id, with a warning, if the caller has no others
        optional: bool = "false",
    }
}

/// Adds everything that a container engine mounts and sets, for a root of the sandbox's own.
///
/// - `/proc`, `/sys`, `/dev` with terminals and shared memory, `/dev/mqueue`, and empty `/tmp` and
///   `/run`
/// - the files of `/proc` and `/sys` that docker hides or makes read-only
/// - the host name `container`, `/etc/hosts` and `/etc/hostname` with it (`name_files`), and a
///   `PATH`
/// - the capabilities of a container (`keep_capabilities("container")`), and all ids
///   (`map_users("all")`, `map_groups("all")`); if the caller has only their own, nsscript prints a
///   warning
///
/// So package managers, `useradd`, `su` and `chown` work as in a container. With `network`,
/// `/etc/resolv.conf` names the name servers. Later verbs change single parts. `nsscript plan` shows
/// every part; the module `std/container` is its text.
///
/// # Example
/// ```rhai
/// print(sandbox(rootfs().binary("sh")).container());
/// ```
/// # See
/// capabilities(7), subuid(5)
fn container(call: &Call<'_, '_>, sandbox: Sandbox) -> Result<Sandbox, VerbError> {
    let count = sandbox.steps().len();
    let made = call.library("std/container", "container", Dynamic::from(sandbox.clone()));
    let made = made.map_err(|error| child::failed(*error, call))?;
    let made = made.try_cast::<Sandbox>().unwrap_or(sandbox);
    let Some(origin) = call.origin() else { return Ok(made) };
    let caller = Caller {
        function: "container".into(),
        source: origin.source.clone(),
        line: origin.line,
        column: origin.column,
    };
    Ok(made.asked_by(count, &caller, &origin.callers))
}

/// Keeps capabilities for the programs of the sandbox; without this verb, they have none.
///
/// `capabilities` are names of capabilities(7), with or without `CAP_`, or a word:
///
/// - `"container"`: the 14 that docker and podman leave to containers: `CHOWN`, `DAC_OVERRIDE`,
///   `FSETID`, `FOWNER`, `MKNOD`, `NET_RAW`, `SETGID`, `SETUID`, `SETFCAP`, `SETPCAP`,
///   `NET_BIND_SERVICE`, `SYS_CHROOT`, `KILL` and `AUDIT_WRITE`
/// - `"all"`: every capability
///
/// They count in the user namespace of the sandbox: for its ids, its namespaces and its mounts, but
/// for nothing of the host, and not in a network that the sandbox enters. The bounding, permitted
/// and effective set have them; if the program is not user 0, the inheritable and ambient set, too.
/// Programs that join the sandbox have the same. Its init has none.
///
/// No program can gain more: `no_new_privs` stays set, so set-user-ID programs and file
/// capabilities have no effect. User 0 with `SETUID` and `SETGID` needs neither to become another
/// user: `su`, `runuser` and package managers work, if the other ids are mapped.
///
/// A program with `SYS_ADMIN`, which `"all"` includes, can mount, and can undo every mount of its
/// sandbox. Hidden and read-only places of its own files are no protection then (a warning says
/// so); for files of the host, and if user 0 of the machine is mapped, they are an error.
///
/// # Errors
/// A capability is unknown. `USER` is shared, and nsscript does not have the capability, or it would
/// give power over the machine. `chroot` is used, and the program could leave its root. `PID` is
/// shared, and the program could trace others. The program could undo what protects the host.
///
/// # Example
/// ```rhai
/// sandbox("/").keep_capabilities(["NET_RAW"]).run("grep Cap /proc/self/status");
/// ```
/// # See
/// capabilities(7), user_namespaces(7)
fn keep_capabilities(call: &Call<'_, '_>, sandbox: Sandbox, capabilities: Capabilities) -> Sandbox {
    sandbox.with(KeepCapabilities(capabilities), call.origin())
}

/// Forbids programs to create user namespaces, like bwrap's `--disable-userns`.
///
/// In a user namespace of its own, every program has all capabilities. So it reaches code of the
/// kernel that is otherwise for root, and mounts and file systems that it makes itself. It can also
/// leave the mounts of its sandbox behind, and rename what they are mounted on: see `pin`. Without
/// user namespaces, a program has only the capabilities that the recipe keeps. Some programs need
/// them: browsers, bwrap, rootless containers, and nsscript itself.
///
/// The kernel's limit for the sandbox's own user namespace is set to 0
/// (`/proc/sys/user/max_user_namespaces`, as the sandbox sees it; the host's stays). unshare(2) and
/// clone(2) then fail with ENOSPC. A filter of system calls replaces the limit if `USER` is shared, if
/// the sandbox keeps `SYS_RESOURCE`, with which a program could raise the limit, or if `/proc/sys` is
/// read-only, as in most containers, with a warning. The filter also forbids to enter user namespaces
/// with setns(2). The calls then fail with EPERM, and clone3(2) with ENOSYS: programs use clone(2) in
/// its stead, but nsscript starts no process without clone3. On aarch64, the filter kills 32-bit
/// programs.
///
/// All programs of the sandbox have it, closures and programs that join included. Of sandboxes that
/// share namespaces (`join`), each one needs it.
///
/// # Example
/// ```rhai
/// let guest = sandbox("/").forbid_user_namespaces();
/// assert(guest.output("unshare --user true", #{ check: false }).code != 0);
/// ```
/// # See
/// user_namespaces(7), namespaces(7), seccomp(2)
fn forbid_user_namespaces(call: &Call<'_, '_>, sandbox: Sandbox) -> Sandbox {
    sandbox.with(ForbidUserNamespaces, call.origin())
}

/// Maps all user ids that the caller may map: `"all"`.
///
/// For an ordinary user, 0 inside is the caller, and the ids from 1 on are the subordinate ones in
/// `/etc/subuid`. For root, 0 to 65535 inside are its subordinate ids, or else the first 65536 ids
/// from 524288 on that belong to no user: root of the sandbox is then no user of the machine. In a
/// container, root maps the ids of the container as they are.
///
/// # Errors
/// The caller has no subordinate ids, and `optional` is not set.
///
/// # Example
/// ```rhai
/// print(sandbox().map_users("all").map_groups("all"));
/// ```
/// # See
/// user_namespaces(7), subuid(5), newuidmap(1)
fn map_users(call: &Call<'_, '_>, sandbox: Sandbox, users: AllIdsWord, options: All) -> Sandbox {
    let AllIdsWord = users;
    let all = AllIds { optional: options.optional.unwrap_or(false) };
    sandbox.with(What::MapUsers(all), call.origin())
}

/// Maps all group ids that the caller may map, as `map_users` does for user ids.
///
/// # Errors
/// The caller has no subordinate ids, and `optional` is not set.
///
/// # Example
/// ```rhai
/// print(sandbox().map_users("all").map_groups("all"));
/// ```
/// # See
/// user_namespaces(7), subgid(5), newgidmap(1)
fn map_groups(call: &Call<'_, '_>, sandbox: Sandbox, groups: AllIdsWord, options: All) -> Sandbox {
    let AllIdsWord = groups;
    let all = AllIds { optional: options.optional.unwrap_or(false) };
    sandbox.with(What::MapGroups(all), call.origin())
}

/// Chooses whether programs have a session of their own; they have by default.
///
/// With `false`, programs stay in the session of nsscript and use its terminal itself: no terminal
/// of their own is relayed to it, and the shell that started nsscript has them as a part of its job.
/// A job-control shell inside manages the terminal as it does outside. Ctrl-C also reaches nsscript,
/// if the program is in its process group: nsscript then gives the program two seconds to end.
/// nsscript restores settings and foreground of the terminal afterwards.
///
/// A program at the terminal can read the keyboard and change settings. It can also type into the
/// shell that started nsscript (TIOCSTI) before Linux 6.2, and later if
/// `dev.tty.legacy_tiocsti` is 1: nsscript prints a warning then.
///
/// `nsscript exec` and `nsscript enter` always start a session.
///
/// # Example
/// ```rhai
/// print(sandbox("/").session(false));
/// ```
/// # See
/// setsid(2), tty_ioctl(4), credentials(7)
fn session(call: &Call<'_, '_>, sandbox: Sandbox, own: bool) -> Sandbox {
    sandbox.with(KeepSession(!own), call.origin())
}

/// Lets a program that `start` starts go on when nsscript ends.
///
/// By default, every sandbox ends with nsscript, however nsscript ends. With this, a copy of nsscript
/// starts the sandbox, stays with it, and removes everything that was made for it when the program
/// has ended. It has a session of its own: neither Ctrl-C nor the end of the terminal reaches it or
/// the program. `nsscript ps` lists the sandbox, and `exec`, `enter` and `kill` reach it, before and
/// after the end of the recipe. SIGTERM for the copy ends the sandbox first; SIGKILL ends both. The
/// recipe need not keep the process.
///
/// The program has no terminal and no input. Its output goes where that of nsscript goes, and keeps
/// a pipe there open: `stdout` and `stderr` of `start` name files, or `"discard"` it. While the
/// recipe runs, `wait`, `kill`, `exec` and the other functions of a process work as usual.
///
/// Programs that are waited for (`run`, `output`, `shell`) and closures are not concerned. A network
/// of the recipe lasts as long as a program uses it, and `"outbound"` as long as the sandbox. Kept
/// changes stay locked until the program ends.
///
/// # Errors
/// `start` has `pipes`. Programs stay at the terminal (`session(false)`). A closure in a child process
/// starts the program, or new processes are in another PID namespace. The layers of the root are in
/// a store that is removed with this run, because the user has no writable home.
///
/// # Example
/// ```rhai
/// let server = sandbox("/").outlive_parent().start("sleep 60", #{ stdout: "discard" });
/// print(server.running);
/// server.kill("KILL");
/// server.wait();
/// ```
/// # See
/// setsid(2), PR_SET_PDEATHSIG(2const)
fn outlive_parent(call: &Call<'_, '_>, sandbox: Sandbox) -> Sandbox {
    sandbox.with(OutliveParent, call.origin())
}

/// Passes a descriptor that the caller of nsscript has opened to the program, as `number`.
///
/// The default number is the one that it has for nsscript: `nsscript recipe.rhai 9< file`. All
/// others are closed. Only the first program of the sandbox has it, not its init or programs that
/// join. A closure is a copy of nsscript, and so has its descriptors.
///
/// A program can read and write what is open, and pass it on. It can open a file that it gets for
/// reading once more, for writing (`/proc/self/fd/9`), if its user may write to the file. By a
/// directory it reaches every file of the host that its user may: that needs `directory: true`, and
/// nsscript prints a warning.
///
/// # Errors
/// The descriptor is not open, is a standard stream, a directory or a terminal, only names a place
/// (`O_PATH`), or belongs to nsscript itself.
///
/// # Example
/// ```rhai
/// try { print(sandbox("/").pass_fd(200)); } catch (e) { print(e.message); }
/// ```
/// # See
/// dup(2), proc_pid_fd(5)
fn pass_fd(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    descriptor: i64,
    number: Option<i64>,
    options: Passing,
) -> Result<Sandbox, VerbError> {
    let number = number.unwrap_or(descriptor);
    let passed = run::pass_fd(descriptor, number, options.directory.unwrap_or(false));
    let passed = passed.map_err(|report| call.fail(report))?;
    Ok(sandbox.with(passed, call.origin()))
}
