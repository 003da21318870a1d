//! mount(2) with every option, and what takes mounts away.

use super::{printed, tries};
use crate::support::{Bench, User, as_each_user, have, missing};

/// What stands before recipes: a directory `t` in memory, and the mount that is at a path.
const PLACE: &str = r#"const T = `${scratch()}/t`;
    mkdir(T);
    fn at(path) { mounts().filter(|mount| mount.target == path).pop() }
    fn has(path, word) { at(path).options.split(",").contains(word) }
    fn writable(path) {
        try { write_file(path + "/new", "x"); return true; } catch { return false; }
    }
"#;

#[track_caller]
fn passes(bench: &Bench, recipe: &str) {
    assert_eq!(printed(bench, &format!("{PLACE}{recipe}\nprint(\"done\");")), "done\n");
}

#[test]
fn flags_are_the_words_of_mount_8() {
    as_each_user(|bench| {
        passes(
            bench,
            r#"for words in ["ro,nosuid,nodev,noexec,noatime", ["nosuid", "nodev"], "nodiratime",
                "relatime", "strictatime", "nosymfollow", "rw,noexec,exec,noatime"] {
                mount("x", T, #{ type: "tmpfs", flags: words });
                let asked = if type_of(words) == "string" { words.split(",") } else { words };
                for word in asked {
                    // What is said of a mount is what differs from how mounts are without it.
                    if word in ["strictatime", "exec"] { continue; }
                    if word == "noexec" && "exec" in asked { continue; }
                    assert(has(T, word), `${word} of ${at(T).options}`);
                }
                umount(T);
            }
            mount("x", T, #{ type: "tmpfs", read_only: true });
            assert(has(T, "ro") && !writable(T));
            umount(T);"#,
        );
    });
}

#[test]
fn options_of_a_file_system_are_a_map_or_a_text() {
    as_each_user(|bench| {
        passes(
            bench,
            r#"mount("a name", T, #{ type: "tmpfs", data: #{ size: "1M", mode: 700, nr_inodes: 50 } });
            let seen = at(T);
            assert_eq(seen.source, "a name");
            for word in ["size=1024k", "mode=700", "nr_inodes=50"] {
                assert(seen.super_options.split(",").contains(word), seen.super_options);
            }
            umount(T);
            mount("x", T, #{ type: "tmpfs", data: "size=2M,mode=711" });
            assert(at(T).super_options.contains("size=2048k"));
            mount(T, #{ remount: true, data: #{ size: "3M" } });
            assert(at(T).super_options.contains("size=3072k"));
            mount(T, #{ remount: true, read_only: true });
            assert(at(T).super_options.starts_with("ro,"));
            umount(T);
            mount(T, #{ type: "tmpfs" });
            assert_eq(at(T)["type"], "tmpfs");"#,
        );
    });
}

#[test]
fn a_bind_shows_a_place_and_with_recursive_what_is_mounted_below() {
    as_each_user(|bench| {
        passes(
            bench,
            r#"let from = `${scratch()}/from`;
            mkdir(from); mkdir(from + "/below"); write_file(from + "/file", "text");
            mount("x", from + "/below", #{ type: "tmpfs" });
            write_file(from + "/below/deep", "");
            mount(from, T, #{ bind: true });
            assert_eq(read_file(T + "/file"), "text");
            assert(!exists(T + "/below/deep"));
            umount(T);
            mount(from, T, #{ bind: true, recursive: true });
            assert(exists(T + "/below/deep"));
            assert(writable(T) && writable(T + "/below"));
            umount(T, #{ lazy: true });
            mount(from, T, #{ bind: true, recursive: true, read_only: true, flags: "nosuid" });
            assert(!writable(T) && !writable(T + "/below"));
            assert(has(T, "nosuid") && has(T + "/below", "nosuid") && has(T + "/below", "ro"));
            assert(writable(from) && writable(from + "/below"));
            umount(T, #{ lazy: true });
            mount(from, T, #{ bind: true, recursive: true });
            mount(T, #{ remount: true, bind: true, read_only: true });
            assert(!writable(T) && writable(T + "/below") && writable(from));
            mount(T, #{ remount: true, bind: true, flags: "rw" });
            assert(writable(T));
            let file = `${scratch()}/file`;
            write_file(file, "");
            mount(from + "/file", file, #{ bind: true });
            assert_eq(read_file(file), "text");
            umount(file);
            assert_eq(read_file(file), "");"#,
        );
    });
}

#[test]
fn a_mount_is_moved_with_what_is_below() {
    as_each_user(|bench| {
        passes(
            bench,
            r#"let other = `${scratch()}/other`; mkdir(other);
            mount("x", T, #{ type: "tmpfs" });
            mkdir(T + "/below"); mount("y", T + "/below", #{ type: "tmpfs" });
            write_file(T + "/below/file", "");
            mount(T, other, #{ move: true });
            assert_eq(at(T), ());
            assert_eq(at(other).source, "x");
            assert_eq(at(other + "/below").source, "y");
            assert(exists(other + "/below/file") && !exists(T + "/below"));"#,
        );
    });
}

#[test]
fn propagation_is_what_it_is_set_to() {
    as_each_user(|bench| {
        passes(
            bench,
            r#"mount("x", T, #{ type: "tmpfs" });
            mkdir(T + "/a"); mkdir(T + "/b"); mkdir(T + "/a/deep");
            mount(T + "/a", T + "/a", #{ bind: true });
            assert_eq(at(T + "/a").propagation, "private");
            mount(T + "/a", #{ propagation: "shared" });
            assert(at(T + "/a").propagation.starts_with("shared:"));
            mount(T + "/a", T + "/b", #{ bind: true });
            assert_eq(at(T + "/b").propagation, at(T + "/a").propagation);
            mount("y", T + "/a/deep", #{ type: "tmpfs" });
            assert_eq(at(T + "/b/deep").source, "y");
            umount(T + "/b/deep");
            assert_eq(at(T + "/a/deep"), ());
            mount(T + "/b", #{ propagation: "slave" });
            assert(at(T + "/b").propagation.starts_with("slave:"));
            mount("y", T + "/b/deep", #{ type: "tmpfs" });
            assert_eq(at(T + "/a/deep"), ());
            umount(T + "/b/deep");
            mount("y", T + "/a/deep", #{ type: "tmpfs" });
            assert_eq(at(T + "/b/deep").source, "y");
            mount(T + "/b", #{ propagation: "unbindable" });
            assert_eq(at(T + "/b").propagation, "unbindable");
            let told = "";
            try { mount(T + "/b", T + "/a", #{ bind: true }); } catch (e) { told = e.message; }
            assert(told.ends_with("(EINVAL)"));
            mount(T, #{ propagation: "private", recursive: true });
            for path in ["/a", "/b", "/a/deep", "/b/deep"] {
                assert_eq(at(T + path).propagation, "private");
            }
            // What others see of it: a child that is a slave gets what is mounted here.
            mount(T, #{ propagation: "shared" });
            mkdir(T + "/c");
            let child = clone(MOUNT, || { mount("/", #{ propagation: "slave", recursive: true });
                while !exists(T + "/c/file") { sleep("1ms"); }
                mount("z", T + "/a", #{ type: "tmpfs" });
                true });
            sleep("50ms");
            mount("y", T + "/c", #{ type: "tmpfs" });
            write_file(T + "/c/file", "");
            assert(child.value());
            assert(at(T + "/a").source != "z");"#,
        );
    });
}

#[test]
fn file_systems_of_the_kernel_are_those_of_the_namespaces_around() {
    as_each_user(|bench| {
        passes(
            bench,
            r#"within(PID | MOUNT, || { mount("proc", T, #{ type: "proc", data: #{ hidepid: 2 } });
                assert(exists(T + "/1") && !exists(T + "/2"));
                assert(at(T).super_options.contains("hidepid=")) });
            within(NET | MOUNT, || { mount("sysfs", T, #{ type: "sysfs", read_only: true });
                assert(exists(T + "/class/net/lo")); assert_eq(at(T)["type"], "sysfs") });
            within(IPC | MOUNT, || { mount("mqueue", T, #{ type: "mqueue" });
                write_file(T + "/queue", "");
                assert(read_file(T + "/queue").starts_with("QSIZE:0")) });
            within(CGROUP | MOUNT, || { mount("cgroup2", T, #{ type: "cgroup2" });
                assert(exists(T + "/cgroup.procs")) });
            within(MOUNT, || { mount("devpts", T, #{ type: "devpts", data: "newinstance,ptmxmode=666" });
                assert(exists(T + "/ptmx")) });
            within(MOUNT, || { mount("ramfs", T, #{ type: "ramfs" }); assert(writable(T)) });"#,
        );
    });
}

#[test]
fn a_root_is_changed_by_pivot_root_and_chroot() {
    as_each_user(|bench| {
        passes(
            bench,
            r#"let seen = within(MOUNT, || {
                mount("x", T, #{ type: "tmpfs" }); mkdir(T + "/old"); write_file(T + "/in", "");
                pivot_root(T, T + "/old"); chdir("/");
                let before = [exists("/in"), exists("/old/etc")];
                umount("/old", #{ lazy: true });
                before + [exists("/old/etc"), cwd()] });
            assert_eq(seen, [true, true, false, "/"]);
            let seen = within(MOUNT, || {
                mount("x", T, #{ type: "tmpfs" }); write_file(T + "/in", "");
                chdir(T); pivot_root(".", "."); umount(".", #{ lazy: true });
                [exists("/in"), exists("/etc"), cwd()] });
            assert_eq(seen, [true, false, "/"]);
            let seen = within(MOUNT, || { chdir("/"); mkdir(T + "/d"); chroot(T + "/d");
                // The working directory has stayed where it was: what is above is still there.
                [exists("/etc"), exists("./etc")] });
            assert_eq(seen[0], false);
            assert(exists("/etc"));"#,
        );
    });
}

/// An image with an ext4, where loop devices can be used; else that is said.
fn with_images(test: impl Fn(&Bench)) {
    if !User::this().is_root()
        || !have(&["mkfs.ext4"])
        || !std::fs::exists("/dev/loop-control").unwrap()
    {
        missing("loop devices, which are root's");
        return;
    }
    test(&Bench::new(User::this()));
}

#[test]
fn an_image_is_mounted_by_its_file() {
    with_images(|bench| {
        passes(
            bench,
            r#"disk_image("disk.img", "16M");
            mount("disk.img", T, #{ type: "ext4" });
            assert(at(T).source.starts_with("/dev/loop"));
            mkdir(T + "/made"); write_file(T + "/file", "kept");
            umount(T);
            mount("disk.img", T, #{ type: "ext4", read_only: true });
            assert(has(T, "ro") && !writable(T));
            assert_eq(read_file(T + "/file"), "kept");
            umount(T);
            within(MOUNT, || { mount("disk.img", T, #{ type: "ext4", flags: "noatime" });
                assert(has(T, "noatime")) });
            mount("disk.img", T, #{ type: "ext4" });"#,
        );
        // Mounted when the recipe ended, it is attached to nothing: every run makes sure of that.
        let again = r#"mkdir(`${scratch()}/t`);
            mount("disk.img", `${scratch()}/t`, #{ type: "ext4", read_only: true });
            print(read_file(`${scratch()}/t/file`));"#;
        assert_eq!(printed(bench, again), "kept\n");
        let said = super::fails(bench, &again.replace(", read_only: true", ""));
        assert!(said.contains("that image is the host's, and would be written to"), "{said}");
    });
}

#[test]
fn a_part_of_an_image_is_mounted_by_offset_and_size() {
    with_images(|bench| {
        bench.recipe(r#"disk_image("part.img", "16M");"#).end().succeeded();
        let part = std::fs::read(bench.path("part.img")).unwrap();
        bench.file("disk.img", [vec![0; 1 << 20], part, vec![0; 1 << 20]].concat());
        let told = tries(
            bench,
            r#"let place = `${scratch()}/place`;
            mkdir(place);
            let how = #{ type: "ext4", read_only: true };
            let part = how + #{ offset: "1M", size_limit: "16M" };
            t("whole", || mount("disk.img", place, how));
            t("part", || { mount("disk.img", place, part);
                let seen = exists(place + "/lost+found"); umount(place); seen });
            t("short", || mount("disk.img", place, part + #{ size_limit: "8M" }));
            t("no file", || mount("none.img", place, how));
            t("a directory", || mount("/etc", place, how));"#,
        );
        let lines: Vec<_> = told.lines().collect();
        assert!(lines[0].ends_with("invalid argument (EINVAL)"), "{told}");
        assert_eq!(lines[1], "part: true");
        assert!(lines[2].contains("!! cannot mount ext4 of `/dev/loop"), "{told}");
        assert!(lines[3].ends_with("no such file or directory (ENOENT)"), "{told}");
        assert!(lines[4].ends_with("block device required (ENOTBLK)"), "{told}");
    });
}
