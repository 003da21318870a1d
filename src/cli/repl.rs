//! `nsscript repl`, and prompts at breakpoints.

use std::cell::OnceCell;
use std::io::{IsTerminal, stdin};
use std::process::ExitCode;
use std::rc::Rc;

use super::args::Explain;
use super::args::{Source, Text};
use super::exit::Ui;
use super::recipe::{absolute, read};
use super::{explain, progress};
use crate::diag::{Origin, Report, Sources, print};
use crate::repl::{Repl, Reporter};
use crate::run;
use crate::script::{Outcome, Prompt, Recipe, Script};

/// Runs a prompt until the user exits. Without a terminal, standard input is a recipe.
pub(super) fn repl(source: Option<&Source>, ui: Ui) -> ExitCode {
    if source.is_none() && !stdin().is_terminal() {
        let (text, arguments) = (Text::Stdin, Vec::new());
        let source = Source {
            text,
            arguments,
            trust: false,
            host: false,
            explain: None,
            breaks: Vec::new(),
            step: false,
        };
        return super::recipe::run(&source, ui);
    }
    let recipe = match source.map(read).transpose() {
        Ok(recipe) => recipe,
        Err(message) => return ui.fail(message),
    };
    run::raise_stack_limit();
    if let Err(errno) = run::watch_interruptions() {
        return ui.fail(format!("cannot watch for signals: {errno}"));
    }
    let directory = recipe.as_ref().map(|recipe| recipe.directory.clone());
    let arguments = recipe.as_ref().map(|recipe| recipe.arguments.clone());
    let unnamed = Recipe {
        name: "repl".into(),
        text: String::new(),
        directory: directory.unwrap_or_else(|| absolute(".".as_ref())),
        arguments: arguments.unwrap_or_default(),
        trust: source.is_some_and(|source| source.trust),
        breaks: Vec::new(),
    };
    let sources = Rc::new(OnceCell::<Sources>::new());
    let known = sources.clone();
    let warn = Box::new(move |report: &Report| {
        ui.say(report, &known.get().cloned().unwrap_or_default());
    });
    let script = Rc::new(Script::for_prompt(unnamed, warn));
    let _ = sources.set(script.sources());
    if let Some(watcher) = progress::watcher(ui) {
        script.watch(watcher);
    }
    if source.is_some_and(|source| source.host) {
        script.work_on_host();
    }
    let prompt = Rc::new(Prompt::new(script));
    let reporter = reporter(ui);
    if let Some(recipe) = recipe {
        match prompt.load(&recipe.name, &recipe.text) {
            Outcome::Failed(reports) => reports.iter().for_each(|it| ui.say(it, &prompt.sources())),
            Outcome::End(end) => return ui.end(&end, &prompt.sources()),
            Outcome::Done(_) | Outcome::Interrupted => {}
        }
    }
    let end = Repl::new(&prompt, &reporter).run(source.is_none());
    let code = ui.end(&end, &prompt.sources());
    prompt.close();
    std::mem::forget(prompt);
    code
}

/// The reporting functions that a prompt uses.
fn reporter(ui: Ui) -> Reporter {
    Reporter {
        say: Box::new(move |report, sources| ui.say(report, sources)),
        trace_writer: Box::new(|| explain::trace_writer(Explain::Human)),
        colour: ui.has_colour(),
    }
}

/// Opens a prompt at the breakpoints of a recipe. Without a terminal, the recipe does not stop.
pub(super) fn at_breakpoints(script: &Rc<Script>, ui: Ui) {
    if !script.may_stop() || !run::has_terminal() {
        return;
    }
    let on_stop = move |prompt: &Rc<Prompt>, origin: Option<&Origin>| {
        let mut place = "breakpoint".to_owned();
        if let Some(origin) = origin {
            let line = prompt.sources().line(&origin.source, origin.line).unwrap_or_default();
            // If this cannot be printed, no answer comes either, and the recipe continues.
            let _ = print(&format!("stopped at {origin}\n{:>4} │ {line}\n", origin.line));
            let file = origin.source.rsplit('/').next().unwrap_or_default();
            place = format!("{file}:{}", origin.line);
        }
        Repl::new(prompt, &reporter(ui)).at_breakpoint(&place)
    };
    Prompt::at_breakpoints(script, Box::new(on_stop));
}
