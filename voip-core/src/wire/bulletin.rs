//! What the signed texts of a gossip mesh say: JSON, one object each.
//!
//! An author's posts are a log: numbered from 1, and a new log begins whenever its program does. So everybody
//! can tell what is missing, and a post that is seen twice is known by its place. Signing and sealing need keys and are in
//! `identity`.

use serde::{Deserialize, Serialize};

use super::gossip::{Contact, MAX_BODY};
use super::name::check_name;
use super::record::SealedRecord;
use super::sealed::Bytes32;
use super::{base64, json};
use crate::id::PeerId;
pub(crate) use crate::text::{Audience, TextId};
use crate::time::UnixMillis;

/// The longest text, in bytes of UTF-8. One with very many quotes, backslashes or line breaks may be too long earlier, as
/// its body may not exceed [`MAX_BODY`].
pub(crate) const MAX_TEXT: usize = 8 * 1024;
/// The most ranges in one receipt.
pub(crate) const MAX_RANGES: usize = 32;
/// The last number in a log.
pub(crate) const MAX_SEQ: u32 = 1 << 31;
/// The longest text for one reader, in bytes, with the 16 of AES-GCM's tag.
const MAX_CIPHERTEXT: usize = MAX_TEXT + 16;

/// Bytes that only one peer can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    /// HPKE's encapsulated key.
    pub(crate) enc: Bytes32,
    #[serde(with = "base64")]
    pub(crate) ciphertext: Vec<u8>,
}

/// What a post has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// For all or a room.
    Text(String),
    /// A text for one peer.
    Sealed(Envelope),
    /// A [`Receipt`] for one peer.
    Receipt(Envelope),
}

/// One entry of an author's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Post {
    /// When the author's program began the log, in milliseconds since 1970; greater than in all before.
    pub(crate) log: u64,
    pub(crate) seq: u32,
    /// When it was written, by the author's clock.
    pub(crate) at: UnixMillis,
    /// What the author calls itself.
    pub(crate) name: String,
    pub(crate) to: Audience,
    pub(crate) content: Content,
}

/// Which of a peer's texts have arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    /// In which log.
    pub(crate) log: u64,
    /// From and to, both included: all texts there that are for the sender of the receipt.
    pub(crate) ranges: Vec<(u32, u32)>,
}

/// What a signed text says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bulletin {
    Post(Post),
    /// What the author wrote to one peer, sealed for the author itself: it never leaves its disk.
    Note {
        log: u64,
        seq: u32,
        sealed: Envelope,
    },
    /// A peer is there.
    Presence {
        record: SealedRecord,
        addresses: Vec<String>,
    },
    /// A peer is gone: it says so itself, or another one that has lost its link to it.
    Gone {
        peer: PeerId,
        /// Of the presence record that this ends.
        seq: u64,
        at: UnixMillis,
    },
    /// A signal of a call, sealed for one peer.
    Signal {
        to: PeerId,
        at: UnixMillis,
        signal: Envelope,
    },
    /// A type of a later version.
    Unknown,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Form {
    Post {
        log: u64,
        seq: u32,
        at: UnixMillis,
        name: String,
        to: Audience,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sealed: Option<Envelope>,
    },
    Receipt {
        log: u64,
        seq: u32,
        at: UnixMillis,
        name: String,
        to: PeerId,
        sealed: Envelope,
    },
    Note {
        log: u64,
        seq: u32,
        sealed: Envelope,
    },
    Presence {
        record: SealedRecord,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        addresses: Vec<String>,
    },
    Gone {
        peer: PeerId,
        seq: u64,
        at: UnixMillis,
    },
    Signal {
        to: PeerId,
        at: UnixMillis,
        signal: Envelope,
    },
    #[serde(other)]
    Unknown,
}

/// Whether a text may be posted: not empty, not too long, no control characters but line breaks and tabs.
pub(crate) fn is_text(text: &str) -> bool {
    let may_be = |c: char| !c.is_control() || c == '\n' || c == '\t';
    (1..=MAX_TEXT).contains(&text.len()) && text.chars().all(may_be)
}

impl Envelope {
    fn is_valid(&self) -> bool {
        (16..=MAX_CIPHERTEXT).contains(&self.ciphertext.len())
    }
}

impl Audience {
    pub(crate) fn is_valid(&self) -> bool {
        match self {
            Audience::Room(name) => check_name(name).is_ok(),
            Audience::All | Audience::Peer(_) => true,
        }
    }
}

impl Receipt {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Receipt> {
        let receipt: Receipt = serde_json::from_slice(bytes).ok()?;
        let is_range = |(from, to): &(u32, u32)| (1..=*to).contains(from) && *to <= MAX_SEQ;
        let valid =
            (1..=MAX_RANGES).contains(&receipt.ranges.len()) && receipt.ranges.iter().all(is_range);
        valid.then_some(receipt)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        json(self).into_bytes()
    }
}

