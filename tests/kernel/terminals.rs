//! Programs at a terminal: they have one of their own, and leave that of nsscript as it was.

use nix::sys::signal::Signal;

use crate::support::{Bench, HOST, Screen, TREE, as_each_user, have};

/// Starts bash in which a person can type, and in which nsscript is `nsscript`.
fn bash(bench: &Bench) -> Screen {
    let start = r#"
        mark="$1 $2"
        exec $mark bash --noprofile --rcfile setup -i
    "#;
    let program = bench.binary();
    let setup =
        format!("PS1='outside> ' HISTFILE=\nnsscript() {{ {} \"$@\"; }}\n", program.display());
    bench.file("setup", setup);
    let mut screen = bench.nsscript::<&str>(&[]).by_shell(start).env("LC_ALL", "C").at_terminal();
    screen.wait_for("outside> ");
    screen
}

/// What a line prints that is typed into a shell whose prompt is `prompt`.
#[track_caller]
fn printed(screen: &mut Screen, line: &str, prompt: &str) -> String {
    // The mark is put together by the shell, so that the line itself does not hold it.
    screen.enter(&format!("echo '[''['; {line}; echo ']'']'"));
    screen.wait_for("[[\r\n");
    let text = screen.wait_for("]]\r\n");
    screen.wait_for(prompt);
    text.replace('\r', "")
}

/// The settings of the outer terminal and who is in its foreground, as the outer shell sees them.
#[track_caller]
fn state(screen: &mut Screen) -> String {
    printed(screen, "stty -g; test $(ps -o tpgid= -p $$) != 0 && ps -o pgid= -p $$", "outside> ")
}

/// Starts nsscript in the outer shell, and waits for the prompt of the inner one.
#[track_caller]
fn shell(screen: &mut Screen, guest: &str) {
    let recipe = format!("{guest}.shell()").replace('\n', " ");
    screen.enter(&format!("nsscript -e '{recipe}'"));
    screen.enter("PS1='inside''> '");
    screen.wait_for("inside> ");
}

const GUEST: &str = r#"sandbox("/").read_only_root().proc("/proc").dev("/dev").tmpfs("/tmp")
    .env("HISTFILE", "").env("HOME", "/none")"#;

#[test]
fn a_shell_has_jobs_a_size_and_full_screens() {
    if !have(&["bash", "less", "stty", "setsid"]) {
        return;
    }
    as_each_user(|bench| {
        let mut screen = bash(bench);
        let before = (screen.state(), state(&mut screen));
        shell(&mut screen, GUEST);
        let inside = "inside> ";
        assert_eq!(
            printed(&mut screen, "tty; echo $TERM; stty size", inside),
            "/dev/pts/0\nxterm\n24 80\n"
        );
        // Jobs: the shell stops one, and has it go on before and behind.
        screen.ask("sleep 100 &", inside);
        assert!(printed(&mut screen, "jobs", inside).contains("Running"));
        screen.ask("fg", "sleep 100\r\n");
        screen.insist("\x1a", "Stopped");
        screen.wait_for(inside);
        screen.ask("fg", "sleep 100\r\n");
        screen.insist("\x03", inside);
        assert_eq!(printed(&mut screen, "jobs", inside), "");
        // Another size is told at once, and another time to what runs by then.
        screen.resize(40, 120);
        screen.enter("until [ \"$(stty size)\" = '40 120' ]; do :; done; echo is $(stty size)");
        screen.wait_for("is 40 120");
        screen.wait_for(inside);
        // The whole screen.
        screen.enter("seq 1000 | less");
        screen.wait_for("\x1b[?1049h");
        screen.wait_for("\r\n39\r\n");
        screen.types("q");
        screen.wait_for("\x1b[?1049l");
        screen.wait_for(inside);
        // The end of the input is that of the shell alone.
        screen.ask("echo rea''dy; cat", "ready\r\n");
        screen.types("hello\r");
        screen.wait_for("hello\r\nhello\r\n");
        screen.types("\x04");
        screen.wait_for(inside);
        screen.types("\x04");
        screen.wait_for("outside> ");
        assert_eq!((screen.state(), state(&mut screen)), before);
        screen.enter("exit");
        assert!(screen.end().0.success());
    });
}

