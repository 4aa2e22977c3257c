//! What the tests on real sockets share.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "shared by several test programs, each of which uses a part"
)]

use std::f32::consts::TAU;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use voip_core::{Audio, Call, Duration, EndReason, Error, Event, Node, NodeBuilder, Tracker};

/// Reached only by a failure.
pub const LIMIT: Duration = Duration::from_secs(10);

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub fn tracker() -> Tracker {
    Tracker::builder().bind("127.0.0.1:0").start().unwrap()
}

/// A node of that tracker's, on IPv4 loopback.
pub fn node(name: &str, tracker: &Tracker) -> NodeBuilder {
    Node::builder(name).tracker(tracker.address().to_string()).bind("127.0.0.1:0")
}

/// Starts a node and waits until it is registered.
pub fn online(builder: NodeBuilder) -> Node {
    let node = builder.start().unwrap();
    node.wait_registered(LIMIT).unwrap();
    node
}

/// A tracker, and two who are registered there.
pub struct Pair {
    pub tracker: Tracker,
    pub alice: Node,
    pub bob: Node,
}

impl Pair {
    /// With audio `Null`; nobody answers by himself.
    pub fn new() -> Pair {
        Pair::with(|builder| builder)
    }

    pub fn manual(rate: u32) -> Pair {
        Pair::with(|builder| builder.audio(Audio::Manual { rate }))
    }

    pub fn with(options: impl Fn(NodeBuilder) -> NodeBuilder) -> Pair {
        let tracker = tracker();
        let alice = online(options(node("alice", &tracker)));
        let bob = online(options(node("bob", &tracker)));
        Pair { tracker, alice, bob }
    }

    /// Alice calls and it rings: her end and Bob's.
    pub fn ring(&self) -> (Call, Call) {
        let at_alice = self.alice.place("bob").unwrap();
        let at_bob = incoming(&self.bob);
        (at_alice, at_bob)
    }

    /// A connected call: Alice's end and Bob's.
    pub fn connect(&self) -> (Call, Call) {
        let (at_alice, at_bob) = self.ring();
        at_bob.answer().unwrap();
        at_alice.wait_connected(LIMIT).unwrap();
        at_bob.wait_connected(LIMIT).unwrap();
        (at_alice, at_bob)
    }
}

/// Reads events until one is looked for.
pub fn await_event<T>(node: &Node, mut looked_for: impl FnMut(Event<Call>) -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let event = node.next_event(left).unwrap_or_else(|| panic!("{node:?} waits in vain"));
        if let Some(found) = looked_for(event) {
            return found;
        }
    }
}

pub fn incoming(node: &Node) -> Call {
    await_event(node, |event| match event {
        Event::Incoming { call } => Some(call),
        _ => None,
    })
}

/// How a call ended, whoever's it is.
pub fn end_of(call: &Call) -> EndReason {
    call.wait_ended(LIMIT).unwrap()
}

/// Looks again every 10 ms of the call, until it is so.
pub fn until(call: &Call, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {call:?} {:?}", call.stats());
        // The time limit is all that is wanted of it.
        let _ = call.wait_ended(ms(10));
    }
}

/// The error of what must fail.
pub fn failure<T>(result: Result<T, Error>) -> Error {
    match result {
        Ok(_) => panic!("this should have failed"),
        Err(error) => error,
    }
}

/// A folder of its own, gone when dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("voip-sockets-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the path is in an error's message.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A sine of 0.3 of full scale.
pub fn tone(hertz: f32, rate: u32, seconds: f32) -> Vec<f32> {
    let step = hertz * TAU / rate as f32;
    (0..(seconds * rate as f32) as usize).map(|i| 0.3 * (i as f32 * step).sin()).collect()
}

/// The amplitude of one frequency.
pub fn strength(samples: &[f32], hertz: f32, rate: u32) -> f32 {
    let step = f64::from(hertz) * std::f64::consts::TAU / f64::from(rate);
    let (mut re, mut im) = (0.0, 0.0);
    for (i, &sample) in samples.iter().enumerate() {
        re += f64::from(sample) * (i as f64 * step).cos();
        im += f64::from(sample) * (i as f64 * step).sin();
    }
    (2.0 * f64::hypot(re, im) / samples.len() as f64) as f32
}

/// The part of the samples' power that is this sine, 0.0 to 1.0.
pub fn purity(samples: &[f32], hertz: f32, rate: u32) -> f32 {
    let power = samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32;
    strength(samples, hertz, rate).powi(2) / 2.0 / power.max(1e-12)
}

/// From the first sound on.
pub fn from_first_sound(samples: &[f32]) -> &[f32] {
    let begin = samples.iter().position(|s| s.abs() > 0.1).unwrap_or(samples.len());
    &samples[begin..]
}

/// Says `sound` in the time it takes, and hears for as long at the other end.
pub fn say_and_hear(from: &Call, to: &Call, sound: &[f32]) -> Vec<f32> {
    let mut heard = vec![0.0; sound.len()];
    std::thread::scope(|scope| {
        scope.spawn(|| from.write(sound, LIMIT).unwrap());
        to.read(&mut heard, LIMIT).unwrap();
    });
    heard
}
