//! How programs end, and how nsscript ends then.

use crate::support::{HOST, TREE, as_each_user};

#[test]
fn nsscript_ends_with_the_status_of_the_program() {
    as_each_user(|bench| {
        for (script, code) in [("exit 0", 0), ("exit 7", 7), ("exit 255", 255)] {
            let ended =
                bench.nsscript(&["-e", &format!("{HOST}.run([\"sh\", \"-c\", args[0]])"), script]);
            assert_eq!(ended.end().status.code(), Some(code), "{script}");
        }
    });
}

#[test]
fn a_signal_that_ends_the_program_is_128_and_its_number() {
    as_each_user(|bench| {
        for (name, number) in [("TERM", 15), ("KILL", 9), ("SEGV", 11), ("HUP", 1), ("USR1", 10)] {
            let recipe = format!(
                r#"let guest = {HOST};
                let exit = guest.run(["sh", "-c", "kill -{name} $$"], #{{ check: false }});
                print(`${{exit.code}} ${{exit.signal}} ${{exit.cause}} ${{exit.success}}`);
                guest.run(["sh", "-c", "kill -{name} $$"]);"#
            );
            let ended = bench.recipe(&recipe).end();
            assert_eq!(ended.stdout, format!("{} {number} signal false\n", 128 + number), "{name}");
            let said = ended.failed(128 + number);
            assert!(said.contains(&format!("ended by SIG{name} ({number})")), "{said}");
        }
    });
}

#[test]
fn a_status_like_that_of_a_signal_is_still_a_status() {
    as_each_user(|bench| {
        for guest in [HOST.to_owned(), format!("{HOST}.pid1()")] {
            let recipe = format!(
                r#"let exit = {guest}.run(["sh", "-c", "exit 143"], #{{ check: false }});
                print(`${{exit.code}} ${{exit.signal == ()}} ${{exit.cause}}`);"#
            );
            assert_eq!(bench.recipe(&recipe).end().succeeded(), "143 true exited\n");
        }
    });
}

#[test]
fn a_program_that_is_not_there_is_127_and_one_that_may_not_run_126() {
    as_each_user(|bench| {
        for (command, code) in
            [("none-such", 127), ("/none/such", 127), ("/etc/passwd", 126), ("/etc", 126)]
        {
            let said = bench.recipe(&format!(r#"{HOST}.run("{command}")"#)).end().failed(code);
            assert!(said.contains(command), "{said}");
            let caught = format!(
                r#"try {{ {HOST}.run("{command}"); }} catch (error) {{ print(error.operation); }}"#
            );
            assert_eq!(bench.recipe(&caught).end().succeeded(), "execute\n");
        }
        let guest =
            format!(r##"{TREE}.file("/bin/broken", "#!/none/such\n", #{{ mode: 0o755 }})"##);
        let said = bench.recipe(&format!(r#"{guest}.run("broken")"#)).end().failed(127);
        assert!(said.contains("/none/such"), "{said}");
        let guest = format!(r#"{TREE}.file("/bin/text", "no program", #{{ mode: 0o755 }})"#);
        let said = bench.recipe(&format!(r#"{guest}.run("text")"#)).end().failed(126);
        assert!(said.contains("(ENOEXEC)"), "{said}");
    });
}

#[test]
fn what_nsscript_cannot_do_is_125() {
    as_each_user(|bench| {
        for recipe in ["assert(false)", "nonsense(", r#"sandbox("/none").run("true")"#] {
            bench.recipe(recipe).end().failed(125);
        }
        bench.nsscript(&["none.rhai"]).end().failed(125);
        bench.nsscript(&["--none"]).end().failed(125);
        bench.recipe("exit(3)").end().failed(3);
    });
}

#[test]
fn unchecked_a_program_may_end_as_it_likes() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let guest = {HOST};
            print(guest.run("sh -c 'exit 3'", #{{ check: false }}).code);
            let said = guest.output("sh -c 'echo out; echo err >&2; exit 4'", #{{ check: false }});
            print(`${{said.code}} ${{said.stdout}} ${{said.stderr}}`);
            try {{ guest.output("sh -c 'echo why >&2; exit 5'"); }} catch (error) {{ print(error.message); }}
            guest.output("sh -c 'echo why >&2; exit 6'");"#
        );
        let ended = bench.recipe(&recipe).end();
        assert!(ended.stdout.starts_with("3\n4 out\n err\n\n"), "{}", ended.stdout);
        assert!(ended.stdout.contains("exited with status 5"), "{}", ended.stdout);
        let said = ended.failed(6);
        assert!(said.contains("it wrote: why"), "{said}");
    });
}

#[test]
fn usage_is_what_the_program_used() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let usage = {HOST}.tmpfs("/tmp").run(["sh", "-c", args[0]]).usage;
            print(usage.wall > 0.05); print(usage.wall < 20.0);
            print(usage.user + usage.system > 0.005); print(usage.user + usage.system < usage.wall * 2);
            print(usage.memory > 20 * 1024 * 1024); print(usage.memory < 500 * 1024 * 1024);"#
        );
        // Works a little, in a child, holds 32 MiB at once, and sleeps.
        let script = "i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done; sleep 0.1
            head -c 33554432 /dev/zero | tail -c 33554432 > /dev/null";
        let seen = bench.nsscript(&["-e", &recipe, script]).end().succeeded();
        assert_eq!(seen, "true\n".repeat(6));
    });
}

#[test]
fn a_status_is_not_lost_where_the_caller_ignores_sigchld() {
    as_each_user(|bench| {
        let ways = [
            format!("{HOST}.run(\"false\")"),
            format!("{HOST}.run(\"/bin/false\")"),
            format!("{HOST}.pid1().run(\"false\")"),
            format!("let s = {HOST}.start(\"sleep 60\"); s.run(\"false\")"),
            format!("exit({HOST}.start(\"false\").wait().code)"),
            format!("exit({HOST}.output(\"false\", #{{ check: false }}).exit.code)"),
            "exit(clone(UTS, || exec(\"false\")).wait().code)".to_owned(),
        ];
        for way in ways {
            let script = r#"trap "" CHLD; exec "$@""#;
            let ended = bench.recipe(&way).by_shell(script).end();
            assert_eq!(ended.status.code(), Some(1), "{way}: {}", ended.stderr);
        }
        bench.file("t.rhai", "assert(false);");
        let ended =
            bench.nsscript(&["test", "t.rhai"]).by_shell(r#"trap "" CHLD; exec "$@""#).end();
        assert_eq!(ended.status.code(), Some(1), "{}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.contains("1 failed"), "{}", ended.stdout);
    });
}
