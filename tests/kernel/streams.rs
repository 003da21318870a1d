//! What programs read and write.

use crate::support::{HOST, as_each_user};

#[test]
fn a_run_has_the_streams_of_nsscript() {
    as_each_user(|bench| {
        let recipe = format!(r#"{HOST}.run(["sh", "-c", "cat; echo err >&2"])"#);
        let ended = bench.recipe(&recipe).input(b"in\n").end();
        assert_eq!(ended.stderr, "err\n");
        assert_eq!(ended.succeeded(), "in\n");
    });
}

#[test]
fn an_output_is_kept_and_reads_nothing_unless_it_is_told_what() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let guest = {HOST};
            let said = guest.output(["sh", "-c", "cat; echo out; echo err >&2"]);
            print(`<${{said.stdout}}|${{said.stderr}}>`);
            print(`<${{guest.output("cat", #{{ stdin: "given" }}).stdout}}>`);
            guest.run("cat", #{{ stdin: "run\n" }});"#
        );
        let ended = bench.recipe(&recipe).input(b"not for it").end();
        assert_eq!(ended.stderr, "");
        assert_eq!(ended.succeeded(), "<out\n|err\n>\n<given>\nrun\n");
    });
}

#[test]
fn a_megabyte_goes_both_ways_at_once() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let text = "0123456789abcdef";
            for doubling in 0..16 {{ text += text; }}
            let said = {HOST}.output(["sh", "-c", "tee /dev/fd/3 3>&2"], #{{ stdin: text }});
            assert_eq!(said.stdout.len(), 1048576);
            assert(said.stdout == text, "what was written is what was read");
            assert(said.stderr == text, "on the other stream too");"#
        );
        bench.recipe(&recipe).end().succeeded();
    });
}

#[test]
fn a_program_need_not_read_what_it_is_given() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let text = "0123456789abcdef";
            for doubling in 0..16 {{ text += text; }}
            let guest = {HOST};
            print(guest.output("head -c 3", #{{ stdin: text }}).stdout);
            print(guest.output("true", #{{ stdin: text }}).code);
            print(guest.output(["sh", "-c", "exec < /dev/null; echo closed"], #{{ stdin: text }}).stdout);"#
        );
        assert_eq!(bench.recipe(&recipe).end().succeeded(), "012\n0\nclosed\n\n");
    });
}

#[test]
fn a_program_that_is_started_is_talked_to_line_by_line() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let cat = {HOST}.start(["sh", "-c", "while read -r line; do echo \"<$line>\"; done; printf end"],
                #{{ pipes: true }});
            cat.write("one\ntwo\n");
            print(cat.read_line());
            print(cat.read_line());
            cat.write("three");
            cat.write("\n");
            print(cat.read_line());
            print(cat.running);
            let exit = cat.wait();
            print(cat.read_line());
            print(cat.read_line() == ());
            print(`${{exit.code}} ${{cat.running}}`);"#
        );
        let seen = bench.recipe(&recipe).end().succeeded();
        assert_eq!(seen, "<one>\n<two>\n<three>\ntrue\nend\ntrue\n0 false\n");
    });
}

#[test]
fn writing_to_a_program_that_has_ended_is_an_error_and_not_a_signal() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let program = {HOST}.start("true", #{{ pipes: true }});
            program.wait();
            try {{ program.write("x"); }} catch (error) {{ print("refused"); }}
            let program = {HOST}.start(["sh", "-c", "exec < /dev/null; echo closed; sleep 60"], #{{ pipes: true }});
            print(program.read_line());
            try {{ program.write("x"); }} catch (error) {{ print(error.errno); }}"#
        );
        let seen = bench.recipe(&recipe).end().succeeded();
        assert_eq!(seen.lines().collect::<Vec<_>>()[..2], ["refused", "closed"], "{seen}");
    });
}

#[test]
fn without_pipes_there_is_nothing_to_talk_to() {
    as_each_user(|bench| {
        for verb in ["write(\"x\")", "read_line()"] {
            let recipe = format!(r#"let program = {HOST}.start("sleep 60"); program.{verb};"#);
            let said = bench.recipe(&recipe).end().failed(125);
            assert!(said.contains("needs a program that was started with pipes"), "{said}");
        }
    });
}

#[test]
fn bytes_that_are_no_text_are_passed_on() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let said = {HOST}.output("od -An -tx1", #{{ stdin: blob(3, 0xff) }});
            print(said.stdout);"#
        );
        assert_eq!(bench.recipe(&recipe).end().succeeded(), " ff ff ff\n\n");
    });
}

