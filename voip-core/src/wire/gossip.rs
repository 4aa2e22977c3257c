//! What neighbours in a gossip mesh say to each other: JSON, one object a message.
//!
//! Membership as in HyParView (Leitão, Pereira, Rodrigues: DSN 2007), dissemination as in Plumtree (the same: SRDS 2007).
//! What is disseminated is a signed text of which this layer knows no more than who signed it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::exchange::Exchange;
use super::json;
use super::sealed::{Signature, signed_bytes};
use crate::id::{MessageId, PeerId};

/// The longest message that is read, in bytes. Whatever is read fits when it is written again.
pub(crate) const MAX_MESSAGE: usize = 32 * 1024;
/// The longest text that is disseminated, in bytes as it stands in JSON.
pub(crate) const MAX_BODY: usize = 16 * 1024;
/// The most addresses of one contact.
pub(crate) const MAX_ADDRESSES: usize = 8;
/// The longest address, in bytes.
pub(crate) const MAX_ADDRESS: usize = 128;
/// The most contacts in one message.
pub(crate) const MAX_CONTACTS: usize = 16;
/// The most ids in one message.
pub(crate) const MAX_IDS: usize = 64;
/// The longest random walk: HyParView's ARWL.
pub(crate) const MAX_TTL: u8 = 6;

/// A peer, and what whoever opens links needs in order to reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub(crate) id: PeerId,
    /// Opaque here: printable ASCII without `"` and `\`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) addresses: Vec<String>,
}

impl Contact {
    pub(crate) fn is_valid(&self) -> bool {
        let is_plain = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
        let is_address =
            |a: &String| (1..=MAX_ADDRESS).contains(&a.len()) && a.bytes().all(is_plain);
        self.addresses.len() <= MAX_ADDRESSES && self.addresses.iter().all(is_address)
    }
}

/// Whether a request to become neighbours may be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Priority {
    /// May not: somebody else has to make room.
    High,
    /// Only if there is room.
    Low,
}

/// "I have this message."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Have {
    pub(crate) id: MessageId,
    /// How many hops it would have come when the receiver gets it from the sender.
    pub(crate) hops: u16,
}

/// A signed text and its author. Bytes that differ anywhere, be it in the signature, are another message: all copies of
/// one id are valid or none is. Clones share the text.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SignedMessage(Arc<Parts>);

#[derive(PartialEq, Eq)]
struct Parts {
    id: MessageId,
    author: PeerId,
    body: String,
    signature: Signature,
}

#[derive(Serialize, Deserialize)]
struct Form<'a> {
    author: PeerId,
    body: Cow<'a, str>,
    signature: Signature,
}

impl SignedMessage {
    /// `None` if the text is too long.
    pub(crate) fn from_parts(author: PeerId, body: String, signature: Signature) -> Option<Self> {
        if escaped_len(&body) > MAX_BODY {
            return None;
        }
        let bytes = signed_bytes("gossip-id", &[&author.0, &signature.0, body.as_bytes()]);
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        let mut id = MessageId([0; 16]);
        id.0.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        Some(SignedMessage(Arc::new(Parts { id, author, body, signature })))
    }

    /// The first half of SHA-256 (FIPS 180-4) of author, signature, and text.
    pub(crate) fn id(&self) -> MessageId {
        self.0.id
    }

    /// Who claims to have signed it.
    pub(crate) fn author(&self) -> PeerId {
        self.0.author
    }

    pub(crate) fn body(&self) -> &str {
        &self.0.body
    }

    pub(crate) fn signature(&self) -> &Signature {
        &self.0.signature
    }
}

impl fmt::Debug for SignedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignedMessage").field(&self.0.id).finish()
    }
}

impl Serialize for SignedMessage {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let Parts { author, body, signature, .. } = &*self.0;
        Form { author: *author, body: Cow::Borrowed(body), signature: *signature }.serialize(s)
    }
}

impl<'de> Deserialize<'de> for SignedMessage {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let Form { author, body, signature } = Form::deserialize(d)?;
        let message = SignedMessage::from_parts(author, body.into_owned(), signature);
        message.ok_or_else(|| serde::de::Error::custom("too long"))
    }
}

