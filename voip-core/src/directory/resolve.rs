//! Whom a name means: several trackers answer, a pinned key may contradict.

use crate::id::PeerId;

/// What one tracker has said so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing yet.
    Pending,
    /// It failed, or its time is up.
    Failed,
    /// Nobody of that name.
    NotFound,
    /// A peer whose record of that name holds.
    Found(PeerId),
}

/// Whom the name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// Not decided before more trackers answer.
    Wait,
    /// This peer. Pin it if it is not.
    Peer(PeerId),
    /// The name is pinned to a key that nobody has; these have the name now.
    KeyChanged { pinned: PeerId, offered: PeerId },
    /// Different keys, none pinned.
    Ambiguous,
    /// Nobody of that name is online.
    Unknown,
    /// No tracker answered.
    Unreachable,
}

/// Decides. The pinned key wins as soon as one tracker knows it; an unpinned name is believed when
/// all trackers have spoken and those that know it agree.
pub(crate) fn resolve(pinned: Option<PeerId>, answers: &[Answer]) -> Resolution {
    let mut found = answers.iter().filter_map(|answer| match answer {
        Answer::Found(id) => Some(*id),
        _ => None,
    });
    if let Some(pinned) = pinned
        && found.clone().any(|id| id == pinned)
    {
        return Resolution::Peer(pinned);
    }
    if answers.contains(&Answer::Pending) {
        return Resolution::Wait;
    }
    match (found.next(), pinned) {
        (Some(offered), Some(pinned)) => Resolution::KeyChanged { pinned, offered },
        (Some(id), None) if found.all(|other| other == id) => Resolution::Peer(id),
        (Some(_), None) => Resolution::Ambiguous,
        (None, _) if answers.contains(&Answer::NotFound) => Resolution::Unknown,
        (None, _) => Resolution::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::Answer::{Failed, Found, NotFound, Pending};
    use super::*;

    const A: PeerId = PeerId([1; 32]);
    const B: PeerId = PeerId([2; 32]);

    #[test]
    fn the_pinned_key_wins_without_waiting() {
        assert_eq!(resolve(Some(A), &[Found(B), Found(A), Pending]), Resolution::Peer(A));
    }

    #[test]
    fn a_name_that_lost_its_pinned_key_is_refused_once_all_have_spoken() {
        assert_eq!(resolve(Some(A), &[Found(B), Pending]), Resolution::Wait);
        let changed = Resolution::KeyChanged { pinned: A, offered: B };
        assert_eq!(resolve(Some(A), &[Found(B), NotFound]), changed);
    }

    #[test]
    fn an_unpinned_name_needs_agreement() {
        assert_eq!(resolve(None, &[Found(A), Pending]), Resolution::Wait);
        assert_eq!(resolve(None, &[Found(A), Found(A), NotFound, Failed]), Resolution::Peer(A));
        assert_eq!(resolve(None, &[Found(A), Found(B)]), Resolution::Ambiguous);
    }

    #[test]
    fn nobody_found_is_told_from_nobody_asked() {
        for pinned in [None, Some(A)] {
            assert_eq!(resolve(pinned, &[NotFound, Failed]), Resolution::Unknown);
            assert_eq!(resolve(pinned, &[Failed, Failed]), Resolution::Unreachable);
            assert_eq!(resolve(pinned, &[]), Resolution::Unreachable);
        }
    }
}
