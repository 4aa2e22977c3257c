//! The buffer's behaviour as pictures: what came when, and what was played in each 10 ms.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::super::stretch;
use super::simulation::Random;
use super::*;
use crate::error::ErrorKind;
use crate::frame::BLOCK;
use crate::voice::codec::MAX_PACKET_SAMPLES;
use crate::voice::{Encoder, EncoderConfig};

/// A codec whose sound tells where it is from: packet 7 sounds 7.0, a copy of it 7.25, rebuilt from later deep
/// redundancy 7.5, and what is made up 0.75. Payload: milliseconds, number, redundancy, voice.
#[derive(Default)]
struct Marking {
    /// Number and length of the packet whose deep redundancy was read.
    loaded: Option<(u8, usize)>,
}

const UNDECODABLE: u8 = 99;
/// Kinds of redundancy.
const COPY: u8 = 1;
const DEEP: u8 = 2;
/// Frames that deep redundancy reaches back.
const REACH: usize = 5;

impl Decode for Marking {
    fn inspect(&self, payload: &[u8]) -> Option<PacketInfo> {
        let &[ms, _, redundancy, voice] = payload else { return None };
        let samples = usize::from(ms) * 48;
        let fec_samples = if redundancy == COPY { samples } else { 0 };
        Some(PacketInfo { samples, fec_samples, voice: voice == 1 })
    }
    fn decode(&mut self, payload: &[u8], out: &mut [f32]) -> Result<usize, Error> {
        if payload[1] == UNDECODABLE {
            return Err(Error::new(ErrorKind::Protocol, "undecodable"));
        }
        let samples = usize::from(payload[0]) * 48;
        out[..samples].fill(f32::from(payload[1]));
        Ok(samples)
    }
    fn decode_fec(&mut self, next: &[u8], out: &mut [f32]) -> Result<(), Error> {
        out.fill(f32::from(next[1]) - 0.75);
        Ok(())
    }
    fn conceal(&mut self, out: &mut [f32]) {
        out.fill(0.75);
    }
    fn takes_deep(&self) -> bool {
        true
    }
    fn deep(&mut self, payload: &[u8]) -> Deep {
        let reach = if payload[2] == DEEP { REACH } else { 0 };
        Deep { begin: reach * usize::from(payload[0]) * 48, end: 0 }
    }
    fn load_deep(&mut self, later: &[u8]) -> bool {
        self.loaded = Some((later[1], usize::from(later[0]) * 48)).filter(|_| later[2] == DEEP);
        self.loaded.is_some()
    }
    fn decode_deep(&mut self, before: usize, out: &mut [f32]) -> bool {
        let Some((number, samples)) = self.loaded else { return false };
        out.fill(f32::from(number) - before.div_ceil(samples.max(1)) as f32 + 0.5);
        true
    }
}

/// A sender, its line and a reader who asks at 5, 15, 25 … ms.
struct Scene {
    buffer: JitterBuffer,
    ms: u64,
    frame: u8,
    redundancy: u8,
    voice: bool,
    first: SequenceNumber,
    epoch: RtpTimestamp,
    picture: Vec<String>,
}

impl Scene {
    fn new() -> Self {
        Self::with_delay(0)
    }

    fn with_delay(min_delay_ms: u64) -> Self {
        let min_delay = Duration::from_millis(min_delay_ms);
        let config = JitterConfig { min_delay, ..Default::default() };
        Scene {
            buffer: JitterBuffer::with_codec(&config, Box::new(Marking::default())),
            ms: 0,
            frame: 20,
            redundancy: 0,
            voice: true,
            first: SequenceNumber(100),
            epoch: RtpTimestamp(5_000),
            picture: Vec::new(),
        }
    }

    /// Packet `number` (from 1), spoken at 20 ms times that, arrives at `ms`.
    fn arrive(&mut self, ms: u64, number: u8) -> &mut Self {
        self.arrive_spoken_at(ms, number, 20 * u32::from(number))
    }

