//! Small ELF files for the tests of this folder.

use object::elf;

/// An ELF file that says what a test wants it to say and holds nothing else.
#[derive(Clone)]
pub struct Sample {
    pub machine: elf::Machine,
    pub wide: bool,
    pub little: bool,
    pub interpreter: Option<&'static str>,
    /// The entries of the dynamic section that are strings, in order.
    pub names: Vec<(elf::DynamicTag, &'static str)>,
    /// `DT_FLAGS_1`.
    pub flags: u32,
}

impl Sample {
    /// A library for x86-64 that needs these.
    pub fn library(needed: &[&'static str]) -> Self {
        Self {
            machine: elf::EM_X86_64,
            wide: true,
            little: true,
            interpreter: None,
            names: needed.iter().map(|name| (elf::DT_NEEDED, *name)).collect(),
            flags: 0,
        }
    }

    /// A program for x86-64 with this loader that needs these.
    pub fn program(interpreter: &'static str, needed: &[&'static str]) -> Self {
        Self { interpreter: Some(interpreter), ..Self::library(needed) }
    }

    pub fn with(mut self, tag: elf::DynamicTag, name: &'static str) -> Self {
        self.names.push((tag, name));
        self
    }

    pub fn for_machine(self, machine: elf::Machine, wide: bool, little: bool) -> Self {
        Self { machine, wide, little, ..self }
    }

    /// The file: headers, interpreter, strings, dynamic section.
    pub fn bytes(&self) -> Vec<u8> {
        const ADDRESS: u64 = 0x10_0000;
        let (header, entry, pair) = if self.wide { (64, 56, 16) } else { (52, 32, 8) };
        let count = if self.interpreter.is_some() { 3 } else { 2 };
        let interpreter = header + count * entry;
        let path = self.interpreter.map_or(String::new(), |path| format!("{path}\0"));
        let strings = interpreter + path.len() as u64;
        let mut text = vec![0];
        let mut dynamic: Vec<(elf::DynamicTag, u64)> = Vec::new();
        for (tag, name) in &self.names {
            dynamic.push((*tag, text.len() as u64));
            text.extend_from_slice(name.as_bytes());
            text.push(0);
        }
        let section = strings + text.len() as u64;
        dynamic.extend([
            (elf::DT_STRTAB, ADDRESS + strings),
            (elf::DT_STRSZ, text.len() as u64),
            (elf::DT_FLAGS_1, self.flags.into()),
            (elf::DT_NULL, 0),
        ]);
        let end = section + dynamic.len() as u64 * pair;

        let mut file = Vec::new();
        let class = if self.wide { 2 } else { 1 };
        file.extend([0x7f, b'E', b'L', b'F', class, if self.little { 1 } else { 2 }, 1]);
        file.resize(16, 0);
        let half = |file: &mut Vec<u8>, values: &[u64]| self.put(file, values, 2);
        let word = |file: &mut Vec<u8>, values: &[u64]| self.put(file, values, 4);
        let long = |file: &mut Vec<u8>, values: &[u64]| self.put(file, values, pair / 2);
        half(&mut file, &[3, self.machine.0.into()]);
        word(&mut file, &[1]);
        long(&mut file, &[0, header, 0]);
        word(&mut file, &[0]);
        half(&mut file, &[header, entry, count, 0, 0, 0]);
        let mut segment = |kind: u64, from: u64, to: u64| {
            word(&mut file, &[kind]);
            if self.wide {
                word(&mut file, &[4]);
            }
            let size = to - from;
            long(&mut file, &[from, ADDRESS + from, 0, size, size]);
            if !self.wide {
                word(&mut file, &[4]);
            }
            long(&mut file, &[1]);
        };
        segment(1, 0, end);
        segment(2, section, end);
        if self.interpreter.is_some() {
            segment(3, interpreter, strings);
        }
        file.extend_from_slice(path.as_bytes());
        file.extend_from_slice(&text);
        for (tag, value) in dynamic {
            long(&mut file, &[tag.0.cast_unsigned(), value]);
        }
        file
    }

    fn put(&self, file: &mut Vec<u8>, values: &[u64], size: u64) {
        let size = usize::try_from(size).unwrap();
        for value in values {
            if self.little {
                file.extend_from_slice(&value.to_le_bytes()[..size]);
            } else {
                file.extend_from_slice(&value.to_be_bytes()[8 - size..]);
            }
        }
    }
}
