//! What a policy for system calls does to programs.

use crate::support::{HOST, as_each_user, have};

/// Makes calls by number, and prints what comes of each: `0` or the error number.
const CALLS: &str = r"
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    long = [ctypes.c_long(argument) for argument in arguments]
    answer = libc.syscall(ctypes.c_long(number), *long)
    return ctypes.get_errno() if answer == -1 else 0
";

/// Everything that a program in `guest` prints if it runs this after [`CALLS`].
fn called(bench: &crate::support::Bench, guest: &str, script: &str) -> String {
    let code = format!("{guest}.run([\"python3\", \"-c\", args[0]]);");
    bench.nsscript(&["-e", &code, &format!("{CALLS}{script}")]).end().succeeded()
}

#[test]
fn every_program_of_a_sandbox_is_filtered_and_its_init_is_not() {
    as_each_user(|bench| {
        let guest = format!("{HOST}.seccomp(seccomp(\"default\"))");
        let script = "grep ^Seccomp: /proc/self/status /proc/1/status";
        let seen = bench.script(&guest, script).end().succeeded();
        assert_eq!(seen, "/proc/self/status:Seccomp:\t2\n/proc/1/status:Seccomp:\t0\n");
        let alone = bench.script(&format!("{guest}.pid1()"), "grep ^Seccomp: /proc/1/status");
        assert_eq!(alone.end().succeeded(), "Seccomp:\t2\n");
        let code = format!(
            "print({guest}.within(|| read_file(\"/proc/self/status\").contains(\"Seccomp:\\t2\")));"
        );
        assert_eq!(bench.recipe(&code).end().succeeded(), "true\n");
        let code = format!(
            "let s = {guest}.name(\"filtered\").start(\"sleep 60\"); print(\"ready\"); s.wait();"
        );
        let mut running = bench.recipe(&code).may_leave_files().start();
        running.wait_for("ready");
        let joined =
            bench.nsscript(&["exec", "filtered", "--", "grep", "^Seccomp:", "/proc/self/status"]);
        let joined = joined.end().succeeded();
        assert_eq!(joined, "Seccomp:\t2\n");
        bench.nsscript(&["kill", "filtered"]).end();
        running.end();
    });
}

#[test]
fn what_is_denied_fails_with_the_error_of_its_rule() {
    as_each_user(|bench| {
        let guest = |rule: &str| format!("{HOST}.seccomp(seccomp(\"default\"){rule})");
        let fails = |rule: &str| {
            let code = format!("exit({}.run(\"uname\", #{{ check: false }}).code)", guest(rule));
            bench.recipe(&code).end()
        };
        for (rule, message) in [
            (".deny(\"uname\")", "Operation not permitted"),
            (".deny([\"uname\"], #{ errno: \"EIO\" })", "Input/output error"),
            (".deny(\"@default\").allow(\"@default\").deny(\"uname\")", "Operation not permitted"),
        ] {
            let said = fails(rule).failed(1);
            assert!(said.contains(message), "{rule}: {said}");
        }
        fails(".deny(\"uname\").allow(\"uname\")").succeeded();
        let code = format!(
            "let exit = {}.run(\"uname\", #{{ check: false }}); print(exit.signal);",
            guest(".deny(\"uname\", #{ kill: true })")
        );
        assert_eq!(bench.recipe(&code).end().succeeded(), "31\n");
        // Programs of the C library go on without what is denied or unknown.
        let shell =
            "cat /proc/self/status > /dev/null; (exit 3); echo $?; ls / > /dev/null && echo fine";
        let seen = bench.script(
            &guest(".deny([\"clone3\", \"statx\", \"openat2\"], #{ errno: \"ENOSYS\" })"),
            shell,
        );
        assert_eq!(seen.end().succeeded(), "3\nfine\n");
    });
}

#[test]
fn numbers_that_nobody_knows_are_missing_calls() {
    if !have(&["python3"]) || !cfg!(target_arch = "x86_64") {
        return;
    }
    as_each_user(|bench| {
        let script = r"
print(call(600), call(0x40000000 + 39), call(0x7fffffff))
print(call(101, 0, 0, 0, 0), call(298, 0, 0, 0, -1, 0), call(425, 1, 0), call(250, 0, 0))
";
        let guest = format!("{HOST}.seccomp(seccomp(\"default\"))");
        // ENOSYS for numbers that nobody knows and for x32; EPERM for ptrace, perf_event_open,
        // io_uring_setup and keyctl.
        assert_eq!(called(bench, &guest, script), "38 38 38\n1 1 1 1\n");
        let none = format!("{HOST}.seccomp(seccomp(\"none\").deny(\"getppid\"))");
        assert_eq!(called(bench, &none, "print(call(110), call(39), call(600))"), "1 0 38\n");
    });
}

