//! Recovery from syntax errors: the engine stops at the first one, so its statement is blanked out,
//! and the rest is read again.

use std::collections::HashSet;
use std::rc::Rc;

use rhai::{AST, Engine, EvalAltResult};

use crate::diag::{Origin, Report};
use crate::script::binding::context::Context;
use crate::script::engine::reading;
use crate::script::errors::reword;
use crate::script::language::bracket;
use crate::script::language::recipe::Recipe;

/// A text that was read.
pub struct Read {
    /// The readable part.
    pub ast: AST,
    /// Its syntax errors.
    pub reports: Vec<Report>,
    /// The words of the unreadable part, which may declare them.
    pub unread: HashSet<String>,
}

/// The maximum number of syntax errors to find.
const MOST: usize = 20;

/// Reads a recipe as far as it can be read.
pub fn read(recipe: &Recipe, engine: &Engine, context: &Rc<Context>) -> Read {
    let mut text = recipe.code();
    let mut read = Read { ast: AST::empty(), reports: Vec::new(), unread: HashSet::new() };
    if let Some((line, column)) = bracket::open_comment(&text) {
        let origin = Origin::new(recipe.name.as_str(), line, column).underlining(2);
        read.reports.push(Report::error("unclosed comment `/*`").at(Some(origin)));
        let end = offset(&text, line, column);
        text.truncate(end);
    }
    for _ in 0..MOST {
        // The report of a mistake reads the text too.
        context.sources.insert(&recipe.name, &text);
        match reading::read(engine, context, &text) {
            Ok(ast) => {
                read.ast = ast;
                break;
            }
            Err(error) => {
                let error: Box<EvalAltResult> = error.into();
                let reports = reword::reports(*error, context);
                let place = reports.first().and_then(|report| report.origin.clone());
                let is_new =
                    |report: &Report| read.reports.iter().all(|it| it.origin != report.origin);
                let fresh: Vec<_> = reports.into_iter().filter(is_new).collect();
                let goes_on = !fresh.is_empty();
                read.reports.extend(fresh);
                let Some(place) = place.filter(|place| goes_on && place.line > 0) else { break };
                if !blank(&mut text, &place, &mut read.unread) {
                    break;
                }
            }
        }
    }
    context.sources.insert(&recipe.name, &recipe.text);
    read.ast.set_source(recipe.name.as_str());
    read
}

/// The byte at a line and column.
fn offset(text: &str, line: u32, column: u32) -> usize {
    let before: usize = text.split_inclusive('\n').take(line as usize - 1).map(str::len).sum();
    let letters = text[before..].chars().take((column as usize).saturating_sub(1));
    before + letters.map(char::len_utf8).sum::<usize>()
}

/// Blanks out the statement around a position, and records its words. Returns whether there was
/// one.
fn blank(text: &mut String, place: &Origin, unread: &mut HashSet<String>) -> bool {
    let at = offset(text, place.line, place.column.max(1));
    let ends: Vec<usize> = bracket::statement_ends(text)
        .into_iter()
        .map(|(line, column)| offset(text, line, column) + 1)
        .collect();
    let start = ends.iter().copied().filter(|end| *end <= at).max().unwrap_or(0);
    let end = ends.iter().copied().find(|end| *end > at).unwrap_or(text.len());
    let statement = &text[start..end];
    if statement.trim().is_empty() {
        return false;
    }
    unread.extend(bracket::words(statement));
    let blanks: String =
        statement.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }).collect();
    text.replace_range(start..end, &blanks);
    true
}
