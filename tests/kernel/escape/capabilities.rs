//! Capabilities that a program keeps, and what they give on the host: nothing.

use std::process::Command;

use super::Canary;
use crate::support::{Bench, Ended, HOST, User, as_each_user, have, may_mount, missing};

/// The launch of a script in a sandbox with all ids, run to its end.
fn with_all_ids(bench: &Bench, guest: &str, script: &str) -> Option<Ended> {
    let guest = format!("{guest}.map_users(\"all\").map_groups(\"all\")");
    let launch = bench.script(&guest, script);
    if bench.user.is_root() {
        return Some(launch.end());
    }
    if !have(&["newuidmap", "newgidmap"]) || !may_mount() {
        return None;
    }
    if !User::this().is_root() {
        missing("root, to give a user subordinate ids");
        return None;
    }
    bench.file("ranges", format!("{}:100000:65536\n", bench.user.uid));
    let setup = "for file in /etc/subuid /etc/subgid; do mount --bind ranges $file; done";
    Some(launch.in_world(setup).end())
}

/// A root with the programs that attacks take.
const ROOT: &str = r#"sandbox(rootfs().binaries(["sh", "cat", "ls", "mknod", "mount", "umount", "chroot",
    "chmod", "chown", "stat", "mkdir", "touch", "rm", "nsenter", "head", "grep", "hostname", "dd"],
    #{ into: "/bin" }).directory("/tmp").directory("/mnt"))"#;

