//! Two strangers in two terminals.

use crate::harness::{Running, Scratch};
use crate::{tracker, tracker_with};

fn start(name: &str, address: &str, more: &[&str], scratch: &Scratch) -> Running {
    let fixed = ["--host", "127.0.0.1", "--ephemeral", "--tracker", address];
    let heard = scratch.path(&format!("{name}.wav"));
    let who = ["--username", name, "--record", &heard];
    let running = Running::start("peer", &[&fixed, &who[..], more].concat(), scratch);
    running.line_with("registered");
    running
}

#[test]
fn two_strangers_find_each_other_and_talk() {
    let scratch = Scratch::new();
    let (tracker, address) = tracker_with(&["--log"], &scratch);
    let [mut alice, mut bob] =
        ["alice", "bob"].map(|name| start(name, &address, &["--auto-answer"], &scratch));
    alice.type_line("pair");
    alice.line_with("waiting for a peer");
    alice.type_line("unpair");
    alice.line_with("not waiting");
    tracker.line_with("\"unpaired\"");
    bob.type_line("pair");
    bob.line_with("waiting for a peer");
    alice.type_line("pair");
    tracker.line_with(") are a pair");
    alice.line_with("got bob");
    bob.line_with("got alice");
    alice.line_with("connected with bob");
    bob.line_with("connected with alice");
    alice.type_line("pair");
    alice.line_with("error: you are in a call");
    alice.type_line("hangup");
    bob.line_with("call with alice over: the peer hung up");
    // Nobody waits any more: a third one does not get either of them.
    let mut carol = start("carol", &address, &[], &scratch);
    carol.type_line("pair");
    carol.line_with("waiting for a peer");
    bob.type_line("pair");
    carol.line_with("got bob");
}

#[test]
fn a_script_that_pairs_stays_for_the_call() {
    let scratch = Scratch::new();
    let (_tracker, address) = tracker(&scratch);
    let mut peers = ["alice", "bob"].map(|name| start(name, &address, &["--json"], &scratch));
    for peer in &mut peers {
        peer.type_line("pair");
        peer.line_with("\"pairing\"");
    }
    let calls = |peer: &Running| peer.line_with("\"paired\"").contains("\"calls\":true");
    let [alice_calls, bob_calls] = [calls(&peers[0]), calls(&peers[1])];
    assert!(alice_calls != bob_calls, "exactly one calls");
    let [mut caller, mut callee] = peers;
    if bob_calls {
        std::mem::swap(&mut caller, &mut callee);
    }
    caller.line_with("\"placed\"");
    callee.line_with("\"incoming\"");
    callee.type_line("answer");
    caller.line_with("\"connected\"");
}
