//! The files for host name look-ups: resolv.conf(5), hosts(5).

use std::net::IpAddr;

use super::settings::Settings;
use crate::host::Host;
use crate::ops::{Ask, FORWARDED, What};
use crate::spec::{GuestPath, JoinedNetwork, Kind, NetworkChoice, Root};

const HOSTS: &str = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";

/// The files for an existing network; empty if the recipe did not set any.
pub(super) fn of_network(network: &JoinedNetwork) -> Vec<(&'static str, String)> {
    let resolver = network.resolver.clone().map(|text| ("/etc/resolv.conf", text));
    resolver.into_iter().collect()
}

/// The files for a network that can reach the host's. With `own`, the sandbox has its own hosts(5).
pub(super) fn of_host(host: &Host, own: bool) -> Vec<(&'static str, String)> {
    let text = host.tree.read("/etc/resolv.conf".as_ref()).unwrap_or_default();
    let hosts = (!own).then(|| ("/etc/hosts", HOSTS.to_owned()));
    let resolver = ("/etc/resolv.conf", resolver(&String::from_utf8_lossy(&text)));
    std::iter::once(resolver).chain(hosts).collect()
}

/// The files with the sandbox's own name, without those that the recipe gives itself; none unless
/// the recipe asks for them.
pub(super) fn own(settings: &Settings, host: &Host) -> Vec<(GuestPath, String)> {
    if !settings.has_own_names() {
        return Vec::new();
    }
    let name = match settings.hostname() {
        Some(name) => Some(name.to_owned()),
        // A running sandbox whose names it shares has set its own.
        None if settings.pod.as_ref().is_some_and(|pod| pod.value.kinds.has(Kind::Uts)) => None,
        None => host.setting("kernel/hostname"),
    };
    let addresses = match settings.network.as_ref().map(|network| &network.value) {
        Some(NetworkChoice::Joined(joined)) => joined.addresses.as_slice(),
        Some(NetworkChoice::Outbound(_) | NetworkChoice::None | NetworkChoice::Host) | None => &[],
    };
    let name = name.as_deref().filter(|name| fits(name));
    let hostname = name.map(|name| ("/etc/hostname", format!("{name}\n")));
    let files = std::iter::once(("/etc/hosts", hosts(name, addresses))).chain(hostname);
    let paths = files.filter_map(|(path, text)| Some((GuestPath::new(path).ok()?, text)));
    paths.filter(|(path, _)| !is_given(settings, path)).collect()
}

/// Whether hosts(5) can hold a name: blanks divide names, and `#` begins a comment.
fn fits(name: &str) -> bool {
    !name.is_empty() && !name.contains(|letter: char| letter.is_whitespace() || letter == '#')
}

/// The lines of hosts(5): `localhost`, and the own name on the first address of each family. Without
/// an IPv4 address, it is one of `lo`, as in Debian, which is not that of `localhost`.
fn hosts(name: Option<&str>, addresses: &[IpAddr]) -> String {
    let Some(name) = name.filter(|name| *name != "localhost") else { return HOSTS.to_owned() };
    let short = name.split_once('.').filter(|(short, _)| !short.is_empty());
    let names = short.map_or_else(|| name.to_owned(), |(short, _)| format!("{name} {short}"));
    let first = |is_it: fn(&IpAddr) -> bool| addresses.iter().copied().find(is_it);
    let four = first(IpAddr::is_ipv4).unwrap_or(IpAddr::from([127, 0, 1, 1]));
    let own = std::iter::once(four).chain(first(IpAddr::is_ipv6));
    own.fold(HOSTS.to_owned(), |hosts, address| format!("{hosts}{address} {names}\n"))
}

/// Whether the recipe gives a file itself: it makes one at that place, or covers a directory above.
fn is_given(settings: &Settings, path: &GuestPath) -> bool {
    let in_root = matches!(&settings.root.value, Root::Rootfs(rootfs) if rootfs.has_file(path));
    in_root
        || settings.inside.iter().any(|step| {
            let (What::Ask(ask), Some(target)) = (&step.what, step.what.target()) else {
                return false;
            };
            match ask {
                Ask::ReadOnly(_) | Ask::Pin(_) => false,
                Ask::Directory(_) | Ask::File(_) | Ask::Symlink(_) => target == path,
                _ => path.is_within(target),
            }
        })
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
    use super::{hosts, resolver};

    #[test]
    fn a_server_on_the_host_is_asked_through_pasta() {
        let text = "# made\nnameserver 127.0.0.53\nnameserver 127.0.0.54\nsearch  example.org\noptions edns0\n";
        let seen = "nameserver 169.254.1.1\nsearch example.org\noptions edns0\n";
        assert_eq!(resolver(text), seen);
        assert_eq!(resolver("nameserver 10.0.0.53\n"), "nameserver 10.0.0.53\n");
    }

    #[test]
    fn the_own_name_has_an_address_of_each_family() {
        let said = |name, addresses: &[&str]| {
            let addresses: Vec<_> = addresses.iter().map(|it| it.parse().unwrap()).collect();
            hosts(name, &addresses).lines().skip(2).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(said(Some("box"), &[]), ["127.0.1.1 box"]);
        assert_eq!(said(Some("box.lan"), &["10.0.0.2", "10.0.0.3"]), ["10.0.0.2 box.lan box"]);
        assert_eq!(said(Some("box"), &["fd00::2"]), ["127.0.1.1 box", "fd00::2 box"]);
        assert!(said(Some("localhost"), &[]).is_empty() && said(None, &["10.0.0.2"]).is_empty());
    }
}
