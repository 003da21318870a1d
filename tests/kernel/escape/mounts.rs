//! Mounts: what they leave on the host, and what a program may do with them.

use super::Canary;
use crate::support::{HOST, TREE, as_each_user, have, may_mount, may_mount_as_root};

#[test]
fn nothing_reaches_a_host_whose_mounts_are_shared() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        bench.directory("root");
        bench.directory("data");
        let mut guests = vec![
            HOST.to_owned(),
            TREE.to_owned(),
            format!("{TREE}.chroot()"),
            "sandbox().host_view()".to_owned(),
            format!(
                r#"{HOST}.tmpfs("/mnt").bind("data", "/mnt/data").mask("/usr/share").read_only("/var")"#
            ),
            format!(r#"{TREE}.bind("data", "/data").workdir("/none")"#),
            r#"sandbox("root").tmpfs("/none")"#.to_owned(),
        ];
        if bench.user.is_root() {
            guests.extend([HOST, TREE].map(|guest| format!("{guest}.share(USER)")));
            guests.push(format!("{HOST}.share(USER).chroot()"));
        }
        for guest in guests {
            // The world compares its own mounts: those that a sandbox could have propagated to.
            let ended = bench.script(&guest, "true").in_world("mount --make-rshared /").end();
            assert_ne!(ended.status.code(), Some(99), "{guest}: {}", ended.stderr);
        }
    });
}

/// A root that lies on a shared mount is one that pivot_root(2) refuses to take away, as it does
/// rootfs, which `tests/vm` has as a root. In a new user namespace nothing is shared, so this is
/// about root without one.
#[test]
fn a_root_that_cannot_be_taken_away_is_covered() {
    as_each_user(|bench| {
        if !bench.user.is_root() || !may_mount() {
            return;
        }
        let canary = Canary::new(bench);
        super::make_root(bench);
        let secret = bench.text("host/secret");
        let script = format!(
            "while read -r line; do echo \"$line\"; done < /proc/self/mounts; ls -d /*; ls -d /../*;
             cat {secret} /..{secret}; true"
        );
        // chroot(1) goes to `/`.
        let guest = format!(r#"sandbox("{}").proc("/proc").share(USER)"#, bench.text("root"));
        for guest in [guest.clone(), format!("{guest}.read_only_root()")] {
            let recipe = format!("print(({guest}).output(args).stdout)");
            let run = bench.nsscript(&["--explain", "-e", &recipe, "sh", "-c", &script]);
            let world = "mount --make-rshared /; mount --rbind / /";
            let ended = run.by_shell(r#"exec chroot /.. "$@""#).in_world(world).end();
            canary.holds("a root that cannot be taken away", &ended);
            assert!(ended.status.success(), "{}", ended.stderr);
            let tried = |line: &str| ended.stderr.lines().filter(|it| it.contains(line)).count();
            assert_eq!(tried("✗ enter the root with pivot_root"), 1, "{}", ended.stderr);
            assert_eq!(tried("▸ bind the host's `/` on itself"), 1, "{}", ended.stderr);
            let (mounts, files) =
                ended.stdout.lines().partition::<Vec<_>, _>(|line| line.contains(' '));
            let places: Vec<_> = mounts.iter().filter_map(|line| line.split(' ').nth(1)).collect();
            assert_eq!(places.first(), Some(&"/"));
            assert!(places[1..].iter().all(|place| place.starts_with("/proc")), "{places:?}");
            let names = ["/bin", "/lib", "/lib64", "/proc", "/usr"];
            let known = |line: &&str| names.contains(&line.trim_start_matches("/.."));
            assert!(files.iter().filter(|it| !it.is_empty()).all(known), "{files:?}");
        }
    });
}

#[test]
fn a_mount_of_the_host_does_not_come_in_later() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        bench.directory("data/sub");
        let guest = format!(r#"{TREE}.bind("data", "/data")"#);
        // The world mounts something while the sandbox runs.
        let script = "touch /data/ready; until [ -e /data/done ]; do sleep 0.01; done
            while read -r line; do echo \"$line\"; done < /proc/self/mounts";
        let beside = "mount --make-rshared /
            { until [ -e data/ready ]; do sleep 0.01; done
              mount -t tmpfs late data/sub && touch data/done
              while [ -e data/done ]; do sleep 0.01; done; umount data/sub; } > /dev/null 2>&1 &";
        let after = r#""$@"; code=$?; rm data/done; sleep 0.1; exit $code"#;
        let seen = bench.script(&guest, script).by_shell(after).in_world(beside).end().stdout;
        assert!(seen.contains("/data ") && !seen.contains("late"), "{seen}");
    });
}

