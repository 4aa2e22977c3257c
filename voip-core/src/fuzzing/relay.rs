//! Fuzz target of a relay's client: a relay of our own answers it, and the input says what becomes of the answers, and
//! what a server says that has the right password and knows what it was asked.

use std::collections::VecDeque;
use std::net::SocketAddr;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use stun_types::attribute::{AttributeType, RawAttribute};
use stun_types::message::{
    Message, MessageClass, MessageType, MessageWrite, MessageWriteExt, MessageWriteVec, Method,
    TransactionId,
};
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, DATA, REFRESH};

use super::Script;
use crate::id::{CallId, PeerId};
use crate::rate::Rate;
use crate::relay::client::{MAX_PEERS, RelayClient, RelayCredentials, RelayOutput, RelayTransport};
use crate::relay::server::{AllocationId, Arrival, Config, Granted, Output, Relay, StreamId, Via};
use crate::time::{Duration, Instant};
use crate::wire::turn::{Key, MAX_MESSAGE};

/// Answers that wait for the input to say what becomes of them.
const MAX_WAITING: usize = 64;
/// What a client may keep: a part of a message, and the last packet for each peer.
const MAX_HELD: usize = MAX_MESSAGE + MAX_PEERS * u8::MAX as usize;
/// What a relay's server says, and attributes that it may have (RFC 8489 §18.3, RFC 8656 §18).
const METHODS: [Method; 5] = [ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND, DATA];
const CLASSES: [MessageClass; 3] =
    [MessageClass::Success, MessageClass::Error, MessageClass::Indication];
const ATTRIBUTES: [u16; 16] = [
    0x0006, 0x0009, 0x000a, 0x000c, 0x000d, 0x0012, 0x0013, 0x0014, 0x0015, 0x0016, 0x0017, 0x0019,
    0x0020, 0x8000, 0x8001, 0x8022,
];

pub(super) fn client_at() -> SocketAddr {
    ([192, 0, 2, 1], 5000).into()
}

pub(super) fn server_at() -> SocketAddr {
    ([203, 0, 113, 1], 3478).into()
}

fn peer_at(number: u8) -> SocketAddr {
    ([192, 0, 2, 2 + number % 3], u16::from(number)).into()
}

/// A relay with one client, and what it has answered.
pub(super) struct Server {
    relay: Relay,
    pub(super) credentials: RelayCredentials,
    via: Via,
    answers: VecDeque<Vec<u8>>,
    asked: Option<TransactionId>,
    allocation: Option<AllocationId>,
}

impl Server {
    pub(super) fn new(now: Instant, transport: RelayTransport) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut relay = Relay::new(Config::default(), Rate::per_second(5, 20), &mut rng);
        let (owner, peer) = (PeerId([1; 32]), PeerId([2; 32]));
        let Granted { username, password, .. } =
            relay.grant(now, owner, peer, CallId([3; 16]), &mut rng);
        let via = match transport {
            RelayTransport::Udp => Via::Datagrams(client_at()),
            RelayTransport::Tcp => Via::Stream(StreamId(1)),
        };
        let credentials = RelayCredentials { username, password };
        let (answers, asked, allocation) = (VecDeque::new(), None, None);
        Server { relay, credentials, via, answers, asked, allocation }
    }

    pub(super) fn has_allocation(&self) -> bool {
        self.allocation.is_some()
    }

    /// The client sent this.
    pub(super) fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.asked = Message::from_bytes(bytes).ok().map(|m| m.transaction_id()).or(self.asked);
        let arrival = Arrival { via: self.via, from: client_at(), local: server_at(), bytes };
        self.relay.handle_client(now, &arrival, |_| Some(peer_at(0).ip()));
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.relay.poll() {
            match output {
                Output::ToClient { bytes, .. } if self.answers.len() < MAX_WAITING => {
                    self.answers.push_back(bytes);
                }
                Output::Bind { allocation, .. } => {
                    self.allocation = Some(allocation);
                    self.relay.handle_bound(now, allocation, Some(50_000));
                }
                _ => {}
            }
        }
    }

    /// What comes to the client next, if a command says so.
    pub(super) fn say(
        &mut self,
        now: Instant,
        (command, argument): (u8, u8),
        script: &mut Script<'_>,
    ) -> Option<Vec<u8>> {
        match command % 6 {
            0 => self.answers.pop_front(),
            1 => {
                let mut answer = self.answers.front()?.clone();
                let at = usize::from(script.byte()?) % answer.len().max(1);
                *answer.get_mut(at)? ^= argument;
                Some(answer)
            }
            2 => {
                let answer = self.answers.pop_front()?;
                answer.get(..usize::from(argument)).map(<[u8]>::to_vec)
            }
            3 => self.own(argument, script),
            4 => Some(script.sized().to_vec()),
            _ => {
                let (id, data) = (self.allocation?, script.sized());
                self.relay.handle_peer(now, id, peer_at(argument), data);
                self.drain(now);
                None
            }
        }
    }

    /// A message of a server that means ill and has the password: any attributes, an answer to the last question.
    fn own(&self, argument: u8, script: &mut Script<'_>) -> Option<Vec<u8>> {
        let pick = usize::from(argument >> 1);
        let (class, method) = (CLASSES[pick % 3], METHODS[pick / 3 % 5]);
        let kind = MessageType::from_class_method(class, method);
        let mut message = Message::builder(kind, self.asked?, MessageWriteVec::new());
        for _ in 0..script.byte()? % 6 {
            let attribute = ATTRIBUTES[usize::from(script.byte()?) % ATTRIBUTES.len()];
            let value = script.sized();
            message.add_attribute(&RawAttribute::new(AttributeType::new(attribute), value)).ok()?;
        }
        if argument % 2 == 1 {
            Key::new(&self.credentials.username, &self.credentials.password).sign(&mut message)?;
        }
        Some(message.finish())
    }
}

