//! The store: what is kept of roots, for whom, and what runs that are killed leave of it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Bench, Launch, as_each_user, have, may_mount};

/// A root of a shell and a few programs.
const ROOT: &str =
    r#"rootfs().binaries(["sh", "sleep", "touch"]).file("/etc/motd", "hello\n", #{ mode: 0o640 })"#;

/// nsscript with a store of its own.
fn keeping<'b>(bench: &'b Bench, words: &[&str]) -> Launch<'b> {
    bench.nsscript(words).env("XDG_CACHE_HOME", bench.text("cache"))
}

fn run(bench: &Bench, recipe: &str) -> String {
    bench.directory("cache");
    keeping(bench, &["-e", recipe]).end().succeeded()
}

/// The names below a directory of the store.
fn names(bench: &Bench, directory: &str) -> Vec<String> {
    let entries = fs::read_dir(bench.path(&format!("cache/nsscript/{directory}"))).unwrap();
    let name = |entry: fs::DirEntry| entry.file_name().to_str().unwrap().to_owned();
    let mut names: Vec<_> = entries.map(|entry| name(entry.unwrap())).collect();
    names.sort_unstable();
    names
}

/// A file of the only root.
fn stored(bench: &Bench, path: &str) -> PathBuf {
    let layers = names(bench, "layers");
    assert_eq!(layers.len(), 1, "{layers:?}");
    bench.path(&format!("cache/nsscript/layers/{}/{path}", layers[0]))
}

#[test]
fn a_root_is_built_once_and_kept() {
    as_each_user(|bench| {
        let recipe = format!("sandbox({ROOT}).run(\"sh -c ':'\"); print({ROOT}.digest());");
        let digest = run(bench, &recipe);
        let motd = fs::metadata(stored(bench, "tree/etc/motd")).unwrap();
        assert_eq!(run(bench, &recipe), digest);
        let again = fs::metadata(stored(bench, "tree/etc/motd")).unwrap();
        assert_eq!((motd.ino(), motd.ctime_nsec()), (again.ino(), again.ctime_nsec()));
        assert_eq!(format!("sha256:{}\n", names(bench, "layers")[0]), digest);
        assert!(names(bench, "building").is_empty());
        assert_eq!(fs::metadata(bench.path("cache/nsscript")).unwrap().mode() & 0o777, 0o700);
        // The digest is that of the file that says what is in the root.
        if have(&["sha256sum"]) {
            let manifest = stored(bench, "manifest");
            let sum = std::process::Command::new("sha256sum").arg(manifest).output().unwrap();
            let sum = String::from_utf8(sum.stdout).unwrap();
            assert_eq!(digest.trim_end(), format!("sha256:{}", &sum[..64]));
        }
        let listed = keeping(bench, &["store", "list"]).end().succeeded();
        assert!(listed.starts_with(digest.trim_end()) && listed.lines().count() == 1, "{listed}");
        let shown = keeping(bench, &["store", "show", &digest[7..20]]).end().succeeded();
        assert!(shown.contains("f 0640 0:0 6:") && shown.contains(" /etc/motd\n"), "{shown}");
    });
}

#[test]
fn the_digest_is_the_same_for_every_user() {
    let mut digests = Vec::new();
    let seen = std::sync::Mutex::new(&mut digests);
    as_each_user(|bench| {
        let recipe = format!("print({ROOT}.digest()); print({ROOT}.file(\"/x\", \"\").digest());");
        seen.lock().unwrap().push(run(bench, &recipe));
    });
    let first = digests.first().unwrap();
    assert!(digests.iter().all(|digest| digest == first), "{digests:?}");
    let (one, other) = first.trim_end().split_once('\n').unwrap();
    assert_ne!(one, other);
}

#[test]
fn what_changes_on_the_host_is_another_root() {
    as_each_user(|bench| {
        bench.file("source", "one");
        let recipe = r#"print(sandbox(rootfs().binary("cat").copy("source", "/source"))
            .output("cat /source").stdout);"#;
        assert_eq!(run(bench, recipe), "one\n");
        bench.file("source", "two");
        assert_eq!(run(bench, recipe), "two\n");
        assert_eq!(names(bench, "layers").len(), 2);
        // The same content at another time is the same root, found by another way.
        bench.file("source", "one");
        assert_eq!(run(bench, recipe), "one\n");
        assert_eq!((names(bench, "layers").len(), names(bench, "index").len()), (2, 3));
    });
}

