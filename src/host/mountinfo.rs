//! The mounts that a process sees: proc_pid_mountinfo(5).

use super::procfs::{self, ProcError};
use super::tree::Tree;

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Its number.
    pub id: i64,
    /// The number of the mount that it is on.
    pub parent: i64,
    /// The mounted part of its file system: a path within.
    pub root: String,
    /// Its mount point.
    pub target: String,
    /// Its source: a device, or a name if its file system has none.
    pub source: String,
    /// The type of its file system.
    pub kind: String,
    /// Its own options.
    pub options: String,
    /// The options of its file system.
    pub super_options: String,
    /// Its propagation: `private`, `shared:N`, `slave:N`, `shared:N slave:M`, `unbindable`.
    pub propagation: String,
}

/// The mounts that this process sees, in the kernel's order.
///
/// # Errors
/// /proc is not mounted.
pub fn read(tree: &Tree) -> Result<Vec<Mount>, ProcError> {
    Ok(parse(&procfs::text(tree, "/proc/self/mountinfo")?))
}

/// Whether the root of this process is the first mount of its namespace. That one is mounted on
/// nothing, so it is its own parent. On most machines it is rootfs, which lies beneath the root.
#[must_use]
pub fn root_is_on_nothing(tree: &Tree) -> bool {
    let mounts = read(tree).unwrap_or_default();
    mounts.iter().any(|mount| mount.target == "/" && mount.parent == mount.id)
}

/// Parses a mountinfo file.
#[must_use]
pub fn parse(text: &str) -> Vec<Mount> {
    text.lines().filter_map(mount).collect()
}

fn mount(line: &str) -> Option<Mount> {
    // A source may be empty, so that two blanks follow each other.
    let mut fields = line.split(' ');
    let (id, parent) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let root = unescaped(fields.nth(1)?);
    let (target, options) = (unescaped(fields.next()?), fields.next()?.to_owned());
    let mut propagation = Vec::new();
    for field in fields.by_ref().take_while(|field| *field != "-") {
        match field.split_once(':') {
            Some(("shared", _)) | None => propagation.push(field.to_owned()),
            Some(("master", peers)) => propagation.push(format!("slave:{peers}")),
            Some(_) => {}
        }
    }
    let propagation =
        if propagation.is_empty() { "private".to_owned() } else { propagation.join(" ") };
    let (kind, source) = (unescaped(fields.next()?), unescaped(fields.next()?));
    let super_options = unescaped(fields.next()?);
    Some(Mount { id, parent, root, target, source, kind, options, super_options, propagation })
}

/// Decodes a text in which the kernel has escaped some bytes as `\040`.
fn unescaped(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let digits =
            after.get(..3).filter(|digits| digits.iter().all(|it| (b'0'..=b'7').contains(it)));
        match digits {
            Some(digits) if *first == b'\\' => {
                out.push(digits.iter().fold(0_u8, |byte, digit| byte << 3 | (digit - b'0')));
                rest = &after[3..];
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{parse, unescaped};

    const TEXT: &str = r"22 1 253:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro
30 22 0:25 / /proc rw,nosuid shared:5 master:2 - proc proc rw
31 22 0:26 / /a\040b\134c rw - tmpfs no\011name rw,size=64k
32 22 0:27 /sub /mnt rw master:7 propagate_from:3 - tmpfs  rw
33 22 0:4 net:[4026532240] /run/netns/blue rw unbindable - nsfs nsfs rw
nothing of a mount
";

    #[test]
    fn every_field_is_where_it_belongs() {
        let mounts = parse(TEXT);
        assert_eq!(mounts.len(), 5);
        let first = &mounts[0];
        assert_eq!((first.id, first.parent), (22, 1));
        assert_eq!((first.root.as_str(), first.target.as_str()), ("/", "/"));
        assert_eq!((first.kind.as_str(), first.source.as_str()), ("ext4", "/dev/vda"));
        assert_eq!(first.options, "rw,relatime");
        assert_eq!(first.super_options, "rw,errors=remount-ro");
        assert_eq!((mounts[3].source.as_str(), mounts[3].root.as_str()), ("", "/sub"));
        assert_eq!(mounts[4].root, "net:[4026532240]");
    }

    #[test]
    fn propagation_is_told_in_words() {
        let told: Vec<_> = parse(TEXT).into_iter().map(|mount| mount.propagation).collect();
        assert_eq!(told, ["shared:1", "shared:5 slave:2", "private", "slave:7", "unbindable"]);
    }

    #[test]
    fn bytes_that_the_kernel_escapes_are_as_they_were() {
        let mount = &parse(TEXT)[2];
        assert_eq!((mount.target.as_str(), mount.source.as_str()), ("/a b\\c", "no\tname"));
        assert_eq!(unescaped(r"\043\"), "#\\");
        assert_eq!(unescaped(r"ä\12"), r"ä\12");
    }
}
