//! How calls end and what their sessions report: hanging up, refusing, deadlines.

use crate::event::{EndReason, Event};
use crate::time::Instant;
use crate::wire::signal::{Reason, SignalKind};

use super::call::{Call, Phase};
use super::{CallKey, Engine, Output};

impl Engine {
    pub(super) fn reject(&mut self, now: Instant, key: CallKey, reason: Reason) {
        if self.calls.get(&key).is_some_and(Call::rings_here) {
            self.refuse(now, key, reason, EndReason::HungUp);
        } else {
            self.hang_up(now, key, EndReason::HungUp);
        }
    }

    pub(super) fn refuse(&mut self, now: Instant, key: CallKey, why: Reason, reason: EndReason) {
        let hash = self.calls.get(&key).and_then(|call| call.offer_hash);
        self.send_signal(now, key, SignalKind::Reject, |signal| {
            signal.offer_hash = hash;
            signal.reason = Some(why);
        });
        self.end(now, key, reason);
    }

    /// Ends a call from this side, in whatever phase it is, and tells the peer.
    pub(super) fn hang_up(&mut self, now: Instant, key: CallKey, reason: EndReason) {
        let Some(call) = self.calls.get(&key) else { return };
        match call.phase {
            Phase::RingingHere { .. } => return self.refuse(now, key, Reason::Declined, reason),
            Phase::Resolving => {}
            Phase::Offered | Phase::RingingThere => {
                return self.cancel(now, key, Reason::HungUp, reason);
            }
            Phase::Connecting | Phase::Connected => self.say_bye(now, key, Reason::HungUp),
        }
        self.end(now, key, reason);
    }

    pub(super) fn say_bye(&mut self, now: Instant, key: CallKey, reason: Reason) {
        self.send_signal(now, key, SignalKind::Bye, |s| s.reason = Some(reason));
        if let Some(session) = self.calls.get_mut(&key).and_then(|c| c.session.as_mut()) {
            session.close(now);
        }
        self.drain_session(now, key);
    }

    /// Takes a call away and says why.
    pub(super) fn end(&mut self, now: Instant, key: CallKey, reason: EndReason) {
        let Some(stats) = self.call_stats(key) else { return };
        // Where it rings the signal says why it stops, which would come after the session's goodbye.
        let says_goodbye = |call: &&mut Call| !call.rings_here();
        let call = self.calls.get_mut(&key).filter(says_goodbye);
        if let Some(session) = call.and_then(|call| call.session.as_mut()) {
            session.close(now);
            self.drain_session(now, key);
        }
        self.give_up_relay(now, key);
        let Some(call) = self.calls.remove(&key) else { return };
        self.routes.retain(|_, routed| *routed != key);
        self.forget_search(key);
        if let Some(stream) = call.stream {
            self.ingress.remove(stream);
        }
        self.outputs.push_back(Output::CallStats { call: key, stats: Box::new(stats) });
        self.emit(Event::Ended { call: key, reason });
        self.tell_presence(now);
    }

    pub(super) fn handle_call_deadlines(&mut self, now: Instant) {
        let due = |(key, call): (&CallKey, &Call)| (call.deadline <= now).then_some(*key);
        for key in self.calls.iter().filter_map(due).collect::<Vec<_>>() {
            let Some(call) = self.calls.get(&key) else { continue };
            match call.phase {
                Phase::Resolving => self.lookup_timed_out(now, key),
                Phase::Offered if call.deadline < call.ring_deadline => {
                    self.cancel(now, key, Reason::NoAnswer, EndReason::Unreachable);
                }
                Phase::Offered | Phase::RingingThere => {
                    self.cancel(now, key, Reason::NoAnswer, EndReason::NoAnswer);
                }
                Phase::RingingHere { .. } => {
                    self.refuse(now, key, Reason::NoAnswer, EndReason::Missed);
                }
                Phase::Connecting => {
                    self.say_bye(now, key, Reason::Unreachable);
                    self.end(now, key, EndReason::Unreachable);
                }
                Phase::Connected => {
                    self.say_bye(now, key, Reason::NetworkLost);
                    self.end(now, key, EndReason::NetworkLost);
                }
            }
        }
    }

    /// Gives up a call that is not answered.
    pub(super) fn cancel(&mut self, now: Instant, key: CallKey, why: Reason, reason: EndReason) {
        self.send_signal(now, key, SignalKind::Cancel, |s| s.reason = Some(why));
        self.end(now, key, reason);
    }

    pub(super) fn session_connected(&mut self, now: Instant, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        if !call.path.is_lost() {
            call.path.begin(now);
        }
        if !call.is_answered() {
            return;
        }
        if let Err(error) = self.start_media(key) {
            tracing::error!(%error, "no codec");
            return self.hang_up(now, key, EndReason::Protocol);
        }
        if let Some(call) = self.calls.get_mut(&key) {
            call.phase = Phase::Connected;
            call.deadline = Instant::FAR_FUTURE;
            call.silence.begin(now);
        }
        self.emit(Event::Connected { call: key });
        self.reconnecting(now, key);
    }

    pub(super) fn session_closed(&mut self, now: Instant, key: CallKey, by_peer: bool) {
        if !self.calls.get(&key).is_some_and(Call::is_answered) {
            return self.early_closed(now, key, by_peer);
        }
        let reason = if by_peer { EndReason::PeerHungUp } else { EndReason::NetworkLost };
        self.end(now, key, reason);
    }
}
