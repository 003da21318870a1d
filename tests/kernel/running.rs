//! Running sandboxes, seen and entered from another terminal: `nsscript ps`, `exec`, `enter`, `kill`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::joining::{Group, PROBE, TREE as PROBED_TREE};
use crate::support::schema::fitting;
use crate::support::{
    Bench, Ended, HOST, Launch, Running, TREE, User, as_each_user, field, have, missing,
};

/// A name that no other test, and nobody else on this machine, gives a sandbox.
fn new_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// nsscript in the other terminal, with a sandbox that sleeps.
fn asleep(bench: &Bench, guest: &str, name: &str) -> Running {
    let recipe = format!(
        r#"let first = {guest}.name("{name}").start("sleep 600"); print("up"); first.wait();"#
    );
    let mut running = bench.recipe(&recipe).start();
    running.wait_for("up\n");
    running
}

/// All sandboxes that `nsscript ps` lists.
fn listed(bench: &Bench) -> Vec<Value> {
    let document = fitting("ps", &elsewhere(bench, &["ps", "--json"]).end().succeeded());
    document["sandboxes"].as_array().unwrap().clone()
}

/// The sandbox of this name in the list.
fn of_name(bench: &Bench, name: &str) -> Option<Value> {
    listed(bench).into_iter().find(|one| one["name"] == name)
}

/// Waits for the sandbox in the list: its program may run before it is there.
fn wait_until_listed(bench: &Bench, name: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    while of_name(bench, name).is_none() {
        assert!(Instant::now() < end, "{name} is not listed");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// nsscript in another terminal. What is in `TMPDIR` is that of the first one.
fn elsewhere<'b>(bench: &'b Bench, words: &[&str]) -> Launch<'b> {
    bench.nsscript(words).may_leave_files()
}

fn exec(bench: &Bench, sandbox: &str, words: &[&str]) -> Ended {
    elsewhere(bench, &[&["exec", sandbox, "--"], words].concat()).end()
}

#[test]
fn a_privileged_program_has_all_capabilities_in_the_sandbox_alone() {
    as_each_user(|bench| {
        let name = new_name();
        bench.file("hidden", "seen\n");
        let file = bench.text("hidden");
        let guest = format!(
            "{HOST}.bind(\"{file}\", \"/tmp/f\").mask(\"/tmp/f\").seccomp(seccomp(\"default\"))"
        );
        let running = asleep(bench, &guest, &name);
        let script = "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; \
                      umount /tmp/f 2> /dev/null; cat /tmp/f 2> /dev/null; true";
        let plain = exec(bench, &name, &["sh", "-c", script]).succeeded();
        assert_eq!(plain, "CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n");
        let words = ["exec", "--privileged", &name, "--", "sh", "-c", script];
        let ended = elsewhere(bench, &words).end();
        if bench.user.is_root() {
            let said = ended.failed(125);
            assert!(said.contains("root outside is mapped in the sandbox"), "{said}");
            end(bench, &name, running);
            return;
        }
        let warned = ended.stderr.contains("warning: the program has all capabilities");
        assert!(warned, "{}", ended.stderr);
        let seen = ended.stdout;
        let all = seen.lines().next().unwrap().trim_start_matches("CapEff:\t").to_owned();
        assert!(u64::from_str_radix(&all, 16).unwrap() >= 0x1f_ffff_ffff, "{seen}");
        assert!(seen.ends_with("NoNewPrivs:\t1\nSeccomp:\t0\nseen\n"), "{seen}");
        end(bench, &name, running);
    });
}

#[test]
fn another_terminal_starts_a_session_even_if_the_sandbox_has_none() {
    as_each_user(|bench| {
        let name = new_name();
        let running = asleep(bench, &format!("{HOST}.session(false)"), &name);
        let seen = exec(bench, &name, &["cut", "-d ", "-f6", "/proc/self/stat"]).succeeded();
        assert_ne!(seen, "0\n");
        end(bench, &name, running);
    });
}

