//! Just enough of TOML, of Cargo.lock and of licence expressions to hold the dependencies to
//! deny.toml.

use std::env;
use std::iter::Peekable;
use std::path::Path;
use std::process::Command;
use std::str::SplitWhitespace;

/// A dependency that a manifest names.
#[derive(Debug, PartialEq)]
pub struct Dependency {
    pub section: String,
    pub name: String,
    pub line: usize,
    /// Whether a comment stands directly above.
    pub commented: bool,
}

/// The dependencies that a Cargo.toml names.
pub fn direct_dependencies(manifest: &str) -> Vec<Dependency> {
    let mut found = Vec::new();
    let (mut section, mut above, mut depth) = (String::new(), "", 0_usize);
    for (number, line) in (1..).zip(manifest.lines()) {
        let commented = above.starts_with('#');
        above = line;
        if line.starts_with('#') {
            continue;
        }
        let mut note = |section: &str, name: &str| {
            let (section, name) = (section.to_owned(), name.trim().to_owned());
            found.push(Dependency { section, name, line: number, commented });
        };
        if let Some(header) = line.strip_prefix('[') {
            header.trim_end_matches(']').clone_into(&mut section);
            if let Some((before, name)) = section.rsplit_once('.')
                && before.ends_with("dependencies")
            {
                note(before, name);
            }
            continue;
        }
        // In a list that goes on over several lines no name stands at the start of a line.
        if depth == 0
            && section.ends_with("dependencies")
            && let Some((name, _)) = line.split_once(['=', '.'])
        {
            note(&section, name);
        }
        let count = |signs: [char; 2]| line.matches(signs).count();
        depth = (depth + count(['[', '{'])).saturating_sub(count([']', '}']));
    }
    found
}

/// The entries of a list in deny.toml, which are written one a line.
///
/// # Panics
/// There is no such list, or nothing in it: a policy that cannot be read must not be kept.
pub fn list<'a>(policy: &'a str, section: &str, key: &str) -> Vec<&'a str> {
    let header = format!("[{section}]");
    let inside = policy.lines().skip_while(|line| *line != header).skip(1);
    let inside = inside.take_while(|line| !line.starts_with('['));
    let list = inside.skip_while(|line| *line != format!("{key} = [")).skip(1);
    let list = list.take_while(|line| *line != "]").map(str::trim);
    let list: Vec<_> = list.filter(|line| !line.starts_with('#')).collect();
    assert!(!list.is_empty(), "deny.toml: no list `{key}`, one entry a line, in [{section}]");
    list
}

/// The first string of `line` behind `mark`.
///
/// # Panics
/// There is none.
pub fn string_behind<'a>(line: &'a str, mark: &str) -> &'a str {
    let behind = line.split_once(mark).and_then(|(_, rest)| rest.split('"').nth(1));
    behind.unwrap_or_else(|| panic!("deny.toml: no string behind `{mark}` in: {line}"))
}

/// Whether a package is the one that an entry of the policy means: `name`, or `name:<1.2`.
pub fn is_meant(entry: &str, name: &str, version: &str) -> bool {
    let number = |version: &str| {
        let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0_u64), parts.next().unwrap_or(0_u64))
    };
    match entry.split_once(":<") {
        Some((meant, limit)) => meant == name && number(version) < number(limit),
        None => entry == name,
    }
}

/// Whether licences that are allowed satisfy an expression. What is no expression is satisfied by
/// none.
pub fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    // A slash is how `OR` was once written.
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    any_of(&mut words, allowed) == Some(true) && words.next().is_none()
}

type Words<'a> = Peekable<SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut answer = all_of(words, allowed)?;
    while words.next_if_eq(&"OR").is_some() {
        answer |= all_of(words, allowed)?;
    }
    Some(answer)
}

fn all_of(words: &mut Words<'_>, allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut answer = one_licence(words, allowed)?;
    while words.next_if_eq(&"AND").is_some() {
        answer &= one_licence(words, allowed)?;
    }
    Some(answer)
}

