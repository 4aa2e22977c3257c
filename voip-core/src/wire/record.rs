//! The presence record: what a peer says about itself, signed, kept by trackers for a few minutes.
//!
//! It holds no address. A tracker can withhold a record or serve it until it expires, not forge it.

use serde::{Deserialize, Serialize};

use super::name::check_name;
use super::sealed::{OpenError, Sealed};
use super::{CLOCK_TOLERANCE, json};
pub(crate) use crate::event::Presence;
use crate::id::PeerId;
use crate::time::{Duration, UnixMillis};

/// The longest body of a record, in bytes.
pub const MAX_RECORD: usize = 512;
/// The longest life of a record.
pub const MAX_RECORD_LIFE: Duration = Duration::from_secs(600);
/// The version of records written here.
const VERSION: u32 = 1;

/// What a peer says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceRecord {
    /// Version of the record: 1.
    pub v: u32,
    /// The key that signs it.
    pub id: PeerId,
    /// See [`check_name`].
    pub name: String,
    /// Grows with every record of this key.
    pub seq: u64,
    /// When it was signed.
    pub issued: UnixMillis,
    /// When it ends, at most [`MAX_RECORD_LIFE`] after `issued`.
    pub expires: UnixMillis,
    /// Whether to call.
    pub presence: Presence,
}

/// A presence record, signed.
pub type SealedRecord = Sealed<PresenceRecord>;

impl PresenceRecord {
    /// A record that is valid for the longest time from `issued` on; `issued` is its sequence
    /// number too.
    pub fn new(id: PeerId, name: &str, presence: Presence, issued: UnixMillis) -> Self {
        let expires = issued.plus(MAX_RECORD_LIFE);
        let name = name.to_owned();
        PresenceRecord { v: VERSION, id, name, seq: issued.0, issued, expires, presence }
    }

    /// Reads a body and checks all but signature and time.
    pub(crate) fn parse(body: &str) -> Result<Self, OpenError> {
        if body.len() > MAX_RECORD {
            return Err(OpenError::TooLong);
        }
        let record: Self = serde_json::from_str(body).map_err(|_| OpenError::Malformed)?;
        let life = record.expires.0.checked_sub(record.issued.0);
        let lives = life.is_some_and(|ms| ms <= MAX_RECORD_LIFE.as_millis() as u64);
        let valid = record.v == VERSION && lives && check_name(&record.name).is_ok();
        if valid { Ok(record) } else { Err(OpenError::Malformed) }
    }

    pub(crate) fn body(&self) -> String {
        json(self)
    }

    /// Whether a clock that may be off by five minutes says that the record is valid.
    pub fn is_current(&self, wall: UnixMillis) -> bool {
        let begun = self.issued <= wall.plus(CLOCK_TOLERANCE);
        begun && wall < self.expires.plus(CLOCK_TOLERANCE)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn record() -> PresenceRecord {
        let issued = UnixMillis(1_700_000_000_000);
        PresenceRecord::new(PeerId([7; 32]), "alice", Presence::Available, issued)
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(PresenceRecord::parse(&record().body()), Ok(record()));
    }

    #[test]
    fn the_longest_name_of_the_worst_characters_fits() {
        let longest = PresenceRecord { name: "\"".repeat(64), seq: u64::MAX, ..record() };
        assert_eq!(PresenceRecord::parse(&longest.body()), Ok(longest));
    }

    #[test]
    fn a_record_out_of_its_ranges_is_malformed() {
        let too_long_lived = record().issued.plus(MAX_RECORD_LIFE).plus(Duration::from_millis(1));
        for bad in [
            PresenceRecord { v: 2, ..record() },
            PresenceRecord { name: "a\u{200b}".into(), ..record() },
            PresenceRecord { expires: too_long_lived, ..record() },
            PresenceRecord { expires: UnixMillis(0), ..record() },
        ] {
            assert_eq!(PresenceRecord::parse(&bad.body()), Err(OpenError::Malformed), "{bad:?}");
        }
        assert_eq!(PresenceRecord::parse(&" ".repeat(513)), Err(OpenError::TooLong));
    }

    #[test]
    fn unknown_fields_and_presences_of_later_versions_are_taken() {
        let body = record().body().replace("\"available\"", "\"on_fire\",\"mood\":[1,2]");
        assert_eq!(PresenceRecord::parse(&body).unwrap().presence, Presence::Unknown);
    }

    #[test]
    fn a_record_is_current_within_the_tolerance() {
        let at = |offset: i64| UnixMillis(record().issued.0.saturating_add_signed(offset));
        assert!(record().is_current(at(-300_000)));
        assert!(!record().is_current(at(-300_001)));
        assert!(record().is_current(at(899_999)));
        assert!(!record().is_current(at(900_000)));
    }
}
