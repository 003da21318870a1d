//! Talking at a prompt.

use std::cell::OnceCell;
use std::io::{IsTerminal, stdin};
use std::process::ExitCode;
use std::rc::Rc;

use super::args::{Source, Text};
use super::exit::Ui;
use super::recipe::{absolute, read};
use super::{progress, talk};
use crate::diag::{Report, Sources};
use crate::repl::Conversation;
use crate::run;
use crate::script::{Dialog, Outcome, Recipe, Script};

/// Talks until the person leaves. Without a terminal what comes through the pipe is a recipe.
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
    let prompt = Recipe {
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
    let script = Rc::new(Script::for_dialog(prompt, warn));
    let _ = sources.set(script.sources());
    if let Some(watcher) = progress::watcher(ui) {
        script.watch(watcher);
    }
    if source.is_some_and(|source| source.host) {
        script.work_on_host();
    }
    let dialog = Rc::new(Dialog::new(script));
    let voice = talk::voice(ui);
    if let Some(recipe) = recipe {
        match dialog.load(&recipe.name, &recipe.text) {
            Outcome::Failed(reports) => reports.iter().for_each(|it| ui.say(it, &dialog.sources())),
            Outcome::End(end) => return ui.end(&end, &dialog.sources()),
            Outcome::Done(_) | Outcome::Interrupted => {}
        }
    }
    let end = Conversation::new(&dialog, &voice).run(source.is_none());
    let code = ui.end(&end, &dialog.sources());
    dialog.close();
    std::mem::forget(dialog);
    code
}
