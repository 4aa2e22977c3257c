//! Frame → bytes, or the news that nothing needs to be sent.

use crate::voice::codec::{Effort, Encode, MAX_PAYLOAD};

/// A packet up to this length says only "silence goes on" (RFC 6716 §3.1: one byte of header, a
/// frame without data) and need not be sent.
const NO_DATA: usize = 2;

pub(super) enum Coded<'a> {
    Packet(&'a [u8]),
    Silence,
    Failed,
}

pub(super) struct FrameEncoder {
    codec: Box<dyn Encode>,
    out: Box<[u8; MAX_PAYLOAD]>,
}

impl FrameEncoder {
    pub(super) fn new(codec: Box<dyn Encode>) -> Self {
        FrameEncoder { codec, out: Box::new([0; MAX_PAYLOAD]) }
    }

    pub(super) fn set_effort(&mut self, effort: Effort) {
        self.codec.set_effort(effort);
    }

    pub(super) fn run(&mut self, frame: &[f32]) -> Coded<'_> {
        match self.codec.encode(frame, &mut self.out[..]) {
            Ok(len) if len <= NO_DATA && self.codec.dtx() => Coded::Silence,
            Ok(len) if len > 0 => self.out.get(..len).map_or(Coded::Failed, Coded::Packet),
            _ => Coded::Failed,
        }
    }
}
