//! Narration of a recipe, and its requirements.

use std::collections::BTreeSet;

use rhai::{Array, Dynamic, Map};

use crate::diag::{self, Column, Report, closest, count, list, quoted};
use crate::script::binding::argument::{Argument, ArgumentError, a_kind};
use crate::script::binding::call::Call;
use crate::script::binding::context::Printed;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::verb::{Verb, verbs};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["narrate.rs";
    fn section,
    fn note,
    fn table,
    fn breakpoint,
    fn skip_unless,
];

options! {
    /// The layout of a table.
    struct Table {
        /// the columns to print, in this order
        columns: Vec<String> = "",
    }
}

/// The rows of a table: the header and the rows below it.
struct Rows {
    heads: Vec<Dynamic>,
    below: Vec<Array>,
}

/// The type that `table` takes.
const ROWS: &str = "an array of maps or of arrays";

impl Argument for Rows {
    const KIND: &'static str = ROWS;

    fn take(value: Option<Dynamic>, _: &Call<'_, '_>) -> Result<Self, ArgumentError> {
        let given = value.as_ref().map_or_else(|| "nothing".to_owned(), a_kind);
        let rows = value.and_then(Dynamic::try_cast::<Array>);
        let rows = rows.ok_or(ArgumentError::Type { wanted: ROWS, given })?;
        let rows: Array = rows.iter().map(Dynamic::flatten_clone).collect();
        let is_fine = |row: &&Dynamic| {
            let is_first_map = rows[0].is_map();
            if is_first_map { row.is_map() } else { row.is_array() }
        };
        if let Some(index) = rows.iter().position(|row| !is_fine(&row)) {
            let given = format!("an array whose element {index} is {}", a_kind(&rows[index]));
            return Err(ArgumentError::Type { wanted: ROWS, given });
        }
        let maps = rows.iter().filter_map(Dynamic::read_lock::<Map>);
        let maps: Vec<Map> = maps.map(|map| map.clone()).collect();
        let mut arrays = rows.into_iter().filter_map(Dynamic::try_cast::<Array>);
        if let Some(heads) = arrays.next() {
            return Ok(Self { heads, below: arrays.collect() });
        }
        let keys: BTreeSet<_> = maps.iter().flat_map(Map::keys).cloned().collect();
        let cells = |map: Map| {
            let cell = |key| map.get(key).map_or(Dynamic::UNIT, Dynamic::flatten_clone);
            keys.iter().map(cell).collect()
        };
        let below = maps.into_iter().map(cells).collect();
        Ok(Self { heads: keys.iter().map(|key| key.to_string().into()).collect(), below })
    }
}

impl Rows {
    /// The selected columns, by default all.
    fn columns(
        &self,
        wanted: Option<&[String]>,
        call: &Call<'_, '_>,
    ) -> Result<Vec<Column>, VerbError> {
        let most = self.heads.len();
        if let Some(index) = self.below.iter().position(|row| row.len() > most) {
            let (row, cells) = (index + 1, count(self.below[index].len(), "column"));
            let report = Report::error(format!(
                "row {row} of the table has {cells}, but its header has {most}"
            ));
            return Err(call.fail(report.hint("name every column in the first row")));
        }
        let heads: Vec<String> = self.heads.iter().map(|head| call.printed(head)).collect();
        let Some(wanted) = wanted else {
            return Ok((0..most).map(|index| self.column(index, &heads[index], call)).collect());
        };
        if wanted.is_empty() {
            let report = Report::error("the option `columns` of `table` is empty");
            return Err(call.fail_at_key("columns", report));
        }
        let mut columns = Vec::new();
        for name in wanted {
            let Some(index) = heads.iter().position(|head| head == name) else {
                return Err(call.fail_at_key("columns", unknown(name, &heads)));
            };
            columns.push(self.column(index, name, call));
        }
        Ok(columns)
    }

    fn column(&self, index: usize, head: &str, call: &Call<'_, '_>) -> Column {
        let cells = self.below.iter().map(|row| row.get(index).unwrap_or(&Dynamic::UNIT));
        let is_number = |cell: &Dynamic| cell.is_int() || cell.is_float();
        let mut filled = cells.clone().filter(|cell| !cell.is_unit()).peekable();
        let is_right = filled.peek().is_some() && filled.all(is_number);
        let shown = |cell: &Dynamic| if cell.is_unit() { "-".into() } else { call.printed(cell) };
        Column { head: head.to_owned(), cells: cells.map(shown).collect(), is_right }
    }
}

