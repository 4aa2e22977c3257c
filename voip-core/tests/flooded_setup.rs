//! Calls that are set up while a thousand forged datagrams a second hit each of both nodes, from anywhere and from the
//! other's very address: they are connected, and hardly later.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used)]

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use common::{Chance, Two, ms, secs};
use voip_core::protocol::is_stun;
use voip_core::sim::{Link, NodeOptions, Passing, World};
use voip_core::{CallState, Duration};

const LINK: Link = Link {
    delay: Duration::from_millis(20),
    jitter: Duration::from_millis(10),
    loss: 0.0,
    duplicate: 0.0,
    rate: None,
};

/// What somebody has who has seen other calls: their handshakes, checks and packets.
struct Ammunition {
    hellos: Vec<Vec<u8>>,
    handshakes: Vec<Vec<u8>>,
    checks: Vec<Vec<u8>>,
    others: Vec<Vec<u8>>,
}

impl Ammunition {
    fn of_another_call() -> Ammunition {
        let tape = Arc::new(Mutex::new(Vec::new()));
        let mut two = Two::new(1_000_000, LINK, true);
        let recorder = tape.clone();
        two.world.set_middle(move |_, passing: Passing| {
            if passing.is_datagram {
                recorder.lock().unwrap().push(passing.contents.clone());
            }
            vec![passing]
        });
        two.connect();
        two.world.run_for(secs(1));
        let all = tape.lock().unwrap().clone();
        let some = |what: &dyn Fn(&[u8]) -> bool| -> Vec<Vec<u8>> {
            let found: Vec<_> = all.iter().filter(|d| what(d)).cloned().collect();
            assert!(!found.is_empty());
            found
        };
        // RFC 9147 §4: a handshake record, and in it a message of type 1.
        Ammunition {
            hellos: some(&|d| d[0] == 22 && d[13] == 1),
            handshakes: some(&|d| (20..64).contains(&d[0])),
            checks: some(&is_stun),
            others: some(&|d| (128..192).contains(&d[0])),
        }
    }

    fn shot(&self, chance: &mut Chance) -> Vec<u8> {
        let mut pick = |from: &[Vec<u8>]| from[chance.below(from.len())].clone();
        let (hello, handshake) = (pick(&self.hellos), pick(&self.handshakes));
        let (check, other) = (pick(&self.checks), pick(&self.others));
        match chance.below(7) {
            0 => hello,
            1 => handshake,
            2 => check,
            3 => other,
            4 => alert(chance),
            // As long as a true one, of the right form, and about nothing.
            5 => {
                let mut datagram = check;
                let transaction = chance.bytes(12);
                datagram[8..20].copy_from_slice(&transaction);
                datagram
            }
            _ => {
                let length = 1 + chance.below(1_200);
                chance.bytes(length)
            }
        }
    }
}

/// An alert that nothing protects (RFC 9147 §4, RFC 8446 §6): a warning or the end, or a goodbye.
fn alert(chance: &mut Chance) -> Vec<u8> {
    let (level, description) = [(1, 0), (2, 40), (2, 80), (2, 20)][chance.below(4)];
    let sequence = chance.below(256) as u8;
    vec![21, 254, 253, 0, 0, 0, 0, 0, 0, 0, sequence, 0, 2, level, description]
}

/// How long a call of that seed takes until both are connected.
fn set_up(seed: u64, ammunition: Option<&Ammunition>) -> Option<Duration> {
    let options = NodeOptions { stand_in_codec: true, ..NodeOptions::new("", []) };
    let mut two = Two::with(seed, LINK, true, &options);
    let (alice, bob) = (two.alice, two.bob);
    let addresses = [alice, bob].map(|node| two.world.address(node));
    let tracker = two.world.tracker_address(two.tracker);
    let mut chance = Chance::new(seed + 1);
    let call = two.world.place(alice, "bob");
    let begun = two.world.elapsed();
    let up = |w: &World| {
        let connected = Some(CallState::Connected);
        let there = w.calls(bob).last().and_then(|call| w.state(bob, *call));
        w.state(alice, call) == connected && there == connected
    };
    while !two.world.run_until(ms(1), up) {
        if two.world.elapsed() - begun > secs(20) {
            return None;
        }
        let Some(ammunition) = ammunition else { continue };
        for (at, other) in [(0, 1), (1, 0)] {
            let source = match chance.below(8) {
                0..4 => addresses[other],
                4 => tracker,
                _ => SocketAddr::from(([203, 0, 113, chance.below(256) as u8], 5000)),
            };
            let contents = ammunition.shot(&mut chance);
            let destination = addresses[at];
            two.world.inject(Passing { source, destination, is_datagram: true, contents });
        }
    }
    Some(two.world.elapsed() - begun)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn flood(calls: u64) {
    let ammunition = Ammunition::of_another_call();
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()) as u64;
    let of_thread = |thread: u64| -> Vec<_> {
        let seeds = (0..calls).filter(|seed| seed % threads == thread);
        seeds.map(|seed| (set_up(seed, None), set_up(seed, Some(&ammunition)))).collect()
    };
    let of_thread = &of_thread;
    let times: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|t| scope.spawn(move || of_thread(t))).collect();
        all.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let calm: Vec<_> = times.iter().filter_map(|(calm, _)| *calm).collect();
    let flooded: Vec<_> = times.iter().filter_map(|(_, flooded)| *flooded).collect();
    let slowest = flooded.iter().max().copied().unwrap_or_default();
    let (connected, all) = (flooded.len(), calm.len());
    let (calm, flooded) = (median(calm), median(flooded));
    println!(
        "{connected} of {calls} connected, {calm:?} without, {flooded:?} with, {slowest:?} at most"
    );
    assert_eq!(all as u64, calls);
    assert!(connected as u64 * 1_000 >= calls * 999, "{connected} of {calls} connected");
    assert!(flooded <= calm.mul_f64(1.1), "{flooded:?} instead of {calm:?}");
}

#[test]
fn calls_are_set_up_under_a_flood() {
    flood(200);
}

#[test]
#[ignore = "takes minutes in a debug build"]
fn a_thousand_calls_are_set_up_under_a_flood() {
    flood(1_000);
}
