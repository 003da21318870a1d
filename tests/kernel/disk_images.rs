//! Images: files with a file system in them.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use nsscript::internal::run::{LoopSettings, attach_loop};

use crate::support::{Bench, HOST, as_each_user, missing};

/// Whether the system can make this type; says so where not.
fn can_make(kind: &str) -> bool {
    let found = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]
        .iter()
        .any(|directory| Path::new(directory).join(format!("mkfs.{kind}")).exists());
    if !found {
        missing(&format!("the program mkfs.{kind}"));
    }
    found
}

/// Bytes of a file.
fn bytes_at<const N: usize>(path: &Path, offset: u64) -> [u8; N] {
    let mut bytes = [0; N];
    File::open(path).unwrap().read_exact_at(&mut bytes, offset).unwrap();
    bytes
}

#[test]
fn an_image_is_sparse_private_and_of_its_size() {
    for kind in ["ext4", "ext3", "ext2"] {
        if !can_make(kind) {
            continue;
        }
        as_each_user(|bench| {
            let recipe =
                format!("print(disk_image(\"disk.img\", \"16M\", #{{ type: {kind:?} }}));");
            let printed = bench.recipe(&recipe).end().succeeded();
            let path = bench.path("disk.img");
            assert_eq!(printed.trim_end(), path.to_str().unwrap());
            let found = path.metadata().unwrap();
            assert_eq!((found.len(), found.mode() & 0o7777), (16 << 20, 0o600));
            assert_eq!(found.uid(), bench.user.uid);
            assert!(found.blocks() * 512 < 8 << 20, "{} blocks", found.blocks());
            assert_eq!(bytes_at(&path, 1024 + 56), [0x53, 0xef], "the mark of a superblock");
            // The feature `has_journal` sets ext3 apart from ext2, `extent` ext4 from both.
            let [compatible, _, _, _, incompatible, ..] = bytes_at::<8>(&path, 1024 + 92);
            assert_eq!(compatible & 4 != 0, kind != "ext2", "{kind}");
            assert_eq!(incompatible & 0x40 != 0, kind == "ext4", "{kind}");
        });
    }
}

