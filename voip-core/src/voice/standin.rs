//! A codec that costs nothing, for simulations: a packet tells level and pitch of its frame, the
//! decoder hums a sine of both. What was heard can be checked against what was said.
//!
//! Payload: mark, milliseconds, level (−dBFS), pitch (Hz, two bytes, big-endian), and with FEC the
//! level and pitch of the frame before.

use std::f32::consts::{SQRT_2, TAU};

use super::codec::{Decode, Effort, Encode, EncoderConfig, MAX_PACKET_SAMPLES, PacketInfo};
use super::level::Level;
use crate::error::{Error, ErrorKind};
use crate::frame::{FrameDuration, SAMPLE_RATE};
use crate::time::Duration;

const MARK: u8 = 0xA5;
/// From this level down a frame counts as silence.
const QUIET: u8 = 60;
/// Samples hummed at a time.
const LANES: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Tone {
    level: u8,
    pitch: u16,
}

const SILENCE: Tone = Tone { level: 127, pitch: 0 };

impl Tone {
    fn of(samples: &[f32]) -> Tone {
        Tone { level: Level::of(samples).minus_dbov(), pitch: pitch(samples) }
    }

    fn to_bytes(self) -> [u8; 3] {
        let [high, low] = self.pitch.to_be_bytes();
        [self.level, high, low]
    }

    fn from_bytes(bytes: &[u8]) -> Option<Tone> {
        let &[level, high, low] = bytes else { return None };
        Some(Tone { level, pitch: u16::from_be_bytes([high, low]) })
    }
}

/// Hertz, from the first and last upward crossing of zero.
fn pitch(samples: &[f32]) -> u16 {
    let upward = |&[a, b]: &[f32; 2]| a < 0.0 && b >= 0.0;
    let mut pairs = samples.array_windows();
    let crossings = pairs.clone().filter(|pair| upward(pair)).count();
    if crossings < 2 {
        return 0;
    }
    let (Some(first), Some(last)) = (pairs.clone().position(upward), pairs.rposition(upward))
    else {
        return 0;
    };
    let exactly = |i: usize| i as f32 + samples[i] / (samples[i] - samples[i + 1]);
    let time = exactly(last) - exactly(first);
    ((crossings - 1) as f32 * SAMPLE_RATE as f32 / time).round() as u16
}

/// Writes level and pitch of each frame.
pub(crate) struct StandInEncoder {
    config: EncoderConfig,
    previous: Option<Tone>,
}

impl StandInEncoder {
    /// An encoder that heeds `frame`, `fec` and `dtx` of the configuration.
    pub(crate) fn new(config: &EncoderConfig) -> Self {
        StandInEncoder { config: config.clone(), previous: None }
    }
}

impl Encode for StandInEncoder {
    fn encode(&mut self, samples: &[f32], out: &mut [u8]) -> Result<usize, Error> {
        let tone = Tone::of(samples);
        let previous = self.previous.replace(tone).filter(|_| self.config.fec);
        if self.config.dtx && tone.level >= QUIET {
            return Ok(1);
        }
        let [level, high, low] = tone.to_bytes();
        let [before, before_high, before_low] = previous.unwrap_or(SILENCE).to_bytes();
        let ms = self.config.frame.millis() as u8;
        let bytes = [MARK, ms, level, high, low, before, before_high, before_low];
        let len = if previous.is_some() { 8 } else { 5 };
        let space = out
            .get_mut(..len)
            .ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "no room for the packet"))?;
        space.copy_from_slice(&bytes[..len]);
        Ok(len)
    }
    fn frame(&self) -> FrameDuration {
        self.config.frame
    }
    fn dtx(&self) -> bool {
        self.config.dtx
    }
    fn lookahead(&self) -> Duration {
        Duration::ZERO
    }
    fn set_effort(&mut self, _effort: Effort) {
        // Its packets are as small as can be, each with a copy of the one before.
    }
}

/// Hums what [`StandInEncoder`] wrote.
pub(crate) struct StandInDecoder {
    tone: Tone,
    phase: f32,
}

impl StandInDecoder {
    pub(crate) fn new() -> Self {
        StandInDecoder { tone: SILENCE, phase: 0.0 }
    }

