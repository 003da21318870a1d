//! The store of roots, looked at and swept.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use super::args::Store as What;
use super::exit::{FAILED, Ui, print};
use crate::diag::{Report, Sources, bytes, count};
use crate::run::{Listed, Runner, Store};

/// Does what the words after `nsscript store` say.
pub(super) fn store(what: &What, ui: Ui) -> ExitCode {
    match text(what) {
        Ok(text) => print(&text, ui),
        Err(report) => {
            ui.say(&report, &Sources::default());
            ExitCode::from(FAILED)
        }
    }
}

fn text(what: &What) -> Result<String, Report> {
    let runner = Runner::new();
    let place = Store::place(runner.host()).ok_or_else(|| {
        Report::error("there is no place for a store: neither `XDG_CACHE_HOME` nor `HOME` is set")
    })?;
    if *what == What::Path {
        return Ok(format!("{}\n", place.display()));
    }
    let store = Store::open(&place)?;
    Ok(match what {
        What::List { json: false } => table(&store.list()?),
        What::List { json: true } => {
            let roots: Vec<_> = store.list()?.iter().map(outline).collect();
            format!("{:#}\n", serde_json::Value::Array(roots))
        }
        What::Show(digest) => store.show(digest)?.text().to_owned(),
        What::Collect(days) => {
            let since = days.map(|days| Duration::from_secs(days.saturating_mul(86_400)));
            // Longer ago than time goes back, nothing was used.
            let since = since.map(|ago| SystemTime::now().checked_sub(ago));
            let (number, size) = match since {
                Some(None) => (0, 0),
                Some(since) => store.collect(since)?,
                None => store.collect(None)?,
            };
            format!("{} removed, {}\n", count(number, "root"), bytes(size))
        }
        What::Path => String::new(),
    })
}

fn table(roots: &[Listed]) -> String {
    let mut out = String::new();
    for root in roots {
        let (entries, size) = (count(root.entries, "entry"), bytes(root.size));
        let entries = entries.replace("entrys", "entries");
        out.push_str(&format!("{}  {entries:>14}  {size:>10}  {}\n", root.digest, used(root)));
    }
    out
}

/// When a root was used last, in words.
fn used(root: &Listed) -> String {
    let ago = SystemTime::now().duration_since(root.used).unwrap_or_default().as_secs();
    match ago {
        0..120 => "just now".into(),
        120..7200 => format!("{} minutes ago", ago / 60),
        7200..172_800 => format!("{} hours ago", ago / 3600),
        _ => format!("{} days ago", ago / 86_400),
    }
}

fn outline(root: &Listed) -> serde_json::Value {
    let used = root.used.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    serde_json::json!({
        "digest": root.digest,
        "tree": root.tree.to_string_lossy(),
        "entries": root.entries,
        "size": root.size,
        "used": used,
    })
}
