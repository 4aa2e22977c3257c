//! Lines of any quality in virtual time, with the stand-in codec: how much is concealed, how late
//! it is heard. The grid of results is a snapshot, so that a change of behaviour is a readable
//! difference.
#![allow(clippy::unwrap_used)]

use std::f32::consts::TAU;

use super::*;
use crate::frame::BLOCK;
use crate::voice::codec::{Encode, EncoderConfig};
use crate::voice::standin::{StandInDecoder, StandInEncoder};

/// What is said: a tone of this many hertz, of amplitude 0.25.
const TONE: f32 = 440.0;
/// The most by which such a tone changes from one sample to the next.
const STEEPEST: f32 = 0.25 * TAU * TONE / 48_000.0;

/// A small generator (xorshift64*): the same seed, the same line.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    /// 0.0 to 1.0.
    pub(super) fn unit(&mut self) -> f64 {
        self.next() as f64 / (1u64 << 53) as f64
    }
}

/// A line, a sender and a reader.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) frame_ms: i64,
    /// The last fifth of each second nothing is said.
    pub(super) pauses: bool,
    pub(super) seconds: i64,
    /// Packets lost, 0 to 1.
    pub(super) loss: f64,
    /// Jitter, uniform from 0 to this, in microseconds.
    pub(super) jitter: i64,
    /// Further delay of the packet sent at this time, microseconds to microseconds.
    pub(super) extra: fn(i64) -> i64,
    /// First call of the reader after the first packet was sent, in microseconds.
    pub(super) phase: i64,
    /// When the reader's call that is due at this time really comes, microseconds to microseconds.
    pub(super) call: fn(i64) -> i64,
    /// The sender's clock against the reader's, in parts per million.
    pub(super) drift: i64,
    pub(super) max_delay: Duration,
    pub(super) seed: u64,
}

impl Default for Line {
    fn default() -> Self {
        Line {
            frame_ms: 20,
            pauses: false,
            seconds: 30,
            loss: 0.0,
            jitter: 500,
            extra: |_| 0,
            phase: 5_000,
            call: |due| due,
            drift: 0,
            max_delay: JitterConfig::default().max_delay,
            seed: 1,
        }
    }
}

/// What came of it.
pub(super) struct Heard {
    pub(super) stats: JitterStats,
    /// For every block: when it was read, and the time from its sound sent to it read, in
    /// milliseconds.
    pub(super) delays: Vec<(f64, f64)>,
    pub(super) best_lag: Duration,
    /// The largest change from one sample to the next, once sound was heard.
    pub(super) steepest: f32,
}

impl Heard {
    /// Delays of the blocks read between two times, in milliseconds.
    fn between(&self, from: f64, to: f64) -> Vec<f64> {
        self.delays.iter().filter(|d| (from..to).contains(&d.0)).map(|d| d.1).collect()
    }

    pub(super) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.between(0.0, f64::MAX);
        sorted.sort_by(f64::total_cmp);
        sorted[(sorted.len() - 1) * percent / 100]
    }

    pub(super) fn mean(&self) -> f64 {
        self.delays.iter().map(|d| d.1).sum::<f64>() / self.delays.len() as f64
    }
}

struct Sent {
    arrival: i64,
    number: i64,
    payload: Vec<u8>,
}

impl Line {
    fn packets(&self) -> Vec<Sent> {
        let mut random = Random::new(self.seed);
        let config = EncoderConfig {
            frame: crate::frame::FrameDuration::from_millis(self.frame_ms as u32).unwrap(),
            ..Default::default()
        };
        let mut encoder = StandInEncoder::new(&config);
        let tone = |n: usize| 0.25 * (TAU * TONE * n as f32 / 48_000.0).sin();
        let voice: Vec<f32> = (0..config.frame.samples()).map(tone).collect();
        let silence = vec![0.0; voice.len()];
        let mut sent = Vec::new();
        for number in 0..self.seconds * 1_000 / self.frame_ms {
            let due = number * self.frame_ms * 1_000;
            let pause = self.pauses && due % 1_000_000 >= 800_000;
            let mut payload = vec![0; 16];
            let said = if pause { &silence } else { &voice };
            let len = encoder.encode(said, &mut payload).unwrap();
            payload.truncate(len);
            let at = due + due * self.drift / 1_000_000;
            let jitter = (random.unit() * self.jitter as f64) as i64;
            let arrival = at + jitter + (self.extra)(at);
            if random.unit() >= self.loss {
                sent.push(Sent { arrival, number, payload });
            }
        }
        sent.sort_by_key(|s| s.arrival);
        sent
    }

