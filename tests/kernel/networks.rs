//! Networks: what is made in them, who reaches whom, and what is left of it.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::{Bench, Launch, User, as_each_user, have, may_mount};

/// Two networks, joined, with addresses of both versions.
const PAIR: &str = r#"
    let left = netns();
    let right = netns();
    veth(left, "eth0", right, "eth0", #{ up: true });
    left.address("eth0", "10.0.0.1/24").address("eth0", "fd00::1/64");
    right.address("eth0", "10.0.0.2/24").address("eth0", "fd00::2/64");
"#;

#[track_caller]
fn printed(bench: &Bench, recipe: &str) -> String {
    bench.recipe(recipe).end().succeeded()
}

/// What is said of a recipe after the pair.
#[track_caller]
fn said(bench: &Bench, recipe: &str) -> String {
    bench.recipe(&format!("{PAIR}{recipe}")).end().failed(125)
}

#[test]
fn joined_networks_reach_each_other_and_nobody_else() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"{PAIR}
            print([left.ping("10.0.0.2"), left.ping("fd00::2"), right.ping("fd00::1")]);
            // Nobody waits until no other has an address.
            print(left.within(|| read_file("/proc/sys/net/ipv6/conf/eth0/accept_dad").trim()));
            print([left.ping("10.0.0.3", #{{ timeout: "50ms" }}), left.ping("192.0.2.1")]);
            let web = right.listen(80, #{{ answer: "hello\n" }});
            let echo = right.listen(7, #{{ protocol: "udp" }});
            print([left.can_connect("10.0.0.2", 80), left.can_connect("fd00::2", 80)]);
            print([left.can_connect("10.0.0.2", 81), left.can_connect("10.0.0.1", 80)]);
            print([left.can_connect("10.0.0.2", 7, #{{ protocol: "udp" }}),
                left.can_connect("10.0.0.2", 8, #{{ protocol: "udp" }})]);
            // A datagram is answered from the address that it was sent to.
            right.address("lo", "10.7.0.1/32").address("lo", "fd07::1/128");
            left.route("10.7.0.1", "10.0.0.2").route("fd07::1", "fd00::2");
            print(["10.7.0.1", "fd07::1"].map(|it| left.can_connect(it, 7, #{{ protocol: "udp" }})));
            // A third network sees nothing of it, nor does the host.
            print(netns().ping("10.0.0.1"));
            print(interfaces().filter(|found| found.addresses.contains("10.0.0.1/24")).len());
            web.kill("KILL");
            web.wait();
            print(left.can_connect("10.0.0.2", 80));"#
        );
        let seen = "[true, true, true]\n0\n[false, false]\n[true, true]\n[false, false]\n[true, false]\n\
                    [true, true]\nfalse\n0\nfalse\n";
        assert_eq!(printed(bench, &recipe), seen);
    });
}

#[test]
fn programs_and_closures_are_in_the_network_that_they_run_in() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"{PAIR}
            let host = namespaces().net.inode;
            print(left.within(|| interfaces().filter(|found| found.name == "eth0")[0].addresses[0]));
            print(right.output(["sh", "-c", "grep -c eth0 /proc/net/dev"]).stdout.trim());
            print(right.run(["sh", "-c", "exit 3"], #{{ check: false }}).code);
            let sleeper = right.start("sleep 100");
            print(sleeper.namespace(NET) == right.namespace);
            sleeper.kill("KILL");
            sleeper.wait();
            print(left.namespace != right.namespace && left.namespace.inode != host);
            print(namespaces().net.inode == host);
            print(netns(left.namespace) == left);"#
        );
        assert_eq!(printed(bench, &recipe), "10.0.0.1/24\n1\n3\ntrue\ntrue\ntrue\ntrue\n");
        let recipe = format!(r#"{PAIR} left.run("no-such-program");"#);
        let wrong = bench.recipe(&recipe).end();
        assert!(matches!(wrong.status.code(), Some(126 | 127)), "{wrong:?}");
        assert!(wrong.stderr.contains("`no-such-program`"), "{}", wrong.stderr);
        assert!(!wrong.stderr.contains("sandbox"), "{}", wrong.stderr);
    });
}

#[test]
fn ports_of_a_bridge_reach_each_other() {
    as_each_user(|bench| {
        let recipe = r#"
            let hub = netns();
            let hosts = [];
            for number in 1..4 {
                let host = netns();
                veth(hub, `port${number}`, host, "eth0");
                host.address("eth0", `10.0.0.${number}/24`).up("eth0");
                hosts.push(host);
            }
            hub.bridge("br0", ["port1", "port2", "port3"]);
            let all = [];
            for one in hosts { for number in 1..4 { all.push(one.ping(`10.0.0.${number}`)); } }
            print(all.all(|answered| answered));
            print(hub.interfaces().filter(|found| found.bridge == "br0").map(|found| found.name));
            // Cut off, and healed.
            hub.port("port3");
            print(hosts[0].ping("10.0.0.3", #{ timeout: "100ms" }));
            hub.port("port3", "br0");
            print(hosts[0].ping("10.0.0.3"));
            hub.down("port2");
            print([hosts[0].ping("10.0.0.2", #{ timeout: "100ms" }), hosts[0].ping("10.0.0.3")]);"#;
        let seen = "true\n[\"port1\", \"port2\", \"port3\"]\nfalse\ntrue\n[false, true]\n";
        assert_eq!(printed(bench, recipe), seen);
    });
}

#[test]
fn a_route_refuses_packets_in_the_way_that_it_says() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"{PAIR}
            fn why(net, address) {{ net.output(["ip", "route", "get", address], #{{ check: false }}) }}
            left.route("default", "10.0.0.2");
            left.route("10.7.1.0/24", #{{ type: "unreachable" }});
            left.route("10.7.2.0/24", #{{ type: "prohibit" }});
            left.route("10.7.3.0/24", #{{ type: "blackhole", metric: 7 }});
            left.route("fd07::/64", #{{ type: "unreachable" }});
            for route in left.routes().filter(|it| it.device == ()) {{
                print(`${{route.destination}} ${{route.metric}}`);
            }}
            let soon = #{{ timeout: "100ms" }};
            print([left.ping("10.7.1.1", soon), left.ping("10.7.2.1", soon), left.ping("fd07::1", soon)]);
            for address in ["10.7.1.1", "10.7.2.1", "10.7.3.1"] {{ print(why(left, address).stderr); }}
            print(left.output("ip route show").stdout);
            left.remove_route("10.7.1.0/24").remove_route("10.7.2.0/24", #{{ type: "prohibit" }});
            left.remove_route("fd07::/64", #{{ type: "unreachable" }});
            try {{ left.remove_route("10.7.3.0/24", #{{ type: "prohibit" }}); }} catch (e) {{ print(e.errno); }}
            print(left.routes().filter(|it| it.device == ()).map(|it| it.destination));"#
        );
        if !have(&["ip"]) {
            return;
        }
        let seen = printed(bench, &recipe);
        for line in [
            "10.7.1.0/24 0\n",
            "10.7.2.0/24 0\n",
            "10.7.3.0/24 7\n",
            "fd07::/64 1024\n",
            "[false, false, false]\n",
            "No route to host",
            "Permission denied",
            "Invalid argument",
            "unreachable 10.7.1.0/24 proto static",
            "prohibit 10.7.2.0/24 proto static",
            "blackhole 10.7.3.0/24 proto static metric 7",
        ] {
            assert!(seen.contains(line), "{line}: {seen}");
        }
        assert!(seen.ends_with("\n3\n[\"10.7.3.0/24\"]\n"), "{seen}");
    });
}

/// A client, a router, and a server that knows nothing of the client's network.
const ROUTED: &str = r#"
    let client = netns();
    let router = netns();
    let server = netns();
    veth(client, "eth0", router, "lan", #{ up: true });
    veth(server, "eth0", router, "wan", #{ up: true });
    client.address("eth0", "10.1.0.2/24").route("default", "10.1.0.1");
    router.address("lan", "10.1.0.1/24").address("wan", "10.2.0.1/24");
    server.address("eth0", "10.2.0.2/24");
    let web = server.listen(80);
    let other = server.listen(81);
"#;

#[test]
fn a_router_passes_on_and_translates() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"{ROUTED}
            let soon = #{{ timeout: "100ms" }};
            print(client.ping("10.2.0.2", soon));
            router.forward();
            print(client.ping("10.2.0.2", soon));
            server.route("10.1.0.0/24", "10.2.0.1");
            print(client.ping("10.2.0.2"));
            server.remove_route("10.1.0.0/24");
            print(client.ping("10.2.0.2", soon));
            router.masquerade(#{{ output: "wan", source: "10.1.0.0/24" }});
            print([client.ping("10.2.0.2"), client.can_connect("10.2.0.2", 80)]);
            print(server.neighbours().map(|found| found.address).contains("10.1.0.2"));"#
        );
        let seen = "false\nfalse\ntrue\nfalse\n[true, true]\nfalse\n";
        assert_eq!(printed(bench, &recipe), seen);
    });
}

#[test]
fn a_port_of_a_router_leads_to_a_machine_behind_it() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"{ROUTED}
            let inside = client.listen(8000);
            let six = client.listen(8001);
            router.forward();
            let soon = #{{ timeout: "100ms" }};
            print(server.can_connect("10.2.0.1", 80, soon));
            router.dnat("10.1.0.2:8000", #{{ input: "wan", protocol: "tcp", port: 80 }});
            print([server.can_connect("10.2.0.1", 80), server.can_connect("10.2.0.1", 81, soon)]);
            client.address("eth0", "fd01::2/64").route("default", "fd01::1");
            router.address("lan", "fd01::1/64").address("wan", "fd02::1/64");
            server.address("eth0", "fd02::2/64");
            router.dnat("[fd01::2]:8001", #{{ destination: "fd02::1", protocol: "tcp", port: 82 }});
            print(server.can_connect("fd02::1", 82));
            // Without a port of its own it stays the one that was asked.
            router.dnat("10.1.0.2", #{{ destination: "10.2.0.1", protocol: "tcp", port: 8000 }});
            print(server.can_connect("10.2.0.1", 8000));
            router.untranslate();
            print([server.can_connect("10.2.0.1", 80, soon), server.can_connect("10.2.0.1", 8000, soon)]);"#
        );
        let seen = "false\n[true, false]\ntrue\ntrue\n[false, false]\n";
        assert_eq!(printed(bench, &recipe), seen);
        let wrong = said(bench, r#"left.dnat("10.0.0.2:80", #{});"#);
        assert!(wrong.contains("a port needs the protocol `tcp` or `udp`"), "{wrong}");
        let wrong = said(bench, r#"left.dnat("host:80");"#);
        assert!(wrong.contains("invalid address `host:80`"), "{wrong}");
    });
}

#[test]
fn packets_are_dropped_by_what_they_are() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"{ROUTED}
            router.forward().masquerade(#{{ output: "wan" }});
            let soon = #{{ timeout: "400ms" }};
            let reached = || [client.ping("10.2.0.2", soon), client.can_connect("10.2.0.2", 80, soon),
                client.can_connect("10.2.0.2", 81, soon)];
            print(reached.call());
            router.block(#{{ protocol: "tcp", port: 80 }});
            print(reached.call());
            router.block(#{{ protocol: "icmp", destination: "10.2.0.0/24" }});
            print(reached.call());
            router.unblock().block(#{{ input: "lan", output: "wan" }});
            print(reached.call());
            router.unblock().block(#{{ source: "10.1.0.3" }}).block(#{{ destination: "10.2.0.128/25" }});
            print(reached.call());
            client.block(#{{ destination: "10.2.0.2/31" }});
            print(reached.call());
            print(client.ping("10.1.0.1"));"#
        );
        let seen = "[true, true, true]\n[true, false, true]\n[false, false, true]\n\
                    [false, false, false]\n[true, true, true]\n[false, false, false]\ntrue\n";
        assert_eq!(printed(bench, &recipe), seen);
    });
}

#[test]
fn interfaces_are_what_was_made_of_them() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"{PAIR}
            left.down("eth0").rename("eth0", "wan0").mac("wan0", "02:00:00:00:00:0a").mtu("wan0", 1400);
            left.up("wan0").bridge("br0", []);
            let found = left.interfaces();
            print(found.map(|it| `${{it.name}} ${{it.kind}} ${{it.up}}`));
            print([found[1].mac, found[1].mtu, found[1].addresses[0]]);
            let third = netns();
            left.move_to("wan0", third);
            print([left.interfaces().len(), third.interfaces().map(|it| it.name)]);
            third.address("wan0", "10.0.0.3/24").up("wan0");
            print(third.ping("10.0.0.2"));
            third.remove_address("wan0", "10.0.0.3/24");
            print(third.interfaces()[1].addresses.filter(|it| it.starts_with("10")));
            third.neighbour("wan0", "10.0.0.9", "02:00:00:00:00:09");
            print(third.neighbours().filter(|it| it.state == "permanent").map(|it| it.mac));
            third.delete("wan0");
            print([third.interfaces().len(), right.interfaces().len()]);"#
        );
        let seen = "[\"lo  true\", \"wan0 veth true\", \"br0 bridge true\"]\n\
                    [\"02:00:00:00:00:0a\", 1400, \"10.0.0.1/24\"]\n[2, [\"lo\", \"wan0\"]]\ntrue\n[]\n\
                    [\"02:00:00:00:00:09\"]\n[1, 1]\n";
        assert_eq!(printed(bench, &recipe), seen);
    });
}

#[test]
fn routes_are_those_of_ip() {
    as_each_user(|bench| {
        if !have(&["ip"]) {
            return;
        }
        let recipe = format!(
            r#"{PAIR}
            left.route("default", "10.0.0.254").route("10.8.0.0/16", #{{ interface: "eth0" }});
            left.route("10.9.0.7", "10.0.0.2", #{{ metric: 50 }}).route("default", "fd00::2");
            for route in left.routes().filter(|it| !it.destination.starts_with("fe80")) {{
                print(`${{route.destination}} ${{route.gateway ?? ""}} ${{route.device}} ${{route.metric}}`);
            }}
            print(left.output("ip -4 route").stdout);"#
        );
        let printed = printed(bench, &recipe);
        let (ours, theirs) = printed.split_once("default via").unwrap();
        for line in [
            "default 10.0.0.254 eth0 0\n",
            "10.8.0.0/16  eth0 0\n",
            "10.9.0.7/32 10.0.0.2 eth0 50\n",
            "10.0.0.0/24  eth0 0\n",
            "default fd00::2 eth0 1024\n",
            "fd00::/64  eth0 256\n",
        ] {
            assert!(ours.contains(line), "{line}: {ours}");
        }
        assert!(theirs.contains("10.8.0.0/16 dev eth0 proto static scope link"), "{theirs}");
        assert!(
            theirs.contains("10.9.0.7 via 10.0.0.2 dev eth0 proto static metric 50"),
            "{theirs}"
        );
    });
}

#[test]
fn what_cannot_be_is_told_in_the_words_of_the_kernel() {
    as_each_user(|bench| {
        for (recipe, words) in [
            (
                r#"left.address("eth0", "10.0.0.9");"#,
                &["`10.0.0.9` has no prefix", "`10.0.0.9/24`"][..],
            ),
            (
                r#"left.address("eth1", "10.0.0.9/24");"#,
                &["no interface `eth1`", "did you mean `eth0`?"],
            ),
            (
                r#"left.address("eth0", "10.0.0.1/24");"#,
                &["(EEXIST)", "eth0 already has the address 10.0.0.1"],
            ),
            (r#"left.bridge("sixteen_bytes_so", []);"#, &["has 16 bytes; the maximum is 15"]),
            (
                r#"left.bridge("eth0", []);"#,
                &["(EEXIST)", "the network net1 already has an interface `eth0`"],
            ),
            (
                r#"veth(left, "x", right, "eth0");"#,
                &["(EEXIST)", "the network net2 already has an interface `eth0`"],
            ),
            (r#"left.bridge("br0", ["port9"]);"#, &["has no interface `port9`"]),
            (r#"left.port("eth0", "lo");"#, &["(EOPNOTSUPP)", "lo is not a bridge"]),
            (
                r#"left.route("default", "10.7.0.1");"#,
                &[
                    "the kernel says: Nexthop has invalid gateway",
                    "no interface is in the subnet of 10.7.0.1",
                ],
            ),
            (
                r#"left.down("eth0").route("default", "10.0.0.2");"#,
                &["the kernel says:", "`.up(\"eth0\")`"],
            ),
            (
                r#"left.route("10.0.0.7/24", "10.0.0.2");"#,
                &["invalid network", "the network is `10.0.0.0/24`"],
            ),
            (r#"left.route("fd00::/48", "10.0.0.2");"#, &["have different IP versions"]),
            (
                r#"left.route("10.7.0.0/16", #{ type: "blackhol" });"#,
                &["unknown route type `blackhol`", "did you mean `\"blackhole\"`?"],
            ),
            (
                r#"left.route("10.7.0.0/16", "10.0.0.2", #{ type: "prohibit" });"#,
                &["a route of the type `prohibit` takes no gateway"],
            ),
            (r#"left.remove_route("10.77.0.0/16");"#, &["(ESRCH)", "`routes()` lists"]),
            (
                r#"left.mtu("eth0", 7000000);"#,
                &["the kernel says: mtu greater than device maximum"],
            ),
            (r#"netns("a/b");"#, &["invalid network name `a/b`"]),
            (r#"netns("..");"#, &["invalid network name `..`"]),
            (r#"left.ping("example.org");"#, &["invalid address `example.org`"]),
            ("left.block(#{ port: 80 });", &["a port needs the protocol `tcp` or `udp`"]),
            (r#"left.mac("eth0", "01:00:00:00:00:01");"#, &["is a multicast address"]),
            (
                r#"netns("gone").remove(); let gone = netns("gone"); gone.remove(); veth(left, "x", gone, "y");"#,
                &["the network gone was removed"],
            ),
            (
                "let one = left.listen(80); let two = left.listen(80);",
                &["another program already listens there"],
            ),
            (
                r#"let one = left.listen(80, #{ address: "10.0.0.77" });"#,
                &["has the address `10.0.0.77`"],
            ),
            (r#"print(sandbox().network("outbond"));"#, &["did you mean `outbound`?"]),
        ] {
            let said = said(bench, recipe);
            for word in words {
                assert!(said.contains(word), "{recipe}: {word}: {said}");
            }
        }
    });
}

#[test]
fn a_kind_that_this_kernel_lacks_is_called_so() {
    as_each_user(|bench| {
        for (kind, made) in [
            ("dummy", r#"left.dummy("x")"#),
            ("vlan", r#"left.vlan("x", #{ link: "eth0", id: 7 })"#),
            ("macvlan", r#"left.macvlan("x", #{ link: "eth0" })"#),
            ("ipvlan", r#"left.ipvlan("x", #{ link: "eth0" })"#),
        ] {
            let recipe = format!(
                r#"{PAIR} print({made}.interfaces().filter(|found| found.name == "x").map(|found| found.kind));"#
            );
            let ended = bench.recipe(&recipe).end();
            if ended.status.success() {
                assert_eq!(ended.succeeded(), format!("[\"{kind}\"]\n"));
            } else {
                let said = ended.failed(125);
                assert!(said.contains(&format!("does not support {kind} interfaces")), "{said}");
            }
        }
    });
}

#[test]
fn a_sandbox_in_a_network_sees_it_and_cannot_change_it() {
    as_each_user(|bench| {
        if !have(&["ip"]) {
            return;
        }
        let recipe = format!(
            r#"{PAIR}
            right.resolver(["10.0.0.1", "fd00::1"]);
            let root = rootfs().binaries(["sh", "cat", "ip"]);
            let guest = sandbox(root).proc("/proc").network(right);
            guest.run(["sh", "-c", "ip -o -4 address show dev eth0; cat /etc/resolv.conf"]);
            print(guest.run("ip link set eth0 down", #{{ check: false }}).code);
            print(guest.run("ip link add x type bridge", #{{ check: false }}).code);
            let server = right.listen(80);
            print(guest.within(|| interfaces().map(|found| found.name)));
            print(left.ping("10.0.0.2"));
            // Its own network, the host's, and none at all.
            print(sandbox(root).network(right).network("none").within(|| interfaces().len()));
            print(sandbox(root).network("host").within(|| namespaces).is_shared);"#
        );
        let recipe = recipe.replace(
            r#"print(sandbox(root).network("host").within(|| namespaces).is_shared);"#,
            r#"print(sandbox(root).network("host").within(|| interfaces().len()) == interfaces().len());"#,
        );
        let seen = printed(bench, &recipe);
        assert!(seen.contains("inet 10.0.0.2/24"), "{seen}");
        let rest = seen.split_once("nameserver 10.0.0.1\nnameserver fd00::1\n").unwrap().1;
        assert_eq!(rest, "2\n2\n[\"lo\", \"eth0\"]\ntrue\n1\ntrue\n");
    });
}

#[test]
fn a_hundred_networks_around_a_bridge() {
    as_each_user(|bench| {
        let recipe = r#"
            let hub = netns().bridge("br0", []);
            let hosts = [];
            for number in 1..101 {
                let host = netns();
                veth(hub, `port${number}`, host, "eth0", #{ up: true });
                hub.port(`port${number}`, "br0");
                host.address("eth0", `10.0.${number / 100}.${number % 100 + 1}/16`);
                hosts.push(host);
            }
            let reached = 0;
            for number in 1..101 {
                if hosts[0].ping(`10.0.${number / 100}.${number % 100 + 1}`) { reached += 1; }
            }
            print(reached);"#;
        assert_eq!(printed(bench, recipe), "100\n");
    });
}

#[test]
fn topologies_of_the_library_have_addresses_and_ways() {
    as_each_user(|bench| {
        let recipe = r#"
            import "std/net" as net;
            let one = netns();
            let other = netns();
            let third = netns();
            print(net::pair(one, other, "10.0.0.0/30"));
            print(net::hub([one, other, third], "10.1.0.0/16").addresses);
            let router = net::router([[one, "10.2.0.0/24"], [third, "10.3.0.0/24"]]);
            print([router.addresses, router.interfaces]);
            print([one.ping("10.3.0.2"), third.ping("10.2.0.2"), other.ping("10.1.0.3")]);
            print(one.interfaces().map(|found| found.name));
            print([net::nth("10.255.254.0/23", 300), net::bare("10.0.0.1/8")]);
            print([net::nth("10.0.0.2/31", 1), net::nth("10.0.0.2/31", 2), net::nth("10.0.0.7/32", 1)]);
            for subnet in ["10.0.0.200/24", "10.0.0/24", "300.0.0.0/24", "10.0.0.0/-1", "x/24", "fd00::/64"] {
                try { net::nth(subnet, 1); print("no error"); } catch (error) { print(error); }
            }
            for wrong in [|| net::nth("10.0.0.0/24", 255), || net::nth("10.0.0.0", 1), || net::pair(one, one, "10.9.0.0/24")] {
                try { wrong.call(); print("no error"); } catch (error) { print(error); }
            }"#;
        let seen = "[\"10.0.0.1\", \"10.0.0.2\"]\n[\"10.1.0.1\", \"10.1.0.2\", \"10.1.0.3\"]\n\
                    [[\"10.2.0.2\", \"10.3.0.2\"], [\"eth0\", \"eth1\"]]\n[true, true, true]\n\
                    [\"lo\", \"eth0\", \"eth1\", \"eth2\"]\n[\"10.255.255.44/23\", \"10.0.0.1\"]\n\
                    [\"10.0.0.2/31\", \"10.0.0.3/31\", \"10.0.0.7/32\"]\n\
                    invalid subnet 10.0.0.200/24: it is an address within a subnet\n\
                    invalid IPv4 subnet 10.0.0/24\ninvalid IPv4 subnet 300.0.0.0/24\n\
                    invalid IPv4 subnet 10.0.0.0/-1\ninvalid IPv4 subnet x/24\n\
                    invalid IPv4 subnet fd00::/64\n\
                    10.0.0.0/24 has no address 255\n\
                    invalid subnet 10.0.0.0: expected an address and a prefix, such as \
                    10.0.0.0/24\n\
                    a network cannot be connected to itself\n";
        assert_eq!(printed(bench, recipe), seen);
    });
}

#[test]
fn names_are_the_recipe_s_own_without_host() {
    as_each_user(|bench| {
        let recipe = r#"
            let blue = netns("nsscript-blue");
            print(netns("nsscript-blue") == blue);
            print(netns_names());
            print(exists("/run/netns/nsscript-blue"));
            blue.remove();
            print(netns_names());
            print(netns("nsscript-blue") == blue);"#;
        assert_eq!(printed(bench, recipe), "true\n[\"nsscript-blue\"]\nfalse\n[]\nfalse\n");
    });
}

/// nsscript with a /run of its own, in which it makes names of the host.
fn on_host<'b>(bench: &'b Bench, recipe: &str) -> Launch<'b> {
    let launch = bench.nsscript(&["--host", "-e", recipe]);
    // The mount that `ip netns` makes of the directory is there before and after.
    let setup = "mount -t tmpfs -o mode=755 tmpfs /run; ip netns add first; ip netns delete first; \
                 : > /run/netns/half";
    launch.in_world(setup).by_shell(r#"ip netns add made-by-ip && exec "$@""#)
}

#[test]
fn names_of_the_host_are_those_of_ip_netns() {
    as_each_user(|bench| {
        if !bench.user.is_root() || !may_mount() || !have(&["ip", "nsenter"]) {
            return;
        }
        let recipe = r#"
            print(netns_names());
            let blue = netns("blue");
            let other = netns("made-by-ip");
            let half = netns("half");
            veth(blue, "eth0", other, "eth0", #{ up: true });
            blue.address("eth0", "10.0.0.1/24");
            other.address("eth0", "10.0.0.2/24");
            fn said(net, command) { net.output(["sh", "-c", command]).stdout.trim() }
            print(said(half, "ip netns list | cut -d' ' -f1 | sort | tr '\n' ' '"));
            print(said(half, "ip -n blue -o -4 address show dev eth0 | tr -s ' ' | cut -d' ' -f4"));
            print(said(half, "ip netns exec made-by-ip ip -o -4 address show dev eth0 | tr -s ' ' | cut -d' ' -f4"));
            print(said(half, "nsenter --net=/run/netns/blue ip -o link show dev eth0 | wc -l"));
            half.run("ip -n blue address add 10.0.0.9/24 dev eth0");
            print(blue.interfaces().filter(|found| found.name == "eth0")[0].addresses.contains("10.0.0.9/24"));
            half.remove();
            print(netns_names());
            blue.remove();
            other.remove();
            print(netns_names());"#;
        let seen = "[\"made-by-ip\"]\nblue half made-by-ip\n10.0.0.1/24\n10.0.0.2/24\n1\ntrue\n\
                    [\"blue\", \"made-by-ip\"]\n[]\n";
        assert_eq!(on_host(bench, recipe).end().succeeded(), seen);
        // They stay, and are found again.
        let stays = r#"netns("kept").address("lo", "10.7.0.1/32");"#;
        let launch = bench.nsscript(&["--host", "-e", stays]).in_world(
            "mount -t tmpfs -o mode=755 tmpfs /run; ip netns add first; ip netns delete first",
        );
        let script = r#""$@" && "$6" --host -e 'print(netns("kept").ping("10.7.0.1")); netns("kept").remove();
            print(netns_names())' && ls /run/netns"#;
        let script = script.replace("\"$6\"", &format!("'{}'", bench.binary().display()));
        assert_eq!(launch.by_shell(&script).end().succeeded(), "true\n[]\n");
    });
}

#[test]
fn networks_of_others_are_not_changed_by_accident() {
    as_each_user(|bench| {
        let refused = |recipe: &str| {
            let said = bench.recipe(recipe).end().failed(125);
            let refused = said.contains("that network does not belong to the recipe")
                || said.contains("a user namespace in which this process has no capabilities")
                || said.contains("(EPERM)");
            assert!(refused, "{recipe}: {said}");
        };
        refused(r#"netns(namespaces().net).bridge("nsscript0", []);"#);
        refused(r#"netns(namespaces().net).run("true");"#);
        refused(
            r#"let host = netns(namespaces().net); mount("tmpfs", "/proc", #{ type: "tmpfs" });
            host.bridge("nsscript0", []);"#,
        );
        // Those of the recipe are.
        let own = r#"let child = clone(NET, || sleep("5s"));
            netns(child).up("lo");
            print(netns(child.namespace(NET)).ping("127.0.0.1"));
            unshare(NET);
            print(netns(namespaces().net).bridge("br0", []).interfaces().len());"#;
        if bench.user.is_root() {
            assert_eq!(printed(bench, own), "true\n2\n");
        }
    });
}

#[test]
fn a_name_of_the_host_that_has_no_process_is_not_changed_either() {
    as_each_user(|bench| {
        if !bench.user.is_root() || !may_mount() || !have(&["ip"]) {
            return;
        }
        let setup = "mount -t tmpfs -o mode=755 tmpfs /run; ip netns add blue; echo precious > /run/netns/notes";
        let recipe = r#"netns(namespace("/run/netns/blue")).bridge("evil", []);"#;
        let said = bench.recipe(recipe).in_world(setup).end().failed(125);
        assert!(said.contains("that network does not belong to the recipe"), "{said}");
        // What is no half of a name is not removed for one.
        let launch = bench.nsscript(&["--host", "-e", r#"netns("notes");"#]).in_world(setup);
        let script = r#""$@"; code=$?; cat /run/netns/notes; exit $code"#;
        let ended = launch.by_shell(script).end();
        assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(125), "precious\n"));
        assert!(ended.stderr.contains("(EEXIST)"), "{}", ended.stderr);
    });
}

#[test]
fn programs_see_the_sysfs_of_their_network() {
    as_each_user(|bench| {
        let recipe = format!(
            "{PAIR} left.run(\"ls /sys/class/net\"); print(right.output(\"cat /sys/class/net/eth0/mtu\").stdout.trim());"
        );
        assert_eq!(printed(bench, &recipe), "eth0\nlo\n1500\n");
    });
}

#[test]
fn programs_run_in_networks_where_sys_is_partly_hidden() {
    as_each_user(|bench| {
        // As in most containers: users may mount no other sysfs then.
        let hidden = "mount -t tmpfs tmpfs /sys/kernel";
        let recipe = r#"
            let net = netns();
            net.run(["sh", "-c", "umask"]);
            print(net.output(["sh", "-c", "grep -c lo: /proc/net/dev"]).stdout.trim());
            print(net.start("true").wait().code);"#;
        let launch = bench.recipe(recipe).in_world(hidden).by_shell("umask 027; exec \"$@\"");
        assert_eq!(launch.end().succeeded(), "0027\n1\n0\n");
    });
}

#[test]
fn a_signal_ends_what_asks_and_nobody_blocks_what_answers() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"{PAIR} left.neighbour("eth0", "10.0.0.9", "02:00:00:00:00:09"); print("ready");
            left.can_connect("10.0.0.9", 80, #{{ timeout: "1h" }}); print("after");"#
        );
        let mut running = bench.recipe(&recipe).may_leave_files().start();
        running.wait_for("ready\n");
        std::thread::sleep(Duration::from_millis(100));
        running.signal(Signal::SIGINT);
        let ended = running.end();
        assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(130), "ready\n"));
        if !have(&["bash"]) {
            return;
        }
        // One client says nothing and stays; another one is answered.
        let recipe = format!(
            r#"{PAIR} let web = right.listen(80, #{{ answer: "hello\n" }});
            let silent = left.start(["bash", "-c", "exec 3<>/dev/tcp/10.0.0.2/80; sleep 30"]);
            sleep("100ms");
            left.run(["timeout", "3", "bash", "-c", "exec 3<>/dev/tcp/10.0.0.2/80; echo hi >&3; cat <&3"]);
            silent.kill("KILL");"#
        );
        assert_eq!(printed(bench, &recipe), "hello\n");
    });
}

#[test]
fn joined_networks_stay_where_no_value_is_left_of_them() {
    as_each_user(|bench| {
        let recipe = r#"
            let one = netns();
            fn join(one, number) {
                let other = netns();
                veth(one, `eth${number}`, other, "eth0", #{ up: true });
                one.address(`eth${number}`, `10.0.${number}.1/24`);
                other.address("eth0", `10.0.${number}.2/24`);
            }
            for number in 0..3 { join(one, number); }
            sleep("300ms");
            print([one.ping("10.0.0.2"), one.ping("10.0.2.2"), one.interfaces().len()]);
            // What was removed lets go of them.
            let two = netns();
            veth(two, "eth0", netns(), "eth0");
            two.remove();"#;
        assert_eq!(printed(bench, recipe), "[true, true, 4]\n");
    });
}

#[test]
fn what_is_removed_or_half_made_is_gone() {
    as_each_user(|bench| {
        let said = "let net = netns(); net.remove(); print(sandbox().network(net));";
        let said = bench.recipe(said).end().failed(125);
        assert!(said.contains("the network net1 was removed"), "{said}");
        for verb in [
            "ping(\"127.0.0.1\")",
            "interfaces()",
            "run(\"true\")",
            "bridge(\"b\", [])",
            "remove()",
        ] {
            let recipe = format!("let net = netns(); net.remove(); net.{verb};");
            let said =
                bench.recipe(&recipe.replace("net.ping", "let x = net.ping")).end().failed(125);
            assert!(said.contains("the network net1 was removed"), "{verb}: {said}");
        }
        let recipe = format!(
            r#"{PAIR} for step in [|net| net.bridge("b1", ["nope"]), |net| veth(net, "x", net, "y", #{{ mtu: 100000 }})] {{
                try {{ step.call(left); }} catch (error) {{ print("refused"); }}
            }}
            print(left.interfaces().map(|found| found.name));
            left.route("default", "10.0.0.2").route("default", "fd00::2");
            left.remove_route("default").remove_route("default");
            print(left.routes().filter(|route| route.destination == "default").len());
            let same = left;
            print(left.within(|| same.ping("10.0.0.2")));
            left.within(|| same.bridge("b2", []));
            print(left.interfaces().len());"#
        );
        let seen = "refused\nrefused\n[\"lo\", \"eth0\"]\n0\ntrue\n3\n";
        assert_eq!(printed(bench, &recipe), seen);
    });
}

#[test]
fn nothing_is_left_of_networks_whose_recipe_is_killed() {
    as_each_user(|bench| {
        let recipe = format!(
            r#"{PAIR} left.forward().masquerade(); let web = right.listen(80);
            let guest = sandbox("/").read_only_root().network(left).start("sleep 60");
            print("ready"); sleep("1m");"#
        );
        for moment in [0_u64, 2, 4, 8, 12, 16, 24, 32, 48] {
            let running = bench.recipe(&recipe).may_leave_files().start();
            std::thread::sleep(Duration::from_millis(moment));
            running.signal(Signal::SIGKILL);
            running.end();
        }
        let mut running = bench.recipe(&recipe).may_leave_files().start();
        running.wait_for("ready\n");
        running.signal(Signal::SIGKILL);
        running.end();
    });
}

#[test]
fn a_dry_run_tells_of_networks_and_makes_none() {
    as_each_user(|bench| {
        let recipe = format!(
            "{PAIR} left.route(\"default\", \"10.0.0.2\"); netns(\"blue\"); print(left.ping(\"10.0.0.2\"));"
        );
        let told = bench.nsscript(&["plan", "-e", &recipe]).end().succeeded();
        for line in [
            "create the network net1",
            "connect eth0 in the network net1 to eth0 in the network net2",
            "add 10.0.0.1/24 to eth0 in the network net1",
            "add the default route via 10.0.0.2 in the network net1",
            "create the network `blue`",
        ] {
            assert!(told.contains(line), "{line}: {told}");
        }
        let told = bench.nsscript(&["--explain", "-e", &recipe]).end().stderr;
        assert!(told.contains("$ ip -n net1 address add 10.0.0.1/24 dev eth0"), "{told}");
        assert!(told.contains("RTM_NEWADDR"), "{told}");
    });
}

/// A network with a way out, which nobody else has; for users a device for tunnels that all may open.
pub(super) fn with_a_way_out<'b>(bench: &Bench, launch: Launch<'b>, mode: &str) -> Launch<'b> {
    let setup = format!(
        "mount -t tmpfs tmpfs /mnt; mknod /mnt/tun c 10 200; chmod {mode} /mnt/tun; \
         mount --bind /mnt/tun /dev/net/tun"
    );
    let net = "ip link set lo up; ip link add w0 type veth peer name w1; ip link set w1 up; \
               ip address add 10.99.0.2/24 dev w0; ip address add 10.99.0.77/24 dev w0; \
               ip link set w0 up; ip route add default via 10.99.0.1; exec \"$@\"";
    let ids = [format!("--reuid={}", bench.user.uid), format!("--regid={}", bench.user.gid)];
    let mut becoming = vec!["unshare", "--net", "sh", "-c", net, "sh"];
    if !bench.user.is_root() {
        becoming.extend(["setpriv", &ids[0], &ids[1], "--clear-groups"]);
    }
    launch.in_world(&setup).becoming(&becoming)
}

#[test]
fn a_sandbox_reaches_the_outside_and_is_reached_by_its_ports_alone() {
    as_each_user(|bench| {
        if !User::this().is_root() || !may_mount() || !have(&["pasta", "bash", "ip", "python3"]) {
            return;
        }
        // What answers is outside of the sandbox, in the network that nsscript was started in.
        let serve = r#"python3 -c '
import socket, threading, os
def serve(address):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(address); s.listen()
    while True:
        c, _ = s.accept(); c.sendall(b"outside\n"); c.close()
threading.Thread(target=serve, args=(("10.99.0.77", 8080),)).start()
threading.Thread(target=serve, args=(("127.0.0.1", 8088),)).start()
' & server=$!; sleep 0.3; "$@"; code=$?; kill $server; exit $code"#;
        let recipe = r#"
            let root = rootfs().binaries(["bash", "cat", "timeout", "sleep"]);
            let guest = sandbox(root).proc("/proc").network("outbound", #{ tcp: ["18080:80"] });
            let ask = "exec 3<>/dev/tcp/10.99.0.77/8080; timeout 2 cat <&3";
            guest.run(["bash", "-c", ask]);
            print(guest.output(["bash", "-c", "cat /etc/hosts"]).stdout.contains("127.0.0.1 localhost"));
            let own = root.file("/etc/hosts", "10.9.9.9 db\n").symlink("/run/nowhere", "/etc/resolv.conf");
            let own = sandbox(own).read_only_root().network("outbound");
            print(own.output(["bash", "-c", "cat /etc/hosts; [[ -f /etc/resolv.conf && ! -L /etc/resolv.conf ]]"]).stdout);
            // Neither the host's loopback nor the gateway is the host.
            for address in ["127.0.0.1", "10.99.0.1"] {
                let ask = `timeout 1 bash -c 'exec 3<>/dev/tcp/${address}/8088'`;
                print(guest.run(["bash", "-c", ask], #{ check: false }).code != 0);
            }"#;
        let launch = with_a_way_out(bench, bench.recipe(recipe), "666").by_shell(serve);
        assert_eq!(launch.end().succeeded(), "outside\ntrue\n10.9.9.9 db\n\ntrue\ntrue\n");
    });
}

#[test]
fn the_ports_that_are_named_lead_in() {
    as_each_user(|bench| {
        if !User::this().is_root() || !may_mount() || !have(&["pasta", "ip", "python3"]) {
            return;
        }
        let ask = r#"( for try in 1 2 3 4 5 6 7 8 9 10; do sleep 0.3; python3 -c '
import socket
for port in (18080, 80, 81):
    try:
        print(port, socket.create_connection(("127.0.0.1", port), 1).recv(99))
    except OSError as error:
        print(port, error.__class__.__name__)
' > answer; grep -q inside answer && break; done ) & asking=$!; "$@"; wait $asking; cat answer"#;
        let serve = "import socket, threading\n\
            def serve(port, times):\n    \
                s = socket.create_server((\"\", port))\n    s.settimeout(5)\n    \
                c, _ = s.accept()\n    c.sendall(b\"inside\")\n    c.close()\n\
            serve(80, 1)\n";
        bench.file("serve.py", serve);
        let recipe = r#"let program = read_file("serve.py");
            let python = if exists("/usr/bin/python3") { "/usr/bin/python3" } else { "python3" };
            let guest = sandbox("/").read_only_root().network("outbound", #{ tcp: ["18080:80"] });
            guest.run([python, "-c", program]);"#;
        let launch = with_a_way_out(bench, bench.recipe(recipe).may_leave_files(), "666");
        let ended = launch.by_shell(ask).end();
        let seen = "18080 b'inside'\n80 ConnectionRefusedError\n81 ConnectionRefusedError\n";
        assert_eq!(ended.stdout, seen, "{}", ended.stderr);
    });
}

#[test]
fn what_connects_to_the_outside_ends_with_nsscript() {
    as_each_user(|bench| {
        if !User::this().is_root() || !may_mount() || !have(&["pasta", "ip"]) {
            return;
        }
        let recipe = r#"let root = rootfs().binary("sleep");
            let guest = sandbox(root).network("outbound").start("sleep 60");
            print("ready"); guest.wait();"#;
        for signal in ["KILL", "TERM"] {
            let launch = with_a_way_out(bench, bench.recipe(recipe).may_leave_files(), "666");
            let script = format!(
                "\"$@\" & run=$!; sleep 1; kill -{signal} $run; wait $run; sleep 1; exit 7"
            );
            // That no process is left that comes from it is looked at for every run.
            let ended = launch.by_shell(&script).end();
            assert_eq!(ended.stdout, "ready\n", "{}", ended.stderr);
            assert_eq!(ended.status.code(), Some(7));
        }
    });
}

#[test]
fn what_connects_to_the_outside_stays_with_a_sandbox_that_outlives_nsscript() {
    as_each_user(|bench| {
        if !User::this().is_root() || !may_mount() || !have(&["pasta", "ip"]) {
            return;
        }
        let name = format!("outside-{}", std::process::id());
        let recipe = format!(
            r#"let p = sandbox("/").network("outbound").name("{name}").outlive_parent()
                .start("sleep 60", #{{ stdout: "discard", stderr: "discard" }});
            print("ready");"#
        );
        let binary = bench.binary();
        let script = format!(
            "\"$@\"; {0} exec {name} cat /proc/net/dev | grep -c eth0; {0} kill {name}",
            binary.display()
        );
        let launch = with_a_way_out(bench, bench.recipe(&recipe).may_leave_files(), "666");
        let running = launch.by_shell(&script).goes_on().start();
        let rest = running.rest();
        let ended = running.end();
        assert_eq!(ended.stdout, "ready\n1\n", "{}", ended.stderr);
        // pasta is gone, too.
        rest.ends();
    });
}

#[test]
fn what_is_missing_for_the_outside_is_said() {
    as_each_user(|bench| {
        if !User::this().is_root() || !may_mount() || !have(&["pasta", "ip"]) {
            return;
        }
        let recipe = r#"sandbox("/").read_only_root().network("outbound").run("true");"#;
        // A file that nobody can execute stands in its place.
        let hidden = "mount -t tmpfs tmpfs /mnt; : > /mnt/nothing; chmod 600 /mnt/nothing; \
                      mount --bind /mnt/nothing \"$(readlink -f \"$(command -v pasta)\")\"";
        let said = bench.recipe(recipe).in_world(hidden).end().failed(125);
        assert!(
            said.contains("no working `pasta` found on this host") && said.contains("`passt`"),
            "{said}"
        );
        if !bench.user.is_root() {
            let launch = with_a_way_out(bench, bench.recipe(recipe), "600");
            let said = launch.end().failed(125);
            assert!(said.contains("chmod 0666 /dev/net/tun"), "{said}");
        }
        let started = Instant::now();
        let launch = bench.recipe(recipe).by_shell(r#"exec "$@""#);
        let launch = launch.in_world("true").becoming(&["unshare", "--net"]);
        if bench.user.is_root() {
            let said = launch.end().failed(125);
            assert!(said.contains("no route to the outside"), "{said}");
            assert!(started.elapsed() < Duration::from_secs(5));
        }
    });
}

#[test]
fn a_pair_without_names_has_those_that_the_kernel_chose() {
    as_each_user(|bench| {
        let recipe = r#"let left = netns();
            let right = netns();
            let one = veth(left, right, #{ up: true, mtu: 1400 });
            let two = veth(left, right);
            left.address(one.name, "10.0.0.1/24");
            right.address(one.peer, "10.0.0.2/24");
            print([left.ping("10.0.0.2"), one.name != two.name, one.peer != two.peer]);
            print(left.interfaces().filter(|it| it.kind == "veth").map(|it| [it.name, it.mtu, it.up])
                == [[one.name, 1400, true], [two.name, 1500, false]]);
            let alone = netns();
            let loopback = veth(alone, alone);
            print(alone.interfaces().filter(|it| it.kind == "veth").len());
            print([loopback.name != loopback.peer, left.interfaces().len(), right.interfaces().len()]);
            // What fails leaves no pair.
            try { veth(alone, right, #{ mtu: 100000 }); } catch { print(alone.interfaces().len()); }"#;
        let seen = "[true, true, true]\ntrue\n2\n[true, 3, 3]\n3\n";
        assert_eq!(printed(bench, recipe), seen);
        let plan = bench.nsscript(&["plan", "-e", "let n = netns(); n.up(veth(n, netns()).name);"]);
        let plan = plan.end().succeeded();
        assert!(plan.contains("connect a new interface in the network net1"), "{plan}");
    });
}
