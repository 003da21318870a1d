//! `/etc/ld.so.cache`, which `ldconfig(8)` writes and the loader of the GNU C library reads.
//!
//! A table of entries sorted by name, strings behind it, and at the end extensions, of which one
//! lists the `glibc-hwcaps` levels. Old files begin with a table of another format; the new one,
//! the only one read here, then follows it.

use std::cmp::Ordering;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";
const HEADER: usize = 48;
const ENTRY: usize = 24;
const OLD_HEADER: usize = 16;
const OLD_ENTRY: usize = 12;

/// Begins the extensions: the sections that follow the strings.
const EXTENSION_MAGIC: u32 = 0xeaa4_2174;
/// The extension that lists the levels.
const LEVELS_SECTION: u32 = 1;
/// Set, alone among the upper bits but for those of the instruction set's level, in entries
/// whose lower half counts into the list of levels.
const HAS_LEVEL: u32 = 1 << 30;
const INSTRUCTION_SET: u32 = 0x3ff;

/// A library that fits every machine, as in older files.
const ANY_ELF: u32 = 1;

/// The cache: its bytes, and the places of its tables. Reading it is safe, whatever the bytes.
#[derive(Debug)]
pub(super) struct Cache {
    /// From the header of the new format on.
    bytes: Vec<u8>,
    little: bool,
    count: usize,
    /// The offsets of the level names, in the order in which entries count them.
    levels: Vec<usize>,
}

impl Cache {
    /// Parses the content of the file; `None` if its format is unknown.
    pub fn parse(mut bytes: Vec<u8>) -> Option<Self> {
        if bytes.starts_with(OLD_MAGIC) {
            bytes.drain(..end_of_old(&bytes)?);
        }
        if !bytes.starts_with(MAGIC) || bytes.len() < HEADER {
            return None;
        }
        let fits = |little| {
            let count = usize::try_from(number(&bytes, 20, little)?).ok()?;
            (count <= (bytes.len() - HEADER) / ENTRY).then_some(count)
        };
        // The byte order is told by files of glibc 2.33 and later; else the one that fits is it.
        let little = match bytes[28] & 3 {
            2 => true,
            3 => false,
            _ => fits(true).is_some(),
        };
        let count = fits(little)?;
        let mut cache = Self { bytes, little, count, levels: Vec::new() };
        cache.levels = cache.level_names().unwrap_or_default();
        Some(cache)
    }

    /// The file for the library `name` whose entry has `flags`.
    ///
    /// If it exists in several levels, the best one in `supported`, which lists the best first,
    /// wins.
    pub fn find<'a>(
        &self,
        name: &[u8],
        flags: u32,
        supported: impl Fn() -> &'a [&'static str],
    ) -> Option<PathBuf> {
        let mut best: Option<(usize, usize)> = None;
        for index in self.entries(name) {
            let entry = HEADER + index * ENTRY;
            let entry_flags = self.number(entry)?;
            if entry_flags != flags && entry_flags != ANY_ELF {
                continue;
            }
            // An entry without a level is worse than any with one.
            let Some(rank) = self.rank(entry, &supported) else {
                continue;
            };
            let value = self.offset(entry + 8)?;
            if best.is_none_or(|(least, _)| rank < least) {
                best = Some((rank, value));
            }
        }
        let path = self.string(best?.1)?;
        Some(PathBuf::from(OsString::from_vec(path.to_vec())))
    }

    /// The entries of `name`, found by binary search, as in the loader.
    fn entries(&self, name: &[u8]) -> impl Iterator<Item = usize> {
        let compared = |index: usize| {
            let key = self.offset(HEADER + index * ENTRY + 4).and_then(|key| self.string(key));
            key.map_or(Ordering::Greater, |key| compare(name, key))
        };
        // The table descends: what is greater than `name` stands before it.
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if compared(middle) == Ordering::Less {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low..self.count).take_while(move |index| compared(*index) == Ordering::Equal)
    }

    /// The rank of an entry, 0 being the best; `None` if this machine cannot use it.
    fn rank<'a>(&self, entry: usize, supported: impl Fn() -> &'a [&'static str]) -> Option<usize> {
        let (lower, upper) = if self.little { (16, 20) } else { (20, 16) };
        let (level, kind) = (self.number(entry + lower)?, self.number(entry + upper)?);
        if (level, kind) == (0, 0) {
            return Some(usize::MAX);
        }
        // Other bits mark the directories of before glibc-hwcaps, which loaders no longer search.
        if kind & !INSTRUCTION_SET != HAS_LEVEL {
            return None;
        }
        let name = self.string(*self.levels.get(usize::try_from(level).ok()?)?)?;
        supported().iter().position(|level| level.as_bytes() == name)
    }

    fn level_names(&self) -> Option<Vec<usize>> {
        let start = self.offset(32).filter(|start| *start != 0)?;
        if self.number(start)? != EXTENSION_MAGIC {
            return None;
        }
        let sections = self.offset(start + 4)?.min(self.bytes.len());
        for section in (0..sections).map(|index| start + 8 + index * 16) {
            if self.number(section)? == LEVELS_SECTION {
                let (names, size) = (self.offset(section + 8)?, self.offset(section + 12)?);
                let end = names.checked_add(size).filter(|end| *end <= self.bytes.len())?;
                return (names..end).step_by(4).map(|name| self.offset(name)).collect();
            }
        }
        None
    }

    fn number(&self, at: usize) -> Option<u32> {
        number(&self.bytes, at, self.little)
    }

    /// An offset in the file, read from the file.
    fn offset(&self, at: usize) -> Option<usize> {
        usize::try_from(self.number(at)?).ok()
    }

    fn string(&self, at: usize) -> Option<&[u8]> {
        let from = self.bytes.get(at..)?;
        Some(&from[..from.iter().position(|byte| *byte == 0)?])
    }
}

