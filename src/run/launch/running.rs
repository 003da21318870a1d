//! Running sandboxes of other nsscript processes: found, joined, and ended.
//!
//! A process of nsscript shows each of its sandboxes as a sealed file in memory among its
//! descriptors: see [`super::listing`]. Only processes that may trace it can read that file.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::bounds::Bounds;
use super::exit::Exit;
use super::join::{self, Station};
use super::launcher::Launcher;
use super::listing::LINK;
use super::process::Process;
use super::record::Record;
use super::stream::{Ends, Input};
use crate::diag::{Report, closest, list, quoted};
use crate::host::procfs::ProcError;
use crate::ops::{Limit, Op};
use crate::plan::{Plan, Planned, Request, Side};
use crate::run::base::error::RunError;
use crate::spec::{Command, Kind, Namespaces, Resource, Streams, UNLIMITED};
use crate::sys::{self, Child, Clock, Errno};

/// The longest record that is read, in bytes: an environment is not much longer than 2 MiB.
const LONGEST: u64 = 8 << 20;

/// The unit of times in /proc/PID/stat: `USER_HZ` is 100 on x86-64 and aarch64.
const TICKS: u64 = 100;

/// The time limit for a killed sandbox to be gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running sandbox of the caller.
#[derive(Debug)]
pub struct Running {
    record: Record,
    /// The nsscript process that started it.
    owner: i32,
    /// Its directory in /proc, which is never that of another process.
    directory: File,
    /// The descriptor of the record in it, and the record's inode.
    shown: (String, u64),
    /// Its age.
    age: Duration,
}

impl Running {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.record.name.as_deref()
    }

    /// Its number: that of its process 1.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.record.pid
    }

    /// The number of the nsscript process that started it.
    #[must_use]
    pub fn owner(&self) -> i32 {
        self.owner
    }

    /// The user and group inside.
    #[must_use]
    pub fn user(&self) -> (u32, u32) {
        self.record.user
    }

    /// The root in words: a path of the host, `rootfs`, or `empty`.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.record.root
    }

    /// The network in words: `none`, `host`, `outbound`, or the name of a network.
    #[must_use]
    pub fn network(&self) -> &str {
        &self.record.network
    }

    /// Its first program with arguments.
    #[must_use]
    pub fn command(&self) -> &[String] {
        &self.record.command
    }

    /// The time since it started.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.age
    }

    /// Its file in /proc.
    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.record.pid)
    }

    /// The error that it has ended.
    fn ended(&self) -> Report {
        let who = self.name().map_or_else(|| self.number().to_string(), str::to_owned);
        Report::error(format!("the sandbox {} has ended", quoted(who)))
    }

    /// Opens its process 1. As long as its nsscript process shows the record, it has not reaped
    /// that process, so the number is not that of another one.
    fn process(&self) -> Result<Child, Report> {
        let child = Child::of_other(self.record.pid, self.record.has_init);
        let child = child.map_err(|_| self.ended())?;
        let inode = fs::metadata(self.of_owner(&format!("fd/{}", self.shown.0)));
        let is_shown = inode.is_ok_and(|found| found.ino() == self.shown.1);
        let stat = Stat::of(self.record.pid).filter(|stat| stat.parent == self.owner);
        if is_shown && stat.is_some() { Ok(child) } else { Err(self.ended()) }
    }

    /// Refuses to join with other groups than those of the sandbox.
    fn same_groups(&self) -> Result<(), Report> {
        let of = |path: &Path| Status::parse(&fs::read_to_string(path).ok()?);
        let other = of(&self.of_owner("status")).ok_or_else(|| self.ended())?;
        let own = of(Path::new("/proc/self/status"));
        if own.is_some_and(|own| (own.gids, own.groups) == (other.gids, other.groups)) {
            return Ok(());
        }
        let message = "the sandbox was started with other groups than those of this process";
        let hint = "use a terminal in which `id` prints the same groups";
        Err(Report::error(message).hint(hint))
    }

    /// Adds the limits that the sandbox has from its nsscript process, if those of this process are
    /// wider.
    fn with_limits(&self, mut plan: Plan) -> Result<Plan, Report> {
        let read = |path: &str| fs::read_to_string(path).map(|text| limits(&text));
        let path = self.proc("limits");
        let other = read(&path).map_err(|_| self.ended())?;
        let own = read("/proc/self/limits").unwrap_or_default();
        let is_set = |number: u32| {
            plan.actions.iter().any(|planned| {
                matches!(&planned.action, Op::Limit(limit) if limit.resource.number == number)
            })
        };
        let mut added = Vec::new();
        for ((number, (soft, hard)), (own_soft, own_hard)) in (0..).zip(other).zip(own) {
            // No process but root's can raise a hard limit.
            let (soft, hard) = (soft.min(own_hard), hard.min(own_hard));
            let resource = Resource::ALL.into_iter().find(|resource| resource.number == number);
            if let Some(resource) = resource
                && (soft, hard) != (own_soft, own_hard)
                && !is_set(number)
            {
                let action = Limit { resource, soft, hard }.into();
                added.push(Planned { action, side: Side::Child, origin: None });
            }
        }
        let end = plan.actions.len().saturating_sub(1);
        plan.actions.splice(end..end, added);
        Ok(plan)
    }

    /// A file in the directory of the nsscript process.
    fn of_owner(&self, file: &str) -> PathBuf {
        below(&self.directory, file)
    }
}

