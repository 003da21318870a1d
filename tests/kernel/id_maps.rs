//! Maps of more than one's own id.

use std::process::Command;

use crate::support::{Bench, HOST, TREE, User, as_each_user, field, have, may_mount, missing};

/// The ids that a map gives to user 0 inside and those after it.
const FIRST: u32 = 100_000;

/// A sandbox with 65536 users and groups.
fn mapped(guest: &str) -> String {
    format!("{guest}.map_user(0, {FIRST}, 65536).map_group(0, {FIRST}, 65536)")
}

/// What a shell script in a sandbox with many ids prints; nothing where that cannot be tested.
///
/// The machine's root writes the maps itself. A user needs newuidmap(1) and a line in /etc/subuid,
/// which a mount namespace of its own has where the machine has none.
fn seen(bench: &Bench, guest: &str, script: &str) -> Option<String> {
    let launch = bench.script(guest, script);
    if bench.user.is_root() {
        return Some(launch.end().succeeded());
    }
    if !have(&["newuidmap", "newgidmap"]) || !may_mount() {
        return None;
    }
    if has_range() {
        return Some(launch.end().succeeded());
    }
    if !User::this().is_root() {
        missing("a line in /etc/subuid, or root, to give the user one");
        return None;
    }
    let line = format!("{}:{FIRST}:65536\n", bench.user.uid);
    bench.file("ranges", line);
    let setup = "for file in /etc/subuid /etc/subgid; do mount --bind ranges $file; done";
    Some(launch.in_world(setup).end().succeeded())
}

/// Whether the machine gives who runs the tests the range that they map.
fn has_range() -> bool {
    let name = Command::new("id").arg("-un").output().expect("id(1) is installed").stdout;
    let name = String::from_utf8_lossy(&name);
    let line = format!("{}:{FIRST}:65536", name.trim());
    let gives =
        |file| std::fs::read_to_string(file).is_ok_and(|text| text.lines().any(|it| it == line));
    !User::this().is_root() && gives("/etc/subuid") && gives("/etc/subgid")
}

#[test]
fn many_ids_are_mapped_and_can_be_used() {
    as_each_user(|bench| {
        let guest = mapped(HOST);
        let script = "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id -u; id -G";
        let Some(seen) = seen(bench, &guest, script) else { return };
        let words: Vec<_> = seen.split_whitespace().collect();
        let map = ["0", "100000", "65536"];
        assert_eq!(words, [&map[..], &map, &["allow", "0", "0"]].concat());
    });
}

#[test]
fn the_program_is_whom_it_was_asked_to_be_and_has_no_capability() {
    as_each_user(|bench| {
        let guest = format!("{}.user(1000).group(100)", mapped(HOST));
        let Some(seen) = seen(bench, &guest, "cat /proc/self/status") else { return };
        assert_eq!(field(&seen, "Uid"), "1000 1000 1000 1000");
        assert_eq!(field(&seen, "Gid"), "100 100 100 100");
        assert_eq!(field(&seen, "Groups"), "");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(field(&seen, set), "0000000000000000", "{set}");
        }
    });
}

#[test]
fn supplementary_groups_are_those_that_were_asked_for() {
    as_each_user(|bench| {
        let guest = format!("{}.user(1000).group(100).groups([27, 20, 27])", mapped(HOST));
        let Some(seen) = seen(bench, &guest, "cat /proc/self/status") else { return };
        assert_eq!(field(&seen, "Groups"), "20 27");
        assert_eq!(field(&seen, "CapEff"), "0000000000000000");
    });
    as_each_user(|bench| {
        let joined = format!(
            r#"(|| {{ let cat = {}.groups([20]).start("cat", #{{ pipes: true }}); cat }}).call()"#,
            mapped(HOST)
        );
        let Some(seen) = seen(bench, &joined, "id -G") else { return };
        assert_eq!(seen, "0 20\n");
    });
}

#[test]
fn groups_that_cannot_be_are_told() {
    as_each_user(|bench| {
        for (steps, message, hint) in [
            (".groups([5])", "group 5 is not mapped in this sandbox", "map more with `map_group`"),
            (".groups([0])", "a map of only your own group allows no other", "map a range as well"),
            (".groups([-1])", "invalid id -1", ""),
            (".groups([\"tty\"])", "a group of `groups`: it takes an id, not a string", ""),
        ] {
            let said = bench.sh(&format!("{HOST}{steps}"), "true").failed(125);
            assert!(said.contains(message) && said.contains(hint), "{said}");
        }
        assert_eq!(bench.seen(&format!("{HOST}.groups([])"), "true"), "");
    });
}

