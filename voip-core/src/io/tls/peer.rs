//! TLS between two nodes: each shows its key and nothing else (raw public keys, RFC 7250), and has to prove that it is its
//! own. Whose key that is, and whether it is welcome, is for the owner to say.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, ServerConfig,
    SignatureScheme,
};
use zeroize::Zeroizing;

use super::client::Client;
use super::{Session, provider};
use crate::error::{Error, ErrorKind};
use crate::id::PeerId;
use crate::identity::Identity;

/// What is spoken in it (RFC 7301), so that nothing else can be mistaken for it.
pub(super) const PROTOCOL: &[u8] = b"voip-mesh/1";
/// SubjectPublicKeyInfo of an Ed25519 key (RFC 8410 §4), up to the key itself.
const PUBLIC: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
/// PKCS #8 of an Ed25519 key (RFC 8410 §7), up to the secret itself.
const SECRET: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// What connections of one node with others begin with.
#[derive(Clone)]
pub(crate) struct PeerTls {
    client: Client,
    server: Arc<ServerConfig>,
}

impl PeerTls {
    /// Gets ready to show this key.
    pub(crate) fn of(identity: &Identity) -> Result<PeerTls, Error> {
        PeerTls::made(identity)
            .map_err(|error| Error::new(ErrorKind::Internal, format!("TLS between nodes: {error}")))
    }

    fn made(identity: &Identity) -> Result<PeerTls, rustls::Error> {
        let provider = provider();
        let secret = Zeroizing::new([&SECRET[..], identity.secret()].concat());
        let key = provider
            .key_provider
            .load_private_key(PrivatePkcs8KeyDer::from(secret.to_vec()).into())?;
        let public = [&PUBLIC[..], &identity.id().0].concat();
        let shown = Arc::new(CertifiedKey::new(vec![CertificateDer::from(public)], key));
        let any = Arc::new(AnyKey(provider.clone()));
        let mut client = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(any.clone())
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
                shown.clone(),
            )));
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        client.alpn_protocols = vec![PROTOCOL.to_vec()];
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(any)
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(shown)));
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        server.alpn_protocols = vec![PROTOCOL.to_vec()];
        // Any will do: it is not sent.
        let name = ServerName::from(std::net::Ipv4Addr::UNSPECIFIED);
        Ok(PeerTls { client: Client { config: Arc::new(client), name }, server: Arc::new(server) })
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    pub(crate) fn server(&self) -> Result<Session, rustls::Error> {
        Session::server(self.server.clone())
    }
}

/// The Ed25519 key in a SubjectPublicKeyInfo.
pub(super) fn key_of(shown: &CertificateDer<'_>) -> Option<PeerId> {
    shown.strip_prefix(&PUBLIC[..])?.try_into().ok().map(PeerId)
}

/// Both sides offer nothing older.
fn only_tls13() -> rustls::Error {
    rustls::Error::General("TLS 1.3 only".to_owned())
}

/// Takes any key of the right kind whose owner proves to have it.
#[derive(Debug)]
struct AnyKey(Arc<CryptoProvider>);

impl AnyKey {
    fn check(shown: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        key_of(shown).map(|_| ()).ok_or_else(|| CertificateError::BadEncoding.into())
    }

    fn proves(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let key = SubjectPublicKeyInfoDer::from(shown.as_ref());
        verify_tls13_signature_with_raw_key(
            message,
            &key,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }
}

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        AnyKey::check(shown).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.proves(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        AnyKey::check(shown).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.proves(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::io::tls::Fault;

    fn shake(client: &mut Session, server: &mut Session) -> Result<(), Fault> {
        let mut clear = Vec::new();
        while client.is_handshaking() || server.is_handshaking() {
            let (mut there, mut back) = (Vec::new(), Vec::new());
            client.take_output(&mut there);
            server.receive(&there, &mut clear)?;
            server.take_output(&mut back);
            client.receive(&back, &mut clear)?;
        }
        Ok(())
    }

    fn node(key: u8) -> (PeerTls, PeerId) {
        let identity = Identity::from_secret(&[key; 32]);
        (PeerTls::of(&identity).unwrap(), identity.id())
    }

    #[test]
    fn each_knows_the_key_of_the_other() {
        let ((alice, alices), (bob, bobs)) = (node(1), node(2));
        let Client { config, name } = alice.client();
        let (mut client, mut server) =
            (Session::client(config, name).unwrap(), bob.server().unwrap());
        shake(&mut client, &mut server).unwrap();
        assert_eq!((client.peer(), server.peer()), (Some(bobs), Some(alices)));
        let (mut bytes, mut clear) = (Vec::new(), Vec::new());
        client.send(b"hello", &mut bytes);
        server.receive(&bytes, &mut clear).unwrap();
        assert_eq!(clear, b"hello");
    }

    #[test]
    fn who_shows_a_key_must_have_it() {
        let (alice, bob) = (Identity::from_secret(&[1; 32]), node(2).0);
        let made = PeerTls::of(&alice).unwrap();
        // Mallory shows Alice's key and signs with her own.
        let provider = provider();
        let secret = [&SECRET[..], Identity::from_secret(&[3; 32]).secret()].concat();
        let key = provider
            .key_provider
            .load_private_key(PrivatePkcs8KeyDer::from(secret).into())
            .unwrap();
        let public = [&PUBLIC[..], &alice.id().0].concat();
        let shown = Arc::new(CertifiedKey::new(vec![CertificateDer::from(public)], key));
        let mut config = (*made.client().config).clone();
        config.client_auth_cert_resolver = Arc::new(AlwaysResolvesClientRawPublicKeys::new(shown));
        let mut client = Session::client(Arc::new(config), made.client().name).unwrap();
        let mut server = bob.server().unwrap();
        let fault = shake(&mut client, &mut server).unwrap_err();
        assert!(matches!(fault, Fault::Untrusted(_) | Fault::Broken(_)), "{fault:?}");
        assert!(server.is_handshaking());
    }

    #[test]
    fn a_tracker_s_client_is_no_node() {
        let server = node(2).0;
        let address = crate::directory::address::TrackerAddress::parse(&format!(
            "tls://example.org:1#sha256={}",
            "00".repeat(32)
        ));
        let Client { config, name } = Client::of(&address.unwrap()).unwrap().unwrap();
        let (mut client, mut server) =
            (Session::client(config, name).unwrap(), server.server().unwrap());
        assert!(shake(&mut client, &mut server).is_err());
    }
}
