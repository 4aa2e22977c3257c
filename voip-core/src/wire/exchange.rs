//! What two neighbours say to each other so that both have the same posts: reconciliation as in Scuttlebutt (van Renesse,
//! Dumitriu, Gough, Thomas: LADIS 2008), with whole ranges of authors' logs.

use serde::{Deserialize, Serialize};

use super::bulletin::MAX_SEQ;
use super::gossip::{MAX_MESSAGE, SignedMessage, escaped_len};
use crate::id::PeerId;

/// The most logs in one message.
pub(crate) const MAX_HEADS: usize = 170;
/// The most ranges asked for in one message.
pub(crate) const MAX_WANTS: usize = 32;
/// The most bytes of messages in one message, so that [`MAX_WANTS`] ranges without posts fit, too.
pub(crate) const MAX_POSTS_BYTES: usize = MAX_MESSAGE - MAX_WANTS * 160 - 256;

/// The log of an author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct LogId {
    pub(crate) author: PeerId,
    pub(crate) log: u64,
}

/// What somebody has of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    #[serde(flatten)]
    pub(crate) log: LogId,
    /// The first and the last post.
    pub(crate) first: u32,
    pub(crate) last: u32,
    /// So many between them are missing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) holes: u32,
}

/// Posts of a log, from and to included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Span {
    #[serde(flatten)]
    pub(crate) log: LogId,
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "exchange", rename_all = "snake_case")]
pub(crate) enum Exchange {
    /// What the sender has.
    Heads {
        /// In order.
        logs: Vec<Head>,
        /// With this, it is a page of everything: what the sender has after this log, or from the beginning; the receiver
        /// answers with what it has beyond.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        page: Option<Page>,
    },
    /// What the sender would like to have.
    Want { spans: Vec<Span> },
    /// The answer to the last of them, with as much as fits, in the order asked for.
    Posts {
        messages: Vec<SignedMessage>,
        /// So many of the spans are dealt with; for the others there was no room.
        answered: u16,
        /// What was asked for and will never come from here.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        without: Vec<Span>,
    },
    /// Nodes that the sender knows of: what they have told of themselves last.
    Presences { messages: Vec<SignedMessage> },
    /// Something of a later version.
    #[serde(other)]
    Unknown,
}

/// Which part of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Page {
    /// Begins after this log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<LogId>,
    /// Another one follows, after the last log of this one.
    pub(crate) more: bool,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// The length of a message within another.
pub(crate) fn len_within(message: &SignedMessage) -> usize {
    escaped_len(message.body()) + 256
}

impl Head {
    fn is_valid(&self) -> bool {
        (1..=self.last).contains(&self.first)
            && self.last <= MAX_SEQ
            && self.holes <= self.last - self.first
    }
}

impl Span {
    fn is_valid(&self) -> bool {
        (1..=self.to).contains(&self.from) && self.to <= MAX_SEQ
    }
}

impl Exchange {
    /// Whether it keeps all limits.
    pub(crate) fn is_valid(&self) -> bool {
        let are_spans =
            |spans: &[Span]| spans.len() <= MAX_WANTS && spans.iter().all(Span::is_valid);
        match self {
            Exchange::Heads { logs, page } => {
                let keys = page.iter().filter_map(|page| page.after);
                let keys: Vec<LogId> = keys.chain(logs.iter().map(|head| head.log)).collect();
                let goes_on = page.is_some_and(|page| page.more);
                logs.len() <= MAX_HEADS
                    && logs.iter().all(Head::is_valid)
                    && keys.is_sorted_by(|a, b| a < b)
                    && !(goes_on && logs.is_empty())
            }
            Exchange::Want { spans } => are_spans(spans),
            Exchange::Posts { messages, without, .. } => {
                let bytes: usize = messages.iter().map(len_within).sum();
                bytes <= MAX_POSTS_BYTES && are_spans(without)
            }
            Exchange::Presences { messages } => {
                messages.iter().map(len_within).sum::<usize>() <= MAX_POSTS_BYTES
            }
            Exchange::Unknown => true,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::gossip::{GossipMessage, MAX_BODY};
    use crate::wire::sealed::Signature;

    fn log(n: u8) -> LogId {
        LogId { author: PeerId([n; 32]), log: u64::MAX }
    }

    fn head(n: u8) -> Head {
        Head { log: log(n), first: MAX_SEQ / 2, last: MAX_SEQ, holes: MAX_SEQ / 2 }
    }

    fn long_post() -> SignedMessage {
        let body = "\u{1}\"".repeat(MAX_BODY / 8);
        SignedMessage::from_parts(PeerId([1; 32]), body, Signature([2; 64])).unwrap()
    }

    #[test]
    fn whatever_keeps_the_limits_fits_and_is_read_as_it_was() {
        let span = Span { log: log(9), from: MAX_SEQ, to: MAX_SEQ };
        let logs: Vec<Head> = (1..=MAX_HEADS as u8).map(head).collect();
        let page = Some(Page { after: Some(log(0)), more: true });
        let short = SignedMessage::from_parts(PeerId([1; 32]), "".into(), Signature([2; 64]));
        let short = vec![short.unwrap(); MAX_POSTS_BYTES / 256];
        let without = vec![span; MAX_WANTS];
        for exchange in [
            Exchange::Heads { logs, page },
            Exchange::Heads { logs: Vec::new(), page: Some(Page { after: None, more: false }) },
            Exchange::Want { spans: without.clone() },
            Exchange::Posts {
                messages: vec![long_post()],
                answered: u16::MAX,
                without: without.clone(),
            },
            Exchange::Posts { messages: short, answered: 1, without },
        ] {
            let message = GossipMessage::Exchange(exchange);
            let bytes = message.to_bytes();
            assert!(bytes.len() <= MAX_MESSAGE, "{} bytes", bytes.len());
            assert_eq!(GossipMessage::parse(&bytes), Some(message));
        }
    }

    #[test]
    fn what_breaks_a_limit_is_refused() {
        let heads = |logs: Vec<Head>| Exchange::Heads { logs, page: None };
        let spans = |from, to| Exchange::Want { spans: vec![Span { log: log(1), from, to }] };
        let page = Some(Page { after: Some(log(2)), more: false });
        for exchange in [
            heads((0..=MAX_HEADS as u8).map(head).collect()),
            heads(vec![head(2), head(1)]),
            heads(vec![head(1), head(1)]),
            heads(vec![Head { first: 0, ..head(1) }]),
            heads(vec![Head { first: 5, last: 4, holes: 0, ..head(1) }]),
            heads(vec![Head { holes: MAX_SEQ / 2 + 1, ..head(1) }]),
            Exchange::Heads { logs: vec![head(2)], page },
            Exchange::Heads { logs: Vec::new(), page: Some(Page { after: None, more: true }) },
            spans(0, 1),
            spans(2, 1),
            spans(1, MAX_SEQ + 1),
            Exchange::Posts { messages: vec![long_post(); 2], answered: 1, without: Vec::new() },
        ] {
            let bytes = GossipMessage::Exchange(exchange).to_bytes();
            assert_eq!(GossipMessage::parse(&bytes), None);
        }
        let later = br#"{"type":"exchange","exchange":"dance"}"#;
        let unknown = GossipMessage::Exchange(Exchange::Unknown);
        assert_eq!(GossipMessage::parse(later), Some(unknown));
    }
}
