//! Trackers that go away and come back; calls that do not care.

use crate::harness::{
    LIMIT, Pair, await_event, end_of, from_first_sound, incoming, node, online, purity,
    say_and_hear, tone,
};
use voip_core::{Audio, CallState, Event, Tracker};

#[test]
fn a_call_outlives_its_tracker_and_both_register_again_when_it_is_back() {
    let pair = Pair::manual(48_000);
    let (at_alice, at_bob) = pair.connect();
    let address = pair.tracker.address().to_string();
    drop(pair.tracker);
    for node in [&pair.alice, &pair.bob] {
        await_event(node, |event| matches!(event, Event::TrackerLost { .. }).then_some(()));
    }
    let heard = say_and_hear(&at_alice, &at_bob, &tone(500.0, 48_000, 0.6));
    let heard = from_first_sound(&heard);
    assert!(purity(&heard[heard.len() - 14_400..], 500.0, 48_000) > 0.8);
    assert_eq!(at_bob.stats().packets_lost, 0);

    let tracker = Tracker::builder().bind(&address).start().unwrap();
    for node in [&pair.alice, &pair.bob] {
        await_event(node, |event| matches!(event, Event::Registered { .. }).then_some(()));
        node.wait_registered(LIMIT).unwrap();
    }
    assert_eq!(pair.alice.peers(LIMIT).unwrap().len(), 2);
    assert_eq!(at_alice.state(), CallState::Connected);
    at_alice.hang_up();
    end_of(&at_bob);
    let carol = online(node("carol", &tracker).audio(Audio::Null));
    let call = carol.place("bob").unwrap();
    let at_bob = incoming(&pair.bob);
    at_bob.answer().unwrap();
    call.wait_connected(LIMIT).unwrap();
}

#[test]
fn hanging_up_needs_no_tracker() {
    let pair = Pair::new();
    let (at_alice, at_bob) = pair.connect();
    drop(pair.tracker);
    at_bob.hang_up();
    end_of(&at_alice);
}

#[test]
fn a_second_tracker_helps_where_the_first_is_dead() {
    let dead = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let dead = dead.local_addr().unwrap().to_string();
    let pair = Pair::with(|builder| builder.tracker(&dead));
    let call = pair.alice.place(&pair.bob.id().to_string()).unwrap();
    let at_bob = incoming(&pair.bob);
    at_bob.answer().unwrap();
    call.wait_connected(LIMIT).unwrap();
}
