//! The dependencies that a Cargo.toml names, read with just enough of TOML.

/// A dependency that a manifest names.
#[derive(Debug, PartialEq)]
pub struct Dependency {
    pub section: String,
    pub name: String,
    pub line: usize,
    /// Whether a comment stands directly above.
    pub commented: bool,
}

/// The dependencies in the text of a Cargo.toml.
pub fn named_in(manifest: &str) -> Vec<Dependency> {
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

#[test]
fn manifests_are_understood() {
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
    let found: Vec<_> = named_in(&manifest.join("\n"))
        .into_iter()
        .map(|found| (found.name, found.line, found.commented))
        .collect();
    let expected = [("a", 5, true), ("b", 6, false), ("d", 10, false), ("e", 12, true)];
    assert_eq!(found, expected.map(|(name, line, commented)| (name.to_owned(), line, commented)));
}
