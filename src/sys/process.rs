//! Child processes: waiting, signals, and resource usage.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno as Nix;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::clone;
use super::clone::pidfd_open;
use super::errno::Errno;
use super::fork::generation;
use super::init::Told;
use super::kernel::CallError;
use super::wait::{self, note_ended_children};

/// The resource usage of a process and of the children that it has waited for: getrusage(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time in user mode.
    pub user: Duration,
    /// Time in the kernel.
    pub system: Duration,
    /// The peak memory of the largest of them, in bytes.
    pub peak_memory: u64,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The signal that killed it; `None` if it exited.
    pub signal: Option<i32>,
    /// Its exit status, or 128 plus the signal that killed it.
    pub code: i32,
    /// The reason why the program was not executed, if so.
    pub not_executed: Option<CallError>,
    /// The reason why its status is unknown, if so; the other fields are then meaningless.
    pub lost: Option<Errno>,
    /// Its resource usage.
    pub usage: Usage,
}

impl Status {
    /// Whether it is known to have exited with status 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.code == 0 && self.lost.is_none()
    }
}

/// The time to wait for a child before checking for processes that it may be waiting for.
pub const PATIENCE: Duration = Duration::from_millis(100);

/// A child process. It is killed when this value is dropped, unless it was waited for.
#[derive(Debug)]
pub struct Child {
    pid: i32,
    pidfd: OwnedFd,
    /// The generation of the process that started it: a copy of that process neither waits for it
    /// nor kills it.
    parent: u32,
    /// The messages of the carried program: see `init/pid1.rs`.
    answers: OwnedFd,
    /// Whether the carried program stays as an init and forwards signals.
    has_init: bool,
    /// Its keeper, if it outlives this process.
    keeper: Option<Keeper>,
    told: u64,
    /// Whether no more messages will come: the program runs, or has ended.
    silent: bool,
    ended: Option<Status>,
}

/// The process that has started another one, and stays with it.
#[derive(Debug)]
struct Keeper {
    /// The pipe by which it says how the process ended.
    answers: OwnedFd,
    pidfd: OwnedFd,
}

impl Child {
    /// Wraps a process; `answers` is the pipe for messages of the carried program.
    pub(super) fn new(pid: i32, pidfd: OwnedFd, answers: OwnedFd, has_init: bool) -> Self {
        let parent = generation();
        wait::started(pid);
        let (keeper, told, silent, ended) = (None, 0, false, None);
        Self { pid, pidfd, parent, answers, has_init, keeper, told, silent, ended }
    }

    /// A process that another one has started. It is neither waited for nor killed when the value
    /// is dropped.
    ///
    /// # Errors
    /// No process has this number.
    pub fn of_other(pid: i32, has_init: bool) -> Result<Self, Errno> {
        let pidfd = pidfd_open(pid).map_err(|error| error.errno)?;
        // Its messages go to its parent: nothing is read here.
        let answers = pidfd.try_clone().map_err(|error| Errno::from(&error))?;
        let (parent, keeper, told, silent, ended) = (u32::MAX, None, 0, true, None);
        Ok(Self { pid, pidfd, parent, answers, has_init, keeper, told, silent, ended })
    }

    /// A process that a keeper has started for this one, which has not been waited for yet. It is
    /// not killed when the value is dropped. `keeper` is the number of the keeper, which says by the
    /// pipe `answers` how it ended.
    ///
    /// # Errors
    /// No process has this number, or no descriptor is left.
    pub fn of_keeper(
        pid: i32,
        has_init: bool,
        keeper: i32,
        answers: OwnedFd,
    ) -> Result<Self, Errno> {
        let mut child = Self::of_other(pid, has_init)?;
        let pidfd = pidfd_open(keeper).map_err(|error| error.errno)?;
        (child.parent, child.keeper) = (generation(), Some(Keeper { answers, pidfd }));
        Ok(child)
    }

    /// Leaves the process alone: it is neither waited for nor killed when the value is dropped.
    pub fn leave(mut self) {
        self.parent = u32::MAX;
    }

    /// Whether a keeper has started it, so that it outlives this process.
    #[must_use]
    pub fn has_keeper(&self) -> bool {
        self.keeper.is_some()
    }

    /// Its number, as this process sees it.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// A descriptor that becomes readable when it has ended: pidfd_open(2).
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Whether it has an init, which forwards signals to the program.
    #[must_use]
    pub fn has_init(&self) -> bool {
        self.has_init
    }

