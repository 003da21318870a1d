//! The prompt, as a person at a terminal has it.

use crate::support::{Bench, Launch, Screen, as_each_user};

/// What the line editor writes when it begins to read a line, and when it has one: whether what is
/// pasted comes in brackets.
const READS: &str = "\x1b[?2004h";
const HAS_READ: &str = "\x1b[?2004l";

const ENTER: &str = "\r";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const UP: &str = "\x1b[A";

/// nsscript with these words, whose history is in the working directory.
fn launch<'b>(bench: &'b Bench, words: &[&str]) -> Launch<'b> {
    bench.directory("state");
    let launch = bench.nsscript(words).env("NO_COLOR", "1");
    launch.env("XDG_STATE_HOME", bench.text("state")).env("XDG_CACHE_HOME", bench.text("cache"))
}

fn prompt(bench: &Bench) -> Screen {
    bench.directory("cache");
    let mut screen = launch(bench, &[]).at_terminal();
    screen.wait_for(READS);
    screen
}

/// What is shown for a line.
#[track_caller]
fn shown(screen: &mut Screen, line: &str) -> String {
    keys(screen, &format!("{line}{ENTER}"))
}

/// What is shown after keys that end a line.
#[track_caller]
fn keys(screen: &mut Screen, keys: &str) -> String {
    screen.types(keys);
    screen.wait_for(HAS_READ);
    let text = screen.wait_for(READS).replace('\r', "");
    text.strip_prefix('\n').unwrap_or(&text).to_owned()
}

/// Types a line after which the prompt is another one.
#[track_caller]
fn goes(screen: &mut Screen, line: &str, prompt: &str) {
    shown(screen, line);
    screen.wait_for(prompt);
}

/// Leaves, and makes sure that nothing is left.
#[track_caller]
fn leave(mut screen: Screen) -> String {
    screen.types(CTRL_D);
    let (status, seen) = screen.end();
    assert!(status.success(), "{status}\n{seen}");
    seen
}

const GUEST: &str = r#"let guest = sandbox("/").user(0).hostname("box");"#;

#[test]
fn values_are_shown_as_a_person_wants_them() {
    as_each_user(|bench| {
        let mut screen = prompt(bench);
        let mut is = |line: &str, expected: &str| {
            assert_eq!(shown(&mut screen, line), expected, "{line}");
        };
        is("1 + 1", "2\n");
        is("it * 2", "4\n");
        is("it * 2;", "");
        is("let a = 5", "");
        is("\"text\"", "\"text\"\n");
        is(".len()", "4\n");
        is("\"a\\nb\"", "a\nb\n");
        is("[1, \"b\"]", "[1, \"b\"]\n");
        is(
            "[#{ name: \"lo\", mtu: 1 }, #{ name: \"eth0\", mtu: 20 }]",
            "mtu  name\n───  ────\n  1  lo\n 20  eth0\n",
        );
        is(
            "sandbox().hostname(\"x\")",
            "sandbox of 2 steps\n   1  root: empty\n   2  hostname x\n",
        );
        is("PID | NET", "CLONE_NEWPID|CLONE_NEWNET\n");
        is("sandbox(\"/\").read_only_root().output(\"echo hello\")", "hello\n");
        is("sandbox(\"/\").read_only_root().run(\"echo hello\")", "hello\n");
        let tree = shown(&mut screen, "rootfs().file(\"/etc/motd\", \"hi\\n\")");
        assert!(tree.contains("etc") && tree.contains("motd"), "{tree}");
        leave(screen);
    });
}

#[test]
fn lines_go_on_and_what_they_make_stays() {
    as_each_user(|bench| {
        let mut screen = prompt(bench);
        screen.types("fn twice(x) {\r");
        screen.types("    x * 2\r");
        assert_eq!(shown(&mut screen, "}"), "");
        assert_eq!(shown(&mut screen, "twice(4)"), "8\n");
        assert_eq!(shown(&mut screen, "let f = |x| twice(x) + 1; const C = 10"), "");
        assert_eq!(shown(&mut screen, "fn twice(x) { x * 3 }"), "");
        assert_eq!(shown(&mut screen, "[twice(4), f.call(4), C]"), "[12, 13, 10]\n");
        assert_eq!(shown(&mut screen, "import \"std/net\" as net"), "");
        assert_eq!(
            shown(&mut screen, "net::hub([netns(), netns()], \"10.0.0.0/24\").addresses.len()"),
            "2\n"
        );
        // Pasted, several lines are one text.
        let pasted = "\x1b[200~let b = [\n  1,\n  2,\n];\nb.len()\x1b[201~\r";
        assert_eq!(keys(&mut screen, pasted), "2\n");
        leave(screen);
    });
}