    /// Packet `number` arrives with the one so many before it.
    fn arrive_with(&mut self, ms: u64, number: u8, distance: u8) -> &mut Self {
        self.arrive(ms, number);
        let earlier = [self.frame, number - distance, self.redundancy, u8::from(self.voice)];
        self.buffer.insert_repeated(
            Instant::from_micros(ms * 1_000),
            self.first.plus(u16::from(number)),
            u32::from(distance) * u32::from(self.frame) * 48,
            &earlier,
        );
        self
    }

    fn arrive_spoken_at(&mut self, ms: u64, number: u8, spoken_ms: u32) -> &mut Self {
        self.play_until(ms);
        let payload = [self.frame, number, self.redundancy, u8::from(self.voice)];
        self.buffer.insert(
            Instant::from_micros(ms * 1_000),
            self.first.plus(u16::from(number)),
            self.epoch.plus(spoken_ms * 48),
            &payload,
        );
        self
    }

    fn play_until(&mut self, ms: u64) -> &mut Self {
        while 10 * self.ms + 5 < ms {
            let now = Instant::from_micros((10 * self.ms + 5) * 1_000);
            let mut block = AudioFrame([f32::NAN; BLOCK]);
            self.buffer.get(now, &mut block);
            self.picture.push(picture(&block));
            self.ms += 1;
        }
        self
    }

    fn picture(&mut self, until_ms: u64) -> String {
        self.play_until(until_ms);
        self.picture.join(" ")
    }
}

fn picture(block: &AudioFrame) -> String {
    // The first samples may be a join.
    let (middle, last) = (block.0[BLOCK / 2], block.0[BLOCK - 1]);
    match (middle, last) {
        (0.0, 0.0) => ".".into(),
        (_, made_up) if made_up <= 0.75 => "~".into(),
        (a, b) if a != b => "x".into(),
        (n, _) if n.fract() == 0.25 => format!("({})", n.trunc()),
        (n, _) if n.fract() == 0.5 => format!("[{}]", n.trunc()),
        (n, _) => n.to_string(),
    }
}

#[test]
fn in_order() {
    let mut scene = Scene::new();
    scene.arrive(3, 1).arrive(23, 2).arrive(43, 3);
    assert_eq!(scene.picture(60), "1 1 2 2 3 3");
    let stats = scene.buffer.stats();
    assert_eq!((stats.total_samples, stats.concealed_samples), (6 * 480, 0));
    assert_eq!(stats.mean_delay, Duration::from_millis(2));
}

#[test]
fn nothing_is_heard_before_the_first_packet() {
    let mut scene = Scene::new();
    scene.arrive(33, 1);
    assert_eq!(scene.picture(50), ". . . 1 1");
    assert_eq!(scene.buffer.stats().total_samples, 960);
}

#[test]
fn what_was_made_up_for_is_not_said_after_the_end_either() {
    let mut scene = Scene::new();
    scene.arrive(3, 1).arrive_spoken_at(43, UNDECODABLE, 60).play_until(600);
    assert_eq!(scene.buffer.playing(), None);
    scene.arrive(603, 2);
    assert_eq!(scene.buffer.stats().late, 1);
}

#[test]
fn reordered_packets_are_put_in_order() {
    let mut scene = Scene::new();
    scene.arrive(3, 1).arrive(21, 3).arrive(24, 2);
    assert_eq!(scene.picture(60), "1 1 2 2 3 3");
}

#[test]
fn a_packet_that_comes_twice_is_played_once() {
    let mut scene = Scene::new();
    scene.arrive(3, 1).arrive(4, 1).arrive(22, 2).arrive(23, 2).arrive(28, 1).arrive(43, 3);
    assert_eq!(scene.picture(60), "1 1 2 2 3 3");
    assert_eq!(scene.buffer.stats().duplicate, 3);
    assert_eq!(scene.buffer.stats().lost, 0);
}

#[test]
fn a_lost_packet_is_concealed() {
    let mut scene = Scene::new();
    scene.arrive(3, 1).arrive(43, 3);
    assert_eq!(scene.picture(60), "1 1 ~ ~ 3 3");
    let stats = scene.buffer.stats();
    assert_eq!((stats.lost, stats.concealed_samples), (1, 960));
}

