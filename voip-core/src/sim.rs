//! A simulated world: real engines, real sessions, a real tracker, on a virtual clock and a seeded
//! network. Ten minutes of a lossy call run in a second, and twice the same.
//!
//! ```
//! use voip_core::sim::{Link, NodeOptions, World};
//! use voip_core::{CallState, Duration};
//!
//! let mut world = World::new(7);
//! world.set_link(Link { delay: Duration::from_millis(50), loss: 0.05, ..Link::default() });
//! let tracker = world.add_tracker();
//! let alice = world.add_node(NodeOptions::new("alice", [tracker]))?;
//! let bob = world.add_node(NodeOptions { auto_answer: true, ..NodeOptions::new("bob", [tracker]) })?;
//! world.run_for(Duration::from_secs(1));
//!
//! let call = world.place(alice, "bob");
//! let connected = |w: &World| w.state(alice, call) == Some(CallState::Connected);
//! assert!(world.run_until(Duration::from_secs(2), connected));
//!
//! world.say(alice, &[0.1; 48_000]);
//! world.run_for(Duration::from_secs(2));
//! assert!(world.heard(bob).iter().any(|sample| sample.abs() > 0.05));
//! # Ok::<(), voip_core::Error>(())
//! ```
//!
//! What the network does to a packet is drawn per direction and kind of packet, in the order in
//! which they were sent: how many datagrams a handshake takes does not change which packets of
//! sound are lost.

mod links;
mod middle;
mod network;
mod node;
mod tracker;

use std::net::SocketAddr;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

pub use middle::Passing;
use network::Network;
pub use node::NodeOptions;
use node::SimNode;
use tracker::SimTracker;

use crate::directory::server::TrackerStats;
pub use crate::engine::Verifying;
use crate::engine::{CallKey, Command};
use crate::error::Error;
use crate::event::{CallState, Contact, ContactState, Event, Peer};
use crate::id::PeerId;
use crate::identity::pins::PinChange;
pub use crate::line::{LineStats, Link};
use crate::stats::{CallStats, NodeStats};
use crate::text::{Audience, Text, TextId};
use crate::time::{Duration, Epoch, Instant, UnixMillis};
use crate::wire::signal::Reason;
use crate::wire::tracker::Target;

/// A node of a [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeKey(usize);

/// A tracker of a [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrackerKey(usize);

/// A call of one node of a [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SimCall(CallKey);

/// The wall clock of a world begins here.
const WALL_AT_ZERO: UnixMillis = UnixMillis(1_800_000_000_000);

/// The clock of a world begins here: not at zero, so that a world has a past.
const BEGINNING: Instant = Instant::from_micros(1_000_000);

/// Nodes, trackers, a network and a clock.
pub struct World {
    now: Instant,
    epoch: Epoch,
    random: ChaCha20Rng,
    network: Network,
    nodes: Vec<SimNode>,
    trackers: Vec<SimTracker>,
}

impl World {
    /// An empty world. The seed decides all its chances.
    #[expect(clippy::disallowed_methods, reason = "only differences from this moment count")]
    pub fn new(seed: u64) -> World {
        World {
            now: BEGINNING,
            epoch: Epoch::new(std::time::Instant::now()),
            random: ChaCha20Rng::seed_from_u64(seed),
            network: Network::new(seed),
            nodes: Vec::new(),
            trackers: Vec::new(),
        }
    }

    /// The time since the world began.
    pub fn elapsed(&self) -> Duration {
        self.now.since(BEGINNING)
    }

    /// What the network does from now on, in each direction.
    pub fn set_link(&mut self, link: Link) {
        self.network.set_link(link);
    }

    /// Takes a node off the network, or puts it back.
    pub fn set_cut_off(&mut self, node: NodeKey, cut_off: bool) {
        self.network.set_cut_off(self.nodes[node.0].address.ip(), cut_off);
    }

    /// Gives a node another address, as when it changes networks: what is under way to the old one is lost.
    pub fn move_node(&mut self, node: NodeKey) {
        let address = &mut self.nodes[node.0].address;
        let SocketAddr::V4(v4) = *address else { return };
        let [a, b, c, d] = v4.ip().octets();
        *address = SocketAddr::from(([a, b + 1, c, d], v4.port()));
    }

    /// Lets no datagram through any more, while byte streams go on: as a strict firewall does.
    pub fn set_datagrams_blocked(&mut self, blocked: bool) {
        self.network.set_datagrams_blocked(blocked);
    }

    /// Adds a tracker.
    pub fn add_tracker(&mut self) -> TrackerKey {
        let index = self.trackers.len();
        let random = ChaCha20Rng::seed_from_u64(self.random.next_u64());
        self.trackers.push(SimTracker::new(index, random));
        TrackerKey(index)
    }

    /// Gives a tracker a relay, and starts it anew.
    pub fn add_relay(&mut self, tracker: TrackerKey) {
        if let Some(t) = self.trackers.get_mut(tracker.0) {
            t.add_relay();
        }
        self.set_tracker_running(tracker, true);
    }

