//! What a sandbox of the host's system is without any further word, and what replaces parts of it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::id;

use crate::support::{Bench, TREE, as_each_user, fields, have, may_mount};

/// The host's system.
const SYSTEM: &str = r#"sandbox("/")"#;

/// The places with empty file systems, where the host has them.
const EMPTIED: [&str; 5] = ["/home", "/root", "/run", "/tmp", "/var/tmp"];

/// The name of the user who runs a test.
fn name(bench: &Bench) -> String {
    let output = bench.user.command("id").arg("-un").output().unwrap();
    assert!(output.status.success(), "the user has no name");
    String::from_utf8(output.stdout).unwrap()
}

/// The mount points inside with their types and attributes, in the order of the mounts.
fn mounts(bench: &Bench, guest: &str) -> Vec<(String, String, String)> {
    let seen = bench.seen(guest, "cat /proc/self/mountinfo");
    let mount = |words: Vec<&str>| {
        let kind = words.iter().skip_while(|word| **word != "-").nth(1).unwrap();
        (words[4].to_owned(), (*kind).to_owned(), words[5].to_owned())
    };
    fields(&seen).into_iter().map(mount).collect()
}

/// A file that is removed with the value.
struct Socket(PathBuf, UnixListener);

impl Socket {
    /// A socket that everybody may connect to.
    fn listen(path: PathBuf) -> std::io::Result<Self> {
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o777))?;
        listener.set_nonblocking(true)?;
        Ok(Self(path, listener))
    }

    /// Whether somebody has connected since the last question.
    fn was_asked(&self) -> bool {
        self.1.accept().is_ok()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn the_system_of_the_host_works_by_itself() {
    as_each_user(|bench| {
        let script = "ps -e -o comm= | wc -l; ls -A /run /home; id -un; sleep 0.1 & wait; echo $?";
        let seen = bench.seen(SYSTEM, script);
        let mut lines = seen.lines();
        let processes: u32 = lines.next().unwrap().trim().parse().unwrap();
        assert!((2..=4).contains(&processes), "{processes} processes");
        let rest: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
        assert_eq!(rest, ["/home:", "/run:", name(bench).trim(), "0"]);
    });
}

#[test]
fn the_words_for_the_system_of_the_host_mean_the_same() {
    as_each_user(|bench| {
        let system = mounts(bench, SYSTEM);
        for guest in [
            "sandbox().host_view()",
            r#"sandbox().root("/")"#,
            r#"sandbox("/").read_only_root()"#,
            r#"sandbox("//").root("/.")"#,
            r#"sandbox("/").writable_root().read_only_root()"#,
        ] {
            assert_eq!(mounts(bench, guest), system, "{guest}");
            assert_eq!(bench.seen(guest, "id -un"), name(bench), "{guest}");
        }
    });
}

#[test]
fn only_private_file_systems_are_writable() {
    as_each_user(|bench| {
        let own = ["/home", "/root", "/run", "/tmp", "/var/tmp", "/proc", "/dev"];
        for (target, _, attributes) in mounts(bench, SYSTEM) {
            let is_own = own.iter().any(|own| target.starts_with(own));
            let is_read_only = attributes.split(',').any(|word| word == "ro");
            assert!(is_own || is_read_only, "{target} {attributes}");
        }
        for place in EMPTIED.iter().filter(|place| fs::metadata(place).is_ok()) {
            let script = format!("ls -A {place} && echo x > {place}/x && ls {place}");
            assert_eq!(bench.seen(SYSTEM, &script), "x\n", "{place}");
        }
        let said = bench.sh(SYSTEM, "touch /usr/x").failed(1);
        assert!(said.contains("Read-only file system"), "{said}");
    });
}

#[test]
fn no_socket_of_the_host_can_be_connected_to() {
    if !have(&["python3"]) {
        return;
    }
    as_each_user(|bench| {
        let name = format!("nsscript-test-{}.sock", id());
        let mut sockets = vec![Socket::listen(Path::new("/tmp").join(&name)).unwrap()];
        // Only root may make one in /run.
        sockets.extend(Socket::listen(Path::new("/run").join(&name)));
        for socket in &sockets {
            let path = socket.0.to_str().unwrap();
            let python = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])";
            let run = |guest: &str| {
                let recipe = format!(
                    r#"{guest}.run(["python3", "-c", args[0], "{path}"], #{{ check: false }}).code"#
                );
                bench.nsscript(&["-e", &format!("exit({recipe})"), python]).end()
            };
            let said = run(SYSTEM).failed(1);
            assert!(said.contains("FileNotFoundError"), "{said}");
            assert!(!socket.was_asked(), "{path}");
            // It answers, and a bind is how it is made visible.
            run(&format!(r#"{SYSTEM}.bind("{path}")"#)).succeeded();
            assert!(socket.was_asked(), "{path}");
        }
    });
}

#[test]
fn no_key_in_a_home_can_be_read_wherever_the_home_is() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        let (uid, gid) = (bench.user.uid, bench.user.gid);
        let setup = format!(
            "mount -t tmpfs -o mode=755 none /mnt && mkdir -p /mnt/a/me/.ssh /mnt/a/you
            echo secret > /mnt/a/me/.ssh/key && echo hello > /mnt/a/you/file
            ln -s a/me /mnt/me && chmod 600 /mnt/a/me/.ssh/key
            chown {uid}:{gid} /mnt/a/me/.ssh/key 2> /dev/null || :"
        );
        let setup = setup.as_str();
        let read = "cat /mnt/a/you/file; cat /mnt/a/me/.ssh/key; cat /mnt/me/.ssh/key";
        let by_account = format!(
            // A user prepares the world as its user 0, and stays that.
            "{setup}; own=$(id -u)
            sed -E \"/^[^:]*:[^:]*:({uid}|$own):/d\" /etc/passwd > passwd
            echo 'me:x:{uid}:{gid}::/mnt/me:/bin/sh' >> passwd
            echo \"also:x:$own:$own::/mnt/me:/bin/sh\" >> passwd && mount --bind passwd /etc/passwd"
        );
        let seen = |guest: &str, home: &str, setup: &str| {
            bench.script(guest, read).env("HOME", home).in_world(setup).end()
        };
        // The key can be read where the home is not known as such.
        let ended = seen(r#"sandbox("/").writable_root()"#, "/mnt/me", setup);
        assert_eq!(ended.stdout, "hello\nsecret\nsecret\n", "{}", ended.stderr);
        for (home, setup) in [("/mnt/a/me", setup), ("/mnt/me", setup), ("/nowhere", &by_account)] {
            let ended = seen(SYSTEM, home, setup);
            assert_eq!(ended.stdout, "hello\n", "{home}: {}", ended.stderr);
            assert!(ended.stderr.contains("No such file"), "{}", ended.stderr);
        }
    });
}

