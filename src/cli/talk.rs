//! What a conversation has of the command line, and recipes that stop for one.

use std::rc::Rc;

use super::args::Explain;
use super::exit::Ui;
use super::explain;
use crate::diag::{Origin, print};
use crate::repl::{Conversation, Voice};
use crate::run;
use crate::script::{Dialog, Script};

/// What a conversation has of the command line.
pub(super) fn voice(ui: Ui) -> Voice {
    Voice {
        say: Box::new(move |report, sources| ui.say(report, sources)),
        teller: Box::new(|| explain::teller(Explain::Human)),
        colour: ui.has_colour(),
    }
}

/// Has a recipe that stops talk to the person at the terminal; without one it does not stop.
pub(super) fn at_breaks(script: &Rc<Script>, ui: Ui) {
    if !script.may_stop() || !run::has_terminal() {
        return;
    }
    let talk = move |dialog: &Rc<Dialog>, origin: Option<&Origin>| {
        let mut place = "breakpoint".to_owned();
        if let Some(origin) = origin {
            let line = dialog.sources().line(&origin.source, origin.line).unwrap_or_default();
            // Whoever does not see it says nothing either, and the recipe goes on.
            let _ = print(&format!("stopped at {origin}\n{:>4} │ {line}\n", origin.line));
            let file = origin.source.rsplit('/').next().unwrap_or_default();
            place = format!("{file}:{}", origin.line);
        }
        Conversation::new(dialog, &voice(ui)).interlude(&place)
    };
    Dialog::at_breakpoints(script, Box::new(talk));
}
