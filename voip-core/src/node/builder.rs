//! What a node can be told before it starts. Everything is checked once, in
//! [`NodeBuilder::start`]; an error names the field.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::{Condvar, Mutex};

use super::texts::check_node_address;
use super::turn_server::{MAX_TURN_SERVERS, TurnServer};
use super::{Board, Contacts, Inner, Node, QueuedCall, Reporter};
use crate::directory::address::TrackerAddress;
use crate::engine::{Engine, EngineConfig, MAX_NAMED, NamedRelay};
use crate::error::{Error, ErrorKind};
use crate::event::Event;
use crate::id::PeerId;
use crate::identity::Identity;
use crate::identity::pins::Pins;
#[cfg(feature = "sim")]
use crate::io::bad_line::BadLine;
use crate::io::driver::{DeviceClock, Driver, MeshSockets, NullDevice, Request, Requests, Sound};
use crate::io::events::EventQueue;
use crate::io::history_file::HistoryFile;
use crate::io::identity_file::{load_or_create, load_pins};
use crate::io::lan::Lan;
use crate::io::link::Destination;
use crate::io::pins_file::PinsFile;
use crate::io::random::{OsRandom, secret};
use crate::io::tls::peer::PeerTls;
use crate::io::udp::UdpPort;
use crate::io::wav::WavDevice;
use crate::io::{Clock, ProcessorClock, spawn};
#[cfg(feature = "sim")]
use crate::line::Link;
use crate::relay::client::RelayCredentials;
use crate::time::Duration;
use crate::voice::{Codec, EncoderConfig, JitterConfig, Resampler};
use crate::wire::gossip::SignedMessage;
use crate::wire::name::check_name;

/// Where a node's sound comes from and goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Audio {
    /// Sound cards of this system, opened while calls need them. Which ones are in use is told by
    /// [`Event::DeviceChanged`](crate::Event::DeviceChanged), a card that vanishes is replaced by
    /// the default one, and [`Node::choose_device`] changes them at any time.
    #[cfg(feature = "devices")]
    Devices {
        /// The microphone.
        input: crate::device::DeviceChoice,
        /// The loudspeaker.
        output: crate::device::DeviceChoice,
    },
    /// The program itself writes and reads PCM, call by call: [`Call::write`](crate::Call::write)
    /// and [`Call::read`](crate::Call::read). `f32` or `i16`, mono, at `rate` Hz, 8 000 to 192 000.
    Manual {
        /// Samples per second.
        rate: u32,
    },
    /// A WAV file is the microphone, played once in real time while calls are connected and
    /// followed by digital silence; what is heard is recorded. Any rate of 8 to 192 kHz, any channels.
    Wav {
        /// The microphone; none is silence.
        play: Option<PathBuf>,
        /// The recording, 48 kHz mono 16 bit; an existing file is replaced.
        record: Option<PathBuf>,
    },
    /// Says nothing and plays nothing. Peers are told, truly, that there is only
    /// [digital silence](crate::SilenceReason::DigitalSilence); whoever only listens mutes the call
    /// with [`Call::set_muted`](crate::Call::set_muted).
    Null,
}

impl Audio {
    /// The system's default microphone and loudspeaker.
    #[cfg(feature = "devices")]
    pub fn devices() -> Audio {
        let default = crate::device::DeviceChoice::Default;
        Audio::Devices { input: default.clone(), output: default }
    }
}

/// Describes a node; see [`Node::builder`].
#[derive(Clone, Debug)]
pub struct NodeBuilder {
    name: String,
    trackers: Vec<String>,
    bind: String,
    identity_file: Option<PathBuf>,
    audio: Audio,
    encoder: EncoderConfig,
    jitter: JitterConfig,
    auto_answer: bool,
    contacts_only: bool,
    ring_timeout: Duration,
    max_calls: usize,
    turn_servers: Vec<TurnServer>,
    relay_only: bool,
    mesh: bool,
    nodes: Vec<String>,
    lan: bool,
    history_file: Option<PathBuf>,
    #[cfg(feature = "sim")]
    line: Option<(Link, u64)>,
}

