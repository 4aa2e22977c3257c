//! Silence that the user is told of: packets that stop, microphones that give digital silence; and
//! all the silence that is none of his business.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Two, loud_seconds, ms, secs, tone};
use voip_core::sim::{Link, NodeKey, NodeOptions, SimCall};
use voip_core::{CallState, Duration, EncoderConfig, Event, SilenceReason};

const NO_PACKETS: Option<SilenceReason> = Some(SilenceReason::NoPackets);
const DIGITAL: Option<SilenceReason> = Some(SilenceReason::DigitalSilence);

const MUTED: Option<SilenceReason> = Some(SilenceReason::Muted);

/// The least a microphone gives in a quiet room.
fn quiet_room(seconds: f32) -> Vec<f32> {
    let mut noise = 1u32;
    let sample = |_| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((noise >> 16) as f32 / 65_536.0 - 0.5) * 1e-4
    };
    (0..(seconds * 48_000.0) as usize).map(sample).collect()
}

/// Both are connected and talk for long.
fn talking(link: Link) -> (Two, SimCall, SimCall) {
    let mut two = Two::new(1, link, true);
    two.world.say(two.alice, &tone(440.0, 100.0));
    two.world.say(two.bob, &tone(880.0, 100.0));
    let (call, at_bob) = two.connect();
    two.world.run_for(secs(2));
    assert_eq!(told(&mut two, secs(0), Two::bob), []);
    (two, call, at_bob)
}

impl Two {
    fn alice(&self) -> NodeKey {
        self.alice
    }

    fn bob(&self) -> NodeKey {
        self.bob
    }
}

/// What a node is told of silence in so much time: after how many milliseconds, and what.
fn told(
    two: &mut Two,
    time: Duration,
    node: impl Fn(&Two) -> NodeKey,
) -> Vec<(u64, Option<SilenceReason>)> {
    let node = node(two);
    let begun = two.world.elapsed();
    let mut told = Vec::new();
    loop {
        for event in two.world.events(node) {
            let at = (two.world.elapsed() - begun).as_millis() as u64;
            match event {
                Event::MediaSilent { reason, .. } => told.push((at, Some(reason))),
                Event::MediaResumed { .. } => told.push((at, None)),
                _ => {}
            }
        }
        if two.world.elapsed() - begun >= time {
            return told;
        }
        two.world.run_for(ms(10));
    }
}

/// Only what, not when.
fn reasons(told: &[(u64, Option<SilenceReason>)]) -> Vec<Option<SilenceReason>> {
    told.iter().map(|(_, what)| *what).collect()
}

#[test]
fn a_path_that_breaks_is_told_within_a_second_and_so_is_its_return() {
    let (mut two, ..) = talking(Link::default());
    two.world.set_datagrams_blocked(true);
    let first = told(&mut two, secs(3), Two::bob);
    assert_eq!(reasons(&first), [NO_PACKETS], "once: {first:?}");
    assert!((880..=920).contains(&first[0].0), "{first:?}");
    two.world.set_datagrams_blocked(false);
    let second = told(&mut two, secs(3), Two::bob);
    assert_eq!(reasons(&second), [None], "{second:?}");
    assert!(second[0].0 <= 40, "{second:?}");
}

#[test]
fn a_microphone_that_hangs_is_no_packets_at_the_other_end_only() {
    let (mut two, call, _) = talking(Link::default());
    two.world.set_microphone_running(two.alice, false);
    assert_eq!(reasons(&told(&mut two, secs(30), Two::bob)), [NO_PACKETS]);
    assert_eq!(told(&mut two, secs(0), Two::alice), []);
    assert_eq!(two.world.state(two.alice, call), Some(CallState::Connected), "the path is up");
    two.world.set_microphone_running(two.alice, true);
    assert_eq!(reasons(&told(&mut two, secs(3), Two::bob)), [None]);
}

#[test]
fn a_peer_that_never_sends_a_packet_is_told() {
    let mut two = Two::new(1, Link::default(), true);
    two.world.set_microphone_running(two.alice, false);
    two.connect();
    let told = told(&mut two, secs(5), Two::bob);
    assert_eq!(reasons(&told), [NO_PACKETS], "{told:?}");
    assert!((880..=920).contains(&told[0].0), "{told:?}");
}

