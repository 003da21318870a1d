//! The processes of a prompt, with their namespaces, ids and mounts.

use std::rc::Rc;

use rhai::Dynamic;

use super::Prompt;
use crate::diag::{Column, count, table};
use crate::run::Whereabouts;
use crate::script::binding::value::ProcessHandle;
use crate::spec::Kind;

/// The maximum number of mounts listed.
const MOUNTS: usize = 12;

impl Prompt {
    /// The running sandboxes and closures, as a table.
    #[must_use]
    pub fn sandboxes(&self) -> String {
        let living = self.living();
        if living.is_empty() {
            return "no sandbox is running; start one with `let it = \
                 sandbox(\"/\").start(\"sleep 100\")`"
                .into();
        }
        let (mut names, mut pids, mut commands) = (Vec::new(), Vec::new(), Vec::new());
        for (name, handle) in &living {
            let Some(process) = &handle.process else { continue };
            let Ok(process) = process.try_borrow() else { continue };
            names.push(name.clone());
            pids.push(process.pid().to_string());
            let is_closure = process.is_closure();
            commands.push(if is_closure {
                "|| …".into()
            } else {
                process.plan().command.shown()
            });
        }
        let column = |head: &str, cells| Column { head: head.into(), cells, is_right: false };
        table(&[column("name", names), column("pid", pids), column("runs", commands)])
    }

    /// The namespaces, ids, roots and mounts of this process and of all that it started.
    #[must_use]
    pub fn whereabouts(&self) -> String {
        let here = self.script.context.runner.whereabouts();
        let mut rows = vec![("here".to_owned(), here.clone())];
        for (name, handle) in self.living() {
            let process = handle.process.as_ref().and_then(|process| process.try_borrow().ok());
            rows.extend(process.map(|process| (name, process.whereabouts())));
        }
        let mut columns = vec![Column {
            head: "name".into(),
            cells: rows.iter().map(|(name, _)| name.clone()).collect(),
            is_right: false,
        }];
        let pids = rows.iter().map(|(_, place)| place.pid.to_string()).collect();
        columns.push(Column { head: "pid".into(), cells: pids, is_right: true });
        for kind in Kind::ALL {
            let cell = |(index, (_, place)): (usize, &(String, Whereabouts))| match (
                inode(place, kind),
                inode(&here, kind),
            ) {
                (None, _) => "-".to_owned(),
                (Some(own), Some(outer)) if index > 0 && own == outer => "=".into(),
                (Some(own), _) => own.to_string(),
            };
            let cells = rows.iter().enumerate().map(cell).collect();
            columns.push(Column { head: kind.file().into(), cells, is_right: true });
        }
        let mut out = table(&columns);
        for (index, (name, place)) in rows.iter().enumerate() {
            out.push_str(&format!("\n\n{name}\n{}", about(place, (index > 0).then_some(&here))));
        }
        out
    }

    /// The processes held by variables, and those held only by the record of the prompt.
    fn living(&self) -> Vec<(String, ProcessHandle)> {
        let state = self.state.borrow();
        let mut living: Vec<(String, ProcessHandle)> = Vec::new();
        for (name, _, value) in state.scope.iter() {
            held(name, &value, &mut living);
        }
        for input in &state.inputs {
            input.live.iter().for_each(|value| held(super::IT, value, &mut living));
        }
        living.retain(|(_, handle)| handle.running());
        living
    }
}

/// Adds the processes in a value, each once.
fn held(name: &str, value: &Dynamic, living: &mut Vec<(String, ProcessHandle)>) {
    if let Some(handle) = value.read_lock::<ProcessHandle>() {
        let own = handle.process.as_ref().map(Rc::as_ptr);
        let is_known =
            living.iter().position(|(_, known)| known.process.as_ref().map(Rc::as_ptr) == own);
        match is_known {
            // A variable's name says more than `it`.
            Some(index) if living[index].0 == super::IT => name.clone_into(&mut living[index].0),
            Some(_) => {}
            None => living.push((name.to_owned(), handle.clone())),
        }
    } else if let Some(array) = value.read_lock::<rhai::Array>() {
        for (index, value) in array.iter().enumerate() {
            held(&format!("{name}[{index}]"), value, living);
        }
    } else if let Some(map) = value.read_lock::<rhai::Map>() {
        for (key, value) in map.iter() {
            held(&format!("{name}.{key}"), value, living);
        }
    }
}

fn inode(place: &Whereabouts, kind: Kind) -> Option<u64> {
    place.namespaces.iter().find(|(known, _)| *known == kind).map(|(_, inode)| *inode)
}

/// Ids, root and mounts of a place; of the mounts, those that differ from `here`.
fn about(place: &Whereabouts, here: Option<&Whereabouts>) -> String {
    let mut lines = Vec::new();
    if let Some((uid, gid)) = place.ids {
        lines.push(format!("  user {uid}, group {gid}; {}", place.mapped()));
    }
    if let Some(root) = &place.root {
        lines.push(format!("  root {}", root.display()));
    }
    let line = |mount: &crate::host::mountinfo::Mount| {
        format!("{} on {} ({})", mount.kind, mount.target, mount.options)
    };
    let others: Vec<String> = here.iter().flat_map(|here| here.mounts.iter().map(line)).collect();
    let own: Vec<String> = place.mounts.iter().map(line).collect();
    let differing: Vec<&String> = own.iter().filter(|one| !others.contains(one)).collect();
    match here {
        None => lines.push(format!("  {}", count(own.len(), "mount"))),
        Some(_) if own.is_empty() => lines.push("  mounts: permission denied".into()),
        Some(_) => {
            let all = count(own.len(), "mount");
            lines.push(format!("  {all}, {} of them not here:", differing.len()));
            let most = differing.iter().take(MOUNTS).map(|mount| format!("    {mount}"));
            lines.extend(most);
            if differing.len() > MOUNTS {
                lines.push(format!("    … and {} more", differing.len() - MOUNTS));
            }
        }
    }
    lines.join("\n")
}
