//! What came lately, so that nothing counts twice: bounded in time and number.

use std::collections::VecDeque;

use crate::time::{Duration, Instant};

/// How many are remembered at most. A flood pushes the oldest out.
const MOST: usize = 4096;
/// How long each is: twice the clock tolerance of five minutes, within which anything signed is timely.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// Ids of what came lately.
#[derive(Debug)]
pub(super) struct Recent<T> {
    seen: VecDeque<(Instant, T)>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Recent { seen: VecDeque::new() }
    }
}

impl<T: PartialEq> Recent<T> {
    /// Remembers it; false if it was there.
    pub(super) fn insert(&mut self, now: Instant, id: T) -> bool {
        while self.seen.front().is_some_and(|(at, _)| now.since(*at) > REMEMBERED_FOR) {
            self.seen.pop_front();
        }
        if self.seen.iter().any(|(_, seen)| *seen == id) {
            return false;
        }
        if self.seen.len() >= MOST {
            self.seen.pop_front();
        }
        self.seen.push_back((now, id));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_lately_is_known_and_no_more_than_so_much_is_kept() {
        let mut recent = Recent::default();
        let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
        assert!(recent.insert(at(0), 0) && !recent.insert(at(600), 0));
        assert!(recent.insert(at(601), 0), "forgotten by then");
        assert!((1..=MOST).all(|n| recent.insert(at(602), n)));
        assert_eq!(recent.seen.len(), MOST);
        assert!(recent.insert(at(602), 0), "pushed out");
    }
}
