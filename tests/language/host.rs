//! What recipes need around the verbs: files and paths, text, time, programs of the host, and work
//! in several processes.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::nsscript::{Ran, Scratch, holds, nsscript, nsscript_as_user, run};

/// A recipe in a directory of its own, run there.
#[track_caller]
fn printed_in(scratch: &Scratch, code: &str) -> String {
    let file = scratch.file("recipe.rhai", code);
    Ran::of(&mut nsscript(&[file.to_str().unwrap()])).printed()
}

#[test]
fn directories_are_listed_in_order() {
    let scratch = Scratch::new();
    for name in ["data/b/two.txt", "data/a.txt", "data/b/.hidden", "data/[x]/one.txt"] {
        std::fs::create_dir_all(scratch.path().join(name).parent().unwrap()).unwrap();
        scratch.file(name, name);
    }
    symlink("b", scratch.path().join("data/link")).unwrap();
    // One that leads back.
    symlink("..", scratch.path().join("data/b/.up")).unwrap();
    let code = r#"
        print(ls("data"));
        fn below(paths) { paths.map(|path| path.sub_string(cwd().len() + 1)) }
        print(below(walk("data")));
        print(below(glob("data/*.txt")));
        print(below(glob("data/**/*.txt")));
        print(below(glob("data/[[]x]/*")));
        print(below(glob("data/l*/*")) + below(glob("data/b/.*")));
        print(glob("data/none*"));
        print(read_link("data/link"));
        chdir("data");
        print(glob("*.txt"));
        for path in ["missing", "a.txt"] { try { ls(path); } catch (e) { print([e.operation, e.name]); } }
        try { read_link("a.txt"); } catch (e) { print(e.name); }
        try { glob("***"); } catch (e) { print(e.message); }
    "#;
    let seen = "[\"[x]\", \"a.txt\", \"b\", \"link\"]\n\
                [\"data/[x]\", \"data/[x]/one.txt\", \"data/a.txt\", \"data/b\", \"data/b/.hidden\", \"data/b/.up\", \
                \"data/b/two.txt\", \"data/link\"]\n\
                [\"data/a.txt\"]\n\
                [\"data/[x]/one.txt\", \"data/a.txt\", \"data/b/two.txt\"]\n\
                [\"data/[x]/one.txt\"]\n\
                [\"data/link/two.txt\", \"data/b/.hidden\", \"data/b/.up\"]\n[]\nb\n[\"a.txt\"]\n\
                [\"ls\", \"ENOENT\"]\n[\"ls\", \"ENOTDIR\"]\nEINVAL\ninvalid pattern `***`\n";
    assert_eq!(
        printed_in(&scratch, &code.replace("cwd()", &format!("{:?}", scratch.path()))),
        seen
    );
}

