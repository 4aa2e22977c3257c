//! Server-reflexive addresses: what each tracker's STUN responder (RFC 8489) sees us come from.
//!
//! Asked when a tracker is reached and again often enough that a router keeps the mapping
//! (RFC 4787 REQ-5: two minutes at least, in practice thirty seconds).

use std::collections::VecDeque;
use std::net::SocketAddr;

use rand_core::Rng;

use crate::session::LocalCandidate;
use crate::time::{Duration, Instant};
use crate::wire::stun::{TransactionId, binding_request, parse_response};

/// Between two questions that were answered.
const REFRESH: Duration = Duration::from_secs(25);
/// Before the first repetition; doubles with each (RFC 8489 §6.2.1).
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// Repetitions before it waits for the next refresh.
const RETRIES: u32 = 4;

#[derive(Default)]
pub(super) struct Reflexive {
    servers: Vec<Server>,
    outgoing: VecDeque<(SocketAddr, Vec<u8>)>,
}

struct Server {
    tracker: usize,
    address: SocketAddr,
    transaction: TransactionId,
    tries: u32,
    /// Questions since the last answer.
    unanswered: u32,
    next: Instant,
    /// What it saw, and the local address the answer came to.
    seen: Option<(SocketAddr, SocketAddr)>,
}

impl Reflexive {
    /// Ask the responder at a tracker's address.
    pub(super) fn ask(
        &mut self,
        tracker: usize,
        address: SocketAddr,
        now: Instant,
        random: &mut impl Rng,
    ) {
        self.servers.retain(|s| s.tracker != tracker);
        let transaction = TransactionId([0; 12]);
        self.servers.push(Server {
            tracker,
            address,
            transaction,
            tries: 0,
            unanswered: 0,
            next: now,
            seen: None,
        });
        self.handle_timeout(now, random);
    }

    /// Ask all servers again, now.
    pub(super) fn ask_again(&mut self, now: Instant, random: &mut impl Rng) {
        for server in &mut self.servers {
            (server.tries, server.next) = (0, now);
        }
        self.handle_timeout(now, random);
    }

    /// Whether a tracker's responder was asked more than once and has not answered: datagrams do not get there.
    pub(super) fn has_no_answer(&self, tracker: usize) -> bool {
        let server = self.servers.iter().find(|server| server.tracker == tracker);
        server.is_some_and(|server| server.seen.is_none() && server.unanswered > 1)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, random: &mut impl Rng) {
        for server in self.servers.iter_mut().filter(|s| s.next <= now) {
            if server.tries == 0 {
                random.fill_bytes(&mut server.transaction.0);
            }
            self.outgoing.push_back((server.address, binding_request(server.transaction)));
            server.next = now + FIRST_RETRY * 2u32.pow(server.tries);
            server.tries += 1;
            server.unanswered = server.unanswered.saturating_add(1);
            if server.tries > RETRIES {
                server.tries = 0;
                server.next = now + REFRESH;
            }
        }
    }

    pub(super) fn next_timeout(&self) -> Instant {
        self.servers.iter().map(|s| s.next).min().unwrap_or(Instant::FAR_FUTURE)
    }

    pub(super) fn poll(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.outgoing.pop_front()
    }

    /// Whether the datagram answered one of our questions; and if so, whether with news.
    pub(super) fn handle_response(
        &mut self,
        now: Instant,
        datagram: &[u8],
        destination: SocketAddr,
    ) -> Option<bool> {
        let (transaction, address) = parse_response(datagram)?;
        let server = self.servers.iter_mut().find(|s| s.transaction == transaction)?;
        let seen = Some((address, destination));
        let news = std::mem::replace(&mut server.seen, seen) != seen;
        (server.tries, server.unanswered) = (0, 0);
        server.next = now + REFRESH;
        Some(news)
    }

    /// The addresses learnt, less those that a host candidate has already.
    pub(super) fn candidates(&self, hosts: &[SocketAddr]) -> Vec<LocalCandidate> {
        let mut found: Vec<LocalCandidate> = Vec::new();
        for (address, base) in self.servers.iter().filter_map(|s| s.seen) {
            let candidate = LocalCandidate::ServerReflexive { address, base };
            if !hosts.contains(&address) && hosts.contains(&base) && !found.contains(&candidate) {
                found.push(candidate);
            }
        }
        found
    }
}