/// How often to let the system choose a port before one is free for TCP and UDP.
const PORTS_TRIED: u32 = 16;
/// Trackers of one node.
const MAX_TRACKERS: usize = 16;

pub(super) fn check(field: &str, name: &str) -> Result<(), Error> {
    check_name(name).map_err(|e| invalid(field, &e.to_string()))
}

pub(super) fn check_ring_timeout(timeout: Duration) -> Result<(), Error> {
    if (Duration::from_secs(1)..=Duration::from_secs(600)).contains(&timeout) {
        return Ok(());
    }
    Err(invalid("ring_timeout", "1 s to 10 min are possible"))
}

pub(super) fn invalid(field: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("{field}: {why}"))
}

impl NodeBuilder {
    pub(super) fn new(name: String) -> NodeBuilder {
        NodeBuilder {
            name,
            trackers: Vec::new(),
            bind: "[::]:0".into(),
            identity_file: None,
            audio: Audio::Null,
            encoder: EncoderConfig::default(),
            jitter: JitterConfig::default(),
            auto_answer: false,
            contacts_only: false,
            ring_timeout: Duration::from_secs(45),
            max_calls: 1,
            turn_servers: Vec::new(),
            relay_only: false,
            mesh: false,
            nodes: Vec::new(),
            lan: true,
            history_file: None,
            #[cfg(feature = "sim")]
            line: None,
        }
    }

    /// Adds a tracker. Up to 16; a node is registered at all of them. The connection is
    ///
    /// - `host:port`: plain TCP,
    /// - `tls://host:port`: TLS 1.3, with a certificate for that host by an authority that this system
    ///   trusts (`SSL_CERT_FILE` names others),
    /// - `tls://host:port#ca=FILE`: the same, by an authority in that PEM file,
    /// - `tls://host:port#sha256=DIGITS`: TLS 1.3 with the key of that hash, 64 hexadecimal digits,
    ///   as [`Tracker::key_sha256`](crate::Tracker::key_sha256) tells it.
    ///
    /// A tracker that shows another certificate or key is [`ErrorKind::TrackerUntrusted`] in
    /// [`Event::TrackerLost`](crate::Event::TrackerLost), and is tried again later; nothing is ever
    /// said to it without TLS.
    pub fn tracker(mut self, address: impl Into<String>) -> Self {
        self.trackers.push(address.into());
        self
    }