fn unknown(name: &str, heads: &[String]) -> Report {
    let report = Report::error(format!("the table has no column {}", quoted(name)));
    if let Some(near) = closest(name, heads.iter().map(String::as_str)) {
        return report.hint(format!("did you mean {}?", quoted(near)));
    }
    let shown: Vec<_> = heads.iter().map(quoted).collect();
    report.hint(format!("its columns are {}", list(&shown, "and")))
}

/// Prints a heading, with an empty line before it.
///
/// # Example
/// ```rhai
/// section("Process ids");
/// print("The first process of a PID namespace is number 1 in it.");
/// ```
fn section(call: &Call<'_, '_>, title: String) -> Result<(), VerbError> {
    call.print(&diag::heading(&title), Printed::Heading)
}

/// Prints text wrapped to 72 columns, with an empty line before and after it.
///
/// Common indentation is removed, so a string in backticks can be indented like the recipe around
/// it. Empty lines separate paragraphs, a line that begins with `- ` begins a list item, and lines
/// with deeper indentation are printed unchanged.
///
/// # Example
/// ```rhai
/// fn explain() {
///     note(`
///         A process in a new UTS namespace has a host name of its own. What it
///         sets is seen
///         - by itself and its children,
///         - and not outside:
///
///             $ hostname
///     `);
/// }
/// explain();
/// ```
fn note(call: &Call<'_, '_>, text: String) -> Result<(), VerbError> {
    call.print(&diag::paragraphs(&text), Printed::Note)
}

/// Prints rows as a table. Rows are maps, or arrays of which the first is the header.
///
/// The columns of maps are their keys in alphabetical order, unless `columns` names others. Columns
/// of numbers are aligned to the right. `-` stands for a missing value.
///
/// # Errors
/// The rows are neither maps nor arrays; a row is longer than the header; a column does not exist.
/// A dry run prints nothing, and checks only the type of the rows.
///
/// # Example
/// ```rhai
/// table([["kind", "inode"], ["uts", 4026531838], ["net", ()]]);
///
/// let rows = [#{ name: "lo", mtu: 65536 }, #{ name: "eth0", mtu: 1500, up: true }];
/// table(rows, #{ columns: ["name", "up", "mtu"] });
/// ```
fn table(call: &Call<'_, '_>, rows: Rows, options: Table) -> Result<(), VerbError> {
    let text = || {
        if rows.below.is_empty() {
            return Ok("(none)".to_owned());
        }
        let columns = rows.columns(options.columns.as_deref(), call)?;
        Ok(diag::table(&columns))
    };
    call.effects().show(&text, call)
}

/// Stops the recipe and opens a prompt with its variables.
///
/// The prompt can show and change variables. `:leave` or Ctrl-D continues the recipe, and `:quit`
/// ends it. Without a terminal, and in a dry run, the breakpoint is skipped. The option `--break
/// LINE` stops before a line of an unchanged recipe.
///
/// # Example
/// ```rhai
/// let said = sandbox("/").output("echo ready").stdout.trim();
/// if said != "ready" {
///     breakpoint();
/// }
/// ```
fn breakpoint(_call: &Call<'_, '_>) {
    // With a prompt, syntax of the same name replaces it.
}

/// States a requirement: if `condition` is false, the recipe ends as "not run", with status 77.
///
/// nsscript prints the reason to standard error as `not run: …`. The recipe cannot catch this, and
/// `nsscript test` does not count it as a failure. A dry run skips the verb.
///
/// # Example
/// ```rhai
/// skip_unless(exists("/proc/self/ns/uts"), "a kernel with UTS namespaces");
/// ```
fn skip_unless(call: &Call<'_, '_>, condition: bool, reason: String) -> Result<(), VerbError> {
    if call.effects().holds(condition) {
        return Ok(());
    }
    Err(VerbError::NotRun(reason.split_whitespace().collect::<Vec<_>>().join(" ")))
}