/// A shell script in a namespace that a program makes inside, with every capability there: once
/// with a map, which needs a user other than 0, and once without.
fn nested(script: &str) -> [(&'static str, String); 2] {
    let by = |how: &str| {
        format!("unshare --user {how} --mount --pid --cgroup --fork sh -c 'echo nested; {script}'")
    };
    [(".user(1000)", by("--map-root-user")), ("", by("--keep-caps"))]
}

#[test]
fn nothing_is_uncovered_or_made_writable_from_a_namespace_inside() {
    as_each_user(|bench| {
        if !have(&["unshare", "mount", "umount"]) {
            return;
        }
        let canary = Canary::new(bench);
        bench.file("data/hidden/file", "");
        bench.file("data/kept/file", "");
        let guest = format!(
            r#"{HOST}.tmpfs("/mnt").bind("data", "/mnt/data").mask("/mnt/data/hidden")
                .tmpfs("/mnt/data/kept").bind("data", "/mnt/ro", #{{ read_only: true }})"#
        );
        let script = "
            for place in /mnt/data/hidden /mnt/data/kept /proc/sys /proc /dev/null /dev /mnt/data /mnt /; do
                umount $place 2> /dev/null && echo $place was unmounted
                umount --lazy $place 2> /dev/null && echo $place was detached
            done
            ls -A /mnt/data/hidden /mnt/data/kept
            for place in /mnt/ro /proc/sys /usr /; do
                mount -o remount,bind,rw $place 2> /dev/null && echo $place was made writable
            done
            mount --bind /mnt/data /srv 2> /dev/null && echo a part was bound && ls /srv/hidden /srv/kept
            for file in kernel/core_pattern vm/swappiness; do
                (cat /proc/sys/$file > /proc/sys/$file) 2> /dev/null && echo $file was written to
            done
            (: > /mnt/ro/new) 2> /dev/null && echo the read-only bind was written to
            true";
        for (user, script) in nested(script) {
            let ended = bench.sh(&format!("{guest}{user}"), &script);
            canary.holds("a user namespace inside", &ended);
            assert_eq!(
                ended.stdout, "nested\n/mnt/data/hidden:\n\n/mnt/data/kept:\n",
                "{user}: {}",
                ended.stderr
            );
        }
    });
}

#[test]
fn no_fresh_proc_gives_what_the_sandboxs_proc_does_not() {
    as_each_user(|bench| {
        if !have(&["unshare", "mount"]) {
            return;
        }
        let script = "
            mount -t proc proc /tmp 2> /dev/null || exit 0
            for file in kernel/core_pattern vm/swappiness; do
                [ -e /tmp/sys/$file ] || continue
                (cat /tmp/sys/$file > /tmp/sys/$file) 2> /dev/null && echo $file was written to
            done
            (echo h > /tmp/sysrq-trigger) 2> /dev/null && echo sysrq-trigger was written to
            true";
        let host = r#"sandbox("/").read_only_root().tmpfs("/tmp")"#;
        let alone = r#"sandbox().bind("/usr").bind("/bin").bind("/lib").bind("/lib64", #{ optional: true })
            .tmpfs("/tmp").dev("/dev")"#;
        for root in [host, alone] {
            for proc in ["", r#".proc("/proc")"#, r#".proc("/proc", #{ subset: "pid" })"#] {
                for (user, script) in nested(script) {
                    // Without a proc of its own that can be written to, no map can be written.
                    if proc.is_empty() && !user.is_empty() {
                        continue;
                    }
                    let guest = format!("{root}{proc}{user}");
                    let ended = bench.sh(&guest, &script);
                    // One that cannot be written to lets no map be written either.
                    let refused = proc.contains("subset") && ended.stdout.is_empty();
                    assert!(refused || ended.stdout == "nested\n", "{guest}: {}", ended.stdout);
                }
            }
        }
    });
}

#[test]
fn a_release_agent_cannot_be_set() {
    as_each_user(|bench| {
        if !have(&["unshare", "mount"]) {
            return;
        }
        // What is written is what stands there already.
        let script = "
            try() {
                for file in $1/release_agent $1/*/release_agent; do
                    [ -e $file ] && (cat $file > $file) 2> /dev/null && echo $file was written to
                done
            }
            try /sys/fs/cgroup
            for controller in cpu cpuset memory pids devices freezer blkio rdma; do
                mount -t cgroup -o $controller none /tmp 2> /dev/null || continue
                try /tmp
                umount /tmp
            done
            true";
        for more in ["", ".share(CGROUP)"] {
            for (user, script) in nested(script) {
                let guest = format!(r#"{HOST}.tmpfs("/tmp"){more}{user}"#);
                assert_eq!(bench.seen(&guest, &script), "nested\n", "{guest}");
            }
        }
    });
}

/// Tries to change the machine by files of /proc, and says where that was possible.
const BY_PROC: &str = "
            cd /proc
            # What is written, where it can be, is what stands there already.
            for file in sys/kernel/core_pattern sys/kernel/modprobe sys/kernel/domainname \
                sys/vm/swappiness sys/fs/file-max sys/fs/binfmt_misc/register \
                irq/default_smp_affinity irq/*/smp_affinity; do
                [ -e $file ] || continue
                (cat $file > $file) 2> /dev/null && echo $file was written to
            done
            (echo h > /proc/sysrq-trigger) 2> /dev/null && echo sysrq-trigger was written to
            for file in kcore kmsg; do
                (: < /proc/$file) 2> /dev/null && echo $file could be read
            done
            true";

#[test]
fn files_through_which_a_machine_is_changed_are_read_only() {
    as_each_user(|bench| {
        let mut guests = vec![HOST.to_owned(), TREE.to_owned(), "sandbox().host_view()".to_owned()];
        guests.push(format!("{HOST}.share(NET | IPC | UTS | CGROUP)"));
        if bench.user.is_root() {
            guests.push(format!("{HOST}.share(USER)"));
        }
        for guest in guests {
            let seen = bench.seen(&guest, BY_PROC);
            assert_eq!(seen, "", "{guest}");
        }
    });
}

#[test]
fn they_are_read_only_too_where_the_proc_of_the_caller_hides_them() {
    as_each_user(|bench| {
        if !may_mount_as_root() {
            return;
        }
        let mut guests = vec![HOST.to_owned(), TREE.to_owned(), "sandbox().host_view()".to_owned()];
        if bench.user.is_root() {
            guests.push(format!("{HOST}.share(USER)"));
        }
        // As systemd's ProcSubset= and ProtectProc= mount it.
        for option in ["subset=pid", "hidepid=2", "subset=pid,hidepid=2"] {
            let world = format!("mount -t proc -o {option} proc /proc");
            for guest in &guests {
                let seen = bench.script(guest, BY_PROC).in_world(&world).end().succeeded();
                assert_eq!(seen, "", "{guest} below a proc with {option}");
                println!("held, as {}: {guest} below a proc with {option}", bench.user);
            }
        }
    });
}

#[test]
fn a_device_that_cannot_be_looked_at_is_not_taken_for_missing() {
    as_each_user(|bench| {
        if !may_mount_as_root() || bench.user.is_root() {
            return;
        }
        let world = "mount -t tmpfs -o mode=700 tmpfs /dev; mknod -m 666 /dev/null c 1 3 || \
            touch /dev/null";
        let said = bench.script(HOST, "true").in_world(world).end().failed(125);
        assert!(said.contains("cannot access `/dev/null`: permission denied (EACCES)"), "{said}");
        assert!(said.contains("<command line>:1:"), "{said}");
    });
}
