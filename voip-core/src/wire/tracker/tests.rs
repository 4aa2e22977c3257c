#![allow(clippy::unwrap_used)]
use super::*;
use crate::id::CallId;
use crate::wire::framing::MAX_FRAME;
use crate::wire::record::MAX_RECORD;
use crate::wire::sealed::Sealed;
use proptest::prelude::*;

fn record(body: &str) -> SealedRecord {
    Sealed::from_parts(body.to_owned(), Signature([0x5a; 64]))
}

fn entry(body: &str) -> Entry {
    Entry { record: record(body), since: UnixMillis(1_700_000_000_000) }
}

fn written(message: &TrackerMessage) -> String {
    String::from_utf8(message.to_frame().split_off(4)).unwrap()
}

fn requests() -> Vec<PeerMessage> {
    let (version, signature) = (PROTOCOL_VERSION, Signature([0xa5; 64]));
    let signal = Sealed::from_parts("{\"kind\":\"bye\"}".into(), signature);
    vec![
        PeerMessage::Register { id: 1, version, record: record("{}"), signature },
        PeerMessage::Leave { id: 2 },
        PeerMessage::List { id: 3, after: None, limit: None },
        PeerMessage::List { id: 3, after: Some("a \"b\"".into()), limit: Some(7) },
        PeerMessage::Lookup { id: 4, target: Target::Name("alice".into()) },
        PeerMessage::Lookup { id: 4, target: Target::Peer(PeerId([1; 32])) },
        PeerMessage::Subscribe { id: 5 },
        PeerMessage::Signal { id: 6, to: PeerId([2; 32]), signal },
        PeerMessage::Relay { id: 7, call: CallId([3; 16]), peer: PeerId([2; 32]) },
        PeerMessage::Pair { id: 8 },
        PeerMessage::Unpair { id: 9 },
        PeerMessage::Ping { id: u32::MAX },
    ]
}

fn answers() -> Vec<TrackerMessage> {
    let (peer, online) = (PeerId([1; 32]), 2);
    let signal = Sealed::from_parts("{}".into(), Signature([1; 64]));
    let observed = "[2001:db8::1]:6000".parse().unwrap();
    let message = "wait".to_owned();
    vec![
        TrackerMessage::Hello { version: 1, nonce: Bytes32([7; 32]), time: UnixMillis(5) },
        TrackerMessage::Registered { id: 1, observed, online, relay: false },
        TrackerMessage::Registered { id: 1, observed, online, relay: true },
        TrackerMessage::Goodbye { id: 1 },
        TrackerMessage::Peers { id: 1, peers: vec![entry("{}"), entry("[]")], next: None },
        TrackerMessage::Peers { id: 1, peers: vec![], next: Some("bob".into()) },
        TrackerMessage::Found { id: 1, peer: entry("{}") },
        TrackerMessage::NotFound { id: 1 },
        TrackerMessage::Subscribed { id: 1, online },
        TrackerMessage::Joined { peer: entry("{}"), online },
        TrackerMessage::Changed { peer: entry("{}") },
        TrackerMessage::Left { peer, name: "bob".into(), online },
        TrackerMessage::Relayed { id: 1 },
        TrackerMessage::Undeliverable { id: 1, to: peer },
        TrackerMessage::Signal { from: peer, signal },
        TrackerMessage::Relay { id: 1, username: "a".into(), password: "b".into(), lifetime: 600 },
        TrackerMessage::Pairing { id: 1 },
        TrackerMessage::Paired { peer: entry("{}") },
        TrackerMessage::Unpaired { id: 1 },
        TrackerMessage::Pong { id: 1 },
        TrackerMessage::Error {
            id: Some(1),
            code: ErrorCode::RateLimited,
            message: message.clone(),
        },
        TrackerMessage::Error { id: None, code: ErrorCode::Full, message },
    ]
}

#[test]
fn every_message_is_read_as_it_was_written() {
    for message in requests() {
        assert_eq!(PeerMessage::parse(&message.to_frame()[4..]), Ok(message));
    }
    for message in answers() {
        assert_eq!(TrackerMessage::parse(&message.to_frame()[4..]), Ok(message));
    }
}