#[test]
fn errors_point_into_the_line_and_it_is_as_if_that_was_not_typed() {
    as_each_user(|bench| {
        let mut screen = prompt(bench);
        shown(&mut screen, "1");
        let said = shown(&mut screen, "let kept = 1; sandbox().hostnme(\"x\")");
        assert!(
            said.contains("<repl 2>:1:25") && said.contains("did you mean `hostname`?"),
            "{said}"
        );
        let said = shown(&mut screen, "kept");
        assert!(said.contains("unknown variable `kept`"), "{said}");
        let said = shown(&mut screen, "let a = ;");
        assert!(said.contains("error"), "{said}");
        assert_eq!(shown(&mut screen, "1 + 1"), "2\n");
        leave(screen);
    });
}

#[test]
fn tab_completes_by_what_stands_before() {
    as_each_user(|bench| {
        bench.file("some-file", "");
        let mut screen = prompt(bench);
        shown(&mut screen, GUEST);
        let mut is = |typed: &str, expected: &str| {
            assert_eq!(keys(&mut screen, typed), expected, "{typed}");
        };
        // A verb, a verb of the value that a call gives, one of the value of a variable.
        is("sandb\t).hostn\t\"x\")\r", "sandbox of 2 steps\n   1  root: empty\n   2  hostname x\n");
        is("guest.outp\t\"uname -n\")\r", "box\n");
        // The key of an option, the name of a signal, of a capability, of a module, of a file.
        is("sandbox().bind(\"/usr\", \"/usr\", #{ read_o\ttrue }).hostname(\"y\");\r", "");
        is("let p = guest.start(\"sleep 100\"); p.kill(\"KIL\t\"); p.wait().signal\r", "9\n");
        is("import \"std/ne\t\" as net;\r", "");
        is("net::pai\tnetns(), netns(), \"10.0.0.0/24\");\r", "");
        is("exists(\"some-f\t\")\r", "true\n");
        // What brackets, elements and chains of the language give.
        is("(guest).outp\t\"uname -n\")\r", "box\n");
        shown(&mut screen, "let all = [guest]; let said = guest.output(\"uname -n\")");
        let mut is = |typed: &str, expected: &str| {
            assert_eq!(keys(&mut screen, typed), expected, "{typed}");
        };
        is("all[0].outp\t\"uname -n\")\r", "box\n");
        is("said.stdo\t.tri\t).le\t)\r", "3\n");
        // A variable, and a command.
        is("gues\t.output(\"uname -n\")\r", "box\n");
        is(":hel\tuname\u{15}1\r", "1\n");
        is("set_capabilities([\"CAP_CHO\t\"]);\r", "");
        leave(screen);
    });
}

#[test]
fn ctrl_c_drops_a_line_and_ends_what_runs() {
    as_each_user(|bench| {
        let mut screen = prompt(bench);
        screen.types("1 + ");
        screen.types(CTRL_C);
        screen.wait_for(READS);
        assert_eq!(shown(&mut screen, "2 + 2"), "4\n");
        for line in
            ["loop { }", "sleep(100)", "sandbox(\"/\").read_only_root().output(\"sleep 100\")"]
        {
            screen.types(&format!("{line}\r"));
            screen.wait_for(HAS_READ);
            screen.insist(CTRL_C, "interrupted");
            screen.wait_for(READS);
        }
        // A program that has the terminal is sent it by that.
        shown(&mut screen, "let sleep = [\"sh\", \"-c\", \"echo up; exec sleep 100\"]");
        screen.enter("sandbox(\"/\").read_only_root().run(sleep, #{ check: false }).signal");
        screen.wait_for("up\r\n");
        screen.insist(CTRL_C, "2\r\n");
        screen.wait_for(READS);
        assert_eq!(shown(&mut screen, "3 + 3"), "6\n");
        leave(screen);
    });
}

