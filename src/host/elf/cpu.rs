//! Which levels of x86-64 this machine's processor reaches; see "glibc-hwcaps" in `ld.so(8)`.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::fs;

/// The levels, best first, with the flags of `/proc/cpuinfo` that each adds to the one below;
/// from the x86-64 psABI, in the kernel's spelling.
const LEVELS: [(&str, &[&str]); 3] = [
    ("x86-64-v4", &["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]),
    ("x86-64-v3", &["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"]),
    ("x86-64-v2", &["cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"]),
];

/// The processor, asked only when a library comes in levels.
#[derive(Debug, Default)]
pub(super) struct Processor {
    levels: OnceCell<Vec<&'static str>>,
}

impl Processor {
    /// A processor that reaches exactly these levels.
    #[cfg(test)]
    pub fn with_levels(levels: Vec<&'static str>) -> Self {
        Self { levels: OnceCell::from(levels) }
    }

    /// The levels it reaches, best first. None when the machine does not say.
    pub fn levels(&self) -> &[&'static str] {
        self.levels.get_or_init(|| {
            let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
            levels_of(&text)
        })
    }
}

fn levels_of(cpuinfo: &str) -> Vec<&'static str> {
    let flags: HashSet<&str> = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("flags")?.split_once(':'))
        .map(|(_, flags)| flags.split_whitespace().collect())
        .unwrap_or_default();
    let mut levels: Vec<&str> = LEVELS
        .iter()
        .rev()
        .take_while(|(_, needs)| needs.iter().all(|flag| flags.contains(flag)))
        .map(|(level, _)| *level)
        .collect();
    levels.reverse();
    levels
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
        assert_eq!(levels_of(&flags(&[2])), ["x86-64-v2"]);
        assert_eq!(levels_of(&flags(&[0, 1, 2])), ["x86-64-v4", "x86-64-v3", "x86-64-v2"]);
        assert!(levels_of(&flags(&[0, 1])).is_empty());
        assert!(levels_of("").is_empty());
    }
}
