//! The functions of the language itself: whatever they are called with, they come to an end, take
//! no more memory than a recipe may, and throw what a recipe can catch.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::process::Command;

use rhai::{Array, Blob, Dynamic, FnPtr, INT, ImmutableString, Map};

use nsscript::internal::script::manual::FUNCTIONS;

use super::nsscript::{PROGRAM, Ran, Scratch, holds, in_own_places, nsscript, run};

/// What a process may have in all: more than a recipe may use, and much less than a machine has.
const ADDRESS_SPACE: u64 = 3 << 30;
/// How many calls there are of one function at the most.
const CALLS: usize = 400;

/// Functions that are called elsewhere: they end a recipe, wait, or cannot be called by name.
const LEFT_OUT: [&str; 4] = ["exit", "sleep", "print", "debug"];

/// Texts of values that a function may not expect, by their type.
fn values(id: TypeId) -> Option<Vec<&'static str>> {
    let is = |known: TypeId| id == known;
    let integers = ["0", "1", "-1", "9223372036854775807", "least", "7", "3000000000"];
    let strings = [r#""""#, r#""x""#, r#""äö😀ß""#, r#"" a\n\n b ""#, "long"];
    let arrays = ["[]", "[1]", "mixed", "[[], [[]]]", "many"];
    let blobs = ["blob()", "blob(1)", "blob(100, 255)"];
    let maps = ["#{}", "#{a: 1}", r#"#{"": #{b: []}}"#];
    let closures = [
        "|| 1",
        "|x| x",
        "|x, y| true",
        "|x, y| 1",
        "|x, y| throw \"no\"",
        "|x, y| x < y",
        "|x, y| (x * 31 + y * 17) % 3 - 1",
        "|x, y| ()",
        "Fn(\"no_such\")",
        "Fn(\"len\")",
    ];
    let exclusive = [
        "0..0",
        "-1..1",
        "0..9223372036854775807",
        "9223372036854775807..least",
        "least..9223372036854775807",
        "3..5",
    ];
    let inclusive = [
        "0..=0",
        "-1..=1",
        "0..=9223372036854775807",
        "9223372036854775807..=least",
        "least..=9223372036854775807",
        "9223372036854775807..=9223372036854775807",
    ];
    Some(match id {
        _ if is(TypeId::of::<INT>()) => integers.to_vec(),
        _ if is(TypeId::of::<f64>()) => {
            vec!["0.0", "-1.0", "1.0e308", "-1.0e308", "(0.0 / 0.0)", "(1.0 / 0.0)", "1.0e-300"]
        }
        _ if is(TypeId::of::<bool>()) => vec!["true", "false"],
        _ if is(TypeId::of::<char>()) => vec!["'x'", "'😀'", "'\\x00'", "'ß'"],
        _ if is(TypeId::of::<ImmutableString>()) => strings.to_vec(),
        _ if is(TypeId::of::<Array>()) => arrays.to_vec(),
        _ if is(TypeId::of::<Blob>()) => blobs.to_vec(),
        _ if is(TypeId::of::<Map>()) => maps.to_vec(),
        _ if is(TypeId::of::<FnPtr>()) => closures.to_vec(),
        _ if is(TypeId::of::<Range<INT>>()) => exclusive.to_vec(),
        _ if is(TypeId::of::<RangeInclusive<INT>>()) => inclusive.to_vec(),
        _ if is(TypeId::of::<()>()) => vec!["()"],
        _ if is(TypeId::of::<std::time::Instant>()) => vec!["timestamp()"],
        _ if is(TypeId::of::<Dynamic>()) => {
            let all = [&integers[3..5], &strings, &arrays, &blobs, &maps, &closures[..2]];
            let mut all: Vec<_> = all.concat();
            all.extend(["0.5", "'x'", "()", "0..3", "true"]);
            all
        }
        // No recipe comes by a value of this type.
        _ => return None,
    })
}

/// The functions of the language, each with the types of its parameters.
fn functions() -> BTreeMap<String, Vec<Vec<TypeId>>> {
    let mut functions: BTreeMap<String, Vec<Vec<TypeId>>> = BTreeMap::new();
    let all = rhai::Engine::new().collect_fn_metadata(
        None,
        |info| Some((info.metadata.name.to_string(), info.metadata.param_types.to_vec())),
        true,
    );
    for (name, types) in all {
        functions.entry(name).or_default().push(types);
    }
    functions
}

/// A call as it is written, of the variables `v0`, `v1`, …
fn call(name: &str, count: usize) -> String {
    let names: Vec<_> = (0..count).map(|index| format!("v{index}")).collect();
    if let Some(property) = name.strip_prefix("get$") {
        return format!("let given = v0.{property}");
    }
    if let Some(property) = name.strip_prefix("set$") {
        return format!("v0.{property} = v1");
    }
    let is_operator = name.chars().all(|letter| !letter.is_alphanumeric() && letter != '_');
    match (is_operator, count) {
        (true, 1) => format!("let given = {name}v0"),
        (true, _) if name.ends_with('=') && !["==", "!=", ">=", "<="].contains(&name) => {
            format!("v0 {name} v1")
        }
        (true, _) => format!("let given = v0 {name} v1"),
        _ => format!("let given = {name}({})", names.join(", ")),
    }
}

/// The recipe that calls a function in every way, and how many calls that are.
fn recipe(name: &str, overloads: &[Vec<TypeId>]) -> (String, usize) {
    let mut code = String::from(
        "const least = -9223372036854775807 - 1;\n\
         let called = 0;\n\
         let long = \"\";\n\
         for i in 0..1000 { long += \"0123456789 \"; }\n\
         let many = [];\n\
         for i in 0..100 { many.push((i * 37) % 101); }\n\
         let mixed = [3, \"a\", 1.5, (), 'c', true, |x| x];\n",
    );
    let mut calls = 0;
    for types in overloads {
        let all: Option<Vec<_>> = types.iter().map(|id| values(*id)).collect();
        let Some(all) = all else { continue };
        let ways: usize = all.iter().map(Vec::len).product();
        // A step that has nothing in common with the numbers of values comes by all of them.
        let step = if ways > CALLS { (ways / CALLS) | 1 } else { 1 };
        for way in (0..ways).step_by(step) {
            let mut rest = way;
            code.push_str("{ ");
            for (index, values) in all.iter().enumerate() {
                code.push_str(&format!("let v{index} = {}; ", values[rest % values.len()]));
                rest /= values.len();
            }
            code.push_str(&format!(
                "try {{ {}; }} catch {{}} called += 1; }}\n",
                call(name, all.len())
            ));
            calls += 1;
        }
    }
    code.push_str("print(called);\n");
    (code, calls)
}

#[test]
fn no_function_of_the_language_hangs_panics_or_takes_all_memory() {
    let scratch = Scratch::new();
    let mut failed = Vec::new();
    let mut called = 0;
    for (name, overloads) in functions() {
        if LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        let (code, calls) = recipe(&name, &overloads);
        if calls == 0 {
            continue;
        }
        let file = scratch.file("calls.rhai", code);
        let mut command = Command::new("prlimit");
        command.arg(format!("--as={ADDRESS_SPACE}")).args(["timeout", "--signal=KILL", "60"]);
        in_own_places(command.arg(PROGRAM).arg(file));
        let ran = Ran::of(&mut command);
        if (ran.status, ran.stdout.trim(), ran.stderr.as_str())
            != (Some(0), calls.to_string().as_str(), "")
        {
            failed.push(format!("`{name}`: {ran:?}"));
        }
        called += calls;
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    // What is called at all is no less than it was.
    assert!(called > 10_000, "{called}");
}

/// Functions of the engine that recipes do not call: the engine does, for operators and loops, or a
/// verb takes their place.
const NOT_DESCRIBED: [&str; 8] =
    ["exit", "get_fn_metadata_list", "sleep", "trim", "to_json", "+=", "fill", "is_exported"];

#[test]
fn every_function_of_the_language_is_described() {
    let is_word = |name: &str| {
        name.chars().all(|it| it.is_ascii_lowercase() || it == '_' || it.is_ascii_digit())
    };
    let names = functions().into_keys();
    let names =
        names.map(|name| name.trim_start_matches("get$").trim_start_matches("set$").to_owned());
    let mut missing: Vec<_> = names
        .filter(|name| is_word(name) && !NOT_DESCRIBED.contains(&name.as_str()))
        .filter(|name| !FUNCTIONS.iter().any(|known| known.name == name))
        .collect();
    missing.dedup();
    assert!(missing.is_empty(), "not described: {missing:?}");
    // And there is each of them; the engine does not list its keywords.
    let keywords = ["call", "curry", "is_def_fn", "is_def_var", "is_shared", "type_of"];
    let known: Vec<_> = functions().into_keys().collect();
    let mut unknown = Vec::new();
    for described in FUNCTIONS {
        let is_it = |name: &String| name.trim_start_matches("get$") == described.name;
        let is_known = keywords.contains(&described.name) || known.iter().any(is_it);
        unknown.extend(Some(described.name).filter(|_| !is_known));
        assert!(described.doc.ends_with('.') && described.form.contains(described.name));
    }
    assert!(unknown.is_empty(), "there is no {unknown:?}");
    assert!(FUNCTIONS.is_sorted_by_key(|it| it.name));
    let page = Ran::of(&mut nsscript(&["help", "starts_with"])).printed();
    assert!(page.contains("string.starts_with(text)"), "{page}");
}

#[test]
fn sorting_takes_what_closures_and_values_say() {
    holds(
        r#"
        let words = ["pear", "fig", "apple", "kiwi"];
        assert_eq(words.order(), ["apple", "fig", "kiwi", "pear"]);
        assert_eq(words.order_desc(), ["pear", "kiwi", "fig", "apple"]);
        // What is equal stays in its order, whether a closure gives numbers or truths.
        assert_eq(words.order_by(|x, y| x.len() - y.len()), ["fig", "pear", "kiwi", "apple"]);
        assert_eq(words.order(|x, y| x.len() < y.len()), ["fig", "pear", "kiwi", "apple"]);
        assert_eq(words, ["pear", "fig", "apple", "kiwi"]);
        words.sort_by(|x, y| x.len() - y.len());
        assert_eq(words, ["fig", "pear", "kiwi", "apple"]);
        let floats = [2.0, -1.0, 0.5];
        floats.sort_desc();
        assert_eq(floats, [2.0, 0.5, -1.0]);
        let said = "";
        try { words.sort(|x, y| throw "no order") } catch (error) { said = error }
        assert_eq([said, words.len()], ["no order", 4]);
        // An order that contradicts itself comes to some end.
        let seed = 12345;
        let many = [];
        for i in 0..2000 { many.push(i); }
        many.sort(|x, y| { seed = (seed * 1103515245 + 12345) % 2147483648; seed % 3 - 1 });
        many.sort();
        assert_eq([many.len(), many[0], many[1999]], [2000, 0, 1999]);
        "#,
    );
    // A closure can end the recipe, too.
    assert_eq!(run("[2, 1].sort(|x, y| exit(5));").status, Some(5));
}

#[test]
fn what_takes_too_much_memory_ends() {
    let grows = [
        "let all = []; loop { all.push(blob(10000000)); }",
        "let all = blob(100000); loop { all = [all, all]; }",
        "let text = \"x\"; loop { text += text; }",
        "let bytes = blob(1000); loop { bytes += bytes; }",
        "let map = #{}; for i in 0..1000000 { map[`${i}`] = blob(1000000); }",
        "let map = #{a: blob(100000)}; loop { map = #{a: map, b: map}; }",
        "fn grow(value) { grow([value, value]) } grow(blob(100000))",
        "let all = []; loop { let big = blob(1000000); all.push(|| big); }",
    ];
    let commas =
        |doublings: u8| format!("let text = \",\"; for i in 0..{doublings} {{ text += text; }}");
    // What is there before, and what takes too much at once.
    let at_once = [
        ("let text = \"x\";".into(), "text.pad(2000000000, \"ab\")"),
        ("let text = \"x\";".into(), "text.pad(9223372036854775807, 'a')"),
        ("let all = [];".into(), "all.pad(9223372036854775807, 1)"),
        ("let all = [blob(1000000)];".into(), "all.pad(10000, all)"),
        (String::new(), "blob(2000000000)"),
        ("let bytes = blob(9);".into(), "bytes.pad(2000000000, 1)"),
        ("let bytes = blob(80000000);".into(), "bytes.to_array()"),
        (commas(16), "text.replace(\"\", text)"),
        (commas(16), "text.replace(',', text)"),
        (commas(25), "text.split(',')"),
        (commas(25), "text.split_rev(\",\")"),
        (commas(27), "text.to_chars()"),
        (commas(26), "parse_json(text)"),
    ];
    let at_once = at_once.map(|(before, last)| {
        // It can be caught, as nothing was taken.
        (format!("{before} try {{ {last}; }} catch {{ print(1) }} {last};"), "1\n")
    });
    for (code, printed) in grows.map(|code| (code.to_owned(), "")).into_iter().chain(at_once) {
        let ran = run(&code);
        assert_eq!(ran.stdout, printed, "{code}");
        let said = ran.said(125);
        let wanted =
            "error: the recipe needs more memory than the limit of 1 GiB\n  ──▶ <command line>:1:";
        assert!(said.starts_with(wanted), "{code}: {said}");
    }
}

#[test]
fn filling_something_takes_a_time_that_grows_with_its_length() {
    for (empty, more) in [
        ("[]", "all.push(i)"),
        ("[]", "all += i"),
        ("[[]]", "all[0].push(i)"),
        ("#{}", "all[`key ${i}`] = i"),
        ("\"\"", "all += \"line\\n\""),
        ("blob()", "all.push(i)"),
    ] {
        // A fifth of a second for ten thousand: with its square, minutes for so many.
        let code = format!("let all = {empty}; for i in 0..300000 {{ {more}; }}");
        let mut command = Command::new("prlimit");
        command.args(["--cpu=30", PROGRAM, "-e", &code]);
        in_own_places(&mut command);
        assert_eq!(Ran::of(&mut command).printed(), "", "{code}");
    }
}

#[test]
fn a_process_that_gets_no_memory_says_so() {
    let mut command = Command::new("prlimit");
    command.args(["--as=300000000", PROGRAM, "-e", "let text = \"x\"; loop { text += text; }"]);
    in_own_places(&mut command);
    let said = Ran::of(&mut command).said(125);
    assert_eq!(said, "error: out of memory (ENOMEM)\n");
}

#[test]
fn padding_needs_something_to_pad_with() {
    for mode in [&["-e"][..], &["plan", "-e"]] {
        let said = Ran::of(nsscript(mode).arg("let text = \"x\"; text.pad(3, \"\");")).said(125);
        assert!(said.starts_with("error: the padding string is empty\n"), "{said}");
    }
    let scratch = Scratch::new();
    let recipe = scratch.file("pad.rhai", "let text = \"x\";\ntext.pad(3, \"\");\n");
    let checked = Ran::of(nsscript(&["check"]).arg(recipe)).said(1);
    assert!(checked.starts_with("error: the padding string is empty\n"), "{checked}");
    holds("let text = \"x\"; text.pad(0, \"\"); text.pad(1, \"\"); assert_eq(text, \"x\");");
    holds("let text = \"x\"; text.pad(6, \"äb\"); assert_eq(text, \"xäbäbä\");");
    holds("let text = \"x\"; text.pad(3, 'ä'); text.pad(2, 'ä'); assert_eq(text, \"xää\");");
}

#[test]
fn json_is_read_and_its_faults_can_be_caught() {
    holds(
        r#"
        let read = parse_json(`{"a": [1, -2.5, "x", null, true], "b": {"c": {}}}`);
        assert_eq(read, #{a: [1, -2.5, "x", (), true], b: #{c: #{}}});
        assert_eq(parse_json("[18446744073709551615]")[0] > 1.0e19, true);
        let said = [];
        for text in ["", "{", "[1,\n  x]", "{\"a\": 1} 2"] {
            try { parse_json(text) } catch (error) { said.push(error.message) }
        }
        assert_eq(said, ["unexpected end of the JSON text", "unexpected end of the JSON text",
            "invalid JSON at line 2, column 3", "invalid JSON at line 1, column 10"]);
        let deep = "";
        deep.pad(100000, '[');
        try { parse_json(deep); throw 1 } catch (error) { assert(error != 1) }
        "#,
    );
}
