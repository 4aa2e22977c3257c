//! # Statistics of a node

use voip_core::NodeStats;

use crate::convert::{Form, filled};
use crate::handle::get;
use crate::node::voip_node;
use crate::status::voip_status;
use crate::wall::guard;

/// Statistics of a node. Those of its sound devices are in `voip_node_device_stats`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct voip_node_stats {
    /// In: sizeof(voip_node_stats).
    pub size: usize,
    /// Datagrams that belonged to no call and no request.
    pub datagrams_dropped: u64,
    /// Signalling that was forged, stale, replayed or made no sense.
    pub signals_dropped: u64,
    /// Messages of trackers that made no sense, answered nothing, or held a record whose signature
    /// does not hold.
    pub tracker_messages_dropped: u64,
    /// Events dropped because nobody read them.
    pub events_dropped: u64,
    /// When sample 0 of the microphone was captured: microseconds since 1970-01-01 UTC, with audio
    /// of WAV files or none, once a call has started them; 0 otherwise.
    pub capture_started_unix_us: u64,
    /// When sample 0 was played, counting back from later ones; 0 if it was not: within the first
    /// seconds of a call playout may move by some milliseconds.
    pub playout_started_unix_us: u64,
    /// Whether the operating system gave the engine real-time priority.
    pub realtime: bool,
    /// Messages of the mesh that were malformed, forged, stale, unknown, unasked for, or too many.
    pub mesh_messages_dropped: u64,
    /// Nodes of the mesh that this one is linked to and exchanges messages with.
    pub neighbors: u32,
}

filled!(voip_node_stats, realtime, neighbors);

impl From<NodeStats> for voip_node_stats {
    fn from(stats: NodeStats) -> voip_node_stats {
        voip_node_stats {
            size: size_of::<voip_node_stats>(),
            datagrams_dropped: stats.datagrams_dropped,
            signals_dropped: stats.signals_dropped,
            tracker_messages_dropped: stats.tracker_messages_dropped,
            events_dropped: stats.events_dropped,
            capture_started_unix_us: stats.capture_started_unix_us.unwrap_or(0),
            playout_started_unix_us: stats.playout_started_unix_us.unwrap_or(0),
            realtime: stats.realtime,
            neighbors: stats.neighbors,
            mesh_messages_dropped: stats.mesh_messages_dropped,
        }
    }
}

/// Statistics, at most 0.2 s old. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn voip_node_get_stats(
    node: *const voip_node,
    stats: *mut voip_node_stats,
) -> voip_status {
    guard(|| {
        // SAFETY: The caller vouches for it.
        let form = unsafe { Form::new("stats", stats) }?;
        let stats = get(node)?.stats();
        // SAFETY: The caller vouches for it.
        unsafe { form.fill(stats.into()) };
        Ok(())
    })
}