#[test]
fn digital_silence_is_told_after_a_second_and_so_is_its_end() {
    let mut two = Two::new(1, Link { delay: ms(40), ..Link::default() }, true);
    two.world.say(two.bob, &tone(880.0, 100.0));
    let (call, _) = two.connect();
    let first = told(&mut two, secs(5), Two::bob);
    assert_eq!(reasons(&first), [DIGITAL], "{first:?}");
    assert!((980..=1_100).contains(&first[0].0), "{first:?}");
    assert!(two.world.stats(two.alice, call).unwrap().digital_silence, "she can see it, too");
    two.world.say(two.alice, &quiet_room(100.0));
    let second = told(&mut two, secs(5), Two::bob);
    assert_eq!(reasons(&second), [None], "{second:?}");
    assert!(second[0].0 <= 100, "{second:?}");
    assert!(!two.world.stats(two.alice, call).unwrap().digital_silence);
    assert_eq!(told(&mut two, secs(0), Two::alice), [], "he speaks");
}

#[test]
fn one_reason_follows_another() {
    let mut two = Two::new(1, Link::default(), true);
    two.connect();
    assert_eq!(reasons(&told(&mut two, secs(3), Two::bob)), [DIGITAL]);
    two.world.set_microphone_running(two.alice, false);
    assert_eq!(reasons(&told(&mut two, secs(3), Two::bob)), [NO_PACKETS]);
    two.world.set_microphone_running(two.alice, true);
    assert_eq!(reasons(&told(&mut two, secs(3), Two::bob)), [DIGITAL]);
}

#[test]
fn a_muted_peer_is_silent_by_design_and_unmuting_starts_the_clock_anew() {
    let (mut two, call, _) = talking(Link::default());
    two.world.set_muted(two.alice, call, true);
    let muted = told(&mut two, secs(10), Two::bob);
    assert_eq!(reasons(&muted), [MUTED], "{muted:?}");
    assert!(muted[0].0 <= 40, "{muted:?}");
    two.world.set_microphone_running(two.alice, false);
    two.world.set_muted(two.alice, call, false);
    let told = told(&mut two, secs(3), Two::bob);
    assert_eq!(reasons(&told), [None, NO_PACKETS], "{told:?}");
    assert!(told[0].0 <= 40 && (880..=940).contains(&told[1].0), "{told:?}");
}

#[test]
fn muting_is_reason_enough_for_a_silence_that_was_told() {
    let mut two = Two::new(1, Link::default(), true);
    let (call, _) = two.connect();
    assert_eq!(reasons(&told(&mut two, secs(3), Two::bob)), [DIGITAL]);
    two.world.set_muted(two.alice, call, true);
    assert_eq!(reasons(&told(&mut two, secs(10), Two::bob)), [MUTED]);
    two.world.set_muted(two.alice, call, false);
    let again = told(&mut two, secs(10), Two::bob);
    assert_eq!(reasons(&again), [None, DIGITAL], "{again:?}");
    assert!((980..=1_100).contains(&again[1].0), "a second of it: {again:?}");
}

#[test]
fn unmuting_what_is_not_muted_is_no_news() {
    let mut two = Two::new(1, Link::default(), true);
    let (call, _) = two.connect();
    assert_eq!(reasons(&told(&mut two, secs(3), Two::bob)), [DIGITAL]);
    for _ in 0..10 {
        two.world.set_muted(two.alice, call, false);
        assert_eq!(told(&mut two, ms(500), Two::bob), []);
    }
}

#[test]
fn discontinuous_transmission_on_a_bad_line_is_no_silence() {
    let encoder = EncoderConfig { dtx: true, ..EncoderConfig::default() };
    let options = NodeOptions { encoder, keep_heard: false, ..NodeOptions::new("", []) };
    let link = Link { jitter: ms(40), loss: 0.02, ..Link::default() };
    let mut two = Two::with(1, link, true, &options);
    let (call, _) = two.connect();
    two.world.say(two.alice, &[tone(440.0, 1.0), quiet_room(60.0)].concat());
    two.world.run_for(secs(4));
    told(&mut two, secs(0), Two::bob);
    let before = two.world.stats(two.alice, call).unwrap().packets_sent;
    assert_eq!(told(&mut two, secs(50), Two::bob), []);
    let sent = two.world.stats(two.alice, call).unwrap().packets_sent - before;
    assert!((100..300).contains(&sent), "{sent} packets in 50 s of silence");
}

