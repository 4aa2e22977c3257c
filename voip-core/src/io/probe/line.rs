//! A connection to a tracker, plain or in TLS, that waits for a limited time only.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::{Unreached, is_patience, remaining};
use crate::io::Clock;
use crate::io::tls::client::Client;
use crate::io::tls::{Fault, Session};
use crate::time::{Duration, Instant};

/// Bytes read in one go.
const CHUNK: usize = 4096;

/// See the module.
pub(super) struct Line {
    stream: TcpStream,
    session: Option<Session>,
    /// What came with the end of the handshake.
    early: Vec<u8>,
}

impl Line {
    /// Connects without saying anything. The error is the system's: there may be other addresses.
    #[expect(clippy::disallowed_methods, reason = "io/ is where sockets are opened")]
    pub(super) fn connect(server: SocketAddr, limit: Duration) -> io::Result<Line> {
        let stream = TcpStream::connect_timeout(&server, limit)?;
        // Only a matter of speed.
        let _ = stream.set_nodelay(true);
        Ok(Line { stream, session: None, early: Vec::new() })
    }

    /// Shakes hands; nothing was said before.
    pub(super) fn secure(
        &mut self,
        tls: &Client,
        clock: &Clock,
        until: Instant,
    ) -> Result<(), Unreached> {
        let Client { config, name } = tls.clone();
        let session = Session::client(config, name);
        let mut session = session.map_err(|e| Unreached::Silent(e.to_string()))?;
        let (mut output, mut buffer) = (Vec::new(), [0; CHUNK]);
        loop {
            session.take_output(&mut output);
            let sent = self.stream.write_all(&output);
            output.clear();
            if !session.is_handshaking() {
                self.session = Some(session);
                return Ok(());
            }
            if clock.now() >= until {
                return Err(Unreached::Silent("connected, but it did not answer".to_owned()));
            }
            let wait = self.stream.set_read_timeout(Some(remaining(clock, until)));
            match sent.and(wait).and_then(|()| self.stream.read(&mut buffer)) {
                Ok(0) => return Err(Unreached::NoTls("it closed the connection".to_owned())),
                Ok(n) => {
                    let result = session.receive(&buffer[..n], &mut self.early);
                    result.map_err(|fault| {
                        // So that the tracker knows why; whether it gets there does not matter.
                        session.take_output(&mut output);
                        let _ = self.stream.write_all(&output);
                        match fault {
                            Fault::Untrusted(why) => Unreached::Untrusted(why),
                            Fault::Broken(why) => Unreached::NoTls(why),
                            Fault::Closed => Unreached::NoTls("it closed the connection".into()),
                        }
                    })?;
                }
                Err(e) if is_patience(&e) => {}
                Err(e) => return Err(Unreached::NoTls(e.to_string())),
            }
        }
    }

    pub(super) fn local(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(session) = &mut self.session else { return self.stream.write_all(bytes) };
        let mut encrypted = Vec::new();
        session.send(bytes, &mut encrypted);
        self.stream.write_all(&encrypted)
    }

    /// Puts what comes within `limit` behind `clear`. In TLS that may be nothing.
    pub(super) fn receive(&mut self, limit: Duration, clear: &mut Vec<u8>) -> io::Result<()> {
        if !self.early.is_empty() {
            clear.append(&mut self.early);
            return Ok(());
        }
        let mut buffer = [0; CHUNK];
        self.stream.set_read_timeout(Some(limit))?;
        let bytes = match self.stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => &buffer[..n],
        };
        let Some(session) = &mut self.session else {
            clear.extend_from_slice(bytes);
            return Ok(());
        };
        let before = clear.len();
        match session.receive(bytes, clear) {
            Ok(()) => Ok(()),
            // What it said last is read first.
            Err(Fault::Closed) if clear.len() > before => Ok(()),
            Err(Fault::Closed) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(Fault::Untrusted(why) | Fault::Broken(why)) => Err(io::Error::other(why)),
        }
    }
}