    /// Sends a signal: pidfd_send_signal(2). If the process has already ended, nothing happens.
    ///
    /// # Errors
    /// The signal does not exist, or is not permitted.
    pub fn signal(&self, signal: i32) -> Result<(), Errno> {
        if self.ended.is_some() {
            return Ok(());
        }
        // No process can forward SIGSTOP, so it goes to the program itself.
        let program = (signal == libc::SIGSTOP).then(|| self.program()).flatten();
        let pidfd = program.as_ref().unwrap_or(&self.pidfd).as_raw_fd();
        let none = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: a descriptor that `self` owns, a number, and a null pointer as the call allows.
        let done = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signal, none, 0) };
        match Errno::last() {
            _ if done == 0 => Ok(()),
            errno if errno.code() == libc::ESRCH => Ok(()),
            errno => Err(errno),
        }
    }

    /// Its number in /proc, which may show another PID namespace; `None` if it is not visible
    /// there.
    ///
    /// # Errors
    /// There is no /proc, or it cannot be read.
    pub fn number_in_proc(&self) -> Result<Option<i32>, Errno> {
        clone::number(&self.pidfd).map_err(|error| Errno::from(&error))
    }

    /// The program that init started: its first child.
    fn program(&self) -> Option<OwnedFd> {
        // The child's number is read from /proc and opened here.
        if !self.has_init || self.number_in_proc() != Ok(Some(self.pid)) {
            return None;
        }
        let pid = self.pid;
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        let first = children.split_whitespace().next()?.parse().ok()?;
        pidfd_open(first).ok()
    }

    /// Returns its status if it has ended, without waiting.
    pub fn poll(&mut self) -> Option<Status> {
        self.reap(libc::WNOHANG)
    }

    /// Waits until it has ended, and ignores signals meanwhile.
    pub fn wait(&mut self) -> Status {
        loop {
            if let Some(status) = self.reap(libc::WNOHANG) {
                return status;
            }
            if ready(&[(self.pidfd.as_fd(), false)], Some(PATIENCE)).is_ok_and(|it| it == [false]) {
                note_ended_children();
            }
        }
    }

    /// Waits until the program is executed.
    ///
    /// # Errors
    /// The program could not be executed. The process has then ended.
    pub fn confirm(&mut self) -> Result<(), CallError> {
        while self.told == 0 && !self.silent && self.ended.is_none() {
            let watched = [(self.answers.as_fd(), false), (self.pidfd.as_fd(), false)];
            match ready(&watched, None).as_deref() {
                Ok([false, true]) => _ = self.wait(),
                Ok([false, ..]) => {}
                Ok(_) => self.listen(),
                // poll(2) ran out of memory.
                Err(_) => {
                    std::thread::sleep(Duration::from_millis(1));
                    self.listen();
                }
            }
        }
        match Told::new(self.told).not_executed() {
            Some(error) => {
                self.wait();
                Err(error)
            }
            None => Ok(()),
        }
    }

    /// Reads the messages of the carried program so far.
    fn listen(&mut self) {
        let mut bytes = [0; 64];
        match nix::unistd::read(&self.answers, &mut bytes) {
            Err(Nix::EINTR) => self.listen(),
            Ok(0) => self.silent = true,
            Ok(length) => {
                for number in bytes[..length].chunks_exact(8) {
                    let number = number.try_into().map_or(0, u64::from_ne_bytes);
                    self.told = self.told.saturating_add(number);
                }
            }
            Err(_) => {}
        }
    }

    pub(super) fn kill_and_reap(&mut self) {
        if self.ended.is_none() {
            let _ = self.signal(libc::SIGKILL);
            self.wait();
        }
    }

    /// Whether this process started it and can wait for it.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.parent == generation()
    }

    fn reap(&mut self, options: i32) -> Option<Status> {
        if self.ended.is_some() {
            return self.ended;
        }
        if !self.is_own() {
            // Only its parent can learn how it ended.
            let time = (options & libc::WNOHANG != 0).then_some(Duration::ZERO);
            let ended = ready(&[(self.pidfd.as_fd(), false)], time);
            let lost = || lost(Errno::new(libc::ECHILD));
            self.ended = ended.is_ok_and(|ended| ended == [true]).then(lost);
            return self.ended;
        }
        if let Some(keeper) = &self.keeper {
            self.ended = told_by(keeper, self.pidfd.as_fd());
            return self.ended;
        }
        let ended = match wait::child(self.pid, self.pidfd.as_fd(), options) {
            Ok(ended) => ended?,
            Err(errno) => {
                // Somebody else waited for it, or SIGCHLD is ignored.
                let gone = errno.code() == libc::ECHILD;
                self.ended = gone.then(|| lost(errno));
                return self.ended;
            }
        };
        let wait::Ended { status, by_signal, usage, .. } = ended;
        let mut ended = if by_signal { by(status) } else { exited(status) };
        // Init cannot die of the program's signal, so it reports it.
        if status >= 126 {
            self.listen();
            let told = Told::new(self.told);
            ended.not_executed = told.not_executed();
            if let Some(status) = told.wait_status().filter(|_| ended.not_executed.is_none()) {
                let signal = libc::WTERMSIG(status);
                ended = if signal == 0 { exited(libc::WEXITSTATUS(status)) } else { by(signal) };
            }
        }
        ended.usage = used_by(&usage);
        self.ended = Some(ended);
        self.ended
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.is_own() && !self.has_keeper() {
            self.kill_and_reap();
        }
    }
}

