//! New namespaces and those that are entered: unshare(2), setns(2), clone(2).

use super::{printed, tries};
use crate::support::as_each_user;

#[test]
fn unshare_makes_the_kinds_that_it_is_told_and_no_others() {
    as_each_user(|bench| {
        let recipe = r#"const KINDS = [[USER, "user"], [MOUNT, "mnt"], [NET, "net"], [UTS, "uts"],
                [IPC, "ipc"], [CGROUP, "cgroup"], [PID, "pid"], [TIME, "time"]];
            fn numbers() {
                let found = #{};
                let now = namespaces();
                for kind in global::KINDS { found[kind[1]] = now[kind[1]].inode; }
                found
            }
            let first = numbers();
            for kind in KINDS {
                // What it changes for the process itself, and for the children that come after.
                let seen = within(IPC - IPC, || { unshare(kind[0]); [numbers(), within(IPC - IPC, || numbers())] });
                let made = within(kind[0], || numbers());
                for other in KINDS {
                    let file = other[1];
                    let is_new = file == kind[1];
                    assert_eq(seen[0][file] != first[file], is_new && file != "pid" && file != "time");
                    assert_eq(seen[1][file] != first[file], is_new);
                    assert_eq(made[file] != first[file], is_new);
                }
            }
            print("done");"#;
        assert_eq!(printed(bench, recipe), "done\n");
    });
}

#[test]
fn setns_enters_one_several_a_process_or_its_number() {
    as_each_user(|bench| {
        let recipe = r#"const NONE = UTS - UTS;
            let child = clone(UTS | NET | IPC | MOUNT, || { sethostname("there");
                mount("x", "/mnt", #{ type: "tmpfs" }); write_file("/mnt/there", ""); sleep(60) });
            while !child.within(|| exists("/mnt/there")) { sleep("1ms"); }
            fn entered(child) {
                let own = namespaces();
                let other = namespaces(child.pid);
                ["uts", "net", "ipc", "mnt"].filter(|file| own[file].inode == other[file].inode)
            }
            t("a handle", || within(NONE, || { setns(child.namespace(UTS)); [hostname(), entered(child)] }));
            t("two handles", || within(NONE, || {
                setns([child.namespace(NET), child.namespace(IPC)]); entered(child) }));
            t("a process", || within(NONE, || { setns(child); [entered(child), exists("/mnt/there")] }));
            t("its kinds", || within(NONE, || { setns(child, UTS | IPC); entered(child) }));
            t("its number", || within(NONE, || { setns(child.pid, NET); entered(child) }));
            t("its mounts", || within(NONE, || { setns(child, MOUNT); exists("/mnt/there") }));
            t("where it is", || within(NONE, || { setns(child); setns(child); entered(child).len() }));
            t("a path", || within(NONE, || { setns(namespace(`/proc/${child.pid}/ns/uts`)); hostname() }));
            t("a sandbox", || within(NONE, || {
                let guest = sandbox("/").read_only_root().hostname("guest").start("sleep 60");
                setns(guest, USER | UTS); hostname() }));
            t("and not here", || [entered(child), exists("/mnt/there")]);"#;
        let told = tries(bench, recipe);
        let wanted = r#"a handle: ["there", ["uts"]]
two handles: ["net", "ipc"]
a process: [["uts", "net", "ipc", "mnt"], true]
its kinds: ["uts", "ipc"]
its number: ["net"]
its mounts: true
where it is: 4
a path: there
a sandbox: guest
and not here: [[], false]
"#;
        assert_eq!(told, wanted);
    });
}

#[test]
fn pid_and_time_are_for_children() {
    as_each_user(|bench| {
        let recipe = r"let seen = within(UTS, || {
                unshare(PID);
                let own = getpid() > 1;
                let child = clone(UTS, || { let one = getpid(); sleep(60); one });
                let inner = child.namespace(PID);
                let second = within(UTS, || getpid());
                let third = inner.within(|| getpid());
                [own, second, third, namespaces().pid.inode != inner.inode]
            });
            // The third was made by one in between, which has a number too.
            print(seen);
            print(within(PID, || { let own = namespaces().pid;
                within(PID, || getpid()) }));
            let child = clone(PID | TIME, || sleep(60));
            print(within(UTS, || { setns(child, PID | TIME);
                let now = namespaces(); let children = within(UTS, || namespaces().time.inode);
                [getpid() > 1, within(UTS, || getpid()) > 1, children == child.namespace(TIME).inode,
                    now.time.inode == child.namespace(TIME).inode] }));";
        let seen = printed(bench, recipe);
        assert_eq!(seen, "[true, 2, 4, true]\n1\n[true, true, true, true]\n");
    });
}

#[test]
fn clocks_have_the_offsets_that_were_written() {
    as_each_user(|bench| {
        let recipe = r#"let seen = within(UTS, || {
                unshare(TIME);
                let before = clock("boottime");
                write_file("/proc/self/timens_offsets", "boottime 86400 0\nmonotonic 3600 0\n");
                assert(clock("boottime") - before < 1000.0);
                within(UTS, || [clock("boottime") - before, clock("monotonic")])
            });
            assert(seen[0] > 86399.0 && seen[0] < 86500.0);
            assert(seen[1] > 3600.0);
            let told = "";
            try { within(TIME, || write_file("/proc/self/timens_offsets", "boottime 1 0")); }
                catch (e) { told = e.message; }
            assert(told.ends_with("(EACCES)"));
            print("done");"#;
        assert_eq!(printed(bench, recipe), "done\n");
    });
}

