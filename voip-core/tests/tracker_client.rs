//! A client in another language, written from `docs/tracker-protocol.md` alone, gets along with our
//! tracker.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use voip_core::Tracker;

#[test]
fn a_client_in_python_gets_along() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: there is no python3 here");
        return;
    }
    let tracker = Tracker::builder().bind("127.0.0.1:0").start().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tracker_client.py");
    let port = tracker.address().port().to_string();
    let run = Command::new("python3").args([script, "127.0.0.1", &port]).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(tracker.stats().relayed, 1);
}
