#![allow(clippy::unwrap_used)]
use super::*;
use crate::frame::BLOCK;
use crate::voice::codec::{Encode, EncoderConfig};
use crate::voice::standin::{StandInDecoder, StandInEncoder};

const ALICE: StreamKey = StreamKey(1);
const BOB: StreamKey = StreamKey(2);

/// A node that hears streams of a steady tone of amplitude 0.25.
struct Hall {
    ingress: Ingress,
    encoder: StandInEncoder,
    number: u16,
}

impl Hall {
    fn new(keys: &[StreamKey]) -> Self {
        let mut ingress = Ingress::new(JitterConfig::default()).unwrap();
        for &key in keys {
            ingress.add(key, Box::new(StandInDecoder::new()));
        }
        let config = EncoderConfig { fec: false, ..Default::default() };
        Hall { ingress, encoder: StandInEncoder::new(&config), number: 0 }
    }

    fn speak(&mut self, keys: &[StreamKey]) -> Instant {
        let tone: [f32; 960] = std::array::from_fn(|n| {
            0.25 * (std::f32::consts::TAU * 500.0 * n as f32 / 48_000.0).sin()
        });
        let mut payload = [0; 16];
        let len = self.encoder.encode(&tone, &mut payload).unwrap();
        let now = Instant::from_micros(u64::from(self.number) * 20_000);
        let timestamp = RtpTimestamp(u32::from(self.number) * 960);
        for &key in keys {
            self.ingress.insert(key, now, SequenceNumber(self.number), timestamp, &payload[..len]);
        }
        self.number += 1;
        now
    }
}

#[test]
fn streams_are_mixed() {
    let mut hall = Hall::new(&[ALICE, BOB]);
    let mut block = AudioFrame::SILENCE;
    let now = hall.speak(&[ALICE, BOB]);
    hall.ingress.get(now, &mut block);
    let both = Level::of(&block.0).rms;
    let alice = hall.ingress.level(ALICE).unwrap().rms;
    assert!((both - alice - 6.0).abs() < 0.2, "{both} and {alice} dBFS");
}

#[test]
fn one_stream_can_be_heard_alone() {
    let mut hall = Hall::new(&[ALICE, BOB]);
    let mut block = AudioFrame::SILENCE;
    let now = hall.speak(&[ALICE]);
    assert!(hall.ingress.get_one(BOB, now, &mut block));
    assert_eq!(block, AudioFrame::SILENCE);
    assert!(hall.ingress.get_one(ALICE, now, &mut block));
    assert!(Level::of(&block.0).rms > -20.0);
    assert_eq!(hall.ingress.stats(ALICE).unwrap().total_samples, BLOCK as u64);
}

#[test]
fn a_stream_that_left_is_silent_and_its_packets_are_ignored() {
    let mut hall = Hall::new(&[ALICE]);
    let mut block = AudioFrame::SILENCE;
    hall.speak(&[ALICE]);
    hall.ingress.remove(ALICE);
    let now = hall.speak(&[ALICE]);
    assert!(!hall.ingress.get_one(ALICE, now, &mut block));
    hall.ingress.get(now, &mut block);
    assert_eq!(block, AudioFrame::SILENCE);
    assert_eq!(hall.ingress.stats(ALICE), None);
    assert_eq!(hall.ingress.level(ALICE), None);
}
