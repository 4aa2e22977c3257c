//! What lies between a connection's socket and the frames of the tracker protocol: nothing, TLS,
//! a WebSocket, or a WebSocket in TLS. The first byte tells, for the port is the same for all: 0x16 is
//! TLS, `G` the request to upgrade to a WebSocket, and frames begin with 0. Within TLS it is decided
//! once more.
//!
//! A state machine without socket and clock. Peers of the first version say nothing before they
//! are greeted: what is to be sent is held back until the first byte is there, or the owner has waited
//! long enough ([`Stream::assume_frames`]).

use std::sync::Arc;

use rustls::ServerConfig;

use super::websocket::{self, Socket};
use crate::io::tls::{self, Session};

/// What a tracker offers to those who connect.
#[derive(Clone, Default)]
pub(crate) struct Offer {
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Nothing is taken without TLS.
    pub(crate) requires_tls: bool,
}

/// Connections that became more than plain ones, or failed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(super) tls: u64,
    pub(super) websockets: u64,
    pub(super) handshakes_failed: u64,
    /// WebSockets that broke their protocol.
    pub(super) broken: u64,
}

/// Why a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The other side has closed it.
    Closed,
    /// It is not TLS, or no WebSocket, after all.
    Handshake,
    /// It broke the protocol of WebSockets.
    Broken,
    /// It is not TLS, and nothing else is taken.
    NotEncrypted,
}

/// See the module.
pub(crate) struct Stream {
    offer: Offer,
    security: Security,
    framing: Framing,
    /// Frames to be sent, until it is known how.
    held: Vec<Arc<[u8]>>,
    /// Bytes for the socket.
    output: Vec<Arc<[u8]>>,
}

enum Security {
    Unknown,
    Plain,
    Tls(Box<Session>),
}

enum Framing {
    Unknown,
    Frames,
    WebSocket(Box<Socket>),
    /// Nothing is sent any more.
    Ended,
}

