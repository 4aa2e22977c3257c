//! What two connected peers say on their data channel: JSON, one object a message.

use serde::{Deserialize, Serialize};

use super::json;

/// The longest message that is read, in bytes.
const MAX_MESSAGE: usize = 4096;

/// A message on the data channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ChannelMessage {
    /// The sender's microphone is muted, or no longer.
    Muted { muted: bool },
    /// The sender's microphone gives nothing but digital silence, or no longer.
    DigitalSilence { silent: bool },
    /// A type of a later version: ignored.
    #[serde(other)]
    Unknown,
}

impl ChannelMessage {
    pub(crate) fn parse(bytes: &[u8]) -> Option<ChannelMessage> {
        if bytes.len() > MAX_MESSAGE {
            return None;
        }
        serde_json::from_slice(bytes).ok()
    }

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        json(&self).into_bytes()
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
        ] {
            assert_eq!(ChannelMessage::parse(&message.to_bytes()), Some(message));
        }
        let later = br#"{"type":"dance","steps":3}"#;
        assert_eq!(ChannelMessage::parse(later), Some(ChannelMessage::Unknown));
        assert_eq!(ChannelMessage::parse(b"muted"), None);
        assert_eq!(ChannelMessage::parse(&[b' '; 5000]), None);
    }
}
