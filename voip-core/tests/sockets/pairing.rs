//! Two who do not know each other's name.

use crate::harness::{LIMIT, Pair, await_event, failure, incoming, node};
use voip_core::{ErrorKind, Event, Node, TrackerEvent};

fn paired(node: &Node) -> (String, bool) {
    await_event(node, |event| match event {
        Event::Paired { peer, calls } => Some((peer.name, calls)),
        _ => None,
    })
}

#[test]
fn two_strangers_are_handed_to_each_other_and_talk() {
    let pair = Pair::new();
    pair.alice.unpair().unwrap();
    pair.bob.pair().unwrap();
    pair.alice.pair().unwrap();
    let (with_alice, alice_calls) = paired(&pair.alice);
    let (with_bob, bob_calls) = paired(&pair.bob);
    assert_eq!((&with_alice[..], &with_bob[..]), ("bob", "alice"));
    assert!(alice_calls != bob_calls);
    let [caller, callee] =
        if alice_calls { [&pair.alice, &pair.bob] } else { [&pair.bob, &pair.alice] };
    let call = caller.place(&callee.id().to_string()).unwrap();
    let answered = incoming(callee);
    answered.answer().unwrap();
    call.wait_connected(LIMIT).unwrap();
    let named = loop {
        if let Some(TrackerEvent::Paired { name, other_name, .. }) = pair.tracker.next_event(LIMIT)
        {
            break [name, other_name];
        }
    };
    assert!(named == ["bob", "alice"] || named == ["alice", "bob"], "{named:?}");
    pair.bob.close();
    assert_eq!(failure(pair.bob.pair()).kind(), ErrorKind::Closed);
    assert_eq!(failure(pair.bob.unpair()).kind(), ErrorKind::Closed);
}

#[test]
fn one_that_is_not_registered_yet_asks_when_it_is() {
    let pair = Pair::new();
    let carol = node("carol", &pair.tracker).start().unwrap();
    carol.pair().unwrap();
    pair.alice.pair().unwrap();
    assert_eq!(paired(&carol).0, "alice");
}
