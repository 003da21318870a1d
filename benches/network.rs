//! What building networks costs, beside a shell script of `ip`: the wall time of whole processes.
//!
//! Networks around a bridge, each with a cable, an address and its loopback set up: 2, 10 and 100 of
//! them. Both begin with nothing and leave nothing; the script gets a network and a /run of its own by
//! unshare(1), which takes a millisecond. Root alone can run it.
//!
//! `cargo bench` measures. Without its `--bench`, as `cargo test --bench network` runs it, there is
//! one round: that it works is then all that is to be seen. `NSSCRIPT_BENCH_ROUNDS` sets how many
//! rounds there are.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints what it measures"
)]

mod race;

use std::process::ExitCode;

use race::{Answer, Contender, Directory, compete};

/// How many rounds there are unless something else is asked for.
const ROUNDS: usize = 15;

/// How many networks.
const NUMBERS: [usize; 3] = [2, 10, 100];

/// The networks by hand.
const SCRIPT: &str = r#"set -e
mount -t tmpfs tmpfs /run
ip link add br0 type bridge
ip link set br0 up
for number in $(seq 1 "$1"); do
    name=n$number
    ip netns add $name
    ip link add port$number type veth peer name eth0 netns $name
    ip link set port$number master br0 up
    ip -n $name link set lo up
    ip -n $name address add 10.0.0.$number/24 dev eth0
    ip -n $name link set eth0 up
done
"#;

const RECIPE: &str = r#"
let hub = netns().bridge("br0", []);
let hosts = [];
for number in 1..=parse_int(args[0]) {
    let host = netns();
    veth(hub, `port${number}`, host, "eth0", #{ up: true });
    hub.port(`port${number}`, "br0");
    host.address("eth0", `10.0.0.${number}/24`);
    hosts.push(host);
}
"#;

fn measure(rounds: usize) -> Answer<()> {
    println!("rounds: {rounds}");
    let directory = Directory::new()?;
    let script = directory.write("networks.sh", SCRIPT)?.display().to_string();
    let recipe = directory.write("networks.rhai", RECIPE)?;
    for number in NUMBERS {
        let number = number.to_string();
        let words = ["unshare", "--net", "--mount", "sh", &script, &number];
        let by_hand = Contender::new("sh and ip", &words);
        let mut own = Contender::recipe("nsscript, netns() and veth(…)", &recipe);
        own.words.push(number.clone());
        let title = format!("{number} networks around a bridge");
        compete(&title, "/ ip", &mut [by_hand, own], rounds)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    race::begin("network", ROUNDS, measure)
}
