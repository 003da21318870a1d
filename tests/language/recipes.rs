//! The recipes that come with the package.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::nsscript::{PACKAGE, Ran, Scratch, missing, nsscript, nsscript_as_user};

/// Every recipe, in order: first those that stand alone, then the lessons.
pub fn recipes() -> Vec<PathBuf> {
    let alone = recipes_in("recipes");
    assert!(!alone.is_empty());
    [alone, recipes_in("recipes/lessons")].concat()
}

/// The recipes in a directory of the package, in order; none where there is no such directory.
pub fn recipes_in(directory: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(Path::new(PACKAGE).join(directory)) else { return Vec::new() };
    let mut recipes: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    recipes.retain(|path| path.extension().is_some_and(|suffix| suffix == "rhai"));
    recipes.sort();
    recipes
}

#[test]
fn every_recipe_says_first_what_it_shows() {
    for recipe in recipes() {
        let text = fs::read_to_string(&recipe).unwrap();
        let first = text.lines().find(|line| !line.starts_with("#!")).unwrap_or_default();
        let name = recipe.display();
        assert!(first.starts_with("//! ") && first.len() > 10, "{name} begins with {first}");
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

#[test]
fn every_recipe_passes_plan_and_runs() {
    for recipe in recipes() {
        let path = recipe.to_str().unwrap();
        let plan = Ran::of(&mut nsscript(&["plan", path]));
        assert_eq!(plan.status, Some(0), "plan {path}: {plan:?}");
        // A lesson may show system calls instead of sandboxes.
        let plans = plan.stdout.contains("plan for `") || path.contains("/lessons/");
        assert!(plans, "{path} runs nothing: {plan:?}");
        let scratch = Scratch::new();
        let ran = Ran::of(nsscript(&[path]).env("TMPDIR", scratch.path()));
        // What a user may not do is nothing that this machine lacks.
        if ran.status == Some(77) && !is_root() {
            continue;
        }
        if ran.status == Some(77) {
            missing(&format!("{path}: {}", ran.stderr.trim()));
            continue;
        }
        assert_eq!(ran.status, Some(0), "{path}: {ran:?}");
        let complaint = ran
            .stderr
            .lines()
            .find(|line| ["error: ", "warning: "].iter().any(|head| line.starts_with(head)));
        assert_eq!(complaint, None, "{path}: {ran:?}");
        assert!(scratch.is_empty(), "{path} left something behind");
    }
}

/// Jobs whose programs are installed for the tests.
const ALWAYS: [&str; 9] =
    ["bwrap", "firewall", "git", "matrix", "reproducible", "service", "tasks", "untrusted", "venv"];

#[test]
fn every_job_runs_where_its_programs_are() {
    for recipe in recipes_in("recipes/jobs") {
        let (path, name) = (recipe.to_str().unwrap(), recipe.file_stem().unwrap());
        let scratch = Scratch::new();
        let mut launches = vec![nsscript(&[path])];
        if is_root() {
            // The checkout may lie where no other user can go.
            let copy = scratch.path().join("job.rhai");
            fs::copy(&recipe, &copy).unwrap();
            fs::set_permissions(&copy, Permissions::from_mode(0o644)).unwrap();
            let mut command = nsscript_as_user(&scratch, &[]);
            command.arg(copy);
            launches.push(command);
        }
        for launch in &mut launches {
            let temporary = scratch.directory("tmp");
            fs::set_permissions(&temporary, Permissions::from_mode(0o1777)).unwrap();
            let ran = Ran::of(launch.env("TMPDIR", &temporary));
            if ran.status == Some(77) {
                let said = format!("{path}: {}", ran.stderr.trim());
                if ALWAYS.iter().any(|always| *always == name) {
                    missing(&said);
                }
                continue;
            }
            assert_eq!(ran.status, Some(0), "{path}: {ran:?}");
            assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "{path} left something");
        }
    }
}

#[test]
fn every_lesson_runs_as_a_user_and_on_a_page() {
    for recipe in recipes_in("recipes/lessons") {
        let name = recipe.display();
        let text = fs::read_to_string(&recipe).unwrap();
        let scratch = Scratch::new();
        let temporary = scratch.directory("tmp");
        fs::set_permissions(&temporary, Permissions::from_mode(0o1777)).unwrap();
        let mut command = nsscript_as_user(&scratch, &[]);
        let ran = Ran::reading(command.env("TMPDIR", &temporary).arg("-"), text.as_bytes());
        match ran.status {
            Some(0) => assert_eq!(ran.stderr, "", "{name}"),
            Some(77) => assert!(ran.stderr.starts_with("not run: "), "{name}: {ran:?}"),
            _ => panic!("{name}: {ran:?}"),
        }
        let left = fs::read_dir(&temporary).unwrap().count();
        assert_eq!(left, 0, "{name} left something behind");
        let wide = ran.stdout.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{name} prints a line that is too long");
    }
}

/// A busybox, where there is one on `PATH` or where apt can fetch the package.
fn busybox(scratch: &Scratch) -> Option<PathBuf> {
    let search = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&search).map(|directory| directory.join("busybox"));
    if let Some(found) = on_path.into_iter().find(|path| path.is_file()) {
        return Some(found);
    }
    let script =
        "apt-get download busybox-static >/dev/null 2>&1 && dpkg -x busybox-static_*.deb .";
    let done = Command::new("sh").args(["-c", script]).current_dir(scratch.path()).status();
    done.ok().filter(std::process::ExitStatus::success)?;
    let places = ["bin/busybox", "usr/bin/busybox"].map(|place| scratch.path().join(place));
    places.into_iter().find(|path| path.is_file())
}

/// Runs the recipe of busybox with these directories as `PATH`.
fn run_busybox(path: &str) -> Ran {
    Ran::of(nsscript(&["recipes/busybox.rhai"]).env("PATH", path))
}

#[test]
fn the_recipe_of_busybox_runs_with_a_busybox() {
    let scratch = Scratch::new();
    let Some(program) = busybox(&scratch) else { return missing("a busybox") };
    let directory = scratch.directory("path");
    fs::copy(&program, directory.join("busybox")).unwrap();
    let ran = run_busybox(directory.to_str().unwrap());
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stdout.contains("busybox"), "{ran:?}");
}

#[test]
fn the_recipe_of_busybox_runs_without_a_busybox() {
    // Directories that hold links to all programs but busybox.
    let scratch = Scratch::new();
    let directory = scratch.directory("path");
    let search = std::env::var_os("PATH").unwrap_or_default();
    for place in std::env::split_paths(&search) {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            if entry.file_name() != "busybox" {
                let _ = std::os::unix::fs::symlink(entry.path(), directory.join(entry.file_name()));
            }
        }
    }
    let ran = run_busybox(directory.to_str().unwrap());
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
}
