//! The files for host name look-ups: resolv.conf(5), hosts(5).

use std::net::IpAddr;

use crate::host::Host;
use crate::ops::FORWARDED;
use crate::spec::JoinedNetwork;

const HOSTS: &str = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";

/// The files for an existing network; empty if the recipe did not set any.
pub(super) fn of_network(network: &JoinedNetwork) -> Vec<(&'static str, String)> {
    let resolver = network.resolver.clone().map(|text| ("/etc/resolv.conf", text));
    resolver.into_iter().collect()
}

/// The files for a network that can reach the host's.
pub(super) fn of_host(host: &Host) -> Vec<(&'static str, String)> {
    let text = host.tree.read("/etc/resolv.conf".as_ref()).unwrap_or_default();
    vec![
        ("/etc/resolv.conf", resolver(&String::from_utf8_lossy(&text))),
        ("/etc/hosts", HOSTS.into()),
    ]
}

/// The host's resolv.conf for another network: without servers on the host itself.
fn resolver(text: &str) -> String {
    let mut out = String::new();
    let mut servers = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["nameserver", server, ..] => {
                let is_here = server.parse().is_ok_and(|address: IpAddr| address.is_loopback());
                let server = if is_here { FORWARDED } else { server };
                if !servers.contains(&server) {
                    servers.push(server);
                    out.push_str(&format!("nameserver {server}\n"));
                }
            }
            ["search" | "options" | "domain", ..] => {
                out.push_str(&format!("{}\n", words.join(" ")));
            }
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::resolver;

    #[test]
    fn a_server_on_the_host_is_asked_through_pasta() {
        let text = "# made\nnameserver 127.0.0.53\nnameserver 127.0.0.54\nsearch  example.org\noptions edns0\n";
        let seen = "nameserver 169.254.1.1\nsearch example.org\noptions edns0\n";
        assert_eq!(resolver(text), seen);
        assert_eq!(resolver("nameserver 10.0.0.53\n"), "nameserver 10.0.0.53\n");
    }
}
