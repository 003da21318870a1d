//! `import`: recipes beside the one that imports, and the library that nsscript carries.

use super::nsscript::{Ran, Scratch, nsscript, prints, run};

fn run_in(scratch: &Scratch, recipe: &str) -> Ran {
    let path = scratch.path().join(recipe);
    Ran::of(nsscript(&[path.to_str().unwrap()]).current_dir("/"))
}

#[test]
fn a_module_is_looked_for_beside_the_file_that_imports_it() {
    let scratch = Scratch::new();
    scratch.file("deep/inner.rhai", "fn name() { \"inner\" }");
    scratch.file("deep/outer.rhai", "import \"inner\" as inner;\nfn name() { inner::name() }");
    scratch.file("inner.rhai", "fn name() { \"not this one\" }");
    scratch.file("recipe.rhai", "import \"deep/outer\" as outer;\nprint(outer::name());");
    assert_eq!(run_in(&scratch, "recipe.rhai").printed(), "inner\n");
}

#[test]
fn a_module_may_be_named_with_its_suffix_and_by_absolute_path() {
    let scratch = Scratch::new();
    let module = scratch.file("lib.rhai", "fn one() { 1 }");
    scratch.file("with_suffix.rhai", "import \"lib.rhai\" as lib;\nprint(lib::one());");
    let code = format!("import \"{}\" as lib;\nprint(lib::one());", module.display());
    scratch.file("absolute.rhai", code);
    assert_eq!(run_in(&scratch, "with_suffix.rhai").printed(), "1\n");
    assert_eq!(run_in(&scratch, "absolute.rhai").printed(), "1\n");
}

#[test]
fn a_module_is_run_once_and_keeps_its_names_to_itself() {
    let scratch = Scratch::new();
    scratch.file(
        "lib.rhai",
        "print(\"read\");\nlet hidden = 1;\nexport const SHOWN = 2;\nfn f() { 3 }",
    );
    scratch.file("other.rhai", "import \"lib\" as lib;\nfn g() { lib::f() }");
    let code = "import \"lib\" as lib;\nimport \"lib\" as again;\nimport \"other\" as other;\n\
                print([lib::SHOWN, again::f(), other::g(), is_def_var(\"hidden\")]);";
    scratch.file("recipe.rhai", code);
    assert_eq!(run_in(&scratch, "recipe.rhai").printed(), "read\n[2, 3, 3, false]\n");
}

#[test]
fn a_module_does_not_see_the_variables_of_who_imports_it() {
    let scratch = Scratch::new();
    scratch.file("lib.rhai", "print(is_def_var(\"secret\"));");
    scratch.file("recipe.rhai", "let secret = 1;\nimport \"lib\" as lib;");
    assert_eq!(run_in(&scratch, "recipe.rhai").printed(), "false\n");
}

#[test]
fn a_module_has_the_constants_and_verbs_of_every_recipe() {
    let scratch = Scratch::new();
    let module = "fn quiet() { sandbox(\"/\").read_only_root().share(NET) }\n\
                  fn kinds() { ALL - NET }";
    scratch.file("lib.rhai", module);
    let code = "import \"lib\" as lib;\nlib::quiet().run(\"echo hello\");\nprint((lib::kinds() | NET) == ALL);";
    scratch.file("recipe.rhai", code);
    assert_eq!(run_in(&scratch, "recipe.rhai").printed(), "hello\ntrue\n");
}

#[test]
fn closures_go_into_functions_of_modules() {
    let scratch = Scratch::new();
    scratch.file(
        "lib.rhai",
        "fn each(values, action) { for value in values { action.call(value); } }",
    );
    scratch.file("recipe.rhai", "import \"lib\" as lib;\nlib::each([1, 2], |value| print(value));");
    assert_eq!(run_in(&scratch, "recipe.rhai").printed(), "1\n2\n");
}

#[test]
fn relative_paths_in_a_module_begin_at_the_directory_of_the_recipe() {
    let scratch = Scratch::new();
    scratch.file("lib/data.rhai", "fn there() { exists(\"greeting\") }");
    scratch.file("greeting", "hello");
    scratch.file("recipe.rhai", "import \"lib/data\" as data;\nprint(data::there());");
    assert_eq!(run_in(&scratch, "recipe.rhai").printed(), "true\n");
}

#[test]
fn the_library_is_carried_in_the_program() {
    let code = r#"
        import "std/roots" as roots;
        print(sandbox(roots::userland(["sh", "no-such-program"])).output("sh -c 'echo hello'"));
    "#;
    prints(code, "hello\n");
}

#[test]
fn a_module_may_be_imported_within_a_function() {
    let code = r#"
        fn root() {
            import "std/roots" as roots;
            roots::userland(["sh"])
        }
        sandbox(root()).run("sh -c 'echo hello'");
    "#;
    prints(code, "hello\n");
}

#[test]
fn a_module_is_told_from_the_current_directory_on_the_command_line() {
    let scratch = Scratch::new();
    scratch.file("lib.rhai", "fn one() { 1 }");
    let code = "import \"lib\" as lib; print(lib::one());";
    let ran = Ran::of(nsscript(&["-e", code]).current_dir(scratch.path()));
    assert_eq!(ran.printed(), "1\n");
    assert!(run(code).said(125).contains("cannot read the module"));
}
