//! The relay of a call: for peers whose routers let nothing of each other through.
//!
//! While it rings already, each side gets an address on a relay: that of the tracker which carries the call's signals,
//! by credentials for this call, and those the user has named. The address goes into the answer or, if it comes later,
//! to the peer by a signal; ICE then finds the relayed path together with all others and prefers any other. When
//! another path has served for a while the address is given back; when that path is lost, there is one again.
//!
//! A relay is asked by datagrams and, unless it has answered by then, over a connection.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::relay::client::{RelayClient, RelayCredentials, RelayOutput, RelayTransport};
use crate::session::{LocalCandidate, candidate_lines};
use crate::time::{Duration, Instant};
use crate::wire::signal::SignalKind;
use crate::wire::stun::is_stun;

use super::call::{Call, Carrier, Phase};
use super::{CallKey, Engine, Output};

/// How long datagrams have to reach a relay before a connection is tried, too.
const DATAGRAMS_FIRST: Duration = Duration::from_millis(300);
/// How long nothing must have been relayed before the relay is given up.
const SPARE: Duration = Duration::from_secs(10);

/// How long an address on a relay may carry nothing, while there is no path, before another one is asked for.
const STALE: Duration = Duration::from_secs(3);

/// One way to a relay; numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RelayKey(pub(crate) u64);

/// Where a relay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RelayAddress {
    /// That of the tracker of that number, there.
    Tracker(usize, SocketAddr),
    /// The one of that number among those that the user has named.
    Named(usize),
}

/// A relay that the user has named; its address is the owner's business.
#[derive(Clone, Debug)]
pub(crate) struct NamedRelay {
    pub(crate) transport: RelayTransport,
    pub(crate) credentials: RelayCredentials,
}

/// What a call has of relays.
#[derive(Default)]
pub(super) struct CallRelay {
    /// The tracker is asked for credentials.
    request: Option<u64>,
    plans: Vec<Plan>,
    links: Vec<Link>,
    /// Since when nothing but checks of paths has been relayed.
    idle_since: Option<Instant>,
}

/// A way to a relay that is to be opened.
struct Plan {
    at: Instant,
    address: RelayAddress,
    transport: RelayTransport,
    credentials: RelayCredentials,
}

/// A way to a relay that is being opened, or is open.
struct Link {
    key: RelayKey,
    transport: RelayTransport,
    credentials: RelayCredentials,
    client: Option<RelayClient>,
}

impl CallRelay {
    fn is_sought(&self) -> bool {
        self.request.is_some() || !self.plans.is_empty() || !self.links.is_empty()
    }

    fn client(&mut self, key: RelayKey) -> Option<&mut RelayClient> {
        self.links.iter_mut().find(|link| link.key == key).and_then(|link| link.client.as_mut())
    }

    /// The address on a relay, and the local one that the relay is reached from.
    pub(super) fn candidate(&self) -> Option<LocalCandidate> {
        self.links.iter().filter_map(|link| link.client.as_ref()).find_map(|client| {
            let (address, local) = (client.relayed()?, client.local());
            Some(LocalCandidate::Relayed { address, local })
        })
    }

    /// Whether the address is one on a relay of this call.
    fn has(&self, address: SocketAddr) -> bool {
        self.candidate().is_some_and(|candidate| candidate.base() == address)
    }

    /// Something is relayed.
    fn carries(&mut self, now: Instant, bytes: &[u8]) {
        if !is_stun(bytes) && self.idle_since.is_some() {
            self.idle_since = Some(now);
        }
    }

    pub(super) fn next_timeout(&self) -> Instant {
        let clients = self.links.iter().filter_map(|link| link.client.as_ref());
        let plans = self.plans.iter().map(|plan| plan.at);
        clients
            .map(RelayClient::next_timeout)
            .chain(plans)
            .chain(self.idle_since.map(|at| at + SPARE))
            .min()
            .unwrap_or(Instant::FAR_FUTURE)
    }
}

impl Engine {
    /// Gets a call an address on a relay, if there is one to be had and none is on its way.
    pub(super) fn seek_relay(&mut self, now: Instant, key: CallKey) {
        let request = self.new_request();
        let Some(call) = self.calls.get_mut(&key).filter(|call| !call.relay.is_sought()) else {
            return;
        };
        for (i, named) in self.config.relays.iter().enumerate() {
            let NamedRelay { transport, credentials } = named.clone();
            let address = RelayAddress::Named(i);
            call.relay.plans.push(Plan { at: now, address, transport, credentials });
        }
        let peer = call.peer;
        if let Carrier::Tracker(tracker) = call.carrier
            && let Some(tracker) = self.trackers.get_mut(tracker).filter(|t| t.client.has_relay())
            && let Some(peer) = peer
        {
            call.relay.request = Some(request);
            tracker.client.relay(now, request, call.id, peer);
        }
        self.open_planned(now, key);
    }

