//! Runs a command and all its descendants under ptrace(2), lists their system calls, and has one
//! of them fail.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc::{self, c_long};
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::calls::{self, Failing, Known};
use super::descriptor::Descriptor;
use super::fault::{Phase, Place, Way};
use super::registers::Stop;

/// How long what nsscript has started may outlive it: the kernel takes sandboxes down afterwards.
const GRACE: Duration = Duration::from_secs(3);

/// What is done to a run.
#[derive(Clone, Copy)]
pub enum Aim<'a> {
    /// It is only watched.
    Watch,
    /// Its system calls are listed.
    List,
    /// One of them fails.
    Fail(&'a Place, Errno),
}

/// A system call that a run has made.
#[derive(Clone, Debug)]
pub struct Made {
    pub place: Place,
    /// What it can fail with.
    pub errors: Vec<Errno>,
}

/// How a run went.
#[derive(Debug, Default)]
pub struct Traced {
    /// The number of the process that became nsscript.
    pub pid: u32,
    /// The calls, in the order in which they were entered.
    pub calls: Vec<Made>,
    /// Numbers of calls that [`calls`] does not know.
    pub unknown: Vec<c_long>,
    /// The call that failed, with its arguments as a person reads them.
    pub hit: Option<String>,
    /// The exit status of nsscript.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<Signal>,
    /// Whether it was killed because it did not end.
    pub is_late: bool,
    /// The processes that had not ended when nsscript had.
    pub left: Vec<String>,
}

/// A process that is traced.
struct Tracee {
    way: Way,
    phase: Phase,
    /// How many processes it has made.
    children: u32,
    /// How many calls of each number it has made in this phase.
    counts: HashMap<c_long, u32>,
    /// Whether its last exec was an execveat(2).
    by_descriptor: bool,
    /// What is done at the exit from the call that it is in, if that is the one that fails.
    exit: Option<Exit>,
}

impl Tracee {
    fn new(way: Way, phase: Phase) -> Self {
        let counts = HashMap::new();
        Self { way, phase, children: 0, counts, by_descriptor: false, exit: None }
    }

    fn shown(&self) -> String {
        format!("{}:{}", self.phase.name(), self.way.0)
    }
}

/// What is done to a process when its call has returned.
#[derive(Clone, Copy)]
enum Exit {
    /// It gets this error.
    Error(Errno),
    /// It finds its first argument as it was.
    Argument(u64),
}

/// What the watchdog needs to know.
struct Watched {
    /// Those that live.
    alive: BTreeMap<Pid, String>,
    /// When patience ends.
    end: Instant,
    late: bool,
    left: Vec<String>,
    is_over: bool,
    main: Pid,
}

/// Runs `command`, made by [`waiting`], to the end of its last descendant. What takes longer than
/// `longest` is killed.
pub fn run(command: &mut Command, aim: Aim<'_>, longest: Duration) -> nix::Result<Traced> {
    command.stdin(Stdio::piped());
    let mut child =
        command.spawn().map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    let main = Pid::from_raw(child.id().cast_signed());
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(main, options)?;
    // Only that the pipe is closed is waited for.
    drop(child.stdin.take());
    let watched = Mutex::new(Watched {
        alive: BTreeMap::from([(main, "nsscript".to_owned())]),
        end: Instant::now() + longest,
        late: false,
        left: Vec::new(),
        is_over: false,
        main,
    });
    let wake = Condvar::new();
    std::thread::scope(|scope| {
        scope.spawn(|| watch(&watched, &wake));
        let mut tracer = Tracer {
            aim,
            main,
            tracees: HashMap::from([(main, Tracee::new(Way("0".into()), Phase::Before))]),
            early: Vec::new(),
            traced: Traced { pid: child.id(), ..Traced::default() },
            watched: &watched,
            wake: &wake,
        };
        let done = tracer.follow();
        let mut seen = tracer.traced;
        let mut watched = lock(&watched);
        watched.is_over = true;
        wake.notify_all();
        seen.is_late = watched.late;
        seen.left = std::mem::take(&mut watched.left);
        done.map(|()| seen)
    })
}

/// The command that [`run`] takes: a shell that becomes the program, with another `input`, once the
/// one it has is closed.
pub fn waiting(mut shell: Command, input: &str) -> Command {
    shell.args(["-c", &format!("read -r go; exec \"$@\" {input}"), "sh"]);
    shell
}

fn lock(watched: &Mutex<Watched>) -> MutexGuard<'_, Watched> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills what does not end by itself: nsscript first, and then what it has left.
fn watch(watched: &Mutex<Watched>, wake: &Condvar) {
    let mut now = lock(watched);
    while !now.is_over {
        let left = now.end.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            now = wake.wait_timeout(now, left).unwrap_or_else(PoisonError::into_inner).0;
            continue;
        }
        now.end = Instant::now() + GRACE;
        let main = now.main;
        if now.alive.contains_key(&main) {
            now.late = true;
            let _ = kill(main, Signal::SIGKILL);
            continue;
        }
        let left: Vec<_> = now.alive.values().cloned().collect();
        if !now.late {
            now.left.extend(left);
        }
        for pid in now.alive.keys() {
            let _ = kill(*pid, Signal::SIGKILL);
        }
    }
}

