//! Everything that passed between two nodes: nothing of what was said can be read in it, changed datagrams are not
//! accepted, and repeated ones do nothing.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use common::{Chance, loud_seconds, ms, secs};
use voip_core::sim::{Link, NodeKey, NodeOptions, Passing, SimCall, World};
use voip_core::{CallState, CallStats, Encoder, EncoderConfig, Event, MAX_PAYLOAD};

const NAMES: [&str; 2] = ["alice who calls", "bob who answers"];

/// A melody: no two frames are alike.
fn melody(hertz: f32, seconds: f32) -> Vec<f32> {
    let mut phase = 0.0f32;
    let sample = |i: usize| {
        let t = i as f32 / 48_000.0;
        phase += hertz * (1.0 + 0.3 * (t * 7.0).sin()) * std::f32::consts::TAU / 48_000.0;
        0.3 * phase.sin()
    };
    (0..(seconds * 48_000.0) as usize).map(sample).collect()
}

/// Two nodes, and all the datagrams between them.
struct Recorded {
    world: World,
    nodes: [NodeKey; 2],
    calls: [SimCall; 2],
    tape: Arc<Mutex<Vec<Passing>>>,
}

impl Recorded {
    /// A call is connected, and both talk for `seconds`.
    fn new(seconds: f32) -> Recorded {
        let mut world = World::new(11);
        world.set_link(Link { delay: ms(10), ..Link::default() });
        let tracker = world.add_tracker();
        let nodes = NAMES.map(|name| {
            let auto_answer = name == NAMES[1];
            let options = NodeOptions { auto_answer, ..NodeOptions::new(name, [tracker]) };
            world.add_node(options).unwrap()
        });
        world.run_for(secs(1));
        let tape = Arc::new(Mutex::new(Vec::new()));
        let (recorder, between) = (tape.clone(), nodes.map(|node| world.address(node)));
        world.set_middle(move |_, passing| {
            if passing.is_datagram && between.contains(&passing.destination) {
                recorder.lock().unwrap().push(passing.clone());
            }
            vec![passing]
        });
        world.say(nodes[0], &melody(300.0, seconds));
        world.say(nodes[1], &melody(450.0, seconds));
        let calls = connect(&mut world, nodes);
        Recorded { world, nodes, calls, tape }
    }

    fn datagrams(&self) -> Vec<Passing> {
        self.tape.lock().unwrap().clone()
    }

    /// Injects `each` datagrams every 10 ms until there are no more.
    fn inject(&mut self, each: usize, datagrams: &[Passing]) {
        for some in datagrams.chunks(each) {
            some.iter().for_each(|datagram| self.world.inject(datagram.clone()));
            self.world.run_for(ms(10));
        }
    }

    /// What both have heard, and what their calls counted, but for what was refused.
    fn account(&self) -> [(Vec<f32>, CallStats); 2] {
        [0, 1].map(|i| {
            let mut stats = self.world.stats(self.nodes[i], self.calls[i]).unwrap();
            stats.dropped = 0;
            (self.world.heard(self.nodes[i]).to_vec(), stats)
        })
    }

    fn refused(&self) -> [u64; 2] {
        [0, 1].map(|i| {
            let of_call = self.world.stats(self.nodes[i], self.calls[i]).unwrap().dropped;
            of_call + self.world.node_stats(self.nodes[i]).datagrams_dropped
        })
    }

    /// All that the users were told since the last look, but for the words, which no two calls have in common.
    fn told(&mut self) -> Vec<Event<SimCall>> {
        let told = self.nodes.into_iter().flat_map(|node| self.world.events(node));
        told.map(|event| match event {
            Event::VerificationReady { call, .. } => {
                Event::VerificationReady { call, words: [""; 4] }
            }
            event => event,
        })
        .collect()
    }
}

/// The same was played, counted and told.
fn assert_same(attacked: &mut Recorded, calm: &mut Recorded) {
    for (attacked, calm) in attacked.account().iter().zip(&calm.account()) {
        let differs = attacked.0.iter().zip(&calm.0).position(|(a, b)| a != b);
        assert_eq!((differs, attacked.0.len()), (None, calm.0.len()), "another sound");
        assert_eq!(attacked.1, calm.1);
    }
    assert_eq!(attacked.told(), calm.told());
}

fn connect(world: &mut World, nodes: [NodeKey; 2]) -> [SimCall; 2] {
    let call = world.place(nodes[0], NAMES[1]);
    let connected = Some(CallState::Connected);
    let up = |w: &World| {
        let there = w.calls(nodes[1]).last().and_then(|call| w.state(nodes[1], *call));
        w.state(nodes[0], call) == connected && there == connected
    };
    assert!(world.run_until(secs(5), up));
    [call, *world.calls(nodes[1]).last().unwrap()]
}

/// The payloads that a node makes of a sound, in order.
fn payloads(sound: &[f32]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(&EncoderConfig::default()).unwrap();
    let samples = encoder.frame().samples();
    let frames = sound.chunks_exact(samples);
    let encode = |frame| {
        let mut out = [0; MAX_PAYLOAD];
        let len = encoder.encode(frame, &mut out).unwrap();
        out[..len].to_vec()
    };
    frames.map(encode).collect()
}

