//! Nodes without a tracker.

use voip_core::{Audience, ErrorKind, Event, Node, Text};

use crate::harness::{Folder, LIMIT, await_event, incoming};

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

/// The next text that comes.
fn text(node: &Node) -> Text {
    await_event(node, |event| match event {
        Event::Text { text } => Some(text),
        _ => None,
    })
}

#[test]
fn texts_arrive_and_are_kept_for_the_next_start() {
    let folder = Folder::new();
    let (alice_key, history) = (folder.file("alice.key"), folder.file("alice.history"));
    let start_alice = || {
        let builder = Node::builder("alice").bind("127.0.0.1:0").mesh(true);
        builder.identity_file(&alice_key).history_file(&history).start().unwrap()
    };
    let alice = start_alice();
    let bob = node("bob", Some(&alice));
    joined(&alice, "bob");
    joined(&bob, "alice");
    let general = Audience::Room("general".into());
    bob.send_text(&general, "hello, all of you", LIMIT).unwrap();
    assert_eq!(text(&alice).text, "hello, all of you");
    let to_bob = alice.send_text(&Audience::Peer(bob.id()), "for you", LIMIT).unwrap();
    let came = text(&bob);
    assert_eq!((came.id, &*came.text, came.late), (to_bob, "for you", false));
    await_event(&alice, |event| match event {
        Event::TextDelivered { to, ids } if (to, &*ids) == (bob.id(), &[to_bob]) => Some(()),
        _ => None,
    });
    let bobs = bob.id();
    drop(alice);
    drop(bob);

    let alice = start_alice();
    let read = |of: &Audience| -> Vec<String> {
        let texts = alice.history(of, None, 10, LIMIT).unwrap();
        texts.into_iter().map(|text| text.text).collect()
    };
    assert_eq!(read(&general), ["hello, all of you"]);
    assert_eq!(read(&Audience::Peer(bobs)), ["for you"]);
}

#[test]
fn texts_that_are_none_are_refused() {
    let alice = node("alice", None);
    let too_long = "x".repeat(8 * 1024 + 1);
    for bad in ["", "bell \u{7}", "\u{1b}[2J", &too_long] {
        let refused = alice.send_text(&Audience::All, bad, LIMIT).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{bad:?}");
    }
    for room in ["", " ", "a\nb", "\u{202e}", &"r".repeat(65)] {
        let to = Audience::Room(room.to_owned());
        let refused = alice.send_text(&to, "hello", LIMIT).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{room:?}");
    }
    let oneself = alice.send_text(&Audience::Peer(alice.id()), "hello", LIMIT).unwrap_err();
    assert_eq!(oneself.kind(), ErrorKind::InvalidArgument);
    let mut sent = 0;
    let refused = loop {
        match alice.send_text(&Audience::All, "\u{1f600}", LIMIT) {
            Ok(_) => sent += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::Busy);
    assert!(sent >= 50, "{sent}");
    let outside = Node::builder("bob").bind("127.0.0.1:0").start().unwrap();
    let refused = outside.send_text(&Audience::All, "hello", LIMIT).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidState);
}
