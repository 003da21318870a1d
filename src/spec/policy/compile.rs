//! Programs of classic BPF, as seccomp(2) takes them, from decisions about ranges of numbers.
//!
//! Neighbouring numbers with the same decision become one range, and the ranges a binary tree: some
//! ninety instructions for a policy of four hundred calls. The kernel runs a new program once for each
//! number (since Linux 5.11, to know which are always allowed), so a list would take ten times as long.

use std::collections::HashMap;
use std::rc::Rc;

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// A value of seccomp(2): `SECCOMP_RET_ALLOW` and others.
    Return(u32),
    /// One of two others, by an argument.
    If {
        /// What is asked.
        test: Test,
        /// If that is so.
        then: Rc<Decision>,
        /// If not.
        otherwise: Rc<Decision>,
    },
}

/// A question about an argument.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Test {
    /// The argument: 0 to 5.
    pub argument: u8,
    /// The bits that the kernel uses: all 64, or some of the low 32.
    pub mask: u64,
    /// What it is compared with.
    pub values: Values,
    /// Whether the answer is the contrary.
    pub negated: bool,
}

/// What an argument is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Values {
    /// It is one of these.
    Any(Vec<u64>),
    /// It has at least one of these bits.
    Bits(u64),
    /// It is this number or a higher one. The mask has no gaps.
    AtLeast(u64),
}

/// An instruction: `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    value: u32,
}

impl Instruction {
    /// It as the kernel reads it.
    #[must_use]
    pub fn bytes(self) -> [u8; 8] {
        let mut bytes = [0; 8];
        bytes[..2].copy_from_slice(&self.code.to_ne_bytes());
        bytes[2..4].copy_from_slice(&[self.if_true, self.if_false]);
        bytes[4..].copy_from_slice(&self.value.to_ne_bytes());
        bytes
    }
}

const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const AND: u16 = 0x54;
const IF_EQUAL: u16 = 0x15;
const IF_ABOVE: u16 = 0x25;
const IF_AT_LEAST: u16 = 0x35;
const IF_BITS: u16 = 0x45;
const RETURN: u16 = 0x06;

/// The mask of arguments of which the kernel uses 32 bits.
pub const LOW: u64 = 0xffff_ffff;

/// More than the kernel has numbers.
const NUMBERS: u32 = 512;

/// The offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
fn argument(index: u8, high: bool) -> u32 {
    16 + 8 * u32::from(index) + if high { 4 } else { 0 }
}

/// The decisions for one architecture.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its number: `AUDIT_ARCH_…`.
    pub architecture: u32,
    /// Ranges of numbers by the first of each, sorted; the first begins at 0.
    pub ranges: Vec<(u32, Decision)>,
}

/// The program: the table of the architecture, or `other` if there is none.
pub fn compile(tables: &[Table], other: u32) -> Vec<Instruction> {
    let mut made = Backwards::default();
    let mut next = made.simple(other);
    for table in tables.iter().rev() {
        let mut ranges = table.ranges.clone();
        ranges.dedup_by(|one, before| one.1 == before.1);
        let tree = made.tree(&ranges, u32::MAX);
        let begin = made.push(LOAD, NUMBER, None, tree);
        next = made.branch(IF_EQUAL, table.architecture, begin, next);
    }
    made.push(LOAD, ARCHITECTURE, None, next);
    made.instructions.reverse();
    made.instructions
}

/// A program that grows at its beginning, because jumps of BPF go forward only. A place is the number
/// of instructions from it to the end.
#[derive(Default)]
struct Backwards {
    instructions: Vec<Instruction>,
    /// The places of decisions that several others lead to, by their addresses.
    shared: HashMap<*const Decision, usize>,
}

impl Backwards {
    /// Adds an instruction which goes on at `next`, which must be the newest.
    fn push(&mut self, code: u16, value: u32, jumps: Option<(u8, u8)>, next: usize) -> usize {
        if jumps.is_none() && code != RETURN {
            self.go(next);
        }
        let (if_true, if_false) = jumps.unwrap_or((0, 0));
        self.instructions.push(Instruction { code, if_true, if_false, value });
        self.instructions.len()
    }

    /// Makes the next instruction go on at `place`.
    fn go(&mut self, place: usize) {
        let distance = self.instructions.len() - place;
        if distance > 0 {
            let value = u32::try_from(distance).unwrap_or(u32::MAX);
            self.instructions.push(Instruction { code: JUMP, if_true: 0, if_false: 0, value });
        }
    }

