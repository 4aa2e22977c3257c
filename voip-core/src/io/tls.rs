//! TLS 1.3 (RFC 8446) between nodes and trackers, and between nodes, by rustls with the cryptography of the calls.
//!
//! [`Session`] is one connection, either side, as a state machine: bytes of the socket go in and come
//! out of it, whoever owns the socket carries them. [`client`] decides which tracker to trust, [`server`] has
//! the tracker's certificate; two nodes show each other their keys ([`peer`]).

pub(crate) mod client;
pub(crate) mod peer;
pub(crate) mod server;

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection,
};
use sha2::{Digest, Sha256};

use crate::id::PeerId;

/// The first byte of a TLS connection: a record of the handshake.
pub(crate) const FIRST_BYTE: u8 = 0x16;
/// What the other side may send before the handshake is over: certificates are the most of it.
const MAX_HANDSHAKE: usize = 32 * 1024;
/// Bytes that rustls may hold for us; more is handed to it and taken from it in turns.
const BUFFER: usize = 32 * 1024;
/// The most clear text in one record.
const RECORD: usize = 16 * 1024;

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The other side has closed it.
    Closed,
    /// The other side's certificate does not fit.
    Untrusted(String),
    /// The other side refuses us, or does not speak TLS.
    Broken(String),
}

/// One TLS connection, either side. After a [`Fault`] there may be output, and nothing else.
pub(crate) struct Session {
    connection: Connection,
    /// Bytes received while shaking hands.
    handshake: usize,
}

