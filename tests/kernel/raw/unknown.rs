//! What cannot be found out is the host's: where /proc is missing, hidden, or cannot be read.

use std::process::Stdio;

use super::{TRY, fails};
use crate::support::{Bench, Launch, as_each_user, may_mount, may_mount_as_root};

/// A process of the host that runs as long as this value lives.
struct Bystander(std::process::Child);

impl Bystander {
    fn new(bench: &Bench) -> Self {
        let mut command = bench.user.command("sleep");
        let command = command.arg("300").stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.spawn().expect("sleep starts"))
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }

    fn is_alive(&mut self) -> bool {
        self.0.try_wait().expect("a child can be waited for").is_none()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts nsscript without a /proc, or with one that is none.
const NO_PROC: &str =
    r#"exec unshare --mount --propagation private sh -c 'umount -l /proc && exec "$@"' sh "$@""#;
const EMPTY_PROC: &str = r#"exec unshare --mount --propagation private sh -c 'mount -t tmpfs tmpfs /proc && exec "$@"' sh "$@""#;

/// What changes files of the host, a try each.
const FILES: &str = r#"
    t("write", || write_file("host/file", "changed"));
    t("append", || write_file("host/file", "more", #{ append: true }));
    t("new file", || write_file("host/new", "x"));
    t("mkdir", || mkdir("host/new"));
    t("symlink", || symlink("x", "host/new"));
    t("mknod", || mknod("host/new", #{ type: "fifo" }));
    t("remove", || remove("host/file"));
"#;

/// Makes sure that all tries of a launch were refused, and that the file of the host is as it was.
#[track_caller]
fn all_refused(bench: &Bench, launch: Launch<'_>, tries: usize) {
    let told = launch.end().succeeded();
    assert_eq!(told.lines().count(), tries, "{told}");
    for line in told.lines() {
        assert!(line.contains(": !! refused to "), "{line}\nof:\n{told}");
    }
    assert_eq!(bench.content("host/file"), "text", "{told}");
    assert!(!bench.path("host/new").exists(), "{told}");
}

#[test]
fn files_are_the_hosts_where_proc_does_not_tell() {
    as_each_user(|bench| {
        if !may_mount_as_root() {
            return;
        }
        bench.file("host/file", "text");
        let recipe = format!("{TRY}{FILES}");
        // A user needs /proc for the maps of the session, and so changes nothing at all without it.
        for script in [NO_PROC, EMPTY_PROC].iter().filter(|_| bench.user.is_root()) {
            all_refused(bench, bench.recipe(&recipe).by_shell(script), 7);
        }
        let world = "mount -t proc -o subset=pid proc /proc";
        all_refused(bench, bench.recipe(&recipe).in_world(world), 7);
    });
}

#[test]
fn files_are_the_hosts_where_no_descriptor_is_left() {
    as_each_user(|bench| {
        bench.file("host/file", "text");
        bench.mode("host", 0o777);
        for limit in 3..24 {
            for (what, verb) in [
                ("remove", r#"remove("host/file")"#),
                ("write", r#"write_file("host/file", "changed")"#),
                ("mkdir", r#"mkdir("host/new")"#),
            ] {
                let shell = format!("ulimit -n {limit}; exec \"$@\"");
                let ended = bench.recipe(verb).by_shell(&shell).may_leave_files().end();
                assert_ne!(ended.status.code(), Some(0), "{what} with {limit} descriptors");
                assert_eq!(bench.content("host/file"), "text", "{what} with {limit} descriptors");
                assert!(!bench.path("host/new").exists(), "{what} with {limit} descriptors");
            }
        }
    });
}

#[test]
fn what_the_recipe_has_mounted_is_its_own_without_proc() {
    as_each_user(|bench| {
        if !may_mount() || !bench.user.is_root() {
            return;
        }
        let recipe = r#"let place = scratch();
            mkdir(place + "/t");
            mount("t", place + "/t", #{ type: "tmpfs" });
            write_file(place + "/t/file", "own");
            print(read_file(place + "/t/file"));
            within(MOUNT, || { chroot(place); mkdir("/made"); write_file("/made/x", "in"); });
            print(read_file(place + "/made/x"));"#;
        let seen = bench.recipe(recipe).by_shell(NO_PROC).end().succeeded();
        assert_eq!(seen, "own\nin\n");
    });
}

#[test]
fn processes_are_the_hosts_where_proc_does_not_tell() {
    as_each_user(|bench| {
        if !may_mount() || !bench.user.is_root() {
            return;
        }
        let mut bystander = Bystander::new(bench);
        for script in [NO_PROC, EMPTY_PROC] {
            let recipe = format!("kill({}, \"TERM\")", bystander.pid());
            let said = bench.recipe(&recipe).by_shell(script).end().failed(125);
            assert!(said.contains("cannot determine who owns process"), "{said}");
            assert!(bystander.is_alive());
        }
    });
}

#[test]
fn a_new_pid_namespace_is_that_of_the_children_and_protects_nobody() {
    as_each_user(|bench| {
        let mut bystander = Bystander::new(bench);
        let pid = bystander.pid();
        for before in [
            "unshare(PID);",
            "let handle = clone(PID, || sleep(\"60s\")); setns(handle, PID);",
            "clone(PID, || 1).wait();",
        ] {
            let said = fails(bench, &format!("{before} kill({pid}, \"TERM\");"));
            assert!(said.contains("does not belong to the recipe"), "{before}: {said}");
            assert!(bystander.is_alive(), "{before}");
        }
        // A child is in it: the number is that of a process there, or of none.
        let recipe = format!(
            "unshare(PID); let said = within(UTS, || {{
                try {{ kill({pid}, \"TERM\") }} catch (e) {{ return e.errno }} }});
            print(said);"
        );
        assert_eq!(bench.recipe(&recipe).end().succeeded(), "3\n");
        assert!(bystander.is_alive());
    });
}

#[test]
fn a_loop_device_of_a_file_of_the_host_is_a_disk_of_the_host_without_sysfs() {
    as_each_user(|bench| {
        if !bench.user.is_root() || !may_mount() || std::fs::metadata("/dev/loop-control").is_err()
        {
            return;
        }
        bench.recipe("disk_image(\"disk\", \"2M\", #{ type: \"ext4\" })").end().succeeded();
        let recipe = format!(
            r#"{TRY}let place = scratch();
            mkdir(place + "/t");
            t("mount", || mount(args[0], place + "/t", #{{ type: "ext4" }}));"#
        );
        let script = r#"device=$(losetup --find --show disk) || exit 77
            "$@" "$device"; code=$?; losetup --detach "$device"; exit $code"#;
        let launch = bench.nsscript(&["-e", &recipe]).by_shell(script);
        let ended = launch.in_world("mount -t tmpfs tmpfs /sys").end();
        if ended.status.code() != Some(77) {
            let told = ended.succeeded();
            assert!(
                told.contains("!! refused to mount") && told.contains("disk of the host"),
                "{told}"
            );
        }
    });
}

#[test]
fn a_session_that_is_entered_by_half_says_so_at_once() {
    as_each_user(|bench| {
        if !may_mount_as_root() || bench.user.is_root() {
            return;
        }
        // Maps cannot be written: as where a rule of AppArmor leaves user namespaces without rights.
        let world = "mount -o bind,remount,ro /proc";
        for first in ["print(getuid());", "mkdir(\"x\");", "print(capabilities());"] {
            let recipe = format!("{first}\nprint(\"on\");\nwrite_file(\"y\", \"\");");
            let ended = bench.recipe(&recipe).in_world(world).end();
            assert_eq!(ended.stdout, "", "{first}");
            let said = ended.failed(125);
            assert!(said.contains("cannot work in a private user and mount namespace"), "{said}");
            assert!(said.contains("(EROFS)") && said.contains("the call was openat(2)"), "{said}");
            assert!(said.contains("<command line>:1:"), "{said}");
        }
        // A `catch` does not make it whole: the same is said of every later line.
        let recipe = "for i in 0..2 { try { print(getuid()) } catch (e) { print(e.message) } }";
        let seen = bench.recipe(recipe).in_world(world).end().succeeded();
        let lines: Vec<_> = seen.lines().collect();
        assert!(lines.len() == 2 && lines[0] == lines[1], "{seen}");
        assert!(lines[0].starts_with("cannot work in a private"), "{seen}");
    });
}
