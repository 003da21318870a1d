//! Descriptors of nsscript's caller that a program gets.

use crate::support::{Bench, Ended, HOST, as_each_user};

/// A recipe, run by a shell that opens files for it.
fn with(bench: &Bench, recipe: &str, redirections: &str) -> Ended {
    bench.recipe(recipe).by_shell(&format!(r#"exec "$@" {redirections}"#)).end()
}

/// The descriptors of `ls` and of the shell that runs it.
const LIST: &str = "ls /proc/self/fd | tr '\\n' ' '; echo";

#[test]
fn a_program_gets_the_passed_descriptors_and_no_others() {
    as_each_user(|bench| {
        for name in ["one", "two", "three", "four"] {
            bench.give(&bench.file(name, format!("{name}\n")));
        }
        let passed = ".pass_fd(3).pass_fd(4, 5).pass_fd(9, 4).pass_fd(8).pass_fd(3, 100).limit(\"nofile\", 32)";
        let script = format!("cat <&3; cat <&5; cat <&4; echo written >&8; {LIST}");
        let files = "3< one 4< two 9< three 8> four 7< one 6< two";
        for kind in ["", ".pid1()", ".session(false)"] {
            let recipe = format!("{HOST}{passed}{kind}.sh(\"{script}\");");
            let seen = with(bench, &recipe, files).succeeded();
            // `ls` has opened the directory as 6.
            assert_eq!(seen, "one\ntwo\nthree\n0 1 100 2 3 4 5 6 8 \n", "{kind}");
            assert_eq!(bench.content("four"), "written\n");
        }
        // While each call is told, the program waits at a gate, whose number is 5.
        let recipe = bench.file("r.rhai", format!("{HOST}{passed}.sh(\"{script}\");"));
        let explained = bench.nsscript(&["run", "--explain", recipe.to_str().unwrap()]);
        let explained = explained.by_shell(&format!(r#"exec "$@" {files}"#)).end();
        assert!(explained.stderr.contains("dup3(passed, 5, 0)"), "{}", explained.stderr);
        assert_eq!(explained.succeeded(), "one\ntwo\nthree\n0 1 100 2 3 4 5 6 8 \n");
    });
}

#[test]
fn programs_that_join_and_the_init_have_no_passed_descriptor() {
    as_each_user(|bench| {
        bench.give(&bench.file("one", "one\n"));
        let look = if bench.user.is_root() {
            r"print(host.output(`ls /proc/${sleeper.pid}/fd`).stdout);"
        } else {
            r#"print("3\n");"#
        };
        let recipe = format!(
            r#"let guest = {HOST}.pass_fd(9);
            let sleeper = guest.start(["sh", "-c", "read line <&9; echo $line; exec sleep 60"], #{{ pipes: true }});
            print(sleeper.read_line());
            sleeper.sh("{LIST}");
            {look}"#
        );
        let seen = with(bench, &recipe, "9< one").succeeded();
        assert_eq!(seen, "one\n0 1 2 3 \n3\n\n");
    });
}

#[test]
fn a_plan_shows_passed_descriptors() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let guest = {HOST}.pass_fd(9).pass_fd(9, 4).pass_fd(8, 4);
            print(guest.plan("true"));"#
        );
        let seen = with(bench, &recipe, "9< /dev/null 8< /dev/null").succeeded();
        assert!(seen.contains("pass the descriptor 9 to the program"), "{seen}");
        assert!(seen.contains("pass the descriptor 8 as 4 to the program"), "{seen}");
        assert!(!seen.contains("descriptor 9 as 4"), "the later one counts: {seen}");
    });
}

#[test]
fn a_descriptor_that_gives_more_than_a_file_is_refused() {
    as_each_user(|bench| {
        let refused = |call: &str, redirections: &str| {
            with(bench, &format!(r#"{HOST}{call}.run("true");"#), redirections).failed(125)
        };
        for (call, redirections, why, hint) in [
            (".pass_fd(9)", "", "it is not open", "`9< file`"),
            (".pass_fd(0)", "", "descriptor 0 is a standard stream", "`stdin`"),
            (".pass_fd(9, 2)", "9< /dev/null", "descriptor 2 is a standard stream", "`stderr`"),
            (".pass_fd(9, 256)", "9< /dev/null", "invalid descriptor 256", "from 3 to 255"),
            (".pass_fd(-1)", "", "invalid descriptor -1", "from 3 to 255"),
            (".pass_fd(9)", "9< .", "it is a directory", "bind the directory"),
            (
                ".pass_fd(9, #{ directory: true })",
                "9< /dev/null",
                "it is no directory",
                "leave out",
            ),
        ] {
            let said = refused(call, redirections);
            assert!(said.contains(why) && said.contains(hint), "{call}: {said}");
        }
        let pair = nix::pty::openpty(None, None).unwrap();
        bench.give_terminal(&pair.slave);
        let terminal = nix::unistd::ttyname(&pair.slave).unwrap();
        let said = refused(".pass_fd(9)", &format!("9< {}", terminal.display()));
        assert!(said.contains("it is a terminal"), "{said}");
    });
}

#[test]
fn a_directory_is_passed_on_request_with_a_warning() {
    as_each_user(|bench| {
        bench.give(&bench.file("one", "one\n"));
        let recipe =
            format!(r#"{HOST}.pass_fd(9, #{{ directory: true }}).sh("cat /proc/self/fd/9/one");"#);
        let ended = with(bench, &recipe, "9< .");
        assert!(ended.stderr.contains("leads out of its root"), "{}", ended.stderr);
        assert_eq!(ended.succeeded(), "one\n");
    });
}

#[test]
fn no_descriptor_of_nsscript_itself_can_be_passed() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let guest = {HOST};
            let cat = guest.start("cat", #{{ pipes: true }});
            let net = netns();
            let held = cat.namespace(NET);
            mkdir(`${{scratch()}}/d`);
            let messages = [];
            for number in 3..100 {{
                try {{
                    let passes = guest.pass_fd(number);
                    messages.push(`${{passes}} is passed`);
                }} catch (error) {{
                    messages.push(error.message);
                }}
            }}
            let own = messages.filter(|text| text.contains("belongs to nsscript itself"));
            let closed = messages.filter(|text| text.contains("it is not open"));
            print(own.len() > 5 && own.len() + closed.len() == messages.len());
            if own.len() + closed.len() != messages.len() {{ print(messages); }}"#
        );
        assert_eq!(with(bench, &recipe, "").succeeded(), "true\n");
    });
}
