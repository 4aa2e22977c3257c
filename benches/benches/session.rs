//! What a packet costs on its whole way through session layer and engine, beside a datagram
//! through the sockets of the system.
//!
//! "A packet through two nodes" runs a simulated call with the codec that costs nothing: RTP,
//! encryption and decryption (SRTP), jitter buffer, and the simulated network itself. The datagram
//! is sent and received over loopback, with the sizes of a voice packet.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends the program")]

use std::hint::black_box;
use std::net::UdpSocket;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use voip_benches::speech::speech;
use voip_core::CallState;
use voip_core::sim::{Link, NodeKey, NodeOptions, World};

/// Header, extensions and tag of SRTP around 80 bytes of Opus at 32 kbit/s.
const DATAGRAM: usize = 116;

fn raw_udp(c: &mut Criterion) {
    let socket = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let (from, to) = (socket(), socket());
    let destination = to.local_addr().unwrap();
    let mut buffer = [0; 2048];
    c.bench_function("a datagram through raw UDP, send and receive", |b| {
        b.iter(|| {
            from.send_to(black_box(&[7; DATAGRAM]), destination).unwrap();
            to.recv_from(&mut buffer).unwrap()
        });
    });
}

/// Two connected nodes.
fn connected() -> (World, [NodeKey; 2]) {
    let mut world = World::new(1);
    world.set_link(Link::default());
    let tracker = world.add_tracker();
    let mut node = |name: &str, auto_answer| {
        let options = NodeOptions {
            auto_answer,
            stand_in_codec: true,
            keep_heard: false,
            ..NodeOptions::new(name, [tracker])
        };
        world.add_node(options).unwrap()
    };
    let (alice, bob) = (node("alice", false), node("bob", true));
    world.run_for(Duration::from_secs(1));
    let call = world.place(alice, "bob");
    let up = |w: &World| w.state(alice, call) == Some(CallState::Connected);
    assert!(world.run_until(Duration::from_secs(20), up));
    (world, [alice, bob])
}

fn two_nodes(c: &mut Criterion) {
    let (mut world, nodes) = connected();
    let sound = speech(10);
    let mut seconds = sound.chunks_exact(48_000).cycle();
    c.bench_function("a second of a call between two nodes: 100 packets", |b| {
        b.iter(|| {
            let said = seconds.next().unwrap();
            nodes.iter().for_each(|node| world.say(*node, said));
            world.run_for(Duration::from_secs(1));
        });
    });
}

criterion_group!(benches, raw_udp, two_nodes);
criterion_main!(benches);