#[test]
fn what_is_not_there_to_read_nothing_from_is_named() {
    as_each_user(|bench| {
        let recipe = r#"
            let bare = sandbox(rootfs().binary("true", #{ into: "/bin" }));
            bare.within(|| sandbox("/").read_only_root().output("true"));
        "#;
        let said = bench.recipe(recipe).end().failed(125);
        let wanted = "cannot open `/dev/null` for the program: no such file or directory (ENOENT)";
        assert!(said.contains(wanted) && said.contains("<command line>:3:"), "{said}");
        assert!(said.contains("add `.dev(\"/dev\")` to a sandbox"), "{said}");
    });
}

#[test]
fn what_a_program_writes_is_kept_while_it_is_waited_for() {
    as_each_user(|bench| {
        // Much more than a pipe has room for.
        let recipe = format!(
            r#"let count = {HOST}.start("seq 1 100000", #{{ pipes: true }});
            print(count.read_line());
            print(count.wait());
            let last = ();
            let lines = 1;
            loop {{
                let line = count.read_line();
                if line == () {{ break }}
                last = line;
                lines += 1;
            }}
            print(`${{last}} of ${{lines}}`);
            let end = {HOST}.start(["printf", "one\\ntwo"], #{{ pipes: true }});
            end.wait();
            print([end.read_line(), end.read_line(), end.read_line()]);"#
        );
        let wanted = "1\nexited with status 0\n100000 of 100000\n[\"one\", \"two\", ()]\n";
        assert_eq!(bench.recipe(&recipe).end().succeeded(), wanted);
    });
}

#[test]
fn much_is_written_to_a_program_that_answers_meanwhile() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let text = "0123456789abcdef";
            for doubling in 0..16 {{ text += text; }}
            let cat = {HOST}.start("cat", #{{ pipes: true }});
            cat.write(text + "\n");
            assert(cat.read_line() == text, "what was written is what was read");
            cat.write("more\n");
            print(cat.read_line());
            print(cat.wait());"#
        );
        let seen = bench.recipe(&recipe).end().succeeded();
        assert_eq!(seen, "more\nexited with status 0\n");
    });
}

#[test]
fn a_program_that_writes_without_end_is_ended() {
    let guest = HOST;
    as_each_user(|bench| {
        let hint = "\n\nhint: raise the option `limit` of `output`\n";
        let note = "\n   = nsscript keeps at most that until `read_line` reads it\n";
        for (recipe, most, more) in [
            (format!("{guest}.output(\"cat /dev/zero\")"), "64 MiB", hint),
            (format!("{guest}.output(\"yes\", #{{ limit: \"1M\" }})"), "1 MiB", hint),
            (
                // Both streams together.
                format!(
                    "{guest}.output([\"sh\", \"-c\", \"yes & yes >&2\"], #{{ limit: \"3M\" }})"
                ),
                "3 MiB",
                hint,
            ),
            (format!("{guest}.output([\"echo\", \"123\"], #{{ limit: 3 }})"), "3 B", hint),
            ("netns().output(\"cat /dev/zero\", #{ limit: \"2M\" })".into(), "2 MiB", hint),
            (format!("{guest}.start(\"yes\", #{{ pipes: true }}).wait()"), "64 MiB", note),
            (
                format!("{guest}.start(\"cat /dev/zero\", #{{ pipes: true }}).read_line()"),
                "64 MiB",
                note,
            ),
        ] {
            // That no process is left is what every run makes sure of.
            let said = bench.recipe(&format!("let it = {recipe};")).end().failed(125);
            let wanted = format!("error: the program wrote more than {most} and was killed\n");
            assert!(said.starts_with(&wanted) && said.ends_with(more), "{recipe}: {said}");
        }
        let fits = format!(
            "print({guest}.output([\"echo\", \"123\"], #{{ limit: 4 }}).stdout);
             print({guest}.output(\"head -c 70000000 /dev/zero\", #{{ limit: \"70M\" }}).stdout.len());"
        );
        assert_eq!(bench.recipe(&fits).end().succeeded(), "123\n\n70000000\n");
    });
}