    pub(super) fn run(&self) -> Heard {
        let config = JitterConfig { max_delay: self.max_delay, ..JitterConfig::default() };
        let mut buffer = JitterBuffer::with_codec(&config, Box::new(StandInDecoder::new()));
        let mut packets = self.packets().into_iter().peekable();
        let mut delays = Vec::new();
        let mut block = AudioFrame::SILENCE;
        let (mut steepest, mut last) = (0.0f32, 0.0);
        for call in 0..self.seconds * 100 {
            let now = (self.call)(self.phase + call * 10_000);
            while let Some(packet) = packets.next_if(|p| p.arrival <= now) {
                let timestamp = (packet.number * self.frame_ms * 48) as u32;
                buffer.insert(
                    Instant::from_micros(packet.arrival as u64),
                    SequenceNumber(packet.number as u16),
                    RtpTimestamp(timestamp),
                    &packet.payload,
                );
            }
            buffer.get(Instant::from_micros(now as u64), &mut block);
            for sample in block.0 {
                steepest = steepest.max(f32::abs(sample - last));
                last = sample;
            }
            if let Some(playout) = &buffer.playout {
                let media = media_micros(playout.position() - BLOCK as i64);
                let spoken = media + media * self.drift / 1_000_000;
                delays.push((now as f64 / 1e3, (now - spoken) as f64 / 1e3));
            }
        }
        Heard { stats: buffer.stats(), delays, best_lag: buffer.best_lag(), steepest }
    }
}

#[test]
fn grid() {
    let mut table = String::from(
        "loss %  jitter ms  frame ms | concealed %  delay ms: mean  p50  p95 | late  recovered  in  out\n",
    );
    for frame_ms in [10, 20, 60] {
        for loss in [0, 1, 5, 20] {
            for jitter in [0, 1, 10, 40, 100] {
                let mut heard = Heard {
                    stats: JitterStats::default(),
                    delays: Vec::new(),
                    best_lag: Duration::ZERO,
                    steepest: 0.0,
                };
                for seed in 0..3 {
                    let line = Line {
                        frame_ms,
                        loss: f64::from(loss) / 100.0,
                        jitter: jitter * 1_000,
                        seconds: 20,
                        phase: 500 + 4_000 * seed,
                        seed: seed as u64,
                        ..Default::default()
                    };
                    let one = line.run();
                    heard.delays.extend(one.delays);
                    heard.stats.late += one.stats.late;
                    heard.stats.recovered += one.stats.recovered;
                    heard.stats.total_samples += one.stats.total_samples;
                    heard.stats.concealed_samples += one.stats.concealed_samples;
                    heard.stats.inserted_samples += one.stats.inserted_samples;
                    heard.stats.removed_samples += one.stats.removed_samples;
                }
                table += &format!(
                    "{loss:6} {jitter:10} {frame_ms:9} | {:11.2} {:15.1} {:4.0} {:4.0} | {:4} {:10} {:3} {:4}\n",
                    heard.stats.concealed_percent(),
                    heard.mean(),
                    heard.percentile(50),
                    heard.percentile(95),
                    heard.stats.late,
                    heard.stats.recovered,
                    heard.stats.inserted_samples / 480,
                    heard.stats.removed_samples / 480,
                );
            }
        }
    }
    insta::assert_snapshot!(table);
}

fn range(delays: &[f64]) -> (f64, f64) {
    delays.iter().fold((f64::MAX, f64::MIN), |(low, high), &d| (low.min(d), high.max(d)))
}

#[test]
fn on_a_clean_line_the_wait_is_for_the_next_call_and_a_small_margin() {
    let mut all = Vec::new();
    for phase in 0..10 {
        let line = Line {
            phase: 300 + phase * 1_000,
            jitter: 800,
            seed: phase as u64,
            ..Default::default()
        };
        let heard = line.run();
        assert!(heard.stats.concealed_percent() <= 0.1, "phase {phase}: {:?}", heard.stats);
        assert!(heard.percentile(95) <= 13.0, "phase {phase}: {}", heard.percentile(95));
        all.push(heard.mean());
    }
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    assert!(mean <= 7.5, "{mean} ms");
}

#[test]
fn one_hiccup_of_the_sender_costs_its_length_and_delay_for_a_while() {
    for length in [15_000, 30_000] {
        let stall: fn(i64) -> i64 = match length {
            15_000 => |at| if at == 10_000_000 { 15_000 } else { 0 },
            // The packet after it is held up by the same stall.
            _ => |at| match at {
                10_000_000 => 30_000,
                10_020_000 => 10_000,
                _ => 0,
            },
        };
        let heard = Line { extra: stall, seconds: 60, ..Default::default() }.run();
        assert!(heard.stats.concealed_samples <= length as u64 * 48 / 1_000 + 480);
        let (_, before) = range(&heard.between(9e3, 10e3));
        let (_, then) = range(&heard.between(10.1e3, 60e3));
        assert!(then <= before + length as f64 / 1e3 + 10.0, "{before} then {then}");
        let (_, after) = range(&heard.between(50e3, 60e3));
        assert!(after <= before + 11.0, "{before} then {after}");
        assert_eq!(heard.stats.inserted_samples, 0);
    }
}

