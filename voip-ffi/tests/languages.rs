//! The same script in Rust, C and Python, each language calling each: `tests/languages/README.md`.
//!
//! Python takes part when `VOIP_PYTHON` names an interpreter that has the module, as in `make test`.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::disallowed_methods, reason = "tests are the side of the user")]
#![cfg(target_os = "linux")]

#[path = "languages/actor.rs"]
mod actor;
#[path = "support/cc.rs"]
mod cc;
#[path = "../../tests/languages/scripted_peer.rs"]
mod scripted_peer;

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::thread;

use actor::{Actor, Language};
use voip_core::Tracker;

fn tracker() -> Tracker {
    Tracker::builder().bind("127.0.0.1:0").start().unwrap()
}

/// What caller and callee say when Bob takes the call in that way.
fn call(caller: Language, callee: Language, how: &str) -> [Vec<String>; 2] {
    let tracker = tracker();
    let address = tracker.address().to_string();
    let bob = Actor::start(callee, &address, "bob", &["--role", "callee", "--how", how]);
    let bob = bob.ready();
    let alice = Actor::start(caller, &address, "alice", &["--role", "caller", "--target", "bob"]);
    [alice.finish(), bob.finish()]
}

/// What a caller of any language says when nobody is there to take the call.
fn call_nobody(caller: Language, tracker: &str, options: &[&str]) -> Vec<String> {
    let options = [&["--role", "caller", "--target", "bob"], options].concat();
    Actor::start(caller, tracker, "alice", &options).finish()
}

fn expect_of_every_pair(how: &str, caller_says: &[&str], callee_says: &[&str]) {
    let languages = Language::all();
    let pairs: Vec<_> =
        languages.iter().flat_map(|a| languages.iter().map(move |b| (*a, *b))).collect();
    let said: BTreeMap<_, _> = thread::scope(|scope| {
        let calls: Vec<_> = pairs
            .into_iter()
            .map(|(a, b)| (format!("{a:?} calls {b:?}"), scope.spawn(move || call(a, b, how))))
            .collect();
        calls.into_iter().map(|(pair, call)| (pair, call.join().unwrap())).collect()
    });
    for (pair, [alice, bob]) in said {
        assert_eq!(alice, caller_says, "{pair}, {how}: the caller");
        assert_eq!(bob, callee_says, "{pair}, {how}: the callee");
    }
}

#[test]
fn a_call_is_listed_made_answered_muted_and_hung_up() {
    expect_of_every_pair(
        "answer",
        &["ready", "listed alice bob", "answered", "ended hung_up", "heard yes"],
        &[
            "ready",
            "incoming alice",
            "peer muted",
            "peer unmuted",
            "ended peer_hung_up",
            "heard yes",
        ],
    );
}

#[test]
fn a_call_is_declined() {
    expect_of_every_pair(
        "decline",
        &["ready", "listed alice bob", "error declined"],
        &["ready", "incoming alice", "ended hung_up"],
    );
}

#[test]
fn a_peer_is_busy() {
    expect_of_every_pair(
        "busy",
        &["ready", "listed alice bob", "error busy"],
        &["ready", "incoming alice", "ended hung_up"],
    );
}

#[test]
fn nobody_answers() {
    expect_of_every_pair(
        "ignore",
        &["ready", "listed alice bob", "error no_answer"],
        &["ready", "incoming alice", "ended missed"],
    );
}

#[test]
fn nobody_of_that_name_is_there_and_no_tracker_either() {
    let tracker = tracker();
    let there = tracker.address().to_string();
    // A port that nobody listens at, nor can while it is the near end of a connection.
    let far = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(far.local_addr().unwrap()).unwrap();
    let gone = near.local_addr().unwrap().to_string();
    for language in Language::all() {
        let said = call_nobody(language, &there, &[]);
        assert_eq!(said, ["ready", "listed alice", "error unknown_peer"], "{language:?}");
        let said = call_nobody(language, &gone, &["--unregistered"]);
        assert_eq!(said, ["ready", "error tracker_unreachable"], "{language:?}");
    }
}