/// A file in a directory of /proc that is held open.
fn below(directory: &File, file: &str) -> PathBuf {
    format!("/proc/self/fd/{}/{file}", directory.as_raw_fd()).into()
}

/// The facts about a process in its `status`.
#[derive(Debug, PartialEq, Eq)]
struct Status {
    uids: Vec<u32>,
    gids: Vec<u32>,
    groups: Vec<u32>,
    no_new_privs: u32,
    seccomp: u32,
}

impl Status {
    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| -> Option<Vec<u32>> {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.split_whitespace().map(|number| number.parse().ok()).collect()
        };
        Some(Self {
            uids: field("Uid")?,
            gids: field("Gid")?,
            groups: field("Groups")?,
            no_new_privs: field("NoNewPrivs")?.first().copied()?,
            // A kernel without seccomp has no such line.
            seccomp: field("Seccomp").and_then(|mode| mode.first().copied()).unwrap_or_default(),
        })
    }

    /// Whether a record that the process `other` shows may be believed: it is the same user's, and
    /// not confined more than this process. A program in a sandbox can show a false record, but
    /// each has `no_new_privs`, which it cannot lose.
    fn trusts(&self, other: &Self) -> bool {
        self.uids == other.uids
            && self.uids.iter().all(|uid| *uid == self.uids[0])
            && other.no_new_privs <= self.no_new_privs
            && other.seccomp <= self.seccomp
    }
}

/// The facts about a process in its `stat`.
struct Stat {
    parent: i32,
    /// The time of its start since the boot, in ticks.
    started: u64,
}

impl Stat {
    /// `None` if it has ended.
    fn of(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The name in parentheses can contain anything.
        let fields: Vec<_> = text.rsplit_once(')')?.1.split_whitespace().collect();
        if matches!(*fields.first()?, "Z" | "X") {
            return None;
        }
        Some(Self { parent: fields.get(1)?.parse().ok()?, started: fields.get(19)?.parse().ok()? })
    }
}

