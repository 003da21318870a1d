//! `nsscript test`: recipes as tests.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::nsscript::{PROGRAM, Ran, Scratch, missing, nsscript};
use crate::support::schema::fitting;

/// `nsscript test`, about to be run where the recipes of this test are.
fn test(scratch: &Scratch, arguments: &[&str]) -> Command {
    let mut command = nsscript(&["test"]);
    command.args(arguments).current_dir(scratch.path());
    command.env("TMPDIR", scratch.directory("tmp"));
    command
}

fn ran(scratch: &Scratch, arguments: &[&str]) -> Ran {
    Ran::of(&mut test(scratch, arguments))
}

/// What was written, with every time as `N ms`.
fn told(ran: &Ran) -> String {
    let timeless = |line: &str| match line.strip_suffix(" ms") {
        Some(rest) => format!("{}N ms\n", rest.trim_end_matches(|end: char| end.is_ascii_digit())),
        None => format!("{line}\n"),
    };
    ran.stdout.lines().map(timeless).collect()
}

/// One recipe that passes, one that fails, one that is not run.
fn recipes() -> Scratch {
    let scratch = Scratch::new();
    scratch.file("recipes/b.rhai", "print(\"text\");\n");
    scratch.file("recipes/a/long.rhai", "print(\"1\\n\\n2\");\nassert(false, \"no\");\n");
    scratch.file("recipes/c.rhai", "skip_unless(false, \"loop devices\");\n");
    scratch.file("recipes/notes.txt", "assert(false);\n");
    scratch
}

const LINES: &str = "\
failed   recipes/a/long.rhai  status 125
    error: assertion failed: no
      ──▶ recipes/a/long.rhai:2:1
       │
     2 │ assert(false, \"no\");
       │ ^^^^^^
    last 3 lines of its output:
      1

      2
ok       recipes/b.rhai       N ms
not run  recipes/c.rhai       loop devices
1 passed, 1 failed, 1 not run
";

#[test]
fn every_recipe_below_a_directory_is_run_in_order() {
    let scratch = recipes();
    for arguments in [&[][..], &["recipes"], &["recipes/a", "recipes/b.rhai", "recipes/c.rhai"]] {
        let ran = ran(&scratch, arguments);
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(1), ""), "{ran:?}");
        assert_eq!(told(&ran), LINES);
    }
}

#[test]
fn only_a_failure_is_a_failure() {
    let scratch = recipes();
    let ran = ran(&scratch, &["recipes/c.rhai", "recipes/b.rhai"]);
    let wanted = "not run  recipes/c.rhai  loop devices\nok       recipes/b.rhai  N ms\n\
                  1 passed, 0 failed, 1 not run\n";
    assert_eq!((ran.status, told(&ran).as_str()), (Some(0), wanted), "{ran:?}");
}

#[test]
fn the_json_form_is_an_object_on_a_line_for_each_recipe() {
    let scratch = recipes();
    let ran = ran(&scratch, &["--json"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(1), ""), "{ran:?}");
    let objects: Vec<_> = ran.stdout.lines().map(|line| fitting("test", line)).collect();
    let [failed, passed, not_run] = objects.as_slice() else { panic!("{ran:?}") };
    assert_eq!(failed["path"], "recipes/a/long.rhai");
    assert_eq!((&failed["result"], &failed["status"]), (&"failed".into(), &125.into()));
    assert_eq!(failed["reason"], "assertion failed: no");
    assert_eq!(failed["stdout"], "1\n\n2");
    assert!(failed["stderr"].as_str().unwrap().starts_with("error: assertion failed"), "{failed}");
    assert_eq!((&passed["result"], &passed["status"]), (&"ok".into(), &0.into()));
    assert!(passed["reason"].is_null() && passed["milliseconds"].is_u64(), "{passed}");
    assert_eq!((&not_run["result"], &not_run["status"]), (&"not run".into(), &77.into()));
    assert_eq!(not_run["reason"], "loop devices");
}

