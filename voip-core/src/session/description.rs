//! Session descriptions (SDP, RFC 8866; ICE in it, RFC 8839) as they come from a peer: bounded and
//! checked before the session layer sees them.

use std::net::{IpAddr, SocketAddr};

use str0m::Candidate;
use str0m::change::{SdpAnswer, SdpOffer};

use super::{SessionError, contain};
use crate::wire::signal::MAX_CANDIDATES;

/// A description of one stream and one channel takes 1.5 KiB.
const MAX_DESCRIPTION: usize = 16 * 1024;

/// In both descriptions: the one who answers leads ICE (RFC 8445 §6.1.1 would have it the other way round) and DTLS. It has
/// the other's description a whole way earlier, and so a path to send its first message on half a round trip earlier.
const ANSWERER_LEADS: &str = "a=x-voip-answerer-leads";

/// Completes our own description: the one who answers may lead, or does.
pub(super) fn let_answerer_lead(description: &mut String) {
    description.push_str(ANSWERER_LEADS);
    description.push_str("\r\n");
}

/// Whether a peer's description lets the one who answers lead.
pub(super) fn answerer_leads(description: &str) -> bool {
    description.lines().any(|line| line == ANSWERER_LEADS)
}

/// An address at which this node can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LocalCandidate {
    /// The address of a local interface.
    Host(SocketAddr),
    /// What a STUN server saw us come from, and the local address that was used.
    ServerReflexive { address: SocketAddr, base: SocketAddr },
    /// An address on a relay, and the local address that the relay is reached from.
    Relayed { address: SocketAddr, local: SocketAddr },
}

impl LocalCandidate {
    /// The address that its datagrams are sent from, and come to.
    pub(crate) fn base(self) -> SocketAddr {
        match self {
            LocalCandidate::Host(address)
            | LocalCandidate::ServerReflexive { base: address, .. }
            | LocalCandidate::Relayed { address, .. } => address,
        }
    }

    pub(super) fn to_ice(self) -> Option<Candidate> {
        match self {
            LocalCandidate::Host(address) => Candidate::host(address, "udp").ok(),
            LocalCandidate::ServerReflexive { address, base } => {
                Candidate::server_reflexive(address, base, "udp").ok()
            }
            LocalCandidate::Relayed { address, local } => {
                Candidate::relayed(address, local, "udp").ok()
            }
        }
    }
}

/// These candidates, each as in an SDP attribute.
pub(crate) fn candidate_lines(candidates: &[LocalCandidate]) -> Vec<String> {
    let candidates = candidates.iter().filter_map(|c| c.to_ice());
    candidates.map(|c| c.to_sdp_string()).take(MAX_CANDIDATES).collect()
}

pub(super) fn parse_offer(text: &str) -> Result<SdpOffer, SessionError> {
    check(text)?;
    // The wrapped machine would be passive where it may choose (RFC 8842 §5.3).
    let text = match answerer_leads(text) {
        true => &text.replace("a=setup:actpass", "a=setup:passive"),
        false => text,
    };
    contain(|| {
        SdpOffer::from_sdp_string(text).map_err(|e| SessionError::Description(e.to_string()))
    })
}

pub(super) fn parse_answer(text: &str) -> Result<SdpAnswer, SessionError> {
    check(text)?;
    contain(|| {
        SdpAnswer::from_sdp_string(text).map_err(|e| SessionError::Description(e.to_string()))
    })
}

fn check(text: &str) -> Result<(), SessionError> {
    let refuse = |why: &str| Err(SessionError::Description(why.into()));
    if text.len() > MAX_DESCRIPTION {
        return refuse("too long");
    }
    let mut candidates = 0;
    for line in text.lines() {
        let Some(candidate) = line.strip_prefix("a=candidate:") else { continue };
        candidates += 1;
        if candidates > MAX_CANDIDATES {
            return refuse("too many candidates");
        }
        if !is_of_a_peer(candidate) {
            return refuse("a candidate's address is none of a peer");
        }
    }
    Ok(())
}

/// A candidate of the peer, as in an SDP attribute.
pub(super) fn parse_candidate(text: &str) -> Option<Candidate> {
    let rest = text.strip_prefix("candidate:").filter(|rest| is_of_a_peer(rest))?;
    contain(|| Ok(Candidate::from_sdp_string(&format!("candidate:{rest}")).ok())).ok().flatten()
}

/// RFC 8839 §5.1: foundation component transport priority address port …
fn is_of_a_peer(candidate: &str) -> bool {
    let address = candidate.split_ascii_whitespace().nth(4).and_then(|a| a.parse().ok());
    !address.is_none_or(is_no_peer)
}

/// Addresses that belong to no single host.
fn is_no_peer(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_multicast() || v6.is_unspecified(),
    }
}
