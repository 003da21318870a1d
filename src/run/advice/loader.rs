//! Causes of a failed execve(2), determined from the files, because the call has few errors.

mod absent;

use self::absent::{Wanted, installed_at};
use super::guest::Guest;
use crate::diag::{Origin, Report, count, escape, list, quoted};
use crate::host::elf::{self, Role};
use crate::ops::{At, Execute, FileOver, Op, Place};
use crate::spec::{Command, GuestPath};
use crate::sys::Errno;

/// How many scripts may be interpreters of scripts: execve(2).
const MOST_SCRIPTS: usize = 4;

/// Adds the known causes of the failure to execute `command` to a report.
pub(in crate::run) fn explain(
    report: Report,
    guest: &Guest<'_>,
    command: &Command,
    search: &[String],
    errno: Errno,
) -> Report {
    let program = command.program();
    let candidates = candidates(program, search);
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
    for _ in 0..MOST_SCRIPTS {
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
    let missing = Guest::missing(&needs);
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
    let hint = with_needs(guest, &place, path);
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

/// Whether the last mount that holds a file lets it be executed, and the line that mounts it.
fn mount_of<'a>(guest: &Guest<'a>, found: &Place) -> Option<(bool, Option<&'a Origin>)> {
    guest.plan.actions.iter().rev().find_map(|planned| {
        let (target, exec) = match &planned.action {
            Op::Bound(bind) => (&bind.target, bind.attributes.exec),
            Op::Mounted(mount) => (&mount.target, mount.options.attributes.exec),
            _ => return None,
        };
        found.place.is_within(target).then_some((exec, planned.origin.as_ref()))
    })
}

/// Reports a program that exists but may not be executed.
fn forbidden(report: Report, guest: &Guest<'_>, path: &str, found: &Place) -> Report {
    let shown = quoted(path);
    if found.at == At::Directory {
        let hint = format!("{shown} is a directory: give the path of a program in it");
        return report.advise("program_is_a_directory", hint);
    }
    if let Some((false, origin)) = mount_of(guest, found) {
        let report = report.related(origin, "mounted without `exec` here");
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
    let Some(bits) = guest.mode(&found.place).filter(|bits| bits & 0o111 == 0) else {
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

/// The paths that are tried for a program.
fn candidates(program: &str, search: &[String]) -> Vec<String> {
    if program.contains('/') {
        return vec![program.to_owned()];
    }
    search.iter().map(|directory| format!("{directory}/{program}")).collect()
}

/// The error of execve(2) for a program, if it is certain that it will fail.
pub(in crate::run) fn foresee(guest: &Guest<'_>, execute: &Execute) -> Option<Errno> {
    let mut errno = Errno::ENOENT;
    for path in candidates(execute.command.program(), &execute.search) {
        // A path from the working directory is not known.
        let found = guest.find(&path)?;
        match found.at {
            // The kernel says ELOOP.
            At::Nothing if guest.is_circle(&found) => return None,
            At::Nothing => {}
            At::Directory => errno = Errno::EACCES,
            At::File if is_forbidden(guest, &found)? => errno = Errno::EACCES,
            At::File if lacks_loader(guest, &found)? => {}
            At::File | At::Link(_) | At::Unknown => return None,
        }
    }
    Some(errno)
}

/// Whether nobody can execute a file; `None` if that is not known.
fn is_forbidden(guest: &Guest<'_>, found: &Place) -> Option<bool> {
    let mode = guest.mode(&found.place)?;
    let is_mounted_without_exec = mount_of(guest, found).is_some_and(|(exec, _)| !exec);
    Some(mode & 0o111 == 0 || is_mounted_without_exec)
}

/// Whether execve(2) would not find the interpreter or the loader of a program; `None` if that is
/// not known.
fn lacks_loader(guest: &Guest<'_>, found: &Place) -> Option<bool> {
    let mut place = found.place.clone();
    for _ in 0..MOST_SCRIPTS {
        let Some(interpreter) = guest.interpreter(&place) else { break };
        let found = guest.find(interpreter.to_str()?)?;
        if found.at == At::Nothing {
            return Some(true);
        }
        place = found.place;
    }
    let needs = guest.needs(&place)?.ok()?;
    Some(Guest::missing(&needs).iter().any(|(_, _, role)| *role == Role::Loader))
}

/// The report of a program that starts, but lacks a library, or the program that `env` is to run:
/// its loader, or env(1), exits with status 127.
pub(in crate::run) fn lacks(guest: &Guest<'_>, execute: &Execute) -> Option<Report> {
    let candidates = candidates(execute.command.program(), &execute.search);
    let mut found = candidates.iter().filter_map(|path| Some((path, guest.find(path)?)));
    let (path, found) = found.find(|(_, found)| found.at == At::File)?;
    // These name other directories and libraries.
    let is_of_loader = |(name, _): &(String, String)| name.starts_with("LD_");
    if execute.environment.iter().any(is_of_loader) {
        return None;
    }
    let needs = guest.needs(&found.place)?.ok()?;
    let missing = Guest::missing(&needs);
    let (name, by, role) = missing.iter().find(|(_, _, role)| *role != Role::Loader)?;
    let (shown, by) = (quoted(name.to_string_lossy()), quoted(by.to_string_lossy()));
    let what = match role {
        Role::Program => format!("the program {shown}, which it asks `env` for,"),
        Role::Library | Role::Loader => format!("the library {shown}, which {by} needs,"),
    };
    let path = quoted(path);
    let message = format!("cannot execute {path}: {what} is not {}", guest.words());
    let mut report = Report::error(message);
    (report.facts.errno, report.facts.status) = (Some(Errno::ENOENT.code()), Some(127));
    if *role == Role::Program {
        let name = name.to_string_lossy();
        let hint = if guest.is_built() {
            format!("add it to the root with `rootfs().binary(\"{}\")`", escape(&name))
        } else {
            format!("install {shown} there, or change the first line of {path}")
        };
        return Some(report.advise("interpreter_of_env", hint));
    }
    Some(report.advise("library_not_inside", with_needs(guest, &found.place, path.as_ref())))
}

/// The hint for a program whose needs are not inside.
fn with_needs(guest: &Guest<'_>, place: &GuestPath, path: &str) -> String {
    if guest.is_in_built_root(place) {
        return "add the program with `.binary(program)` instead of `.copy`, which leaves out the \
                files that it needs; `dependencies(program)` lists them"
            .to_owned();
    }
    let program = guest.on_host(place).unwrap_or_else(|| path.into());
    let program = escape(&program.to_string_lossy());
    format!(
        "build the root with `rootfs().binary(\"{program}\")`, which adds the files that the \
         program needs; `dependencies(\"{program}\")` lists them"
    )
}