#[test]
fn what_was_typed_is_remembered() {
    as_each_user(|bench| {
        let mut screen = prompt(bench);
        assert_eq!(shown(&mut screen, "20 + 1"), "21\n");
        assert_eq!(keys(&mut screen, &format!("{UP}{ENTER}")), "21\n");
        leave(screen);
        let mut screen = prompt(bench);
        assert_eq!(keys(&mut screen, &format!("{UP}{ENTER}")), "21\n");
        leave(screen);
        let mode = std::fs::metadata(bench.path("state/nsscript/history")).unwrap().permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
    });
}

#[test]
fn one_can_go_inside_and_come_back() {
    as_each_user(|bench| {
        let mut screen = prompt(bench);
        shown(&mut screen, GUEST);
        shown(&mut screen, "let outside = 1");
        goes(&mut screen, ":enter guest", "guest root> ");
        assert_eq!(shown(&mut screen, "[hostname(), getpid(), outside]"), "[\"box\", 1, 1]\n");
        assert_eq!(shown(&mut screen, "let found = processes().len(); let kept = || 1"), "");
        let left = shown(&mut screen, ":leave");
        assert!(left.contains("values that could not be brought back: `kept`"), "{left}");
        assert_eq!(shown(&mut screen, "found"), "1\n");
        assert_ne!(shown(&mut screen, "hostname()"), "\"box\"\n");
        // Beside a process, too; and all can be ended from there.
        shown(&mut screen, "let sleeper = guest.start(\"sleep 100\")");
        goes(&mut screen, ":enter sleeper", "sleeper root> ");
        assert_eq!(shown(&mut screen, "hostname()"), "\"box\"\n");
        // The process is in use there, which is an error and no end of the prompt.
        for line in ["sleeper.run(\"true\")", "sleeper.kill(\"TERM\")", ":enter sleeper"] {
            let said = shown(&mut screen, line);
            assert!(said.contains("cannot be used in a closure"), "{line}: {said}");
        }
        assert_eq!(shown(&mut screen, "sleeper.running && sleeper.pid > 0"), "true\n");
        shown(&mut screen, ":sandboxes");
        shown(&mut screen, ":where");
        screen.types(":quit\r");
        assert!(screen.end().0.success());
    });
}

#[test]
fn a_session_that_is_saved_does_the_same() {
    as_each_user(|bench| {
        let mut screen = prompt(bench);
        let mut seen = String::new();
        for line in [
            GUEST,
            "guest.run(\"uname -n\")",
            "this is wrong",
            "[1, 2].len()",
            "it + 1",
            "[#{ a: 1 }, #{ a: 2 }]",
            "fn f(x) { x + 1 }",
            "f(2)",
            "let nobody = guest.mistake()",
            "guest.start(\"sleep 100\")",
            "it.running",
            "dropped(",
        ] {
            if line == "dropped(" {
                screen.types(line);
                screen.types(CTRL_C);
                screen.wait_for(READS);
                continue;
            }
            let text = shown(&mut screen, line);
            if !text.contains("error") && !text.starts_with("process ") {
                seen.push_str(&text);
            }
        }
        goes(&mut screen, ":enter guest", "guest root> ");
        seen.push_str(&shown(&mut screen, "getpid()"));
        shown(&mut screen, ":leave");
        shown(&mut screen, "let gone = f(1)");
        assert_eq!(shown(&mut screen, ":undo"), "undone: let gone = f(1)\n");
        assert!(
            shown(&mut screen, ":save session.rhai").starts_with("saved as `session.rhai` in ")
        );
        let again = shown(&mut screen, ":save session.rhai");
        assert!(again.contains("cannot save the lines as `session.rhai`: file exists"), "{again}");
        leave(screen);
        assert!(!bench.content("session.rhai").contains("gone"));
        let file = bench.text("session.rhai");
        assert_eq!(bench.nsscript(&[&file]).end().succeeded(), seen);
    });
}

