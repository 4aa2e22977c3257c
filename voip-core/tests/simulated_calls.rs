//! Whole calls in the simulated world.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used)]

use voip_core::sim::{Link, NodeKey, NodeOptions, SimCall, World};
use voip_core::{CallState, Duration, EndReason, Event};

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn tone(seconds: f32) -> Vec<f32> {
    (0..(seconds * 48_000.0) as usize)
        .map(|i| 0.3 * (i as f32 * 440.0 * std::f32::consts::TAU / 48_000.0).sin())
        .collect()
}

struct Two {
    world: World,
    alice: NodeKey,
    bob: NodeKey,
}

fn two(seed: u64, link: Link, stand_in: bool) -> Two {
    let mut world = World::new(seed);
    world.set_link(link);
    let tracker = world.add_tracker();
    let node = |name: &str, auto_answer| NodeOptions {
        auto_answer,
        stand_in_codec: stand_in,
        ..NodeOptions::new(name, [tracker])
    };
    let alice = world.add_node(node("alice", false)).unwrap();
    let bob = world.add_node(node("bob", true)).unwrap();
    world.run_for(secs(2));
    Two { world, alice, bob }
}

fn connect(two: &mut Two) -> SimCall {
    let call = two.world.place(two.alice, "bob");
    let alice = two.alice;
    let connected = |w: &World| w.state(alice, call) == Some(CallState::Connected);
    assert!(two.world.run_until(secs(20), connected), "{:?}", two.world.events(alice));
    call
}

#[test]
fn a_call_is_placed_answered_heard_and_hung_up() {
    let mut two = two(1, Link::default(), false);
    let call = connect(&mut two);
    two.world.say(two.alice, &tone(1.0));
    two.world.run_for(secs(2));
    let heard = two.world.heard(two.bob);
    let loud = heard.iter().filter(|s| s.abs() > 0.1).count();
    assert!(loud > 30_000, "{loud} loud samples");
    two.world.hang_up(two.alice, call);
    two.world.run_for(secs(1));
    let bobs = two.world.calls(two.bob)[0];
    assert_eq!(two.world.state(two.alice, call), Some(CallState::Ended(EndReason::HungUp)));
    assert_eq!(two.world.state(two.bob, bobs), Some(CallState::Ended(EndReason::PeerHungUp)));
    let names: Vec<_> = two.world.events(two.alice).iter().map(|e| format!("{e:?}")).collect();
    println!("{names:#?}");
    println!("{:#?}", two.world.stats(two.alice, call));
}

#[test]
fn ten_minutes() {
    let mut two = two(1, Link { loss: 0.05, jitter: Duration::from_millis(40), ..Link::default() }, true);
    let call = connect(&mut two);
    let t = std::time::Instant::now();
    two.world.run_for(secs(600));
    println!("{:?}", t.elapsed());
    println!("{:#?}", two.world.stats(two.alice, call));
}
#[test]
fn twice_the_same() {
    let run = || {
        let link = Link { delay: Duration::from_millis(30), loss: 0.05, jitter: Duration::from_millis(40), duplicate: 0.01 };
        let mut two = two(11, link, false);
        connect(&mut two);
        let t = two.world.elapsed();
        two.world.say(two.alice, &tone(5.0));
        two.world.run_for(secs(6));
        (t, two.world.heard(two.bob).to_vec())
    };
    let (a, b) = (run(), run());
    println!("{:?} {:?}", a.0, b.0);
    assert!(a == b);
}