#[test]
fn a_lost_packet_is_played_from_the_copy_in_the_next() {
    let mut scene = Scene::with_delay(25);
    scene.redundancy = COPY;
    scene.arrive(3, 1).arrive(43, 3).arrive(63, 4);
    assert_eq!(scene.picture(110), ". . . 1 1 (2) (2) 3 3 4 4");
    let stats = scene.buffer.stats();
    assert_eq!((stats.lost, stats.recovered, stats.concealed_samples), (1, 1, 0));
}

#[test]
fn of_two_lost_packets_the_second_has_a_copy() {
    let mut scene = Scene::with_delay(45);
    scene.redundancy = COPY;
    scene.arrive(3, 1).arrive(63, 4).arrive(83, 5);
    assert_eq!(scene.picture(150), ". . . . . 1 1 ~ ~ (3) (3) 4 4 5 5");
}

#[test]
fn a_copy_that_comes_late_still_gives_its_second_half() {
    let mut scene = Scene::new();
    scene.redundancy = COPY;
    scene.arrive(3, 1).arrive(28, 3);
    assert_eq!(scene.picture(60), "1 1 ~ (2) 3 3");
}

#[test]
fn what_a_burst_took_is_rebuilt_from_the_packet_after_it() {
    let mut scene = Scene::with_delay(65);
    scene.redundancy = DEEP;
    scene.arrive(3, 1).arrive(83, 5).arrive(103, 6);
    assert_eq!(scene.picture(190), ". . . . . . . 1 1 [2] [2] [3] [3] [4] [4] 5 5 6 6");
    let stats = scene.buffer.stats();
    assert_eq!((stats.lost, stats.rebuilt_samples, stats.concealed_samples), (3, 6 * 480, 0));
}

#[test]
fn what_deep_redundancy_does_not_reach_is_made_up() {
    let mut scene = Scene::with_delay(125);
    scene.redundancy = DEEP;
    scene.arrive(3, 1).arrive(143, 8);
    let picture = scene.picture(290);
    assert!(picture.ends_with("1 1 ~ ~ [3] [3] [4] [4] [5] [5] [6] [6] [7] [7] 8 8"), "{picture}");
    let stats = scene.buffer.stats();
    assert_eq!((stats.rebuilt_samples, stats.concealed_samples), (10 * 480, 960));
}

#[test]
fn what_was_made_up_meanwhile_is_not_rebuilt() {
    let mut scene = Scene::new();
    scene.redundancy = DEEP;
    scene.arrive(3, 1).arrive(53, 4).arrive(83, 5);
    assert_eq!(scene.picture(100), "1 1 ~ ~ ~ [3] 4 4 5 5");
}

#[test]
fn a_lost_packet_is_played_from_the_one_that_repeats_it() {
    let mut scene = Scene::with_delay(45);
    scene.arrive(3, 1).arrive_with(43, 3, 2).arrive_with(63, 4, 2).arrive_with(83, 5, 2);
    assert_eq!(scene.picture(150), ". . . . . 1 1 2 2 3 3 4 4 5 5");
    let stats = scene.buffer.stats();
    assert_eq!((stats.lost, stats.repeated, stats.concealed_samples), (1, 1, 0));
    assert_eq!(
        (stats.duplicate, stats.discarded, stats.inserted),
        (0, 0, 4),
        "what came is not needed twice"
    );
}

#[test]
fn what_was_repeated_and_comes_itself_later_is_played_once() {
    let mut scene = Scene::with_delay(65);
    scene.arrive(3, 1).arrive_with(43, 3, 1).arrive(63, 4).arrive(70, 2);
    assert_eq!(scene.picture(150), ". . . . . . . 1 1 2 2 3 3 4 4");
    let stats = scene.buffer.stats();
    assert_eq!((stats.lost, stats.late, stats.repeated), (0, 0, 1));
}

#[test]
fn what_is_repeated_too_late_is_ignored() {
    let mut scene = Scene::new();
    scene.arrive(3, 1).arrive(43, 3).arrive_with(63, 4, 2).arrive_with(83, 5, 4);
    assert_eq!(scene.picture(100), "1 1 ~ ~ 3 3 4 4 5 5");
    let stats = scene.buffer.stats();
    assert_eq!((stats.lost, stats.late, stats.repeated), (1, 0, 0));
}

