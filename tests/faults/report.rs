//! What a person reads of many faults: a table of how they went, and a list of what is not as it
//! should be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use nix::errno::Errno;

use super::exceptions::EXCUSED;
use super::facts::Facts;
use super::judge::{self, Class, Trace};

/// Facts, judged.
pub struct Judged<'a> {
    facts: &'a Facts,
    class: Class,
    traces: Vec<Trace>,
    excused: Option<usize>,
}

impl<'a> Judged<'a> {
    pub fn new(facts: &'a Facts) -> Self {
        let (class, traces) = (facts.class(), facts.traces());
        let is_fine = class.is_fine() && traces.is_empty();
        let row = EXCUSED.iter().position(|row| row.excuses(facts, class, &traces));
        Self { facts, class, traces, excused: row.filter(|_| !is_fine) }
    }

    fn is_finding(&self) -> bool {
        self.excused.is_none() && !(self.class.is_fine() && self.traces.is_empty())
    }
}

/// All that was judged.
pub struct Report<'a> {
    judged: Vec<Judged<'a>>,
}

impl<'a> Report<'a> {
    pub fn new(facts: &'a [Facts]) -> Self {
        Self { judged: facts.iter().map(Judged::new).collect() }
    }

    /// How many are not as they should be.
    pub fn findings(&self) -> usize {
        self.judged.iter().filter(|judged| judged.is_finding()).count()
    }

    /// Whether all is as it should be, and nearly all was tried: which of two threads makes a call is
    /// chance, but it is so for few.
    pub fn is_fine(&self) -> bool {
        let missed = self.judged.iter().filter(|it| it.class == Class::NotReached).count();
        self.findings() == 0 && missed * 50 <= self.judged.len()
    }

    /// How many faults each exception excuses, by what they came to, with its reason.
    pub fn exceptions(&self) -> String {
        let mut counts: BTreeMap<(usize, Class), usize> = BTreeMap::new();
        for judged in &self.judged {
            if let Some(index) = judged.excused {
                *counts.entry((index, judged.class)).or_default() += 1;
            }
        }
        let line = |((index, class), count): (&(usize, Class), &usize)| {
            format!("excused: {count:>4} × {:<9} {}\n", class.name(), EXCUSED[*index].reason)
        };
        counts.iter().map(line).collect()
    }

    /// The reasons of exceptions that nothing needs.
    pub fn stale(&self) -> Vec<&'static str> {
        let used: BTreeSet<_> = self.judged.iter().filter_map(|judged| judged.excused).collect();
        let stale = EXCUSED.iter().enumerate().filter(|(index, _)| !used.contains(index));
        stale.map(|(_, excused)| excused.reason).collect()
    }

    /// A line for each subject, and the sums. What is excused has a column of its own.
    pub fn table(&self) -> String {
        let mut rows: BTreeMap<&str, Vec<&Judged<'_>>> = BTreeMap::new();
        for judged in &self.judged {
            rows.entry(&judged.facts.fault.subject).or_default().push(judged);
        }
        let mut heads = vec!["recipe".to_owned(), "faults".to_owned()];
        heads.extend(Class::ALL.iter().map(|class| class.name().to_owned()));
        heads.push("excused".into());
        heads.extend(Trace::ALL.iter().map(|trace| trace.name().to_owned()));
        let mut table = vec![heads];
        let all: Vec<_> = self.judged.iter().collect();
        for (name, row) in rows.iter().map(|(name, row)| (*name, row)).chain([("all", &all)]) {
            let mut cells = vec![name.to_owned(), row.len().to_string()];
            let count = |is_one: &dyn Fn(&Judged<'_>) -> bool| {
                row.iter().filter(|judged| is_one(judged)).count().to_string()
            };
            for class in Class::ALL {
                cells.push(count(&|it| it.class == class && it.excused.is_none()));
            }
            cells.push(count(&|it| it.excused.is_some()));
            for trace in Trace::ALL {
                cells.push(count(&|it| it.traces.contains(&trace) && it.excused.is_none()));
            }
            table.push(cells);
        }
        aligned(&table)
    }

    /// What is not as it should be: what is of one kind once, with a fault to reproduce it by.
    pub fn list(&self) -> String {
        let mut groups: BTreeMap<_, Vec<&Facts>> = BTreeMap::new();
        for judged in self.judged.iter().filter(|judged| judged.is_finding()) {
            let Judged { facts, class, traces, .. } = judged;
            let place = &facts.fault.place;
            let key = (*class, traces.clone(), place.phase, place.call, headline(facts));
            groups.entry(key).or_default().push(facts);
        }
        let mut list = String::new();
        for ((class, traces, phase, call, headline), group) in groups {
            let errors: BTreeSet<_> =
                group.iter().map(|facts| format!("{:?}", facts.fault.errno)).collect();
            let errors = errors.into_iter().collect::<Vec<_>>().join(" ");
            let traces: Vec<_> = traces.iter().map(|trace| trace.name()).collect();
            let left = if traces.is_empty() { "" } else { " left: " };
            let (class, traces, phase) = (class.name(), traces.join(", "), phase.name());
            let count = group.len();
            let _ = writeln!(list, "[{class}{left}{traces}] {count} × {call} in {phase}: {errors}");
            let _ = writeln!(list, "    {headline}");
            let first = group[0];
            for line in details(first) {
                let _ = writeln!(list, "    {}", shortened(&line, 160));
            }
            let arguments = first.arguments.as_deref().unwrap_or_default();
            let _ = writeln!(list, "    {call}({})", shortened(arguments, 160));
            let _ = writeln!(list, "    {}", first.fault);
        }
        list
    }

    /// Everything about one.
    pub fn whole(&self) -> String {
        let mut whole = String::new();
        for Judged { facts, class, traces, excused } in &self.judged {
            let _ = writeln!(whole, "{}\n{class:?} {traces:?}", facts.fault);
            if let Some(index) = excused {
                let _ = writeln!(whole, "excused: {}", EXCUSED[*index].reason);
            }
            let _ = writeln!(whole, "{facts:#?}\n{}", facts.message);
        }
        whole
    }
}

