//! File systems of the sandbox's own: tmpfs, proc, sysfs, devices, terminals.

use crate::support::{Bench, HOST, TREE, as_each_user};

/// The line of /proc/mounts inside for what is mounted last at `place`.
fn mounted(bench: &Bench, guest: &str, place: &str) -> String {
    let seen = bench.seen(guest, "while read -r line; do echo \"$line\"; done < /proc/mounts");
    let line = seen.lines().rfind(|line| line.split(' ').nth(1) == Some(place));
    line.unwrap_or_else(|| panic!("nothing is mounted on {place}:\n{seen}")).to_owned()
}

#[test]
fn a_tmpfs_has_the_size_and_mode_that_were_asked_for() {
    as_each_user(|bench| {
        let guest = format!(
            r#"{HOST}.tmpfs("/mnt", #{{ size: "64K", mode: 0o750 }}).tmpfs("/tmp").tmpfs("/var")"#
        );
        let script =
            "stat -c '%a %u' /mnt /tmp /var; head -c 65536 /dev/zero > /mnt/full && echo full
            head -c 1 /dev/zero >> /mnt/full";
        let ended = bench.sh(&guest, script);
        assert_eq!(ended.stdout, "750 0\n1777 0\n755 0\nfull\n");
        assert!(ended.stderr.contains("No space left on device"), "{}", ended.stderr);
        let line = mounted(bench, &guest, "/mnt");
        assert!(line.contains("nosuid") && line.contains("nodev"), "{line}");
    });
}

#[test]
fn what_is_in_a_tmpfs_is_gone_with_the_sandbox() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let guest = {HOST}.tmpfs("/tmp");
            guest.run("touch /tmp/x");
            guest.run("ls -A /tmp");"#
        );
        assert_eq!(bench.recipe(&recipe).end().succeeded(), "");
    });
}

