//! Programs that are not found: hidden, behind a dangling link, outside `PATH`, or missing.

use std::path::PathBuf;

use crate::diag::{Report, closest, escape, quoted};
use crate::host::DEFAULT_PATH;
use crate::plan::{At, Planned};
use crate::run::advice::guest::Guest;
use crate::run::advice::hint;
use crate::spec::GuestPath;

/// A program that could not be executed.
pub(super) struct Wanted<'a> {
    pub guest: &'a Guest<'a>,
    pub program: &'a str,
    /// The directories that were searched, if it has no `/`.
    pub search: &'a [String],
    /// The paths that were tried.
    pub candidates: Vec<String>,
}

impl Wanted<'_> {
    /// Reports a program that was not found at any candidate path.
    pub fn not_found(&self, mut report: Report) -> Report {
        let shown = quoted(self.program);
        report.message = format!("program {shown} not found {}", self.guest.words());
        if !self.program.contains('/') {
            let path = quoted(self.search.join(":"));
            report = report.note(format!("searched {path}"));
        }
        for path in &self.candidates {
            if let Some(by) = self.guest.hidden_by(path) {
                return self.hidden(report, path, by);
            }
            if let Some(link) = self.dangles(path) {
                return self.dangling(report, path, &link);
            }
        }
        if self.program.contains('/') { self.no_path(report) } else { self.no_name(report) }
    }

    /// The dangling link in a path.
    fn dangles(&self, path: &str) -> Option<(GuestPath, String)> {
        let link = self.guest.find(path)?.link?;
        let leads = self.guest.find(link.0.as_str())?;
        (leads.at == At::Nothing).then_some(link)
    }

    /// Reports a program that a later mount hides.
    fn hidden(&self, mut report: Report, path: &str, by: &Planned) -> Report {
        let place = hint::target(&by.action).map_or("/", GuestPath::as_str);
        let (path_shown, shown) = (quoted(path), quoted(place));
        report.message = format!("{}: {shown} hides {path_shown}", report.message);
        let is_made = GuestPath::new(path).is_ok_and(|path| {
            let makes =
                |planned: &Planned| hint::target(&planned.action).is_some_and(|made| *made == path);
            self.guest.plan.actions.iter().any(makes)
        });
        let (_, name) = path.rsplit_once('/').unwrap_or_default();
        let hint = if is_made {
            format!("move the line that mounts on {shown} before the one that makes {path_shown}")
        } else if self.guest.is_built() {
            self.elsewhere(place, name)
        } else {
            format!("add `.bind(\"{}\")` after the mount", escape(path))
        };
        report.related(by.origin.as_ref(), "hidden by this").advise("program_hidden", hint)
    }

    /// The hint for a program of the root at a path that a mount covers.
    fn elsewhere(&self, place: &str, name: &str) -> String {
        let mounted = quoted(place);
        // Another place for the program does not help if its libraries are hidden as well.
        if self.guest.covered_by("/usr/lib").is_some() {
            return format!("mount elsewhere: {mounted} also hides the libraries of the program");
        }
        // On most hosts `/bin` is a link to `/usr/bin`, and an assembled root has it, too.
        let is_same = |directory: &str| place == "/bin" && directory == "/usr/bin";
        let is_open =
            |directory: &&str| !is_same(directory) && self.guest.covered_by(directory).is_none();
        let directory = ["/usr/bin", "/opt"].into_iter().find(is_open).unwrap_or("/srv");
        let of_host = self.guest.layers.host().tree.which(name, None).is_some();
        let name = escape(name);
        let verb = format!(" with `binary(\"{name}\", #{{ into: \"{directory}\" }})`");
        format!(
            "put the program at a path outside {mounted}, such as `{directory}/{name}`{}, or mount \
             elsewhere",
            if of_host { verb.as_str() } else { "" }
        )
    }

    /// Reports a dangling link.
    fn dangling(&self, mut report: Report, path: &str, link: &(GuestPath, String)) -> Report {
        let (place, says) = link;
        let target = if says.starts_with('/') {
            GuestPath::new(says).ok()
        } else {
            place.parent().and_then(|above| above.join(says).ok())
        };
        let (shown, link) = (quoted(path), quoted(place.as_str()));
        report.message = format!(
            "cannot execute {shown}: the link {link} leads to {}, which does not exist",
            quoted(says)
        );
        let Some(target) = target else { return report };
        if self.guest.is_here() || self.on_host(target.as_str()).is_none() {
            let hint = "replace the link with one to a file that exists";
            return report.advise("link_dangles", hint);
        }
        let hint = match (self.guest.is_built(), self.guest.find(path).is_some()) {
            (true, _) if target.as_str().starts_with("/usr/") => {
                format!(
                    "add the target of the link to the root with \
                         `rootfs().binary(\"{target}\")`"
                )
            }
            _ => {
                let tree = escape(installed_at(target.as_str()));
                format!(
                    "the target of the link exists on the host: add `.bind(\"{tree}\", #{{ \
                     read_only: true }})`"
                )
            }
        };
        report.advise("link_leads_outside", hint)
    }

    /// Reports a path that does not exist.
    fn no_path(&self, report: Report) -> Report {
        let (above, name) = self.program.rsplit_once('/').unwrap_or_default();
        let names = self.guest.names(if above.is_empty() { "/" } else { above });
        if let Some(near) = closest(name, names.iter().map(String::as_str)) {
            let near = quoted(format!("{above}/{near}"));
            return report.advise("program_near", format!("did you mean {near}?"));
        }
        if self.guest.is_here() {
            return report;
        }
        let path = escape(self.program);
        let covering = self.guest.covered_by(self.program).filter(|_| self.guest.is_built());
        match (self.on_host(self.program), covering) {
            (Some(_), Some(by)) => {
                let place = hint::target(&by.action).map_or("/", GuestPath::as_str);
                let hint = self.elsewhere(place, name);
                report.related(by.origin.as_ref(), "mounted here").advise("program_covered", hint)
            }
            (Some(_), None) if self.guest.is_built() => report.advise(
                "program_of_host",
                format!(
                    "the path is looked up inside the sandbox, and the host has a program there: \
                     add it to the root with `.binary(\"{path}\")`"
                ),
            ),
            (Some(_), None) => report.advise(
                "program_of_host_only",
                format!(
                    "the path is looked up inside the sandbox, and the host has a program there: \
                     add `.bind(\"{path}\")`"
                ),
            ),
            (None, _) => report.advise(
                "path_inside",
                "the path is looked up inside the sandbox, and neither the sandbox nor the host \
                 has a program there: give another path",
            ),
        }
    }

    /// Reports a name that no directory contains.
    fn no_name(&self, report: Report) -> Report {
        let program = self.program;
        let others = DEFAULT_PATH.split(':').filter(|other| {
            !self.search.iter().any(|directory| directory.trim_end_matches('/') == *other)
        });
        let is_program =
            |path: &String| self.guest.find(path).is_some_and(|found| found.at == At::File);
        if let Some(path) = others.map(|it| format!("{it}/{program}")).find(is_program) {
            let path = quoted(path);
            return report.advise(
                "program_off_path",
                format!("{path} exists, but its directory is not in `PATH`: use this path"),
            );
        }
        let names = self.search.iter().flat_map(|directory| self.guest.names(directory));
        let names: Vec<String> = names.collect();
        if let Some(near) = closest(program, names.iter().map(String::as_str)) {
            return report.advise("program_like", format!("did you mean {}?", quoted(near)));
        }
        let on_host = self.guest.layers.host().tree.which(program, None);
        let shown = quoted(program);
        let binary = format!("rootfs().binary(\"{}\")", escape(program));
        match (on_host, self.guest.is_here(), self.guest.is_built()) {
            (_, true, _) if self.guest.is_of_host() => report.advise(
                "program_not_here",
                format!("install {shown}, or give the path of a program"),
            ),
            (_, true, _) => report.advise(
                "program_not_in_own_root",
                format!(
                    "this root contains only what the recipe added: add the program with \
                     `{binary}.build(directory)`, and make that directory the root"
                ),
            ),
            (Some(_), _, true) => {
                report.advise("program_not_in_root", format!("add it to the root with `{binary}`"))
            }
            (None, _, true) => report.advise(
                "program_nowhere",
                format!(
                    "the host has no {shown} either: install it, and add it to the root with \
                         `{binary}`"
                ),
            ),
            (_, _, false) => report.advise(
                "program_not_in_directory",
                format!(
                    "the root is a directory of the host: install {shown} there, or choose a \
                         program that it contains"
                ),
            ),
        }
    }

    /// The program at a path of the host.
    fn on_host(&self, path: &str) -> Option<PathBuf> {
        self.guest.layers.host().tree.which(path, None)
    }
}

/// The directory in which a program is installed with its files: the one above `bin`.
pub(super) fn installed_at(path: &str) -> &str {
    let (directory, _) = path.rsplit_once('/').unwrap_or_default();
    match directory.rsplit_once('/') {
        Some((above, "bin" | "sbin")) if above.len() > 1 => above,
        _ => path,
    }
}