#[test]
fn commands_show_what_there_is() {
    as_each_user(|bench| {
        bench.file("part.rhai", "let part = 6;\nfn seven() { 7 }\n");
        let mut screen = prompt(bench);
        shown(&mut screen, GUEST);
        let mut has = |line: &str, expected: &[&str]| {
            let text = shown(&mut screen, line);
            for part in expected {
                assert!(text.contains(part), "{line}: {part}\n{text}");
            }
        };
        has(":help", &[":enter EXPRESSION", "Ctrl-D exits"]);
        has(":help bind", &["sandbox.bind(source[, target][, #{ … }])"]);
        has(":help hostnam", &["did you mean `hostname`?"]);
        has(":plan guest.run(\"true\")", &["set the host name to `box`"]);
        has(":plan guest", &["set the host name to `box`", "execute"]);
        has(":sandboxes", &["no sandbox is running"]);
        has("let sleeper = guest.start(\"sleep 100\")", &[]);
        has(":sandboxes", &["sleeper", "sleep 100"]);
        has(":where", &["here", "sleeper", "uts", "not here:", "proc on /proc"]);
        has(":explain on", &[]);
        has("sandbox(\"/\").read_only_root().run(\"true\")", &["▸ start a process in new"]);
        has(":explain off", &[]);
        has(":time 1 + 1", &["2\n", " ms"]);
        has(":load part.rhai", &[]);
        has("part + seven()", &["13"]);
        has(":load none.rhai", &["cannot read the recipe `none.rhai`: no such file or directory"]);
        has(":leave", &["`:leave` needs a sandbox or process"]);
        has("help limit", &["commands begin with a colon: type `:help limit`"]);
        has("exit", &["to exit, type `:quit` or press Ctrl-D"]);
        has("let help = 5", &[]);
        has("help", &["5"]);
        has("part + seven()", &["13"]);
        has(":nonsense", &["unknown command `:nonsense`"]);
        has(":undo", &["undone: part + seven()"]);
        leave(screen);
    });
}

#[test]
fn a_recipe_can_be_talked_about() {
    as_each_user(|bench| {
        bench.file("made.rhai", "#!/usr/bin/env nsscript\nlet made = 42;\nprint(args);\n");
        let mut screen = launch(bench, &["repl", "made.rhai", "word"]).at_terminal();
        screen.wait_for("[\"word\"]");
        screen.wait_for(READS);
        assert_eq!(shown(&mut screen, "made"), "42\n");
        leave(screen);
    });
}

#[test]
fn the_prompt_says_where_one_is() {
    as_each_user(|bench| {
        let mut screen = launch(bench, &[]).at_terminal();
        screen.wait_for(READS);
        screen.wait_for("host ");
        goes(&mut screen, "unshare(UTS)", "session root> ");
        leave(screen);
    });
}

#[test]
fn what_comes_through_a_pipe_is_a_recipe() {
    as_each_user(|bench| {
        for words in [&[][..], &["repl"][..]] {
            let ended = bench.nsscript(words).input(b"let a = 1;\nprint(a + 1);\nexit(3);").end();
            assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(3), "2\n"));
        }
    });
}

/// A recipe that stops, in a function too.
const STOPS: &str = "let x = 5;\nlet y = x;\nbreakpoint();\nprint(x + y);\nfn f(a) {\n    a * 2\n}\n\
                     print(f(x));\n";

#[test]
fn a_recipe_stops_where_it_says_so() {
    as_each_user(|bench| {
        bench.file("stops.rhai", STOPS);
        let mut screen = launch(bench, &["stops.rhai"]).at_terminal();
        screen.wait_for("stopped at stops.rhai:3:1");
        screen.wait_for(READS);
        screen.wait_for("stops.rhai:3 ");
        assert_eq!(shown(&mut screen, "[x, y]"), "[5, 5]\n");
        assert_eq!(shown(&mut screen, "x = 7; let z = 1"), "");
        let said = shown(&mut screen, "nothing");
        assert!(said.contains("unknown variable `nothing`"), "{said}");
        screen.enter(":leave");
        let (status, seen) = screen.end();
        assert!(status.success() && seen.ends_with("12\r\n14\r\n"), "{seen}");
        // The end of it is one of the recipe.
        let mut screen = launch(bench, &["stops.rhai"]).at_terminal();
        screen.wait_for(READS);
        screen.enter("exit(3)");
        assert_eq!(screen.end().0.code(), Some(3));
    });
}

#[test]
fn a_recipe_stops_at_the_lines_that_are_asked_for() {
    as_each_user(|bench| {
        bench.file("stops.rhai", STOPS);
        let words = ["--break", "5", "--break", "8", "stops.rhai"];
        let mut screen = launch(bench, &words).at_terminal();
        for (place, asked, answer) in [
            ("stops.rhai:3:1", "x", "5\n"),
            ("stops.rhai:8:1", "y", "5\n"),
            ("stops.rhai:6:5", "a", "5\n"),
        ] {
            screen.wait_for(&format!("stopped at {place}"));
            screen.wait_for(READS);
            assert_eq!(shown(&mut screen, asked), answer);
            screen.types(CTRL_D);
        }
        let (status, seen) = screen.end();
        assert!(status.success() && seen.ends_with("10\r\n"), "{seen}");
        let said = bench.nsscript(&["--break", "9", "stops.rhai"]).end().failed(125);
        assert!(said.contains("cannot stop at line 9"), "{said}");
        let ended = bench.nsscript(&["stops.rhai"]).end();
        assert!(
            ended.stderr.contains("skipped a breakpoint: standard input is not a terminal"),
            "{}",
            ended.stderr
        );
        assert_eq!(ended.succeeded(), "10\n10\n");
    });
}

