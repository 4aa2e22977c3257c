//! What peers say to each other through a tracker, and what it does to a call: ringing, answers,
//! refusals, hanging up, two peers that call each other at once.

use crate::event::{EndReason, Event};
use crate::id::{PeerId, SequenceNumber};
use crate::identity::pins::Pin;
use crate::time::Instant;
use crate::wire::sealed::{Bytes32, Nonce};
use crate::wire::signal::{Reason, SealedSignal, Signal, SignalKind};

use super::call::{CONNECT_TIMEOUT, Call, Carrier, Phase, RING_GRACE};
use super::verification::Verification;
use super::{CallKey, Engine, Output};

impl Engine {
    /// Signs and sends a signal of one call, and returns it.
    pub(super) fn send_signal(
        &mut self,
        now: Instant,
        key: CallKey,
        kind: SignalKind,
        complete: impl FnOnce(&mut Signal),
    ) -> Option<SealedSignal> {
        let wall = self.wall(now);
        let mut nonce = Nonce([0; 16]);
        self.random.fill_bytes(&mut nonce.0);
        let request = self.new_request();
        let call = self.calls.get(&key)?;
        let (peer, carrier) = (call.peer?, self.carrier_for(call));
        let call = self.calls.get_mut(&key)?;
        call.carrier = carrier;
        let mut signal = Signal::new(kind, call.id, self.identity.id(), peer, wall, nonce);
        complete(&mut signal);
        let sealed = signal.seal(&self.identity);
        if kind == SignalKind::Offer {
            call.offer_request = Some(request);
        }
        match carrier {
            Carrier::Tracker(tracker) => {
                if let Some(tracker) = self.trackers.get_mut(tracker) {
                    tracker.client.signal(now, request, peer, sealed.clone());
                }
            }
            Carrier::Mesh => self.signal_by_mesh(now, peer, &sealed),
        }
        Some(sealed)
    }

    /// What carries a call's next signal: what has carried the others, unless that is gone and there is another way.
    fn carrier_for(&self, call: &Call) -> Carrier {
        let works = |tracker: usize| self.trackers.get(tracker).is_some_and(|t| t.registered);
        let is_in_mesh = call.peer.is_some_and(|peer| self.is_in_mesh(peer));
        let other = || (0..self.trackers.len()).find(|t| works(*t)).map(Carrier::Tracker);
        match call.carrier {
            Carrier::Tracker(tracker) if works(tracker) => call.carrier,
            Carrier::Mesh if is_in_mesh => call.carrier,
            Carrier::Tracker(_) if is_in_mesh => Carrier::Mesh,
            _ => other().unwrap_or(call.carrier),
        }
    }

    /// A signal came. Whatever is forged, stale or makes no sense is dropped and counted.
    /// `from` is the tracker's word.
    pub(super) fn handle_signal(
        &mut self,
        now: Instant,
        carrier: Carrier,
        from: PeerId,
        sealed: &SealedSignal,
    ) {
        let opened = sealed.open(self.identity.id(), None);
        let Some(signal) = opened.ok().filter(|s| s.is_timely(self.wall(now))) else {
            self.stats.signals_dropped += 1;
            return self.handle_unusable(now, carrier, from, sealed);
        };
        if signal.kind == SignalKind::Offer {
            return self.handle_offer(now, carrier, sealed.hash(), signal);
        }
        if let (SignalKind::Introduce, Carrier::Tracker(tracker)) = (signal.kind, carrier) {
            let addresses = signal.addresses.unwrap_or_default();
            return self.handle_introduction(now, tracker, signal.from, addresses);
        }
        let known = self.calls.iter().find(|(_, call)| {
            call.id == signal.call
                && call.peer == Some(signal.from)
                && signal.offer_hash.is_none_or(|hash| call.offer_hash == Some(hash))
        });
        let Some(key) = known.map(|(key, _)| *key) else {
            self.handle_unheard(&signal);
            return self.handle_unusable(now, carrier, from, sealed);
        };
        match signal.kind {
            SignalKind::Ringing => self.handle_ringing(key),
            SignalKind::Progress => {
                self.handle_progress(now, key, &signal.sdp.unwrap_or_default());
            }
            SignalKind::Answer => self.handle_answer(now, key, sealed.hash(), &signal),
            SignalKind::Reject => self.handle_reject(now, key, signal.reason),
            SignalKind::Cancel => self.handle_cancel(now, key),
            SignalKind::Bye => self.handle_bye(now, key, signal.reason),
            SignalKind::Path => self.handle_path(now, key, signal.candidates.unwrap_or_default()),
            SignalKind::Offer | SignalKind::Introduce => {}
        }
    }

