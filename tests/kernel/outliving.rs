//! Sandboxes that go on when nsscript ends: found, joined and ended afterwards, and what is left then.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::schema::fitting;
use crate::support::{Bench, Ended, HOST, Launch, TREE, as_each_user, field};

/// A name that no other test, and nobody else on this machine, gives a sandbox.
fn new_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("outliving-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Options of a program that does not write to the output of nsscript, which ends with nsscript then.
const QUIET: &str = r#"#{ stdout: "discard", stderr: "discard" }"#;

fn elsewhere<'b>(bench: &'b Bench, words: &[&str]) -> Launch<'b> {
    bench.nsscript(words).may_leave_files().env("XDG_CACHE_HOME", bench.text("cache"))
}

/// A recipe whose program goes on.
fn leaving<'b>(bench: &'b Bench, recipe: &str) -> Launch<'b> {
    elsewhere(bench, &["-e", recipe]).goes_on()
}

fn exec(bench: &Bench, sandbox: &str, words: &[&str]) -> Ended {
    elsewhere(bench, &[&["exec", sandbox, "--"], words].concat()).end()
}

/// The sandbox of this name in the list.
fn of_name(bench: &Bench, name: &str) -> Option<Value> {
    let listed = elsewhere(bench, &["ps", "--json"]).end().succeeded();
    let document = fitting("ps", &listed);
    let all = document["sandboxes"].as_array().unwrap().clone();
    all.into_iter().find(|one| one["name"] == name)
}

fn number(value: &Value) -> i32 {
    i32::try_from(value.as_i64().expect("a number")).expect("numbers of processes are small")
}

/// Waits until a condition holds.
#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_program_goes_on_is_found_joined_and_killed_and_nothing_is_left() {
    as_each_user(|bench| {
        let name = new_name();
        let recipe = format!(
            r#"let p = {HOST}.hostname("box").name("{name}").outlive_parent()
                .start("sleep 600", {QUIET});
            print(p.pid);"#
        );
        let running = leaving(bench, &recipe).start();
        let rest = running.rest();
        let pid: i64 = running.end().succeeded().trim().parse().unwrap();
        let one = of_name(bench, &name).expect("it is listed");
        assert_eq!(one["number"], pid);
        let status = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let keeper = one["nsscript"].to_string();
        assert_eq!(field(&status(&pid.to_string()), "PPid"), keeper);
        // Neither a pipe nor a directory of the caller is kept in use.
        for stream in 0..3 {
            let link = std::fs::read_link(format!("/proc/{keeper}/fd/{stream}")).unwrap();
            assert_eq!(link.to_str(), Some("/dev/null"));
        }
        assert_eq!(std::fs::read_link(format!("/proc/{keeper}/cwd")).unwrap().to_str(), Some("/"));
        let stat = std::fs::read_to_string(format!("/proc/{keeper}/stat")).unwrap();
        let after = stat.rsplit_once(") ").unwrap().1;
        assert_eq!(after.split(' ').nth(3), Some(keeper.as_str()), "a session of its own: {stat}");
        assert_eq!(exec(bench, &name, &["hostname"]).succeeded(), "box\n");
        elsewhere(bench, &["kill", &name]).end().succeeded();
        rest.ends();
        assert_eq!(of_name(bench, &name), None);
        assert!(bench.left().is_empty(), "{:?}", bench.left());
    });
}

#[test]
fn without_the_verb_the_program_ends_with_nsscript() {
    as_each_user(|bench| {
        let recipe = format!(r#"let p = {HOST}.start("sleep 600", {QUIET}); print(p.pid);"#);
        // That nothing is left is looked at for every run.
        elsewhere(bench, &["-e", &recipe]).end().succeeded();
    });
}

#[test]
fn a_program_goes_on_when_nsscript_is_killed() {
    as_each_user(|bench| {
        for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
            let name = new_name();
            let recipe = format!(
                r#"let p = {HOST}.name("{name}").outlive_parent().start("sleep 600", {QUIET});
                print("up"); p.wait();"#
            );
            let mut running = leaving(bench, &recipe).start();
            let rest = running.rest();
            running.wait_for("up\n");
            running.signal(signal);
            assert!(!running.end().status.success());
            assert_eq!(exec(bench, &name, &["echo", "on"]).succeeded(), "on\n", "{signal}");
            elsewhere(bench, &["kill", &name, "TERM"]).end().succeeded();
            rest.ends();
            assert_eq!(of_name(bench, &name), None);
        }
    });
}

