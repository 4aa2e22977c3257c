//! Randomness from the operating system.

use std::convert::Infallible;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind};

/// 32 secret bytes, straight from the operating system.
#[allow(clippy::disallowed_methods, reason = "this is the randomness that others are handed")]
pub(crate) fn secret() -> Result<Zeroizing<[u8; 32]>, Error> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut()).map_err(|e| {
        Error::new(ErrorKind::System, format!("the system gives no random bytes: {e}"))
    })?;
    Ok(secret)
}

/// A generator that the operating system has seeded. It cannot fail once it is there.
pub(crate) struct OsRandom(ChaCha20Rng);

impl OsRandom {
    /// Fails only if the system gives no random bytes.
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(OsRandom(ChaCha20Rng::from_seed(*secret()?)))
    }
}

impl TryRng for OsRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

impl TryCryptoRng for OsRandom {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn two_generators_differ() {
        assert_ne!(OsRandom::new().unwrap().next_u64(), OsRandom::new().unwrap().next_u64());
        assert_ne!(secret().unwrap(), secret().unwrap());
    }
}
