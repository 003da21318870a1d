//! Between clone and execve nothing of nsscript allocates: the process may run in the memory of
//! its parent, where another thread could hold the allocator's lock for ever.
//!
//! The allocator of this binary ends every process that calls it and is not the one of the tests.
#![allow(unsafe_code, reason = "an allocator is unsafe, and so is code after fork")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nsscript::internal::ops::{
    Bind, ClockOffset, Dev, Devpts, Directory, Domainname, File, ForbidUserNamespaces, Hostname,
    KeepCapabilities, Limit, Mask, Mount, Name, Overlay, PassFd, Personality, Proc, Propagation,
    ReadOnly, Sandbox, Seccomp, Symlink, Sysctl, Sysfs, Tmpfs, Umask, What, Workdir,
};
use nsscript::internal::plan::Request;
use nsscript::internal::run::{Bounds, Input, RunError, Runner};
use nsscript::internal::spec::{
    Applets, BindOptions, Capabilities, FileOptions, GuestPath, Id, IdRange, Ingredient, Kind,
    MountAttributes, MountOptions, Namespaces, Policy, ProcOptions, Redirected, Resource, Root,
    Rootfs, Sink, Streams,
};

// What the programs that are started here find.
#[path = "support/start.rs"]
mod start;

const ENOENT: i32 = 2;
const ELOOP: i32 = 40;

/// The process that may allocate, once it is known.
static TESTS: AtomicU32 = AtomicU32::new(0);

struct OnlyHere;

