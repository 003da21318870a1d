//! `:enter`: continues in a sandbox, or in the sandbox of a process.

use rhai::{Dynamic, Map};

use super::record::Input;
use super::{IT, Outcome, Prompt};
use crate::diag::{Report, quoted};
use crate::ops::Sandbox;
use crate::plan::Request;
use crate::run::{Exit, Process, RunError};
use crate::script::binding::argument::a_kind;
use crate::script::binding::error::End;
use crate::script::binding::value::{ProcessHandle, SharedNetwork};
use crate::script::effects::codec::{self, Answer};
use crate::script::effects::kernel::in_use;
use crate::spec::{Command, Streams};

/// The result of a place that was left.
#[derive(Clone, Debug, Default)]
pub struct Left {
    /// The lines typed there.
    pub lines: Vec<String>,
    /// The variables that could not be brought back.
    pub lost: Vec<String>,
    /// How the prompt ends, if it is over.
    pub end: Option<End>,
    /// How the process ended, if the user did not leave: it became a program, or is gone.
    pub ended: Option<Exit>,
}

/// The function that runs inside. It returns the typed lines, and the end if the prompt is over.
pub type Inside<'a> = &'a mut dyn FnMut() -> (Vec<String>, Option<End>);

impl Prompt {
    /// Runs `inside` in the sandbox, or beside the process, that is the value of a text.
    ///
    /// A copy of this process runs it. Values come back as far as possible.
    ///
    /// # Errors
    /// The value is something else, or the place cannot be entered.
    pub fn enter(
        &self,
        text: &str,
        streams: Streams,
        inside: Inside<'_>,
    ) -> Result<Left, Vec<Report>> {
        let before = self.state.borrow().marks();
        let value = self.value_of(text)?;
        let context = &self.script.context;
        let request = Request { command: Command::closure(), streams, origin: None };
        let body = &mut || {
            context.enter_copy();
            let (first, variables, modules) = {
                let mut state = self.state.borrow_mut();
                state.floor = state.inputs.len();
                (state.floor, state.scope.len(), state.global.num_imports())
            };
            let (lines, end) = inside();
            let bytes = self.packed((first, variables, modules), lines, end.as_ref());
            (bytes, 0)
        };
        let runner = &context.runner;
        let made: Result<Process, RunError> = if let Some(handle) =
            value.clone().try_cast::<ProcessHandle>()
        {
            let Some(process) = handle.process else { return Ok(Left::default()) };
            let Ok(mut process) = process.try_borrow_mut() else { return Err(vec![in_use()]) };
            runner.fork_beside(&mut process, &request, body)
        } else if let Some(sandbox) = value.clone().try_cast::<Sandbox>() {
            let plan = runner.plan(&sandbox, &request)?;
            plan.warnings.iter().for_each(|warning| context.warn(warning));
            context.before_sandbox(None).and_then(|()| runner.fork_sandbox(&plan, &request, body))
        } else {
            let message = format!(
                "cannot enter {}: expected a sandbox or a process, not {}",
                quoted(text),
                a_kind(&value)
            );
            let report = Report::error(message);
            let hint = format!(
                "start a program in the network and enter that: `:enter {text}.start(\"sleep \
                     1000\")`"
            );
            let is_network = value.is::<SharedNetwork>();
            return Err(vec![if is_network { report.hint(hint) } else { report }]);
        };
        let mut process = match made {
            Ok(process) => process,
            Err(RunError::Reports(reports)) => return Err(reports),
            Err(RunError::Interrupted(it)) => {
                return Err(vec![Report::error(format!("received signal {}", it.signal))]);
            }
        };
        let ended = process.wait().ok().filter(|_| process.value().is_empty());
        Ok(Left { ended, ..self.unpacked(text, before, process.value()) })
    }

    /// The value of a text, without recording it.
    fn value_of(&self, text: &str) -> Result<Dynamic, Vec<Report>> {
        let (name, ast) = self.compile(&super::whole(text))?;
        self.perform(&name, &ast).map_err(|error| match self.end(*error) {
            Outcome::Failed(reports) => reports,
            _ => vec![Report::error(format!("{} was interrupted", quoted(text)))],
        })
    }