#[test]
fn no_sandbox_changes_what_is_kept() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let guest = sandbox({ROOT});
            guest.run(["sh", "-c", "echo changed > /etc/motd; touch /new"]);
            guest.run(["sh", "-c", "read word < /etc/motd; test $word = hello && ! test -e /new"]);"#
        );
        run(bench, &recipe);
        let motd = stored(bench, "tree/etc/motd");
        assert_eq!(fs::read_to_string(motd).unwrap(), "hello\n");
        assert!(!stored(bench, "tree/new").exists());
    });
}

#[test]
fn two_runs_build_the_same_root_once() {
    as_each_user(|bench| {
        bench.directory("cache");
        let recipe = format!("sandbox({ROOT}).run(\"sh -c ':'\");");
        let runs: Vec<_> =
            (0..4).map(|_| keeping(bench, &["-e", &recipe]).may_leave_files().start()).collect();
        for run in runs {
            run.end().succeeded();
        }
        assert_eq!(names(bench, "layers").len(), 1);
        assert!(names(bench, "building").is_empty());
    });
}

#[test]
fn many_runs_and_a_removal_at_a_time_are_in_no_way_of_each_other() {
    as_each_user(|bench| {
        bench.directory("cache");
        let run = |number: usize| {
            // Two and two want the same layer, by different descriptions.
            let text = number / 2;
            let recipe = format!(
                "let root = {ROOT}.file(\"/x\", \"{text}\"){};
                sandbox(root).run([\"sh\", \"-c\", \"read word < /x; test $word = {text}\"]);",
                if number.is_multiple_of(2) { "" } else { ".directory(\"/etc\")" }
            );
            keeping(bench, &["-e", &recipe]).may_leave_files().start()
        };
        let remove = || keeping(bench, &["store", "gc", "--all"]).may_leave_files().start();
        for _ in 0..3 {
            let runs = (0..6).flat_map(|number| [run(number), remove()]).collect::<Vec<_>>();
            for run in runs {
                run.end().succeeded();
            }
        }
        assert!(names(bench, "building").is_empty(), "{:?}", names(bench, "building"));
    });
}

#[test]
fn a_run_that_waits_for_another_can_be_interrupted() {
    as_each_user(|bench| {
        let recipe = format!("print(\"ready\"); sandbox({ROOT}).run(\"sh -c ':'\");");
        run(bench, &recipe);
        let key = names(bench, "index").remove(0);
        fs::remove_file(bench.path(&format!("cache/nsscript/index/{key}"))).unwrap();
        let lock = bench.file(&format!("cache/nsscript/building/{key}.lock"), "");
        let lock = fs::File::open(lock).unwrap();
        lock.lock().unwrap();
        let start = || {
            let mut running = keeping(bench, &["-e", &recipe]).may_leave_files().start();
            running.wait_for("ready\n");
            running
        };
        let (interrupted, patient) = (start(), start());
        std::thread::sleep(Duration::from_millis(100));
        interrupted.signal(Signal::SIGINT);
        assert_eq!(interrupted.end().status.code(), Some(130));
        assert!(!bench.path(&format!("cache/nsscript/index/{key}")).exists());
        lock.unlock().unwrap();
        patient.end().succeeded();
        assert!(bench.path(&format!("cache/nsscript/index/{key}")).exists());
        assert!(names(bench, "building").is_empty());
    });
}

#[test]
fn a_root_in_use_is_not_removed() {
    as_each_user(|bench| {
        bench.directory("cache");
        let recipe = format!(
            "let guest = sandbox({ROOT}).start(\"sleep 60\"); print(\"started\"); guest.wait();"
        );
        let mut running = keeping(bench, &["-e", &recipe]).start();
        running.wait_for("started\n");
        let said = keeping(bench, &["store", "gc", "--all"]).may_leave_files().end().succeeded();
        assert_eq!(said, "0 layers removed, 0 B\n");
        running.signal(Signal::SIGTERM);
        running.end();
        let kept = keeping(bench, &["store", "gc"]).end().succeeded();
        assert_eq!(kept, "0 layers removed, 0 B\n");
        let said = keeping(bench, &["store", "gc", "--all"]).end().succeeded();
        assert!(said.starts_with("1 layer removed, "), "{said}");
        assert!(names(bench, "layers").is_empty() && names(bench, "index").is_empty());
    });
}

#[test]
fn what_killed_runs_leave_goes_with_the_next() {
    as_each_user(|bench| {
        bench.directory("cache");
        for round in 0..12 {
            let recipe = format!("sandbox({ROOT}.file(\"/x\", \"{round}\")).run(\"sh -c ':'\");");
            let running = keeping(bench, &["-e", &recipe]).may_leave_files().start();
            std::thread::sleep(Duration::from_millis(round));
            running.signal(Signal::SIGKILL);
            running.end();
        }
        fs::create_dir_all(bench.path("cache/nsscript/building/layer-0/tree")).unwrap();
        for directory in ["", "/building", "/building/layer-0", "/building/layer-0/tree"] {
            bench.give(&bench.path(&format!("cache/nsscript{directory}")));
        }
        for directory in ["layers", "index"] {
            if !bench.path(&format!("cache/nsscript/{directory}")).exists() {
                bench.directory(&format!("cache/nsscript/{directory}"));
            }
        }
        bench.mode("cache/nsscript", 0o700);
        run(bench, &format!("sandbox({ROOT}).run(\"sh -c ':'\");"));
        assert!(names(bench, "building").is_empty(), "{:?}", names(bench, "building"));
        for layer in names(bench, "layers") {
            let manifest = format!("cache/nsscript/layers/{layer}/manifest");
            assert!(bench.content(&manifest).ends_with('\n'), "{layer}");
        }
    });
}

#[test]
fn a_root_that_lost_something_with_the_power_is_built_again() {
    as_each_user(|bench| {
        let recipe = format!("sandbox({ROOT}).run(\"sh -c 'read word < /etc/motd'\");");
        run(bench, &recipe);
        let (motd, boot) = (stored(bench, "tree/etc/motd"), stored(bench, "boot"));
        fs::write(&motd, "").unwrap();
        fs::write(&boot, "another life").unwrap();
        run(bench, &recipe);
        assert_eq!(fs::read_to_string(stored(bench, "tree/etc/motd")).unwrap(), "hello\n");
        // One that has lost nothing stays.
        let before = fs::metadata(stored(bench, "tree/etc/motd")).unwrap().ino();
        fs::write(&boot, "another life").unwrap();
        run(bench, &recipe);
        assert_eq!(fs::metadata(stored(bench, "tree/etc/motd")).unwrap().ino(), before);
    });
}

#[test]
fn a_store_of_others_is_refused() {
    as_each_user(|bench| {
        run(bench, &format!("sandbox({ROOT}).run(\"sh -c ':'\");"));
        let recipe = format!("sandbox({ROOT}).run(\"sh -c ':'\");");
        bench.mode("cache/nsscript", 0o777);
        let said = keeping(bench, &["-e", &recipe]).end().failed(125);
        assert!(said.contains("other users can write to the store"), "{said}");
        bench.mode("cache/nsscript", 0o700);
        if crate::support::User::this().is_root() {
            let other = Some(bench.user.uid.wrapping_add(1));
            std::os::unix::fs::chown(bench.path("cache/nsscript"), other, None).unwrap();
            bench.mode("cache/nsscript", 0o755);
            let said = keeping(bench, &["-e", &recipe]).end().failed(125);
            assert!(said.contains("belongs to another user"), "{said}");
        }
    });
}

#[test]
fn a_store_that_is_refused_stays_as_it_is() {
    as_each_user(|bench| {
        bench.directory("cache");
        bench.directory("elsewhere");
        bench.link("../elsewhere", "cache/nsscript");
        let recipe = format!("sandbox({ROOT}).run(\"sh -c ':'\");");
        let said = keeping(bench, &["-e", &recipe]).end().failed(125);
        assert!(said.contains("is not a directory"), "{said}");
        assert_eq!(fs::read_dir(bench.path("elsewhere")).unwrap().count(), 0);
    });
}

#[test]
fn what_was_changed_in_the_store_is_not_believed() {
    as_each_user(|bench| {
        let recipe =
            format!("let root = {ROOT}; print(root.digest()); sandbox(root).run(\"sh -c ':'\");");
        let digest = run(bench, &recipe);
        // Without its mark a layer is looked at again, and is whole.
        fs::remove_file(stored(bench, "boot")).unwrap();
        assert_eq!(run(bench, &recipe), digest);
        let manifest = stored(bench, "manifest");
        let text = fs::read_to_string(&manifest).unwrap().replace("\nf ", "\nz ");
        fs::write(&manifest, text).unwrap();
        let ended = keeping(bench, &["store", "show", digest.trim()]).may_leave_files().end();
        let said = ended.failed(125);
        assert!(said.contains("its digest does not match"), "{said}");
        fs::write(bench.path("cache/nsscript/layers/fff"), "").unwrap();
        keeping(bench, &["store", "list"]).end().succeeded();
        let said = keeping(bench, &["store", "show", ""]).end().failed(125);
        assert!(said.contains("the digest is empty"), "{said}");
    });
}

#[test]
fn without_a_place_for_a_store_nothing_is_kept() {
    as_each_user(|bench| {
        let recipe = format!("sandbox({ROOT}).run(\"sh -c ':'\");");
        bench.recipe(&recipe).end().succeeded();
        bench.recipe(&recipe).env("HOME", "/proc/none").end().succeeded();
        let said = bench.nsscript(&["store", "list"]).end().failed(125);
        assert!(said.contains("no directory for the store"), "{said}");
    });
}

#[test]
fn a_full_disk_leaves_no_half_of_a_root() {
    as_each_user(|bench| {
        if !may_mount() {
            return;
        }
        let directory = bench.directory("cache");
        let setup = format!(
            "mount -t tmpfs -o size=1M,mode=1777 tmpfs {}; trap 'ls {0}/nsscript/layers >&2' EXIT",
            directory.display()
        );
        let recipe = format!("sandbox({ROOT}).run(\"sh -c ':'\");");
        let said = keeping(bench, &["-e", &recipe]).in_world(&setup).end().failed(125);
        assert!(said.contains("no space left on device (ENOSPC)"), "{said}");
        assert!(said.contains("store"), "{said}");
    });
}

#[test]
fn a_root_is_verified_by_its_digest() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let root = {ROOT};
            sandbox(root).run("sh -c ':'");
            sandbox(root.verify(root.digest())).run("sh -c ':'");
            try {{ root.file("/etc/motd", "other").verify(root.digest()); }} catch (error) {{
                print(error.message);
            }}
            root.symlink("sh", "/etc/more").verify(root.digest()).digest();"#
        );
        bench.directory("cache");
        let ended = keeping(bench, &["-e", &recipe]).end();
        assert_eq!(ended.stdout, "the root has a different digest\n");
        let said = ended.failed(125);
        assert!(said.contains("+l 0777 0:0 sh /etc/more\n"), "{said}");
    });
}