#[test]
fn the_sandbox_ends_with_its_keeper() {
    as_each_user(|bench| {
        for signal in [Signal::SIGKILL, Signal::SIGTERM] {
            let name = new_name();
            let recipe =
                format!(r#"{HOST}.name("{name}").outlive_parent().start("sleep 600", {QUIET});"#);
            let recipe = format!("let p = {recipe}");
            let running = leaving(bench, &recipe).start();
            let rest = running.rest();
            running.end().succeeded();
            let one = of_name(bench, &name).expect("it is listed");
            kill(Pid::from_raw(number(&one["nsscript"])), signal).unwrap();
            rest.ends();
            assert_eq!(of_name(bench, &name), None);
        }
    });
}

#[test]
fn it_is_a_process_like_others_while_the_recipe_runs() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let guest = {HOST}.hostname("box").outlive_parent();
            let p = guest.start(["sh", "-c", "echo $$ > /tmp/x; sleep 0.2; exit 3"]);
            let exit = p.wait();
            print([exit.code, exit.signal, p.running]);
            let p = guest.start("sleep 600");
            print([p.running, p.output("hostname").stdout.trim()]);
            p.kill("TERM");
            let exit = p.wait();
            print([exit.code, exit.signal]);
            let p = guest.start("sleep 600");
            try {{ p.wait(#{{ timeout: "50ms" }}); }} catch (e) {{ print(e.message); }}
            // What is waited for is not concerned.
            guest.run("true");
            print(guest.output("echo out").stdout.trim());
            print(guest.within(|| hostname()));"#
        );
        let wanted = "[3, (), false]\n[true, \"box\"]\n[143, 15]\n`sleep 600` ran longer than 50 ms, and was ended by SIGTERM\nout\nbox\n";
        // Nothing is left: the keepers have ended with their programs.
        assert_eq!(elsewhere(bench, &["-e", &recipe]).end().succeeded(), wanted);
    });
}

#[test]
fn what_cannot_be_executed_is_an_error_and_leaves_nothing() {
    as_each_user(|bench| {
        let recipe = format!(r#"{HOST}.outlive_parent().start("/etc/passwd");"#);
        let recipe = format!("let p = {recipe}");
        let said = elsewhere(bench, &["-e", &recipe]).end().failed(126);
        assert!(said.contains("cannot execute `/etc/passwd`"), "{said}");
        assert!(said.contains("permission denied"), "{said}");
    });
}

#[test]
fn it_keeps_no_pipe_of_another_program() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let cat = {HOST}.start("cat", #{{ pipes: true }});
            let p = {HOST}.outlive_parent().start("sleep 600", {QUIET});
            cat.write("text\n");
            // Its input ends if nobody else has the other end.
            print(cat.wait().code);
            print(cat.read_line());
            p.kill("KILL"); p.wait();"#
        );
        let ended = elsewhere(bench, &["-e", &recipe]).end();
        assert_eq!(ended.succeeded(), "0\ntext\n");
    });
}

#[test]
fn the_end_of_a_terminal_does_not_reach_it() {
    as_each_user(|bench| {
        let name = new_name();
        let script = "tty; echo marked; sleep 600";
        let recipe = format!(
            r#"let p = {HOST}.name("{name}").outlive_parent().start(["sh", "-c", "{script}"]);
            print("up"); p.wait();"#
        );
        let mut screen = leaving(bench, &recipe).at_terminal();
        let rest = screen.rest();
        // Its input is none; its output is seen.
        screen.wait_for_all(&["not a tty", "marked", "up"]);
        screen.ends_by("\x03");
        drop(screen);
        let seen = exec(bench, &name, &["echo", "on"]).succeeded();
        assert_eq!(seen, "on\n");
        elsewhere(bench, &["kill", &name]).end().succeeded();
        rest.ends();
    });
}

#[test]
fn layers_are_held_while_it_runs() {
    as_each_user(|bench| {
        let name = new_name();
        let recipe = format!(
            r#"let root = rootfs().binary("sleep").binary("cat").file("/mark", "here\n");
            let p = sandbox(root).name("{name}").outlive_parent().start("sleep 600", {QUIET});"#
        );
        let running = leaving(bench, &recipe).start();
        let rest = running.rest();
        running.end().succeeded();
        let layers = || {
            let listed = std::fs::read_dir(bench.path("cache/nsscript/layers")).unwrap();
            listed.count()
        };
        let before = layers();
        assert!(before > 0);
        elsewhere(bench, &["store", "gc", "--all"]).end().succeeded();
        assert_eq!(layers(), before);
        assert_eq!(exec(bench, &name, &["cat", "/mark"]).succeeded(), "here\n");
        elsewhere(bench, &["kill", &name]).end().succeeded();
        rest.ends();
        elsewhere(bench, &["store", "gc", "--all"]).end().succeeded();
        assert_eq!(layers(), 0);
    });
}