#[test]
fn arguments_are_compared_as_the_kernel_reads_them() {
    if !have(&["python3"]) || !cfg!(target_arch = "x86_64") {
        return;
    }
    as_each_user(|bench| {
        let guest = format!(
            r#"{HOST}.seccomp(seccomp("default").deny("ioctl", #{{ arg1: "TIOCSTI" }})
                .deny("socket").allow("socket", #{{ arg0: ["AF_UNIX"] }})
                .deny(["clone", "unshare"], #{{ arg0: #{{ bits: ["CLONE_NEWUSER", "CLONE_NEWNS"] }} }}))"#
        );
        // ioctl(2) reads 32 bits of its request: what stands above them leads to no other one.
        let script = r"
print(call(16, 0, 0x5412, 0), call(16, 0, 0x5412 | 1 << 32, 0), call(16, -1, 0x5413, 0))
print(call(41, 1, 1, 0), call(41, 1 | 1 << 32, 1, 0), call(41, 2, 1, 0))
print(call(272, 0x10000000 | 0x400), call(272, 0x400), call(272, 0x20000))
print(call(56, 0x10000011, 0, 0, 0, 0), call(435, 0, 0))
import threading
thread = threading.Thread(target=lambda: print('a thread'))
thread.start()
thread.join()
";
        assert_eq!(called(bench, &guest, script), "1 1 9\n0 0 1\n1 0 1\n1 38\na thread\n");
    });
}

#[test]
fn calls_of_32_bit_programs_are_filtered_too() {
    if !have(&["python3"]) || !cfg!(target_arch = "x86_64") {
        return;
    }
    as_each_user(|bench| {
        // getppid by `int 0x80`, and socketcall, which a number in memory leads to socket.
        let script = r#"
import mmap
code = bytes.fromhex("53 89 f8 89 f3 89 d1 cd 80 5b c3".replace(" ", ""))
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(code)
place = ctypes.addressof(ctypes.c_char.from_buffer(page))
old = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint)(place)
print(old(64, 0, 0), old(102, 1, 0), old(20, 0, 0) > 0)
"#;
        let guest = format!(r#"{HOST}.seccomp(seccomp("default").deny(["getppid", "socket"]))"#);
        let seen = called(bench, &guest, script);
        // -38 is also what a kernel without 32-bit programs answers.
        assert!(seen == "-1 -38 True\n" || seen == "-38 -38 False\n", "{seen}");
    });
}

#[test]
fn a_policy_that_cannot_be_is_refused_before_anything_runs() {
    as_each_user(|bench| {
        for (rule, wanted) in [
            (".deny(\"opennat\")", "unknown system call `opennat`\n|did you mean `openat`?"),
            (".deny(\"@mont\")", "unknown group of system calls `@mont`\n|did you mean `@mount`?"),
            (".deny(\"openat\", #{ arg1: 1 })", "`arg1` of `openat` cannot be tested|pointer"),
            (".deny(\"socket\", #{ arg0: \"AF_UNX\" })", "unknown constant `AF_UNX`|`AF_UNIX`"),
            (".deny(\"uname\", #{ errno: \"EPREM\" })", "cannot fail with `EPREM`|`EPERM`"),
            (
                ".deny(\"uname\", #{ errno: \"EIO\", kill: true })",
                "either `errno` or `kill`|remove",
            ),
            (".deny([\"execve\"])", "no program could start: the policy denies `execve`|last rule"),
            (".deny([])", "takes a name or an array of names|"),
        ] {
            let code = format!("sandbox(\"/\").seccomp(seccomp(\"default\"){rule}).run(\"true\");");
            for command in ["run", "check"] {
                let file = bench.file("recipe.rhai", &code);
                let said = bench.nsscript(&[command, file.to_str().unwrap()]).end().stderr;
                for part in wanted.split('|') {
                    assert!(said.contains(part.trim_end()), "{command} {rule}: {said}");
                }
            }
        }
        let many = (0..5000).map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
        let rule = format!("deny(\"ioctl\", #{{ arg1: [{many}] }})");
        let code = format!("sandbox(\"/\").seccomp(seccomp(\"default\").{rule}).run(\"true\");");
        let said = bench.recipe(&code).end().failed(125);
        assert!(said.contains("and the kernel takes 4096"), "{said}");
        let said = bench.recipe("print(seccomp(\"defualt\"));").end().failed(125);
        assert!(said.contains("did you mean `default`?"), "{said}");
    });
}

#[test]
fn a_profile_of_a_container_is_a_policy() {
    if !have(&["python3"]) || !cfg!(target_arch = "x86_64") {
        return;
    }
    as_each_user(|bench| {
        let test = |call: &str, index: u8, op: &str, value: u64, two: u64| {
            format!(
                r#"{{ "names": ["{call}"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95, "args": [
                    {{ "index": {index}, "op": "SCMP_CMP_{op}", "value": {value}, "valueTwo": {two} }}
                ] }}"#
            )
        };
        let entries = [
            r#"{ "names": ["umask"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5 }"#.to_owned(),
            test("socket", 0, "NE", 1, 0),
            test("kill", 1, "GE", 40, 0),
            test("setpriority", 0, "EQ", 0, 0),
            test("madvise", 1, "GT", 1 << 33, 0),
            test("mprotect", 1, "LT", 2, 0),
            test("unshare", 0, "MASKED_EQ", 0x0200_0000, 0x0200_0100),
            r#"{ "names": ["getppid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 11,
                 "includes": { "caps": ["CAP_SYS_ADMIN"] } }"#
                .to_owned(),
        ];
        let profile = format!(
            r#"{{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{}] }}"#,
            entries.join(", ")
        );
        let file = bench.file("profile.json", &profile);
        let guest = |options: &str| {
            format!("{HOST}.seccomp(seccomp_profile(\"{}\"{options}))", file.display())
        };
        let script = r"
print(call(95, 0), call(110), call(600))
print(call(41, 1, 1, 0), call(41, 2, 1, 0), call(41, 1 | 1 << 32, 1, 0))
print(call(62, 0x7ffffffe, 39), call(62, 0x7ffffffe, 40), call(62, 0x7ffffffe, 40 | 1 << 32))
print(call(28, 1, 1 << 33, 0), call(28, 1, (1 << 33) + 1, 0), call(28, 1, (1 << 33) - 1, 0))
print(call(10, 1, 1, 0), call(10, 1, 2, 0), call(10, 1, 2 + (1 << 40), 0))
print(call(272, 0x2000000), call(272, 0x400), call(272, 0x2000400))
print(call(141, 0, 0, 0), call(141, 3, 0, 0))
";
        let seen = called(bench, &guest(""), script);
        assert_eq!(seen, "5 0 38\n0 95 0\n3 95 95\n22 95 22\n95 22 22\n95 0 95\n95 22\n");
        let able = guest(", #{ capabilities: [\"SYS_ADMIN\"] }");
        assert_eq!(called(bench, &able, "print(call(110))"), "11\n");
        let strict = bench.file(
            "strict.json",
            r#"{ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "archMap": [
                   { "architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"] }
               ], "syscalls": [{ "names": ["@default"], "action": "SCMP_ACT_ALLOW" }] }"#,
        );
        let code = format!(
            "sandbox(\"/\").seccomp(seccomp_profile(\"{}\")).run(\"true\");",
            strict.display()
        );
        let said = bench.recipe(&code).end().failed(125);
        assert!(said.contains("no program could start: the policy denies `execve`"), "{said}");
        for (text, wanted) in [
            ("{", "is no seccomp profile: EOF while parsing"),
            ("{ \"defaultAction\": \"SCMP_ACT_ALLOW\", \"arch\": 1 }", "unknown field `arch`"),
            ("{ \"defaultAction\": \"SCMP_ACT_TRAP\" }", "`SCMP_ACT_TRAP` is not supported"),
        ] {
            let file = bench.file("wrong.json", text);
            let code = format!("print(seccomp_profile(\"{}\"));", file.display());
            for command in ["run", "check"] {
                let recipe = bench.file("recipe.rhai", &code);
                let said = bench.nsscript(&[command, recipe.to_str().unwrap()]).end().stderr;
                assert!(said.contains(wanted), "{command}: {said}");
            }
        }
        let said = bench.recipe("print(seccomp(\"docker.json\"));").end().failed(125);
        assert!(said.contains("`seccomp_profile(\"docker.json\")`"), "{said}");
        let said = bench.recipe("print(seccomp_profile(\"/no/such/file\"));").end().failed(125);
        assert!(said.contains("cannot read `/no/such/file`: no such file"), "{said}");
    });
}
