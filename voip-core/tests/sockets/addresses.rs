//! IPv4, IPv6, both; a name of a tracker of which one address refuses.

use std::net::{TcpStream, ToSocketAddrs, UdpSocket};

use crate::harness::{LIMIT, online};
use voip_core::{CallStats, Node, NodeBuilder, Tracker};

fn has_ipv6() -> bool {
    let there = UdpSocket::bind("[::1]:0").is_ok();
    if !there {
        println!("skipped: no IPv6 here");
    }
    there
}

/// A call between two nodes made alike; the caller's statistics once sound has come.
fn call_between(tracker: &str, change: impl Fn(NodeBuilder) -> NodeBuilder) -> CallStats {
    let start = |name: &str| online(change(Node::builder(name).tracker(tracker)).auto_answer(true));
    let (alice, bob) = (start("alice"), start("bob"));
    let call = alice.call("bob", LIMIT).unwrap();
    crate::harness::until(&call, || {
        let stats = call.stats();
        stats.packets_received > 0 && stats.path.is_some()
    });
    drop(bob);
    call.stats()
}

fn tracker_at(address: &str) -> Tracker {
    Tracker::builder().bind(address).start().unwrap()
}

#[test]
fn a_call_over_ipv6_alone() {
    if !has_ipv6() {
        return;
    }
    let tracker = tracker_at("[::1]:0");
    let stats = call_between(&tracker.address().to_string(), |b| b.bind("[::1]:0"));
    let (local, remote) = stats.path.unwrap();
    assert!(local.is_ipv6() && remote.ip().is_loopback(), "{local} {remote}");
}

#[test]
fn by_default_both_families_share_one_port() {
    let tracker = tracker_at("127.0.0.1:0");
    let node = Node::builder("alice").start().unwrap();
    let address = node.local_address();
    assert!(address.ip().is_unspecified());
    assert!(UdpSocket::bind(("127.0.0.1", address.port())).is_err(), "taken");
    if has_ipv6() {
        assert!(UdpSocket::bind(("::1", address.port())).is_err(), "taken");
    }
    drop(node);
    call_between(&tracker.address().to_string(), |b| b);
}

#[test]
fn a_node_on_one_family_meets_a_tracker_on_the_other() {
    if !has_ipv6() {
        return;
    }
    let tracker = tracker_at("127.0.0.1:0");
    call_between(&tracker.address().to_string(), |b| b.bind("[::1]:0"));
}

#[test]
fn a_name_is_tried_at_all_its_addresses() {
    if !has_ipv6() {
        return;
    }
    // Where `localhost` is both, one of these refuses at the first address.
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let tracker = tracker_at(address);
        let port = tracker.address().port();
        let other = if address.starts_with('[') { "127.0.0.1" } else { "::1" };
        if TcpStream::connect((other, port)).is_ok() {
            continue;
        }
        let known = ("localhost", port).to_socket_addrs().unwrap().any(|a| a == tracker.address());
        if !known {
            println!("skipped: localhost is not {address}");
            continue;
        }
        online(Node::builder("alice").tracker(format!("localhost:{port}")));
    }
}