/// What a client of a relay did.
#[derive(Default)]
struct Done {
    allocated: u32,
    received: usize,
    failed: u32,
    sent: usize,
}

/// What a relay's server answers to a client, what the client is asked meanwhile, and time: by datagrams, and over a
/// connection.
pub fn relay_client(data: &[u8]) {
    talk(RelayTransport::Udp, data);
    talk(RelayTransport::Tcp, data);
}

fn talk(transport: RelayTransport, data: &[u8]) -> Done {
    let mut now = Instant::from_micros(1_000_000);
    let mut server = Server::new(now, transport);
    let credentials = server.credentials.clone();
    let mut client = RelayClient::new(now, transport, client_at(), server_at(), &credentials);
    let (mut script, mut done) = (Script(data), Done::default());
    let mut came = 0;
    drain(now, &mut client, &mut server, &mut done);
    while let (Some(command), Some(argument)) = (script.byte(), script.byte()) {
        let sent_before = done.sent;
        match command % 10 {
            command @ 0..6 => {
                if let Some(bytes) = server.say(now, (command, argument), &mut script) {
                    came += bytes.len();
                    client.handle_bytes(now, &bytes);
                }
            }
            6 | 7 => client.send(now, peer_at(argument), script.sized()),
            8 => {
                now += Duration::from_millis(u64::from(argument) * 100);
                client.handle_timeout(now);
            }
            _ if argument == 0 => client.close(now),
            _ => {}
        }
        drain(now, &mut client, &mut server, &mut done);
        for _ in 0..MAX_PEERS {
            if client.next_timeout() > now {
                break;
            }
            client.handle_timeout(now);
            drain(now, &mut client, &mut server, &mut done);
        }
        assert!(client.next_timeout() > now, "woken for ever");
        assert!(done.allocated <= 1, "{} addresses", done.allocated);
        assert!(client.held() <= MAX_HELD, "{} bytes kept", client.held());
        assert!(done.received <= came, "{} bytes of {came}", done.received);
        assert!(done.sent - sent_before <= 2 * MAX_PEERS, "{} messages", done.sent - sent_before);
        assert!(
            done.failed <= 1 && (done.failed == 0 || client.next_timeout() == Instant::FAR_FUTURE)
        );
    }
    done
}

fn drain(now: Instant, client: &mut RelayClient, server: &mut Server, done: &mut Done) {
    while let Some(output) = client.poll() {
        match output {
            RelayOutput::Send(bytes) => {
                done.sent += 1;
                server.receive(now, &bytes);
            }
            RelayOutput::Allocated(_) => done.allocated += 1,
            RelayOutput::Received { bytes, .. } => done.received += bytes.len(),
            RelayOutput::Failed => done.failed += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever changes the script of commands makes the seeds anew.
    #[test]
    fn the_seeds_get_an_address_and_data_both_ways_or_are_refused() {
        let seed = |name: &str| {
            let path = format!("{}/fuzz/seeds/relay_client/{name}", env!("CARGO_MANIFEST_DIR"));
            std::fs::read(path).unwrap()
        };
        for transport in [RelayTransport::Udp, RelayTransport::Tcp] {
            let talk = |name: &str| {
                let Done { allocated, received, failed, .. } = talk(transport, &seed(name));
                (allocated, received, failed)
            };
            assert_eq!(talk("data_both_ways"), (1, 10, 0));
            assert_eq!(talk("an_hour"), (1, 5, 0));
            assert_eq!(talk("refused"), (0, 0, 1));
        }
    }
}
