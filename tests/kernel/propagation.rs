//! Mount propagation: what the host mounts after a sandbox has started.

use crate::support::{Bench, HOST, as_each_user, may_mount};

/// A shared mount of the host, into which something is mounted once `control/go` is there.
const LATER: &str = "
    mount -t tmpfs -o mode=777 none shared && mount --make-shared shared && mkdir shared/later
    { until [ -e control/go ] || [ -e control/over ]; do sleep 0.01; done
      mount -t tmpfs later shared/later && echo seen > shared/later/file
      touch control/done
      until [ -e control/over ]; do sleep 0.01; done
      umount -l shared/later; touch control/clean
    } < /dev/null > /dev/null 2>&1 &";

/// What a program sees in `/data/later` after the host has mounted something there.
fn seen(bench: &Bench, steps: &str) -> String {
    bench.directory("shared");
    bench.directory("control");
    bench.mode("control", 0o777);
    for name in ["go", "done", "over", "clean"] {
        let _ = std::fs::remove_file(bench.path(&format!("control/{name}")));
    }
    let guest = format!(
        r#"{HOST}.tmpfs("/mnt").bind("control", "/mnt/control").bind("shared", "/mnt/data"){steps}"#
    );
    let script = "touch /mnt/control/go
        until [ -e /mnt/control/done ]; do sleep 0.01; done
        cat /mnt/data/later/file 2> /dev/null || echo nothing
        sed -n 's|.* /mnt/data [^ ]* \\(.*\\)- .*|\\1|p' /proc/self/mountinfo";
    let launch = bench.script(&guest, script).in_world(LATER);
    // The world is left as it was.
    let launch = launch.by_shell(
        "\"$@\"; status=$?; touch control/over
        until [ -e control/clean ]; do sleep 0.01; done; exit $status",
    );
    launch.end().succeeded()
}

#[test]
fn a_slave_shows_what_the_host_mounts_later() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        let slave = seen(bench, r#".propagation("/mnt/data", "slave")"#);
        assert!(slave.starts_with("seen\nmaster:"), "{slave}");
        assert!(!slave.contains("shared"), "nothing goes back: {slave}");
        let read_only = r#".propagation("/mnt/data", "slave").read_only("/mnt/data")"#;
        assert!(seen(bench, read_only).starts_with("seen\n"));
    });
}

#[test]
fn without_a_word_nothing_comes_later() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        assert_eq!(seen(bench, ""), "nothing\n\n");
        assert_eq!(seen(bench, r#".propagation("/mnt/data", "private")"#), "nothing\n\n");
        let unbindable = seen(bench, r#".propagation("/mnt/data", "unbindable")"#);
        assert_eq!(unbindable, "nothing\nunbindable \n");
    });
}

#[test]
fn a_shared_mount_has_no_peer_on_the_host() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        bench.directory("shared");
        let guest = format!(
            r#"{HOST}.bind("shared", "/mnt").propagation("/mnt", "shared").tmpfs("/mnt/later")"#
        );
        let setup = "mount -t tmpfs -o mode=777 none shared && mount --make-shared shared
            mkdir shared/later";
        let script = "grep -o ' /mnt/later [^ ]* [^-]*' /proc/self/mountinfo
            grep -o ' /mnt [^ ]* shared' /proc/self/mountinfo | sed 's/ [^ ]*//2'; sleep 0.1";
        let launch = bench.script(&guest, script).in_world(setup);
        let ended = launch
            .by_shell("\"$@\" & grep -c shared/later /proc/self/mountinfo; wait $!")
            .end()
            .succeeded();
        assert!(ended.contains(" /mnt/later "), "{ended}");
        assert!(ended.contains(" shared"), "{ended}");
        assert!(ended.lines().any(|line| line == "0"), "{ended}");
    });
}

#[test]
fn what_cannot_propagate_is_an_error() {
    as_each_user(|bench| {
        bench.directory("data");
        for (steps, message, hint) in [
            (
                r#".propagation("/srv", "slave")"#,
                "cannot set the propagation of `/srv`: no mount",
                "bind it first: `.bind(\"/srv\", \"/srv\")`",
            ),
            (
                r#".tmpfs("/srv").propagation("/srv", "slave")"#,
                "`/srv` cannot be a slave: it is a mount of the sandbox alone",
                "leave this line out",
            ),
            (
                r#".tmpfs("/srv").propagation("/srv", "rslave")"#,
                "unknown propagation `rslave`",
                "did you mean `slave`?",
            ),
        ] {
            let said = bench.sh(&format!("{HOST}{steps}"), "true").failed(125);
            assert!(said.contains(message) && said.contains(hint), "{said}");
        }
        if !may_mount() {
            return;
        }
        let guest = format!(
            r#"{HOST}.tmpfs("/mnt").bind("data", "/mnt/d").propagation("/mnt/d", "slave")"#
        );
        let apart = bench.script(&guest, "true").in_world("true").end().failed(125);
        assert!(apart.contains("cannot be a slave: its mount on"), "{apart}");
        let place = bench.text("data");
        let cure = format!("mount --bind {place} {place} && mount --make-shared {place}");
        assert!(apart.contains(&cure), "{apart}");
        bench.script(&guest, "true").in_world(&cure).end().succeeded();
    });
}