/// The length of a text within JSON, so that nobody's message grows too long on its way.
pub(super) fn escaped_len(text: &str) -> usize {
    let escaped = |b: u8| match b {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(escaped).sum()
}

/// What one neighbour says to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum GossipMessage {
    /// HyParView's JOIN, the first message of a newcomer: answered like `Neighbor`.
    Join { contact: Contact },
    /// A newcomer, on a random walk.
    ForwardJoin { contact: Contact, ttl: u8 },
    /// "Let us be neighbours."
    Neighbor { contact: Contact, priority: Priority },
    /// Whether the sender has taken the receiver into its active view, and others to ask.
    NeighborReply { accepted: bool, contacts: Vec<Contact> },
    /// The sender has taken the receiver out of its active view; the link is closed next.
    Disconnect {
        /// The sender is still there, for others.
        alive: bool,
    },
    /// Contacts to exchange, on a random walk. `walk` is the origin's number for it, random.
    Shuffle { walk: u32, contacts: Vec<Contact>, ttl: u8 },
    /// The contacts in exchange, on the same way back.
    ShuffleReply { walk: u32, contacts: Vec<Contact> },
    /// Plumtree's GOSSIP, a message itself.
    Gossip { message: SignedMessage, hops: u16 },
    /// Plumtree's IHAVE. Who is asked says which of them it has, too.
    #[serde(rename = "ihave")]
    IHave { messages: Vec<Have>, ask: bool },
    /// Plumtree's GRAFT: send me these, and what comes next at once. Without ids: the latter only.
    Graft { ids: Vec<MessageId> },
    /// Plumtree's PRUNE: from now on tell me only what you have.
    Prune,
    /// Is answered by `Pong` with the same number.
    Ping { n: u32 },
    /// See `Ping`.
    Pong { n: u32 },
    /// What both sides have of the posts.
    Exchange(Exchange),
    /// A type of a later version: ignored.
    #[serde(other)]
    Unknown,
}

impl GossipMessage {
    /// `None` if it is malformed or breaks a limit.
    pub(crate) fn parse(bytes: &[u8]) -> Option<GossipMessage> {
        if bytes.len() > MAX_MESSAGE {
            return None;
        }
        let message: GossipMessage = serde_json::from_slice(bytes).ok()?;
        message.is_valid().then_some(message)
    }

