//! `--explain`: every action is told as it is done, in whole lines, and nothing else is changed by
//! that.

use std::process::Command;

use serde_json::Value;

use super::nsscript::{PROGRAM, Ran, Scratch, missing, nsscript, nsscript_as_user, run};
use crate::support::schema::fitting;

const GUEST: &str = r#"let guest = sandbox("/").read_only_root().hostname("box").tmpfs("/tmp");"#;

fn explained(code: &str) -> Ran {
    Ran::of(&mut nsscript(&["--explain", "-e", code]))
}

/// What is told as JSON.
fn events(code: &str) -> Vec<Value> {
    let ran = Ran::of(&mut nsscript(&["--explain=json", "-e", code]));
    parsed(&ran.stderr)
}

fn parsed(told: &str) -> Vec<Value> {
    let events = told.lines().filter(|line| line.starts_with('{'));
    events.map(|line| fitting("explain", line)).collect()
}

fn sentences(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["sentence"].as_str().unwrap()).collect()
}

fn calls(event: &Value) -> Vec<&str> {
    event["calls"].as_array().unwrap().iter().map(|call| call.as_str().unwrap()).collect()
}

#[test]
fn an_action_is_told_with_its_system_call_and_the_command_of_a_shell() {
    let told = explained("unshare(UTS);\nsethostname(\"box\");").stderr;
    let lines: Vec<&str> = told.lines().collect();
    let at = lines.iter().position(|line| line.contains("set the host name")).unwrap();
    let [head, call, shell] = lines[at..] else { panic!("{told}") };
    assert!(head.starts_with("▸ set the host name to `box` "), "{told}");
    assert!(head.ends_with("  <command line>:2:1") && head.chars().count() == 100, "{told}");
    assert!(
        call.starts_with("    sethostname(\"box\", 3) = 0  (") && call.ends_with("s)"),
        "{told}"
    );
    assert_eq!(shell, "    $ hostname box");
}

#[test]
fn an_action_as_json_says_the_same_to_a_program() {
    let events = events("unshare(UTS); sethostname(\"box\");");
    let event = events.last().unwrap();
    assert_eq!(event["sentence"], "set the host name to `box`");
    assert_eq!(event["operation"], "sethostname");
    assert_eq!(calls(event), ["sethostname(\"box\", 3)"]);
    assert_eq!(event["shell"], "hostname box");
    assert_eq!((&event["by"], &event["process"]), (&"parent".into(), &serde_json::json!([])));
    let place =
        serde_json::json!({ "file": "<command line>", "line": 1, "column": 15, "length": 11 });
    assert_eq!(event["place"], place);
    assert!(event["failed"].is_null() && event["starts"].is_null());
    assert!(event["microseconds"].as_u64().unwrap() < 1_000_000);
}

