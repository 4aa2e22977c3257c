//! The node's trackers: what comes from them, what is told to them.

use std::net::SocketAddr;

use crate::directory::client::{self, Client, Loss};
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Presence};
use crate::relay::client::RelayCredentials;
use crate::time::Instant;
use crate::wire::tracker::ErrorCode;

use super::call::{Call, Carrier};
use super::{Engine, Output};

/// One tracker and what is known of it.
pub(super) struct Tracker {
    pub(super) address: String,
    pub(super) client: Client,
    pub(super) registered: bool,
    /// Our end of the connection to it: says whether it is on this very machine.
    pub(super) local: Option<SocketAddr>,
    /// The tracker's end.
    pub(super) remote: Option<SocketAddr>,
}

impl Engine {
    /// The connection to a tracker stands; `local` and `remote` are its two ends.
    pub(crate) fn handle_tracker_connected(
        &mut self,
        now: Instant,
        tracker: usize,
        local: SocketAddr,
        remote: SocketAddr,
    ) {
        let Some(t) = self.trackers.get_mut(tracker) else { return };
        (t.local, t.remote) = (Some(local), Some(remote));
        t.client.handle_connected(now);
        self.reflexive.ask(tracker, remote, now, &mut self.random);
        self.drain(now);
    }

    /// Bytes from a tracker.
    pub(crate) fn handle_tracker_bytes(&mut self, now: Instant, tracker: usize, bytes: &[u8]) {
        let wall = self.wall(now);
        let Some(t) = self.trackers.get_mut(tracker) else { return };
        t.client.handle_bytes(now, wall, bytes);
        self.drain(now);
    }

    /// A connection to a tracker is gone or could not be made.
    pub(crate) fn handle_tracker_closed(&mut self, now: Instant, tracker: usize) {
        let Some(t) = self.trackers.get_mut(tracker) else { return };
        t.client.handle_closed(now);
        self.drain(now);
    }

    /// Whoever answers at a tracker's address is not that tracker, or cannot be understood.
    pub(crate) fn handle_tracker_failed(&mut self, now: Instant, tracker: usize, loss: Loss) {
        let Some(t) = self.trackers.get_mut(tracker) else { return };
        t.client.handle_failed(now, loss);
        self.drain(now);
    }

    /// Until no client has anything to say: what one tracker says may have another one asked.
    pub(super) fn drain_trackers(&mut self, now: Instant) {
        while self.drain_trackers_once(now) {}
    }

    fn drain_trackers_once(&mut self, now: Instant) -> bool {
        let mut any = false;
        for tracker in 0..self.trackers.len() {
            while let Some(output) = self.trackers[tracker].client.poll() {
                any = true;
                match output {
                    client::Output::Connect => {
                        self.outputs.push_back(Output::TrackerConnect { tracker });
                    }
                    client::Output::Send(bytes) => {
                        self.outputs.push_back(Output::TrackerSend { tracker, bytes });
                    }
                    client::Output::Disconnect => {
                        self.outputs.push_back(Output::TrackerDisconnect { tracker });
                    }
                    client::Output::Event(event) => self.handle_tracker_event(now, tracker, event),
                }
            }
        }
        any
    }

    fn handle_tracker_event(&mut self, now: Instant, tracker: usize, event: client::Event) {
        match event {
            client::Event::Registered { online, .. } => {
                self.tracker_registered(now, tracker, online);
            }
            client::Event::RegistrationRefused(code) => self.tracker_lost(tracker, refusal(code)),
            client::Event::Replaced => {
                let message = "the same key has registered from elsewhere";
                self.tracker_lost(tracker, Error::new(ErrorKind::InvalidState, message));
            }
            client::Event::Lost(loss) => self.tracker_lost(tracker, loss_error(loss)),
            client::Event::Joined { peer, online } => self.emit(Event::Joined { peer, online }),
            client::Event::Changed { peer } => self.emit(Event::Changed { peer }),
            client::Event::Left { name, id, online } => self.emit(Event::Left { name, id, online }),
            client::Event::Found { request, peer } => {
                self.handle_lookup(now, request, Ok(Some(peer)));
            }
            client::Event::NotFound { request } => self.handle_lookup(now, request, Ok(None)),
            client::Event::Peers { request, peers, next } => {
                if !self.handle_list_for_mesh(now, tracker, request, &peers) {
                    self.handle_peers(now, tracker, request, Some((peers, next)));
                }
            }
            client::Event::Signal { from, signal } => {
                self.handle_signal(now, Carrier::Tracker(tracker), from, &signal);
            }
            client::Event::Undeliverable { request, to: _ } => {
                self.handle_undeliverable(now, request);
            }
            client::Event::Relay { request, username, password } => {
                let credentials = RelayCredentials { username, password };
                self.handle_relay_grant(now, request, Some(credentials));
            }
            client::Event::Failed { request, why: _ } => {
                self.handle_relay_grant(now, request, None);
                self.handle_lookup(now, request, Err(()));
                self.handle_peers(now, tracker, request, None);
            }
        }
    }

    fn tracker_registered(&mut self, now: Instant, tracker: usize, online: u32) {
        let t = &mut self.trackers[tracker];
        t.registered = true;
        let address = t.address.clone();
        self.emit(Event::Registered { tracker: address, online });
        self.tell_addresses(now);
        self.look_up_waiting(now, tracker);
        self.begin_introductions(now);
    }

    fn tracker_lost(&mut self, tracker: usize, error: Error) {
        let t = &mut self.trackers[tracker];
        t.registered = false;
        let address = t.address.clone();
        self.emit(Event::TrackerLost { tracker: address, error });
        self.forget_listings_of(tracker);
    }

    /// Lets the trackers and the mesh know whether this node is in a call.
    pub(super) fn tell_presence(&mut self, now: Instant) {
        let presence = self.presence();
        let wall = self.wall(now);
        for tracker in &mut self.trackers {
            tracker.client.set_presence(now, wall, presence);
        }
        self.tell_presence_change_in_mesh(now);
    }

    /// What others are told of this node.
    pub(super) fn presence(&self) -> Presence {
        let busy = self.calls.values().any(Call::is_answered);
        if busy { Presence::Busy } else { Presence::Available }
    }
}

fn refusal(code: ErrorCode) -> Error {
    let (kind, message) = match code {
        ErrorCode::NameTaken => (ErrorKind::NameTaken, "another key holds this name"),
        ErrorCode::ClockSkew => (ErrorKind::InvalidState, "this machine's clock is wrong"),
        ErrorCode::UnsupportedVersion => {
            (ErrorKind::Protocol, "the tracker speaks another version of the protocol")
        }
        ErrorCode::TlsRequired => {
            (ErrorKind::InvalidState, "the tracker takes TLS only: put tls:// before its address")
        }
        ErrorCode::RateLimited | ErrorCode::Full => {
            (ErrorKind::TrackerUnreachable, "the tracker is full")
        }
        _ => (ErrorKind::Protocol, "the tracker refused the registration"),
    };
    Error::new(kind, message)
}

fn loss_error(loss: Loss) -> Error {
    let message = match loss {
        Loss::Unreachable => "it cannot be reached",
        Loss::Closed => "it closed the connection",
        Loss::Silent => "it does not answer",
        Loss::Protocol => "it does not speak the protocol",
        Loss::Refused(code) => return refusal(code),
        Loss::Untrusted(why) => {
            let message = format!("its certificate does not fit: {why}");
            return Error::new(ErrorKind::TrackerUntrusted, message);
        }
    };
    Error::new(ErrorKind::TrackerUnreachable, message)
}
