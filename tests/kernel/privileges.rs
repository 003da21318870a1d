//! What a program may do: nothing that was not given to it.

use crate::support::{GUESTS, HOST, as_each_user, field};

#[test]
fn no_process_of_a_sandbox_has_a_capability() {
    as_each_user(|bench| {
        for (name, guest) in GUESTS {
            let seen = bench.seen(guest, "cat /proc/self/status; echo; cat /proc/1/status");
            for (who, status) in ["the program", "init"].iter().zip(seen.split("\n\n")) {
                for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                    assert_eq!(field(status, set), "0000000000000000", "{set} of {who} in {name}");
                }
                assert_eq!(field(status, "NoNewPrivs"), "1", "{who} in {name}");
            }
        }
    });
}

#[test]
fn inside_one_is_user_0_and_outside_oneself() {
    as_each_user(|bench| {
        let maps = "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups";
        for (name, guest) in GUESTS {
            let seen = bench.seen(guest, &format!("{maps}; id -u; id -g"));
            let words: Vec<_> = seen.split_whitespace().collect();
            let (uid, gid) = (bench.user.uid.to_string(), bench.user.gid.to_string());
            let expected = ["0", &uid, "1", "0", &gid, "1", "deny", "0", "0"];
            assert_eq!(words, expected, "{name}");
        }
    });
}

#[test]
fn the_rights_of_files_outside_are_those_of_the_caller() {
    as_each_user(|bench| {
        bench.file("own", "");
        let guest = format!(r#"{HOST}.tmpfs("/tmp").bind(".", "/tmp/work")"#);
        let made = "mkdir -m 711 /tmp/work/new && stat -c %u:%g /tmp/work/new /tmp/work/own";
        let made = format!("cd / && {made}");
        let seen = bench.sh(&format!("{guest}.directory(\"/tmp/work\")"), &made);
        assert_eq!(seen.succeeded(), "0:0\n0:0\n");
        let found = std::os::unix::fs::MetadataExt::uid(&bench.path("new").metadata().unwrap());
        assert_eq!(found, bench.user.uid);
    });
}

#[test]
fn no_namespace_can_be_entered_and_nothing_mounted() {
    as_each_user(|bench| {
        let script = r#"
            unshare --mount true 2> /dev/null && echo "a mount namespace was made"
            unshare --net true 2> /dev/null && echo "a network namespace was made"
            nsenter --target 1 --mount true 2> /dev/null && echo "a namespace was entered"
            mount -t tmpfs none /mnt 2> /dev/null && echo "something was mounted"
            umount /proc 2> /dev/null && echo "something was unmounted"
            mount -o remount,rw / 2> /dev/null && echo "the root was remounted"
            chroot / true 2> /dev/null && echo "the root was changed"
            hostname other 2> /dev/null && echo "the host name was changed"
            exit 0"#;
        assert_eq!(bench.seen(HOST, script), "");
    });
}
