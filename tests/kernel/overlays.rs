//! Overlays that a recipe mounts itself.

use crate::support::{Bench, HOST, as_each_user, may_mount};

/// Layers below `scratch()`, and `data` of an overlay of them.
const LAYERS: &str = r#"
    let place = |name| `${scratch()}/${name}`;
    for name in ["lower", "upper", "work", "merged"] { mkdir(place.call(name)); }
    mkdir(place.call("lower/directory"));
    write_file(place.call("lower/directory/file"), "below");
    let data = #{ lower: place.call("lower"), upper: place.call("upper"), work: place.call("work") };
"#;

#[test]
fn a_directory_of_an_overlay_can_be_removed_and_made_again() {
    as_each_user(|bench| {
        let replace = r#"
            mount("overlay", place.call("merged"), #{ type: "overlay", data: data });
            remove(place.call("merged/directory/file"));
            remove(place.call("merged/directory"));
            mkdir(place.call("merged/directory"));
            print(exists(place.call("merged/directory/file")));"#;
        let recipe = format!("{LAYERS}{replace}");
        assert_eq!(bench.recipe(&recipe).end().succeeded(), "false\n");
        let nested = format!(
            r"let ready = `${{scratch()}}/ready`;
            let child = clone(USER | MOUNT, || {{
                wait_until(|| getuid() == 0);
                {LAYERS}{replace}
            }});
            map_ids(child, #{{ users: [[0, 0, 1]], groups: [[0, 0, 1]] }});
            child.value();"
        );
        assert_eq!(bench.recipe(&nested).end().succeeded(), "false\n");
    });
}

#[test]
fn what_goes_against_attributes_of_users_is_left_to_the_kernel() {
    as_each_user(|bench| {
        let options = r#"
            data.userxattr = false;
            mount("overlay", place.call("merged"), #{ type: "overlay", data: data });
            let found = mounts().find(|mount| mount.type == "overlay");
            print(found.super_options.contains("userxattr"));"#;
        let recipe = format!("{LAYERS}{options}");
        assert_eq!(bench.recipe(&recipe).end().succeeded(), "false\n");
    });
}

#[test]
fn directories_of_an_overlay_have_any_name() {
    as_each_user(|bench| {
        let recipe = r#"
            let place = |name| `${scratch()}/${name}`;
            for name in ["a,b", "a:b", "a\\b", "u,:\\u", "w,:\\w", "m,:\\m"] { mkdir(place.call(name)); }
            for name in ["a,b", "a:b", "a\\b"] { write_file(place.call(`${name}/${name}`), ""); }
            mount("overlay", place.call("m,:\\m"), #{ type: "overlay", data: #{
                lower: ["a,b", "a:b", "a\\b"].map(|name| place.call(name)),
                upper: place.call("u,:\\u"),
                work: place.call("w,:\\w"),
            } });
            for name in ["a,b", "a:b", "a\\b"] { assert(exists(place.call(`m,:\m/${name}`)), name); }
            write_file(place.call("m,:\\m/made"), "");
            assert(exists(place.call("u,:\\u/made")));"#;
        bench.recipe(recipe).end().succeeded();
    });
}

/// Two directories with one file in common, for an overlay on `/mnt`.
fn layers(bench: &Bench) {
    bench.file("top/both", "top\n");
    bench.file("below/both", "below\n");
    bench.file("below/only", "only\n");
    for name in ["top", "below", "top/both", "below/both", "below/only"] {
        bench.give(&bench.path(name));
    }
}

#[test]
fn an_overlay_shows_the_topmost_file_and_discards_changes() {
    as_each_user(|bench| {
        layers(bench);
        let guest = format!(r#"{HOST}.overlay("/mnt", #{{ lower: ["top", "below"] }})"#);
        let script = "cd /mnt; cat both only; echo new > both; rm only; mkdir made; ls; cat both
            stat -f -c %T /mnt; awk '$5 ~ \"^/mnt(/[12]|/upper|/work)?$\"' /proc/self/mountinfo | wc -l";
        let seen = bench.seen(&guest, script);
        assert_eq!(seen, "top\nonly\nboth\nmade\nnew\noverlayfs\n1\n");
        assert_eq!(
            [bench.content("top/both"), bench.content("below/only")].concat(),
            "top\nonly\n"
        );
        assert!(!bench.path("top/made").exists() && !bench.path("below/made").exists());
        let again = bench.seen(&guest, "cat /mnt/both; ls /mnt");
        assert_eq!(again, "top\nboth\nonly\n");
    });
}

#[test]
fn an_overlay_keeps_changes_in_the_upper_directory() {
    as_each_user(|bench| {
        layers(bench);
        bench.directory("upper");
        bench.directory("work");
        let guest = format!(
            r#"{HOST}.overlay("/mnt", #{{ lower: ["top", "below"], upper: "upper", work: "work" }})"#
        );
        assert_eq!(
            bench.seen(&guest, "echo new > /mnt/both; echo more > /mnt/more; rm /mnt/only"),
            ""
        );
        assert_eq!(bench.seen(&guest, "cd /mnt; ls; cat both more"), "both\nmore\nnew\nmore\n");
        assert_eq!(
            [bench.content("upper/both"), bench.content("upper/more")].concat(),
            "new\nmore\n"
        );
        assert_eq!(
            [bench.content("top/both"), bench.content("below/only")].concat(),
            "top\nonly\n"
        );
    });
}

#[test]
fn a_read_only_overlay_refuses_changes() {
    as_each_user(|bench| {
        layers(bench);
        for lower in [r#"["top"]"#, r#"["top", "below"]"#] {
            let guest =
                format!(r#"{HOST}.overlay("/mnt", #{{ lower: {lower}, read_only: true }})"#);
            let ended = bench.sh(&guest, "cat /mnt/both; touch /mnt/new");
            assert_eq!(ended.stdout, "top\n");
            assert!(ended.failed(1).contains("Read-only file system"));
        }
    });
}

#[test]
fn names_in_an_overlay_may_have_any_letter() {
    as_each_user(|bench| {
        for name in ["a,b:c", "with \\\\ and \"'"] {
            for part in ["lower", "upper", "work"] {
                bench.directory(&format!("{name}/{part}"));
            }
            bench.file(&format!("{name}/lower/file"), "text\n");
            let words = ["lower", "upper", "work"].map(|part| format!("`{name}/{part}`"));
            let [lower, upper, work] = words;
            let guest = format!(
                r#"{HOST}.overlay("/mnt", #{{ lower: [{lower}, {lower}], upper: {upper}, work: {work} }})"#
            );
            let guest = guest.replacen(&format!("{lower}, {lower}"), &lower, 1);
            assert_eq!(bench.seen(&guest, "cat /mnt/file; echo new > /mnt/file"), "text\n");
            assert_eq!(bench.content(&format!("{name}/upper/file")), "new\n");
        }
    });
}

#[test]
fn links_to_directories_of_an_overlay_are_followed_once() {
    as_each_user(|bench| {
        layers(bench);
        bench.directory("real/upper");
        bench.directory("real/work");
        bench.link("real", "link");
        bench.link("top", "top-link");
        let guest = format!(
            r#"{HOST}.overlay("/mnt", #{{ lower: ["top-link"], upper: "link/upper", work: "link/work" }})"#
        );
        assert_eq!(bench.seen(&guest, "cat /mnt/both; echo new > /mnt/both"), "top\n");
        assert_eq!(bench.content("real/upper/both"), "new\n");
        // Links in the overlay lead to places inside.
        bench.file("secret", "of the host\n");
        bench.link(&bench.text("secret"), "top/leads-out");
        bench.link("../../../../../../../../secret", "top/leads-up");
        let guest =
            r#"sandbox(rootfs().binaries(["sh", "cat"])).overlay("/mnt", #{ lower: ["top"] })"#;
        let ended = bench.sh(guest, "cat /mnt/leads-out /mnt/leads-up; cat /mnt/both");
        assert_eq!(ended.stdout, "top\n", "{}", ended.stderr);
    });
}

#[test]
fn a_directory_of_an_overlay_that_is_exchanged_is_refused() {
    as_each_user(|bench| {
        layers(bench);
        bench.directory("pair/upper");
        bench.directory("pair/work");
        bench.directory("elsewhere");
        for name in ["top", "pair/upper"] {
            // At the first action of the launch, the plan is made.
            let guest = format!(
                r#"{HOST}.overlay("/mnt", #{{ lower: ["top"], upper: "pair/upper", work: "pair/work" }})"#
            );
            let code = format!("{guest}.run([\"sh\", \"-c\", \"echo new > /mnt/new\"]);");
            let mut screen = bench.nsscript(&["run", "--step", "-e", &code]).at_terminal();
            screen.wait_for("step> ");
            let (place, aside) = (bench.path(name), bench.path("aside"));
            std::fs::rename(&place, &aside).unwrap();
            std::os::unix::fs::symlink(bench.path("elsewhere"), &place).unwrap();
            screen.types("c\n");
            let (status, text) = screen.end();
            std::fs::remove_file(&place).unwrap();
            std::fs::rename(&aside, &place).unwrap();
            assert_eq!(status.code(), Some(125), "{name}: {text}");
            assert!(text.contains("cannot mount an overlay"), "{name}: {text}");
            assert_eq!(std::fs::read_dir(bench.path("elsewhere")).unwrap().count(), 0, "{name}");
        }
    });
}

#[test]
fn an_overlay_that_cannot_be_is_told() {
    as_each_user(|bench| {
        layers(bench);
        for name in ["upper", "work", "upper/work"] {
            bench.directory(name);
        }
        for (options, message, hint) in [
            ("", "an overlay needs a lower directory", "add `lower: [\"dir\"]`"),
            ("lower: [\"none\"]", "/none` does not exist", "mkdir -p"),
            ("lower: [\"top/both\"]", "is a file, and an overlay is of directories", ""),
            ("lower: [\"top\"], upper: \"upper\"", "`upper` needs `work`", "an empty directory"),
            (
                "lower: [\"top\"], upper: \"upper\", work: \"upper/work\"",
                "must be separate directories",
                "one is inside the other",
            ),
            (
                "lower: [\"top\"], upper: \"upper\", work: \"/dev/shm\"",
                "are on different file systems",
                "choose a directory for work beside",
            ),
            (
                "lower: [\"top\"], upper: \"upper\", work: \"work\", read_only: true",
                "a read-only overlay has no upper directory",
                "leave out `read_only`",
            ),
        ] {
            let guest = format!(r#"{HOST}.overlay("/mnt", #{{ {options} }})"#);
            let said = bench.sh(&guest, "true").failed(125);
            assert!(said.contains(message) && said.contains(hint), "{said}");
        }
        if !may_mount() {
            return;
        }
        // An overlay cannot hold the changes of another one.
        let setup = "mkdir o
            mount -t tmpfs -o mode=777 none o && mkdir o/l o/u o/w o/m && chmod 777 o/*
            mount -t overlay -o lowerdir=o/l,upperdir=o/u,workdir=o/w,userxattr o o/m
            mkdir o/m/upper o/m/work && chmod 777 o/m/upper o/m/work";
        let guest = format!(
            r#"{HOST}.overlay("/mnt", #{{ lower: ["top"], upper: "o/m/upper", work: "o/m/work" }})"#
        );
        let said = bench.script(&guest, "true").in_world(setup).end().failed(125);
        assert!(said.contains("is on overlay, which cannot hold the changes"), "{said}");
    });
}
