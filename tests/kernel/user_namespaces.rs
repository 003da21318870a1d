//! Sandboxes whose programs make no user namespaces.

use std::fs;

use crate::support::{Bench, HOST, User, as_each_user, have, may_mount};

/// Tries to make a user namespace in every way, each in a process of its own, after it has tried to
/// raise the limit. It prints what comes of each call: `made`, or the name of the error.
const ATTEMPTS: &str = r#"
import ctypes, errno, mmap, os, platform, signal
libc = ctypes.CDLL(None, use_errno=True)
NEW_USER = 0x10000000
is_x86 = platform.machine() == "x86_64"
unshare, clone, setns, clone3 = (272, 56, 308, 435) if is_x86 else (97, 220, 268, 435)

for proc in ["/proc", "/mnt"]:
    if proc == "/mnt":
        libc.mount(b"proc", b"/mnt", b"proc", 0, None)
    try:
        with open(proc + "/sys/user/max_user_namespaces", "w") as file:
            file.write("100")
    except OSError:
        pass

def answer(result, error):
    if result == 0 and os.getpid() != caller:
        os._exit(0)  # the new process of a clone
    return "made" if result >= 0 else errno.errorcode[error]

def call(number, *arguments):
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    result = libc.syscall(ctypes.c_long(number), *words)
    return answer(result, ctypes.get_errno())

def old_call(number, *arguments):
    result = old(number, *arguments)
    return answer(result, -result)

def tried(attempt):
    global caller
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        caller = os.getpid()
        os.write(writer, attempt().encode())
        os._exit(0)
    os.close(writer)
    said = os.read(reader, 99).decode()
    os.waitpid(pid, 0)
    return said

flags = NEW_USER | signal.SIGCHLD
arguments = (ctypes.c_uint64 * 8)(NEW_USER, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
print(tried(lambda: call(unshare, NEW_USER)), tried(lambda: call(unshare, NEW_USER | 0x20000)),
    tried(lambda: call(clone, flags, 0, 0, 0, 0)),
    tried(lambda: call(clone3, ctypes.byref(arguments), 64)))
if is_x86:
    code = bytes.fromhex("5389f889f389d1cd805bc3")
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    place = ctypes.addressof(ctypes.c_char.from_buffer(page))
    old = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint)(place)
    others = [tried(lambda: old_call(310, NEW_USER, 0)), tried(lambda: old_call(120, flags, 0)),
        tried(lambda: call(0x40000000 + unshare, NEW_USER)),
        tried(lambda: call(0x40000000 + clone, flags, 0, 0, 0, 0))]
    print(*["none" if other == "ENOSYS" else other for other in others])
"#;

/// What the attempts print if nothing forbids them, under a limit, and under a filter.
const MADE: &str = "made made made made";
const LIMITED: &str = "ENOSPC ENOSPC ENOSPC ENOSPC";
const FILTERED: &str = "EPERM EPERM EPERM ENOSYS";

/// The setting of the host.
fn of_host() -> String {
    fs::read_to_string("/proc/sys/user/max_user_namespaces").unwrap()
}

/// Makes sure that the attempts in what a program has printed came to this. What 32-bit programs and
/// those of x32 may do, if a kernel has them, is the same.
#[track_caller]
fn assert_attempts(seen: &str, wanted: &str, what: &str) {
    let mut lines = seen.lines();
    assert_eq!(lines.next(), Some(wanted), "{what}: {seen}");
    let one = wanted.split(' ').next().unwrap();
    let others = lines.next().into_iter().flat_map(|line| line.split(' '));
    assert!(others.into_iter().all(|other| other == one || other == "none"), "{what}: {seen}");
    assert_eq!(lines.next(), None, "{what}: {seen}");
}

/// What a program in `guest` prints that tries to make user namespaces.
#[track_caller]
fn attempts(bench: &Bench, guest: &str) -> String {
    let code = format!("{guest}.run([\"python3\", \"-c\", args[0]]);");
    bench.nsscript(&["-e", &code, ATTEMPTS]).end().succeeded()
}

