//! What nsscript prints as JSON: every document fits its schema in `docs/schema`.

use std::fs;

use serde_json::{Value, json};

use super::nsscript::{PACKAGE, Ran, Scratch, nsscript};
use crate::support::schema::fitting;

/// What a run writes to standard error, a document a line.
#[track_caller]
fn reports(arguments: &[&str], status: i32) -> Vec<Value> {
    let mut command = nsscript(&["--error-format=json"]);
    let said = Ran::of(command.args(arguments)).said(status);
    said.lines().map(|line| fitting("report", line)).collect()
}

#[test]
fn reports_of_every_kind_fit() {
    let warned = "sandbox().tmpfs(\"/a/b\").tmpfs(\"/a\").run(\"x\");";
    let refused = "mount(\"m\", \"/mnt\", #{ type: \"tmpfs\", data: #{ nonsense: \"1\" } });";
    for (arguments, status, severities) in [
        (&["-e", warned][..], 127, &["warning", "error"][..]),
        (&["-e", refused], 125, &["error"]),
        (&["-e", "fn f() { throw 1 } f();"], 125, &["error"]),
        (&["-e", "let a = ;"], 125, &["error"]),
        (&["-e", "skip_unless(false, \"x\");"], 77, &["not run"]),
        (&["check", "-e", "print(a); print(b);"], 1, &["error", "error"]),
        (&["plan", "--json", "-e", warned], 127, &["warning", "error"]),
        (&["no-such-recipe"], 125, &["error"]),
        (&["store", "show", "0123"], 125, &["error"]),
    ] {
        let found = reports(arguments, status);
        let found: Vec<_> = found.iter().map(|it| it["severity"].as_str().unwrap()).collect();
        assert_eq!(found, severities, "{arguments:?}");
    }
    let refused = reports(&["-e", refused], 125);
    assert_eq!(
        (&refused[0]["operation"], &refused[0]["target"]),
        (&"mount".into(), &"/mnt".into())
    );
}

#[test]
fn the_list_of_running_sandboxes_fits() {
    let listed = Ran::of(&mut nsscript(&["ps", "--json"])).printed();
    let document = fitting("ps", &listed);
    assert!(document["sandboxes"].is_array(), "{listed}");
}

