//! A WebSocket (RFC 6455) as a state machine: bytes go in and come out, messages become frames of the
//! tracker protocol and the other way round. The protocol itself is tungstenite's.

use std::io::{self, Read, Write};

use tungstenite::error::CapacityError;
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{Request, create_response, write_response};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Error, Message, Utf8Bytes, WebSocket};

use super::stream::Fault;
use crate::wire::framing::HEADER;

/// The first byte of a request to upgrade: of `GET`.
pub(super) const FIRST_BYTE: u8 = b'G';
/// The longest request, with its headers.
const MAX_REQUEST: usize = 4096;
/// What is reserved for reading.
const READ: usize = 4096;

/// To a request that is none for a WebSocket.
fn no_upgrade() -> String {
    refusal("400 Bad Request", "This is a voip tracker: it takes WebSockets.\n")
}

/// To a request without TLS where it is required.
pub(super) fn no_tls() -> String {
    refusal("403 Forbidden", "This voip tracker takes TLS only: use wss:\n")
}

fn refusal(status: &str, words: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain\r\n\
         Content-Length: {}\r\n\r\n{words}",
        words.len()
    )
}

/// One connection's end of a WebSocket.
pub(super) struct Socket {
    state: State,
    /// A message was longer than allowed: nothing more is read.
    is_deaf: bool,
}

enum State {
    /// The request so far.
    Requested(Vec<u8>),
    Open(Box<WebSocket<Pipe>>),
}

impl Socket {
    pub(super) fn new() -> Self {
        Socket { state: State::Requested(Vec::new()), is_deaf: false }
    }

    /// Whether messages can be sent.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Bytes came: messages of at most `limit` bytes are put behind `frames`, what is to be sent behind
    /// `output`. Of a longer message the frame's header alone is.
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        limit: usize,
        frames: &mut Vec<u8>,
        output: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        match &mut self.state {
            State::Requested(request) => {
                request.extend_from_slice(bytes);
                match upgrade(request, output) {
                    Ok(Some(rest)) => {
                        let socket = WebSocket::from_partially_read(
                            Pipe::default(),
                            rest,
                            Role::Server,
                            Some(config(limit)),
                        );
                        self.state = State::Open(Box::new(socket));
                    }
                    Ok(None) => return Ok(()),
                    Err(fault) => {
                        output.extend_from_slice(no_upgrade().as_bytes());
                        return Err(fault);
                    }
                }
            }
            State::Open(socket) => socket.get_mut().input.extend_from_slice(bytes),
        }
        self.read(limit, frames, output)
    }

    fn read(
        &mut self,
        limit: usize,
        frames: &mut Vec<u8>,
        output: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let State::Open(socket) = &mut self.state else { return Ok(()) };
        if self.is_deaf {
            socket.get_mut().input.clear();
            return Ok(());
        }
        socket.set_config(|config| {
            config.max_message_size = Some(limit);
            config.max_frame_size = Some(limit);
        });
        let result = loop {
            match socket.read() {
                Ok(Message::Text(text)) => put_frame(text.as_bytes(), frames),
                Ok(Message::Binary(bytes)) => put_frame(&bytes, frames),
                // Pings and closes are answered by reading on.
                Ok(_) => {}
                Err(Error::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => break Ok(()),
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => break Err(Fault::Closed),
                Err(Error::Capacity(CapacityError::MessageTooLong { size, .. })) => {
                    self.is_deaf = true;
                    put_header(size, frames);
                    break Ok(());
                }
                Err(error) => {
                    tracing::debug!(%error, "a WebSocket broke");
                    let reason = Utf8Bytes::from_static("not RFC 6455");
                    // Whether it is taken: the connection is over.
                    let _ = socket.close(Some(CloseFrame { code: CloseCode::Protocol, reason }));
                    break Err(Fault::Broken);
                }
            }
        };
        output.append(&mut socket.get_mut().output);
        result
    }

    /// Puts the message in a frame behind `output`. Before the upgrade nothing is sent.
    pub(super) fn send(&mut self, frame: &[u8], output: &mut Vec<u8>) {
        let State::Open(socket) = &mut self.state else { return };
        let content = frame.get(HEADER..).unwrap_or_default();
        let message = match std::str::from_utf8(content) {
            Ok(text) => Message::text(text),
            Err(_) => Message::binary(content.to_vec()),
        };
        // It fails only once the other side has said goodbye.
        if let Err(error) = socket.send(message) {
            tracing::debug!(%error, "a WebSocket takes nothing more");
        }
        output.append(&mut socket.get_mut().output);
    }

    /// Says goodbye.
    pub(super) fn close(&mut self, output: &mut Vec<u8>) {
        let State::Open(socket) = &mut self.state else { return };
        // It fails only once the other side has said goodbye.
        let _ = socket.close(None);
        output.append(&mut socket.get_mut().output);
    }
}

/// Answers a request once all of it is there, and returns what came behind it.
fn upgrade(request: &mut Vec<u8>, output: &mut Vec<u8>) -> Result<Option<Vec<u8>>, Fault> {
    let is_whole = request.windows(4).any(|end| end == b"\r\n\r\n");
    if !is_whole && request.len() <= MAX_REQUEST {
        return Ok(None);
    }
    let parsed = Request::try_parse(request).ok().flatten().filter(|(len, _)| *len <= MAX_REQUEST);
    let Some((len, head)) = parsed else { return Err(Fault::Handshake) };
    let response = create_response(&head).map_err(|_| Fault::Handshake)?;
    write_response(output, &response).map_err(|_| Fault::Handshake)?;
    Ok(Some(request.split_off(len)))
}

fn config(limit: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ)
        .write_buffer_size(0)
        .max_message_size(Some(limit))
        .max_frame_size(Some(limit))
}

fn put_header(len: usize, frames: &mut Vec<u8>) {
    frames.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
}

fn put_frame(content: &[u8], frames: &mut Vec<u8>) {
    put_header(content.len(), frames);
    frames.extend_from_slice(content);
}

/// What tungstenite takes for the connection.
#[derive(Default)]
struct Pipe {
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let len = buffer.len().min(self.input.len());
        let (taken, place) = (self.input.drain(..len), buffer.get_mut(..len).unwrap_or_default());
        place.iter_mut().zip(taken).for_each(|(to, from)| *to = from);
        Ok(len)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
