//! What a node cannot be told: every mistake is said at the start, and the field is named.

use crate::harness::{failure, ms};
use voip_core::{
    Audio, Duration, EncoderConfig, Error, ErrorKind, JitterConfig, Node, NodeBuilder, Tracker,
};

fn builder() -> NodeBuilder {
    Node::builder("alice").bind("127.0.0.1:0")
}

fn encoder(change: impl Fn(&mut EncoderConfig)) -> NodeBuilder {
    let mut config = EncoderConfig::default();
    change(&mut config);
    builder().encoder(config)
}

fn jitter(change: impl Fn(&mut JitterConfig)) -> NodeBuilder {
    let mut config = JitterConfig::default();
    change(&mut config);
    builder().jitter(config)
}

fn error_of(builder: NodeBuilder) -> Error {
    failure(builder.start())
}

#[test]
fn a_value_out_of_range_is_refused_by_the_name_of_its_field() {
    let manual = |rate| builder().audio(Audio::Manual { rate });
    for (field, builder) in [
        ("audio", manual(0)),
        ("audio", manual(7_999)),
        ("audio", manual(192_001)),
        ("ring_timeout", builder().ring_timeout(ms(999))),
        ("ring_timeout", builder().ring_timeout(Duration::from_secs(601))),
        ("ring_timeout", builder().ring_timeout(Duration::MAX)),
        ("max_calls", builder().max_calls(0)),
        ("max_calls", builder().max_calls(33)),
        ("bitrate", encoder(|e| e.bitrate = 5_999)),
        ("bitrate", encoder(|e| e.bitrate = 510_001)),
        ("complexity", encoder(|e| e.complexity = 11)),
        ("expected_loss", encoder(|e| e.expected_loss = 101)),
        ("max_delay", jitter(|j| j.max_delay = ms(601))),
        ("min_delay", jitter(|j| j.min_delay = j.max_delay + ms(1))),
        ("quality", jitter(|j| j.quality = 1_001)),
    ] {
        let error = error_of(builder);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert!(error.message().starts_with(field), "{field}: {error}");
    }
}

#[test]
fn names_are_what_people_can_see_and_type() {
    let named = |name: &str| Node::builder(name).bind("127.0.0.1:0").start();
    for name in ["", " alice", "alice ", "al\nice", "al\u{200b}ice", "al\0ice", &"x".repeat(65)] {
        let error = failure(named(name));
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{name:?}");
        assert!(error.message().starts_with("name"), "{error}");
    }
    for name in ["a", "Ålice de la Cruz", "愛麗絲", &"x".repeat(64)] {
        assert_eq!(named(name).unwrap().name(), name);
    }
}

#[test]
fn trackers_are_host_and_port_and_sixteen_at_most() {
    for address in [
        "",
        "localhost",
        ":6000",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:port",
        "http://localhost:6000",
        "local host:6000",
        "127.0.0.1:6000\n",
    ] {
        let error = error_of(builder().tracker(address));
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{address:?}");
        assert!(error.message().starts_with("tracker"), "{error}");
    }
    let many = |count: u16| (1..=count).fold(builder(), |b, i| b.tracker(format!("127.0.0.1:{i}")));
    many(16).start().unwrap();
    assert!(error_of(many(17)).message().contains("16"));
    let twice = builder().tracker("localhost:6000").tracker("localhost:6000");
    assert!(error_of(twice).message().contains("twice"));
}

#[test]
fn where_a_node_can_be_bound() {
    for address in ["", "localhost:0", "127.0.0.1", "127.0.0.1:65536", "::1:0", "192.0.2.1:0"] {
        let error = error_of(Node::builder("alice").bind(address));
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{address:?}: {error}");
        assert!(error.message().starts_with("bind"), "{error}");
    }
    let first = builder().start().unwrap();
    let error = error_of(builder().bind(first.local_address().to_string()));
    assert_eq!(error.kind(), ErrorKind::AddressInUse);
    assert!(error.message().contains(&first.local_address().to_string()), "{error}");
    let port = first.local_address().port();
    drop(first);
    builder().bind(format!("127.0.0.1:{port}")).start().unwrap();
}

#[test]
fn where_a_tracker_can_listen() {
    let at = |address: &str| Tracker::builder().bind(address).start();
    for address in ["", "127.0.0.1", "127.0.0.1:65536", "192.0.2.1:0"] {
        let error = failure(at(address));
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{address:?}: {error}");
    }
    let first = at("127.0.0.1:0").unwrap();
    let error = failure(at(&first.address().to_string()));
    assert_eq!(error.kind(), ErrorKind::AddressInUse);
}

#[test]
fn limits_and_relays_are_checked_at_the_start() {
    let refused = |error: Error, field: &str| {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert!(error.message().starts_with(field), "{field}: {error}");
    };
    let tracker = || Tracker::builder().bind("127.0.0.1:0");
    refused(failure(tracker().relay_address("example.org").start()), "relay_address");
    let nine = (0..8).fold(tracker(), |tracker, _| tracker.also_bind("127.0.0.1:0"));
    refused(failure(nine.start()), "also_bind");
    for value in [0, u32::MAX] {
        refused(failure(tracker().max_per_address(value).start()), "max_per_address");
        refused(failure(tracker().connection_rate(value).start()), "connection_rate");
        refused(failure(tracker().request_rate(value).start()), "request_rate");
        refused(failure(tracker().stun_rate(value).start()), "stun_rate");
        refused(failure(tracker().relay_bitrate(value).start()), "relay_bitrate");
    }
    let long = "x".repeat(509);
    for (uri, username, password) in [
        ("example.org", "alice", "secret"),
        ("stun:example.org", "alice", "secret"),
        ("turns:example.org?transport=udp", "alice", "secret"),
        ("turn:127.0.0.1", "", "secret"),
        ("turn:127.0.0.1", "alice", long.as_str()),
    ] {
        refused(error_of(builder().turn_server(uri, username, password)), "turn_server");
    }
    let five = (0..5).fold(builder(), |node, _| node.turn_server("turn:127.0.0.1", "a", "b"));
    refused(error_of(five), "turn_server");
}

#[test]
fn names_are_checked_wherever_they_are_given() {
    let node = builder().start().unwrap();
    for name in ["", "al\nice"] {
        assert_eq!(failure(node.place(name)).kind(), ErrorKind::InvalidArgument);
        let accepted = node.accept_key(name, node.id());
        assert_eq!(failure(accepted).kind(), ErrorKind::InvalidArgument);
    }
}
