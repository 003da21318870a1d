//! What a value may be written as: paths, sizes, durations, modes, ids, commands.

use super::nsscript::{Ran, Scratch, holds, nsscript, run};

#[test]
fn a_command_is_text_split_as_a_shell_does_or_an_array() {
    holds(
        r#"
        let guest = sandbox("/").read_only_root().env("HOME", "/root");
        let said = |command| guest.output(command).stdout;
        assert_eq(said.call("echo one   two"), "one two\n");
        assert_eq(said.call(["echo", "one   two"]), "one   two\n");
        assert_eq(said.call("echo 'one   two' \"three  four\""), "one   two three  four\n");
        assert_eq(said.call("echo one\\ \\ two"), "one  two\n");
        assert_eq(said.call("echo '$HOME * ~ `id` > /no/such/place' \\$HOME"),
            "$HOME * ~ `id` > /no/such/place $HOME\n");
        assert_eq(said.call(["echo", 'c']), "c\n");
        "#,
    );
}

#[test]
fn a_character_is_taken_as_text() {
    holds(
        r#"
        let guest = sandbox("/").read_only_root().hostname('x').env('A', 'b');
        assert_eq(guest.output("uname -n").stdout, "x\n");
        assert_eq(guest.output(["sh", "-c", "echo $A"]).stdout, "b\n");
        assert_eq(guest.hostname("abc"[1]).output("uname -n").stdout, "b\n");
        "#,
    );
}

