//! System calls that fail, as strace(1) has them fail: what could not be looked at is an error with its
//! errno, and never "not there"; what cannot be unlocked is let go of.

use std::collections::BTreeMap;
use std::process::Command;

use super::nsscript::{PROGRAM, Ran, Scratch, in_own_places, missing, nsscript_as_user};

/// The system calls by which files are looked at.
const CALLS: [&str; 6] = ["openat", "statx", "readlink", "pread64", "getdents64", "read"];

/// How often each call is made to fail at the most: the failures are as far apart as that needs.
const FAILURES: usize = 25;

/// nsscript with this recipe, under strace(1) with these words.
fn traced(code: &str, words: &[String]) -> Ran {
    let mut command = Command::new("strace");
    let trace = format!("--trace={},flock", CALLS.join(","));
    command.args(["-qq", &trace]).args(words).args([PROGRAM, "-e", code]).env("NO_COLOR", "1");
    // So many directories are looked at.
    command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    in_own_places(&mut command);
    Ran::of(&mut command)
}

/// Whether there is strace; says so where not.
fn have_strace() -> bool {
    let is_there = Command::new("strace").arg("--version").output().is_ok();
    if !is_there {
        missing("the program strace");
    }
    is_there
}

#[test]
fn a_look_up_that_fails_is_an_error_with_its_errno() {
    if !have_strace() {
        return;
    }
    let log = format!("{}/lookups-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    for code in [
        "print(rootfs().binary(\"sh\").digest());",
        "print(rootfs().library(\"libc.so.6\").digest());",
        "print(dependencies(\"sh\").libraries());",
        "print(which(\"sh\"));",
    ] {
        let wanted = traced(code, &["-o".into(), log.clone()]).printed();
        let told = std::fs::read_to_string(&log).unwrap();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for call in told.lines().filter_map(|line| line.split('(').next()) {
            *counts.entry(call).or_default() += 1;
        }
        let mut failed = 0;
        for call in CALLS {
            let count = counts.get(call).copied().unwrap_or_default();
            for number in (1..=count).step_by(count / FAILURES + 1) {
                let errno = ["EIO", "EMFILE"][number % 2];
                let fails = format!("--inject={call}:error={errno}:when={number}");
                let ran = traced(code, &["-o".into(), log.clone(), fails.clone()]);
                let is_error = ran.status == Some(125) && ran.stderr.contains(errno);
                // What has nothing to do with the answer may fail, and the answer is the same.
                let is_same = ran.status == Some(0) && ran.stdout == wanted;
                let blames = ["no program", "nowhere", "install ", "no such"];
                let is_wrong = blames.iter().any(|blame| ran.stderr.contains(blame));
                assert!((is_error || is_same) && !is_wrong, "{code} {fails}: {ran:?}");
                failed += usize::from(is_error);
            }
        }
        assert!(failed > 3, "{code}: only {failed} failures were noticed of {counts:?}");
    }
    let _ = std::fs::remove_file(&log);
}

#[test]
fn what_cannot_be_locked_or_unlocked_is_no_panic() {
    if !have_strace() {
        return;
    }
    // A layer that is in no store yet.
    let code = "let root = rootfs().binary(\"true\").file(\"/now\", `${clock(\"realtime\")}`); \
                sandbox(root).run(\"true\");";
    let log = format!("{}/locks-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    traced(code, &["-o".into(), log.clone()]);
    let count = std::fs::read_to_string(&log).unwrap().matches("flock(").count();
    let told = std::fs::read_to_string(&log).unwrap();
    let _ = std::fs::remove_file(&log);
    assert!(count > 3 && told.contains("LOCK_UN"), "{told}");
    for number in 1..=count {
        let fails = format!("--inject=flock:error=ENOLCK:when={number}");
        let ran = traced(code, &["-o".into(), "/dev/null".into(), fails]);
        let is_error = ran.status == Some(125) && ran.stderr.contains("(ENOLCK)");
        assert!(ran.status == Some(0) || is_error, "{number} of {count}: {ran:?}");
        assert!(!ran.stderr.contains("panicked"), "{number} of {count}: {ran:?}");
    }
}

#[test]
fn no_interruption_leaves_half_a_session() {
    if !have_strace() {
        return;
    }
    let scratch = Scratch::new();
    let log = scratch.file("calls", "");
    // Who writes it may be nobody.
    std::fs::set_permissions(&log, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let log_name = log.display().to_string();
    // Where a user has subordinate ids a program writes the map, and else nsscript itself.
    for call in ["unshare", "clone3", "clone", "setns", "mount"] {
        let fails = format!("--inject={call}:signal=INT:when=1");
        let trace = format!("--trace=unshare,openat,{call}");
        let words = ["strace", "-qq", "-o", &log_name, &trace, &fails];
        let mut command = nsscript_as_user(&scratch, &words);
        let ran = Ran::of(command.args(["-e", "getuid(); print(getuid());"]));
        let calls = std::fs::read_to_string(&log).unwrap();
        let is_interrupted = calls.contains("SIGINT");
        let told = (ran.status, ran.stdout.as_str(), ran.stderr.as_str());
        let wanted = if is_interrupted { (Some(130), "", "") } else { (Some(0), "0\n", "") };
        assert_eq!(told, wanted, "{call}");
        // Who leaves the user namespace goes the whole way.
        let own = calls.contains("unshare(CLONE_NEWNS|CLONE_NEWUSER)");
        assert!(!own || calls.contains("/gid_map\", O_WRONLY"), "{call}:\n{calls}");
    }
}