#[test]
fn a_shell_can_stay_in_the_session_of_nsscript() {
    if !have(&["bash", "stty"]) {
        return;
    }
    as_each_user(|bench| {
        let mut screen = bash(bench);
        let before = (screen.state(), state(&mut screen));
        let terminal = printed(&mut screen, "cut -d' ' -f7 /proc/self/stat", "outside> ");
        let inside = "inside> ";
        let guest = format!("{GUEST}.session(false)");
        shell(&mut screen, &guest);
        // The session has a process outside alone, and so no number inside.
        let seen = printed(&mut screen, "cut -d' ' -f6,7 /proc/self/stat", inside);
        assert_eq!(seen, format!("0 {terminal}"));
        // The shell moves its jobs to the foreground of the terminal and stops them.
        screen.ask("sleep 100 &", inside);
        screen.ask("fg", "sleep 100\r\n");
        screen.insist("\x1a", "Stopped");
        screen.wait_for(inside);
        screen.ask("fg", "sleep 100\r\n");
        screen.insist("\x03", inside);
        assert_eq!(printed(&mut screen, "jobs", inside), "");
        screen.types("\x04");
        screen.wait_for("outside> ");
        assert_eq!((screen.state(), state(&mut screen)), before);
        for end in ["kill -KILL $$", "stty raw -echo; kill -SEGV $$"] {
            shell(&mut screen, &guest);
            screen.ask(end, "outside> ");
            assert_eq!((screen.state(), state(&mut screen)), before, "{end}");
        }
        // Ctrl-C reaches a program in the process group of nsscript, and nsscript.
        let recipe = format!(
            "{guest}.sh(\"trap 'echo caught; exit 5' INT; echo be''gun; while :; do sleep 0.1; done\")"
        );
        bench.file("trap.rhai", recipe);
        screen.enter("nsscript trap.rhai; echo status $?");
        screen.wait_for("begun\r\n");
        screen.insist("\x03", "status ");
        let text = screen.wait_for("outside> ");
        assert!(text.starts_with("130"), "{text}");
        assert_eq!((screen.state(), state(&mut screen)), before);
    });
}

#[test]
fn the_terminal_is_as_it_was_however_a_program_ends() {
    as_each_user(|bench| {
        let mut screen = bash(bench);
        let before = (screen.state(), state(&mut screen));
        for end in ["kill -KILL $$", "stty raw -echo; kill -SEGV $$", "stty -echo; exit 3"] {
            shell(&mut screen, GUEST);
            screen.ask(end, "outside> ");
            assert_eq!((screen.state(), state(&mut screen)), before, "{end}");
        }
        // nsscript is ended, and with it the program.
        shell(&mut screen, GUEST);
        let pid = nsscript(bench);
        nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
        screen.wait_for("outside> ");
        assert_eq!((screen.state(), state(&mut screen)), before);
        // It is stopped, and goes on.
        shell(&mut screen, GUEST);
        let pid = nsscript(bench);
        nix::sys::signal::kill(pid, Signal::SIGTSTP).unwrap();
        screen.wait_for("Stopped");
        screen.wait_for("outside> ");
        assert_eq!((screen.state(), state(&mut screen)), before);
        screen.resize(30, 100);
        screen.enter("fg");
        screen.enter("until [ \"$(stty size)\" = '30 100' ]; do :; done; echo is $(stty size)");
        screen.wait_for("is 30 100");
        screen.wait_for("inside> ");
        screen.ask("exit", "outside> ");
        screen.resize(24, 80);
        assert_eq!((screen.state(), state(&mut screen)), before);
        screen.enter("exit");
        screen.end();
    });
}

#[test]
fn what_a_raw_call_executes_leaves_the_terminal_as_it_was() {
    if !have(&["bash", "stty"]) {
        return;
    }
    as_each_user(|bench| {
        let recipe = r#"
            let child = clone(UTS, || exec("bash --noprofile --norc -i"));
            child.wait();
            let cat = clone(UTS, || exec("cat"));
            cat.wait();
        "#;
        let mut screen = bench.recipe(recipe).at_terminal();
        screen.enter("PS1='inside''> '");
        screen.wait_for("inside> ");
        screen.enter("stty -echo -icanon; kill -KILL $$");
        screen.wait_for("\r\n");
        // In the background of the dead shell it would be stopped when it reads.
        screen.insist("more\r", "more\r\nmore\r\n");
        screen.types("\x04");
        assert!(screen.end().0.success());
    });
}

