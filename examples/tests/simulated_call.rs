//! How to test a program of your own without sockets, clocks and sleeps: the simulated world of
//! `voip_core::sim` (feature `sim`). Everything here takes milliseconds and is the same every time.

use std::time::Duration;

use voip_core::sim::{Link, NodeOptions, World};
use voip_core::{CallState, EndReason, Error, Event};

/// The rule of your program that you want to test: after three missed calls, give up.
fn worth_another_try(ends: &[EndReason]) -> bool {
    ends.iter().filter(|end| **end == EndReason::NoAnswer).count() < 3
}

#[test]
fn nobody_answers_three_times() -> Result<(), Error> {
    let mut world = World::new(1);
    let tracker = world.add_tracker();
    let ring_timeout = Duration::from_secs(20);
    let caller = NodeOptions { ring_timeout, ..NodeOptions::new("alice", [tracker]) };
    let alice = world.add_node(caller)?;
    world.add_node(NodeOptions::new("bob", [tracker]))?;
    world.run_for(Duration::from_secs(1));

    let mut ends = Vec::new();
    while worth_another_try(&ends) {
        let call = world.place(alice, "bob");
        world.run_for(Duration::from_secs(25));
        if let Some(CallState::Ended(reason)) = world.state(alice, call) {
            ends.push(reason);
        }
    }
    assert_eq!(ends, [EndReason::NoAnswer; 3]);
    Ok(())
}

#[test]
fn a_call_over_a_mobile_network_is_heard() -> Result<(), Error> {
    let mut world = World::new(2);
    let (delay, jitter) = (Duration::from_millis(60), Duration::from_millis(30));
    world.set_link(Link { delay, jitter, loss: 0.03, ..Link::default() });
    let tracker = world.add_tracker();
    let alice = world.add_node(NodeOptions::new("alice", [tracker]))?;
    let bob = NodeOptions { auto_answer: true, ..NodeOptions::new("bob", [tracker]) };
    let bob = world.add_node(bob)?;
    world.run_for(Duration::from_secs(2));

    let call = world.place(alice, "bob");
    let connected = |world: &World| world.state(alice, call) == Some(CallState::Connected);
    assert!(world.run_until(Duration::from_secs(5), connected));

    let hum = |i: u32| 0.3 * (i as f32 * 150.0 * std::f32::consts::TAU / 48_000.0).sin();
    world.say(alice, &(0..5 * 48_000).map(hum).collect::<Vec<f32>>());
    world.run_for(Duration::from_secs(6));

    let loud = world.heard(bob).iter().filter(|sample| sample.abs() > 0.1).count();
    assert!(loud > 3 * 48_000, "{loud} samples");
    assert!(world.events(bob).iter().any(|event| matches!(event, Event::FirstAudio { .. })));
    Ok(())
}
