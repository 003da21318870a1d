//! How nsscript ends: exit statuses, the forms of its messages, readers that go away.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::nsscript::{PACKAGE, Ran, Scratch, nsscript, run};
use crate::support::schema::fitting;

fn status(code: &str) -> Option<i32> {
    run(code).status
}

#[test]
fn a_recipe_that_comes_to_its_end_ends_with_0() {
    for code in ["", "1;", "// nothing", "let number = 3; number", "return;"] {
        assert_eq!(run(code).printed(), "", "{code}");
    }
}

#[test]
fn a_recipe_ends_with_the_status_it_says() {
    for wanted in [0, 1, 7, 255] {
        assert_eq!(status(&format!("exit({wanted});")), Some(wanted));
    }
    assert_eq!(status("exit();"), Some(0));
    assert_eq!(status("fn f() { exit(3); } f();"), Some(3));
    assert_eq!(status("[1].for_each(|| exit(4));"), Some(4));
}

#[test]
fn the_status_of_a_program_becomes_that_of_nsscript() {
    let program = |command: &str| {
        status(&format!("sandbox(\"/\").read_only_root().run([\"sh\", \"-c\", \"{command}\"]);"))
    };
    assert_eq!(program("exit 3"), Some(3));
    assert_eq!(program("exit 255"), Some(255));
    assert_eq!(program("kill -TERM $$"), Some(128 + 15));
    assert_eq!(program("kill -KILL $$"), Some(128 + 9));
}

#[test]
fn a_program_that_is_not_there_is_127_and_one_that_cannot_be_executed_126() {
    assert_eq!(status("sandbox().run(\"/no-such-program\");"), Some(127));
    assert_eq!(status("sandbox(\"/\").read_only_root().run(\"no-such-program\");"), Some(127));
    assert_eq!(status("sandbox().file(\"/plain\", \"x\").run(\"/plain\");"), Some(126));
    assert_eq!(status("sandbox(\"/\").read_only_root().run(\"/etc\");"), Some(126));
}

#[test]
fn everything_else_that_fails_is_125() {
    let codes = [
        "let = 3;",
        "no_such_function();",
        "sandbox(\"/none\").run(\"true\");",
        "sandbox().hostname(1).run(\"true\");",
        "assert(false);",
        "throw 3;",
        "1 / 0;",
        "exit(256);",
        "sandbox().mask(\"/nothing\").run(\"true\");",
        "fn f() { f() } f();",
    ];
    for code in codes {
        let ran = run(code);
        assert_eq!(ran.status, Some(125), "{code}: {ran:?}");
        assert!(ran.stderr.starts_with("error: ") && ran.stdout.is_empty(), "{code}: {ran:?}");
    }
}

#[test]
fn the_first_failure_gives_the_status() {
    let code = "print(1); sandbox().run(\"/no-such-program\"); print(2);";
    let ran = run(code);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(127), "1\n"));
}

#[test]
fn the_short_form_is_a_line_for_each_message() {
    let code = "sandbox().share(UTS).hostname(\"a\")\n    .bind(\"/no-such-place\").run(\"true\");";
    let said = Ran::of(&mut nsscript(&["--error-format", "short", "-e", code])).said(125);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with("<command line>:1:22: error: `hostname` would change"), "{said}");
    assert_eq!(lines[1], "<command line>:2:6: error: the source `/no-such-place` does not exist");
}

#[test]
fn the_json_form_is_an_object_on_a_line_for_each_message() {
    let code = "let guest = sandbox(rootfs().binary(\"ls\")).tmpfs(\"/a/b\").tmpfs(\"/a\");\nguest.workdir(\"/x\").run(\"ls\");";
    let said = Ran::of(&mut nsscript(&["--error-format=json", "-e", code])).said(125);
    let objects: Vec<_> = said.lines().map(|line| fitting("report", line)).collect();
    let [warning, error] = objects.as_slice() else { panic!("{said}") };
    assert_eq!(warning["severity"], "warning");
    assert_eq!(warning["related"][0]["what"], "hidden");
    assert_eq!(error["severity"], "error");
    assert_eq!(error["errno"], 2);
    assert_eq!(error["operation"], "workdir");
    assert_eq!(error["target"], "/x");
    assert_eq!(error["place"]["file"], "<command line>");
    assert_eq!(error["place"]["line"], 2);
    assert_eq!(error["place"]["column"], 7);
    assert_eq!(error["place"]["length"], 7);
    assert!(error["hints"][0].as_str().unwrap().contains("create it with"), "{error}");
}

#[test]
fn the_human_form_is_the_default() {
    let code = "sandbox(\"/none\").run(\"true\");";
    let default = Ran::of(&mut nsscript(&["-e", code])).said(125);
    let asked = Ran::of(&mut nsscript(&["--error-format", "human", "-e", code])).said(125);
    assert_eq!(default, asked);
    assert!(default.contains("\n 1 │ sandbox"), "{default}");
}

#[test]
fn failures_without_a_recipe_have_the_form_that_was_asked_for() {
    let said = Ran::of(&mut nsscript(&["--error-format", "json", "no-such-recipe"])).said(125);
    let error = fitting("report", &said);
    assert_eq!(error["severity"], "error");
    assert!(error["message"].as_str().unwrap().contains("no-such-recipe"), "{error}");
}

