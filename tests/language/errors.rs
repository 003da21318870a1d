//! `try`, `catch` and `throw`.

use super::nsscript::{Ran, holds, missing, prints, run};

#[test]
fn a_recipe_goes_on_after_what_it_catches() {
    let code = r#"
        try {
            sandbox("/").read_only_root().run("no-such-program");
        } catch (e) {
            print(e.operation);
        }
        sandbox("/").read_only_root().run("echo on");
    "#;
    prints(code, "execute\non\n");
}

#[test]
fn every_property_of_an_error_can_be_read_of_every_error() {
    holds(
        r#"
        let attempts = [
            || sandbox("/").read_only_root().run("no-such-program"),
            || sandbox("/none").run("true"),
            || sandbox().bind("/no-such-directory").run("true"),
            || sandbox().hostname(1),
            || sandbox().mask("/nothing").run("true"),
            || sandbox("/").read_only_root().run("false"),
            || assert(false, "no"),
            || exit(1000),
        ];
        for attempt in attempts {
            try {
                attempt.call();
                throw "nothing was thrown";
            } catch (e) {
                assert_eq(type_of(e), "Error");
                assert(e.message != "", "there is a sentence");
                assert(e.line > 0, "there is a line");
                let all = [e.errno, e.operation, e.source, e.target, e.hint];
                assert_eq(all.len(), 5);
            }
        }
        "#,
    );
}

#[test]
fn the_errno_is_that_of_the_kernel() {
    holds(
        r#"
        let errno = |guest, command| {
            try {
                guest.run(command);
            } catch (e) {
                return e.errno;
            }
        };
        let root = rootfs().file("/plain", "hello").file("/odd", "hello", #{ mode: 0o755 });
        assert_eq(errno.call(sandbox(root), "/missing"), 2);
        assert_eq(errno.call(sandbox(root), "/odd"), 8);
        assert_eq(errno.call(sandbox(root), "/plain"), 13);
        assert_eq(errno.call(sandbox("/").mount("none", "/mnt", #{ type: "nofs" }), "true"), 19);
        "#,
    );
}

#[test]
fn what_is_thrown_arrives_as_it_is() {
    holds(
        r#"
        for thrown in ["text", 3, [1, 2], #{ code: 3 }, NET] {
            try {
                throw thrown;
            } catch (e) {
                assert_eq(e, thrown);
            }
        }
        "#,
    );
}

#[test]
fn neither_exit_nor_a_signal_is_caught() {
    let ran = run("try { exit(7); } catch (e) { print(\"caught\"); }");
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (Some(7), "", ""));
}

#[test]
fn an_error_that_is_thrown_again_keeps_what_is_known_of_it() {
    let code = "try {\n    sandbox(\"/\").read_only_root().run(\"no-such-program\");\n} catch (e) {\n    \
                throw e;\n}";
    let said = run(code).said(127);
    assert!(said.contains("──▶ <command line>:2:35"), "{said}");
    assert!(said.contains("searched `/"), "{said}");
}

#[test]
fn a_failed_sandbox_leaves_the_next_one_alone() {
    holds(
        r#"
        let guest = sandbox("/").read_only_root();
        for turn in 0..5 {
            try {
                guest.workdir("/no/such/place").run("true");
            } catch (e) {
                assert_eq(e.operation, "workdir");
            }
            assert_eq(guest.output("echo hello").stdout, "hello\n");
        }
        "#,
    );
}

#[test]
fn a_library_that_is_missing_inside_is_named() {
    let code = r#"
        let root = rootfs().copy(which("sh"), "/bin/sh");
        for path in dependencies("sh").libraries() {
            if path.contains("/ld-linux") { root = root.copy(path, path); }
        }
        assert(root.size() > rootfs().copy(which("sh"), "/bin/sh").size(), "there is a loader");
        sandbox(root).output("sh -c true");
    "#;
    let ran = run(code);
    if ran.stderr.contains("there is a loader") {
        return missing("a dynamically linked sh with the loader of glibc");
    }
    let said = ran.said(127);
    assert!(said.contains("= `sh -c true` exited with status 127\n"), "{said}");
    assert!(said.contains("= it wrote: "), "{said}");
    let message = said.lines().next().unwrap();
    assert!(message.starts_with("error: cannot execute `/bin/sh`: the library `lib"), "{said}");
    assert!(message.ends_with("which `/bin/sh` needs, is not in the sandbox"), "{said}");
    assert!(said.contains("hint: add the program with `.binary(program)`"), "{said}");
}

/// Lines that the language itself fails at, one for each way that it can.
const FAULTS: [&str; 20] = [
    "no_such(1, \"x\")",
    "().len()",
    "[1].no_such(#{})",
    "1 + \"x\" - 2",
    "1 + -\"x\"",
    "no_such",
    "#{ a: 1 }.no_such",
    "#{ a: 1 }.no_such.more",
    "(1).no_such",
    "sandbox().no_such",
    "let s = sandbox(); s.hostname = 3",
    "[1, 2][7]",
    "[][0]",
    "\"text\"[9]",
    "1[99]",
    "1 / 0",
    "9223372036854775807 + 1",
    "parse_int(\"x\")",
    "let n = 3; if n { 1 }",
    "let n = 3; for i in n { }",
];

#[test]
fn what_is_caught_and_thrown_again_is_told_as_if_it_were_not_caught() {
    let first = |ran: Ran| {
        let lines: Vec<_> = ran.stderr.lines().collect();
        assert_eq!(ran.status, Some(125), "{ran:?}");
        let hint =
            lines.iter().find(|line| line.starts_with("hint: ")).copied().unwrap_or_default();
        (lines[0].to_owned(), hint.to_owned())
    };
    for fault in FAULTS {
        // Where it fails: in what stands before, and what calls that.
        for (before, call) in [
            (String::new(), fault),
            (format!("fn f() {{ {fault}; }}"), "f()"),
            (format!("fn f() {{ {fault}; }} fn g() {{ 1; f() }}"), "g()"),
            (format!("let f = || {{ {fault}; }};"), "f.call()"),
            (format!("let f = |x| {{ {fault}; }};"), "[1].map(f)"),
            (format!("fn f() {{ {fault}; }}"), "within(UTS, || f())"),
        ] {
            // A closure captures what it names when it is made, before it is called.
            if fault == "no_such" && before.starts_with("let f") {
                continue;
            }
            let plain = first(run(&format!("{before} {call};")));
            for code in [
                format!("{before} try {{ {call}; }} catch (e) {{ throw e; }}"),
                format!("{before} try {{ {call}; }} catch (e) {{ let it = e; throw it; }}"),
            ] {
                assert_eq!(first(run(&code)), plain, "{code}");
            }
            // It is an error as those of verbs are.
            let asked = "[type_of(e), e.errno, e.line]";
            let code = format!(
                "{before} try {{ {call}; }} catch (e) {{ \
                 assert_eq({asked}, [\"Error\", (), 1]); print(e.message) }}"
            );
            let message = run(&code).printed();
            assert_eq!(format!("error: {}", message.trim_end()), plain.0, "{code}");
        }
    }
}
