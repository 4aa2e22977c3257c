//! What [`super::Posts`] tells its owner.

use crate::id::PeerId;
pub(crate) use crate::text::Text;
use crate::time::UnixMillis;
use crate::wire::bulletin::TextId;
use crate::wire::exchange::Exchange;
use crate::wire::gossip::SignedMessage;

/// What the owner is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Disseminate a message of this node.
    Broadcast(SignedMessage),
    /// Tell a neighbour.
    Send(PeerId, Exchange),
    /// Keep on disk, for [`super::Posts::load`].
    Store(SignedMessage),
    /// Tell the user.
    Event(Event),
}

/// What the user should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Text(Text),
    /// So many posts of this log were not to be had; others that came after them are shown next.
    Missing {
        author: PeerId,
        log: u64,
        count: u32,
        at: UnixMillis,
    },
    /// These texts have come to the peer they are for.
    Delivered {
        by: PeerId,
        ids: Vec<TextId>,
    },
}

/// Why a text was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("no text, one of more than 8 KiB, or with control characters")]
    BadText,
    #[error("with its quotes and line breaks the text is too long")]
    TooLong,
    #[error("not a room's name")]
    BadRoom,
    #[error("addressed to oneself")]
    ToOneself,
    #[error("the peer's id is no key")]
    BadKey,
    #[error("too many texts at once")]
    TooFast,
}

impl PostsStats {
    /// All that was dropped for what it is, which what is there already or has gone is not.
    pub(crate) fn dropped(&self) -> u64 {
        let PostsStats {
            malformed, forged, early, forks, overtalked, unexpected, throttled, ..
        } = self;
        malformed + forged + early + forks + overtalked + unexpected + throttled + self.unreadable
    }
}

/// What was dropped and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PostsStats {
    /// Messages that are no bulletins, or break a rule.
    pub(crate) malformed: u64,
    /// Messages that their author has not signed.
    pub(crate) forged: u64,
    /// Posts from the future.
    pub(crate) early: u64,
    /// Posts that are here already.
    pub(crate) duplicates: u64,
    /// Posts in the place of another one of the same author.
    pub(crate) forks: u64,
    /// Posts that had gone from here before.
    pub(crate) gone: u64,
    /// Posts of authors that say too much.
    pub(crate) overtalked: u64,
    /// Posts from neighbours that were not asked for them.
    pub(crate) unexpected: u64,
    /// What neighbours said beyond what is listened to.
    pub(crate) throttled: u64,
    /// Sealed for this node, but not to be opened.
    pub(crate) unreadable: u64,
    /// Posts that went because there are newer ones.
    pub(crate) evicted: u64,
    /// Posts that nobody had.
    pub(crate) missing: u64,
}