#[test]
fn changes_are_kept_and_locked_until_it_ends() {
    as_each_user(|bench| {
        let (name, kept) = (new_name(), bench.text("kept"));
        let guest = format!(
            r#"sandbox(rootfs().binary("sh").binary("sleep").binary("cat")).keep_changes("{kept}")"#
        );
        let recipe = format!(
            r#"let p = {guest}.name("{name}").outlive_parent()
                .start(["sh", "-c", "echo new > /mark; sleep 600"], {QUIET});"#
        );
        let running = leaving(bench, &recipe).start();
        let rest = running.rest();
        running.end().succeeded();
        let read = format!(r#"{guest}.run("cat /mark");"#);
        let said = elsewhere(bench, &["-e", &read]).end().failed(125);
        assert!(said.contains("are in use by a sandbox"), "{said}");
        wait_until("the file is there", || exec(bench, &name, &["cat", "/mark"]).stdout == "new\n");
        elsewhere(bench, &["kill", &name]).end().succeeded();
        rest.ends();
        assert_eq!(elsewhere(bench, &["-e", &read]).end().succeeded(), "new\n");
    });
}

#[test]
fn a_network_of_the_recipe_lasts_as_long_as_it() {
    as_each_user(|bench| {
        let name = new_name();
        let recipe = format!(
            r#"let left = netns();
            let right = netns();
            let pair = veth(left, right, #{{ up: true }});
            left.address(pair.name, "10.77.0.1/24");
            let p = sandbox("/").network(left).name("{name}").outlive_parent()
                .start("sleep 600", {QUIET});"#
        );
        let running = leaving(bench, &recipe).start();
        let rest = running.rest();
        running.end().succeeded();
        // The other network is gone with the recipe, and the pair with it.
        wait_until("only the network of the sandbox is left", || {
            let seen = exec(bench, &name, &["cat", "/proc/net/dev"]).succeeded();
            assert!(seen.contains("lo:"), "{seen}");
            !seen.contains("veth")
        });
        elsewhere(bench, &["kill", &name]).end().succeeded();
        rest.ends();
    });
}

#[test]
fn a_session_of_raw_calls_leaves_it_alone() {
    as_each_user(|bench| {
        let name = new_name();
        let recipe = format!(
            r#"unshare(UTS);
            let p = {TREE}.name("{name}").outlive_parent().start("sleep 600", {QUIET});
            print(clone(UTS, || 7).value());"#
        );
        let running = leaving(bench, &recipe).start();
        let rest = running.rest();
        assert_eq!(running.end().succeeded(), "7\n");
        assert_eq!(exec(bench, &name, &["sh", "-c", "echo on"]).succeeded(), "on\n");
        elsewhere(bench, &["kill", &name]).end().succeeded();
        rest.ends();
        assert!(bench.left().is_empty(), "{:?}", bench.left());
    });
}

#[test]
fn what_would_not_outlive_nsscript_is_refused() {
    as_each_user(|bench| {
        let start = format!(r#"{HOST}.outlive_parent().start("sleep 600")"#);
        let cases = [
            (format!("clone(UTS, || {{ let p = {start}; }}).value();"), "outside of the closure"),
            (format!("unshare(PID); let p = {start};"), "start it before"),
            (
                format!("let p = {};", start.replace("600\"", "600\", #{ pipes: true }")),
                "cannot have pipes to it",
            ),
            (
                format!("let p = {};", start.replace(".start", ".session(false).start")),
                "cannot stay at its terminal",
            ),
        ];
        for (recipe, wanted) in cases {
            let said = elsewhere(bench, &["-e", &recipe]).end().failed(125);
            assert!(said.contains(wanted), "{recipe}\n{said}");
        }
        // The store is removed with the run.
        let recipe =
            r#"let p = sandbox(rootfs().binary("sleep")).outlive_parent().start("sleep 9");"#;
        let said = bench.recipe(recipe).end().failed(125);
        assert!(said.contains("set `XDG_CACHE_HOME`"), "{said}");
    });
}

#[test]
fn its_keeper_is_planned_and_explained() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let guest = {HOST}.outlive_parent(); let p = guest.start("true"); p.wait();"#
        );
        let keeper = "start a keeper, a copy of nsscript that goes on until the sandbox has ended";
        let plan = elsewhere(bench, &["plan", "-e", &recipe]).end().succeeded();
        assert!(plan.contains(keeper) && plan.contains("die with the keeper"), "{plan}");
        let waited = format!(r#"{HOST}.outlive_parent().run("true");"#);
        let plan = elsewhere(bench, &["plan", "-e", &waited]).end().succeeded();
        assert!(!plan.contains("keeper") && plan.contains("die with nsscript"), "{plan}");
        let told = elsewhere(bench, &["--explain", "-e", &recipe]).end();
        let (told, at) = (told.stderr.clone(), told.stderr.find(keeper));
        let starts = told.find("start a process in");
        assert!(at.is_some() && at < starts, "{told}");
        assert_eq!(told.matches(keeper).count(), 1, "{told}");
    });
}

#[test]
fn a_program_goes_on_if_the_recipe_does_not_keep_it() {
    as_each_user(|bench| {
        let name = new_name();
        let recipe = format!(
            r#"{HOST}.name("{name}").outlive_parent().start("sleep 600", {QUIET}); sleep("10ms");"#
        );
        elsewhere(bench, &["check", "-e", &recipe]).end().succeeded();
        let running = leaving(bench, &recipe).start();
        let rest = running.rest();
        running.end().succeeded();
        assert_eq!(exec(bench, &name, &["echo", "here"]).succeeded(), "here\n");
        elsewhere(bench, &["kill", &name]).end().succeeded();
        rest.ends();
        assert!(bench.left().is_empty(), "{:?}", bench.left());
    });
}
