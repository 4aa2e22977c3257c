//! A client of a relay (TURN, RFC 8656), by datagrams or over a connection. Wraps `turn-client-proto`.
//!
//! The owner makes it when the way to the server is open, hands it what comes, empties [`RelayClient::poll`], and
//! sleeps until [`RelayClient::next_timeout`]. Whatever makes no sense is dropped.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use turn_client_proto::api::{
    DelayedMessageOrChannelSend, Transmit, TransmitBuild, TurnClientApi, TurnConfig, TurnEvent,
    TurnPollRet, TurnRecvRet,
};
use turn_client_proto::udp::TurnClientUdp;
use turn_types::prelude::DelayedTransmitBuild;
use turn_types::stun::TransportType;
use turn_types::{AddressFamily, Instant as TurnInstant, TurnCredentials};

use crate::time::{Duration, Instant};
use crate::wire::turn::{Framed, framed};

/// Before a request is repeated, and how often.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_millis(1_600);
const RETRIES: u32 = 7;
/// How long an answer may take over a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// Peers that are sent to: more than have candidates.
pub(crate) const MAX_PEERS: usize = 64;

/// How a relay is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum RelayTransport {
    Udp,
    Tcp,
}

/// The name and the password that a relay wants (RFC 8489 §9.2).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RelayCredentials {
    pub(crate) username: String,
    pub(crate) password: String,
}

impl fmt::Debug for RelayCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayCredentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// What a client wants done or has to tell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RelayOutput {
    /// Send this to the server: a datagram, or bytes of the connection.
    Send(Vec<u8>),
    /// Peers reach us at this address.
    Allocated(SocketAddr),
    /// What a peer sent.
    Received { from: SocketAddr, bytes: Vec<u8> },
    /// The server gives no address, or takes it back: the client is of no use any more.
    Failed,
}

/// How far a peer may be sent to.
enum Peer {
    /// The server was asked; the last packet waits for its answer.
    Asked(Vec<u8>),
    Permitted,
    Refused,
}

/// See the module.
pub(crate) struct RelayClient {
    turn: TurnClientUdp,
    /// Over a connection: the part of a message that has come.
    stream: Vec<u8>,
    transport: RelayTransport,
    local: SocketAddr,
    server: SocketAddr,
    relayed: Option<SocketAddr>,
    peers: BTreeMap<SocketAddr, Peer>,
    over: bool,
    timeout: Instant,
    outputs: VecDeque<RelayOutput>,
}

impl RelayClient {
    /// Asks a server for an address, of the family of its own.
    pub(crate) fn new(
        now: Instant,
        transport: RelayTransport,
        local: SocketAddr,
        server: SocketAddr,
        credentials: &RelayCredentials,
    ) -> Self {
        let credentials = TurnCredentials::new(&credentials.username, &credentials.password);
        let mut config = TurnConfig::new(credentials);
        let is_ipv4 = server.ip().to_canonical().is_ipv4();
        config.set_address_family(if is_ipv4 { AddressFamily::IPV4 } else { AddressFamily::IPV6 });
        match transport {
            RelayTransport::Udp => {
                config.set_request_retransmits(FIRST_RETRY, LAST_RETRY, RETRIES, LAST_RETRY);
            }
            RelayTransport::Tcp => config.set_request_retransmits(PATIENCE, PATIENCE, 1, PATIENCE),
        }
        // The wrapped client for connections does not pad what RFC 8656 §12.5 wants padded, so the messages of one are
        // told apart here, and are as good as datagrams.
        let turn = TurnClientUdp::allocate(local, server, config);
        let mut client = RelayClient {
            turn,
            stream: Vec::new(),
            transport,
            local,
            server,
            relayed: None,
            peers: BTreeMap::new(),
            over: false,
            timeout: now,
            outputs: VecDeque::new(),
        };
        client.handle_timeout(now);
        client
    }

