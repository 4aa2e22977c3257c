//! What is let through to the wrapped machine, beside what it checks itself.
//!
//! **DTLS.** Until it has keys nothing protects it: one forged ClientHello or alert that seems to come from the peer
//! ends the handshake, and whoever knows both addresses can send one. ICE has secrets by then, the passwords in the
//! two descriptions. So each datagram of DTLS ends with a tag, as each of SRTP does (RFC 3711 §4.2.1) and with the
//! same function: the first ten bytes of HMAC-SHA1. Both descriptions must have the attribute for it; with a peer of
//! another make there is none.
//!
//! **STUN.** A check must have a FINGERPRINT that holds (RFC 8445 §7.1), and counts once: played again, an answer would
//! make a liar of the round-trip time, and an old request could turn the path back.
//!
//! **RTP.** The sources (RFC 3550 §3) are those of the peer's description (RFC 5576). The wrapped machine takes an unknown
//! one up before it knows whether the packet is authentic, and leaves the old one for it.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher};
use std::ops::RangeInclusive;

use str0m::crypto::from_feature_flags;

use crate::wire::stun::{has_fingerprint, is_stun};

const ATTRIBUTE: &str = "a=x-voip-dtls-tag:hmac-sha1-80";
const PASSWORD: &str = "a=ice-pwd:";
const SOURCE: &str = "a=ssrc:";
/// More than a peer has.
const MOST_SOURCES: usize = 32;
const TAG: usize = 10;
/// The first bytes of DTLS (RFC 7983).
const DTLS: RangeInclusive<u8> = 20..=63;
/// Messages of STUN that are remembered: more than a quarter of an hour of a call has. Only whoever can read and
/// change what is under way can push them out sooner.
const REMEMBERED: usize = 1024;

/// Which side of a session one is: what one says cannot be sent back as if the other had said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Offers,
    Answers,
}

/// See the module.
pub(super) struct Guard {
    side: Side,
    /// The password of our description.
    ours: String,
    key: Option<Vec<u8>>,
    /// The peer's sources, if it names them.
    sources: Vec<u32>,
    seen: VecDeque<u64>,
}

impl Guard {
    pub(super) fn new(side: Side) -> Guard {
        let (ours, sources, seen) = Default::default();
        Guard { side, ours, key: None, sources, seen }
    }

    /// Completes our own description.
    pub(super) fn describe(&mut self, mut description: String) -> String {
        self.ours = password(&description).to_owned();
        description.push_str(ATTRIBUTE);
        description.push_str("\r\n");
        description
    }

    /// Both descriptions are known.
    pub(super) fn begin(&mut self, theirs: &str) {
        let sources = theirs.lines().filter_map(|line| line.strip_prefix(SOURCE));
        self.sources = sources
            .filter_map(|line| line.split(' ').next()?.parse().ok())
            .take(MOST_SOURCES)
            .collect();
        if !theirs.lines().any(|line| line == ATTRIBUTE) {
            return;
        }
        let theirs = password(theirs);
        let (offer, answer) = match self.side {
            Side::Offers => (&*self.ours, theirs),
            Side::Answers => (theirs, &*self.ours),
        };
        self.key = Some(format!("{offer} {answer}").into_bytes());
    }

    /// A datagram as it is sent.
    pub(super) fn seal(&self, mut datagram: Vec<u8>) -> Vec<u8> {
        if let Some(key) = self.key.as_deref().filter(|_| is_dtls(&datagram)) {
            let tag = tag(key, self.side, &datagram);
            datagram.extend_from_slice(&tag);
        }
        datagram
    }

    /// What of a datagram is for the wrapped machine, which would take it; nothing if it is forged or was there before.
    pub(super) fn open<'a>(&mut self, datagram: &'a [u8]) -> Option<&'a [u8]> {
        if is_stun(datagram) {
            return (has_fingerprint(datagram) && self.is_new(datagram)).then_some(datagram);
        }
        if let Some(source) = source_of_rtp(datagram)
            && !self.sources.is_empty()
            && !self.sources.contains(&source)
        {
            return None;
        }
        match self.key.as_deref().filter(|_| is_dtls(datagram)) {
            Some(key) => self.untagged(key, datagram),
            None => Some(datagram),
        }
    }

    /// Whether it is a datagram of DTLS with a tag that holds: the peer sent it, whatever address it comes from.
    pub(super) fn is_tagged(&self, datagram: &[u8]) -> bool {
        let key = self.key.as_deref().filter(|_| is_dtls(datagram));
        key.is_some_and(|key| self.untagged(key, datagram).is_some())
    }

    fn untagged<'a>(&self, key: &[u8], datagram: &'a [u8]) -> Option<&'a [u8]> {
        let (content, received) = datagram.split_last_chunk::<TAG>()?;
        let peer = match self.side {
            Side::Offers => Side::Answers,
            Side::Answers => Side::Offers,
        };
        let expected = tag(key, peer, content);
        let differing = received.iter().zip(expected).fold(0, |d, (a, b)| d | (a ^ b));
        (differing == 0).then_some(content)
    }

    fn is_new(&mut self, datagram: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        hasher.write(datagram);
        let hash = hasher.finish();
        if self.seen.contains(&hash) {
            return false;
        }
        if self.seen.len() >= REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(hash);
        true
    }
}

