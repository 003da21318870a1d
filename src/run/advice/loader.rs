//! Causes of a failed execve(2), determined from the files, because the call has few errors.

mod absent;

use std::os::unix::fs::MetadataExt;

use self::absent::{Wanted, installed_at};
use super::guest::Guest;
use crate::diag::{Report, count, escape, list, quoted};
use crate::host::DEFAULT_PATH;
use crate::host::elf::{self, Role};
use crate::ops::{At, FileOver, Op, Place};
use crate::spec::Command;
use crate::sys::Errno;

/// Adds the known causes of the failure to execute `command` to a report.
pub(in crate::run) fn explain(
    report: Report,
    guest: &Guest<'_>,
    command: &Command,
    search: &[String],
    errno: Errno,
) -> Report {
    let program = command.program();
    let candidates: Vec<String> = if program.contains('/') {
        vec![program.to_owned()]
    } else {
        search.iter().map(|directory| format!("{directory}/{program}")).collect()
    };
    let wanted = Wanted { guest, program, search, candidates };
    let there = wanted.candidates.iter().find_map(|path| {
        let found = guest.find(path)?;
        (found.at != At::Nothing).then_some((path, found))
    });
    match (errno.name().as_str(), there) {
        ("ENOENT", Some((path, found))) => because_of_loader(report, guest, path, &found),
        ("ENOENT", None) if program.contains('/') && guest.find(program).is_none() => report.advise(
            "nothing_known",
            "check that the program and its loader exist inside, which nsscript cannot see from \
             outside",
        ),
        ("ENOENT", None) => wanted.not_found(report),
        ("EACCES", Some((path, found))) => forbidden(report, guest, path, &found),
        ("EACCES", None) if guest.is_here() && !program.contains('/') => {
            let mut report = report.note("you may not search some of the directories");
            report.facts.status = Some(127);
            wanted.not_found(report)
        }
        ("ENOEXEC", _) => report.advise(
            "no_format",
            "the file is not a program for this machine: use an ELF file for this processor, or a \
             script that begins with a line such as `#!/bin/sh`",
        ),
        ("EPERM", _) => report.advise(
            "capabilities_of_file",
            "the file has capabilities or a set-user-ID bit that this sandbox cannot give: mount it \
             without `suid`",
        ),
        ("E2BIG", _) => report.advise(
            "arguments_too_long",
            "the arguments and the environment are too long together: shorten them, or pass data \
             by `stdin`",
        ),
        _ => report,
    }
}

/// Explains ENOENT for an existing program: the loader is missing.
fn because_of_loader(report: Report, guest: &Guest<'_>, path: &str, found: &Place) -> Report {
    let shown = quoted(path);
    // An interpreter may itself be a script.
    let mut place = found.place.clone();
    for _ in 0..4 {
        let Some(interpreter) = guest.interpreter(&place) else { break };
        let name = interpreter.to_string_lossy().into_owned();
        match guest.find(&name) {
            Some(found) if found.at != At::Nothing => place = found.place,
            Some(_) => return no_interpreter(report, guest, path, &name),
            None => break,
        }
    }
    let needs = match guest.needs(&place) {
        Some(Ok(needs)) => needs,
        Some(Err(elf::ElfError { kind: elf::ElfErrorKind::InterpreterMissing(name), .. })) => {
            return no_interpreter(report, guest, path, &name.to_string_lossy());
        }
        Some(Err(elf::ElfError { kind: elf::ElfErrorKind::Unreadable(_), .. })) => {
            let hint = format!(
                "{shown} exists, but its loader does not; make the file readable with `chmod +r`, \
                 and nsscript can name the loader"
            );
            return report.advise("loader_unreadable", hint);
        }
        _ => return report,
    };
    let missing = guest.missing(&needs);
    // The kernel itself looks up only the loader or interpreter; libraries are loaded later.
    let first = missing.iter().position(|(_, _, role)| *role != Role::Library).unwrap_or(0);
    let Some((name, _, role)) = missing.get(first) else { return report };
    let what = match (role, &needs.kind) {
        (Role::Loader, _) => "its loader",
        (_, elf::Kind::Script(_)) => "its interpreter",
        _ => "the needed file",
    };
    let mut report = report;
    let shown_name = quoted(name.to_string_lossy());
    report.message =
        format!("cannot execute {shown}: {what} {shown_name} is not {}", guest.words());
    let others = missing.iter().enumerate().filter(|(index, _)| *index != first);
    let others: Vec<_> = others.map(|(_, (path, ..))| quoted(path.to_string_lossy())).collect();
    if !others.is_empty() {
        let number = count(others.len(), "more file");
        report = report.note(format!("and {number}: {}", list(&others, "and")));
    }
    let host = &guest.layers.host().tree;
    if !host.exists(name) {
        return report.advise(
            "loader_nowhere",
            format!(
                "the host has no {shown_name} either: install the package that contains it, or \
                 use a program for this machine"
            ),
        );
    }
    let hint = if guest.is_in_built_root(&place) {
        "add the program with `.binary(program)` instead of `.copy`, which leaves out the files \
         that it needs; `dependencies(program)` lists them"
            .to_owned()
    } else {
        let program = guest.on_host(&place).unwrap_or_else(|| path.into());
        let program = escape(&program.to_string_lossy());
        format!(
            "build the root with `rootfs().binary(\"{program}\")`, which adds the files that the \
             program needs; `dependencies(\"{program}\")` lists them"
        )
    };
    report.advise("loader_not_inside", hint)
}

