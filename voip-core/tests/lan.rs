//! Nodes of one network that find each other without having been told of anybody. In a file of its own, as it wants a network
//! for itself.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::process::Command;

use voip_core::{Audience, Duration, Event, Node};

const LIMIT: Duration = Duration::from_secs(20);

/// A network of this thread's own and of those that it makes: one cable with both ends here.
fn enter_network() {
    // SAFETY: it changes which network sockets made later belong to, and no memory.
    let entered = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    assert_eq!(entered, 0, "{}", std::io::Error::last_os_error());
    for arguments in [
        "link set lo up",
        "link add lan0 type veth peer name lan1",
        "address add 10.99.0.1/24 dev lan0",
        "link set lan0 up",
        "link set lan1 up",
    ] {
        assert!(Command::new("ip").args(arguments.split(' ')).status().unwrap().success());
    }
}

fn node(name: &str) -> Node {
    Node::builder(name).bind("10.99.0.1:0").mesh(true).start().unwrap()
}

#[test]
#[ignore = "needs root and ip"]
fn nodes_on_one_network_find_each_other() {
    enter_network();
    let (alice, bob) = (node("alice"), node("bob"));
    let joined = |node: &Node| {
        while let Some(event) = node.next_event(LIMIT) {
            if let Event::Joined { peer, .. } = event {
                return peer.name;
            }
        }
        panic!("nobody was found");
    };
    assert_eq!((joined(&alice), joined(&bob)), ("bob".into(), "alice".into()));
    bob.send_text(&Audience::All, "hello", LIMIT).unwrap();
    while let Some(event) = alice.next_event(LIMIT) {
        if let Event::Text { text } = event {
            return assert_eq!(text.text, "hello");
        }
    }
    panic!("no text came");
}

#[test]
#[ignore = "needs root and ip"]
fn who_does_not_want_to_be_found_is_not() {
    enter_network();
    let hidden = Node::builder("hidden").bind("10.99.0.1:0").mesh(true).lan(false).start().unwrap();
    let alice = node("alice");
    let seen = alice.next_event(Duration::from_secs(4));
    assert!(seen.is_none(), "{seen:?}");
    drop(hidden);
}
