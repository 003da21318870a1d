//! Sandboxes that share namespaces with a running one.

use crate::support::{HOST, as_each_user, have};

/// A running sandbox, and what prints the namespaces of a program.
const FIRST: &str = r#"let first = sandbox("/").user(0).proc().dev().hostname("first")
        .start(["sh", "-c", "sleep 1000 & wait"]);
    let namespaces = ["sh", "-c", "cd /proc/self/ns; for kind in user pid net ipc uts mnt cgroup time; \
        do readlink $kind; done"];"#;

#[test]
fn namespaces_of_a_running_sandbox_are_shared() {
    as_each_user(|bench| {
        let code = format!(
            r#"{FIRST}
            first.run(namespaces);
            let second = {HOST}.hostname("second").join(first);
            second.run(namespaces);
            second.run("hostname");
            let third = {HOST}.join(first, NET | UTS);
            third.run(namespaces);
            third.run("hostname");"#
        );
        let seen = bench.recipe(&code).end().succeeded();
        let lines: Vec<_> = seen.lines().collect();
        let (first, second, third) = (&lines[..8], &lines[8..16], &lines[17..25]);
        let shared = |other: &[&str]| {
            let kinds = ["user", "pid", "net", "ipc", "uts", "mnt", "cgroup", "time"].into_iter();
            let same = kinds.zip(first.iter().zip(other)).filter(|(_, (one, two))| one == two);
            same.map(|(kind, _)| kind).collect::<Vec<_>>()
        };
        assert_eq!(shared(second), ["user", "pid", "net", "ipc"], "{seen}");
        assert_eq!(shared(third), ["user", "net", "uts"], "{seen}");
        assert_eq!((lines[16], lines[25]), ("second", "first"), "{seen}");
    });
}

#[test]
fn sandboxes_of_a_pod_see_each_others_processes_and_ports() {
    as_each_user(|bench| {
        if !have(&["python3"]) {
            return;
        }
        bench.file(
            "serve.py",
            "import socket, sys\ns = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n\
             print('ready', flush=True)\nwhile True:\n    c, _ = s.accept()\n    c.sendall(b'answer\\n')\n    c.close()\n",
        );
        bench.file(
            "ask.py",
            "import socket, sys\nc = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n\
             print(c.makefile().read(), end='')\n",
        );
        let code = format!(
            r#"let serve = |port| ["python3", "-c", read_file("serve.py"), `${{port}}`];
            let ask = |port| ["python3", "-c", read_file("ask.py"), `${{port}}`];
            let first = {HOST}.start(serve.call(4000), #{{ pipes: true }});
            print(first.read_line());
            let pod = {HOST}.join(first, PID | NET);
            let second = pod.start(serve.call(4001), #{{ pipes: true }});
            print(second.read_line());
            print(pod.output(ask.call(4000)).stdout);
            print(first.run(ask.call(4001)).code);
            let names = ["sh", "-c", "cat /proc/[0-9]*/comm | sort | uniq -c | tr -s ' \n' ' '"];
            pod.run(names);
            print("");
            first.run(names);
            print("");
            // Whoever ends first ends the others.
            first.kill("KILL");
            print(second.wait().code != 0);"#
        );
        let seen = bench.recipe(&code).end().succeeded();
        let lines: Vec<_> = seen.lines().collect();
        assert_eq!(lines[..5], ["ready", "ready", "answer", "", "answer"], "{seen}");
        let processes = |line: &str| {
            assert!(line.contains("1 init") && line.contains("2 python3"), "{seen}");
        };
        processes(lines[6]);
        processes(lines[7]);
        assert_eq!(lines[8], "true", "{seen}");
    });
}

#[test]
fn a_program_of_a_pod_has_no_rights_and_its_own_root() {
    as_each_user(|bench| {
        let code = format!(
            r#"{FIRST}
            let pod = sandbox(rootfs().binaries(["sh", "cat", "ls", "mount"]).file("/own", "here\n"))
                .proc("/proc").tmpfs("/tmp").join(first);
            pod.run(["sh", "-c", "cat /own; cat /proc/self/status; ls /home; mount -t tmpfs x /tmp; cat /proc/1/root/etc/passwd"], #{{ check: false }});"#
        );
        let ended = bench.recipe(&code).end();
        assert!(ended.stdout.starts_with("here\n"), "{} {}", ended.stdout, ended.stderr);
        for line in ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"] {
            assert!(ended.stdout.contains(line), "{}", ended.stdout);
        }
        assert!(!ended.stdout.contains("root:"), "{}", ended.stdout);
    });
}

#[test]
fn what_cannot_be_joined_is_told() {
    as_each_user(|bench| {
        for (code, message, hint) in [
            (
                "let first = SANDBOX.start(\"true\"); first.wait(); SANDBOX.join(first).run(\"true\");",
                "the sandbox has ended, so no other one can join it",
                "such as `sleep`",
            ),
            (
                "let first = SANDBOX.start(\"sleep 100\"); let pod = SANDBOX.join(first); \
                 first.kill(\"KILL\"); first.wait(); pod.run(\"true\");",
                "it has ended",
                "such as `sleep`",
            ),
            (
                "let child = clone(UTS, || sleep(100)); SANDBOX.join(child).run(\"true\");",
                "this process is not the program of a sandbox",
                "that `.start(…)` of a sandbox has started",
            ),
            ("SANDBOX.join(1).run(\"true\");", "takes a Process", ""),
            (
                "let first = SANDBOX.start(\"sleep 100\"); print(SANDBOX.join(first, MOUNT | PID));",
                "a sandbox cannot join the mount namespace of another",
                "it can join `PID | NET | IPC | UTS`",
            ),
            (
                "let first = SANDBOX.start(\"sleep 100\"); \
                 SANDBOX.join(first).unshare(NET).run(\"true\");",
                "cannot be both new and those of another sandbox",
                "leave out `unshare`",
            ),
            (
                "let first = SANDBOX.start(\"sleep 100\"); SANDBOX.join(first).user(77).run(\"true\");",
                "user 77 is not mapped in the sandbox that is joined",
                "its map is",
            ),
        ] {
            let code = code.replace("SANDBOX", HOST);
            let said = bench.recipe(&code).end().failed(125);
            assert!(said.contains(message) && said.contains(hint), "{said}");
        }
    });
}
