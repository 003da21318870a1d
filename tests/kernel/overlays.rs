//! Overlays that a recipe mounts itself.

use crate::support::as_each_user;

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
