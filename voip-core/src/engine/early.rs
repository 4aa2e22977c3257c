//! Between people who know each other the path is made while it rings, so that the answer is heard at once.
//!
//! A callee that has accepted the caller as a contact sends its description ahead of its answer, as `progress`; when
//! somebody answers, ICE and DTLS have long been done. The answer then goes over the data channel, too, which is half as
//! far as over the tracker. No sound is sent before it, and strangers learn no address.

use crate::event::EndReason;
use crate::session::{Session, SessionError};
use crate::time::{Duration, Instant};
use crate::wire::channel::ChannelMessage;
use crate::wire::signal::{Reason, SealedSignal, SignalKind};

use super::call::{Call, Phase};
use super::{CallKey, Engine};

/// A session that has found no path for so long looks again from the beginning when the call is answered.
const STALE: Duration = Duration::from_secs(3);

impl Engine {
    /// It rings here: makes the path if the caller is a contact.
    pub(super) fn progress(&mut self, now: Instant, key: CallKey) {
        let Some(call) = self.calls.get(&key) else { return };
        if !call.peer.is_some_and(|peer| self.pins.is_contact(peer)) {
            return;
        }
        let offer_hash = call.offer_hash;
        match self.describe(now, key) {
            Ok(sdp) => {
                self.send_signal(now, key, SignalKind::Progress, |signal| {
                    signal.offer_hash = offer_hash;
                    signal.sdp = Some(sdp);
                });
                self.drain_session(now, key);
            }
            // The answer will say so.
            Err(error) => tracing::debug!(%error, "no early path"),
        }
    }

    /// The description for the answer to a call that rings here: the one that the caller has already, if it has one.
    pub(super) fn describe(&mut self, now: Instant, key: CallKey) -> Result<String, SessionError> {
        let candidates = self.candidates_of(key);
        let first = self.first_sequence();
        let gone = || SessionError::Description("the call does not ring".into());
        let call = self.calls.get_mut(&key).ok_or_else(gone)?;
        if let Some(early) = &call.early {
            return Ok(early.clone());
        }
        let Phase::RingingHere { sdp } = &call.phase else { return Err(gone()) };
        let (session, description) =
            Session::answer(now, self.config.epoch, first, &candidates, sdp)?;
        call.session = Some(session);
        call.early = Some(description.clone());
        Ok(description)
    }

    /// It rings there, and the callee's description has come.
    pub(super) fn handle_progress(&mut self, now: Instant, key: CallKey, sdp: &str) {
        self.handle_ringing(key);
        let Some(call) = self.calls.get_mut(&key).filter(|c| c.is_outgoing_unanswered()) else {
            return;
        };
        if call.early.is_some() {
            self.stats.signals_dropped += 1;
        } else if let Err(error) = call.take_description(now, sdp) {
            tracing::debug!(%error, "progress refused");
            self.cancel(now, key, Reason::Incompatible, EndReason::Protocol);
        } else {
            self.add_trickled(now, key);
        }
    }

    /// The callee tells the caller of its answer on the data channel, if that is there.
    pub(super) fn tell_answer(&mut self, now: Instant, key: CallKey, answer: SealedSignal) {
        if let Some(session) = self.calls.get_mut(&key).and_then(|c| c.session.as_mut()) {
            let message = ChannelMessage::Answer { signal: answer };
            session.send_message(now, &message.to_bytes());
        }
    }

    /// What a peer says on the data channel before the call is answered.
    pub(super) fn handle_early_message(&mut self, now: Instant, key: CallKey, message: &[u8]) {
        let message = ChannelMessage::parse(message);
        if message == Some(ChannelMessage::Alive) {
            return;
        }
        let Some(call) = self.calls.get(&key) else { return };
        if let Some(ChannelMessage::Answer { signal: sealed }) = message
            && let Ok(signal) = sealed.open(self.identity.id(), call.peer)
            && signal.kind == SignalKind::Answer
            && (signal.call, signal.offer_hash) == (call.id, call.offer_hash)
            && signal.is_timely(self.wall(now))
        {
            self.handle_answer(now, key, sealed.hash(), &signal);
        } else {
            self.stats.signals_dropped += 1;
        }
    }

    /// The call is answered: if there is a path already it is connected.
    pub(super) fn connect_early(&mut self, now: Instant, key: CallKey) {
        let candidates = self.candidates_of(key);
        let Some(session) = self.calls.get_mut(&key).and_then(|c| c.session.as_mut()) else {
            return;
        };
        if !session.is_connected() {
            if now.since(session.began()) > STALE {
                session.look_for_path(now, &candidates);
            }
            return;
        }
        let has_channel = session.is_channel_open();
        self.session_connected(now, key);
        if has_channel {
            self.channel_open(now, key);
        }
    }

    /// The connection was made before the answer, and is over before it.
    pub(super) fn early_closed(&mut self, now: Instant, key: CallKey, by_peer: bool) {
        let rings_here = self.calls.get(&key).is_some_and(Call::rings_here);
        match (rings_here, by_peer) {
            (true, true) => self.end(now, key, EndReason::Missed),
            (true, false) => self.refuse(now, key, Reason::Unreachable, EndReason::Unreachable),
            (false, true) => self.end(now, key, EndReason::Declined),
            (false, false) => self.cancel(now, key, Reason::Unreachable, EndReason::Unreachable),
        }
    }
}

impl Call {
    /// The caller has the callee's description, ahead of the answer or in it; the answer repeats it.
    pub(super) fn take_description(&mut self, now: Instant, sdp: &str) -> Result<(), SessionError> {
        let wrong = |what: &str| SessionError::Description(what.into());
        match (&self.early, &mut self.session) {
            (Some(early), _) if early == sdp => Ok(()),
            (Some(_), _) => Err(wrong("another one than announced")),
            (None, Some(session)) => {
                session.accept_answer(now, sdp)?;
                self.early = Some(sdp.to_owned());
                Ok(())
            }
            (None, None) => Err(wrong("nothing was offered")),
        }
    }
}
