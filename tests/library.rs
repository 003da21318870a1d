//! The library as another crate uses it: in a program with threads, children and descriptors of its own.
//!
//! The test harness is such a program. What needs a process of its own is run by this binary once more,
//! with `INNER` in its environment.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "tests say what they could not test")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command as Host;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nsscript::{
    BinaryOptions, BindOptions, Command, Error, FileOptions, Namespace, OverlayOptions, Rootfs,
    Sandbox, TarOptions, UNLIMITED,
};

#[path = "library/api.rs"]
mod api;

/// Runs a test of this file in a process of its own, whose threads share one lock of the allocator, and
/// gives what that printed.
fn alone(test: &str, program: impl FnOnce(&str) -> Host) -> String {
    let own = std::env::current_exe().unwrap();
    let command = format!("{} --exact {test} --nocapture --include-ignored", own.display());
    let output =
        program(&command).envs([("INNER", "1"), ("MALLOC_ARENA_MAX", "1")]).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}\n{said}");
    shown
}

fn is_inner() -> bool {
    std::env::var_os("INNER").is_some()
}

fn text(output: &nsscript::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Threads that allocate all the time, so that a copy of the process finds locks held.
fn noise<T>(work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut kept: Vec<Vec<u8>> = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    kept.push(vec![1; 1 + kept.len() * 37 % 5000]);
                    if kept.len() > 100 {
                        kept.clear();
                    }
                }
            });
        }
        let given = work();
        over.store(true, Ordering::Relaxed);
        given
    })
}

#[test]
fn values_can_be_sent_between_threads() {
    fn can<T: Send + Sync + Clone>() {}
    can::<Sandbox>();
    can::<Rootfs>();
    can::<Command>();
    can::<Error>();
}

#[test]
fn threads_start_sandboxes_at_the_same_time() {
    let base = Sandbox::host_view().tmpfs("/tmp");
    noise(|| {
        thread::scope(|scope| {
            for number in 0..6 {
                let base = &base;
                scope.spawn(move || {
                    for turn in 0..8 {
                        let name = format!("box-{number}-{turn}");
                        let sandbox = base.clone().hostname(&name).file("/tmp/name", &name);
                        let script = "cat /tmp/name; echo; hostname; exit 7";
                        let output = sandbox.command("sh").args(["-c", script]).output().unwrap();
                        assert_eq!(text(&output), format!("{name}\n{name}\n"));
                        assert_eq!(output.status.code(), 7);
                    }
                });
            }
        });
    });
}

