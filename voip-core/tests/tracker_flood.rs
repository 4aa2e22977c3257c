//! A hundred thousand datagrams a second from forged addresses hit a tracker and its relay: users are answered as
//! before, and nothing grows. In a file of its own, as it wants the machine and a network for itself. The same on a
//! simulated clock, with a look at the tables, is `directory/server/tests/flood.rs`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "common/chance.rs"]
mod chance;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chance::Chance;
use socket2::{Domain, Protocol, Socket, Type};
use voip_core::protocol::{
    FrameReader, Identity, PeerMessage, PresenceRecord, Sealed, Signature, Target, TrackerMessage,
    TransactionId, binding_request,
};
use voip_core::{Presence, Tracker};

const LIMIT: Duration = Duration::from_secs(20);
const RATE: u64 = 100_000;
const CALM: Duration = Duration::from_secs(5);
const FLOOD: Duration = Duration::from_secs(15);
const USERS: u8 = 20;
/// Between two requests of all users together.
const PACE: Duration = Duration::from_millis(5);

/// A network of this thread's own and of those that it makes, where forged addresses harm nobody.
fn enter_network() {
    // SAFETY: it changes which network sockets made later belong to, and no memory.
    let entered = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    assert_eq!(entered, 0, "{}", std::io::Error::last_os_error());
    // What answers forged addresses goes out, and nowhere.
    for arguments in ["link set lo up", "route add default dev lo"] {
        assert!(Command::new("ip").args(arguments.split(' ')).status().unwrap().success());
    }
}

/// What strangers send: kind, attributes and cookie of STUN and TURN, packets of channels, and noise.
fn shot(chance: &mut Chance) -> Vec<u8> {
    let mut transaction = [0; 12];
    transaction.copy_from_slice(&chance.bytes(12));
    let binding = binding_request(TransactionId(transaction));
    let turn = |kind: u8, attributes: &[u8]| {
        let head = [0, kind, 0, attributes.len() as u8];
        [&head, &binding[4..], attributes].concat()
    };
    // RFC 8656 §18: REQUESTED-TRANSPORT, UDP.
    let udp = [0, 0x19, 0, 4, 17, 0, 0, 0];
    match chance.below(6) {
        0 => binding,
        1 => turn(3, &udp),
        2 => {
            // USERNAME, NONCE, MESSAGE-INTEGRITY: made up.
            let name = [&[0, 6, 0, 24][..], &[b'a'; 24]].concat();
            let nonce = [&[0, 0x15, 0, 16][..], &[b'0'; 16]].concat();
            let integrity = [&[0, 8, 0, 20][..], &chance.bytes(20)].concat();
            turn(3, &[&udp[..], &name, &nonce, &integrity].concat())
        }
        3 => turn(4, &[]),
        4 => [&[0x40, 0, 0, 160][..], &chance.bytes(160)].concat(),
        _ => {
            let length = chance.below(200);
            chance.bytes(length)
        }
    }
}

/// Sends to `to` from anywhere until it is over: how much.
fn flood(to: SocketAddrV4, is_over: &AtomicBool) -> u64 {
    let (raw, protocol) = (Type::from(libc::SOCK_RAW), Protocol::from(libc::IPPROTO_RAW));
    let socket = Socket::new(Domain::IPV4, raw, Some(protocol)).unwrap();
    let mut chance = Chance::new(1);
    let shots: Vec<_> = (0..10_000).map(|_| shot(&mut chance)).collect();
    let (begun, mut sent) = (Instant::now(), 0);
    while !is_over.load(Ordering::Relaxed) {
        let due = begun.elapsed().as_micros() as u64 * RATE / 1_000_000;
        while sent < due {
            let payload = &shots[chance.below(shots.len())];
            // Anywhere below 224.0.0.0 but in the networks 0 and 127, which are of one's own machine.
            let network = [1 + chance.below(126), 128 + chance.below(96)][chance.below(2)];
            let low = chance.bytes(5);
            let from = Ipv4Addr::new(network as u8, low[0], low[1], low[2]);
            let datagram = (8 + payload.len() as u16).to_be_bytes();
            let whole = (28 + payload.len() as u16).to_be_bytes();
            // RFC 791 and RFC 768; the kernel writes the checksum of the first, and the second needs none.
            let packet = [
                &[0x45, 0],
                &whole[..],
                &[0, 0, 0, 0, 64, 17, 0, 0],
                &from.octets(),
                &to.ip().octets(),
                &[low[3] | 4, low[4]],
                &to.port().to_be_bytes(),
                &datagram,
                &[0, 0],
                payload,
            ]
            .concat();
            socket.send_to(&packet, &SocketAddr::from(to).into()).unwrap();
            sent += 1;
        }
        thread::sleep(Duration::from_millis(1));
    }
    sent
}

/// A registered user, who waits for each answer.
struct User {
    stream: TcpStream,
    reader: FrameReader,
    unread: Vec<u8>,
    identity: Identity,
}