    /// A tracker gave credentials for its relay, or (`None`) did not.
    pub(super) fn handle_relay_grant(
        &mut self,
        now: Instant,
        request: u64,
        credentials: Option<RelayCredentials>,
    ) {
        let asked = self.calls.iter_mut().find(|(_, call)| call.relay.request == Some(request));
        let Some((&key, call)) = asked else { return };
        call.relay.request = None;
        let Carrier::Tracker(tracker) = call.carrier else { return };
        let server = self.trackers.get(tracker).and_then(|tracker| tracker.remote);
        let (Some(credentials), Some(server)) = (credentials, server) else { return };
        let blocked = self.reflexive.has_no_answer(tracker);
        let address = RelayAddress::Tracker(tracker, server);
        for transport in [RelayTransport::Udp, RelayTransport::Tcp] {
            let is_second = transport == RelayTransport::Tcp && !blocked;
            let at = if is_second { now + DATAGRAMS_FIRST } else { now };
            let credentials = credentials.clone();
            call.relay.plans.push(Plan { at, address, transport, credentials });
        }
        self.open_planned(now, key);
    }

    /// The way to a relay is open; `local` and `remote` are its two ends.
    pub(crate) fn handle_relay_opened(
        &mut self,
        now: Instant,
        relay: RelayKey,
        local: SocketAddr,
        remote: SocketAddr,
    ) {
        let Some(key) = self.call_of_relay(relay) else {
            self.outputs.push_back(Output::RelayClose { relay });
            return;
        };
        let Some(call) = self.calls.get_mut(&key) else { return };
        if let Some(link) = call.relay.links.iter_mut().find(|link| link.key == relay) {
            let client = RelayClient::new(now, link.transport, local, remote, &link.credentials);
            link.client = Some(client);
        }
        self.drain_relay(now, key);
        self.drain(now);
    }

    /// A datagram of a relay, or bytes of the connection to it.
    pub(crate) fn handle_relay_bytes(&mut self, now: Instant, relay: RelayKey, bytes: &[u8]) {
        let Some(key) = self.call_of_relay(relay) else { return };
        if let Some(client) = self.calls.get_mut(&key).and_then(|call| call.relay.client(relay)) {
            client.handle_bytes(now, bytes);
        }
        self.drain_relay(now, key);
        self.drain(now);
    }

    /// The way to a relay is gone, or could not be opened.
    pub(crate) fn handle_relay_closed(&mut self, now: Instant, relay: RelayKey) {
        if let Some(key) = self.call_of_relay(relay) {
            self.drop_link(now, key, relay);
        }
        self.drain(now);
    }

    fn call_of_relay(&self, relay: RelayKey) -> Option<CallKey> {
        let has = |call: &Call| call.relay.links.iter().any(|link| link.key == relay);
        self.calls.iter().find(|(_, call)| has(call)).map(|(key, _)| *key)
    }

    pub(super) fn handle_relay_timeouts(&mut self, now: Instant) {
        let due =
            |(key, call): (&CallKey, &Call)| (call.relay.next_timeout() <= now).then_some(*key);
        for key in self.calls.iter().filter_map(due).collect::<Vec<_>>() {
            let Some(call) = self.calls.get_mut(&key) else { continue };
            for client in call.relay.links.iter_mut().filter_map(|link| link.client.as_mut()) {
                client.handle_timeout(now);
            }
            self.drain_relay(now, key);
            self.open_planned(now, key);
            self.give_up_spare_relay(now, key);
        }
    }

    /// Opens the ways whose time has come, unless there is an address already.
    fn open_planned(&mut self, now: Instant, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        if call.relay.candidate().is_some() {
            call.relay.plans.clear();
        }
        let due = call.relay.plans.extract_if(.., |plan| plan.at <= now).collect::<Vec<_>>();
        for Plan { address, transport, credentials, .. } in due {
            self.next_relay += 1;
            let relay = RelayKey(self.next_relay);
            call.relay.links.push(Link { key: relay, transport, credentials, client: None });
            self.outputs.push_back(Output::RelayOpen { relay, address, transport });
        }
    }

    /// What the session sends from an address on a relay.
    pub(super) fn send_by_relay(
        &mut self,
        now: Instant,
        key: CallKey,
        source: SocketAddr,
        destination: SocketAddr,
        contents: &[u8],
    ) -> bool {
        let Some(call) = self.calls.get_mut(&key).filter(|call| call.relay.has(source)) else {
            return false;
        };
        let relayed =
            |link: &&mut Link| link.client.as_ref().is_some_and(|c| c.relayed() == Some(source));
        if let Some(link) = call.relay.links.iter_mut().find(relayed)
            && let Some(client) = &mut link.client
        {
            client.send(now, destination, contents);
            Self::pass_on(&mut self.outputs, link.key, client);
        }
        true
    }