#[test]
fn a_reader_that_falls_behind_is_caught_up_with() {
    for lag in [15_000, 30_000, 300_000, 1_500_000] {
        let call: fn(i64) -> i64 = match lag {
            15_000 => |due| if due < 10_000_000 { due } else { due + 15_000 },
            30_000 => |due| if due < 10_000_000 { due } else { due + 30_000 },
            300_000 => |due| if due < 10_000_000 { due } else { due + 300_000 },
            _ => |due| if due < 10_000_000 { due } else { due + 1_500_000 },
        };
        let heard = Line { call, seconds: 60, ..Default::default() }.run();
        let (_, before) = range(&heard.between(9e3, 10e3));
        let (_, after) = range(&heard.between(50e3, 59e3));
        assert!(after <= before + 11.0, "{lag}: {before} then {after} ms");
        assert!(heard.stats.depth < Duration::from_millis(100));
        // Not one block more is cut than the reader fell behind by, and none put back.
        assert!(
            heard.stats.removed_samples <= (lag as u64 / 10_000 + 1) * 480,
            "{:?}",
            heard.stats
        );
        assert_eq!(heard.stats.inserted_samples, 0);
    }
}

#[test]
fn a_reader_that_wakes_late_and_catches_up_changes_nothing() {
    let call = |due| if (10_000_000..10_030_000).contains(&due) { 10_030_000 } else { due };
    let heard = Line { call, ..Default::default() }.run();
    assert_eq!(heard.stats.concealed_samples, 0);
    assert_eq!(heard.stats.removed_samples, 0);
    assert_eq!(range(&heard.between(9e3, 10e3)), range(&heard.between(10.1e3, 30e3)));
}

#[test]
fn a_path_that_becomes_longer_costs_little_more_than_the_difference() {
    let heard =
        Line { extra: |at| if at < 10_000_000 { 0 } else { 80_000 }, ..Default::default() }.run();
    assert!(heard.stats.concealed_samples <= 200 * 48, "{:?}", heard.stats);
    let (low, high) = range(&heard.between(11e3, 30e3));
    assert!(low >= 80.0 && high <= 102.0, "{low} to {high} ms");
}

#[test]
fn a_path_that_becomes_shorter_is_followed() {
    let heard =
        Line { extra: |at| if at < 10_000_000 { 80_000 } else { 0 }, ..Default::default() }.run();
    assert!(heard.stats.concealed_percent() < 0.1);
    let (_, high) = range(&heard.between(28e3, 30e3));
    assert!(high <= 22.0, "{high} ms");
}

#[test]
fn drifting_clocks_leave_the_delay_where_it_is() {
    for drift in [-300, 300] {
        let heard = Line { drift, seconds: 600, ..Default::default() }.run();
        // After the last packet the reader waits for more.
        let (low, high) = range(&heard.between(1e3, 599e3));
        assert!(low > 0.0 && high < 24.0, "{drift} ppm: {low} to {high} ms");
        assert!(heard.stats.concealed_percent() < 0.05, "{drift} ppm: {:?}", heard.stats);
        // 300 ppm of ten minutes are eighteen blocks; the last may be to come.
        let spliced = heard.stats.inserted_samples + heard.stats.removed_samples;
        assert!((16 * 480..=28 * 480).contains(&spliced), "{drift} ppm: {:?}", heard.stats);
    }
}

/// All packets of a stall come when it ends.
#[test]
fn after_a_stall_the_delay_is_as_before_within_two_seconds() {
    let stalls: [fn(i64) -> i64; 3] = [
        |at| if at < 30_000_000 { 0 } else { (31_000_000 - at).max(0) },
        |at| if at < 30_000_000 { 0 } else { (32_000_000 - at).max(0) },
        |at| if at < 30_000_000 { 0 } else { (33_000_000 - at).max(0) },
    ];
    for (seconds, extra) in (1..).zip(stalls) {
        let heard = Line { extra, seconds: 60, pauses: true, ..Default::default() }.run();
        let end = 30e3 + 1e3 * f64::from(seconds);
        let (_, before) = range(&heard.between(25e3, 30e3));
        let (_, after) = range(&heard.between(end + 2e3, 59e3));
        assert!(after <= before + 21.0, "{seconds} s: {before} then {after} ms");
    }
}

