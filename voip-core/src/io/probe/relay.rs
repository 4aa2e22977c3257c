//! An allocation at a tracker's relay, made and given back.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use super::line::Line;
use super::{any, is_patience, remaining};
use crate::io::Clock;
use crate::relay::client::{RelayClient, RelayCredentials, RelayOutput, RelayTransport};
use crate::time::{Duration, Instant};

/// Longer than any datagram of a relay.
const DATAGRAM: usize = 2048;

/// How the relay is reached.
pub(super) enum Way {
    Udp(UdpSocket),
    Tcp(Box<Line>),
}

impl Way {
    #[expect(clippy::disallowed_methods, reason = "io/ is where sockets are opened")]
    pub(super) fn by_datagrams(server: SocketAddr) -> io::Result<Way> {
        let socket = UdpSocket::bind((any(server), 0))?;
        socket.connect(server)?;
        Ok(Way::Udp(socket))
    }

    fn local(&self) -> io::Result<SocketAddr> {
        match self {
            Way::Udp(socket) => socket.local_addr(),
            Way::Tcp(line) => line.local(),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Way::Udp(socket) => socket.send(bytes).map(drop),
            Way::Tcp(line) => line.send(bytes),
        }
    }

    /// What came within `limit`, in the place of what `bytes` held.
    fn receive(&mut self, limit: Duration, bytes: &mut Vec<u8>) -> io::Result<()> {
        bytes.clear();
        match self {
            Way::Udp(socket) => {
                socket.set_read_timeout(Some(limit))?;
                bytes.resize(DATAGRAM, 0);
                let length = socket.recv(bytes)?;
                bytes.truncate(length);
                Ok(())
            }
            Way::Tcp(line) => line.receive(limit, bytes),
        }
    }
}

/// Waits until the relay has given an address, and gives it back.
pub(super) fn allocate(
    clock: &Clock,
    mut way: Way,
    server: SocketAddr,
    credentials: &RelayCredentials,
    until: Instant,
) -> Result<Duration, String> {
    let words = |e: io::Error| e.to_string();
    let transport = match way {
        Way::Udp(_) => RelayTransport::Udp,
        Way::Tcp(_) => RelayTransport::Tcp,
    };
    let begun = clock.now();
    let local = way.local().map_err(words)?;
    let mut client = RelayClient::new(begun, transport, local, server, credentials);
    let mut bytes = Vec::new();
    loop {
        while let Some(output) = client.poll() {
            match output {
                RelayOutput::Send(bytes) => way.send(&bytes).map_err(words)?,
                RelayOutput::Allocated(_) => {
                    let took = clock.now().since(begun);
                    client.close(clock.now());
                    while let Some(bytes) = client.poll_send() {
                        // It forgets the allocation sooner or later.
                        let _ = way.send(&bytes);
                    }
                    return Ok(took);
                }
                RelayOutput::Failed => return Err("it gives no address".to_owned()),
                RelayOutput::Received { .. } => {}
            }
        }
        let now = clock.now();
        if now >= until {
            return Err("it did not answer".to_owned());
        }
        match way.receive(remaining(clock, client.next_timeout().min(until)), &mut bytes) {
            Ok(()) => client.handle_bytes(clock.now(), &bytes),
            Err(e) if is_patience(&e) => client.handle_timeout(clock.now()),
            Err(e) => return Err(words(e)),
        }
    }
}
