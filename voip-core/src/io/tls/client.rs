//! Whom a node trusts to be its tracker.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, danger};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};

use super::{key_hash, provider};
use crate::directory::address::{TrackerAddress, Trust};
use crate::error::{Error, ErrorKind};

/// What connections to one tracker begin with.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) name: ServerName<'static>,
}

impl Client {
    /// Gets ready for a tracker; `None` where there is no TLS. Reads files: not for the engine's
    /// thread. Errors: [`ErrorKind::File`], [`ErrorKind::InvalidArgument`] (a host that cannot be in
    /// a certificate).
    pub(crate) fn of(address: &TrackerAddress) -> Result<Option<Self>, Error> {
        let provider = provider();
        let verifier: Arc<dyn ServerCertVerifier> = match &address.trust {
            Trust::Plain => return Ok(None),
            Trust::Key(hash) => Arc::new(PinnedKey { hash: *hash, provider: provider.clone() }),
            Trust::System => by_authority(&provider, system_roots()?)?,
            Trust::File(path) => {
                let bad =
                    |why: String| Error::new(ErrorKind::File, format!("{}: {why}", path.display()));
                let mut roots = RootCertStore::empty();
                let found = CertificateDer::pem_file_iter(path).map_err(|e| bad(e.to_string()))?;
                for certificate in found {
                    let certificate = certificate.map_err(|e| bad(e.to_string()))?;
                    roots.add(certificate).map_err(|e| bad(e.to_string()))?;
                }
                if roots.is_empty() {
                    return Err(bad("there is no certificate in it".to_owned()));
                }
                by_authority(&provider, roots)?
            }
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(internal)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        // A ticket would let whoever watches see that it is the same node that comes back.
        config.resumption = Resumption::disabled();
        Ok(Some(Client { config: Arc::new(config), name: name_of(address)? }))
    }
}

fn name_of(address: &TrackerAddress) -> Result<ServerName<'static>, Error> {
    let host = address.host();
    // An address of a zone (`fe80::1%eth0`) is known without it.
    let without_zone = host.split('%').next().unwrap_or(host);
    if let Ok(ip) = without_zone.parse::<IpAddr>() {
        return Ok(ServerName::from(ip));
    }
    ServerName::try_from(host.to_owned()).map_err(|_| {
        let message = format!("tracker: {host:?} is no name that a certificate can be for");
        Error::new(ErrorKind::InvalidArgument, message)
    })
}

fn internal(error: rustls::Error) -> Error {
    Error::new(ErrorKind::Internal, format!("TLS: {error}"))
}

fn by_authority(
    provider: &Arc<CryptoProvider>,
    roots: RootCertStore,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let verifier = verifier.map_err(|e| Error::new(ErrorKind::Internal, format!("TLS: {e}")))?;
    Ok(verifier)
}

/// The authorities that this system trusts, or that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
fn system_roots() -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems keep certificates that nobody can use any more beside those that count.
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(added, ignored, "the system's certificate authorities");
    if added == 0 {
        let why = found.errors.first().map_or_else(String::new, |e| format!(" ({e})"));
        let message = format!(
            "this system has no certificate authorities{why}: install them (ca-certificates), or \
             say in the tracker's address what to trust, #ca=FILE or #sha256=DIGITS"
        );
        return Err(Error::new(ErrorKind::File, message));
    }
    Ok(roots)
}

/// Trusts one key and nothing else: names, dates and authorities do not matter.
#[derive(Debug)]
struct PinnedKey {
    hash: [u8; 32],
    provider: Arc<CryptoProvider>,
}

/// The key is another one.
#[derive(Debug, thiserror::Error)]
#[error("the SHA-256 of its key is {}", hex::encode(.0))]
struct WrongKey([u8; 32]);

impl ServerCertVerifier for PinnedKey {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let hash = key_hash(certificate)?;
        if hash == self.hash {
            return Ok(danger::ServerCertVerified::assertion());
        }
        Err(CertificateError::Other(OtherError(Arc::new(WrongKey(hash)))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What does not fit, in words.
pub(super) fn distrust(why: &CertificateError) -> String {
    use CertificateError::{
        BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext,
        NotValidYet, NotValidYetContext, Other, Revoked, UnknownIssuer,
    };
    match why {
        UnknownIssuer => "no authority that is trusted has signed it".to_owned(),
        Expired | ExpiredContext { .. } => "it has expired".to_owned(),
        NotValidYet | NotValidYetContext { .. } => "it is not valid yet".to_owned(),
        NotValidForName => "it is for another host".to_owned(),
        NotValidForNameContext { expected, presented } => {
            format!("it is for {}, not for {}", presented.join(", "), expected.to_str())
        }
        BadSignature => "a signature does not hold".to_owned(),
        Revoked => "it was revoked".to_owned(),
        Other(OtherError(why)) => why.to_string(),
        // Rarities, by their names.
        why => format!("{why:?}"),
    }
}
