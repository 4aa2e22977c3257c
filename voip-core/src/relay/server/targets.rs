//! To which addresses a relay on the Internet may send.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address belongs to one host of the Internet: not to this machine or its own network, nor to many or to
/// nobody (RFC 6890). Documentation addresses count as any other.
pub(super) fn is_of_the_internet(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_of_the_internet_v4(ip),
        IpAddr::V6(ip) => is_of_the_internet_v6(ip),
    }
}

fn is_of_the_internet_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && b & 0xc0 == 64;
    let benchmark = a == 198 && b & 0xfe == 18;
    let protocols = a == 192 && b == 0 && c == 0;
    // Multicast and what is reserved, broadcast included, are 224.0.0.0 and above.
    let many = a >= 224;
    !(a == 0
        || many
        || shared
        || benchmark
        || protocols
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local())
}

fn is_of_the_internet_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    // An IPv4 address inside: translated (RFC 6052), 6to4, Teredo.
    let embedded =
        first == 0x64 && second == 0xff9b || first == 0x2002 || first == 0x2001 && second == 0;
    first & 0xe000 == 0x2000 && !embedded
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hosts_of_the_internet_and_others() {
        let allowed = |ip: &str| is_of_the_internet(ip.parse().unwrap());
        for ip in [
            "8.8.8.8",
            "203.0.113.10",
            "198.51.100.1",
            "2a00:1450::1",
            "2001:db8::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(allowed(ip), "{ip}");
        }
        for ip in [
            "0.0.0.0",
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "198.18.0.1",
            "192.0.0.8",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:0:1::",
        ] {
            assert!(!allowed(ip), "{ip}");
        }
    }
}