impl Stream {
    pub(crate) fn new(offer: Offer) -> Self {
        Stream {
            offer,
            security: Security::Unknown,
            framing: Framing::Unknown,
            held: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Bytes came from the socket: frames of at most `limit` bytes are put behind `frames`, of a longer
    /// one the header. After a [`Fault`] there may be frames and output.
    pub(crate) fn receive(
        &mut self,
        bytes: &[u8],
        limit: usize,
        frames: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        let result = self.take(bytes, limit, frames, tally);
        match result {
            Err(Fault::Handshake) => tally.handshakes_failed += 1,
            Err(Fault::Broken) => tally.broken += 1,
            _ => {}
        }
        result
    }

    fn take(
        &mut self,
        bytes: &[u8],
        limit: usize,
        frames: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        if let (Security::Unknown, Some(&first)) = (&self.security, bytes.first()) {
            self.recognise(first)?;
        }
        let Security::Tls(session) = &mut self.security else {
            return self.take_clear(bytes, limit, frames, tally);
        };
        let (mut clear, mut output) = (Vec::new(), Vec::new());
        let was_handshaking = session.is_handshaking();
        let result = session.receive(bytes, &mut clear);
        session.take_output(&mut output);
        let is_handshaking = session.is_handshaking();
        put(&mut self.output, output);
        tally.tls += u64::from(was_handshaking && !is_handshaking);
        let taken = self.take_clear(&clear, limit, frames, tally);
        match result {
            Ok(()) => taken,
            Err(tls::Fault::Closed) => Err(Fault::Closed),
            Err(_) if is_handshaking => Err(Fault::Handshake),
            Err(_) => Err(Fault::Closed),
        }
    }

    /// Decides by the first byte of all.
    fn recognise(&mut self, first: u8) -> Result<(), Fault> {
        if let (tls::FIRST_BYTE, Some(config)) = (first, &self.offer.tls) {
            let session = Session::server(config.clone()).map_err(|error| {
                tracing::error!(%error, "TLS cannot begin");
                Fault::Handshake
            })?;
            self.security = Security::Tls(Box::new(session));
            return Ok(());
        }
        self.security = Security::Plain;
        if !self.offer.requires_tls {
            return Ok(());
        }
        self.held.clear();
        self.framing = Framing::Frames;
        if first == websocket::FIRST_BYTE {
            self.framing = Framing::Ended;
            self.output.push(websocket::no_tls().into_bytes().into());
        }
        Err(Fault::NotEncrypted)
    }

    fn take_clear(
        &mut self,
        bytes: &[u8],
        limit: usize,
        frames: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        let Some(&first) = bytes.first() else { return Ok(()) };
        if let Framing::Unknown = self.framing {
            if first == websocket::FIRST_BYTE {
                self.framing = Framing::WebSocket(Box::new(Socket::new()));
            } else {
                self.be_frames();
            }
        }
        let Framing::WebSocket(socket) = &mut self.framing else {
            frames.extend_from_slice(bytes);
            return Ok(());
        };
        let (was_open, mut output) = (socket.is_open(), Vec::new());
        let result = socket.receive(bytes, limit, frames, &mut output);
        let has_opened = !was_open && socket.is_open();
        self.put_clear(output);
        if has_opened {
            tally.websockets += 1;
            std::mem::take(&mut self.held).into_iter().for_each(|frame| self.send(frame));
        }
        result
    }

    fn be_frames(&mut self) {
        self.framing = Framing::Frames;
        std::mem::take(&mut self.held).into_iter().for_each(|frame| self.send(frame));
    }

    /// Sends one frame, now or as soon as it is known how.
    pub(crate) fn send(&mut self, frame: Arc<[u8]>) {
        match (&mut self.framing, &mut self.security) {
            (Framing::Ended, _) => {}
            (Framing::Unknown, _) => self.held.push(frame),
            (Framing::WebSocket(socket), _) if !socket.is_open() => self.held.push(frame),
            (Framing::WebSocket(socket), _) => {
                let mut output = Vec::new();
                socket.send(&frame, &mut output);
                self.put_clear(output);
            }
            (Framing::Frames, Security::Tls(session)) => {
                let mut output = Vec::new();
                session.send(&frame, &mut output);
                put(&mut self.output, output);
            }
            // One copy for all whom it is sent to.
            (Framing::Frames, _) => self.output.push(frame),
        }
    }

    fn put_clear(&mut self, bytes: Vec<u8>) {
        let mut output = bytes;
        if let Security::Tls(session) = &mut self.security {
            let clear = std::mem::take(&mut output);
            session.send(&clear, &mut output);
        }
        put(&mut self.output, output);
    }

    /// Whether the other side might yet be one that waits to be greeted.
    pub(crate) fn is_unknown(&self) -> bool {
        let is_handshaking =
            matches!(&self.security, Security::Tls(session) if session.is_handshaking());
        matches!(self.framing, Framing::Unknown) && !is_handshaking
    }

    pub(crate) fn is_websocket(&self) -> bool {
        matches!(&self.framing, Framing::WebSocket(socket) if socket.is_open())
    }

    /// It has said nothing for so long that it will be one that waits to be greeted.
    pub(crate) fn assume_frames(&mut self) -> Result<(), Fault> {
        if !self.is_unknown() {
            return Ok(());
        }
        if let Security::Unknown = self.security {
            self.recognise(crate::wire::framing::FIRST_BYTE)?;
        }
        self.be_frames();
        Ok(())
    }

    /// Says what is left to say before the connection ends.
    pub(crate) fn close(&mut self) {
        if let Security::Unknown = self.security {
            // Without TLS where that is required, too: it is an error that is held back.
            self.security = Security::Plain;
            self.be_frames();
        }
        if let Framing::WebSocket(socket) = &mut self.framing {
            let mut output = Vec::new();
            socket.close(&mut output);
            self.put_clear(output);
        }
        if let Security::Tls(session) = &mut self.security {
            let mut output = Vec::new();
            session.close();
            session.take_output(&mut output);
            put(&mut self.output, output);
        }
        self.framing = Framing::Ended;
    }

    /// What is to be sent next.
    pub(crate) fn drain_output(&mut self) -> std::vec::Drain<'_, Arc<[u8]>> {
        self.output.drain(..)
    }
}

fn put(output: &mut Vec<Arc<[u8]>>, bytes: Vec<u8>) {
    if !bytes.is_empty() {
        output.push(bytes.into());
    }
}

#[cfg(test)]
mod tests;
