//! A tracker that has no descriptor left: those connected notice nothing, nobody is kept waiting,
//! and the thread does not spin. In a file of its own, as it takes the whole process's descriptors.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use voip_core::Tracker;

const LIMIT: Duration = Duration::from_secs(20);

/// Takes descriptors until the system has no more, or it seems to have no end of them.
fn take_all_descriptors() -> Option<Vec<File>> {
    let mut taken = Vec::new();
    while taken.len() < 200_000 {
        match File::open("/dev/null") {
            Ok(file) => taken.push(file),
            Err(_) => return Some(taken),
        }
    }
    None
}

/// The next message; empty when the connection has ended.
fn message_on(mut stream: &TcpStream) -> String {
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut header = [0; 4];
    if stream.read_exact(&mut header).is_err() {
        return String::new();
    }
    let mut content = vec![0; u32::from_be_bytes(header) as usize];
    stream.read_exact(&mut content).unwrap();
    String::from_utf8(content).unwrap()
}

fn answers_pings(mut stream: &TcpStream) -> bool {
    let ping = br#"{"type":"ping","id":1}"#;
    stream.write_all(&[&(ping.len() as u32).to_be_bytes()[..], ping].concat()).unwrap();
    message_on(stream).contains("pong")
}

#[test]
fn without_descriptors_accepting_pauses_and_goes_on_later() {
    let tracker = Tracker::builder().bind("127.0.0.1:0").start().unwrap();
    let address = tracker.address();
    let connected = TcpStream::connect(address).unwrap();
    assert!(message_on(&connected).contains("hello"));

    let Some(mut taken) = take_all_descriptors() else {
        println!("skipped: this system has more descriptors than the test wants to take");
        return;
    };
    // One for our end of a connection; the tracker finds none for its own.
    taken.pop();
    let turned_away = TcpStream::connect(address).unwrap();
    assert_eq!(message_on(&turned_away), "", "closed, and not left hanging");
    let pauses = tracker.stats().accept_pauses;
    assert!(pauses >= 1);

    assert!(answers_pings(&connected), "those connected notice nothing");

    drop(taken);
    assert!(message_on(&TcpStream::connect(address).unwrap()).contains("hello"));
    assert!(tracker.stats().accept_pauses <= pauses + 1, "no busy loop");
}
