//! Whose calls the user wants to hear of.

use crate::event::{ContactState, EndReason};
use crate::id::PeerId;
use crate::identity::pins::PinChange;
use crate::time::Instant;
use crate::wire::sealed::Bytes32;
use crate::wire::signal::{Reason, SignalKind};

use super::{CallKey, Engine, Output};

impl Engine {
    /// Whether a caller is blocked, or a stranger where only contacts may call. One of whom this node
    /// is looking for (`wanted`) is no stranger.
    pub(super) fn is_unwelcome(&self, name: &str, id: PeerId, wanted: bool) -> bool {
        let stranger = self.config.contacts_only && !wanted && !self.pins.is_contact(id);
        stranger || self.pins.is_blocked(name, id)
    }

    /// Answers an unwelcome call, of which the user never hears, as if it rang and nobody came: the
    /// caller cannot tell whether it is blocked. Nothing is kept of the call.
    pub(super) fn let_ring(&mut self, now: Instant, key: CallKey, offer: Bytes32, busy: bool) {
        self.stats.signals_dropped += 1;
        if busy {
            return self.refuse_unheard(now, key, Reason::Busy);
        }
        self.send_signal(now, key, SignalKind::Ringing, |s| s.offer_hash = Some(offer));
        self.calls.remove(&key);
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
            let theirs =
                |(key, call): (&CallKey, &super::Call)| (call.peer == Some(*id)).then_some(*key);
            for key in self.calls.iter().filter_map(theirs).collect::<Vec<_>>() {
                self.hang_up(now, key, EndReason::HungUp);
            }
        }
    }
}