fn exited(code: i32) -> Status {
    Status { signal: None, code, not_executed: None, lost: None, usage: Usage::default() }
}

fn by(signal: i32) -> Status {
    Status { signal: Some(signal), ..exited(128 + signal) }
}

/// The status of a process that has ended in an unknown way, with the kernel's error.
fn lost(errno: Errno) -> Status {
    Status { lost: Some(errno), ..exited(-1) }
}

/// The number of bytes by which a keeper says how a process ended.
const TOLD: usize = 40;

impl Status {
    /// The status as a keeper sends it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; TOLD] {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let number = |number: i32| u64::from(number.cast_unsigned());
        let Self { signal, code, usage: Usage { user, system, peak_memory }, .. } = self;
        let numbers =
            [number(signal.unwrap_or(0)), number(code), micros(user), micros(system), peak_memory];
        let mut bytes = [0; TOLD];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: [u8; TOLD]) -> Self {
        let number = |at: usize| {
            let place = bytes.get(8 * at..8 * at + 8).and_then(|place| place.try_into().ok());
            place.map_or(0, u64::from_ne_bytes)
        };
        let whole = |at: usize| u32::try_from(number(at)).unwrap_or_default().cast_signed();
        let (user, system) = (Duration::from_micros(number(2)), Duration::from_micros(number(3)));
        let usage = Usage { user, system, peak_memory: number(4) };
        Self { signal: Some(whole(0)).filter(|signal| *signal != 0), usage, ..exited(whole(1)) }
    }
}

/// How a process ended, as its keeper says; `None` while it runs, or its keeper still cleans up.
fn told_by(keeper: &Keeper, pidfd: BorrowedFd<'_>) -> Option<Status> {
    let watched = [(keeper.answers.as_fd(), false), (pidfd, false)];
    match ready(&watched, Some(Duration::ZERO)).as_deref() {
        Ok([true, _]) => {}
        // Waiting for the process itself would spin meanwhile.
        Ok([_, true]) if ready(&watched[..1], Some(PATIENCE)).is_ok_and(|it| it[0]) => {}
        _ => return None,
    }
    let mut bytes = [0; TOLD];
    loop {
        // A message this short arrives whole: pipe(7).
        return match nix::unistd::read(&keeper.answers, &mut bytes) {
            Err(Nix::EINTR) => continue,
            Ok(TOLD) => {
                // That was the last that it does.
                let _ = ready(&[(keeper.pidfd.as_fd(), false)], Some(PATIENCE));
                Some(Status::from_bytes(bytes))
            }
            // The keeper was killed, and the process with it.
            Ok(_) => Some(lost(Errno::new(libc::ECHILD))),
            Err(errno) => Some(lost(errno.into())),
        };
    }
}

fn used_by(usage: &libc::rusage) -> Usage {
    let time = |time: libc::timeval| {
        let micros = time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_usec);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    };
    let peak_memory = u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024;
    Usage { user: time(usage.ru_utime), system: time(usage.ru_stime), peak_memory }
}

/// Waits until one of these descriptors can be read (`false`) or written (`true`) or has hung up,
/// and returns which. All are false if `timeout` expired or a signal arrived.
///
/// # Errors
/// poll(2) if memory runs out.
pub fn ready(
    descriptors: &[(BorrowedFd<'_>, bool)],
    timeout: Option<Duration>,
) -> Result<Vec<bool>, Errno> {
    let entry = |(descriptor, write): &(_, bool)| {
        PollFd::new(*descriptor, if *write { PollFlags::POLLOUT } else { PollFlags::POLLIN })
    };
    let mut entries: Vec<_> = descriptors.iter().map(entry).collect();
    let timeout = timeout.map_or(PollTimeout::NONE, |time| {
        PollTimeout::try_from(time.as_millis().min(60_000) as u32).unwrap_or(PollTimeout::MAX)
    });
    match poll(&mut entries, timeout) {
        Ok(_) => {
            let any = |entry: &PollFd<'_>| entry.any().unwrap_or(false);
            Ok(entries.iter().map(any).collect())
        }
        Err(Nix::EINTR) => Ok(vec![false; descriptors.len()]),
        Err(errno) => Err(errno.into()),
    }
}

/// Makes a descriptor non-blocking.
///
/// # Errors
/// fcntl(2) if the descriptor is not open.
pub fn set_nonblocking(descriptor: BorrowedFd<'_>) -> Result<(), Errno> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = OFlag::from_bits_retain(fcntl(descriptor, FcntlArg::F_GETFL)?);
    fcntl(descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}
