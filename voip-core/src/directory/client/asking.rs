//! What the owner of a client asks the tracker.

#[cfg(doc)]
use super::Event;
use super::requests::Purpose;
use super::{Client, Failure};
use crate::id::{CallId, PeerId};
use crate::time::Instant;
use crate::wire::signal::SealedSignal;
use crate::wire::tracker::{MAX_PAGE, PeerMessage, Target};

impl Client {
    /// Asks for one peer: [`Event::Found`], [`Event::NotFound`] or [`Event::Failed`] follows.
    pub(crate) fn lookup(&mut self, now: Instant, request: u64, target: Target) {
        let purpose = Purpose::Lookup { request, target: target.clone() };
        self.ask(now, request, purpose, |id| PeerMessage::Lookup { id, target });
    }

    /// Asks who is online, after the name `after`: [`Event::Peers`] or [`Event::Failed`] follows.
    pub(crate) fn list(&mut self, now: Instant, request: u64, after: Option<String>) {
        let limit = Some(MAX_PAGE);
        self.ask(now, request, Purpose::List { request }, |id| PeerMessage::List {
            id,
            after,
            limit,
        });
    }

    /// Sends a signal. [`Event::Undeliverable`] or [`Event::Failed`] may follow; no news is no
    /// promise that the peer has read it.
    pub(crate) fn signal(&mut self, now: Instant, request: u64, to: PeerId, signal: SealedSignal) {
        self.ask(now, request, Purpose::Signal { request }, |id| PeerMessage::Signal {
            id,
            to,
            signal,
        });
    }

    /// Asks for credentials for the tracker's relay: [`Event::Relay`] or [`Event::Failed`] follows.
    pub(crate) fn relay(&mut self, now: Instant, request: u64, call: CallId, peer: PeerId) {
        let purpose = Purpose::Relay { request };
        self.ask(now, request, purpose, |id| PeerMessage::Relay { id, call, peer });
    }

    /// Asks to be handed to somebody who asks the same: [`Event::Pairing`] or [`Event::Failed`] follows, and then at some
    /// time [`Event::Paired`].
    pub(crate) fn pair(&mut self, now: Instant, request: u64) {
        self.ask(now, request, Purpose::Pair { request }, |id| PeerMessage::Pair { id });
    }

    /// Asks for it no longer. No answer is told.
    pub(crate) fn unpair(&mut self, now: Instant) {
        if self.is_registered() {
            self.send(now, Purpose::Unpair, |id| PeerMessage::Unpair { id });
        }
    }

    /// Sends a request of the owner's, or says at once why not.
    fn ask(
        &mut self,
        now: Instant,
        request: u64,
        purpose: Purpose,
        message: impl FnOnce(u32) -> PeerMessage,
    ) {
        if !self.is_registered() {
            self.fail(Some(request), Failure::NotRegistered);
        } else if self.requests.is_full() {
            self.fail(Some(request), Failure::TooMany);
        } else {
            self.send(now, purpose, message);
        }
    }
}
