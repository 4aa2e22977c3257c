//! Lines of any quality in virtual time, with the stand-in codec: how much is concealed, how late
//! it is heard. The grid of results is a snapshot, so that a change of behaviour is a readable
//! difference.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::voice::codec::{Encode, EncoderConfig};
use crate::voice::standin::{StandInDecoder, StandInEncoder};

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
    pub(super) seed: u64,
}

impl Default for Line {
    fn default() -> Self {
        Line {
            frame_ms: 20,
            seconds: 30,
            loss: 0.0,
            jitter: 500,
            extra: |_| 0,
            phase: 5_000,
            call: |due| due,
            drift: 0,
            seed: 1,
        }
    }
}

/// What came of it.
pub(super) struct Heard {
    pub(super) stats: JitterStats,
    /// From a sample's frame sent to its block read, for every block, in milliseconds.
    pub(super) delays: Vec<f64>,
}

impl Heard {
    pub(super) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.delays.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[(sorted.len() - 1) * percent / 100]
    }

    pub(super) fn mean(&self) -> f64 {
        self.delays.iter().sum::<f64>() / self.delays.len() as f64
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
            frame: crate::FrameDuration::from_millis(self.frame_ms as u32).unwrap(),
            ..Default::default()
        };
        let mut encoder = StandInEncoder::new(&config);
        let voice = vec![0.25; config.frame.samples()];
        let mut sent = Vec::new();
        for number in 0..self.seconds * 1_000 / self.frame_ms {
            let mut payload = vec![0; 16];
            let len = encoder.encode(&voice, &mut payload).unwrap();
            payload.truncate(len);
            let due = number * self.frame_ms * 1_000;
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
        let mut buffer =
            JitterBuffer::with_codec(&JitterConfig::default(), Box::new(StandInDecoder::new()));
        let mut packets = self.packets().into_iter().peekable();
        let mut delays = Vec::new();
        let mut block = AudioFrame::SILENCE;
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
            if let Some(playout) = &buffer.playout {
                let media = media_micros(playout.position() - BLOCK as i64);
                let spoken = media + media * self.drift / 1_000_000;
                delays.push((now - spoken) as f64 / 1e3);
            }
        }
        Heard { stats: buffer.stats(), delays }
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
                let mut heard = Heard { stats: JitterStats::default(), delays: Vec::new() };
                for seed in 0..5 {
                    let line = Line {
                        frame_ms,
                        loss: f64::from(loss) / 100.0,
                        jitter: jitter * 1_000,
                        phase: 1_000 + 2_000 * seed,
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