    /// What is sent back: the evaluated texts, and the new variables.
    fn packed(
        &self,
        (first, variables, modules): (usize, usize, usize),
        lines: Vec<String>,
        end: Option<&End>,
    ) -> Vec<u8> {
        let mut values = Map::new();
        let mut lost = Vec::new();
        let state = self.state.borrow();
        // Newest first.
        let made = state.scope.iter_raw().take(state.scope.len().saturating_sub(variables));
        for (name, _, value) in made {
            let value = value.flatten_clone();
            if name == IT {
                continue;
            }
            if codec::value_to_bytes(&value).is_ok() {
                values.insert(name.into(), value);
            } else {
                lost.push(Dynamic::from(name.to_owned()));
            }
        }
        let imported = state.global.num_imports() - modules;
        let imports = state.global.iter_imports().take(imported);
        lost.extend(imports.map(|(name, _)| Dynamic::from(name.to_owned())));
        drop(state);
        let (functions, done) = self.statements_from(first);
        let mut all = Map::new();
        all.insert("functions".into(), functions.into());
        all.insert("done".into(), done.into());
        let lines: Vec<Dynamic> = lines.into_iter().map(Dynamic::from).collect();
        all.insert("lines".into(), lines.into());
        all.insert("lost".into(), lost.into());
        all.insert("values".into(), values.into());
        let code = match end {
            Some(End::Status(code)) => Dynamic::from(i64::from(*code)),
            Some(End::Signal(signal)) => Dynamic::from(128 + i64::from(*signal)),
            Some(_) => Dynamic::from(0_i64),
            None => Dynamic::UNIT,
        };
        all.insert("end".into(), code);
        codec::value_to_bytes(&all.into()).unwrap_or_default()
    }

    fn unpacked(&self, text: &str, before: super::Marks, bytes: &[u8]) -> Left {
        let Some(Answer::Value(all)) = codec::from_bytes(bytes) else { return Left::default() };
        let Some(mut all) = all.try_cast::<Map>() else { return Left::default() };
        let mut take = |key: &str| all.remove(key).unwrap_or_default();
        let texts = |value: Dynamic| -> Vec<String> {
            let array = value.try_cast::<rhai::Array>().unwrap_or_default();
            array.into_iter().map(|it| it.to_string()).collect()
        };
        let (functions, done) = (take("functions").to_string(), take("done").to_string());
        let values = take("values").try_cast::<Map>().unwrap_or_default();
        let names: Vec<String> = values.keys().map(ToString::to_string).collect();
        let mut state = self.state.borrow_mut();
        for (name, value) in values {
            state.scope.push(name.as_str(), value);
        }
        if !done.is_empty() {
            let place = text.trim();
            let text = format!("{functions}{}", inside(place, &done, &names));
            state.inputs.push(Input::elsewhere(text, before));
        }
        let code = take("end").as_int().ok();
        let end = code.map(|code| End::Status(i32::try_from(code).unwrap_or(125)));
        Left { lines: texts(take("lines")), lost: texts(take("lost")), end, ended: None }
    }
}

/// The statements of a place in the form of a recipe, with the variables that come back.
fn inside(place: &str, done: &str, names: &[String]) -> String {
    let lines: Vec<_> = done.lines().map(|line| format!("    {line}")).collect();
    let lines = lines.join("\n");
    if names.is_empty() {
        return format!("({place}).within(|| {{\n{lines}\n}});");
    }
    let pairs: Vec<_> = names.iter().map(|name| format!("{name}: {name}")).collect();
    let all = pairs.join(", ");
    let back: Vec<_> = names.iter().map(|name| format!("let {name} = back.{name};")).collect();
    let back = back.join("\n");
    format!("let back = ({place}).within(|| {{\n{lines}\n    #{{ {all} }}\n}});\n{back}")
}