impl Session {
    /// To somebody of that name.
    pub(crate) fn client(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, rustls::Error> {
        Ok(Session::new(ClientConnection::new(config, name)?.into()))
    }

    /// With somebody who came to us.
    pub(crate) fn server(config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        Ok(Session::new(ServerConnection::new(config)?.into()))
    }

    fn new(mut connection: Connection) -> Self {
        connection.set_buffer_limit(Some(BUFFER));
        Session { connection, handshake: 0 }
    }

    /// The key that the other side has shown, if it is a node that speaks what this one does.
    pub(crate) fn peer(&self) -> Option<PeerId> {
        let is_of_mesh = self.connection.alpn_protocol() == Some(peer::PROTOCOL);
        let shown = self.connection.peer_certificates().filter(|_| is_of_mesh)?;
        shown.first().and_then(peer::key_of)
    }

    /// Whether nothing can be said yet.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Bytes came from the socket: what they say is put behind `clear`, and there may be output.
    pub(crate) fn receive(&mut self, mut bytes: &[u8], clear: &mut Vec<u8>) -> Result<(), Fault> {
        while !bytes.is_empty() {
            let (before, was_handshaking) = (bytes.len(), self.is_handshaking());
            self.connection.read_tls(&mut bytes).map_err(|e| Fault::Broken(e.to_string()))?;
            let taken = before - bytes.len();
            if taken == 0 {
                return Err(Fault::Closed);
            }
            if was_handshaking {
                self.handshake += taken;
            }
            if self.handshake > MAX_HANDSHAKE {
                return Err(Fault::Broken("a handshake without end".to_owned()));
            }
            let state = self.connection.process_new_packets().map_err(fault)?;
            let begin = clear.len();
            clear.resize(begin + state.plaintext_bytes_to_read(), 0);
            let place = clear.get_mut(begin..).unwrap_or_default();
            let read = self.connection.reader().read_exact(place);
            read.map_err(|e| Fault::Broken(e.to_string()))?;
            if state.peer_has_closed() {
                return Err(Fault::Closed);
            }
        }
        Ok(())
    }

    /// Encrypts `clear` behind `output`. Only after the handshake: before, nothing is sent.
    pub(crate) fn send(&mut self, clear: &[u8], output: &mut Vec<u8>) {
        if self.is_handshaking() {
            return;
        }
        for piece in clear.chunks(RECORD) {
            // It is taken whole: all that was there before has been taken out.
            let written = self.connection.writer().write_all(piece);
            self.take_output(output);
            if let Err(error) = written {
                return tracing::debug!(%error, "TLS takes nothing more");
            }
        }
    }

    /// Says that nothing more will come.
    pub(crate) fn close(&mut self) {
        self.connection.send_close_notify();
    }

    /// Puts behind `output` what is to be sent.
    pub(crate) fn take_output(&mut self, output: &mut Vec<u8>) {
        while self.connection.wants_write() {
            match self.connection.write_tls(output) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}

fn fault(error: rustls::Error) -> Fault {
    use rustls::Error::{
        AlertReceived, InvalidCertificate, InvalidMessage, NoCertificatesPresented,
    };
    match error {
        InvalidCertificate(why) => Fault::Untrusted(client::distrust(&why)),
        NoCertificatesPresented => Fault::Untrusted("it shows none".to_owned()),
        InvalidMessage(_) => Fault::Broken("it does not speak TLS".to_owned()),
        AlertReceived(AlertDescription::CloseNotify) => Fault::Closed,
        other => Fault::Broken(other.to_string()),
    }
}

/// The same cryptography as that of calls; it needs no installing.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// SHA-256 of the certificate's SubjectPublicKeyInfo (RFC 7469 §2.4), which stays the same when the
/// certificate is renewed for the same key.
fn key_hash(certificate: &CertificateDer<'_>) -> Result<[u8; 32], rustls::Error> {
    let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
    Ok(Sha256::digest(&key).into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rustls::{NamedGroup, ProtocolVersion};

    use super::client::Client;
    use super::server::{Certificate, Identity};
    use super::*;
    use crate::directory::address::TrackerAddress;

    /// Both ends of a connection to a tracker with a key of its own, after the handshake.
    fn pair(pin: impl Fn([u8; 32]) -> [u8; 32]) -> Result<(Session, Session), Fault> {
        let folder =
            std::env::temp_dir().join(format!("voip-tls-{:?}", std::thread::current().id()));
        let made = Identity::load(&Certificate::SelfSigned(folder.join("tracker.pem"))).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        let address = format!("tls://example.org:1#sha256={}", hex::encode(pin(made.key_hash)));
        let address = TrackerAddress::parse(&address).unwrap();
        let Client { config, name } = Client::of(&address).unwrap().unwrap();
        let mut client = Session::client(config, name).unwrap();
        let mut server = Session::server(made.config).unwrap();
        let mut clear = Vec::new();
        while client.is_handshaking() || server.is_handshaking() {
            let (mut there, mut back) = (Vec::new(), Vec::new());
            client.take_output(&mut there);
            server.receive(&there, &mut clear)?;
            server.take_output(&mut back);
            client.receive(&back, &mut clear)?;
        }
        assert!(clear.is_empty());
        Ok((client, server))
    }

    #[test]
    fn keys_are_agreed_on_for_good_and_no_tickets_are_given() {
        let (client, mut server) = pair(|key| key).unwrap();
        let group = client.connection.negotiated_key_exchange_group().unwrap().name();
        assert_eq!(group, NamedGroup::X25519MLKEM768);
        assert_eq!(client.connection.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        let mut tickets = Vec::new();
        server.take_output(&mut tickets);
        assert!(tickets.is_empty());
    }

    #[test]
    fn a_key_that_differs_in_one_bit_is_another() {
        let other = |mut key: [u8; 32]| {
            key[31] ^= 1;
            key
        };
        let fault = pair(other).err().unwrap();
        assert!(matches!(&fault, Fault::Untrusted(why) if why.contains("SHA-256")), "{fault:?}");
    }

    #[test]
    fn the_end_is_told() {
        let (mut client, mut server) = pair(|key| key).unwrap();
        let (mut bytes, mut clear) = (Vec::new(), Vec::new());
        client.send(b"the last", &mut bytes);
        client.close();
        client.take_output(&mut bytes);
        assert_eq!(server.receive(&bytes, &mut clear), Err(Fault::Closed));
        assert_eq!(clear, b"the last");
    }
}
