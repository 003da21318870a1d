//! Roots as tar archives.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::nsscript::{Ran, Scratch, nsscript, nsscript_as_user};

/// A root with an entry of every kind.
const ROOT: &str = r#"rootfs().binary("sh").users(["root"]).device("/dev/null")
    .file("/home/al/note", "x\n", #{ uid: 1000, gid: 100, mode: 0o640 })
    .directory("/tmp", #{ mode: 0o1777 }).symlink("note", "/home/al/link")"#;

/// The lines of a program of the host that reads archives.
fn tar(arguments: &[&str]) -> Vec<String> {
    let output = Command::new("tar").args(arguments).output().expect("GNU tar is installed");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_same_root_is_the_same_archive_whoever_packs_it() {
    let scratch = Scratch::new();
    let code = |name: &str| format!("print({ROOT}.pack(\"{name}.tar\"));");
    let mut first = nsscript(&["-e", &code("first")]);
    let first = Ran::of(first.current_dir(scratch.path())).printed();
    std::thread::sleep(std::time::Duration::from_millis(20));
    let user = Scratch::new();
    let open = user.directory("open");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let mut second = nsscript_as_user(&user, &[]);
    let second = Ran::of(second.args(["-e", &code("second")]).current_dir(&open)).printed();
    assert_eq!(first, second);
    let bytes = std::fs::read(scratch.path().join("first.tar")).unwrap();
    assert!(bytes == std::fs::read(open.join("second.tar")).unwrap());
    let archive = scratch.path().join("first.tar");
    let sum = Command::new("sha256sum").arg(&archive).output().unwrap();
    assert!(String::from_utf8_lossy(&sum.stdout).starts_with(first.trim()), "{sum:?}");
}

#[test]
fn gnu_tar_reads_every_kind_of_entry() {
    let scratch = Scratch::new();
    let code = format!("{ROOT}.pack(\"root.tar\");");
    assert_eq!(Ran::of(nsscript(&["-e", &code]).current_dir(scratch.path())).printed(), "");
    let archive = scratch.path().join("root.tar");
    let lines = tar(&["--numeric-owner", "-tvf", archive.to_str().unwrap()]);
    let has = |words: &[&str]| {
        let found = lines.iter().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "{words:?} in {lines:#?}");
    };
    has(&["crw-rw-rw-", "1,3", "dev/null"]);
    has(&["-rw-r-----", "1000/100", " 2 ", "1970-01-01", "home/al/note"]);
    has(&["drwxrwxrwt", "0/0", "tmp"]);
    has(&["lrwxrwxrwx", "home/al/link -> note"]);
    has(&["-rw-------", "0/0", "etc/shadow"]);
}

#[test]
fn what_is_there_is_kept_and_other_forms_are_refused() {
    let scratch = Scratch::new();
    scratch.file("there.tar", "mine");
    let said = |name: &str| {
        let code = format!("rootfs().pack(\"{name}\");");
        Ran::of(nsscript(&["-e", &code]).current_dir(scratch.path())).said(125)
    };
    assert!(said("there.tar").contains("file exists (EEXIST)"));
    assert_eq!(std::fs::read(scratch.path().join("there.tar")).unwrap(), b"mine");
    assert!(said("root.zip").contains("unknown archive type"));
    assert!(said("none/root.tar").contains("no such file or directory (ENOENT)"));
}