    /// A signal that the tracker says is from a peer who is being called over it, and that this peer has not signed: the
    /// true one will hardly come. Others than the tracker cannot bring this about, and the tracker could as well
    /// withhold it.
    fn handle_unusable(
        &mut self,
        now: Instant,
        carrier: Carrier,
        from: PeerId,
        sealed: &SealedSignal,
    ) {
        let called = self.calls.iter().find(|(_, call)| {
            call.peer == Some(from) && call.carrier == carrier && call.is_outgoing_unanswered()
        });
        if let Some((&key, _)) = called
            && !sealed.is_signed_by(from)
        {
            self.cancel(now, key, Reason::Incompatible, EndReason::Protocol);
        }
    }

    fn handle_offer(&mut self, now: Instant, carrier: Carrier, hash: Bytes32, signal: Signal) {
        let Some(sdp) = signal.sdp else { return };
        let name = signal.name.clone().unwrap_or_else(|| signal.from.short());
        if signal.from == self.identity.id() || !self.seen_offers.insert(now, signal.call) {
            self.stats.signals_dropped += 1;
            return;
        }
        self.end_lost_call(now, signal.from);
        let calling = self.calls.iter().find(|(_, call)| {
            call.peer == Some(signal.from)
                && matches!(call.phase, Phase::Offered | Phase::RingingThere)
        });
        let glare = calling.map(|(key, _)| *key);
        if glare.is_some() && self.identity.id() < signal.from {
            // Both called at once: ours stands, the peer treats it as answered.
            return;
        }
        let key = glare.unwrap_or_else(|| {
            self.next_incoming += 1;
            CallKey(self.next_incoming)
        });
        let ring = self.config.ring_timeout + RING_GRACE;
        let phase = Phase::RingingHere { sdp };
        let mut call = Call::new(signal.call, phase, name.clone(), now, ring);
        call.peer = Some(signal.from);
        call.carrier = carrier;
        call.offer_hash = Some(hash);
        call.claimed_name = signal.name;
        self.give_up_relay(now, key);
        call.verification = Verification::of_offer(signal.commit);
        if let Some(ours) = self.calls.get(&key) {
            call.began = ours.began;
            call.muted = ours.muted;
        }
        // One path leads from node to node: two calls could not be told apart on it.
        let known = self.calls.values().any(|c| c.peer == Some(signal.from));
        let full = self.calls.len() >= self.config.max_calls;
        // A call that is still looking for this very peer will find that it rings here.
        let most = self.config.max_calls + 1;
        let crosses =
            self.calls.len() < most && self.calls.values().any(|c| c.looks_for(&name, signal.from));
        let busy = glare.is_none() && !crosses && (full || known);
        self.calls.insert(key, call);
        if glare.is_none() && self.is_unwelcome(&name, signal.from, crosses) {
            return self.let_ring(now, key, hash, busy);
        }
        if let Pin::Changed { pinned } = self.pins.check(&name, signal.from) {
            self.emit(Event::KeyChanged { name, pinned, offered: signal.from });
            if glare.is_some() {
                // Our own call is known to the user: it ends for him, too.
                return self.refuse(now, key, Reason::KeyChanged, EndReason::KeyChanged);
            }
            return self.refuse_unheard(now, key, Reason::KeyChanged);
        }
        if busy {
            return self.refuse_unheard(now, key, Reason::Busy);
        }
        self.outputs.push_back(Output::CallPeer { call: key, name, id: signal.from });
        if glare.is_some() {
            return self.answer(now, key);
        }
        self.send_signal(now, key, SignalKind::Ringing, |s| s.offer_hash = Some(hash));
        self.emit(Event::Incoming { call: key });
        self.seek_relay(now, key);
        match self.config.auto_answer {
            _ if crosses => {}
            true => self.answer(now, key),
            false => self.progress(now, key),
        }
    }

    /// Refuses a call that the user never hears of.
    pub(super) fn refuse_unheard(&mut self, now: Instant, key: CallKey, reason: Reason) {
        let hash = self.calls.get(&key).and_then(|c| c.offer_hash);
        self.send_signal(now, key, SignalKind::Reject, |s| {
            s.offer_hash = hash;
            s.reason = Some(reason);
        });
        self.calls.remove(&key);
    }

