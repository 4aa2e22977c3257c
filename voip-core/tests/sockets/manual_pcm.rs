//! Manual PCM: what is written is heard, whatever the rate; time limits, pacing, absent readers.

use std::time::Instant;

use crate::harness::{
    LIMIT, Pair, end_of, failure, from_first_sound, ms, purity, say_and_hear, strength, tone, until,
};
use voip_core::{CallState, ErrorKind};

const HERTZ: f32 = 500.0;

#[test]
fn a_tone_is_heard_at_every_rate_in_both_directions_and_formats() {
    std::thread::scope(|scope| {
        for rate in [8_000, 16_000, 44_100, 48_000] {
            scope.spawn(move || hear_a_tone_at(rate));
        }
    });
}

fn hear_a_tone_at(rate: u32) {
    let pair = Pair::manual(rate);
    let (at_alice, at_bob) = pair.connect();
    let sound = tone(HERTZ, rate, 1.0);
    let whole: Vec<i16> = sound.iter().map(|s| (s * 32768.0) as i16).collect();
    let mut heard_i16 = vec![0; sound.len()];
    let heard = std::thread::scope(|scope| {
        scope.spawn(|| at_bob.write_i16(&whole, LIMIT).unwrap());
        scope.spawn(|| at_alice.read_i16(&mut heard_i16, LIMIT).unwrap());
        say_and_hear(&at_alice, &at_bob, &sound)
    });
    let heard_i16: Vec<f32> = heard_i16.iter().map(|s| f32::from(*s) / 32768.0).collect();
    for (heard, format) in [(heard, "f32"), (heard_i16, "i16")] {
        let heard = from_first_sound(&heard);
        let half = &heard[heard.len() - rate as usize / 2..];
        let (level, purity) = (strength(half, HERTZ, rate), purity(half, HERTZ, rate));
        assert!((0.2..0.4).contains(&level), "{rate} Hz, {format}: level {level}");
        assert!(purity > 0.8, "{rate} Hz, {format}: purity {purity}");
    }
}

#[test]
fn a_writer_that_hurries_is_paced() {
    let pair = Pair::manual(16_000);
    let (at_alice, _at_bob) = pair.connect();
    let before = Instant::now();
    at_alice.write(&tone(HERTZ, 16_000, 1.0), LIMIT).unwrap();
    // One second less 200 ms of queue, one frame in it and one let through at once.
    assert!(before.elapsed() >= ms(700), "{:?}", before.elapsed());
    until(&at_alice, || at_alice.stats().packets_sent == 50);
}

#[test]
fn a_writer_that_cannot_wait_is_told() {
    let pair = Pair::manual(48_000);
    let (at_alice, _at_bob) = pair.ring();
    let accepted = at_alice.write(&[0.0; 48_000], ms(100)).unwrap();
    assert!((9_600..48_000).contains(&accepted), "the queue holds 200 ms: {accepted}");
    // A frame may have left meanwhile, but time does not run as fast as this.
    let error = (0..100).find_map(|_| at_alice.write(&[0.0; 960], ms(0)).err());
    assert_eq!(error.unwrap().kind(), ErrorKind::TimedOut);
}

#[test]
fn a_reader_that_cannot_wait_is_told_and_loses_nothing() {
    let pair = Pair::manual(48_000);
    let (at_alice, at_bob) = pair.connect();
    let before = Instant::now();
    let mut block = vec![0.0; 24_000];
    assert_eq!(failure(at_bob.read(&mut block, ms(100))).kind(), ErrorKind::TimedOut);
    assert!(before.elapsed() >= ms(100));
    at_bob.read(&mut block, LIMIT).unwrap();
    // The first block is there at once, every further one takes 10 ms.
    assert!(before.elapsed() >= ms(490), "{:?}", before.elapsed());
    assert_eq!(at_alice.state(), CallState::Connected);
}

#[test]
fn sound_that_nobody_reads_is_counted_but_silence_while_it_rings_is_not() {
    let pair = Pair::manual(48_000);
    let (at_alice, at_bob) = pair.ring();
    at_alice.wait_answered(ms(500)).unwrap_err();
    at_bob.answer().unwrap();
    at_alice.wait_connected(LIMIT).unwrap();
    at_bob.wait_connected(LIMIT).unwrap();
    assert_eq!(at_alice.stats().unread_ms, 0, "{:?}", at_alice.stats());
    let connected = Instant::now();
    until(&at_bob, || at_bob.stats().unread_ms > 0);
    assert!(connected.elapsed() >= ms(190), "{:?}", connected.elapsed());
    until(&at_bob, || at_bob.stats().unread_ms >= 100);
    at_alice.hang_up();
    end_of(&at_bob);
    assert!(at_bob.stats().unread_ms >= 100, "the final statistics have it too");
}

#[test]
fn a_reader_that_comes_back_gets_the_present_and_not_a_burst_of_the_past() {
    let pair = Pair::manual(48_000);
    let (_at_alice, at_bob) = pair.connect();
    let mut block = [0.0; 480];
    at_bob.read(&mut block, LIMIT).unwrap();
    until(&at_bob, || at_bob.stats().unread_ms >= 100);
    let back = Instant::now();
    for _ in 0..11 {
        at_bob.read(&mut block, LIMIT).unwrap();
    }
    assert!(back.elapsed() >= ms(100), "{:?}", back.elapsed());
}

#[test]
fn a_reader_that_waits_through_the_ringing_hears_silence_in_real_time() {
    let pair = Pair::manual(8_000);
    let (at_alice, _at_bob) = pair.ring();
    let before = Instant::now();
    let mut heard = vec![1.0; 1_600];
    at_alice.read(&mut heard, LIMIT).unwrap();
    assert!(before.elapsed() >= ms(190), "{:?}", before.elapsed());
    assert!(heard.iter().all(|s| *s == 0.0));
}

#[test]
fn what_is_no_number_is_survived() {
    let pair = Pair::manual(48_000);
    let (at_alice, at_bob) = pair.connect();
    let strange = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30, f32::MIN_POSITIVE];
    let mut sound: Vec<f32> = strange.iter().cycle().take(9_600).copied().collect();
    sound.extend(tone(HERTZ, 48_000, 1.0));
    let heard = say_and_hear(&at_alice, &at_bob, &sound);
    assert!(heard.iter().all(|s| s.is_finite() && s.abs() <= 1.0));
    let last = &heard[heard.len() - 24_000..];
    assert!(purity(last, HERTZ, 48_000) > 0.8, "{}", purity(last, HERTZ, 48_000));
}

#[test]
fn whoever_waits_is_woken_by_the_end_of_the_call() {
    let pair = Pair::manual(48_000);
    let (at_alice, at_bob) = pair.connect();
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| at_bob.read(&mut vec![0.0; 48_000 * 60], LIMIT));
        let writing = scope.spawn(|| at_bob.write(&vec![0.0; 48_000 * 60], LIMIT));
        until(&at_alice, || at_alice.stats().packets_received > 5);
        at_alice.hang_up();
        assert_eq!(failure(reading.join().unwrap()).kind(), ErrorKind::CallEnded);
        assert_eq!(failure(writing.join().unwrap()).kind(), ErrorKind::CallEnded);
    });
}
