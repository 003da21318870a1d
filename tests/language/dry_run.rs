//! `nsscript plan`: it tells what a recipe would do, and does nothing.

use std::fs;
use std::process::Command;

use super::nsscript::{PACKAGE, Ran, Scratch, nsscript, nsscript_as_user};
use super::recipes::recipes;
use crate::support::schema::fitting;

/// nsscript as a user who may not start any process, with an empty directory for temporary files.
fn without_processes(scratch: &Scratch) -> Command {
    let mut command = nsscript_as_user(scratch, &["prlimit", "--nproc=1:1", "--"]);
    command.env("TMPDIR", scratch.directory("tmp"));
    command
}

#[test]
fn no_recipe_is_done_while_it_is_planned() {
    for recipe in recipes() {
        let scratch = Scratch::new();
        let text = fs::read_to_string(&recipe).unwrap();
        for arguments in [&["plan", "-"][..], &["plan", "--json", "-"]] {
            let ran = Ran::reading(without_processes(&scratch).args(arguments), text.as_bytes());
            assert_eq!(ran.status, Some(0), "{}: {ran:?}", recipe.display());
            let entries = fs::read_dir(scratch.path().join("tmp")).unwrap().count();
            assert_eq!(entries, 0, "{} left something", recipe.display());
        }
    }
}

