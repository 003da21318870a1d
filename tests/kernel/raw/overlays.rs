//! Overlays: layers, changes, and names that mount(2) would take for something else.

use super::{printed, tries};
use crate::support::as_each_user;

#[test]
fn layers_lie_on_each_other_and_changes_go_to_the_upper_one() {
    as_each_user(|bench| {
        let recipe = r#"let p = scratch();
            for name in ["low", "high", "upper", "work", "merged"] { mkdir(`${p}/${name}`); }
            write_file(`${p}/low/both`, "low"); write_file(`${p}/high/both`, "high");
            write_file(`${p}/low/one`, "one"); write_file(`${p}/low/gone`, "gone");
            mount("x", `${p}/merged`, #{ type: "overlay", data: #{ lower: [`${p}/high`, `${p}/low`],
                upper: `${p}/upper`, work: `${p}/work` } });
            assert_eq(read_file(`${p}/merged/both`), "high");
            write_file(`${p}/merged/one`, "changed");
            remove(`${p}/merged/gone`);
            mkdir(`${p}/merged/made`);
            assert_eq(read_file(`${p}/low/one`), "one");
            assert_eq(read_file(`${p}/upper/one`), "changed");
            assert(exists(`${p}/low/gone`) && !exists(`${p}/merged/gone`));
            assert(exists(`${p}/upper/made`));
            umount(`${p}/merged`);
            mount("x", `${p}/merged`, #{ type: "overlay", data: #{ lowerdir: [`${p}/high`, `${p}/low`] } });
            assert(exists(`${p}/merged/gone`));
            let told = "";
            try { write_file(`${p}/merged/one`, "x"); } catch (e) { told = e.message; }
            assert(told.ends_with("(EROFS)"));
            print("done");"#;
        assert_eq!(printed(bench, recipe), "done\n");
    });
}

#[test]
fn names_may_have_what_separates_options() {
    as_each_user(|bench| {
        let told = tries(
            bench,
            r#"let p = scratch();
            mkdir(`${p}/merged`);
            fn overlay(name) {
                let p = scratch();
                for kind in ["low", "top", "upper", "work"] { mkdir(`${p}/${kind}${name}`); }
                write_file(`${p}/low${name}/file`, "low");
                write_file(`${p}/top${name}/other`, "top");
                mount("x", `${p}/merged`, #{ type: "overlay", data: #{
                    lower: [`${p}/top${name}`, `${p}/low${name}`],
                    upper: `${p}/upper${name}`, work: `${p}/work${name}` } });
                write_file(`${p}/merged/changed`, "x");
                let seen = [read_file(`${p}/merged/file`), read_file(`${p}/merged/other`),
                    exists(`${p}/upper${name}/changed`)];
                umount(`${p}/merged`);
                seen
            }
            for name in ["plain", " a b", "a:b", "a,b", "a\\b", ":,\\", "\\:", "\\,", "=", "a=b,c=d",
                "ü✓", "'\"$"] {
                t("name", || overlay(name));
            }"#,
        );
        let all_seen = told.lines().all(|line| line == "name: [\"low\", \"top\", true]");
        assert!(all_seen && told.lines().count() == 12, "{told}");
    });
}