#[test]
fn a_program_without_a_terminal_cannot_set_that_of_nsscript() {
    if !have(&["bash", "stty"]) {
        return;
    }
    as_each_user(|bench| {
        let mut screen = bash(bench);
        let before = (screen.state(), state(&mut screen));
        // Whatever it tries: the standard streams, and what they are in /proc.
        let tries = "for name in stdin stdout stderr fd/0 fd/1 fd/2 tty; do \
            stty raw -echo </dev/$name; stty raw -echo </proc/self/fd/1; \
            stty raw -echo <&0; stty raw -echo <&1; stty raw -echo <&2; done 2>/dev/null";
        let run = |how: &str| format!("{HOST}.{how}").replace('\n', " ");
        // Not by the leader of the session: it would get the terminal to control, and the kernel
        // throws away what is on its way through that when the leader ends.
        let words = format!(
            "[\"sh\", \"-c\", `sh -c \"$1\"; stty raw -echo <&2; echo tried; exit 0`, \"sh\", `{tries}`]"
        );
        let cases = [
            (run(&format!("run({words})")), "| cat"),
            (run(&format!("run({words})")), "</dev/null"),
            (run(&format!("run({words}, #{{ tty: false }})")), ""),
            (run(&format!("run({words}, #{{ stdin: `x` }})")), ""),
            (run(&format!("start({words}).wait()")), ""),
            (format!("let it = {}; sleep(`1s`)", run(&format!("start({words})"))), ""),
            (run(&format!("start(`sleep 60`).run({words}, #{{ tty: false }})")), ""),
            (run(&format!("within(|| exec({words}))")), "| cat"),
            (format!("clone(UTS, || exec({words})).wait()"), "</dev/null"),
            (run(&format!("start({words}, #{{ pipes: true }}).wait()")), ""),
        ];
        for (recipe, redirected) in cases {
            bench.file("recipe.rhai", &recipe);
            screen.enter(&format!("nsscript recipe.rhai {redirected}"));
            // With pipes it says nothing that anybody sees.
            if !recipe.contains("pipes") {
                screen.wait_for("tried");
            }
            screen.wait_for("outside> ");
            assert_eq!((screen.state(), state(&mut screen)), before, "{recipe} {redirected}");
        }
        screen.enter("exit");
        screen.end();
    });
}

#[test]
fn a_program_without_input_cannot_read_the_keyboard() {
    if !have(&["bash", "timeout"]) {
        return;
    }
    as_each_user(|bench| {
        let mut screen = bash(bench);
        let reads = "exec 7<&0 8<&1 9<&2; for fd in 7 8 9; do timeout 0.2 cat <&$fd; timeout 0.2 cat </proc/self/fd/$fd; \
            done >got 2>/dev/null";
        let at = bench.directory("at").display().to_string();
        for redirected in ["", "| cat", "</dev/null"] {
            for how in ["start(W).wait()", "run(W, #{ stdin: `` })"] {
                let words =
                    format!("[\"sh\", \"-c\", `echo begins; cd {at}; {reads}; echo ready`]");
                let guest = format!("{HOST}.bind(`{at}`, `{at}`)");
                let recipe = format!("{guest}.{}", how.replace('W', &words)).replace('\n', " ");
                bench.file("recipe.rhai", &recipe);
                screen.enter(&format!("nsscript recipe.rhai {redirected}"));
                screen.wait_for("begins");
                screen.enter("true tyPed");
                screen.wait_for("ready");
                screen.wait_for("outside> ");
                // The shell, whose it is, has read it.
                screen.wait_for("outside> ");
                let got = std::fs::read_to_string(bench.path("at/got")).unwrap();
                assert_eq!(got, "", "{recipe} {redirected}");
            }
        }
        screen.enter("exit");
        screen.end();
    });
}

