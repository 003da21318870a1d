//! What the language costs where a recipe fills something: arrays, maps, strings and blobs of a
//! thousand to a million elements, beside Python. The time an element takes does not grow with their
//! number.
//!
//! `cargo bench` measures. Without its `--bench`, as `cargo test --bench language` runs it, there is
//! one round of the smaller ones: that it works is then all that is to be seen.
//! `NSSCRIPT_BENCH_ROUNDS` sets how many rounds there are.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints what it measures"
)]

mod race;

use std::process::ExitCode;

use race::{Answer, Contender, Directory, microseconds, print_table, quantile, race};

/// How many rounds there are unless something else is asked for.
const ROUNDS: usize = 7;

const NUMBERS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// What is filled, by a recipe and by Python, each of which is given the number.
const FILLED: [(&str, &str, &str); 4] = [
    (
        "an array",
        "let all = []; for i in 0..parse_int(args[0]) { all.push(i); } assert(all.len() > 0);",
        "import sys\nall = []\nfor i in range(int(sys.argv[1])):\n    all.append(i)\n",
    ),
    (
        "a map",
        "let all = #{}; for i in 0..parse_int(args[0]) { all[`key ${i}`] = i; } assert(all.len() > 0);",
        "import sys\nall = {}\nfor i in range(int(sys.argv[1])):\n    all[f'key {i}'] = i\n",
    ),
    (
        "a string",
        "let all = \"\"; for i in 0..parse_int(args[0]) { all += \"line\\n\"; } assert(all.len() > 0);",
        "import sys\nall = ''\nfor i in range(int(sys.argv[1])):\n    all += 'line\\n'\n",
    ),
    (
        "a blob",
        "let all = blob(); for i in 0..parse_int(args[0]) { all.push(i); } assert(all.len() > 0);",
        "import sys\nall = bytearray()\nfor i in range(int(sys.argv[1])):\n    all.append(i & 255)\n",
    ),
];

fn measure(rounds: usize) -> Answer<()> {
    println!("rounds: {rounds}");
    let directory = Directory::new()?;
    let numbers = if rounds > 1 { &NUMBERS[..] } else { &NUMBERS[..2] };
    for (kind, recipe, script) in FILLED {
        let recipe = directory.write(&format!("{kind}.rhai"), recipe)?;
        let script = directory.write(&format!("{kind}.py"), script)?.display().to_string();
        let mut medians = Vec::new();
        for number in numbers {
            let number = number.to_string();
            let mut own = Contender::recipe("nsscript", &recipe);
            own.words.push(number.clone());
            let mut contenders = [Contender::new("python3", &["python3", &script, &number]), own];
            contenders.iter_mut().for_each(Contender::try_out);
            if let Some(reason) = &contenders[1].absent {
                return Err(reason.clone().into());
            }
            race(&mut contenders, rounds)?;
            println!("\n{number} elements into {kind}");
            print_table("/ python", &contenders);
            medians.push(quantile(&microseconds(&contenders[1].times), 50));
        }
        // Starting takes as long as it takes with next to nothing to do.
        let start = medians[0];
        for (number, median) in numbers.iter().zip(&medians).skip(1) {
            #[allow(clippy::cast_precision_loss, reason = "numbers of elements are small")]
            let each = (median - start) * 1000.0 / *number as f64;
            println!("{number:>9} elements into {kind}: {each:.0} ns each");
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    race::begin("language", ROUNDS, measure)
}