#[test]
fn messages_look_like_the_document_says() {
    let lookup = PeerMessage::Lookup { id: 4, target: Target::Name("alice".into()) };
    assert_eq!(&lookup.to_frame()[4..], br#"{"type":"lookup","id":4,"name":"alice"}"#);
    let error = TrackerMessage::Error { id: None, code: ErrorCode::NameTaken, message: "m".into() };
    assert_eq!(written(&error), r#"{"type":"error","code":"name_taken","message":"m"}"#);
}

/// Every kind of message stands in the document, spelled as it travels.
#[test]
fn the_protocol_document_has_every_message_and_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tracker-protocol.md");
    let document = std::fs::read_to_string(path).unwrap();
    let frames = requests().into_iter().map(|m| m.to_frame());
    for frame in frames.chain(answers().into_iter().map(|m| m.to_frame())) {
        let message: serde_json::Value = serde_json::from_slice(&frame[4..]).unwrap();
        let kind = message["type"].as_str().unwrap();
        assert!(document.contains(&format!("\"type\":\"{kind}\"")), "{kind} is missing");
    }
    for line in document.lines().filter(|line| line.starts_with("{\"type\"")) {
        let known = PeerMessage::parse(line.as_bytes()).is_ok()
            || !matches!(
                TrackerMessage::parse(line.as_bytes()),
                Ok(TrackerMessage::Unknown) | Err(_)
            );
        assert!(known, "the document's example is not read: {line}");
    }
}

#[test]
fn unknown_fields_are_ignored() {
    let text = br#"{"colour":["red",{"x":1}],"id":9,"type":"ping","later":null}"#;
    assert_eq!(PeerMessage::parse(text), Ok(PeerMessage::Ping { id: 9 }));
}

#[test]
fn unknown_types_and_garbage_keep_their_id_if_they_have_one() {
    let bad = |text: &str| PeerMessage::parse(text.as_bytes()).unwrap_err();
    let (unknown, malformed) = (ErrorCode::UnknownType, ErrorCode::Malformed);
    assert_eq!(bad(r#"{"type":"teleport","id":3}"#), BadMessage { id: Some(3), code: unknown });
    assert_eq!(bad(r#"{"type":"teleport"}"#), BadMessage { id: None, code: unknown });
    assert_eq!(bad(r#"{"type":"lookup","id":3}"#), BadMessage { id: Some(3), code: malformed });
    assert_eq!(bad(r#"{"type":"ping","id":-3}"#), BadMessage { id: None, code: malformed });
    assert_eq!(bad("{"), BadMessage { id: None, code: malformed });
    assert_eq!(bad(&"[".repeat(MAX_FRAME)), BadMessage { id: None, code: malformed });
    assert_eq!(TrackerMessage::parse(br#"{"type":"tea"}"#), Ok(TrackerMessage::Unknown));
}

#[test]
fn the_worst_page_fits_into_a_frame() {
    let worst = entry(&"\"".repeat(MAX_RECORD));
    let peers = vec![worst; MAX_PAGE as usize];
    let page = TrackerMessage::Peers { id: u32::MAX, peers, next: Some("\"".repeat(64)) };
    assert!(page.to_frame().len() - 4 <= MAX_FRAME, "{} bytes", page.to_frame().len());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = PeerMessage::parse(&bytes);
        let _ = TrackerMessage::parse(&bytes);
    }

    /// What comes out of a tracker is never longer than what went in, but for its own fields.
    #[test]
    fn relaying_a_signal_does_not_make_it_longer(body in any::<String>()) {
        let signal: SealedSignal = Sealed::from_parts(body, Signature([1; 64]));
        let (to, from) = (PeerId([1; 32]), PeerId([2; 32]));
        let sent = PeerMessage::Signal { id: 0, to, signal: signal.clone() }.to_frame();
        let passed_on = TrackerMessage::Signal { from, signal }.to_frame();
        prop_assert!(passed_on.len() <= sent.len());
    }
}
