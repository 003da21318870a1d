//! What would change the host: refused, by whichever way it is tried, and nothing is changed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::{number_of_tries, tries};
use crate::support::{Bench, User, as_each_user, may_mount};

/// A directory `host` with a file, and how both are.
fn canary(bench: &Bench) -> String {
    if !bench.path("host/file").exists() {
        bench.file("host/file", "text");
        bench.directory("host/empty");
    }
    let mut names: Vec<PathBuf> =
        fs::read_dir(bench.path("host")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names.push(bench.path("host"));
    let one = |path: &PathBuf| {
        let found = fs::symlink_metadata(path).unwrap();
        format!("{} {:o} {} {}\n", path.display(), found.mode(), found.mtime_nsec(), found.nlink())
    };
    names.iter().map(one).collect::<String>() + bench.content("host/file").as_str()
}

/// Makes sure that every try was refused, for one of these reasons, and that nothing in `host`
/// has changed.
#[track_caller]
fn all_refused(bench: &Bench, recipe: &str, reasons: &[&str]) {
    let before = canary(bench);
    let told = tries(bench, recipe);
    assert!(told.lines().count() >= number_of_tries(recipe), "{told}");
    for line in told.lines() {
        let (_, came) = line.split_once(": ").unwrap_or_else(|| panic!("{told}"));
        let refused = came.starts_with("!! ") && reasons.iter().any(|reason| came.contains(reason));
        assert!(refused, "{line}\nof:\n{told}");
    }
    assert_eq!(canary(bench), before, "{told}");
}

/// Of a file system that is the host's.
const FILES: &[&str] = &["is the host's own file system"];

#[test]
fn files_of_the_host_are_not_changed_by_any_path() {
    as_each_user(|bench| {
        all_refused(
            bench,
            r#"let place = scratch();
            let host = cwd() + "/host";
            symlink(host, `${place}/link`);
            symlink(`${host}/new`, `${place}/dangling`);
            symlink("dangling", `${place}/twice`);
            mkdir(`${place}/bound`);
            mount(host, `${place}/bound`, #{ bind: true });
            t("mkdir", || mkdir("host/new"));
            t("write", || write_file("host/file", "changed"));
            t("append", || write_file("host/file", "changed", #{ append: true }));
            t("new file", || write_file("host/new", "x"));
            t("remove", || remove("host/file"));
            t("rmdir", || remove("host/empty"));
            t("symlink", || symlink("x", "host/new"));
            t("fifo", || mknod("host/new", #{ type: "fifo" }));
            t("socket", || mknod("host/new", #{ type: "socket" }));
            t("node", || mknod("host/new", #{ major: 1, minor: 3 }));
            t("pin", || namespaces().uts.pin("host/new"));
            t("link", || write_file(`${place}/link/file`, "changed"));
            t("below link", || mkdir(`${place}/link/new`));
            t("dangling", || write_file(`${place}/dangling`, "x"));
            t("two links", || write_file(`${place}/twice`, "x"));
            t("bind", || write_file(`${place}/bound/file`, "changed"));
            t("in bind", || mkdir(`${place}/bound/new`));
            t("mode", || chmod("host/file", 0o777));
            t("mode by link", || chmod(`${place}/link/file`, 0o777));
            t("mode by bind", || chmod(`${place}/bound`, 0o777));
            t("owner", || chown("host/file", #{ uid: getuid() }));
            t("group by link", || { symlink(`${host}/file`, `${place}/to`);
                chown(`${place}/to`, #{ gid: getgid() }) });
            t("rename", || rename("host/file", "host/new"));
            t("rename from", || rename("host/file", `${place}/new`));
            t("rename to", || { write_file(`${place}/own`, ""); rename(`${place}/own`, "host/file") });
            t("rename in bind", || rename(`${place}/bound/file`, `${place}/bound/new`));
            t("hard link", || link("host/file", "host/new"));
            t("hard link in bind", || link(`${place}/bound/file`, `${place}/bound/new`));
            t("dots", || mkdir(`${host}/../host/new`));
            t("root of a process", || mkdir(`/proc/self/root${host}/new`));
            t("working directory", || { chdir(host); write_file("/proc/self/cwd/file", "x") });
            t("chroot", || within(MOUNT, || { chroot(host); write_file("/file", "x") }));
            t("escape", || within(MOUNT, || {
                chdir("/"); chroot(place); chdir(".."); chroot("."); write_file(`${host}/file`, "x")
            }));
            t("pivot_root", || within(MOUNT, || {
                mount(host, host, #{ bind: true, recursive: true });
                chdir(host);
                pivot_root(".", ".");
                umount(".", #{ lazy: true });
                write_file("/file", "x")
            }));
            t("moved", || within(MOUNT, || {
                mount(host, host, #{ bind: true });
                mkdir(`${place}/moved`);
                mount(host, `${place}/moved`, #{ move: true });
                remove(`${place}/moved/file`)
            }));
            t("nested", || within(USER, || within(MOUNT, || mkdir(`${host}/new`))));"#,
            FILES,
        );
    });
}

#[test]
fn modes_of_files_of_the_kernel_are_not_changed() {
    as_each_user(|bench| {
        let recipe = r#"mkdir(`${scratch()}/p`);
            t("version", || chmod("/proc/version", 0o400));
            t("owner", || chown("/proc/version", #{ uid: getuid() }));
            t("device", || chmod("/dev/null", 0o600));"#;
        let own = r#"
            t("own proc", || within(PID | MOUNT, || {
                mount("proc", `${scratch()}/p`, #{ type: "proc" });
                chmod(`${scratch()}/p/version`, 0o400)
            }));"#;
        let recipe =
            format!("{recipe}{}", if bench.user.is_root() && may_mount() { own } else { "" });
        all_refused(bench, &recipe, &["file system of the kernel", "the host's own file system"]);
        assert_eq!(fs::metadata("/proc/version").unwrap().mode() & 0o777, 0o444);
    });
}

#[test]
fn an_overlay_puts_no_changes_on_the_host() {
    as_each_user(|bench| {
        for directory in ["host/upper", "host/work", "host/a,b"] {
            bench.directory(directory);
        }
        let own = r#"let place = scratch();
            for name in ["target", "lower", "upper", "work"] { mkdir(`${place}/${name}`); }
            let host = cwd() + "/host";
            fn overlay(upper, work) {
                let lower = `${scratch()}/lower`;
                let data = #{ lower: lower, upper: upper, work: work };
                mount("x", `${scratch()}/target`, #{ type: "overlay", data: data })
            }
            t("a map", || overlay("host/upper", "host/work"));
            t("a comma", || overlay("host/a,b", "host/work"));
            t("a text", || mount("x", `${place}/target`, #{ type: "overlay", data:
                `lowerdir=${place}/lower,upperdir=${host}/upper,workdir=${host}/work` }));
            t("the last", || mount("x", `${place}/target`, #{ type: "overlay", data:
                `lowerdir=${place}/lower,upperdir=${place}/upper,upperdir=${host}/upper,workdir=${host}/work` }));
            t("a bind", || {
                mkdir(`${place}/bound`);
                mount("host", `${place}/bound`, #{ bind: true });
                overlay(`${place}/bound/upper`, `${place}/bound/work`)
            });
            t("a link", || { symlink(host, `${place}/link`);
                overlay(`${place}/link/upper`, `${place}/link/work`) });"#;
        all_refused(bench, own, FILES);
        assert_eq!(fs::read_dir(bench.path("host/work")).unwrap().count(), 0);
    });
}

#[test]
fn names_and_settings_of_the_machine_stay() {
    as_each_user(|bench| {
        all_refused(
            bench,
            r#"let place = scratch();
            mkdir(`${place}/1`);
            write_file(`${place}/1/swappiness`, "");
            mount("/proc/sys/vm/swappiness", `${place}/1/swappiness`, #{ bind: true });
            t("host name", || sethostname("changed"));
            t("domain name", || setdomainname("changed"));
            t("by /proc", || write_file("/proc/sys/kernel/hostname", "changed"));
            t("below others", || within(NET | IPC | PID, || sethostname("changed")));
            t("without /proc", || within(MOUNT, || { chroot(place); sethostname("changed") }));
            t("setting", || write_file("/proc/sys/vm/swappiness", "1"));
            t("bound", || write_file(`${place}/1/swappiness`, "1"));
            t("network", || write_file("/proc/sys/net/ipv4/ip_forward", "1"));
            t("messages", || write_file("/proc/sys/kernel/msgmax", "1"));
            t("of others", || within(UTS | NET | IPC, || write_file("/proc/sys/vm/swappiness", "1")));
            t("a process", || write_file(`/proc/${args[0]}/oom_score_adj`, "1"));
            t("process 1", || write_file("/proc/1/oom_score_adj", "1"));"#,
            &[
                "this is the UTS namespace of the host",
                "this is the network namespace of the host",
                "this is the IPC namespace of the host",
                "that is a setting of the whole machine",
                "does not belong to the recipe",
            ],
        );
    });
}

#[test]
fn devices_and_disks_of_the_host_stay() {
    as_each_user(|bench| {
        bench.file("host/disk.img", [0; 4096]);
        all_refused(
            bench,
            r#"mkdir(`${scratch()}/target`);
            t("a device", || write_file("/dev/random", "x"));
            t("an image", || mount("host/disk.img", `${scratch()}/target`, #{ type: "ext4" }));"#,
            &["that is a device of the host", "that image is the host's"],
        );
    });
}

/// For a user, the kernel refuses what is tried here.
fn as_root(body: impl Fn(&Bench)) {
    if User::this().is_root() {
        body(&Bench::new(User::this()));
    }
}

#[test]
fn disks_are_not_mounted_by_any_name() {
    as_root(|bench| {
        all_refused(
            bench,
            r#"let place = scratch();
            mkdir(`${place}/target`);
            mknod(`${place}/disk`, #{ type: "block", major: 254 });
            symlink(`${place}/disk`, `${place}/loop0`);
            let how = #{ type: "ext4", read_only: true };
            t("a node", || mount(`${place}/disk`, `${place}/target`, how));
            t("a link", || mount(`${place}/loop0`, `${place}/target`, how));
            t("written", || write_file(`${place}/disk`, "x"));"#,
            &["that is a disk of the host", "that is a device of the host"],
        );
    });
}

#[test]
fn file_systems_that_the_host_uses_too_stay() {
    as_root(|bench| {
        all_refused(
            bench,
            r#"let place = scratch();
            mkdir(`${place}/target`);
            fn at(kind) { mount(kind, `${scratch()}/target`, #{ type: kind }); }
            t("remount", || mount("/", #{ remount: true, read_only: true }));
            t("options", || mount("/proc", #{ remount: true, data: "hidepid=2" }));
            t("hierarchy", || at("cgroup2"));
            t("group", || within(CGROUP | MOUNT, || { at("cgroup2");
                mkdir(`${place}/target/nsscript-raw`) }));
            t("queue", || within(MOUNT, || { at("mqueue");
                write_file(`${place}/target/nsscript-raw`, "") }));
            t("sysfs", || within(MOUNT, || { at("sysfs");
                write_file(`${place}/target/kernel/mm/ksm/run`, "0") }));
            t("debugfs", || within(MOUNT, || { at("debugfs"); mkdir(`${place}/target/x`) }));
            t("devices", || within(MOUNT, || { at("devtmpfs");
                mknod(`${place}/target/nsscript-raw`, #{ type: "fifo" }) }));"#,
            &[
                "the file system is the host's",
                "this is the cgroup namespace of the host",
                "this is the IPC namespace of the host",
                "it is a file system of the kernel",
            ],
        );
    });
}

#[test]
fn nothing_is_changed_in_namespaces_of_the_host_that_were_entered() {
    as_root(|bench| {
        let recipe = r#"let pid = parse_int(args[0]);
            let host = cwd() + "/host";
            t("uts", || within(NET, || { setns(pid, UTS); sethostname("changed") }));
            t("of a handle", || namespaces(pid).uts.within(|| sethostname("changed")));
            t("after another", || within(UTS, || { sethostname("own"); setns(pid, UTS);
                sethostname("changed") }));
            t("one's first", || within(IPC, || { let first = namespaces().uts; unshare(UTS);
                sethostname("own"); setns(first); sethostname("changed") }));
            t("network", || namespaces(pid).net.within(||
                write_file("/proc/sys/net/ipv4/ip_forward", "1")));
            t("mkdir", || within(NET, || { setns(pid, MOUNT); mkdir(`${host}/new`) }));
            t("mount", || within(NET, || { setns(pid, MOUNT);
                mount("x", "/mnt", #{ type: "tmpfs" }) }));
            t("propagation", || within(NET, || { setns(pid, MOUNT);
                mount("/", #{ propagation: "unbindable" }) }));
            t("attributes", || within(NET, || { setns(pid, MOUNT);
                mount("/", #{ bind: true, remount: true, flags: "nosuid" }) }));
            t("umount", || within(NET, || { setns(pid, MOUNT); umount("/proc", #{ lazy: true }) }));
            t("pivot_root", || within(NET, || { setns(pid, MOUNT); pivot_root("/mnt", "/mnt") }));"#;
        let reasons = ["namespace of the host", "is the host's own file system"];
        all_refused(bench, recipe, &reasons);
        // In a world of its own, too, where the namespaces of that process are none of the first.
        let before = canary(bench);
        let recipe = format!("{}{recipe}", super::TRY);
        let script = "exec unshare -mui --propagation private \"$@\"";
        let pid = std::process::id().to_string();
        let launch = bench.nsscript(&["-e", &recipe, &pid]).by_shell(script);
        let told = launch.end().succeeded();
        for line in told.lines() {
            let refused = reasons.iter().any(|reason| line.contains(reason));
            // Nobody else is in the first namespaces of that world.
            assert!(refused || line.starts_with("one's first"), "{line}\nof:\n{told}");
        }
        assert_eq!(canary(bench), before);
    });
}

#[test]
fn processes_of_the_host_get_no_signal() {
    as_each_user(|bench| {
        let script = "sleep 60 & export sleeper=$!; \"$@\"; code=$?; kill $sleeper; exit $code";
        let recipe = r#"
            let sleeper = parse_int(env("sleeper"));
            let said = "";
            try { kill(sleeper, "KILL"); } catch (error) { said = error.message; }
            assert(said.ends_with("does not belong to the recipe"), said);
            // Their own children, and all in a PID namespace of its own, are.
            let child = clone(UTS, || sleep("60s"));
            kill(child.pid, "KILL");
            assert_eq(child.wait().signal, 9);
            within(PID, || {
                let child = clone(UTS, || sleep("60s"));
                kill(child.pid, "TERM");
                child.wait();
            });"#;
        bench.recipe(recipe).by_shell(script).end().succeeded();
    });
}

#[test]
fn what_processes_of_the_host_see_is_not_changed_through_them() {
    as_each_user(|bench| {
        let script =
            "unshare -Urm sh -c 'mount -t tmpfs t /mnt && : > /mnt/ready && exec sleep 60' & \
                      export other=$!; until [ -e /proc/$other/root/mnt/ready ]; do sleep 0.01; done
                      \"$@\"; code=$?; ls /proc/$other/root/mnt; kill $other; exit $code";
        let recipe = r#"
            let said = "";
            try { write_file(`/proc/${env("other")}/root/mnt/x`, ""); } catch (e) { said = e.message; }
            assert(said != "");
            let child = clone(MOUNT, || { mount("t", "/mnt", #{ type: "tmpfs" }); sleep("60s"); });
            let place = `/proc/${child.pid}/root/mnt`;
            wait_until(|| child.within(|| mounts().some(|mount| mount.target == "/mnt")));
            write_file(`${place}/x`, "written");
            assert_eq(child.within(|| read_file("/mnt/x")), "written");"#;
        assert_eq!(bench.recipe(recipe).by_shell(script).end().succeeded(), "ready\n");
    });
}