/// Reports a script whose interpreter does not exist inside.
fn no_interpreter(mut report: Report, guest: &Guest<'_>, path: &str, name: &str) -> Report {
    let (shown, interpreter) = (quoted(path), quoted(name));
    report.message =
        format!("cannot execute {shown}: its interpreter {interpreter} is not {}", guest.words());
    if name.ends_with('\r') {
        let hint = format!(
            "the lines of {shown} end in CR LF: convert it with `sed -i \
                            's/\\r$//'`"
        );
        return report.advise("lines_of_dos", hint);
    }
    let host = &guest.layers.host().tree;
    let (_, base) = name.rsplit_once('/').unwrap_or(("", name));
    let search = guest.layers.host().environment.get("PATH").map(String::as_str);
    let own = host.which(base, search);
    match (host.which(name, None), own) {
        (Some(_), _) if guest.is_built() => report.advise(
            "interpreter_not_inside",
            format!("add it to the root with `rootfs().binary(\"{}\")`", escape(name)),
        ),
        (Some(_), _) => report.advise(
            "interpreter_of_host",
            format!("the host has it: add `.bind(\"{}\")`", escape(installed_at(name))),
        ),
        (None, Some(other)) => report.advise(
            "interpreter_elsewhere",
            format!("change the first line of {shown} to name {}", quoted(other.to_string_lossy())),
        ),
        (None, None) => report.advise(
            "interpreter_nowhere",
            format!(
                "the host has no {interpreter} either: install it, or name another interpreter in \
                     the first line of {shown}"
            ),
        ),
    }
}

/// Reports a program that exists but may not be executed.
fn forbidden(report: Report, guest: &Guest<'_>, path: &str, found: &Place) -> Report {
    let shown = quoted(path);
    if found.at == At::Directory {
        let hint = format!("{shown} is a directory: give the path of a program in it");
        return report.advise("program_is_a_directory", hint);
    }
    let holder = guest.plan.actions.iter().rev().find_map(|planned| {
        let (target, exec) = match &planned.action {
            Op::Bound(bind) => (&bind.target, bind.attributes.exec),
            Op::Mounted(mount) => (&mount.target, mount.options.attributes.exec),
            _ => return None,
        };
        found.place.is_within(target).then(|| (exec, planned.origin.clone()))
    });
    if let Some((false, origin)) = holder {
        let report = report.related(origin.as_ref(), "mounted without `exec` here");
        let hint = "add `exec: true` to the options of the mount";
        return report.advise("mounted_without_exec", hint);
    }
    let made = match guest.made_by(&found.place) {
        Some(Op::File(file) | Op::FileOver(FileOver(file))) => {
            Some(file.options.mode.unwrap_or(0o644))
        }
        _ => None,
    };
    if let Some(mode) = made.filter(|mode| mode & 0o111 == 0) {
        let hint = format!(
            "{shown} has mode {mode:04o}, so nobody can execute it: add `mode: 0o755` to the \
             options of `file`"
        );
        return report.advise("made_without_exec", hint);
    }
    let place = guest.on_host(&found.place);
    let file = place.and_then(|place| guest.layers.host().tree.metadata(&place).ok());
    let Some(bits) = file.map(|file| file.mode() & 0o7777).filter(|bits| bits & 0o111 == 0) else {
        return report;
    };
    let cannot = format!("{shown} has mode {bits:04o}, so nobody can execute it");
    if guest.is_in_built_root(&found.place) {
        let hint = format!("{cannot}: add `mode: 0o755` to the options of `file` in the `rootfs`");
        return report.advise("root_without_exec", hint);
    }
    report.advise(
        "file_without_exec",
        format!(
            "{cannot}: make it executable on the host with \
                                                `chmod +x`"
        ),
    )
}

/// The library that a program lacks inside. The loader itself then reports it and exits with 127.
pub(in crate::run) fn lacks(guest: &Guest<'_>, command: &Command) -> Option<String> {
    let program = command.program();
    let candidates: Vec<String> = if program.contains('/') {
        vec![program.to_owned()]
    } else {
        DEFAULT_PATH.split(':').map(|directory| format!("{directory}/{program}")).collect()
    };
    let mut found = candidates.iter().filter_map(|path| guest.find(path));
    let found = found.find(|found| found.at == At::File)?;
    let needs = guest.needs(&found.place)?.ok()?;
    let missing = guest.missing(&needs);
    let (name, by, _) = missing.iter().find(|(_, _, role)| *role == Role::Library)?;
    let (name, by) = (quoted(name.to_string_lossy()), quoted(by.to_string_lossy()));
    Some(format!("the library {name}, which {by} needs, is not in the sandbox"))
}
