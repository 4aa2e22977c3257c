//! What a simulated call costs beside the codec it runs: whole calls in the simulated world against
//! bare libopus on the same frames, interleaved.
//!
//! `cargo run --release -p voip-benches --bin sim_floor -- [rounds 7] [seconds 20]` prints JSON. The
//! call goes both ways, so the floor is two encodes and two decodes a frame. Also: ten minutes
//! with the stand-in codec, both talking and both silent; how much is allocated for each packet on
//! its whole way, the session layer's and the simulated network's share included; and whether the
//! same seed gives the same sound.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends the program")]

use std::time::{Duration, Instant};

use voip_benches::{allocations, quantile, summary};
use voip_core::sim::{Link, NodeKey, NodeOptions, World};
use voip_core::{CallState, EncoderConfig};

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

fn main() {
    let mut args = std::env::args().skip(1).map(|n| n.parse::<usize>().unwrap());
    let rounds = args.next().unwrap_or(7);
    let seconds = args.next().unwrap_or(20);
    let speech = babble(seconds);
    let (mut floors, mut calls, mut ratios) = (vec![], vec![], vec![]);
    for _ in 0..rounds {
        let (floor, call) = (bare_opus(&speech), simulated(&speech, seconds));
        ratios.push(call / floor);
        floors.push(floor);
        calls.push(call);
    }
    let ten_minutes = |said: &[f32]| -> Vec<f64> {
        (0..rounds).map(|_| StandInCall::new().timed(600, said)).collect()
    };
    let talking = ten_minutes(&speech[..48_000]);
    let silent = ten_minutes(&[]);
    println!(
        "{}",
        serde_json::json!({
            "bare_opus_s": summary(&floors),
            "simulated_call_s": summary(&calls),
            "ratio_median": (quantile(&ratios, 0.5) * 1000.0).round() / 1000.0,
            "ten_minutes_with_stand_in_s": summary(&talking),
            "ten_minutes_of_silence_with_stand_in_s": summary(&silent),
            "allocations_per_packet": allocations_per_packet(&speech[..48_000]),
            "same_seed_same_sound": lossy(3, &speech) == lossy(3, &speech),
        })
    );
}

/// Something that changes all the time as speech does: a gliding tone under noise in bursts.
fn babble(seconds: usize) -> Vec<f32> {
    let mut noise = 1u32;
    let mut phase = 0.0f32;
    (0..seconds * 48_000)
        .map(|i| {
            let t = i as f32 / 48_000.0;
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            phase += (180.0 + 60.0 * (t * 2.1).sin()) / 48_000.0;
            let voice = (phase.fract() - 0.5) * 0.5;
            let burst = (t * 3.0).sin().max(0.0);
            (voice + (noise >> 16) as f32 / 65_536.0 * 0.1) * burst
        })
        .collect()
}

fn bare_opus(speech: &[f32]) -> f64 {
    let config = EncoderConfig::default();
    let begun = Instant::now();
    for _ in 0..2 {
        let mode = opus::Application::Voip;
        let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, mode).unwrap();
        encoder.set_bitrate(opus::Bitrate::Bits(config.bitrate as i32)).unwrap();
        encoder.set_complexity(i32::from(config.complexity)).unwrap();
        encoder.set_inband_fec(config.fec).unwrap();
        encoder.set_packet_loss_perc(i32::from(config.expected_loss)).unwrap();
        let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono).unwrap();
        let (mut packet, mut out) = ([0; 1500], [0.0; 960]);
        for frame in speech.chunks_exact(960) {
            let len = encoder.encode_float(frame, &mut packet).unwrap();
            decoder.decode_float(&packet[..len], &mut out, false).unwrap();
        }
    }
    begun.elapsed().as_secs_f64()
}

fn connected(seed: u64, link: Link, options: &NodeOptions) -> (World, NodeKey, NodeKey) {
    let mut world = World::new(seed);
    world.set_link(link);
    let trackers = vec![world.add_tracker()];
    let named = |name: &str, auto_answer| NodeOptions {
        name: name.to_owned(),
        trackers: trackers.clone(),
        auto_answer,
        ..options.clone()
    };
    let alice = world.add_node(named("alice", false)).unwrap();
    let bob = world.add_node(named("bob", true)).unwrap();
    world.run_for(Duration::from_secs(1));
    let call = world.place(alice, "bob");
    let up = |w: &World| w.state(alice, call) == Some(CallState::Connected);
    assert!(world.run_until(Duration::from_secs(20), up));
    (world, alice, bob)
}

fn simulated(speech: &[f32], seconds: usize) -> f64 {
    let options = NodeOptions::new("", []);
    let (mut world, alice, bob) = connected(1, Link::default(), &options);
    world.say(alice, speech);
    world.say(bob, speech);
    let begun = Instant::now();
    world.run_for(Duration::from_secs(seconds as u64));
    begun.elapsed().as_secs_f64()
}

/// A call with the stand-in codec.
struct StandInCall {
    world: World,
    alice: NodeKey,
    bob: NodeKey,
}

impl StandInCall {
    fn new() -> Self {
        let options =
            NodeOptions { stand_in_codec: true, keep_heard: false, ..NodeOptions::new("", []) };
        let (world, alice, bob) = connected(1, Link::default(), &options);
        StandInCall { world, alice, bob }
    }

    /// Both say the same every second.
    fn run(&mut self, seconds: usize, said: &[f32]) {
        for _ in 0..seconds {
            self.world.say(self.alice, said);
            self.world.say(self.bob, said);
            self.world.run_for(Duration::from_secs(1));
        }
    }

    fn timed(mut self, seconds: usize, said: &[f32]) -> f64 {
        let begun = Instant::now();
        self.run(seconds, said);
        begun.elapsed().as_secs_f64()
    }

    fn packets(&self) -> u64 {
        let sent = |node| {
            let call = self.world.calls(node)[0];
            self.world.stats(node, call).unwrap().packets_sent
        };
        sent(self.alice) + sent(self.bob)
    }
}

fn allocations_per_packet(said: &[f32]) -> f64 {
    let mut call = StandInCall::new();
    call.run(20, said);
    let (packets, allocations) = (call.packets(), allocations::so_far());
    call.run(60, said);
    let allocations = allocations::so_far() - allocations;
    let each = allocations as f64 / (call.packets() - packets) as f64;
    (each * 100.0).round() / 100.0
}

fn lossy(seed: u64, speech: &[f32]) -> Vec<f32> {
    let link = Link {
        delay: Duration::from_millis(30),
        jitter: Duration::from_millis(40),
        loss: 0.05,
        duplicate: 0.01,
        ..Link::default()
    };
    let (mut world, alice, bob) = connected(seed, link, &NodeOptions::new("", []));
    world.say(alice, speech);
    world.run_for(Duration::from_secs(10));
    world.heard(bob).to_vec()
}
