//! Programs that are started: signals, other programs beside them, their end with the recipe.

use std::time::{Duration, Instant};

use crate::support::{HOST, TREE, as_each_user, field};

#[test]
fn a_signal_reaches_the_program() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let script = "trap 'echo caught' USR1; echo ready; while :; do sleep 0.01; done";
            let program = {HOST}.start(["sh", "-c", script], #{{ pipes: true }});
            print(program.read_line());
            program.kill("USR1");
            print(program.read_line());
            program.kill("SIGTERM");
            let exit = program.wait();
            print(`${{exit.signal}} ${{exit.code}}`);
            program.kill("KILL");"#
        );
        assert_eq!(bench.recipe(&recipe).end().succeeded(), "ready\ncaught\n15 143\n");
    });
}

#[test]
fn a_signal_that_is_no_signal_is_refused() {
    as_each_user(|bench| {
        for (signal, told) in
            [("\"TREM\"", "did you mean `TERM`"), ("0", "from 1 to 64"), ("65", "")]
        {
            let recipe =
                format!(r#"let program = {HOST}.start("sleep 60"); program.kill({signal});"#);
            let said = bench.recipe(&recipe).end().failed(125);
            assert!(said.contains(told), "{said}");
        }
    });
}

#[test]
fn a_program_can_be_stopped_and_continued() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let program = {HOST}.start("cat", #{{ pipes: true }});
            program.kill("STOP");
            program.run(["sh", "-c", args[0]]);
            program.kill("CONT");
            program.write("on\n");
            print(program.read_line());"#
        );
        let stopped = "tries=0
            until grep -q '^State:.*stopped' /proc/2/status || [ $tries = 300 ]; do
                tries=$((tries + 1))
                sleep 0.01
            done
            grep ^State /proc/2/status";
        let seen = bench.nsscript(&["-e", &recipe, stopped]).end().succeeded();
        assert_eq!(seen, "State:\tT (stopped)\non\n");
    });
}

#[test]
fn another_program_has_no_more_rights_than_the_first() {
    as_each_user(|bench| {
        for guest in
            [HOST.to_owned(), TREE.to_owned(), format!("{HOST}.chroot()"), format!("{HOST}.pid1()")]
        {
            let recipe = format!(
                r#"let first = {guest}.env("A", "1").workdir("/dev").umask(0o027).start("sleep 60");
                first.run("cat /proc/self/status");
                first.run(["sh", "-c", args[0]]);"#
            );
            let script = "echo $A; pwd; umask; ls /proc/self/fd; readlink /proc/self/root; ls -d /etc/shadow";
            let ended =
                bench.nsscript(&["-e", &recipe, &format!("{script} 2> /dev/null; true")]).end();
            let seen = ended.succeeded();
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                assert_eq!(field(&seen, set), "0000000000000000", "{set} in {guest}");
            }
            assert_eq!(field(&seen, "NoNewPrivs"), "1", "{guest}");
            let rest = seen.split_once("nonvoluntary_ctxt_switches").unwrap().1;
            let rest: Vec<_> = rest.lines().skip(1).collect();
            assert_eq!(rest[..8], ["1", "/dev", "0027", "0", "1", "2", "3", "/"], "{guest}");
        }
    });
}

#[test]
fn another_program_sees_the_root_of_the_first() {
    as_each_user(|bench| {
        for way in ["", ".chroot()"] {
            let recipe = format!(
                r#"let first = {TREE}{way}.start(["sh", "-c", "touch /made; echo done; sleep 60"], #{{ pipes: true }});
                first.read_line();
                first.run("ls -A /");"#
            );
            let seen = bench.recipe(&recipe).end().succeeded();
            assert!(seen.contains("made") && !seen.contains("root"), "{seen}");
        }
    });
}

