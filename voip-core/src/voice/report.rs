//! What the receiver of a stream tells its sender.

/// A second or so of a stream, as it came.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Report {
    /// Packets lost, in per cent of those sent.
    pub(crate) loss_percent: f32,
    /// How many are lost in a row, on average; at least 1.
    pub(crate) burst: f32,
    /// By how much the fastest packet took longer than the fastest of the last minute, milliseconds.
    pub(crate) queue_ms: u32,
    /// The receiver asks for deep redundancy.
    pub(crate) takes_deep: bool,
}