#[test]
fn no_program_makes_a_user_namespace() {
    if !have(&["python3"]) {
        return;
    }
    as_each_user(|bench| {
        let before = of_host();
        assert_attempts(&attempts(bench, HOST), MADE, "without the verb");
        for more in [
            "",
            ".user(1000).group(1000)",
            ".pid1()",
            ".chroot()",
            ".share(NET | PID).bind(\"/proc\")",
            ".keep_capabilities(\"container\")",
            ".seccomp(seccomp(\"default\"))",
        ] {
            let guest = if more.contains("PID") { "sandbox(\"/\").user(0)" } else { HOST };
            let guest = format!("{guest}{more}.forbid_user_namespaces()");
            assert_attempts(&attempts(bench, &guest), LIMITED, &guest);
        }
        // Who may raise the limit is filtered instead.
        let guest =
            format!("{HOST}.keep_capabilities([\"SYS_RESOURCE\"]).forbid_user_namespaces()");
        assert_attempts(&attempts(bench, &guest), FILTERED, &guest);
        let status = "grep ^Seccomp: /proc/1/status";
        assert_eq!(bench.seen(&guest, status), "Seccomp:\t2\n");
        if bench.user.is_root() {
            for more in ["", ".user(65534).group(65534)", ".keep_capabilities([\"SETUID\"])"] {
                let guest = format!("{HOST}{more}.share(USER).forbid_user_namespaces()");
                assert_attempts(&attempts(bench, &guest), FILTERED, &guest);
            }
            let all = format!("{HOST}.map_users(\"all\").map_groups(\"all\")");
            let guest = format!("{all}.forbid_user_namespaces()");
            assert_attempts(&attempts(bench, &guest), LIMITED, &guest);
        }
        assert_eq!(of_host(), before);
    });
}

