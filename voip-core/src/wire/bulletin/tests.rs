#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;
use crate::wire::sealed::{Sealed, Signature};

fn envelope(len: usize) -> Envelope {
    Envelope { enc: Bytes32([7; 32]), ciphertext: vec![9; len] }
}

fn post(to: Audience, content: Content) -> Post {
    let at = UnixMillis(1_700_000_000_001);
    Post { log: 1_700_000_000_000, seq: 3, at, name: "alice".into(), to, content }
}

fn text(text: &str) -> Post {
    post(Audience::Room("kitchen".into()), Content::Text(text.into()))
}

fn peer() -> Audience {
    Audience::Peer(PeerId([5; 32]))
}

#[test]
fn what_is_written_is_read() {
    let record = Sealed::from_parts("{}".into(), Signature([1; 64]));
    for bulletin in [
        Bulletin::Post(text("hi,\n\tÿou 🎙")),
        Bulletin::Post(post(Audience::All, Content::Text("x".repeat(MAX_TEXT)))),
        Bulletin::Post(post(peer(), Content::Sealed(envelope(MAX_CIPHERTEXT)))),
        Bulletin::Post(post(peer(), Content::Receipt(envelope(16)))),
        Bulletin::Note { log: 1, seq: 2, sealed: envelope(20) },
        Bulletin::Presence { record: record.clone(), addresses: vec!["192.0.2.1:1".into()] },
        Bulletin::Presence { record, addresses: Vec::new() },
        Bulletin::Signal { to: PeerId([5; 32]), at: UnixMillis(7), signal: envelope(4_000) },
        Bulletin::Gone { peer: PeerId([5; 32]), seq: 7, at: UnixMillis(7) },
    ] {
        let body = bulletin.body();
        assert!(body.len() <= MAX_BODY);
        assert_eq!(Bulletin::parse(&body), Some(bulletin));
    }
}

#[test]
fn the_form_of_a_post_stays() {
    let body = r#"{"type":"post","log":1700000000000,"seq":3,"at":1700000000001,"name":"alice","to":{"room":"kitchen"},"text":"hi"}"#;
    assert_eq!(Bulletin::Post(text("hi")).body(), body);
    let all = Bulletin::Post(post(Audience::All, Content::Text("hi".into())));
    assert!(all.body().contains(r#""to":"all""#));
}

#[test]
fn what_breaks_a_rule_is_refused() {
    let sealed = Content::Sealed(envelope(100));
    let room = |name: &str| Audience::Room(name.into());
    for bad in [
        text(""),
        text("a\rb"),
        text("a\u{85}b"),
        text("a\u{0}b"),
        text(&"x".repeat(MAX_TEXT + 1)),
        Post { seq: 0, ..text("a") },
        Post { seq: MAX_SEQ + 1, ..text("a") },
        Post { name: "a\u{202e}".into(), ..text("a") },
        post(room("a\u{202e}b"), Content::Text("a".into())),
        post(room(""), Content::Text("a".into())),
        post(Audience::All, sealed.clone()),
        post(room("r"), sealed),
        post(peer(), Content::Text("open".into())),
        post(peer(), Content::Sealed(envelope(15))),
        post(peer(), Content::Sealed(envelope(MAX_CIPHERTEXT + 1))),
    ] {
        assert_eq!(Bulletin::parse(&Bulletin::Post(bad.clone()).body()), None, "{bad:?}");
    }
    let record = Sealed::from_parts("{}".into(), Signature([1; 64]));
    let presence = Bulletin::Presence { record, addresses: vec!["a".into(); 9] };
    assert_eq!(Bulletin::parse(&presence.body()), None);
    let both =
        Bulletin::Post(text("a")).body().replace('}', r#","sealed":{"enc":"","ciphertext":""}}"#);
    assert_eq!(Bulletin::parse(&both), None);
    assert_eq!(Bulletin::parse(&" ".repeat(MAX_BODY + 1)), None);
    assert_eq!(Bulletin::parse(r#"{"type":"dance","log":"x"}"#), Some(Bulletin::Unknown));
    assert_eq!(Bulletin::parse(r#"{"log":1}"#), None);
}

#[test]
fn a_receipt_names_ranges() {
    let receipt = |ranges: &[(u32, u32)]| Receipt { log: 7, ranges: ranges.to_vec() };
    let good = receipt(&[(1, 1), (4, MAX_SEQ)]);
    assert_eq!(Receipt::parse(&good.to_bytes()), Some(good));
    let many = vec![(1, 1); MAX_RANGES + 1];
    for bad in [&[][..], &[(0, 1)], &[(2, 1)], &[(1, MAX_SEQ + 1)], &many] {
        assert_eq!(Receipt::parse(&receipt(bad).to_bytes()), None);
    }
}

proptest! {
    /// Whatever comes, reading does not panic, and what is read keeps its form.
    #[test]
    fn bent_bodies_are_read_or_refused(at in 0usize..150, byte in 32u8..127) {
        let mut body = Bulletin::Post(text("hello")).body().into_bytes();
        if let Some(there) = body.get_mut(at) {
            *there = byte;
        }
        if let Some(read) = Bulletin::parse(&String::from_utf8(body).unwrap()) {
            prop_assert_eq!(Bulletin::parse(&read.body()), Some(read));
        }
    }
}
