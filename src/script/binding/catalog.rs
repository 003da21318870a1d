//! The catalog of all verbs, the one source of all documentation.
//!
//! The compiler makes the catalog, as constant data. A verb without a doc comment does not compile,
//! and running a recipe does not touch the catalog.

use rhai::Dynamic;

use super::value;
use super::verb::{Kind, OptionKey, Parameter, Verb};
use crate::diag::closest;
use crate::script::language::described::FUNCTIONS;
use crate::script::language::library::libraries;
use crate::script::verbs;
use crate::spec::{self, Parts, ProcessPart};

/// The headings of a help page, in order.
pub const HEADINGS: [&str; 6] = ["Arguments", "Errors", "Example", "Plan", "See", "Since"];

/// Every verb.
pub fn all() -> impl Iterator<Item = &'static Verb> {
    verbs::ALL.iter().copied().flatten()
}

/// The verbs with this name, on any type.
#[must_use]
pub fn named(name: &str) -> Vec<&'static Verb> {
    all().filter(|verb| verb.name == name).collect()
}

/// The most similar name among `others` and the verbs that `accept` selects.
pub fn near<'a>(
    name: &str,
    accept: impl Fn(&Verb) -> bool,
    others: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let names = all().filter(|verb| accept(verb)).map(|verb| verb.name);
    closest(name, names.chain(others))
}

/// Whether `name` is a verb that only describes, that is, returns a new sandbox or root.
#[must_use]
pub fn describes(name: &str) -> bool {
    let mut found =
        all().filter(|verb| verb.name == name && !verb.receiver().is_empty()).peekable();
    // A check of a digest is useful on its own.
    name != "verify"
        && found.peek().is_some()
        && found.all(|verb| matches!(verb.returns, "Sandbox" | "Rootfs" | "Policy"))
}

/// Whether `name` is a function that creates a sandbox or a root.
#[must_use]
pub fn makes(name: &str) -> bool {
    all().any(|verb| {
        verb.name == name
            && verb.receiver().is_empty()
            && matches!(verb.returns, "Sandbox" | "Rootfs" | "Policy")
    })
}

/// Whether `name` starts a process that lives as long as the returned value.
#[must_use]
pub fn starts(name: &str) -> bool {
    matches!(name, "clone" | "start" | "listen") && !named(name).is_empty()
}

/// Whether `name` is a plain value that only a run gives, because it is what a program does.
#[must_use]
pub fn only_in_run(name: &str, kind: Kind) -> bool {
    name != "name"
        && all().any(|verb| {
            verb.name == name
                && verb.kind == kind
                && matches!(verb.receiver(), "Process" | "Exit" | "Output" | "Network")
                && verb.returns != "nothing"
                && !value::TYPES.contains(&verb.returns)
        })
}

/// Functions whose value only a run has: what is typed, and chance.
const OF_A_RUN: [&str; 3] = ["random", "random_bytes", "stdin"];

/// Whether the function `name`, without a receiver, gives what only a run has.
#[must_use]
pub fn of_a_run(name: &str) -> bool {
    OF_A_RUN.contains(&name)
}

/// Functions that change nothing, so that no plan shows them.
const UNPLANNED: [&str; 10] = [
    "assert",
    "assert_eq",
    "eprint",
    "exit",
    "skip_unless",
    "note",
    "section",
    "sleep",
    "table",
    "wait_until",
];

/// Whether `name`, a function or a method, can be a part of a plan.
#[must_use]
pub fn is_planned(name: &str, is_function: bool) -> bool {
    all().any(|verb| {
        let acts = verb.returns == "nothing" || value::TYPES.contains(&verb.returns);
        verb.name == name
            && verb.kind == Kind::Function
            && verb.receiver().is_empty() == is_function
            && acts
            && !UNPLANNED.contains(&name)
    })
}

/// A constant for namespaces, or for other parts of a process.
#[derive(Clone, Copy, Debug)]
pub struct Constant {
    /// Its name: `UTS`, `CLONE_NEWUTS`.
    pub name: &'static str,
    /// The constant that this is another name for.
    pub alias_of: Option<&'static str>,
    meaning: Meaning,
}

#[derive(Clone, Copy, Debug)]
enum Meaning {
    Kind(spec::Kind),
    All,
    Part(ProcessPart),
}

impl Constant {
    /// Its value.
    pub fn value(self) -> Dynamic {
        match self.meaning {
            Meaning::Kind(kind) => Dynamic::from(spec::Namespaces::from(kind)),
            Meaning::All => Dynamic::from(spec::Namespaces::ALL),
            Meaning::Part(part) => Dynamic::from(Parts::from(part)),
        }
    }

    /// The type of its value.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        match self.meaning {
            Meaning::Kind(_) | Meaning::All => "Namespaces",
            Meaning::Part(_) => "Parts",
        }
    }

    /// Its description.
    #[must_use]
    pub fn doc(self) -> String {
        if let Some(name) = self.alias_of {
            return format!("another name for `{name}`");
        }
        match self.meaning {
            Meaning::Kind(kind) => format!("the {} namespace ({})", kind.name(), kind.flag()),
            Meaning::All => "every kind of namespace".into(),
            Meaning::Part(part) => format!("{}, for `unshare` ({})", part.name(), part.flag()),
        }
    }
}