#[test]
fn the_first_child_of_a_pid_namespace_is_its_process_1() {
    as_each_user(|bench| {
        let told = tries(
            bench,
            r#"t("ended", || within(UTS, || { unshare(PID); within(UTS, || 1); within(UTS, || 2) }));
            t("twice", || within(UTS, || { unshare(PID); unshare(PID) }));
            t("with it", || within(UTS, || { unshare(PID); let one = clone(UTS, || sleep(60));
                one.kill("KILL"); one.wait(); within(UTS, || 1) }));
            t("orphans", || within(PID, || { clone(UTS, || { let inner = clone(UTS, || sleep(60));
                exec("true") }).wait(); getpid() }));
            t("proc", || within(PID | MOUNT, || { mount("proc", "/proc", #{ type: "proc" });
                processes().map(|one| one.pid) }));"#,
        );
        let lines: Vec<_> = told.lines().collect();
        assert!(lines[0].ends_with("out of memory (ENOMEM)"), "{told}");
        assert!(lines[1].ends_with("invalid argument (EINVAL)"), "{told}");
        assert!(lines[2].ends_with("out of memory (ENOMEM)"), "{told}");
        assert_eq!(lines[3..], ["orphans: 1", "proc: [1]"], "{told}");
    });
}

#[test]
fn process_1_is_waited_for_though_others_of_its_namespace_are_not() {
    as_each_user(|bench| {
        let recipe = r#"let seen = within(UTS, || {
                unshare(PID);
                let first = clone(UTS, || sleep(60));
                let second = clone(UTS, || sleep(60));
                let third = clone(UTS, || exit(3));
                first.kill("KILL");
                // The third may have been faster than the end of all.
                [first.wait().signal, second.wait().signal, third.wait().code in [3, 137]]
            });
            assert_eq(seen, [9, 9, true]);
            let dropped = within(UTS, || {
                unshare(PID);
                let all = [clone(UTS, || sleep(60)), clone(UTS, || sleep(60))];
                all.len()
            });
            let beside = within(UTS, || {
                unshare(PID);
                let first = clone(UTS, || sleep(60));
                [first.namespace(UTS).within(|| getpid() > 1), first.within(|| getpid() > 1)]
            });
            assert_eq(beside, [true, true]);
            print(dropped);"#;
        assert_eq!(printed(bench, recipe), "2\n");
    });
}