#[test]
fn what_is_typed_goes_to_a_program_whose_output_goes_elsewhere() {
    if !have(&["bash"]) {
        return;
    }
    as_each_user(|bench| {
        let mut screen = bash(bench);
        let recipe = |how: &str| format!("{HOST}.{how}").replace('\n', " ");
        let words = "[\"sh\", \"-c\", `echo up; read one; echo \"got $one\"; cat; echo over`]";
        for (how, redirected) in [("run(W)", "| cat"), ("run(W, #{ tty: false })", "")] {
            bench.file("recipe.rhai", recipe(&how.replace('W', words)));
            screen.enter(&format!("nsscript recipe.rhai {redirected}"));
            screen.wait_for("up\r\n");
            screen.ask("hello", "got hello\r\n");
            screen.enter("more");
            screen.wait_for("more\r\nmore\r\n");
            screen.types("\x04");
            screen.wait_for("over\r\n");
            screen.wait_for("outside> ");
            // What it does not read is the shell's.
            bench.file("recipe.rhai", recipe("run([\"sh\", \"-c\", `echo up; sleep 0.5`])"));
            screen.enter(&format!("nsscript recipe.rhai {redirected}"));
            screen.wait_for("up\r\n");
            screen.wait_for("outside> ");
            assert_eq!(printed(&mut screen, "echo still", "outside> "), "still\n");
            // Ctrl-C ends it.
            bench.file("recipe.rhai", recipe(&how.replace('W', words)));
            screen.enter(&format!("nsscript recipe.rhai {redirected}"));
            screen.wait_for("up\r\n");
            screen.types("\x03");
            screen.wait_for("outside> ");
        }
        screen.enter("exit");
        screen.end();
    });
}

#[test]
fn what_a_started_program_writes_is_seen_at_once_and_to_the_end() {
    if !have(&["python3"]) {
        return;
    }
    as_each_user(|bench| {
        let words = "[\"python3\", \"-c\", `import sys, time; print(sys.stdout.isatty(), \
            sys.stderr.isatty()); sys.stderr.write(\"errors\\n\"); time.sleep(60)`]";
        // A line is seen when it is written; the order is kept, and all of it comes.
        let recipe = format!(
            "let it = {HOST}.start({words}); sleep(`1s`); print(`later`); it.kill(`KILL`); \
             it.wait(); print(`then`); {HOST}.start([\"seq\", \"20000\"]).wait(); print(`done`)"
        );
        let (status, seen) = bench.recipe(&recipe).at_terminal().end();
        let seen = seen.replace('\r', "");
        let numbers: Vec<_> = (1..=20000).map(|it| it.to_string()).collect();
        let numbers = numbers.join("\n");
        let expected = format!("True True\nerrors\nlater\nthen\n{numbers}\ndone\n");
        let differs = seen.bytes().zip(expected.bytes()).position(|(one, other)| one != other);
        let differs = differs.unwrap_or(seen.len().min(expected.len()));
        assert!(seen == expected, "from {differs} on: {:?}", &seen[differs.saturating_sub(20)..]);
        assert!(status.success());
    });
}

/// The nsscript that was started from the outer shell.
fn nsscript(bench: &Bench) -> nix::unistd::Pid {
    let program = bench.binary();
    let is_ours = |pid: &i32| {
        let executes = std::fs::read_link(format!("/proc/{pid}/exe"));
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        executes.is_ok_and(|file| file == program) && stat.contains("(nsscript)")
    };
    let numbers = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    nix::unistd::Pid::from_raw(numbers.filter(is_ours).min().expect("nsscript runs"))
}

/// Pushes a line into the terminal, as if it was typed: ioctl_tty(2). The second way is for the
/// consoles of Linux.
const PUSH: &str = r#"
import fcntl, sys, termios
for name in ["/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/tty"]:
    try:
        terminal = open(name, "w")
        for letter in "touch pushed\n":
            fcntl.ioctl(terminal, termios.TIOCSTI, letter.encode())
        fcntl.ioctl(terminal, termios.TIOCLINUX, b"\x03")
    except OSError:
        pass
print("has pushed")
"#;

#[test]
fn what_is_pushed_into_the_input_is_not_run_outside() {
    if !have(&["bash", "python3"]) {
        return;
    }
    as_each_user(|bench| {
        let mut screen = bash(bench);
        bench.file("push.py", PUSH);
        for tty in ["true", "false"] {
            let run = format!("run(\"python3 {}\", #{{ tty: {tty} }})", bench.text("push.py"));
            let recipe =
                format!("{HOST}.bind(\"{}\").{run}", bench.text("push.py")).replace('\n', " ");
            screen.enter(&format!("nsscript -e '{recipe}'"));
            screen.wait_for("has pushed");
            screen.wait_for("outside> ");
            assert_eq!(printed(&mut screen, "ls pushed 2>/dev/null", "outside> "), "");
        }
        let file = bench.text("push.py");
        let mine = format!("{HOST}.bind({file:?}).within(|| exec([\"python3\", {file:?}]))");
        screen.enter(&format!("nsscript -e '{}'", mine.replace('\n', " ")));
        screen.wait_for("has pushed");
        screen.wait_for("outside> ");
        assert_eq!(printed(&mut screen, "ls pushed 2>/dev/null", "outside> "), "");
        screen.enter("exit");
        screen.end();
    });
}