#[test]
fn proc_takes_its_options() {
    as_each_user(|bench| {
        let base = r#"sandbox("/").read_only_root()"#;
        let line = mounted(bench, &format!("{base}.proc(\"/proc\")"), "/proc");
        for flag in ["nosuid", "nodev", "noexec"] {
            assert!(line.contains(flag), "{flag} of {line}");
        }
        let hidden = format!(r#"{base}.proc("/proc", #{{ hidepid: "invisible" }})"#);
        assert!(mounted(bench, &hidden, "/proc").contains("hidepid=invisible"));
        let subset = format!(r#"{base}.proc("/proc", #{{ subset: "pid" }})"#);
        let seen = bench.seen(&subset, "ls -d /proc/meminfo /proc/sys 2> /dev/null; ls -d /proc/1");
        assert_eq!(seen, "/proc/1\n");
        let said =
            bench.sh(&format!(r#"{base}.proc("/proc", #{{ subset: "all" }})"#), "true").failed(125);
        assert!(said.contains("`subset`") && said.contains("`pid`"), "{said}");
    });
}

#[test]
fn proc_and_sysfs_need_the_namespaces_that_they_show() {
    as_each_user(|bench| {
        let said = bench.sh(&format!("{HOST}.share(PID)"), "true").failed(125);
        assert!(said.contains("cannot mount proc if PID is shared"), "{said}");
        let guest = format!(r#"{HOST}.share(NET).sysfs("/sys")"#);
        let said = bench.sh(&guest, "true").failed(125);
        assert!(said.contains("cannot mount sysfs if NET is shared"), "{said}");
    });
}

#[test]
fn sysfs_cannot_be_written_to() {
    as_each_user(|bench| {
        let guest = format!(r#"{HOST}.sysfs("/sys")"#);
        let said = bench.sh(&guest, "echo 1 > /sys/class/net/lo/mtu").failed(2);
        assert!(said.contains("Read-only file system"), "{said}");
    });
}

#[test]
fn the_devices_are_the_harmless_ones_and_work() {
    as_each_user(|bench| {
        let names = "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero";
        for (name, guest) in crate::support::GUESTS {
            let seen = bench.seen(guest, "ls -A /dev");
            assert_eq!(seen.split_whitespace().collect::<Vec<_>>().join(" "), names, "{name}");
        }
        let script = r#"
            set -e
            echo lost > /dev/null
            echo lost >> /dev/null
            [ -z "$(cat /dev/null)" ]
            for source in zero full random urandom; do
                echo $source $(head -c 3 /dev/$source | wc -c)
            done
            (echo x > /dev/full) 2> /dev/null || echo "full is full"
            (echo out > /dev/stdout) | cat
            echo in | cat /dev/stdin
            echo fd | cat /dev/fd/0
            touch /dev/shm/x && stat -c %a /dev/shm
            (: < /dev/tty) 2>&1 | grep -c "No such device or address""#;
        let seen = bench.seen(HOST, script);
        let reads = "zero 3\nfull 3\nrandom 3\nurandom 3\n";
        assert_eq!(seen, format!("{reads}full is full\nout\nin\nfd\n1777\n1\n"));
        let line = mounted(bench, HOST, "/dev");
        assert!(line.contains("nosuid") && line.contains("noexec"), "{line}");
    });
}

#[test]
fn terminals_are_the_sandboxs_own() {
    as_each_user(|bench| {
        let script =
            "ls /dev/pts && exec 3<> /dev/ptmx && ls /dev/pts && stat -c '%u %a' /dev/pts/0";
        assert_eq!(bench.seen(HOST, script), "ptmx\n0\nptmx\n0 620\n");
        let guest = format!(r#"{TREE}.devpts("/terminals")"#);
        assert_eq!(bench.seen(&guest, "exec 3<> /terminals/ptmx && ls /terminals"), "0\nptmx\n");
    });
}

#[test]
fn a_file_system_of_any_type_takes_its_own_options() {
    as_each_user(|bench| {
        let guest = format!(
            r#"{TREE}.mount("memory", "/data", #{{ type: "tmpfs", data: #{{ size: "1M", mode: "0700" }},
                exec: false }}).mount("queues", "/q", #{{ type: "mqueue" }})"#
        );
        assert_eq!(bench.seen(&guest, "stat -c %a /data"), "700\n");
        let line = mounted(bench, &guest, "/data");
        assert!(line.starts_with("memory /data tmpfs "), "{line}");
        assert!(line.contains("size=1024k") && line.contains("noexec"), "{line}");
        assert!(mounted(bench, &guest, "/q").starts_with("queues /q mqueue "));
        let read_only = r#"{ type: "tmpfs", read_only: true }"#;
        let guest = format!(r#"{TREE}.mount("memory", "/data", #{read_only})"#);
        let said = bench.sh(&guest, "touch /data/x").failed(1);
        assert!(said.contains("Read-only file system"), "{said}");
    });
}

#[test]
fn what_the_kernel_refuses_to_mount_is_told_with_its_cause() {
    as_each_user(|bench| {
        for (options, told) in [
            (r#"type: "tmpsf""#, "did you mean `tmpfs`"),
            (r#"type: "tmpfs", data: #{ siez: 1 }"#, "tmpfs has no option `siez`"),
            ("data: #{ size: 1 }", "`mount` needs the option `type`"),
        ] {
            let guest = format!(r#"{TREE}.mount("none", "/data", #{{ {options} }})"#);
            let said = bench.sh(&guest, "true").failed(125);
            assert!(said.contains(told), "{said}");
        }
    });
}

#[test]
fn a_device_of_a_rootfs_is_the_hosts_device() {
    as_each_user(|bench| {
        let guest =
            r#"sandbox(rootfs().binaries(["sh", "stat"]).device("/dev/null").device("/dev/zero"))"#;
        let seen =
            bench.seen(guest, "echo lost > /dev/null; stat -c '%F %t %T' /dev/null /dev/zero");
        assert_eq!(seen, "character special file 1 3\ncharacter special file 1 5\n");
    });
}
