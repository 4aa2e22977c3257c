//! Calls that come to nothing, and what becomes of calls whose node goes.

use std::time::Instant;

use crate::harness::{LIMIT, Pair, end_of, failure, incoming, ms, node, online};
use voip_core::{Audio, CallState, Duration, EndReason, Error, ErrorKind, Event, Node, Reject};

fn kind(result: Result<impl Sized, Error>) -> ErrorKind {
    failure(result).kind()
}

#[test]
fn who_is_declined_or_busy_is_told_so() {
    let pair = Pair::new();
    for (how, expected, reason) in [
        (Reject::Declined, ErrorKind::Declined, EndReason::Declined),
        (Reject::Busy, ErrorKind::Busy, EndReason::Busy),
    ] {
        std::thread::scope(|scope| {
            let calling = scope.spawn(|| pair.alice.call("bob", LIMIT));
            let at_bob = incoming(&pair.bob);
            at_bob.reject(how).unwrap();
            assert_eq!(end_of(&at_bob), EndReason::HungUp);
            assert_eq!(kind(calling.join().unwrap()), expected);
        });
        let placed = pair.alice.place("bob").unwrap();
        incoming(&pair.bob).reject(how).unwrap();
        assert_eq!(end_of(&placed), reason);
    }
}

#[test]
fn a_peer_that_talks_is_busy() {
    let pair = Pair::new();
    let _talking = pair.connect();
    let carol = online(node("carol", &pair.tracker));
    assert_eq!(kind(carol.call("bob", LIMIT)), ErrorKind::Busy);
}

#[test]
fn nobody_of_that_name_is_an_unknown_peer_and_oneself_is_a_mistake() {
    let pair = Pair::new();
    assert_eq!(kind(pair.alice.call("nobody", LIMIT)), ErrorKind::UnknownPeer);
    assert_eq!(kind(pair.alice.call(&"ab".repeat(32), LIMIT)), ErrorKind::UnknownPeer);
    assert_eq!(kind(pair.alice.call("alice", LIMIT)), ErrorKind::InvalidArgument);
    let own_key = pair.alice.id().to_string();
    assert_eq!(kind(pair.alice.call(&own_key, LIMIT)), ErrorKind::InvalidArgument);
    assert_eq!(kind(pair.alice.place("")), ErrorKind::InvalidArgument);
}

#[test]
fn without_any_tracker_there_is_nobody_to_call() {
    let alone = Node::builder("alone").bind("127.0.0.1:0").start().unwrap();
    assert_eq!(kind(alone.call("bob", ms(1_000))), ErrorKind::TrackerUnreachable);
    assert_eq!(kind(alone.peers(ms(1_000))), ErrorKind::TrackerUnreachable);
    assert_eq!(kind(alone.wait_registered(ms(50))), ErrorKind::TimedOut);
}

#[test]
fn a_tracker_that_refuses_is_unreachable_and_a_call_waits_for_it() {
    // Bound and not listening: nobody else gets this port meanwhile.
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let node = Node::builder("alice").tracker(address).bind("127.0.0.1:0").start().unwrap();
    assert_eq!(kind(node.wait_registered(ms(200))), ErrorKind::TrackerUnreachable);
    assert_eq!(kind(node.peers(LIMIT)), ErrorKind::TrackerUnreachable);
    assert_eq!(kind(node.call("bob", ms(100))), ErrorKind::TimedOut);
}

#[test]
fn waiting_ends_with_its_time_limit_and_the_call_goes_on() {
    let pair = Pair::new();
    let (at_alice, at_bob) = pair.ring();
    let before = Instant::now();
    assert_eq!(kind(at_alice.wait_answered(ms(50))), ErrorKind::TimedOut);
    assert_eq!(kind(at_alice.wait_connected(ms(50))), ErrorKind::TimedOut);
    assert_eq!(kind(at_alice.wait_ended(ms(50))), ErrorKind::TimedOut);
    assert!(before.elapsed() >= ms(150));
    assert_eq!(at_bob.state(), CallState::Ringing);
    at_bob.answer().unwrap();
    at_alice.wait_answered(Duration::MAX).unwrap();
    at_alice.wait_connected(Duration::MAX).unwrap();
}

#[test]
fn call_hangs_up_when_its_time_is_over() {
    let pair = Pair::new();
    assert_eq!(kind(pair.alice.call("bob", ms(300))), ErrorKind::TimedOut);
    assert_eq!(end_of(&incoming(&pair.bob)), EndReason::Missed);
}

