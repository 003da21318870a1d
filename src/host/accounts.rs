//! Names of users and groups, and their subordinate ids: passwd(5), group(5), subuid(5).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::tree::Tree;

/// The hint for installing newuidmap(1) and newgidmap(1).
pub const HELPERS: &str = "install the package `uidmap` (Debian, Ubuntu) or `shadow-utils`";

/// The hint for assigning subordinate ids to a user: usermod(8).
#[must_use]
pub fn giving(tree: &Tree, uid: u32) -> String {
    let first = first_free(tree);
    let range = format!("{first}-{}", first + (COUNT - 1));
    let name = user_name(tree, uid).unwrap_or_else(|| uid.to_string());
    let name = crate::diag::escape(&name);
    format!("root can add some: `usermod --add-subuids {range} --add-subgids {range} {name}`")
}

/// The number of subordinate ids that a user gets, and the first of them: useradd(8).
const COUNT: u32 = 65_536;
const FIRST: u32 = 100_000;

/// The largest file that is searched for a free range, in bytes.
const LARGEST: u64 = 1 << 20;

/// The first of ids that neither file assigns to anybody, so that users and groups can have the
/// same numbers.
fn first_free(tree: &Tree) -> u32 {
    let is_small = |file: &&str| {
        tree.metadata(Path::new(file)).is_ok_and(|found| found.is_file() && found.len() <= LARGEST)
    };
    let files = ["/etc/subuid", "/etc/subgid"].into_iter().filter(is_small);
    let ranges = files.flat_map(|file| all_subordinate(tree, file));
    let mut taken: Vec<(u32, u32)> = ranges.filter(|(_, count)| *count > 0).collect();
    taken.sort_unstable();
    let mut first = FIRST;
    for (begin, count) in taken {
        let is_before = u64::from(first) + u64::from(COUNT) <= u64::from(begin);
        if is_before {
            break;
        }
        first = first.max(begin.saturating_add(count));
    }
    // The last number is no id, and a file can assign all others.
    if first <= u32::MAX - COUNT { first } else { FIRST }
}

/// The number that `name` has in a file of lines `name:…:number:…`: passwd or group.
///
/// # Errors
/// The file cannot be read. If it is missing, there is no number.
pub fn number(tree: &Tree, file: &str, name: &str) -> io::Result<Option<u32>> {
    match tree.read(Path::new(file)) {
        Ok(text) => Ok(number_in(&String::from_utf8_lossy(&text), name)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same in a text.
#[must_use]
pub fn number_in(text: &str, name: &str) -> Option<u32> {
    let line = |line: &str| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    };
    text.lines().find_map(line)
}

/// The name of the user `uid`.
#[must_use]
pub fn user_name(tree: &Tree, uid: u32) -> Option<String> {
    let text = tree.read(Path::new("/etc/passwd")).ok()?;
    let text = String::from_utf8_lossy(&text);
    let line = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse::<u32>().ok()? == uid).then(|| name.to_owned())
    };
    text.lines().find_map(line)
}

/// The home of the user `uid`.
#[must_use]
pub fn home(tree: &Tree, uid: u32) -> Option<PathBuf> {
    let text = tree.read(Path::new("/etc/passwd")).ok()?;
    let text = String::from_utf8_lossy(&text);
    let line = |line: &str| {
        let mut fields = line.split(':').skip(2);
        (fields.next()?.parse::<u32>().ok()? == uid).then(|| fields.nth(2).map(PathBuf::from))?
    };
    text.lines().find_map(line)
}