fn one_licence(words: &mut Words<'_>, allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let name = words.next()?;
    if name == "(" {
        let answer = any_of(words, allowed)?;
        return words.next_if_eq(&")").map(|_| answer);
    }
    // `MPL-2.0+` is that version or a later one: whoever takes that version satisfies it.
    let name = name.trim_end_matches('+');
    if words.next_if_eq(&"WITH").is_some() {
        return Some(allowed(&format!("{name} WITH {}", words.next()?)));
    }
    Some(allowed(name))
}

/// The packages that the project below `root` is built from on this kind of machine, as cargo
/// describes them.
///
/// # Errors
/// Cargo's words for why it cannot, such as that the registry was not fetched.
pub fn packages(root: &Path) -> Result<Vec<serde_json::Value>, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version=1", "--locked", "--offline"]);
    command.arg("--filter-platform=host-tuple").current_dir(root);
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let mut metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    match metadata["packages"].take() {
        serde_json::Value::Array(packages) if !packages.is_empty() => Ok(packages),
        other => Err(format!("cargo metadata named no packages: {other}")),
    }
}

/// A package of Cargo.lock, which names those for other systems too.
#[derive(Default)]
pub struct Locked<'a> {
    pub name: &'a str,
    pub version: &'a str,
    /// None for a directory of this machine.
    pub source: Option<&'a str>,
    pub line: usize,
}

/// The packages of a Cargo.lock.
pub fn locked(lock: &str) -> Vec<Locked<'_>> {
    let mut packages: Vec<Locked<'_>> = Vec::new();
    for (line, content) in (1..).zip(lock.lines()) {
        let Some((key, value)) = content.split_once(" = ") else { continue };
        let value = value.trim_matches('"');
        match (key, packages.last_mut()) {
            ("name", _) => packages.push(Locked { name: value, line, ..Locked::default() }),
            ("version", Some(package)) => package.version = value,
            ("source", Some(package)) => package.source = Some(value),
            _ => {}
        }
    }
    packages
}

#[test]
fn licence_expressions_are_understood() {
    let allowed =
        |name: &str| ["MIT", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"].contains(&name);
    for fine in
        ["MIT", "GPL-3.0/MIT", "(MIT OR X) AND Unicode-3.0", "X OR Apache-2.0 WITH LLVM-exception"]
    {
        assert!(satisfied(fine, &allowed), "{fine}");
    }
    for not in ["", "X", "MIT AND X", "Apache-2.0", "MIT OR (X", "MIT OR", "MIT WITH X", "MIT MIT"]
    {
        assert!(!satisfied(not, &allowed), "{not}");
    }
}

#[test]
fn manifests_and_lists_are_understood() {
    let manifest = [
        "[package]",
        "name = 'x'",
        "[dependencies]",
        "# Why.",
        "a = \"1\"",
        "b = { features = [",
        "  \"c = d\",",
        "] }",
        "[target.'cfg(unix)'.dev-dependencies]",
        "d.version = \"1\"",
        "# Why.",
        "[dependencies.e]",
        "version = \"1\"",
    ];
    let found: Vec<_> = direct_dependencies(&manifest.join("\n"))
        .into_iter()
        .map(|found| (found.name, found.line, found.commented))
        .collect();
    let expected = [("a", 5, true), ("b", 6, false), ("d", 10, false), ("e", 12, true)];
    assert_eq!(found, expected.map(|(name, line, commented)| (name.to_owned(), line, commented)));

    let policy = "[a]\nallow = [\n\"no\",\n]\n[b]\nallow = [\n  # Why.\n  \"yes\",\n]\n";
    assert_eq!(list(policy, "b", "allow"), ["\"yes\","]);
    assert!(is_meant("time:<0.2", "time", "0.1.45") && !is_meant("time:<0.2", "time", "0.3.1"));
    assert!(is_meant("tokio", "tokio", "1.0.0") && !is_meant("tokio", "tokio-util", "1.0.0"));
}