#[test]
fn nobody_answers_for_the_ring_time() {
    let pair = Pair::with(|builder| builder.ring_timeout(Duration::from_secs(1)));
    assert_eq!(kind(pair.alice.call("bob", LIMIT)), ErrorKind::NoAnswer);
    assert_eq!(end_of(&incoming(&pair.bob)), EndReason::Missed);
}

#[test]
fn a_call_may_have_a_ring_time_of_its_own() {
    let pair = Pair::new();
    let call = pair.alice.place_for("bob", Duration::from_secs(1)).unwrap();
    assert_eq!(end_of(&call), EndReason::NoAnswer);
    let too_short = pair.alice.place_for("bob", ms(999));
    assert_eq!(kind(too_short), ErrorKind::InvalidArgument);
}

#[test]
fn a_node_dropped_within_a_call_ends_quickly_and_the_peer_hears_of_it() {
    let pair = Pair::new();
    let (at_alice, at_bob) = pair.connect();
    let before = Instant::now();
    drop(pair.alice);
    let took = before.elapsed();
    assert!(took < ms(500), "{took:?}");
    assert_eq!(at_alice.state(), CallState::Ended(EndReason::NodeClosed));
    assert_eq!(end_of(&at_bob), EndReason::PeerHungUp);
}

#[test]
fn a_call_without_its_node_answers_with_errors() {
    let pair = Pair::with(|builder| builder.audio(Audio::Manual { rate: 48_000 }));
    let (at_alice, at_bob) = pair.ring();
    drop(pair.bob);
    assert_eq!(kind(at_bob.answer()), ErrorKind::Closed);
    assert_eq!(kind(at_bob.reject(Reject::Declined)), ErrorKind::Closed);
    assert_eq!(kind(at_bob.write(&[0.0; 480], LIMIT)), ErrorKind::Closed);
    assert_eq!(kind(at_bob.read(&mut [0.0; 480], LIMIT)), ErrorKind::Closed);
    assert_eq!(kind(at_bob.wait_connected(LIMIT)), ErrorKind::Closed);
    assert_eq!(at_bob.wait_ended(LIMIT), Ok(EndReason::NodeClosed));
    at_bob.set_muted(true);
    at_bob.hang_up();
    assert_eq!(at_bob.peer().name, "alice");
    assert_eq!(end_of(&at_alice), EndReason::Declined);
}

#[test]
fn a_node_goes_though_its_tracker_says_nothing() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let node = Node::builder("alice").tracker(address).bind("127.0.0.1:0").start().unwrap();
    let _connection = silent.accept().unwrap();
    assert_eq!(kind(node.wait_registered(ms(50))), ErrorKind::TimedOut);
    let before = Instant::now();
    node.close();
    assert!(before.elapsed() < ms(500), "{:?}", before.elapsed());
}

#[test]
fn whoever_waits_for_a_node_returns_when_it_is_closed() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let node = Node::builder("alice").tracker(address).bind("127.0.0.1:0").start().unwrap();
    let call = node.place("bob").unwrap();
    std::thread::scope(|scope| {
        let registering = scope.spawn(|| node.wait_registered(Duration::MAX));
        let listing = scope.spawn(|| node.peers(Duration::MAX));
        let reading = scope.spawn(|| {
            let events = || std::iter::from_fn(|| node.next_event(Duration::MAX));
            events().filter(|event| matches!(event, Event::Ended { .. })).count()
        });
        assert!(!node.is_closed());
        node.close();
        node.close();
        assert_eq!(kind(registering.join().unwrap()), ErrorKind::Closed);
        // Asked before the node was closed, it says that there is no tracker to ask.
        let listed = kind(listing.join().unwrap());
        assert!(matches!(listed, ErrorKind::Closed | ErrorKind::TrackerUnreachable), "{listed:?}");
        assert_eq!(reading.join().unwrap(), 1, "the end of its call is still told");
    });
    assert!(node.is_closed());
    assert_eq!(call.state(), CallState::Ended(EndReason::NodeClosed));
    assert_eq!(kind(node.place("bob")), ErrorKind::Closed);
    assert_eq!(kind(node.wait_registered(LIMIT)), ErrorKind::Closed);
    assert_eq!(kind(node.peers(LIMIT)), ErrorKind::Closed);
}

#[test]
fn pcm_belongs_to_nodes_with_manual_audio() {
    let pair = Pair::new();
    let (at_alice, _at_bob) = pair.ring();
    assert_eq!(kind(at_alice.write(&[0.0], LIMIT)), ErrorKind::InvalidState);
    assert_eq!(kind(at_alice.read(&mut [0.0], LIMIT)), ErrorKind::InvalidState);
}