#[test]
fn bursts_that_repetitions_mend_are_waited_for() {
    let mut scene = Scene::new();
    for n in (0..3_000_u32).filter(|n| n % 25 > 2) {
        scene.play_until(u64::from(20 * n + 3));
        let at = Instant::from_micros(u64::from(20 * n + 3) * 1_000);
        let (number, timestamp) = (scene.first.plus(n as u16), scene.epoch.plus(n * 960));
        scene.buffer.insert(at, number, timestamp, &[20, (n % 50) as u8, 0, 1]);
        let earlier = [20, (n.wrapping_sub(3) % 50) as u8, 0, 1];
        scene.buffer.insert_repeated(at, number, 3 * 960, &earlier);
    }
    let stats = scene.buffer.stats();
    assert!((60..70).contains(&stats.target_delay.as_millis()), "{:?}", stats.target_delay);
    assert!(stats.concealed_samples < 10_000 && stats.repeated > 300, "{stats:?}");
    assert!(stats.jitter < Duration::from_millis(1), "of packets, not of repetitions");
}

/// Four of twenty-five packets are lost in a row, again and again.
fn bursts(redundancy: u8) -> JitterStats {
    let mut scene = Scene::new();
    scene.redundancy = redundancy;
    for n in (0..3_000_u32).filter(|n| n % 25 > 3) {
        scene.play_until(u64::from(20 * n + 3));
        let payload = [20, (n % 50) as u8, redundancy, 1];
        let (number, timestamp) = (scene.first.plus(n as u16), scene.epoch.plus(n * 960));
        scene.buffer.insert(
            Instant::from_micros(u64::from(20 * n + 3) * 1_000),
            number,
            timestamp,
            &payload,
        );
    }
    scene.buffer.stats()
}

#[test]
fn bursts_that_deep_redundancy_mends_are_waited_for() {
    let (without, with) = (bursts(0), bursts(DEEP));
    assert_eq!((without.target_delay.as_millis(), without.rebuilt_samples), (0, 0));
    assert!((80..90).contains(&with.target_delay.as_millis()), "{:?}", with.target_delay);
    assert!(with.concealed_samples < without.concealed_samples / 10, "{with:?}");
}

#[test]
fn a_packet_that_comes_late_is_played_late() {
    let mut scene = Scene::new();
    scene.arrive(3, 1).arrive(30, 2).arrive(43, 3);
    assert_eq!(scene.picture(60), "1 1 ~ 2 2 3");
    assert_eq!(scene.buffer.stats().late, 0);
    assert_eq!(scene.buffer.stats().concealed_samples, 480);
}

#[test]
fn a_packet_that_comes_too_late_is_counted() {
    let mut scene = Scene::new();
    scene.arrive(3, 1).arrive(43, 3).arrive(48, 2).arrive(63, 4);
    assert_eq!(scene.picture(80), "1 1 ~ ~ 3 3 4 4");
    let stats = scene.buffer.stats();
    assert_eq!((stats.late, stats.lost, stats.concealed_samples), (1, 0, 960));
}

#[test]
fn a_packet_that_cannot_be_decoded_is_concealed() {
    let mut scene = Scene::new();
    scene.arrive(3, 1);
    scene.first = SequenceNumber(3);
    scene.arrive_spoken_at(23, UNDECODABLE, 40);
    scene.first = SequenceNumber(100);
    scene.arrive(43, 3);
    assert_eq!(scene.picture(60), "1 1 ~ ~ 3 3");
    assert_eq!(scene.buffer.stats().discarded, 1);
}

#[test]
fn silence_that_was_not_sent_is_no_loss() {
    let mut scene = Scene::new();
    scene.voice = false;
    scene.arrive(3, 1).arrive_spoken_at(103, 2, 120).arrive_spoken_at(123, 3, 140);
    // Comfort noise in between.
    assert_eq!(scene.picture(140), "1 1 ~ ~ ~ ~ ~ ~ ~ ~ 2 2 3 3");
    let stats = scene.buffer.stats();
    assert_eq!((stats.total_samples, stats.concealed_samples), (6 * 480, 0));
}

