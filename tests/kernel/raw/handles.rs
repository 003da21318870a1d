//! Handles on namespaces: what they say, how long they live, pins.

use super::{printed, tries};
use crate::support::{as_each_user, fields, have};

#[test]
fn they_say_what_lsns_says() {
    as_each_user(|bench| {
        if !have(&["lsns"]) {
            return;
        }
        let recipe = r"let child = clone(ALL, || sleep(60));
            let inode = |handle| if handle == () { 0 } else { handle.inode };
            let found = namespaces(child);
            for file in found.keys() {
                let one = found[file];
                if file.ends_with(`_for_children`) { continue; }
                assert_eq(file, one.kind);
                print(`${one.inode} ${one.kind} ${inode.call(one.parent)} ${inode.call(one.owner)}`);
            }
            print(`=`);
            // It fails if another process ends while it looks at all of them.
            let told = `lsns -n -p ${child.pid} -o NS,TYPE,PNS,ONS`;
            within(UTS, || exec([`sh`, `-c`, `${told} || ${told} || ${told} || ${told}`]));";
        let seen = printed(bench, recipe);
        let (own, told) = seen.split_once("=\n").unwrap();
        let (mut own, mut told) = (fields(own), fields(told));
        own.sort();
        told.sort();
        assert_eq!(own, told);
        assert_eq!(own.len(), 8);
    });
}

#[test]
fn each_way_to_one_gives_the_same() {
    as_each_user(|bench| {
        let recipe = r#"let child = clone(ALL - USER, || sleep(60));
            let kinds = [[MOUNT, "mnt"], [PID, "pid"], [NET, "net"], [UTS, "uts"], [IPC, "ipc"],
                [CGROUP, "cgroup"], [TIME, "time"]];
            for kind in kinds {
                let file = kind[1];
                let one = child.namespace(kind[0]);
                let path = `/proc/${child.pid}/ns/${file}`;
                assert_eq(one.inode, namespaces(child)[file].inode);
                assert_eq(one.inode, namespaces(child.pid)[file].inode);
                assert_eq(one.inode, namespace(path).inode);
                assert_eq(namespace(path).kind, file);
                assert(one.inode != namespaces()[file].inode);
                assert_eq(one.owner.inode, namespaces().user.inode);
                assert(lsns().some(|row| row.inode == one.inode && row.pid == child.pid));
                if file != "pid" { assert_eq(one.parent, ()); }
            }
            assert_eq(child.namespace(PID).parent.inode, namespaces().pid.inode);
            assert_eq(child.namespace(USER).inode, namespaces().user.inode);
            print("done");"#;
        assert_eq!(printed(bench, recipe), "done\n");
    });
}

#[test]
fn what_is_beyond_ones_own_is_nothing() {
    as_each_user(|bench| {
        let recipe = r"print(namespaces().user.parent == ());
            within(PID, || print(namespaces().pid_for_children.parent == ()));
            print(sandbox(`/`).read_only_root().proc(`/proc`).within(|| namespaces().user.owner == ()));";
        let seen = printed(bench, recipe);
        // A user's session is in a user namespace of its own; what is above is not theirs.
        assert_eq!(seen, "true\ntrue\ntrue\n");
    });
}

#[test]
fn a_namespace_lives_as_long_as_its_handle() {
    as_each_user(|bench| {
        let recipe = r#"let child = clone(NET | UTS, || { sethostname("gone"); sleep(60) });
            while child.within(|| hostname()) != "gone" { sleep("1ms"); }
            let uts = child.namespace(UTS);
            let net = child.namespace(NET);
            child.kill("KILL");
            child.wait();
            assert_eq(uts.within(|| hostname()), "gone");
            assert_eq(net.within(|| interfaces().map(|one| one.name)), ["lo"]);
            within(PID, || { setns(uts); assert_eq(hostname(), "gone"); });
            let told = "";
            try { child.namespace(UTS); } catch (e) { told = e.message; }
            assert_eq(told, "the process has exited, and its namespaces with it");
            print("done");"#;
        assert_eq!(printed(bench, recipe), "done\n");
    });
}

#[test]
fn a_pin_keeps_a_namespace_without_any_process_or_handle() {
    as_each_user(|bench| {
        let recipe = r#"let place = `${scratch()}/pin`;
            fn pinned(place) {
                let child = clone(UTS, || { sethostname("kept"); sleep(60) });
                while child.within(|| hostname()) != "kept" { sleep("1ms"); }
                let uts = child.namespace(UTS);
                uts.pin(place);
                uts.inode
            }
            let inode = pinned(place);
            let again = namespace(place);
            assert_eq(again.inode, inode);
            assert_eq(again.kind, "uts");
            assert_eq(again.within(|| hostname()), "kept");
            assert(mounts().some(|mount| mount.target == place && mount["type"] == "nsfs"));
            for kind in [NET, IPC, CGROUP, USER] {
                let place = `${place}-${kind}`;
                let child = clone(kind, || sleep(60));
                child.namespace(kind).pin(place);
                child.kill("KILL");
                assert_eq(namespace(place).kind, kind.to_string().sub_string(9).to_lower());
                umount(place);
                remove(place);
            }
            umount(place, #{ lazy: true });
            let told = "";
            try { namespace(place); } catch (e) { told = e.message; }
            assert(told.ends_with("/pin` is not a namespace"));
            remove(place);
            print("done");"#;
        assert_eq!(printed(bench, recipe), "done\n");
    });
}

#[test]
fn what_cannot_be_pinned_or_opened_is_said() {
    as_each_user(|bench| {
        bench.file("file", "");
        let told = tries(
            bench,
            r#"let place = scratch();
            write_file(`${place}/file`, "");
            t("there", || namespaces().uts.pin(`${place}/file`));
            t("nowhere", || namespaces().uts.pin(`${place}/none/pin`));
            t("itself", || namespaces().mnt.pin(`${place}/mnt`));
            t("left nothing", || exists(`${place}/mnt`));
            t("mounts", || { let child = clone(MOUNT, || sleep(60));
                child.namespace(MOUNT).pin(`${place}/mnt`); umount(`${place}/mnt`) });
            t("a file", || namespace("file"));
            t("a device", || namespace("/dev/null"));
            t("a fifo", || { mknod(`${place}/fifo`, #{ type: "fifo" }); namespace(`${place}/fifo`) });
            t("nothing", || namespace("/proc/self/ns/none"));
            t("no process", || namespaces(4000000));
            t("two kinds", || clone(UTS, || sleep(60)).namespace(UTS | NET));"#,
        );
        let ends = [
            "file exists (EEXIST)",
            "no such file or directory (ENOENT)",
            "invalid argument (EINVAL)",
            "left nothing: false",
            "mounts: ",
            "/file` is not a namespace",
            "`/dev/null` is not a namespace",
            "/fifo` is not a namespace",
            "no such file or directory (ENOENT)",
            "no such file or directory (ENOENT)",
            "expected one kind of namespace",
        ];
        assert_eq!(told.lines().count(), ends.len(), "{told}");
        for (line, end) in told.lines().zip(ends) {
            assert!(line.ends_with(end), "{line}\nof:\n{told}");
        }
    });
}
