#![allow(clippy::unwrap_used)]
use super::*;
use crate::event::Presence;
use crate::id::CallId;
use crate::time::{Duration, UnixMillis};
use crate::wire::sealed::Nonce;
use crate::wire::signal::{MAX_SIGNAL, Reason, SignalKind};
use proptest::prelude::*;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn alice() -> Identity {
    Identity::from_secret(&[1; 32])
}

fn bob() -> Identity {
    Identity::from_secret(&[2; 32])
}

fn signal(kind: SignalKind) -> Signal {
    Signal::new(kind, CallId([3; 16]), alice().id(), bob().id(), NOW, Nonce([4; 16]))
}

fn offer() -> Signal {
    Signal { sdp: Some("v=0\r\n".into()), ..signal(SignalKind::Offer) }
}

#[test]
fn an_offer_reaches_the_one_it_is_for() {
    let sealed = offer().seal(&alice());
    assert_eq!(sealed.open(bob().id(), Some(alice().id())), Ok(offer()));
    assert_eq!(sealed.open(bob().id(), None), Ok(offer()));
}

#[test]
fn an_offer_for_somebody_else_or_from_somebody_else_is_refused() {
    let sealed = offer().seal(&alice());
    let carol = PeerId([9; 32]);
    assert_eq!(sealed.open(carol, None), Err(OpenError::NotForMe));
    assert_eq!(sealed.open(bob().id(), Some(carol)), Err(OpenError::WrongSender));
}

#[test]
fn what_the_tracker_changes_is_noticed() {
    let mut sealed = offer().seal(&alice());
    sealed.body = sealed.body.replace("v=0", "v=1");
    assert_eq!(sealed.open(bob().id(), None), Err(OpenError::BadSignature));
}

#[test]
fn who_has_signed_a_signal_is_known_whatever_its_kind() {
    let mut sealed = offer().seal(&alice());
    assert!(sealed.is_signed_by(alice().id()));
    assert!(!sealed.is_signed_by(bob().id()));
    sealed.body = r#"{"kind":"dance"}"#.into();
    assert!(!sealed.is_signed_by(alice().id()));
    sealed.signature = alice().sign("dance", &[sealed.body.as_bytes()]);
    assert!(sealed.is_signed_by(alice().id()), "of a later version");
    sealed.body = "dance".into();
    assert!(!sealed.is_signed_by(alice().id()));
}

#[test]
fn a_cancel_cannot_be_turned_into_a_bye() {
    let mut sealed = signal(SignalKind::Cancel).seal(&alice());
    sealed.body = sealed.body.replace("cancel", "bye");
    assert_eq!(sealed.open(bob().id(), None), Err(OpenError::BadSignature));
}

#[test]
fn every_kind_has_the_fields_it_needs_and_no_others() {
    let hash = Some(Bytes32([5; 32]));
    for kind in [SignalKind::Ringing, SignalKind::Reject] {
        let without = signal(kind);
        assert_eq!(without.seal(&alice()).open(bob().id(), None), Err(OpenError::Malformed));
        let with = Signal { offer_hash: hash, reason: Some(Reason::Busy), ..without };
        assert_eq!(with.seal(&alice()).open(bob().id(), None), Ok(with));
    }
    let answer = Signal { sdp: Some("v=0".into()), ..signal(SignalKind::Answer) };
    assert_eq!(answer.seal(&alice()).open(bob().id(), None), Err(OpenError::Malformed));
    for (count, opened) in [(0, true), (20, true), (21, false)] {
        let candidates = Some(vec![String::new(); count]);
        let path = Signal { candidates, ..signal(SignalKind::Path) };
        assert_eq!(path.seal(&alice()).open(bob().id(), None).is_ok(), opened, "{count}");
        let bye = Signal { kind: SignalKind::Bye, ..path };
        assert_eq!(bye.seal(&alice()).open(bob().id(), None), Err(OpenError::Malformed));
    }
    let words = Some(Bytes32([6; 32]));
    let offer = Signal { commit: words, ..offer() };
    assert_eq!(offer.seal(&alice()).open(bob().id(), None), Ok(offer.clone()));
    let answer = Signal { offer_hash: hash, sas_nonce: words, ..answer };
    assert_eq!(answer.seal(&alice()).open(bob().id(), None), Ok(answer.clone()));
    for misplaced in [Signal { sas_nonce: words, ..offer }, Signal { commit: words, ..answer }] {
        assert_eq!(misplaced.seal(&alice()).open(bob().id(), None), Err(OpenError::Malformed));
    }
    let none = signal(SignalKind::Path);
    assert_eq!(none.seal(&alice()).open(bob().id(), None), Err(OpenError::Malformed));
    let bye = Signal { sdp: Some("v=0".into()), ..signal(SignalKind::Bye) };
    assert_eq!(bye.seal(&alice()).open(bob().id(), None), Err(OpenError::Malformed));
}

#[test]
fn a_signal_has_a_longest_length() {
    let longest = Signal { sdp: Some("x".repeat(MAX_SIGNAL)), ..offer() };
    assert_eq!(longest.seal(&alice()).open(bob().id(), None), Err(OpenError::TooLong));
}