    /// The local address and UDP port, `ip:port`. Default `[::]:0`: any free port, the same one
    /// for IPv4 and IPv6. Another address serves its own family alone.
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.bind = address.into();
        self
    }

    /// The file that holds the key; made if it is not there. Names of peers are pinned to their
    /// keys on first use and kept beside it, in `<file>.pins`. Without one the key lives as long
    /// as the node, as do the contacts, and nothing is pinned but what [`Node::accept_key`] and
    /// [`Node::set_contact`] are told.
    pub fn identity_file(mut self, path: impl AsRef<Path>) -> Self {
        self.identity_file = Some(path.as_ref().into());
        self
    }

    /// Where sound comes from and goes to. Default [`Audio::Null`].
    pub fn audio(mut self, audio: Audio) -> Self {
        self.audio = audio;
        self
    }

    /// Options of the encoder.
    pub fn encoder(mut self, encoder: EncoderConfig) -> Self {
        self.encoder = encoder;
        self
    }

    /// Options of the jitter buffer.
    pub fn jitter(mut self, jitter: JitterConfig) -> Self {
        self.jitter = jitter;
        self
    }

    /// Whether incoming calls are answered at once. Default no.
    pub fn auto_answer(mut self, yes: bool) -> Self {
        self.auto_answer = yes;
        self
    }

    /// Whether only the user's contacts may call: those that [`Node::set_contact`] was told are
    /// accepted or verified, and whoever is being called just then. All others, a contact's name with
    /// another key included, are refused as if they were [blocked](Node::set_contact). Default no.
    pub fn contacts_only(mut self, yes: bool) -> Self {
        self.contacts_only = yes;
        self
    }

    /// How long an outgoing call rings, 1 s to 10 min. Default 45 s.
    pub fn ring_timeout(mut self, timeout: Duration) -> Self {
        self.ring_timeout = timeout;
        self
    }

    /// Calls at one time, 1 to 32; one more is answered "busy". Default 1.
    pub fn max_calls(mut self, calls: usize) -> Self {
        self.max_calls = calls;
        self
    }

    /// Adds a relay, beside those that trackers have: a TURN server (RFC 8656), as a URI of RFC 7065,
    /// `turn:host[:port][?transport=udp|tcp]`, or `turns:host[:port]` for TLS with a certificate that the system trusts;
    /// and what it wants to know. Up to 4. What goes through it is as encrypted
    /// as everything between peers.
    pub fn turn_server(
        mut self,
        uri: impl Into<String>,
        username: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        let (username, password) = (username.into(), password.into());
        let credentials = RelayCredentials { username, password };
        self.turn_servers.push(TurnServer { uri: uri.into(), credentials });
        self
    }

    /// Whether peers are to learn no address of this host: calls then go through relays only, those of the trackers and
    /// of [`turn_server`](Self::turn_server). Without one a call ends with
    /// [`Unreachable`](crate::EndReason::Unreachable). Default no.
    pub fn relay_only(mut self, yes: bool) -> Self {
        self.relay_only = yes;
        self
    }

    /// Whether to take part in the mesh of nodes that needs no tracker: the node listens for others, TCP on its own port
    /// number, and is reached by them and whoever they know. Default no, unless [`connect`](Self::connect) names one.
    pub fn mesh(mut self, yes: bool) -> Self {
        self.mesh = yes;
        self
    }

    /// Takes part in the mesh, and begins with the node that listens at this address, `host:port`. Up to 64. One that
    /// cannot be reached is tried again, ever more seldom, up to once a minute.
    pub fn connect(mut self, address: impl Into<String>) -> Self {
        self.nodes.push(address.into());
        self
    }

    /// Whether a node of the mesh announces itself on its local network, key and port, and finds others there: by multicast DNS
    /// (RFC 6762). Default yes, but for a node that is [bound](Self::bind) to a loopback address, or shows
    /// [relays only](Self::relay_only).
    pub fn lan(mut self, yes: bool) -> Self {
        self.lan = yes;
        self
    }

    /// The file in which texts of the mesh are kept from one start to the next, those of others included; made if it is not
    /// there, readable by its owner only. Texts for one peer are encrypted in it, others are not. Default none: they are
    /// kept as long as the node runs, and others have them.
    pub fn history_file(mut self, path: impl AsRef<Path>) -> Self {
        self.history_file = Some(path.as_ref().into());
        self
    }

    /// Sends everything through a bad line: sound, handshakes and checks of the path alike, but not
    /// what goes to trackers. For trials; one side's line is one direction of the call. The seed
    /// decides all chances: [`Link::sound_lost`] tells them beforehand, [`Node::line_stats`] counts.
    /// No more than 8192 datagrams are under way; what there is no room for has overflowed.
    #[cfg(feature = "sim")]
    pub fn line(mut self, link: Link, seed: u64) -> Self {
        self.line = Some((link, seed));
        self
    }

    /// Binds, opens the files, starts the thread, and begins to register. Does not wait for the
    /// trackers: see [`Node::wait_registered`].
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] naming the field; [`ErrorKind::AddressInUse`];
    /// [`ErrorKind::File`] for the identity, its pins, a WAV file or the authorities of a tracker;
    /// [`ErrorKind::System`].
    pub fn start(self) -> Result<Node, Error> {
        let bind = self.validate()?;
        let (named_relays, relays) = self.turn_servers()?;
        // Nobody waits for it: a call placed before it is done takes a little longer.
        spawn("voip-warm-up", crate::session::warm_up)?;
        let (identity, pins) = self.identity()?;
        let trackers = self.destinations()?;
        let pins_file = self.identity_file.as_deref().map(PinsFile::beside);
        #[cfg_attr(not(feature = "sim"), expect(unused_mut, reason = "only a line is added"))]
        let (mut udp, mesh) = self.sockets(bind, &identity)?;
        let events = EventQueue::new()
            .map_err(|e| Error::new(ErrorKind::System, format!("the event queue: {e}")))?;
        let events = Arc::new(events);
        let (history, kept) = self.history(mesh.is_some(), &events)?;
        #[cfg(feature = "sim")]
        let line = self.line.map(|(link, seed)| {
            let line = BadLine::new(link, seed);
            let counts = line.counts();
            udp.set_line(line);
            counts
        });
        // Last of what may fail for the user's reasons: it replaces an older recording.
        let (requests, inbox) = Requests::new()?;
        let sound = self.sound(&requests)?;
        let local_address = udp.local_address();
        let clock = Clock::new();
        let id = identity.id();
        let config = EngineConfig {
            name: self.name.clone(),
            trackers: self.trackers.clone(),
            encoder: self.encoder.clone(),
            jitter: self.jitter.clone(),
            codec: Codec::Opus,
            auto_answer: self.auto_answer,
            pins_names: self.identity_file.is_some(),
            contacts_only: self.contacts_only,
            ring_timeout: self.ring_timeout,
            max_calls: self.max_calls,
            relays,
            relay_only: self.relay_only,
            mesh: mesh.is_some().then(|| self.nodes.clone()),
            history: kept,
            epoch: clock.epoch(),
            wall_at_zero: clock.wall_at_zero(),
        };
        let random = Box::new(OsRandom::new()?);
        let meter = Box::new(ProcessorClock);
        let contacts = Mutex::new(Contacts::new(pins.clone()));
        let engine = Engine::new(config, identity, pins, random, meter, clock.now())?;
        let is_on_lan = self.lan && mesh.is_some() && !self.relay_only;
        let is_on_lan = is_on_lan && !local_address.ip().is_loopback();
        let lan =
            is_on_lan.then(|| self.find_others(id, local_address.port(), &requests)).flatten();
        let inner = Arc::new(Inner {
            requests: requests.clone(),
            events,
            calls: Mutex::default(),
            next_call: AtomicU64::new(1),
            board: Mutex::new(Board::default()),
            changed: Condvar::new(),
            pins: pins_file,
            history: Mutex::new(history),
            lan: Mutex::new(lan),
            contacts,
            #[cfg(feature = "devices")]
            has_devices: matches!(self.audio, Audio::Devices { .. }),
            manual_rate: match self.audio {
                Audio::Manual { rate } => Some(rate),
                _ => None,
            },
            frame: self.encoder.frame,
            auto_answer: self.auto_answer,
            has_one_tracker: trackers.len() == 1,
            is_in_mesh: mesh.is_some(),
            #[cfg(feature = "sim")]
            line,
        });
        let reporter = Reporter(inner.clone());
        let addresses = (trackers, named_relays);
        let driver =
            Driver::new(engine, clock, (udp, mesh), addresses, sound, (requests, inbox), reporter);
        let thread = Mutex::new(Some(spawn("voip-engine", move || driver.run())?));
        Ok(Node { inner, name: self.name, id, local_address, thread })
    }

    /// Looks for nodes on this network.
    fn find_others(&self, me: PeerId, port: u16, requests: &Requests) -> Option<Lan> {
        let requests = requests.clone();
        Lan::start(me, port, move |peer, addresses| {
            requests.send(Request::LanNode(peer, addresses));
        })
    }

    /// The file of texts, and what is in it.
    fn history(
        &self,
        is_in_mesh: bool,
        events: &Arc<EventQueue<Event<QueuedCall>>>,
    ) -> Result<(Option<HistoryFile>, Vec<SignedMessage>), Error> {
        let Some(path) = self.history_file.as_ref().filter(|_| is_in_mesh) else {
            return Ok((None, Vec::new()));
        };
        let events = Arc::downgrade(events);
        let failed = move |error| {
            if let Some(events) = events.upgrade() {
                events.push(Event::HistoryFailed { error }, false);
            }
        };
        let (file, kept) = HistoryFile::open(path, failed)?;
        Ok((Some(file), kept))
    }

    /// The node's port, by UDP and, if it takes part in the mesh, by TCP. With port 0 one that is free for both.
    fn sockets(
        &self,
        bind: SocketAddr,
        identity: &Identity,
    ) -> Result<(UdpPort, Option<MeshSockets>), Error> {
        if !self.mesh && self.nodes.is_empty() {
            return Ok((UdpPort::bind(bind)?, None));
        }
        let tls = PeerTls::of(identity)?;
        let mut tries = if bind.port() == 0 { PORTS_TRIED } else { 1 };
        loop {
            let udp = UdpPort::bind(bind)?;
            let addresses: Vec<_> = udp.families().iter().map(|family| family.local).collect();
            tries -= 1;
            match MeshSockets::listen(tls.clone(), &addresses) {
                Ok(mesh) => return Ok((udp, Some(mesh))),
                Err(error) if tries == 0 || error.kind() != ErrorKind::AddressInUse => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
    }

    fn validate(&self) -> Result<SocketAddr, Error> {
        check("name", &self.name)?;
        if self.trackers.len() > MAX_TRACKERS {
            return Err(invalid("tracker", "16 are possible"));
        }
        for (i, tracker) in self.trackers.iter().enumerate() {
            TrackerAddress::parse(tracker)
                .map_err(|why| invalid("tracker", &format!("{tracker:?} {why}")))?;
            if self.trackers[..i].contains(tracker) {
                return Err(invalid("tracker", &format!("{tracker:?} is there twice")));
            }
        }
        if self.nodes.len() > MAX_NAMED {
            return Err(invalid("connect", "64 are possible"));
        }
        for node in &self.nodes {
            check_node_address("connect", node)?;
        }
        self.encoder.validate()?;
        self.jitter.validate()?;
        if let Audio::Manual { rate } = self.audio {
            Resampler::new(rate, crate::frame::SAMPLE_RATE)
                .map_err(|_| invalid("audio", &format!("{rate} Hz: 8000 to 192000 is possible")))?;
        }
        check_ring_timeout(self.ring_timeout)?;
        if !(1..=32).contains(&self.max_calls) {
            return Err(invalid("max_calls", "1 to 32 are possible"));
        }
        #[cfg(feature = "sim")]
        if let Some((link, _)) = &self.line {
            link.validate()?;
        }
        self.bind.parse().map_err(|_| invalid("bind", &format!("{:?} is not ip:port", self.bind)))
    }

    /// The addresses of the named relays, and what the engine needs to know of them.
    fn turn_servers(&self) -> Result<(Vec<Destination>, Vec<NamedRelay>), Error> {
        if self.turn_servers.len() > MAX_TURN_SERVERS {
            return Err(invalid("turn_server", "4 are possible"));
        }
        let parsed = self.turn_servers.iter().map(|server| {
            let (address, named) = server.parse()?;
            Ok((Destination::of(address)?, named))
        });
        Ok(parsed.collect::<Result<Vec<_>, Error>>()?.into_iter().unzip())
    }

    fn destinations(&self) -> Result<Vec<Destination>, Error> {
        let destination = |tracker: &String| {
            let address = TrackerAddress::parse(tracker).map_err(|why| invalid("tracker", why))?;
            Destination::of(address)
        };
        self.trackers.iter().map(destination).collect()
    }

    fn identity(&self) -> Result<(Identity, Pins), Error> {
        match &self.identity_file {
            Some(path) => Ok((load_or_create(path)?, load_pins(path)?)),
            None => Ok((Identity::from_secret(&*secret()?), Pins::default())),
        }
    }

    fn sound(&self, #[allow(unused_variables)] requests: &Requests) -> Result<Sound, Error> {
        Ok(match &self.audio {
            Audio::Manual { .. } => Sound::Manual,
            Audio::Wav { play, record } => {
                let device = WavDevice::open(play.as_deref(), record.as_deref())?;
                Sound::Clocked(Box::new(DeviceClock::new(Box::new(device))))
            }
            Audio::Null => Sound::Clocked(Box::new(DeviceClock::new(Box::new(NullDevice)))),
            #[cfg(feature = "devices")]
            Audio::Devices { input, output } => Sound::Cards(Box::new(
                crate::io::sound::Cards::new(input.clone(), output.clone(), requests),
            )),
        })
    }
}
