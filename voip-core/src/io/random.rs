//! Randomness for keys, nonces and identifiers: ChaCha20 seeded by the operating system.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::error::{Error, ErrorKind};

/// 32 bytes from the operating system's generator (`getrandom(2)` and its kin).
#[expect(clippy::disallowed_methods, reason = "the one place where randomness is fetched")]
pub(crate) fn os_random_32() -> Result<[u8; 32], Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| {
        Error::new(ErrorKind::System, format!("the system gives no randomness: {e}"))
    })?;
    Ok(bytes)
}

/// A generator of its own, seeded by the operating system.
pub(crate) fn os_seeded() -> Result<ChaCha20Rng, Error> {
    os_random_32().map(ChaCha20Rng::from_seed)
}
