//! Places that others can write to, names, and recipes themselves.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use super::Canary;
use crate::support::{HOST, TREE, User, as_each_user, missing};

#[test]
fn directories_named_like_ours_that_are_not_ours_are_left_alone() {
    as_each_user(|bench| {
        let canary = Canary::new(bench);
        let shared = bench.temporary();
        fs::set_permissions(&shared, Permissions::from_mode(0o1777)).unwrap();
        let prefix = format!("nsscript-{}-", bench.user.uid);
        let places = ["", "0", "0000000000000000", "../work/host"]
            .map(|name| shared.join(format!("{prefix}{name}")));
        let [directory, link, full, _] = &places;
        fs::create_dir(directory).unwrap();
        symlink(bench.path("host"), link).unwrap();
        fs::create_dir(full).unwrap();
        fs::write(full.join("file"), "").unwrap();
        if User::this().is_root() {
            let other = if bench.user.is_root() { 65534 } else { 0 };
            for place in [directory, full] {
                chown(place, Some(other), Some(other)).unwrap();
            }
        } else {
            missing("root, to make directories of others");
            fs::remove_dir(directory).unwrap();
            fs::remove_dir_all(full).unwrap();
        }
        let before = bench.left();
        for round in 0..2 {
            let ended = bench.script(TREE, "true").may_leave_files().end();
            canary.holds(&format!("round {round}"), &ended);
            ended.succeeded();
            assert_eq!(bench.left(), before);
        }
    });
}

#[test]
fn what_a_directory_of_ours_links_to_is_not_swept() {
    as_each_user(|bench| {
        let canary = Canary::new(bench);
        let left = bench.temporary().join(format!("nsscript-{}-0123456789abcdef", bench.user.uid));
        fs::create_dir_all(left.join("root-0/shut")).unwrap();
        symlink(bench.path("host"), left.join("root-0/all")).unwrap();
        symlink(bench.path("host/secret"), left.join("root-0/shut/one")).unwrap();
        for place in ["root-0/shut", "root-0", ""] {
            bench.give(&left.join(place));
        }
        fs::set_permissions(left.join("root-0/shut"), Permissions::from_mode(0o500)).unwrap();
        let ended = bench.sh(TREE, "true");
        canary.holds("sweeping", &ended);
        ended.succeeded();
        assert!(!left.exists());
    });
}

#[test]
fn names_that_are_paths_are_refused() {
    as_each_user(|bench| {
        let long = "x".repeat(300);
        for name in ["../x", "a/b", "", ".", "..", &long] {
            let recipe =
                format!(r#"print(rootfs().binary("sh", #{{ applets: ["{name}"] }}).size());"#);
            let said = bench.recipe(&recipe).end().failed(125);
            assert!(said.contains("invalid file name"), "{name}: {said}");
        }
        for path in ["/../x", "/a/../../x", "x", "", &format!("/{long}")] {
            for verb in ["tmpfs", "directory", "mask", "workdir"] {
                let said = bench.sh(&format!(r#"{HOST}.{verb}("{path}")"#), "true").failed(125);
                assert!(said.starts_with("error: "), "{verb} {path}: {said}");
            }
        }
        let said = bench.sh(&format!(r#"{HOST}.hostname("{long}")"#), "true").failed(125);
        assert!(said.contains("longer than 64 bytes"), "{said}");
    });
}

#[test]
fn a_recipe_that_others_can_write_to_is_not_run_as_root() {
    as_each_user(|bench| {
        bench.file("one.rhai", "print(1);");
        bench.link("one.rhai", "link.rhai");
        bench.mode("one.rhai", 0o646);
        for name in ["one.rhai", "link.rhai"] {
            let ended = bench.nsscript(&[name]).end();
            if bench.user.is_root() {
                let said = ended.failed(125);
                assert!(said.contains("is writable by every user"), "{said}");
            } else {
                assert_eq!(ended.succeeded(), "1\n");
            }
            assert_eq!(bench.nsscript(&["--trust-recipe", name]).end().succeeded(), "1\n");
        }
    });
}

#[test]
fn a_module_that_others_can_write_to_is_not_run_as_root() {
    as_each_user(|bench| {
        bench.file("part.rhai", "print(\"from the module\");");
        bench.file("one.rhai", "import \"part\" as part;");
        assert_eq!(bench.nsscript(&["one.rhai"]).end().succeeded(), "from the module\n");
        bench.mode("part.rhai", 0o646);
        let ended = bench.nsscript(&["one.rhai"]).end();
        if bench.user.is_root() {
            assert_eq!(ended.stdout, "", "the module was run");
            let said = ended.failed(125);
            assert!(said.contains("part.rhai"), "{said}");
        } else {
            assert_eq!(ended.succeeded(), "from the module\n");
        }
        let trusted = bench.nsscript(&["--trust-recipe", "one.rhai"]).end();
        assert_eq!(trusted.succeeded(), "from the module\n");
    });
}

#[test]
fn a_recipe_cannot_use_up_memory_or_stack() {
    as_each_user(|bench| {
        let deep = format!("print({}1{});", "(".repeat(100_000), ")".repeat(100_000));
        for recipe in [
            "fn f(x) { f(x + 1) } f(0)",
            "fn f(x) { g(x + 1) } fn g(x) { f(x) } f(0)",
            "let f = |x| 0; f = |x| f.call(x); f.call(1)",
            "let s = \"x\"; loop { s += s; }",
            "let s = \"\"; s.pad(1 << 31, \"x\");",
            "let a = [0]; loop { a += a; }",
            "let a = []; a.pad(1 << 40, 0);",
            "let b = blob(1 << 40, 0);",
            &deep,
        ] {
            // An address space in which the limits of the language come first.
            let launch = bench.nsscript(&["-"]).input(recipe.as_bytes());
            let ended = launch.by_shell(r#"ulimit -v 3000000; exec "$@""#).end();
            let recipe = &recipe[..recipe.len().min(60)];
            assert_eq!(
                ended.status.code(),
                Some(125),
                "{recipe}: {:?} {}",
                ended.status,
                ended.stderr
            );
            assert!(ended.stderr.starts_with("error: "), "{recipe}: {}", ended.stderr);
        }
    });
}