#[test]
fn a_program_with_all_capabilities_makes_none_either() {
    as_each_user(|bench| {
        let before = of_host();
        let guest = |more: &str| {
            format!(
                r#"sandbox(rootfs().binaries(["sh", "cat", "grep", "mount", "unshare", "true"]))
                    .proc().dev().tmpfs("/mnt").map_users("all", #{{ optional: true }})
                    .map_groups("all", #{{ optional: true }}).keep_capabilities("all"){more}"#
            )
        };
        let script = "echo 100 > /proc/sys/user/max_user_namespaces
            mount -t proc none /mnt && echo 90 > /mnt/sys/user/max_user_namespaces
            cat /mnt/sys/user/max_user_namespaces
            unshare --user true 2> /dev/null && echo made; unshare --user --mount true 2> /dev/null && echo made
            grep ^Seccomp: /proc/self/status /mnt/1/status";
        let seen = bench.script(&guest(""), script).end().stdout;
        assert!(seen.starts_with("90\nmade\nmade\n"), "{seen}");
        let seen = bench.script(&guest(".forbid_user_namespaces()"), script).end().stdout;
        let filtered = "90\n/proc/self/status:Seccomp:\t2\n/mnt/1/status:Seccomp:\t2\n";
        assert_eq!(seen, filtered);
        assert_eq!(of_host(), before);
    });
}

#[test]
fn what_joins_makes_none() {
    if !have(&["python3"]) {
        return;
    }
    as_each_user(|bench| {
        let before = of_host();
        let kinds = [("", LIMITED), (".keep_capabilities([\"SYS_RESOURCE\"])", FILTERED)];
        for (number, (more, wanted)) in kinds.into_iter().enumerate() {
            let name = format!("forbids-{}-{number}", std::process::id());
            let guest = format!("{HOST}{more}.forbid_user_namespaces()");
            let code = format!(
                r#"let first = {guest}.name("{name}").start("sleep 600");
                first.run(["python3", "-c", args[0]]);
                let make = || {{ unshare(USER); "made" }};
                for what in [first, {guest}] {{
                    try {{ print(what.within(make)); }} catch (e) {{ print(e.errno); }}
                }}
                print("ready");
                first.wait();"#
            );
            let mut running = bench.nsscript(&["-e", &code, ATTEMPTS]).may_leave_files().start();
            running.wait_for("ready");
            let exec = |options: &[&str]| {
                let words = ["--", "python3", "-c", ATTEMPTS];
                bench.nsscript(&[&["exec"], options, &[name.as_str()], &words].concat()).end()
            };
            assert_attempts(&exec(&[]).succeeded(), wanted, "exec");
            if !bench.user.is_root() {
                let privileged = exec(&["--privileged"]).stdout;
                assert_attempts(&privileged, FILTERED, "exec --privileged");
            }
            bench.nsscript(&["kill", &name]).end().succeeded();
            let seen = running.end().stdout;
            let closures = if wanted == LIMITED { "28\n28\nready\n" } else { "1\n1\nready\n" };
            let program = seen.strip_suffix(closures).unwrap_or_else(|| panic!("{seen}"));
            assert_attempts(program, wanted, "a program that joins");
        }
        assert_eq!(of_host(), before);
    });
}

#[test]
fn another_sandbox_of_the_same_ids_still_makes_them() {
    as_each_user(|bench| {
        if !bench.user.is_root() {
            return;
        }
        let maps = ".map_user(0, 100000, 65536).map_group(0, 100000, 65536)";
        let code = format!(
            r#"let other = {HOST}{maps};
            let guest = other.forbid_user_namespaces();
            let make = "unshare --user true 2> /dev/null; echo $?";
            let first = other.start("sleep 600");
            for one in [guest, other, guest, other] {{ one.run(["sh", "-c", make]); }}
            first.run(["sh", "-c", make]);
            first.kill("KILL");"#
        );
        assert_eq!(bench.recipe(&code).end().succeeded(), "1\n0\n1\n0\n0\n");
    });
}

#[test]
fn a_filter_replaces_a_limit_that_cannot_be_set() {
    if !have(&["python3"]) || !may_mount() {
        return;
    }
    as_each_user(|bench| {
        for setup in [
            "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys",
            "mount -t tmpfs none /proc/sys; mount -o remount,bind,ro /proc/sys",
        ] {
            let code = r#"let guest = sandbox("/").read_only_root().forbid_user_namespaces();
                guest.run(["python3", "-c", args[0]]);
                guest.run(["python3", "-c", args[0]]);"#;
            let launch = bench.nsscript(&["-e", code, ATTEMPTS]).in_world(setup);
            let ended = launch.end();
            let warning = "warning: the limit of user namespaces cannot be set here";
            assert_eq!(ended.stderr.matches(warning).count(), 1, "{}", ended.stderr);
            let seen = ended.succeeded();
            let half = seen.len() / 2;
            assert_eq!(seen[..half], seen[half..]);
            assert_attempts(&seen[..half], FILTERED, setup);
        }
    });
}

#[test]
fn nsscript_inside_says_what_forbids_a_sandbox() {
    as_each_user(|bench| {
        let own = bench.binary();
        let guest = format!(
            r#"sandbox("/").bind("{}", "/tmp/nsscript").forbid_user_namespaces()"#,
            own.display()
        );
        let script = "/tmp/nsscript -e 'sandbox(\"/\").run(\"true\")'";
        let said = bench.script(&guest, script).end().failed(125);
        let wanted = "the user namespace of this process allows no further ones";
        assert!(said.contains(wanted) && said.contains("(ENOSPC)"), "{said}");
        let guest = format!("{guest}.keep_capabilities([\"SYS_RESOURCE\"])");
        let said = bench.script(&guest, script).end().failed(125);
        assert!(said.contains("a seccomp filter around nsscript refuses it"), "{said}");
    });
}

#[test]
fn a_plan_says_how_they_are_forbidden() {
    as_each_user(|bench| {
        let plan = |more: &str| {
            let file = bench.file(
                "recipe.rhai",
                format!("sandbox(\"/\"){more}.forbid_user_namespaces().run(\"true\");"),
            );
            bench.nsscript(&["plan", file.to_str().unwrap()]).end().succeeded()
        };
        let limit = "forbid further user namespaces";
        let filter = "filter system calls that create or enter user namespaces";
        let said = plan("");
        assert!(said.contains(limit) && !said.contains(filter), "{said}");
        let said = plan(".keep_capabilities([\"SYS_RESOURCE\"])");
        assert!(said.contains(filter) && !said.contains(limit), "{said}");
        if User::this().is_root() && bench.user.is_root() {
            let said = plan(".share(USER)");
            assert!(said.contains(filter) && !said.contains("max_user_namespaces"), "{said}");
        }
    });
}