#[test]
fn the_form_of_errors_is_that_of_the_recipes() {
    let scratch = recipes();
    let short = ran(&scratch, &["--error-format", "short"]);
    let line = "    recipes/a/long.rhai:2:1: error: assertion failed: no\n";
    assert!(short.stdout.contains(line), "{short:?}");
    assert!(short.stdout.contains("recipes/c.rhai       loop devices\n"), "{short:?}");
    let json = ran(&scratch, &["--error-format", "json", "--json"]);
    let reasons = ["\"assertion failed: no\"", "\"loop devices\""];
    assert!(reasons.iter().all(|reason| json.stdout.contains(reason)), "{json:?}");
}

#[test]
fn the_status_77_without_a_reason_is_a_failure() {
    let scratch = Scratch::new();
    scratch.file("exit.rhai", "exit(77);");
    let ran = ran(&scratch, &["exit.rhai"]);
    let wanted = "failed   exit.rhai  status 77\n0 passed, 1 failed, 0 not run\n";
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(1), wanted));
}

#[test]
fn a_recipe_that_a_signal_kills_has_failed() {
    let scratch = Scratch::new();
    scratch.file("busy.rhai", "loop {}");
    let script = "ulimit -t 1 && exec \"$0\" test busy.rhai";
    let mut command = Command::new("sh");
    command.args(["-c", script, PROGRAM]).current_dir(scratch.path()).stdin(Stdio::null());
    let ran = Ran::of(&mut command);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stdout.starts_with("failed   busy.rhai  killed by SIGKILL (9)\n"), "{ran:?}");
}

#[test]
fn a_recipe_of_a_test_has_nothing_to_read() {
    let scratch = Scratch::new();
    scratch.file("read.rhai", "sandbox(\"/\").read_only_root().run(\"cat\");");
    let ran = Ran::reading(&mut test(&scratch, &["read.rhai"]), b"text");
    assert_eq!(ran.status, Some(0), "{ran:?}");
}

#[test]
fn a_recipe_may_be_called_what_a_word_of_the_command_line_is_called() {
    let scratch = Scratch::new();
    for name in ["plan", "test", "-e", "--help.rhai"] {
        scratch.file(name, "print(1);");
        assert_eq!(ran(&scratch, &["--", name]).status, Some(0), "{name}");
    }
}

#[test]
fn relative_paths_of_a_recipe_begin_where_it_is() {
    let scratch = Scratch::new();
    scratch.file("recipes/here.rhai", "assert(exists(\"here.rhai\"));");
    assert_eq!(ran(&scratch, &[]).status, Some(0));
}

#[test]
fn only_the_end_of_much_output_is_shown() {
    let scratch = Scratch::new();
    let code = "for line in 0..1000 { print(`line ${line}`); } throw \"no\";";
    scratch.file("much.rhai", code);
    let ran = ran(&scratch, &["much.rhai"]);
    assert!(ran.stdout.contains("last 10 lines of its output:\n      line 990\n"), "{ran:?}");
    assert!(ran.stdout.contains("      line 999\n0 passed"), "{ran:?}");
}

#[test]
fn links_to_directories_are_not_followed_and_links_to_recipes_are() {
    let scratch = recipes();
    symlink("..", scratch.path().join("recipes/a/up")).unwrap();
    symlink("b.rhai", scratch.path().join("recipes/z.rhai")).unwrap();
    symlink("nothing", scratch.path().join("recipes/none.rhai")).unwrap();
    let ran = ran(&scratch, &[]);
    assert!(ran.stdout.ends_with("2 passed, 1 failed, 1 not run\n"), "{ran:?}");
}

