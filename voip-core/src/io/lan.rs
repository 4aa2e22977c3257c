//! Nodes on one network find each other without being told of: DNS-based service discovery (RFC 6763) over multicast DNS
//! (RFC 6762), by the `mdns-sd` crate and its own thread. Each announces its key and the port at which it listens.

use std::net::SocketAddr;

use mdns_sd::{Receiver, ResolvedService, ServiceDaemon, ServiceEvent, ServiceInfo};

use super::spawn;
use crate::id::PeerId;

/// RFC 6763 §7.
const SERVICE: &str = "_voip-mesh._tcp.local.";
/// The record with the key (RFC 6763 §6): 64 hexadecimal digits.
const KEY: &str = "id";
/// Addresses of one node that are tried.
const MAX_ADDRESSES: usize = 8;

/// This node's announcement, and the thread that hears those of others.
pub(crate) struct Lan {
    daemon: ServiceDaemon,
    name: String,
    process: u32,
}

impl Lan {
    /// Announces that the node of this key listens at this port, and tells `found` of others, each whenever it is heard of.
    /// Where there is no multicast nothing is found, which is no error.
    pub(crate) fn start(
        me: PeerId,
        port: u16,
        found: impl Fn(PeerId, Vec<SocketAddr>) + Send + 'static,
    ) -> Option<Lan> {
        Lan::started(me, port, found)
            .inspect_err(|error| tracing::warn!(%error, "nodes on this network are not looked for"))
            .ok()
    }

    fn started(
        me: PeerId,
        port: u16,
        found: impl Fn(PeerId, Vec<SocketAddr>) + Send + 'static,
    ) -> Result<Lan, Box<dyn std::error::Error>> {
        let daemon = ServiceDaemon::new()?;
        // Names have at most 63 bytes, and keys 64 digits.
        let instance = me.to_string().chars().take(32).collect::<String>();
        let host = format!("{instance}.local.");
        let key = me.to_string();
        let service = ServiceInfo::new(SERVICE, &instance, &host, "", port, &[(KEY, &*key)][..])?;
        let service = service.enable_addr_auto();
        let name = service.get_fullname().to_owned();
        daemon.register(service)?;
        let events = daemon.browse(SERVICE)?;
        spawn("voip-lan", move || listen(me, &events, found))?;
        Ok(Lan { daemon, name, process: std::process::id() })
    }
}

impl Drop for Lan {
    /// Takes the announcement back.
    fn drop(&mut self) {
        // After a fork the threads exist in the parent only.
        if self.process != std::process::id() {
            return;
        }
        // That it goes out is not waited for longer than closing a node may take: it would run out by itself.
        if let Ok(done) = self.daemon.unregister(&self.name) {
            let _ = done.recv_timeout(std::time::Duration::from_millis(100));
        }
        // The thread ends with it, which may be after a while where much is said on the network.
        let _ = self.daemon.shutdown();
    }
}

/// Until the daemon is shut down.
fn listen(me: PeerId, events: &Receiver<ServiceEvent>, found: impl Fn(PeerId, Vec<SocketAddr>)) {
    while let Ok(event) = events.recv() {
        if let ServiceEvent::ServiceResolved(service) = event
            && let Some((peer, addresses)) = node_of(&service)
            && peer != me
        {
            found(peer, addresses);
        }
    }
}

/// Whose announcement it is, and where that node listens.
fn node_of(service: &ResolvedService) -> Option<(PeerId, Vec<SocketAddr>)> {
    let peer = service.txt_properties.get_property_val_str(KEY)?.parse().ok()?;
    let addresses =
        service.addresses.iter().map(|ip| SocketAddr::new(ip.to_ip_addr(), service.port));
    Some((peer, addresses.take(MAX_ADDRESSES).collect()))
}
