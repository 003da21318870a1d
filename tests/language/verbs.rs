//! The verbs, planned with values that none of them expects: no panic, no hang, nothing done.

use std::process::Command;

use serde_json::Value;

use super::nsscript::{PROGRAM, Ran, Scratch, in_own_places};

/// What a process may have in all.
const ADDRESS_SPACE: u64 = 3 << 30;
/// How many calls there are of one verb at the most.
const CALLS: usize = 250;

/// A value of a type of our own.
fn receiver(name: &str) -> &'static str {
    match name {
        "Sandbox" => "sandbox()",
        "Rootfs" => "rootfs()",
        "Policy" => "seccomp(\"default\")",
        "Process" => "sandbox(\"/\").read_only_root().start(\"true\")",
        "Exit" => "sandbox(\"/\").read_only_root().run(\"true\")",
        "Output" => "sandbox(\"/\").read_only_root().output(\"true\")",
        "Dependencies" => "dependencies(\"sh\")",
        "Namespaces" => "UTS | PID",
        "Parts" => "UTS | FILES",
        "Namespace" => "namespaces(getpid()).uts",
        "Network" => "netns()",
        "Error" => "thrown",
        "Host" => "host",
        other => panic!("a type without a value to call its verbs on: {other}"),
    }
}

const INTEGERS: [&str; 6] =
    ["0", "1", "-1", "9223372036854775807", "(-9223372036854775807 - 1)", "4294967296"];
const STRINGS: [&str; 14] = [
    r#""""#,
    r#""x""#,
    r#"" ""#,
    r#""/""#,
    r#""..""#,
    r#""/dev/zero""#,
    "fifo",
    "long",
    r#""a\x00b""#,
    r#""äö😀ß""#,
    r#""9223372036854775807""#,
    r#""99999999999999999999s""#,
    r#""0.0.0.0/99""#,
    r#""-1:-1:-1""#,
];
const OTHERS: [&str; 12] = [
    "()",
    "0.5",
    "true",
    "'x'",
    "blob(3)",
    "[]",
    "[\"\"]",
    "[[], [-1]]",
    "#{}",
    "#{\"\": -1}",
    "|| 1",
    "0..3",
];

/// Texts of values for a parameter or option of this type, the unexpected ones among them.
fn values(kind: &str) -> Vec<&'static str> {
    let mut values = match kind {
        "int" => INTEGERS.to_vec(),
        "String" => STRINGS.to_vec(),
        "bool" => vec!["true", "false"],
        "Namespaces" => vec!["PID", "ALL", "ALL - ALL"],
        "FnPtr" => vec!["|| 1", "|x| x", "|| throw 1"],
        "Rootfs" => vec!["rootfs()"],
        "Policy" => vec!["seccomp(\"none\")"],
        "Network" => vec!["netns()"],
        "Array" => vec!["[]", "[\"x\"]", "[[0, 0, 9223372036854775807]]", "[()]"],
        "Map" => vec!["#{}", "#{x: 1}", "#{\"\": \"\"}"],
        _ => [&INTEGERS[..], &STRINGS].concat(),
    };
    values.extend([OTHERS[values.len() % OTHERS.len()], "()"]);
    values
}

/// All ways to take one of each, or as many as there may be, far apart.
fn ways(all: &[Vec<String>], most: usize) -> Vec<Vec<&str>> {
    let number: usize = all.iter().map(Vec::len).product();
    let step = if number > most { (number / most) | 1 } else { 1 };
    let way = |way: usize| {
        let mut rest = way;
        let one = |values: &Vec<String>| {
            let at = rest % values.len();
            rest /= values.len();
            at
        };
        let places: Vec<usize> = all.iter().map(one).collect();
        all.iter().zip(places).map(|(values, at)| values[at].as_str()).collect()
    };
    (0..number).step_by(step).map(way).collect()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// The calls of a verb.
fn calls(verb: &Value) -> Vec<String> {
    let list = |key: &str| verb[key].as_array().cloned().unwrap_or_default();
    let on = verb["receiver"].as_str().map(receiver);
    let dot = if on.is_some() { "it." } else { "" };
    let name = text(verb, "name");
    if verb["property"] == true {
        return vec![format!("let given = {dot}{name}")];
    }
    let owned = |values: Vec<&str>| values.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let parameters: Vec<Value> = list("parameters")
        .into_iter()
        .filter(|it| text(it, "takes") != "a map of options")
        .collect();
    let mut all: Vec<Vec<String>> =
        parameters.iter().map(|it| owned(values(text(it, "type")))).collect();
    let mut calls = Vec::new();
    let least = parameters.iter().filter(|it| it["required"] == true).count();
    for number in least..=all.len() {
        for way in ways(&all[..number], CALLS) {
            calls.push(format!("let given = {dot}{name}({})", way.join(", ")));
        }
    }
    // Options one by one, behind values that are of the kind.
    let plain: Vec<String> =
        all.iter().map(|values| values[1.min(values.len() - 1)].clone()).collect();
    for option in list("options") {
        let key = text(&option, "name");
        for value in values(text(&option, "type")) {
            let options = format!("#{{ {key}: {value} }}");
            let words: Vec<_> = plain[..least].iter().cloned().chain([options]).collect();
            calls.push(format!("let given = {dot}{name}({})", words.join(", ")));
        }
    }
    all.clear();
    calls
}

#[test]
fn no_verb_panics_or_hangs_whatever_it_is_planned_with() {
    let scratch = Scratch::new();
    let fifo = scratch.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o644)).unwrap();
    let index = serde_json::to_value(nsscript::internal::script::manual::index("")).unwrap();
    let verbs = index["verbs"].as_array().unwrap();
    let mut failed = Vec::new();
    let mut called = 0;
    for verb in verbs {
        let name = text(verb, "name");
        let calls = calls(verb);
        let mut code = format!(
            "let fifo = {fifo:?};\nlet long = \"\";\nlong.pad(5000, \"/long\");\nlet thrown = ();\n\
             try {{ assert(false) }} catch (error) {{ thrown = error }}\n"
        );
        if let Some(of) = verb["receiver"].as_str() {
            code.push_str(&format!("let it = {};\n", receiver(of)));
        }
        for call in &calls {
            code.push_str(&format!("try {{ {call}; }} catch {{}}\n"));
        }
        code.push_str("debug(\"all called\");\n");
        let file = scratch.file("calls.rhai", code);
        let mut command = Command::new("prlimit");
        command.arg(format!("--as={ADDRESS_SPACE}")).args(["timeout", "--signal=KILL", "60"]);
        in_own_places(command.arg(PROGRAM).arg("plan").arg(file).current_dir(scratch.path()));
        let ran = Ran::of(&mut command);
        // These end a recipe.
        let ends = ["exit", "need"].contains(&name);
        let is_fine = match ran.status {
            Some(0 | 77 | 125) if ends => true,
            Some(0) => ran.stderr.contains("\"all called\"\n") && !ran.stderr.contains("panicked"),
            _ => false,
        };
        if !is_fine {
            failed.push(format!(
                "`{name}` of {}: {:?}\n{}",
                verb["receiver"], ran.status, ran.stderr
            ));
        }
        called += calls.len();
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(called > 10_000, "{called}");
    // A plan does nothing.
    let mut left: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().flatten().collect();
    left.retain(|entry| !["fifo", "calls.rhai"].contains(&entry.file_name().to_str().unwrap()));
    assert!(left.is_empty(), "{left:?}");
}
