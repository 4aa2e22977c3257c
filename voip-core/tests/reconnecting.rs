//! Paths that are lost in a call, and found again.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Two, loud_seconds, ms, secs, tone};
use voip_core::sim::{Link, NodeKey, SimCall};
use voip_core::{CallState, Duration, EndReason, Event};

const LOST: &str = "lost";
const BACK: &str = "back";

/// Both are connected and talk for long.
fn talking(link: Link) -> (Two, SimCall, SimCall) {
    let mut two = Two::new(1, link, true);
    two.world.say(two.alice, &tone(440.0, 300.0));
    two.world.say(two.bob, &tone(880.0, 300.0));
    let (call, at_bob) = two.connect();
    two.world.run_for(secs(2));
    assert_eq!(told(&mut two, secs(0)), [[], []]);
    (two, call, at_bob)
}

/// What Alice and Bob are told of the path in so much time, and after how many milliseconds.
fn told(two: &mut Two, time: Duration) -> [Vec<(u64, &'static str)>; 2] {
    let begun = two.world.elapsed();
    let mut told = [Vec::new(), Vec::new()];
    loop {
        let at = (two.world.elapsed() - begun).as_millis() as u64;
        for (node, told) in [two.alice, two.bob].into_iter().zip(&mut told) {
            for event in two.world.events(node) {
                match event {
                    Event::Reconnecting { .. } => told.push((at, LOST)),
                    Event::Reconnected { .. } => told.push((at, BACK)),
                    _ => {}
                }
            }
        }
        if two.world.elapsed() - begun >= time {
            return told;
        }
        two.world.run_for(ms(10));
    }
}

/// Seconds of sound that a node has heard since its `from`th sample.
fn heard(two: &Two, node: NodeKey, from: usize) -> f32 {
    loud_seconds(&two.world.heard(node)[from..])
}

/// Both were told of the loss within a second and a half, and nothing else.
fn assert_lost(told: &[Vec<(u64, &'static str)>; 2]) {
    for told in told {
        assert!(matches!(told[..], [(at, LOST)] if at < 1_500), "{told:?}");
    }
}

#[test]
fn a_cable_that_was_out_for_half_a_minute_is_forgotten_within_two_seconds() {
    for seconds in [3, 10, 30] {
        let (mut two, call, at_bob) = talking(Link { delay: ms(40), ..Link::default() });
        two.world.set_cut_off(two.bob, true);
        assert_lost(&told(&mut two, secs(seconds)));
        two.world.set_cut_off(two.bob, false);
        let (at_alice, here) = (two.world.heard(two.alice).len(), two.world.heard(two.bob).len());
        for told in told(&mut two, secs(4)) {
            assert!(matches!(told[..], [(at, BACK)] if at <= 2_000), "{seconds} s: {told:?}");
        }
        assert!(heard(&two, two.alice, at_alice) > 2.0 && heard(&two, two.bob, here) > 2.0);
        assert_eq!(two.world.state(two.alice, call), Some(CallState::Connected));
        assert_eq!(two.world.state(two.bob, at_bob), Some(CallState::Connected));
    }
}

#[test]
fn a_peer_that_moves_to_another_address_is_heard_on() {
    let (mut two, ..) = talking(Link { delay: ms(40), ..Link::default() });
    two.world.move_node(two.bob);
    let [_, at_bob] = told(&mut two, secs(4));
    let [(lost, LOST), (back, BACK)] = at_bob[..] else { panic!("{at_bob:?}") };
    assert!(lost < 1_100 && back - lost < 500, "{at_bob:?}");
    let (at_alice, here) = (two.world.heard(two.alice).len(), two.world.heard(two.bob).len());
    two.world.run_for(secs(10));
    assert!(heard(&two, two.alice, at_alice) > 9.5 && heard(&two, two.bob, here) > 9.5);
    assert_eq!(told(&mut two, secs(60)), [[], []], "and all is well");
}

#[test]
fn without_any_path_a_call_ends_after_three_quarters_of_a_minute() {
    let (mut two, call, _) = talking(Link::default());
    two.world.set_cut_off(two.bob, true);
    assert_eq!(two.end_of(two.alice, call, secs(44)), None);
    assert_eq!(two.end_of(two.alice, call, secs(3)), Some(EndReason::NetworkLost));
}

#[test]
fn who_lost_a_call_may_call_again_at_once() {
    let (mut two, call, _) = talking(Link::default());
    let at_bob = two.world.calls(two.bob)[0];
    two.world.set_cut_off(two.bob, true);
    two.world.run_for(secs(2));
    two.world.set_cut_off(two.bob, false);
    two.world.set_datagrams_blocked(true);
    two.world.hang_up(two.alice, call);
    two.world.run_for(ms(500));
    let again = two.world.place(two.alice, "bob");
    two.world.run_for(ms(500));
    two.world.set_datagrams_blocked(false);
    two.world.run_for(secs(3));
    assert_eq!(two.world.state(two.alice, again), Some(CallState::Connected));
    assert!(matches!(two.world.state(two.bob, at_bob), Some(CallState::Ended(_))));
}

#[test]
fn muted_peers_on_a_good_path_and_microphones_that_hang_are_no_loss() {
    let (mut two, call, at_bob) = talking(Link::default());
    two.world.set_muted(two.alice, call, true);
    two.world.set_muted(two.bob, at_bob, true);
    assert_eq!(told(&mut two, secs(60)), [[], []]);
    two.world.set_muted(two.bob, at_bob, false);
    two.world.set_microphone_running(two.bob, false);
    assert_eq!(told(&mut two, secs(60)), [[], []]);
}

#[test]
fn both_muted_a_loss_is_noticed_too() {
    let (mut two, call, at_bob) = talking(Link::default());
    two.world.set_muted(two.alice, call, true);
    two.world.set_muted(two.bob, at_bob, true);
    two.world.run_for(secs(10));
    two.world.set_cut_off(two.bob, true);
    for told in told(&mut two, secs(10)) {
        assert!(matches!(told[..], [(at, LOST)] if at < 6_000), "{told:?}");
    }
}

#[test]
fn a_bad_line_is_no_loss() {
    let link = Link { delay: ms(50), jitter: ms(40), loss: 0.2, ..Link::default() };
    let (mut two, call, _) = talking(link);
    assert_eq!(told(&mut two, secs(120)), [[], []]);
    two.world.set_muted(two.alice, call, true);
    assert_eq!(told(&mut two, secs(120)), [[], []]);
}

#[test]
fn a_path_that_is_found_with_a_long_round_trip_is_kept() {
    let (mut two, ..) = talking(Link::default());
    two.world.set_cut_off(two.bob, true);
    two.world.run_for(secs(5));
    two.world.set_link(Link { delay: ms(250), ..Link::default() });
    two.world.set_cut_off(two.bob, false);
    for told in told(&mut two, secs(20)) {
        assert!(matches!(told[..], [(_, LOST), (_, BACK)]), "{told:?}");
    }
}
