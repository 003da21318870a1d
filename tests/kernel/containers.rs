//! nsscript inside a container: parts of /proc and /sys are hidden or read-only there, and the kernel
//! refuses new ones.

use std::fs;
use std::path::Path;

use crate::language::recipes::recipes;
use crate::support::{HOST, as_each_user, field, have, may_mount, may_mount_as_root};

/// Hides parts of /proc and /sys, as runtimes of containers do.
const MASKED: &str = "mount --bind /dev/null /proc/timer_list
    mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys
    mount -t tmpfs -o ro masked /sys/firmware; mount -o remount,bind,ro /sys";

#[test]
fn a_view_of_the_host_has_the_proc_that_there_is() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        let outside = std::process::id();
        let script = format!(
            "cat /proc/self/status; [ -d /proc/{outside} ] && echo sees outside
             for link in root cwd exe ns/mnt; do readlink /proc/{outside}/$link && echo reads $link; done
             for file in environ maps mem; do head -c 1 /proc/{outside}/$file && echo reads $file; done
             for file in self/comm sys/kernel/hostname sysrq-trigger self/uid_map; do
                 echo x > /proc/$file && echo writes $file; done
             head -c 1 /proc/timer_list; true"
        );
        let recipe = r#"let guest = sandbox().host_view(); guest.run(["sh", "-c", args[0]]);
            guest.run("true"); print(guest.within(|| exists("/proc/self")));"#;
        let ended = bench.nsscript(&["-e", recipe, &script]).in_world(MASKED).end();
        let seen = &ended.stdout;
        assert!(ended.status.success(), "{}", ended.stderr);
        assert_eq!(field(seen, "CapEff"), "0000000000000000");
        assert!(seen.contains("sees outside\n") && seen.ends_with("true\n"), "{seen}");
        assert!(!seen.contains("reads ") && !seen.contains("writes "), "{seen}");
        let warned =
            ended.stderr.matches("warning: the sandbox sees the processes outside").count();
        assert_eq!(warned, 1, "{}", ended.stderr);
    });
}

#[test]
fn a_proc_that_is_asked_for_is_a_new_one_or_none() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        let refused = bench.script(HOST, "true").in_world(MASKED).end().failed(125);
        assert!(refused.contains("cannot mount proc on `/proc`"), "{refused}");
        // What is advised works.
        let advice = r#".bind("/proc", "/proc", #{ read_only: true })"#;
        assert!(refused.contains(advice), "{refused}");
        let guest = HOST.replace(r#".proc("/proc")"#, advice);
        let seen = bench.script(&guest, "[ -d /proc/self ] && echo there").in_world(MASKED).end();
        assert_eq!(seen.succeeded(), "there\n");
    });
}

#[test]
fn the_sysfs_that_there_is_stands_for_a_new_one() {
    as_each_user(|bench| {
        if !may_mount_as_root() {
            return;
        }
        let script =
            "ls /sys/class/net /sys/firmware; echo x > /sys/class/net/lo/mtu || echo read-only
            while read -r line; do echo \"$line\"; done < /proc/self/mounts | grep ' /sys'";
        let guest = r#"sandbox("/").read_only_root().proc("/proc").sysfs("/sys")"#;
        let of = |world: &str| bench.script(guest, script).in_world(world).end();
        let hidden = "mount -t tmpfs -o ro masked /sys/firmware";
        let ended = of(hidden);
        let warned = ended.stderr.matches("warning: the sandbox sees the network devices outside");
        assert_eq!(warned.count(), 1, "{}", ended.stderr);
        let seen = ended.succeeded();
        assert!(seen.contains("lo\n") && seen.contains("read-only\n"), "{seen}");
        let mut mounts = seen.lines().filter(|line| line.contains(" /sys"));
        assert!(mounts.all(|line| line.split(' ').any(|word| word.starts_with("ro,"))), "{seen}");
        // Without any there is nothing to show, and the advice works.
        let none = "mount -t tmpfs none /sys";
        let refused = of(none).failed(125);
        assert!(refused.contains("cannot mount sysfs on `/sys`"), "{refused}");
        assert!(refused.contains("`mount -t sysfs sysfs /sys`"), "{refused}");
        let mounted = of(&format!("{none}; mount -t sysfs sysfs /sys"));
        assert_eq!(mounted.stderr.matches("warning").count(), 0, "{}", mounted.stderr);
        assert!(mounted.succeeded().starts_with("/sys/class/net:\nlo\n"));
        // Elsewhere it is one of the sandbox's own network.
        let plain = of("true");
        assert!(!plain.stderr.contains("warning"), "{}", plain.stderr);
        assert!(plain.stdout.starts_with("/sys/class/net:\nlo\n"), "{}", plain.stdout);
    });
}

#[test]
fn no_recipe_fails_in_a_container() {
    as_each_user(|bench| {
        if !have(&["unshare", "setpriv", "ip", "mount"]) {
            return;
        }
        let container = fs::read_to_string("tests/vm/guest/container").unwrap();
        let container = bench.file("container", container);
        let mut number = 0;
        for recipe in recipes() {
            let name = recipe.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
            bench.file(name.to_str().unwrap(), fs::read_to_string(&recipe).unwrap());
            number += 1;
        }
        let kinds: &[&str] = if bench.user.is_root() { &["plain", "userns"] } else { &["userns"] };
        for kind in kinds {
            let wrapper = format!(r#"exec sh {} {kind} "$@""#, container.display());
            let run = bench.nsscript(&["test", "recipes"]).by_shell(&wrapper);
            let told = run.may_leave_files().end().succeeded();
            let last = told.lines().last().unwrap_or_default().replace(", ", " ");
            let words: Vec<_> = last.split(' ').collect();
            let count = |index: usize| words[index].parse::<usize>().unwrap();
            assert_eq!((count(0) + count(4), count(2)), (number, 0), "{told}");
            assert!(count(0) * 2 > number, "most recipes work there: {told}");
        }
    });
}