    fn simple(&mut self, value: u32) -> usize {
        // One that is near enough for any jump serves again.
        let near = self.instructions.iter().rev().take(200);
        let found = near.enumerate().find(|(_, it)| it.code == RETURN && it.value == value);
        match found {
            Some((back, _)) => self.instructions.len() - back,
            None => self.push(RETURN, value, None, 0),
        }
    }

    /// Adds a condition.
    fn branch(&mut self, code: u16, value: u32, yes: usize, no: usize) -> usize {
        let far = |made: &Self, place: usize| made.instructions.len() - place > 250;
        let (mut yes, mut no) = (yes, no);
        for place in [&mut yes, &mut no] {
            if far(self, *place) {
                let value = u32::try_from(self.instructions.len() - *place).unwrap_or(u32::MAX);
                self.instructions.push(Instruction { code: JUMP, if_true: 0, if_false: 0, value });
                *place = self.instructions.len();
            }
        }
        let jump = |place: usize| u8::try_from(self.instructions.len() - place).unwrap_or(u8::MAX);
        let jumps = (jump(yes), jump(no));
        self.push(code, value, Some(jumps), 0)
    }

    /// Adds the tree of ranges, of which the last ends before `end`. Both halves have as many numbers
    /// as possible, because the kernel asks about each.
    fn tree(&mut self, ranges: &[(u32, Decision)], end: u32) -> usize {
        if let [(_, only)] = ranges {
            return self.decision(only);
        }
        let (first, end) = (ranges[0].0.min(NUMBERS), end.min(NUMBERS));
        let middle = first.midpoint(end);
        let half = (1..ranges.len()).min_by_key(|index| ranges[*index].0.abs_diff(middle));
        let (left, right) = ranges.split_at(half.unwrap_or(1));
        let from = right[0].0;
        let right = self.tree(right, end);
        let left = self.tree(left, from);
        self.branch(IF_AT_LEAST, from, right, left)
    }

    fn decision(&mut self, decision: &Decision) -> usize {
        match decision {
            Decision::Return(value) => self.simple(*value),
            Decision::If { test, then, otherwise } => {
                let no = self.shared(otherwise);
                let yes = self.shared(then);
                self.test(test, yes, no)
            }
        }
    }

    /// The place of a decision, which is added once: a rule with several conditions leads to the one
    /// before it from each.
    fn shared(&mut self, decision: &Rc<Decision>) -> usize {
        if let Some(place) = self.shared.get(&Rc::as_ptr(decision)) {
            return *place;
        }
        let place = self.decision(decision);
        self.shared.insert(Rc::as_ptr(decision), place);
        place
    }

    /// Loads a half of an argument, and the bits of a mask alone.
    fn load(&mut self, test: &Test, of_high: bool, next: usize) -> usize {
        let mask = if of_high { high(test.mask) } else { low(test.mask) };
        let next = if mask == u32::MAX { next } else { self.push(AND, mask, None, next) };
        self.push(LOAD, argument(test.argument, of_high), None, next)
    }

    fn test(&mut self, test: &Test, yes: usize, no: usize) -> usize {
        let (yes, no) = if test.negated { (no, yes) } else { (yes, no) };
        let is_wide = high(test.mask) != 0;
        match &test.values {
            Values::Bits(bits) => {
                let bits = bits & test.mask;
                let mut no = no;
                if high(bits) != 0 {
                    let place = self.branch(IF_BITS, high(bits), yes, no);
                    no = self.push(LOAD, argument(test.argument, true), None, place);
                }
                let place = self.branch(IF_BITS, low(bits), yes, no);
                self.push(LOAD, argument(test.argument, false), None, place)
            }
            Values::AtLeast(value) => {
                let place = self.branch(IF_AT_LEAST, low(*value), yes, no);
                let place = self.load(test, false, place);
                if !is_wide {
                    return place;
                }
                let place = self.branch(IF_EQUAL, high(*value), place, no);
                let place = self.branch(IF_ABOVE, high(*value), yes, place);
                self.load(test, true, place)
            }
            Values::Any(values) if !is_wide => {
                let mut place = no;
                for value in values.iter().rev() {
                    place = self.branch(IF_EQUAL, low(*value & test.mask), yes, place);
                }
                self.load(test, false, place)
            }
            Values::Any(values) => {
                let mut place = no;
                for value in values.iter().map(|value| value & test.mask).rev() {
                    let second = self.branch(IF_EQUAL, low(value), yes, place);
                    let second = self.load(test, false, second);
                    let first = self.branch(IF_EQUAL, high(value), second, place);
                    place = self.load(test, true, first);
                }
                place
            }
        }
    }
}

