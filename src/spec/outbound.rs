//! Outbound connections of sandboxes, and ports for inbound ones.

use std::net::{IpAddr, Ipv4Addr};

use super::ValueError;
use crate::diag::quoted;

/// A port of the host that leads into a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// Its address on the host.
    pub address: IpAddr,
    /// The port on the host.
    pub outside: u16,
    /// The port in the sandbox.
    pub inside: u16,
}

impl Forwarded {
    /// `80`, `8080:80` or `0.0.0.0:8080:80`. Without an address, it is on the host's loopback only.
    ///
    /// # Errors
    /// The text is none of these.
    pub fn new(text: &str) -> Result<Self, ValueError> {
        let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
        let (rest, inside) = match text.rsplit_once(':') {
            Some((rest, inside)) => (Some(rest), inside),
            None => (None, text),
        };
        let (address, outside) = match rest.map(|rest| (rest, rest.rsplit_once(':'))) {
            None => (None, inside),
            Some((_, Some((address, outside)))) => (Some(address), outside),
            Some((outside, None)) => (None, outside),
        };
        let address = match address {
            None => Some(Ipv4Addr::LOCALHOST.into()),
            Some(address) => address.trim_matches(['[', ']']).parse().ok(),
        };
        match (address, number(outside), number(inside)) {
            (Some(address), Some(outside), Some(inside)) => Ok(Self { address, outside, inside }),
            _ => Err(ValueError::new(format!("invalid host port {}", quoted(text))).hint(
                "expected a number, a string such as `\"8080:80\"`, with the host's port first, or \
                 one that begins with an address of the host: `\"0.0.0.0:8080:80\"`",
            )),
        }
    }
}

/// Ports of the host that lead into a sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbound {
    /// TCP ports.
    pub tcp: Vec<Forwarded>,
    /// UDP ports.
    pub udp: Vec<Forwarded>,
}

impl Outbound {
    /// The options of pasta(1) for it. They disable its defaults, by which the sandbox's ports
    /// would be those of the host and vice versa, and the gateway would be the host itself.
    #[must_use]
    pub fn options(&self) -> Vec<String> {
        let fixed = [
            "--foreground",
            "--quiet",
            "--config-net",
            "--no-map-gw",
            "--no-netns-quit",
            "--ns-ifname",
            "eth0",
        ];
        let mut options: Vec<String> = fixed.map(str::to_owned).to_vec();
        for (option, ports) in [("--tcp-ports", &self.tcp), ("--udp-ports", &self.udp)] {
            for Forwarded { address, outside, inside } in ports {
                options.extend([option.to_owned(), format!("{address}/{outside}:{inside}")]);
            }
            if ports.is_empty() {
                options.extend([option, "none"].map(str::to_owned));
            }
        }
        options.extend(["--tcp-ns", "none", "--udp-ns", "none"].map(str::to_owned));
        options
    }
}

#[cfg(test)]
mod tests {
    use super::Forwarded;

    #[test]
    fn a_port_of_the_host_is_its_own_unless_an_address_is_said() {
        let said = |text: &str| {
            let made = Forwarded::new(text);
            made.map_or_else(
                |invalid| invalid.to_string(),
                |it| format!("{} {} {}", it.address, it.outside, it.inside),
            )
        };
        assert_eq!(said("80"), "127.0.0.1 80 80");
        assert_eq!(said("8080:80"), "127.0.0.1 8080 80");
        assert_eq!(said("0.0.0.0:8080:80"), "0.0.0.0 8080 80");
        assert_eq!(said("[::1]:8080:80"), "::1 8080 80");
        for text in ["", "0", "x:80", "80:", "65536", "host:80:80", "-1"] {
            assert!(Forwarded::new(text).is_err(), "{text:?}");
        }
    }
}
