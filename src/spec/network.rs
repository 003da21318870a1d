//! Names and addresses of networks: interfaces, addresses, destinations.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::ValueError;
use super::outbound::Outbound;
use crate::diag::quoted;

/// The longest name of an interface in bytes: `IFNAMSIZ` without the final NUL, netdevice(7).
const LONGEST_INTERFACE: usize = 15;
/// The longest name of a file: path_resolution(7).
const LONGEST_FILE: usize = 255;

/// The name of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceName(String);

impl InterfaceName {
    /// The name `text`.
    ///
    /// # Errors
    /// It is empty, longer than 15 bytes, `.` or `..`, or contains a slash, colon, percent sign or
    /// space.
    pub fn new(text: &str) -> Result<Self, ValueError> {
        let shown = quoted(text);
        let wrong =
            |why: &str| Err(ValueError::new(format!("invalid interface name {shown}: {why}")));
        if text.is_empty() {
            return Err(ValueError::new("the name of the interface is empty"));
        }
        if text.len() > LONGEST_INTERFACE {
            let length = text.len();
            return wrong(&format!("it has {length} bytes; the maximum is {LONGEST_INTERFACE}"));
        }
        if matches!(text, "." | "..") {
            return wrong("it would be a directory of sysfs");
        }
        let refused =
            |letter: &char| matches!(letter, '/' | ':' | '%' | '\0') || letter.is_whitespace();
        match text.chars().find(refused) {
            Some(letter) => wrong(&format!("it contains {}", quoted(letter.to_string()))),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The name of a network namespace, which is that of a file in /run/netns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkName(String);

impl NetworkName {
    /// The name `text`.
    ///
    /// # Errors
    /// It is not a file name, or begins with a dash, which `ip netns` takes for an option.
    pub fn new(text: &str) -> Result<Self, ValueError> {
        let shown = quoted(text);
        let wrong =
            |why: &str| Err(ValueError::new(format!("invalid network name {shown}: {why}")));
        match text {
            "" => return Err(ValueError::new("the name of the network is empty")),
            "." | ".." => return wrong("it would be a directory"),
            text if text.contains('/') => return wrong("it must be a file name, without `/`"),
            text if text.starts_with('-') => {
                return wrong("`ip netns` would take it for an option");
            }
            text if text.len() > LONGEST_FILE => {
                return wrong(&format!("it has more than {LONGEST_FILE} bytes"));
            }
            _ => {}
        }
        match text.chars().find(|letter| letter.is_control()) {
            Some(_) => wrong("it contains a control character"),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An address and the length of its network prefix: `10.0.0.1/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The address.
    pub address: IpAddr,
    /// The length in bits: at most 32, or 128.
    pub length: u8,
}

/// The number of bits in an address.
fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// An address.
///
/// # Errors
/// The text is not an address.
pub fn address(text: &str) -> Result<IpAddr, ValueError> {
    text.parse().map_err(|_| {
        let invalid = ValueError::new(format!("invalid address {}", quoted(text)));
        match text.split_once('/') {
            Some((address, _)) if address.parse::<IpAddr>().is_ok() => invalid
                .hint(format!("expected a single address, without a prefix: {}", quoted(address))),
            _ => invalid
                .hint("expected an address such as `\"10.0.0.1\"` or `\"fd00::1\"`, not a name"),
        }
    })
}

impl Prefix {
    /// The text `10.0.0.1/24`.
    ///
    /// # Errors
    /// The address is invalid, or the prefix is missing or too long.
    pub fn new(text: &str) -> Result<Self, ValueError> {
        let Some((before, length)) = text.split_once('/') else {
            let address = address(text)?;
            let usual = if address.is_ipv4() { 24 } else { 64 };
            let message = format!("{} has no prefix", quoted(text));
            return Err(ValueError::new(message).hint(format!(
                "append the prefix length after a slash: {}",
                quoted(format!("{address}/{usual}"))
            )));
        };
        let address = self::address(before)?;
        let most = bits(address);
        let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        match length.parse::<u8>() {
            Ok(length) if is_number && length <= most => Ok(Self { address, length }),
            _ => Err(ValueError::new(format!("invalid prefix length {}", quoted(length)))
                .hint(format!("expected a number from 0 to {most} for {address}"))),
        }
    }

    /// The network of the address: the other bits are zero.
    #[must_use]
    pub fn network(self) -> Self {
        let rest = u32::from(bits(self.address) - self.length);
        let address = match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(rest).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(rest).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        };
        Self { address, ..self }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.address, self.length)
    }
}

/// The destination of a route: a network, or everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Every address without another route.
    Default,
    /// A network.
    Network(Prefix),
}

