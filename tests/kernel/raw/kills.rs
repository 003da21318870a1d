//! Every recipe of the package, killed at moments spread over the time that it takes.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::{Bench, Launch, as_each_user};

/// How many times a recipe is killed at the most.
const MOST: u32 = 12;
/// How long all runs of a recipe take, about.
const TIME: Duration = Duration::from_millis(1500);

/// The recipes of the package, those in directories below too.
fn recipes() -> Vec<PathBuf> {
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes")];
    let mut found = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|it| it == "rhai") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn run<'b>(bench: &'b Bench, recipe: &str) -> Launch<'b> {
    bench.nsscript(&[recipe]).may_leave_files()
}

/// Kills runs of a recipe, and lets one sweep what they have left.
fn kill_everywhere(bench: &Bench, recipe: &Path) {
    let text = std::fs::read_to_string(recipe).unwrap();
    let name = recipe.file_name().unwrap().to_str().unwrap();
    bench.file(name, text);
    let begun = Instant::now();
    let ended = run(bench, name).end();
    assert!(matches!(ended.status.code(), Some(0 | 77)), "{name}: {}", ended.stderr);
    let took = begun.elapsed();
    let times = u32::try_from(TIME.as_millis() / took.as_millis().max(1)).unwrap().clamp(4, MOST);
    for moment in 0..times {
        let running = run(bench, name).start();
        std::thread::sleep(took * moment / times);
        running.signal(Signal::SIGKILL);
        // The host is compared at the end of every run.
        running.end();
    }
    // A sandbox with a root that is built has a directory, and sweeps those of others first.
    bench.seen(crate::support::TREE, "true");
    assert_eq!(bench.left(), Vec::<PathBuf>::new(), "the next run sweeps what {name} has left");
}

#[test]
fn nothing_is_left_of_a_recipe_that_is_killed_at_any_moment() {
    as_each_user(|bench| {
        let left = Mutex::new(recipes());
        let (user, failed) = (bench.user, Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some(recipe) = { left.lock().unwrap().pop() } {
                        let one = || kill_everywhere(&Bench::new(user), &recipe);
                        if std::panic::catch_unwind(one).is_err() {
                            failed.lock().unwrap().push(recipe);
                        }
                    }
                });
            }
        });
        let failed = failed.into_inner().unwrap();
        assert!(failed.is_empty(), "something is left of {failed:?}");
    });
}

#[test]
fn nothing_is_left_of_raw_calls_that_are_killed_at_any_moment() {
    let recipe = r#"let place = scratch();
        for name in ["a", "b", "up", "work", "merged"] { mkdir(`${place}/${name}`); }
        mount("x", `${place}/a`, #{ type: "tmpfs" });
        mount("/etc", `${place}/b`, #{ bind: true, recursive: true, read_only: true });
        mount("x", `${place}/merged`, #{ type: "overlay", data: #{ lower: `${place}/a`,
            upper: `${place}/up`, work: `${place}/work` } });
        let child = clone(ALL - USER, || { sethostname("child");
            mount("proc", "/proc", #{ type: "proc" });
            let inner = clone(USER | PID, || sleep(60));
            exec(["sh", "-c", "sleep 60 & sleep 60"]) });
        let net = child.namespace(NET);
        net.pin(`${place}/net`);
        within(UTS | PID, || within(NET | MOUNT, || { unshare(IPC); interfaces().len() }));
        child.within(|| hostname());
        let guest = sandbox("/").read_only_root().start("sleep 60");
        guest.within(|| getpid());
        unshare(UTS | NET);
        sethostname("own");
        if getuid() == 0 && exists("/dev/loop-control") && which("mkfs.ext4") != () {
            let disk = disk_image("disk-" + getpid() + ".img", "4M");
            try { mkdir(`${place}/disk`); mount(disk, `${place}/disk`, #{ type: "ext4" }); } catch {}
        }
        pivot_root(`${place}`, `${place}/a`);"#;
    as_each_user(|bench| {
        bench.file("raw.rhai", recipe);
        kill_everywhere(bench, &bench.path("raw.rhai"));
    });
}