fn low(value: u64) -> u32 {
    u32::try_from(value & LOW).unwrap_or_default()
}

fn high(value: u64) -> u32 {
    low(value >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a program on a call, as the kernel does.
    fn run(program: &[Instruction], architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let head = u64::from(number) | (u64::from(architecture) << 32);
        let words = [[head, 0].as_slice(), &arguments].concat();
        let data: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
        let (mut place, mut loaded) = (0, 0);
        loop {
            let Instruction { code, if_true, if_false, value } = program[place];
            place += 1;
            let jump = |holds: bool| usize::from(if holds { if_true } else { if_false });
            match code {
                LOAD => {
                    let at = usize::try_from(value).unwrap();
                    loaded = u32::from_le_bytes(data[at..at + 4].try_into().unwrap());
                }
                JUMP => place += usize::try_from(value).unwrap(),
                AND => loaded &= value,
                IF_EQUAL => place += jump(loaded == value),
                IF_AT_LEAST => place += jump(loaded >= value),
                IF_ABOVE => place += jump(loaded > value),
                IF_BITS => place += jump(loaded & value != 0),
                RETURN => return value,
                other => panic!("{other:#x}"),
            }
        }
    }

    /// The same by the decision itself.
    fn model(decision: &Decision, arguments: [u64; 6]) -> u32 {
        match decision {
            Decision::Return(value) => *value,
            Decision::If { test, then, otherwise } => {
                let mask = test.mask;
                let given = arguments[usize::from(test.argument)] & mask;
                let holds = match &test.values {
                    Values::Any(values) => values.iter().any(|value| value & mask == given),
                    Values::Bits(bits) => given & bits != 0,
                    Values::AtLeast(least) => given >= *least,
                };
                model(if holds == test.negated { otherwise } else { then }, arguments)
            }
        }
    }

    /// Numbers that look random, the same ones each time.
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        fn below(&mut self, end: u32) -> u32 {
            u32::try_from(self.next() % u64::from(end)).unwrap()
        }

        fn argument(&mut self) -> u64 {
            match self.below(4) {
                0 => self.next() % 4,
                1 => (self.next() % 4) | (1 << 32),
                2 => 1 << self.below(64),
                _ => self.next(),
            }
        }

        fn decision(&mut self, deepest: u32) -> Decision {
            if deepest == 0 || self.below(3) > 0 {
                return Decision::Return(self.below(5) * 7);
            }
            let masks = [u64::MAX, LOW, 0xf, 0o7777, self.next()];
            let kind = self.below(3);
            let mask = masks[usize::try_from(self.below(if kind == 2 { 4 } else { 5 })).unwrap()];
            let values = match kind {
                0 => Values::Any((0..=self.below(5)).map(|_| self.argument()).collect()),
                1 => Values::Bits(self.argument()),
                _ => Values::AtLeast(self.argument() & mask),
            };
            let argument = u8::try_from(self.below(6)).unwrap();
            let test = Test { argument, mask, values, negated: self.below(2) == 0 };
            let [then, otherwise] = [(); 2].map(|()| Rc::new(self.decision(deepest - 1)));
            Decision::If { test, then, otherwise }
        }
    }

    #[test]
    fn a_program_decides_as_its_table() {
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        for round in 0..300 {
            let most = if round % 10 == 0 { 400 } else { 40 };
            let tables: Vec<_> = (0..=numbers.below(2))
                .map(|one| {
                    let mut next = 0;
                    let ranges = (0..=numbers.below(most)).map(|_| {
                        let range = (next, numbers.decision(3));
                        next += 1 + numbers.below(5);
                        range
                    });
                    Table { architecture: 0xc000_0000 + one, ranges: ranges.collect() }
                })
                .collect();
            let program = compile(&tables, 99);
            for _ in 0..200 {
                let architecture = 0xc000_0000 + numbers.below(3);
                let number = match numbers.below(8) {
                    0 => numbers.below(u32::MAX),
                    _ => numbers.below(600),
                };
                let arguments = [(); 6].map(|()| numbers.argument());
                let table = tables.iter().find(|table| table.architecture == architecture);
                let wanted = table.map_or(99, |table| {
                    let range = table.ranges.iter().rev().find(|(first, _)| *first <= number);
                    model(&range.unwrap().1, arguments)
                });
                assert_eq!(run(&program, architecture, number, arguments), wanted, "{tables:?}");
            }
        }
    }
}
