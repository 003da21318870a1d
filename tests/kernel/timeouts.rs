//! The time that a program may run, and what is left when it is over: nothing.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::{HOST, as_each_user, marked_processes};

/// Long enough to be ended by nothing but the timeout.
const LONG: &str = "sleep 300";

#[test]
fn a_program_that_runs_too_long_gets_sigterm() {
    as_each_user(|bench| {
        let begun = Instant::now();
        let recipe = format!(
            r#"let guest = {HOST};
            let error = ();
            try {{ guest.run("{LONG}", #{{ timeout: "50ms", grace: "1m" }}); }} catch (e) {{ error = e; }}
            print(`${{error.message}}, ${{error.code}}, ${{error.signal}}, line ${{error.line}}`);
            let exit = guest.run("{LONG}", #{{ timeout: "50ms", grace: "1m", check: false }});
            print(`${{exit}}, ${{exit.cause}}, ${{exit.code}}, ${{exit.success}}`);
            let error = ();
            try {{
                guest.output(["sh", "-c", "echo out; echo errors >&2; exec {LONG}"],
                    #{{ timeout: "500ms", grace: "1m" }});
            }} catch (e) {{ error = e; }}
            print(`${{error.message}}: ${{error.stdout.trim()}} ${{error.stderr.trim()}}`);
            guest.sh("exec {LONG}", #{{ timeout: "50ms", grace: "1m" }});"#
        );
        let ended = bench.recipe(&recipe).end();
        assert_eq!(
            ended.stdout,
            "`sleep 300` ran longer than 50 ms, and was ended by SIGTERM, 143, 15, line 3\n\
             ran too long, and ended by SIGTERM (15), timeout, 143, false\n\
             `sh -c 'echo out; echo errors >&2; exec sleep 300'` ran longer than 500 ms, \
             and was ended by SIGTERM: out errors\n"
        );
        let told = ended.failed(143);
        assert!(told.contains("ran longer than 50 ms, and was ended by SIGTERM"), "{told}");
        assert!(begun.elapsed() < Duration::from_secs(50), "{:?}", begun.elapsed());
    });
}

#[test]
fn a_program_may_clean_up_and_is_killed_if_it_does_not_end() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let guest = {HOST};
            let cleans = "trap 'echo cleaned; exit 0' TERM; while :; do sleep 0.01; done";
            let error = ();
            try {{ guest.output(["sh", "-c", cleans], #{{ timeout: "1s", grace: "1m" }}); }}
            catch (e) {{ error = e; }}
            print(`${{error.message.split("`")[2]}}: ${{error.stdout.trim()}}`);
            let deaf = "trap '' TERM; while :; do sleep 0.01; done";
            try {{ guest.sh(deaf, #{{ timeout: "1s", grace: "100ms" }}); }} catch (e) {{ error = e; }}
            print(error.message.split("`")[2]);
            print([error.code, error.signal]);
            let exit = guest.pid1().run("{LONG}", #{{ timeout: "50ms", grace: "50ms", check: false }});
            print([exit.cause, exit.code]);"#
        );
        assert_eq!(
            bench.recipe(&recipe).end().succeeded(),
            " ran longer than 1 s, got SIGTERM, and exited with status 0: cleaned\n \
             ran longer than 1 s, and 100 ms after SIGTERM, and was killed\n\
             [137, 9]\n[\"timeout\", 137]\n"
        );
    });
}

#[test]
fn nothing_that_the_program_started_goes_on() {
    as_each_user(|bench| {
        // In a network, and beside a process, no PID namespace ends with the program.
        let recipe = format!(
            r#"let guest = {HOST};
            let script = "sleep 300 & sh -c 'sleep 301 & sleep 302' & sleep 303";
            let options = #{{ timeout: "1s", grace: "1m", check: false }};
            print(guest.sh(script, options).cause);
            print(netns().sh(script, options).cause);
            let beside = guest.start("sleep 304");
            print(beside.sh(script, options).cause);
            print("ended");
            sleep("5m");"#
        );
        let mut running = bench.recipe(&recipe).start();
        running.wait_for("ended");
        let left = || -> Vec<String> {
            marked_processes(running.marker())
                .into_iter()
                .filter(|(_, stat)| stat.contains("(sleep)") || stat.contains("(sh)"))
                .filter_map(|(pid, _)| fs::read_to_string(format!("/proc/{pid}/cmdline")).ok())
                .filter(|line| !line.is_empty())
                .collect()
        };
        // What was killed may take a moment to end.
        let end = Instant::now() + Duration::from_secs(5);
        while left().len() > 1 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(left(), ["sleep\u{0}304\0"]);
        running.signal(nix::sys::signal::Signal::SIGTERM);
        let ended = running.end();
        assert_eq!(ended.stdout, "timeout\ntimeout\ntimeout\nended\n");
        ended.failed(143);
    });
}

#[test]
fn a_wait_has_a_timeout() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let guest = {HOST};
            let message = "";
            let sleeper = guest.start("{LONG}");
            try {{ sleeper.wait(#{{ timeout: "50ms" }}); }} catch (e) {{ message = e.message; }}
            print(message);
            print([sleeper.running, sleeper.wait().cause]);
            let closure = clone(UTS, || sleep("5m"));
            try {{ closure.wait(#{{ timeout: "50ms", grace: "50ms" }}); }} catch (e) {{ message = e.message; }}
            print(message.contains("ran longer than 50 ms"));
            print(guest.start("true").wait(#{{ timeout: "5m" }}).success);
            try {{ guest.start("false").wait(#{{ check: true }}); }} catch (e) {{ message = e.message; }}
            print(message);
            let talker = guest.start(["sh", "-c", "yes | head -c 300000; exec {LONG}"], #{{ pipes: true }});
            print(talker.wait(#{{ timeout: "1s", check: false }}).cause);
            let lines = 0;
            while talker.read_line() != () {{ lines += 1; }}
            print(lines);"#
        );
        assert_eq!(
            bench.recipe(&recipe).end().succeeded(),
            "`sleep 300` ran longer than 50 ms, and was ended by SIGTERM\n\
             [false, \"timeout\"]\ntrue\ntrue\n`false` exited with status 1\ntimeout\n150000\n"
        );
    });
}
