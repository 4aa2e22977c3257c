//! Whole calls of the terminal peer through sound cards that come, go and die: virtual ones, in a
//! sound server of each test's own. For `make test-long`.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![cfg(target_os = "linux")]

#[path = "sound_cards/ears.rs"]
mod ears;
#[path = "sound_cards/lab.rs"]
mod lab;
#[path = "sound_cards/machine.rs"]
mod machine;
#[path = "sound_cards/peers.rs"]
mod peers;

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ears::{Ear, Voice, delays};
use lab::Lab;
use machine::{Machine, Sleeper};
use peers::CallInLab;

/// They measure delays, so they run one after the other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// After so much of a call its delays have settled.
const SETTLE: Duration = Duration::from_secs(4);
const ALICES_TONE: f64 = 700.0;
const BOBS_TONE: f64 = 1_100.0;

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// What was measured in one direction of a call.
struct Direction {
    name: &'static str,
    /// The median mouth-to-ear delay by the sound itself, milliseconds.
    by_sound: f64,
    /// The same by the stages.
    by_stages: f64,
    /// The part of the bursts heard that are the tone that was said.
    pure: f64,
}

/// Both say tones for a while: from Alice to Bob and from Bob to Alice.
fn measure(lab: &Lab, more: &[&str]) -> ([Direction; 2], Machine) {
    let voices = [Voice::say(lab, "mic_a", ALICES_TONE), Voice::say(lab, "mic_b", BOBS_TONE)];
    let mut call = CallInLab::start(lab, more);
    thread::sleep(SETTLE);
    let ears = ["mic_a", "spk_b", "mic_b", "spk_a"].map(|card| Ear::open(lab, card));
    let sleeper = Sleeper::begin();
    let mut stages = [Vec::new(), Vec::new()];
    for _ in 0..16 {
        thread::sleep(Duration::from_millis(500));
        let (alice, bob) = (call.alice.stats().stages_ms, call.bob.stats().stages_ms);
        // What the speaker's side adds and what the listener's side adds.
        for (stages, (from, to)) in stages.iter_mut().zip([(alice, bob), (bob, alice)]) {
            stages
                .push(from.capture + from.encode + to.network + to.buffer + to.decode + to.playout);
        }
    }
    let machine = sleeper.end();
    for peer in [&mut call.alice, &mut call.bob] {
        println!("{:?}", peer.cards());
    }
    let [said_a, heard_b, said_b, heard_a] = ears.map(Ear::close);
    drop(voices);
    let directions = [
        ("alice to bob", ALICES_TONE, said_a, heard_b, &stages[0]),
        ("bob to alice", BOBS_TONE, said_b, heard_a, &stages[1]),
    ];
    let directions = directions.map(|(name, hertz, said, heard, stages)| {
        let delays = delays(&said, &heard);
        let (by_sound, by_stages) = (median(&delays), median(stages));
        let pure = heard.pure_bursts(hertz);
        println!(
            "{name} {more:?}: {by_sound:.1} ms by the sound, {by_stages:.1} by the stages; {delays:.0?}; pure {pure:.2}"
        );
        assert!(delays.len() >= 8, "{} bursts heard of {}", delays.len(), said.onsets().len());
        Direction { name, by_sound, by_stages, pure }
    });
    (directions, machine)
}

/// Both directions of a call are clean, no later than `ceiling` in milliseconds, and as late as the
/// stages say.
fn talk(more: &[&str], ceiling: f64) {
    let Some(lab) = Lab::up() else { return };
    let (directions, machine) = measure(&lab, more);
    // What is woken late plays late, and the jitter buffer cuts a burst short to be on time again.
    let ceiling = machine.bar("mouth-to-ear at most, ms", ceiling, 1.5 * ceiling);
    let purest = machine.bar("pure bursts at least", 0.9, 0.7);
    for Direction { name, by_sound, by_stages, pure } in directions {
        assert!(
            (by_sound - by_stages).abs() <= 10.0,
            "{name}: {by_sound} ms, {by_stages} by the stages"
        );
        assert!(by_sound <= ceiling, "{name}: {by_sound} ms");
        assert!(pure >= purest, "{name}: {pure} of the bursts heard are the tone");
    }
}

const THROUGH_ALSA: [&str; 4] = ["--input", "alsa:default", "--output", "alsa:default"];

