//! The tracker's certificate: from files, or one that it makes for itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use zeroize::Zeroizing;

use super::{key_hash, provider};
use crate::error::{Error, ErrorKind};
use crate::io::identity_file::secret_file;

/// Where a tracker's certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Certificate {
    /// A chain, the tracker's own first, and its key: PEM files.
    Files { chain: PathBuf, key: PathBuf },
    /// A certificate by nobody but itself, in a file with its key, made when there is none.
    SelfSigned(PathBuf),
}

/// What connections of a tracker begin with.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) config: Arc<ServerConfig>,
    /// SHA-256 of the key's SubjectPublicKeyInfo, for whoever pins it.
    pub(crate) key_hash: [u8; 32],
}

impl Identity {
    /// Reads the certificate, or makes one. Errors: [`ErrorKind::File`].
    pub(crate) fn load(certificate: &Certificate) -> Result<Self, Error> {
        let (chain_path, key_path, made) = match certificate {
            Certificate::Files { chain, key } => (chain, key, None),
            Certificate::SelfSigned(path) => {
                let pem = secret_file(path, MAX_FILE, || make().map_err(|e| bad(path, e)))?;
                (path, path, Some(pem))
            }
        };
        let read = |path: &Path| match &made {
            Some(pem) => Ok(Zeroizing::new(pem.as_bytes().to_vec())),
            None => std::fs::read(path).map(Zeroizing::new).map_err(|e| bad(path, e)),
        };
        let pem = read(chain_path)?;
        let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|e| bad(chain_path, e))?;
        let own = chain.first().ok_or_else(|| bad(chain_path, "there is no certificate in it"))?;
        let key_hash = key_hash(own).map_err(|e| bad(chain_path, e))?;
        let key = PrivateKeyDer::from_pem_slice(&read(key_path)?).map_err(|e| bad(key_path, e))?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(|e| Error::new(ErrorKind::Internal, format!("TLS: {e}")))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|e| bad(key_path, e))?;
        // Nodes stay for hours: what would make coming back cheaper is not worth its memory.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Identity { config: Arc::new(config), key_hash })
    }
}

/// A key and a certificate have not 1 KiB.
const MAX_FILE: u64 = 64 * 1024;

/// A new key and its certificate, PEM.
fn make() -> Result<Zeroizing<String>, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut about = CertificateParams::new(vec!["voip-tracker".to_owned()])?;
    about.distinguished_name.push(DnType::CommonName, "voip-tracker");
    let certificate = about.self_signed(&key)?;
    let secret = Zeroizing::new(key.serialize_pem());
    Ok(Zeroizing::new(format!("{}{}", certificate.pem(), *secret)))
}

fn bad(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::File, format!("{}: {why}", path.display()))
}
