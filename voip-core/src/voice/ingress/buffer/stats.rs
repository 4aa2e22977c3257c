//! What a jitter buffer is told beforehand and tells afterwards.

use crate::error::{Error, ErrorKind};
use crate::time::Duration;

/// Options of a [`JitterBuffer`](crate::JitterBuffer).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JitterConfig {
    /// Delay over the fastest packet that is kept even on a perfect line, 0 to `max_delay`.
    /// Default 0.
    pub min_delay: Duration,
    /// Delay over the fastest packet that is never exceeded for long, up to 600 ms. Default 400 ms:
    /// beyond it, talking turns into taking turns (ITU-T G.114).
    pub max_delay: Duration,
    /// What sound without gaps is worth: so many milliseconds of delay for each per cent of the sound
    /// that would otherwise be made up, 0 to 1 000. Default 35. See
    /// [`LOWEST_DELAY`](Self::LOWEST_DELAY) and [`NEVER_A_GAP`](Self::NEVER_A_GAP).
    pub quality: u32,
}

impl Default for JitterConfig {
    fn default() -> Self {
        JitterConfig {
            min_delay: Duration::ZERO,
            max_delay: Duration::from_millis(400),
            quality: 35,
        }
    }
}

impl JitterConfig {
    /// A [`quality`](Self::quality) for playing music together: what is late by more than a little is
    /// rather made up.
    pub const LOWEST_DELAY: u32 = 10;
    /// A [`quality`](Self::quality) for listening: next to nothing is made up that any delay up to
    /// `max_delay` saves.
    pub const NEVER_A_GAP: u32 = 300;

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`]; the message names the field.
    pub fn validate(&self) -> Result<(), Error> {
        let wrong = if self.max_delay > Duration::from_millis(600) {
            format!("max_delay is {:?}: up to 600 ms is possible", self.max_delay)
        } else if self.min_delay > self.max_delay {
            format!("min_delay is {:?}: up to max_delay is possible", self.min_delay)
        } else if self.quality > 1_000 {
            format!("quality is {}: up to 1 000 ms for a per cent is possible", self.quality)
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::InvalidArgument, wrong))
    }
}

/// What happened in a [`JitterBuffer`](crate::JitterBuffer) so far. Counts never go back, except
/// `lost` when a packet given up comes after all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JitterStats {
    /// Packets given to the buffer, whatever became of them.
    pub inserted: u64,
    /// Packets that came when all their sound had been played or made up.
    pub late: u64,
    /// Packets that had come before.
    pub duplicate: u64,
    /// Packets never received, judging by the sequence numbers (RFC 3550 §6.4.1).
    pub lost: u64,
    /// Packets not received, or not in time, whose copy in the next packet was played.
    pub recovered: u64,
    /// Packets not received, or not in time, that came once more in a later one (RFC 2198) and were played.
    pub repeated: u64,
    /// Samples rebuilt from the deep redundancy of later packets (feature `dred`), of packets that were not there.
    pub rebuilt_samples: u64,
    /// Packets dropped for other reasons: malformed, out of any sequence, or more than the buffer
    /// may hold or delay.
    pub discarded: u64,
    /// Times the sender started over.
    pub restarts: u64,
    /// Samples played while sound was expected: those of packets, copied, repeated, rebuilt and concealed.
    /// Silence that was not sent and the time before the first packet do not count.
    pub total_samples: u64,
    /// Samples made up because neither packet nor redundancy was there. Known only when a later packet
    /// comes: until then a gap could be silence that was not sent.
    pub concealed_samples: u64,
    /// Samples put in to lengthen the delay.
    pub inserted_samples: u64,
    /// Samples cut out to shorten the delay.
    pub removed_samples: u64,
    /// Interarrival jitter (RFC 3550 §6.4.1).
    pub jitter: Duration,
    /// How long packets wait here, lately.
    pub delay: Duration,
    /// How long packets waited here, mean of all.
    pub mean_delay: Duration,
    /// Delay over the fastest packet that the buffer aims at.
    pub target_delay: Duration,
    /// Sound in the buffer now, from the next sample to the last.
    pub depth: Duration,
}

impl JitterStats {
    /// Share of the sound that was made up, in per cent.
    pub fn concealed_percent(&self) -> f64 {
        100.0 * self.concealed_samples as f64 / self.total_samples.max(1) as f64
    }
}