fn is_dtls(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| DTLS.contains(first))
}

/// The source of a packet of RTP; none of RTCP (RFC 5761 §4), or of anything else.
fn source_of_rtp(datagram: &[u8]) -> Option<u32> {
    let &[first, second, _, _, _, _, _, _, a, b, c, d, ..] = datagram else { return None };
    let is_rtp = (128..192).contains(&first) && !(192..224).contains(&second);
    is_rtp.then_some(u32::from_be_bytes([a, b, c, d]))
}

fn password(description: &str) -> &str {
    description.lines().find_map(|line| line.strip_prefix(PASSWORD)).unwrap_or_default()
}

fn tag(key: &[u8], sender: Side, content: &[u8]) -> [u8; TAG] {
    let side: &[u8] = match sender {
        Side::Offers => b"offers",
        Side::Answers => b"answers",
    };
    let mac = from_feature_flags().sha1_hmac_provider.sha1_hmac(key, &[side, content]);
    let mut tag = [0; TAG];
    tag.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
    tag
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HELLO: &[u8] = &[22, 254, 253, 0, 0];

    fn pair() -> (Guard, Guard) {
        let (mut alice, mut bob) = (Guard::new(Side::Offers), Guard::new(Side::Answers));
        let offer = alice.describe("v=0\r\na=ice-pwd:one\r\n".into());
        let answer = bob.describe("v=0\r\na=ice-pwd:two\r\n".into());
        alice.begin(&answer);
        bob.begin(&offer);
        (alice, bob)
    }

    #[test]
    fn dtls_of_the_peer_is_opened_and_no_other() {
        let (mut alice, mut bob) = pair();
        let sealed = alice.seal(HELLO.to_vec());
        assert_eq!(sealed.len(), HELLO.len() + TAG);
        assert_eq!(bob.open(&sealed), Some(HELLO));
        assert_eq!(alice.open(&sealed), None, "her own, sent back");
        assert_eq!(bob.open(HELLO), None);
        for i in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 1;
            assert_eq!(bob.open(&changed), None, "byte {i}");
        }
        let (_, mut other) = pair();
        other.begin("a=ice-pwd:three\r\na=x-voip-dtls-tag:hmac-sha1-80\r\n");
        assert_eq!(other.open(&sealed), None, "of another call");
    }

    #[test]
    fn a_peer_that_knows_no_tags_gets_none() {
        let mut alice = Guard::new(Side::Offers);
        alice.describe("a=ice-pwd:one\r\n".into());
        alice.begin("a=ice-pwd:two\r\n");
        assert_eq!(alice.seal(HELLO.to_vec()), HELLO);
        assert_eq!(alice.open(HELLO), Some(HELLO));
    }

    #[test]
    fn sound_of_the_sources_that_the_peer_names_is_let_through() {
        let (alice, mut bob) = pair();
        let rtp = [128, 111, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2];
        assert_eq!(alice.seal(rtp.to_vec()), rtp);
        assert_eq!(bob.open(&rtp), Some(&rtp[..]), "the peer names none");
        bob.begin("a=ssrc:7 cname:x\r\na=ssrc:258 cname:x\r\na=ssrc:258 msid:x\r\n");
        assert_eq!(bob.open(&rtp), Some(&rtp[..]));
        for bit in 64..96 {
            let mut changed = rtp;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(bob.open(&changed), None, "bit {bit}");
        }
        let rtcp = [128, 200, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0];
        assert_eq!(bob.open(&rtcp), Some(&rtcp[..]));
    }

    /// The sample request of RFC 5769 §2.1.
    #[test]
    fn a_check_counts_once_and_with_its_fingerprint() {
        let request = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74\
                       002400046e0001ff80290008932ff9b151263b36000600096576746a3a6836765920202000080014\
                       9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";
        let request = hex::decode(request).unwrap();
        let (mut alice, _) = pair();
        for bit in 0..request.len() * 8 {
            let mut changed = request.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            // Something that is no STUN any more is for others to refuse.
            assert!(alice.open(&changed).is_none() || !is_stun(&changed), "bit {bit}");
        }
        assert_eq!(alice.open(&request), Some(&request[..]));
        assert_eq!(alice.open(&request), None);
        assert_eq!(alice.seen.len(), 1, "only what holds is remembered");
    }
}
