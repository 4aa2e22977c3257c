//! A client in another language, written from `docs/tracker-protocol.md` alone, gets along with our
//! tracker, over all that its port takes.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use voip_core::{Tracker, TrackerStats};

fn is_there(program: &str, version: &str) -> bool {
    let is_there = Command::new(program).arg(version).output().is_ok();
    if !is_there {
        println!("skipped: there is no {program} here");
    }
    is_there
}

fn run(tracker: &Tracker, transport: &[&str]) -> TrackerStats {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tracker_client.py");
    let port = tracker.address().port().to_string();
    let run = Command::new("python3").args([script, "127.0.0.1", &port]).args(transport).output();
    let run = run.unwrap();
    assert!(run.status.success(), "{transport:?}: {}", String::from_utf8_lossy(&run.stderr));
    let stats = tracker.stats();
    tracker.close();
    assert_eq!((stats.accepted, stats.relayed), (2, 1), "{transport:?}");
    stats
}

#[test]
fn a_client_in_python_gets_along() {
    if is_there("python3", "--version") {
        let tracker = || Tracker::builder().relay(true).bind("127.0.0.1:0").start().unwrap();
        run(&tracker(), &["silent"]);
        run(&tracker(), &["frames"]);
        assert_eq!(run(&tracker(), &["websocket"]).websockets, 2);
    }
}

#[test]
fn a_client_in_python_gets_along_within_tls() {
    if is_there("python3", "--version") {
        let folder = std::env::temp_dir().join(format!("voip-python-{}", std::process::id()));
        let file = folder.join("tracker.pem");
        let tracker = || {
            let builder = Tracker::builder().relay(true).bind("127.0.0.1:0").tls_self_signed(&file);
            builder.require_tls(true).start().unwrap()
        };
        let certificate = file.to_str().unwrap();
        assert_eq!(run(&tracker(), &["silent", certificate]).tls, 2);
        assert_eq!(run(&tracker(), &["frames", certificate]).tls, 2);
        let stats = run(&tracker(), &["websocket", certificate]);
        assert_eq!((stats.tls, stats.websockets), (2, 2));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

/// The tracker's greeting as `openssl s_client` shows it.
#[test]
fn openssl_gets_along_and_hashes_the_key_alike() {
    if !is_there("openssl", "version") {
        return;
    }
    let folder = std::env::temp_dir().join(format!("voip-openssl-{}", std::process::id()));
    let file = folder.join("tracker.pem");
    let tracker =
        Tracker::builder().relay(true).bind("127.0.0.1:0").tls_self_signed(&file).start().unwrap();
    let (address, certificate) = (tracker.address().to_string(), file.to_str().unwrap());
    let options = ["-tls1_3", "-verify_return_error", "-quiet", "-CAfile", certificate];
    let mut client = Command::new("openssl")
        .args(["s_client", "-connect", &address])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    client.stdin.as_mut().unwrap().write_all(&[0]).unwrap();
    let mut greeting = vec![0; 4];
    let output = client.stdout.as_mut().unwrap();
    output.read_exact(&mut greeting).unwrap();
    let length = u32::from_be_bytes(greeting[..4].try_into().unwrap());
    greeting.resize(length as usize, 0);
    output.read_exact(&mut greeting).unwrap();
    client.kill().unwrap();
    client.wait().unwrap();
    let greeting = String::from_utf8(greeting).unwrap();
    assert!(greeting.starts_with(r#"{"type":"hello""#), "{greeting}");

    let script = r#"openssl x509 -in "$0" -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -r"#;
    let hash = Command::new("sh").args(["-c", script, certificate]).output().unwrap();
    let hash = String::from_utf8(hash.stdout).unwrap();
    assert_eq!(hash.split_whitespace().next(), tracker.key_sha256());
    std::fs::remove_dir_all(&folder).unwrap();
}
