//! `nsscript store`: lists, checks and cleans the store of layers.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use super::args::Store as What;
use super::exit::{FAILED, Ui, print};
use crate::diag::{Report, Sources, bytes, count, escape};
use crate::json;
use crate::plan::Came;
use crate::run::{Listed, Runner, Store, StoreError};

/// Runs a command of `nsscript store`.
pub(super) fn store(what: &What, ui: Ui) -> ExitCode {
    match text(what) {
        Ok((text, is_whole)) => match print(&text, ui) {
            ExitCode::SUCCESS if !is_whole => ExitCode::from(CHANGED),
            code => code,
        },
        Err(report) => {
            ui.say(&report, &Sources::default());
            ExitCode::from(FAILED)
        }
    }
}

/// The exit status of `verify` if a layer has changed.
const CHANGED: u8 = 1;

/// The output, and whether the store is intact, as far as the command checks it.
fn text(what: &What) -> Result<(String, bool), Report> {
    let runner = Runner::new();
    let place = Store::place(runner.host()).ok_or_else(|| {
        Report::error("no directory for the store: set `XDG_CACHE_HOME` or `HOME`")
    })?;
    if *what == What::Path {
        return Ok((format!("{}\n", place.path.display()), true));
    }
    let store = Store::open(&place).map_err(StoreError::into_report)?;
    if *what == What::Verify {
        return verified(&store, &runner);
    }
    let text = match what {
        What::List { json: false } => table(&store.list()?),
        What::List { json: true } => {
            let layers = store.list()?.iter().map(document).collect();
            json::text(&json::Layers { version: json::Version, layers })
        }
        What::Show(digest) => store.show(digest)?.text().to_owned(),
        What::Collect(days) => {
            let since = days.map(|days| Duration::from_secs(days.saturating_mul(86_400)));
            // Nothing was used before the beginning of time.
            let since = since.map(|ago| SystemTime::now().checked_sub(ago));
            let (number, size) = match since {
                Some(None) => (0, 0),
                Some(since) => store.collect(&runner, since)?,
                None => store.collect(&runner, None)?,
            };
            format!("{} removed, {}\n", count(number, "layer"), bytes(size))
        }
        What::Path | What::Verify => String::new(),
    };
    Ok((text, true))
}

/// One line for each changed layer, and the number of intact ones.
fn verified(store: &Store, runner: &Runner) -> Result<(String, bool), Report> {
    let (mut out, mut whole, mut changed) = (String::new(), 0, 0);
    for listed in store.list()? {
        match store.verify(runner, &listed.name) {
            None => whole += 1,
            Some(place) => {
                changed += 1;
                out.push_str(&format!("{}  {place}\n", listed.digest));
            }
        }
    }
    out.push_str(&format!("{} intact, {changed} changed\n", count(whole, "layer")));
    Ok((out, changed == 0))
}

fn table(layers: &[Listed]) -> String {
    let mut out = String::new();
    for layer in layers {
        let (entries, size) = (count(layer.entries, "entry"), bytes(layer.size));
        let entries = entries.replace("entrys", "entries");
        let (used, came) = (last_use(layer), origin(layer));
        out.push_str(&format!("{}  {entries:>13}  {size:>9}  {used:<14}  {came}\n", layer.digest));
    }
    out
}

/// The origin of a layer as text.
fn origin(layer: &Listed) -> String {
    let came = match &layer.came {
        None => "assembled".into(),
        Some(Came::Archive(file)) => escape(&file.to_string_lossy()),
        Some(Came::Changes) => "changes of a sandbox".into(),
    };
    if layer.of_others { format!("{came}, for mapped ids") } else { came }
}

/// The time of the last use of a layer as text.
fn last_use(layer: &Listed) -> String {
    let ago = SystemTime::now().duration_since(layer.used).unwrap_or_default().as_secs();
    match ago {
        0..120 => "just now".into(),
        120..7200 => format!("{} minutes ago", ago / 60),
        7200..172_800 => format!("{} hours ago", ago / 3600),
        _ => format!("{} days ago", ago / 86_400),
    }
}

/// The layer as a program reads it.
fn document(layer: &Listed) -> json::Layer {
    json::Layer {
        digest: layer.digest.clone(),
        tree: layer.tree.to_string_lossy().into_owned(),
        entries: layer.entries,
        size: layer.size,
        from: layer.came.as_ref().map(|came| match came {
            Came::Archive(file) => file.to_string_lossy().into_owned(),
            Came::Changes => "changes".into(),
        }),
        mapped: layer.of_others,
        used: layer.used.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs(),
    }
}
