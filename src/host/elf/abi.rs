//! Machines and calling conventions: which library fits which program.

use object::elf;

/// The properties that a program and its libraries must share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Abi {
    pub machine: u16,
    pub wide: bool,
    pub little: bool,
    pub convention: Convention,
}

/// The variant of a machine's libraries beyond machine and class, from `e_flags`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Convention {
    /// The only one, or unspecified.
    Plain,
    /// Floating point in software.
    SoftFloat,
    /// Floating point in hardware registers, double precision.
    HardFloat,
}

/// Built-in facts about an ABI. The paths are those that compilers write into programs.
struct Known {
    /// The flags of its entries in `ld.so.cache`; see `ldconfig(8)`.
    cache: u32,
    /// Its Debian multiarch name.
    triplet: &'static str,
    /// The loader of the GNU C library.
    glibc: &'static str,
    /// musl's name of the architecture.
    musl: &'static str,
    /// The possible values of `$PLATFORM`, from `AT_PLATFORM`.
    platforms: &'static [&'static str],
}

const fn known(
    cache: u32,
    triplet: &'static str,
    glibc: &'static str,
    musl: &'static str,
    platforms: &'static [&'static str],
) -> Known {
    Known { cache, triplet, glibc, musl, platforms }
}

impl Abi {
    /// The ABI in a file header.
    pub fn new(machine: u16, wide: bool, little: bool, flags: u32) -> Self {
        let convention = match elf::Machine(machine) {
            elf::EM_ARM if flags & elf::EF_ARM_ABI_FLOAT_HARD != 0 => Convention::HardFloat,
            elf::EM_ARM if flags & elf::EF_ARM_ABI_FLOAT_SOFT != 0 => Convention::SoftFloat,
            elf::EM_RISCV => match flags & elf::EF_RISCV_FLOAT_ABI {
                4 => Convention::HardFloat,
                0 => Convention::SoftFloat,
                _ => Convention::Plain,
            },
            elf::EM_LOONGARCH => match flags & elf::EF_LARCH_ABI_MODIFIER_MASK {
                3 => Convention::HardFloat,
                1 => Convention::SoftFloat,
                _ => Convention::Plain,
            },
            _ => Convention::Plain,
        };
        Self { machine, wide, little, convention }
    }

    /// Whether a program of this ABI can load a library of that one.
    pub fn loads(self, library: Self) -> bool {
        let silent = |abi: Self| abi.convention == Convention::Plain;
        // Old ARM objects do not say which floating point they use; the loader takes them.
        let agree = self.convention == library.convention || silent(self) || silent(library);
        (self.machine, self.wide, self.little) == (library.machine, library.wide, library.little)
            && agree
    }

    /// The flags of this ABI's libraries in `ld.so.cache`.
    pub fn cache_flags(self) -> u32 {
        self.known().cache
    }

