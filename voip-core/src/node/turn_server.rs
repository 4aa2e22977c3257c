//! A relay that the user names, by a TURN URI (RFC 7065).

use crate::directory::address::{TrackerAddress, Trust};
use crate::engine::NamedRelay;
use crate::error::Error;
use crate::relay::client::{RelayCredentials, RelayTransport};

use super::builder::invalid;

/// Relays of one node.
pub(super) const MAX_TURN_SERVERS: usize = 4;
/// The longest user name and password (RFC 8489 §14.3, §9.2).
const MAX_CREDENTIAL: usize = 508;
/// RFC 7065 §3.1.
const PORT: &str = "3478";
const TLS_PORT: &str = "5349";

#[derive(Clone, Debug)]
pub(super) struct TurnServer {
    pub(super) uri: String,
    pub(super) credentials: RelayCredentials,
}

impl TurnServer {
    /// Where it is, what its connection must show, and how to speak to it there.
    pub(super) fn parse(&self) -> Result<(TrackerAddress, NamedRelay), Error> {
        let bad = || invalid("turn_server", &format!("{:?} is not turn:host:port", self.uri));
        let (rest, port, trust) = match self.uri.split_once(':') {
            Some(("turn", rest)) => (rest, PORT, Trust::Plain),
            Some(("turns", rest)) => (rest, TLS_PORT, Trust::System),
            _ => return Err(bad()),
        };
        let (host, query) = rest.split_once('?').unwrap_or((rest, ""));
        let transport = match (query, &trust) {
            ("" | "transport=udp", Trust::Plain) => RelayTransport::Udp,
            ("transport=tcp", _) | ("", Trust::System) => RelayTransport::Tcp,
            _ => return Err(bad()),
        };
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let place = if has_port { host.to_owned() } else { format!("{host}:{port}") };
        let TrackerAddress { host_and_port, .. } =
            TrackerAddress::parse(&place).map_err(|_| bad())?;
        let RelayCredentials { username, password } = &self.credentials;
        for (field, text) in [("username", username), ("password", password)] {
            if text.is_empty() || text.len() > MAX_CREDENTIAL {
                return Err(invalid("turn_server", &format!("the {field} has 1 to 508 bytes")));
            }
        }
        let named = NamedRelay { transport, credentials: self.credentials.clone() };
        Ok((TrackerAddress { host_and_port, trust }, named))
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
        server.parse().ok().map(|(address, named)| (address.host_and_port, named.transport))
    }

    #[test]
    fn uris_of_rfc_7065() {
        let read = |uri: &str| parse(uri).unwrap();
        assert_eq!(read("turn:example.org"), ("example.org:3478".into(), RelayTransport::Udp));
        assert_eq!(read("turn:192.0.2.1:80"), ("192.0.2.1:80".into(), RelayTransport::Udp));
        assert_eq!(read("turn:[2001:db8::1]"), ("[2001:db8::1]:3478".into(), RelayTransport::Udp));
        let tcp = read("turn:example.org:443?transport=tcp");
        assert_eq!(tcp, ("example.org:443".into(), RelayTransport::Tcp));
        let tls = read("turns:example.org");
        assert_eq!(tls, ("example.org:5349".into(), RelayTransport::Tcp));
        for bad in [
            "turns:a?transport=udp",
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