#[test]
fn a_size_is_a_number_of_bytes_or_a_text_with_a_unit() {
    holds(
        r#"
        let sized = |size| sandbox().tmpfs("/run", #{ size: size });
        assert_eq(sized.call(1024), sized.call("1K"));
        assert_eq(sized.call("64M"), sized.call(64 * 1024 * 1024));
        assert_eq(sized.call("1G"), sized.call("1024M"));
        assert_eq(sized.call("2 k"), sized.call(2048));
        assert_eq(sized.call("512"), sized.call(512));
        for wrong in ["", "M", "12Q", "1.5G", "-1", "99999999999T", "eleven"] {
            try {
                let guest = sized.call(wrong);
                throw `${wrong} was taken`;
            } catch (e) {
                assert(e.message.contains("size"), `${wrong}: ${e}`);
            }
        }
        "#,
    );
}

#[test]
fn a_duration_is_a_number_of_seconds_or_a_text_with_a_unit() {
    holds(
        r#"
        for short in [0, 0.001, "0", "1ms", "0.001s", "0m", "0h", "0d"] {
            sleep(short);
        }
        for wrong in [-1, -0.5, "", "soon", "1w", "-1s", "ms", "NaN", "inf", "1e300"] {
            try {
                sleep(wrong);
                throw `${wrong} was taken`;
            } catch (e) {
                assert(e.message.contains("duration"), `${wrong}: ${e}`);
            }
        }
        "#,
    );
}

#[test]
fn sleep_waits_as_long_as_it_says() {
    let started = std::time::Instant::now();
    holds(r#"sleep("250ms"); sleep(0.05);"#);
    let waited = started.elapsed();
    assert!(waited.as_millis() >= 300, "{waited:?}");
}

#[test]
fn a_mode_is_a_number_up_to_07777() {
    holds(
        r#"
        let guest = sandbox().tmpfs("/run", #{ mode: 0o7777 }).tmpfs("/tmp", #{ mode: 0 });
        for wrong in [-1, 0o10000, "0755", 0.5] {
            try {
                let guest = sandbox().tmpfs("/run", #{ mode: wrong });
                throw `${wrong} was taken`;
            } catch (e) {
                assert(e.message.contains("mode"), `${wrong}: ${e}`);
            }
        }
        "#,
    );
}

#[test]
fn an_id_is_a_number_or_a_name_of_the_root() {
    holds(
        r#"
        let root = rootfs().binary("id").users(["root", "alice:1234:2345", "bob"]);
        let told = |guest, flag| guest.output(["id", flag]).stdout;
        assert_eq(told.call(sandbox(root).user("alice"), "-u"), "1234\n");
        assert_eq(told.call(sandbox(root).group("alice"), "-g"), "2345\n");
        assert_eq(told.call(sandbox(root).user("bob"), "-u"), "1000\n");
        assert_eq(told.call(sandbox(root).user("bob"), "-un"), "bob\n");
        assert_eq(told.call(sandbox(root).user(77), "-u"), "77\n");
        assert_eq(told.call(sandbox(root).user("root"), "-u"), "0\n");
        "#,
    );
}

#[test]
fn a_variable_holds_text_numbers_and_booleans() {
    holds(
        r#"
        let guest = sandbox("/").read_only_root()
            .env("TEXT", "a b")
            .env(#{ NUMBER: 80, FRACTION: 0.5, SWITCH: true });
        let said = guest.output(["sh", "-c", "echo $TEXT $NUMBER $FRACTION $SWITCH"]);
        assert_eq(said.stdout, "a b 80 0.5 true\n");
        "#,
    );
}

#[test]
fn the_environment_is_what_is_given_and_a_path() {
    let mut command = nsscript(&[
        "-e",
        r#"
        let guest = sandbox("/").read_only_root().keep_env(["KEPT", "NOT_SET"]).env("GIVEN", "1");
        print(guest.output("env"));
        print(env("KEPT"));
        print(env("NOT_SET") ?? "nothing");
        "#,
    ]);
    let ran = Ran::of(command.env("KEPT", "2").env("DROPPED", "3"));
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(ran.printed(), format!("KEPT=2\nGIVEN=1\n{path}\n2\nnothing\n"));
}

#[test]
fn later_words_about_the_same_thing_hold() {
    holds(
        r#"
        let guest = sandbox("/").read_only_root().hostname("a").env("A", 1).hostname("b").env("A", 2);
        assert_eq(guest.output(["sh", "-c", "uname -n; echo $A"]).stdout, "b\n2\n");
        "#,
    );
}

#[test]
fn options_may_be_a_map_made_elsewhere() {
    holds(
        r#"
        let options = #{ size: "1M" };
        options.mode = 0o700;
        assert_eq(sandbox().tmpfs("/a", options), sandbox().tmpfs("/a", #{ mode: 0o700, size: "1M" }));
        assert_eq(sandbox().tmpfs("/a", #{}), sandbox().tmpfs("/a"));
        "#,
    );
}

#[test]
fn a_target_that_is_left_out_is_the_path_of_the_source() {
    holds(
        r#"
        assert_eq(sandbox().bind("/etc"), sandbox().bind("/etc", "/etc"));
        assert_eq(sandbox().bind("/etc", #{ read_only: true }),
            sandbox().bind("/etc", "/etc", #{ read_only: true }));
        "#,
    );
}

#[test]
fn paths_inside_are_put_in_one_form() {
    holds(
        r#"
        assert_eq(sandbox().tmpfs("//run/./lock/"), sandbox().tmpfs("/run/lock"));
        "#,
    );
}

#[test]
fn relative_paths_of_the_host_begin_at_the_directory_of_the_recipe() {
    let scratch = Scratch::new();
    scratch.file("data/greeting", "hello\n");
    scratch.program("tools/greet", "#!/bin/sh\necho hello\n");
    let recipe = scratch.file(
        "recipe.rhai",
        r#"
        let guest = sandbox("/").read_only_root().bind("data/greeting", "/etc/hostname");
        assert_eq(guest.output("cat /etc/hostname").stdout, "hello\n");
        assert(exists("data/greeting"), "beside the recipe");
        assert_eq(rootfs().copy("./data", "/data").size(), 6);
        assert_eq(dependencies("tools/greet").libraries(), dependencies("sh").libraries());
        let root = rootfs().binary("tools/greet", #{ into: "/bin" });
        assert_eq(sandbox(root).output("greet").stdout, "hello\n");
        "#,
    );
    let ran = Ran::of(nsscript(&[recipe.to_str().unwrap()]).current_dir("/"));
    assert_eq!(ran.printed(), "");
}

#[test]
fn relative_paths_of_a_text_begin_at_the_current_directory() {
    let scratch = Scratch::new();
    scratch.file("greeting", "hello\n");
    let code = r#"
        assert(exists("greeting"), "here");
        assert_eq(rootfs().copy("greeting", "/greeting").size(), 6);
        print(cwd());
    "#;
    let wanted = format!("{}\n", scratch.text());
    let ran = Ran::of(nsscript(&["-e", code]).current_dir(scratch.path()));
    assert_eq!(ran.printed(), wanted);
    let ran = Ran::reading(nsscript(&["-"]).current_dir(scratch.path()), code.as_bytes());
    assert_eq!(ran.printed(), wanted);
}

#[test]
fn bytes_that_are_no_text_pass_through() {
    holds(
        r#"
        let bytes = blob(3, 0xff);
        let guest = sandbox("/").read_only_root();
        assert_eq(guest.output("od -An -tx1", #{ stdin: bytes }).stdout, " ff ff ff\n");
        assert_eq(rootfs().file("/data", bytes).size(), 3);
        "#,
    );
}

#[test]
fn a_program_reads_what_it_is_given() {
    holds(
        r#"
        let guest = sandbox("/").read_only_root();
        assert_eq(guest.output("cat", #{ stdin: "hello" }).stdout, "hello");
        assert_eq(guest.output("cat").stdout, "");
        let said = guest.output(["sh", "-c", "echo out; echo err >&2; exit 5"], #{ check: false });
        assert_eq([said.stdout, said.stderr, said.code], ["out\n", "err\n", 5]);
        assert_eq(said.exit.code, 5);
        "#,
    );
}

#[test]
fn a_recipe_reads_standard_input_only_through_a_program() {
    let mut command = nsscript(&["-e", r#"sandbox("/").read_only_root().run("cat");"#]);
    assert_eq!(Ran::reading(&mut command, b"hello\n").printed(), "hello\n");
    assert_eq!(run(r#"sandbox("/").read_only_root().run("cat");"#).printed(), "");
}
