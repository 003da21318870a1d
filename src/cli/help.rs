//! Manual pages of verbs.

use std::process::ExitCode;

use super::exit::{Ui, print};
use crate::diag::quoted;
use crate::script::catalog;

/// Shows the page of a verb, or the list of all.
pub(super) fn help(verb: Option<&str>, ui: Ui) -> ExitCode {
    let Some(name) = verb else { return print(&list(), ui) };
    let verbs = catalog::named(name);
    if verbs.is_empty() {
        let near = catalog::near(name, |_| true, []);
        let near = near.map(|near| format!("; did you mean {}?", quoted(near))).unwrap_or_default();
        return ui.fail(format!("no verb {}{near}", quoted(name)));
    }
    let pages: Vec<_> = verbs.into_iter().map(catalog::page).collect();
    print(&pages.join("\n"), ui)
}

fn list() -> String {
    let mut out = String::from("Verbs of the recipe language; `nsscript help VERB` tells more.\n");
    let mut receiver = None;
    let mut verbs: Vec<_> = catalog::all().collect();
    verbs.sort_by_key(|verb| (verb.receiver(), verb.name));
    for verb in verbs {
        if receiver != Some(verb.receiver()) {
            receiver = Some(verb.receiver());
            let title = if verb.receiver().is_empty() { "Functions" } else { verb.receiver() };
            out.push_str(&format!("\n{title}\n"));
        }
        out.push_str(&format!("  {:<16} {}\n", verb.name, catalog::summary(verb)));
    }
    out
}
