//! The needs recorded in one ELF file; see `elf(5)`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, pod};

use super::abi::Abi;
use super::bytes::Bytes;
use super::error::ElfErrorKind;

/// The longest path the kernel takes for an interpreter.
const LONGEST_PATH: u64 = 4096;

/// A program or library in the ELF format, and its requests to the loader.
#[derive(Debug)]
pub(super) struct Object {
    pub abi: Abi,
    /// `PT_INTERP`: the loader that the kernel starts for it.
    pub interpreter: Option<PathBuf>,
    /// `DT_SONAME`: the name by which others request it.
    pub soname: Option<OsString>,
    /// The libraries that it requests, in order.
    pub needed: Vec<Needed>,
    /// `DT_RPATH`, unsplit, unless `DT_RUNPATH` overrides it.
    pub rpath: Option<Vec<u8>>,
    /// `DT_RUNPATH`, unsplit.
    pub runpath: Option<Vec<u8>>,
    /// `DF_1_NODEFLIB`: its libraries are not searched in the default directories.
    pub no_default: bool,
    /// Whether it could be loaded by another, rather than stand alone.
    pub is_shared: bool,
}

/// One library that an object requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needed {
    pub name: OsString,
    /// `DT_AUXILIARY`: optional.
    pub optional: bool,
}

impl Object {
    /// Reads the headers and the dynamic section of an ELF file.
    ///
    /// [`ElfErrorKind::NotProgram`] if this is not an ELF file, or one that can be neither run nor
    /// loaded.
    pub fn read(bytes: &Bytes) -> Result<Self, ElfErrorKind> {
        let Some((identity, _)) = bytes.head().split_at_checked(16) else {
            let is_elf = bytes.head().starts_with(&elf::ELFMAG);
            return Err(if is_elf {
                ElfErrorKind::Malformed("its ELF header is truncated")
            } else {
                ElfErrorKind::NotProgram
            });
        };
        if !identity.starts_with(&elf::ELFMAG) {
            return Err(ElfErrorKind::NotProgram);
        }
        let endian = match elf::DataEncoding(identity[5]) {
            elf::ELFDATA2LSB => Endianness::Little,
            elf::ELFDATA2MSB => Endianness::Big,
            _ => return Err(ElfErrorKind::Malformed("its ELF header has an invalid byte order")),
        };
        match elf::FileClass(identity[4]) {
            elf::ELFCLASS32 => read::<FileHeader32<Endianness>>(bytes, endian),
            elf::ELFCLASS64 => read::<FileHeader64<Endianness>>(bytes, endian),
            _ => Err(ElfErrorKind::Malformed("its ELF header is neither 32-bit nor 64-bit")),
        }
    }
}

fn read<H: FileHeader<Endian = Endianness>>(
    bytes: &Bytes,
    endian: Endianness,
) -> Result<Object, ElfErrorKind> {
    let (header, _) = pod::from_bytes::<H>(bytes.head())
        .map_err(|()| ElfErrorKind::Malformed("its ELF header is truncated"))?;
    let file_type = header.e_type(endian);
    if file_type != elf::ET_EXEC && file_type != elf::ET_DYN {
        return Err(ElfErrorKind::NotProgram);
    }
    let abi = Abi::new(
        header.e_machine(endian).0,
        header.is_type_64(),
        endian == Endianness::Little,
        header.e_flags(endian).0,
    );
    let mut object = Object {
        abi,
        interpreter: None,
        soname: None,
        needed: Vec::new(),
        rpath: None,
        runpath: None,
        no_default: false,
        is_shared: false,
    };
    let table = segments::<H>(bytes, header, endian)?;
    for segment in &table {
        match segment.kind {
            elf::PT_INTERP if object.interpreter.is_none() => {
                let what = "the path of its loader (PT_INTERP) is not terminated";
                let path = bytes.string(segment.offset, segment.size.min(LONGEST_PATH), what)?;
                if path.is_empty() {
                    return Err(ElfErrorKind::Malformed(
                        "the path of its loader (PT_INTERP) is empty",
                    ));
                }
                object.interpreter = Some(PathBuf::from(OsString::from_vec(path)));
            }
            elf::PT_DYNAMIC => {
                let section =
                    bytes.at(segment.offset, segment.size, "its dynamic section is truncated")?;
                let count = section.len() / size_of::<H::Dyn>();
                let entries = pod::slice_from_bytes::<H::Dyn>(&section, count)
                    .map_err(|()| ElfErrorKind::Malformed("its dynamic section is truncated"))?
                    .0;
                tell_dynamic(&mut object, bytes, &table, entries, endian)?;
            }
            _ => {}
        }
    }
    object.is_shared = file_type == elf::ET_DYN
        && object.interpreter.is_none()
        && (object.soname.is_some() || !object.needed.is_empty());
    Ok(object)
}