#[test]
fn the_type_is_ext4_where_none_is_given() {
    if can_make("ext4") {
        as_each_user(|bench| {
            let said = bench.recipe(r#"disk_image("disk.img", 16777216);"#).end().succeeded();
            assert_eq!(said, "");
            assert_eq!(bytes_at(&bench.path("disk.img"), 1024 + 56), [0x53, 0xef]);
        });
    }
}

#[test]
fn an_image_is_made_where_proc_shows_another_pid_namespace() {
    if can_make("ext4") {
        as_each_user(|bench| {
            // Number 1 in /proc is another process than number 1 of the namespace.
            let recipe = r#"within(PID, || { disk_image("disk.img", 16777216); });"#;
            assert_eq!(bench.recipe(recipe).end().succeeded(), "");
            assert_eq!(bytes_at(&bench.path("disk.img"), 1024 + 56), [0x53, 0xef]);
        });
    }
}

#[test]
fn nothing_is_left_of_an_image_that_is_too_small() {
    if can_make("ext4") {
        as_each_user(|bench| {
            let said = bench.recipe(r#"disk_image("disk.img", "64K");"#).end().failed(125);
            assert!(said.contains("`mkfs.ext4` cannot create a file system in `"), "{said}");
            assert!(said.contains("ext4 needs at least `2M`"), "{said}");
            assert!(!bench.path("disk.img").exists());
        });
    }
}

#[test]
fn nothing_is_left_of_an_image_that_is_too_large() {
    as_each_user(|bench| {
        let said = bench.recipe(r#"disk_image("disk.img", "8388607T");"#).end().failed(125);
        assert!(said.contains("cannot create "), "{said}");
        assert!(!bench.path("disk.img").exists());
        let recipe = bench.recipe(r#"disk_image("disk.img", "16M");"#);
        let said = recipe.by_shell("ulimit -f 100; exec \"$@\"").end().failed(125);
        assert!(said.contains("file too large (EFBIG)") && said.contains("ulimit -f"), "{said}");
        assert!(!bench.path("disk.img").exists());
    });
}

#[test]
fn a_dry_run_makes_no_image() {
    as_each_user(|bench| {
        let recipe = r#"print(disk_image("none/disk.img", "16M").len());"#;
        let planned = bench.nsscript(&["plan", "-e", recipe]).end().succeeded();
        assert!(planned.contains("none/disk.img` of "), "{planned}");
        let said = bench.nsscript(&["plan", "-e", r#"disk_image("x", 1);"#]).end().failed(125);
        assert!(said.contains("no file system fits in 1 B"), "{said}");
        assert!(said.contains("ext4 needs at least `2M`"), "{said}");
        assert_eq!(fs::read_dir(bench.path("")).unwrap().count(), 0);
    });
}

/// A program `mkfs.own` in a directory of its own, which is the `PATH` of the run.
fn with_own_mkfs(bench: &Bench, script: &str) -> String {
    bench.file("bin/mkfs.own", format!("#!/bin/sh\n{script}\n"));
    bench.mode("bin/mkfs.own", 0o755);
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{}:{path}", bench.text("bin"))
}

const OWN: &str = r#"disk_image("disk.img", "64K", #{ type: "own" });"#;

#[test]
fn any_mkfs_is_given_the_file_and_nothing_else() {
    as_each_user(|bench| {
        let script = r#"{ echo "$# $1 $PWD"; env; cat; } > "$1""#;
        let path = with_own_mkfs(bench, script);
        assert_eq!(bench.recipe(OWN).env("PATH", path).end().succeeded(), "");
        let told = bench.content("disk.img");
        let mut lines = told.lines();
        // By the file itself, whatever lies at its path by then.
        let first = lines.next().unwrap();
        assert!(first.starts_with("1 /proc/") && first.ends_with(" /"), "{first}");
        // What a shell sets for itself.
        let own = ["PWD=", "OLDPWD=", "SHLVL=", "_="];
        let foreign = lines.find(|line| !own.iter().any(|name| line.starts_with(name)));
        assert_eq!(foreign, None);
    });
}

#[test]
fn what_a_mkfs_says_is_told_and_its_file_removed() {
    as_each_user(|bench| {
        let path = with_own_mkfs(bench, "echo a note; echo one >&2; echo two >&2; exit 1");
        let said = bench.recipe(OWN).env("PATH", path).end().failed(125);
        assert!(said.contains("   = one\n   = two\n"), "{said}");
        assert!(!said.contains("a note") && !bench.path("disk.img").exists(), "{said}");
        let path = with_own_mkfs(bench, "echo write: No space left on device >&2; exit 1");
        let recipe = format!("try {{ {OWN} }} catch (e) {{ print(e.errno); print(e.hint); }}");
        let told = bench.recipe(&recipe).env("PATH", path).end().succeeded();
        assert_eq!(told, "28\nthe disk that holds the image is full\n");
    });
}

#[test]
fn an_interruption_ends_the_mkfs_and_removes_its_file() {
    as_each_user(|bench| {
        let path = with_own_mkfs(bench, "echo > \"$0.begun\"; exec sleep 60");
        let begun = bench.path("bin/mkfs.own.begun");
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let _ = fs::remove_file(&begun);
            let running = bench.recipe(OWN).env("PATH", &path).start();
            wait_until(|| begun.exists());
            running.signal(signal);
            let status = running.end().status;
            assert!(!status.success() && !bench.path("disk.img").exists(), "{signal}: {status}");
        }
    });
}

#[test]
fn a_mkfs_does_not_outlive_nsscript() {
    as_each_user(|bench| {
        let path = with_own_mkfs(bench, "echo > \"$0.begun\"; exec sleep 60");
        let running = bench.recipe(OWN).env("PATH", path).may_leave_files().start();
        wait_until(|| bench.path("bin/mkfs.own.begun").exists());
        running.signal(Signal::SIGKILL);
        running.end();
    });
}

#[track_caller]
fn wait_until(done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < end, "it takes too long");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether this user can attach files to loop devices; says so where not.
fn may_attach(bench: &Bench) -> bool {
    let file = bench.file("probe.img", vec![0; 1 << 16]);
    let is_root = bench.user.is_root();
    let attached = is_root && attach_loop(&file, &LoopSettings::default()).is_ok();
    if is_root && !attached {
        missing("loop devices");
    }
    attached
}

/// Waits until no loop device has a file of this name.
fn wait_until_free(file: &Path) {
    let end = Instant::now() + Duration::from_mins(1);
    let is_attached = || {
        let devices = fs::read_dir("/sys/block").unwrap().flatten();
        devices.into_iter().any(|device| {
            let backing = fs::read_to_string(device.path().join("loop/backing_file"));
            backing.is_ok_and(|text| Path::new(text.trim_end()) == file)
        })
    };
    while is_attached() {
        assert!(Instant::now() < end, "the loop device is still attached");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_image_is_mounted_in_a_sandbox_and_its_device_is_freed() {
    as_each_user(|bench| {
        if !can_make("ext4") || !may_attach(bench) {
            return;
        }
        let script = "echo kept > /mnt/file && stat -f -c %T /mnt && id -u && \
                      grep -c ' /mnt .*nosuid,nodev' /proc/self/mountinfo";
        let recipe = format!(
            r#"let disk = disk_image("disk,1.img", "16M");
            let guest = {HOST}.image(disk, "/mnt");
            guest.run(["sh", "-c", "{script}"]);
            guest.run("cat /mnt/file");
            guest.within(|| print(read_file("/mnt/file").len()));
            let shut = {HOST}.image(disk, "/mnt", #{{ read_only: true, type: "ext4" }});
            print(shut.run(["sh", "-c", "cat /mnt/file; touch /mnt/x"], #{{ check: false }}).code);"#
        );
        let ended = bench.recipe(&recipe).end();
        assert_eq!(ended.stdout, "ext2/ext3\n0\n1\nkept\n5\nkept\n1\n", "{}", ended.stderr);
        assert!(ended.stderr.contains("Read-only file system"), "{}", ended.stderr);
        wait_until_free(&bench.path("disk,1.img"));
        let plan = bench.nsscript(&["plan", "-e", &recipe]).end().succeeded();
        assert!(plan.contains("to a loop device as ext4"), "{plan}");

        let sleeps = format!(
            r#"{HOST}.image("disk,1.img", "/mnt").run(["sh", "-c", "echo ready; sleep 300"])"#
        );
        let mut running = bench.recipe(&sleeps).may_leave_files().start();
        running.wait_for("ready");
        running.signal(Signal::SIGKILL);
        running.end();
        wait_until_free(&bench.path("disk,1.img"));
    });
}

#[test]
fn an_image_that_cannot_be_mounted_is_told() {
    as_each_user(|bench| {
        bench.file("text", "no file system\n");
        let mount = |steps: &str| bench.sh(&format!("{HOST}{steps}"), "true").failed(125);
        if !bench.user.is_root() {
            let said = mount(r#".image("text", "/mnt")"#);
            assert!(
                said.contains("cannot mount the image") && said.contains("only root"),
                "{said}"
            );
            assert!(said.contains("fuse2fs") && said.contains("run the recipe as root"), "{said}");
            return;
        }
        let said = mount(r#".image("text", "/mnt")"#);
        assert!(said.contains("cannot tell the type of the file system"), "{said}");
        let said = mount(r#".image("none.img", "/mnt")"#);
        assert!(said.contains("cannot open the image") && said.contains("(ENOENT)"), "{said}");
        let said = mount(r#".image("/usr", "/mnt")"#);
        assert!(said.contains("is not a regular file"), "{said}");
        if may_attach(bench) {
            let said = mount(r#".image("probe.img", "/mnt", #{ type: "ext4" })"#);
            assert!(
                said.contains("(EINVAL)") && said.contains("the file may hold no ext4"),
                "{said}"
            );
            wait_until_free(&bench.path("probe.img"));
        }
    });
}