#[test]
fn every_way_to_run_a_program_gives_it_a_terminal() {
    as_each_user(|bench| {
        let session = "ps -o sid=,pid= -p $$ | tr -s ' '; stty size";
        let recipe = format!(
            r#"
            let guest = {HOST};
            let here = ["sh", "-c", "test -t 0 && test -t 1 && test -t 2 && stty size"];
            guest.run(here);
            guest.run(here, #{{ tty: true }});
            print(guest.run(["test", "-t", "0"], #{{ stdin: "", check: false }}).code);
            print(guest.output(["sh", "-c", "test -t 1 || echo no"]).stdout.trim());
            // Without terminals of its own.
            sandbox("/").read_only_root().run(here);
            {TREE}.run(["sh", "-c", "test -t 0 && echo tree"]);
            // Beside a program, in a network, and of a closure.
            let sleeper = guest.start("sleep 60");
            sleeper.run(here);
            netns().run(here);
            guest.within(|| exec(["sh", "-c", "{session}"]));
            sleeper.within(|| exec(["sh", "-c", "tty; stty size"]));
            print(guest.within(|| {{ print("printed"); [1, 2] }}));
            "#
        );
        let (status, seen) = bench.recipe(&recipe).at_terminal().end();
        let lines: Vec<_> = seen.split("\r\n").collect();
        let expected = [
            "24 80",
            "24 80",
            "1",
            "no",
            "24 80",
            "tree",
            "24 80",
            "24 80",
            " 1 1",
            "24 80",
            "/dev/pts/0",
            "24 80",
            "printed",
            "[1, 2]",
            "",
        ];
        assert_eq!(
            lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>(),
            expected,
            "{seen}"
        );
        assert!(status.success());
    });
}

#[test]
fn errors_and_output_that_go_elsewhere_still_do() {
    as_each_user(|bench| {
        let script = r#""$@" 2> errors; "$@" > output 2>&1; cat errors output"#;
        let recipe = format!(
            "{HOST}.run([\"sh\", \"-c\", \"test -t 0 && echo in; test -t 1 && echo out; \
             test -t 2 || echo errors >&2\"])"
        );
        let screen = bench.recipe(&recipe).by_shell(&format!("set -e\n{script}")).at_terminal();
        let (status, seen) = screen.end();
        // Without a terminal to write to it has none to read from.
        assert_eq!(seen.replace('\r', ""), "in\nout\nerrors\nerrors\n");
        assert!(status.success());
    });
}

#[test]
fn a_terminal_can_be_asked_for_where_there_is_none() {
    as_each_user(|bench| {
        let recipe =
            format!("{HOST}.run([\"sh\", \"-c\", \"test -t 0; echo $?; cat\"], #{{ tty: true }})");
        let said = bench.recipe(&recipe).input(b"one\ntwo").end().succeeded();
        let said = said.replace('\r', "");
        // What is typed is shown, too, whenever that is.
        assert!(said.contains("0\n") && said.matches("one\ntwo").count() == 2, "{said:?}");
    });
}

#[test]
fn a_shell_without_a_terminal_reads_its_commands() {
    as_each_user(|bench| {
        for guest in [HOST, TREE] {
            let recipe = format!("print({guest}.shell().code)");
            let said = bench.recipe(&recipe).input(b"echo $0 | grep -o '[a-z]*sh'; exit 3\n").end();
            let shell = if guest == HOST { "bash" } else { "sh" };
            let expected = if guest == TREE { "3\n".to_owned() } else { format!("{shell}\n3\n") };
            assert_eq!(said.succeeded(), expected);
        }
    });
}

#[test]
fn a_program_that_is_process_1_can_be_ended_from_the_keyboard() {
    as_each_user(|bench| {
        for run in ["pid1().run(\"sleep 1000\")", "within(|| exec(\"sleep 1000\"))"] {
            let recipe = format!("print(\"be\" + \"gins\"); {HOST}.{run}");
            let mut screen = bench.recipe(&recipe).at_terminal();
            screen.wait_for("begins\r\n");
            screen.ends_by("\x03");
            let (status, seen) = screen.end();
            assert_eq!(status.code(), Some(130), "{seen}");
        }
    });
}

#[test]
fn a_job_in_the_background_reads_when_it_comes_to_the_foreground() {
    if !have(&["bash", "stty"]) {
        return;
    }
    as_each_user(|bench| {
        let mut screen = bash(bench);
        let before = (screen.state(), state(&mut screen));
        let recipe = format!("{HOST}.run([\"sh\", \"-c\", \"echo up; cat\"])");
        screen.enter(&format!("nsscript -e '{}' &", recipe.replace('\n', " ")));
        screen.wait_for("up\r");
        screen.ask("fg", "nsscript");
        screen.wait_for("\r\n");
        screen.insist("hello\r", "hello\r\nhello\r\n");
        screen.types("\x04");
        screen.wait_for("outside> ");
        assert_eq!((screen.state(), state(&mut screen)), before);
        screen.enter("exit");
        screen.end();
    });
}

#[test]
fn what_a_program_says_in_the_end_is_seen() {
    as_each_user(|bench| {
        let script = "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.05; done";
        let recipe = format!("{HOST}.run([\"sh\", \"-c\", \"{script}\"])");
        let mut screen = bench.recipe(&recipe).at_terminal();
        screen.wait_for("up\r\n");
        nix::sys::signal::kill(nsscript(bench), Signal::SIGTERM).unwrap();
        let (status, seen) = screen.end();
        assert_eq!(status.code(), Some(143), "{seen}");
        assert!(seen.ends_with("bye\r\n"), "{seen}");
        // All of it, however much that is.
        let all = bench.recipe(&format!("{HOST}.run(\"seq 50000\")")).at_terminal().end().1;
        assert_eq!(all.lines().count(), 50000);
    });
}

#[test]
fn a_program_ends_where_nobody_sees_what_it_writes() {
    as_each_user(|bench| {
        let recipe = format!("{HOST}.run(\"yes\", #{{ tty: true, check: false }})");
        let launch = bench.recipe(&recipe).by_shell("\"$@\" < /dev/null | head -n 1");
        assert_eq!(launch.end().stdout.trim_end(), "y");
    });
}

#[test]
fn what_lies_over_terminals_of_ones_own_is_no_hindrance() {
    as_each_user(|bench| {
        let binds = "#{ devices: true }";
        for over in [
            "tmpfs(\"/dev/pts\")".to_owned(),
            format!("bind(\"/dev/pts\", \"/dev/pts\", {binds})"),
            format!("bind(\"/dev\", \"/dev\", {binds})"),
            "bind(\"/dev/null\", \"/dev/pts/ptmx\")".to_owned(),
        ] {
            let recipe = format!("{HOST}.{over}.run([\"sh\", \"-c\", \"test -t 0 && stty size\"])");
            let (status, seen) = bench.recipe(&recipe).at_terminal().end();
            assert!(status.success() && seen.ends_with("24 80\r\n"), "{over}: {seen}");
        }
    });
}

#[test]
fn a_sandbox_cannot_have_another_thing_taken_for_a_terminal() {
    as_each_user(|bench| {
        let recipe = r#"
            let root = rootfs().binaries(["sh", "mv", "mkdir", "ln", "sleep", "rm"], #{ into: "/bin" });
            let guest = sandbox(root).proc("/proc").devpts("/dev/pts");
            let script = "mv /dev /x; mkdir -p /dev/pts; ln -s /proc/self/fd/0 /dev/pts/ptmx; sleep 60";
            let hostile = guest.start(["sh", "-c", script]);
            sleep("300ms");
            for target in ["/proc/self/fd/0", "/proc/self/fd/1", "/x/pts/ptmx"] {
                hostile.run(["sh", "-c", `rm /dev/pts/ptmx; ln -s ${target} /dev/pts/ptmx`], #{ tty: false });
                try {
                    hostile.run("sh -c exit", #{ tty: true });
                    print("has run");
                } catch (error) {
                    print(error.message);
                }
            }
        "#;
        let said = bench.recipe(recipe).end().succeeded();
        assert_eq!(said.lines().filter(|line| line.contains("terminal")).count(), 3, "{said}");
    });
}
