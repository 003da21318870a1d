//! How nsscript ends when it is told to, and what is left then: nothing.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::{HOST, TREE, as_each_user, marked_processes};

#[test]
fn a_signal_ends_the_program_and_nsscript_with_it() {
    as_each_user(|bench| {
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
            let mut running = bench.script(TREE, "echo ready; sleep 300").start();
            running.wait_for("ready");
            running.signal(signal);
            let ended = running.end();
            assert_eq!(ended.stderr, "", "{signal}");
            ended.failed(128 + signal as i32);
        }
    });
}

#[test]
fn the_program_gets_the_signal_and_may_clean_up() {
    as_each_user(|bench| {
        let script = "trap 'echo cleaned; exit 0' TERM; echo ready; while :; do sleep 0.01; done";
        let mut running = bench.script(HOST, script).start();
        running.wait_for("ready");
        running.signal(Signal::SIGTERM);
        let ended = running.end();
        assert_eq!(ended.stdout, "ready\ncleaned\n");
        ended.failed(143);
    });
}

#[test]
fn a_user_signal_is_passed_on_and_ends_nobody() {
    as_each_user(|bench| {
        let script = "trap 'echo one' USR1; trap 'echo two; exit 3' USR2; echo ready; \
                      while :; do sleep 0.01; done";
        let waits = [
            "run(command, #{ check: false })",
            "run(command, #{ check: false, stdin: \"input\" })",
            "start(command); print(\"go\"); let exit = exit.wait()",
        ];
        for wait in waits {
            let code = format!(
                "let command = [\"sh\", \"-c\", {script:?}]; let exit = {HOST}.{wait}; \
                 print(`ended with ${{exit.code}}`);"
            );
            let mut running = bench.recipe(&code).start();
            running.wait_for("ready");
            if wait.contains("go") {
                running.wait_for("go");
            }
            wait_until_asleep(running.pid());
            running.signal(Signal::SIGUSR1);
            // The program runs on, so nsscript does, too.
            running.wait_for("one");
            running.signal(Signal::SIGUSR2);
            let printed = running.end().succeeded().replace("go\n", "");
            assert_eq!(printed, "ready\none\ntwo\nended with 3\n", "{wait}");
        }
        let script = "trap 'echo one' USR1; echo ready; while :; do sleep 0.01; done";
        let code = format!(
            "let shell = {HOST}.start([\"sh\", \"-c\", {script:?}], #{{ pipes: true }}); \
             print(shell.read_line()); print(shell.read_line()); shell.kill(\"KILL\");"
        );
        let mut running = bench.recipe(&code).start();
        running.wait_for("ready");
        wait_until_asleep(running.pid());
        running.signal(Signal::SIGUSR1);
        assert_eq!(running.end().succeeded(), "ready\none\n");
    });
}

