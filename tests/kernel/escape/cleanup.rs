//! What a SIGKILL at any moment leaves: nothing that runs, nothing mounted, and on disk nothing
//! that the next run does not sweep.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::{Bench, HOST, TREE, as_each_user};

/// Kills runs of a recipe at moments spread over the time that it takes.
fn kill_everywhere(bench: &Bench, recipe: &str, times: u32) {
    let run = || bench.recipe(recipe).may_leave_files();
    run().end().succeeded();
    let begun = Instant::now();
    run().end().succeeded();
    let took = begun.elapsed();
    for moment in 0..times {
        let running = run().start();
        std::thread::sleep(took * moment / times);
        running.signal(Signal::SIGKILL);
        // Mounts and processes are looked at at the end of every run.
        running.end();
    }
    assert!(took < Duration::from_secs(5), "{took:?}");
    run().end().succeeded();
    assert_eq!(bench.left(), Vec::<std::path::PathBuf>::new(), "the next run sweeps what is left");
}

#[test]
fn a_kill_while_a_root_is_built_and_entered() {
    as_each_user(|bench| {
        kill_everywhere(bench, &format!(r#"{TREE}.hostname("box").run("true");"#), 30);
    });
}

#[test]
fn a_kill_while_programs_are_started_and_joined() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"let guest = {HOST}.tmpfs("/tmp");
            let first = guest.start("sleep 60");
            let second = guest.pid1().start("cat", #{{ pipes: true }});
            first.run("true");
            second.write("line\n");
            second.read_line();
            guest.output("cat", #{{ stdin: "text" }});"#
        );
        kill_everywhere(bench, &recipe, 20);
    });
}

#[test]
fn a_kill_while_ids_are_mapped() {
    as_each_user(|bench| {
        if !bench.user.is_root() {
            return;
        }
        let map =
            "map_user(0, 0).map_user(1, 100000, 65536).map_group(0, 0).map_group(1, 100000, 65536)";
        kill_everywhere(bench, &format!(r#"{TREE}.{map}.run("true");"#), 15);
    });
}

#[test]
fn what_is_mounted_in_the_scratch_directory_keeps_its_files() {
    as_each_user(|bench| {
        let kept = bench.file("kept/below/file", "kept");
        let recipe = r#"
            let place = `${scratch()}/place`;
            mkdir(place, 0o300);
            mount(args[0], place, #{ bind: true });
            mkdir(`${scratch()}/again`);
            mount("/", `${scratch()}/again`, #{ bind: true, recursive: true });
        "#;
        let directory = bench.text("kept");
        bench.nsscript(&["-e", recipe, directory.as_str()]).end().succeeded();
        assert!(kept.is_file());

        // Over the private directory itself, which cannot be removed then.
        let recipe = "mount(args[0], `${scratch()}/..`, #{ bind: true });";
        let over = bench.nsscript(&["-e", recipe, directory.as_str()]);
        over.may_leave_files().end().succeeded();
        assert!(kept.is_file());
        bench.recipe("scratch();").end().succeeded();
    });
}

#[test]
fn the_scratch_directory_goes_wherever_the_recipe_has_gone() {
    as_each_user(|bench| {
        let pivot = r#"
            mount(scratch(), scratch(), #{ bind: true });
            mkdir(`${scratch()}/old`);
            pivot_root(scratch(), `${scratch()}/old`);
            chdir("/");
            umount("/old", #{ lazy: true });
        "#;
        let copy = "assert_eq(within(UTS, || { write_file(`${scratch()}/file`, \"\"); 1 }), 1);";
        let closed = "mkdir(`${scratch()}/a`); write_file(`${scratch()}/a/b`, \"\"); \
                      mkdir(`${scratch()}/c`, 0);";
        for recipe in ["chroot(scratch());", pivot, copy, closed, "scratch(); assert(false);"] {
            bench.recipe(recipe).end();
            assert_eq!(bench.left(), Vec::<std::path::PathBuf>::new(), "{recipe}");
        }
    });
}
