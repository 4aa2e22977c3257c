//! The words by which two people check that nobody sits between them: the caller commits itself to a
//! nonce in its offer, the callee gives one of its own in the answer, and the caller reveals its own when
//! the data channel is open. What the words are made of is in `identity/verification.rs`.

use crate::event::{EndReason, Event};
use crate::identity::verification::{Agreement, Words, commitment};
use crate::time::Instant;
use crate::wire::channel::ChannelMessage;
use crate::wire::sealed::Bytes32;
use crate::wire::signal::Reason;

use super::call::Call;
use super::{CallKey, Engine};

/// How far the words of one call are.
#[derive(Debug, Default)]
pub(super) enum Verification {
    /// They are known, or there will be none.
    #[default]
    Over,
    /// This side calls, and has committed itself to this nonce.
    Committed { nonce: Bytes32 },
    /// This side calls, and has the answer: what is left is to reveal the nonce.
    Answered { nonce: Bytes32, words: Words },
    /// The peer calls, and has committed itself.
    Called { commit: Bytes32 },
    /// The peer calls, and has the answer: it will reveal its nonce.
    Awaiting { commit: Bytes32, agreement: Agreement },
}

/// How a node of the simulated world takes part in verification.
#[cfg(feature = "sim")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verifying {
    /// As every node does.
    #[default]
    Truly,
    /// Not at all, as versions do that know nothing of it.
    Never,
    /// It calls and reveals another nonce than the one it had committed itself to.
    Falsely,
}

impl Verification {
    /// That of an incoming call.
    pub(super) fn of_offer(commit: Option<Bytes32>) -> Verification {
        commit.map_or(Verification::Over, |commit| Verification::Called { commit })
    }
}

impl Engine {
    /// Commits an outgoing call to a nonce: what its offer says of it.
    pub(super) fn commit(&mut self, key: CallKey) -> Option<Bytes32> {
        #[cfg(feature = "sim")]
        if self.verifying == Verifying::Never {
            return None;
        }
        let nonce = self.sas_nonce();
        let call = self.calls.get_mut(&key)?;
        call.verification = Verification::Committed { nonce };
        Some(commitment(nonce))
    }

    /// The nonce of a callee's answer, if the caller has committed itself.
    pub(super) fn nonce_for_answer(&mut self, key: CallKey) -> Option<Bytes32> {
        #[cfg(feature = "sim")]
        if self.verifying == Verifying::Never {
            return None;
        }
        let called = |call: &Call| matches!(call.verification, Verification::Called { .. });
        self.calls.get(&key).is_some_and(called).then(|| self.sas_nonce())
    }

    fn sas_nonce(&mut self) -> Bytes32 {
        let mut nonce = Bytes32([0; 32]);
        self.random.fill_bytes(&mut nonce.0);
        nonce
    }

    /// Offer and answer are known: the answer's hash, and the nonce in it if there is one.
    pub(super) fn agree(&mut self, key: CallKey, answer: Option<Bytes32>, nonce: Option<Bytes32>) {
        let me = self.identity.id();
        let Some(call) = self.calls.get_mut(&key) else { return };
        let before = std::mem::take(&mut call.verification);
        let (Some(peer), Some(offer_hash), Some(answer_hash), Some(callee_nonce)) =
            (call.peer, call.offer_hash, answer, nonce)
        else {
            return;
        };
        let agreement = |caller, callee| Agreement {
            caller,
            callee,
            call: call.id,
            offer_hash,
            answer_hash,
            callee_nonce,
        };
        call.verification = match before {
            Verification::Committed { nonce } => {
                let words = agreement(me, peer).words(nonce);
                Verification::Answered { nonce, words }
            }
            Verification::Called { commit } => {
                Verification::Awaiting { commit, agreement: agreement(peer, me) }
            }
            other => other,
        };
    }

    /// The data channel is open: the caller reveals its nonce.
    pub(super) fn reveal(&mut self, now: Instant, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let Verification::Answered { nonce, words } = call.verification else { return };
        #[cfg(feature = "sim")]
        let nonce = if self.verifying == Verifying::Falsely { Bytes32([0; 32]) } else { nonce };
        let message = ChannelMessage::Reveal { sas_nonce: nonce }.to_bytes();
        let revealed = call.session.as_mut().is_some_and(|s| s.send_message(now, &message));
        if revealed {
            call.verification = Verification::Over;
            self.emit(Event::VerificationReady { call: key, words });
        }
        self.drain_session(now, key);
    }