/// Ends a sandbox, and the nsscript process that waits for it.
fn end(bench: &Bench, name: &str, running: Running) {
    elsewhere(bench, &["kill", name]).end().succeeded();
    running.end().succeeded();
}

#[test]
fn a_running_sandbox_is_listed_with_what_it_is() {
    as_each_user(|bench| {
        let name = new_name();
        let guest = format!("{HOST}.user(7).group(8)");
        let running = asleep(bench, &guest, &name);
        let one = of_name(bench, &name).expect("it is listed");
        let nsscript = one["nsscript"].as_i64().unwrap();
        // prlimit(1) has become nsscript.
        assert_eq!(nsscript, i64::from(running.pid()));
        let number = one["number"].as_i64().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{number}/status")).unwrap();
        assert_eq!(field(&status, "PPid"), nsscript.to_string());
        let ids = (one["uid"].as_u64(), one["gid"].as_u64());
        assert_eq!(ids, (Some(7), Some(8)));
        assert_eq!((&one["root"], &one["network"]), (&"/".into(), &"none".into()));
        assert_eq!(one["command"], Value::from(vec!["sleep", "600"]));
        assert!(one["age"].as_u64().is_some_and(|age| age < 60), "{one}");
        let table = elsewhere(bench, &["ps"]).end().succeeded();
        let row = table.lines().find(|line| line.contains(&name)).unwrap();
        let row: Vec<_> = row.split_whitespace().collect();
        let wanted = [&number.to_string(), &name, "7:8", "/", "none"];
        assert_eq!(row[..5], wanted, "{table}");
        assert_eq!(row[row.len() - 2..], ["sleep", "600"], "{table}");
        end(bench, &name, running);
        assert_eq!(of_name(bench, &name), None);
    });
}