/// Waits until nsscript waits for its program, and does nothing else.
fn wait_until_asleep(pid: u32) {
    let end = Instant::now() + Duration::from_mins(1);
    let is_asleep = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
    };
    while !is_asleep() {
        assert!(Instant::now() < end, "it does not wait");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_user_signal_without_a_program_ends_nsscript() {
    as_each_user(|bench| {
        for signal in [Signal::SIGUSR1, Signal::SIGUSR2] {
            let mut running = bench.recipe("print(\"ready\"); sleep(300);").start();
            running.wait_for("ready");
            running.signal(signal);
            running.end().failed(128 + signal as i32);
        }
    });
}

#[test]
fn a_program_that_does_not_listen_is_killed() {
    as_each_user(|bench| {
        let guests = [HOST.to_owned(), format!("{HOST}.pid1()")];
        let deaf = guests.map(|guest| {
            let script = "trap '' TERM INT; echo ready; while :; do sleep 0.01; done";
            let mut running = bench.script(&guest, script).start();
            running.wait_for("ready");
            running.signal(Signal::SIGTERM);
            (running, Instant::now())
        });
        for (running, begun) in deaf {
            running.end().failed(143);
            assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        }
    });
}

#[test]
fn every_verb_that_waits_can_be_interrupted() {
    as_each_user(|bench| {
        for wait in [
            "sleep(\"5m\")",
            "guest.output(\"sleep 300\")",
            "guest.output(\"sleep 300\", #{ stdin: \"x\" })",
            "guest.start(\"sleep 300\").wait()",
            "guest.start(\"sleep 300\", #{ pipes: true }).read_line()",
            "guest.start(\"sleep 300\", #{ pipes: true }).wait()",
            "let text = \"\"; text.pad(1000000, 'x'); \
             guest.start(\"sleep 300\", #{ pipes: true }).write(text)",
            "read_file(\"fifo\")",
            "within(UTS, || read_file(\"fifo\"))",
            "mknod(`${scratch()}/fifo`, #{ type: \"fifo\" }); write_file(`${scratch()}/fifo`, \"x\")",
            "mknod(`${scratch()}/fifo`, #{ type: \"fifo\" }); \
             let reader = clone(UTS, || { sleep(\"5m\"); read_file(`${scratch()}/fifo`) }); \
             write_file(`${scratch()}/fifo`, \"x\")",
            "rootfs().copy(\"sparse\", \"/sparse\", #{ limit: \"99T\" }).digest()",
            "wait_until(|| false, #{ timeout: \"5m\" })",
            "for i in 0..9223372036854775807 {}",
            "let many = []; many.pad(1000000, 1); loop { many.sort(|x, y| x - y) }",
            "guest.start(\"sleep 300\").run(\"sleep 300\")",
            "loop {}",
            "fn f(x) { if x > 0 { f(x - 1); f(x - 1) } } f(60)",
        ] {
            let (fifo, sparse) = (bench.path("fifo"), bench.path("sparse"));
            if !sparse.exists() {
                nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o644))
                    .unwrap();
                fs::File::create(&sparse).unwrap().set_len(1 << 43).unwrap();
            }
            let recipe = format!("let guest = {HOST}; print(\"ready\"); {wait};");
            let mut running = bench.recipe(&recipe).start();
            running.wait_for("ready");
            running.signal(Signal::SIGINT);
            let ended = running.end();
            assert_eq!(ended.stderr, "", "{wait}");
            ended.failed(130);
        }
    });
}

#[test]
fn what_has_no_end_is_an_error_that_says_why() {
    as_each_user(|bench| {
        nix::unistd::mkfifo(&bench.path("fifo"), nix::sys::stat::Mode::from_bits_truncate(0o644))
            .unwrap();
        fs::File::create(bench.path("sparse")).unwrap().set_len(1 << 43).unwrap();
        let text = "a recipe can read files up to 64 MiB";
        let copy = "the option `limit` of `copy`";
        for (code, said, hint) in [
            ("read_file(\"/dev/zero\")", "file too large (EFBIG)", text),
            ("read_file(\"sparse\")", "file too large (EFBIG)", text),
            ("within(UTS, || read_file(\"/dev/zero\"))", "file too large (EFBIG)", text),
            ("rootfs().tar(\"fifo\").digest()", "it is not a file", ""),
            ("rootfs().tar(\"/dev/zero\").digest()", "it is not a file", ""),
            (
                "rootfs().tar(\"sparse\", #{ limit: \"1M\" }).digest()",
                "it holds more than 1 MiB",
                "`limit",
            ),
            ("rootfs().copy(\"sparse\", \"/x\").digest()", "it contains more than 8 GiB", copy),
            (
                "rootfs().copy(\"fifo\", \"/x\").digest()",
                "it is neither a file nor a directory",
                "`device(path)`",
            ),
            (
                "rootfs().copy(\"/dev/zero\", \"/x\").digest()",
                "it is neither a file nor a directory",
                "`device(path)`",
            ),
        ] {
            let told = bench.recipe(&format!("{code};")).end().failed(125);
            let (first, rest) = told.split_once('\n').unwrap();
            assert!(first.starts_with("error: cannot ") && first.ends_with(said), "{code}: {told}");
            let hints = rest.split("\nhint: ").nth(1).unwrap_or_default();
            assert!(rest.contains("<command line>:1:") && hints.contains(hint), "{code}: {told}");
            assert!(!hint.is_empty() || hints.is_empty(), "{code}: {told}");
        }
    });
}

/// A function of the language that takes minutes, and asks nobody meanwhile.
const DEAF: &str = r#"
    let text = "x";
    for i in 0..22 { text += text; }
    let all = [];
    all.pad(400, text);
    print("ready");
    all.to_string();
