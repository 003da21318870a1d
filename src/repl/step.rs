//! `--step`: asks before each action.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::rc::Rc;

use crate::diag::escape;
use crate::run::{Answer, Ask, Pause};

/// The answers that a person can give.
const HELP: &str = "\
next (or Enter)  performs this action, and stops before the next one
continue         performs this action and all others without stopping
look             shows the namespaces, ids and mounts of the process that performs it
shell            runs a shell in the namespaces of that process, as built so far
quit             stops here: no further action is performed";

/// The maximum number of mounts shown, newest last.
const MOUNTS: usize = 8;

/// Creates the function that asks at the terminal before each action.
///
/// # Errors
/// No descriptor is left for a copy of the terminal.
pub fn stepper() -> std::io::Result<Ask> {
    let input = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let output = File::from(std::io::stderr().as_fd().try_clone_to_owned()?);
    Ok(Rc::new(move |pause| ask(pause, &input, &output)))
}

fn ask(pause: &Pause, input: &File, mut output: &File) -> Answer {
    let number = pause.number.map(|(number, of)| format!("{number} of {of}: ")).unwrap_or_default();
    let place = pause.origin.as_ref().map(|origin| format!("  ({origin})")).unwrap_or_default();
    let side = if pause.is_inside { "new process" } else { "nsscript" };
    // If this cannot be printed, no answer comes either, and no further action is performed.
    let _ = writeln!(output, "▸ {number}{side}: {}{place}", escape(&pause.sentence));
    loop {
        let _ = write!(output, "step> ").and_then(|()| output.flush());
        let Some(line) = pause.line(input) else { return Answer::Quit };
        match line.trim() {
            "" | "n" | "next" => return Answer::Next,
            "c" | "continue" => return Answer::Continue,
            "q" | "quit" => return Answer::Quit,
            "l" | "look" => {
                let _ = writeln!(output, "{}", look(pause));
            }
            "s" | "shell" => {
                if let Err(error) = pause.shell(input, output) {
                    let why = crate::diag::os_error(&error);
                    let _ = writeln!(output, "cannot run a shell here: {why}");
                }
            }
            _ => {
                let _ = writeln!(output, "{HELP}");
            }
        }
    }
}

/// The namespaces, ids and mounts of the process that continues.
fn look(pause: &Pause) -> String {
    let place = pause.whereabouts();
    let namespaces: Vec<_> =
        place.namespaces.iter().map(|(kind, inode)| format!("{}:{inode}", kind.file())).collect();
    let mut out = format!("process {}\n  {}", place.pid, namespaces.join(" "));
    if let Some((uid, gid)) = place.ids {
        out.push_str(&format!("\n  user {uid}, group {gid}; {}", place.mapped()));
    }
    let newest = place.mounts.len().saturating_sub(MOUNTS);
    out.push_str(&format!("\n  {} mounts, the newest:", place.mounts.len()));
    for mount in &place.mounts[newest..] {
        out.push_str(&format!("\n    {} on {} ({})", mount.kind, mount.target, mount.options));
    }
    out
}
