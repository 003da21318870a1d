//! `import`: recipes relative to the importing file, and the modules of nsscript.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};

use super::breakpoint::Breakpoints;
use super::own_value::with_copies;
use crate::diag::{Origin, Report, closest, os_error, quoted};
use crate::run;
use crate::script::analysis::capture::captured;
use crate::script::analysis::depends::depends;
use crate::script::analysis::discard::discarded;
use crate::script::binding::context::Context;
use crate::script::binding::error::VerbError;
use crate::script::engine::reading;
use crate::script::language::library::STDLIB;
use crate::script::language::recipe::code;
use crate::script::language::statement_starts;

/// Resolves `std/…` from nsscript's modules, and other paths as files relative to the importing
/// file.
pub struct Resolver {
    context: Rc<Context>,
    breakpoints: Rc<Breakpoints>,
    known: RefCell<HashMap<String, Shared<Module>>>,
    /// The modules that are being read, outermost first.
    reading: RefCell<Vec<String>>,
}

impl Resolver {
    /// A resolver for one run.
    pub fn new(context: Rc<Context>, breakpoints: Rc<Breakpoints>) -> Self {
        Self { context, breakpoints, known: RefCell::default(), reading: RefCell::default() }
    }

    /// The text of a module.
    ///
    /// # Errors
    /// It cannot be read; `path` is its name in messages.
    pub fn text(&self, id: &str, path: &str) -> Result<String, Report> {
        if let Some(name) = id.strip_prefix('<').and_then(|id| id.strip_suffix('>')) {
            let found = STDLIB.iter().find(|(known, _)| *known == name);
            return found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| {
                let report = Report::error(format!("unknown module {}", quoted(name)));
                match closest(name, STDLIB.iter().map(|(known, _)| *known)) {
                    Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
                    None => report,
                }
            });
        }
        let cannot = |error: std::io::Error| {
            let why = os_error(&error);
            let report = Report::error(format!("cannot read the module {}: {why}", quoted(id)));
            let file = std::path::absolute(id).unwrap_or_else(|_| PathBuf::from(id));
            let near = self.context.runner.host().tree.near(&file);
            match near.as_deref().and_then(|near| near.strip_suffix(".rhai")) {
                Some(near) => {
                    let near = Path::new(path).with_file_name(near);
                    report.hint(format!("did you mean {}?", quoted(near.to_string_lossy())))
                }
                None => report.hint(
                    "give the path of the module relative to the importing file, without \
                         `.rhai`",
                ),
            }
        };
        let because = |errno: run::Errno| cannot(errno.into());
        let file = run::open_to_read(Path::new(id)).map_err(because)?;
        let found = file.metadata().map_err(cannot)?;
        if !self.context.trust {
            run::refuse_writable(&found).map_err(|why| {
                let report = Report::error(format!("the module {} {why}", quoted(id)));
                report.hint("run `chmod o-w` on it, or pass `--trust-recipe`")
            })?;
        }
        let bytes = run::read_all(file, run::LONGEST_TEXT).map_err(because)?;
        String::from_utf8(bytes).map_err(|_| cannot(std::io::ErrorKind::InvalidData.into()))
    }

    /// The id of the module `path` in the text `source`: the path of its file.
    pub fn id(&self, source: Option<&str>, path: &str) -> String {
        if path.starts_with("std/") {
            return format!("<{path}>");
        }
        let importer = source.filter(|source| Path::new(source).is_file());
        let beside = importer.and_then(|source| Path::new(source).parent());
        let beside = beside.map_or_else(|| self.context.directory().to_path_buf(), PathBuf::from);
        let mut file = beside.join(path);
        if file.extension().is_none() {
            file.set_extension("rhai");
        }
        let file: PathBuf = file.components().collect();
        file.to_string_lossy().into_owned()
    }
}

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let id = self.id(source, path);
        if let Some(module) = self.known.borrow().get(&id) {
            return Ok(module.clone());
        }
        let number =
            |number: Option<usize>| number.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
        let origin = Origin::new(
            self.context.source_name(source),
            number(position.line()),
            number(position.position()),
        )
        .underlining(path.chars().count() + 2);
        let fail = |report: Report| -> Box<EvalAltResult> {
            VerbError::Reports(vec![report.at(Some(origin.clone()))]).into()
        };
        if self.reading.borrow().contains(&id) {
            return Err(fail(circle(&self.reading.borrow(), &id)));
        }
        let text = self.text(&id, path).map_err(fail)?;
        self.context.sources.insert(&id, &text);
        let text = code(&text);
        let inside = |error| Box::new(EvalAltResult::ErrorInModule(id.clone(), error, position));
        let stops = statement_starts::stops(&text, &text, &[]);
        self.breakpoints.begin(&id, stops);
        let ast = reading::read(engine, &self.context, &text);
        let mut ast = ast.map_err(|error| inside(error.into()))?;
        ast.set_source(id.as_str());
        self.context.add_text(&id, &ast);
        let reports = discarded(&ast, &id, false);
        if !reports.is_empty() {
            return Err(VerbError::Reports(reports).into());
        }
        for warning in captured(&ast, &id) {
            self.context.warn(&warning);
        }
        if !id.starts_with('<') {
            self.context.effects().reads(&|| depends(&ast, &id));
        }
        self.breakpoints.read_again();
        let ast = with_copies(ast, &text, engine, &self.context);
        self.reading.borrow_mut().push(id.clone());
        let made = Module::eval_ast_as_new(Scope::new(), &ast, engine);
        self.reading.borrow_mut().pop();
        let mut module = made.map_err(inside)?;
        module.set_id(id.as_str());
        let module: Shared<Module> = module.into();
        self.known.borrow_mut().insert(id, module.clone());
        Ok(module)
    }
}

/// The report for a circular import of `id` while `reading` are being read.
pub(in crate::script) fn circle(reading: &[String], id: &str) -> Report {
    let circle = [reading, &[id.to_owned()]].concat().join(" → ");
    Report::error(format!("circular import: {circle}"))
}