/// The offset of the new format in a file that begins with the old one.
fn end_of_old(bytes: &[u8]) -> Option<usize> {
    [true, false].into_iter().find_map(|little| {
        let count = usize::try_from(number(bytes, 12, little)?).ok()?;
        let end = count.checked_mul(OLD_ENTRY)?.checked_add(OLD_HEADER)?;
        // It is aligned as its 64-bit fields are, which i386 aligns to 4.
        let starts = [end.next_multiple_of(8), end.next_multiple_of(4)];
        starts.into_iter().find(|start| bytes.get(*start..).is_some_and(|b| b.starts_with(MAGIC)))
    })
}

fn number(bytes: &[u8], at: usize, little: bool) -> Option<u32> {
    let read = *bytes.get(at..)?.first_chunk()?;
    Some(if little { u32::from_le_bytes(read) } else { u32::from_be_bytes(read) })
}

/// The order of names in the cache: numbers within them count as numbers.
fn compare(mut one: &[u8], mut other: &[u8]) -> Ordering {
    loop {
        match (one, other) {
            ([b'0'..=b'9', ..], [b'0'..=b'9', ..]) => {
                match leading_number(&mut one).cmp(&leading_number(&mut other)) {
                    Ordering::Equal => {}
                    unequal => return unequal,
                }
            }
            // A digit comes after all else, the end of the name too.
            ([b'0'..=b'9', ..], _) => return Ordering::Greater,
            ([_, ..], [b'0'..=b'9', ..]) => return Ordering::Less,
            ([a, rest @ ..], [b, other_rest @ ..]) if a == b => {
                (one, other) = (rest, other_rest);
            }
            _ => return one.first().cmp(&other.first()),
        }
    }
}