/// RTP, but not RTCP (RFC 5761 §4).
fn is_rtp(datagram: &[u8]) -> bool {
    (128..192).contains(&datagram[0]) && !(192..224).contains(&datagram[1])
}

const WINDOW: usize = 8;
const FLIPPED: usize = 100_000;

fn windows(bytes: &[u8]) -> impl Iterator<Item = [u8; WINDOW]> {
    bytes.windows(WINDOW).map(|w| w.try_into().unwrap())
}

#[test]
fn nothing_that_was_said_is_in_the_datagrams() {
    let sounds = [melody(300.0, 4.0), melody(450.0, 4.0)];
    let mut recorded = Recorded::new(4.0);
    recorded.world.run_for(secs(3));
    recorded.world.set_muted(recorded.nodes[0], recorded.calls[0], true);
    recorded.world.run_for(ms(500));
    recorded.world.hang_up(recorded.nodes[1], recorded.calls[1]);
    recorded.world.run_for(secs(1));
    let muted = |e: &Event<_>| matches!(e, Event::PeerMuted { muted: true, .. });
    assert!(recorded.told().iter().any(muted), "something was said on the data channel");
    let datagrams = recorded.datagrams();

    let mut secrets: HashSet<[u8; WINDOW]> = HashSet::new();
    for (node, sound) in recorded.nodes.into_iter().zip(&sounds) {
        let payloads = payloads(sound);
        let address = recorded.world.address(node);
        let sent: Vec<_> =
            datagrams.iter().filter(|d| d.source == address && is_rtp(&d.contents)).collect();
        assert!(sent.len() > 100, "{} packets", sent.len());
        // That it is these payloads which were sent is seen by their lengths.
        let overhead = sent[0].contents.len() - payloads[0].len();
        for (packet, payload) in sent.iter().zip(&payloads) {
            assert_eq!(packet.contents.len(), payload.len() + overhead);
        }
        assert!(payloads.iter().any(|p| p.len() != payloads[0].len()), "lengths tell nothing");
        secrets.extend(payloads.iter().flat_map(|payload| windows(payload)));
    }
    for text in [r#"{"type":"muted","muted":true}"#, "digital_silence", NAMES[0], NAMES[1]] {
        secrets.extend(windows(text.as_bytes()));
    }
    assert!(secrets.len() > 10_000);
    for datagram in &datagrams {
        assert!(windows(&datagram.contents).all(|w| !secrets.contains(&w)), "{datagram:?}");
    }
}

#[test]
fn a_hundred_thousand_datagrams_with_a_flipped_bit_are_not_accepted() {
    let mut attacked = Recorded::new(60.0);
    let mut calm = Recorded::new(60.0);
    attacked.world.run_for(secs(7));
    calm.world.run_for(secs(7));
    let seen = attacked.datagrams();
    // What each sort begins with: RFC 7983, RFC 5761 §4.
    for sort in [0..=3, 20..=63, 128..=191] {
        assert!(seen.iter().any(|d| sort.contains(&d.contents[0])), "none of {sort:?}");
    }
    assert!(seen.iter().any(|d| d.contents[0] >= 128 && !is_rtp(&d.contents)), "no RTCP");
    let mut chance = Chance::new(5);
    let flipped = |chance: &mut Chance| {
        let mut datagram = seen[chance.below(seen.len())].clone();
        let bit = chance.below(datagram.contents.len() * 8);
        datagram.contents[bit / 8] ^= 1 << (bit % 8);
        datagram
    };
    let all: Vec<_> = (0..FLIPPED).map(|_| flipped(&mut chance)).collect();
    attacked.inject(200, &all);
    calm.world.run_for(attacked.world.elapsed() - calm.world.elapsed());
    assert_same(&mut attacked, &mut calm);
    assert!(loud_seconds(attacked.world.heard(attacked.nodes[1])) > 2.0);
}

#[test]
fn a_whole_call_played_again_while_it_goes_on_does_nothing() {
    let mut attacked = Recorded::new(60.0);
    let mut calm = Recorded::new(60.0);
    attacked.world.run_for(secs(7));
    calm.world.run_for(secs(7));
    let seen = attacked.datagrams();
    attacked.inject(5, &seen);
    calm.world.run_for(attacked.world.elapsed() - calm.world.elapsed());
    assert_same(&mut attacked, &mut calm);
}

#[test]
fn a_whole_call_played_again_after_it_does_nothing() {
    let mut attacked = Recorded::new(60.0);
    let mut calm = Recorded::new(60.0);
    for call in [&mut attacked, &mut calm] {
        call.world.run_for(secs(7));
        call.world.hang_up(call.nodes[0], call.calls[0]);
        call.world.run_for(secs(1));
    }
    let seen = attacked.datagrams();
    let before = attacked.refused();
    attacked.inject(5, &seen);
    calm.world.run_for(attacked.world.elapsed() - calm.world.elapsed());
    assert_same(&mut attacked, &mut calm);
    let after = attacked.refused();
    assert_eq!(after[0] + after[1] - before[0] - before[1], seen.len() as u64, "all are dropped");
    // And once more into the next call.
    for call in [&mut attacked, &mut calm] {
        call.calls = connect(&mut call.world, call.nodes);
    }
    attacked.inject(5, &seen);
    calm.world.run_for(attacked.world.elapsed() - calm.world.elapsed());
    assert_same(&mut attacked, &mut calm);
}
