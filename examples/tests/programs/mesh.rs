//! Peers without a tracker: A, B that links to A, C that links to B.

use std::fs;
use std::net::{TcpListener, UdpSocket};

use serde_json::Value;

use crate::harness::{Running, Scratch, run};

/// A port that is free for UDP and TCP.
fn free_port() -> String {
    let find = || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        TcpListener::bind(address).is_ok().then(|| address.port().to_string())
    };
    (0..16).find_map(|_| find()).unwrap()
}

fn arguments<'a>(name: &'a str, port: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let fixed = ["--host", "127.0.0.1", "--ephemeral", "--username", name, "--port", port];
    [&fixed, more].concat()
}

/// Starts a peer; its sound goes to a file.
fn start(scratch: &Scratch, name: &str, port: &str, more: &[&str]) -> Running {
    let heard = scratch.path(&format!("{name}.wav"));
    let running = Running::start(
        "peer",
        &arguments(name, port, &[more, &["--record", &heard]].concat()),
        scratch,
    );
    running.line_with(if more.contains(&"--json") { "\"started\"" } else { "your key is" });
    running
}

/// Alice, Bob, who links to her, and Carol, who links to him.
fn three(scratch: &Scratch) -> [Running; 3] {
    let [a, b, c] = [(); 3].map(|()| free_port());
    let alice = start(scratch, "alice", &a, &["--mesh"]);
    let bob = start(scratch, "bob", &b, &["--connect", &format!("127.0.0.1:{a}")]);
    bob.line_with("alice is here");
    let carol = start(scratch, "carol", &c, &["--connect", &format!("127.0.0.1:{b}")]);
    carol.lines_with(&["alice is here", "bob is here"]);
    alice.line_with("carol is here");
    bob.line_with("carol is here");
    [alice, bob, carol]
}

#[test]
fn texts_come_to_a_room_to_one_and_to_all() {
    let scratch = Scratch::new();
    let [mut alice, bob, mut carol] = three(&scratch);
    alice.type_line("send hello everybody");
    bob.line_with("[#general] alice: hello everybody");
    carol.line_with("[#general] alice: hello everybody");

    carol.type_line("msg alice only for you");
    alice.line_with("[to you] carol: only for you");
    carol.line_with("✓ alice has: only for you");

    // Bob stays in #general: what is said elsewhere he does not see, what is for all he does.
    alice.type_line("room dev");
    carol.type_line("room dev");
    carol.line_with("your room is #dev");
    alice.type_line("send of the refactoring");
    carol.line_with("[#dev] alice: of the refactoring");
    alice.type_line("all lunch\tis\tready");
    carol.line_with("[all] alice: lunch    is    ready");
    let next = bob.line_with("alice: ");
    assert_eq!(next, "[all] alice: lunch    is    ready");

    carol.type_line("rooms");
    carol.line_with("* #dev");
    carol.line_with("  #general");
    carol.type_line("history #general");
    assert!(carol.line_with("alice: hello everybody").starts_with("[#general, 20"));
    carol.type_line("history alice");
    assert!(carol.line_with("only for you").ends_with("carol: only for you ✓"));
    alice.type_line("history");
    alice.line_with("alice: of the refactoring");
    alice.type_line("peers");
    alice.line_with("  bob ");
}

#[test]
fn a_call_and_texts_go_on_when_the_one_between_is_killed() {
    let scratch = Scratch::new();
    let [mut alice, bob, mut carol] = three(&scratch);
    alice.type_line("call carol");
    carol.line_with("alice (");
    carol.type_line("answer");
    for peer in [&alice, &carol] {
        peer.line_with("connected with ");
    }
    // With SIGKILL.
    drop(bob);
    alice.type_line("send are you there?");
    carol.line_with("[#general] alice: are you there?");
    carol.type_line("msg alice I am");
    alice.line_with("[to you] carol: I am");
    alice.line_with("bob left");
    alice.type_line("hangup");
    carol.line_with("call with alice over: the peer hung up");
}

#[test]
fn texts_are_kept_in_their_file() {
    let scratch = Scratch::new();
    let (port, file) = (free_port(), scratch.path("texts"));
    let options = ["--mesh", "--history", &file];
    let mut alice = start(&scratch, "alice", &port, &options);
    alice.type_line("send to be kept");
    alice.type_line("history");
    alice.line_with("alice: to be kept");
    alice.type_line("quit");
    alice.ended();
    let mut alice = start(&scratch, "alice", &port, &options);
    alice.type_line("history");
    alice.line_with("alice: to be kept");
}

#[test]
fn namesakes_are_told_apart() {
    let scratch = Scratch::new();
    let [a, b, c] = [(); 3].map(|()| free_port());
    let mut alice = start(&scratch, "alice", &a, &["--mesh"]);
    let to = format!("127.0.0.1:{a}");
    let bobs = [&b, &c].map(|port| start(&scratch, "bob", port, &["--connect", &to]));
    alice.line_with("bob is here");
    let label = alice.line_with("bob#");
    let label = label.split(' ').next().unwrap();
    for (word, text) in [("msg", " hello"), ("call", "")] {
        alice.type_line(&format!("{word} bob{text}"));
        let refusal = alice.line_with("error: more than one is called bob; say which: bob#");
        assert!(refusal.contains(label), "{refusal} without {label}");
    }
    alice.type_line(&format!("msg {label} hello"));
    alice.line_with(&format!("✓ {label} has: hello"));
    drop(bobs);
}

#[test]
fn a_script_speaks_and_programs_read_json() {
    let scratch = Scratch::new();
    let [a, b] = [(); 2].map(|()| free_port());
    let alice = start(&scratch, "alice", &a, &["--mesh", "--json"]);
    let script = scratch.path("script");
    fs::write(&script, "# a comment\n\nroom dev\nsend from a script\nhelp\nrooms\nhistory\nquit\n")
        .unwrap();
    let to = format!("127.0.0.1:{a}");
    let options = ["--connect", &to, "--script", &script, "--json"];
    let outcome = run("peer", &arguments("bob", &b, &options), "dance\n", &scratch);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let lines: Vec<Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |event: &str| lines.iter().find(|line| line["event"] == event).unwrap();
    assert_eq!(of("started")["mesh"], true);
    assert_eq!(of("room")["room"], "dev");
    assert_eq!(of("sent")["to"]["room"], "dev");
    assert_eq!(of("sent")["seq"], 1);
    assert!(of("note")["message"].as_str().unwrap().contains("msg NAME TEXT"));
    assert_eq!(of("rooms")["rooms"], serde_json::json!(["dev", "general"]));
    assert_eq!(of("history")["texts"][0]["text"], "from a script");

    // Programs get every text, whatever the room.
    let text: Value = serde_json::from_str(&alice.line_with("\"event\":\"text\"")).unwrap();
    assert_eq!((&text["name"], &text["text"]), (&"bob".into(), &"from a script".into()));
    assert_eq!(text["to"]["room"], "dev");
    alice.line_with("\"left\"");
}

#[test]
fn what_cannot_be_used_is_named() {
    let scratch = Scratch::new();
    run("peer", &["--script", &scratch.path("none")], "", &scratch).failed_with(1, "none");
    run("peer", &["--connect", "nowhere"], "", &scratch).failed_with(2, "host:port");
}