#[test]
fn traced_actions_of_every_kind_fit() {
    let code = "
        unshare(UTS);
        sandbox(\"/\").read_only_root().run(\"true\");
        clone(UTS, || sethostname(\"box\")).wait();
        try { chdir(\"/no-such-place\"); } catch {}
    ";
    let ran = Ran::of(&mut nsscript(&["--explain=json", "-e", code]));
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let actions: Vec<_> = ran.stderr.lines().map(|line| fitting("explain", line)).collect();
    for by in ["parent", "child", "program"] {
        assert!(actions.iter().any(|action| action["by"] == by), "nothing is done by {by}");
    }
    assert!(actions.iter().any(|action| action["starts"] == 1), "no process is started");
    let failed = json!({ "call": "chdir", "errno": 2, "name": "ENOENT" });
    assert!(actions.iter().any(|action| action["failed"] == failed), "{actions:#?}");
}

#[test]
fn plans_of_every_kind_fit() {
    let code = "
        let guest = sandbox(\"/\").hostname(\"box\").tmpfs(\"/mnt\").bind(\"/usr\", #{ suid: true });
        guest.run([\"ls\", \"a b\"]);
        sandbox(\"/\").read_only_root().within(|| sethostname(\"inner\"));
        chdir(\"/\");
    ";
    let printed = Ran::of(&mut nsscript(&["plan", "--json", "-e", code])).printed();
    let document = fitting("plan", &printed);
    let plans = document["plans"].as_array().unwrap();
    let kinds: Vec<_> = plans.iter().map(|plan| plan["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["program", "closure", "raw"], "{document:#}");
    assert_eq!(plans[0]["command"], json!(["ls", "a b"]));
    for plan in &plans[1..] {
        assert!(plan["command"].is_null(), "{plan:#}");
    }
    for plan in plans {
        let is_raw = plan["kind"] == "raw";
        assert_eq!(plan["namespaces"].is_null(), is_raw, "{plan:#}");
        for action in plan["actions"].as_array().unwrap() {
            assert_eq!((action["calls"].is_null(), action["depth"].is_null()), (!is_raw, !is_raw));
        }
    }
    let actions = plans[0]["actions"].as_array().unwrap();
    assert!(actions.iter().any(|it| it["attributes"] == json!(["nodev"])), "{actions:#?}");
}

#[test]
fn results_of_every_kind_fit() {
    let scratch = Scratch::new();
    scratch.file("recipes/a.rhai", "print(1);");
    scratch.file("recipes/b.rhai", "skip_unless(false, \"loop devices\");");
    scratch.file("recipes/c.rhai", "print(2); throw \"no\";");
    let ran = Ran::of(nsscript(&["test", "--json"]).current_dir(scratch.path()));
    let results: Vec<_> = ran.stdout.lines().map(|line| fitting("test", line)).collect();
    let words: Vec<_> = results.iter().map(|it| it["result"].as_str().unwrap()).collect();
    assert_eq!((ran.status, words.as_slice()), (Some(1), &["ok", "not run", "failed"][..]));
    assert!(results[0]["stderr"].is_null() && results[0]["stdout"].is_null(), "{ran:?}");
    assert_eq!(results[2]["stdout"], "2");
}

#[test]
fn the_machine_and_the_store_fit() {
    let ran = Ran::of(&mut nsscript(&["doctor", "--json"]));
    let machine = fitting("doctor", &ran.stdout);
    assert_eq!(machine["works"], ran.status == Some(0), "{machine:#}");
    let scratch = Scratch::new();
    let in_store = |arguments: &[&str]| {
        let mut command = nsscript(arguments);
        Ran::of(command.env("XDG_CACHE_HOME", scratch.path()).env("HOME", scratch.path())).printed()
    };
    assert_eq!(fitting("store-list", &in_store(&["store", "list", "--json"]))["layers"], json!([]));
    let out = scratch.path().join("root.tar");
    let out = out.to_str().unwrap();
    in_store(&["-e", &format!("rootfs().file(\"/etc/motd\", \"packed\").pack({out:?});")]);
    in_store(&["-e", &format!("rootfs().tar({out:?}).digest();")]);
    let code =
        "let root = rootfs().binary(\"true\"); sandbox(root).run(\"true\"); print(root.digest());";
    let digest = in_store(&["-e", code]);
    let store = fitting("store-list", &in_store(&["store", "list", "--json"]));
    let layers = store["layers"].as_array().unwrap();
    let of = |from: Value| layers.iter().find(|layer| layer["from"] == from);
    let assembled = of(Value::Null).unwrap_or_else(|| panic!("{store:#}"));
    assert_eq!(assembled["digest"], digest.trim());
    assert!(of(out.into()).is_some(), "{store:#}");
}

#[test]
fn the_index_for_editors_fits() {
    let scratch = Scratch::new();
    let written = Ran::of(&mut nsscript(&["definitions", scratch.text()]));
    assert_eq!(written.status, Some(0), "{written:?}");
    let text = fs::read_to_string(scratch.path().join("nsscript.json")).unwrap();
    let index = fitting("definitions", &text);
    assert_eq!(index["nsscript"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_page_names_every_schema() {
    let page = fs::read_to_string(format!("{PACKAGE}/docs/json.md")).unwrap();
    let named = page.split("](schema/").skip(1).filter_map(|rest| rest.split_once(".json)"));
    let mut named: Vec<_> = named.map(|(name, _)| name.to_owned()).collect();
    named.sort();
    let files = fs::read_dir(format!("{PACKAGE}/docs/schema")).unwrap();
    let files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<_> = files.map(|name| name.trim_end_matches(".json").to_owned()).collect();
    files.sort();
    assert_eq!(named, files);
}
