//! Network interfaces of this process's network namespace: netdevice(7).

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;

use super::errno::Errno;

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its number in its namespace.
    pub index: u32,
    /// Whether it was set up.
    pub up: bool,
    /// Whether it can carry packets: it is up and has a carrier.
    pub running: bool,
    /// Whether it is a loopback device.
    pub loopback: bool,
    /// Its hardware address, if it has six bytes.
    pub mac: Option<[u8; 6]>,
    /// The maximum packet size, in bytes.
    pub mtu: Option<u32>,
    /// Its addresses with prefix lengths.
    pub addresses: Vec<(IpAddr, u32)>,
}

/// The list of getifaddrs(3), freed on drop.
struct List(*mut libc::ifaddrs);

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: `self.0` is what getifaddrs has given, and it is freed once.
        unsafe { libc::freeifaddrs(self.0) };
    }
}

/// Returns the interfaces, sorted by number.
///
/// # Errors
/// The kernel has no network support, or no descriptor is left.
pub fn interfaces() -> Result<Vec<Interface>, Errno> {
    let mut first = std::ptr::null_mut();
    // SAFETY: a place that lives through the call.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Err(Errno::last());
    }
    let list = List(first);
    // Any kind of socket can query interfaces.
    let socket = UnixDatagram::unbound().map_err(|error| Errno::from(&error))?;
    let mut found: Vec<Interface> = Vec::new();
    let mut next = list.0;
    // SAFETY: `next` is null or an element of `list`, which is not freed before the end.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ifa_next;
        // SAFETY: getifaddrs gives every element a name, with a NUL at its end.
        let name = unsafe { CStr::from_ptr(entry.ifa_name) }.to_string_lossy();
        // The label of an address is the name, followed by a colon and a suffix.
        let name = name.split(':').next().unwrap_or_default();
        let place = found.iter().position(|known| known.name == name);
        let place = place.unwrap_or_else(|| {
            let mtu = mtu(&socket, name);
            found.push(Interface { name: name.to_owned(), mtu, ..Interface::default() });
            found.len() - 1
        });
        add(&mut found[place], entry);
    }
    found.sort_by_key(|interface| interface.index);
    Ok(found)
}

/// Adds the data of one list element to an interface.
fn add(interface: &mut Interface, entry: &libc::ifaddrs) {
    let has = |flag: libc::c_int| entry.ifa_flags & flag.cast_unsigned() != 0;
    interface.up = has(libc::IFF_UP);
    interface.running = has(libc::IFF_RUNNING);
    interface.loopback = has(libc::IFF_LOOPBACK);
    if let Some(link) = link(entry.ifa_addr) {
        interface.index = link.sll_ifindex.cast_unsigned();
        interface.mac = link.sll_addr.first_chunk().copied().filter(|_| link.sll_halen == 6);
    }
    if let (Some(address), Some(mask)) = (address(entry.ifa_addr), address(entry.ifa_netmask)) {
        let prefix = match mask {
            IpAddr::V4(mask) => mask.to_bits().count_ones(),
            IpAddr::V6(mask) => mask.to_bits().count_ones(),
        };
        interface.addresses.push((address, prefix));
    }
}

/// The family of an address in the list; `None` if there is no address.
fn family(address: *const libc::sockaddr) -> Option<libc::c_int> {
    // SAFETY: an address of the list is null or begins as every socket address does.
    let address = unsafe { address.as_ref() }?;
    Some(i32::from(address.sa_family))
}

/// The address, if it is an IP address.
fn address(address: *const libc::sockaddr) -> Option<IpAddr> {
    match family(address)? {
        libc::AF_INET => {
            // SAFETY: the family says that it is this structure; the list aligns every kind.
            let address = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let address = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(Ipv6Addr::from(address.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

/// The address, if it is a hardware address.
fn link(address: *const libc::sockaddr) -> Option<libc::sockaddr_ll> {
    let is_link = family(address)? == libc::AF_PACKET;
    // SAFETY: the family says that it is this structure.
    is_link.then(|| unsafe { address.cast::<libc::sockaddr_ll>().read_unaligned() })
}

/// The maximum packet size of the interface `name`, in bytes.
fn mtu(socket: &UnixDatagram, name: &str) -> Option<u32> {
    // SAFETY: all zero is a valid ifreq.
    let mut request = unsafe { MaybeUninit::<libc::ifreq>::zeroed().assume_init() };
    // The last byte stays zero.
    let (places, bytes) = (request.ifr_name.iter_mut(), name.bytes().take(libc::IFNAMSIZ - 1));
    for (place, byte) in places.zip(bytes) {
        // The sign depends on the architecture.
        *place = libc::c_char::from_ne_bytes([byte]);
    }
    // SAFETY: a descriptor that `socket` owns, and a request that lives through the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFMTU, &raw mut request) };
    // SAFETY: the request was answered, and every number is valid.
    (done == 0).then(|| unsafe { request.ifr_ifru.ifru_mtu }.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::interfaces;

    #[test]
    fn a_loopback_device_is_everywhere() {
        let found = interfaces().unwrap_or_default();
        let lo = found.iter().find(|interface| interface.name == "lo");
        let lo = lo.unwrap_or_else(|| panic!("no lo in {found:?}"));
        assert!(lo.loopback && lo.index > 0 && lo.mtu > Some(0), "{lo:?}");
        assert_eq!(lo.mac, Some([0; 6]));
    }
}