/// What runs of one kind have in common: how they ended and what they said or, if they said nothing,
/// what the call was about.
fn headline(facts: &Facts) -> String {
    let ended = match (facts.code, &facts.signal) {
        (_, Some(signal)) => signal.clone(),
        (Some(code), _) => format!("status {code}"),
        (None, None) => String::from("no status"),
    };
    let message = &facts.message;
    let from = message.find("error: ").unwrap_or_default();
    let panicked = message.lines().skip_while(|line| !line.contains("panicked at"));
    let panicked = panicked.take(2).map(without_number).collect::<Vec<_>>().join(" ");
    let first = message[from..].lines().find(|line| !line.is_empty());
    let said = match first {
        _ if !panicked.is_empty() => panicked,
        Some(first) => {
            let named = format!("({:?})", facts.fault.errno);
            first.replace(&named, "(…)").replace(&words(facts.fault.errno), "…")
        }
        None => about(facts.arguments.as_deref().unwrap_or_default()),
    };
    format!("{ended}: {said}")
}

/// The file that a call is about, without its numbers and the place of its subject.
fn about(arguments: &str) -> String {
    let linked = arguments.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    let quoted = || arguments.split('"').nth(1).filter(|text| text.starts_with('/'));
    let path = linked.map(|(path, _)| path).or_else(quoted).unwrap_or_default();
    let parts = path.split('/').map(|part| {
        let is_drawn = part.len() > 24 || part.contains("nsscript-");
        if is_drawn { "…".into() } else { part.replace(|c: char| c.is_ascii_digit(), "#") }
    });
    parts.collect::<Vec<String>>().join("/")
}

/// What else there is to know of a run.
fn details(facts: &Facts) -> Vec<String> {
    let message = &facts.message;
    let from = message.find("error: ").unwrap_or_default();
    let mut details = Vec::new();
    details.extend(judge::line(&message[from..]).map(|line| format!("line {line}")));
    let hint = message[from..].lines().find(|line| line.starts_with("hint: "));
    details.extend(hint.map(str::to_owned));
    if facts.code == facts.usual_code {
        details.extend(facts.difference.iter().take(3).cloned());
    }
    let left = [
        ("processes", &facts.processes),
        ("files", &facts.files),
        ("half made", &facts.half_made),
        ("host", &facts.host),
    ];
    for (what, list) in left {
        details.extend(list.first().map(|first| format!("{what}: {first}")));
    }
    details.extend(facts.next.lines().take(3).map(|line| format!("next run: {line}")));
    details
}

/// The start of a text, on one line.
fn shortened(text: &str, length: usize) -> String {
    let mut short: String = text.chars().take(length).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.replace('\n', " ")
}

/// What a thread that panics says, without its number: `thread 'main' (4711) panicked at`.
fn without_number(line: &str) -> String {
    match (line.find(" ("), line.find(") panicked")) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &line[..from], &line[to + 1..]),
        _ => line.to_owned(),
    }
}

/// What an error number stands for, as nsscript writes it.
fn words(errno: Errno) -> String {
    let text = errno.desc();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_lowercase().collect::<String>());
    first.unwrap_or_default() + letters.as_str()
}

/// Columns of numbers, ending at one place.
fn aligned(table: &[Vec<String>]) -> String {
    let columns = table.first().map_or(0, Vec::len);
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in table {
        let _ = write!(text, "{:width$}", row[0], width = widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            let cell = if cell == "0" { "·" } else { cell };
            let _ = write!(text, "  {cell:>width$}");
        }
        text.push('\n');
    }
    text
}