    /// What a client only wants sent; it has nothing else to tell when it was not told anything.
    fn pass_on(outputs: &mut VecDeque<Output>, relay: RelayKey, client: &mut RelayClient) {
        while let Some(bytes) = client.poll_send() {
            outputs.push_back(Output::RelaySend { relay, bytes });
        }
    }

    fn drain_relay(&mut self, now: Instant, key: CallKey) {
        while let Some((relay, output)) = self.calls.get_mut(&key).and_then(|call| {
            call.relay
                .links
                .iter_mut()
                .find_map(|link| Some((link.key, link.client.as_mut()?.poll()?)))
        }) {
            match output {
                RelayOutput::Send(bytes) => {
                    self.outputs.push_back(Output::RelaySend { relay, bytes })
                }
                RelayOutput::Allocated(address) => self.relay_allocated(now, key, relay, address),
                RelayOutput::Received { from, bytes } => {
                    self.relay_received(now, key, from, &bytes)
                }
                RelayOutput::Failed => self.drop_link(now, key, relay),
            }
        }
    }

    fn relay_received(&mut self, now: Instant, key: CallKey, from: SocketAddr, bytes: &[u8]) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let Some(candidate) = call.relay.candidate() else { return };
        call.relay.carries(now, bytes);
        if let Some(session) = &mut call.session {
            session.handle_datagram(now, from, candidate.base(), bytes);
        }
        self.drain_session(now, key);
    }

    /// There is an address: other ways are not needed any more, and the peer is to know.
    fn relay_allocated(
        &mut self,
        now: Instant,
        key: CallKey,
        relay: RelayKey,
        address: SocketAddr,
    ) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        tracing::debug!(%address, "relay");
        call.relay.plans.clear();
        call.relay.idle_since = Some(now);
        let others: Vec<_> =
            call.relay.links.iter().map(|link| link.key).filter(|k| *k != relay).collect();
        for other in others {
            self.drop_link(now, key, other);
        }
        let Some(call) = self.calls.get_mut(&key) else { return };
        let Some(candidate) = call.relay.candidate() else { return };
        if let Some(session) = &mut call.session {
            session.add_local_candidate(now, candidate);
        }
        let is_stranger = call.rings_here() && call.early.is_none();
        if !is_stranger && !matches!(call.phase, Phase::Resolving) {
            let lines = candidate_lines(&[candidate]);
            self.send_signal(now, key, SignalKind::Path, |signal| signal.candidates = Some(lines));
        }
        self.drain_session(now, key);
    }

    /// Other paths have served for a while: the relay is not needed.
    fn give_up_spare_relay(&mut self, now: Instant, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        if call.relay.idle_since.is_none_or(|since| now < since + SPARE) {
            return;
        }
        if !call.is_connected() || call.path.is_lost() {
            call.relay.idle_since = Some(now);
            return;
        }
        if let (Some(session), Some(candidate)) = (&mut call.session, call.relay.candidate()) {
            session.remove_local_candidate(now, candidate);
        }
        self.drain_session(now, key);
        self.give_up_relay(now, key);
    }

    /// There is no path though there is an address on a relay, which has carried nothing for a while: the way to it may
    /// be what is broken.
    pub(super) fn renew_relay(&mut self, now: Instant, key: CallKey) {
        let Some(call) = self.calls.get(&key) else { return };
        if call.relay.idle_since.is_some_and(|since| now >= since + STALE) {
            self.give_up_relay(now, key);
        }
        self.seek_relay(now, key);
    }

    /// Gives back what a call has of relays.
    pub(super) fn give_up_relay(&mut self, now: Instant, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let links: Vec<_> = call.relay.links.iter().map(|link| link.key).collect();
        for relay in links {
            self.drop_link(now, key, relay);
        }
        if let Some(call) = self.calls.get_mut(&key) {
            call.relay = CallRelay::default();
        }
    }

    fn drop_link(&mut self, now: Instant, key: CallKey, relay: RelayKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let Some(i) = call.relay.links.iter().position(|link| link.key == relay) else { return };
        let mut link = call.relay.links.remove(i);
        if let Some(client) = &mut link.client {
            client.close(now);
            Self::pass_on(&mut self.outputs, relay, client);
        }
        self.outputs.push_back(Output::RelayClose { relay });
    }

    /// Addresses at which this node can be reached in a call: with relays only, if the user wants no others known.
    pub(super) fn candidates_of(&self, key: CallKey) -> Vec<LocalCandidate> {
        let mut candidates = match self.config.relay_only {
            true => Vec::new(),
            false => self.local_candidates(),
        };
        candidates.extend(self.calls.get(&key).and_then(|call| call.relay.candidate()));
        candidates
    }
}