impl Destination {
    /// `default`, a network, or one address.
    ///
    /// # Errors
    /// The text is none of these, or has bits behind the prefix.
    pub fn new(text: &str) -> Result<Self, ValueError> {
        if text == "default" {
            return Ok(Self::Default);
        }
        if !text.contains('/') {
            let address = address(text)
                .map_err(|_| ValueError::new(format!("invalid destination {}", quoted(text))))
                .map_err(|it| {
                    it.hint(
                        "expected `\"default\"`, an address, or a network such as `\"10.0.0.0/24\"`",
                    )
                })?;
            return Ok(Self::Network(Prefix { address, length: bits(address) }));
        }
        let prefix = Prefix::new(text)?;
        let network = prefix.network();
        if network == prefix {
            return Ok(Self::Network(prefix));
        }
        let message =
            format!("invalid network {}: it is an address within a network", quoted(text));
        Err(ValueError::new(message)
            .hint(format!("the network is {}", quoted(network.to_string()))))
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::Network(prefix) => prefix.fmt(out),
        }
    }
}

/// A hardware address of Ethernet: `02:00:00:00:00:01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Six bytes in hexadecimal with colons between them.
    ///
    /// # Errors
    /// The text is not a hardware address, or it is a multicast address.
    pub fn new(text: &str) -> Result<Self, ValueError> {
        let parts: Vec<&str> = text.split(':').collect();
        let byte = |part: &&str| {
            let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
            if digits { u8::from_str_radix(part, 16).ok() } else { None }
        };
        let bytes: Option<Vec<u8>> = parts.iter().map(byte).collect();
        let bytes = bytes.and_then(|bytes| <[u8; 6]>::try_from(bytes).ok());
        let Some(bytes) = bytes else {
            return Err(ValueError::new(format!("invalid hardware address {}", quoted(text)))
                .hint("expected six bytes in hexadecimal, such as `\"02:00:00:00:00:01\"`"));
        };
        if bytes[0] & 1 == 1 {
            let message = format!("{} is a multicast address", quoted(text));
            return Err(ValueError::new(message).hint("use an address whose first byte is even"));
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.map(|byte| format!("{byte:02x}")).join(":"))
    }
}

/// The port of a well-known service: services(5). The names are those of the registry of IANA.
#[must_use]
pub fn named_port(name: &str) -> Option<u16> {
    let services = [
        ("ftp", 21),
        ("ssh", 22),
        ("telnet", 23),
        ("smtp", 25),
        ("domain", 53),
        ("dns", 53),
        ("http", 80),
        ("pop3", 110),
        ("ntp", 123),
        ("imap", 143),
        ("snmp", 161),
        ("ldap", 389),
        ("https", 443),
        ("smtps", 465),
        ("submission", 587),
        ("ldaps", 636),
        ("imaps", 993),
        ("pop3s", 995),
        ("nfs", 2049),
        ("mysql", 3306),
        ("postgresql", 5432),
        ("redis", 6379),
    ];
    let name = name.to_ascii_lowercase();
    services.into_iter().find(|(known, _)| *known == name).map(|(_, port)| port)
}

/// A port, or consecutive ports: `8000-8100`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The first port, at least 1.
    pub first: u16,
    /// The last port, at least the first.
    pub last: u16,
}

impl PortRange {
    /// One port.
    ///
    /// # Errors
    /// The number is not from 1 to 65535.
    pub fn single(number: i64) -> Result<Self, ValueError> {
        match u16::try_from(number) {
            Ok(port @ 1..) => Ok(Self { first: port, last: port }),
            _ => Err(ValueError::new(format!(
                "invalid port {number}: expected a number from 1 to 65535"
            ))),
        }
    }

    /// The range `8000-8100`.
    ///
    /// # Errors
    /// The text is not two ports with a dash between them, or the first is higher than the last.
    pub fn new(text: &str) -> Result<Self, ValueError> {
        let port = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse().unwrap_or(i64::MAX))
        };
        let shown = quoted(text);
        let Some((first, last)) = text.split_once('-') else {
            let invalid = ValueError::new(format!("invalid port range {shown}"));
            return Err(match port(text) {
                Some(number) => invalid.hint(format!("write one port as a number: `{number}`")),
                None => match named_port(text) {
                    Some(number) => {
                        let invalid = ValueError::new(format!("unknown port {shown}"));
                        invalid.hint(format!("ports are numbers; {text} is usually `{number}`"))
                    }
                    None => {
                        invalid.hint("expected two ports with a dash between them: `\"8000-8100\"`")
                    }
                },
            });
        };
        let (Some(first), Some(last)) = (port(first), port(last)) else {
            let invalid = ValueError::new(format!("invalid port range {shown}"));
            return Err(
                invalid.hint("expected two ports with a dash between them: `\"8000-8100\"`")
            );
        };
        let (first, last) = (Self::single(first)?.first, Self::single(last)?.last);
        if first > last {
            let message = format!("invalid port range {shown}: the first port is above the last");
            return Err(
                ValueError::new(message).hint(format!("did you mean `\"{last}-{first}\"`?"))
            );
        }
        Ok(Self { first, last })
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { first, last } if first == last => write!(out, "{first}"),
            Self { first, last } => write!(out, "{first}-{last}"),
        }
    }
}

