//! Capabilities that programs keep, all ids of the caller, and sandboxes like containers.

use std::path::PathBuf;

use crate::support::{Bench, Ended, GUESTS, HOST, Launch, TREE, User, as_each_user, field, have};
use crate::support::{may_mount, missing};

/// The sets of the kernel for the 14 capabilities of a container.
const CONTAINER: &str = "00000000a80425fb";
const NONE: &str = "0000000000000000";

/// The five sets in a text of /proc/PID/status: inheritable, permitted, effective, bounding, ambient.
fn sets(status: &str) -> [&str; 5] {
    ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|set| {
        let line = status.lines().find_map(|line| line.strip_prefix(set)?.strip_prefix(":\t"));
        line.unwrap_or_else(|| panic!("{set} is not in {status}"))
    })
}

/// The launch in a world in which a user has subordinate ids; `None` where that is not possible.
pub fn with_ids<'b>(bench: &'b Bench, launch: Launch<'b>) -> Option<Launch<'b>> {
    if bench.user.is_root() {
        return Some(launch);
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
    Some(launch.in_world(setup))
}

/// What a shell script in a sandbox prints that has all ids.
fn seen_with_ids(bench: &Bench, guest: &str, script: &str) -> Option<String> {
    let guest = format!("{guest}.map_users(\"all\").map_groups(\"all\")");
    Some(with_ids(bench, bench.script(&guest, script))?.end().succeeded())
}

/// What fails in a launch without subordinate ids.
fn without_ids(bench: &Bench, recipe: &str) -> Option<Ended> {
    if bench.user.is_root() || !User::this().is_root() || !may_mount() {
        return None;
    }
    let setup = "for file in /etc/subuid /etc/subgid; do mount --bind /dev/null $file; done";
    Some(bench.recipe(recipe).in_world(setup).end())
}

#[test]
fn kept_capabilities_are_those_of_the_program_and_not_of_init() {
    as_each_user(|bench| {
        for (name, guest) in GUESTS {
            for (kept, set) in [
                (r#"["CHOWN", "cap_net_raw"]"#, "0000000000002001"),
                (r#""container""#, CONTAINER),
                ("[]", NONE),
            ] {
                let guest = format!("{guest}.keep_capabilities({kept})");
                // Init has given its own up when the program has begun, or a moment later.
                let script = "cat /proc/self/status; until grep -q 'CapEff:.0*$' /proc/1/status; \
                              do :; done; echo; cat /proc/1/status";
                let script =
                    if name == "host" { script } else { "cat /proc/self/status; echo; echo" };
                let seen = bench.seen(&guest, script);
                let (program, init) = seen.split_once("\n\n").unwrap();
                assert_eq!(sets(program), [NONE, set, set, set, NONE], "{kept} in {name}");
                assert_eq!(field(program, "NoNewPrivs"), "1");
                if name == "host" {
                    let [inheritable, permitted, effective, _, ambient] = sets(init);
                    let of_init = [inheritable, permitted, effective, ambient];
                    assert_eq!(of_init, [NONE; 4], "init in {name}");
                }
            }
        }
    });
}

#[test]
fn all_capabilities_are_kept_in_a_root_of_ones_own() {
    as_each_user(|bench| {
        let guest = format!("{TREE}.keep_capabilities(\"all\")");
        let script = "cat /proc/self/status";
        let Some(seen) = seen_with_ids(bench, &guest, script) else { return };
        let all = "000001ffffffffff";
        assert_eq!(sets(&seen), [NONE, all, all, all, NONE]);
    });
}

#[test]
fn another_user_than_0_keeps_them_as_ambient_ones() {
    as_each_user(|bench| {
        let guest =
            format!("{HOST}.user(1000).group(1000).keep_capabilities([\"CHOWN\", \"KILL\"])");
        let seen = bench.seen(&guest, "cat /proc/self/status");
        assert_eq!(sets(&seen), ["0000000000000021"; 5]);
        let Some(seen) = seen_with_ids(bench, &guest, "cat /proc/self/status") else { return };
        assert_eq!(sets(&seen), ["0000000000000021"; 5]);
        assert_eq!(field(&seen, "Uid"), "1000 1000 1000 1000");
    });
}

#[test]
fn what_joins_and_closures_have_the_same() {
    as_each_user(|bench| {
        for (user, expected) in [
            ("", [NONE, CONTAINER, CONTAINER, CONTAINER, NONE]),
            (".user(1000).group(1000)", [CONTAINER; 5]),
        ] {
            let recipe = format!(
                r#"let guest = {HOST}{user}.keep_capabilities("container");
                guest.run("cat /proc/self/status");
                guest.pid1().run("cat /proc/self/status");
                let first = guest.start("sleep 60");
                first.run("cat /proc/self/status");
                first.within(|| print(read_file("/proc/self/status")));
                first.within(|| exec("cat /proc/self/status"));
                guest.within(|| print(read_file("/proc/self/status")));"#
            );
            let seen = bench.recipe(&recipe).end().succeeded();
            let all: Vec<_> = seen.split("Name:").skip(1).collect();
            assert_eq!(all.len(), 6, "{seen}");
            for status in all {
                assert_eq!(sets(status), expected, "{user}: {status}");
                assert_eq!(field(status, "NoNewPrivs"), "1");
            }
        }
    });
}

#[test]
fn root_keeps_harmless_ones_in_the_user_namespace_of_the_machine() {
    as_each_user(|bench| {
        if !bench.user.is_root() {
            return;
        }
        let guest = format!("{HOST}.share(USER).keep_capabilities([\"CHOWN\", \"SETUID\"])");
        let seen = bench.seen(&guest, "cat /proc/self/status");
        let set = "0000000000000081";
        assert_eq!(sets(&seen), [NONE, set, set, set, NONE]);
        for name in ["SYS_ADMIN", "MKNOD", "SYS_PTRACE", "SYS_MODULE", "NET_ADMIN"] {
            let code = format!("{HOST}.share(USER).keep_capabilities([\"{name}\"]).run(\"true\")");
            let wrong = bench.recipe(&code).end().failed(125);
            let message = format!("`CAP_{name}` would be a capability of the host");
            assert!(wrong.contains(&message), "{wrong}");
        }
        // One that nsscript does not have itself.
        if have(&["setpriv"]) {
            let without = ["setpriv", "--bounding-set=-chown", "--inh-caps=-chown"];
            let code = format!("{HOST}.share(USER).keep_capabilities([\"CHOWN\"]).run(\"true\")");
            let wrong = bench.recipe(&code).becoming(&without).end().failed(125);
            assert!(wrong.contains("nsscript itself does not have `CAP_CHOWN`"), "{wrong}");
            // In a user namespace of its own, the sandbox has it.
            let code = format!("{HOST}.keep_capabilities([\"CHOWN\"]).run(\"true\")");
            bench.recipe(&code).becoming(&without).end().succeeded();
        }
    });
}

#[test]
fn requests_that_cannot_be_met_are_told() {
    as_each_user(|bench| {
        for (more, message) in [
            (r#"keep_capabilities(["CHWON"])"#, "did you mean `CAP_CHOWN`?"),
            (r#"keep_capabilities("containr")"#, "did you mean `container`?"),
            (r#"keep_capabilities("CHOWN")"#, "write single capabilities as an array"),
            (r#"map_users("some")"#, "unknown ids `some`"),
            (r#"chroot().keep_capabilities("container")"#, "can leave a root that was entered by"),
            (r#"capabilities(["CHOWN"])"#, "did you mean `keep_capabilities`?"),
        ] {
            let code = format!("{HOST}.{more}.run(\"true\")");
            let wrong = bench.recipe(&code).end().failed(125);
            assert!(wrong.contains(message), "{more}: {wrong}");
        }
    });
}

#[test]
fn all_ids_are_those_that_the_caller_may_map() {
    as_each_user(|bench| {
        let script = "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id -u; id -g";
        let Some(seen) = seen_with_ids(bench, HOST, script) else { return };
        let words: Vec<_> = seen.split_whitespace().collect();
        let own = bench.user.uid.to_string();
        if bench.user.is_root() {
            // Its own subordinate ids, or some that belong to nobody, and never the machine's root.
            assert_eq!((words[0], words[2], words[5]), ("0", "65536", "65536"), "{seen}");
            assert!(words[1].parse::<u32>().unwrap() >= 100_000, "{seen}");
            assert_eq!(words[6..], ["allow", "0", "0"]);
        } else {
            let map = ["0", &own, "1", "1", "100000", "65536"];
            assert_eq!(words, [&map[..], &map, &["allow", "0", "0"]].concat());
        }
        let script = "chown 1000:1000 /tmp/file && stat -c %u:%g /tmp/file";
        let guest =
            format!(r#"{HOST}.tmpfs("/tmp").file("/tmp/file", "").keep_capabilities(["CHOWN"])"#);
        assert_eq!(seen_with_ids(bench, &guest, script).unwrap(), "1000:1000\n");
    });
}

#[test]
fn a_user_without_further_ids_is_told_how_to_get_some() {
    as_each_user(|bench| {
        let code = format!("{HOST}.map_users(\"all\").map_groups(\"all\").run(\"true\")");
        let Some(ended) = without_ids(bench, &code) else { return };
        let wrong = ended.failed(125);
        let uid = bench.user.uid;
        assert!(
            wrong.contains(&format!("assigns no subordinate user ids to user {uid}")),
            "{wrong}"
        );
        let cure = "`usermod --add-subuids 100000-165535 --add-subgids 100000-165535 nobody`";
        assert!(wrong.contains(cure), "{wrong}");
        assert_eq!(wrong.matches("error:").count(), 1, "{wrong}");
        // What may be missing is one warning with the same cure.
        let all =
            "map_users(\"all\", #{ optional: true }).map_groups(\"all\", #{ optional: true })";
        let code = format!("{HOST}.{all}.run(\"cat /proc/self/uid_map\")");
        let ended = without_ids(bench, &code).unwrap();
        assert!(
            ended.stderr.contains("warning: the sandbox has no user but 0"),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains(cure), "{}", ended.stderr);
        assert_eq!(ended.stderr.matches("warning:").count(), 1, "{}", ended.stderr);
        let map: Vec<_> = ended.stdout.split_whitespace().collect();
        assert_eq!(map, ["0", &uid.to_string(), "1"]);
    });
}

#[test]
fn a_container_has_the_mounts_of_one() {
    as_each_user(|bench| {
        let recipe = r#"
            let root = rootfs().binaries(["sh", "cat", "ls", "stat", "id", "chown", "hostname", "touch", "grep"],
                #{ into: "/bin" });
            sandbox(root).container().run(["sh", "-c", args[0]]);"#;
        let script = "cat /proc/self/status; echo; hostname; echo $PATH; cat /proc/self/mountinfo
            for place in /tmp /run /dev/shm /dev/mqueue; do touch $place/file || echo no $place; done
            for file in sys/kernel/core_pattern sysrq-trigger irq/default_smp_affinity; do
                if [ -e /proc/$file ] && echo x > /proc/$file; then echo writes $file; fi
            done 2> /dev/null
            touch /file && chown 7:8 /file && stat -c owner=%u:%g /file
            ls /sys/firmware | cat; cat /proc/timer_list 2> /dev/null; ls /sys/class/net; true";
        let launch = bench.nsscript(&["-e", recipe, script]);
        let Some(launch) = with_ids(bench, launch) else { return };
        let seen = launch.end().succeeded();
        let (status, rest) = seen.split_once("\n\n").unwrap();
        assert_eq!(sets(status), [NONE, CONTAINER, CONTAINER, CONTAINER, NONE]);
        assert!(rest.starts_with("container\n/usr/local/sbin:"), "{rest}");
        for place in ["/proc", "/sys", "/dev", "/dev/pts", "/dev/mqueue", "/run", "/tmp"] {
            assert!(rest.contains(&format!(" {place} ")), "{place}: {rest}");
        }
        assert!(!rest.contains("writes") && !rest.contains("\nno /"), "{rest}");
        assert!(rest.ends_with("owner=7:8\nlo\n"), "{rest}");
    });
}

#[test]
fn a_plan_of_a_container_shows_every_part_and_who_asked_for_it() {
    as_each_user(|bench| {
        let code = "let root = rootfs().binary(\"sh\");\nsandbox(root).container().run(\"sh\");";
        let plan = bench.nsscript(&["plan", "-e", code]).end();
        let plan = plan.succeeded();
        for part in [
            "mount proc on `/proc`",
            "mount sysfs on `/sys`, read-only",
            "mount mqueue on `/dev/mqueue`",
            "hide `/proc/kcore`, if it exists",
            "make `/proc/sys` read-only, if it exists",
            "set the host name to `container`",
            "drop all capabilities except CAP_CHOWN,",
        ] {
            assert!(plan.contains(part), "{part}: {plan}");
        }
        // Each call is the place that asked for its own parts.
        let wrong = "let guest = sandbox(\"/\").read_only_root();\n\
                     guest.container().chroot().run(\"true\");\n\
                     guest.container().run(\"true\");";
        let wrong = bench.recipe(wrong).end().failed(125);
        assert!(
            wrong.contains("asked for by `container`, called at <command line>:2:7"),
            "{wrong}"
        );
    });
}

#[test]
fn a_container_with_all_ids_is_in_a_network_of_the_recipe() {
    as_each_user(|bench| {
        // The session has all ids, too, from the first network on.
        let recipe = r#"let root = rootfs().binaries(["sh", "cat"]);
            sandbox(root).container().sh("cat /proc/self/uid_map");
            let net = netns().address("lo", "10.9.8.7/32");
            let guest = sandbox(root).container().network(net);
            guest.sh("cat /proc/self/uid_map /etc/hosts");
            guest.sh("cat /etc/hostname");"#;
        let Some(launch) = with_ids(bench, bench.recipe(recipe)) else { return };
        let seen = launch.end().succeeded();
        let inside = seen.lines().filter(|line| line.trim_start().starts_with("0 "));
        assert_eq!(inside.count(), 2, "{seen}");
        assert!(seen.ends_with("10.9.8.7 container\ncontainer\n"), "{seen}");
    });
}

/// A Debian system in an archive, as mmdebstrap(1) makes it.
pub fn debian() -> Option<PathBuf> {
    let file = std::env::var_os("NSSCRIPT_DEBIAN_TAR").map(PathBuf::from);
    if file.is_none() {
        missing("an archive of a Debian system, named by NSSCRIPT_DEBIAN_TAR");
    }
    file
}

/// Makes a package and a repository with it, inside.
const REPOSITORY: &str = "set -e
    mkdir -p /srv/repository /srv/package/DEBIAN /srv/package/opt
    cd /srv
    echo hello > package/opt/greeting
    printf '%s\\n' 'Package: greeting' 'Version: 1' 'Architecture: all' \
        'Maintainer: nobody <nobody@example.org>' 'Description: a greeting' \
        > package/DEBIAN/control
    dpkg-deb --build --root-owner-group package repository/greeting.deb
    cd repository
    { dpkg-deb --field greeting.deb
      echo 'Filename: ./greeting.deb'
      echo Size: $(stat -c %s greeting.deb)
      echo SHA256: $(sha256sum greeting.deb | cut -d ' ' -f 1); } > Packages
    rm -rf /etc/apt/sources.list.d/*
    echo 'deb [trusted=yes] file:/srv/repository ./' > /etc/apt/sources.list
";

#[test]
fn a_debian_system_is_administrated_as_in_a_container() {
    let Some(file) = debian() else { return };
    as_each_user(|bench| {
        let recipe = format!(
            r#"sandbox(rootfs().tar("{}")).container().run(["sh", "-c", args[0]]);"#,
            file.display()
        );
        let script = format!(
            "{REPOSITORY}
            apt-get update 2>&1
            apt-get install --yes greeting 2>&1; cat /opt/greeting
            dpkg --purge greeting; [ ! -e /opt/greeting ]
            dpkg -i greeting.deb; cat /opt/greeting
            useradd --create-home --uid 4242 --groups audio user
            echo su: $(su - user -c 'id -un; id -G; pwd')
            echo runuser: $(runuser -u user id)
            chown -R user:user /opt; echo owner: $(stat -c %U:%G /opt/greeting)
            su user -c 'echo x > /etc/hostname' 2> /dev/null || echo refused
            su user -c 'grep CapEff /proc/self/status'"
        );
        let launch = bench.nsscript(&["-e", &recipe, &script]);
        let Some(launch) = with_ids(bench, launch) else { return };
        let seen = launch.end().succeeded();
        assert_eq!(seen.matches("\nhello\n").count(), 2, "{seen}");
        assert!(!seen.contains("unsandboxed") && !seen.contains("W: "), "{seen}");
        assert!(seen.contains("su: user 4242 29 /home/user\n"), "{seen}");
        let id = "uid=4242(user) gid=4242(user) groups=4242(user),29(audio)";
        assert!(seen.contains(&format!("runuser: {id}\n")), "{seen}");
        assert!(seen.contains("owner: user:user\nrefused\nCapEff:\t0000000000000000\n"), "{seen}");
    });
}

#[test]
fn a_debian_system_with_one_user_says_what_it_lacks() {
    let Some(file) = debian() else { return };
    as_each_user(|bench| {
        let recipe = format!(
            r#"sandbox(rootfs().tar("{}")).container().run(["apt-get", "update"]);"#,
            file.display()
        );
        let Some(ended) = without_ids(bench, &recipe) else { return };
        assert!(!ended.status.success(), "{}", ended.stdout);
        let cure = "`usermod --add-subuids 100000-165535 --add-subgids 100000-165535 nobody`";
        assert!(ended.stderr.contains(cure), "{}", ended.stderr);
        assert!(ended.stderr.contains("setgroups"), "{}", ended.stderr);
    });
}

#[test]
fn a_busybox_can_change_users_ping_and_serve_at_low_ports() {
    let Some(file) = debian() else { return };
    as_each_user(|bench| {
        let recipe = format!(
            r#"let guest = sandbox(rootfs().tar("{}")).container();
            guest.run(["busybox", "sh", "-c", args[0]]);"#,
            file.display()
        );
        let script = "useradd --uid 1000 user; su user -c id
            busybox ping -c 1 127.0.0.1 | grep -c 'bytes from'
            mkfifo /tmp/open; exec 3<> /tmp/open
            busybox nc -l -p 80 <&3 > /tmp/received & server=$!
            until echo over the network | busybox nc 127.0.0.1 80; do sleep 0.1; done
            wait $server; cat /tmp/received";
        let launch = bench.nsscript(&["-e", &recipe, script]);
        let Some(launch) = with_ids(bench, launch) else { return };
        let seen = launch.end().succeeded();
        let id = "uid=1000(user) gid=1000(user) groups=1000(user)";
        assert_eq!(seen, format!("{id}\n1\nover the network\n"));
    });
}