/// Takes the leading digits of `text` as a number. Versions have few digits; more wrap around.
fn leading_number(text: &mut &[u8]) -> u32 {
    let mut value = 0_u32;
    while let [digit @ b'0'..=b'9', rest @ ..] = *text {
        value = value.wrapping_mul(10).wrapping_add(u32::from(digit - b'0'));
        *text = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVELS: [&str; 2] = ["x86-64-v3", "x86-64-v2"];

    /// A cache with these entries, in the order of the file: name, flags, level, path.
    fn sample(little: bool, entries: &[(&str, u32, Option<u32>, &str)]) -> Vec<u8> {
        let number = |value: u32| {
            if little { value.to_le_bytes() } else { value.to_be_bytes() }
        };
        let mut strings = Vec::new();
        let start = HEADER + entries.len() * ENTRY;
        let mut string = |text: &str| {
            let at = u32::try_from(start + strings.len()).unwrap();
            strings.extend_from_slice(text.as_bytes());
            strings.push(0);
            at
        };
        let mut table = Vec::new();
        for (name, flags, level, path) in entries {
            let upper = if level.is_some() { HAS_LEVEL } else { 0 };
            let lower = level.unwrap_or(0);
            let halves = if little { [lower, upper] } else { [upper, lower] };
            for value in [*flags, string(name), string(path), 0, halves[0], halves[1]] {
                table.extend(number(value));
            }
        }
        let names = LEVELS.map(&mut string);
        strings.resize(strings.len().next_multiple_of(4), 0);
        let extension = start + strings.len();
        let mut bytes = MAGIC.to_vec();
        let count = u32::try_from(entries.len()).unwrap();
        bytes.extend([number(count), number(u32::try_from(strings.len()).unwrap())].concat());
        bytes.extend([if little { 2 } else { 3 }, 0, 0, 0]);
        bytes.extend(number(u32::try_from(extension).unwrap()));
        bytes.resize(HEADER, 0);
        bytes.extend(table);
        bytes.extend(strings);
        let section = [EXTENSION_MAGIC, 1, LEVELS_SECTION, 0, 0, 8];
        bytes.extend(section.into_iter().flat_map(number));
        let at = bytes.len();
        bytes[at - 8..at - 4].copy_from_slice(&number(u32::try_from(at).unwrap()));
        bytes.extend(names.into_iter().flat_map(number));
        bytes
    }

    fn entries() -> Vec<(&'static str, u32, Option<u32>, &'static str)> {
        vec![
            ("libz.so.10", 0x303, None, "/z10"),
            ("libz.so.2", 0x303, None, "/z2"),
            ("libm.so.6", 0x303, Some(1), "/v2/m"),
            ("libm.so.6", 0x303, Some(0), "/v3/m"),
            ("libm.so.6", 0x303, None, "/m"),
            ("libm.so.6", 0x003, None, "/m32"),
            ("liba.so", 0x303, None, "/a"),
        ]
    }

    #[test]
    fn names_are_found_for_the_right_machine_and_level() {
        for little in [true, false] {
            let cache = Cache::parse(sample(little, &entries())).unwrap();
            let find = |name: &str, flags, levels: &'static [&'static str]| {
                let path = cache.find(name.as_bytes(), flags, || levels)?;
                Some(path.into_os_string().into_string().unwrap())
            };
            let some = |path: &str| Some(path.to_owned());
            for (name, _, _, path) in entries().iter().filter(|entry| entry.0 != "libm.so.6") {
                assert_eq!(find(name, 0x303, &[]), some(path), "{name}");
            }
            assert_eq!(find("libm.so.6", 0x303, &[]), some("/m"));
            assert_eq!(find("libm.so.6", 0x303, &["x86-64-v2"]), some("/v2/m"));
            assert_eq!(find("libm.so.6", 0x303, &["x86-64-v3", "x86-64-v2"]), some("/v3/m"));
            assert_eq!(find("libm.so.6", 0x003, &["x86-64-v3"]), some("/m32"));
            assert_eq!(find("libm.so.6", 0xa03, &[]), None);
            assert_eq!(find("libm.so", 0x303, &[]), None);
        }
    }

    #[test]
    fn the_new_format_is_found_behind_the_old() {
        let new = sample(true, &entries());
        let mut both = OLD_MAGIC.to_vec();
        both.resize(12, 0);
        both.extend(1_u32.to_le_bytes());
        both.resize(OLD_HEADER + OLD_ENTRY, 0);
        both.resize(both.len().next_multiple_of(8), 0);
        both.extend(new);
        let cache = Cache::parse(both).unwrap();
        assert_eq!(cache.find(b"liba.so", 0x303, || &[]), Some("/a".into()));
    }

    #[test]
    fn numbers_in_names_are_compared_as_numbers() {
        for (one, other, expected) in [
            ("libz.so.10", "libz.so.2", Ordering::Greater),
            ("libz.so", "libz.so.2", Ordering::Less),
            ("lib1", "liba", Ordering::Greater),
            ("liba", "lib1", Ordering::Less),
            ("lib1", "lib", Ordering::Greater),
            ("lib01", "lib1", Ordering::Equal),
        ] {
            assert_eq!(compare(one.as_bytes(), other.as_bytes()), expected, "{one} {other}");
        }
    }

    #[test]
    fn no_bytes_are_too_wrong() {
        let ask = |bytes: Vec<u8>| {
            if let Some(cache) = Cache::parse(bytes) {
                let _ = cache.find(b"libm.so.6", 0x303, || &["x86-64-v3"]);
                let _ = cache.find(b"libzz.so", 0x303, || &[]);
            }
        };
        let whole = sample(true, &entries());
        for length in 0..whole.len() {
            ask(whole[..length].to_vec());
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x40, 0x7f, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                ask(damaged);
            }
        }
        if let Ok(real) = std::fs::read("/etc/ld.so.cache") {
            for at in (0..real.len()).step_by(97) {
                ask(real[..at].to_vec());
                let mut damaged = real.clone();
                damaged[at] = !damaged[at];
                ask(damaged);
            }
        }
        assert!(Cache::parse(b"ld.so-1.7.0".to_vec()).is_none());
        assert!(Cache::parse(b"junk".to_vec()).is_none());
    }
}