/// A segment of the file, and its address in memory.
struct Segment {
    kind: elf::ProgramType,
    offset: u64,
    address: u64,
    size: u64,
}

fn segments<H: FileHeader<Endian = Endianness>>(
    bytes: &Bytes,
    header: &H,
    endian: Endianness,
) -> Result<Vec<Segment>, ElfErrorKind> {
    let count = u64::from(header.e_phnum(endian));
    let entry_size = size_of::<H::ProgramHeader>();
    if count > 0 && usize::from(header.e_phentsize(endian)) != entry_size {
        return Err(ElfErrorKind::Malformed("its program headers have an unknown size"));
    }
    let what = "its program headers are truncated";
    let read = bytes.at(header.e_phoff(endian).into(), count * entry_size as u64, what)?;
    let (headers, _) =
        pod::slice_from_bytes::<H::ProgramHeader>(&read, usize::from(header.e_phnum(endian)))
            .map_err(|()| ElfErrorKind::Malformed(what))?;
    let segment = |header: &H::ProgramHeader| Segment {
        kind: header.p_type(endian),
        offset: header.p_offset(endian).into(),
        address: header.p_vaddr(endian).into(),
        size: header.p_filesz(endian).into(),
    };
    Ok(headers.iter().map(segment).collect())
}

/// Adds the contents of the dynamic section.
fn tell_dynamic<D: Dyn<Endian = Endianness>>(
    object: &mut Object,
    bytes: &Bytes,
    table: &[Segment],
    entries: &[D],
    endian: Endianness,
) -> Result<(), ElfErrorKind> {
    let entries: Vec<(elf::DynamicTag, u64)> = entries
        .iter()
        .map(|entry| (entry.d_tag(endian), entry.d_val(endian).into()))
        .take_while(|(tag, _)| *tag != elf::DT_NULL)
        .collect();
    let value = |wanted| entries.iter().rev().find(|(tag, _)| *tag == wanted).map(|entry| entry.1);
    let strings = match value(elf::DT_STRTAB) {
        Some(address) => {
            let size = value(elf::DT_STRSZ).unwrap_or(u64::MAX);
            place(table, address, size)
                .ok_or(ElfErrorKind::Malformed("its dynamic strings are not in the file"))
        }
        None => Err(ElfErrorKind::Malformed("its dynamic section has no string table")),
    };
    let string = |offset: u64| {
        let (start, size) = strings.clone()?;
        let what = "a name in its dynamic section is not in the file";
        let left = size.checked_sub(offset).ok_or(ElfErrorKind::Malformed(what))?;
        bytes.string(start + offset, left, what)
    };
    for (tag, value) in &entries {
        match *tag {
            elf::DT_NEEDED | elf::DT_FILTER | elf::DT_AUXILIARY => object.needed.push(Needed {
                name: OsString::from_vec(string(*value)?),
                optional: *tag == elf::DT_AUXILIARY,
            }),
            elf::DT_SONAME => object.soname = Some(OsString::from_vec(string(*value)?)),
            elf::DT_RPATH => object.rpath = Some(string(*value)?),
            elf::DT_RUNPATH => object.runpath = Some(string(*value)?),
            elf::DT_FLAGS_1 => object.no_default = value & u64::from(NO_DEFAULT) != 0,
            _ => {}
        }
    }
    if object.runpath.is_some() {
        object.rpath = None;
    }
    Ok(())
}

/// `DF_1_NODEFLIB`, as a number.
const NO_DEFAULT: u32 = 0x800;

