//! DTLS as `str0m` runs it, but for two things.
//!
//! How soon a lost handshake message is sent again: RFC 9147 §5.8.2 suggests a second, for paths
//! nobody knows anything about. Here ICE has just found the path, and somebody waits to be heard.
//!
//! And what becomes of a datagram that is no answer while the first answer is awaited, such as one
//! that the last connection between the same ports left on the line: it is discarded (RFC 9147
//! §4.5.2). The wrapped layer would give the session up.
//!
//! The rest is what its own provider does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, UnexpectedMessageError};
use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, ProtocolVersion,
};
use str0m::crypto::{CryptoError, CryptoProvider, from_feature_flags};

/// When a flight is first sent again; the time doubles with each. What browsers begin with, too: on
/// a longer way some messages go twice, which costs a few packets once.
const FIRST_RETRANSMISSION: Duration = Duration::from_millis(50);
/// It is not DTLS that gives up: calls have time limits of their own, and one whose path is sought while it rings may
/// have a long one. The first flight waits for the path and is sent as soon as there is one, so that the long pauses
/// before late repetitions cost nothing.
const RETRANSMISSIONS: usize = 16;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// All the cryptography of sessions.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider { dtls_provider: &QuickDtls, ..from_feature_flags() })
}

#[derive(Debug)]
struct QuickDtls;

impl DtlsProvider for QuickDtls {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        from_feature_flags().dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        // ICE has proved the addresses already, which is what cookies are for.
        let mut config = Config::builder()
            .use_server_cookie(false)
            .flight_start_rto(FIRST_RETRANSMISSION)
            .flight_retries(RETRANSMISSIONS)
            .handshake_timeout(HANDSHAKE_TIMEOUT);
        if let Some(mtu) = mtu {
            config = config.mtu(mtu);
        }
        let config = config.build().map_err(|e| CryptoError::Other(e.to_string()))?;
        let (config, certificate) = (Arc::new(config), certificate.clone());
        let dtls = match version {
            DtlsVersion::Dtls12 => Dtls::new_12(config, certificate, now),
            DtlsVersion::Dtls13 => Dtls::new_13(config, certificate, now),
            _ => Dtls::new_auto(config, certificate, now),
        };
        Ok(Box::new(Instance(dtls)))
    }
}

#[derive(Debug)]
struct Instance(Dtls);

impl DtlsInstance for Instance {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        use UnexpectedMessageError::UnrecognizedAutoServerResponse as Stray;

        match self.0.handle_packet(packet) {
            Err(DtlsImplError::UnexpectedMessage(Stray)) => Ok(()),
            handled => handled,
        }
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        self.0.poll_output(buffer)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}
