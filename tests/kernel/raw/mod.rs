//! The raw layer on the kernel of this machine: what is seen inside, and that the host is as it
//! was, which the harness of every run makes sure of.

mod allowed;
mod closures;
mod endings;
mod handles;
mod identity;
mod isolation;
mod kills;
mod mounts;
mod namespaces;
mod overlays;
mod refused;
mod session;
mod unknown;

use crate::support::{Bench, Ended};

/// What stands before recipes that try things: `t(name, || …)` prints what comes of it.
const TRY: &str = r"fn t(name, closure) {
    try { print(`${name}: ${closure.call()}`); } catch (e) { print(`${name}: !! ${e.message}`); }
}
";

/// What becomes of tries, one a line. The recipe finds in `args[0]` the number of a process of
/// the host.
#[track_caller]
fn tries(bench: &Bench, recipe: &str) -> String {
    let recipe = format!("{TRY}{recipe}");
    let pid = std::process::id().to_string();
    bench.nsscript(&["-e", &recipe, &pid]).on_one_processor().end().succeeded()
}

/// How many tries stand in a recipe, each on a line of its own.
fn number_of_tries(recipe: &str) -> usize {
    recipe.lines().filter(|line| line.trim_start().starts_with("t(\"")).count()
}

/// What a recipe prints.
#[track_caller]
fn printed(bench: &Bench, recipe: &str) -> String {
    bench.recipe(recipe).end().succeeded()
}

/// The message of a recipe that fails.
#[track_caller]
fn fails(bench: &Bench, recipe: &str) -> String {
    bench.recipe(recipe).end().failed(125)
}

/// How a recipe ends.
fn ended(bench: &Bench, recipe: &str) -> Ended {
    bench.recipe(recipe).end()
}