#[test]
fn directories_that_may_not_be_read_are_errors_unless_they_are_left_out() {
    let scratch = Scratch::new();
    scratch.file("data/open/one", "");
    std::fs::create_dir(scratch.path().join("data/closed")).unwrap();
    std::fs::set_permissions(scratch.path(), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(scratch.path().join("data/closed"), PermissionsExt::from_mode(0o000))
        .unwrap();
    let code = r#"for look in [|options| walk("data", options), |options| glob("data/*/*", options)] {
        try { look.call(#{}); } catch (e) { print([e.name, e.hint.contains("skip_unreadable")]); }
        print(look.call(#{ skip_unreadable: true }).map(|path| file_name(path)));
    }"#;
    let seen = Ran::of(nsscript_as_user(&scratch, &[]).args(["-e", code])).printed();
    let expected =
        "[\"EACCES\", true]\n[\"closed\", \"open\", \"one\"]\n[\"EACCES\", true]\n[\"one\"]\n";
    assert_eq!(seen, expected);
}

#[test]
fn paths_are_taken_apart_as_text() {
    holds(
        r#"
        assert_eq(["/a/b", "/", "", "a", "/a/"].map(|it| parent(it)), ["/a", (), (), "", "/"]);
        assert_eq(["/a/b.c", "/", "..", "a/"].map(|it| file_name(it)), ["b.c", (), (), "a"]);
        assert_eq(["a.tar.gz", ".x", "x"].map(|it| [file_stem(it), extension(it)]),
            [["a.tar", "gz"], [".x", ()], ["x", ()]]);
        assert_eq([join_path("/a", "b"), join_path("/a", "/b"), join_path("", "b")], ["/a/b", "/b", "b"]);
        "#,
    );
}

#[test]
fn text_is_taken_apart_and_put_together() {
    holds(
        r#"
        assert_eq(lines("a\n\nb\r\n"), ["a", "", "b"]);
        assert_eq("".lines(), []);
        assert_eq(["a", 1, 2.5, (), [1]].join("-"), "a-1-2.5--[1]");
        assert_eq([["x"].join(","), [].join(","), ["a", "b"].join()], ["x", "", "ab"]);
        assert_eq(format("{}/{:>3}", ["a", 5]), "a/  5");
        assert_eq(format("{}", 5), "5");
        assert_eq(format("{:?>3}", "x"), "??x");
        assert_eq(format("{a:<3}{b}", #{ a: 1, b: [2] }), "1  [2]");
        "#,
    );
    let said = run("format(\"{} {}\", [1]);").said(125);
    assert!(said.contains("no value for `{}`") && said.contains("<command line>:1:1"), "{said}");
}

#[test]
fn regular_expressions_search_and_replace() {
    holds(
        r#"
        let text = "eth0: 10.0.0.1/24, lo: 127.0.0.1/8";
        assert(text.matches(`\d+/24`) && !text.matches("^lo"));
        assert_eq(captures(text, `(\w+): ([\d.]+)(x)?`), ["eth0: 10.0.0.1", "eth0", "10.0.0.1", ()]);
        assert_eq(captures(text, "none"), ());
        assert_eq(text.find_all(`[\d.]+/\d+`), ["10.0.0.1/24", "127.0.0.1/8"]);
        assert_eq(find_all("abc", ""), ["", "", "", ""]);
        assert_eq(replace_all("a-b-c", "-", "$$"), "a$b$c");
        assert_eq(replace_all("äbä", "ä", "<$0>"), "<ä>b<ä>");
        assert_eq(replace_all("k=v", "(?<key>.)=(?<value>.)", "${value}=${key}"), "v=k");
        // A time that grows with the length, and no faster.
        assert(!("a".repeat_it(5000) + "b").matches("^(a+)+$"));
        fn repeat_it(times) { let text = ""; for i in 0..times { text += this; } text }
        "#,
    );
    let said = run("matches(\"a\", \"(\");").said(125);
    assert!(said.contains("invalid regular expression `(`"), "{said}");
    let checked = Ran::of(&mut nsscript(&["check", "-e", "print(matches(\"a\", \"[\"));"])).said(1);
    assert!(checked.contains("invalid regular expression `[`"), "{checked}");
    let long = "let text = \"x\"; for i in 0..25 { text += text; } matches(text, \"y\");";
    assert!(run(long).said(125).contains("longer than 16 MiB"));
}

#[test]
fn values_have_forms_for_other_programs() {
    holds(
        r#"
        let value = #{ a: [1, 2.5, "x\"\n", 'c', (), true], b: #{}, c: blob(2, 7) };
        assert_eq(to_json(value), `{"a":[1,2.5,"x\"\n","c",null,true],"b":{},"c":[7,7]}`);
        assert_eq(parse_json(to_json(value)).a[2], "x\"\n");
        assert_eq(to_json([1, #{ x: 2 }, []], #{ pretty: true }),
            "[\n  1,\n  {\n    \"x\": 2\n  },\n  []\n]");
        assert_eq([to_json(1), to_json("a"), to_json(())], ["1", "\"a\"", "null"]);
        assert_eq(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq(sha256(blob()), sha256(""));
        assert_eq(base64(blob(3, 255)), "////");
        assert_eq(from_base64("////\n"), blob(3, 255));
        assert_eq(from_base64(base64("äöü")).as_string(), "äöü");
        for wrong in ["a", "a===", "ä"] {
            let refused = false;
            try { from_base64(wrong); } catch { refused = true; }
            assert(refused, wrong);
        }
        for wrong in [sandbox(), [#{ a: || 1 }], 1.0 / 0.0] {
            let said = "";
            try { to_json(wrong); } catch (e) { said = e.message; }
            assert(said.contains("cannot be expressed in JSON"), said);
        }
        "#,
    );
}

#[test]
fn time_and_chance_are_those_of_the_kernel() {
    holds(
        r#"
        let now = now();
        assert(now > 1700000000 && now - clock("realtime").to_int() < 60);
        assert_eq(parse_rfc3339(rfc3339(now)), now);
        let seen = #{};
        for i in 0..200 { let n = random(4); assert(n >= 0 && n < 4); seen[`${n}`] = true; }
        assert_eq(seen.len(), 4);
        assert(random_bytes(600) != random_bytes(600));
        assert_eq([random_bytes(0).len(), random(1)], [0, 0]);
        "#,
    );
    for wrong in [
        "random(0)",
        "random(-1)",
        "random_bytes(-1)",
        "rfc3339(999999999999)",
        "parse_rfc3339(\"2026-02-30T00:00:00Z\")",
        "random_bytes(9223372036854775807)",
    ] {
        run(&format!("{wrong};")).said(125);
    }
}

#[test]
fn the_streams_of_nsscript_are_those_of_the_recipe() {
    let code = "eprint(\"to errors\"); print(lines(stdin()).map(|it| it.len())); print(stdin());";
    let ran = Ran::reading(&mut nsscript(&["-e", code]), b"one\nthree\n\xff");
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), "[3, 5, 1]\n\n"));
    assert_eq!(ran.stderr, "to errors\n");
    let planned = Ran::reading(&mut nsscript(&["plan", "-e", code]), b"one\n");
    assert_eq!((planned.status, planned.stderr.as_str()), (Some(0), ""));
}

#[test]
fn digests_of_files_are_those_of_sha256sum() {
    let scratch = Scratch::new();
    let large: Vec<u8> = (0..3_000_000_u32).map(|it| it.to_le_bytes()[0]).collect();
    let file = scratch.file("large", large);
    let code = format!(
        "let file = \"{0}\"; assert_eq(sha256_file(file), host.output([\"sha256sum\", file]).stdout.split()[0]); \
         try {{ sha256_file(\"{0}x\"); }} catch (e) {{ print([e.name, e.hint]); }}",
        file.display()
    );
    assert_eq!(run(&code).printed(), "[\"ENOENT\", \"did you mean `large`?\"]\n");
}

#[test]
fn a_saved_file_is_whole_or_not_there() {
    let scratch = Scratch::new();
    let path = scratch.path().join("out.txt");
    let text = path.to_str().unwrap();
    let save = |options: &str| format!("save(\"{text}\", \"one\\n\"{options});");
    let plan = Ran::of(&mut nsscript(&["plan", "-e", &save("")])).printed();
    assert!(plan.contains(&format!("save the file `{text}` of 4 B")), "{plan}");
    assert!(!path.exists());
    run(&save("")).printed();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n");
    // What a run refuses is refused before.
    for words in [&["plan", "-e"][..], &["check", "-e"], &["-e"]] {
        let mut words: Vec<_> = words.to_vec();
        let again = save("");
        words.push(&again);
        let ran = Ran::of(&mut nsscript(&words));
        assert_ne!(ran.status, Some(0), "{words:?}");
        assert!(ran.stderr.contains("EEXIST") && ran.stderr.contains("replace: true"), "{ran:?}");
    }
    run(&format!("save(\"{text}\", blob(2, 65), #{{ replace: true }});")).printed();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "AA");
    let missing = run(&format!("save(\"{text}/x/y\", \"\");")).said(125);
    assert!(missing.contains("cannot save"), "{missing}");
    let names: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    // A user writes only where that user may.
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return;
    }
    std::fs::set_permissions(scratch.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let user = Ran::of(nsscript_as_user(&scratch, &[]).args(["-e", "save(\"new\", \"\");"]));
    assert!(user.stderr.contains("EACCES"), "{user:?}");
    let planned =
        Ran::of(nsscript_as_user(&scratch, &[]).args(["plan", "-e", "save(\"new\", \"\");"]));
    assert!(planned.stderr.contains("EACCES"), "{planned:?}");
}

#[test]
fn programs_of_the_host_run_outside_of_sandboxes() {
    let scratch = Scratch::new();
    let marker = scratch.path().join("made");
    let touch = format!("host.output([\"touch\", \"{}\"]);", marker.display());
    let plan = Ran::of(&mut nsscript(&["plan", "-e", &touch])).printed();
    assert!(plan.contains("touch"), "{plan}");
    assert!(!marker.exists());
    run(&touch).printed();
    assert!(marker.exists());
    holds(
        r#"
        let said = host.output("cat", #{ stdin: "text" });
        assert_eq([said.stdout, said.exit.code], ["text", 0]);
        let failed = host.output(["sh", "-c", "echo wrong >&2; exit 3"], #{ check: false });
        assert_eq([failed.exit.code, failed.stderr], [3, "wrong\n"]);
        assert_eq(host.output("id -u").stdout.trim(), `${host.uid}`);
        "#,
    );
    let said = run("host.output(\"sh -c 'echo broken >&2; exit 4'\");").said(4);
    assert!(said.contains("it wrote: broken"), "{said}");
    assert!(run("host.output(\"no-such-program\");").said(127).contains("no-such-program"));
    let much = "host.output(\"yes\", #{ limit: \"1M\" });";
    assert!(run(much).said(125).contains("wrote more than 1 MiB and was killed"));
}

#[test]
fn a_program_beside_another_gives_its_output() {
    holds(
        r#"
        let sleeper = sandbox("/").read_only_root().hostname("box").start("sleep 60");
        let said = sleeper.output(["sh", "-c", "uname -n; cat; echo e >&2"], #{ stdin: "in\n" });
        assert_eq([said.stdout, said.stderr], ["box\nin\n", "e\n"]);
        assert_eq(sleeper.output("false", #{ check: false }).exit.code, 1);
        let refused = "";
        try { sleeper.output("false"); } catch (e) { refused = e.message; }
        assert(refused.contains("`false` exited with status 1"), refused);
        "#,
    );
}

#[test]
fn work_is_shared_by_processes_and_its_values_are_in_order() {
    holds(
        r#"
        let factor = 10;
        // The first of them ends last, and all run at once.
        let gates = scratch();
        let values = parallel([0, 1, 2, 3], |item| {
            write_file(`${gates}/${item}`, "");
            if item < 3 { wait_until(|| exists(`${gates}/${item + 1}`)); }
            [item * factor, getpid()]
        }, #{ at_once: 4 });
        assert_eq(values.map(|it| it[0]), [0, 10, 20, 30]);
        let pids = values.map(|it| it[1]);
        pids.sort();
        pids.dedup();
        assert_eq(pids.len(), 4);
        assert_eq(parallel([], |item| item), []);
        // Values larger than a pipe holds, and fewer processes than items.
        let large = parallel([1, 2, 3, 4, 5], |item| blob(300000, item), #{ at_once: 2 });
        assert_eq(large.map(|it| [it.len(), it[0]]), [[300000, 1], [300000, 2], [300000, 3],
            [300000, 4], [300000, 5]]);
        "#,
    );
    holds(
        r#"
        // No more than that at once.
        let place = scratch();
        let most = parallel([1, 2, 3, 4, 5, 6], |item| {
            write_file(`${place}/${item}`, "");
            let now = ls(place).len();
            sleep("20ms");
            remove(`${place}/${item}`);
            now
        }, #{ at_once: 2 });
        assert(most.all(|count| count <= 2), `${most}`);
        "#,
    );
}

#[test]
fn an_error_of_one_ends_the_others_and_names_its_item() {
    let code = r#"let begun = clock("monotonic");
        try {
            parallel(["slow", "bad", "slower"], |item| {
                if item == "bad" { throw "broken"; }
                sleep(60);
            }, #{ at_once: 3 });
        } catch (e) { print(e.message); }
        assert(clock("monotonic") - begun < 50.0);
        parallel([1, 2], |item| read_file(`/no/such/${item}`), #{ at_once: 1 });"#;
    let ran = run(code);
    assert_eq!(ran.stdout, "broken\n", "{ran:?}");
    let said = ran.said(125);
    assert!(said.contains("in the call for item 0: 1"), "{said}");
    assert!(said.contains("/no/such/1") && !said.contains("/no/such/2"), "{said}");
    for wrong in ["0", "-1", "100000"] {
        let code = format!("parallel([1], |it| it, #{{ at_once: {wrong} }});");
        assert!(run(&code).said(125).contains("invalid number of processes"), "{wrong}");
    }
    let plan = Ran::of(&mut nsscript(&["plan", "-e", "parallel([1, 2], |it| mkdir(`/t/${it}`));"]));
    let plan = plan.printed();
    assert!(plan.contains("`/t/1`") && plan.contains("`/t/2`"), "{plan}");
}

#[test]
fn an_id_of_the_session_in_a_path_of_the_host_is_a_warning() {
    let scratch = Scratch::new();
    std::fs::set_permissions(scratch.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let code = "let path = \"/run/user/\" + getuid(); print(path);";
    let user = |words: &[&str]| Ran::of(nsscript_as_user(&scratch, &[]).args(words));
    let ran = user(&["-e", code]);
    let message = "`getuid` is 0 in the session, and becomes part of a path";
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), "/run/user/0\n"), "{ran:?}");
    assert!(ran.stderr.contains(message) && ran.stderr.contains("`host.uid`"), "{ran:?}");
    let checked = user(&["check", "-e", code]);
    assert!(checked.stderr.contains(message), "{checked:?}");
    // What the hint says has the id of the caller.
    let cured = user(&["-e", &code.replace("getuid()", "host.uid")]);
    let own = std::fs::metadata("/proc/self").unwrap().uid();
    let caller = if own == 0 { 65534 } else { own };
    let path = format!("/run/user/{caller}\n");
    assert_eq!((cured.stdout.as_str(), cured.stderr.as_str()), (path.as_str(), ""));
    // Root keeps its id in the session.
    if own == 0 {
        assert_eq!(run(code).printed(), "/run/user/0\n");
    }
}
