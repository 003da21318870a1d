//! Programs for this machine that are nothing but what they say they need.

use std::fs::File;
use std::io::Read;

use super::nsscript::PROGRAM;

/// Where such a program says that it is loaded.
const ADDRESS: usize = 0x10_0000;
const HEADER: usize = 64;
const SEGMENT: usize = 56;

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_STRSZ: u64 = 10;

/// A 64-bit ELF program with this loader that needs these libraries. It cannot run: there is no
/// code in it.
pub fn program(loader: Option<&str>, libraries: &[&str]) -> Vec<u8> {
    let count = 2 + usize::from(loader.is_some());
    let loader = loader.map(|path| format!("{path}\0")).unwrap_or_default();
    let path = HEADER + count * SEGMENT;
    let strings = path + loader.len();
    let mut names = vec![0];
    let mut dynamic = Vec::new();
    for library in libraries {
        dynamic.push((DT_NEEDED, names.len()));
        names.extend(library.bytes().chain([0]));
    }
    let section = strings + names.len();
    dynamic.extend([(DT_STRTAB, ADDRESS + strings), (DT_STRSZ, names.len()), (0, 0)]);
    let end = section + dynamic.len() * 16;

    let mut file = header(count);
    let mut segment = |kind: u64, from: usize, to: usize| {
        // Readable, aligned to nothing.
        file.extend((kind | 4 << 32).to_le_bytes());
        for number in [from, ADDRESS + from, 0, to - from, to - from, 1] {
            file.extend((number as u64).to_le_bytes());
        }
    };
    segment(PT_LOAD, 0, end);
    segment(PT_DYNAMIC, section, end);
    if count > 2 {
        segment(PT_INTERP, path, strings);
    }
    file.extend(loader.bytes());
    file.extend(names);
    for (tag, value) in dynamic {
        file.extend(tag.to_le_bytes());
        file.extend((value as u64).to_le_bytes());
    }
    file
}

/// The header of a position-independent program for the machine that runs the tests.
fn header(segments: usize) -> Vec<u8> {
    let mut own = [0; HEADER];
    File::open(PROGRAM).unwrap().read_exact(&mut own).unwrap();
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([3, 0]);
    file.extend(&own[18..20]);
    file.extend([1, 0, 0, 0]);
    for offset in [0, HEADER as u64, 0] {
        file.extend(offset.to_le_bytes());
    }
    file.extend([0; 4]);
    for half in [HEADER, SEGMENT, segments, 0, 0, 0] {
        file.extend(u16::try_from(half).unwrap().to_le_bytes());
    }
    file
}
