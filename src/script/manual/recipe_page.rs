//! nsscript-recipe(5): the language and every verb, for man(1).

use super::{GUIDE, PageName, libraries, roff};
use crate::script::binding::catalog::{self, VALUES, constants, page};
use crate::script::binding::value::TYPES;
use crate::script::binding::verb::Kind;

const PAGE: PageName =
    PageName { name: "nsscript-recipe", section: "5", title: "File Formats Manual" };

/// The page and its name. `comment` is its first line.
#[must_use]
pub fn recipe_page(comment: &str) -> (PageName, String) {
    let mut out = String::from(
        "# NAME\n\nnsscript-recipe - the language of recipes for nsscript(1)\n\n# SYNOPSIS\n\n\
         `NAME.rhai`\n\n# DESCRIPTION\n\n",
    );
    out.push_str(GUIDE);
    out.push_str(
        "\nThe verbs follow. `[…]` marks optional parts, and `#{ … }` a map of options. Relative host \
         paths begin at the recipe's directory, until `chdir` changes the working directory.\n",
    );
    for receiver in std::iter::once("").chain(TYPES.iter().copied()) {
        let mut verbs: Vec<_> = catalog::all().filter(|verb| verb.receiver() == receiver).collect();
        verbs.sort_by_key(|verb| verb.name);
        if verbs.is_empty() {
            continue;
        }
        let title = if receiver.is_empty() { "FUNCTIONS" } else { receiver };
        out.push_str(&format!("\n# {}\n", title.to_uppercase()));
        for verb in verbs {
            let what = if verb.kind == Kind::Property { " (property)" } else { "" };
            out.push_str(&format!("\n## {}{what}\n\n{}", verb.name, page(verb)));
        }
    }
    out.push_str("\n# CONSTANTS\n");
    let constants = constants().into_iter().map(|constant| (constant.name, constant.doc()));
    for (name, doc) in constants.chain(VALUES.map(|(name, doc)| (name, doc.to_owned()))) {
        out.push_str(&format!("\n`{name}`\n: {doc}\n"));
    }
    out.push_str("\n# MODULES\n");
    for library in libraries() {
        let (name, alias) = (library.name, library.alias());
        out.push_str(&format!("\n## import \"{name}\" as {alias}\n\n{}\n", library.about));
        for function in &library.functions {
            let signature = function.signature();
            out.push_str(&format!("\n`{alias}::{signature}`\n: {}\n", function.doc));
        }
    }
    out.push_str("\n# SEE ALSO\n\nnsscript(1), namespaces(7), mount(2), <https://rhai.rs/book>\n");
    (PAGE, roff(PAGE, comment, &out))
}
