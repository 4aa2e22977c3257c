//! What the measuring programs share: two nodes and a tracker in one process, over real sockets on
//! loopback, the sound they speak, libopus alone to compare with, percentiles, and counts of
//! processor time, memory and allocations.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that cannot be made ends the program"
)]

pub mod allocations;
pub mod bare;
pub mod cpu;
pub mod speech;

use std::time::Duration;

use voip_core::{Audio, Call, EncoderConfig, Event, Node, Tracker};

/// Two registered nodes with manual PCM at 48 kHz.
pub struct Pair {
    /// Where they met.
    pub tracker: Tracker,
    /// Calls.
    pub alice: Node,
    /// Answers.
    pub bob: Node,
}

impl Pair {
    /// Starts all three and waits until both are registered.
    pub fn start(encoder: &EncoderConfig) -> Pair {
        Pair::new(encoder, true)
    }

    /// The same, but Bob's calls ring until he answers.
    pub fn answering_by_hand(encoder: &EncoderConfig) -> Pair {
        Pair::new(encoder, false)
    }

    fn new(encoder: &EncoderConfig, auto_answer: bool) -> Pair {
        let tracker = Tracker::builder().bind("127.0.0.1:0").start().unwrap();
        let alice = node("alice", &tracker, encoder, false);
        let bob = node("bob", &tracker, encoder, auto_answer);
        for node in [&alice, &bob] {
            node.wait_registered(Duration::from_secs(5)).unwrap();
        }
        Pair { tracker, alice, bob }
    }

    /// A connected call: Alice's end and Bob's.
    pub fn call(&self) -> (Call, Call) {
        let at_alice = self.alice.place("bob").unwrap();
        let at_bob = incoming(&self.bob);
        at_alice.wait_connected(Duration::from_secs(10)).unwrap();
        at_bob.wait_connected(Duration::from_secs(10)).unwrap();
        (at_alice, at_bob)
    }
}

/// A node with manual PCM at 48 kHz.
pub fn node(name: &str, tracker: &Tracker, encoder: &EncoderConfig, auto_answer: bool) -> Node {
    Node::builder(name)
        .tracker(tracker.address().to_string())
        .bind("127.0.0.1:0")
        .audio(Audio::Manual { rate: 48_000 })
        .encoder(encoder.clone())
        .auto_answer(auto_answer)
        .start()
        .unwrap()
}

/// The next incoming call.
pub fn incoming(node: &Node) -> Call {
    loop {
        match node.next_event(Duration::from_secs(10)).expect("an incoming call") {
            Event::Incoming { call } => return call,
            _ => continue,
        }
    }
}

/// The `p`-quantile of the values, 0.0 to 1.0, by nearest rank.
pub fn quantile(values: &[f64], p: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (p * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// Median, 95th percentile, least and most, as JSON.
pub fn summary(values: &[f64]) -> serde_json::Value {
    serde_json::json!({
        "n": values.len(),
        "min": round(quantile(values, 0.0)),
        "p50": round(quantile(values, 0.5)),
        "p95": round(quantile(values, 0.95)),
        "max": round(quantile(values, 1.0)),
    })
}

/// `x` with at most three digits behind the point.
pub fn round(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}

/// Something promised: `value` must be at most `limit`. `why` says what a miss would come from.
pub fn bar(what: &str, unit: &str, value: f64, limit: f64, why: &str) -> serde_json::Value {
    serde_json::json!({
        "what": what,
        "unit": unit,
        "value": round(value),
        "limit": round(limit),
        "met": value <= limit,
        "why": why,
    })
}
