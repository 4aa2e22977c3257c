//! Limits on how often: per connection, and per network in a table that nobody can make grow.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::time::{Duration, Instant};

/// So many a second, and so many at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    interval: Duration,
    burst: Duration,
}

impl Rate {
    /// `rate` units a second on average, up to `burst` at once.
    pub(crate) const fn per_second(rate: u32, burst: u32) -> Self {
        let nanos = 1_000_000_000 / rate as u64;
        Rate {
            interval: Duration::from_nanos(nanos),
            burst: Duration::from_nanos(nanos * burst as u64),
        }
    }
}

/// What is left of a [`Rate`], kept as the time at which all of it will be there again (the
/// generic cell rate algorithm of ITU-T I.371).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// Takes `units` if they are there.
    pub(crate) fn take(&mut self, now: Instant, rate: Rate, units: u32) -> bool {
        let full_at = self.full_at.max(now) + rate.interval * units;
        let is_there = full_at <= now + rate.burst;
        if is_there {
            self.full_at = full_at;
        }
        is_there
    }
}

/// A bucket for each network, in a table of fixed size: networks that fall on the same place share
/// it. Where they fall is secret, so that nobody can use up another's share on purpose.
pub(crate) struct PrefixTable {
    buckets: Box<[Bucket]>,
    secret: u64,
    rate: Rate,
    v4_bits: u32,
    v6_bits: u32,
}

const BUCKETS: usize = 4096;

impl PrefixTable {
    /// Networks are the first `v4_bits` or `v6_bits` of addresses.
    pub(crate) fn new(secret: u64, rate: Rate, v4_bits: u32, v6_bits: u32) -> Self {
        let buckets = vec![Bucket::default(); BUCKETS].into_boxed_slice();
        PrefixTable { buckets, secret, rate, v4_bits, v6_bits }
    }

    /// Takes one unit of the share of the network of `ip`, if it is there.
    pub(crate) fn take(&mut self, now: Instant, ip: IpAddr) -> bool {
        let mut hasher = DefaultHasher::new();
        (self.secret, network(ip, self.v4_bits, self.v6_bits)).hash(&mut hasher);
        let place = hasher.finish() as usize % BUCKETS;
        self.buckets.get_mut(place).is_some_and(|bucket| bucket.take(now, self.rate, 1))
    }
}

/// What one customer of a network usually has: an IPv4 address or an IPv6 /64.
pub(crate) fn subscriber(ip: IpAddr) -> IpAddr {
    network(ip, 32, 64)
}

fn network(ip: IpAddr, v4_bits: u32, v6_bits: u32) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - v4_bits).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & mask))
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - v6_bits).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn taken(bucket: &mut Bucket, now: Instant, rate: Rate, tries: u32) -> u32 {
        (0..tries).filter(|_| bucket.take(now, rate, 1)).count() as u32
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let (rate, mut bucket) = (Rate::per_second(5, 10), Bucket::default());
        let start = Instant::from_micros(1_000_000);
        assert_eq!(taken(&mut bucket, start, rate, 100), 10);
        assert_eq!(taken(&mut bucket, start + Duration::from_secs(1), rate, 100), 5);
        assert_eq!(taken(&mut bucket, start + Duration::from_secs(100), rate, 100), 10);
        assert!(!bucket.take(start + Duration::from_secs(200), rate, 11), "more than the burst");
    }

    #[test]
    fn one_network_does_not_use_up_the_share_of_others() {
        let mut table = PrefixTable::new(7, Rate::per_second(5, 5), 24, 56);
        let mut take = |ip: &str| table.take(Instant::ZERO, ip.parse().unwrap());
        let in_one_network = (0..200).filter(|i| take(&format!("192.0.2.{i}"))).count();
        assert_eq!(in_one_network, 5);
        assert!(!take("::ffff:192.0.2.250"), "the same network through an IPv6 socket");
        let others = (0..200).filter(|i| take(&format!("198.51.{i}.1"))).count();
        assert!(others >= 190, "{others}");
        let in_one_v6 = (0..200).filter(|i| take(&format!("2001:db8:0:{i:x}::{i}"))).count();
        assert_eq!(in_one_v6, 5, "a /56 has 256 /64s");
    }
}