#[test]
fn files_that_are_read_only_or_hidden_stay_so() {
    as_each_user(|bench| {
        let canary = Canary::new(bench);
        bench.file("data/file", "data\n");
        let guest = format!(
            r#"{HOST}.tmpfs("/tmp").tmpfs("/mnt")
                .bind("host", "/tmp/host", #{{ read_only: true }})
                .bind("host", "/mnt/hidden").mask("/mnt/hidden")
                .bind("data", "/mnt/data").read_only("/mnt/data")
                .keep_capabilities("container")"#
        );
        let script = "for place in /tmp/host /mnt/data /usr; do
                echo x > $place/new; rm -f $place/secret $place/file; chmod 777 $place/secret
                chown 0:0 $place; mknod $place/null c 1 3; mount -o remount,rw,bind $place
            done 2> /dev/null
            ls /mnt/hidden; umount /mnt/hidden; umount -l /mnt/data; umount /proc/sys; ls /mnt/hidden
            for file in sys/kernel/core_pattern sys/kernel/modprobe sysrq-trigger; do
                [ ! -e /proc/$file ] || echo x > /proc/$file && [ -e /proc/$file ] && echo writes $file
            done 2> /dev/null
            true";
        let ended = bench.sh(&guest, script);
        canary.holds("a program with the capabilities of a container", &ended);
        assert_eq!(ended.stdout, "");
        assert_eq!(bench.content("data/file"), "data\n");
        assert_eq!(std::fs::read_dir(bench.path("data")).unwrap().count(), 1);
    });
}

#[test]
fn devices_are_neither_made_nor_opened() {
    as_each_user(|bench| {
        bench.directory("devices");
        if User::this().is_root() {
            // The host's own null and memory, open to everybody.
            for (name, minor) in [("null", "3"), ("mem", "1")] {
                let node = bench.path("devices").join(name);
                let mut mknod = Command::new("mknod");
                mknod.args(["-m", "666"]).arg(node).args(["c", "1", minor]);
                assert!(mknod.status().unwrap().success());
            }
        }
        let guest = format!(
            r#"{ROOT}.proc("/proc").dev("/dev").tmpfs("/tmp").bind("devices", "/mnt")
                .keep_capabilities("container")"#
        );
        let script = "for place in /tmp /dev /mnt /; do
                mknod $place/made b 8 0 2> /dev/null && echo made in $place
                mknod $place/made c 1 3 2> /dev/null && echo made in $place
            done
            for node in /mnt/null /mnt/mem; do
                [ ! -e $node ] || { head -c 1 $node > /dev/null; } 2> /dev/null && [ -e $node ] && echo opened $node
            done
            true";
        assert_eq!(bench.seen(&guest, script), "");
        if let Some(ended) = with_all_ids(bench, &guest, script) {
            assert_eq!(ended.succeeded(), "");
        }
    });
}

#[test]
fn a_program_that_may_mount_stays_in_its_root() {
    as_each_user(|bench| {
        let canary = Canary::new(bench);
        let guest = format!(
            r#"{ROOT}.proc("/proc").dev("/dev").sysfs("/sys").tmpfs("/tmp").mask("/proc/sys")
                .keep_capabilities("all")"#
        );
        let secret = bench.text("host/secret");
        let script = format!(
            "umount /proc/sys && echo a mask of its own is gone
            mount -t proc none /mnt
            for proc in /proc /mnt; do
                for file in sys/kernel/core_pattern sys/kernel/modprobe sysrq-trigger; do
                    [ ! -e $proc/$file ] || {{ echo x > $proc/$file; }} && [ -e $proc/$file ] && echo writes $file
                done
            done 2> /dev/null
            umount /mnt
            umount -l / 2> /dev/null; nsenter --target 1 --mount cat {secret} 2> /dev/null
            cat {secret} /proc/1/root{secret} /../../../..{secret} 2> /dev/null
            mkdir /tmp/a; (cd / && chroot /tmp/a /bin/sh -c 'cat ../../../../../../..{secret}') 2> /dev/null
            mknod /tmp/sda b 8 0 2> /dev/null && echo a device
            mount -t devtmpfs none /mnt 2> /dev/null && echo devices of the host
            mount -t cgroup none /mnt 2> /dev/null && ls /mnt/release_agent 2> /dev/null && echo x > /mnt/release_agent
            mount -o remount,rw /sys 2> /dev/null; echo 1 > /sys/kernel/uevent_helper 2> /dev/null && echo a helper
            hostname"
        );
        let Some(ended) = with_all_ids(bench, &guest, &script) else { return };
        canary.holds("a program with every capability", &ended);
        let seen = ended.succeeded();
        let host = Command::new("hostname").output().unwrap().stdout;
        let host = String::from_utf8(host).unwrap();
        assert_eq!(seen, format!("a mask of its own is gone\n{host}"));
    });
}

#[test]
fn what_would_be_undone_is_refused() {
    as_each_user(|bench| {
        bench.file("data/file", "");
        let all = ".keep_capabilities(\"all\")";
        let ids =
            ".map_users(\"all\", #{ optional: true }).map_groups(\"all\", #{ optional: true })";
        for (guest, message) in [
            (format!("{HOST}{ids}{all}"), "could undo what protects the host's files at `/`"),
            (
                format!(r#"{ROOT}.bind("data", "/mnt", #{{ read_only: true }}){ids}{all}"#),
                "could undo what protects the host's files at `/mnt`",
            ),
            (
                format!(r#"{ROOT}.bind("data", "/mnt").mask("/mnt/file"){ids}{all}"#),
                "could undo what protects the host's files at `/mnt/file`",
            ),
            (
                format!(r#"{ROOT}.bind("data", "/mnt").tmpfs("/mnt"){ids}{all}"#),
                "could undo what protects the host's files at `/mnt`",
            ),
            (
                format!(r#"{ROOT}.share(PID){ids}.keep_capabilities(["SYS_PTRACE"])"#),
                "could control processes of nsscript",
            ),
            (
                format!(r#"{ROOT}.chroot(){ids}.keep_capabilities(["SYS_CHROOT"])"#),
                "can leave a root that was entered by `chroot`",
            ),
        ] {
            let wrong = bench.sh(&guest, "true").failed(125);
            assert!(wrong.contains(message), "{guest}: {wrong}");
        }
        if bench.user.is_root() {
            let wrong = bench.sh(&format!("{ROOT}{all}"), "true").failed(125);
            assert!(wrong.contains("user 0 of the machine is mapped"), "{wrong}");
        }
    });
}
