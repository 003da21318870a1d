//! Conversion of names and addresses of networks from the language.

use std::net::IpAddr;

use rhai::{Array, Dynamic, ImmutableString};

use super::argument::{Argument, ArgumentError, a_kind};
use super::call::Call;
use crate::diag::quoted;
use crate::spec::{
    Destination, Direction, InterfaceName, IpProtocol, IpvlanMode, Mac, MacvlanMode, PortRange,
    Prefix, ValueError, address,
};

/// Declares types that are written as a string, with their parsers.
macro_rules! written {
    ($($type:ty, $kind:literal, $read:expr;)*) => {$(
        impl Argument for $type {
            const KIND: &'static str = $kind;

            fn take(value: Option<Dynamic>, _: &Call<'_, '_>) -> Result<Self, ArgumentError> {
                let read: fn(&str) -> Result<Self, ValueError> = $read;
                let given = value.as_ref().map_or_else(|| "nothing".to_owned(), a_kind);
                match value.as_ref().map(Dynamic::read_lock::<rhai::ImmutableString>) {
                    Some(Some(text)) => Ok(read(&text)?),
                    _ => Err(ArgumentError::Type { wanted: $kind, given }),
                }
            }
        }
    )*};
}

written! {
    InterfaceName, "the name of an interface", InterfaceName::new;
    Prefix, "an address with a prefix such as `\"10.0.0.1/24\"`", Prefix::new;
    Destination, "a destination such as `\"default\"` or `\"10.0.0.0/24\"`", Destination::new;
    Mac, "a hardware address such as `\"02:00:00:00:00:01\"`", Mac::new;
    IpAddr, "an address such as `\"10.0.0.1\"`", address;
    Subnet, "a network such as `\"10.0.0.0/24\"`", Subnet::new;
    IpProtocol, "a protocol: `\"tcp\"`, `\"udp\"`, `\"icmp\"` or `\"icmpv6\"`", IpProtocol::new;
    Direction, "a direction: `\"incoming\"`, `\"forwarded\"` or `\"outgoing\"`", Direction::new;
    MacvlanMode, "a mode: `\"bridge\"`, `\"private\"`, `\"vepa\"` or `\"passthru\"`",
        MacvlanMode::new;
    IpvlanMode, "a mode: `\"l2\"`, `\"l3\"` or `\"l3s\"`", IpvlanMode::new;
}

/// A network; a single address is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet(pub Prefix);

impl Subnet {
    fn new(text: &str) -> Result<Self, ValueError> {
        if !text.contains('/') && text != "default" && address(text).is_err() {
            let invalid = ValueError::new(format!("invalid network {}", quoted(text)));
            return Err(invalid.hint(
                "expected an address such as `\"10.0.0.1\"`, or a network such as \
                 `\"10.0.0.0/24\"`, not a name",
            ));
        }
        match Destination::new(text)? {
            Destination::Network(prefix) => Ok(Self(prefix)),
            Destination::Default => Err(ValueError::new("invalid network `default`")
                .hint("omit the option to match packets of all networks")),
        }
    }
}

/// A port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port(pub u16);

impl Argument for Port {
    const KIND: &'static str = "a port";

    fn take(value: Option<Dynamic>, _: &Call<'_, '_>) -> Result<Self, ArgumentError> {
        let given = value.as_ref().map_or_else(|| "nothing".to_owned(), a_kind);
        match value.as_ref().map(Dynamic::as_int) {
            Some(Ok(number)) => {
                u16::try_from(number).ok().filter(|port| *port > 0).map(Self).ok_or_else(|| {
                    ValueError::new(format!(
                        "invalid port {number}: expected a number from 1 to 65535"
                    ))
                    .into()
                })
            }
            _ => Err(ArgumentError::Type { wanted: Self::KIND, given }),
        }
    }
}

/// Ports: a number, a range, or an array of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports(pub Vec<PortRange>);

/// The maximum number of elements in an array of ports. Each becomes a rule in up to three chains, all
/// in one message, and the kernel answers each: a socket has room for some 250 answers.
const MOST_PORTS: usize = 32;

/// One element of [`Ports`]; `None` if the type is wrong.
fn ports(value: &Dynamic) -> Option<Result<PortRange, ValueError>> {
    match value.as_int() {
        Ok(number) => Some(PortRange::single(number)),
        Err(_) => value.read_lock::<ImmutableString>().map(|text| PortRange::new(&text)),
    }
}

impl Argument for Ports {
    const KIND: &'static str = "a port, a range such as `\"8000-8100\"`, or an array of them";

    fn take(value: Option<Dynamic>, _: &Call<'_, '_>) -> Result<Self, ArgumentError> {
        let given = value.as_ref().map_or_else(|| "nothing".to_owned(), a_kind);
        let wrong = |given| ArgumentError::Type { wanted: Self::KIND, given };
        let Some(value) = value else { return Err(wrong(given)) };
        if let Some(array) = value.read_lock::<Array>() {
            if array.is_empty() {
                let empty = ValueError::new("the array of ports is empty");
                return Err(empty.hint("omit the option to match every port").into());
            }
            if array.len() > MOST_PORTS {
                let message = format!("the array has {} ports: at most {MOST_PORTS}", array.len());
                let hint = "write consecutive ports as a range such as `\"8000-8100\"`, or call the \
                            verb again for the others";
                return Err(ValueError::new(message).hint(hint).into());
            }
            let one = |(index, value): (usize, &Dynamic)| match ports(value) {
                Some(range) => Ok(range?),
                None => Err(wrong(format!("an array whose element {index} is {}", a_kind(value)))),
            };
            return array.iter().enumerate().map(one).collect::<Result<_, _>>().map(Self);
        }
        match ports(&value) {
            Some(range) => Ok(Self(vec![range?])),
            None => Err(wrong(given)),
        }
    }
}