/// The names of all users. If several have the same number, the first one counts.
#[must_use]
pub fn user_names(tree: &Tree) -> BTreeMap<u32, String> {
    let text = tree.read(Path::new("/etc/passwd")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut names = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        let (name, uid) = (fields.next(), fields.nth(1).and_then(|uid| uid.parse().ok()));
        if let (Some(name), Some(uid)) = (name, uid) {
            names.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    names
}

/// The ranges `(first, count)` that `file` (`/etc/subuid` or `/etc/subgid`) assigns to user `uid`.
#[must_use]
pub fn subordinate(tree: &Tree, file: &str, uid: u32) -> Vec<(u32, u32)> {
    let path = Path::new(file);
    let text = match tree.read(path) {
        Ok(text) => text,
        Err(error) => {
            // Everybody may read it: if this process may not, what it says is not known.
            if error.kind() == std::io::ErrorKind::PermissionDenied {
                tree.forbidden(path);
            }
            return Vec::new();
        }
    };
    let (name, number) = (user_name(tree, uid), uid.to_string());
    let text = String::from_utf8_lossy(&text);
    let line = |line: &str| {
        let mut fields = line.trim().split(':');
        let who = fields.next()?;
        let range = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (who == number || Some(who) == name.as_deref()).then_some(range)
    };
    text.lines().filter_map(line).collect()
}

/// The ranges `(first, count)` that `file` assigns to anybody.
#[must_use]
pub fn all_subordinate(tree: &Tree, file: &str) -> Vec<(u32, u32)> {
    let text = tree.read(Path::new(file)).unwrap_or_default();
    let line = |line: &str| {
        let mut fields = line.trim().split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    String::from_utf8_lossy(&text).lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::{all_subordinate, giving, home, number_in, subordinate, user_names};
    use crate::host::fixture::Fixture;

    #[test]
    fn names_and_ranges_are_found() {
        assert_eq!(number_in("root:x:0:0::/:\nal:x:7:8::/:\n", "al"), Some(7));
        assert_eq!(number_in("root:x:0:\n", "al"), None);
        let host = Fixture::new("accounts");
        host.file("etc/passwd", b"al:x:7:8::/srv/al:/bin/sh\n");
        assert_eq!(home(&host.tree(), 7), Some("/srv/al".into()));
        assert_eq!(home(&host.tree(), 8), None);
        assert_eq!(user_names(&host.tree()).into_iter().collect::<Vec<_>>(), [(7, "al".into())]);
        host.file("etc/subuid", b"# none\nal:100000:65536\n7:300000:10\nbo:1:1\nbad:x:y\n");
        assert_eq!(subordinate(&host.tree(), "/etc/subuid", 7), [(100_000, 65_536), (300_000, 10)]);
        assert_eq!(subordinate(&host.tree(), "/etc/subgid", 7), []);
        let all = [(100_000, 65_536), (300_000, 10), (1, 1)];
        assert_eq!(all_subordinate(&host.tree(), "/etc/subuid"), all);
    }

    #[test]
    fn the_first_range_that_nobody_has_is_advised() {
        // The lines of both files, and the first id.
        let cases: [(&str, &str, u32); 13] = [
            ("", "", 100_000),
            ("al:100000:65536\n", "al:100000:65536\n", 165_536),
            // Users and groups get the same numbers.
            ("al:100000:65536\n", "", 165_536),
            ("", "al:100000:1\n", 100_001),
            ("al:165536:65536\n", "bo:100000:65536\n", 231_072),
            // A range that overlaps, one that is too small between two, and one that is free.
            ("al:90000:20000\nbo:150000:100\n", "", 150_100),
            ("al:90000:10000\nbo:165536:9\n", "", 100_000),
            ("al:0:4294967295\n", "", 100_000),
            ("al:100000:4294967295\n", "bo:4294967295:4294967295\n", 100_000),
            ("al:1:100000000\n", "bo:100000001:4194861759\n", 4_294_861_760),
            // Lines that say nothing.
            ("# none\nal:100000\nal:x:y\nal:-1:5\nal:100000:0\n::\n", "\0\u{fffd}", 100_000),
            ("al:99999999999999999999:1\nal:100000:99999999999\n", "", 100_000),
            ("bo:300000:65536\nal:100000:65536\nal:165536:65536\n", "", 231_072),
        ];
        for (users, groups, first) in cases {
            let host = Fixture::new("accounts-free");
            host.file("etc/passwd", b"al:x:7:8::/srv/al:/bin/sh\n");
            host.file("etc/subuid", users.as_bytes());
            host.file("etc/subgid", groups.as_bytes());
            let range = format!("{first}-{}", first + 65_535);
            let wanted = format!(
                "root can add some: `usermod --add-subuids {range} --add-subgids {range} al`"
            );
            assert_eq!(giving(&host.tree(), 7), wanted, "{users}{groups}");
        }
        // Without the files, and with one that is too large to be one.
        let host = Fixture::new("accounts-free");
        assert!(giving(&host.tree(), 7).contains(" 100000-165535 "));
        host.file("etc/subuid", &b"al:100000:65536\n".repeat(70_000));
        assert!(giving(&host.tree(), 7).contains(" 100000-165535 "));
    }
}
