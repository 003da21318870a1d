//! Levels and names of x86-64 processors: the levels that this machine reaches, see "glibc-hwcaps"
//! in `ld.so(8)`, and its name, the value of `$PLATFORM`.

use std::cell::OnceCell;
use std::fs;

/// The levels, best first, with the flags of `/proc/cpuinfo` that each adds to the one below;
/// from the x86-64 psABI, in the kernel's spelling.
const LEVELS: [(&str, &[&str]); 3] = [
    ("x86-64-v4", &["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]),
    ("x86-64-v3", &["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"]),
    ("x86-64-v2", &["cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"]),
];

/// The GNU C library's names for Intel processors, best first, with the flags that each needs; from
/// its `cpu_features.c`. Other processors have the kernel's names.
pub(super) const PLATFORMS: [(&str, &[&str]); 2] = [
    ("xeon_phi", &["avx512cd", "avx512er", "avx512pf"]),
    ("haswell", &["avx2", "bmi1", "bmi2", "abm", "movbe", "popcnt", "fma"]),
];

/// The processor, read only if a library exists in levels, or in a directory with its name.
#[derive(Debug, Default)]
pub(super) struct Processor {
    /// Its `/proc/cpuinfo`; `None` if the machine has none.
    told: OnceCell<Told>,
}

#[derive(Debug, Default)]
struct Told {
    levels: Vec<&'static str>,
    platform: Option<&'static str>,
}

impl Processor {
    /// A processor that reaches exactly these levels.
    #[cfg(test)]
    pub fn with_levels(levels: Vec<&'static str>) -> Self {
        Self { told: OnceCell::from(Told { levels, platform: None }) }
    }

    /// The processor described by this file.
    #[cfg(test)]
    pub fn told(cpuinfo: &str) -> Self {
        Self { told: OnceCell::from(read(cpuinfo)) }
    }

    /// The levels it reaches, best first.
    pub fn levels(&self) -> &[&'static str] {
        &self.asked().levels
    }

    /// The loader's name for it, if there is one.
    pub fn platform(&self) -> Option<&'static str> {
        self.asked().platform
    }

    fn asked(&self) -> &Told {
        self.told.get_or_init(|| read(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()))
    }
}

fn read(cpuinfo: &str) -> Told {
    let value = |name: &str| {
        let value = cpuinfo.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
        value.map_or("", |(_, value)| value)
    };
    let flags: Vec<&str> = value("flags").split_whitespace().collect();
    let has = |needs: &[&str]| needs.iter().all(|flag| flags.contains(flag));
    let mut levels: Vec<&str> =
        LEVELS.iter().rev().take_while(|(_, needs)| has(needs)).map(|(level, _)| *level).collect();
    levels.reverse();
    let is_intel = value("vendor_id").trim() == "GenuineIntel";
    let platform = PLATFORMS.iter().find(|(_, needs)| is_intel && has(needs));
    Told { levels, platform: platform.map(|(name, _)| *name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_needs_all_below_it() {
        let flags = |levels: &[usize]| {
            let flags: Vec<_> = levels.iter().map(|level| LEVELS[*level].1.join(" ")).collect();
            format!("processor\t: 0\nflags\t\t: fpu {}\n", flags.join(" "))
        };
        assert_eq!(read(&flags(&[2])).levels, ["x86-64-v2"]);
        assert_eq!(read(&flags(&[0, 1, 2])).levels, ["x86-64-v4", "x86-64-v3", "x86-64-v2"]);
        assert!(read(&flags(&[0, 1])).levels.is_empty());
        assert!(read("").levels.is_empty());
    }
}