#[test]
fn after_silence_the_delay_is_chosen_anew() {
    let mut scene = Scene::new();
    scene.arrive(3, 1).arrive(23, 2).arrive(43, 3);
    // Spoken 80 ms later, and 40 ms slower: it is played when it comes, and so is what follows.
    scene.arrive_spoken_at(163, 4, 140).arrive_spoken_at(183, 5, 160);
    assert_eq!(scene.picture(200), "1 1 2 2 3 3 ~ ~ ~ ~ ~ ~ ~ ~ ~ ~ 4 4 5 5");
    assert_eq!(scene.buffer.stats().concealed_samples, 0);
}

#[test]
fn a_muted_sender_fades_to_silence_and_comes_back() {
    let mut scene = Scene::new();
    scene.arrive(3, 1).arrive_spoken_at(403, 2, 420);
    let picture = scene.picture(420);
    assert!(picture.starts_with("1 1 ~ ~ ~"), "{picture}");
    assert!(picture.ends_with(". . . . . . . . . . 2 2"), "{picture}");
    assert_eq!(scene.buffer.stats().concealed_samples, 0);
}

#[test]
fn a_cut_cable_is_concealed_time() {
    let mut scene = Scene::new();
    scene.arrive(3, 1).arrive(403, 21);
    assert!(scene.picture(420).ends_with(". . . . . . . . . . 21 21"));
    let stats = scene.buffer.stats();
    assert_eq!((stats.lost, stats.concealed_samples), (19, 19 * 960));
}

#[test]
fn a_sender_that_starts_over_is_followed() {
    let mut scene = Scene::new();
    scene.arrive(3, 1).arrive(23, 2);
    (scene.first, scene.epoch) = (SequenceNumber(40_000), RtpTimestamp(4_000_000_000));
    scene.arrive(43, 11).arrive(63, 12).arrive(83, 13);
    assert_eq!(scene.picture(100), "1 1 2 2 ~ ~ 12 12 13 13");
    assert_eq!(scene.buffer.stats().restarts, 1);
}

#[test]
fn both_numbers_wrap_unheard() {
    let mut scene = Scene::new();
    (scene.first, scene.epoch) = (SequenceNumber(65_533), RtpTimestamp(u32::MAX - 2_500));
    scene.arrive(3, 1).arrive(23, 2).arrive(43, 3).arrive(61, 5).arrive(63, 4);
    assert_eq!(scene.picture(100), "1 1 2 2 3 3 4 4 5 5");
}

#[test]
fn the_length_of_packets_may_change() {
    let mut scene = Scene::new();
    scene.arrive(3, 1);
    scene.frame = 60;
    scene.arrive(23, 2);
    scene.frame = 10;
    scene.arrive_spoken_at(83, 3, 100).arrive_spoken_at(93, 4, 110);
    scene.frame = 40;
    scene.arrive_spoken_at(103, 5, 120);
    assert_eq!(scene.picture(140), "1 1 2 2 2 2 2 2 3 4 5 5 5 5");
}

#[test]
fn malformed_packets_are_dropped_and_counted() {
    let mut scene = Scene::new();
    scene.arrive(3, 1);
    for garbage in [&[][..], &[1, 2, 3], &[7; 2_000]] {
        scene.buffer.insert(Instant::ZERO, SequenceNumber(9), RtpTimestamp(9), garbage);
    }
    assert_eq!(scene.picture(20), "1 1");
    assert_eq!(scene.buffer.stats().discarded, 3);
}