#[test]
fn a_plan_can_be_gone_through_action_by_action() {
    as_each_user(|bench| {
        let recipe = r#"
            sandbox("/").read_only_root().hostname("box").proc("/proc").run("uname -n");
            print(within(UTS, || { sethostname("raw"); hostname() }));
        "#;
        bench.file("steps.rhai", recipe);
        let words = ["run", "--step", "steps.rhai"];
        let mut screen = launch(bench, &words).at_terminal();
        screen.wait_for("▸ 1 of ");
        screen.wait_for("nsscript: start a process in new");
        screen.wait_for("step> ");
        screen.ask("", "new process: ");
        screen.wait_for("step> ");
        screen.ask("help", "runs a shell in the namespaces");
        screen.wait_for("step> ");
        // Up to the host name: it is not set when it is asked about, and it is after that.
        while !screen.ask("next", "step> ").contains("set the host name to `box`") {}
        screen.ask("look", "mounts, the newest:");
        screen.wait_for("step> ");
        let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        screen.ask("shell", "# ");
        screen.ask("cat /proc/sys/kernel/hostname; echo un''til", own.trim());
        screen.wait_for("until");
        screen.types(CTRL_D);
        screen.wait_for("step> ");
        screen.ask("n", "step> ");
        screen.ask("s", "# ");
        screen.ask("cat /proc/sys/kernel/hostname", "\r\nbox\r\n");
        screen.enter("exit");
        screen.wait_for("step> ");
        screen.enter("continue");
        let (status, seen) = screen.end();
        assert!(status.success() && seen.ends_with("box\r\nraw\r\n"), "{seen}");
    });
}

#[test]
fn nothing_more_is_done_where_the_person_quits() {
    as_each_user(|bench| {
        let recipe = "sandbox(\"/\").read_only_root().run(\"echo not\")";
        for steps in 0..3 {
            let words = ["run", "--step", "-e", recipe];
            let mut screen = launch(bench, &words).at_terminal();
            screen.wait_for("step> ");
            for _ in 0..steps {
                screen.ask("next", "step> ");
            }
            screen.enter("quit");
            let (status, seen) = screen.end();
            assert_eq!(status.code(), Some(130), "{seen}");
            assert!(!seen.contains("\r\nnot"), "{seen}");
        }
        // Raw calls are asked about, too.
        let raw = ["run", "--step", "-e", "unshare(UTS); sethostname(\"a\"); print(hostname())"];
        let mut screen = launch(bench, &raw).at_terminal();
        screen.wait_for("nsscript: create a new UTS");
        screen.ask("n", "set the host name to `a`");
        screen.enter("c");
        assert!(screen.end().1.ends_with("a\r\n"));
    });
}

#[test]
fn a_session_of_any_shape_is_saved_as_what_it_showed() {
    as_each_user(|bench| {
        let mut screen = prompt(bench);
        let mut seen = String::new();
        for line in [
            GUEST,
            "1 + 1 // a comment",
            "let a = 1 // another",
            "fn f(x) { x + 1 }",
            "fn f(x) { x + 10 }",
            "f(a)",
            "print(`${it + 1}`)",
            "let y = 1; y + 1",
            "it * 3",
            "print(\"x\"); 6",
            "it",
            "if a == 1 { 5 } else { 6 }",
            "it + 1",
            "a = 77; nope()",
            "a",
            "a = 78;",
            "[a, /* inner */ 2].len(); // silent",
            "switch a { 78 => 1, _ => 2 }",
            "host.kernel.len() > 1",
            "PID",
            "it == PID",
        ] {
            let text = shown(&mut screen, line);
            if !text.contains("error") {
                seen.push_str(&text);
            }
        }
        goes(&mut screen, ":enter guest", "guest root> ");
        assert_eq!(shown(&mut screen, ":undo"), "nothing to undo\n");
        shown(&mut screen, "fn inner(x) { x * 2 }");
        shown(&mut screen, "let found = inner(getpid())");
        assert!(shown(&mut screen, ":save in.rhai").contains("`:leave` first"));
        shown(&mut screen, ":leave");
        seen.push_str(&shown(&mut screen, "found"));
        let said = shown(&mut screen, ":save shapes.rhai");
        assert!(said.starts_with("saved as") && said.lines().count() == 1, "{said}");
        leave(screen);
        let saved = bench.content("shapes.rhai");
        let ran = bench.nsscript(&["shapes.rhai"]).end();
        assert!(ran.status.success(), "{saved}\n{}", ran.stderr);
        assert_eq!(ran.stdout, seen, "{saved}");
    });
}