#[test]
#[ignore = "needs PulseAudio: make test-long"]
fn default_devices_carry_a_tone_both_ways_and_the_stages_add_up() {
    let _alone = alone();
    talk(&[], 60.0);
}

#[test]
#[ignore = "needs PulseAudio: make test-long"]
fn through_alsa_too() {
    let _alone = alone();
    talk(&THROUGH_ALSA, 80.0);
}

/// Sound is back in Bob's ear within a second of a device being there. Says how long it took.
fn back_within_a_second(lab: &Lab, since: Instant, card: &str, what: &str) {
    let ear = Ear::open(lab, card);
    let heard = ear.wait_for_sound(Duration::from_secs(5));
    let took = heard.unwrap_or_else(|| panic!("{what}: no sound again")) - since;
    println!("{what}: sound back after {} ms", took.as_millis());
    assert!(took <= Duration::from_secs(1), "{what}: sound back after {took:?}");
}

/// Alice and Bob on the default devices, so on the same ones. Bob is mute: two copies of a tone that
/// are played half a period apart would be silence.
fn one_way_on_the_same_cards(lab: &Lab, more: &[&str]) -> CallInLab {
    let mut call = CallInLab::between(lab, ("", ""), more);
    call.bob.type_line("mute");
    call
}

/// Pulls Bob's loudspeaker, of which there is no other, and plugs it in again.
fn pull_and_plug(more: &[&str]) {
    let Some(lab) = Lab::up() else { return };
    lab.allow_none();
    for card in ["loop", "loop44", "spk_a", "mic_b"] {
        lab.unplug(card);
    }
    lab.set_defaults("spk_b", "mic_a.monitor");
    let _voice = Voice::hum(&lab, "mic_a", ALICES_TONE);
    let mut call = one_way_on_the_same_cards(&lab, more);
    for peer in [&mut call.alice, &mut call.bob] {
        peer.wait_for_change("loudspeaker", "opened");
    }
    assert!(Ear::open(&lab, "spk_b").wait_for_sound(SETTLE).is_some(), "no sound at first");

    // With the other sink gone too, none is left.
    lab.unplug("mic_a");
    lab.unplug("spk_b");
    call.bob.wait_for_change("loudspeaker", "lost");
    assert!(call.alice.is_alive() && call.bob.is_alive());
    lab.plug("mic_a", 48_000);
    lab.plug("spk_b", 48_000);
    lab.set_defaults("spk_b", "mic_a.monitor");
    let plugged = Instant::now();
    let _voice = Voice::hum(&lab, "mic_a", ALICES_TONE);
    back_within_a_second(&lab, plugged, "spk_b", "cards pulled and plugged");
    call.bob.wait_for_change("loudspeaker", "restored");
}

#[test]
#[ignore = "needs PulseAudio: make test-long"]
fn cards_pulled_in_a_call_and_plugged_again() {
    let _alone = alone();
    pull_and_plug(&[]);
}

#[test]
#[ignore = "needs PulseAudio: make test-long"]
fn cards_pulled_in_a_call_and_plugged_again_through_alsa() {
    let _alone = alone();
    pull_and_plug(&THROUGH_ALSA);
}

fn kill_the_server(more: &[&str]) {
    let Some(lab) = Lab::up() else { return };
    let _voice = Voice::hum(&lab, "mic_a", ALICES_TONE);
    let mut call = CallInLab::start(&lab, more);
    assert!(Ear::open(&lab, "spk_b").wait_for_sound(SETTLE).is_some(), "no sound at first");
    lab.crash();
    call.bob.wait_for_change("loudspeaker", "lost");
    call.alice.wait_for_change("microphone", "lost");
    thread::sleep(Duration::from_secs(2));
    assert!(call.alice.is_alive() && call.bob.is_alive());
    lab.start();
    let up = Instant::now();
    let _voice = Voice::hum(&lab, "mic_a", ALICES_TONE);
    back_within_a_second(&lab, up, "spk_b", "server killed and restarted");
    call.bob.wait_for_change("loudspeaker", "restored");
}

#[test]
#[ignore = "needs PulseAudio: make test-long"]
fn the_sound_server_dies_and_comes_back() {
    let _alone = alone();
    kill_the_server(&[]);
}

