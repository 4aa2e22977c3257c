//! Nonces that prove that a client receives what is sent to its address. Nothing is kept of those given out.

use std::net::{IpAddr, SocketAddr};

use rand_core::CryptoRng;
use sha2::{Digest, Sha256};

use crate::time::Instant;

/// A nonce holds for one to two of these.
const EPOCH_SECONDS: u64 = 600;

pub(super) struct Nonces {
    secret: [u8; 32],
}

impl Nonces {
    pub(super) fn new(rng: &mut dyn CryptoRng) -> Self {
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        Nonces { secret }
    }

    /// The nonce of an address: 16 hexadecimal digits.
    pub(super) fn make(&self, now: Instant, from: SocketAddr) -> String {
        self.of_epoch(epoch(now), from)
    }

    pub(super) fn is_current(&self, now: Instant, from: SocketAddr, nonce: &str) -> bool {
        let now = epoch(now);
        [now, now.wrapping_sub(1)].iter().any(|epoch| self.of_epoch(*epoch, from) == nonce)
    }

    fn of_epoch(&self, epoch: u64, from: SocketAddr) -> String {
        let ip = match from.ip().to_canonical() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        let mut hash = Sha256::new();
        hash.update(self.secret);
        hash.update(epoch.to_be_bytes());
        hash.update(ip.octets());
        hash.update(from.port().to_be_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        hex::encode([a, b, c, d, e, f, g, h])
    }
}

fn epoch(now: Instant) -> u64 {
    now.as_micros() / 1_000_000 / EPOCH_SECONDS
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rand_core::SeedableRng;

    #[test]
    fn a_nonce_holds_for_its_address_and_its_time() {
        let nonces = Nonces::new(&mut rand_chacha::ChaCha12Rng::seed_from_u64(1));
        let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
        let from: SocketAddr = "192.0.2.1:7".parse().unwrap();
        let nonce = nonces.make(at(599), from);
        assert_eq!(nonce.len(), 16);
        assert!(nonces.is_current(at(1199), from, &nonce));
        assert!(nonces.is_current(at(1199), "[::ffff:192.0.2.1]:7".parse().unwrap(), &nonce));
        assert!(!nonces.is_current(at(1200), from, &nonce));
        assert!(!nonces.is_current(at(599), "192.0.2.1:8".parse().unwrap(), &nonce));
    }
}