#[test]
fn a_plan_does_nothing_to_what_is_there() {
    as_each_user(|bench| {
        let mut screen = prompt(bench);
        let mut is = |line: &str, expected: &str| {
            assert_eq!(shown(&mut screen, line), expected, "{line}");
        };
        is("let blue = netns(\"blue\")", "");
        is("let green = netns().resolver([\"10.0.0.53\"])", "");
        is("let gone = netns()", "");
        is("gone.remove()", "");
        is("let sleeper = blue.start(\"sleep 100\", #{ pipes: true })", "");
        let mut has = |line: &str, expected: &str| {
            let text = shown(&mut screen, &format!(":plan {line}"));
            assert!(text.contains(expected), "{line}: {expected}\n{text}");
        };
        has("blue.bridge(\"br0\", [])", "create the bridge br0 in the network blue");
        has("blue.run(\"false\")", "plan for `false`");
        has("blue.listen(80)", "start a child process");
        has("blue.within(|| sethostname(\"box\"))", "│ set the host name to `box`");
        has("sleeper.kill(\"KILL\")", "send SIGKILL (9) to process");
        has("sleeper.wait()", "it would do nothing");
        has("sleeper.read_line()", "it would do nothing");
        has("blue.remove()", "delete the network `blue`");
        has("sandbox().network(green).run(\"x\")", "to `/etc/resolv.conf`");
        has("sandbox().network(gone).run(\"x\")", "removed");
        let mut is = |line: &str, expected: &str| {
            assert_eq!(shown(&mut screen, line), expected, "{line}");
        };
        is("blue.interfaces().map(|found| found.name)", "[\"lo\"]\n");
        is("sleeper.running", "true\n");
        is("blue.can_connect(\"127.0.0.1\", 80)", "false\n");
        is("netns_names()", "[\"blue\"]\n");
        leave(screen);
    });
}

#[test]
fn what_is_dropped_or_has_failed_is_as_it_was() {
    as_each_user(|bench| {
        let mut screen = prompt(bench);
        let mut is = |line: &str, expected: &str| {
            assert_eq!(shown(&mut screen, line), expected, "{line}");
        };
        is("let x = 1; let list = [1]", "");
        is("x = 2; list.push(2)", "");
        is(":undo", "undone: x = 2; list.push(2)\n");
        is("[x, list]", "[1, [1]]\n");
        is(":plan x = 9", "it would do nothing\n");
        is("x", "1\n");
        // Constants can be looked at, one after the other.
        is("PID", "CLONE_NEWPID\n");
        is("const K = 3", "");
        is("K", "3\n");
        is("args", "[]\n");
        // What is wrong within a line is said at once.
        let said = shown(&mut screen, "\"unclosed");
        assert!(said.contains("error"), "{said}");
        // Nothing that is shown moves the cursor.
        assert_eq!(shown(&mut screen, "\"a\\x1b[2Jb\\nc\""), "a\\u{1b}[2Jb\nc\n");
        leave(screen);
    });
}

#[test]
fn a_recipe_can_be_pasted_whole() {
    as_each_user(|bench| {
        let mut screen = prompt(bench);
        let recipe = include_str!("../../recipes/hello.rhai");
        let shown = keys(&mut screen, &format!("\x1b[200~{recipe}\x1b[201~\r"));
        assert!(!shown.contains("error"), "{shown}");
        leave(screen);
    });
}