#[test]
fn a_burst_beyond_the_longest_delay_is_heard_and_not_chopped() {
    let extra = |at: i64| if at < 30_000_000 { 0 } else { (30_350_000 - at).max(0) };
    let max_delay = Duration::from_millis(100);
    let line =
        Line { extra, jitter: 80_000, seconds: 60, pauses: true, max_delay, ..Line::default() };
    let JitterStats {
        inserted,
        discarded,
        total_samples,
        concealed_samples,
        inserted_samples,
        removed_samples,
        ..
    } = line.run().stats;
    assert_eq!(discarded, 0);
    // What came was played, but for the last packets, which are still there.
    let played = total_samples - concealed_samples - inserted_samples + removed_samples;
    assert!(played >= (inserted - 10) * 960, "{played} of {}", inserted * 960);
}

#[test]
fn a_satellite_that_changes_every_fifteen_seconds_leaves_no_delay_behind() {
    // For 150 ms packets are held up, and the next path is longer or shorter.
    let extra = |at: i64| {
        let (number, since) = (at / 15_000_000, at % 15_000_000);
        number % 2 * 20_000 + (150_000 - since).max(0)
    };
    let heard = Line { extra, seconds: 120, pauses: true, ..Default::default() }.run();
    for change in 2..8 {
        let begin = 15e3 * f64::from(change);
        let (_, high) = range(&heard.between(begin + 2_150.0, begin + 14.9e3));
        assert!(high <= 51.0, "change {change}: {high} ms");
    }
    // What is held up is said late; no more is made up than the time it was away.
    assert!(heard.stats.concealed_samples <= 8 * 170 * 48, "{:?}", heard.stats);
    assert_eq!(heard.stats.discarded, 0);
}

#[test]
fn a_tunnel_through_a_stream_that_repeats_what_it_lost_is_waited_for() {
    // Every four seconds packets are held up for 250 ms.
    let extra = |at: i64| (250_000 - at % 4_000_000).max(0);
    let heard = Line { extra, seconds: 120, pauses: true, ..Default::default() }.run();
    let (low, high) = range(&heard.between(20e3, 119e3));
    assert!(low >= 100.0 && high <= 275.0, "{low} to {high} ms");
    assert_eq!((heard.stats.discarded, heard.stats.late), (0, 0), "all is heard");
    assert!(heard.stats.concealed_percent() < 3.5, "{:?}", heard.stats);
}

#[test]
fn five_per_cent_loss_and_forty_milliseconds_of_jitter() {
    let (mut concealed, mut delays) = (0.0, Vec::new());
    for seed in 0..10 {
        let line = Line {
            loss: 0.05,
            jitter: 40_000,
            phase: 500 + 1_000 * seed,
            seed: seed as u64,
            ..Default::default()
        };
        let heard = line.run();
        concealed += heard.stats.concealed_percent() / 10.0;
        delays.extend(heard.between(0.0, f64::MAX));
    }
    delays.sort_by(f64::total_cmp);
    let median = delays[delays.len() / 2];
    assert!(concealed <= 2.5 && median <= 49.0, "{concealed} %, {median} ms");
}

#[test]
fn a_grid_of_calls_just_too_early_is_told_how_far_to_move() {
    // Every fortieth packet is held up by 4 ms: a scheduler's time slice.
    let extra = |at| if at % 800_000 == 0 { 4_000 } else { 0 };
    let early = Line { phase: 3_800, extra, ..Default::default() }.run();
    assert!(early.percentile(50) > 13.0, "{}", early.percentile(50));
    let lag = early.best_lag.as_micros() as i64;
    assert!((500..=4_000).contains(&lag), "{lag} us");
    let moved = Line { phase: 3_800 + lag, extra, ..Default::default() }.run();
    assert!(moved.percentile(50) < 7.5, "{}", moved.percentile(50));
    assert!(moved.stats.concealed_percent() < 0.1);
    assert_eq!(moved.best_lag, Duration::ZERO);
}

/// A tone would tell of every seam that is not closed: its phase jumps there.
#[test]
fn no_splice_and_no_join_is_heard_as_a_click() {
    let cuts = |due| if due < 10_000_000 { due } else { due + 60_000 };
    let jumps = |due| if due < 10_000_000 { due } else { due + 200_000 };
    let late = |at| if at % 500_000 == 100_000 { 16_000 } else { 0 };
    for line in [
        Line { call: cuts, ..Default::default() },
        Line { call: jumps, ..Default::default() },
        Line { extra: late, ..Default::default() },
        Line { loss: 0.05, jitter: 40_000, ..Default::default() },
        Line { drift: -300, seconds: 120, ..Default::default() },
    ] {
        let heard = line.run();
        assert!(heard.steepest < 2.0 * STEEPEST, "{} times", heard.steepest / STEEPEST);
        let counts = heard.stats;
        assert!(counts.inserted_samples + counts.removed_samples + counts.concealed_samples > 0);
    }
}