#[test]
fn a_dry_run_starts_no_process_and_writes_no_file() {
    let code = r#"
        let root = rootfs().binaries(["sh", "cat", "true"]).file("/etc/motd", "hello\n");
        let guest = sandbox(root).hostname("box");
        guest.run("sh -c true");
        print(guest.output("cat /etc/motd").stdout);
        let program = guest.start("sh", #{ pipes: true });
        program.write("exit 3\n");
        print(program.read_line());
        program.run("true");
        program.kill("TERM");
        assert_eq(program.wait().code, 3);
        print(root.build("out"));
        sleep(60);
    "#;
    let scratch = Scratch::new();
    let ran = Ran::of(without_processes(&scratch).args(["plan", "-e", code]));
    let plan = ran.printed();
    assert_eq!(plan.matches("plan for ").count(), 5, "{plan}");
    assert!(plan.contains("plan for `sh -c true`") && plan.contains("plan for `true`"), "{plan}");
    assert!(!scratch.path().join("out").exists(), "nothing is built");
}

#[test]
fn what_a_run_decides_is_marked() {
    let code = r#"let guest = sandbox("/").read_only_root();
        let kind = guest.output("echo vm").stdout.trim();
        if kind == "vm" { guest.run("echo a"); } else { guest.run("echo b"); }
        guest.run(["echo", kind]);
        guest.hostname(kind).run("id");
        guest.run("never planned");"#;
    let plan = Ran::of(&mut nsscript(&["plan", "-e", code])).printed();
    let (_, marks) = plan.split_once("what a run decides: ").expect("marks");
    let lines: Vec<_> = marks.lines().skip(1).map(str::trim).collect();
    assert_eq!(
        lines,
        [
            "<command line>:3:9: which branch `if` takes depends on what `echo vm` prints",
            "<command line>:4:15: what `run` gets depends on what `echo vm` prints",
            "<command line>:5:15: what `hostname` gets depends on what `echo vm` prints",
            "The plan ends there.",
        ]
    );
    let document = Ran::of(&mut nsscript(&["plan", "--json", "-e", code])).printed();
    let document = fitting("plan", &document);
    let unknown = document["unknown"].as_array().unwrap();
    let ends: Vec<_> = unknown.iter().map(|it| it["ends"].as_bool().unwrap()).collect();
    assert_eq!(ends, [false, false, true], "{document}");
    assert_eq!(unknown[0]["depends_on"], "what `echo vm` prints");
    // What the recipe itself decides, and what is wrong whatever a program prints, is not.
    let code = r#"let guest = sandbox("/").read_only_root();
        print(guest.output("echo vm").stdout);
        if args.len() == 0 { guest.run("true"); }"#;
    let plan = Ran::of(&mut nsscript(&["plan", "-e", code])).printed();
    assert!(!plan.contains("what a run decides"), "{plan}");
    let code = r#"let guest = sandbox("/").read_only_root();
        let kind = guest.output("echo vm").stdout;
        guest.hostname("").run("true");"#;
    let said = Ran::of(&mut nsscript(&["plan", "-e", code])).said(125);
    assert!(said.contains("the host name is empty"), "{said}");
}

#[test]
fn the_test_that_nothing_is_started_would_see_a_process() {
    let scratch = Scratch::new();
    let code = "sandbox(\"/\").read_only_root().run(\"true\");";
    let said = Ran::of(without_processes(&scratch).args(["-e", code])).said(125);
    assert!(said.contains("EAGAIN"), "{said}");
}

#[test]
fn plans_stand_in_the_order_in_which_programs_would_run() {
    let code = "let guest = sandbox(\"/\");\nfor name in [\"ls\", \"cat\", \"ps\"] {\n    guest.run(name);\n}";
    let plan = Ran::of(&mut nsscript(&["plan", "-e", code])).printed();
    let heads: Vec<&str> = plan.lines().filter(|line| line.starts_with("plan for")).collect();
    assert_eq!(heads, ["plan for `ls`", "plan for `cat`", "plan for `ps`"]);
}

#[test]
fn a_plan_as_json_says_the_same_as_the_text() {
    let code = "sandbox().hostname(\"box\").tmpfs(\"/a\").tmpfs(\"/a\").run([\"x\", \"a b\"]);";
    let text = Ran::of(&mut nsscript(&["plan", "-e", code])).stdout;
    let json = Ran::of(&mut nsscript(&["plan", "--json", "-e", code])).stdout;
    let plans = fitting("plan", &json);
    let plan = &plans["plans"][0];
    assert_eq!(plan["kind"], "program");
    assert_eq!(plan["command"], serde_json::json!(["x", "a b"]));
    assert!(plan["warnings"][0].as_str().unwrap().contains("is hidden by"), "{plan}");
    let actions = plan["actions"].as_array().unwrap();
    for (index, action) in actions.iter().enumerate() {
        let sentence = action["sentence"].as_str().unwrap();
        assert_eq!(action["number"], index + 1);
        assert!(text.contains(&format!("{:>5}  {sentence}", index + 1)), "{sentence}\n{text}");
    }
    let hostname = actions.iter().find(|action| action["operation"] == "hostname").unwrap();
    assert_eq!(hostname["by"], "child");
    assert_eq!(
        hostname["place"],
        serde_json::json!({ "file": "<command line>", "line": 1, "column": 11, "length": 8 })
    );
}

const RAW: &str = "sethostname(\"outer\");
let child = clone(UTS, || {
    sethostname(\"inner\");
    within(MOUNT, || mount(\"m\", \"/mnt\", #{ type: \"tmpfs\" }));
});
child.wait();
chdir(\"/\");";

#[test]
fn the_plan_of_raw_calls_shows_by_bars_in_which_process_they_are() {
    let plan = Ran::of(&mut nsscript(&["plan", "-e", RAW])).printed();
    let wanted = "plan for raw calls
    1  set the host name to `outer`                      <command line>:1:1
    2  start a child process in a new UTS namespace      <command line>:2:13
    3  │ set the host name to `inner`                    <command line>:3:5
    4  │ start a child process in a new mount namespace  <command line>:4:5
    5  │ │ mount tmpfs on `/mnt`                         <command line>:4:22
    6  change directory to `/`                           <command line>:7:1
";
    assert_eq!(plan, wanted);
}

#[test]
fn the_plan_of_raw_calls_as_json_has_them_as_others_write_them() {
    let json = Ran::of(&mut nsscript(&["plan", "--json", "-e", RAW])).printed();
    let plans = fitting("plan", &json);
    let plans = plans["plans"].as_array().unwrap();
    let [raw] = plans.as_slice() else { panic!("{plans:?}") };
    assert_eq!((&raw["kind"], &raw["command"]), (&"raw".into(), &serde_json::Value::Null));
    let actions = raw["actions"].as_array().unwrap();
    let depths: Vec<_> = actions.iter().map(|action| action["depth"].as_u64().unwrap()).collect();
    assert_eq!(depths, [0, 0, 1, 1, 2, 0]);
    let mount = &actions[4];
    assert_eq!((&mount["number"], &mount["operation"]), (&5.into(), &"mount".into()));
    assert_eq!(mount["calls"][0], "mount(\"m\", \"/mnt\", \"tmpfs\", 0, NULL)");
    assert_eq!(mount["shell"], "mount -t tmpfs m /mnt");
}

#[test]
fn raw_calls_and_sandboxes_stand_in_the_order_of_the_recipe() {
    let code = "chdir(\"/\"); within(UTS, || { sandbox(\"/\").run(\"ls\"); chdir(\"/tmp\"); });";
    let plan = Ran::of(&mut nsscript(&["plan", "-e", code])).printed();
    let heads: Vec<&str> = plan.lines().filter(|line| line.starts_with("plan for")).collect();
    assert_eq!(heads, ["plan for raw calls", "plan for `ls`", "plan for raw calls"]);
    assert!(plan.contains("\n    1  │ change directory to `/tmp`"), "{plan}");
}

const EMPTY: &str = "{
  \"version\": 1,
  \"plans\": [],
  \"unknown\": []
}
";

#[test]
fn a_plan_of_a_recipe_that_runs_nothing_is_empty() {
    assert_eq!(Ran::of(&mut nsscript(&["plan", "-e", "print(1);"])).printed(), "");
    assert_eq!(Ran::of(&mut nsscript(&["plan", "--json", "-e", ""])).printed(), EMPTY);
}

#[test]
fn a_dry_run_does_not_wait() {
    let code = r#"
        wait_until(|| exists("/no/such/place"));
        wait_until(|| stat("/no/such/place").size > 0);
        sandbox("/").run("true");
    "#;
    let plan = Ran::of(&mut nsscript(&["plan", "-e", code])).printed();
    assert!(plan.starts_with("plan for `true`"), "{plan}");
}

#[test]
fn a_closure_that_exits_does_not_end_a_plan() {
    let code = r#"
        let status = clone(UTS, || { sethostname("a"); exit(3); }).wait().code;
        within(IPC, || exit());
        within(NET, || { if status == 3 { exit(status); } });
    "#;
    let plan = Ran::of(&mut nsscript(&["plan", "-e", code])).printed();
    assert!(plan.contains("`a`") && plan.contains("a new network namespace"), "{plan}");
}

#[test]
fn a_dry_run_goes_on_with_what_a_closure_gives() {
    let code = r"
        let values = [within(UTS, || #{ a: 1 }).a, clone(PID, || #{ a: 2 }).value().a];
        mkdir(`/${values}`);
    ";
    let plan = Ran::of(&mut nsscript(&["plan", "-e", code])).printed();
    assert!(plan.contains("/[1, 2]"), "{plan}");
}

#[test]
fn a_dry_run_binds_what_the_recipe_would_have_made() {
    let code = r#"
        mkdir(`${scratch()}/volume`);
        write_file(`${scratch()}/hosts`, "");
        let root = rootfs().file("/a", "b");
        root.build(`${scratch()}/built`);
        root.pack(`${scratch()}/a.tar`);
        let guest = sandbox().bind(`${scratch()}/volume`, "/data").bind(`${scratch()}/built`, "/root");
        guest.bind(`${scratch()}/a.tar`, "/a.tar").bind(`${scratch()}/hosts`, "/etc/hosts").run("x");
    "#;
    let plan = Ran::of(&mut nsscript(&["plan", "-e", code])).printed();
    for bound in
        ["/volume` on `/data`", "/hosts` on `/etc/hosts`", "/built` on `/root`", "/a.tar` on"]
    {
        assert!(plan.contains(bound), "{plan}");
    }
    let code = "sandbox().bind(`${scratch()}/volume`, \"/data\").run(\"x\");";
    let said = Ran::of(&mut nsscript(&["plan", "-e", code])).said(125);
    assert!(said.contains("does not exist"), "{said}");
}

#[test]
fn contradictions_end_a_plan_as_they_end_a_run() {
    let code = "sandbox(\"/none\").run(\"true\");";
    let planned = Ran::of(&mut nsscript(&["plan", "-e", code])).said(125);
    let ran = Ran::of(&mut nsscript(&["-e", code])).said(125);
    assert_eq!(planned, ran);
}

#[test]
fn a_plan_ends_with_0_whatever_the_recipe_would_end_with() {
    for code in ["exit(3);", "assert(false);", "assert_eq(1, 2);"] {
        assert_eq!(Ran::of(&mut nsscript(&["plan", "-e", code])).printed(), "", "{code}");
    }
}

#[test]
fn what_a_recipe_prints_is_not_mixed_with_its_plans() {
    let code = "print(\"hello\");\nsandbox(\"/\").run(\"true\");";
    let plan = Ran::of(&mut nsscript(&["plan", "-e", code])).printed();
    assert!(plan.starts_with("plan for `true`"), "{plan}");
}

#[test]
fn the_recipes_are_where_the_package_is() {
    assert!(recipes().iter().all(|recipe| recipe.starts_with(PACKAGE)));
}

#[test]
fn a_dry_run_comes_to_an_end() {
    let waits = "error: the recipe waits for something that does not happen in a dry run\n  ──▶ <command line>:1:";
    let goes_on = "error: the recipe does not end in a dry run\n  ──▶ <command line>:1:";
    for (code, wanted) in [
        ("while !exists(\"/no/such/place\") { sleep(\"10ms\"); }", waits),
        ("clone(UTS, || { loop { sleep(1); } }).wait();", waits),
        ("while !exists(\"/no/such/place\") {}", goes_on),
        ("loop { try { sleep(1); } catch {} }", goes_on),
    ] {
        let ran = Ran::of(&mut nsscript(&["plan", "-e", code]));
        assert!(ran.stderr.starts_with(wanted) && ran.status == Some(125), "{code}: {ran:?}");
        // A check has nothing to say of what it does not come to the end of.
        let checked = Ran::of(&mut nsscript(&["check", "-e", code]));
        assert_eq!((checked.status, checked.stderr.as_str()), (Some(0), "no errors in 1 recipe\n"));
    }
    // Waiting as such is nothing to be said.
    let planned = Ran::of(&mut nsscript(&[
        "plan",
        "-e",
        "for i in 0..1000 { sleep(60); } wait_until(|| false);",
    ]));
    assert_eq!(planned.printed(), "");
}

#[test]
fn a_dry_run_waits_for_no_writer() {
    let scratch = Scratch::new();
    let fifo = scratch.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o644)).unwrap();
    let code =
        format!("let text = read_file({fifo:?}); if text == \"\" {{ sandbox().plan(\"x\"); }}");
    assert_eq!(Ran::of(&mut nsscript(&["plan", "-e", &code])).printed(), "");
}