#[test]
fn reasons_and_fields_of_later_versions_are_taken() {
    let mut body = signal(SignalKind::Bye).body();
    body.truncate(body.len() - 1);
    body.push_str(",\"reason\":\"eclipse\",\"steps\":\"00\"}");
    let signature = alice().sign("bye", &[body.as_bytes()]);
    let opened = SealedSignal::from_parts(body, signature).open(bob().id(), None).unwrap();
    assert_eq!(opened.reason, Some(Reason::Other));
}

#[test]
fn signals_are_timely_for_five_minutes_either_way() {
    let minutes = |m: u64| UnixMillis(NOW.0 + m * 60_000);
    assert!(offer().is_timely(minutes(5)));
    assert!(!offer().is_timely(minutes(5).plus(Duration::from_millis(1))));
    assert!(Signal { at: minutes(5), ..offer() }.is_timely(NOW));
    assert!(!Signal { at: minutes(6), ..offer() }.is_timely(NOW));
}

#[test]
fn a_record_is_its_keys_own() {
    let record = PresenceRecord::new(alice().id(), "alice", Presence::Away, NOW);
    assert_eq!(record.seal(&alice()).open(), Ok(record.clone()));
    assert_eq!(record.seal(&bob()).open().unwrap().id, bob().id(), "the signer's id is put in");
    let mut sealed = record.seal(&alice());
    sealed.body = sealed.body.replace("away", "busy");
    assert_eq!(sealed.open(), Err(OpenError::BadSignature));
}

#[test]
fn a_registration_answers_one_challenge_for_one_record() {
    let record = |name| PresenceRecord::new(alice().id(), name, Presence::Away, NOW).seal(&alice());
    let (nonce, other) = (Bytes32([1; 32]), Bytes32([2; 32]));
    let signature = alice().sign_registration(&nonce, &record("alice"));
    let holds = |id, nonce, name| is_registration(id, nonce, &record(name), &signature);
    assert!(holds(alice().id(), &nonce, "alice"));
    assert!(!holds(alice().id(), &other, "alice"));
    assert!(!holds(alice().id(), &nonce, "alicia"));
    assert!(!holds(bob().id(), &nonce, "alice"));
}

/// The example of docs/tracker-protocol.md, to the byte.
#[test]
fn the_worked_example_of_the_protocol_document() {
    let secret: [u8; 32] = std::array::from_fn(|i| i as u8);
    let identity = Identity::from_secret(&secret);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tracker-protocol.md");
    let document = std::fs::read_to_string(path).unwrap();
    let stated = |label: &str| {
        let line = document.lines().find(|line| line.starts_with(label));
        line.unwrap_or_else(|| panic!("no {label} in the document"))[label.len()..].trim()
    };
    assert_eq!(stated("key:"), identity.id().to_string());

    let record = PresenceRecord::new(identity.id(), "alice", Presence::Available, NOW);
    let sealed = record.seal(&identity);
    assert_eq!(stated("record body:"), sealed.body);
    assert_eq!(stated("record signature:"), sealed.signature.to_string());

    let nonce = Bytes32([0xab; 32]);
    let signature = identity.sign_registration(&nonce, &sealed);
    assert_eq!(stated("registration signature:"), signature.to_string());

    let call = CallId([0xcd; 16]);
    let offer = Signal {
        sdp: Some("v=0\r\n".into()),
        ..Signal::new(SignalKind::Offer, call, identity.id(), bob().id(), NOW, Nonce([0xef; 16]))
    };
    let sealed = offer.seal(&identity);
    assert_eq!(stated("offer body:"), sealed.body);
    assert_eq!(stated("offer signature:"), sealed.signature.to_string());
    assert_eq!(stated("offer hash:"), sealed.hash().to_string());
}

proptest! {
    #[test]
    fn any_name_that_is_one_survives_sealing(name in "\\PC{1,16}", seq in any::<u64>()) {
        prop_assume!(crate::wire::name::check_name(&name).is_ok());
        let record = PresenceRecord { seq, ..PresenceRecord::new(alice().id(), &name, Presence::Busy, NOW) };
        prop_assert_eq!(record.seal(&alice()).open(), Ok(record));
    }

    #[test]
    fn no_single_changed_byte_goes_unnoticed(at in any::<prop::sample::Index>(), to in 0x20u8..0x7f) {
        let sealed = offer().seal(&alice());
        let mut body = sealed.body.clone().into_bytes();
        let at = at.index(body.len());
        prop_assume!(body[at] != to);
        body[at] = to;
        let changed = Sealed::<Signal>::from_parts(String::from_utf8(body).unwrap(), sealed.signature);
        prop_assert!(changed.open(bob().id(), None).is_err());
    }
}

/// The vector of docs/mesh-protocol.md, computed by a program of its own.
#[test]
fn a_gossip_message_of_another_implementation() {
    let body = r#"{"type":"post","log":1700000000000,"seq":3,"at":1700000000001,"name":"alice","to":{"room":"kitchen"},"text":"hi"}"#;
    let message = SignedMessage::sign(&Identity::from_secret(&[1; 32]), body.into()).unwrap();
    let signature = "4c73b2b1cb752685b37d00758decedb30a091c9a3fecc6ed0f2d8e44c1e610e6c6918a55e164ed9eacd1af9408373e73a698aafd553e56db12a25ea4536cec04";
    assert_eq!(message.signature().to_string(), signature);
    assert_eq!(message.id().to_string(), "b79346a87d8c6bdd3bd23b3e861a2cae");
    assert!(message.open().is_ok());
}