#[test]
fn a_home_that_holds_the_system_stays_with_a_warning() {
    as_each_user(|bench| {
        let ended = bench.script(SYSTEM, "echo out").env("HOME", "/").end();
        // Only root owns it, and so may have private files there.
        assert_eq!(
            ended.stderr.contains("warning: your home `/` stays visible"),
            bench.user.is_root(),
            "{}",
            ended.stderr
        );
        assert_eq!(ended.succeeded(), "out\n");
    });
}

#[test]
fn a_directory_is_shown_in_an_emptied_place() {
    as_each_user(|bench| {
        bench.file("project/file", "text\n");
        bench.file("beside", "secret");
        for place in ["/home/me/project", "/tmp/project", "/var/tmp/a/b"] {
            let guest = format!(r#"{SYSTEM}.bind("project", "{place}")"#);
            let script = format!("cat {place}/file && echo new > {place}/new && ls {place}");
            assert_eq!(bench.seen(&guest, &script), "text\nfile\nnew\n", "{place}");
            assert_eq!(bench.content("project/new"), "new\n");
            fs::remove_file(bench.path("project/new")).unwrap();
        }
        // At its own place, everything beside it is gone.
        let place = bench.text("");
        let script = format!("cd {place} && ls");
        let guest = format!(r#"{SYSTEM}.bind("project", #{{ read_only: true }})"#);
        assert_eq!(bench.seen(&guest, &script), "project\n");
    });
}

#[test]
fn a_mount_of_the_recipe_replaces_the_usual_one() {
    as_each_user(|bench| {
        bench.file("project/file", "text\n");
        let guest = format!(
            r#"{SYSTEM}.proc().dev("/dev", #{{ shm: "1M" }}).sysfs().tmpfs(#{{ size: "2M" }})
                .tmpfs("/run").bind("project", "/var/tmp").read_only_root()"#
        );
        let seen = mounts(bench, &guest);
        let own = ["/proc", "/dev", "/dev/shm", "/dev/pts", "/sys", "/tmp", "/run", "/var/tmp"];
        for place in own {
            let of = |it: &&(String, String, String)| {
                it.0 == place && !it.2.split(',').any(|word| word == "ro") || place == "/sys"
            };
            let number = seen.iter().filter(|it| it.0 == place).filter(of).count();
            // The host's own mounts are below.
            let below = mounts(bench, r#"sandbox("/").writable_root()"#);
            let below = below.iter().filter(|it| it.0 == place && place == "/sys").count();
            assert_eq!(number - below, 1, "{place} {seen:#?}");
        }
        let script = "cat /var/tmp/file; stat -f -c %b:%S /tmp /dev/shm; ls -A /home";
        assert_eq!(bench.seen(&guest, script), "text\n512:4096\n256:4096\n");
        // A replaced part warns of nothing, and a missing source does not uncover the host's.
        let ended = bench.sh(&format!(r#"{SYSTEM}.tmpfs("/dev/shm")"#), "true");
        assert!(ended.stderr.is_empty() && ended.status.success(), "{}", ended.stderr);
        let guest = format!(r#"{SYSTEM}.bind("none", "/tmp", #{{ optional: true }})"#);
        assert_eq!(bench.seen(&guest, "ls -A /tmp"), "");
    });
}

#[test]
fn shared_memory_is_bounded() {
    as_each_user(|bench| {
        for (guest, blocks) in [
            (SYSTEM.to_owned(), 64 << 8),
            (TREE.to_owned(), 64 << 8),
            (format!(r#"{SYSTEM}.dev(#{{ shm: "256M" }})"#), 256 << 8),
            (format!(r#"{SYSTEM}.dev("/dev", #{{ shm: 1048576 }})"#), 1 << 8),
        ] {
            let seen = bench.seen(&guest, "stat -f -c %b:%S /dev/shm; stat -c %a /dev/shm");
            assert_eq!(seen, format!("{blocks}:4096\n1777\n"), "{guest}");
        }
        let said = bench.sh(&format!("{SYSTEM}.dev(#{{ shm: 0 }})"), "true").failed(125);
        assert!(said.contains("size 0 would be unlimited"), "{said}");
        let script = "head -c 65M /dev/zero > /dev/shm/file; stat -c %s /dev/shm/file";
        let ended = bench.sh(SYSTEM, script);
        assert_eq!(ended.stdout, "67108864\n");
        assert!(ended.stderr.contains("No space left"), "{}", ended.stderr);
    });
}

#[test]
fn a_plan_says_how_much_memory_a_file_system_can_take() {
    as_each_user(|bench| {
        let recipe = r#"let guest = sandbox().tmpfs().tmpfs("/a", #{ size: "16M" }).dev();
            print(guest.plan("true"));"#;
        let seen = bench.recipe(recipe).end().succeeded();
        for part in [
            "mount tmpfs on `/tmp`, up to half of the memory",
            "mount tmpfs on `/a`, up to 16 MiB",
            "mount tmpfs on `/dev/shm`, up to 64 MiB",
        ] {
            assert!(seen.contains(part), "{part}: {seen}");
        }
    });
}

#[test]
fn file_systems_have_their_usual_places() {
    as_each_user(|bench| {
        let guest = r#"sandbox(rootfs().binaries(["sh", "cat"]))
            .proc().sysfs().dev().mqueue().tmpfs()"#;
        let seen = mounts(bench, guest);
        for (place, kind) in [
            ("/proc", "proc"),
            ("/sys", "sysfs"),
            ("/dev", "tmpfs"),
            ("/dev/pts", "devpts"),
            ("/dev/shm", "tmpfs"),
            ("/dev/mqueue", "mqueue"),
            ("/tmp", "tmpfs"),
        ] {
            let number = seen.iter().filter(|it| it.0 == place && it.1 == kind).count();
            assert_eq!(number, 1, "{place} {seen:#?}");
        }
        let guest =
            r#"sandbox(rootfs().binaries(["sh", "cat"])).proc(#{ subset: "pid" }).devpts()"#;
        let seen = mounts(bench, guest);
        assert!(seen.iter().any(|it| (it.0.as_str(), it.1.as_str()) == ("/dev/pts", "devpts")));
    });
}

#[test]
fn message_queues_and_control_groups_are_those_of_the_sandbox() {
    as_each_user(|bench| {
        let ended =
            bench.sh(&format!("{SYSTEM}.mqueue()"), "ls -A /dev/mqueue; echo > /dev/mqueue/x");
        assert_eq!(ended.stdout, "");
        let said = bench.sh(&format!("{SYSTEM}.share(IPC).mqueue()"), "true").failed(125);
        assert!(said.contains("cannot mount mqueue if IPC is shared"), "{said}");
        let said = bench.sh(&format!("{SYSTEM}.share(CGROUP).cgroupfs()"), "true").failed(125);
        assert!(said.contains("cannot mount cgroup2 if CGROUP is shared"), "{said}");
        let known = fs::read_to_string("/proc/filesystems").unwrap();
        if known.contains("cgroup2") {
            let script = "cat /sys/fs/cgroup/cgroup.controllers > /tmp/x && mkdir /sys/fs/cgroup/x";
            let said = bench.sh(&format!("{SYSTEM}.cgroupfs()"), script).failed(1);
            assert!(said.contains("Read-only file system"), "{said}");
        }
    });
}

#[test]
fn a_program_is_the_caller_in_the_tree_of_the_host() {
    as_each_user(|bench| {
        let (uid, gid) = (bench.user.uid, bench.user.gid);
        let caller = format!("{uid}:{gid}\n");
        let script = "echo $(id -u):$(id -g)";
        let ids = |guest: &str| bench.seen(guest, script);
        assert_eq!(ids(SYSTEM), caller);
        assert_eq!(ids(r#"sandbox("/").user("caller")"#), caller);
        assert_eq!(ids(r#"sandbox("/").writable_root()"#), caller);
        assert_eq!(ids(r#"sandbox("/").user(0)"#), "0:0\n");
        assert_eq!(ids(r#"sandbox("/").user(7).group("caller")"#), format!("7:{gid}\n"));
        assert_eq!(ids(r#"sandbox("/").group(8)"#), format!("{uid}:8\n"));
        // In other roots it is user 0, and so it is if the recipe makes the caller somebody else.
        assert_eq!(ids(TREE), "0:0\n");
        assert_eq!(ids(&format!(r#"{TREE}.user("caller")"#)), caller);
        let mapped = format!(r#"sandbox("/").map_user(0, {uid}).map_group(0, {gid})"#);
        assert_eq!(ids(&mapped), "0:0\n");
        let kept = format!(r#"sandbox("/").map_user({uid}, {uid}).map_group({gid}, {gid})"#);
        assert_eq!(ids(&kept), caller);
        // The caller owns what it makes, outside as well.
        bench.directory("shared");
        bench.seen(r#"sandbox("/").bind("shared", "/home/shared")"#, "echo > /home/shared/file");
        let made = fs::metadata(bench.path("shared/file")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&made), uid);
    });
}

#[test]
fn the_tree_of_the_host_is_writable_on_request() {
    as_each_user(|bench| {
        bench.file("file", "old\n");
        let place = bench.text("file");
        let ended = bench.sh(r#"sandbox("/").writable_root()"#, &format!("echo new > {place}"));
        let said = &ended.stderr;
        assert!(said.contains("warning: programs can change the host's files"), "{said}");
        assert!(ended.status.success(), "{said}");
        assert_eq!(bench.content("file"), "new\n");
        // It is the host's tree as it is: nothing is mounted on it.
        let number = mounts(bench, r#"sandbox("/").writable_root()"#).len();
        let own = fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count();
        assert!(number <= own + 1, "{number} mounts, and {own} on the host");
        let said = bench.sh(r#"sandbox("/").writable_root().tmpfs("/none")"#, "true").failed(125);
        assert!(said.contains("would be created on the host"), "{said}");
        let said = bench.sh(&format!("{TREE}.writable_root()"), "true").failed(125);
        assert!(said.contains("`writable_root` is only for the host's tree"), "{said}");
        let kept = r#"sandbox("/").writable_root().keep_changes("kept")"#;
        let said = bench.sh(kept, "true").failed(125);
        assert!(said.contains("are made on the host"), "{said}");
    });
}

/// Runs nsscript, bwrap(1) and unshare(1) inside.
fn nested(bench: &Bench, guest: &str) {
    let binary = bench.binary();
    let own = binary.to_str().unwrap();
    let guest = format!(r#"{guest}.bind("{own}", "/tmp/nsscript")"#);
    let script = r#"/tmp/nsscript -e 'sandbox("/").run(["sh", "-c", "id -u; ls -A /tmp /home"])'"#;
    let outer = bench.seen(&guest, "id -u");
    assert_eq!(bench.seen(&guest, script), format!("{outer}/home:\n\n/tmp:\n"));
    if have(&["unshare"]) {
        assert_eq!(bench.seen(&guest, "unshare -Ur id -u"), "0\n");
    }
    if have(&["bwrap"]) {
        let script = "bwrap --ro-bind / / --dev /dev --proc /proc id -u";
        assert_eq!(bench.seen(&guest, script), outer);
    }
}

#[test]
fn a_sandbox_can_be_made_inside_a_sandbox() {
    as_each_user(|bench| {
        if bench.user.is_root() {
            // The kernel maps user 0 into another namespace only for a process with CAP_SETFCAP.
            nested(bench, r#"sandbox("/").user(1000)"#);
            let guest =
                format!(r#"{SYSTEM}.bind("{}", "/tmp/nsscript")"#, bench.binary().display());
            let said =
                bench.sh(&guest, "/tmp/nsscript -e 'sandbox(\"/\").run(\"true\")'").failed(125);
            assert!(said.contains("CAP_SETFCAP") && said.contains("`.user(1000)`"), "{said}");
        } else {
            nested(bench, SYSTEM);
        }
    });
}

#[test]
fn names_are_looked_up_in_the_network_of_the_host() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        // As with systemd-resolved: a link to a place that is emptied.
        let setup = "mount -t tmpfs none /run && mkdir /run/resolve && echo secret > /run/secret
            echo nameserver 192.0.2.1 > /run/resolve/conf
            mount -t tmpfs none /etc && ln -s ../run/resolve/conf /etc/resolv.conf";
        let script = "cat /etc/resolv.conf; ls -A /run";
        for guest in [r#"sandbox("/").network("host")"#, r#"sandbox("/").share(NET)"#] {
            let ended = bench.script(guest, script).in_world(setup).end();
            assert_eq!(ended.succeeded(), "nameserver 192.0.2.1\nresolve\n", "{guest}");
        }
        let ended = bench.script(SYSTEM, "ls -A /run").in_world(setup).end();
        assert_eq!(ended.succeeded(), "");
    });
}

#[test]
fn sysfs_shows_the_network_of_the_sandbox() {
    as_each_user(|bench| {
        assert_eq!(bench.seen(SYSTEM, "ls /sys/class/net"), "lo\n");
        let said = bench.sh(SYSTEM, "mkdir /sys/fs/cgroup/x").failed(1);
        assert!(!said.is_empty());
    });
}