#[test]
fn what_runs_in_a_network_can_be_entered() {
    as_each_user(|bench| {
        let mut screen = prompt(bench);
        shown(&mut screen, "let net = netns(); let s = net.start(\"sleep 100\")");
        let said = shown(&mut screen, ":enter net");
        assert!(said.contains("`:enter net.start(\"sleep 1000\")`"), "{said}");
        goes(&mut screen, ":enter s", "s ");
        for number in 0..20 {
            assert_eq!(
                shown(&mut screen, &format!("{number} + 1000")),
                format!("{}\n", number + 1000)
            );
        }
        shown(&mut screen, ":leave");
        leave(screen);
    });
}

#[test]
fn a_signal_ends_the_conversation_inside_too() {
    as_each_user(|bench| {
        let mut screen = prompt(bench);
        shown(&mut screen, GUEST);
        shown(&mut screen, "let sleeper = guest.start(\"sleep 100\")");
        goes(&mut screen, ":enter guest", "guest root> ");
        let program = bench.binary();
        let is_ours = |pid: &i32| {
            let executes = std::fs::read_link(format!("/proc/{pid}/exe"));
            executes.is_ok_and(|file| file == program)
        };
        let numbers = std::fs::read_dir("/proc").unwrap().flatten();
        let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let first = nix::unistd::Pid::from_raw(numbers.filter(is_ours).min().unwrap());
        nix::sys::signal::kill(first, nix::sys::signal::Signal::SIGTERM).unwrap();
        assert_eq!(screen.end().0.code(), Some(143));
    });
}

/// The blocks of a document that are a session, as lines.
fn sessions(document: &str) -> Vec<Vec<&str>> {
    let blocks = document.split("```console\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().lines().collect()).collect()
}

/// Fails unless the lines that a document shows are among those that were, in that order.
#[track_caller]
fn has_lines(line: &str, shown: &str, expected: &[&str]) {
    let mut rest = shown.lines();
    for wanted in expected.iter().filter(|wanted| **wanted != "…") {
        let words = |text: &str| text.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
        // The width of columns is that of numbers, which differ.
        let found = rest.any(|shown| shown == *wanted || words(shown) == words(wanted));
        assert!(found, "{line}: {wanted:?} is not shown, but\n{shown}");
    }
}

#[test]
fn the_first_session_goes_as_it_is_written_down() {
    let document = include_str!("../../docs/first-session.md");
    as_each_user(|bench| {
        let mut screen = Some(prompt(bench));
        for block in sessions(document) {
            let mut lines = block.into_iter().peekable();
            while let Some(line) = lines.next() {
                let mut expected = Vec::new();
                while let Some(next) = lines.next_if(|next| !next.starts_with("> ")) {
                    expected.push(next);
                }
                let Some(typed) = line.strip_prefix("> ") else {
                    let words: Vec<_> =
                        line.strip_prefix("$ nsscript ").unwrap().split(' ').collect();
                    has_lines(line, &launch(bench, &words).end().succeeded(), &expected);
                    continue;
                };
                if typed == "<Ctrl-D>" {
                    leave(screen.take().unwrap());
                    continue;
                }
                let keys = typed.replace("<Tab>", "\t").replace("<Ctrl-C>", CTRL_C);
                let end = if typed.ends_with("<Ctrl-C>") { "" } else { ENTER };
                let shown = self::keys(screen.as_mut().unwrap(), &format!("{keys}{end}"));
                has_lines(line, &shown, &expected);
                assert!(
                    expected.iter().any(|it| it.contains("error")) || !shown.contains("error"),
                    "{line}\n{shown}"
                );
            }
        }
    });
}

#[test]
fn a_signal_ends_the_conversation_and_leaves_the_terminal_as_it_was() {
    as_each_user(|bench| {
        let script = r#"
            before=$(stty -g)
            timeout --foreground --preserve-status -s TERM 1 "$@"
            echo "ended $?"
            test "$before" = "$(stty -g)" && echo same
        "#;
        let (_, seen) = launch(bench, &[]).by_shell(script).at_terminal().end();
        assert!(seen.contains("ended 143\r\nsame"), "{seen}");
    });
}

#[test]
fn what_is_said_of_steps_can_come_through_a_pipe() {
    as_each_user(|bench| {
        let recipe = "let guest = sandbox(\"/\").read_only_root(); print(guest.output(\"cat\", #{ stdin: \"ran\" }).stdout)";
        let launch = bench.nsscript(&["run", "--step", "-e", recipe]).input(b"n\nn\n\nc\n");
        let ended = launch.end();
        assert!(ended.stderr.matches("step> ").count() == 4, "{}", ended.stderr);
        assert_eq!(ended.succeeded(), "ran\n");
    });
}