#[test]
fn a_layer_takes_the_place_of_what_is_below() {
    as_each_user(|bench| {
        let recipe = r#"
            let base = rootfs().binary("cat").file("/etc/motd", "below\n").file("/etc/issue", "kept\n");
            let root = rootfs().file("/etc/motd", "above\n").overlay_on(base);
            assert_eq(sandbox(root).output("cat /etc/motd /etc/issue").stdout, "above\nkept\n");
            assert_eq(sandbox(base).output("cat /etc/motd").stdout, "below\n");
            assert_eq(root.overlay_on(rootfs()).digest(), root.digest());
            print(root.diff(base).len());
        "#;
        bench.directory("cache");
        let ended = keeping(bench, &["-e", recipe]).end();
        assert_eq!(ended.stderr, "");
        assert_eq!(ended.succeeded(), "2\n");
    });
}

/// An archive with a file and a program, as an expression.
const ARCHIVE: &str = r#"rootfs().tar("root.tar")"#;

/// Makes the archive, and a recipe that uses a root of it and one that is assembled.
fn with_archive(bench: &Bench) {
    bench.directory("cache");
    let recipe = format!("{ROOT}.binary(\"cat\", #{{ into: \"/bin\" }}).pack(\"root.tar\");");
    run(bench, &recipe);
}