/// The offset in the file of the byte at `address`, and how much of `size` is there.
fn place(table: &[Segment], address: u64, size: u64) -> Option<(u64, u64)> {
    table.iter().filter(|segment| segment.kind == elf::PT_LOAD).find_map(|segment| {
        let within = address.checked_sub(segment.address)?;
        let left = segment.size.checked_sub(within).filter(|left| *left > 0)?;
        let start = segment.offset.checked_add(within)?;
        // No string of the table then lies beyond the largest offset.
        start.checked_add(left)?;
        Some((start, size.min(left)))
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;
    use crate::host::elf::sample::Sample;
    use crate::host::fixture::Fixture;

    fn read_bytes(made: &Fixture, content: &[u8]) -> Result<Object, ElfErrorKind> {
        made.file("object", content);
        let file = File::open(made.path("object")).unwrap();
        Object::read(&Bytes::of(&file, content.len() as u64).unwrap())
    }

    #[test]
    fn what_a_file_says_is_read_in_both_classes_and_byte_orders() {
        let made = Fixture::new("elf-object");
        for (machine, wide, little) in [
            (elf::EM_X86_64, true, true),
            (elf::EM_386, false, true),
            (elf::EM_S390, true, false),
            (elf::EM_PPC, false, false),
        ] {
            let sample = Sample::program("/lib/ld.so.1", &["liba.so", "libb.so"])
                .with(elf::DT_SONAME, "me.so")
                .with(elf::DT_AUXILIARY, "libfast.so")
                .with(elf::DT_RPATH, "/r")
                .for_machine(machine, wide, little);
            let object = read_bytes(&made, &sample.bytes()).unwrap();
            let names: Vec<_> = object.needed.iter().map(|needed| needed.name.clone()).collect();
            assert_eq!(names, ["liba.so", "libb.so", "libfast.so"]);
            assert!(object.needed[2].optional && !object.needed[0].optional);
            assert_eq!(object.interpreter, Some("/lib/ld.so.1".into()));
            assert_eq!(object.soname, Some("me.so".into()));
            assert_eq!(object.rpath.as_deref(), Some(&b"/r"[..]));
            assert_eq!(object.abi, Abi::new(machine.0, wide, little, 0));
            assert!(!object.no_default && !object.is_shared);
        }
    }

    #[test]
    fn runpath_makes_rpath_void() {
        let made = Fixture::new("elf-runpath");
        let mut sample =
            Sample::library(&[]).with(elf::DT_RUNPATH, "/new").with(elf::DT_RPATH, "/old");
        sample.flags = NO_DEFAULT;
        let object = read_bytes(&made, &sample.bytes()).unwrap();
        assert_eq!((object.rpath, object.runpath), (None, Some(b"/new".to_vec())));
        assert!(object.no_default);
    }

    #[test]
    fn long_lists_of_directories_are_read_whole() {
        let made = Fixture::new("elf-long");
        let list: &'static str = Box::leak("/nix/store/x:".repeat(2000).into_boxed_str());
        let sample = Sample::library(&[]).with(elf::DT_RUNPATH, list);
        let object = read_bytes(&made, &sample.bytes()).unwrap();
        assert_eq!(object.runpath.unwrap(), list.as_bytes());
    }

    #[test]
    fn no_bytes_are_too_wrong_to_be_refused() {
        let made = Fixture::new("elf-damage");
        let sample = Sample::program("/lib64/ld.so", &["liba.so"]).bytes();
        let real = fs::read("/bin/true").unwrap();
        for whole in [&sample[..], &real[..real.len().min(2048)]] {
            for length in 0..whole.len() {
                let _ = read_bytes(&made, &whole[..length]);
            }
            let mut damaged = whole.to_vec();
            for at in 0..whole.len().min(1024) {
                for value in [0, 1, 0x7f, 0x80, 0xff] {
                    damaged[at] = value;
                    let _ = read_bytes(&made, &damaged);
                }
                damaged[at] = whole[at];
            }
        }
        assert_eq!(read_bytes(&made, b"").unwrap_err(), ElfErrorKind::NotProgram);
        assert!(matches!(read_bytes(&made, b"\x7fELF").unwrap_err(), ElfErrorKind::Malformed(_)));
        assert!(matches!(
            read_bytes(&made, &sample[..60]).unwrap_err(),
            ElfErrorKind::Malformed(_)
        ));
    }
}