#[test]
fn every_action_of_a_plan_is_told_in_its_order() {
    let code = r#"
        let root = rootfs().binary("true").users(["root"]);
        let guest = sandbox(root).hostname("box").proc("/proc").dev("/dev").tmpfs("/tmp")
            .bind("/etc/passwd", "/etc/passwd", #{ read_only: true }).file("/etc/motd", "hello")
            .symlink("motd", "/etc/issue").directory("/srv").mask("/etc/group").umask(0o077)
            .workdir("/srv");
        guest.run("true");
    "#;
    let plan = Ran::of(&mut nsscript(&["plan", "--json", "-e", code])).printed();
    let plan = fitting("plan", &plan);
    let events = events(code);
    assert_eq!(sentences(&events), sentences(plan["plans"][0]["actions"].as_array().unwrap()));
    let start = events.iter().find(|event| event["operation"] == "clone").unwrap();
    assert_eq!(start["starts"], 1);
    for event in &events {
        let process = match event["by"].as_str().unwrap() {
            "parent" => serde_json::json!([]),
            "child" => serde_json::json!([1]),
            _ => serde_json::json!([1, 1]),
        };
        assert_eq!(event["process"], process, "{event}");
        // What the program's process does is told before it does it.
        let is_timed = event["by"] != "program" && !calls(event).is_empty();
        assert_eq!(event["microseconds"].is_u64(), is_timed, "{event}");
        let silent = ["assemble", "use the standard streams"];
        let sentence = event["sentence"].as_str().unwrap();
        let has_none = silent.iter().any(|head| sentence.starts_with(head));
        assert!(has_none || !calls(event).is_empty(), "{event}");
    }
}

#[test]
fn the_system_call_that_failed_is_the_last_thing_told() {
    let data = r#"#{ type: "tmpfs", data: #{ mode: "0700", nonsense: "1" } }"#;
    let code = format!("{GUEST} guest.mount(\"none\", \"/mnt\", {data}).run(\"true\");");
    let ran = Ran::of(&mut nsscript(&["--explain=json", "-e", &code]));
    assert_eq!(ran.status, Some(125));
    let events = parsed(&ran.stderr);
    let last = events.last().unwrap();
    assert_eq!(last["sentence"], "mount tmpfs on `/mnt`, up to half of the memory", "{ran:?}");
    assert_eq!(
        (&last["failed"]["call"], &last["failed"]["name"]),
        (&"fsconfig".into(), &"EINVAL".into())
    );
    let refused = "fsconfig(fs, FSCONFIG_SET_STRING, \"nonsense\", \"1\", 0)";
    assert_eq!(calls(last).last(), Some(&refused), "{last}");
    let human = explained(&code).stderr;
    let shown = human.lines().find(|line| line.contains("nonsense")).unwrap();
    assert!(shown.starts_with("1│     fsconfig(") && shown.contains(" = -1 EINVAL ("), "{human}");
    assert!(human.contains("1│ ✗ mount tmpfs on `/mnt`"), "{human}");
    assert!(human.contains("\nerror: cannot mount tmpfs on `/mnt`"), "{human}");
}

#[test]
fn a_raw_call_that_failed_is_told_with_its_error() {
    let told = explained(r#"try { chdir("/none") } catch {} unshare(UTS);"#).stderr;
    assert!(told.contains("✗ change directory to `/none`"), "{told}");
    assert!(
        told.contains("    chdir(\"/none\") = -1 ENOENT (no such file or directory)  ("),
        "{told}"
    );
    assert!(told.contains("▸ create a new UTS namespace"), "it goes on: {told}");
}

#[test]
fn a_program_that_cannot_be_executed_is_told() {
    for code in [r#"guest.run("/none/such")"#, r#"let none = guest.start("/none/such")"#] {
        let events = events(&format!("{GUEST} {code};"));
        let last = events.last().unwrap();
        assert_eq!(last["sentence"], "execute `/none/such`");
        assert_eq!(
            (&last["failed"]["call"], &last["failed"]["name"]),
            (&"execve".into(), &"ENOENT".into())
        );
        assert_eq!(last["process"], serde_json::json!([1, 1]));
    }
}

#[test]
fn the_variable_asks_for_it_too() {
    let with = |value: &str| {
        let code = "unshare(UTS); print(\"out\");";
        let ran = Ran::of(nsscript(&["-e", code]).env("NSSCRIPT_EXPLAIN", value));
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), "out\n"), "{ran:?}");
        ran.stderr
    };
    assert!(with("1").contains("▸ create a new UTS namespace"));
    assert_eq!(parsed(&with("json")).last().unwrap()["operation"], "unshare");
    assert_eq!((with("0"), with("")), (String::new(), String::new()));
}