    /// Lets no datagram through any more from node to node, while those to and from trackers go on: as two strict
    /// routers do.
    pub fn set_direct_blocked(&mut self, blocked: bool) {
        let trackers = self.trackers.iter().map(|t| t.address.ip()).collect();
        self.network.set_direct_blocked(blocked, trackers);
    }

    /// How many connections a node has begun, to trackers and relays.
    pub fn connections_begun(&self, node: NodeKey) -> u64 {
        self.network.opened(self.nodes[node.0].address.ip())
    }

    /// What a tracker has counted.
    pub fn tracker_stats(&self, tracker: TrackerKey) -> TrackerStats {
        self.trackers[tracker.0].stats()
    }

    /// Stops a tracker: it forgets everybody, and connections break. Starts it again.
    pub fn set_tracker_running(&mut self, tracker: TrackerKey, running: bool) {
        let random = ChaCha20Rng::seed_from_u64(self.random.next_u64());
        if let Some(t) = self.trackers.get_mut(tracker.0) {
            t.set_running(self.now, running, random, &mut self.network);
        }
    }

    /// Adds a node and starts it.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for options of the encoder or the
    /// jitter buffer that are out of range.
    pub fn add_node(&mut self, options: NodeOptions) -> Result<NodeKey, Error> {
        let index = self.nodes.len();
        let mut seed = [0; 32];
        self.random.fill_bytes(&mut seed);
        self.nodes.push(SimNode::new(index, options, seed, self.epoch, self.now)?);
        self.settle();
        Ok(NodeKey(index))
    }

    /// A node's key.
    pub fn id(&self, node: NodeKey) -> PeerId {
        self.nodes[node.0].engine.id()
    }

    /// Calls a name, or a key in 64 hexadecimal digits.
    pub fn place(&mut self, node: NodeKey, target: &str) -> SimCall {
        let target = match target.parse() {
            Ok(id) => Target::Peer(id),
            Err(_) => Target::Name(target.to_owned()),
        };
        let call = self.nodes[node.0].new_call();
        self.command(node, Command::Place { call, target, ring_timeout: None });
        SimCall(call)
    }

    /// Links a node to another, if it takes part in the mesh.
    pub fn connect(&mut self, node: NodeKey, to: NodeKey) {
        let address = self.nodes[to.0].address.to_string();
        self.command(node, Command::Connect { address });
    }

    /// Writes a text.
    ///
    /// # Errors
    /// As [`Node::send_text`](crate::Node::send_text).
    pub fn send_text(&mut self, node: NodeKey, to: Audience, text: &str) -> Result<TextId, Error> {
        self.command(node, Command::SendText { request: 0, to, text: text.to_owned() });
        self.nodes[node.0].sent.take().unwrap_or_else(|| Err(Error::closed()))
    }

    /// The last texts of a conversation, the newest last.
    ///
    /// # Errors
    /// As [`Node::history`](crate::Node::history).
    pub fn history(
        &mut self,
        node: NodeKey,
        of: Audience,
        limit: usize,
    ) -> Result<Vec<Text>, Error> {
        self.command(node, Command::ReadTexts { request: 0, of, before: None, limit });
        self.nodes[node.0].read.take().unwrap_or_else(|| Err(Error::closed()))
    }

    /// The nodes that a node is linked to in the mesh.
    pub fn neighbors(&self, node: NodeKey) -> Vec<NodeKey> {
        let ids = self.nodes[node.0].engine.neighbors();
        let key = |id| self.nodes.iter().position(|n| n.engine.id() == id).map(NodeKey);
        ids.into_iter().filter_map(key).collect()
    }

    /// Answers a call that rings here.
    pub fn answer(&mut self, node: NodeKey, call: SimCall) {
        self.command(node, Command::Answer { call: call.0 });
    }

    /// Declines a call that rings here.
    pub fn decline(&mut self, node: NodeKey, call: SimCall) {
        self.command(node, Command::Reject { call: call.0, reason: Reason::Declined });
    }

    /// Ends a call.
    pub fn hang_up(&mut self, node: NodeKey, call: SimCall) {
        self.command(node, Command::HangUp { call: call.0 });
    }

    /// Mutes or unmutes the microphone of a call.
    pub fn set_muted(&mut self, node: NodeKey, call: SimCall, muted: bool) {
        self.command(node, Command::SetMuted { call: call.0, muted });
    }

    /// Accepts that a name belongs to another key than before.
    pub fn accept_key(&mut self, node: NodeKey, name: &str, id: PeerId) {
        self.change_pins(node, name, PinChange::Key(id));
    }

    /// Says what the owner of a name is to a node's user.
    pub fn set_contact(&mut self, node: NodeKey, name: &str, id: PeerId, state: ContactState) {
        self.change_pins(node, name, PinChange::Contact(id, state));
    }

    /// Forgets a name.
    pub fn forget_contact(&mut self, node: NodeKey, name: &str) {
        self.change_pins(node, name, PinChange::Forget);
    }

    /// Whose names a node knows.
    pub fn contacts(&self, node: NodeKey) -> Vec<Contact> {
        self.nodes[node.0].engine.pins().contacts()
    }