#[test]
fn files_of_a_bind_keep_the_numbers_of_their_owners() {
    let directory = std::env::temp_dir().join(format!("nsscript-idmap-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let own = fs::metadata(&directory).unwrap().uid();
    // Ids that are the same need no mapping, which only root may do.
    let sandbox = Sandbox::host_view().user(own).group(fs::metadata(&directory).unwrap().gid());
    let bound = sandbox.bind_with(&directory, "/mnt", BindOptions::new().idmap(true));
    let output = bound.command("stat").args(["-c", "%u", "/mnt"]).output().unwrap();
    fs::remove_dir(&directory).unwrap();
    assert_eq!(text(&output), format!("{own}\n"));
}

#[test]
fn children_of_the_program_are_left_to_it() {
    let mut own: Vec<_> =
        (0..20).map(|code| Host::new("sh").args(["-c", &format!("exit {code}")]).spawn()).collect();
    // Longer than a wait takes before it looks at other children.
    let sandbox = Sandbox::host_view();
    assert!(sandbox.command("sleep").arg("0.5").status().unwrap().success());
    for (code, child) in own.iter_mut().enumerate() {
        let status = child.as_mut().unwrap().wait().unwrap();
        assert_eq!(status.code(), i32::try_from(code).ok());
    }
}

#[test]
fn the_process_is_as_it_was_before() {
    if !is_inner() {
        alone("the_process_is_as_it_was_before", |command| {
            let mut shell = Host::new("sh");
            shell.args(["-c", command]);
            shell
        });
        return;
    }
    let state = || {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        let is_kept = |line: &&str| {
            let kept = ["Sig", "Cap", "Uid", "Gid", "Groups", "NoNewPrivs", "Threads", "Umask"];
            kept.iter().any(|name| line.starts_with(name)) && !line.starts_with("SigQ")
        };
        let mut lines: Vec<String> = status.lines().filter(is_kept).map(str::to_owned).collect();
        for file in ["cgroup", "mnt", "net", "pid", "user", "uts"] {
            let link = fs::read_link(format!("/proc/thread-self/ns/{file}")).unwrap();
            lines.push(link.display().to_string());
        }
        lines.push(std::env::current_dir().unwrap().display().to_string());
        lines
    };
    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    let run = || {
        let sandbox = Sandbox::host_view().hostname("box").tmpfs("/tmp");
        assert!(sandbox.command("true").status().unwrap().success());
        sandbox.command("echo").output().unwrap();
        let mut child = sandbox.command("cat").spawn_piped().unwrap();
        child.write("x\n").unwrap();
        assert_eq!(child.read_line().unwrap().as_deref(), Some("x"));
        assert!(child.run(["true"]).unwrap().success());
        drop(child);
        sandbox.command("missing-program").status().unwrap_err();
        Rootfs::new().binary("true").digest().unwrap();
    };
    // What is opened once and kept, such as the init that is carried.
    run();
    let before = (state(), descriptors());
    run();
    assert_eq!((state(), descriptors()), before);
}

#[test]
fn what_is_shown_on_a_terminal_is_copied_also_beside_threads() {
    if is_inner() {
        noise(|| {
            for turn in 0..15 {
                let sandbox = Sandbox::host_view();
                let script = format!("test -t 1 && echo turn-{turn}");
                assert!(sandbox.command("sh").args(["-c", &script]).status().unwrap().success());
            }
        });
        return;
    }
    let test = "what_is_shown_on_a_terminal_is_copied_also_beside_threads";
    let shown = alone(test, |command| {
        // A copy that waits for a lock would wait for ever.
        let mut script = Host::new("timeout");
        script.args(["60", "script", "-qec", command, "/dev/null"]);
        script
    });
    for turn in 0..15 {
        assert!(shown.contains(&format!("turn-{turn}")), "{shown}");
    }
}

#[test]
fn everything_that_is_invalid_is_told_with_its_line() {
    let line = line!() + 1;
    let sandbox = Sandbox::new().hostname("").tmpfs("relative").limit("nofiles", 3);
    let error = sandbox.command("true").status().unwrap_err();
    assert_eq!(error.to_string().lines().count(), 3, "{error}");
    assert!(error.location().unwrap().starts_with(&format!("tests/library.rs:{line}:")));
    assert!(error.hints().contains(&"did you mean `nofile`?"), "{error:#}");
    let whole = format!("{error:#}");
    assert!(whole.contains(&format!("──▶ tests/library.rs:{line}:")), "{whole}");
    assert!(whole.contains("\nhint: "), "{whole}");
}

#[test]
fn a_call_that_fails_is_an_error_with_its_number() {
    let missing = Sandbox::new().bind("/nowhere", "/x").command("true").status().unwrap_err();
    assert!(missing.to_string().contains("`/nowhere`"), "{missing}");
    let error = Sandbox::new().command("/bin/true").status().unwrap_err();
    assert_eq!((error.errno(), error.operation()), (Some(2), Some("execute")), "{error:#}");
    let source: Box<dyn std::error::Error + Send + Sync> = error.into();
    assert!(source.downcast::<Error>().is_ok());
}

#[test]
fn each_setting_is_seen_inside() {
    let directory = std::env::temp_dir().join(format!("nsscript-library-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("f"), "of the host").unwrap();
    let sandbox = Sandbox::host_view()
        .hostname("box")
        .domainname("domain")
        .user(0)
        .proc("/proc")
        .dev("/dev")
        .tmpfs("/tmp")
        .bind_with(&directory, "/tmp/bound", BindOptions::new().read_only(true))
        .file_with("/tmp/file", "content", FileOptions::new().mode(0o600))
        .symlink("/tmp/file", "/tmp/link")
        .directory("/tmp/a/b")
        .mask("/etc/hostname")
        .overlay_with("/mnt", [&directory], OverlayOptions::new().read_only(true))
        .propagation("/mnt", "shared")
        .env("NAME", "value")
        .workdir("/tmp/a")
        .umask(0o077)
        .personality(["ADDR_NO_RANDOMIZE"])
        .groups([])
        .name("library")
        .limit("nofile", (32, 64))
        .limit("core", UNLIMITED)
        .share([Namespace::Uts])
        .unshare([Namespace::Uts]);
    let script = "hostname; domainname; cat /tmp/link; echo; cat /tmp/bound/f /mnt/f; echo; pwd; umask; \
                  cat /proc/self/personality; ulimit -Sn; ulimit -Hn; echo $NAME; cat /etc/hostname 2> /dev/null || echo masked; ls -d /tmp/a/b; \
                  stat -c %a /tmp/file; touch /tmp/bound/x 2> /dev/null || echo read-only; id -u";
    let output = sandbox.command("sh").args(["-c", script]).output().unwrap();
    let wanted = "box\ndomain\ncontent\nof the hostof the host\n/tmp/a\n0077\n00040000\n32\n64\nvalue\nmasked\n/tmp/a/b\n\
                  600\nread-only\n0\n";
    assert_eq!(text(&output), wanted, "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_program_outlives_its_child_and_is_waited_for() {
    let spawn = |words: [&str; 2]| {
        let mut command = Sandbox::host_view().outlive_parent().command(words[0]);
        command.arg(words[1]).stdout("/dev/null").stderr("/dev/null").spawn().unwrap()
    };
    let child = spawn(["sleep", "600"]);
    let status = format!("/proc/{}/status", child.id());
    drop(child);
    let runs = || fs::read_to_string(&status).is_ok_and(|text| !text.contains("State:\tZ"));
    assert!(runs());
    let text = fs::read_to_string(&status).unwrap();
    let keeper = text.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim();
    // Of this process, which has open files and a pipe as output, it has nothing.
    for number in 0..3 {
        let link = fs::read_link(format!("/proc/{keeper}/fd/{number}")).unwrap();
        assert_eq!(link.to_str(), Some("/dev/null"));
    }
    // It has the handlers of no other program: a signal ends it, and the sandbox with it.
    let killed = std::process::Command::new("kill").arg(keeper).status().unwrap();
    assert!(killed.success());
    let end = std::time::Instant::now() + Duration::from_secs(30);
    while runs() {
        assert!(std::time::Instant::now() < end, "it has not ended");
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut child = spawn(["sh", "-c"]);
    assert!(!child.wait().unwrap().success());
    let mut child = spawn(["sleep", "600"]);
    assert_eq!(child.run(["true"]).unwrap().code(), 0);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    let mut piped = Sandbox::host_view().outlive_parent().command("cat");
    let error = piped.arg("-").spawn_piped().unwrap_err();
    assert!(error.to_string().contains("has no pipes to it"), "{error}");
}

#[test]
fn a_root_is_built_packed_and_run() {
    let base = std::env::temp_dir().join(format!("nsscript-rootfs-{}", std::process::id()));
    fs::create_dir_all(&base).unwrap();
    let root = Rootfs::new()
        .binary_with("sh", BinaryOptions::new().directory("/bin").applets(["shell"]))
        .binary("cat")
        .users(["root", "alice"])
        .file("/etc/motd", "welcome");
    let digest = root.digest().unwrap();
    root.build(base.join("built")).unwrap();
    assert_eq!(fs::read_to_string(base.join("built/etc/motd")).unwrap(), "welcome");
    let archive = base.join("root.tar.zst");
    let sha256 = root.pack(&archive).unwrap();
    root.pack(base.join("root.zip")).unwrap_err();
    // Archives have other owners: a user unpacks them by a helper process.
    let unpacked = noise(|| {
        let unpacked = Rootfs::new().tar_with(&archive, TarOptions::new().sha256(&sha256));
        let above = Rootfs::new().file("/etc/issue", "above").overlay_on(unpacked.clone());
        let sandbox = Sandbox::rootfs(above).user("alice");
        let script = "cat /etc/motd /etc/issue";
        let output = sandbox.command("/bin/shell").args(["-c", script]).output().unwrap();
        assert_eq!(text(&output), "welcomeabove");
        unpacked
    });
    assert_eq!(unpacked.digest().unwrap(), digest);
    fs::remove_dir_all(base).unwrap();
}

#[test]
fn a_child_ends_with_its_value() {
    let mut child = Sandbox::host_view().command("sleep").arg("1000").spawn().unwrap();
    assert!(child.try_wait().unwrap().is_none());
    child.signal(15).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    assert_eq!(child.try_wait().unwrap().unwrap().code(), 143);
    let child = Sandbox::host_view().command("sleep").arg("1000").spawn().unwrap();
    let place = format!("/proc/{}", child.id());
    assert!(Path::new(&place).exists());
    drop(child);
    assert!(!Path::new(&place).exists());
    let error = Sandbox::host_view().command("cat").input("x").spawn().unwrap_err();
    assert!(error.hints()[0].contains("spawn_piped"));
}

#[test]
fn a_program_that_writes_much_is_seen_to_end() {
    let script = "i=0; while [ $i -lt 3000 ]; do echo a line of output of about fifty bytes $i; \
                  i=$((i + 1)); done; exit 4";
    let mut child = Sandbox::host_view().command("sh").args(["-c", script]).spawn_piped().unwrap();
    let status = child.wait_timeout(Duration::from_mins(1)).unwrap();
    assert_eq!(status.map(nsscript::ExitStatus::code), Some(4));
    assert_eq!(
        child.read_line().unwrap().as_deref(),
        Some("a line of output of about fifty bytes 0")
    );
    let mut child = Sandbox::host_view().command("sleep").arg("1000").spawn().unwrap();
    assert_eq!(child.wait_timeout(Duration::from_millis(50)).unwrap(), None);
}

#[test]
fn every_error_has_the_line_of_its_caller() {
    let here = |error: Error| {
        let place = error.location().unwrap_or_default();
        assert!(place.starts_with("tests/library.rs:"), "{place}: {error}");
    };
    let view = Sandbox::host_view;
    let mut child = view().command("sleep").arg("1000").spawn().unwrap();
    here(child.signal(999).unwrap_err());
    here(child.write("x").unwrap_err());
    here(child.read_line().unwrap_err());
    here(child.run([""]).unwrap_err());
    here(view().command("").status().unwrap_err());
    here(view().command("missing-program").output().unwrap_err());
    here(view().command("yes").output_limit(1000).output().unwrap_err());
    here(view().umask(0o1000).command("true").plan().unwrap_err());
    here(
        view()
            .file_with("/tmp/x", "", FileOptions::new().mode(0o10000))
            .command("true")
            .plan()
            .unwrap_err(),
    );
    here(Rootfs::new().binary("missing-program").digest().unwrap_err());
    here(Rootfs::new().tar_with("x.tar", TarOptions::new().sha256("no")).digest().unwrap_err());
    here(Rootfs::new().binary("true").build("/").unwrap_err());
    here(Rootfs::new().binary("true").pack("/nowhere/x.tar").unwrap_err());
}

#[test]
#[allow(unsafe_code, reason = "fork(2)")]
fn a_forked_process_starts_sandboxes_of_its_own() {
    if !is_inner() {
        alone("a_forked_process_starts_sandboxes_of_its_own", |command| {
            let mut shell = Host::new("timeout");
            shell.args(["60", "sh", "-c", command]);
            shell
        });
        return;
    }
    let sandbox = Sandbox::host_view();
    assert!(sandbox.command("true").status().unwrap().success());
    let workers: Vec<_> = (0..4)
        .map(|number| {
            // SAFETY: the child only starts sandboxes, and ends at once.
            let pid = unsafe { nix::unistd::fork() }.unwrap();
            if let nix::unistd::ForkResult::Parent { child } = pid {
                return child;
            }
            let run = |turn: i32| {
                if number == 0 {
                    return sandbox.command("missing-program").status().is_err();
                }
                let script = format!("exit {}", number + turn);
                let status = sandbox.command("sh").args(["-c", &script]).status();
                status.is_ok_and(|status| status.code() == number + turn)
            };
            std::process::exit(i32::from(!(0..15).all(run)));
        })
        .collect();
    for pid in workers {
        let ended = nix::sys::wait::waitpid(pid, None).unwrap();
        assert_eq!(ended, nix::sys::wait::WaitStatus::Exited(pid, 0));
    }
}

#[test]
fn the_end_that_a_script_asks_for_is_told() {
    let package = nsscript::SandboxPackage::new();
    let mut engine = nsscript::rhai::Engine::new();
    package.register_into_engine(&mut engine);
    let error = package.error(*engine.run("exit(3)").unwrap_err());
    assert_eq!(
        (error.exit_status(), error.to_string().as_str()),
        (Some(3), "the script exited with status 3")
    );
    let error = package.error(*engine.run("skip_unless(false, \"a reason\")").unwrap_err());
    assert!(error.to_string().contains("a reason"), "{error}");
    engine.on_progress(|_| Some(nsscript::rhai::Dynamic::UNIT));
    let error = package.error(*engine.run("loop {}").unwrap_err());
    assert_eq!(error.to_string(), "the program that runs the script has ended it");
}

#[test]
fn raw_calls_are_refused_beside_threads() {
    let package = nsscript::SandboxPackage::new();
    let mut engine = nsscript::rhai::Engine::new();
    package.register_into_engine(&mut engine);
    let before = fs::read_link("/proc/thread-self/ns/mnt").unwrap();
    for script in [
        "unshare(UTS)",
        "mount(\"t\", \"/mnt\", #{ type: \"tmpfs\" })",
        "clone(NET, || 1)",
        "sandbox().host_view().within(|| 1)",
    ] {
        let error = package.error(*engine.run(script).unwrap_err());
        assert!(error.to_string().contains("several threads"), "{script}: {error}");
    }
    assert_eq!(fs::read_link("/proc/thread-self/ns/mnt").unwrap(), before);
    let code: i64 = engine.eval("sandbox().host_view().output(\"true\").code").unwrap();
    assert_eq!(code, 0);
    let known: bool = engine.eval("(USER | PID) != NET && host.kernel != ()").unwrap();
    assert!(known);
}

#[test]
fn programs_write_to_files_of_the_host() {
    let directory =
        std::env::temp_dir().join(format!("nsscript-library-output-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    let [out, errors] = ["out", "errors"].map(|name| directory.join(name));
    let mut command = Sandbox::host_view().command("sh");
    command.args(["-c", "cat; echo wrong >&2"]).stdout(&out).stderr(&errors);
    assert!(command.input("one\n").status().unwrap().success());
    assert!(command.append(true).status().unwrap().success());
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    assert_eq!((read(&out), read(&errors)), ("one\none\n".into(), "wrong\nwrong\n".into()));
    let mut piped = Sandbox::host_view().command("sh");
    piped.args(["-c", "cat; echo more >&2"]).stderr(&errors);
    let mut child = piped.spawn_piped().unwrap();
    child.write(b"line\n").unwrap();
    assert_eq!(child.read_line().unwrap().as_deref(), Some("line"));
    assert!(child.wait().unwrap().success());
    assert_eq!(read(&errors), "more\n");
    let error = piped.stdout(&out).spawn_piped().unwrap_err();
    assert!(error.hints()[0].contains("`spawn` writes to the file"), "{error}");
    let error = piped.stdout(directory.join("none/out")).status().unwrap_err();
    assert!(error.to_string().contains("cannot write the output to"), "{error}");
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn verbs_have_methods_of_their_names() {
    let methods: BTreeSet<&str> = api::LISTED
        .lines()
        .filter_map(|line| line.strip_prefix("pub fn "))
        .map(|line| line.split(['(', '<']).next().unwrap_or_default())
        .collect();
    // What a program asks in other ways, with the reason.
    let others = [
        ("Sandbox.root", "Sandbox::{new, directory_root, rootfs}"),
        ("Sandbox.container", "a text in the language: stdlib/container.rhai"),
        ("Sandbox.map_users", "Sandbox::map_users_all"),
        ("Sandbox.map_groups", "Sandbox::map_groups_all"),
        ("Sandbox.network", "network_host and network_outbound; networks by name are the recipe's"),
        ("Sandbox.run", "Command::status"),
        ("Sandbox.sh", "the same, of the program `sh`"),
        ("Sandbox.output", "Command::output"),
        ("Sandbox.plan", "Command::plan"),
        ("Sandbox.start", "Command::spawn"),
        ("Sandbox.shell", "a shell is a program"),
        ("Sandbox.within", "closures run in a copy of the process"),
        ("Sandbox.changes", "kept changes are looked at by nsscript"),
        ("Sandbox.commit", "the same"),
        ("Rootfs.tree", "build makes it"),
        ("Rootfs.size", "build makes it"),
        ("Rootfs.manifest", "its digest is there"),
        ("Rootfs.verify", "the digest is compared by the program"),
        ("Rootfs.diff", "for people"),
        ("Rootfs.needs", "for people"),
        ("Rootfs.disk_image", "mkfs makes one of a directory"),
    ];
    let verbs = nsscript::internal::script::catalog::all();
    let of_library = verbs.filter(|verb| matches!(verb.receiver(), "Sandbox" | "Rootfs"));
    let wrong = of_library.filter_map(|verb| {
        let name = format!("{}.{}", verb.receiver(), verb.name);
        let is_other = others.iter().any(|(other, _)| *other == name);
        let has_method = methods.contains(format!("{}::{}", verb.receiver(), verb.name).as_str());
        (is_other == has_method).then_some(name)
    });
    // Each has a method or a reason, and none has both.
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn the_wait_for_a_program_ends_with_it() {
    // Another one that was started and not waited for does not hold it up.
    let sandbox = Sandbox::host_view();
    let mut first = sandbox.command("sleep").arg("0.3").spawn().unwrap();
    let mut second = sandbox.command("sleep").arg("0.1").spawn().unwrap();
    thread::sleep(Duration::from_millis(250));
    assert!(first.wait().unwrap().success());
    assert!(second.wait().unwrap().success());
}
