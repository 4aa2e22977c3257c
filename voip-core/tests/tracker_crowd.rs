//! A crowd that begins to shake hands over TLS and never ends: real sockets, in a file of their own as
//! they take most of a process's descriptors. The same on a simulated clock is among the unit tests.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::io::{Read, Write};
use std::net::TcpStream;

use voip_core::{Audio, Duration, Node, Tracker};

const LIMIT: Duration = Duration::from_secs(30);

/// A record that announces a ClientHello of 508 bytes, and a part of it.
fn half_a_client_hello() -> Vec<u8> {
    let mut hello = vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    hello.resize(200, 7);
    hello
}

#[test]
#[ignore = "takes the ten seconds that a tracker waits for registrations"]
fn a_crowd_in_the_middle_of_its_handshakes_disturbs_nobody_and_is_dropped() {
    let file = std::env::temp_dir().join(format!("voip-crowd-{}", std::process::id()));
    let builder = Tracker::builder().bind("127.0.0.1:0").tls_self_signed(file.join("tracker.pem"));
    let tracker = builder.require_tls(true).start().unwrap();
    std::fs::remove_dir_all(&file).unwrap();
    let key = tracker.key_sha256().unwrap();
    let address = format!("tls://{}#sha256={key}", tracker.address());
    let node = |name: &str| {
        let builder = Node::builder(name).tracker(&address).bind("127.0.0.1:0").audio(Audio::Null);
        let node = builder.auto_answer(true).start().unwrap();
        node.wait_registered(LIMIT).unwrap();
        node
    };
    let alice = node("alice");

    let hello = half_a_client_hello();
    let mut crowd = Vec::new();
    while crowd.len() < 3_000 {
        let Ok(mut stream) = TcpStream::connect(tracker.address()) else { break };
        if stream.write_all(&hello).is_err() {
            break;
        }
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        crowd.push(stream);
    }
    println!("{} connections", crowd.len());
    // A descriptor for each end may be more than there are: then some make room.
    crowd.truncate(crowd.len() - crowd.len() / 20);

    let bob = node("bob");
    assert_eq!(alice.peers(LIMIT).unwrap().len(), 2);
    alice.call("bob", LIMIT).unwrap().wait_connected(LIMIT).unwrap();
    assert_eq!(bob.peers(LIMIT).unwrap().len(), 2);
    for stream in &mut crowd {
        let mut told = Vec::new();
        let ended = stream.read_to_end(&mut told);
        let is_over = |e: &std::io::Error| e.kind() == std::io::ErrorKind::ConnectionReset;
        assert!(ended.is_ok() || ended.as_ref().is_err_and(is_over), "{ended:?}");
        assert!(told.len() <= 7, "no more than the alert that it is closed: {told:?}");
    }
    let stats = tracker.stats();
    assert!(stats.timeouts >= crowd.len() as u64, "{stats:?}");
    assert_eq!((stats.online, stats.tls), (2, 2));
}
