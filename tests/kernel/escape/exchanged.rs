//! Directories of our own that another process exchanges while nsscript works in them.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Bench, TREE, User, as_each_user, have, missing};

/// A process that exchanges two paths again and again: renameat2(2) with `RENAME_EXCHANGE`.
struct Exchange(Child);

impl Exchange {
    fn new(user: User, one: &str, other: &str) -> Self {
        let number = if cfg!(target_arch = "aarch64") { 276 } else { 316 };
        let script =
            format!("while (1) {{ syscall({number}, -100, $ARGV[0], -100, $ARGV[1], 2) }}");
        let mut command: Command = user.command("perl");
        command.args(["-e", &script, one, other]).stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.spawn().expect("perl starts"))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A sandbox whose root no run has made before.
const NEW_ROOT: &str = r#"sandbox(rootfs().binary("true").file("/run", args[0])).run("true");"#;

/// How long a race goes on; longer with `NSSCRIPT_RACE`, in seconds.
fn time() -> Duration {
    let seconds = std::env::var("NSSCRIPT_RACE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1))
}

/// A user who is not the one that nsscript is run as, for whom root can act; says so if there is
/// none.
fn another(bench: &Bench) -> Option<User> {
    if !User::this().is_root() {
        missing("root, to run as one user beside another");
        return None;
    }
    let uid = if bench.user.is_root() { 65534 } else { 65533 };
    Some(User { uid, gid: uid, is_self: false })
}

/// Files that are a victim's, by the names of what a store, a private directory and kept changes hold.
fn victim(bench: &Bench) -> Vec<String> {
    let names = ["layer-1/file", "key.lock", "layers/x/tree/file", "overlay/upper/file", "file"];
    names
        .map(|name| bench.file(&format!("victim/{name}"), "precious"))
        .map(|path| {
            bench.give(&path);
            path.to_str().unwrap().to_owned()
        })
        .to_vec()
}

#[track_caller]
fn all_there(files: &[String], what: &str) {
    for file in files {
        let text =
            fs::read_to_string(file).unwrap_or_else(|error| panic!("{what}: {file}: {error}"));
        assert_eq!(text, "precious", "{what}: {file}");
    }
}

/// Runs recipes while `one` and `other` are exchanged by `user`, and makes sure that nothing of the
/// victim is lost.
fn race(bench: &Bench, user: User, (one, other): (&str, &str), recipe: &str, home: &str) {
    let files = victim(bench);
    let exchange = Exchange::new(user, &bench.text(one), &bench.text(other));
    let (end, mut runs) = (Instant::now() + time(), 0);
    while Instant::now() < end {
        let number = runs.to_string();
        let launch = bench.nsscript(&["-e", recipe, &number]).env("HOME", bench.text(home));
        let launch = launch.env("TMPDIR", "/tmp");
        // What becomes of the run is not asked: its directory may be gone from under it.
        let _ = launch.may_leave_files().end();
        all_there(&files, &format!("run {runs} of {recipe}"));
        runs += 1;
    }
    drop(exchange);
    println!("held, as {} against user {}: {runs} runs of {recipe}", bench.user, user.uid);
}

#[test]
fn a_store_that_another_user_exchanges_is_not_used() {
    as_each_user(|bench| {
        let Some(other) = another(bench).filter(|_| have(&["perl"])) else { return };
        // A home of the other user, in which an earlier run has made the store.
        bench.directory("home/.cache/nsscript/building");
        bench.directory("home/.cache/evil");
        for name in ["layers", "index", "building"] {
            symlink(bench.path("victim"), bench.path(&format!("home/.cache/evil/{name}"))).unwrap();
        }
        for place in ["home", "home/.cache"] {
            chown(bench.path(place), Some(other.uid), Some(other.gid)).unwrap();
        }
        let paths = ("home/.cache/nsscript", "home/.cache/evil");
        race(bench, other, paths, NEW_ROOT, "home");
        // It was made by a user, who wants it back.
        for place in ["home", "home/.cache"] {
            bench.give(&bench.path(place));
        }
    });
}

#[test]
fn a_store_that_is_exchanged_is_the_one_that_was_looked_at() {
    as_each_user(|bench| {
        if !have(&["perl"]) {
            return;
        }
        bench.directory("home/.cache/nsscript/building");
        bench.directory("home/.cache/other");
        for name in ["layers", "index", "building"] {
            bench.directory(&format!("victim/{name}"));
            symlink(bench.path("victim"), bench.path(&format!("home/.cache/other/{name}")))
                .unwrap();
        }
        let paths = ("home/.cache/nsscript", "home/.cache/other");
        race(bench, bench.user, paths, NEW_ROOT, "home");
    });
}

#[test]
fn kept_changes_that_are_exchanged_are_those_that_were_looked_at() {
    as_each_user(|bench| {
        let Some(other) = another(bench).filter(|_| have(&["perl"])) else { return };
        bench.directory("shared");
        chown(bench.path("shared"), Some(other.uid), Some(other.gid)).unwrap();
        bench.directory("shared/state");
        bench.mode("shared/state", 0o700);
        symlink(bench.path("victim"), bench.path("shared/evil")).unwrap();
        let recipe = format!(
            "{TREE}.keep_changes(\"shared/state\").run([\"sh\", \"-c\", \"echo x > /file\"]);"
        );
        race(bench, other, ("shared/state", "shared/evil"), &recipe, "home");
        bench.give(&bench.path("shared"));
    });
}

#[test]
fn a_directory_that_is_built_into_is_cleared_and_no_other() {
    as_each_user(|bench| {
        let Some(other) = another(bench).filter(|_| have(&["perl"])) else { return };
        bench.directory("shared/into");
        chown(bench.path("shared"), Some(other.uid), Some(other.gid)).unwrap();
        symlink(bench.path("victim"), bench.path("shared/evil")).unwrap();
        // A file that is another one by the time that it is copied has the build fail.
        let recipe = r#"let root = rootfs().directory("/a").file("/b", "x").copy("grows", "/grows");
            try { root.build("shared/into") } catch (e) { print(e.message) }"#;
        bench.file("grows", "x".repeat(1 << 20));
        let growing = bench.path("grows");
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = fs::OpenOptions::new()
                        .append(true)
                        .open(&growing)
                        .and_then(|mut file| std::io::Write::write_all(&mut file, b"more"));
                    std::thread::sleep(Duration::from_micros(200));
                }
            });
            race(bench, other, ("shared/into", "shared/evil"), recipe, "home");
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        bench.give(&bench.path("shared"));
    });
}