    /// The caller has revealed its nonce, once; what it says again is dropped.
    pub(super) fn revealed(&mut self, now: Instant, key: CallKey, nonce: Bytes32) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let Verification::Awaiting { commit, agreement } = &call.verification else {
            self.stats.signals_dropped += 1;
            return;
        };
        if commitment(nonce) != *commit {
            self.say_bye(now, key, Reason::Incompatible);
            return self.end(now, key, EndReason::VerificationFailed);
        }
        let words = agreement.words(nonce);
        call.verification = Verification::Over;
        self.emit(Event::VerificationReady { call: key, words });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::engine::call::Phase;
    use crate::engine::{EngineConfig, Output, Stopwatch};
    use crate::id::{CallId, PeerId};
    use crate::identity::Identity;
    use crate::identity::pins::Pins;
    use crate::time::{Duration, Epoch, UnixMillis};
    use crate::voice::{Codec, EncoderConfig, JitterConfig};
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    const NOW: Instant = Instant::ZERO;
    const KEY: CallKey = CallKey(1);
    const NONCE: Bytes32 = Bytes32([1; 32]);

    struct NoTime;

    impl Stopwatch for NoTime {
        fn nanos(&mut self) -> u64 {
            0
        }
    }

    /// A node with one call.
    #[expect(clippy::disallowed_methods, reason = "only differences from this moment count")]
    fn engine(verification: Verification) -> Engine {
        let config = EngineConfig {
            name: "bob".into(),
            trackers: Vec::new(),
            encoder: EncoderConfig::default(),
            jitter: JitterConfig::default(),
            codec: Codec::StandIn,
            auto_answer: false,
            pins_names: true,
            contacts_only: false,
            ring_timeout: Duration::from_secs(45),
            max_calls: 1,
            relays: Vec::new(),
            mesh: None,
            history: Vec::new(),
            relay_only: false,
            epoch: Epoch::new(std::time::Instant::now()),
            wall_at_zero: UnixMillis(0),
        };
        let random = Box::new(ChaCha8Rng::seed_from_u64(1));
        let (identity, meter) = (Identity::from_secret(&[2; 32]), Box::new(NoTime));
        let mut engine =
            Engine::new(config, identity, Pins::default(), random, meter, NOW).unwrap();
        let name = "alice".to_owned();
        let mut call = Call::new(CallId([3; 16]), Phase::Connected, name, NOW, Duration::ZERO);
        call.peer = Some(PeerId([4; 32]));
        call.verification = verification;
        engine.calls.insert(KEY, call);
        engine
    }

    fn awaiting() -> Verification {
        let agreement = Agreement {
            caller: PeerId([4; 32]),
            callee: PeerId([5; 32]),
            call: CallId([3; 16]),
            offer_hash: Bytes32([6; 32]),
            answer_hash: Bytes32([7; 32]),
            callee_nonce: Bytes32([8; 32]),
        };
        Verification::Awaiting { commit: commitment(NONCE), agreement }
    }

    fn events(engine: &mut Engine) -> Vec<Event<CallKey>> {
        let events = std::iter::from_fn(|| engine.poll());
        events.filter_map(|o| if let Output::Event(e) = o { Some(e) } else { None }).collect()
    }

    #[test]
    fn only_the_first_of_what_is_revealed_counts() {
        let mut engine = engine(awaiting());
        engine.revealed(NOW, KEY, NONCE);
        assert!(matches!(events(&mut engine)[..], [Event::VerificationReady { .. }]));
        for again in [NONCE, Bytes32([9; 32])] {
            engine.revealed(NOW, KEY, again);
        }
        assert_eq!((events(&mut engine), engine.stats.signals_dropped), (vec![], 2));
        assert!(engine.calls.contains_key(&KEY));
    }

    #[test]
    fn what_nobody_has_committed_to_is_dropped() {
        let words = ["aardvark", "adroitness", "aardvark", "adroitness"];
        for verification in [
            Verification::Over,
            Verification::Committed { nonce: NONCE },
            Verification::Answered { nonce: NONCE, words },
            Verification::Called { commit: commitment(NONCE) },
        ] {
            let mut engine = engine(verification);
            engine.revealed(NOW, KEY, NONCE);
            assert_eq!((events(&mut engine), engine.stats.signals_dropped), (vec![], 1));
        }
    }

    #[test]
    fn another_nonce_than_promised_ends_the_call() {
        let mut engine = engine(awaiting());
        engine.revealed(NOW, KEY, Bytes32([9; 32]));
        let reason = EndReason::VerificationFailed;
        assert_eq!(events(&mut engine), [Event::Ended { call: KEY, reason }]);
    }
}