    fn hum(&mut self, out: &mut [f32]) {
        if self.tone.level >= SILENCE.level {
            return out.fill(0.0);
        }
        let amplitude = SQRT_2 * 10f32.powf(f32::from(self.tone.level) / -20.0);
        let step = TAU * f32::from(self.tone.pitch) / SAMPLE_RATE as f32;
        // Neighbouring samples as so many pointers, each turned on by as many steps at a time.
        let phase = |i: usize| self.phase + step * i as f32;
        let mut sines: [f32; LANES] = std::array::from_fn(|i| amplitude * phase(i).sin());
        let mut cosines: [f32; LANES] = std::array::from_fn(|i| amplitude * phase(i).cos());
        let (turn_sine, turn_cosine) = (step * LANES as f32).sin_cos();
        let (chunks, rest) = out.as_chunks_mut();
        for samples in chunks {
            *samples = sines;
            for (sine, cosine) in sines.iter_mut().zip(&mut cosines) {
                (*sine, *cosine) = (
                    *sine * turn_cosine + *cosine * turn_sine,
                    *cosine * turn_cosine - *sine * turn_sine,
                );
            }
        }
        rest.copy_from_slice(&sines[..rest.len()]);
        self.phase = phase(out.len()) % TAU;
    }
}

fn garbage() -> Error {
    Error::new(ErrorKind::Protocol, "not a packet of the stand-in codec")
}

impl Decode for StandInDecoder {
    fn inspect(&self, payload: &[u8]) -> Option<PacketInfo> {
        let (&[MARK, ms, level, _, _], copy) = payload.split_first_chunk::<5>()? else {
            return None;
        };
        let samples = usize::from(ms) * 48;
        if samples == 0 || samples > MAX_PACKET_SAMPLES || !matches!(copy.len(), 0 | 3) {
            return None;
        }
        let fec_samples = if copy.is_empty() { 0 } else { samples };
        Some(PacketInfo { samples, fec_samples, voice: level < QUIET })
    }
    fn decode(&mut self, payload: &[u8], out: &mut [f32]) -> Result<usize, Error> {
        let samples = self.inspect(payload).ok_or_else(garbage)?.samples;
        self.tone = payload.get(2..5).and_then(Tone::from_bytes).ok_or_else(garbage)?;
        self.hum(out.get_mut(..samples).ok_or_else(garbage)?);
        Ok(samples)
    }
    fn decode_fec(&mut self, next: &[u8], out: &mut [f32]) -> Result<(), Error> {
        self.tone = next.get(5..8).and_then(Tone::from_bytes).ok_or_else(garbage)?;
        self.hum(out);
        Ok(())
    }
    fn conceal(&mut self, out: &mut [f32]) {
        self.hum(out);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sine(hertz: f32, amplitude: f32) -> Vec<f32> {
        (0..960).map(|n| amplitude * (TAU * hertz * n as f32 / 48_000.0 + 0.5).sin()).collect()
    }

    #[test]
    fn what_was_said_is_heard_and_its_copy_too() {
        let mut encoder = StandInEncoder::new(&EncoderConfig::default());
        let mut decoder = StandInDecoder::new();
        let (mut packet, mut heard) = ([0; 64], [0.0; MAX_PACKET_SAMPLES]);
        encoder.encode(&sine(440.0, 0.5), &mut packet).unwrap();
        let len = encoder.encode(&sine(880.0, 0.1), &mut packet).unwrap();
        let packet = &packet[..len];

        decoder.decode_fec(packet, &mut heard[..960]).unwrap();
        assert_eq!(Tone::of(&heard[..960]), Tone { level: 9, pitch: 440 });
        assert_eq!(decoder.decode(packet, &mut heard).unwrap(), 960);
        assert_eq!(Tone::of(&heard[..960]), Tone { level: 23, pitch: 880 });
    }

    #[test]
    fn silence_is_not_sent_with_dtx() {
        let config = EncoderConfig { dtx: true, ..Default::default() };
        let mut encoder = StandInEncoder::new(&config);
        assert_eq!(encoder.encode(&[0.0; 960], &mut [0; 64]).unwrap(), 1);
        assert_eq!(encoder.encode(&sine(200.0, 0.3), &mut [0; 64]).unwrap(), 8);
    }

    #[test]
    fn garbage_is_refused() {
        let decoder = StandInDecoder::new();
        for garbage in [&[][..], &[MARK], &[0; 8], &[MARK, 0, 1, 2, 3], &[MARK, 20, 1, 2, 3, 4]] {
            assert_eq!(decoder.inspect(garbage), None);
        }
    }
}
