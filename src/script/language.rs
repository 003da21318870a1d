//! The functions that the language itself has, for what is said of them.

use rhai::Engine;

/// The numbers of values that a function of the language takes, least first, what it is called on
/// among them; none where there is no such function.
pub fn counts(name: &str) -> Vec<usize> {
    let engine = Engine::new();
    let mut counts = engine.collect_fn_metadata(
        None,
        |info| (info.metadata.name == name).then_some(info.metadata.num_params),
        true,
    );
    counts.sort_unstable();
    counts.dedup();
    counts
}
