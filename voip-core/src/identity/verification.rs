//! What two people compare to know that nobody sits between them: four words for each call, and a
//! number for each two keys.
//!
//! The words are a short authentication string as ZRTP has it (RFC 6189 §4.5.2): 32 bits that depend
//! on all that the two ends have agreed on. So few bits are enough because neither end can choose them:
//! the caller binds itself to its nonce before it knows the callee's ([`commitment`]), and the
//! callee chooses its own before it knows the caller's. Whoever sits in the middle has one guess for each call.

use sha2::{Digest, Sha256, Sha512};

use super::words::{THREE_SYLLABLES, TWO_SYLLABLES};
use crate::id::{CallId, PeerId};
use crate::wire::sealed::{Bytes32, signed_bytes};

/// Four words, of two and of three syllables in turn.
pub(crate) type Words = [&'static str; 4];

/// How often a key is hashed for its half of a safety number: a key whose half is the same has to be
/// searched for so much longer.
const ROUNDS: usize = 5200;

/// What a caller says in its offer of the nonce that it reveals later:
/// SHA-256 of `"voip/1/sas-commit" ‖ 0x00 ‖ nonce`.
pub(crate) fn commitment(nonce: Bytes32) -> Bytes32 {
    hash("sas-commit", &[&nonce.0])
}

/// All that the words of a call depend on.
#[derive(Clone, Debug)]
pub(crate) struct Agreement {
    pub(crate) caller: PeerId,
    pub(crate) callee: PeerId,
    pub(crate) call: CallId,
    /// Of the signed bodies, which hold the session descriptions and in these the fingerprints of the
    /// DTLS certificates.
    pub(crate) offer_hash: Bytes32,
    pub(crate) answer_hash: Bytes32,
    pub(crate) callee_nonce: Bytes32,
}

impl Agreement {
    /// The first 32 bits of SHA-256 of `"voip/1/sas" ‖ 0x00 ‖` the caller's nonce, the callee's, the
    /// ids of caller and callee, that of the call, the hashes of offer and answer.
    pub(crate) fn words(&self, caller_nonce: Bytes32) -> Words {
        let parts: [&[u8]; 7] = [
            &caller_nonce.0,
            &self.callee_nonce.0,
            &self.caller.0,
            &self.callee.0,
            &self.call.0,
            &self.offer_hash.0,
            &self.answer_hash.0,
        ];
        let [a, b, c, d, ..] = hash("sas", &parts).0;
        [
            TWO_SYLLABLES[usize::from(a)],
            THREE_SYLLABLES[usize::from(b)],
            TWO_SYLLABLES[usize::from(c)],
            THREE_SYLLABLES[usize::from(d)],
        ]
    }
}

/// The safety number of two keys, the same whichever comes first: 60 digits in twelve groups of five,
/// the half of the smaller key before that of the greater.
pub(crate) fn safety_number(one: PeerId, other: PeerId) -> String {
    let halves = [half(one.min(other)), half(one.max(other))];
    halves.concat().join(" ")
}

/// 30 digits of one key. With SHA-512, as Signal does: `h = "voip/1/safety-number" ‖ 0x00 ‖ key`, then
/// [`ROUNDS`] times `h = SHA-512(h ‖ key)`. Of the last one six times five bytes, as a big-endian
/// number modulo 100 000.
fn half(key: PeerId) -> Vec<String> {
    let mut state = signed_bytes("safety-number", &[&key.0]);
    for _ in 0..ROUNDS {
        let next = Sha512::new().chain_update(&state).chain_update(key.0).finalize();
        state.clear();
        state.extend_from_slice(&next);
    }
    let number = |five: &[u8]| five.iter().fold(0, |n: u64, byte| n << 8 | u64::from(*byte));
    let groups = state.chunks_exact(5).take(6);
    groups.map(|five| format!("{:05}", number(five) % 100_000)).collect()
}

fn hash(kind: &str, parts: &[&[u8]]) -> Bytes32 {
    Bytes32(Sha256::digest(signed_bytes(kind, parts)).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const ALICE: PeerId = PeerId([1; 32]);
    const BOB: PeerId = PeerId([2; 32]);
    const MALLORY: PeerId = PeerId([3; 32]);
    const NONCE: Bytes32 = Bytes32([4; 32]);

    fn agreement() -> Agreement {
        Agreement {
            caller: ALICE,
            callee: BOB,
            call: CallId([5; 16]),
            offer_hash: Bytes32([6; 32]),
            answer_hash: Bytes32([7; 32]),
            callee_nonce: Bytes32([8; 32]),
        }
    }

    /// Computed by another program from what docs/tracker-protocol.md says.
    #[test]
    fn both_ends_have_the_same_words_and_they_never_change_between_versions() {
        assert_eq!(agreement().words(NONCE), agreement().words(NONCE));
        assert_eq!(agreement().words(NONCE).join(" "), "ruffled processor virus autopsy");
        assert_eq!(
            commitment(NONCE).to_string(),
            "a985957a68463e19031dd0a3f174518938823bd0499995f0846c3280bc2aa4f1"
        );
    }

    /// Alice talks to Mallory, who talks to Bob: each leg has a key of his and certificates of its own.
    #[test]
    fn with_somebody_in_the_middle_the_words_differ() {
        let to_mallory = Agreement { callee: MALLORY, ..agreement() };
        let from_mallory = Agreement { caller: MALLORY, ..agreement() };
        let words = [agreement(), to_mallory, from_mallory].map(|a| a.words(NONCE));
        assert_eq!(BTreeSet::from(words).len(), 3, "{words:?}");
    }

    #[test]
    fn the_words_depend_on_everything() {
        let other = Bytes32([9; 32]);
        let all = [
            agreement().words(NONCE),
            agreement().words(other),
            Agreement { callee_nonce: other, ..agreement() }.words(NONCE),
            Agreement { caller: MALLORY, ..agreement() }.words(NONCE),
            Agreement { callee: MALLORY, ..agreement() }.words(NONCE),
            Agreement { caller: BOB, callee: ALICE, ..agreement() }.words(NONCE),
            Agreement { call: CallId([9; 16]), ..agreement() }.words(NONCE),
            Agreement { offer_hash: other, ..agreement() }.words(NONCE),
            Agreement { answer_hash: other, ..agreement() }.words(NONCE),
        ];
        assert_eq!(BTreeSet::from(all).len(), all.len(), "{all:?}");
    }

    #[test]
    fn a_safety_number_is_that_of_two_keys_in_any_order() {
        let number = safety_number(ALICE, BOB);
        assert_eq!(number, safety_number(BOB, ALICE));
        assert_eq!(
            number,
            "13136 81151 94929 35318 89747 33365 23196 36376 46234 43498 70665 45634"
        );
        assert_ne!(number, safety_number(ALICE, MALLORY));
        let groups: Vec<_> = number.split(' ').collect();
        assert_eq!(groups.len(), 12);
        let is_group = |group: &&str| group.len() == 5 && group.bytes().all(|b| b.is_ascii_digit());
        assert!(groups.iter().all(is_group));
    }
}
