//! Progress of long work: a bar on a terminal, occasional lines elsewhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::exit::Ui;
use crate::diag::{Format, bytes};
use crate::run::{Progress, Watcher};

/// Shorter work shows no progress.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often a line is written.
const EVERY: Duration = Duration::from_secs(5);
/// The template of a bar.
const STYLE: &str = "{bar:24}  {bytes} of {total_bytes}, {elapsed}  {wide_msg}";

/// Work in progress.
struct Work {
    what: String,
    begun: Instant,
    /// The display, after the first delay.
    shown: Option<Shown>,
}

enum Shown {
    Bar(ProgressBar),
    /// When the last line was written.
    Lines(Instant),
}

/// The display of progress on standard error. There is none if messages are for programs or
/// `NSSCRIPT_PROGRESS` is `never`, and no bar if it is `lines` or the terminal cannot move its
/// cursor.
pub(super) fn watcher(ui: Ui) -> Option<Watcher> {
    let asked = std::env::var_os("NSSCRIPT_PROGRESS").unwrap_or_default();
    if ui.format() != Format::Human || asked == "never" {
        return None;
    }
    let bars = asked != "lines";
    let work = Mutex::new(None);
    Some(Arc::new(move |progress: Progress<'_>| {
        let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
        update(&mut work, bars, progress);
    }))
}

fn update(work: &mut Option<Work>, bars: bool, progress: Progress<'_>) {
    if work.as_ref().is_none_or(|work| work.what != progress.what) {
        let (what, begun) = (progress.what.to_owned(), Instant::now());
        *work = Some(Work { what, begun, shown: None });
    }
    let Some(current) = work else { return };
    current.update(bars, progress);
    if progress.ended {
        *work = None;
    }
}

impl Work {
    fn update(&mut self, bars: bool, progress: Progress<'_>) {
        match &mut self.shown {
            None if progress.ended || self.begun.elapsed() < PATIENCE => {}
            None => self.shown = Some(self.display(bars, progress)),
            Some(Shown::Bar(bar)) if progress.ended => bar.finish_and_clear(),
            Some(Shown::Bar(bar)) => bar.set_position(progress.done),
            Some(Shown::Lines(_)) if progress.ended => {
                line(&format!("{}: {:.1} s", self.what, self.begun.elapsed().as_secs_f64()));
            }
            Some(Shown::Lines(last)) if last.elapsed() >= EVERY => {
                *last = Instant::now();
                line(&progress_text(&self.what, progress));
            }
            Some(Shown::Lines(_)) => {}
        }
    }

    fn display(&self, bars: bool, progress: Progress<'_>) -> Shown {
        let target = ProgressDrawTarget::stderr();
        let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        if !bars || dumb || target.is_hidden() {
            line(&progress_text(&self.what, progress));
            return Shown::Lines(Instant::now());
        }
        let bar = ProgressBar::with_draw_target(Some(progress.total), target);
        let style = ProgressStyle::with_template(STYLE);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("█▌ "));
        let bar = bar.with_elapsed(self.begun.elapsed()).with_message(self.what.clone());
        bar.set_position(progress.done);
        Shown::Bar(bar)
    }
}

/// The progress of work as text.
fn progress_text(what: &str, progress: Progress<'_>) -> String {
    match progress.total {
        0 => format!("{what} …"),
        total => format!("{what}: {} of {}", bytes(progress.done), bytes(total)),
    }
}

fn line(text: &str) {
    crate::diag::say(&format!("{}\n", crate::diag::escape(text)));
}