    /// The Debian multiarch name; empty if there is none.
    pub fn triplet(self) -> &'static str {
        self.known().triplet
    }

    /// The loader named by programs of this ABI that use the GNU C library.
    pub fn glibc_loader(self) -> &'static str {
        self.known().glibc
    }

    /// The loader named by programs of this ABI that use musl.
    pub fn musl_loader(self) -> String {
        format!("/lib/ld-musl-{}.so.1", self.known().musl)
    }

    /// The possible values of `$PLATFORM`, unless the loader has its own name for the processor.
    pub fn platforms(self) -> &'static [&'static str] {
        self.known().platforms
    }

    /// Whether this is for processors for which some loaders have their own names.
    pub fn is_x86_64(self) -> bool {
        self.machine == elf::EM_X86_64.0
    }

    /// Whether this is x86-64 proper, whose libraries can exist in several levels.
    pub fn has_levels(self) -> bool {
        self.is_x86_64() && self.wide
    }

    fn known(self) -> Known {
        use Convention::{HardFloat, SoftFloat};
        let little = self.little;
        match (elf::Machine(self.machine), self.wide, self.convention) {
            (elf::EM_X86_64, true, _) => known(
                0x0303,
                "x86_64-linux-gnu",
                "/lib64/ld-linux-x86-64.so.2",
                "x86_64",
                &["x86_64"],
            ),
            (elf::EM_X86_64, false, _) => known(
                0x0803,
                "x86_64-linux-gnux32",
                "/libx32/ld-linux-x32.so.2",
                "x32",
                &["x86_64"],
            ),
            (elf::EM_386, ..) => known(
                0x0003,
                "i386-linux-gnu",
                "/lib/ld-linux.so.2",
                "i386",
                &["i686", "i586", "i486", "i386"],
            ),
            (elf::EM_AARCH64, true, _) if little => known(
                0x0a03,
                "aarch64-linux-gnu",
                "/lib/ld-linux-aarch64.so.1",
                "aarch64",
                &["aarch64"],
            ),
            (elf::EM_ARM, _, HardFloat) => known(
                0x0903,
                "arm-linux-gnueabihf",
                "/lib/ld-linux-armhf.so.3",
                "armhf",
                &["v8l", "v7l", "v6l"],
            ),
            (elf::EM_ARM, _, SoftFloat) => {
                known(0x0b03, "arm-linux-gnueabi", "/lib/ld-linux.so.3", "arm", &["v7l", "v5l"])
            }
            (elf::EM_RISCV, true, HardFloat) => known(
                0x1003,
                "riscv64-linux-gnu",
                "/lib/ld-linux-riscv64-lp64d.so.1",
                "riscv64",
                &[],
            ),
            (elf::EM_RISCV, true, SoftFloat) => {
                known(0x0f03, "", "/lib/ld-linux-riscv64-lp64.so.1", "riscv64-sf", &[])
            }
            (elf::EM_LOONGARCH, true, HardFloat) => known(
                0x1203,
                "loongarch64-linux-gnu",
                "/lib64/ld-linux-loongarch-lp64d.so.1",
                "loongarch64",
                &["loongarch64"],
            ),
            (elf::EM_PPC64, ..) if little => known(
                0x0503,
                "powerpc64le-linux-gnu",
                "/lib64/ld64.so.2",
                "powerpc64le",
                &["power10", "power9", "power8"],
            ),
            (elf::EM_PPC64, ..) => {
                known(0x0503, "powerpc64-linux-gnu", "/lib64/ld64.so.1", "powerpc64", &[])
            }
            (elf::EM_S390, true, _) => {
                known(0x0403, "s390x-linux-gnu", "/lib/ld64.so.1", "s390x", &["z16", "z15", "z14"])
            }
            // Nothing special is known: 32-bit machines have no flags of their own in the cache.
            _ => known(0x0003, "", "/lib/ld.so.1", "unknown", &[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abi(machine: elf::Machine, wide: bool, flags: u32) -> Abi {
        Abi::new(machine.0, wide, true, flags)
    }

    #[test]
    fn cache_flags_tell_abis_of_one_machine_apart() {
        assert_eq!(abi(elf::EM_X86_64, true, 0).cache_flags(), 0x0303);
        assert_eq!(abi(elf::EM_X86_64, false, 0).cache_flags(), 0x0803);
        assert_eq!(abi(elf::EM_386, false, 0).cache_flags(), 0x0003);
        assert_eq!(abi(elf::EM_AARCH64, true, 0).cache_flags(), 0x0a03);
        assert_eq!(abi(elf::EM_ARM, false, 0x0500_0400).cache_flags(), 0x0903);
        assert_eq!(abi(elf::EM_ARM, false, 0x0500_0200).cache_flags(), 0x0b03);
        assert_eq!(abi(elf::EM_RISCV, true, 5).cache_flags(), 0x1003);
    }

    #[test]
    fn libraries_of_another_class_machine_or_float_do_not_fit() {
        let hard = abi(elf::EM_ARM, false, 0x0500_0400);
        assert!(hard.loads(abi(elf::EM_ARM, false, 0x0500_0000)));
        assert!(!hard.loads(abi(elf::EM_ARM, false, 0x0500_0200)));
        let x86 = abi(elf::EM_X86_64, true, 0);
        assert!(x86.loads(x86));
        assert!(!x86.loads(abi(elf::EM_X86_64, false, 0)));
        assert!(!x86.loads(abi(elf::EM_AARCH64, true, 0)));
        assert!(!x86.loads(Abi::new(elf::EM_X86_64.0, true, false, 0)));
    }
}
