//! Reading and running recipes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use super::args::{Source, Text};
use super::command::SUBCOMMANDS;
use super::exit::Ui;
use super::{explain, progress, repl};
use crate::diag::{closest, os_error, quoted};
use crate::host::Tree;
use crate::run;
use crate::script::{Mode, Recipe, Script};

/// Runs a recipe.
pub(super) fn run(source: &Source, ui: Ui) -> ExitCode {
    match script(source, Mode::Run, ui) {
        Ok(script) => {
            if source.host {
                script.work_on_host();
            }
            if let Some(explain) = source.explain {
                script.explain(explain::trace_writer(explain));
            }
            repl::at_breakpoints(&script, ui);
            if source.step {
                match crate::repl::stepper() {
                    Ok(ask) => script.step(ask),
                    Err(error) => {
                        return ui.fail(format!(
                            "cannot use the terminal for `--step`: {}",
                            os_error(&error)
                        ));
                    }
                }
            }
            let end = script.run();
            let code = ui.end(&end, &script.sources());
            script.close();
            // Only memory is left. Freeing it piece by piece takes as long as a launch.
            std::mem::forget(script);
            code
        }
        Err(code) => code,
    }
}

/// Reads a recipe and prepares it.
pub(super) fn script(source: &Source, mode: Mode, ui: Ui) -> Result<Rc<Script>, ExitCode> {
    let recipe = read(source).map_err(|message| ui.fail(message))?;
    run::raise_stack_limit();
    if let Err(errno) = run::watch_interruptions() {
        return Err(ui.fail(format!("cannot watch for signals: {errno}")));
    }
    let (name, text, own) = (recipe.name.clone(), recipe.text.clone(), ui);
    let sources = crate::diag::Sources::default();
    sources.insert(&name, &text);
    let warn = Box::new(move |report: &crate::diag::Report| own.say(report, &sources));
    let script = Script::new(recipe, mode, warn);
    if let Some(watcher) = progress::watcher(ui) {
        script.watch(watcher);
    }
    Ok(Rc::new(script))
}

/// Reads a recipe.
///
/// # Errors
/// The reason why it cannot be read.
pub(super) fn read(source: &Source) -> Result<Recipe, String> {
    let here = || std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let (arguments, trust) = (source.arguments.clone(), source.trust);
    let breaks = source.breaks.clone();
    match &source.text {
        Text::Code(code) => {
            let (name, text) = ("<command line>".to_owned(), code.clone());
            Ok(Recipe { name, text, directory: here(), arguments, trust, breaks })
        }
        Text::Stdin => {
            let read = run::read_all(std::io::stdin().lock(), run::LONGEST_TEXT);
            let bytes = read.map_err(|errno| format!("cannot read standard input: {errno}"))?;
            let name = "<standard input>".to_owned();
            Ok(Recipe {
                text: utf8(bytes, &name)?,
                name,
                directory: here(),
                arguments,
                trust,
                breaks,
            })
        }
        Text::File(path) => {
            let path = Path::new(path);
            if path.as_os_str().is_empty() {
                return Err("the recipe name is empty".into());
            }
            let shown = quoted(path.to_string_lossy());
            let cannot = |error: std::io::Error| {
                let near = Tree::host().near(&absolute(path));
                let near = near.map(|near| path.with_file_name(near));
                let near = near.filter(|near| !near.is_dir());
                let near = near.filter(|_| error.kind() == std::io::ErrorKind::NotFound);
                let commands = SUBCOMMANDS.into_iter().filter(|name| *name != "reference");
                let word = path.to_str().and_then(|word| closest(word, commands));
                let near = near.map(|near| near.to_string_lossy().into_owned());
                let hint = near.or_else(|| word.map(str::to_owned));
                let hint = hint.map(|near| format!("; did you mean {}?", quoted(near)));
                let hint = hint.unwrap_or_default();
                format!("cannot read the recipe {shown}: {}{hint}", os_error(&error))
            };
            let because = |errno: run::Errno| cannot(errno.into());
            let file = run::open_to_read(path).map_err(because)?;
            let found = file.metadata().map_err(cannot)?;
            if found.is_dir() {
                return Err(format!("the recipe {shown} is a directory"));
            }
            if !trust {
                run::refuse_writable(&found).map_err(|why| {
                    format!(
                        "the recipe {shown} {why}; run `chmod o-w` on it, or pass \
                         `--trust-recipe`"
                    )
                })?;
            }
            let bytes = run::read_all(file, run::LONGEST_TEXT).map_err(because)?;
            let name = path.to_string_lossy().into_owned();
            let directory = absolute(path).parent().map_or_else(here, Path::to_path_buf);
            Ok(Recipe { text: utf8(bytes, &shown)?, name, directory, arguments, trust, breaks })
        }
    }
}

pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

fn utf8(bytes: Vec<u8>, name: &str) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("{name} is not a text file: byte {at} is not UTF-8")
    })
}
