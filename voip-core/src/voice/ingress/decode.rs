//! Packets → samples: decoding, the copy in the next packet, concealment that fades, and smooth
//! joins between them.

use super::stretch::{self, ENOUGH, LONGEST, Stretch};
use crate::error::Error;
use crate::frame::BLOCK;
use crate::voice::codec::{Decode, Deep, MAX_PACKET_SAMPLES, PacketInfo};

/// Made-up sound keeps its level this long after voice, then fades: 100 ms.
const VOICE_HOLD: usize = 4_800;
/// After a packet without voice the gap is taken for silence that is not sent, and the codec goes
/// on making its comfort noise this long: 1 s, twice the longest gap of Opus in DTX.
const COMFORT_HOLD: usize = 48_000;
/// The fade takes this long: 100 ms.
const FADE: usize = 4_800;
/// Length of a join: 2.5 ms, the codec's smallest step.
const JOIN: usize = 120;

/// What was played last, what is ready (some sound ahead, and a stretch said twice), and room for a
/// packet.
const ROOM: usize = LONGEST + ENOUGH + LONGEST + MAX_PACKET_SAMPLES;

/// One stream's decoder with the samples that are not played yet.
pub(super) struct FrameDecoder {
    codec: Box<dyn Decode>,
    pcm: Box<[f32; ROOM]>,
    /// What is ready: from here
    head: usize,
    /// to here.
    tail: usize,
    /// Samples before that were played just now.
    past: usize,
    /// Samples made up since the last that were not.
    made_up: usize,
    gain: f32,
    voice: bool,
    /// What comes next does not continue what was decoded last,
    broken_off: bool,
    /// which would have gone on like this.
    dropped: Option<[f32; JOIN]>,
    /// The number of the packet whose deep redundancy the codec has read.
    deep_of: Option<i64>,
}

impl FrameDecoder {
    pub(super) fn new(codec: Box<dyn Decode>) -> Self {
        FrameDecoder {
            codec,
            pcm: Box::new([0.0; ROOM]),
            head: 0,
            tail: 0,
            past: 0,
            made_up: 0,
            gain: 0.0,
            voice: true,
            broken_off: false,
            dropped: None,
            deep_of: None,
        }
    }

    pub(super) fn inspect(&self, payload: &[u8]) -> Option<PacketInfo> {
        self.codec.inspect(payload)
    }

    pub(super) fn takes_deep(&self) -> bool {
        self.codec.takes_deep()
    }

    /// Which samples before the packet its deep redundancy describes.
    pub(super) fn deep(&mut self, payload: &[u8]) -> Deep {
        self.codec.deep(payload)
    }

    /// Samples decoded and not played yet.
    pub(super) fn ready(&self) -> &[f32] {
        &self.pcm[self.head..self.tail]
    }

    /// Drops what is ready. What comes next will not continue it.
    pub(super) fn break_off(&mut self) {
        self.broken_off = true;
        self.deep_of = None;
        self.dropped = self.ready().first_chunk().copied();
        (self.head, self.past) = (self.tail, 0);
    }

    /// Fills `out` as far as samples are ready; returns how far.
    pub(super) fn take(&mut self, out: &mut [f32]) -> usize {
        let count = out.len().min(self.tail - self.head);
        out[..count].copy_from_slice(&self.pcm[self.head..self.head + count]);
        self.head += count;
        self.past = (self.past + count).min(LONGEST);
        count
    }

    /// The best stretch to leave out of what is ready, of `most` samples at most; `voice_too` if not only
    /// quiet will do.
    pub(super) fn shorter(&self, most: usize, voice_too: bool) -> Option<Stretch> {
        stretch::shorter(self.ready(), most, voice_too)
    }

    pub(super) fn leave_out(&mut self, stretch: Stretch) {
        stretch::leave_out(&mut self.pcm[self.head..self.tail], stretch.samples);
        self.head += stretch.samples;
    }

    /// The best stretch to say again before what is ready: in quiet, of `least` samples.
    pub(super) fn longer(&self, least: usize, voice_too: bool) -> Option<Stretch> {
        if self.ready().len() > MAX_PACKET_SAMPLES {
            return None;
        }
        let past = &self.pcm[self.head - self.past..self.head];
        stretch::longer(past, self.ready(), least, voice_too)
    }