impl User {
    fn join(to: SocketAddr, key: u8) -> User {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        let (reader, identity) = (FrameReader::default(), Identity::from_secret(&[key; 32]));
        let mut user = User { stream, reader, unread: Vec::new(), identity };
        user.say(&PeerMessage::Ping { id: 0 });
        let TrackerMessage::Hello { nonce, time, .. } = user.hear() else { panic!("no greeting") };
        let (id, name) = (user.identity.id(), format!("user {key}"));
        let record = PresenceRecord::new(id, &name, Presence::Available, time).seal(&user.identity);
        let signature = user.identity.sign_registration(&nonce, &record);
        user.say(&PeerMessage::Register { id: 1, version: 1, record, signature });
        user.hear_that(|m| matches!(m, TrackerMessage::Registered { .. }));
        user
    }

    fn say(&mut self, message: &PeerMessage) {
        self.stream.write_all(&message.to_frame()).unwrap();
    }

    fn hear(&mut self) -> TrackerMessage {
        loop {
            let mut unread = &self.unread[..];
            let frame = self.reader.next(&mut unread).unwrap();
            self.unread = unread.to_vec();
            if let Some(content) = frame {
                return TrackerMessage::parse(&content).unwrap();
            }
            let mut buffer = [0; 4096];
            let length = self.stream.read(&mut buffer).unwrap();
            assert!(length > 0, "the connection is closed");
            self.unread.extend_from_slice(&buffer[..length]);
        }
    }

    fn hear_that(&mut self, wanted: impl Fn(&TrackerMessage) -> bool) {
        while !wanted(&self.hear()) {}
    }
}

/// What users do in turn for so long, and how long each had to wait.
fn ask(tracker: SocketAddr, users: &mut [User], time: Duration) -> Vec<Duration> {
    let (begun, mut waits) = (Instant::now(), Vec::new());
    while begun.elapsed() < time {
        let number = waits.len();
        let asked = Instant::now();
        let (user, other) = (number % users.len(), (number + 1) % users.len());
        match number / users.len() % 4 {
            0 => {
                users[user].say(&PeerMessage::Ping { id: 2 });
                users[user].hear_that(|m| matches!(m, TrackerMessage::Pong { id: 2 }));
            }
            1 => {
                let target = Target::Peer(users[other].identity.id());
                users[user].say(&PeerMessage::Lookup { id: 3, target });
                users[user].hear_that(|m| matches!(m, TrackerMessage::Found { id: 3, .. }));
            }
            2 => {
                let to = users[other].identity.id();
                let signal = Sealed::from_parts("x".repeat(2_000), Signature([1; 64]));
                users[user].say(&PeerMessage::Signal { id: 4, to, signal });
                users[other].hear_that(|m| matches!(m, TrackerMessage::Signal { .. }));
            }
            _ => drop(User::join(tracker, USERS + 1)),
        }
        waits.push(asked.elapsed());
        thread::sleep(PACE);
    }
    waits.sort();
    waits
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() - 1) * percent / 100]
}

/// Memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Datagrams that the kernel has thrown away because the tracker did not take them in time.
fn overflowed(port: u16) -> u64 {
    let table = std::fs::read_to_string("/proc/thread-self/net/udp").unwrap();
    let line = table.lines().find(|line| line.contains(&format!(":{port:04X} "))).unwrap();
    line.split_whitespace().last().unwrap().parse().unwrap()
}

#[test]
#[ignore = "half a minute of the whole machine, and root for forged addresses"]
fn users_of_a_tracker_that_is_flooded_are_answered_and_nothing_grows() {
    enter_network();
    let tracker = Tracker::builder().bind("127.0.0.1:0").relay(true).start().unwrap();
    let address = tracker.address();
    let SocketAddr::V4(to) = address else { panic!("{address}") };
    let mut users: Vec<_> = (1..=USERS).map(|key| User::join(address, key)).collect();
    let calm = ask(address, &mut users, CALM);

    let is_over = AtomicBool::new(false);
    let (sent, flooded, before, after) = thread::scope(|threads| {
        let flood = threads.spawn(|| flood(to, &is_over));
        ask(address, &mut users, Duration::from_secs(1));
        let before = resident();
        let waits = ask(address, &mut users, FLOOD);
        let after = resident();
        is_over.store(true, Ordering::Relaxed);
        (flood.join().unwrap(), waits, before, after)
    });
    let stats = tracker.stats();
    let (lost, seconds) = (overflowed(to.port()), FLOOD.as_secs() + 1);
    println!("{} datagrams a second sent, {} looked at", sent / seconds, (sent - lost) / seconds);
    for (what, waits) in [("calm", &calm), ("flooded", &flooded)] {
        let [p50, p99] = [50, 99].map(|percent| percentile(waits, percent));
        println!(
            "{what}: {} requests, p50 {p50:?}, p99 {p99:?}, max {:?}",
            waits.len(),
            waits[waits.len() - 1]
        );
    }
    println!("resident: {before} KiB, {after} KiB at the end");
    assert!(sent >= RATE * 9 / 10 * seconds, "{sent} datagrams are no such flood");
    assert!(stats.stun_answered > 0 && stats.relay_refused > 0 && stats.relay_dropped > 0);
    assert!(percentile(&flooded, 99) < Duration::from_millis(200));
    assert!(after < before + 4 * 1024, "{before} KiB, then {after} KiB");
    assert_eq!((stats.online, stats.relay_allocations), (u64::from(USERS), 0));
}
