//! User and group id maps: user_namespaces(7).

use std::fmt;

use super::value_error::ValueError;

/// A user or group: by number, or by its name in the root's passwd or group file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    /// By number.
    Number(u32),
    /// By name.
    Name(String),
    /// That of the caller.
    Caller,
}

impl Id {
    /// The word for the caller's id.
    pub const CALLER: &'static str = "caller";

    /// The id with this name, or that of the caller.
    #[must_use]
    pub fn named(name: &str) -> Self {
        if name == Self::CALLER { Self::Caller } else { Self::Name(name.to_owned()) }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(out, "{number}"),
            Self::Name(name) => write!(out, "{name}"),
            Self::Caller => out.write_str(Self::CALLER),
        }
    }
}

/// A range of `count` ids that begins at `inside` in the sandbox and at `outside` on the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdRange {
    /// The first id as the sandbox sees it.
    pub inside: u32,
    /// The first id as the caller of nsscript sees it.
    pub outside: u32,
    /// The number of ids, at least 1.
    pub count: u32,
}

impl IdRange {
    /// A range of ids.
    ///
    /// # Errors
    /// The count is 0, or the range exceeds 4294967294 (4294967295 means "no id").
    pub fn new(inside: i64, outside: i64, count: i64) -> Result<Self, ValueError> {
        let wrong = |what: String| Err(ValueError::new(what));
        for (name, id) in [("inside", inside), ("outside", outside)] {
            if !(0..i64::from(u32::MAX)).contains(&id) {
                return wrong(format!("`{name}` is {id}; ids range from 0 to {}", u32::MAX - 1));
            }
        }
        if count < 1 {
            return wrong(format!("`count` is {count}; a map needs at least 1 id"));
        }
        let narrow = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        if inside.max(outside).saturating_add(count) > i64::from(u32::MAX) {
            return wrong(format!(
                "{count} ids from {} exceed {}",
                inside.max(outside),
                u32::MAX - 1
            ));
        }
        Ok(Self { inside: narrow(inside), outside: narrow(outside), count: narrow(count) })
    }

    /// One id.
    #[must_use]
    pub fn single(inside: u32, outside: u32) -> Self {
        Self { inside, outside, count: 1 }
    }

    fn overlap(first: u32, count: u32, other: u32, others: u32) -> bool {
        u64::from(first) < u64::from(other) + u64::from(others)
            && u64::from(other) < u64::from(first) + u64::from(count)
    }
}

impl fmt::Display for IdRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = |first: u32| u64::from(first) + u64::from(self.count) - 1;
        if self.count == 1 {
            return write!(formatter, "{} → {}", self.inside, self.outside);
        }
        let (inside, outside) = (self.inside, self.outside);
        write!(formatter, "{inside}–{} → {outside}–{}", last(inside), last(outside))
    }
}

/// The request to map all ids that the caller may map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllIds {
    /// Whether the caller's own id is enough, if there are no others.
    pub optional: bool,
}

impl fmt::Display for AllIds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.optional { ", if there are any" } else { "" })
    }
}

/// A whole map: ranges that do not overlap on either side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct IdMap {
    /// The ranges in the order of the recipe.
    pub ranges: Vec<IdRange>,
}

impl IdMap {
    /// A map of one id.
    #[must_use]
    pub fn single(inside: u32, outside: u32) -> Self {
        Self { ranges: vec![IdRange::single(inside, outside)] }
    }

    /// A pair of overlapping ranges, and the side: in the sandbox or outside; `None` in a valid map.
    #[must_use]
    pub fn overlap(&self) -> Option<(usize, usize, &'static str)> {
        for (index, second) in self.ranges.iter().enumerate() {
            for (before, first) in self.ranges[..index].iter().enumerate() {
                if IdRange::overlap(first.inside, first.count, second.inside, second.count) {
                    return Some((before, index, "inside"));
                }
                if IdRange::overlap(first.outside, first.count, second.outside, second.count) {
                    return Some((before, index, "outside"));
                }
            }
        }
        None
    }

    /// The id outside for an id inside.
    #[must_use]
    pub fn outside(&self, inside: u32) -> Option<u32> {
        self.ranges.iter().find_map(|range| {
            let offset = inside.checked_sub(range.inside).filter(|offset| *offset < range.count)?;
            range.outside.checked_add(offset)
        })
    }