/// Ends the process, unless it is that of the tests.
fn check() {
    let tests = TESTS.load(Ordering::Relaxed);
    // getpid(2), which asks the kernel every time: in a child it gives another number, in a new
    // PID namespace too.
    if tests != 0 && std::process::id() != tests {
        std::process::abort();
    }
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for OnlyHere {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check();
        // SAFETY: what the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        check();
        // SAFETY: what the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        check();
        // SAFETY: what the caller promises.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: OnlyHere = OnlyHere;

/// Begins to watch. One test at a time does: nsscript launches from a single thread.
fn watch() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    TESTS.store(std::process::id(), Ordering::Relaxed);
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn an_allocation_in_a_child_is_noticed() {
    let _one = watch();
    let ends = |allocates: bool| {
        let mut command = Command::new("true");
        let allocate = move || {
            if allocates {
                drop(black_box(Box::new(1)));
            }
            Ok(())
        };
        // SAFETY: the closure does nothing that a child may not, but for what is tested.
        unsafe { command.pre_exec(allocate) };
        command.status().expect("true(1) can be started").signal()
    };
    assert_eq!(ends(false), None);
    assert_eq!(ends(true), Some(6), "SIGABRT");
}

#[test]
fn no_step_allocates_in_the_memory_of_the_parent() {
    every_step(&Runner::new());
}

#[test]
fn no_step_allocates_in_a_copy_of_it() {
    let mut host = Runner::new().host().clone();
    // There a new time namespace is entered only by a process with memory of its own.
    host.kernel = (6, 5);
    every_step(&Runner::on(host));
}

#[test]
fn no_step_allocates_while_somebody_is_told() {
    let runner = Runner::new();
    let told = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = told.clone();
    runner.tell(Box::new(move |_| count.set(count.get() + 1)));
    every_step(&runner);
    assert!(told.get() > 1000, "{} actions", told.get());
}

/// Launches sandboxes that have every kind of step between them, and some that fail.
fn every_step(runner: &Runner) {
    let _one = watch();
    for sandbox in [tree(), view(), host_view(), extended(), empty(), chroot()] {
        launch(runner, &sandbox);
        launch(runner, &sandbox.with(What::Pid1, None));
        fail(runner, &sandbox, &["/none/such"], ENOENT);
        fail(runner, &sandbox.with(Workdir(path("/none")), None), &["true"], ENOENT);
    }
    if runner.host().is_root() {
        launch(runner, &mapped());
        fail(runner, &mapped(), &["/none/such"], ENOENT);
        let shared = Namespaces::from(Kind::User);
        launch(runner, &tree().with(What::Share(shared), None));
    }
    if runner.host().kernel >= (6, 6) {
        let clock = ClockOffset::new("boottime", false, Duration::from_secs(1000)).unwrap();
        launch(runner, &tree().with(clock, None));
    }
    let late = Sandbox::new(Root::Empty, None);
    let late = late.with(Symlink { path: path("/a"), says: "/a".into() }, None);
    let late = late.with(tmpfs("/a/b"), None);
    // A path from the working directory is not looked up before the launch.
    fail(runner, &late, &["./true"], ELOOP);
}

fn path(text: &str) -> GuestPath {
    GuestPath::new(text).expect("a path")
}

fn tmpfs(target: &str) -> What {
    Tmpfs { target: path(target), size: Some(1 << 20), mode: 0o755, create: false }.into()
}

fn with(sandbox: Sandbox, steps: impl IntoIterator<Item = What>) -> Sandbox {
    steps.into_iter().fold(sandbox, |sandbox, step| sandbox.with(step, None))
}

/// Steps that any root takes.
fn common() -> Vec<What> {
    vec![
        Proc { target: path("/proc"), options: ProcOptions::default() }.into(),
        Dev::new(path("/dev")).into(),
        Hostname("box".into()).into(),
        Domainname("lan".into()).into(),
        What::User(Id::Number(1000)),
        What::Group(Id::Number(100)),
        What::Env(vec![("A".into(), "1".into()), ("PATH".into(), "/bin:/usr/bin".into())]),
        What::KeepEnv(vec!["HOME".into()]),
        Umask(0o027).into(),
        Limit { resource: Resource::ALL[9], soft: 64, hard: 128 }.into(),
        Sysctl::new("net.ipv4.ip_forward", "1").unwrap().into(),
        Personality::new(["ADDR_NO_RANDOMIZE"]).unwrap().into(),
        Seccomp::new(&Policy::preset("default").unwrap()).unwrap().into(),
        ForbidUserNamespaces.into(),
        KeepCapabilities(Capabilities::parse(["CHOWN", "KILL"]).unwrap()).into(),
        Name::new("web").unwrap().into(),
        PassFd::new(Some(9), 9, false, null()).unwrap().into(),
        Workdir(path("/")).into(),
    ]
}

/// Steps that make and mount things in a root that can be written to.
fn contents() -> Vec<What> {
    let look = FileOptions { mode: Some(0o750), uid: Some(1000), gid: Some(100) };
    let data = vec![("size".into(), Some("1M".into())), ("huge".into(), Some("never".into()))];
    let attributes = MountAttributes { read_only: true, ..MountAttributes::default() };
    let options = MountOptions { data, attributes };
    let read_only = BindOptions { attributes, ..BindOptions::default() };
    let target = |text: &str| path(text);
    vec![
        tmpfs("/run"),
        Bind { source: "/etc".into(), target: target("/a/etc"), options: read_only }.into(),
        Bind { source: "/etc/passwd".into(), target: target("/b/c"), options: read_only }.into(),
        Bind {
            source: "/none".into(),
            target: target("/d"),
            options: BindOptions { optional: true, ..read_only },
        }
        .into(),
        Mount {
            source: "m".into(),
            target: target("/m/n"),
            kind: "tmpfs".into(),
            options,
            create: false,
        }
        .into(),
        Overlay::new(target("/o"), vec!["/usr".into()], (None, None), false).unwrap().into(),
        Propagation::new(target("/o"), "shared").unwrap().into(),
        Devpts(target("/pts")).into(),
        Sysfs { target: target("/sys"), optional: false }.into(),
        Directory { path: target("/x/y"), options: look }.into(),
        File { path: target("/x/y/file"), content: (b"content".to_vec()).into(), options: look }
            .into(),
        Symlink { path: target("/x/link"), says: "/x/deep/er".into() }.into(),
        Directory { path: target("/x/link/z"), options: FileOptions::default() }.into(),
        Mask { target: target("/a/etc"), optional: false }.into(),
        Mask { target: target("/b/c"), optional: true }.into(),
        ReadOnly { target: target("/x"), optional: false }.into(),
        What::ReadOnlyRoot,
    ]
}

/// A root that is put together.
fn tree() -> Sandbox {
    let binary = |name: &str| Ingredient::Binary {
        program: name.into(),
        into: Some(path("/bin")),
        applets: Applets::None,
        data: None,
    };
    let root = Rootfs::default().with(binary("true"), None).with(binary("sleep"), None);
    let root = root.with(Ingredient::Device(path("/dev/null")), None);
    let owner = FileOptions { uid: Some(1000), ..FileOptions::default() };
    let root = root.with(Ingredient::Directory(path("/home"), owner), None);
    with(with(Sandbox::new(Root::Rootfs(root), None), contents()), common())
}

fn view() -> Sandbox {
    let host = Sandbox::new(Root::Directory("/".into()), None);
    with(host.with(What::ReadOnlyRoot, None), common())
}

fn host_view() -> Sandbox {
    with(Sandbox::new(Root::Directory("/".into()), None), common())
}

/// A view of the host with places that the host lacks, and a file over one that it has.
fn extended() -> Sandbox {
    let look = FileOptions { mode: Some(0o600), ..FileOptions::default() };
    let file = |at: &str| File { path: path(at), content: b"x".to_vec().into(), options: look };
    let steps = [
        tmpfs("/nsadded/x"),
        tmpfs("/etc/nsadded/x"),
        file("/etc/nsfile").into(),
        file("/etc/passwd").into(),
        Symlink { path: path("/etc/nslink"), says: "nsfile".into() }.into(),
    ];
    with(with(Sandbox::new(Root::Directory("/".into()), None), steps), common())
}

/// An empty root, with the host's programs.
fn empty() -> Sandbox {
    let system = ["/usr", "/bin", "/lib", "/lib64"].map(|place| {
        Bind {
            source: place.into(),
            target: path(place),
            options: BindOptions { optional: true, ..BindOptions::default() },
        }
        .into()
    });
    let namespaces = Namespaces::from(Kind::Uts);
    let unshared = [What::Share(namespaces), What::Unshare(namespaces)];
    with(with(with(Sandbox::new(Root::Empty, None), system), unshared), common())
}

fn chroot() -> Sandbox {
    view().with(What::Chroot, None)
}

/// An open file.
fn null() -> OwnedFd {
    std::fs::File::open("/dev/null").expect("it is there").into()
}

/// Many ids, as root maps them.
fn mapped() -> Sandbox {
    let range = IdRange::new(0, 100_000, 65536).expect("a range");
    with(tree(), [What::MapUser(range), What::MapGroup(range)])
}

fn request(words: &[&str], streams: Streams) -> Request {
    let words = words.iter().map(|&word| word.to_owned()).collect();
    let command = nsscript::internal::spec::Command::new(words).expect("a command");
    Request { command, streams, origin: None }
}

/// Runs a program with each kind of streams, and another one beside it.
fn launch(runner: &Runner, sandbox: &Sandbox) {
    let bounds = Bounds::default();
    for streams in [
        Streams::Inherited,
        Streams::Terminal,
        Streams::Captured,
        Streams::Piped,
        Streams::Redirected(Redirected { output: Sink::Discarded, ..Redirected::default() }),
    ] {
        let request = request(&["true"], streams);
        let plan = runner.plan(sandbox, &request).expect("no contradictions");
        let exit = runner.run(&plan, &request, &Input::Nothing, &bounds).expect("it can be done");
        assert_eq!((exit.code, exit.signal), (0, None), "{plan}");
    }
    let request = request(&["sleep", "60"], Streams::Inherited);
    let plan = runner.plan(sandbox, &request).expect("no contradictions");
    let mut process = runner.start(&plan, &request, &Input::Nothing).expect("it can be started");
    for streams in [Streams::Captured, Streams::Terminal] {
        let another = self::request(&["true"], streams);
        let exit = runner.join(&mut process, &another, &Input::Nothing, &bounds);
        let exit = exit.expect("it can be joined");
        assert_eq!((exit.code, exit.signal), (0, None), "beside {plan}");
    }
}

/// Makes sure that a launch that fails says why: all that the child tells is two numbers.
fn fail(runner: &Runner, sandbox: &Sandbox, words: &[&str], errno: i32) {
    let request = request(words, Streams::Captured);
    let plan = runner.plan(sandbox, &request).expect("no contradictions");
    match runner.output(&plan, &request, &Input::Nothing, &Bounds::default()) {
        Err(RunError::Reports(reports)) => assert_eq!(reports[0].facts.errno, Some(errno)),
        other => panic!("{other:?} of {plan}"),
    }
}