"#;

#[test]
fn a_second_signal_ends_nsscript_whatever_it_does() {
    as_each_user(|bench| {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let recipe = format!("let program = {TREE}.start(\"sleep 300\");\n{DEAF}");
            let mut running = bench.recipe(&recipe).may_leave_files().start();
            running.wait_for("ready");
            running.signal(signal);
            std::thread::sleep(Duration::from_millis(200));
            assert!(marked_processes(running.marker()).len() >= 3, "it has not ended by one");
            running.signal(signal);
            let begun = Instant::now();
            // Neither it nor the program is left.
            let ended = running.end();
            assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
            assert_eq!(ended.status.signal(), Some(signal as i32), "{}", ended.stderr);
        }
        // What it has left goes with the next run.
        bench.seen(TREE, "true");
        assert!(bench.left().is_empty(), "{:?}", bench.left());
    });
}

#[test]
fn a_second_signal_leaves_the_program_no_time_and_everything_in_order() {
    as_each_user(|bench| {
        let script = "trap '' TERM INT; echo ready; while :; do sleep 0.01; done";
        let mut running = bench.script(TREE, script).start();
        running.wait_for("ready");
        running.signal(Signal::SIGINT);
        std::thread::sleep(Duration::from_millis(200));
        running.signal(Signal::SIGINT);
        // It ends by itself: in `TMPDIR` is nothing.
        running.end().failed(130);
    });
}

#[test]
fn signals_at_the_same_moment_are_one() {
    as_each_user(|bench| {
        let script = "trap 'sleep 0.5; echo cleaned; exit 0' TERM; echo ready; \
                      while :; do sleep 0.01; done";
        let mut running = bench.script(HOST, script).start();
        running.wait_for("ready");
        // As timeout(1) does: to its program, and to the group of that.
        running.signal(Signal::SIGTERM);
        running.signal(Signal::SIGTERM);
        let ended = running.end();
        assert_eq!(ended.stdout, "ready\ncleaned\n");
        ended.failed(143);
    });
}

#[test]
fn no_recipe_catches_an_interruption() {
    as_each_user(|bench| {
        let recipe = "print(\"ready\"); loop { try { sleep(300); } catch { print(\"caught\"); } }";
        let mut running = bench.recipe(recipe).start();
        running.wait_for("ready");
        running.signal(Signal::SIGTERM);
        let ended = running.end();
        assert_eq!(ended.stdout, "ready\n");
        ended.failed(143);
    });
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    as_each_user(|bench| {
        let recipe = "print(\"ready\"); sleep(\"200ms\"); print(\"done\");";
        let launch = bench.recipe(recipe).by_shell("trap '' HUP INT; exec \"$@\"");
        let mut running = launch.start();
        running.wait_for("ready");
        running.signal(Signal::SIGHUP);
        running.signal(Signal::SIGINT);
        assert_eq!(running.end().succeeded(), "ready\ndone\n");
    });
}

#[test]
fn every_run_sweeps_what_a_killed_one_has_left() {
    as_each_user(|bench| {
        for next in [
            format!("{HOST}.run(\"true\");"),
            format!("let guest = {HOST}.start(\"true\"); guest.wait();"),
            "print(1);".to_owned(),
            "assert(false);".to_owned(),
        ] {
            let mut running = bench.script(TREE, "echo ready; sleep 300").may_leave_files().start();
            running.wait_for("ready");
            running.signal(Signal::SIGKILL);
            running.end();
            assert_eq!(bench.left().len(), 1, "{:?}", bench.left());
            // That nothing is in `TMPDIR` is what every run makes sure of.
            bench.recipe(&next).end();
        }
    });
}

#[test]
fn an_empty_tmpdir_is_none() {
    as_each_user(|bench| {
        let printed = bench.recipe("print(scratch());").env("TMPDIR", "").end().succeeded();
        assert!(printed.starts_with("/tmp/nsscript-"), "{printed}");
        // How many files are open by then is not the same for all users.
        let few = |most: u8| {
            let script = format!("ulimit -n {most}; exec \"$@\"");
            // What no descriptor is left to remove by goes with the next run.
            let launch = bench.recipe("print(scratch());").by_shell(&script);
            let said = launch.may_leave_files().end().stderr;
            assert!(!said.contains("TMPDIR"), "{most}: {said}");
            said
        };
        let all: Vec<String> = (4..24).map(few).collect();
        let made = |said: &&String| said.contains("error: cannot create a private directory");
        let said = all.iter().find(made).unwrap_or_else(|| panic!("{all:?}"));
        assert!(said.contains("(EMFILE)") && said.contains("ulimit -n"), "{said}");
        bench.recipe("print(1);").end().succeeded();
    });
}

