//! Whose calls the user wants to hear of.

use crate::event::{ContactState, EndReason};
use crate::id::PeerId;
use crate::identity::pins::PinChange;
use crate::time::Instant;
use crate::wire::sealed::Bytes32;
use crate::wire::signal::{Reason, Signal, SignalKind};

use super::call::{Call, Phase};
use super::{CallKey, Engine, Output};

impl Engine {
    /// Whether a caller is blocked, or a stranger where only contacts may call. One of whom this node
    /// is looking for (`wanted`) is no stranger.
    pub(super) fn is_unwelcome(&self, name: &str, id: PeerId, wanted: bool) -> bool {
        let stranger = self.config.contacts_only && !wanted && !self.pins.is_contact(id);
        stranger || self.pins.is_blocked(name, id)
    }

    /// Answers an unwelcome call, of which the user never hears, as if it rang and nobody came, so that
    /// the caller cannot tell whether it is blocked. It is in nobody's way: welcome calls ring meanwhile.
    pub(super) fn let_ring(&mut self, now: Instant, key: CallKey, offer: Bytes32, busy: bool) {
        self.stats.signals_dropped += 1;
        let peer = self.calls.get(&key).and_then(|call| call.peer);
        let again = self.unheard.iter().any(|(_, call)| call.peer == peer);
        let full = self.calls.len() + self.unheard.len() > self.config.max_calls;
        if busy || again || full {
            return self.refuse_unheard(now, key, Reason::Busy);
        }
        self.send_signal(now, key, SignalKind::Ringing, |s| s.offer_hash = Some(offer));
        if let Some(mut call) = self.calls.remove(&key) {
            call.phase = Phase::RingingHere { sdp: String::new() };
            self.unheard.push((key, call));
        }
    }

    /// A signal came for no call that the user knows of: the caller of an unheard one may give up.
    pub(super) fn handle_unheard(&mut self, signal: &Signal) {
        self.stats.signals_dropped += 1;
        if signal.kind == SignalKind::Cancel {
            let is_it = |call: &Call| call.id == signal.call && call.peer == Some(signal.from);
            self.unheard.retain(|(_, call)| !is_it(call));
        }
    }

    /// Tells the callers whose calls have rung unheard for as long as others would, or have to end.
    pub(super) fn end_unheard(&mut self, now: Instant, reason: Reason, all: bool) {
        let ends = |(_, call): &mut (CallKey, Call)| all || call.deadline <= now;
        for (key, call) in self.unheard.extract_if(.., ends).collect::<Vec<_>>() {
            self.calls.insert(key, call);
            self.refuse_unheard(now, key, reason);
        }
    }

    /// The user's change of that number. To block somebody ends a call with them.
    pub(super) fn change_pins(
        &mut self,
        now: Instant,
        name: &str,
        change: &PinChange,
        number: u64,
    ) {
        self.pin_changes = number;
        if let Err(error) = self.pins.change(name, change) {
            tracing::warn!(%error, name, "name not pinned");
        }
        self.outputs.push_back(Output::SavePins(self.pins.clone(), number));
        if let PinChange::Contact(id, ContactState::Blocked) = change {
            let theirs = |(key, call): (&CallKey, &Call)| (call.peer == Some(*id)).then_some(*key);
            for key in self.calls.iter().filter_map(theirs).collect::<Vec<_>>() {
                self.hang_up(now, key, EndReason::HungUp);
            }
        }
    }
}