/// The only layer of the store that holds `path`.
fn layer_with(bench: &Bench, path: &str) -> PathBuf {
    let layers = bench.path("cache/nsscript/layers");
    let mut found = fs::read_dir(layers).unwrap().map(|entry| entry.unwrap().path());
    found.find(|layer| layer.join("tree").join(path).symlink_metadata().is_ok()).unwrap()
}

#[test]
fn verify_reads_what_is_there_and_has_it_made_again() {
    as_each_user(|bench| {
        with_archive(bench);
        for root in [ROOT, ARCHIVE] {
            let digest = run(bench, &format!("print({root}.digest());"));
            let look = "run([\"sh\", \"-c\", \"read word < /etc/motd; echo $word\"])";
            run(bench, &format!("sandbox({root}).{look};"));
            let motd = layer_with(bench, "etc/motd").join("tree/etc/motd");
            fs::write(&motd, "HELLO\n").unwrap();
            let recipe = format!("sandbox({root}.verify(\"{}\")).{look};", digest.trim());
            let ended = keeping(bench, &["-e", &recipe]).end();
            assert!(ended.stderr.contains("was changed at `/etc/motd`"), "{}", ended.stderr);
            assert!(ended.stderr.contains("nsscript makes it again"), "{}", ended.stderr);
            assert_eq!(ended.succeeded(), "hello\n", "{root}");
            let ended = keeping(bench, &["-e", &recipe]).end();
            assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("hello\n", ""), "{root}");
            run(bench, "print(1)");
            fs::remove_dir_all(bench.path("cache/nsscript")).unwrap();
        }
    });
}