#[test]
fn another_program_reads_what_it_is_given_and_its_status_is_told() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let first = {HOST}.start("sleep 60");
            first.run("cat", #{{ stdin: "given\n" }});
            print(first.run("sh -c 'exit 3'", #{{ check: false }}).code);
            print(first.run("sh -c 'kill -9 $$'", #{{ check: false }}).signal);
            try {{ first.run("none-such"); }} catch (error) {{ print(error.message); }}
            print(first.running);
            first.kill("TERM");
            print(first.wait().signal);
            try {{ first.run("true"); }} catch (error) {{ print(error.message); }}"#
        );
        let seen = bench.recipe(&recipe).end().succeeded();
        let lines: Vec<_> = seen.lines().collect();
        assert_eq!(lines[..3], ["given", "3", "9"], "{seen}");
        assert!(lines[3].contains("none-such"), "{seen}");
        assert_eq!(lines[4..6], ["true", "15"], "{seen}");
        assert!(lines[6].contains("the sandbox has ended"), "{seen}");
    });
}

#[test]
fn another_program_ends_with_the_sandbox() {
    as_each_user(|bench| {
        // The second program is what the first waits for before it ends.
        let recipe = format!(
            r#"let first = {HOST}.tmpfs("/tmp").start(["sh", "-c", args[0]]);
            let exit = first.run(["sh", "-c", "touch /tmp/here; sleep 60"], #{{ check: false }});
            print(exit.signal);"#
        );
        let script = "until [ -e /tmp/here ]; do sleep 0.01; done";
        let seen = bench.nsscript(&["-e", &recipe, script]).end().succeeded();
        assert_eq!(seen, "9\n");
    });
}

#[test]
fn the_number_of_a_program_is_that_of_the_host() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let program = {HOST}.start("sleep 60"); print(`pid ${{program.pid}} `); program.wait();"#
        );
        let mut running = bench.recipe(&recipe).start();
        running.wait_for(" \n");
        let marked = crate::support::marked_processes(running.marker());
        running.signal(nix::sys::signal::Signal::SIGTERM);
        let seen = running.end().stdout;
        let pid = seen.split_whitespace().nth(1).unwrap();
        assert!(marked.iter().any(|(marked, _)| marked.to_string() == pid), "{pid} of {marked:?}");
    });
}

#[test]
fn what_a_recipe_has_started_ends_with_it() {
    as_each_user(|bench| {
        // That nothing is left is what every run makes sure of.
        let start = format!(
            r#"let guest = {HOST}; let all = [];
            for round in 0..3 {{ all.push(guest.start("sleep 300")); }}"#
        );
        bench.recipe(&start).end().succeeded();
        bench.recipe(&format!("{start} exit(4);")).end().failed(4);
        bench.recipe(&format!("{start} assert(false);")).end().failed(125);
        let deaf =
            format!(r#"let deaf = {HOST}.start(["sh", "-c", "trap '' TERM INT HUP; sleep 300"]);"#);
        bench.recipe(&deaf).end().succeeded();
    });
}

#[test]
fn a_sandbox_that_was_started_before_a_raw_call_can_be_joined_after_it() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let guest = {HOST}.hostname("before").start("sleep 60");
            unshare(UTS);
            assert_eq(guest.within(|| hostname()), "before");
            guest.run("uname -n");"#
        );
        assert_eq!(bench.recipe(&recipe).end().succeeded(), "before\n");
    });
}

#[test]
fn nobody_waits_for_what_a_process_that_has_failed_should_bring_about() {
    as_each_user(|bench| {
        let never = "wait_until(|| exists(\"/no/such/place\"), #{ timeout: \"30s\" });";
        for (start, said) in [
            (
                "clone(UTS, || { sleep(\"50ms\"); assert(false, \"inside\"); })".to_owned(),
                "error: assertion failed: inside\n",
            ),
            (
                "clone(UTS, || { sleep(\"50ms\"); exit(3); })".to_owned(),
                "error: the condition is still false, and the process of a closure exited with status 3\n",
            ),
            (
                format!("{HOST}.start([\"sh\", \"-c\", \"sleep 0.05; kill -SEGV $$\"])"),
                "error: the condition is still false, and `sh -c 'sleep 0.05; kill -SEGV $$'` ended by SIGSEGV (11)\n",
            ),
        ] {
            let begun = Instant::now();
            let recipe = format!("let process = {start}; {never}");
            let failed = bench.recipe(&recipe).end().failed(125);
            assert!(failed.starts_with(said), "{failed}");
            assert!(failed.contains("wait_until"), "{failed}");
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        }
        // What a process has brought about before it failed counts, and so does what another one does.
        let recipe = format!(
            r#"let place = scratch();
            let first = clone(UTS, || {{ write_file(`${{place}}/first`, ""); exit(3); }});
            wait_until(|| exists(`${{place}}/first`));
            let failing = clone(UTS, || exit(4));
            let second = clone(UTS, || {{ sleep("300ms"); write_file(`${{place}}/second`, ""); }});
            wait_until(|| exists(`${{place}}/second`));
            // Whom the recipe has ended has not failed, and how it ended can still be asked.
            let killed = {HOST}.start("sleep 60");
            let begun = clock("monotonic");
            killed.kill("KILL");
            wait_until(|| clock("monotonic") - begun > 0.3);
            let other = {HOST}.start("sleep 60");
            kill(other.pid, "KILL");
            wait_until(|| clock("monotonic") - begun > 0.6);
            print([first.wait().code, failing.wait().code, killed.wait().signal, other.wait().signal]);"#
        );
        assert_eq!(bench.recipe(&recipe).end().succeeded(), "[3, 4, 9, 9]\n");
    });
}
