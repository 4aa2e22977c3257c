//! Nodes without a tracker.

use voip_core::{ErrorKind, Event, Node};

use crate::harness::{LIMIT, await_event, incoming};

/// A node that begins with another one.
fn node(name: &str, to: Option<&Node>) -> Node {
    let builder = Node::builder(name).bind("127.0.0.1:0").mesh(true);
    let builder = match to {
        Some(node) => builder.connect(node.local_address().to_string()),
        None => builder,
    };
    builder.start().unwrap()
}

/// Reads events until somebody of that name is there.
fn joined(node: &Node, who: &str) {
    await_event(node, |event| match event {
        Event::Joined { peer, .. } if peer.name == who => Some(()),
        _ => None,
    });
}

#[test]
fn peers_that_know_each_other_by_another_call_without_a_tracker() {
    let alice = node("alice", None);
    let bob = node("bob", Some(&alice));
    joined(&bob, "alice");
    let carol = node("carol", Some(&bob));
    joined(&carol, "alice");
    joined(&alice, "carol");

    let names = |node: &Node| -> Vec<String> {
        node.peers(LIMIT).unwrap().into_iter().map(|peer| peer.name).collect()
    };
    assert_eq!(names(&alice), ["alice", "bob", "carol"]);
    let at_alice = alice.place("carol").unwrap();
    let at_carol = incoming(&carol);
    assert_eq!(at_carol.peer().name, "alice");
    // Whoever carried the signals is not needed for the call.
    drop(bob);
    at_carol.answer().unwrap();
    at_alice.wait_connected(LIMIT).unwrap();
    at_carol.wait_connected(LIMIT).unwrap();
    assert_eq!(at_alice.verification_words(), at_carol.verification_words());
}

#[test]
fn a_node_is_told_of_others_while_it_runs() {
    let (alice, bob) = (node("alice", None), node("bob", None));
    bob.connect(&alice.local_address().to_string()).unwrap();
    joined(&bob, "alice");
    let here = alice.local_address();
    drop(alice);
    await_event(&bob, |event| match event {
        Event::Left { name, .. } if name == "alice" => Some(()),
        _ => None,
    });
    // Who comes to the same place later is found there.
    let builder = Node::builder("alba").bind(here.to_string()).mesh(true);
    let alba = builder.start().unwrap();
    bob.connect(&here.to_string()).unwrap();
    joined(&bob, "alba");
    joined(&alba, "bob");
}

#[test]
fn addresses_that_are_none_are_refused() {
    let alice = node("alice", None);
    for bad in ["", "host", "host:", "host:0x10", "tls://host:1", "a b:1"] {
        assert_eq!(alice.connect(bad).unwrap_err().kind(), ErrorKind::InvalidArgument, "{bad:?}");
        let built = Node::builder("bob").connect(bad).start();
        assert_eq!(built.unwrap_err().kind(), ErrorKind::InvalidArgument, "{bad:?}");
    }
    let outside = Node::builder("carol").bind("127.0.0.1:0").start().unwrap();
    assert_eq!(outside.connect("127.0.0.1:1").unwrap_err().kind(), ErrorKind::InvalidState);
    let many = (1..=65).fold(Node::builder("dave"), |b, n| b.connect(format!("127.0.0.1:{n}")));
    assert_eq!(many.start().unwrap_err().kind(), ErrorKind::InvalidArgument);
    // The port is taken by TCP, too.
    let taken = Node::builder("erin").bind(alice.local_address().to_string()).mesh(true).start();
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::AddressInUse);
}