    /// Bytes kept that came from outside.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn held(&self) -> usize {
        let waiting = self.peers.values().map(|peer| match peer {
            Peer::Asked(waiting) => waiting.len(),
            Peer::Permitted | Peer::Refused => 0,
        });
        self.stream.len() + waiting.sum::<usize>()
    }

    /// The address at which peers reach us.
    pub(crate) fn relayed(&self) -> Option<SocketAddr> {
        self.relayed
    }

    /// Our end of the way to the server.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// A datagram of the server, or bytes of the connection to it.
    pub(crate) fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        if self.transport == RelayTransport::Udp {
            return self.handle_message(now, bytes);
        }
        self.stream.extend_from_slice(bytes);
        let stream = std::mem::take(&mut self.stream);
        let mut rest = stream.as_slice();
        loop {
            match framed(rest) {
                Framed::Whole(length) => {
                    let (message, after) = rest.split_at(length);
                    rest = after;
                    self.handle_message(now, message);
                }
                Framed::Part => break,
                Framed::Foreign => return self.fail(),
            }
        }
        self.stream = rest.to_vec();
    }

    fn handle_message(&mut self, now: Instant, message: &[u8]) {
        self.guarded(now, |client| {
            let transmit = Transmit::new(message, TransportType::Udp, client.server, client.local);
            let received = client.turn.recv(transmit, turn_time(now));
            if let TurnRecvRet::PeerData(data) = received {
                client.received(data.peer, data.data().to_vec());
            }
        });
    }

    /// Sends to a peer, once the server lets us: until then the last packet waits.
    pub(crate) fn send(&mut self, now: Instant, to: SocketAddr, bytes: &[u8]) {
        let is_full = self.peers.len() >= MAX_PEERS;
        self.guarded(now, |client| match client.peers.get_mut(&to) {
            Some(Peer::Permitted) => client.pass(now, to, bytes),
            Some(Peer::Asked(waiting)) => *waiting = bytes.to_vec(),
            Some(Peer::Refused) => {}
            None if is_full => {}
            None => {
                let bound = client.turn.bind_channel(TransportType::Udp, to, turn_time(now));
                let peer = if bound.is_ok() { Peer::Asked(bytes.to_vec()) } else { Peer::Refused };
                client.peers.insert(to, peer);
            }
        });
    }

    /// Gives the address back. What is left to poll is to be sent.
    pub(crate) fn close(&mut self, now: Instant) {
        self.guarded(now, |client| {
            // Without an allocation there is nothing to give back.
            let _ = client.turn.delete(turn_time(now));
        });
        self.over = true;
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if now >= self.timeout && !self.over {
            self.guarded(now, |_| {});
        }
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        if self.over { Instant::FAR_FUTURE } else { self.timeout }
    }

    pub(crate) fn poll(&mut self) -> Option<RelayOutput> {
        self.outputs.pop_front()
    }

    /// The next bytes to send, whatever else there is.
    pub(crate) fn poll_send(&mut self) -> Option<Vec<u8>> {
        let i = self.outputs.iter().position(|output| matches!(output, RelayOutput::Send(_)))?;
        match self.outputs.remove(i) {
            Some(RelayOutput::Send(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// Hands bytes to the owner; over a connection every message fills whole words.
    fn push_send(&mut self, mut message: Vec<u8>) {
        if self.transport == RelayTransport::Tcp {
            message.resize(message.len().next_multiple_of(4), 0);
        }
        self.outputs.push_back(RelayOutput::Send(message));
    }

    fn received(&mut self, from: SocketAddr, bytes: Vec<u8>) {
        self.outputs.push_back(RelayOutput::Received { from, bytes });
    }

    /// Hands a packet for a peer to the server.
    fn pass(&mut self, now: Instant, to: SocketAddr, bytes: &[u8]) {
        let sent = self.turn.send_to(TransportType::Udp, to, bytes, turn_time(now));
        if let Ok(Some(transmit)) = sent {
            let transmit: TransmitBuild<DelayedMessageOrChannelSend<&[u8]>> = transmit;
            self.push_send(transmit.data.build());
        }
    }

    /// Runs `work` and takes everything out of the wrapped client; a panic of it is its end.
    fn guarded(&mut self, now: Instant, work: impl FnOnce(&mut Self)) {
        if self.over {
            return;
        }
        let result = catch_unwind(AssertUnwindSafe(|| {
            work(self);
            self.drain(now);
        }));
        if result.is_err() {
            tracing::debug!("a client of a relay panicked");
            self.fail();
        }
    }

    fn fail(&mut self) {
        if !self.over {
            self.over = true;
            self.outputs.push_back(RelayOutput::Failed);
        }
    }

    fn drain(&mut self, now: Instant) {
        let at = turn_time(now);
        while let Some(data) = self.turn.poll_recv(at) {
            self.received(data.peer, data.data().to_vec());
        }
        // The first call notices that a request was in vain, and only the second says so.
        self.turn.poll(at);
        match self.turn.poll(at) {
            TurnPollRet::WaitUntil(until) => self.timeout = own_time(until).max(now),
            TurnPollRet::Closed => self.fail(),
            // Of TCP allocations, which are not asked for.
            TurnPollRet::AllocateTcpSocket { .. } | TurnPollRet::TcpClose { .. } => {}
        }
        while let Some(transmit) = self.turn.poll_transmit(at) {
            self.push_send(transmit.data.to_vec());
        }
        while let Some(event) = self.turn.poll_event() {
            self.handle_event(now, event);
        }
    }

    fn handle_event(&mut self, now: Instant, event: TurnEvent) {
        match event {
            TurnEvent::AllocationCreated(_, relayed) => {
                self.relayed = Some(relayed);
                self.outputs.push_back(RelayOutput::Allocated(relayed));
            }
            TurnEvent::AllocationCreateFailed(_) => self.fail(),
            TurnEvent::ChannelCreated(_, peer) => {
                if let Some(Peer::Asked(waiting)) = self.peers.insert(peer, Peer::Permitted) {
                    self.pass(now, peer, &waiting);
                }
            }
            TurnEvent::ChannelCreateFailed(_, peer) => {
                self.peers.insert(peer, Peer::Refused);
            }
            _ => {}
        }
    }
}

fn turn_time(now: Instant) -> TurnInstant {
    TurnInstant::from_nanos(i64::try_from(now.as_micros() * 1_000).unwrap_or(i64::MAX))
}

fn own_time(at: TurnInstant) -> Instant {
    // Rounded up, so that it has come when the clock says so.
    Instant::from_micros(u64::try_from(at.as_nanos()).unwrap_or(0).div_ceil(1_000))
}
