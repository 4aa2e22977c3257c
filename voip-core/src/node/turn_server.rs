//! A relay that the user names, by a TURN URI (RFC 7065).

use crate::engine::NamedRelay;
use crate::error::Error;
use crate::relay::client::{RelayCredentials, RelayTransport};

use super::builder::{invalid, is_host_and_port};

/// Relays of one node.
pub(super) const MAX_TURN_SERVERS: usize = 4;
/// The longest user name and password (RFC 8489 §14.3, §9.2).
const MAX_CREDENTIAL: usize = 508;
const PORT: &str = "3478";

#[derive(Clone, Debug)]
pub(super) struct TurnServer {
    pub(super) uri: String,
    pub(super) credentials: RelayCredentials,
}

impl TurnServer {
    /// Its `host:port`, and how to speak to it there.
    pub(super) fn parse(&self) -> Result<(String, NamedRelay), Error> {
        let bad = || invalid("turn_server", &format!("{:?} is not turn:host:port", self.uri));
        let rest = self.uri.strip_prefix("turn:").ok_or_else(bad)?;
        let (host, transport) = match rest.split_once('?') {
            None | Some((_, "transport=udp")) => (rest.split('?').next(), RelayTransport::Udp),
            Some((host, "transport=tcp")) => (Some(host), RelayTransport::Tcp),
            Some(_) => return Err(bad()),
        };
        let host = host.unwrap_or_default();
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let address = if has_port { host.to_owned() } else { format!("{host}:{PORT}") };
        if !is_host_and_port(&address) {
            return Err(bad());
        }
        let RelayCredentials { username, password } = &self.credentials;
        for (field, text) in [("username", username), ("password", password)] {
            if text.is_empty() || text.len() > MAX_CREDENTIAL {
                return Err(invalid("turn_server", &format!("the {field} has 1 to 508 bytes")));
            }
        }
        Ok((address, NamedRelay { transport, credentials: self.credentials.clone() }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(uri: &str) -> Option<(String, RelayTransport)> {
        let (username, password) = ("u".to_owned(), "p".to_owned());
        let credentials = RelayCredentials { username, password };
        let server = TurnServer { uri: uri.to_owned(), credentials };
        server.parse().ok().map(|(address, named)| (address, named.transport))
    }

    #[test]
    fn uris_of_rfc_7065() {
        let read = |uri: &str| parse(uri).unwrap();
        assert_eq!(read("turn:example.org"), ("example.org:3478".into(), RelayTransport::Udp));
        assert_eq!(read("turn:192.0.2.1:80"), ("192.0.2.1:80".into(), RelayTransport::Udp));
        assert_eq!(read("turn:[2001:db8::1]"), ("[2001:db8::1]:3478".into(), RelayTransport::Udp));
        let tcp = read("turn:example.org:443?transport=tcp");
        assert_eq!(tcp, ("example.org:443".into(), RelayTransport::Tcp));
        for bad in [
            "",
            "example.org",
            "stun:example.org",
            "turn:",
            "turn:a?transport=sctp",
            "turn:a:0",
            "turn:a b",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
