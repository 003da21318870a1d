//! Filters: which packets pass a network, what is said of those that do not, and the same by nft(8).

use crate::support::schema::fitting;
use crate::support::{Bench, as_each_user, have};

/// A client and a server, each on one side of a firewall, with addresses of both versions.
const FIREWALL: &str = r#"
    let client = netns();
    let wall = netns();
    let server = netns();
    veth(client, "eth0", wall, "lan", #{ up: true });
    veth(server, "eth0", wall, "wan", #{ up: true });
    client.address("eth0", "10.1.0.2/24").address("eth0", "fd01::2/64");
    wall.address("lan", "10.1.0.1/24").address("lan", "fd01::1/64");
    wall.address("wan", "10.2.0.1/24").address("wan", "fd02::1/64").forward();
    server.address("eth0", "10.2.0.2/24").address("eth0", "fd02::2/64");
    client.route("default", "10.1.0.1").route("default", "fd01::1");
    server.route("default", "10.2.0.1").route("default", "fd02::1");
    let servers = [22, 80, 443, 8000, 8050, 8100, 8101].map(|port| server.listen(port));
    let name = server.listen(53, #{ protocol: "udp" });
    let soon = #{ timeout: "100ms" };
    // Each attempt that is to fail is short, and one that is to succeed has time.
    fn reach(from, address, port, expected) {
        from.can_connect(address, port, #{ timeout: if expected { "5s" } else { "100ms" } })
    }
    fn flows(wall) {
        wall.dropped().filter(|it| it.source != ()).map(|it|
            `${it.rule}: ${it.protocol} ${it.source} ${it.destination} ${it.port} ${it.packets > 0} ${it.bytes > 30}`)
    }
"#;

#[track_caller]
fn printed(bench: &Bench, recipe: &str) -> String {
    bench.recipe(&format!("{FIREWALL}{recipe}")).end().succeeded()
}

#[test]
fn what_is_not_allowed_is_dropped_by_default_and_listed() {
    as_each_user(|bench| {
        let recipe = r#"
            print([wall.dropped(), client.ping("10.2.0.2")]);
            wall.allow(#{ protocol: "tcp", port: 443 }).drop_by_default().allow(#{ protocol: "tcp", port: [80] });
            for address in ["10.2.0.2", "fd02::2"] {
                print([reach(client, address, 443, true), reach(client, address, 80, true),
                    reach(client, address, 22, false), client.ping(address, soon)]);
            }
            let by_name = client.can_connect("10.2.0.2", 53, #{ protocol: "udp", timeout: "100ms" });
            // The firewall itself, and what it sends.
            print([by_name, client.ping("10.1.0.1", soon), wall.ping("10.2.0.2", soon), wall.ping("127.0.0.1"), wall.ping("::1")]);
            // The machines of a link find each other, by ARP and its like.
            print(client.neighbours().filter(|it| it.address in ["10.1.0.1", "fd01::1"]).map(|it| it.mac != ()));
            let found = flows(wall);
            for flow in ["tcp 10.1.0.2 10.2.0.2 22", "udp 10.1.0.2 10.2.0.2 53", "tcp fd01::2 fd02::2 22",
                "icmp 10.1.0.2 10.1.0.1 ", "icmp 10.1.0.2 10.2.0.2 ", "icmp 10.2.0.1 10.2.0.2 ", "icmpv6 fd01::2 fd02::2 "] {
                assert(`drop packets that no rule allows: ${flow} true true` in found, `${flow}: ${found}`);
            }
            print(wall.dropped().filter(|it| it.source == ()));
            // A network has its own list.
            print(client.dropped());
            wall.allow_by_default();
            print([client.ping("10.2.0.2"), client.ping("fd02::2"), flows(wall).len() >= 7]);
            // A new record begins. What ends connections that are not known is dropped, too.
            wall.drop_by_default();
            print(wall.dropped().filter(|it| it.port in [22, 53] || it.protocol == "icmp"));
            print(reach(client, "10.2.0.2", 443, true));
            wall.disallow();
            print(reach(client, "10.2.0.2", 443, false));
            wall.allow_by_default();
            print(reach(client, "10.2.0.2", 22, true));"#;
        let seen = "[[], true]\n[true, true, false, false]\n[true, true, false, false]\n\
                    [false, false, false, true, true]\n[true, true]\n[]\n[]\n[true, true, true]\n\
                    []\ntrue\nfalse\ntrue\n";
        assert_eq!(printed(bench, recipe), seen);
    });
}

#[test]
fn ranges_of_ports_are_allowed_and_blocked_to_their_ends() {
    as_each_user(|bench| {
        let recipe = r#"
            wall.drop_by_default(#{ direction: "forwarded" });
            wall.allow(#{ protocol: "tcp", port: ["8000-8100", 443], source: "10.1.0.0/24" });
            let ports = [443, 8000, 8050, 8100];
            print(ports.map(|port| reach(client, "10.2.0.2", port, true)));
            print([80, 8101].map(|port| reach(client, "10.2.0.2", port, false)));
            print([reach(client, "fd02::2", 443, false), client.ping("10.1.0.1")]);
            // What is blocked is dropped, whatever is allowed.
            wall.block(#{ protocol: "tcp", port: ["8000-8049", "8051-8100"] });
            print(reach(client, "10.2.0.2", 8050, true));
            print([8000, 8100].map(|port| reach(client, "10.2.0.2", port, false)));
            let blocked = wall.dropped().filter(|it| it.source == ());
            print(blocked.map(|it| [it.rule, it.packets >= 2, it.bytes > 60, it.port]));
            wall.unblock();
            print(ports.map(|port| reach(client, "10.2.0.2", port, true)));
            print(wall.dropped().filter(|it| it.source == ()));"#;
        let seen = "[true, true, true, true]\n[false, false]\n[false, true]\ntrue\n[false, false]\n\
                    [[\"drop TCP packets to ports 8000-8049 and 8051-8100\", true, true, ()]]\n\
                    [true, true, true, true]\n[]\n";
        assert_eq!(printed(bench, recipe), seen);
    });
}

#[test]
fn a_filter_has_a_direction() {
    as_each_user(|bench| {
        let recipe = r#"
            server.drop_by_default(#{ direction: "incoming" }).allow(#{ protocol: "icmp" });
            let web = client.listen(80);
            print([reach(server, "10.1.0.2", 80, true), reach(client, "10.2.0.2", 80, false), client.ping("10.2.0.2")]);
            server.allow_by_default(#{ direction: "outgoing" });
            print(reach(client, "10.2.0.2", 80, false));
            server.allow_by_default(#{ direction: "incoming" });
            print(reach(client, "10.2.0.2", 80, true));
            wall.block(#{ protocol: "tcp", port: 80, direction: "incoming" });
            print(reach(client, "10.2.0.2", 80, true));
            wall.block(#{ protocol: "tcp", port: 80, direction: "forwarded", input: "lan" });
            print([reach(client, "10.2.0.2", 80, false), reach(server, "10.1.0.2", 80, true)]);
            wall.unblock();
            client.block(#{ direction: "outgoing", output: "eth0", protocol: "udp" });
            print([client.can_connect("10.2.0.2", 53, #{ protocol: "udp", timeout: "100ms" }),
                reach(client, "10.2.0.2", 80, true), client.dropped().map(|it| it.rule)]);"#;
        let seen = "[true, false, true]\nfalse\ntrue\ntrue\n[false, true]\n\
                    [false, true, [\"drop outgoing UDP packets to eth0\"]]\n";
        assert_eq!(printed(bench, recipe), seen);
    });
}

#[test]
fn a_connection_outlives_its_permission_and_is_interrupted_by_a_block() {
    as_each_user(|bench| {
        if !have(&["bash", "python3"]) {
            return;
        }
        let recipe = r#"
            let serve = "import socket\ns = socket.create_server(('', 7))\nc, _ = s.accept()\n" +
                "while data := c.recv(99): c.sendall(data)";
            let echo = server.start(["python3", "-c", serve]);
            wall.drop_by_default().allow(#{ protocol: "tcp", port: 7 });
            let script = `until exec 3<>/dev/tcp/10.2.0.2/7; do sleep 0.1; done 2>/dev/null
                while read patience; do echo word >&3
                    if read -t $patience -u 3; then echo $REPLY; else echo silence; fi
                done`;
            let talk = client.start(["bash", "-c", script], #{ pipes: true });
            fn answer(talk, patience) { talk.write(patience + "\n"); talk.read_line() }
            print(answer(talk, 10));
            wall.disallow();
            print(answer(talk, 10));
            wall.block(#{ protocol: "tcp", port: 7 });
            print(answer(talk, 1));
            wall.unblock();
            // What was dropped is sent again.
            print(answer(talk, 60));"#;
        assert_eq!(printed(bench, recipe), "word\nword\nsilence\nword\n");
    });
}

#[test]
fn flows_that_are_too_many_are_counted_together() {
    as_each_user(|bench| {
        if !have(&["python3"]) {
            return;
        }
        // Two sets hold 4096 flows each: those with ports, and then those without.
        let send = "import socket\\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\\n\
                    for last in range(8200):\\n    try: s.sendto(b'x', ('10.9.%d.%d' % divmod(last, 256), 53))\\n    \
                    except PermissionError: pass\\n";
        let recipe = format!(
            r#"client.drop_by_default(#{{ direction: "outgoing" }});
            client.run(["python3", "-c", "{send}"]);
            let rows = client.dropped();
            print([rows.filter(|it| it.port == 53).len(), rows.filter(|it| it.port == ()).len()]);
            print(rows.map(|it| it.packets).reduce(|sum, it| sum + it, 0));
            let rest = rows.pop();
            print([rest.rule, rest.source, rest.destination, rest.protocol, rest.port, rest.packets]);"#
        );
        let seen = "[4096, 4097]\n8200\n\
                    [\"drop packets that no rule allows\", (), (), (), (), 8]\n";
        assert_eq!(printed(bench, &recipe), seen);
    });
}

#[test]
fn filters_that_cannot_be_are_refused_with_what_helps() {
    as_each_user(|bench| {
        for (recipe, words) in [
            (
                r#"netns().allow(#{ protocol: "tcp", port: "8100-8000" });"#,
                &["the first port is above the last", "did you mean `\"8000-8100\"`?"][..],
            ),
            (
                r#"netns().allow(#{ protocol: "tcp", port: "443" });"#,
                &["invalid port range `443`", "write one port as a number: `443`"],
            ),
            (
                r#"netns().allow(#{ protocol: "tcp", port: [80, "https"] });"#,
                &["unknown port `https`", "https is usually `443`"],
            ),
            (
                r#"netns().block(#{ protocol: "icmpv6", source: "10.0.0.1" });"#,
                &["icmpv6 is not a protocol of 10.0.0.1/32", "set the protocol to `\"icmp\"`"],
            ),
            (
                r#"netns().allow(#{ protocol: "icmp", destination: "fd00::1" });"#,
                &["icmp is not a protocol of fd00::1/128", "set the protocol to `\"icmpv6\"`"],
            ),
            (
                r#"netns().allow(#{ source: "server" });"#,
                &["the option `source` of `allow`: invalid network `server`", "not a name"],
            ),
            (
                r#"netns().block(#{ protocol: "tcp", port: [80, "0-9"] });"#,
                &["invalid port 0: expected a number from 1 to 65535"],
            ),
            (
                r#"netns().block(#{ protocol: "tcp", port: [80, true] });"#,
                &["an array whose element 1 is a boolean"],
            ),
            (
                r#"netns().allow(#{ protocol: "tcp", port: [] });"#,
                &["the array of ports is empty", "omit the option"],
            ),
            (
                r#"let ports = []; for port in 1..34 { ports.push(port); } netns().block(#{ protocol: "tcp", port: ports });"#,
                &["the array has 33 ports: at most 32", "as a range"],
            ),
            (
                r#"netns().allow(#{ protocol: "icmp", port: 80 });"#,
                &["packets of the protocol `icmp` have no port", "omit the port"],
            ),
            (
                "netns().allow(#{ port: 80 });",
                &["a port needs the protocol `tcp` or `udp`", "add `protocol: \"tcp\"`"],
            ),
            (r#"netns().allow(#{ protocol: "tpc" });"#, &["did you mean `tcp`?"]),
            (
                r#"netns().allow(#{ direction: "outgoing", input: "eth0" });"#,
                &["outgoing packets have no incoming interface", "omit `input`"],
            ),
            (
                r#"netns().block(#{ source: "10.0.0.1", destination: "fd00::1" });"#,
                &["have different IP versions"],
            ),
            (
                r#"netns().drop_by_default(#{ direction: "forward" });"#,
                &["invalid direction `forward`", "did you mean `forwarded`?"],
            ),
            (
                "let net = netns(); net.remove(); print(net.dropped());",
                &["the network net1 was removed"],
            ),
        ] {
            let said = bench.recipe(recipe).end().failed(125);
            for word in words {
                assert!(said.contains(word), "{recipe}: {word}: {said}");
            }
            let checked = bench.nsscript(&["check", "-e", recipe]).end();
            let of_run = recipe.starts_with("let ");
            assert!(!checked.status.success() || of_run, "{recipe}");
        }
        let most = r#"let ports = []; for port in 1..33 { ports.push(`${port}-65535`); }
            netns().block(#{ protocol: "tcp", port: ports, source: "fd00::/8", destination: "fd00::/8" });"#;
        assert_eq!(bench.recipe(most).end().succeeded(), "");
        // The network of the host is not the recipe's.
        for verb in ["drop_by_default()", "allow()", "disallow()", "allow_by_default()"] {
            let recipe = format!("netns(namespaces().net).{verb};");
            let said = bench.recipe(&recipe).end().failed(125);
            let refused = said.contains("that network does not belong to the recipe")
                || said.contains("(EPERM)");
            assert!(refused, "{recipe}: {said}");
        }
        if !bench.user.is_root() {
            let said = bench.recipe("print(netns(namespaces().net).dropped());").end().failed(125);
            assert!(said.contains("cannot list the rules of the network"), "{said}");
        }
    });
}

/// What nft(8) lists of a network in which `calls` were made, and of one in which the commands were run
/// that are printed for them.
fn compare(bench: &Bench, calls: &str) {
    let recipe = format!("netns(){calls}.run(\"nft --stateless list ruleset\");");
    let made = bench.recipe(&recipe).end().succeeded();
    let recipe = format!("netns(){calls};");
    let plans = bench.nsscript(&["plan", "--json", "-e", &recipe]).end().succeeded();
    let plans = fitting("plan", &plans);
    let actions = plans["plans"][0]["actions"].as_array().unwrap();
    let commands = actions.iter().filter_map(|action| action["shell"].as_str());
    let commands: Vec<_> =
        commands.filter_map(|command| command.strip_prefix("ip netns exec net1 ")).collect();
    assert_eq!(commands.len(), calls.matches("\n.").count(), "{calls}: {commands:?}");
    let script = format!("{}\nnft --stateless list ruleset", commands.join("\n"));
    let mut shell = bench.user.command("unshare");
    let alone: &[&str] = if bench.user.is_root() { &["-n"] } else { &["-rn"] };
    let ended = shell.args(alone).args(["sh", "-ec", &script]).output().unwrap();
    let printed = String::from_utf8_lossy(&ended.stdout);
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(
        printed == made && made.contains("chain"),
        "{calls}\n--- nsscript\n{made}--- nft\n{printed}{errors}--- the commands\n{script}"
    );
}

#[test]
fn rules_are_those_of_the_commands_that_are_printed() {
    as_each_user(|bench| {
        if !have(&["nft", "unshare"]) {
            return;
        }
        for calls in [
            "\n.block(#{ protocol: \"tcp\", port: [22, \"8000-8100\"], source: \"10.0.0.0/9\", input: \"eth0\" })",
            "\n.block(#{ destination: \"fd00::/57\", direction: \"forwarded\" })\n.block()\n.unblock()\n.block(#{ protocol: \"icmpv6\" })",
            "\n.allow(#{ protocol: \"udp\", port: 53, output: \"wan\" })\n.drop_by_default()\n.allow(#{ source: \"10.0.0.1\" })",
            "\n.drop_by_default(#{ direction: \"forwarded\" })\n.drop_by_default()\n.allow(#{ direction: \"incoming\" })",
            "\n.drop_by_default()\n.allow(#{ protocol: \"icmp\" })\n.disallow()\n.allow_by_default(#{ direction: \"outgoing\" })",
            "\n.masquerade(#{ protocol: \"tcp\", port: \"1000-2000\" })\n.dnat(\"10.0.0.2:80\", #{ protocol: \"tcp\", port: [80, \"8080-8081\"] })",
            "\n.block(#{ input: \"wan\", output: \"lan\" })\n.unblock()",
            "\n.masquerade()\n.untranslate()",
            "\n.block(#{ protocol: \"tcp\", port: [1, 2, 30000, \"40000-50000\", 60000], source: \"2001:db8:1111:2222:3333::/80\", destination: \"2001:db8:4444:5555:6666:7777::/96\" })",
            "\n.disallow()",
            "\n.allow_by_default()",
        ] {
            compare(bench, calls);
        }
    });
}

#[test]
fn a_plan_and_its_explanation_tell_of_filters() {
    as_each_user(|bench| {
        let recipe = r#"netns().drop_by_default().allow(#{ protocol: "tcp", port: [443, "8000-8100"] })
            .block(#{ source: "10.0.0.7", direction: "incoming" }).disallow()
            .allow_by_default(#{ direction: "outgoing" });"#;
        let told = bench.nsscript(&["plan", "-e", recipe]).end().succeeded();
        for line in [
            "drop packets that no rule allows in the network net1",
            "allow TCP packets to ports 443 and 8000-8100 in the network net1",
            "drop incoming packets from 10.0.0.7/32 in the network net1",
            "remove all allow rules in the network net1",
            "accept outgoing packets that no rule blocks in the network net1",
        ] {
            assert!(told.contains(line), "{line}: {told}");
        }
        let told = bench.nsscript(&["--explain", "-e", recipe]).end().stderr;
        for line in [
            "[{nlmsg_type=NFT_MSG_NEWRULE}, {tcp dport 8000-8100 accept}]",
            "[{nlmsg_type=NFT_MSG_NEWCHAIN}, {default_forward, policy drop}]",
            "add rule inet nsscript default_input ct state established,related accept",
        ] {
            assert!(told.contains(line), "{line}: {told}");
        }
    });
}