#[test]
#[ignore = "needs PulseAudio: make test-long"]
fn the_sound_server_dies_and_comes_back_under_alsa() {
    let _alone = alone();
    kill_the_server(&THROUGH_ALSA);
}

/// The server stands still for five seconds with all its connections open, as when its machine swaps
/// or its driver hangs.
fn hang_the_server(more: &[&str]) {
    let Some(lab) = Lab::up() else { return };
    let _voice = Voice::hum(&lab, "mic_a", ALICES_TONE);
    let mut call = CallInLab::start(&lab, more);
    // The server may not take a new listener at once when it goes on.
    let ear = Ear::open(&lab, "spk_b");
    assert!(ear.wait_for_sound(SETTLE).is_some(), "no sound at first");
    thread::sleep(Duration::from_secs(2));
    let look = |call: &CallInLab| [call.alice.pid(), call.bob.pid()].map(Usage::of);
    let before = look(&call);
    let mut most = before;
    let hung = lab.hang();
    for _ in 0..50 {
        thread::sleep(Duration::from_millis(100));
        for (most, now) in most.iter_mut().zip(look(&call)) {
            most.threads = most.threads.max(now.threads);
            most.descriptors = most.descriptors.max(now.descriptors);
        }
    }
    assert!(call.alice.is_alive() && call.bob.is_alive());
    let goes_on = Instant::now();
    drop(hung);
    let heard = ear.wait_for_lasting_sound(goes_on, Duration::from_secs(10));
    let took = heard.map(|heard| heard - goes_on);
    println!("{before:?} became {most:?} and {:?}; sound back after {took:?}", look(&call));
    for (before, most) in before.iter().zip(&most) {
        assert!(most.threads <= before.threads + 20, "{before:?} became {most:?}");
        assert!(most.descriptors <= before.descriptors + 20, "{before:?} became {most:?}");
    }
    let took = took.expect("no sound again");
    assert!(took <= Duration::from_secs(1), "sound back after {took:?}");
    for peer in [&mut call.alice, &mut call.bob] {
        assert!(peer.stats().packets.received > 0, "the call lives");
    }
}

#[test]
#[ignore = "needs PulseAudio: make test-long"]
fn the_sound_server_hangs_and_goes_on() {
    let _alone = alone();
    hang_the_server(&[]);
}

#[test]
#[ignore = "needs PulseAudio: make test-long"]
fn the_sound_server_hangs_and_goes_on_under_alsa() {
    let _alone = alone();
    hang_the_server(&THROUGH_ALSA);
}

#[test]
#[ignore = "needs PulseAudio: make test-long"]
fn a_card_of_another_rate_sounds_the_same() {
    let _alone = alone();
    let Some(lab) = Lab::up() else { return };
    for card in ["spk_a", "mic_a", "spk_b", "mic_b"] {
        lab.unplug(card);
        lab.plug(card, 44_100);
    }
    // A null sink of 44.1 kHz counts whole microseconds and so is off by more than any real card: the
    // jitter buffer of the other side cuts a burst short now and then to follow it.
    for Direction { name, pure, .. } in measure(&lab, &[]).0 {
        assert!(pure >= 0.7, "{name}: {pure} of the bursts heard are the tone");
    }
}

#[test]
#[ignore = "needs PulseAudio: make test-long"]
fn a_call_without_any_device_lives_on_until_there_is_one() {
    let _alone = alone();
    let Some(lab) = Lab::up() else { return };
    lab.crash();
    let mut call = CallInLab::start(&lab, &[]);
    assert_eq!(call.alice.wait_for_change("microphone", "missing"), None);
    assert_eq!(call.bob.wait_for_change("loudspeaker", "missing"), None);
    thread::sleep(Duration::from_secs(2));
    let stats = call.alice.stats();
    assert!(stats.packets.sent > 100 && stats.packets.received > 100, "{stats:?}");
    lab.start();
    let up = Instant::now();
    let _voice = Voice::hum(&lab, "mic_a", ALICES_TONE);
    back_within_a_second(&lab, up, "spk_b", "no device at first");
}

