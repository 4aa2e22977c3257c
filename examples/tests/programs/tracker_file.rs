//! The tracker's file: it is obeyed, flags win over it, and a bad one is refused.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use crate::harness::{Running, Scratch, run};
use crate::nobody;

/// The file in docs/tracker.md, as it is printed there but for these lines.
fn example(scratch: &Scratch, changes: &[(&str, &str)]) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tracker.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let mut text = rest.split_once("```").unwrap().0.to_owned();
    for (printed, changed) in changes {
        assert_eq!(text.matches(printed).count(), 1, "{printed}");
        text = text.replace(printed, changed);
    }
    let file = scratch.path("tracker.toml");
    fs::write(&file, text).unwrap();
    file
}

/// What a tracker says to who connects and says nothing, up to the end or to a greeting.
fn first_words(connection: &mut TcpStream) -> String {
    connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut length = [0; 4];
    connection.read_exact(&mut length).unwrap();
    let mut text = vec![0; u32::from_be_bytes(length) as usize];
    connection.read_exact(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn the_example_is_obeyed_and_flags_win() {
    let scratch = Scratch::new();
    let address = nobody();
    let port = format!("port = {}", address.rsplit_once(':').unwrap().1);
    let changes = [
        ("host = \"0.0.0.0\"", "host = \"127.0.0.1\""),
        ("port = 6000", &port),
        ("max_connections = 10000", "max_connections = 1"),
    ];
    let file = example(&scratch, &changes);
    let tracker = Running::start("tracker", &["--config", &file], &scratch);
    tracker.line_with(&format!("tracker on {address},"));
    let mut connections = [&address; 2].map(|address| TcpStream::connect(address).unwrap());
    let said = connections.each_mut().map(first_words);
    assert!(said[0].contains("hello") && said[1].contains("too many connections"), "{said:?}");

    let flags = ["--config", &file, "--port", "0", "--max-connections", "2"];
    let tracker = Running::start("tracker", &flags, &scratch);
    let line = tracker.line_with("tracker on 127.0.0.1:");
    let elsewhere = line.trim_start_matches("tracker on ").split(',').next().unwrap();
    assert_ne!(elsewhere, address);
    let mut connections = [elsewhere; 3].map(|address| TcpStream::connect(address).unwrap());
    let said = connections.each_mut().map(first_words);
    assert!(said[1].contains("hello") && said[2].contains("too many connections"), "{said:?}");
}

#[test]
fn a_bad_file_is_refused_with_a_sentence() {
    let scratch = Scratch::new();
    let refused = |status, file: &str, what: &str| {
        let outcome = run("tracker", &["--config", file], "", &scratch);
        outcome.failed_with(status, file);
        outcome.failed_with(status, what);
    };
    refused(1, &scratch.path("missing.toml"), "missing.toml: ");
    for (printed, changed, what) in [
        ("port = 6000", "port = ", "line "),
        ("port = 6000", "prot = 6000", "unknown field `prot`"),
        (
            "request_rate = 20",
            "request_rate = 0",
            "0 is out of range, 1 to 10000, in `request_rate`",
        ),
        ("bitrate = 100000", "bitrate = \"fast\"", "in `relay.bitrate`"),
        ("require_tls = false", "require_tls = true", "require_tls: there is no certificate"),
    ] {
        refused(2, &example(&scratch, &[(printed, changed)]), what);
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_shows_how_the_tracker_does_and_a_second_one_ends_it() {
    let scratch = Scratch::new();
    let start = || Running::start("tracker", &["--host", "127.0.0.1", "--port", "0"], &scratch);
    let mut tracker = start();
    let line = tracker.line_with("tracker on ");
    let address = line.trim_start_matches("tracker on ").split(',').next().unwrap().to_owned();
    let connection = TcpStream::connect(&address).unwrap();
    assert!(first_words(&mut { connection }).contains("hello"));
    tracker.signal("INT");
    assert!(tracker.line_with("tracker on ").contains(&format!("{address}, 0 online")));
    assert!(tracker.line_with("accepted").starts_with("accepted 1 connections"));
    assert!(TcpStream::connect(&address).is_ok(), "it goes on");
    tracker.signal("INT");
    tracker.line_with("accepted 2 connections");
    assert_eq!(tracker.wait(), Some(0));
    let mut tracker = start();
    tracker.line_with("tracker on ");
    tracker.signal("TERM");
    tracker.line_with("accepted 0 connections");
    assert_eq!(tracker.wait(), Some(0));
}