    /// The id inside for an id outside.
    #[must_use]
    pub fn inside(&self, outside: u32) -> Option<u32> {
        self.ranges.iter().find_map(|range| {
            let offset =
                outside.checked_sub(range.outside).filter(|offset| *offset < range.count)?;
            range.inside.checked_add(offset)
        })
    }

    /// Whether every mapped id has the same number inside and outside.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.ranges.iter().all(|range| range.inside == range.outside)
    }

    /// The only range, if it maps one id and the map has no others.
    #[must_use]
    pub fn one(&self) -> Option<IdRange> {
        self.ranges.first().copied().filter(|range| self.ranges.len() == 1 && range.count == 1)
    }

    /// The first and last id inside of the widest span that the kernel accepts as a range of groups:
    /// both ends mapped, and in order outside, too. Of several, one with the id `held` inside.
    #[must_use]
    pub fn widest_span(&self, held: u32) -> Option<(u32, u32)> {
        // The kernel reads the numbers of ip_ping_group_range as signed.
        const LAST: u32 = i32::MAX.unsigned_abs();
        let held = self.outside(held);
        let end = |range: &IdRange| {
            let more = LAST.checked_sub(range.inside)?.min(range.count.saturating_sub(1));
            Some((range.inside + more, range.outside.saturating_add(more)))
        };
        let starts = self.ranges.iter().map(|range| (range.inside, range.outside));
        let spans = starts.flat_map(|start| {
            let ends = self.ranges.iter().filter_map(end);
            ends.filter(move |end| start.0 <= end.0 && start.1 <= end.1)
                .map(move |end| (start, end))
        });
        let width = |(start, end): &((u32, u32), (u32, u32))| {
            (held.is_some_and(|held| (start.1..=end.1).contains(&held)), end.1 - start.1)
        };
        spans.max_by_key(width).map(|(start, end)| (start.0, end.0))
    }

    /// The map in the kernel's format: a line `inside outside count` per range.
    #[must_use]
    pub fn kernel_text(&self) -> String {
        let line =
            |range: &IdRange| format!("{} {} {}\n", range.inside, range.outside, range.count);
        self.ranges.iter().map(line).collect()
    }
}

impl fmt::Display for IdMap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges: Vec<_> = self.ranges.iter().map(ToString::to_string).collect();
        formatter.write_str(&ranges.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::{IdMap, IdRange};

    #[test]
    fn ranges_are_bounded() {
        assert!(IdRange::new(0, 100_000, 65_536).is_ok());
        assert!(IdRange::new(0, 4_294_967_294, 1).is_ok());
        for (inside, outside, count) in
            [(-1, 0, 1), (0, 4_294_967_295, 1), (0, 0, 0), (0, 4_294_967_294, 2), (0, 0, i64::MAX)]
        {
            assert!(IdRange::new(inside, outside, count).is_err(), "{inside} {outside} {count}");
        }
    }

    #[test]
    fn a_map_translates_and_knows_its_overlaps() {
        let ranges = vec![IdRange::single(0, 1000), IdRange::new(1, 100_000, 65_535).unwrap()];
        let mut map = IdMap { ranges };
        assert_eq!(map.outside(0), Some(1000));
        assert_eq!(map.outside(2), Some(100_001));
        assert_eq!(map.outside(65_536), None);
        assert_eq!(map.inside(100_000), Some(1));
        assert_eq!(map.overlap(), None);
        assert_eq!(map.widest_span(0), Some((0, 65_535)));
        map.ranges.push(IdRange::single(7, 5));
        assert_eq!(map.overlap(), Some((1, 2, "inside")));
        assert_eq!(map.kernel_text().lines().count(), 3);
    }

    #[test]
    fn the_widest_span_is_in_order_on_both_sides() {
        let whole = IdMap { ranges: vec![IdRange::new(0, 0, 4_294_967_295).unwrap()] };
        assert_eq!(whole.widest_span(0), Some((0, 2_147_483_647)));
        assert_eq!(IdMap::single(1000, 65_534).widest_span(1000), Some((1000, 1000)));
        // Outside, user 0 comes after the others.
        let ranges = vec![IdRange::single(0, 9), IdRange::new(1, 1, 2).unwrap()];
        let crossed = IdMap { ranges };
        assert_eq!(crossed.widest_span(0), Some((0, 0)));
        assert_eq!(crossed.widest_span(2), Some((1, 2)));
        let high = IdMap::single(4_294_967_294, 0);
        assert_eq!(high.widest_span(0), None);
        assert_eq!(IdMap::default().widest_span(0), None);
    }
}