/// The constants for namespaces and other parts of a process, each before its other names.
#[must_use]
pub fn constants() -> Vec<Constant> {
    let mut constants = Vec::with_capacity(24);
    let mut add = |name, others: &[&'static str], meaning| {
        constants.push(Constant { name, alias_of: None, meaning });
        let alias = |other: &&'static str| Constant { name: other, alias_of: Some(name), meaning };
        constants.extend(others.iter().map(alias));
    };
    for kind in spec::Kind::ALL {
        let others: &[_] =
            if kind == spec::Kind::Mount { &["MNT", kind.flag()] } else { &[kind.flag()] };
        add(kind.constant(), others, Meaning::Kind(kind));
    }
    add("ALL", &[], Meaning::All);
    for part in ProcessPart::ALL {
        add(part.constant(), &[part.flag()], Meaning::Part(part));
    }
    constants
}

/// The other constants: name and description.
pub const VALUES: [(&str, &str); 2] = [
    ("args", "the arguments after the recipe on the command line, an array of strings"),
    ("host", "facts about the machine, a Host"),
];

/// The parts of a help page: heading (empty for the first part) and text.
#[must_use]
pub fn sections(doc: &str) -> Vec<(&str, String)> {
    let mut sections = vec![("", String::new())];
    for line in doc.lines() {
        let line = line.strip_prefix(' ').unwrap_or(line);
        match line.strip_prefix("# ") {
            Some(heading) => sections.push((heading.trim(), String::new())),
            None => {
                if let Some((_, text)) = sections.last_mut() {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
    }
    for (_, text) in &mut sections {
        *text = text.trim_matches('\n').to_owned();
    }
    sections
}

/// The first line of a help page.
#[must_use]
pub fn summary(verb: &Verb) -> &'static str {
    verb.doc.lines().next().unwrap_or_default().trim()
}

/// The examples of a help page.
#[must_use]
pub fn examples(verb: &Verb) -> Vec<String> {
    let mut examples = Vec::new();
    for (heading, text) in sections(verb.doc) {
        if heading == "Example" {
            let code = text.lines().filter(|line| !line.starts_with("```"));
            examples.push(code.collect::<Vec<_>>().join("\n"));
        }
    }
    examples
}

/// The help page of a verb in Markdown.
#[must_use]
pub fn page(verb: &Verb) -> String {
    let mut out = format!("`{}`", verb.signature());
    if verb.returns != "nothing" {
        let or_unit = if verb.optional { " or `()`" } else { "" };
        out.push_str(&format!(" → {}{or_unit}", verb.returns));
    }
    out.push('\n');
    for (index, (heading, text)) in sections(verb.doc).into_iter().enumerate() {
        // Options stand between the description and the first heading.
        if index == 1 {
            out.push_str(&options(verb));
        }
        let title = if heading.is_empty() { String::new() } else { format!("**{heading}.**") };
        let gap = match (title.is_empty(), text.starts_with("```")) {
            (true, _) => "",
            (false, true) => "\n\n",
            (false, false) => " ",
        };
        out.push_str(&format!("\n{title}{gap}{text}\n"));
    }
    if sections(verb.doc).len() == 1 {
        out.push_str(&options(verb));
    }
    out
}

fn options(verb: &Verb) -> String {
    let keys: Vec<&OptionKey> =
        verb.parameters.iter().flat_map(|parameter: &Parameter| parameter.options).collect();
    if keys.is_empty() {
        return String::new();
    }
    let mut out = String::from("\n**Options.**\n\n");
    for key in keys {
        let default = match key.default {
            "" => String::new(),
            default => format!(", default `{default}`"),
        };
        out.push_str(&format!("- `{}` ({}{default}):{}\n", key.name, key.kind, key.doc));
    }
    out
}

/// All help pages as one Markdown text: REFERENCE.md.
#[must_use]
pub fn reference() -> String {
    let mut out = String::from(
        "# Reference\n\n<!-- Written by `cargo run -- reference --write` from the doc comments of \
         the verbs. -->\n\nThe verbs of the recipe language. `[…]` marks optional parts, and `#{ … }` \
         a map of options. Relative host paths begin at the recipe's directory, until `chdir` \
         changes the working directory.\n",
    );
    for receiver in std::iter::once("").chain(value::TYPES.iter().copied()) {
        let verbs: Vec<_> = all().filter(|verb| verb.receiver() == receiver).collect();
        if verbs.is_empty() {
            continue;
        }
        let title = if receiver.is_empty() { "Functions" } else { receiver };
        out.push_str(&format!("\n## {title}\n"));
        for verb in verbs {
            let what = if verb.kind == Kind::Property { " (property)" } else { "" };
            out.push_str(&format!("\n### {}{what}\n\n{}", verb.name, page(verb)));
        }
    }
    out.push_str(
        "\n## Functions of the language\n\nThe language Rhai has these functions. Those that work *in \
         place* change the value that they are called on and return nothing, unless said otherwise.\n\n",
    );
    for function in FUNCTIONS {
        out.push_str(&format!("- `{}`: {}\n", function.form, function.doc));
    }
    out.push_str(
        "\n## Errors\n\nIf a verb or the language itself fails (a division by zero, an invalid index), \
         `catch` receives an `Error` with the properties above. If the recipe throws a value, \
         `catch` receives that value.\n",
    );
    out.push_str("\n## Constants\n\n");
    for constant in constants() {
        out.push_str(&format!("- `{}`: {}\n", constant.name, constant.doc()));
    }
    for (name, doc) in VALUES {
        out.push_str(&format!("- `{name}`: {doc}\n"));
    }
    out.push_str("\n## Modules\n");
    for library in libraries() {
        out.push_str(&format!("\n### `import \"{}\"`\n\n{}\n", library.name, library.about));
        for function in &library.functions {
            out.push_str(&format!("\n- `{}`: {}\n", function.signature(), function.doc));
        }
    }
    out
}