#[test]
fn root_and_network_of_a_sandbox_are_listed() {
    as_each_user(|bench| {
        let directory = bench.directory("tree");
        let directory = directory.to_str().unwrap();
        for (guest, root, network) in [
            (TREE.to_owned(), "rootfs", "none"),
            (format!("{HOST}.network(\"host\")"), "/", "host"),
            (format!("{HOST}.network(netns(\"inner\"))"), "/", "inner"),
            (
                format!(
                    "sandbox({directory:?}).bind(\"/usr\", \"/usr\").symlink(\"usr/lib\", \"/lib\")
                    .symlink(\"usr/lib64\", \"/lib64\")"
                ),
                directory,
                "none",
            ),
        ] {
            let name = new_name();
            let running = asleep(bench, &guest, &name);
            let one = of_name(bench, &name).expect("it is listed");
            assert_eq!((&one["root"], &one["network"]), (&root.into(), &network.into()), "{guest}");
            end(bench, &name, running);
        }
    });
}

#[test]
fn a_program_that_runs_for_a_while_is_listed_without_a_name() {
    as_each_user(|bench| {
        for (verb, more) in [("run", ""), ("output", ""), ("run", ", #{ stdin: \"x\" }")] {
            let word = new_name();
            let recipe =
                format!(r#"{HOST}.{verb}(["sh", "-c", "exec sleep 600", "{word}"]{more});"#);
            let running = bench.recipe(&recipe).start();
            let end = Instant::now() + Duration::from_secs(20);
            let number = loop {
                let is_it = |one: &Value| one["command"][3] == *word;
                if let Some(one) = listed(bench).into_iter().find(is_it) {
                    assert_eq!(one["name"], Value::Null);
                    break one["number"].to_string();
                }
                assert!(Instant::now() < end, "it is not listed");
            };
            assert_eq!(exec(bench, &number, &["echo", "inside"]).succeeded(), "inside\n");
            elsewhere(bench, &["kill", &number, "TERM"]).end().succeeded();
            let said = running.end().failed(143);
            assert!(said.contains("ended by SIGTERM"), "{said}");
        }
    });
}

/// What another program of the recipe, and one of another terminal, sees in `guest`.
fn both_seen(bench: &Bench, guest: &str) -> [String; 2] {
    let name = new_name();
    let recipe = format!(
        r#"let sandbox = {guest}.name("{name}");
        let first = sandbox.start(["sh", "-c", "exec sleep 600"]);
        first.run(["sh", "-c", args[0]]);
        print("==");
        first.wait();"#
    );
    // A limit that only nsscript in the first terminal has.
    let launch = bench.nsscript(&["-e", &recipe, PROBE]);
    let mut running = launch.by_shell(r#"ulimit -n 500; exec "$@""#).start();
    running.wait_for("==\n");
    let run = running.printed().replace("==\n", "");
    let exec = exec(bench, &name, &["sh", "-c", PROBE]).succeeded();
    end(bench, &name, running);
    // By this limit, runs of nsscript are told apart.
    let without = |text: String| {
        let lines = text.lines().filter(|line| !line.starts_with("Max realtime timeout"));
        lines.collect::<Vec<_>>().join("\n")
    };
    [without(run), without(exec)]
}

#[test]
fn a_program_of_another_terminal_is_where_those_of_the_recipe_are() {
    as_each_user(|bench| {
        let mut guests = vec![HOST.to_owned(), PROBED_TREE.to_owned()];
        let mut with = |more: &str| guests.push(format!("{HOST}{more}"));
        for kind in ["PID", "NET", "UTS", "IPC", "CGROUP", "TIME"] {
            with(&format!(".share({kind})"));
        }
        for network in [r#""none""#, r#""host""#, "netns()"] {
            with(&format!(".network({network})"));
        }
        with(".chroot()");
        with(".pid1()");
        with(
            ".bind(\"/usr\", \"/nsadded\").file(\"/etc/nsfile\", \"x\").file(\"/etc/hosts\", \"x\")",
        );
        with(".user(1000).group(1000)");
        with(
            ".workdir(\"/usr\").umask(0o27).personality([\"ADDR_NO_RANDOMIZE\"])
                .env(\"A\", \"1\\n2\").limit(\"nofile\", 64).limit(\"core\", #{ soft: 1, hard: 2 })",
        );
        if bench.user.is_root() {
            with(".share(USER)");
            with(".share(USER).network(netns())");
            with(".share(USER).user(65534).group(65534)");
            with(".map_user(0, 0).map_user(1000, 1000, 10).map_group(0, 0).user(1000)");
            with(".share(USER | NET | UTS | PID | IPC | CGROUP | TIME)");
        }
        // What shares PID has no proc of its own.
        for guest in guests {
            let guest = if guest.contains("PID") {
                guest.replace(r#".proc("/proc")"#, r#".bind("/proc")"#)
            } else {
                guest
            };
            let [run, exec] = both_seen(bench, &guest);
            assert!(run.lines().count() > 30, "{guest}: {run}");
            assert!(run.contains("\nMax open files            "), "{run}");
            let lines = run.lines().zip(exec.lines());
            let differing: Vec<_> = lines.filter(|(run, exec)| run != exec).take(5).collect();
            assert!(run == exec, "another terminal in {guest} differs: {differing:#?}");
        }
    });
}

#[test]
fn a_program_of_another_terminal_is_in_the_control_group_of_the_sandbox() {
    as_each_user(|bench| {
        let Some(group) = Group::new(bench) else {
            return missing("a hierarchy of control groups to make one in");
        };
        let name = new_name();
        let running = asleep(bench, &format!("{HOST}.share(CGROUP)"), &name);
        let number = of_name(bench, &name).unwrap()["number"].to_string();
        std::fs::write(group.path().join("cgroup.procs"), number).unwrap();
        let ended = exec(bench, &name, &["cat", "/proc/self/cgroup"]);
        if bench.user.is_root() {
            let seen = ended.succeeded();
            let last = group.path().file_name().unwrap().to_string_lossy().into_owned();
            assert!(seen.lines().any(|line| line.ends_with(&last)), "{seen}");
        } else {
            // The group is the sandbox's alone, so nobody enters without it.
            let said = ended.failed(125);
            assert!(said.contains("cannot enter the control group of the sandbox"), "{said}");
        }
        end(bench, &name, running);
    });
}

#[test]
fn where_the_group_of_another_terminal_may_not_be_entered_that_is_told() {
    as_each_user(|bench| {
        let Some(group) = Group::new(bench) else {
            return missing("a hierarchy of control groups to make one in");
        };
        if bench.user.is_root() {
            return;
        }
        // As in a login of its own, nsscript itself and with it the sandbox is in another group.
        let name = new_name();
        let recipe = format!(
            r#"print("in"); while !exists("moved") {{ sleep("10ms"); }}
            let first = {HOST}.name("{name}").start("sleep 600"); print("up"); first.wait();"#
        );
        let mut running = bench.recipe(&recipe).start();
        running.wait_for("in\n");
        let procs = group.path().join("cgroup.procs");
        std::fs::write(procs, running.pid().to_string()).unwrap();
        bench.file("moved", "");
        running.wait_for("up\n");
        let ended = exec(bench, &name, &["echo", "inside"]);
        assert_eq!((ended.status.code(), &*ended.stdout), (Some(0), "inside\n"), "{ended:?}");
        let said = ended.stderr;
        assert!(said.starts_with("warning: the program stays in the control groups"), "{said}");
        assert!(said.contains("(EACCES)"), "{said}");
        end(bench, &name, running);
    });
}

#[test]
fn a_sandbox_of_a_session_is_entered_too() {
    as_each_user(|bench| {
        // For a user, nsscript is in a user namespace of its own after its first raw call.
        let name = new_name();
        let recipe = format!(
            r#"unshare(UTS); sethostname("session");
            let first = {HOST}.name("{name}").share(UTS).start("sleep 600");
            print("up"); first.wait();"#
        );
        let mut running = bench.recipe(&recipe).start();
        running.wait_for("up\n");
        assert_eq!(exec(bench, &name, &["hostname"]).succeeded(), "session\n");
        end(bench, &name, running);
    });
}

#[test]
fn a_shell_in_a_sandbox_has_a_terminal_of_its_own() {
    as_each_user(|bench| {
        for guest in [HOST, TREE] {
            let (name, prompt) = (new_name(), "inside> ");
            let guest =
                format!(r#"{guest}.hostname("box").env(#{{ SHELL: "/bin/sh", PS1: "{prompt}" }})"#);
            let running = asleep(bench, &guest, &name);
            let mut screen = elsewhere(bench, &["enter", &name]).at_terminal();
            screen.wait_for(prompt);
            screen.ask("echo $(readlink /proc/self/fd/0) $TERM", "/dev/pts/0 xterm\r\n");
            screen.wait_for(prompt);
            screen.ask("echo $((40 + 2)) $(cat /proc/sys/kernel/hostname)", "42 box\r\n");
            screen.wait_for(prompt);
            // A job is stopped by a key, so the terminal is the shell's own.
            screen.ask("sleep 500 &", prompt);
            screen.ask("fg", "sleep 500\r\n");
            screen.insist("\x1a", "Stopped");
            screen.wait_for(prompt);
            // Because of that job, the shell wants to be told twice.
            screen.ask("exit 3", "stopped jobs.");
            screen.wait_for(prompt);
            screen.enter("exit 3");
            let (status, seen) = screen.end();
            assert_eq!(status.code(), Some(3), "{seen}");
            end(bench, &name, running);
        }
    });
}

#[test]
fn the_shell_is_bash_if_the_sandbox_has_one() {
    as_each_user(|bench| {
        let with = |program: &str| TREE.replace("\"cat\"", &format!("\"cat\", \"{program}\""));
        let mut guests = vec![(TREE.to_owned(), "sh")];
        guests.extend(have(&["bash"]).then(|| (with("bash"), "bash")));
        for (guest, shell) in guests {
            let name = new_name();
            let running = asleep(bench, &guest, &name);
            let seen = elsewhere(bench, &["enter", &name]).input(b"echo $0; exit").end();
            assert_eq!(seen.succeeded(), format!("{shell}\n"), "{guest}");
            end(bench, &name, running);
        }
    });
}

#[test]
fn a_shell_without_a_terminal_reads_its_input() {
    as_each_user(|bench| {
        let name = new_name();
        let running = asleep(bench, HOST, &name);
        let ended = elsewhere(bench, &["enter", &name]).input(b"echo $$ $0\nexit 4\n").end();
        assert_eq!(ended.status.code(), Some(4), "{ended:?}");
        assert!(ended.stdout.trim_end().ends_with("sh"), "{ended:?}");
        end(bench, &name, running);
    });
}

#[test]
fn a_signal_reaches_the_program_and_sigkill_ends_the_sandbox() {
    as_each_user(|bench| {
        for guest in [HOST.to_owned(), format!("{HOST}.pid1()")] {
            let name = new_name();
            let script = "trap 'echo got; exit 7' USR1; echo up; while :; do sleep 0.05; done";
            let recipe = format!(
                r#"let first = {guest}.name("{name}").start(["sh", "-c", args[0]]);
                exit(first.wait().code);"#
            );
            let start = || {
                let mut running = bench.nsscript(&["-e", &recipe, script]).start();
                running.wait_for("up\n");
                wait_until_listed(bench, &name);
                running
            };
            let running = start();
            elsewhere(bench, &["kill", &name, "SIGUSR1"]).end().succeeded();
            let ended = running.end();
            assert_eq!((ended.status.code(), &*ended.stdout), (Some(7), "up\ngot\n"), "{ended:?}");
            let running = start();
            elsewhere(bench, &["kill", &name]).end().succeeded();
            assert_eq!(running.end().status.code(), Some(137));
        }
    });
}

#[test]
fn a_killed_nsscript_leaves_no_sandbox_in_the_list() {
    as_each_user(|bench| {
        let name = new_name();
        let running = asleep(bench, HOST, &name);
        assert!(of_name(bench, &name).is_some());
        let number = of_name(bench, &name).unwrap()["number"].to_string();
        running.signal(Signal::SIGKILL);
        // Processes, mounts and files are looked for, too.
        let ended = running.end();
        assert!(!ended.status.success());
        assert_eq!(of_name(bench, &name), None);
        for sandbox in [&name, &number] {
            let said = exec(bench, sandbox, &["true"]).failed(125);
            assert!(said.contains(&format!("no running sandbox `{sandbox}`")), "{said}");
        }
    });
}

#[test]
fn a_sandbox_that_has_ended_is_not_listed_while_its_nsscript_does_other_things() {
    as_each_user(|bench| {
        let name = new_name();
        let recipe = format!(
            r#"let first = {HOST}.name("{name}").start("sleep 600"); print("up");
            while !exists("done") {{ sleep("10ms"); }} first.wait();"#
        );
        let mut running = bench.recipe(&recipe).start();
        running.wait_for("up\n");
        elsewhere(bench, &["kill", &name]).end().succeeded();
        assert_eq!(of_name(bench, &name), None);
        let said = elsewhere(bench, &["kill", &name]).end().failed(125);
        assert!(said.contains(&format!("no running sandbox `{name}`")), "{said}");
        bench.file("done", "");
        running.end().succeeded();
    });
}

#[test]
fn other_users_neither_see_nor_reach_a_sandbox() {
    if !User::this().is_root() {
        return missing("root");
    }
    let users = User::all();
    for (owner, other) in users.iter().flat_map(|one| users.iter().map(move |two| (one, two))) {
        if owner.uid == other.uid {
            continue;
        }
        let (bench, others) = (Bench::new(*owner), Bench::new(*other));
        let name = new_name();
        let running = asleep(&bench, HOST, &name);
        let number = of_name(&bench, &name).expect("its owner sees it")["number"].to_string();
        let seen = |one: &Value| one["name"] == *name || *one["number"].to_string() == *number;
        assert!(!listed(&others).iter().any(seen), "{other} sees a sandbox of {owner}");
        for sandbox in [&name, &number] {
            for words in [&["exec", sandbox, "true"][..], &["enter", sandbox], &["kill", sandbox]] {
                let said = others.nsscript(words).end().failed(125);
                assert!(said.contains(&format!("no running sandbox `{sandbox}`")), "{said}");
            }
        }
        end(&bench, &name, running);
    }
}

#[test]
fn a_wrong_name_is_told_with_the_right_one() {
    as_each_user(|bench| {
        let name = new_name();
        let running = asleep(bench, HOST, &name);
        let wrong = name.replacen("test", "tset", 1);
        let said = exec(bench, &wrong, &["true"]).failed(125);
        assert!(said.contains(&format!("no running sandbox `{wrong}`")), "{said}");
        assert!(said.contains("hint: did you mean `test-"), "{said}");
        let said = exec(bench, "quite-another-word", &["true"]).failed(125);
        assert!(said.contains("hint: `nsscript ps` lists your running sandboxes"), "{said}");
        let said = exec(bench, &name, &["no-such-program"]).failed(127);
        assert!(said.contains("program `no-such-program` not found in the sandbox"), "{said}");
        let said = elsewhere(bench, &["kill", &name, "TREM"]).end().failed(125);
        assert!(said.contains("hint: did you mean `TERM`?"), "{said}");
        let words = elsewhere(bench, &["__complete", "exec", ""]).end().succeeded();
        assert!(words.contains(&format!("word\t{name}\tsleep 600\n")), "{words}");
        end(bench, &name, running);
    });
}

#[test]
fn sandboxes_of_one_name_are_told_apart_by_number() {
    as_each_user(|bench| {
        let name = new_name();
        let recipe = format!(
            r#"let sandbox = {HOST}.name("{name}");
            let all = ["a", "b"].map(|host| sandbox.hostname(host).start("sleep 600"));
            print("up"); for one in all {{ one.wait(); }}"#
        );
        let mut running = bench.recipe(&recipe).start();
        running.wait_for("up\n");
        let said = exec(bench, &name, &["true"]).failed(125);
        assert!(said.contains(&format!("2 sandboxes are named `{name}`")), "{said}");
        let both = listed(bench).into_iter().filter(|one| one["name"] == *name);
        let numbers: Vec<_> = both.map(|one| one["number"].to_string()).collect();
        assert!(said.contains(&format!("use the number: {}", numbers.join(" or "))), "{said}");
        let mut hosts: Vec<_> =
            numbers.iter().map(|it| exec(bench, it, &["hostname"]).succeeded()).collect();
        hosts.sort();
        assert_eq!(hosts, ["a\n", "b\n"]);
        for number in &numbers {
            elsewhere(bench, &["kill", number]).end().succeeded();
        }
        running.end().succeeded();
    });
}

/// A program that shows the record of a sandbox that is none: its own child in its own namespaces.
const FORGER: &str = r#"
import os, signal, sys, json
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    os.close(writer)
    os.read(reader, 1)
    os._exit(0)
def leave(*_):
    os.close(writer)
    os.waitpid(child, 0)
    os._exit(0)
signal.signal(signal.SIGTERM, leave)
name = sys.argv[1]
file = os.memfd_create("nsscript-sandbox")
os.write(file, json.dumps({
    "version": 1, "name": name, "pid": child, "has_init": False, "command": ["sh"],
    "user": [0, 0], "root": "/", "network": "host", "sets_ids": False, "groups": [], "kept": [], "stays": False,
    "session": True, "terminals": False, "umask": None, "personality": None, "workdir": None,
    "limits": [], "seccomp": None,
    "limits_user_namespaces": False, "filters_user_namespaces": False, "search": ["/bin"], "environment": [["LD_PRELOAD", "/tmp/evil.so"]],
}).encode())
print("up", flush=True)
os.wait()
"#;

#[test]
fn a_false_record_of_a_program_in_a_sandbox_is_not_believed() {
    as_each_user(|bench| {
        if !have(&["python3"]) {
            return missing("python3");
        }
        bench.file("forger.py", FORGER);
        let forger = bench.text("forger.py");
        let name = new_name();
        // Without PID and user namespaces of its own, it is as near to the caller as it can be.
        let shared = if bench.user.is_root() { "PID | USER | NET" } else { "PID | NET" };
        let guest = HOST.replace(r#".proc("/proc")"#, r#".bind("/proc")"#);
        let recipe = format!(
            r#"let first = {guest}.bind("{forger}").share({shared}).name("{name}-true")
                .start(["python3", "{forger}", "{name}-false"]);
            first.wait();"#
        );
        let mut running = bench.recipe(&recipe).start();
        running.wait_for("up\n");
        wait_until_listed(bench, &format!("{name}-true"));
        assert_eq!(of_name(bench, &format!("{name}-false")), None);
        let said = exec(bench, &format!("{name}-false"), &["true"]).failed(125);
        assert!(said.contains("no running sandbox"), "{said}");
        // Without a PID namespace, nobody else ends what the program has started.
        elsewhere(bench, &["kill", &format!("{name}-true"), "TERM"]).end().succeeded();
        running.end().succeeded();
        // The same record of a process that is not confined is read: it has the caller's rights.
        let mut outside = bench.user.command("python3");
        let outside = outside.args([&forger, &name]).stdout(std::process::Stdio::piped());
        let mut outside = outside.spawn().unwrap();
        let mut line = [0; 3];
        std::io::Read::read_exact(outside.stdout.as_mut().unwrap(), &mut line).unwrap();
        let found = of_name(bench, &name);
        let own = i32::try_from(outside.id()).unwrap();
        let child = found.as_ref().and_then(|one| one["number"].as_i64());
        for pid in child.and_then(|child| i32::try_from(child).ok()).into_iter().chain([own]) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
        }
        outside.wait().unwrap();
        assert!(found.is_some(), "a true record is not read");
    });
}

#[test]
fn a_sandbox_in_a_sandbox_is_listed_only_there() {
    as_each_user(|bench| {
        let (outer, inner) = (new_name(), new_name());
        // User 0 without capabilities may map no ids.
        let binary = bench.binary();
        let guest = format!(r#"{HOST}.bind("{}").user(1000)"#, binary.display());
        let running = asleep(bench, &guest, &outer);
        let recipe = format!(r#"sandbox("/").read_only_root().name("{inner}").run("sleep 600");"#);
        let script = format!(
            "\"$0\" -e \"$1\" & until \"$0\" ps | grep -q {inner}; do sleep 0.05; done; echo seen; wait"
        );
        let words = ["exec", &outer, "sh", "-c", &script, binary.to_str().unwrap(), &recipe];
        let mut within = elsewhere(bench, &words).start();
        within.wait_for("seen\n");
        let names: Vec<_> = listed(bench).into_iter().map(|one| one["name"].clone()).collect();
        assert!(
            names.iter().any(|it| *it == *outer) && !names.iter().any(|it| *it == *inner),
            "{names:?}"
        );
        end(bench, &outer, running);
        assert_eq!(within.end().status.code(), Some(137));
    });
}
