//! Gives scripts of a program the verbs of recipes: `cargo run --example embed_rhai`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use nsscript::SandboxPackage;
use nsscript::rhai::Engine;

const SCRIPT: &str = r#"
    let base = sandbox("/").env("LANG", "C");
    let results = [];
    for test in tests {
        let exit = base.sh(test, #{ check: false });
        results.push(`${test}: ${exit}`);
    }
    results
"#;

fn main() {
    let package = SandboxPackage::new();
    let mut engine = Engine::new();
    package.register_into_engine(&mut engine);
    // The program has its own functions and values beside the verbs.
    let mut scope = nsscript::rhai::Scope::new();
    let tests: nsscript::rhai::Array =
        ["touch /tmp/x", "touch /etc/x 2> /dev/null", "kill -9 $$"].map(Into::into).to_vec();
    scope.push("tests", tests);
    match engine.eval_with_scope::<nsscript::rhai::Array>(&mut scope, SCRIPT) {
        Ok(results) => results.iter().for_each(|result| println!("{result}")),
        Err(error) => {
            eprintln!("{:#}", package.error(*error));
            std::process::exit(125);
        }
    }
}