#[test]
fn no_thread_is_needed_to_test_recipes() {
    if !nix::unistd::geteuid().is_root() {
        return missing("root, to be a user who has no other processes");
    }
    let scratch = Scratch::new();
    scratch.file("r.rhai", "print(1); no_such();");
    let program = scratch.program("nsscript", std::fs::read(PROGRAM).unwrap());
    let own = 1_000_000 + std::process::id();
    let mut command = Command::new("prlimit");
    command.args(["--nproc=2"]).arg(program).args(["test", "r.rhai"]).current_dir(scratch.path());
    command.uid(own).gid(own).env("NO_COLOR", "1").stdin(Stdio::null());
    let ran = Ran::of(&mut command);
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(1), ""), "{ran:?}");
    assert!(
        ran.stdout.contains("failed   r.rhai  status 125\n    error: unknown function `no_such`"),
        "{ran:?}"
    );
    assert!(ran.stdout.contains("\n      1\n"), "{ran:?}");
}

#[test]
fn where_there_are_no_recipes_that_is_said() {
    let scratch = Scratch::new();
    let said = ran(&scratch, &[]).said(125);
    assert!(
        said.contains(
            "directory `recipes` not found; name the recipes to run: `nsscript test PATH`"
        ),
        "{said}"
    );
    scratch.directory("recipes/empty");
    assert!(ran(&scratch, &[]).said(125).contains("no recipes (`*.rhai`) in"));
    scratch.file("recipes/here.rhai", "print(1);");
    let said = ran(&scratch, &["recipes", "recipes/her.rhai"]);
    assert_eq!(said.stdout, "", "nothing is run");
    assert!(said.said(125).contains("(ENOENT); did you mean `recipes/here.rhai`?"));
}

#[test]
fn mistakes_in_usage_end_with_125() {
    let scratch = recipes();
    for arguments in [&["--no-such-option"][..], &["-e", "1"], &["--error-format", "xml"]] {
        assert!(!ran(&scratch, arguments).said(125).is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_recipe_that_others_can_write_to_is_trusted_only_if_that_is_said() {
    let scratch = Scratch::new();
    let recipe = scratch.file("recipe.rhai", "print(1);");
    fs::set_permissions(&recipe, fs::Permissions::from_mode(0o666)).unwrap();
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    assert_eq!(ran(&scratch, &["recipe.rhai"]).status, Some(i32::from(is_root)));
    assert_eq!(ran(&scratch, &["--trust-recipe", "recipe.rhai"]).status, Some(0));
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let scratch = recipes();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let said = Ran::of(test(&scratch, &[]).stdout(full)).said(125);
    assert!(said.contains("(ENOSPC)"), "{said}");
}

/// Runs tests, sends a signal when the second recipe runs, and gives what was written.
fn interrupted(second: &str, signal: Signal) -> Ran {
    let scratch = Scratch::new();
    scratch.file("1.rhai", "print(1);");
    scratch.file("2.rhai", second);
    scratch.file("3.rhai", "print(3);");
    let mut command = test(&scratch, &["1.rhai", "2.rhai", "3.rhai"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut stdout = String::new();
    out.read_line(&mut stdout).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
    out.read_to_string(&mut stdout).unwrap();
    let ran = Ran { stdout, ..Ran::from(child.wait_with_output().unwrap()) };
    assert!(ran.stdout.starts_with("ok       1.rhai  "), "{ran:?}");
    ran
}

#[test]
fn a_signal_ends_the_tests_and_what_was_done_is_summed_up() {
    let ran = interrupted("sleep(\"60s\");", Signal::SIGTERM);
    let summary = "\n1 passed, 0 failed, 0 not run, 2 not reached: SIGTERM (15)\n";
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(128 + 15), ""), "{ran:?}");
    assert!(ran.stdout.ends_with(summary), "{ran:?}");
}

#[test]
fn a_recipe_that_passes_in_spite_of_a_signal_has_passed() {
    let ran = interrupted("sleep(\"1s\");", Signal::SIGINT);
    let summary = "\n2 passed, 0 failed, 0 not run, 1 not reached: SIGINT (2)\n";
    assert_eq!(ran.status, Some(128 + 2), "{ran:?}");
    assert!(ran.stdout.ends_with(summary), "{ran:?}");
}