    fn change_pins(&mut self, node: NodeKey, name: &str, change: PinChange) {
        self.command(node, Command::ChangePins { name: name.to_owned(), change, number: 0 });
    }

    /// What a node counts of what it dropped.
    pub fn node_stats(&self, node: NodeKey) -> NodeStats {
        self.nodes[node.0].engine.node_stats()
    }

    /// Asks the trackers who is online, and runs the world until they have answered.
    ///
    /// # Errors
    /// [`TrackerUnreachable`](crate::ErrorKind::TrackerUnreachable) without a tracker.
    pub fn peers(&mut self, node: NodeKey) -> Result<Vec<Peer>, Error> {
        self.command(node, Command::Peers { request: 0 });
        self.run_until(Duration::from_secs(10), |w| w.nodes[node.0].listed.is_some());
        self.nodes[node.0].listed.take().unwrap_or_else(|| Ok(Vec::new()))
    }

    /// Asks for somebody who asks for somebody, too.
    pub fn pair(&mut self, node: NodeKey) {
        self.command(node, Command::Pair);
    }

    /// Asks for nobody any more.
    pub fn unpair(&mut self, node: NodeKey) {
        self.command(node, Command::Unpair);
    }

    /// Stops a node: it hangs up and leaves its trackers.
    pub fn close(&mut self, node: NodeKey) {
        self.command(node, Command::Close);
    }

    /// Gives a node's microphone something to say, 48 kHz mono; silence follows.
    pub fn say(&mut self, node: NodeKey, samples: &[f32]) {
        self.nodes[node.0].microphone.extend(samples);
    }

    /// Stops a node's microphone, as a device does that hangs: not even silence comes. Starts it
    /// again.
    pub fn set_microphone_running(&mut self, node: NodeKey, running: bool) {
        self.nodes[node.0].microphone_runs = running;
    }

    /// What a node's loudspeaker has played since its first call was connected, 48 kHz mono.
    pub fn heard(&self, node: NodeKey) -> &[f32] {
        &self.nodes[node.0].heard
    }

    /// The events of a node since the last look.
    pub fn events(&mut self, node: NodeKey) -> Vec<Event<SimCall>> {
        let events = std::mem::take(&mut self.nodes[node.0].events);
        events.into_iter().filter_map(|e| e.try_map(|key| Some(SimCall(key)))).collect()
    }

    /// Where a call stands; `None` if there never was such a call.
    pub fn state(&self, node: NodeKey, call: SimCall) -> Option<CallState> {
        self.nodes[node.0].states.get(&call.0).copied()
    }

    /// The calls of a node, those that are over included, in the order of their first event.
    pub fn calls(&self, node: NodeKey) -> Vec<SimCall> {
        self.nodes[node.0].order.iter().copied().map(SimCall).collect()
    }

    /// Statistics of a call, the final ones if it is over.
    pub fn stats(&self, node: NodeKey, call: SimCall) -> Option<CallStats> {
        self.nodes[node.0].stats(call.0)
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Lets time pass until `done`, for at most `limit`. True if it was.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&World) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            if done(self) {
                return true;
            }
            if !self.step(end) {
                self.now = end;
                return done(self);
            }
        }
    }

    fn command(&mut self, node: NodeKey, command: Command) {
        self.nodes[node.0].engine.handle_command(self.now, command);
        self.settle();
    }

    /// Goes to the next thing that happens, if that is before `end`.
    fn step(&mut self, end: Instant) -> bool {
        let nodes = self.nodes.iter().map(SimNode::next_wake);
        let trackers = self.trackers.iter().map(SimTracker::next_wake);
        let next = nodes.chain(trackers).chain([self.network.next_arrival()]).min();
        let Some(next) = next.filter(|next| *next <= end) else { return false };
        self.now = self.now.max(next);
        while let Some(arrival) = self.network.arrived(self.now) {
            self.deliver(arrival);
        }
        for node in &mut self.nodes {
            node.wake(self.now);
        }
        for tracker in &mut self.trackers {
            tracker.wake(self.now);
        }
        self.settle();
        true
    }

    fn deliver(&mut self, arrival: network::Arrival) {
        let arrival = self.refused(arrival);
        let to = arrival.destination();
        if let Some(node) = self.nodes.iter_mut().find(|n| n.is_at(to)) {
            node.receive(self.now, arrival, &mut self.network);
        } else if let Some(tracker) = self.trackers.iter_mut().find(|t| t.address.ip() == to.ip()) {
            tracker.receive(self.now, arrival, &mut self.network);
        }
    }

    /// A tracker that does not run refuses connections.
    fn refused(&self, arrival: network::Arrival) -> network::Arrival {
        match arrival {
            network::Arrival::Opened { source, destination }
                if self.trackers.iter().any(|t| t.address == source && !t.is_running()) =>
            {
                network::Arrival::Closed { source, destination }
            }
            arrival => arrival,
        }
    }

    /// Carries out what nodes and trackers want done, until nobody wants anything.
    fn settle(&mut self) {
        for node in &mut self.nodes {
            node.drain(self.now, &mut self.network);
        }
        for tracker in &mut self.trackers {
            tracker.drain(self.now, &mut self.network);
        }
    }
}
