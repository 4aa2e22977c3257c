//! The links to other nodes: a listener for each family of addresses, on the node's own port number, and a TLS connection
//! for each link.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};

use polling::{Event as Readiness, PollMode};
use socket2::{Domain, Protocol, Socket, Type};

use super::{Driver, Listener, Progress, Request, Watcher, literal, resolve, spawn};
use crate::engine::LinkKey;
use crate::error::{Error, ErrorKind};
use crate::io::link::Link;
use crate::io::tls::peer::PeerTls;
use crate::time::{Duration, Instant};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;
/// How long not to accept once the system has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// Connections accepted in one go.
const BUDGET: usize = 16;

/// What a node has of the mesh.
pub(crate) struct MeshSockets {
    tls: PeerTls,
    listeners: Vec<TcpListener>,
    links: HashMap<LinkKey, Link>,
    /// Not accepting until then.
    paused_until: Option<Instant>,
}

impl MeshSockets {
    /// Listens at the addresses of the node's UDP sockets. Errors: [`ErrorKind::AddressInUse`], [`ErrorKind::System`].
    pub(crate) fn listen(tls: PeerTls, addresses: &[SocketAddr]) -> Result<MeshSockets, Error> {
        let listeners = addresses.iter().map(|address| listen(*address).map_err(|e| (address, e)));
        let listeners = listeners.collect::<Result<_, _>>().map_err(|(address, e)| {
            let kind = match e.kind() {
                io::ErrorKind::AddrInUse => ErrorKind::AddressInUse,
                _ => ErrorKind::System,
            };
            Error::new(kind, format!("bind: TCP {address} is not to be had: {e}"))
        })?;
        Ok(MeshSockets { tls, listeners, links: HashMap::new(), paused_until: None })
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // On Unix: not to wait for the last connections of a node that was closed just now.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl<L: Listener> Driver<L> {
    pub(super) fn watch_listeners(&self) -> io::Result<()> {
        let listeners = self.mesh.iter().flat_map(|mesh| &mesh.listeners);
        for (i, listener) in listeners.enumerate() {
            // SAFETY: `close_mesh` deletes the listeners from the poller before they are dropped.
            unsafe {
                let interest = Readiness::readable(super::LISTENERS.key(i));
                self.requests.poller.add_with_mode(listener, interest, PollMode::Level)?;
            }
        }
        Ok(())
    }

    pub(super) fn close_mesh(&mut self) {
        let Some(mesh) = &self.mesh else { return };
        for listener in &mesh.listeners {
            if let Err(error) = self.requests.poller.delete(listener) {
                tracing::debug!(%error, "a listener was not watched");
            }
        }
        for link in mesh.links.keys().copied().collect::<Vec<_>>() {
            self.close_node_link(link);
        }
    }

    pub(super) fn accept_nodes(&mut self, listener: usize) {
        for _ in 0..BUDGET {
            let Some(mesh) = &mut self.mesh else { return };
            let accepted = mesh.listeners.get(listener).map(TcpListener::accept);
            let (socket, from) = match accepted {
                Some(Ok(accepted)) => accepted,
                Some(Err(error)) if is_of_all(&error) => {
                    tracing::warn!(%error, "no node is accepted for {ACCEPT_PAUSE:?}");
                    return self.pause_accepting();
                }
                Some(Err(_)) | None => return,
            };
            let Some(key) = self.engine.accept_link(self.clock.now(), from) else { continue };
            let watcher = Watcher { poller: self.requests.poller.clone(), key: key_of(key) };
            match Link::from_peer(&mesh.tls, socket, watcher) {
                Ok(mut link) => {
                    link.watch();
                    mesh.links.insert(key, link);
                }
                Err(error) => {
                    tracing::debug!(%error, %from, "a node's connection was not to be had");
                    self.engine.handle_link_closed(self.clock.now(), key);
                }
            }
        }
    }

    /// The system has no descriptor left, or no memory.
    fn pause_accepting(&mut self) {
        let until = self.clock.now() + ACCEPT_PAUSE;
        if let Some(mesh) = &mut self.mesh {
            mesh.paused_until = Some(until);
        }
        self.listen_on(Readiness::none);
    }

    /// Accepts again, if it is time.
    pub(super) fn resume_accepting(&mut self, now: Instant) {
        let Some(mesh) = &mut self.mesh else { return };
        if mesh.paused_until.is_some_and(|until| until <= now) {
            mesh.paused_until = None;
            self.listen_on(Readiness::readable);
        }
    }

    fn listen_on(&self, interest: impl Fn(usize) -> Readiness) {
        let listeners = self.mesh.iter().flat_map(|mesh| &mesh.listeners);
        for (i, listener) in listeners.enumerate() {
            let interest = interest(super::LISTENERS.key(i));
            let poller = &self.requests.poller;
            if let Err(error) = poller.modify_with_mode(listener, interest, PollMode::Level) {
                tracing::error!(%error, "a listener cannot be watched");
            }
        }
    }

    /// Opens a link to any of these addresses; a name, of the user's, is looked up first.
    pub(super) fn open_node_link(&mut self, key: LinkKey, addresses: &[String]) {
        let found: Vec<_> = addresses.iter().filter_map(|address| literal(address)).collect();
        if !found.is_empty() {
            return self.open_node_link_at(key, found);
        }
        let Some(name) = addresses.first().cloned() else { return };
        let requests = self.requests.clone();
        let looked_up = spawn("voip-resolve", move || {
            requests.send(Request::NodeResolved(key, resolve(&name)));
        });
        if looked_up.is_err() {
            self.engine.handle_link_closed(self.clock.now(), key);
        }
    }

    pub(super) fn open_node_link_at(&mut self, key: LinkKey, mut addresses: Vec<SocketAddr>) {
        // An address that swallows what is sent to it must not be the first for ever.
        if !addresses.is_empty() {
            let first = key.0 as usize % addresses.len();
            addresses.rotate_left(first);
        }
        let watcher = self.watcher(key_of(key));
        let Some(mesh) = &mut self.mesh else { return };
        mesh.links.insert(key, Link::to_peer(&mesh.tls, addresses, watcher));
        self.after_node_link(key, Progress::Failed);
    }

    pub(super) fn send_node_link(&mut self, key: LinkKey, bytes: &[u8]) {
        let link = self.mesh.as_mut().and_then(|mesh| mesh.links.get_mut(&key));
        if let Some(progress) = link.map(|link| link.send(bytes)) {
            self.after_node_link(key, progress);
        }
    }

    /// What was sent goes out as far as the socket takes it.
    pub(super) fn close_node_link(&mut self, key: LinkKey) {
        if let Some(mut link) = self.mesh.as_mut().and_then(|mesh| mesh.links.remove(&key)) {
            link.close();
        }
    }

    pub(super) fn serve_node_link(&mut self, key: LinkKey, event: Readiness) {
        let Some(mesh) = &mut self.mesh else { return };
        let Some(link) = mesh.links.get_mut(&key) else { return };
        let was_connected = link.is_connected();
        let progress = match (was_connected, event.writable) {
            (false, _) => link.finish_connecting(),
            (true, true) => link.flush(),
            (true, false) => Progress::Waiting,
        };
        let goes_on = was_connected || progress == Progress::Connected;
        self.after_node_link(key, progress);
        // The end of a handshake may have brought more than itself.
        if goes_on
            && (event.readable || !was_connected)
            && let Some(link) = self.mesh.as_mut().and_then(|mesh| mesh.links.get_mut(&key))
        {
            let progress = link.read(&mut self.buffer);
            if !self.buffer.is_empty() {
                self.engine.handle_link_bytes(self.clock.now(), key, &self.buffer);
            }
            self.after_node_link(key, progress);
        }
    }

    fn after_node_link(&mut self, key: LinkKey, progress: Progress) {
        let now = self.clock.now();
        match progress {
            Progress::Failed => return self.try_next_node_address(key),
            Progress::Gone | Progress::Refused(_) => {
                self.close_node_link(key);
                return self.engine.handle_link_closed(now, key);
            }
            Progress::Connected => {
                let link = self.mesh.as_ref().and_then(|mesh| mesh.links.get(&key));
                let known = link.and_then(|link| Some((link.peer()?, link.addresses()?.1)));
                let Some((peer, remote)) = known else {
                    self.close_node_link(key);
                    return self.engine.handle_link_closed(now, key);
                };
                self.engine.handle_link_opened(now, key, peer, remote);
            }
            Progress::Waiting => {}
        }
        if let Some(link) = self.mesh.as_mut().and_then(|mesh| mesh.links.get_mut(&key)) {
            link.watch();
        }
    }

    fn try_next_node_address(&mut self, key: LinkKey) {
        let Some(mesh) = &mut self.mesh else { return };
        if !mesh.links.get_mut(&key).is_some_and(Link::try_next) {
            mesh.links.remove(&key);
            self.engine.handle_link_closed(self.clock.now(), key);
        }
    }
}

/// Whether an error of `accept` tells of more than the connection that was to be accepted.
fn is_of_all(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, WouldBlock};
    !matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | WouldBlock)
}

fn key_of(key: LinkKey) -> usize {
    super::NODES.key(key.0 as usize)
}
