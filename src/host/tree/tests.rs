//! What trees answer.

use super::*;
use crate::host::fixture::Fixture;

fn resolved(tree: &Tree, path: &str) -> io::Result<(String, Vec<(String, String)>)> {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let found = tree.resolve(Path::new(path))?;
    let links = found.links.iter().map(|link| (text(&link.path), text(&link.target)));
    Ok((text(&found.path), links.collect()))
}

#[test]
fn links_lead_to_places_beneath_the_root_and_are_reported() {
    let made = Fixture::new("tree-links");
    made.file("usr/lib/libc-2.36.so", b"x");
    made.link("usr/lib", "lib");
    made.link("libc-2.36.so", "usr/lib/libc.so.6");
    made.link("/lib", "abs");
    made.link("../../../../usr", "up");
    let tree = made.tree();
    let link = |path: &str, target: &str| (path.to_owned(), target.to_owned());
    assert_eq!(
        resolved(&tree, "/abs/libc.so.6").unwrap(),
        (
            "/usr/lib/libc-2.36.so".to_owned(),
            vec![
                link("/abs", "/lib"),
                link("/lib", "usr/lib"),
                link("/usr/lib/libc.so.6", "libc-2.36.so")
            ]
        )
    );
    assert_eq!(resolved(&tree, "up/../../usr").unwrap().0, "/usr");
    assert_eq!(resolved(&tree, "/").unwrap().0, "/");
    assert_eq!(tree.read(Path::new("/abs/libc.so.6")).unwrap(), b"x");
    assert!(tree.symlink_metadata(Path::new("/lib")).unwrap().is_symlink());
    assert!(tree.symlink_metadata(Path::new("/lib/")).unwrap().is_dir());
    assert!(!tree.exists(Path::new("/etc/passwd")));
    assert_eq!(tree.real(Path::new("/../../usr/../lib")), made.path("lib"));
}

#[test]
fn errors_are_those_of_the_kernel() {
    let made = Fixture::new("tree-errors");
    made.file("file", b"");
    made.link("b", "a");
    made.link("a", "b");
    let tree = made.tree();
    let error = |path: &str| resolved(&tree, path).unwrap_err();
    assert_eq!(error("/a").raw_os_error(), Some(ELOOP));
    assert_eq!(error("/none").kind(), io::ErrorKind::NotFound);
    assert_eq!(error("").kind(), io::ErrorKind::NotFound);
    for path in ["/file/x", "/file/..", "/file/", "/file/."] {
        assert_eq!(error(path).kind(), io::ErrorKind::NotADirectory, "{path}");
    }
}

#[test]
fn the_host_is_resolved_as_the_kernel_does() {
    for path in ["/bin/sh", "/proc/self/exe", "/usr/bin/../lib", "/lib64"] {
        let ours = Tree::host().resolve(Path::new(path)).unwrap().path;
        assert_eq!(ours, fs::canonicalize(path).unwrap(), "{path}");
    }
}

#[test]
fn of_layers_the_topmost_counts() {
    let (above, below) = (Fixture::new("tree-above"), Fixture::new("tree-below"));
    above.file("etc/motd", b"above");
    above.file("file", b"");
    below.file("etc/motd", b"below");
    below.file("etc/issue", b"below");
    below.link("etc/issue", "link");
    below.file("file/hidden", b"");
    let tree = Tree::layered(vec![above.path(""), below.path("")]);
    assert_eq!(tree.read(Path::new("/etc/motd")).unwrap(), b"above");
    assert_eq!(tree.read(Path::new("/link")).unwrap(), b"below");
    assert_eq!(tree.names(Path::new("/etc")).unwrap(), ["issue", "motd"]);
    assert!(!tree.exists(Path::new("/file/hidden")) && !tree.exists(Path::new("/none")));
}
