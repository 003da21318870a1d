//! Tests: paths to directories are trusted only if nobody else can change them.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// A directory of this test's own.
fn place(name: &str) -> PathBuf {
    let place = std::env::temp_dir().join(format!("nsscript-held-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&place);
    std::fs::create_dir_all(place.join("a/b")).unwrap();
    place.canonicalize().unwrap()
}

#[test]
fn what_is_held_stays_though_its_path_leads_elsewhere() {
    let place = place("stays");
    std::fs::write(place.join("a/b/file"), "first").unwrap();
    let held = Held::open_itself(&place.join("a/b")).unwrap();
    std::fs::rename(place.join("a/b"), place.join("moved")).unwrap();
    std::fs::create_dir(place.join("a/b")).unwrap();
    std::fs::write(place.join("a/b/file"), "second").unwrap();
    assert_eq!(std::fs::read_to_string(held.join("file")).unwrap(), "first");
    assert_eq!(shown(&held.join("file")), place.join("a/b/file"));
    let below = held.make("below", 0o700).unwrap();
    assert!(place.join("moved/below").is_dir());
    assert_eq!(shown(&below.join("x")), place.join("a/b/below/x"));
    let path = held.join("file");
    drop((below, held));
    assert_eq!(shown(&path), path);
    std::fs::remove_dir_all(place).unwrap();
}

#[test]
fn a_way_that_others_can_change_is_told() {
    let place = place("way");
    let walk = |path: &str| Held::walk(&place.join(path), &place.join("a")).map(drop);
    assert_eq!(walk("a/b"), Ok(()));
    assert_eq!(walk("a/new/er"), Ok(()));
    assert_eq!(place.join("a/new").metadata().unwrap().mode() & 0o777, 0o700);
    let missing = Errno::new(libc::ENOENT);
    assert_eq!(walk("none/x"), Err(WalkError::Call(place.join("none"), missing)));
    std::fs::set_permissions(place.join("a"), PermissionsExt::from_mode(0o777)).unwrap();
    let writable = || Err(WalkError::Distrust(Distrust::Writable(place.join("a"))));
    assert_eq!(walk("a/b"), writable());
    symlink("a/b", place.join("link")).unwrap();
    assert_eq!(walk("link"), writable());
    std::fs::set_permissions(place.join("a"), PermissionsExt::from_mode(0o1777)).unwrap();
    assert_eq!(walk("link"), Ok(()));
    symlink("loop", place.join("loop")).unwrap();
    let many = Errno::new(libc::ELOOP);
    assert_eq!(walk("loop/x"), Err(WalkError::Call(place.join("loop"), many)));
    std::fs::remove_dir_all(place).unwrap();
}

#[test]
fn an_access_control_list_lets_others_write() {
    let place = place("acl");
    let directory = place.join("c");
    std::fs::create_dir(&directory).unwrap();
    // Version 2: the owner, user 12345, the group, the mask and others, each with its rights.
    let entries: [(u16, u16, u32); 5] =
        [(1, 7, u32::MAX), (2, 7, 12345), (4, 5, u32::MAX), (16, 7, u32::MAX), (32, 0, u32::MAX)];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        list.extend(tag.to_le_bytes().into_iter().chain(rights.to_le_bytes()));
        list.extend(id.to_le_bytes());
    }
    let path = CString::new(directory.as_os_str().as_bytes()).unwrap();
    // SAFETY: two texts with a NUL at their ends, and a buffer with its length.
    let set = unsafe {
        libc::setxattr(path.as_ptr(), xattr::ACL.as_ptr(), list.as_ptr().cast(), list.len(), 0)
    };
    // Not every file system has lists.
    if set == 0 {
        let mode = std::fs::metadata(&directory).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o770);
        let found = Held::walk(&directory, &directory).unwrap_err();
        assert_eq!(found, WalkError::Distrust(Distrust::Writable(directory)));
    }
    std::fs::remove_dir_all(&place).unwrap();
}

#[test]
fn what_a_link_says_is_not_made() {
    let place = place("dangling");
    symlink(place.join("gone"), place.join("link")).unwrap();
    let path = place.join("link/below");
    assert!(matches!(Held::walk(&path, &place), Err(WalkError::Call(_, Errno::MISSING))));
    assert!(!place.join("gone").exists());
    std::fs::remove_dir_all(&place).unwrap();
}