#[test]
fn files_get_the_owners_that_were_asked_for() {
    as_each_user(|bench| {
        let root = r#"rootfs().binaries(["sh", "stat", "cat"]).file("/a", "", #{ uid: 7, gid: 8 })
            .directory("/b", #{ uid: 1000, mode: 0o700 })"#;
        let guest = mapped(&format!(
            r#"sandbox({root}).file("/c", "", #{{ uid: 9, gid: 10 }}).directory("/d", #{{ gid: 11 }})"#
        ));
        let script = "stat -c '%n %u:%g %a' /a /b /c /d; cat /b 2>&1";
        let Some(seen) = seen(bench, &format!("{guest}.user(0)"), &format!("{script} || true"))
        else {
            return;
        };
        assert!(
            seen.starts_with("/a 7:8 644\n/b 1000:0 700\n/c 9:10 644\n/d 0:11 755\n"),
            "{seen}"
        );
    });
}

#[test]
fn the_files_of_a_rootfs_belong_to_root_inside() {
    as_each_user(|bench| {
        let Some(seen) = seen(bench, &mapped(TREE), "stat -L -c '%u:%g' / /bin /bin/sh /tmp")
        else {
            return;
        };
        assert_eq!(seen, "0:0\n".repeat(4));
    });
}

#[test]
fn the_hosts_files_belong_to_nobody_where_their_owner_is_not_mapped() {
    as_each_user(|bench| {
        bench.file("own", "");
        bench.mode("own", 0o600);
        let guest = mapped(&format!(r#"{HOST}.tmpfs("/mnt").bind("own", "/mnt/own")"#));
        let script = "stat -c %u /mnt/own; cat /mnt/own 2> /dev/null || echo refused
            cat /etc/shadow 2> /dev/null || echo refused
            for file in kernel/core_pattern vm/swappiness; do
                (cat /proc/sys/$file > /proc/sys/$file) 2> /dev/null && echo $file was written to
            done; true";
        let Some(seen) = seen(bench, &guest, script) else { return };
        assert_eq!(seen, "65534\nrefused\nrefused\n");
    });
}

#[test]
fn ranges_may_be_put_together() {
    as_each_user(|bench| {
        let own = (bench.user.uid, bench.user.gid);
        let guest = format!(
            "{HOST}.map_user(0, {0}).map_user(1, {FIRST}, 10).map_group(0, {1}).map_group(1, {FIRST}, 10)",
            own.0, own.1
        );
        bench.file("own", "");
        let guest = format!(r#"{guest}.tmpfs("/mnt").bind("own", "/mnt/own")"#);
        let Some(seen) = seen(bench, &guest, "cat /proc/self/uid_map; stat -c %u:%g /mnt/own")
        else {
            return;
        };
        let words: Vec<_> = seen.split_whitespace().map(str::to_owned).collect();
        let own = own.0.to_string();
        assert_eq!(words, ["0", &own, "1", "1", "100000", "10", "0:0"]);
    });
}

#[test]
fn a_program_that_joins_is_the_same_user() {
    as_each_user(|bench| {
        let guest = format!("{}.user(1000).group(100)", mapped(HOST));
        // The first program is cat, so that the second is the shell with the script.
        let joined =
            format!(r#"(|| {{ let cat = {guest}.start("cat", #{{ pipes: true }}); cat }}).call()"#);
        let script = "cat /proc/self/status /proc/self/uid_map";
        let Some(seen) = seen(bench, &joined, script) else { return };
        assert_eq!(field(&seen, "Uid"), "1000 1000 1000 1000");
        assert_eq!(field(&seen, "Groups"), "");
        assert_eq!(field(&seen, "CapEff"), "0000000000000000");
    });
}

#[test]
fn a_range_that_one_was_not_given_is_refused_with_the_file_that_gives_it() {
    as_each_user(|bench| {
        if bench.user.is_root() {
            return;
        }
        for (verb, file) in [("map_user", "/etc/subuid"), ("map_group", "/etc/subgid")] {
            let guest = format!("{HOST}.{verb}(0, 4000000000, 65536)");
            let said = bench.sh(&guest, "true").failed(125);
            assert!(said.contains("may not map the") && said.contains(file), "{said}");
            let said = bench.sh(&format!("{HOST}.{verb}(0, 0)"), "true").failed(125);
            assert!(said.contains(file), "somebody else's id: {said}");
        }
    });
}

#[test]
fn maps_that_cannot_be_are_refused_before_anything_happens() {
    as_each_user(|bench| {
        let own = bench.user.uid;
        for (verbs, told) in [
            (
                "map_user(0, 100000, 10).map_user(5, 200000, 10)".to_owned(),
                "the user ids 5–9 are mapped twice in the sandbox",
            ),
            (format!("map_user(5, {own}).user(0)"), "user 0 is not mapped"),
            ("map_user(0, 0, 0)".to_owned(), ""),
            ("map_user(-1, 0)".to_owned(), ""),
            ("map_user(0, 4294967295)".to_owned(), ""),
            ("share(USER).map_user(0, 0)".to_owned(), "shared user namespace"),
        ] {
            let said = bench.sh(&format!("{HOST}.{verbs}"), "echo it ran").failed(125);
            assert!(said.contains(told), "{verbs}: {said}");
        }
    });
}

#[test]
fn the_files_of_a_map_belong_to_who_writes_it() {
    as_each_user(|bench| {
        // Root of a user namespace, whom what belongs to the machine's root does not obey. That an
        // id is none here, it is told by the kernel itself; EACCES would be by the file of the map.
        let recipe = "for id in range(1, 40) {
                let guest = sandbox(\"/\").read_only_root().map_user(0, 0).map_group(0, 0);
                try { guest.map_user(id, 4000).run(\"true\"); } catch (error) { print(error.errno); }
            }";
        let launch = bench.recipe(recipe).by_shell("exec unshare -Urm \"$@\"");
        let told = launch.end().succeeded();
        assert_eq!(told, "1\n".repeat(39), "EPERM each time");
    });
}
