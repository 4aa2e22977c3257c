//! What two connected peers say on their data channel: JSON, one object a message.

use serde::{Deserialize, Serialize};

use super::json;
use super::sealed::Bytes32;
use super::signal::{MAX_SIGNAL, SealedSignal};

/// The longest message that is read, in bytes: an answer.
const MAX_MESSAGE: usize = MAX_SIGNAL;

/// A message on the data channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ChannelMessage {
    /// The sender's microphone is muted, or no longer.
    Muted { muted: bool },
    /// The sender's microphone gives nothing but digital silence, or no longer.
    DigitalSilence { silent: bool },
    /// The sender's encoder makes pauses: discontinuous transmission (RFC 7587 §3.1.3).
    Discontinuous,
    /// How the packets of the last second came.
    Report(ReportMessage),
    /// The callee takes the call, whose path was made while it rang: the answer that the tracker has, too.
    Answer { signal: SealedSignal },
    /// The caller's nonce for the verification words, to which it has committed itself in its offer.
    Reveal { sas_nonce: Bytes32 },
    /// Nothing came for a while: whoever gets this acknowledges it, which shows that there is a path.
    Alive,
    /// A type of a later version: ignored.
    #[serde(other)]
    Unknown,
}

/// How a second's packets came, in whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ReportMessage {
    /// Packets lost, in thousandths of those sent.
    pub(crate) lost_permille: u32,
    /// How many in a row on average, in tenths.
    pub(crate) burst_tenths: u32,
    /// By how much the fastest took longer than the fastest of the last minute.
    pub(crate) queue_ms: u32,
    /// The receiver asks for deep redundancy (DRED) in the packets.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) deep: bool,
}

impl ChannelMessage {
    pub(crate) fn parse(bytes: &[u8]) -> Option<ChannelMessage> {
        if bytes.len() > MAX_MESSAGE {
            return None;
        }
        serde_json::from_slice(bytes).ok()
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        json(self).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_the_rest_ignored() {
        for message in [
            ChannelMessage::Muted { muted: true },
            ChannelMessage::DigitalSilence { silent: false },
            ChannelMessage::Reveal { sas_nonce: Bytes32([7; 32]) },
            ChannelMessage::Report(ReportMessage {
                lost_permille: 73,
                burst_tenths: 15,
                queue_ms: 4,
                deep: true,
            }),
        ] {
            assert_eq!(ChannelMessage::parse(&message.to_bytes()), Some(message));
        }
        let asks_nothing = br#"{"type":"report","lost_permille":7,"burst_tenths":10,"queue_ms":0}"#;
        let Some(report) = ChannelMessage::parse(asks_nothing) else { panic!() };
        assert!(matches!(report, ChannelMessage::Report(ReportMessage { deep: false, .. })));
        assert_eq!(report.to_bytes(), asks_nothing);
        assert_eq!(ChannelMessage::parse(br#"{"type":"report","queue_ms":-1}"#), None);
        let later = br#"{"type":"dance","steps":3}"#;
        assert_eq!(ChannelMessage::parse(later), Some(ChannelMessage::Unknown));
        assert_eq!(ChannelMessage::parse(b"muted"), None);
        assert_eq!(ChannelMessage::parse(&[b' '; MAX_MESSAGE + 1]), None);
    }
}
