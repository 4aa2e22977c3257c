//! Packets → samples: decoding, the copy in the next packet, concealment that fades, and smooth
//! joins between them.

use crate::error::Error;
use crate::frame::BLOCK;
use crate::voice::codec::{Decode, MAX_PACKET_SAMPLES, PacketInfo};

/// Made-up sound keeps its level this long after voice, then fades: 100 ms.
const VOICE_HOLD: usize = 4_800;
/// After a packet without voice the gap is taken for silence that is not sent, and the codec goes
/// on making its comfort noise this long: 1 s, twice the longest gap of Opus in DTX.
const COMFORT_HOLD: usize = 48_000;
/// The fade takes this long: 100 ms.
const FADE: usize = 4_800;
/// Length of a join: 2.5 ms, the codec's smallest step.
const JOIN: usize = 120;

/// One stream's decoder with the samples of a packet that are not played yet.
pub(super) struct FrameDecoder {
    codec: Box<dyn Decode>,
    pcm: Box<[f32; MAX_PACKET_SAMPLES]>,
    head: usize,
    tail: usize,
    /// Samples made up since the last that were not.
    made_up: usize,
    gain: f32,
    voice: bool,
}

impl FrameDecoder {
    pub(super) fn new(codec: Box<dyn Decode>) -> Self {
        let pcm = Box::new([0.0; MAX_PACKET_SAMPLES]);
        FrameDecoder { codec, pcm, head: 0, tail: 0, made_up: 0, gain: 0.0, voice: true }
    }

    pub(super) fn inspect(&self, payload: &[u8]) -> Option<PacketInfo> {
        self.codec.inspect(payload)
    }

    /// Samples decoded and not played yet.
    pub(super) fn ready(&self) -> &[f32] {
        &self.pcm[self.head..self.tail]
    }

    /// Drops what is ready.
    pub(super) fn clear(&mut self) {
        self.head = self.tail;
    }

    /// Fills `out` as far as samples are ready; returns how far.
    pub(super) fn take(&mut self, out: &mut [f32]) -> usize {
        let count = out.len().min(self.tail - self.head);
        out[..count].copy_from_slice(&self.pcm[self.head..self.head + count]);
        self.head += count;
        count
    }

    /// Decodes a packet, without its first `skip` samples, whose time has passed.
    pub(super) fn decode(
        &mut self,
        payload: &[u8],
        info: PacketInfo,
        skip: usize,
    ) -> Result<(), Error> {
        let before = self.before_join(skip);
        let decoded = self.codec.decode(payload, &mut self.pcm[..]);
        self.voice = info.voice;
        self.decoded(decoded, skip, before)
    }

    /// Decodes the copy of the lost sound before packet `next`, without its first `skip` samples.
    pub(super) fn recover(
        &mut self,
        next: &[u8],
        info: PacketInfo,
        skip: usize,
    ) -> Result<(), Error> {
        let before = self.before_join(skip);
        let len = info.fec_samples.min(MAX_PACKET_SAMPLES);
        let decoded = self.codec.decode_fec(next, &mut self.pcm[..len]).map(|()| len);
        self.decoded(decoded, skip, before)
    }

    /// What would be played next if the gap went on: needed where a packet does not start at its
    /// own beginning, for then the codec knows nothing of the seam.
    fn before_join(&mut self, skip: usize) -> Option<[f32; JOIN]> {
        let mut on = [0.0; JOIN];
        if skip == 0 || self.gain == 0.0 {
            return None;
        }
        self.codec.conceal(&mut on);
        Some(on)
    }

    fn decoded(
        &mut self,
        len: Result<usize, Error>,
        skip: usize,
        before: Option<[f32; JOIN]>,
    ) -> Result<(), Error> {
        (self.head, self.tail) = (0, 0);
        self.tail = len?.min(MAX_PACKET_SAMPLES);
        self.head = skip.min(self.tail);
        let fresh = &mut self.pcm[self.head..self.tail];
        // Nothing to join to before the first packet.
        let start_gain = if self.made_up == 0 { 1.0 } else { self.gain };
        for (i, sample) in fresh.iter_mut().take(JOIN).enumerate() {
            let part = (i + 1) as f32 / JOIN as f32;
            match before {
                Some(before) => *sample = part * *sample + (1.0 - part) * start_gain * before[i],
                None if start_gain < 1.0 => *sample *= start_gain + (1.0 - start_gain) * part,
                None => break,
            }
        }
        (self.made_up, self.gain) = (0, 1.0);
        Ok(())
    }

    /// Makes up all of `out`, at most a block: the codec's concealment, fading to silence.
    pub(super) fn conceal(&mut self, out: &mut [f32]) {
        if self.silent() {
            out.fill(0.0);
            return;
        }
        // The codec conceals whole steps of 2.5 ms only.
        let mut made = [0.0; BLOCK];
        let len = out.len().min(BLOCK);
        self.codec.conceal(&mut made[..len.next_multiple_of(JOIN)]);
        for (out, made) in out.iter_mut().zip(made) {
            self.made_up += 1;
            self.gain = self.fading();
            *out = made * self.gain;
        }
    }

    fn fading(&self) -> f32 {
        let hold = if self.voice { VOICE_HOLD } else { COMFORT_HOLD };
        1.0 - (self.made_up.saturating_sub(hold) as f32 / FADE as f32).min(1.0)
    }

    /// True once made-up sound has faded out.
    pub(super) fn silent(&self) -> bool {
        self.gain == 0.0
    }

    /// Samples made up since the last that were not.
    pub(super) fn made_up(&self) -> usize {
        self.made_up
    }
}