impl Post {
    pub(crate) fn id(&self, author: PeerId) -> TextId {
        TextId { author, log: self.log, seq: self.seq }
    }

    fn is_valid(&self) -> bool {
        let says = match (&self.to, &self.content) {
            (Audience::All | Audience::Room(_), Content::Text(text)) => is_text(text),
            (Audience::Peer(_), Content::Sealed(e) | Content::Receipt(e)) => e.is_valid(),
            _ => false,
        };
        says && is_place(self.seq) && check_name(&self.name).is_ok() && self.to.is_valid()
    }
}

fn is_place(seq: u32) -> bool {
    (1..=MAX_SEQ).contains(&seq)
}

impl Bulletin {
    /// `None` if it is malformed or breaks a limit.
    pub(crate) fn parse(body: &str) -> Option<Bulletin> {
        if body.len() > MAX_BODY {
            return None;
        }
        let bulletin = Bulletin::from_form(serde_json::from_str(body).ok()?)?;
        let valid = match &bulletin {
            Bulletin::Post(post) => post.is_valid(),
            Bulletin::Note { seq, sealed, .. } => is_place(*seq) && sealed.is_valid(),
            Bulletin::Presence { record, addresses } => {
                // The record's signer is checked where it is opened.
                Contact { id: PeerId([0; 32]), addresses: addresses.clone() }.is_valid()
                    && record.body.len() <= super::record::MAX_RECORD
            }
            Bulletin::Signal { signal, .. } => signal.ciphertext.len() <= MAX_BODY,
            Bulletin::Gone { .. } | Bulletin::Unknown => true,
        };
        valid.then_some(bulletin)
    }

    fn from_form(form: Form) -> Option<Bulletin> {
        Some(match form {
            Form::Post { log, seq, at, name, to, text, sealed } => {
                let content = match (text, sealed) {
                    (Some(text), None) => Content::Text(text),
                    (None, Some(sealed)) => Content::Sealed(sealed),
                    _ => return None,
                };
                Bulletin::Post(Post { log, seq, at, name, to, content })
            }
            Form::Receipt { log, seq, at, name, to, sealed } => {
                let (to, content) = (Audience::Peer(to), Content::Receipt(sealed));
                Bulletin::Post(Post { log, seq, at, name, to, content })
            }
            Form::Note { log, seq, sealed } => Bulletin::Note { log, seq, sealed },
            Form::Presence { record, addresses } => Bulletin::Presence { record, addresses },
            Form::Gone { peer, seq, at } => Bulletin::Gone { peer, seq, at },
            Form::Signal { to, at, signal } => Bulletin::Signal { to, at, signal },
            Form::Unknown => Bulletin::Unknown,
        })
    }

    pub(crate) fn body(&self) -> String {
        let form = match self.clone() {
            Bulletin::Post(Post { log, seq, at, name, to, content }) => match (to, content) {
                (Audience::Peer(to), Content::Receipt(sealed)) => {
                    Form::Receipt { log, seq, at, name, to, sealed }
                }
                (to, Content::Text(text)) => {
                    Form::Post { log, seq, at, name, to, text: Some(text), sealed: None }
                }
                (to, Content::Sealed(sealed) | Content::Receipt(sealed)) => {
                    Form::Post { log, seq, at, name, to, text: None, sealed: Some(sealed) }
                }
            },
            Bulletin::Note { log, seq, sealed } => Form::Note { log, seq, sealed },
            Bulletin::Presence { record, addresses } => Form::Presence { record, addresses },
            Bulletin::Gone { peer, seq, at } => Form::Gone { peer, seq, at },
            Bulletin::Signal { to, at, signal } => Form::Signal { to, at, signal },
            Bulletin::Unknown => Form::Unknown,
        };
        json(&form)
    }
}

/// What is in an envelope, so that it cannot be shown as something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Enclosed {
    Text { log: u64, seq: u32 },
    Receipt { log: u64, seq: u32 },
    Note { log: u64, seq: u32 },
    Signal,
}

impl Enclosed {
    /// What the envelope is bound to.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let (kind, log, seq) = match self {
            Enclosed::Text { log, seq } => (1, log, seq),
            Enclosed::Receipt { log, seq } => (2, log, seq),
            Enclosed::Note { log, seq } => (3, log, seq),
            Enclosed::Signal => (4, 0, 0),
        };
        let mut bytes = vec![kind];
        bytes.extend(log.to_be_bytes());
        bytes.extend(seq.to_be_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests;
