//! The files that programs need, and why.

use std::path::Path;
use std::rc::Rc;

use rhai::{Dynamic, Map};

use super::data;
use crate::host::elf;
use crate::plan::{Gatherer, Piece};
use crate::script::binding::argument::HostProgram;
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::value::SharedNeeds;
use crate::script::binding::verb::{Verb, verbs};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["dependencies.rs";
    fn dependencies,
    fn libraries,
    fn data,
];

options! {
    /// What to list.
    struct Needed {
        /// also lists what well-known programs open while they run
        data: bool = "false",
    }
}

/// Returns what a program needs to be loaded, and why: its loader and its libraries.
///
/// The value prints as a tree; `.libraries()` returns the paths. The program is never executed.
/// With `data`, the value includes what the program opens while it runs; see `binary`.
///
/// # Errors
/// The program does not exist, or the kernel could not load it.
///
/// # Example
/// ```rhai
/// print(dependencies("sh"));
/// print(dependencies("sh").libraries());
/// print(dependencies("sh", #{ data: true }));
/// ```
/// # See
/// ld.so(8), elf(5)
fn dependencies(
    call: &Call<'_, '_>,
    program: HostProgram,
    options: Needed,
) -> Result<SharedNeeds, VerbError> {
    let host = call.context.runner.host();
    host.tree.take_unseen();
    let search = host.environment.get("PATH").map(String::as_str);
    let Some(path) = host.tree.which(&program.0, search) else {
        let report = crate::plan::no_program(&program.0, host);
        return Err(call.fail(report));
    };
    let mut loader = elf::Loader::new(&host.tree);
    let needs = loader.needs(&path);
    let needs = needs.map_err(|error| call.fail(crate::plan::unreadable(&error, host)))?;
    let gather = |table| Rc::new(Gatherer::new(host, table).gather(&mut loader, &needs));
    let data = data::table(options.data).map(gather);
    if let Some(unseen) = host.tree.take_unseen() {
        return Err(call.fail(unseen.into()));
    }
    Ok(SharedNeeds { needs: Rc::new(needs), data })
}

/// Returns the paths of the loader and the libraries that a program needs, in load order.
///
/// # Example
/// ```rhai
/// for path in dependencies("sh").libraries() { print(path); }
/// ```
/// # See
/// ld.so(8)
fn libraries(_call: &Call<'_, '_>, needs: SharedNeeds) -> Vec<String> {
    let paths = needs.needs.library_paths();
    paths.into_iter().map(|path| path.to_string_lossy().into_owned()).collect()
}

/// Returns what a program opens while it runs: rows of `path`, `by` and `why`.
///
/// `by` is the program or library that opens the file. The array is empty unless `dependencies` was called
/// with `data: true`.
///
/// # Example
/// ```rhai
/// table(dependencies("sh", #{ data: true }).data());
/// ```
fn data(_call: &Call<'_, '_>, needs: SharedNeeds) -> Vec<Map> {
    let pieces = needs.data.iter().flat_map(|data| &data.pieces);
    let row = |piece: &Piece| {
        let text = |path: &Path| Dynamic::from(path.to_string_lossy().into_owned());
        let (path, by) = (text(piece.path()), text(&piece.by));
        Map::from([
            ("path".into(), path),
            ("why".into(), piece.why.clone().into()),
            ("by".into(), by),
        ])
    };
    pieces.map(row).collect()
}
