//! Frames on a byte stream: a length of four bytes, big-endian, then that many bytes.

/// The longest frame's content, in bytes.
pub const MAX_FRAME: usize = 64 * 1024;

/// The first byte of every frame, whatever its length. Who sends it at once, before there is more to
/// say, shows the other side that frames are what will come.
pub(crate) const FIRST_BYTE: u8 = 0;

/// Bytes of the length.
pub(crate) const HEADER: usize = 4;

/// The other side announced a frame longer than allowed. The stream cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {length} bytes, {limit} are allowed")]
pub struct FrameTooLong {
    /// The length announced, in bytes.
    pub length: usize,
    /// The length allowed, in bytes.
    pub limit: usize,
}

/// Puts the length in front of `content`, which must not exceed [`MAX_FRAME`].
pub fn frame(content: &[u8]) -> Vec<u8> {
    debug_assert!(content.len() <= MAX_FRAME, "a frame of {} bytes", content.len());
    let mut bytes = Vec::with_capacity(HEADER + content.len());
    bytes.extend_from_slice(&(content.len() as u32).to_be_bytes());
    bytes.extend_from_slice(content);
    bytes
}

/// Cuts a byte stream into frames, whatever pieces it arrives in.
///
/// Holds at most one incomplete frame, and of that only bytes that have arrived: announcing a long
/// frame costs the reader nothing.
#[derive(Debug)]
pub struct FrameReader {
    /// Header and content of the frame in progress.
    partial: Vec<u8>,
    limit: usize,
}

impl Default for FrameReader {
    fn default() -> Self {
        FrameReader::new(MAX_FRAME)
    }
}

impl FrameReader {
    /// A reader for frames of at most `limit` bytes of content.
    pub fn new(limit: usize) -> Self {
        FrameReader { partial: Vec::new(), limit }
    }

    /// Allows frames of at most `limit` bytes of content from the next one on.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Whether part of a frame waits for the rest.
    pub fn is_midway(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Takes bytes from the front of `input` until one frame is complete, and returns its content;
    /// `None` when `input` is used up. Call until `None`.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, FrameTooLong> {
        if !self.fill(HEADER, input) {
            return Ok(None);
        }
        let length = self.announced_length();
        if length > self.limit {
            return Err(FrameTooLong { length, limit: self.limit });
        }
        if !self.fill(HEADER + length, input) {
            return Ok(None);
        }
        let content = self.partial.split_off(HEADER);
        self.partial = Vec::new();
        Ok(Some(content))
    }

    /// Takes from `input` what is missing to `wanted` bytes; whether they are there now.
    fn fill(&mut self, wanted: usize, input: &mut &[u8]) -> bool {
        let missing = wanted.saturating_sub(self.partial.len());
        let (taken, rest) = input.split_at(missing.min(input.len()));
        self.partial.extend_from_slice(taken);
        *input = rest;
        self.partial.len() >= wanted
    }

    fn announced_length(&self) -> usize {
        self.partial.iter().take(HEADER).fold(0, |n, &byte| n << 8 | usize::from(byte))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn read_all(reader: &mut FrameReader, mut bytes: &[u8]) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| reader.next(&mut bytes).unwrap()).collect()
    }

    #[test]
    fn a_frame_is_length_and_content() {
        assert_eq!(frame(b"{}"), [0, 0, 0, 2, b'{', b'}']);
        assert_eq!(read_all(&mut FrameReader::default(), &[0, 0, 0, 0]), [Vec::<u8>::new()]);
    }

    #[test]
    fn a_frame_may_be_as_long_as_the_limit_and_no_longer() {
        let mut reader = FrameReader::new(5);
        assert_eq!(read_all(&mut reader, &frame(b"12345")), [b"12345"]);
        let too_long = FrameTooLong { length: 6, limit: 5 };
        assert_eq!(reader.next(&mut &frame(b"123456")[..]), Err(too_long));
    }

    #[test]
    fn an_announcement_alone_reserves_nothing() {
        let mut reader = FrameReader::default();
        assert!(read_all(&mut reader, &[0, 1, 0, 0, b'x']).is_empty());
        assert!(reader.is_midway());
        assert!(reader.partial.capacity() < 64);
    }

    proptest! {
        #[test]
        fn frames_survive_any_cutting(
            contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
            cut in 1usize..50,
        ) {
            let stream: Vec<u8> = contents.iter().flat_map(|c| frame(c)).collect();
            let mut reader = FrameReader::default();
            let mut read = Vec::new();
            for piece in stream.chunks(cut) {
                read.extend(read_all(&mut reader, piece));
            }
            prop_assert_eq!(read, contents);
            prop_assert!(!reader.is_midway());
        }

        #[test]
        fn garbage_never_makes_the_reader_hold_more_than_a_frame(
            bytes in prop::collection::vec(any::<u8>(), 0..2000),
        ) {
            let mut reader = FrameReader::new(100);
            for mut piece in bytes.chunks(7) {
                while let Ok(Some(_)) = reader.next(&mut piece) {}
                prop_assert!(reader.partial.len() <= HEADER + 100);
            }
        }
    }
}
