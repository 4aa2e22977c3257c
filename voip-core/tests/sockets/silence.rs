//! Silence as the user of real nodes is told of it.

use crate::harness::{LIMIT, Pair, await_event, end_of, until};
use voip_core::{Event, SilenceReason};

/// The reason told next.
fn silence(pair: &Pair) -> SilenceReason {
    await_event(&pair.bob, |event| match event {
        Event::MediaSilent { reason, .. } => Some(reason),
        _ => None,
    })
}

#[test]
fn a_writer_who_writes_nothing_then_zeros_then_sound() {
    let pair = Pair::manual(48_000);
    let (at_alice, at_bob) = pair.connect();
    assert_eq!(at_bob.peer_silence(), None);
    assert_eq!(silence(&pair), SilenceReason::NoPackets);
    assert_eq!(at_bob.peer_silence(), Some(SilenceReason::NoPackets));
    at_alice.write(&[0.0; 96_000], LIMIT).unwrap();
    assert_eq!(silence(&pair), SilenceReason::DigitalSilence);
    until(&at_alice, || at_alice.stats().digital_silence);
    at_alice.write(&crate::harness::tone(440.0, 48_000, 1.0), LIMIT).unwrap();
    let over = |event| matches!(event, Event::MediaResumed { .. }).then_some(());
    await_event(&pair.bob, over);
    at_alice.set_muted(true);
    let muted = |event| matches!(event, Event::PeerMuted { muted: true, .. }).then_some(());
    await_event(&pair.bob, muted);
    assert_eq!(silence(&pair), SilenceReason::Muted);
    assert_eq!(at_bob.peer_silence(), Some(SilenceReason::Muted));
}

#[test]
fn a_call_that_is_over_has_no_silence() {
    let pair = Pair::manual(48_000);
    let (at_alice, at_bob) = pair.connect();
    silence(&pair);
    assert!(at_bob.peer_silence().is_some());
    at_alice.hang_up();
    end_of(&at_bob);
    assert_eq!(at_bob.peer_silence(), None);
}
