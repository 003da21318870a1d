//! What a program starts with: descriptors, environment, session, process numbers.

use super::INIT_RUNS;
use crate::support::{GUESTS, HOST, TREE, as_each_user, field, have_clock_offsets};

#[test]
fn the_standard_streams_are_the_only_descriptors() {
    as_each_user(|bench| {
        for (name, guest) in GUESTS {
            // The directory that ls reads is one more.
            let seen = bench.seen(guest, "ls /proc/self/fd");
            assert_eq!(seen, "0\n1\n2\n3\n", "{name}");
            let kept = r#"exec 7< /etc/passwd 8> /dev/null 9< /; exec "$@""#;
            let seen = bench.script(guest, "ls /proc/self/fd").by_shell(kept).end().succeeded();
            assert_eq!(seen, "0\n1\n2\n3\n", "{name}, with descriptors that nsscript was given");
        }
    });
}

#[test]
fn init_shows_nothing_of_the_host() {
    as_each_user(|bench| {
        // It may also be that it lets nobody look.
        let script = format!(
            "{INIT_RUNS}
            for link in /proc/1/fd/* /proc/1/cwd /proc/1/root; do readlink $link; done
            cat /proc/1/environ /proc/1/cmdline"
        );
        let seen = bench.script(HOST, &script).env("SECRET", "a secret").end().stdout;
        assert!(!seen.contains("secret") && !seen.contains("TMPDIR"), "{seen}");
        let links = seen.lines().filter(|line| line.starts_with('/'));
        assert_eq!(
            links.filter(|line| !matches!(*line, "/" | "/dev/null")).collect::<Vec<_>>(),
            Vec::<&str>::new()
        );
    });
}

/// The only variable that every program has.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n";

#[test]
fn the_environment_is_what_was_given_and_a_path() {
    as_each_user(|bench| {
        let env = |guest: &str| {
            let recipe = format!("{guest}.run(\"env\")");
            let launch = bench.recipe(&recipe).env("KEPT", "a b").env("SECRET", "x");
            launch.end().succeeded()
        };
        for (name, guest) in GUESTS {
            assert_eq!(env(guest), PATH, "{name}");
        }
        let set = r#".env("A", "1").env(#{ B: 2, C: "x y" }).env("A", "3")"#;
        let seen = env(&format!("{HOST}{set}"));
        let mut lines: Vec<_> = seen.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["A=3", "B=2", "C=x y", PATH.trim_end()]);
        let kept = env(&format!(r#"{HOST}.keep_env(["KEPT", "UNSET"])"#));
        assert_eq!(kept, format!("KEPT=a b\n{PATH}"));
        let all = env(&format!(r#"{HOST}.keep_env("all").env("KEPT", "other")"#));
        let has = |line: &str| all.lines().any(|it| it == line);
        assert!(has("KEPT=other") && all.lines().any(|it| it.starts_with("PATH=")), "{all}");
        let said = bench.sh(&format!(r#"{HOST}.keep_env("KEPT")"#), "true").failed(125);
        assert!(said.contains("an array of strings or `\"all\"`"), "{said}");
    });
}

#[test]
fn working_directory_and_umask_are_plain() {
    as_each_user(|bench| {
        for (name, guest) in GUESTS {
            let seen = bench.script(guest, "pwd; umask; readlink /proc/self/cwd");
            let seen = seen.by_shell(r#"umask 077; exec "$@""#).end().succeeded();
            assert_eq!(seen, "/\n0022\n/\n", "{name}");
        }
        let guest = format!(r#"{TREE}.workdir("/tmp").umask(0o027)"#);
        assert_eq!(bench.seen(&guest, "pwd; umask; touch x; stat -c %a x"), "/tmp\n0027\n640\n");
    });
}

#[test]
fn the_personality_is_the_one_that_was_asked_for() {
    as_each_user(|bench| {
        let seen = |names: &str, script: &str| {
            let guest = format!("{HOST}.personality({names})");
            bench.script(&guest, script).by_shell(r#"exec setarch -R "$@""#).end().succeeded()
        };
        // Without addresses by chance, two programs are laid out alike.
        let script =
            "cat /proc/self/personality; for n in 1 2; do grep stack /proc/self/maps; done";
        let fixed = seen(r#"["PER_LINUX32", "ADDR_NO_RANDOMIZE"]"#, script);
        let lines: Vec<_> = fixed.lines().collect();
        assert!(lines.len() == 3 && lines[0] == "00040008" && lines[1] == lines[2], "{fixed}");
        assert_eq!(seen("[]", "cat /proc/self/personality"), "00000000\n");
        let caller = bench.script(HOST, "cat /proc/self/personality");
        let caller = caller.by_shell(r#"exec setarch -R "$@""#).end().succeeded();
        assert_eq!(caller, "00040000\n");
        if cfg!(target_arch = "x86_64") {
            assert_eq!(seen(r#"["LINUX32"]"#, "uname -m"), "i686\n");
        }
    });
}

#[test]
fn an_unknown_personality_is_told() {
    as_each_user(|bench| {
        for (name, hint) in [
            ("ADDR_NO_RANDOMISE", "did you mean `ADDR_NO_RANDOMIZE`?"),
            ("READ_IMPLIES_EXEC", "a sandbox can have LINUX32, ADDR_NO_RANDOMIZE"),
        ] {
            let code = format!(r#"{HOST}.personality(["{name}"]).run("true")"#);
            let said = bench.recipe(&code).end().failed(125);
            assert!(said.contains(&format!("unknown personality `{name}`")), "{said}");
            assert!(said.contains(hint), "{said}");
        }
    });
}

#[test]
fn clocks_differ_from_those_of_the_machine() {
    if !have_clock_offsets() {
        return;
    }
    as_each_user(|bench| {
        let read = "read up rest < /proc/uptime; echo ${up%.*}; cat /proc/self/timens_offsets";
        let up = || {
            let text = std::fs::read_to_string("/proc/uptime").unwrap();
            text.split('.').next().unwrap().parse::<i64>().unwrap()
        };
        for (steps, offset, offsets) in [
            (r#".clock_offset("boottime", "1d")"#, 86400, ["0", "86400"]),
            (
                r#".clock_offset("boottime", -2).clock_offset("monotonic", 3600)"#,
                -2,
                ["3600", "-2"],
            ),
            (
                r#".clock_offset("boottime", 7).clock_offset("CLOCK_BOOTTIME", "1h").pid1()"#,
                3600,
                ["0", "3600"],
            ),
        ] {
            let before = up();
            let seen = bench.seen(&format!("{HOST}{steps}"), read);
            let lines: Vec<_> = seen.lines().collect();
            let inside: i64 = lines[0].parse().unwrap();
            assert!((before + offset..=up() + offset).contains(&inside), "{steps}: {seen}");
            let seconds = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
            let found = [seconds(lines[1]), seconds(lines[2])];
            assert_eq!(found, offsets.map(|it| Some(it.to_owned())), "{steps}: {seen}");
        }
        assert_eq!(std::fs::read_link("/proc/self/ns/time").unwrap(), {
            std::fs::read_link("/proc/self/ns/time_for_children").unwrap()
        });
    });
}

#[test]
fn a_program_that_joins_has_the_same_clocks() {
    if !have_clock_offsets() {
        return;
    }
    as_each_user(|bench| {
        let code = format!(
            r#"let first = {HOST}.clock_offset("boottime", "1000d").start("sleep 60");
            first.run(["sh", "-c", "read up rest < /proc/uptime; echo ${{up%.*}}"]);
            print(first.within(|| read_file("/proc/uptime").split(".")[0]));"#
        );
        let seen = bench.recipe(&code).end().succeeded();
        assert_eq!(
            seen.lines().filter(|up| up.parse::<i64>().unwrap() > 86_400_000).count(),
            2,
            "{seen}"
        );
    });
}

#[test]
fn a_clock_that_cannot_be_set_is_told() {
    if !have_clock_offsets() {
        return;
    }
    as_each_user(|bench| {
        for (steps, message, hint) in [
            (r#".clock_offset("boottime", "-40000d")"#, "it would be negative", "was started"),
            (r#".clock_offset("boottime", "99999d")"#, "is too large", "at most 146 years"),
            (r#".clock_offset("realtime", 1)"#, "has no offset in the kernel", "only `boottime`"),
            (
                r#".clock_offset("bootime", 1)"#,
                "unknown clock `bootime`",
                "did you mean `boottime`?",
            ),
            (r#".clock_offset("boottime", "soon")"#, "invalid duration `soon`", "\"5s\""),
            (r#".clock_offset("boottime", [])"#, "a duration such as", "an array"),
            (
                r#".share(TIME).clock_offset("boottime", 1)"#,
                "because TIME is shared",
                "leave TIME out of `share`",
            ),
        ] {
            let said = bench.sh(&format!("{HOST}{steps}"), "true").failed(125);
            assert!(said.contains(message) && said.contains(hint), "{said}");
        }
        let code = format!(r#"{HOST}.clock_offset("boottime", 1).within(|| 1);"#);
        let said = bench.recipe(&code).end().failed(125);
        assert!(
            said.contains("a closure cannot run in a sandbox with a clock of its own"),
            "{said}"
        );
    });
}

#[test]
fn a_program_has_a_session_of_its_own_unless_it_stays_in_that_of_nsscript() {
    as_each_user(|bench| {
        let session = "cut -d' ' -f6 /proc/self/stat";
        assert_ne!(bench.seen(HOST, session), "0\n");
        // A session that began outside has no number inside.
        let kept = format!("{HOST}.session(false)");
        let recipe = format!(
            r#"let guest = {kept};
            let script = "{session}";
            guest.sh(script);
            let sleeper = guest.start("sleep 60");
            sleeper.sh(script);
            print(guest.output(["sh", "-c", script]).stdout);
            guest.session(true).sh(`test $({session}) != 0`);
            try {{ guest.run("true", #{{ tty: true }}); }} catch (e) {{ print(e.message); }}
            print(guest);"#
        );
        let ended = bench.recipe(&recipe).end();
        // Nobody can type where there is no terminal.
        let is_warned = ended.stderr.contains("can type into the shell that started nsscript");
        assert!(!is_warned || has_terminal(), "{}", ended.stderr);
        let seen = ended.succeeded();
        assert!(seen.starts_with("0\n0\n0\n"), "{seen}");
        assert!(seen.contains("with `session(false)`, a program has no terminal of its own"));
        assert!(seen.contains("session of nsscript"), "{seen}");
        let plan = format!("print({kept}.plan(\"true\"));");
        let plan = bench.recipe(&plan).end().succeeded();
        assert!(plan.contains("stay in the session and at the terminal of nsscript"), "{plan}");
        assert!(!plan.contains("start a session"), "{plan}");
    });
}

/// Whether the tests have a controlling terminal, which what they start has, too.
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

#[test]
fn a_terminal_that_programs_can_type_into_is_told() {
    let setting = std::fs::read_to_string("/proc/sys/dev/tty/legacy_tiocsti");
    as_each_user(|bench| {
        let recipe = format!("{HOST}.session(false).run(\"true\")");
        let (_, seen) = bench.recipe(&recipe).at_terminal().end();
        let is_warned = seen.contains("can type into the shell that started nsscript");
        assert_eq!(is_warned, setting.as_deref().ok() != Some("0\n"), "{seen}");
    });
}

#[test]
fn a_program_has_a_path_by_default() {
    as_each_user(|bench| {
        for guest in ["sandbox(\"/\")", "sandbox(rootfs().binary(\"env\"))"] {
            assert_eq!(bench.recipe(&format!("{guest}.run(\"env\");")).end().succeeded(), PATH);
            let own = format!("{guest}.env(\"PATH\", \"/bin:/usr/bin\").run(\"env\");");
            assert_eq!(bench.recipe(&own).end().succeeded(), "PATH=/bin:/usr/bin\n");
        }
        // Programs that join, and those of closures.
        let others = "let it = sandbox(\"/\").start(\"sleep 60\"); it.run(\"env\");
            sandbox(\"/\").within(|| exec(\"env\"));";
        assert_eq!(bench.recipe(others).end().succeeded(), PATH.repeat(2));
    });
}

#[test]
fn a_working_directory_that_is_missing_is_told() {
    as_each_user(|bench| {
        let said = bench.sh(&format!(r#"{HOST}.workdir("/none/such")"#), "true").failed(125);
        assert!(said.contains("`/none/such`") && said.contains("(ENOENT)"), "{said}");
    });
}

#[test]
fn the_program_is_process_2_in_a_session_of_its_own_and_init_is_process_1() {
    as_each_user(|bench| {
        for (name, guest) in GUESTS {
            let script = format!("{INIT_RUNS}; cat /proc/1/comm; echo $$; cat /proc/$$/stat");
            let seen = bench.seen(guest, &script);
            let lines: Vec<_> = seen.lines().collect();
            assert_eq!(lines[..2], ["init", "2"], "{name}");
            // After the name: state, parent, process group, session, terminal.
            let numbers: Vec<_> = lines[2].rsplit(')').next().unwrap().split_whitespace().collect();
            assert_eq!(numbers[1..5], ["1", "2", "2", "0"], "{name}: {}", lines[2]);
        }
    });
}

#[test]
fn process_1_never_shows_what_nsscript_was_called_with() {
    as_each_user(|bench| {
        let recipe = format!(
            "let guest = {HOST};
            for round in 0..30 {{ guest.run([\"cat\", \"/proc/1/comm\", \"/proc/1/cmdline\"]); }}"
        );
        let seen = bench.nsscript(&["-e", &recipe, "secret"]).end().succeeded();
        assert_eq!(seen, "init\ninit\0".repeat(30));
    });
}

#[test]
fn without_init_the_program_is_process_1() {
    as_each_user(|bench| {
        let seen = bench.seen(&format!("{HOST}.pid1()"), "echo $$; cat /proc/$$/stat");
        let numbers: Vec<_> = seen.rsplit(')').next().unwrap().split_whitespace().collect();
        assert!(seen.starts_with("1\n"), "{seen}");
        assert_eq!(numbers[1..4], ["0", "1", "1"], "{seen}");
    });
}

#[test]
fn only_processes_of_the_sandbox_are_seen() {
    as_each_user(|bench| {
        for (name, guest) in GUESTS {
            let seen = bench.seen(guest, &format!("{INIT_RUNS}; ps -e -o pid= -o comm="));
            let seen: Vec<_> = seen.split_whitespace().collect();
            assert_eq!(seen[..4], ["1", "init", "2", "sh"], "{name}");
            assert_eq!((seen.len(), seen[5]), (6, "ps"), "{name}: {seen:?}");
        }
    });
}

#[test]
fn init_takes_on_orphans_and_reaps_them() {
    as_each_user(|bench| {
        // The shell in between ends at once, and its child is nobody's until init has it.
        let script = r#"
            orphan=$(sh -c 'sleep 60 > /dev/null & echo $!')
            while read -r key value; do
                [ "$key" = PPid: ] && echo "parent $value"
            done < /proc/$orphan/status
            kill $orphan
            tries=0
            while [ -e /proc/$orphan ] && [ $tries -lt 500 ]; do
                tries=$((tries + 1))
                sleep 0.01
            done
            [ -e /proc/$orphan ] && cat /proc/$orphan/status
            echo "processes:" /proc/[0-9]*"#;
        let seen = bench.seen(HOST, script);
        assert_eq!(seen, "parent 1\nprocesses: /proc/1 /proc/2\n");
    });
}

#[test]
fn a_program_that_ends_takes_its_children_with_it() {
    as_each_user(|bench| {
        // That none is left is what every run makes sure of.
        let seen = bench.seen(HOST, "sleep 300 & sleep 300 & echo started");
        assert_eq!(seen, "started\n");
    });
}

#[test]
fn signals_are_neither_blocked_nor_ignored() {
    as_each_user(|bench| {
        let ignoring = r#"trap '' HUP INT QUIT PIPE TERM USR1 CHLD; exec "$@""#;
        let seen = bench.recipe(&format!("{HOST}.run(\"cat /proc/self/status\")"));
        let status = seen.by_shell(ignoring).end().succeeded();
        for set in ["SigBlk", "SigIgn", "SigCgt"] {
            assert_eq!(field(&status, set), "0000000000000000", "{set}");
        }
    });
}

#[test]
fn a_program_that_a_closure_becomes_finds_the_variables_that_it_is_given() {
    as_each_user(|bench| {
        let recipe = r#"
            clone(UTS, || exec("env", #{ env: #{ A: 1, PATH: "/usr/bin:/bin" } })).wait();
            clone(UTS, || exec("/usr/bin/env", #{ env: #{} })).wait();"#;
        assert_eq!(bench.recipe(recipe).end().succeeded(), "A=1\nPATH=/usr/bin:/bin\n");
        let inherited = "clone(UTS, || exec(\"env\")).wait();";
        assert!(bench.recipe(inherited).end().succeeded().contains("TMPDIR="));
    });
}