/// The identity of a namespace of a process, by its file in /proc; `None` if the kernel does not
/// have the kind.
fn namespace(process: &Path, kind: Kind) -> std::io::Result<Option<(u64, u64)>> {
    match fs::metadata(process.join("ns").join(kind.file())) {
        Ok(found) => Ok(Some((found.dev(), found.ino()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a map of user ids, as /proc/PID/uid_map shows it, maps root outside.
fn maps_root(text: &str) -> bool {
    text.lines().any(|line| line.split_whitespace().nth(1) == Some("0"))
}

/// The warning about a privileged program in a sandbox that has these namespaces for itself, and in
/// which root outside may be mapped.
///
/// # Errors
/// The capabilities would count outside.
fn privileges(apart: Namespaces, is_root: bool) -> Result<Report, Report> {
    if is_root {
        let message = "a privileged program could change the machine, because root outside is \
                       mapped in the sandbox";
        let hint = "leave out `--privileged`, or let the recipe map other users with \
                    `.map_users(\"all\").map_groups(\"all\")`";
        return Err(Report::error(message).hint(hint));
    }
    if !apart.has(Kind::User) {
        let message = "a privileged program would have its capabilities outside as well, because \
                       the sandbox has no user namespace of its own";
        let hint = "leave out `--privileged`, or let the recipe keep the capabilities that are \
                    needed with `.keep_capabilities([…])`";
        return Err(Report::error(message).hint(hint));
    }
    let message = "the program has all capabilities in the sandbox, and can undo its mounts";
    let note = "programs of the sandbox may have changed the files that it executes and reads";
    Ok(Report::warning(message).note(note))
}

impl Launcher {
    /// The running sandboxes of the caller, the oldest first.
    ///
    /// # Errors
    /// /proc is not mounted.
    pub fn running(&self) -> Result<Vec<Running>, Report> {
        let unread = |path: &str, error| {
            let unread = ProcError { path: path.into(), error };
            Report::error(format!("cannot find running sandboxes: {unread}"))
        };
        let read = |path: &str| fs::read_to_string(path).map_err(|error| unread(path, error));
        let own = Status::parse(&read("/proc/self/status")?);
        let own =
            own.ok_or_else(|| unread("/proc/self/status", std::io::ErrorKind::InvalidData.into()))?;
        let mut found = Vec::new();
        let entries = fs::read_dir("/proc").map_err(|error| unread("/proc", error))?;
        for entry in entries.flatten() {
            let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(pid) = number.filter(|pid| *pid != sys::process_id()) {
                found.extend(of_process(pid, &own).unwrap_or_default());
            }
        }
        found.sort_by_key(|running| (std::cmp::Reverse(running.age), running.number()));
        Ok(found)
    }

    /// The running sandbox with this name or number.
    ///
    /// # Errors
    /// There is none, or several have the name.
    pub fn running_one(&self, word: &str) -> Result<Running, Report> {
        let mut all = self.running()?;
        let is_it = |running: &Running| {
            running.name() == Some(word) || running.number().to_string() == word
        };
        let found: Vec<_> = (0..all.len()).filter(|index| is_it(&all[*index])).collect();
        match found.as_slice() {
            [one] => Ok(all.swap_remove(*one)),
            [] => {
                let report = Report::error(format!("no running sandbox {}", quoted(word)));
                let names = || all.iter().filter_map(Running::name);
                let near = closest(word, names());
                Err(match near {
                    Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
                    None => report.hint("`nsscript ps` lists your running sandboxes"),
                })
            }
            several => {
                let numbers: Vec<_> =
                    several.iter().map(|index| all[*index].number().to_string()).collect();
                let message = format!("{} sandboxes are named {}", several.len(), quoted(word));
                let hint = format!("use the number: {}", list(&numbers, "or"));
                Err(Report::error(message).hint(hint))
            }
        }
    }

    /// Runs a program in a running sandbox, to its end. Without a command, it is the sandbox's
    /// shell. A privileged one has all capabilities of the sandbox's user namespace.
    ///
    /// # Errors
    /// The sandbox has ended, cannot be entered, or an action failed.
    pub fn run_in(
        &self,
        running: &Running,
        command: Option<Command>,
        streams: Streams,
        privileged: bool,
    ) -> Result<Exit, RunError> {
        let child = running.process()?;
        let (station, plan) = self.place(running, privileged)?;
        let command = match command {
            Some(command) => command,
            None => Command::new(vec![self.shell_in(running, &plan)])
                .map_err(|invalid| Report::from(&invalid))?,
        };
        let mut process = Process::new(child, Ends::default(), plan, (Instant::now(), 0));
        process.station = station;
        let request = Request { command, streams, origin: None };
        self.join(&mut process, &request, &Input::Inherited, &Bounds::default())
    }

    /// The shell of a running sandbox.
    fn shell_in(&self, running: &Running, plan: &Plan) -> String {
        let root = Some(running.proc("root").into());
        let looked = running.record.plan(plan.namespaces, root, false);
        self.shell_of(looked.as_ref().unwrap_or(plan))
    }

    /// The place of a sandbox as the kernel reports it, and the plan of programs that join it.
    fn place(&self, running: &Running, privileged: bool) -> Result<(Station, Plan), Report> {
        let (record, own) = (&running.record, Path::new("/proc/self"));
        let unread = |path: String, error: std::io::Error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                return running.ended();
            }
            let unread = ProcError { path: path.into(), error };
            Report::error(format!("cannot enter the sandbox: {unread}"))
        };
        let mut apart = Namespaces::NONE;
        for kind in Kind::ALL {
            let of = |process: &Path| {
                namespace(process, kind)
                    .map_err(|error| unread(running.proc(&format!("ns/{}", kind.file())), error))
            };
            if of(Path::new(&running.proc("")))? != of(own)? {
                apart = apart | kind.into();
            }
        }
        if privileged {
            let path = running.proc("uid_map");
            let maps = fs::read_to_string(&path).map_err(|error| unread(path, error))?;
            self.warn(&privileges(apart, self.host().is_root() && maps_root(&maps))?);
        }
        // In another mount namespace, the root may be another one than that of the namespace.
        let root = running.proc("root");
        let id = |path: &str| {
            let found = fs::metadata(path).map_err(|error| unread(path.to_owned(), error))?;
            Ok::<_, Report>((found.dev(), found.ino()))
        };
        let chrooted = apart.has(Kind::Mount) || id(&root)? != id("/")?;
        let directory = if record.stays {
            let path = running.proc("cwd");
            Some(fs::read_link(&path).map_err(|error| unread(path, error))?)
        } else {
            None
        };
        if !record.sets_ids {
            running.same_groups()?;
        }
        let stays_in_groups = self.stays_in_groups(running)?;
        let station = Station::of_other(apart, chrooted, directory, stays_in_groups);
        // Hints name the files of a directory of the host, but not how a root was assembled.
        let seen = record.root.starts_with('/').then(|| root.into());
        let plan = record.plan(apart, seen, privileged).ok_or_else(|| running.ended())?;
        Ok((station, running.with_limits(plan)?))
    }

    /// Whether programs stay in the control groups of this process: the sandbox has none of its
    /// own, and those of its nsscript process, such as the session of another login, may not be
    /// entered.
    fn stays_in_groups(&self, running: &Running) -> Result<bool, Report> {
        let groups = |path: PathBuf| fs::read(path).ok();
        let own = groups(running.of_owner("cgroup"));
        if own.is_none() || own != groups(running.proc("cgroup").into()) {
            return Ok(false);
        }
        match join::groups_to_enter(self.host(), running.number(), None) {
            Ok(_) => Ok(false),
            Err(report) if report.facts.errno == Some(Errno::EACCES.code()) => {
                let warning = "the program stays in the control groups of this process, because \
                               those of the sandbox's nsscript may not be entered";
                self.warn(&Report::warning(warning).note(report.message));
                Ok(true)
            }
            Err(report) => Err(report),
        }
    }

    /// Sends a signal to the program of a running sandbox; SIGKILL ends the sandbox, and is waited
    /// for.
    ///
    /// # Errors
    /// The sandbox has ended, or may not be signalled.
    pub fn signal_running(&self, running: &Running, signal: i32) -> Result<(), Report> {
        const SIGKILL: i32 = 9;
        let child = running.process()?;
        child.signal(signal).map_err(|errno| {
            let name = sys::signal_name(signal);
            let mut report = Report::error(format!("cannot send {name} to the sandbox: {errno}"));
            report.facts.errno = Some(errno.code());
            report
        })?;
        if signal == SIGKILL {
            let _ = sys::ready(&[(child.pidfd(), false)], Some(PATIENCE));
        }
        Ok(())
    }
}

/// The sandboxes that the process `pid` shows; `None` if it may not be examined or believed.
fn of_process(pid: i32, own: &Status) -> Option<Vec<Running>> {
    let open = || File::open(format!("/proc/{pid}")).ok();
    let directory = open()?;
    let status = fs::read_to_string(below(&directory, "status")).ok()?;
    if !own.trusts(&Status::parse(&status)?) {
        return None;
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(below(&directory, "fd")).ok()?.flatten() {
        if !fs::read_link(entry.path()).is_ok_and(|link| link.as_os_str() == LINK) {
            continue;
        }
        // Numbers in its record are those of its PID namespace.
        let of = |process: &Path| namespace(process, Kind::Pid).ok().flatten();
        if of(&below(&directory, "")) != of(Path::new("/proc/self")) {
            return None;
        }
        let shown = entry.file_name().into_string().ok()?;
        found.extend(open().and_then(|directory| of_record(pid, directory, shown)));
    }
    Some(found)
}

/// The sandbox whose record is this descriptor of the process `owner`.
fn of_record(owner: i32, directory: File, shown: String) -> Option<Running> {
    let file = File::open(below(&directory, &format!("fd/{shown}"))).ok()?;
    let inode = file.metadata().ok()?.ino();
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).ok()?;
    let record = Record::read(&bytes)?;
    // A copy of nsscript has the descriptors of its parent, but not its children.
    let stat = Stat::of(record.pid).filter(|stat| stat.parent == owner)?;
    let now = sys::clock(Clock::Boottime).ok()?;
    let started = Duration::from_millis(stat.started.saturating_mul(1000 / TICKS));
    let age = now.saturating_sub(started);
    Some(Running { record, owner, directory, shown: (shown, inode), age })
}

/// The soft and hard limits in the file `limits` of a process, by number.
fn limits(text: &str) -> Vec<(u64, u64)> {
    let number = |word: &str| match word {
        "unlimited" => Some(UNLIMITED),
        number => number.parse().ok(),
    };
    let line = |line: &str| {
        // A name of several words, two limits, and a unit, which the last lines lack.
        let limits: Vec<_> = line.split_whitespace().filter_map(number).collect();
        <[u64; 2]>::try_from(limits).ok().map(|[soft, hard]| (soft, hard))
    };
    text.lines().skip(1).map_while(line).collect()
}

#[cfg(test)]
mod tests {
    use super::{Stat, Status, limits};

    #[test]
    fn limits_are_told_by_number() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max cpu time              unlimited            unlimited            seconds   \n\
                    Max file size             1                    2                    bytes     \n\
                    Max nice priority         0                    0                    \n";
        assert_eq!(limits(text), [(u64::MAX, u64::MAX), (1, 2), (0, 0)]);
        let own = std::fs::read_to_string("/proc/self/limits").unwrap();
        assert_eq!(limits(&own).len(), 16);
    }

    #[test]
    fn the_parent_is_found_behind_any_name() {
        let numbers = (2..=19).map(|number: u32| number.to_string()).collect::<Vec<_>>().join(" ");
        let stat = Stat::parse(&format!("7 (a) Z 1 2) S 42 {numbers} 20\n")).unwrap();
        assert_eq!((stat.parent, stat.started), (42, 19));
        assert!(Stat::parse(&format!("7 (a) Z 42 {numbers} 20\n")).is_none());
    }

    #[test]
    fn a_process_that_is_confined_more_is_not_believed() {
        let status = |uid: &str, no_new_privs: u32, seccomp: u32| {
            let text = format!(
                "Name:\tx\nUid:\t{uid}\nGid:\t7\t7\t7\t7\nGroups:\t1 2 \nNoNewPrivs:\t{no_new_privs}\n\
                 Seccomp:\t{seccomp}\n"
            );
            Status::parse(&text).unwrap()
        };
        let own = status("5 5 5 5", 0, 0);
        assert!(own.trusts(&own));
        assert!(!own.trusts(&status("5 5 5 5", 1, 0)));
        assert!(!own.trusts(&status("5 5 5 5", 0, 2)));
        assert!(!own.trusts(&status("5 0 5 5", 0, 0)));
        assert!(status("5 5 5 5", 1, 2).trusts(&own));
        assert!(!status("5 0 5 5", 0, 0).trusts(&status("5 0 5 5", 0, 0)));
    }
}
