//! Another path for a session that has lost its own: from other addresses of this host, and to others of the peer.

use super::{LocalCandidate, Session, description};
use crate::time::Instant;

/// Addresses that a peer may add to those of its description: so many at once, one more each quarter of a minute, and
/// so many in the life of a session. Each costs checks and memory.
pub(super) const MAX_ADDED: usize = 40;
const ONE_MORE: u64 = 15;
const MAX_ADDED_EVER: usize = 500;

impl Session {
    /// There is no path, or none any more: looks for one again, from these addresses to all that are known of the peer.
    /// The peer need not know; keys and streams stay. [`PathBack`](super::SessionOutput::PathBack) tells of success.
    pub(crate) fn look_for_path(&mut self, now: Instant, candidates: &[LocalCandidate]) {
        if self.pending.is_some() || self.closed {
            return;
        }
        self.path_lost = true;
        self.stats.rtt = None;
        let old = std::mem::replace(&mut self.candidates, candidates.to_vec());
        self.guarded(|s| {
            // Taken away and added again, a candidate is paired and checked anew.
            for candidate in old.iter().filter_map(|c| c.to_ice()) {
                s.rtc.direct_api().invalidate_candidate(&candidate);
            }
            for candidate in candidates.iter().filter_map(|c| c.to_ice()) {
                s.rtc.add_local_candidate(candidate);
            }
            s.drain()?;
            s.step(now)
        });
    }

    /// This host may be reached at this address, too.
    pub(crate) fn add_local_candidate(&mut self, now: Instant, candidate: LocalCandidate) {
        if self.closed || self.candidates.contains(&candidate) {
            return;
        }
        self.candidates.push(candidate);
        self.guarded(|s| {
            if let Some(candidate) = candidate.to_ice() {
                s.rtc.add_local_candidate(candidate);
            }
            s.drain()?;
            s.step(now)
        });
    }

    /// This host is not to be reached at this address any more.
    pub(crate) fn remove_local_candidate(&mut self, now: Instant, candidate: LocalCandidate) {
        self.candidates.retain(|c| *c != candidate);
        self.guarded(|s| {
            if let Some(candidate) = candidate.to_ice() {
                s.rtc.direct_api().invalidate_candidate(&candidate);
            }
            s.drain()?;
            s.step(now)
        });
    }

    /// The peer may be reached at these addresses, too; each as in an SDP attribute.
    pub(crate) fn add_candidates(&mut self, now: Instant, candidates: &[String]) {
        if self.pending.is_some() || self.closed {
            return;
        }
        let more = now.since(self.began).as_secs() / ONE_MORE;
        let most = (MAX_ADDED + more as usize).min(MAX_ADDED_EVER);
        for text in candidates {
            let Some(candidate) = description::parse_candidate(text) else {
                self.stats.dropped += 1;
                continue;
            };
            let address = candidate.addr();
            if self.added.contains(&address) {
                continue;
            }
            if self.added.len() >= most {
                self.stats.dropped += 1;
                continue;
            }
            self.added.insert(address);
            self.guarded(|s| {
                s.rtc.add_remote_candidate(candidate);
                s.drain()
            });
        }
        self.guarded(|s| s.step(now));
    }
}