#[test]
fn a_digest_vouches_for_what_is_in_the_store() {
    as_each_user(|bench| {
        with_archive(bench);
        let recipe = format!("print({ARCHIVE}.digest());");
        let digest = run(bench, &recipe);
        let layer = layer_with(bench, "etc/motd");
        for change in ["content", "size", "mode", "more", "gone", "link", "manifest", "facts"] {
            let motd = layer.join("tree/etc/motd");
            match change {
                "content" => fs::write(&motd, "HELLO\n").unwrap(),
                "size" => fs::write(&motd, "").unwrap(),
                "mode" => fs::set_permissions(&motd, fs::Permissions::from_mode(0o600)).unwrap(),
                "more" => fs::write(layer.join("tree/etc/more"), "").unwrap(),
                "gone" => fs::remove_file(&motd).unwrap(),
                "link" => {
                    fs::remove_file(&motd).unwrap();
                    std::os::unix::fs::symlink("/etc/passwd", &motd).unwrap();
                }
                "manifest" => fs::write(layer.join("manifest"), "nsscript tree 1\n").unwrap(),
                _ => fs::write(layer.join("layer.json"), "{").unwrap(),
            }
            let ended = keeping(bench, &["-e", &recipe]).end();
            assert!(ended.stderr.contains("was changed at"), "{change}: {}", ended.stderr);
            assert_eq!(ended.succeeded(), digest, "{change}");
            let ended = keeping(bench, &["-e", &recipe]).end();
            assert_eq!((ended.stdout, ended.stderr.as_str()), (digest.clone(), ""), "{change}");
        }
    });
}