    pub(super) fn handle_ringing(&mut self, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        if matches!(call.phase, Phase::Offered) {
            call.phase = Phase::RingingThere;
            call.deadline = call.ring_deadline;
            self.emit(Event::Ringing { call: key });
        }
    }

    pub(super) fn handle_answer(
        &mut self,
        now: Instant,
        key: CallKey,
        hash: Bytes32,
        signal: &Signal,
    ) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let (Phase::Offered | Phase::RingingThere, Some(sdp)) = (&call.phase, &signal.sdp) else {
            return;
        };
        if let Err(error) = call.take_description(now, sdp) {
            tracing::debug!(%error, "answer refused");
            self.say_bye(now, key, Reason::Incompatible);
            return self.end(now, key, EndReason::Protocol);
        }
        self.agree(key, Some(hash), signal.sas_nonce);
        self.answered(now, key);
    }

    fn answered(&mut self, now: Instant, key: CallKey) {
        if let Some(call) = self.calls.get_mut(&key) {
            call.phase = Phase::Connecting;
            call.answered = Some(now);
            call.deadline = now + CONNECT_TIMEOUT;
        }
        self.add_trickled(now, key);
        self.emit(Event::Answered { call: key });
        self.tell_presence(now);
        self.drain_session(now, key);
        self.connect_early(now, key);
    }

    fn handle_reject(&mut self, now: Instant, key: CallKey, reason: Option<Reason>) {
        let outgoing = self.calls.get(&key).is_some_and(Call::is_outgoing_unanswered);
        if !outgoing {
            return;
        }
        let reason = match reason {
            Some(Reason::Busy) => EndReason::Busy,
            Some(Reason::NoAnswer) => EndReason::NoAnswer,
            Some(Reason::KeyChanged) => EndReason::KeyChanged,
            Some(Reason::Incompatible) => EndReason::Protocol,
            _ => EndReason::Declined,
        };
        self.end(now, key, reason);
    }

    fn handle_bye(&mut self, now: Instant, key: CallKey, reason: Option<Reason>) {
        let reason = match reason {
            Some(Reason::Unreachable) => EndReason::Unreachable,
            Some(Reason::NetworkLost) => EndReason::NetworkLost,
            Some(Reason::Incompatible) => EndReason::Protocol,
            _ => EndReason::PeerHungUp,
        };
        self.end(now, key, reason);
    }

    fn handle_cancel(&mut self, now: Instant, key: CallKey) {
        if self.calls.get(&key).is_some_and(Call::rings_here) {
            self.end(now, key, EndReason::Missed);
        } else {
            // The cancel crossed our answer.
            self.end(now, key, EndReason::PeerHungUp);
        }
    }

    /// The tracker could not hand a signal on; only a lost offer matters.
    pub(super) fn handle_undeliverable(&mut self, now: Instant, request: u64) {
        let lost = |c: &Call| matches!(c.phase, Phase::Offered) && c.offer_request == Some(request);
        if let Some(key) = self.calls.iter().find(|(_, c)| lost(c)).map(|(key, _)| *key) {
            self.end(now, key, EndReason::UnknownPeer);
        }
    }

    pub(super) fn answer(&mut self, now: Instant, key: CallKey) {
        let sas_nonce = self.nonce_for_answer(key);
        let Some(call) = self.calls.get_mut(&key).filter(|call| call.rings_here()) else { return };
        let (peer, hash, carrier) = (call.peer, call.offer_hash, call.carrier);
        let claimed = call.claimed_name.take();
        match self.describe(now, key) {
            Ok(description) => {
                let answer = self.send_signal(now, key, SignalKind::Answer, |signal| {
                    signal.offer_hash = hash;
                    signal.sdp = Some(description);
                    signal.sas_nonce = sas_nonce;
                });
                self.agree(key, answer.as_ref().map(SealedSignal::hash), sas_nonce);
                if let Some(answer) = answer {
                    self.tell_answer(now, key, answer);
                }
                self.answered(now, key);
                if let (Some(name), Some(peer)) = (claimed, peer) {
                    self.verify_name(now, carrier, name, peer);
                }
            }
            Err(error) => {
                tracing::debug!(%error, "offer refused");
                self.refuse(now, key, Reason::Incompatible, EndReason::Protocol);
            }
        }
    }

    /// A random number at which a stream of packets begins.
    pub(super) fn first_sequence(&mut self) -> SequenceNumber {
        SequenceNumber(self.random.next_u32() as u16)
    }
}
