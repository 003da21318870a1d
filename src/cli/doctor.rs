//! The report of `nsscript doctor`, as text or JSON.

use std::process::ExitCode;

use super::exit::{Ui, print};
use crate::diag::{list, quoted, wrapped};
use crate::json;
use crate::run::{Examination, Fact, Runner, terminal_width};

/// The recipe that the verdict is about.
const RECIPE: &str = "recipes/busybox.rhai";

/// Prints all facts about the machine. Exits with 1 if the recipe could not run.
pub(super) fn doctor(as_json: bool, ui: Ui) -> ExitCode {
    let runner = Runner::new();
    let examination = runner.examine();
    runner.close();
    let text = if as_json { json::text(&document(&examination)) } else { table(&examination) };
    let printed = print(&text, ui);
    if printed == ExitCode::SUCCESS && !examination.works() { ExitCode::from(1) } else { printed }
}

/// The column where the text of a fact begins, after its verdict and its name.
const INDENT: usize = 26;

fn table(examination: &Examination) -> String {
    // Wider lines are hard to read.
    let room = terminal_width().unwrap_or(100).clamp(60, 110) - INDENT;
    let mut out = String::new();
    let mut group = "";
    for fact in &examination.facts {
        if fact.group != group {
            let space = if group.is_empty() { "" } else { "\n" };
            out.push_str(&format!("{space}{}\n", fact.group));
            group = fact.group;
        }
        let head = format!("  {:<8} {:<14} ", fact.verdict.word(), fact.name);
        let cure = fact.cure.as_ref().map(|cure| format!("to change it: {cure}"));
        let texts = [Some(fact.found.clone()), Some(format!("for {}", fact.enables)), cure];
        let lines = texts.into_iter().flatten().flat_map(|text| wrapped(&text, room, room - 2));
        for (index, line) in lines.enumerate() {
            let head = if index == 0 { head.as_str() } else { "" };
            out.push_str(format!("{head:<INDENT$}{line}\n").as_str());
        }
    }
    out.push_str(&format!("\n{}\n", verdict(examination)));
    out
}

fn verdict(examination: &Examination) -> String {
    let command = quoted(format!("nsscript {RECIPE}"));
    let name = |fact: &Fact| format!("{} ({})", fact.name, fact.group);
    let obstacles: Vec<_> = examination.obstacles().map(name).collect();
    match obstacles.as_slice() {
        [] => format!("{command} can run here"),
        names => format!("{command} cannot run here: see {}", list(names, "and")),
    }
}

/// The facts as a program reads them.
fn document(examination: &Examination) -> json::Examination {
    let fact = |fact: &Fact| {
        let document = json::Fact {
            group: fact.group.to_owned(),
            verdict: fact.verdict.into(),
            found: fact.found.clone(),
            value: fact.value.clone(),
            enables: fact.enables.to_owned(),
            cure: fact.cure.clone(),
            advice: fact.advice.map(str::to_owned),
            needed: fact.needed,
        };
        (fact.key.to_owned(), document)
    };
    json::Examination {
        version: json::Version,
        recipe: RECIPE.to_owned(),
        works: examination.works(),
        obstacles: examination.obstacles().map(|fact| fact.key.to_owned()).collect(),
        facts: examination.facts.iter().map(fact).collect(),
    }
}