#[test]
fn a_closure_asks_about_processes_of_its_parent_and_does_not_wait_for_them() {
    as_each_user(|bench| {
        let told = tries(
            bench,
            r#"let child = clone(UTS | NET, || sleep(60));
            t("running", || within(PID, || child.running));
            t("namespace", || within(IPC, || child.namespace(UTS).inode)
                == child.namespace(UTS).inode);
            t("wait", || within(UTS, || child.wait()));
            t("value", || within(UTS, || child.value()));
            t("killed", || { within(IPC, || child.kill("KILL")); child.wait().signal });
            t("ended", || within(UTS, || child.running));"#,
        );
        let lines: Vec<_> = told.lines().collect();
        assert_eq!(lines[..2], ["running: true", "namespace: true"]);
        for line in &lines[2..4] {
            assert!(line.contains("only the process that started it"), "{told}");
        }
        assert_eq!(lines[4..], ["killed: 9", "ended: false"]);
    });
}

#[test]
fn a_new_network_has_lo_alone_and_it_is_down() {
    as_each_user(|bench| {
        let recipe = r"print(within(NET, || interfaces().map(|one| [one.name, one.up])));
            print(within(NET, || routes().len()));";
        let seen = printed(bench, recipe);
        assert!(seen.starts_with("[[\"lo\", false]]\n"), "{seen}");
    });
}

#[test]
fn the_names_of_the_kernel_are_the_same_constants() {
    as_each_user(|bench| {
        let recipe = r#"t("namespaces", || [CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET,
                CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWCGROUP, CLONE_NEWTIME]
                == [USER, MOUNT, PID, NET, UTS, IPC, CGROUP, TIME]);
            t("mounts", || [MNT, MNT | UTS] == [MOUNT, CLONE_NEWNS | CLONE_NEWUTS]);
            t("parts", || [CLONE_FILES, CLONE_FS, CLONE_SYSVSEM] == [FILES, FS, SYSVSEM]);
            t("new", || within(CLONE_NEWUTS | MNT, || { sethostname("box"); hostname() }));"#;
        let wanted = "namespaces: true\nmounts: true\nparts: true\nnew: box\n";
        assert_eq!(tries(bench, recipe), wanted);
    });
}

#[test]
fn setns_checks_the_kind_of_a_namespace() {
    as_each_user(|bench| {
        let recipe = r#"let child = clone(UTS | NET, || { sethostname("there"); sleep(60) });
            wait_until(|| child.within(|| hostname()) == "there");
            let uts = child.namespace(UTS);
            within(UTS - UTS, || {
                try { setns(uts, NET); } catch (e) { print([e.operation, e.name, hostname() == "there"]); }
                setns(uts, CLONE_NEWUTS);
                print(hostname());
            });"#;
        assert_eq!(printed(bench, recipe), "[\"setns\", \"EINVAL\", false]\nthere\n");
    });
}

#[test]
fn unshare_takes_the_other_parts_of_a_process() {
    as_each_user(|bench| {
        let recipe = r#"within(UTS - UTS, || {
                let before = namespaces();
                unshare(FILES | FS | SYSVSEM);
                chdir("/");
                let between = namespaces();
                unshare(UTS | CLONE_FILES);
                sethostname("own");
                let after = namespaces();
                print([before.uts == between.uts, between.uts == after.uts, before.net == after.net]);
                print([hostname(), FILES | UTS, UTS | FS]);
            });
            print(hostname() == "own");"#;
        let seen = "[true, false, true]\n[\"own\", CLONE_NEWUTS|CLONE_FILES, \
                    CLONE_NEWUTS|CLONE_FS]\nfalse\n";
        assert_eq!(printed(bench, recipe), seen);
        let told = bench.nsscript(&["--explain", "-e", "unshare(FILES | SYSVSEM);"]).end();
        assert!(told.stderr.contains("unshare(CLONE_FILES|CLONE_SYSVSEM)"), "{}", told.stderr);
        let refused = bench.recipe("clone(FILES, || 1);").end().failed(125);
        assert!(refused.contains("`clone`"), "{refused}");
    });
}
