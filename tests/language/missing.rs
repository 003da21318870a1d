//! Programs that are missing in a root: `check` and `plan` say what a run says, and nothing about
//! programs that may be there.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::nsscript::{Ran, Scratch, nsscript};

/// Recipes, and how the message of their error begins. `$TMP` is a directory with the scripts
/// `script`, `lost` and `dos`, and with the archive `root.tar`.
const MISSING: &[(&str, &str)] = &[
    // Names that are looked up in `PATH`.
    (r#"sandbox(rootfs().binary("sh")).run("ls /");"#, "program `ls` not found in the sandbox"),
    (r#"sandbox(rootfs().binary("sh")).output("ls /");"#, "program `ls` not found in the sandbox"),
    (
        r#"sandbox(rootfs().binary("sh")).start("ls /").wait();"#,
        "program `ls` not found in the sandbox",
    ),
    (r#"sandbox(rootfs().binary("ls")).sh("ls /");"#, "program `sh` not found in the sandbox"),
    (r#"sandbox(rootfs().binary("sh")).shell();"#, ""),
    (r#"sandbox().run("ls");"#, "program `ls` not found in the sandbox"),
    (
        r#"sandbox(rootfs().binary("sh", #{ into: "/opt" })).run("sh");"#,
        "program `sh` not found in the sandbox",
    ),
    (
        r#"sandbox(rootfs().binary("sh")).env("PATH", "/opt:/srv").run("sh");"#,
        "program `sh` not found in the sandbox",
    ),
    (r#"sandbox("/").run("slepe 0");"#, "program `slepe` not found in the sandbox"),
    (r#"sandbox("/").env("PATH", "/opt").run("true");"#, "program `true` not found in the sandbox"),
    (r#"sandbox(rootfs().tar("$TMP/root.tar")).run("nosuch");"#, "program `nosuch` not found"),
    (
        r#"sandbox(rootfs().tar("$TMP/root.tar").file("/etc/x", "")).run("nosuch");"#,
        "program `nosuch` not found",
    ),
    (r#"host.output("nsscript-has-no-such-program");"#, "program `nsscript-has-no-such-program`"),
    // Paths.
    (
        r#"sandbox(rootfs().binary("sh")).run("/opt/ls");"#,
        "program `/opt/ls` not found in the sandbox",
    ),
    (r#"sandbox("/").run("/opt/nosuch/ls");"#, "program `/opt/nosuch/ls` not found in the sandbox"),
    (
        r#"sandbox(rootfs().binary("sh").symlink("/nowhere", "/opt/x")).run("/opt/x");"#,
        "cannot execute `/opt/x`: the link `/opt/x` leads to `/nowhere`, which does not exist",
    ),
    (
        r#"sandbox().symlink("../y", "/x").symlink("z", "/y").run("/x");"#,
        "cannot execute `/x`: the link `/y` leads to `z`, which does not exist",
    ),
    // What a later mount hides.
    (
        r#"sandbox(rootfs().binary("sh")).tmpfs("/usr").run("sh -c true");"#,
        "program `sh` not found in the sandbox: `/usr` hides `/usr/bin/sh`",
    ),
    (
        r#"sandbox(rootfs().file("/opt/x", "", #{ mode: 0o755 })).tmpfs("/opt").run("/opt/x");"#,
        "program `/opt/x` not found in the sandbox: `/opt` hides `/opt/x`",
    ),
    (
        r#"sandbox().file("/opt/x", "", #{ mode: 0o755 }).tmpfs("/opt").run("/opt/x");"#,
        "program `/opt/x` not found in the sandbox: `/opt` hides `/opt/x`",
    ),
    (
        r#"sandbox("/").tmpfs("/usr/bin").run("/usr/bin/true");"#,
        "program `/usr/bin/true` not found in the sandbox: `/usr/bin` hides `/usr/bin/true`",
    ),
    // Interpreters.
    (
        r##"sandbox(rootfs().file("/bin/x", "#!/opt/lua\n", #{ mode: 0o755 })).run("x");"##,
        "cannot execute `/bin/x`: its interpreter `/opt/lua` is not in the sandbox",
    ),
    (
        r#"sandbox(rootfs().copy("$TMP/script", "/bin/x")).run("x");"#,
        "cannot execute `/bin/x`: its interpreter `/usr/bin/env` is not in the sandbox",
    ),
    (
        r#"sandbox("/").bind("$TMP", "/mnt").run("/mnt/lost");"#,
        "cannot execute `/mnt/lost`: its interpreter `/no/such/lua` is not in the sandbox",
    ),
    (
        r#"sandbox("/").bind("$TMP", "/mnt").run("/mnt/dos");"#,
        "cannot execute `/mnt/dos`: its interpreter `/bin/sh\\r` is not in the sandbox",
    ),
    (
        r##"let root = rootfs().file("/bin/x", "#!/bin/y\n", #{ mode: 0o755 });
        sandbox(root.file("/bin/y", "#!/bin/z\n", #{ mode: 0o755 })).run("x");"##,
        "cannot execute `/bin/x`: its interpreter `/bin/z` is not in the sandbox",
    ),
    (
        r#"sandbox(rootfs().binary("/usr/bin/env").copy("$TMP/script", "/opt/x")).run("/opt/x");"#,
        "cannot execute `/opt/x`: the program `nsscript-python`, which it asks `env` for, is not in",
    ),
    // Loaders and libraries.
    (
        r#"sandbox(rootfs().copy("/bin/true", "/opt/x")).run("/opt/x");"#,
        "cannot execute `/opt/x`: its loader `/",
    ),
    (
        r#"sandbox(rootfs().copy("/bin/true", "/opt/x")).output("/opt/x");"#,
        "cannot execute `/opt/x`: its loader `/",
    ),
    (r#"sandbox().bind("/bin/true", "/x").run("/x");"#, "cannot execute `/x`: its loader `/"),
    (
        r#"let root = rootfs().copy(which("true"), "/opt/x");
        for path in dependencies("true").libraries() {
            if path.contains("/ld-") { root = root.copy(path, path); }
        }
        sandbox(root).run("/opt/x");"#,
        "cannot execute `/opt/x`: the library `lib",
    ),
    (
        r#"let root = rootfs().copy(which("true"), "/opt/x");
        for path in dependencies("true").libraries() {
            if path.contains("/ld-") { root = root.copy(path, path); }
        }
        sandbox(root).output("/opt/x");"#,
        "cannot execute `/opt/x`: the library `lib",
    ),
    // Permissions, and directories.
    (r#"sandbox(rootfs().binary("sh")).run("/usr");"#, "cannot execute `/usr`: permission denied"),
    (r#"sandbox("/").run("/usr/bin");"#, "cannot execute `/usr/bin`: permission denied (EACCES)"),
    (
        r##"sandbox(rootfs().file("/bin/x", "#!/bin/sh\n")).run("x");"##,
        "cannot execute `x`: permission denied (EACCES)",
    ),
    (
        r##"sandbox().file("/bin/x", "#!/bin/sh\n").run("/bin/x");"##,
        "cannot execute `/bin/x`: permission denied (EACCES)",
    ),
    (
        r#"sandbox("/").bind("$TMP", "/mnt").run("/mnt/plain");"#,
        "cannot execute `/mnt/plain`: permission denied (EACCES)",
    ),
    (
        r#"sandbox("/").bind("/usr/bin", "/mnt", #{ exec: false }).run("/mnt/true");"#,
        "cannot execute `/mnt/true`: permission denied (EACCES)",
    ),
    // Programs before it change nothing that matters.
    (
        r#"let guest = sandbox("/"); guest.run("true"); guest.run("slepe 0");"#,
        "program `slepe` not found in the sandbox",
    ),
    (
        r#"let guest = sandbox(rootfs().binary("sh")); guest.sh("true"); guest.run("ls");"#,
        "program `ls` not found in the sandbox",
    ),
];

/// Recipes that run, although a careless dry run would miss something.
const THERE: &[&str] = &[
    // What the recipe makes.
    r##"let place = `${scratch()}/made`; mkdir(place); write_file(`${place}/x`, "#!/bin/sh\n"); chmod(`${place}/x`, 0o755);
    sandbox("/").bind(place, "/mnt").run("/mnt/x");"##,
    r##"let place = `${scratch()}/made`; mkdir(place); write_file(`${place}/x`, "#!/no/such\n"); chmod(`${place}/x`, 0o755);
    write_file(`${place}/x`, "#!/bin/sh\n"); sandbox("/").bind(place, "/mnt").run("/mnt/x");"##,
    r#"let root = rootfs().binary("true", #{ into: "/usr/bin" }).build(`${scratch()}/root`);
    sandbox("/").bind(root, "/mnt").run("/mnt/usr/bin/true");"#,
    r#"rootfs().binary("true").pack("$TMP/made.tar", #{ replace: true });
    sandbox(rootfs().tar("$TMP/made.tar")).run("true");"#,
    // What its programs make.
    r#"let guest = sandbox("/").bind("$TMP/empty", "/mnt");
    guest.sh("printf '#!/bin/sh\\n' > /mnt/x; chmod +x /mnt/x"); guest.run("/mnt/x");
    guest.sh("rm /mnt/x");"#,
    r#"let guest = sandbox("/").bind("$TMP", "/mnt");
    guest.sh("printf '#!/bin/sh\\n' > /mnt/empty/x; chmod +x /mnt/empty/x");
    sandbox("/").bind("$TMP/link", "/mnt", #{ read_only: true }).run("/mnt/x");
    guest.sh("rm /mnt/empty/x");"#,
    r#"let root = rootfs().binaries(["sh", "chmod"], #{ into: "/bin" });
    let guest = sandbox(root).keep_changes(`${scratch()}/state`);
    guest.sh("echo '#!/bin/sh' > /x; chmod +x /x"); guest.run("/x");
    sandbox(guest.commit()).run("/x");"#,
    r#"host.output(["sh", "-c", "printf '#!/bin/sh\\n' > $TMP/empty/y; chmod +x $TMP/empty/y"]);
    sandbox("/").bind("$TMP/empty", "/mnt").run("/mnt/y"); host.output("rm $TMP/empty/y");"#,
    // What depends on a program.
    r#"let name = sandbox("/").output("echo true").stdout.trim(); sandbox("/").run("/usr/bin/" + name);"#,
    r#"if sandbox("/").output("echo a").stdout == "" { sandbox("/").run("nosuch"); }"#,
    r#"fn name() { sandbox("/").output("echo true").stdout.trim() } sandbox("/").run("/usr/bin/" + name());"#,
    // What is caught, or is no error.
    r#"try { sandbox("/").run("nosuch"); } catch (e) { print(e.message); }"#,
    r#"let root = rootfs().copy(which("true"), "/opt/x");
    for path in dependencies("true").libraries() {
        if path.contains("/ld-") { root = root.copy(path, path); }
    }
    let exit = sandbox(root).run("/opt/x", #{ check: false }); assert_eq(exit.code, 127);"#,
    // Libraries in other places.
    r#"let root = rootfs().copy(which("true"), "/opt/x");
    for path in dependencies("true").libraries() {
        let name = path.split("/").pop();
        root = root.copy(path, if name.starts_with("ld-") { path } else { "/srv/" + name });
    }
    sandbox(root).env("LD_LIBRARY_PATH", "/srv").run("/opt/x");"#,
    r#"let root = rootfs().copy(which("true"), "/opt/x").directory("/lib");
    for path in dependencies("true").libraries() {
        let name = path.split("/").pop();
        root = root.copy(path, if name.starts_with("ld-") { path } else { "/usr/lib/" + name });
    }
    sandbox(root).run("/opt/x");"#,
    // Ways through links and mounts.
    r#"sandbox(rootfs().binary("true", #{ into: "/opt" }).symlink("../opt/true", "/bin/x")).run("x");"#,
    r#"sandbox("/").tmpfs("/usr/local").bind("/usr/bin", "/usr/local/bin").run("/usr/local/bin/true");"#,
    r#"sandbox(rootfs().binary("true")).tmpfs("/opt").symlink("/usr/bin/true", "/opt/x").run("/opt/x");"#,
    r#"sandbox("/").env("PATH", ".").workdir("/usr/bin").run("true");"#,
    r#"sandbox(rootfs().binary("sh")).file("/opt/x", `#!${which("sh")}` + "\n", #{ mode: 0o755 }).run("/opt/x");"#,
    r#"sandbox(rootfs().binary("true").file("/opt/sh/x", "")).env("PATH", "/opt:/usr/bin:/bin").run("true");"#,
];

/// Recipes that do not run here, and of which nobody can say so beforehand.
const UNKNOWN: &[&str] = &[
    r#"skip_unless(exists("/no/such/program"), "a program"); sandbox("/").run("/no/such/program");"#,
    r#"sandbox("/").run("/usr/" + args[0]);"#,
    r#"let held = sandbox("/").start("sleep 60"); held.run("nosuch");"#,
];

fn prepared() -> Scratch {
    let scratch = Scratch::new();
    for (name, text, mode) in [
        ("script", "#!/usr/bin/env nsscript-python\n", 0o755),
        ("lost", "#!/no/such/lua\n", 0o755),
        ("dos", "#!/bin/sh\r\n", 0o755),
        ("plain", "#!/bin/sh\n", 0o644),
    ] {
        let path = scratch.file(name, text);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::create_dir(scratch.path().join("empty")).unwrap();
    std::os::unix::fs::symlink("empty", scratch.path().join("link")).unwrap();
    let code = "rootfs().binary(\"true\").pack(\"$TMP/root.tar\");";
    Ran::of(&mut nsscript(&["-e", &within(&scratch, code)])).printed();
    scratch
}

fn within(scratch: &Scratch, code: &str) -> String {
    code.replace("$TMP", scratch.path().to_str().unwrap())
}

/// The first error that a command reports of a recipe, and its status.
fn error(words: &[&str], code: &str) -> (Value, Option<i32>) {
    let mut command = nsscript(words);
    let ran = Ran::of(command.args(["--error-format=json", "-e", code]));
    let reports = ran.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let errors: Vec<_> = reports.filter(|report| report["severity"] == "error").collect();
    assert!(errors.len() <= 1, "{words:?} {code}: {ran:?}");
    (errors.into_iter().next().unwrap_or_default(), ran.status)
}

#[test]
fn a_check_and_a_plan_say_what_a_run_says() {
    let scratch = prepared();
    let mut differences = Vec::new();
    for (code, wanted) in MISSING {
        let code = within(&scratch, code);
        let (ran, status) = error(&[], &code);
        let message = ran["message"].as_str().unwrap_or_default();
        if !message.starts_with(wanted) || !matches!(status, Some(0 | 126 | 127)) {
            differences.push(format!("{code}\n  run: {ran}, {status:?}"));
        }
        let said = |report: &Value| {
            ["message", "hints", "place", "related", "errno", "target"]
                .map(|key| report[key].clone())
        };
        for words in [&["check"][..], &["plan"], &["plan", "--json"]] {
            let (report, planned) = error(words, &code);
            let is_same = words == ["check"] || planned == status;
            if said(&report) != said(&ran) || !is_same {
                differences
                    .push(format!("{code}\n  run: {ran}\n  {words:?}: {report}, {planned:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_program_that_is_there_is_not_missed() {
    let scratch = prepared();
    for (number, code) in THERE.iter().chain(UNKNOWN).enumerate() {
        let code = within(&scratch, code);
        for words in [&["check"][..], &["plan"], &["plan", "--json"]] {
            // A plan ends where an argument of the recipe is missing.
            if words[0] == "plan" && code.contains("args[0]") {
                continue;
            }
            let ran = Ran::of(nsscript(words).args(["-e", &code]));
            let fine = ["", "no errors in 1 recipe\n"];
            assert!(fine.contains(&ran.stderr.as_str()), "{words:?} {code}: {}", ran.stderr);
        }
        if number < THERE.len() {
            let ran = Ran::of(&mut nsscript(&["-e", &code]));
            assert_eq!(ran.status, Some(0), "{code}: {ran:?}");
        }
    }
}

#[test]
fn nothing_is_launched_or_built_for_a_program_that_is_missing() {
    let scratch = Scratch::new();
    let code = "sandbox(rootfs().binary(\"sh\")).run(\"ls\");";
    let mut command = nsscript(&["--explain=json", "-e", code]);
    let ran = Ran::of(command.env("XDG_CACHE_HOME", scratch.path()));
    assert_eq!(ran.status, Some(127), "{ran:?}");
    assert!(!ran.stderr.contains("clone3(") && !ran.stderr.contains("\"build\""), "{ran:?}");
    assert!(ran.stderr.contains("program `ls` not found in the sandbox"), "{ran:?}");
}
