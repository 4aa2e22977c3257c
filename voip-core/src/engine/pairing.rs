//! Being handed to somebody who asks for the same: the first tracker that has one wins.

use crate::directory::client::Failure;
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Peer};
use crate::identity::pins::Pin;
use crate::time::{Duration, Instant};
use crate::wire::tracker::ErrorCode;

use super::Engine;

/// The shortest pause before a tracker is asked again, and the longest. At random: who must not meet and ask again both
/// would for ever be handed to each other.
const PAUSES_MS: (u32, u32) = (1_000, 3_000);

/// What a tracker was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Asked {
    /// Nothing, or all of it is over.
    #[default]
    Nothing,
    /// A peer; it has not answered.
    Peer(u64),
    /// A peer; this node waits there.
    Waits,
    /// A peer, and will be again then.
    Again(Instant),
    /// A peer; it does not do that.
    Refused,
}

impl Engine {
    pub(super) fn pair(&mut self, now: Instant) {
        if self.trackers.is_empty() {
            let error = Error::new(ErrorKind::TrackerUnreachable, "this node has no tracker");
            return self.emit(Event::PairingFailed { error });
        }
        if !std::mem::replace(&mut self.wants_pair, true) {
            for tracker in 0..self.trackers.len() {
                if self.trackers[tracker].registered {
                    self.ask_for_pair(now, tracker);
                }
            }
        }
    }

    pub(super) fn unpair(&mut self, now: Instant) {
        self.wants_pair = false;
        for tracker in &mut self.trackers {
            if let Asked::Peer(_) | Asked::Waits = std::mem::take(&mut tracker.asked) {
                tracker.client.unpair(now);
            }
        }
    }

    /// A tracker can be asked.
    pub(super) fn ask_for_pair(&mut self, now: Instant, tracker: usize) {
        if self.wants_pair {
            let request = self.new_request();
            let tracker = &mut self.trackers[tracker];
            tracker.asked = Asked::Peer(request);
            tracker.client.pair(now, request);
        }
    }

    pub(super) fn handle_pairing(&mut self, tracker: usize, request: u64) {
        let asked = &mut self.trackers[tracker].asked;
        if *asked == Asked::Peer(request) {
            *asked = Asked::Waits;
        }
    }

    /// A tracker has a peer, or says so. One that comes before the answer belongs to an earlier request, which was taken back.
    pub(super) fn handle_paired(&mut self, now: Instant, tracker: usize, peer: Option<Peer>) {
        if self.trackers[tracker].asked != Asked::Waits {
            return;
        }
        let welcome = |peer: &Peer| {
            let is_other = matches!(self.pins.check(&peer.name, peer.id), Pin::Changed { .. });
            !is_other && !self.is_unwelcome(&peer.name, peer.id, false)
        };
        match peer.filter(welcome) {
            Some(peer) => {
                self.trackers[tracker].asked = Asked::Nothing;
                self.unpair(now);
                let calls = self.id() < peer.id;
                self.emit(Event::Paired { peer, calls });
            }
            None => self.ask_for_pair_again(now, tracker),
        }
    }

    fn ask_for_pair_again(&mut self, now: Instant, tracker: usize) {
        let (shortest, longest) = PAUSES_MS;
        let pause = shortest + self.random.next_u32() % (longest - shortest + 1);
        self.trackers[tracker].asked = Asked::Again(now + Duration::from_millis(pause.into()));
    }

    pub(super) fn handle_pair_failed(
        &mut self,
        now: Instant,
        tracker: usize,
        request: u64,
        why: Failure,
    ) {
        let asked = &mut self.trackers[tracker].asked;
        if *asked != Asked::Peer(request) {
            return;
        }
        let code = match why {
            // It is asked when it has registered this node.
            Failure::NotRegistered => return *asked = Asked::Nothing,
            Failure::TooMany | Failure::TimedOut | Failure::Refused(ErrorCode::RateLimited) => {
                return self.ask_for_pair_again(now, tracker);
            }
            Failure::Refused(code) => code,
        };
        *asked = Asked::Refused;
        if self.trackers.iter().all(|t| t.asked == Asked::Refused) {
            self.unpair(now);
            self.emit(Event::PairingFailed { error: refusal(code) });
        }
    }

    /// Asks the trackers whose pause is over.
    pub(super) fn handle_pair_pauses(&mut self, now: Instant) {
        for tracker in 0..self.trackers.len() {
            if matches!(self.trackers[tracker].asked, Asked::Again(at) if at <= now) {
                self.ask_for_pair(now, tracker);
            }
        }
    }
}

impl Asked {
    pub(super) fn next_timeout(self) -> Instant {
        if let Asked::Again(at) = self { at } else { Instant::FAR_FUTURE }
    }
}

fn refusal(code: ErrorCode) -> Error {
    match code {
        ErrorCode::UnknownType => {
            let message = "the tracker is of an older version, which cannot pair";
            Error::new(ErrorKind::InvalidState, message)
        }
        _ => Error::new(ErrorKind::Protocol, "the tracker refused to pair"),
    }
}
