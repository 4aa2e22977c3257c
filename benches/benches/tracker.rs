//! What requests cost a tracker: processor time of its thread, not the time that passes. So many
//! nanoseconds a request are 10⁹ divided by that a second on one core.
//!
//! The clients speak the protocol by hand, over loopback. A tracker limits how much an address and a
//! connection may ask, so each connection comes from an address of its own and asks a few times
//! only. Linux: the whole of 127.0.0.0/8 is this machine, and `/proc` tells each thread's time.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that cannot be made ends the program"
)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use criterion::{Criterion, criterion_group, criterion_main};
use socket2::{Domain, Socket, Type};
use voip_benches::cpu::CpuTimes;
use voip_core::protocol::{
    FrameReader, Identity, MAX_FRAME, Nonce, PROTOCOL_VERSION, PeerMessage, PresenceRecord, Signal,
    SignalKind, TrackerMessage, frame,
};
use voip_core::{CallId, PeerId, Presence, Tracker, UnixMillis};

/// Requests on one connection, below what its limits allow at once.
const ASKED_AT_ONCE: u64 = 40;
/// Peers that are online when a page of them is asked for.
const ONLINE: usize = 50;

/// The tracker and those who come to it.
struct Town {
    tracker: Tracker,
    newcomers: u32,
}

/// A registered client.
struct Client {
    stream: TcpStream,
    frames: FrameReader,
    unread: Vec<u8>,
    identity: Identity,
}

impl Town {
    fn new() -> Town {
        let tracker = Tracker::builder().bind("0.0.0.0:0").max_connections(10_000).start().unwrap();
        Town { tracker, newcomers: 0 }
    }

    /// Connects and registers.
    fn newcomer(&mut self) -> Client {
        self.newcomers += 1;
        let mut secret = [1; 32];
        secret[..4].copy_from_slice(&self.newcomers.to_be_bytes());
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let home = Ipv4Addr::from_bits((127 << 24) + (1 << 16) + self.newcomers);
        socket.bind(&SocketAddr::from((home, 0)).into()).unwrap();
        let port = self.tracker.address().port();
        socket.connect(&SocketAddr::from(([127, 0, 0, 1], port)).into()).unwrap();
        socket.set_tcp_nodelay(true).unwrap();
        let mut client = Client {
            stream: socket.into(),
            frames: FrameReader::new(MAX_FRAME),
            unread: Vec::new(),
            identity: Identity::from_secret(&secret),
        };
        client.register(&format!("peer-{}", self.newcomers));
        client
    }

    /// Processor time that the tracker spends while `work` is done.
    fn busy(&mut self, work: impl FnOnce(&mut Town)) -> Duration {
        let before = CpuTimes::now();
        work(self);
        let load = CpuTimes::now().since(&before, 1.0, |name| name == "voip-tracker");
        Duration::from_secs_f64(load.ms_per_s / 1e3)
    }
}

impl Client {
    fn register(&mut self, name: &str) {
        let TrackerMessage::Hello { nonce, .. } = self.receive() else { panic!("no hello") };
        let id = self.identity.id();
        let record = PresenceRecord::new(id, name, Presence::Available, now()).seal(&self.identity);
        let signature = self.identity.sign_registration(&nonce, &record);
        let request = PeerMessage::Register { id: 1, version: PROTOCOL_VERSION, record, signature };
        let answer = self.ask(&request);
        assert!(matches!(answer, TrackerMessage::Registered { .. }), "{answer:?}");
    }

    fn ask(&mut self, request: &PeerMessage) -> TrackerMessage {
        self.stream.write_all(&frame(&serde_json::to_vec(request).unwrap())).unwrap();
        self.receive()
    }

    fn receive(&mut self) -> TrackerMessage {
        loop {
            let mut input = self.unread.as_slice();
            let content = self.frames.next(&mut input).expect("a frame");
            self.unread = input.to_vec();
            if let Some(content) = content {
                return serde_json::from_slice(&content).unwrap();
            }
            let mut buffer = [0; 65_536];
            let count = self.stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the tracker hung up");
            self.unread.extend_from_slice(&buffer[..count]);
        }
    }

    fn offer_to(&self, to: PeerId) -> PeerMessage {
        let (call, nonce) = (CallId([2; 16]), Nonce([3; 16]));
        let mut signal = Signal::new(SignalKind::Offer, call, self.identity.id(), to, now(), nonce);
        // As long as that of a real offer.
        signal.sdp = Some("a=candidate\r\n".repeat(60));
        PeerMessage::Signal { id: 2, to, signal: signal.seal(&self.identity) }
    }
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UnixMillis(since.as_millis() as u64)
}

fn register(c: &mut Criterion) {
    let mut town = Town::new();
    c.bench_function("tracker: connect, register, disconnect", |b| {
        b.iter_custom(|times| town.busy(|town| (0..times).for_each(|_| drop(town.newcomer()))));
    });
}

/// Does `times` requests, a few on each of as many connections as it takes; `prepare` makes what
/// asks once. Connecting does not count.
fn spread<T>(
    town: &mut Town,
    times: u64,
    mut prepare: impl FnMut(&mut Town) -> T,
    mut ask: impl FnMut(&mut T),
) -> Duration {
    let mut busy = Duration::ZERO;
    let mut left = times;
    while left > 0 {
        let now = left.min(ASKED_AT_ONCE);
        let mut asker = prepare(town);
        busy += town.busy(|_| (0..now).for_each(|_| ask(&mut asker)));
        left -= now;
    }
    busy
}

fn list(c: &mut Criterion) {
    let mut town = Town::new();
    let online: Vec<Client> = (0..ONLINE).map(|_| town.newcomer()).collect();
    let request = PeerMessage::List { id: 2, after: None, limit: None };
    c.bench_function("tracker: list a page of 50", |b| {
        b.iter_custom(|times| {
            spread(&mut town, times, Town::newcomer, |client| {
                let answer = client.ask(&request);
                assert!(matches!(answer, TrackerMessage::Peers { .. }), "{answer:?}");
            })
        });
    });
    drop(online);
}

fn relay(c: &mut Criterion) {
    let mut town = Town::new();
    c.bench_function("tracker: relay an offer", |b| {
        let pair = |town: &mut Town| (town.newcomer(), town.newcomer());
        b.iter_custom(|times| {
            spread(&mut town, times, pair, |(caller, callee)| {
                let answer = caller.ask(&caller.offer_to(callee.identity.id()));
                assert!(matches!(answer, TrackerMessage::Relayed { .. }), "{answer:?}");
                let signal = callee.receive();
                assert!(matches!(signal, TrackerMessage::Signal { .. }), "{signal:?}");
            })
        });
    });
}

fn brief() -> Criterion {
    Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3))
}

criterion_group! { name = benches; config = brief(); targets = register, list, relay }
criterion_main!(benches);