struct Tracer<'a> {
    aim: Aim<'a>,
    main: Pid,
    tracees: HashMap<Pid, Tracee>,
    /// Processes that have stopped before it was known who has made them.
    early: Vec<Pid>,
    traced: Traced,
    watched: &'a Mutex<Watched>,
    wake: &'a Condvar,
}

impl Tracer<'_> {
    /// Until no process is left.
    fn follow(&mut self) -> nix::Result<()> {
        loop {
            let status = match waitpid(None, Some(WaitPidFlag::__WALL)) {
                Ok(status) => status,
                Err(Errno::EINTR) => continue,
                Err(Errno::ECHILD) => return Ok(()),
                Err(errno) => return Err(errno),
            };
            // A process that was killed meanwhile is no longer there to be traced.
            match self.take(status) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    fn take(&mut self, status: WaitStatus) -> nix::Result<()> {
        match status {
            WaitStatus::Exited(pid, code) => self.gone(pid, Some(code), None),
            WaitStatus::Signaled(pid, signal, _) => self.gone(pid, None, Some(signal)),
            WaitStatus::PtraceSyscall(pid) => {
                self.at_call(pid)?;
                self.go_on(pid, None)?;
            }
            WaitStatus::PtraceEvent(pid, _, event) => self.at_event(pid, event)?,
            WaitStatus::Stopped(pid, signal) => self.go_on(pid, Some(signal))?,
            WaitStatus::Continued(_) | WaitStatus::StillAlive => {}
        }
        Ok(())
    }

    fn gone(&mut self, pid: Pid, code: Option<i32>, signal: Option<Signal>) {
        self.tracees.remove(&pid);
        let mut watched = lock(self.watched);
        watched.alive.remove(&pid);
        if pid == self.main {
            (self.traced.code, self.traced.signal) = (code, signal);
            watched.end = Instant::now() + GRACE;
            self.wake.notify_all();
        }
    }

    /// Whether system calls of this process are of interest still.
    fn is_looked_at(&self, pid: Pid) -> bool {
        let Some(tracee) = self.tracees.get(&pid) else { return false };
        let wanted = match self.aim {
            Aim::Watch => false,
            Aim::List => true,
            Aim::Fail(..) => self.traced.hit.is_none() || tracee.exit.is_some(),
        };
        wanted && tracee.phase.is_ours()
    }

    fn go_on(&self, pid: Pid, signal: Option<Signal>) -> nix::Result<()> {
        if self.is_looked_at(pid) {
            ptrace::syscall(pid, signal)
        } else {
            ptrace::cont(pid, signal)
        }
    }

    fn at_event(&mut self, pid: Pid, event: i32) -> nix::Result<()> {
        const FORK: i32 = Event::PTRACE_EVENT_FORK as i32;
        const VFORK: i32 = Event::PTRACE_EVENT_VFORK as i32;
        const CLONE: i32 = Event::PTRACE_EVENT_CLONE as i32;
        const EXEC: i32 = Event::PTRACE_EVENT_EXEC as i32;
        match event {
            FORK | VFORK | CLONE => {
                let made = Pid::from_raw(i32::try_from(ptrace::getevent(pid)?).unwrap_or(0));
                self.is_made(pid, made)?;
            }
            EXEC => {
                if let Some(tracee) = self.tracees.get_mut(&pid) {
                    tracee.phase = match (tracee.phase, tracee.by_descriptor) {
                        (Phase::Before, _) if is_nsscript(pid) => Phase::Main,
                        (Phase::Before, _) => Phase::Before,
                        (_, true) => Phase::Init,
                        (_, false) => Phase::Program,
                    };
                    tracee.counts.clear();
                    if let Some(name) = lock(self.watched).alive.get_mut(&pid) {
                        *name = tracee.shown();
                    }
                }
            }
            // The first stop of a process, or a stop of a whole group, which nobody here asks for.
            _ if !self.tracees.contains_key(&pid) => {
                self.early.push(pid);
                return Ok(());
            }
            _ => {}
        }
        self.go_on(pid, None)
    }

    /// A process has made another, which has perhaps stopped already.
    fn is_made(&mut self, by: Pid, made: Pid) -> nix::Result<()> {
        let Some(parent) = self.tracees.get_mut(&by) else { return Ok(()) };
        parent.children += 1;
        let way = Way(format!("{}.{}", parent.way.0, parent.children));
        let phase = match parent.phase {
            Phase::Main if is_thread(made) => Phase::Main,
            Phase::Main | Phase::Copy => Phase::Copy,
            Phase::Init | Phase::Child => Phase::Child,
            other => other,
        };
        let tracee = Tracee::new(way, phase);
        lock(self.watched).alive.insert(made, tracee.shown());
        self.tracees.insert(made, tracee);
        if let Some(index) = self.early.iter().position(|pid| *pid == made) {
            self.early.swap_remove(index);
            self.go_on(made, None)?;
        }
        Ok(())
    }

    fn at_call(&mut self, pid: Pid) -> nix::Result<()> {
        let at = ptrace::syscall_info(pid)?.op;
        let stop = Stop::of(pid)?;
        let Some(tracee) = self.tracees.get_mut(&pid) else { return Ok(()) };
        if at == libc::PTRACE_SYSCALL_INFO_EXIT {
            return match tracee.exit.take() {
                Some(Exit::Error(errno)) => stop.answer(-c_long::from(errno as i32)),
                Some(Exit::Argument(first)) => stop.with_first_argument(first),
                None => Ok(()),
            };
        }
        let (number, arguments) = (stop.number(), stop.arguments());
        tracee.by_descriptor = match number {
            libc::SYS_execveat => true,
            libc::SYS_execve => false,
            _ => tracee.by_descriptor,
        };
        let nth = tracee.counts.entry(number).or_default();
        *nth += 1;
        let Some(call) = calls::numbered(number) else {
            if !self.traced.unknown.contains(&number) {
                self.traced.unknown.push(number);
            }
            return Ok(());
        };
        match self.aim {
            Aim::Watch => {}
            Aim::List => {
                let (phase, way) = (tracee.phase, tracee.way.clone());
                let place = Place { phase, way, call: call.name, nth: *nth };
                let errors = calls::errors(call, arguments, Descriptor::of(pid, arguments[0]));
                self.traced.calls.push(Made { place, errors });
            }
            Aim::Fail(place, errno) => {
                let is_it = place.nth == *nth
                    && place.call == call.name
                    && place.phase == tracee.phase
                    && place.way == tracee.way;
                // Of two threads the other one may have made this call.
                let can_fail = || {
                    let descriptor = Descriptor::of(pid, arguments[0]);
                    calls::errors(call, arguments, descriptor).contains(&errno)
                };
                if is_it && self.traced.hit.is_none() && can_fail() {
                    self.traced.hit = Some(shown(pid, call, arguments));
                    tracee.exit = Some(Exit::Error(errno));
                    match call.failing() {
                        Failing::Skipped => stop.skip()?,
                        Failing::Performed => {}
                        Failing::Asked => {
                            tracee.exit = Some(Exit::Argument(arguments[0]));
                            stop.with_first_argument(0)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether a process executes nsscript.
fn is_nsscript(pid: Pid) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| path.ends_with("nsscript"))
}

/// Whether a process is a thread of another.
fn is_thread(pid: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let group = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
    group.is_some_and(|group| group.trim() != pid.to_string())
}

/// The arguments of a call as a person reads them: texts, descriptors with what they are, numbers.
fn shown(pid: Pid, call: &Known, arguments: [u64; 6]) -> String {
    let memory = File::open(format!("/proc/{pid}/mem")).ok();
    let mut words = Vec::new();
    for (index, argument) in arguments.into_iter().enumerate() {
        let descriptor = (index == 0 && call.has_descriptor())
            .then(|| fs::read_link(format!("/proc/{pid}/fd/{argument}")).ok())
            .flatten();
        let text = memory.as_ref().and_then(|memory| text(memory, argument));
        words.push(match (descriptor, text) {
            (Some(path), _) => format!("{argument}<{}>", path.display()),
            (None, Some(text)) => format!("{text:?}"),
            (None, None) if argument > i64::MAX as u64 => argument.cast_signed().to_string(),
            (None, None) if argument < 10 => argument.to_string(),
            (None, None) => format!("{argument:#x}"),
        });
    }
    words.join(", ")
}

/// The text that an address leads to, if it looks like one.
fn text(memory: &File, address: u64) -> Option<String> {
    let mut bytes = [0; 128];
    if address < 4096 {
        return None;
    }
    // What is mapped may end in the middle.
    let to_page = usize::try_from(4096 - address % 4096).ok()?;
    let read = memory.read_at(&mut bytes, address).ok();
    let read = read.or_else(|| memory.read_at(&mut bytes[..to_page.min(128)], address).ok())?;
    let bytes = bytes[..read].split(|byte| *byte == 0).next()?;
    let is_plain = |byte: &&u8| byte.is_ascii_graphic() || b" \n".contains(byte);
    let plain = bytes.iter().take_while(is_plain).count();
    (plain > 0).then(|| String::from_utf8_lossy(&bytes[..plain]).into_owned())
}