/// Runs nsscript with a pipe for output whose reader goes away after one line.
fn read_one_line(arguments: &[&str]) -> (String, Option<i32>, String) {
    let mut command = nsscript(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    (line, ran.status, ran.stderr)
}

/// The status of what SIGPIPE ends, as a shell has it.
const UNREAD: i32 = 128 + 13;

#[test]
fn a_reader_that_goes_away_ends_the_recipe_quietly() {
    for code in [
        "loop { print(\"y\"); }",
        "print(\"y\"); loop { note(\"y\"); section(\"y\"); table([[\"y\"], [1]]); }",
        "within(UTS, || { loop { print(\"y\"); } });",
        "clone(UTS, || { loop { print(\"y\"); } }).wait();",
        "print(\"y\"); for i in 0..100000 { within(UTS, || print(\"y\")); }",
        "try { loop { print(\"y\"); } } catch (error) { throw error; }",
    ] {
        assert_eq!(
            read_one_line(&["-e", code]),
            ("y\n".into(), Some(UNREAD), String::new()),
            "{code}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_ends_every_command_quietly() {
    let (line, status, said) = read_one_line(&["reference"]);
    assert_eq!((line.as_str(), status, said.as_str()), ("# Reference\n", Some(UNREAD), ""));
}

#[test]
fn a_recipe_can_put_in_order_what_it_has_done_when_nobody_reads_it() {
    let scratch = Scratch::new();
    let made = scratch.path().join("made");
    let code = format!(
        "write_file({made:?}, \"\"); \
         try {{ loop {{ print(exists({made:?})); }} }} catch (error) {{ remove({made:?}); throw error; }}"
    );
    let ran = read_one_line(&["--host", "-e", &code]);
    assert_eq!(ran, ("true\n".into(), Some(UNREAD), String::new()));
    assert!(!made.exists());
}

#[test]
fn what_a_closure_prints_last_is_not_lost_in_silence() {
    for code in [
        "within(UTS, || { print(1); });",
        "within(UTS, || { print(1); print(2); });",
        "clone(UTS, || note(\"one\")).wait();",
        "within(UTS, || within(IPC, || { print(1); }));",
        "print(1);",
        "section(\"one\");",
        "table([[\"a\"], [1]]);",
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let said = Ran::of(nsscript(&["-e", code]).stdout(full)).said(125);
        let wanted = "error: cannot write to standard output: no space left on device (ENOSPC)\n  ──▶ <command line>:1:";
        assert!(said.starts_with(wanted), "{code}: {said}");
    }
}

/// Command lines of every kind, with their files in `scratch`.
fn command_lines(scratch: &Scratch) -> Vec<Vec<String>> {
    let recipe = scratch.file("recipes/r.rhai", "debug(1);\nprint(2);\n").display().to_string();
    let wrong = scratch.file("wrong.rhai", "no_such();\n").display().to_string();
    let place = scratch.path().join("written").display().to_string();
    let lines = [
        "doctor",
        "doctor --json",
        "help",
        "help bind",
        "reference",
        "man",
        "completions bash",
        "store list",
        "store gc",
        "--help",
        "--version",
        "--no-such-option",
        "RECIPE",
        "WRONG",
        "--explain RECIPE",
        "plan RECIPE",
        "check RECIPE",
        "check WRONG",
        "--error-format=json check WRONG",
        "test RECIPE",
        "test WRONG",
        "definitions PLACE",
        "man PLACE",
        "new PLACE/new.rhai",
        "no-such-recipe",
        "__complete -- pl",
    ];
    let filled = |word: &str| {
        word.replace("RECIPE", &recipe).replace("WRONG", &wrong).replace("PLACE", &place)
    };
    lines.iter().map(|line| line.split(' ').map(filled).collect()).collect()
}

#[test]
fn no_state_of_the_streams_or_limit_of_files_is_a_panic() {
    let scratch = Scratch::new();
    for line in command_lines(&scratch) {
        for around in [
            "exec \"$@\" >/dev/full",
            "exec \"$@\" 2>/dev/full",
            "exec \"$@\" >/dev/full 2>&1",
            "exec \"$@\" >&-",
            "exec \"$@\" 2>&-",
            "exec \"$@\" <&- >&- 2>&-",
            "cd \"$OUTPUT\"; ulimit -f 0; exec \"$@\" >out 2>err",
        ] {
            let own = nsscript(&line.iter().map(String::as_str).collect::<Vec<_>>());
            let mut command = Command::new("sh");
            command.args(["-c", around, "sh"]).arg(own.get_program()).args(own.get_args());
            command
                .current_dir(PACKAGE)
                .envs(own.get_envs().filter_map(|(name, it)| Some((name, it?))));
            command.env("OUTPUT", scratch.path()).stdin(Stdio::null());
            let ran = Ran::of(&mut command);
            let status = ran.status;
            // Neither a panic, which is 101, nor a signal.
            assert!(
                status.is_some_and(|it| [0, 1, 125].contains(&it)),
                "{line:?} {around}: {ran:?}"
            );
            assert!(!ran.stderr.contains("panicked"), "{line:?} {around}: {ran:?}");
        }
    }
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    for arguments in [
        vec!["-e", "print(1);"],
        vec!["help"],
        vec!["--help"],
        vec!["--version"],
        vec!["plan", "-e", "sandbox(\"/\").run(\"true\");"],
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran = Ran::of(nsscript(&arguments).stdout(full));
        assert_eq!(ran.status, Some(125), "{arguments:?}");
        assert!(ran.stderr.contains("(ENOSPC)"), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn messages_go_to_standard_error_and_data_to_standard_output() {
    let code = "print(\"data\");\nlet plan = sandbox().tmpfs(\"/a\").tmpfs(\"/a\").plan(\"x\");\nprint(\"more\");";
    let ran = run(code);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), "data\nmore\n"));
    assert!(ran.stderr.starts_with("warning: "), "{}", ran.stderr);
}