#[test]
fn what_a_recipe_prints_and_gives_is_not_changed() {
    let code = format!(
        "{GUEST}
        print(guest.output(\"uname -n\").stdout.trim());
        guest.run([\"sh\", \"-c\", \"echo hello; exit 0\"]);
        let cat = guest.start(\"cat\", #{{ pipes: true }});
        cat.write(\"line\\n\");
        print(cat.read_line());
        cat.run(\"uname -n\");
        print(guest.within(|| hostname()));
        print(cat.within(|| hostname()));
        print(within(UTS, || {{ sethostname(\"inner\"); hostname() }}));
        exit(guest.run(\"sh -c 'exit 7'\", #{{ check: false }}).code);"
    );
    let plain = run(&code);
    assert_eq!(plain.status, Some(7), "{plain:?}");
    for explain in ["--explain", "--explain=json"] {
        let ran = Ran::of(&mut nsscript(&[explain, "-e", &code]));
        assert_eq!((ran.status, &ran.stdout), (plain.status, &plain.stdout), "{ran:?}");
        assert!(ran.stderr.lines().count() > 50, "{ran:?}");
    }
}

#[test]
fn a_program_starts_when_all_before_it_is_told() {
    let code = format!(
        "{GUEST}
        let late = guest.start(\"echo first\"); late.wait();
        guest.pid1().run(\"echo second\");
        clone(UTS, || print(\"third\")).wait();
        let held = guest.start(\"cat\", #{{ pipes: true }});
        held.run(\"echo fourth\");
        clone(UTS, || exec(\"echo fifth\")).wait();"
    );
    let mut command = Command::new("sh");
    let script = format!("exec {PROGRAM} --explain -e \"$0\" 2>&1");
    let ran = Ran::of(command.args(["-c", &script, &code]).env("NO_COLOR", "1"));
    let (mut last, lines) = ("", ran.stdout.lines());
    let mut heads = Vec::new();
    for line in lines {
        if ["first", "second", "third", "fourth", "fifth"].contains(&line) {
            heads.push((line, last));
        }
        if line.contains('▸') {
            last = line;
        }
    }
    let number = heads.len();
    assert_eq!(number, 5, "{}", ran.stdout);
    for (line, before) in heads {
        let wanted = if line == "third" { "start a child process" } else { "execute `echo" };
        assert!(before.contains(wanted), "{line} comes after {before}\n{}", ran.stdout);
    }
}

#[test]
fn bars_tell_which_process_it_was() {
    let code = r#"
        unshare(UTS);
        clone(UTS, || { sethostname("a"); within(UTS, || sethostname("aa")); }).wait();
        clone(UTS, || sethostname("b")).wait();
        sethostname("own");
    "#;
    let told = explained(code).stderr;
    let heads: Vec<&str> = told.lines().filter(|line| line.contains("set the host name")).collect();
    let wanted = ["1│ ▸ set", "1│ 1│ ▸ set", "2│ ▸ set", "▸ set"];
    assert_eq!(heads.len(), wanted.len(), "{told}");
    assert!(heads.iter().zip(wanted).all(|(head, wanted)| head.starts_with(wanted)), "{told}");
    let starts: Vec<&str> =
        told.lines().filter(|line| line.contains("→") && line.ends_with('│')).collect();
    let wanted = ["→ 1│", "→ 1│", "→ 2│"];
    assert_eq!(starts.len(), wanted.len(), "{told}");
    assert!(starts.iter().zip(wanted).all(|(line, wanted)| line.ends_with(wanted)), "{told}");
    let processes: Vec<Value> = events(code)
        .iter()
        .filter(|event| event["operation"] == "sethostname")
        .map(|event| event["process"].clone())
        .collect();
    assert_eq!(Value::from(processes), serde_json::json!([[1], [1, 1], [2], []]));
}

#[test]
fn processes_that_tell_at_once_tell_whole_lines() {
    let code = r"
        let children = [];
        for number in 0..8 {
            children.push(clone(UTS, || { for step in 0..50 { sethostname(`host-${step}`); } }));
        }
        for child in children { child.wait(); }
    ";
    let ran = Ran::of(&mut nsscript(&["--explain=json", "-e", code]));
    assert!(ran.stderr.lines().all(|line| line.starts_with('{')), "{ran:?}");
    let events = parsed(&ran.stderr);
    for number in 1..=8 {
        let own = events.iter().filter(|event| event["process"] == serde_json::json!([number]));
        assert_eq!(own.count(), 50, "child {number}");
    }
    let told = explained(code).stderr;
    let own = told.lines().filter_map(|line| line.split_once("│ ").map(|(_, rest)| rest));
    let is_whole = |line: &str| {
        let head = line.starts_with("▸ set the host name to `host-") && line.ends_with(":4:63");
        let call = line.starts_with("    sethostname(\"host-") && line.ends_with("s)");
        head || call || line.starts_with("    $ hostname host-")
    };
    let broken: Vec<&str> = own.filter(|line| !is_whole(line)).collect();
    assert_eq!(broken, Vec::<&str>::new());
    assert_eq!(told.lines().filter(|line| line.contains("│ ▸ set")).count(), 400);
}

#[test]
fn no_line_is_wider_than_a_projector() {
    let code = format!(
        "{GUEST} let words = [\"echo\"]; for n in 0..60 {{ words.push(`word-${{n}}`); }}
         guest.output(words);
         within(UTS, || within(ALL - USER, || exec(words)));"
    );
    let told = explained(&code).stderr;
    assert!(told.contains("echo") && told.contains('…'), "{told}");
    let wide = told.lines().find(|line| line.chars().count() > 100);
    assert_eq!(wide, None, "{told}");
}

#[test]
fn programs_and_closures_that_join_a_sandbox_are_told() {
    let code = format!(
        "{GUEST} let held = guest.start(\"cat\", #{{ pipes: true }});
        held.run(\"true\");
        held.within(|| hostname());"
    );
    let events = events(&code);
    let joins: Vec<&Value> = events.iter().filter(|event| event["operation"] == "setns").collect();
    assert_eq!(joins.len(), 2, "{events:?}");
    for (join, number) in joins.iter().zip([2, 3]) {
        assert!(
            join["sentence"].as_str().unwrap().ends_with("namespaces of the sandbox"),
            "{join}"
        );
        assert_eq!(join["starts"], number);
        assert!(calls(join)[0].starts_with("setns(fd, CLONE_NEW"), "{join}");
        let own = events.iter().filter(|event| event["process"] == serde_json::json!([number]));
        let own: Vec<Value> = own.cloned().collect();
        assert!(sentences(&own).contains(&"drop all capabilities"), "{own:?}");
    }
    let of = |number: i32| {
        events.iter().filter(move |event| event["process"] == serde_json::json!([number]))
    };
    assert_eq!(of(2).next_back().unwrap()["sentence"], "execute `true`");
    assert!(of(3).any(|event| event["sentence"] == "run the closure"));
    assert!(of(2).any(|event| event["sentence"] == "use the standard streams of nsscript"));
}

#[test]
fn a_root_is_told_once_and_so_is_a_map() {
    let code = r#"
        let guest = sandbox(rootfs().binary("true"));
        guest.run("true");
        guest.run("true");
    "#;
    let events = events(code);
    let of =
        |operation: &str| events.iter().filter(|event| event["operation"] == operation).count();
    assert_eq!((of("build"), of("execute")), (1, 2));
}

#[test]
fn the_session_of_a_user_is_told() {
    let scratch = Scratch::new();
    let code = "unshare(UTS); sethostname(\"box\");";
    let mut command = nsscript_as_user(&scratch, &[]);
    let ran = Ran::of(command.args(["--explain", "-e", code]).env("TMPDIR", scratch.path()));
    // Some machines have no user namespaces for users.
    if ran.status == Some(0) {
        assert!(
            ran.stderr.contains("▸ work in a private user and mount namespace that maps"),
            "{ran:?}"
        );
        assert!(ran.stderr.contains("MS_REC|MS_PRIVATE"), "{ran:?}");
    }
}

#[test]
fn a_name_cannot_write_to_the_terminal() {
    let told = explained("unshare(UTS); try { chdir(\"/a\\x1b[2Jb\") } catch {}").stderr;
    assert!(!told.contains('\u{1b}') && told.contains("\\u{1b}[2Jb"), "{told}");
}

/// What strace(1) has seen process `pid` do.
fn seen_by_strace(file: &std::path::Path, pid: &str) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let own = text.lines().filter_map(|line| line.strip_prefix(pid)?.strip_prefix(' '));
    own.map(|line| line.trim_start().to_owned()).collect()
}

#[test]
fn what_is_told_is_what_strace_sees() {
    let scratch = Scratch::new();
    let file = scratch.path().join("trace");
    let recipe = format!("{}/tests/explain/sandbox.rhai", super::nsscript::PACKAGE);
    let code = std::fs::read_to_string(recipe).unwrap()
        + "\nguest.pid1().file(\"/none\", \"none\", #{ mode: 0o755 }).output(\"/none\");";
    let is_root = scratch
        .file("mine", "")
        .metadata()
        .is_ok_and(|found| std::os::unix::fs::MetadataExt::uid(&found) == 0);
    let code =
        if is_root { code } else { code.replace(".user(1000)", "").replace(".group(100)", "") };
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-s", "200", "-o"]).arg(&file);
    command.args([PROGRAM, "--explain=json", "-e", &code]).env("TMPDIR", scratch.path());
    let Ok(output) = command.output() else { return missing("strace") };
    let events = parsed(&String::from_utf8(output.stderr).unwrap());
    let starts: Vec<&Value> = events
        .iter()
        .filter(|event| event["operation"] == "clone" && event["starts"].is_u64())
        .collect();
    if starts.is_empty() {
        return missing("a strace that may trace");
    }
    assert_eq!(starts.len(), 2, "{events:?}");
    for start in starts {
        let (_, pid) = calls(start).last().unwrap().rsplit_once(" = ").unwrap().to_owned();
        let seen = seen_by_strace(&file, pid);
        let mut seen = seen.iter();
        let process = serde_json::json!([start["starts"]]);
        // A directory is hidden by a tmpfs, which is not what is told.
        let own = events.iter().filter(|event| event["process"] == process);
        let own = own.filter(|event| event["operation"] != "mask");
        let mut compared = 0;
        for call in own.flat_map(calls).filter(|call| !call.contains("missing */")) {
            // These are done by the carried program.
            if call.starts_with("setsid") || call.starts_with("execve(") {
                continue;
            }
            let name = call.split('(').next().unwrap();
            let arguments = if call.contains('…') { "" } else { call };
            let words: Vec<&str> = arguments.split('"').skip(1).step_by(2).collect();
            let is_it = |line: &&String| {
                line.split('(').next() == Some(name)
                    && words.iter().all(|word| line.contains(&format!("\"{word}\"")))
            };
            assert!(seen.any(|line| is_it(&line)), "{call} was not seen");
            compared += 1;
        }
        assert!(compared > 60, "{compared} calls");
    }
}
