//! What programs read and write.

use std::fs;
use std::os::unix::fs::PermissionsExt;

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

#[test]
fn output_and_errors_go_to_files_of_the_host() {
    as_each_user(|bench| {
        let place = bench.directory("results");
        bench.give(&place);
        let place = place.display();
        let recipe = format!(
            r#"let guest = {HOST};
            let both = "cat; echo out; echo errors >&2; ls /proc/self/fd | tr '\n' ' '";
            guest.sh(both, #{{ stdout: "{place}/out", stderr: "{place}/errors", stdin: "in\n" }});
            guest.sh("echo more; echo shown >&2", #{{ stdout: "{place}/out", append: true }});
            guest.sh("echo long enough", #{{ stdout: "{place}/emptied" }});
            guest.sh("echo short", #{{ stdout: "{place}/emptied", stderr: "discard" }});
            guest.sh("echo one; echo two >&2; echo three", #{{ stdout: "{place}/all", stderr: "{place}/all" }});
            let started = guest.start(["sh", "-c", "read line; echo <$line>; echo wrong >&2"],
                #{{ pipes: true, stderr: "{place}/started" }});
            started.write("a\n");
            print(started.read_line());
            started.wait();
            let sleeper = guest.start(["sh", "-c", "echo begun; exec sleep 60"], #{{ stdout: "{place}/begun" }});
            sleeper.sh("echo beside", #{{ stdout: "{place}/beside" }});
            wait_until(|| read_file("{place}/begun") == "begun\n");
            netns().sh("echo in a network; echo wrong >&2", #{{ stdout: "{place}/network", stderr: "discard" }});"#
        );
        let ended = bench.recipe(&recipe.replace("<$line>", r#"\"<$line>\""#)).end();
        assert_eq!(ended.stderr, "shown\n");
        assert_eq!(ended.succeeded(), "<a>\n");
        // `ls` has opened the directory as 3.
        assert_eq!(bench.content("results/out"), "in\nout\n0 1 2 3 more\n");
        for (file, content) in [
            ("errors", "errors\n"),
            ("emptied", "short\n"),
            ("all", "one\ntwo\nthree\n"),
            ("started", "wrong\n"),
            ("beside", "beside\n"),
            ("network", "in a network\n"),
        ] {
            assert_eq!(bench.content(&format!("results/{file}")), content, "{file}");
        }
        let metadata = fs::metadata(bench.path("results/out")).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o644);
    });
}

#[test]
fn the_umask_of_the_caller_counts_for_an_output_file() {
    as_each_user(|bench| {
        bench.give(&bench.directory("results"));
        let file = bench.path("results/out");
        let recipe = format!(r#"{HOST}.sh("umask", #{{ stdout: "{}" }});"#, file.display());
        bench.recipe(&recipe).by_shell(r#"umask 077; exec "$@""#).end().succeeded();
        assert_eq!(bench.content("results/out"), "0022\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    });
}

#[test]
fn an_output_file_that_cannot_be_written_is_refused_by_run_plan_and_check() {
    as_each_user(|bench| {
        let place = bench.directory("results");
        bench.give(&place);
        bench.give(&bench.directory("results/directory"));
        let fifo = place.join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        bench.give(&fifo);
        let place = place.display();
        for (file, why, hint) in [
            ("missing/out", "no such file or directory (ENOENT)", "create the directory"),
            ("directory/", "is a directory (EISDIR)", "name a file in it"),
        ] {
            let recipe = bench
                .file("r.rhai", format!(r#"{HOST}.sh("true", #{{ stdout: "{place}/{file}" }});"#));
            for command in ["run", "plan", "check"] {
                let said = bench.nsscript(&[command, recipe.to_str().unwrap()]).end();
                assert!(!said.status.success(), "{command} {file}");
                let said = format!("{}{}", said.stdout, said.stderr);
                assert!(said.contains("cannot write the output to"), "{command}: {said}");
                assert!(said.contains(why) && said.contains(hint), "{command}: {said}");
            }
        }
        // No run waits for a reader that does not come, and no program gets a terminal of others.
        let refused = |file: &str| {
            let recipe = format!(r#"{HOST}.sh("true", #{{ stderr: "{file}" }});"#);
            bench.recipe(&recipe).end().failed(125)
        };
        let said = refused(&fifo.display().to_string());
        assert!(said.contains("(ENXIO)") && said.contains("reads the FIFO"), "{said}");
        let (main, terminal) = pty();
        bench.give_terminal(&terminal);
        let said = refused(&nix::unistd::ttyname(&terminal).unwrap().display().to_string());
        assert!(said.contains("cannot write the errors to"), "{said}");
        assert!(said.contains("it is a terminal"), "{said}");
        drop(main);
    });
}

fn pty() -> (std::os::fd::OwnedFd, std::os::fd::OwnedFd) {
    let pair = nix::pty::openpty(None, None).unwrap();
    (pair.master, pair.slave)
}

#[test]
fn a_plan_shows_output_files_and_opens_none() {
    as_each_user(|bench| {
        bench.give(&bench.directory("results"));
        let file = bench.file("results/out", "kept");
        bench.give(&file);
        let recipe = bench.file(
            "r.rhai",
            format!(
                r#"let guest = {HOST};
                guest.sh("true", #{{ stdout: "{0}" }});
                guest.sh("true", #{{ stderr: "{0}", append: true }});
                // What an earlier program may have made is not looked for.
                guest.sh("true", #{{ stdout: "{0}.d/new", stderr: "{0}.d/new" }});"#,
                file.display()
            ),
        );
        let plan = bench.nsscript(&["plan", recipe.to_str().unwrap()]).end().succeeded();
        let name = file.display();
        for line in [
            format!("create or empty the file `{name}` for the output of a program"),
            format!("open the file `{name}` for the errors of a program"),
            format!("use the input and errors of nsscript and write the output to `{name}`"),
            format!("create or empty the file `{name}.d/new` for the output and the errors of"),
        ] {
            assert!(plan.contains(&line), "{line}: {plan}");
        }
        assert_eq!(bench.content("results/out"), "kept");
        assert!(!bench.path("results/out.d").exists());
    });
}
