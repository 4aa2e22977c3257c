//! What the tests on the simulated world share.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test file is a program of its own and uses a part"
)]
#![allow(unreachable_pub, clippy::unwrap_used)]

mod chance;

pub use chance::Chance;
use voip_core::sim::{Link, NodeKey, NodeOptions, SimCall, TrackerKey, World};
use voip_core::{CallState, Duration, EndReason};

/// Seconds.
pub fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// Milliseconds.
pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A sine of a third of full scale.
pub fn tone(hertz: f32, seconds: f32) -> Vec<f32> {
    let step = hertz * std::f32::consts::TAU / 48_000.0;
    (0..(seconds * 48_000.0) as usize).map(|i| 0.3 * (i as f32 * step).sin()).collect()
}

/// Seconds in which `samples` are louder than a tenth of full scale, by blocks of 10 ms.
pub fn loud_seconds(samples: &[f32]) -> f32 {
    let loud = |block: &&[f32]| block.iter().any(|s| s.abs() > 0.1);
    samples.chunks(480).filter(loud).count() as f32 / 100.0
}

/// Alice, Bob and a tracker.
pub struct Two {
    pub world: World,
    pub tracker: TrackerKey,
    pub alice: NodeKey,
    pub bob: NodeKey,
}

impl Two {
    /// Both registered; Bob answers as `auto_answer` says. The codec is the stand-in.
    pub fn new(seed: u64, link: Link, auto_answer: bool) -> Two {
        let options = NodeOptions { stand_in_codec: true, ..NodeOptions::new("", []) };
        Two::with(seed, link, auto_answer, &options)
    }

    /// The same with other options for both.
    pub fn with(seed: u64, link: Link, auto_answer: bool, options: &NodeOptions) -> Two {
        Two::at(seed, link, auto_answer, options, false)
    }

    /// The same, at a tracker with a relay if `relay`.
    pub fn at(seed: u64, link: Link, auto_answer: bool, options: &NodeOptions, relay: bool) -> Two {
        let mut world = World::new(seed);
        world.set_link(link);
        let tracker = world.add_tracker();
        if relay {
            world.add_relay(tracker);
        }
        let named = |name: &str, auto_answer| NodeOptions {
            name: name.into(),
            trackers: vec![tracker],
            auto_answer,
            ..options.clone()
        };
        let alice = world.add_node(named("alice", false)).unwrap();
        let bob = world.add_node(named("bob", auto_answer)).unwrap();
        world.run_for(secs(3));
        Two { world, tracker, alice, bob }
    }

    /// Alice calls Bob and both are connected: her call and his.
    pub fn connect(&mut self) -> (SimCall, SimCall) {
        let call = self.world.place(self.alice, "bob");
        let (alice, bob) = (self.alice, self.bob);
        let up = |w: &World| {
            w.state(alice, call) == Some(CallState::Connected)
                && w.calls(bob).last().and_then(|c| w.state(bob, *c)) == Some(CallState::Connected)
        };
        assert!(self.world.run_until(secs(20), up), "{:?}", self.world.events(alice));
        (call, *self.world.calls(bob).last().unwrap())
    }

    /// How a call ended, if within `limit` it did.
    pub fn end_of(&mut self, node: NodeKey, call: SimCall, limit: Duration) -> Option<EndReason> {
        end_of(&mut self.world, node, call, limit)
    }
}

/// How a call ended, if within `limit` it did.
pub fn end_of(
    world: &mut World,
    node: NodeKey,
    call: SimCall,
    limit: Duration,
) -> Option<EndReason> {
    let over = |w: &World| matches!(w.state(node, call), Some(CallState::Ended(_)));
    world.run_until(limit, over);
    match world.state(node, call) {
        Some(CallState::Ended(reason)) => Some(reason),
        _ => None,
    }
}