#[test]
fn a_clean_line_changes_no_sample() {
    let mut encoder = Encoder::new(&EncoderConfig::default()).unwrap();
    let mut plain = Decoder::new().unwrap();
    let mut buffer = JitterBuffer::new(&JitterConfig::default(), Decoder::new().unwrap()).unwrap();
    let mut random = Random::new(5);
    let (mut expected, mut heard) = (Vec::new(), Vec::new());
    for number in 0..250u32 {
        // Ten bursts of noise, as loud and as short as syllables.
        let loud = if number % 25 < 15 { 0.4 } else { 0.001 };
        let frame: [f32; 960] = std::array::from_fn(|_| loud * (random.unit() as f32 - 0.5));
        let mut packet = [0; crate::voice::MAX_PAYLOAD];
        let len = encoder.encode(&frame, &mut packet).unwrap();
        let mut out = [0.0; MAX_PACKET_SAMPLES];
        let samples = plain.decode(&packet[..len], &mut out).unwrap();
        expected.extend_from_slice(&out[..samples]);

        let sent = u64::from(number) * 20_000;
        let arrival = Instant::from_micros(sent + (random.unit() * 900.0) as u64);
        let (sequence, timestamp) = (SequenceNumber(number as u16), RtpTimestamp(number * 960));
        buffer.insert(arrival, sequence, timestamp, &packet[..len]);
        for call in [4_000, 14_000] {
            let mut block = AudioFrame::SILENCE;
            buffer.get(Instant::from_micros(sent + call), &mut block);
            heard.extend_from_slice(&block.0);
        }
    }
    assert!(heard == expected, "the buffer changed samples");
}

#[test]
fn options_out_of_range_name_themselves() {
    let ms = Duration::from_millis;
    for (min_delay, max_delay, field) in
        [(ms(0), ms(601), "max_delay"), (ms(401), ms(400), "min_delay")]
    {
        let config = JitterConfig { min_delay, max_delay, ..JitterConfig::default() };
        let error = JitterBuffer::new(&config, Decoder::new().unwrap()).err().unwrap();
        assert!(error.message().starts_with(field), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever comes, in any order and at any time: full finite blocks, media time that goes back only to
    /// say a stretch again, sums that add up, and no more memory than for the packets that fit.
    #[test]
    fn anything_may_come(steps in prop::collection::vec(
        (0u64..60_000, any::<bool>(), any::<u16>(), any::<u32>(), 0u8..121, 0u8..3, any::<bool>()),
        1..400,
    ), wild in any::<bool>()) {
        let mut scene = Scene::new();
        let (mut now, mut last) = (0, (0, i64::MIN / 2));
        for (wait, get, number, timestamp, ms, redundancy, voice) in steps {
            now += wait;
            let at = Instant::from_micros(now);
            if get {
                let mut block = AudioFrame([f32::NAN; BLOCK]);
                scene.buffer.get(at, &mut block);
                prop_assert!(block.0.iter().all(|s| s.is_finite()));
                if let Some(playout) = &scene.buffer.playout {
                    let (restarts, at) = (scene.buffer.counts.restarts, playout.position());
                    let said_again = (stretch::LONGEST - BLOCK) as i64;
                    prop_assert!(last.0 != restarts || at >= last.1 - said_again, "{last:?} {at}");
                    last = (restarts, at);
                }
            } else {
                let number = if wild { number } else { number % 64 };
                let timestamp = if wild { timestamp } else { u32::from(number) * 960 + timestamp % 500 };
                let payload = [ms, number as u8, redundancy, u8::from(voice)];
                scene.buffer.insert(at, SequenceNumber(number), RtpTimestamp(timestamp), &payload);
                let age = (timestamp % 7) * 960 + u32::from(wild) * (timestamp % 3);
                scene.buffer.insert_repeated(at, SequenceNumber(number), age, &payload);
            }
            let stats = scene.buffer.stats();
            prop_assert!(stats.concealed_samples <= stats.total_samples);
            prop_assert!(stats.late + stats.duplicate + stats.discarded <= stats.inserted);
        }
    }

    /// Time may even stand still or run backwards between calls.
    #[test]
    fn any_clock_is_survived(times in prop::collection::vec(0u64..200_000, 1..300)) {
        let mut scene = Scene::new();
        for (number, time) in times.iter().enumerate() {
            let payload = [20, number as u8, 1, 1];
            let timestamp = RtpTimestamp(number as u32 * 960);
            let at = Instant::from_micros(*time);
            scene.buffer.insert(at, SequenceNumber(number as u16), timestamp, &payload);
            let mut block = AudioFrame([f32::NAN; BLOCK]);
            scene.buffer.get(at, &mut block);
            prop_assert!(block.0.iter().all(|s| s.is_finite()));
        }
    }
}
