//! Who the program is.

use crate::support::{HOST, TREE, as_each_user};

#[test]
fn a_user_and_a_group_by_number() {
    as_each_user(|bench| {
        let (uid, gid) = (bench.user.uid, bench.user.gid);
        let script = "id -u; id -g; id -G; cat /proc/self/uid_map /proc/self/gid_map";
        let seen = bench.seen(&format!("{HOST}.user(1000).group(100)"), script);
        let words: Vec<_> = seen.split_whitespace().map(str::to_owned).collect();
        let map = [format!("1000 {uid} 1"), format!("100 {gid} 1")].join(" ");
        assert_eq!(words[..2], ["1000", "100"]);
        assert_eq!(words[words.len() - 6..].join(" "), map);
    });
}

#[test]
fn a_user_by_the_name_it_has_in_the_root() {
    as_each_user(|bench| {
        let root = r#"rootfs().binary("id").users(["root", "alice:1234:567", "bob"])"#;
        let named = |user: &str, group: &str| {
            bench.recipe(&format!(
                r#"let guest = sandbox({root}).user("{user}").group("{group}");
                guest.run("id -u"); guest.run("id -un"); guest.run("id -g"); guest.run("id -gn");"#
            ))
        };
        assert_eq!(named("alice", "bob").end().succeeded(), "1234\nalice\n1000\nbob\n");
        assert_eq!(named("root", "alice").end().succeeded(), "0\nroot\n567\nalice\n");
        let said = named("carol", "bob").end().failed(125);
        assert!(said.contains("user `carol` is not in `/etc/passwd` of the root"), "{said}");
    });
}

#[test]
fn names_are_those_of_the_root_and_not_of_the_host() {
    as_each_user(|bench| {
        bench.file("root/etc/passwd", "daemon:x:77:78::/:\n");
        bench.file("root/etc/group", "daemon:x:79:\n");
        let guest = r#"sandbox("root").bind("/usr").bind("/bin").bind("/lib")
            .bind("/lib64", #{ optional: true }).user("daemon").group("daemon")"#;
        assert_eq!(bench.seen(guest, "id -u; id -g"), "77\n79\n");
    });
}

#[test]
fn the_user_owns_what_is_made_for_it() {
    as_each_user(|bench| {
        let guest = format!(r#"{TREE}.user(1000).group(1000).directory("/own").tmpfs("/mem")"#);
        let seen =
            bench.seen(&guest, "touch /own/x /mem/x && stat -c %u:%g / /own /own/x /mem /mem/x");
        assert_eq!(seen, "1000:1000\n".repeat(5));
    });
}