/// The network of a sandbox.
#[derive(Clone, Debug, PartialEq)]
pub enum NetworkChoice {
    /// A new one with only `lo`.
    None,
    /// The caller's.
    Host,
    /// An existing one.
    Joined(JoinedNetwork),
    /// A new one that can reach the host's.
    Outbound(Outbound),
}

/// A network namespace for a sandbox: it is kept as long as the value lives.
#[derive(Clone, Debug)]
pub struct JoinedNetwork {
    /// Its name.
    pub label: String,
    /// Its number.
    pub inode: u64,
    /// Its descriptor; `None` in a dry run.
    pub descriptor: Option<Arc<OwnedFd>>,
    /// The contents of /etc/resolv.conf there; `None` if the recipe does not set it.
    pub resolver: Option<String>,
    /// The addresses that the recipe has given it so far.
    pub addresses: Vec<IpAddr>,
}

impl PartialEq for JoinedNetwork {
    fn eq(&self, other: &Self) -> bool {
        let Self { label, inode, descriptor: _, resolver, addresses } = self;
        (label, *inode, resolver, addresses)
            == (&other.label, other.inode, &other.resolver, &other.addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::{Destination, InterfaceName, Mac, NetworkName, PortRange, Prefix};

    fn said<T: std::fmt::Debug>(made: Result<T, super::ValueError>) -> String {
        made.map_or_else(|invalid| invalid.to_string(), |made| format!("{made:?}"))
    }

    #[test]
    fn names_are_those_that_the_kernel_takes() {
        assert!(
            InterfaceName::new("eth0").is_ok() && InterfaceName::new("exactly15bytes_").is_ok()
        );
        for name in ["", "sixteen_bytes_so", "a/b", "a b", "a:1", "br%d", ".", ".."] {
            assert!(InterfaceName::new(name).is_err(), "{name:?}");
        }
        assert!(NetworkName::new("blue").is_ok());
        for name in ["", ".", "..", "a/b", "../etc", "-x", "a\nb"] {
            assert!(NetworkName::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_prefix_belongs_to_an_address() {
        let prefix = Prefix::new("10.1.2.3/20").unwrap();
        assert_eq!(prefix.network().to_string(), "10.1.0.0/20");
        assert_eq!(Prefix::new("fd00::1/64").unwrap().network().to_string(), "fd00::/64");
        assert_eq!(Prefix::new("10.1.2.3/0").unwrap().network().to_string(), "0.0.0.0/0");
        assert_eq!(said(Prefix::new("10.0.0.1")), "`10.0.0.1` has no prefix");
        for text in ["10.0.0.1/33", "10.0.0.1/", "10.0.0.1/+4", "10.0.0.1/x", "x/24", "10.0.0/24"] {
            assert!(Prefix::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_destination_has_no_bits_behind_its_prefix() {
        assert_eq!(Destination::new("default"), Ok(Destination::Default));
        assert_eq!(Destination::new("10.0.0.7").unwrap().to_string(), "10.0.0.7/32");
        let said = said(Destination::new("10.0.0.7/24"));
        assert_eq!(said, "invalid network `10.0.0.7/24`: it is an address within a network");
    }

    #[test]
    fn ports_are_from_1_to_65535_and_in_order() {
        assert_eq!(PortRange::new("8000-8100").unwrap().to_string(), "8000-8100");
        assert_eq!(PortRange::new("1-65535"), Ok(PortRange { first: 1, last: 65535 }));
        assert_eq!(PortRange::new("80-80"), PortRange::single(80));
        for text in ["", "80", "http", "-80", "80-", "0-80", "80-65536", "+1-2", "1-2-3", "1 - 2"] {
            assert!(PortRange::new(text).is_err(), "{text:?}");
        }
        for number in [0, -1, 65536] {
            assert!(PortRange::single(number).is_err(), "{number}");
        }
        let reversed = said(PortRange::new("9-8"));
        assert_eq!(reversed, "invalid port range `9-8`: the first port is above the last");
    }

    #[test]
    fn a_hardware_address_is_that_of_one_interface() {
        assert_eq!(Mac::new("02:00:00:00:00:0A").unwrap().to_string(), "02:00:00:00:00:0a");
        for text in ["", "02:00:00:00:00", "2:0:0:0:0:1", "01:00:00:00:00:01", "02:00:00:00:00:+1"]
        {
            assert!(Mac::new(text).is_err(), "{text:?}");
        }
    }
}