    pub(super) fn say_again(&mut self, stretch: Stretch) {
        self.make_room(stretch.samples);
        let begin = self.head - self.past;
        let end = self.tail + stretch.samples;
        stretch::say_again(&mut self.pcm[begin..end], self.past, stretch.samples);
        self.tail = end;
    }

    /// Room for so many samples after those that are ready.
    fn make_room(&mut self, samples: usize) {
        if self.tail + samples > ROOM {
            let begin = self.head - self.past;
            self.pcm.copy_within(begin..self.tail, 0);
            (self.head, self.tail) = (self.past, self.tail - begin);
        }
    }

    /// Decodes a packet, without its first `skip` samples, whose time has passed.
    pub(super) fn decode(
        &mut self,
        payload: &[u8],
        info: PacketInfo,
        skip: usize,
    ) -> Result<(), Error> {
        let before = self.before_join(skip);
        self.make_room(MAX_PACKET_SAMPLES);
        let room = &mut self.pcm[self.tail..self.tail + MAX_PACKET_SAMPLES];
        let decoded = self.codec.decode(payload, room);
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
        self.make_room(MAX_PACKET_SAMPLES);
        let room = &mut self.pcm[self.tail..self.tail + len];
        let decoded = self.codec.decode_fec(next, room).map(|()| len);
        self.decoded(decoded, skip, before)
    }

    /// Rebuilds at least so many samples, at most a block, from the deep redundancy of packet `later`, before which
    /// they begin by `before`. Returns how many are ready then, if that can be.
    pub(super) fn rebuild(
        &mut self,
        (sequence, later): (i64, &[u8]),
        before: usize,
        samples: usize,
    ) -> Option<usize> {
        if self.deep_of != Some(sequence) {
            self.deep_of = self.codec.load_deep(later).then_some(sequence);
        }
        self.deep_of?;
        let join = self.before_join(0);
        let count = samples.min(BLOCK).next_multiple_of(JOIN);
        self.make_room(MAX_PACKET_SAMPLES);
        let room = &mut self.pcm[self.tail..self.tail + count];
        if !self.codec.decode_deep(before, room) {
            return None;
        }
        self.decoded(Ok(count), 0, join).ok()?;
        Some(count)
    }

    /// What would be played next if nothing new came: needed where a packet does not start at its
    /// own beginning or does not follow the last, for then the codec knows nothing of the seam.
    fn before_join(&mut self, skip: usize) -> Option<[f32; JOIN]> {
        let follows = !std::mem::take(&mut self.broken_off);
        if skip == 0 && follows || self.silent() {
            return None;
        }
        let mut on = [0.0; JOIN];
        self.codec.conceal(&mut on);
        Some(self.dropped.take().unwrap_or(on))
    }

    fn decoded(
        &mut self,
        len: Result<usize, Error>,
        skip: usize,
        before: Option<[f32; JOIN]>,
    ) -> Result<(), Error> {
        let len = len?.min(MAX_PACKET_SAMPLES);
        let begin = self.tail;
        self.tail += len;
        let skip = skip.min(len);
        if skip > 0 || before.is_some() {
            // What was ready before, if anything, does not go on like this.
            self.head = begin + skip;
            self.past = 0;
        }
        let fresh = &mut self.pcm[begin + skip..self.tail];
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
            if self.made_up > 0 {
                self.made_up += out.len();
            }
            return;
        }
        self.dropped = None;
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

    /// Makes up at least so many samples, at most a block, which then are ready; returns how many: the
    /// codec conceals whole steps, and goes on after them.
    pub(super) fn make_up(&mut self, samples: usize) -> usize {
        let count = samples.min(BLOCK).next_multiple_of(JOIN);
        let mut made = [0.0; BLOCK];
        self.conceal(&mut made[..count]);
        self.make_room(count);
        self.pcm[self.tail..self.tail + count].copy_from_slice(&made[..count]);
        self.tail += count;
        count
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
