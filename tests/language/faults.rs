//! System calls that fail, as strace(1) has them fail: what could not be looked at is an error with its
//! errno, and never "not there"; what cannot be unlocked is let go of.

use std::collections::BTreeMap;
use std::process::Command;

use super::nsscript::{PROGRAM, Ran, in_own_places, missing};

/// The system calls by which files are looked at.
const CALLS: [&str; 6] = ["openat", "statx", "readlink", "pread64", "getdents64", "read"];

/// How often each call is made to fail at the most: the failures are as far apart as that needs.
const FAILURES: usize = 25;

/// nsscript with this recipe, under strace(1) with these words.
fn traced(code: &str, words: &[String]) -> Ran {
    let mut command = Command::new("strace");
    let trace = format!("--trace={},flock", CALLS.join(","));
    command.args(["-qq", &trace]).args(words).args([PROGRAM, "-e", code]).env("NO_COLOR", "1");
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
        "print(needs(\"sh\").libraries());",
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