#[test]
fn a_broken_layer_is_named_and_made_again() {
    as_each_user(|bench| {
        with_archive(bench);
        let mut maps = vec![""];
        if bench.user.is_root() {
            maps.push(".map_user(0, 100000, 10).map_group(0, 100000, 10)");
        }
        for (root, maps) in
            [ROOT, ARCHIVE].iter().flat_map(|root| maps.iter().map(move |maps| (root, maps)))
        {
            let recipe = format!("sandbox({root}.file(\"/n\", args[0])){maps}.run(\"sh -c ':'\");");
            for (number, change) in
                ["tree", "program", "loader", "manifest", "facts"].iter().enumerate()
            {
                let words = ["-e", &recipe, &number.to_string()];
                keeping(bench, &words).end().succeeded();
                for layer in names(bench, "layers") {
                    let layer = bench.path("cache/nsscript/layers").join(layer);
                    let places = ["tree/bin/sh", "tree/usr/bin/sh"].map(|place| layer.join(place));
                    let sh = places.iter().find(|sh| sh.symlink_metadata().is_ok());
                    let sh = sh.unwrap_or(&places[0]);
                    let _ = match *change {
                        "tree" => fs::remove_dir_all(layer.join("tree")),
                        "program" => fs::remove_file(sh),
                        "loader" => fs::remove_file(sh).and_then(|()| fs::write(sh, "none")),
                        "manifest" => fs::remove_file(layer.join("manifest")),
                        _ => fs::remove_file(layer.join("layer.json")),
                    };
                }
                let ended = keeping(bench, &words).end();
                let named = ended.stderr.contains("in the store was changed at");
                // A run that finds all layers reads no manifest, and of what is assembled no facts.
                let is_needed = match *change {
                    "manifest" => false,
                    "facts" => root.contains("tar"),
                    _ => true,
                };
                assert!(named || !is_needed, "{root}{maps} {change}: {}", ended.stderr);
                ended.succeeded();
                let ended = keeping(bench, &words).end();
                assert!(ended.stderr.is_empty(), "{root}{maps} {change}: {}", ended.stderr);
                ended.succeeded();
            }
        }
    });
}

#[test]
fn a_kept_layer_that_was_changed_is_an_error_that_names_it() {
    as_each_user(|bench| {
        bench.directory("cache");
        let recipe = format!(
            r#"let guest = sandbox({ROOT}).keep_changes("state");
            guest.run(["sh", "-c", "echo kept > /kept"]);
            let root = guest.commit();
            print(root.digest());
            write_go();
            sandbox(root).run("sh -c ':'");"#
        );
        let recipe = recipe.replace(
            "write_go();",
            "print(\"ready\"); while !exists(\"go\") { sleep(\"10ms\"); } print(root.digest());",
        );
        let mut run = keeping(bench, &["-e", &recipe]).start();
        run.wait_for("ready");
        let kept = layer_with(bench, "kept").join("tree/kept");
        fs::write(&kept, "KEPT\n").unwrap();
        bench.file("go", "");
        let said = run.end().failed(125);
        assert!(said.contains("was changed at `/kept`, and only `commit` could make it"), "{said}");
        assert!(kept.exists(), "it is not removed");
    });
}

#[test]
fn all_of_the_store_is_verified_at_once() {
    as_each_user(|bench| {
        with_archive(bench);
        run(bench, &format!("sandbox({ROOT}).run(\"sh -c ':'\"); print({ARCHIVE}.digest());"));
        let told = keeping(bench, &["store", "verify"]).end().succeeded();
        assert_eq!(told, "2 layers intact, 0 changed\n");
        let motd = layer_with(bench, "bin/cat").join("tree/etc/motd");
        fs::write(&motd, "HELLO\n").unwrap();
        let ended = keeping(bench, &["store", "verify"]).end();
        assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
        let lines: Vec<_> = ended.stdout.lines().collect();
        assert!(
            lines[0].starts_with("sha256:") && lines[0].ends_with("  was changed at `/etc/motd`")
        );
        assert_eq!(lines[1..], ["1 layer intact, 1 changed"]);
        run(bench, &format!("print({ARCHIVE}.digest());"));
        keeping(bench, &["store", "verify"]).end().succeeded();
    });
}

#[test]
fn a_user_namespace_in_another_one_has_the_store_of_its_user() {
    as_each_user(|bench| {
        // There the owner of `/` and of /tmp is one whom nobody knows: the machine's root.
        let nested = r#"exec unshare -Ur unshare -Ur "$@""#;
        let recipe = format!("scratch(); sandbox({ROOT}).run(\"sh -c ':'\"); print(true);");
        let ended = keeping(bench, &["-e", &recipe]).by_shell(nested).end();
        assert_eq!(ended.stderr, "");
        assert_eq!(ended.succeeded(), "true\n");
        assert!(layer_with(bench, "etc/motd").exists());
    });
}