#[test]
fn a_private_directory_is_not_made_where_others_could_exchange_it() {
    as_each_user(|bench| {
        let Some(other) = another(bench) else { return };
        bench.directory("tmp");
        bench.mode("tmp", 0o777);
        let recipe = "print(scratch());";
        let at = |place: &str| bench.recipe(recipe).env("TMPDIR", bench.text(place)).end();
        let said = at("tmp").failed(125);
        assert!(said.contains("other users could replace it"), "{said}");
        assert!(said.contains("other users can write to"), "{said}");
        bench.mode("tmp", 0o1777);
        at("tmp").succeeded();
        bench.mode("tmp", 0o755);
        chown(bench.path("tmp"), Some(other.uid), Some(other.gid)).unwrap();
        let said = at("tmp").failed(125);
        assert!(said.contains(&format!("belongs to user {}", other.uid)), "{said}");
        bench.give(&bench.path("tmp"));
    });
}

#[test]
fn nothing_is_made_in_the_home_of_another_user_nor_a_home_that_is_missing() {
    as_each_user(|bench| {
        let Some(other) = another(bench) else { return };
        bench.directory("home");
        bench.mode("home", 0o777);
        chown(bench.path("home"), Some(other.uid), Some(other.gid)).unwrap();
        bench.recipe("rootfs().binary(\"true\").pack(\"root.tar\");").end().succeeded();
        let recipes = [
            format!("{TREE}.run(\"true\");"),
            "print(rootfs().tar(\"root.tar\").digest());".to_owned(),
        ];
        for recipe in &recipes {
            let ended = bench.recipe(recipe).env("HOME", bench.text("home")).end();
            if recipe.contains("root.tar") {
                let why = format!("belongs to user {}", other.uid);
                assert!(ended.stderr.contains("for this run only"), "{}", ended.stderr);
                assert!(ended.stderr.contains(&why), "{}", ended.stderr);
                let cure = "whose parents only you and root can change";
                assert!(ended.stderr.contains(cure), "{}", ended.stderr);
            }
            ended.succeeded();
            assert_eq!(fs::read_dir(bench.path("home")).unwrap().count(), 0, "{recipe}");
            bench.recipe(recipe).env("HOME", bench.text("missing")).end().succeeded();
            assert!(!bench.path("missing").exists(), "{recipe}");
        }
        let launch = bench.nsscript::<&str>(&[]).env("HOME", bench.text("home"));
        let mut screen = launch.at_terminal();
        screen.wait_for("> ");
        screen.ask("1 + 41", "42");
        screen.ends_by("\x04");
        screen.end();
        assert_eq!(fs::read_dir(bench.path("home")).unwrap().count(), 0, "the history");
        let said =
            bench.nsscript(&["store", "list"]).env("HOME", bench.text("home")).end().failed(125);
        assert!(said.contains("other users could replace it"), "{said}");
        assert!(said.contains("a directory whose parents only you and root can change"), "{said}");
        // One's own home is one.
        chown(bench.path("home"), Some(bench.user.uid), Some(bench.user.gid)).unwrap();
        bench.mode("home", 0o700);
        bench.recipe(&recipes[0]).env("HOME", bench.text("home")).end().succeeded();
        let made = fs::metadata(bench.path("home/.cache/nsscript")).unwrap();
        assert_eq!((made.uid(), made.mode() & 0o777), (bench.user.uid, 0o700));
    });
}

#[test]
fn what_lies_at_the_name_of_a_file_in_the_making_is_left_alone() {
    as_each_user(|bench| {
        let files = victim(bench);
        bench.directory("editor");
        // The number of the shell is that of the nsscript that it becomes.
        let script = r#"ln -s ../victim/file "editor/nsscript.json.$$"
            ln -s ../victim/file ".root.tar.$$"; exec "$@""#;
        let ended = bench.nsscript(&["definitions", "editor"]).by_shell(script).end();
        all_there(&files, "definitions");
        assert_ne!(ended.status.code(), Some(0), "{}", ended.stdout);
        let recipe = r#"rootfs().file("/x", "").pack("root.tar", #{ replace: true });"#;
        let ended = bench.recipe(recipe).by_shell(script).end();
        all_there(&files, "pack");
        assert!(ended.failed(125).contains("(EEXIST)"));
    });
}