#[test]
fn the_part_of_tmpdir_that_refuses_is_named() {
    as_each_user(|bench| {
        let file = bench.file("file", "");
        let below = file.join("a/b");
        let ended = bench.recipe("print(scratch());").env("TMPDIR", &below).end();
        let said = ended.failed(125);
        let message = format!(
            "error: cannot create a private directory in `{}`: cannot access `{}`: not a directory \
             (ENOTDIR)",
            below.display(),
            file.display()
        );
        assert!(said.contains(&message), "{said}");
    });
}

#[test]
fn a_sandbox_dies_with_a_killed_nsscript_and_the_next_run_sweeps_what_it_left() {
    as_each_user(|bench| {
        for guest in
            [TREE.to_owned(), format!("{TREE}.pid1()"), format!("{TREE}.share(UTS).chroot()")]
        {
            let launch = bench.script(&guest, "sleep 300 & echo ready; sleep 300");
            let mut running = launch.may_leave_files().start();
            running.wait_for("ready");
            assert!(marked_processes(running.marker()).len() >= 3);
            running.signal(Signal::SIGKILL);
            // That no process is left is what every run makes sure of.
            running.end();
            assert_eq!(bench.left().len(), 1, "{:?}", bench.left());
            bench.seen(TREE, "true");
            assert_eq!(bench.left(), Vec::<std::path::PathBuf>::new());
        }
    });
}

#[test]
fn the_private_directory_is_removed_out_of_a_new_mount_namespace() {
    as_each_user(|bench| {
        let code = "let place = scratch(); mkdir(place + \"/a\"); unshare(MOUNT); \
                    mount(\"m\", place + \"/a\", #{ type: \"tmpfs\" });";
        bench.recipe(code).may_leave_files().end().succeeded();
        assert!(bench.left().is_empty(), "{:?}", bench.left());
    });
}

#[test]
fn a_run_does_not_sweep_what_another_one_uses() {
    as_each_user(|bench| {
        let script = "echo ready; until [ -e /work/go ]; do sleep 0.01; done; cat /bin/motd";
        let root = "rootfs().binaries([\"sh\", \"cat\", \"sleep\"]).file(\"/bin/motd\", \"hi\\n\")";
        let guest = format!("sandbox({root}).bind(\".\", \"/work\")");
        let mut running = bench.script(&guest, script).may_leave_files().start();
        running.wait_for("ready");
        let before = bench.left();
        let launch = bench.script(TREE, "true").may_leave_files();
        launch.end().succeeded();
        assert_eq!(bench.left(), before);
        bench.file("go", "");
        assert_eq!(running.end().succeeded(), "ready\nhi\n");
        assert_eq!(bench.left(), Vec::<std::path::PathBuf>::new());
    });
}

#[test]
fn who_reads_no_more_ends_nsscript_as_other_programs() {
    as_each_user(|bench| {
        let printing = "loop { print(\"a line that nobody reads\"); }";
        let programs =
            format!("let guest = {HOST}; loop {{ print(guest.output(\"echo line\").stdout); }}");
        for words in [&["-e", printing][..], &["-e", &programs], &["help"], &["help", "bind"]] {
            let mut command = bench.user.command(bench.binary());
            command.args(words).env("TMPDIR", bench.temporary()).current_dir("/");
            // Nobody reads from the first line on.
            let (_, output) = std::io::pipe().unwrap();
            let ended = command.stdout(output).stderr(Stdio::piped()).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "{words:?}");
            // 128 and SIGPIPE.
            assert_eq!(ended.status.code(), Some(141), "{words:?}");
        }
        // What was made for the recipe was removed.
        assert_eq!(fs::read_dir(bench.temporary()).unwrap().count(), 0);
    });
}
