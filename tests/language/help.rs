//! `nsscript help`, by the words that people look up.

use nsscript::internal::script::{catalog, manual};

use super::nsscript::{Ran, nsscript};

fn help(words: &[&str]) -> String {
    Ran::of(&mut nsscript(&[&["help"], words].concat())).printed()
}

/// Fails unless all these stand in the text, in this order.
#[track_caller]
fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at =
            rest.find(part).unwrap_or_else(|| panic!("no {part:?} after the others in\n{text}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn the_list_has_commands_verbs_constants_and_modules() {
    let list = help(&[]);
    let titles: Vec<_> = list
        .lines()
        .filter(|line| line.starts_with(char::is_uppercase) && !line.contains(' '))
        .collect();
    assert_eq!((titles[0], titles[1]), ("Commands", "Functions"));
    assert_eq!(titles[titles.len() - 2..], ["Constants", "Modules"]);
    let lines = ["\n  plan ", "\n  new ", "\n  which ", "\n  bind ", "\n  UTS ", "\n  std/net "];
    in_order(&list, &lines);
    let hidden = "\n  reference ";
    assert!(!list.contains(hidden));
}

#[test]
fn there_is_something_to_say_of_every_topic() {
    let topics = manual::topics();
    let mut names: Vec<_> = topics.iter().map(|topic| topic.name.as_str()).collect();
    for topic in &topics {
        let page = manual::topic(&topic.name);
        assert!(page.is_some_and(|page| !page.trim().is_empty()), "{}", topic.name);
        assert!(!topic.summary.is_empty(), "{} has no summary", topic.name);
    }
    names.sort_unstable();
    let number = names.len();
    names.dedup();
    assert_eq!(names.len(), number, "no name stands twice");
    for verb in catalog::all() {
        assert!(names.contains(&verb.name), "{}", verb.signature());
        let receiver = verb.receiver();
        if !receiver.is_empty() {
            let name = format!("{}.{}", receiver.to_lowercase(), verb.name);
            let page = manual::topic(&name).unwrap_or_else(|| panic!("nothing on {name}"));
            let form = format!("`{}`", verb.signature());
            // One with several forms begins with the list of them.
            assert!(page.starts_with(&form) || page.contains(&format!("\n{form}")), "{page}");
        }
    }
}

#[test]
fn a_verb_of_several_types_begins_with_its_forms() {
    let page = help(&["run"]);
    in_order(&page, &["`run` is ", "  sandbox.run(command", "\n`sandbox.run(", "\n`process.run("]);
    let page = help(&["process.run"]);
    assert!(page.starts_with("`process.run(") && !page.contains("sandbox.run("), "{page}");
    assert_eq!(help(&["Process.run()"]), page);
    assert_eq!(help(&["process.run"]), page);
}

#[test]
fn a_word_that_is_a_command_and_a_verb_is_told_as_both() {
    in_order(&help(&["plan"]), &["is a command", "--json", "In a recipe:", "`sandbox.plan("]);
    in_order(&help(&["store"]), &["Usage: nsscript store", "gc"]);
    in_order(&help(&["store", "gc"]), &["Usage: nsscript store gc", "--days"]);
}

#[test]
fn types_modules_constants_and_options_are_topics() {
    in_order(&help(&["Sandbox"]), &["`sandbox([root])`", "\n  bind ", "\n  user "]);
    in_order(&help(&["exit"]), &["`exit([status])`"]);
    in_order(&help(&["Exit"]), &["`Exit`", "`sandbox.run(", "\n  code "]);
    in_order(
        &help(&["std/net"]),
        &["import \"std/net\" as net;", "`net::pair(one, other, subnet)`"],
    );
    assert_eq!(help(&["net"]), help(&["std/net"]));
    for name in ["net::pair", "std/net::pair", "std::net::pair", "pair"] {
        in_order(&help(&[name]), &["`net::pair(one, other, subnet)`", "import \"std/net\""]);
    }
    in_order(&help(&["UTS"]), &["`UTS` → Namespaces", "CLONE_NEWUTS"]);
    in_order(&help(&["CLONE_NEWUTS"]), &["`CLONE_NEWUTS` → Namespaces", "another name for `UTS`"]);
    in_order(&help(&["MNT"]), &["`MNT` → Namespaces", "another name for `MOUNT`"]);
    in_order(&help(&["FILES"]), &["`FILES` → Parts", "CLONE_FILES"]);
    in_order(&help(&["host"]), &["`host`", "`Host`", "\n  kernel "]);
    in_order(&help(&["pipes"]), &["`pipes` is an option of", "`sandbox.start("]);
    in_order(&help(&["size"]), &["`rootfs.size()`", "`size` is an option of", "`sandbox.tmpfs("]);
}

#[test]
fn a_word_that_means_nothing_is_told_with_the_nearest() {
    let said = |words: &[&str]| Ran::of(&mut nsscript(&[&["help"], words].concat())).said(125);
    assert_eq!(said(&["bnid"]), "error: unknown verb or command `bnid`; did you mean `bind`?\n");
    assert!(said(&["sandbox.bnid"]).contains("did you mean `sandbox.bind`?"));
    assert!(said(&["sandbx"]).contains("did you mean `sandbox`?"));
    assert!(said(&["std/nett"]).contains("did you mean `std/net`?"));
    assert!(said(&["completion"]).contains("did you mean `completions`?"));
    assert!(said(&["qqqqqq"]).contains("`nsscript help` lists all"));
    assert!(said(&["rootfs.bind"]).contains("unknown verb or command `rootfs.bind`"));
    assert_eq!(
        said(&["bind", "run"]),
        "error: unknown command `bind run`; `nsscript help` lists all commands\n"
    );
}

#[test]
fn the_examples_of_the_guide_run() {
    let guide = help(&["language"]);
    let mut blocks: Vec<String> = Vec::new();
    let mut open = false;
    for line in guide.lines() {
        match line {
            "```rhai" => {
                open = true;
                blocks.push(String::new());
            }
            "```" => open = false,
            _ if open => {
                if let Some(block) = blocks.last_mut() {
                    block.push_str(&format!("{line}\n"));
                }
            }
            _ => {}
        }
    }
    assert!(blocks.len() > 3, "{guide}");
    for block in blocks {
        let ran = Ran::reading(&mut nsscript(&["-"]), block.as_bytes());
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{block}");
    }
}