#[test]
#[ignore = "needs PulseAudio: make test-long"]
fn another_device_is_chosen_in_a_call_and_the_default_is_followed() {
    let _alone = alone();
    let Some(lab) = Lab::up() else { return };
    lab.set_defaults("spk_b", "mic_a.monitor");
    let _voice = Voice::hum(&lab, "mic_a", ALICES_TONE);
    let mut call = one_way_on_the_same_cards(&lab, &[]);
    assert!(Ear::open(&lab, "spk_b").wait_for_sound(SETTLE).is_some(), "no sound at first");

    call.bob.type_line("device out spk_a");
    let now = call.bob.wait_for_change("loudspeaker", "chosen");
    assert_eq!(now.as_deref(), Some("pulseaudio:spk_a"));
    assert!(Ear::open(&lab, "spk_a").wait_for_sound(SETTLE).is_some(), "no sound as chosen");

    // The chosen one is pulled: the default stands in for it, until it is back.
    lab.unplug("spk_a");
    let now = call.bob.wait_for_change("loudspeaker", "fell_back");
    assert_eq!(now.as_deref(), Some("pulseaudio:spk_b"));
    lab.plug("spk_a", 48_000);
    let now = call.bob.wait_for_change("loudspeaker", "restored");
    assert_eq!(now.as_deref(), Some("pulseaudio:spk_a"));

    call.bob.type_line("device out default");
    call.bob.wait_for_change("loudspeaker", "chosen");
    lab.set_defaults("loop", "mic_a.monitor");
    let now = call.bob.wait_for_change("loudspeaker", "default_moved");
    assert_eq!(now.as_deref(), Some("pulseaudio:loop"));
    assert!(Ear::open(&lab, "loop").wait_for_sound(SETTLE).is_some(), "no sound by default");

    call.bob.type_line("device out nothing at all");
    call.bob.wait_for(|what| matches!(what, voip_examples::line::What::Error { .. }).then_some(()));
}

/// What a process uses.
#[derive(Clone, Copy, Debug)]
struct Usage {
    rss_kb: u64,
    threads: u64,
    descriptors: u64,
}

impl Usage {
    fn of(pid: u32) -> Usage {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        Usage {
            rss_kb: field("VmRSS:"),
            threads: field("Threads:"),
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64,
        }
    }
}

/// Ten minutes, or as many seconds as VOIP_SOAK_SECONDS says.
#[test]
#[ignore = "needs PulseAudio and takes ten minutes: make test-long"]
fn a_long_call_through_devices_does_not_grow() {
    let _alone = alone();
    let Some(lab) = Lab::up() else { return };
    let seconds = std::env::var("VOIP_SOAK_SECONDS").ok().and_then(|s| s.parse().ok());
    let seconds: u64 = seconds.unwrap_or(600);
    let voices = [Voice::say(&lab, "mic_a", ALICES_TONE), Voice::say(&lab, "mic_b", BOBS_TONE)];
    let mut call = CallInLab::start(&lab, &[]);
    let warm = (seconds / 5).min(120);
    thread::sleep(Duration::from_secs(warm));
    let look = |call: &mut CallInLab| {
        let usage = [call.alice.pid(), call.bob.pid()].map(Usage::of);
        let stats = [call.alice.stats(), call.bob.stats()];
        let delay = stats.each_ref().map(|s| s.stages_ms.named().iter().map(|(_, ms)| ms).sum());
        println!(
            "{usage:?}, delays {delay:.1?} ms, concealed {:.2?} %",
            stats.each_ref().map(|s| s.concealed_pct)
        );
        (usage, delay)
    };
    let (first, first_delay): ([Usage; 2], [f64; 2]) = look(&mut call);
    let mut left = seconds - warm;
    let (mut last, mut last_delay) = (first, first_delay);
    while left > 0 {
        let step = left.min(60);
        thread::sleep(Duration::from_secs(step));
        left -= step;
        (last, last_delay) = look(&mut call);
    }
    let ear = Ear::open(&lab, "spk_b");
    assert!(ear.wait_for_sound(SETTLE).is_some(), "no sound at the end");
    drop(voices);
    for (first, last) in first.iter().zip(&last) {
        assert!(last.rss_kb < first.rss_kb + 1_024, "{first:?} became {last:?}");
        assert!(last.threads <= first.threads, "{first:?} became {last:?}");
        assert!(last.descriptors <= first.descriptors, "{first:?} became {last:?}");
    }
    for (first, last) in first_delay.iter().zip(&last_delay) {
        assert!((last - first).abs() < 25.0, "{first} ms became {last} ms");
    }
}