#[test]
fn digital_silence_with_discontinuous_transmission_is_told_as_what_it_is() {
    let encoder = EncoderConfig { dtx: true, ..EncoderConfig::default() };
    let options = NodeOptions { encoder, keep_heard: false, ..NodeOptions::new("", []) };
    let mut two = Two::with(1, Link::default(), true, &options);
    two.connect();
    assert_eq!(reasons(&told(&mut two, secs(60), Two::bob)), [DIGITAL]);
}

#[test]
fn loss_alone_is_no_silence() {
    let (mut two, ..) = talking(Link { jitter: ms(40), loss: 0.3, ..Link::default() });
    assert_eq!(told(&mut two, secs(60), Two::bob), []);
    assert!(loud_seconds(two.world.heard(two.bob)) > 50.0);
}

#[test]
fn mute_is_told_within_a_second_as_what_it_is_whatever_the_reason_before() {
    let mut two = Two::new(1, Link { delay: ms(100), ..Link::default() }, true);
    let (call, _) = two.connect();
    assert_eq!(reasons(&told(&mut two, secs(3), Two::bob)), [DIGITAL]);
    two.world.set_microphone_running(two.alice, false);
    assert_eq!(reasons(&told(&mut two, secs(3), Two::bob)), [NO_PACKETS]);
    two.world.set_muted(two.alice, call, true);
    let muted = told(&mut two, secs(3), Two::bob);
    assert_eq!(reasons(&muted), [MUTED], "{muted:?}");
    assert!(muted[0].0 <= 140, "{muted:?}");
    two.world.set_microphone_running(two.alice, true);
    two.world.say(two.alice, &tone(440.0, 10.0));
    assert_eq!(told(&mut two, secs(3), Two::bob), [], "still muted");
    two.world.set_muted(two.alice, call, false);
    let heard = told(&mut two, secs(3), Two::bob);
    assert_eq!(reasons(&heard), [None], "{heard:?}");
    assert!(heard[0].0 <= 140, "{heard:?}");
}

#[test]
fn mute_on_a_line_that_loses_packets_is_told_in_the_end_and_so_is_its_end() {
    let (mut two, call, _) = talking(Link { jitter: ms(20), loss: 0.1, ..Link::default() });
    two.world.say(two.alice, &tone(440.0, 200.0));
    for _ in 0..10 {
        two.world.set_muted(two.alice, call, true);
        let muted = reasons(&told(&mut two, secs(8), Two::bob));
        assert!(muted == [MUTED] || muted == [NO_PACKETS, MUTED], "{muted:?}");
        two.world.set_muted(two.alice, call, false);
        assert_eq!(reasons(&told(&mut two, secs(8), Two::bob)), [None]);
    }
}

#[test]
fn discontinuous_transmission_on_a_very_bad_line_is_no_silence_and_mute_is_mute() {
    let encoder = EncoderConfig { dtx: true, ..EncoderConfig::default() };
    let options = NodeOptions { encoder, keep_heard: false, ..NodeOptions::new("", []) };
    let link = Link { jitter: ms(40), loss: 0.2, ..Link::default() };
    let mut two = Two::with(1, link, true, &options);
    let (call, _) = two.connect();
    two.world.say(two.alice, &[tone(440.0, 1.0), quiet_room(600.0)].concat());
    two.world.run_for(secs(4));
    told(&mut two, secs(0), Two::bob);
    assert_eq!(told(&mut two, secs(300), Two::bob), []);
    two.world.set_muted(two.alice, call, true);
    assert_eq!(reasons(&told(&mut two, secs(10), Two::bob)), [MUTED]);
    two.world.set_muted(two.alice, call, false);
    assert_eq!(reasons(&told(&mut two, secs(60), Two::bob)), [None]);
}

#[test]
fn with_discontinuous_transmission_a_path_that_breaks_is_told_within_a_second_on_a_good_line() {
    let encoder = EncoderConfig { dtx: true, ..EncoderConfig::default() };
    let options = NodeOptions { encoder, keep_heard: false, ..NodeOptions::new("", []) };
    let mut two = Two::with(1, Link::default(), true, &options);
    two.connect();
    let loud: Vec<f32> = quiet_room(10.0).iter().map(|s| s * 4_000.0).collect();
    two.world.say(two.alice, &[loud, quiet_room(60.0)].concat());
    two.world.run_for(secs(20));
    told(&mut two, secs(0), Two::bob);
    two.world.set_datagrams_blocked(true);
    let silent = told(&mut two, secs(2), Two::bob);
    assert_eq!(reasons(&silent), [NO_PACKETS], "{silent:?}");
    assert!(silent[0].0 <= 920, "{silent:?}");
}
