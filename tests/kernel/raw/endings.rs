//! How closures end, and nsscript with them.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{ended, fails, printed, tries};
use crate::support::{as_each_user, marked_processes};

#[test]
fn the_end_of_a_closure_is_told_as_it_was() {
    as_each_user(|bench| {
        let told = tries(
            bench,
            r#"t("status", || within(UTS, || exit(3)));
            t("nothing", || within(UTS, || exit(0)) == ());
            t("program", || within(UTS, || exec("true")) == ());
            t("failing", || within(UTS, || exec("false")));
            t("signal", || within(UTS, || exec(["sh", "-c", "kill -KILL $$"])));
            t("exit", || { let exit = clone(UTS, || exit(4)).wait();
                [exit.code, exit.signal, exit.cause] });
            t("killed", || { let child = clone(UTS, || sleep("60s")); child.kill("KILL");
                let exit = child.wait(); [exit.code, exit.signal, exit.cause] });
            t("value", || { let child = clone(UTS, || sleep("60s")); child.kill("KILL");
                child.value() });
            t("twice", || { let child = clone(UTS, || 5); child.wait(); child.value() + child.value() });
            t("thrown", || clone(UTS, || throw "own").wait());
            t("nothing more", || { let child = clone(UTS, || 1); child.wait(); child.running });"#,
        );
        let wanted = r#"status: !! the child process exited with status 3
nothing: true
program: true
failing: !! the child process exited with status 1
signal: !! the child process ended by SIGKILL (9)
exit: [4, (), "exited"]
killed: [137, 9, "signal"]
value: !! the child process ended by SIGKILL (9)
twice: 10
thrown: !! own
nothing more: false
"#;
        assert_eq!(told, wanted);
    });
}

#[test]
fn nsscript_ends_as_a_closure_that_was_not_caught() {
    as_each_user(|bench| {
        ended(bench, "within(UTS, || exit(7));").failed(7);
        ended(bench, "within(UTS, || exec(\"no-such-program\"));").failed(127);
        ended(bench, "within(UTS, || { throw \"own\" });").failed(125);
        assert_eq!(ended(bench, "exec([\"sh\", \"-c\", \"exit 9\"]);").status.code(), Some(9));
        ended(bench, "exec(\"no-such-program\");").failed(127);
        ended(bench, "exec(\"/etc/passwd\");").failed(126);
    });
}

#[test]
fn what_a_lesson_needs_is_said_by_the_recipe_as_a_whole() {
    as_each_user(|bench| {
        let recipe = "within(UTS, || within(PID, || skip_unless(false, \"a reason\"))); print(1);";
        let need = ended(bench, "skip_unless(false, \"a reason\"); print(1);");
        let inside = ended(bench, recipe);
        assert_eq!((inside.status.code(), &*inside.stdout), (need.status.code(), ""));
        assert!(inside.stderr.contains("a reason"), "{}", inside.stderr);
    });
}

#[test]
fn a_recursion_without_end_is_an_error_of_the_closure() {
    as_each_user(|bench| {
        let said = fails(bench, "fn f(n) { f(n + 1) + 1 }\nwithin(UTS, || f(0));");
        assert!(said.contains("error: function calls are nested too deeply"), "{said}");
        assert!(said.contains("──▶ <command line>:2:1"), "{said}");
    });
}

#[test]
fn signals_end_nsscript_and_every_closure() {
    as_each_user(|bench| {
        let waits = [
            "within(UTS, || { print(\"ready\"); loop {} })",
            "within(UTS, || { print(\"ready\"); sleep(\"5m\") })",
            "within(PID, || within(PID, || { print(\"ready\"); loop {} }))",
            "clone(UTS, || { print(\"ready\"); exec(\"sleep 300\") }).value()",
            "{ let child = clone(UTS, || { print(\"ready\"); loop {} }); sleep(\"5m\") }",
        ];
        for wait in waits {
            for signal in [Signal::SIGINT, Signal::SIGTERM] {
                let mut running = bench.recipe(&format!("{wait};")).start();
                running.wait_for("ready");
                let begun = Instant::now();
                running.signal(signal);
                let ended = running.end();
                assert_eq!(ended.stderr, "", "{wait}");
                ended.failed(128 + signal as i32);
                assert!(begun.elapsed() < Duration::from_secs(10), "{wait}");
            }
        }
    });
}

#[test]
fn no_closure_outlives_a_nsscript_that_is_killed() {
    as_each_user(|bench| {
        let nested = [
            "within(UTS, || within(PID, || within(NET, || { print(\"ready\"); loop {} })));",
            "within(UTS, || clone(UTS, || clone(UTS, || { print(\"ready\"); sleep(300) }).wait()).wait());",
            "within(MOUNT, || { let one = sandbox(\"/\").read_only_root().start(\"sleep 300\");
                within(UTS, || { print(\"ready\"); exec(\"sleep 300\") }) });",
            "within(USER, || within(UTS, || { print(\"ready\"); exec(\"sleep 300\") }));",
            "unshare(PID); clone(UTS, || { set_capabilities([]); setuid(getuid());
                clone(USER, || { print(\"ready\"); sleep(300) }).wait() }).wait();",
            "clone(UTS, || { setgid(getgid()); unshare(USER); print(\"ready\"); sleep(300) }).wait();",
        ];
        for recipe in nested {
            let mut running = bench.recipe(recipe).may_leave_files().start();
            running.wait_for("ready");
            assert!(marked_processes(running.marker()).len() > 1, "{recipe}");
            running.signal(Signal::SIGKILL);
            // That nothing is left is what the end of every run makes sure of.
            running.end();
        }
    });
}

#[test]
fn what_nobody_waits_for_ends_with_nsscript() {
    as_each_user(|bench| {
        let recipe = r#"let child = clone(UTS, || sleep("5m"));
            let other = clone(PID, || exec("sleep 300"));
            within(UTS, || { let orphan = clone(UTS, || sleep("5m")); exec("true") });
            print("done");"#;
        let begun = Instant::now();
        assert_eq!(printed(bench, recipe), "done\n");
        assert!(begun.elapsed() < Duration::from_secs(20));
    });
}
