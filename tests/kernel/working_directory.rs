//! Where relative paths of a recipe begin: beside it, until it goes to another directory.

use crate::support::as_each_user;

#[test]
fn relative_paths_begin_at_the_recipe_until_it_goes_elsewhere() {
    as_each_user(|bench| {
        bench.file("recipes/note", "beside");
        bench.file(
            "recipes/moved.rhai",
            r#"
            let there = scratch();
            mkdir(`${there}/in`);
            write_file(`${there}/in/note`, "there");
            assert_eq(read_file("note"), "beside");
            let inside = within(UTS, || { chdir(`${there}/in`); read_file("./note") });
            assert_eq([inside, read_file("note")], ["there", "beside"]);
            chdir(`${there}/in`);
            assert_eq([read_file("note"), read_file("../in/note")], ["there", "there"]);
            chdir("..");
            mkdir("made");
            assert(exists("in/note") && exists("made") && !exists("note"));
            mount("in", "made", #{ bind: true });
            assert_eq(read_file(`${there}/made/note`), "there");
            assert_eq(cwd(), there);
            // A dry run has made no directory.
            let guest = sandbox("/").read_only_root().tmpfs("/mnt");
            let guest = guest.bind("in", "/mnt/in", #{ optional: true });
            assert_eq(guest.output("cat /mnt/in/note").stdout, "there");
            chroot(".");
            assert_eq(read_file("/made/note"), "there");"#,
        );
        bench.nsscript(&["recipes/moved.rhai"]).end().succeeded();
        bench.nsscript(&["plan", "recipes/moved.rhai"]).end().succeeded();
    });
}

#[test]
fn a_root_is_left_behind_by_two_dots() {
    as_each_user(|bench| {
        let recipe = r#"
            let root = scratch();
            mkdir(`${root}/made`);
            mount(root, root, #{ bind: true, recursive: true });
            chdir(root);
            pivot_root(".", ".");
            umount(".", #{ lazy: true });
            chdir("/");
            print([cwd(), exists("made"), exists("/etc")]);"#;
        let printed = bench.recipe(recipe).end().succeeded();
        assert_eq!(printed, "[\"/\", true, false]\n");
    });
}

#[test]
fn a_working_directory_out_of_reach_is_called_so() {
    as_each_user(|bench| {
        let recipe = r#"
            mkdir(`${scratch()}/jail`);
            chdir(scratch());
            chroot("jail");
            print(cwd().starts_with("(unreachable)/"));
            chdir("..");
            chdir("/");
            print(cwd());"#;
        assert_eq!(bench.recipe(recipe).end().succeeded(), "true\n/\n");
    });
}