    /// Whether it keeps all limits.
    pub(crate) fn is_valid(&self) -> bool {
        let are_contacts =
            |all: &Vec<Contact>| all.len() <= MAX_CONTACTS && all.iter().all(Contact::is_valid);
        match self {
            Self::Join { contact } | Self::Neighbor { contact, .. } => contact.is_valid(),
            Self::ForwardJoin { contact, ttl } => contact.is_valid() && *ttl <= MAX_TTL,
            Self::Shuffle { contacts, ttl, .. } => are_contacts(contacts) && *ttl <= MAX_TTL,
            Self::NeighborReply { contacts, .. } | Self::ShuffleReply { contacts, .. } => {
                are_contacts(contacts)
            }
            Self::IHave { messages, .. } => messages.len() <= MAX_IDS,
            Self::Graft { ids } => ids.len() <= MAX_IDS,
            Self::Exchange(exchange) => exchange.is_valid(),
            Self::Gossip { .. }
            | Self::Disconnect { .. }
            | Self::Prune
            | Self::Ping { .. }
            | Self::Pong { .. }
            | Self::Unknown => true,
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        json(self).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn contact(n: u8, addresses: usize, len: usize) -> Contact {
        Contact { id: PeerId([n; 32]), addresses: vec!["a".repeat(len); addresses] }
    }

    fn signed(body: &str) -> Option<SignedMessage> {
        SignedMessage::from_parts(PeerId([1; 32]), body.to_owned(), Signature([2; 64]))
    }

    fn all_at_their_longest() -> Vec<GossipMessage> {
        let longest = contact(1, MAX_ADDRESSES, MAX_ADDRESS);
        let contacts = vec![longest.clone(); MAX_CONTACTS];
        let id = MessageId([3; 16]);
        vec![
            GossipMessage::Join { contact: longest.clone() },
            GossipMessage::ForwardJoin { contact: longest.clone(), ttl: MAX_TTL },
            GossipMessage::Neighbor { contact: longest, priority: Priority::High },
            GossipMessage::NeighborReply { accepted: false, contacts: contacts.clone() },
            GossipMessage::Disconnect { alive: false },
            GossipMessage::Shuffle { walk: u32::MAX, contacts: contacts.clone(), ttl: MAX_TTL },
            GossipMessage::ShuffleReply { walk: u32::MAX, contacts },
            GossipMessage::Gossip {
                message: signed(&"\u{1}\"".repeat(MAX_BODY / 8)).unwrap(),
                hops: u16::MAX,
            },
            GossipMessage::IHave {
                messages: vec![Have { id, hops: u16::MAX }; MAX_IDS],
                ask: false,
            },
            GossipMessage::Graft { ids: vec![id; MAX_IDS] },
            GossipMessage::Prune,
            GossipMessage::Ping { n: u32::MAX },
            GossipMessage::Pong { n: u32::MAX },
        ]
    }

    #[test]
    fn whatever_keeps_the_limits_fits_and_is_read_as_it_was() {
        for message in all_at_their_longest() {
            let bytes = message.to_bytes();
            assert!(bytes.len() <= MAX_MESSAGE, "{message:?} has {} bytes", bytes.len());
            assert_eq!(GossipMessage::parse(&bytes), Some(message));
        }
    }

    #[test]
    fn what_travels_stays_as_it_is() {
        let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/gossip_message");
        // A packaged crate has none.
        let Ok(seeds) = std::fs::read_dir(seeds) else { return };
        let mut read = 0;
        for seed in seeds {
            let bytes = std::fs::read(seed.unwrap().path()).unwrap();
            let message = GossipMessage::parse(&bytes).unwrap();
            assert_eq!(
                message.to_bytes().escape_ascii().to_string(),
                bytes.escape_ascii().to_string()
            );
            read += 1;
        }
        assert_eq!(read, 12);
    }

    #[test]
    fn what_breaks_a_limit_is_refused() {
        let id = MessageId([3; 16]);
        for message in [
            GossipMessage::Join { contact: contact(1, MAX_ADDRESSES + 1, 1) },
            GossipMessage::Join { contact: contact(1, 1, MAX_ADDRESS + 1) },
            GossipMessage::Join { contact: contact(1, 1, 0) },
            GossipMessage::ForwardJoin { contact: contact(1, 0, 0), ttl: MAX_TTL + 1 },
            GossipMessage::Shuffle { walk: 1, contacts: vec![contact(1, 0, 0); 17], ttl: 1 },
            GossipMessage::Graft { ids: vec![id; MAX_IDS + 1] },
            GossipMessage::IHave { messages: vec![Have { id, hops: 1 }; MAX_IDS + 1], ask: true },
        ] {
            assert_eq!(GossipMessage::parse(&message.to_bytes()), None, "{message:?}");
        }
        let spaced = Contact { id: PeerId([1; 32]), addresses: vec!["a b".into()] };
        assert!(!spaced.is_valid());
        assert_eq!(GossipMessage::parse(&vec![b' '; MAX_MESSAGE + 1]), None);
        assert_eq!(GossipMessage::parse(br#"{"type":"ping","n":-1}"#), None);
        assert_eq!(GossipMessage::parse(br#"{"type":"dance"}"#), Some(GossipMessage::Unknown));
        assert!(signed(&"a".repeat(MAX_BODY)).is_some());
        assert!(signed(&"a".repeat(MAX_BODY + 1)).is_none());
        assert!(signed(&"\n".repeat(MAX_BODY / 2 + 1)).is_none(), "escapes count");
    }

    #[test]
    fn an_id_is_of_every_byte() {
        let id = |author: u8, body: &str, signature: u8| {
            let author = PeerId([author; 32]);
            SignedMessage::from_parts(author, body.into(), Signature([signature; 64])).unwrap().id()
        };
        assert_eq!(id(1, "a", 2), id(1, "a", 2));
        for other in [id(3, "a", 2), id(1, "b", 2), id(1, "a", 3)] {
            assert_ne!(other, id(1, "a", 2));
        }
    }
}
