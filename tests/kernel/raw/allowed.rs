//! What changes nothing on the host: done, for root as for a user.

use super::{number_of_tries, tries};
use crate::support::{Bench, User, as_each_user};

#[track_caller]
fn all_done(bench: &Bench, recipe: &str) {
    let told = tries(bench, recipe);
    assert!(told.lines().count() >= number_of_tries(recipe), "{told}");
    assert!(!told.contains("!! "), "{told}");
}

#[test]
fn files_of_ones_own_are_made_changed_and_removed() {
    as_each_user(|bench| {
        all_done(
            bench,
            r#"let place = scratch();
            t("mkdir", || { mkdir(`${place}/d`, 0o1777); mkdir(`${place}/d/e`) });
            t("write", || { write_file(`${place}/f`, "a"); write_file(`${place}/f`, "b",
                #{ append: true }); assert_eq(read_file(`${place}/f`), "ab") });
            t("shorter", || { write_file(`${place}/f`, "c");
                assert_eq(read_file(`${place}/f`), "c") });
            t("bytes", || write_file(`${place}/b`, blob(3, 255)));
            t("link", || { symlink("f", `${place}/l`); write_file(`${place}/l`, "d");
                assert_eq(read_file(`${place}/f`), "d") });
            t("new by link", || { symlink("g", `${place}/n`); write_file(`${place}/n`, "e");
                assert_eq(read_file(`${place}/g`), "e") });
            t("nodes", || { for kind in ["fifo", "socket", "file"] {
                mknod(`${place}/${kind}`, #{ type: kind, mode: 0o600 }); } });
            t("mode", || { chmod(`${place}/f`, 0o4751); assert_eq(stat(`${place}/f`).mode, 0o4751);
                chmod(`${place}/l`, 0o600); assert_eq(stat(`${place}/f`).mode, 0o600) });
            t("owner", || { chown(`${place}/f`, #{ uid: getuid(), gid: getgid() });
                assert_eq([stat(`${place}/f`).uid, stat(`${place}/f`).gid], [getuid(), getgid()]) });
            t("names", || { link(`${place}/f`, `${place}/h`); rename(`${place}/h`, `${place}/i`);
                write_file(`${place}/i`, "both"); assert_eq(read_file(`${place}/f`), "both");
                assert_eq(stat(`${place}/f`).links, 2); rename(`${place}/i`, `${place}/b`);
                assert_eq(read_file(`${place}/b`), "both") });
            t("directory", || { rename(`${place}/d`, `${place}/dd`); assert(exists(`${place}/dd/e`));
                rename(`${place}/dd`, `${place}/d`) });
            t("remove", || { for name in ["l", "n", "f", "g", "b", "fifo", "socket", "file", "d/e",
                "d"] { remove(`${place}/${name}`); } });
            t("own tmpfs", || { mkdir(`${place}/t`); mount("x", `${place}/t`, #{ type: "tmpfs" });
                write_file(`${place}/t/f`, "x") });
            t("on a place of the host", || within(MOUNT, || {
                mount("x", "/mnt", #{ type: "tmpfs" }); mkdir("/mnt/d"); write_file("/mnt/f", "x")
            }));
            t("overlay", || within(MOUNT, || {
                for name in ["o", "u", "w", "lower"] { mkdir(`${place}/${name}`); }
                for name in ["passwd", "group"] { write_file(`${place}/lower/${name}`, "x"); }
                mount("x", `${place}/o`, #{ type: "overlay",
                    data: #{ lower: `${place}/lower`, upper: `${place}/u`, work: `${place}/w` } });
                write_file(`${place}/o/passwd`, "changed");
                remove(`${place}/o/group`);
                mkdir(`${place}/o/new`);
                assert_eq(read_file(`${place}/u/passwd`), "changed")
            }));
            t("in a new root", || within(MOUNT, || {
                mkdir(`${place}/r`); mount("x", `${place}/r`, #{ type: "tmpfs" });
                chdir(`${place}/r`); pivot_root(".", "."); umount(".", #{ lazy: true });
                mkdir("/etc"); write_file("/etc/hostname", "box")
            }));
            t("below chroot", || within(MOUNT, || {
                mkdir(`${place}/c`); chroot(`${place}/c`); chdir("/"); mkdir("/d");
                write_file("/d/f", "x") }));"#,
        );
    });
}

#[test]
fn devices_without_a_trace_are_written_to() {
    as_each_user(|bench| {
        all_done(
            bench,
            r#"for name in ["null", "zero"] { t(name, || write_file(`/dev/${name}`, "x")); }
            let bound = `${scratch()}/bound`;
            t("bound", || { write_file(bound, ""); mount("/dev/null", bound, #{ bind: true });
                write_file(bound, "x"); assert_eq(read_file(bound), "") });"#,
        );
    });
}

#[test]
fn settings_of_namespaces_of_ones_own_are_changed() {
    as_each_user(|bench| {
        all_done(
            bench,
            r#"t("host name", || within(UTS, || { sethostname("own"); hostname() }));
            t("domain name", || within(UTS, || { setdomainname("own"); domainname() }));
            t("by unshare", || within(NET, || { unshare(UTS); sethostname("own") }));
            t("without /proc", || within(UTS | MOUNT, || {
                mkdir(`${scratch()}/r`); chroot(`${scratch()}/r`); sethostname("own") }));
            t("network", || within(NET, || write_file("/proc/sys/net/ipv4/ip_forward", "1")));
            t("user namespaces", || {
                let child = clone(USER, || { while getuid() != 0 { sleep("1ms"); }
                    write_file("/proc/sys/user/max_user_namespaces", "0");
                    let told = "";
                    try { within(USER, || 1); } catch (e) { told = e.message; }
                    told });
                map_ids(child, #{ users: [[0, getuid(), 1]] });
                assert(child.value().ends_with("(ENOSPC)")) });
            t("own process", || write_file("/proc/self/oom_score_adj", "500"));
            t("child", || { let child = clone(UTS, || sleep("10s"));
                write_file(`/proc/${child.pid}/oom_score_adj`, "600") });
            t("pivoted", || within(UTS | MOUNT, || { let place = scratch();
                mkdir(`${place}/p`); mount("x", `${place}/p`, #{ type: "tmpfs" });
                chdir(`${place}/p`); pivot_root(".", "."); umount(".", #{ lazy: true });
                sethostname("own"); mkdir("/x"); mount("x", "/x", #{ type: "tmpfs" }) }));"#,
        );
    });
}

#[test]
fn queues_and_hierarchies_are_those_of_ones_own_namespaces() {
    as_each_user(|bench| {
        all_done(
            bench,
            r#"let place = scratch();
            mkdir(`${place}/t`);
            t("queue", || within(IPC | MOUNT, || { mount("x", `${place}/t`, #{ type: "mqueue" });
                write_file(`${place}/t/queue`, ""); exists(`${place}/t/queue`) }));
            t("cgroups", || within(CGROUP | MOUNT, || {
                mount("x", `${place}/t`, #{ type: "cgroup2" }); exists(`${place}/t/cgroup.procs`) }));
            t("sysfs", || within(NET | MOUNT, || {
                mount("x", `${place}/t`, #{ type: "sysfs" }); exists(`${place}/t/class/net/lo`) }));"#,
        );
    });
}

#[test]
fn namespaces_of_ones_own_are_changed_after_they_were_entered() {
    as_each_user(|bench| {
        let recipe = r#"let child = clone(UTS | MOUNT | IPC, || sleep("60s"));
            t("by a process", || within(NET, || { setns(child, UTS | MOUNT); sethostname("one");
                mount("x", "/mnt", #{ type: "tmpfs" }); write_file("/mnt/x", "1"); hostname() }));
            t("by a handle", || child.namespace(UTS).within(|| { sethostname("two"); hostname() }));
            t("by the process", || child.within(|| { sethostname("three"); read_file("/mnt/x") }));
            t("and back", || within(UTS, || { let first = namespaces().uts; unshare(UTS);
                sethostname("b"); setns(first); sethostname("a"); hostname() }));"#;
        all_done(bench, recipe);
        // The numbers of namespaces that nobody is in any more are given to new ones.
        if bench.user == User::this() {
            let recipe = format!("{}{recipe}", super::TRY);
            let script = "exec unshare -mui --propagation private \"$@\"";
            let script = if bench.user.is_root() { script } else { "exec unshare -Urmui \"$@\"" };
            let told = bench.recipe(&recipe).by_shell(script).end().succeeded();
            assert!(!told.contains("!! "), "{told}");
        }
    });
}
