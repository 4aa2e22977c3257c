//! A node.

use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use voip_core as core;
use voip_core::{ContactState, DeviceDirection, ErrorKind};

use crate::audio::Sound;
use crate::call::{Call, Owner};
use crate::devices::choice;
use crate::encoding::{EncoderConfig, JitterConfig, whole};
use crate::enums::value;
use crate::errors::{OrRaise, raise};
use crate::events;
use crate::exit;
use crate::peers::{Contact, Peer, PeerId, Target};
use crate::stats::NodeStats;
use crate::texts::{Audience, Text, TextId};
use crate::waiting::{Timeout, ask, seconds, wait, wait_while};

/// One participant: it has a name and a key, is registered at its trackers, and calls and is called.
///
/// `name` has 1 to 64 bytes of UTF-8 without control characters.
/// `trackers`: up to 16; the node is registered at all of them. Each is "host:port" (plain TCP), or
/// "tls://host:port": TLS 1.3, with a certificate for that host by an authority that the system trusts.
/// "#ca=FILE" behind it names another authority, a PEM file, and "#sha256=DIGITS" the one key to trust,
/// as `Tracker.key_sha256` tells it.
/// `bind`: the local address and UDP port, "ip:port"; the default is any free port, the same one for
/// IPv4 and IPv6.
/// `identity_file` holds the key; made if it is not there. Names of peers are pinned to their keys on
/// first use and kept beside it. Without one the key lives as long as the node.
/// `audio` is a `Devices` (the default: the system's microphone and loudspeaker), a `Manual`, a `Wav`, or
/// `None`: says nothing and plays nothing.
/// `encoder` is an `EncoderConfig`, `jitter` a `JitterConfig`; `None` is one of defaults.
/// `auto_answer`: whether incoming calls are answered at once.
/// `contacts_only`: whether only those may call that `set_contact` was told are accepted or verified, and
/// whoever is being called just then; all others, a contact's name with another key included, are refused
/// as if they were blocked.
/// `ring_timeout`: how long an outgoing call rings, 1 to 600 s.
/// `max_calls`: calls at one time, 1 to 32; one more is answered "busy".
/// `turn_servers`: relays beside those of the trackers, up to 4, each a tuple of a URI,
/// "turn:host[:port][?transport=udp|tcp]" or "turns:host[:port]" (TLS), and the name and the password that it wants.
/// `relay_only=True`: peers learn no address of this host, calls go through relays only; without one they fail
/// as `Unreachable`.
/// `mesh`: whether to take part in the mesh of nodes that needs no tracker: the node listens for others,
/// TCP on its own port number, and is reached by them and whoever they know.
/// `connect`: takes part in the mesh, and begins with the nodes that listen at these addresses,
/// "host:port", up to 64. One that cannot be reached is tried again, ever more seldom, up to once a minute.
/// `lan`: whether a node of the mesh announces itself on its local network, key and port, and finds others
/// there, by multicast DNS (RFC 6762); one that is bound to a loopback address does not.
/// `history_file`: in which texts of the mesh are kept from one start to the next, those of others
/// included; made if it is not there, readable by its owner only. Texts for one peer are encrypted in it,
/// others are not. Without one they are kept as long as the node runs, and others have them.
///
/// Does not wait for the trackers: see `wait_registered`. The end of a `with` block closes the node; so do
/// dropping it and the end of the program, when other threads that still wait end as by `sys.exit()`.
/// Raises `InvalidArgument` naming the argument, `AddressInUse`, `FileError` for the identity, its pins
/// the history or a WAV file, `SystemError`.
#[pyclass(frozen, module = "voip")]
pub(crate) struct Node {
    core: Arc<core::Node>,
    owner: Owner,
    has_one_tracker: bool,
}

#[pymethods]
impl Node {
    #[new]
    #[pyo3(
        signature = (name, *, trackers = Addresses::default(), bind = None, identity_file = None,
            audio = Sound::devices(), encoder = None, jitter = None, auto_answer = false,
            contacts_only = false, ring_timeout = None, max_calls = None, turn_servers = Vec::new(),
            relay_only = false, mesh = false, connect = Addresses::default(), lan = true,
            history_file = None),
        text_signature = "(name, *, trackers=(), bind='[::]:0', identity_file=None, \
            audio=..., encoder=None, jitter=None, auto_answer=False, contacts_only=False, \
            ring_timeout=45.0, max_calls=1, turn_servers=(), relay_only=False, \
            mesh=False, connect=(), lan=True, history_file=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn new(
        py: Python<'_>,
        name: &str,
        trackers: Addresses,
        bind: Option<&str>,
        identity_file: Option<PathBuf>,
        audio: Sound,
        encoder: Option<Bound<'_, EncoderConfig>>,
        jitter: Option<Bound<'_, JitterConfig>>,
        auto_answer: bool,
        contacts_only: bool,
        ring_timeout: Option<Bound<'_, PyAny>>,
        max_calls: Option<Bound<'_, PyAny>>,
        turn_servers: Vec<(String, String, String)>,
        relay_only: bool,
        mesh: bool,
        connect: Addresses,
        lan: bool,
        history_file: Option<PathBuf>,
    ) -> PyResult<Self> {
        let mut builder = core::Node::builder(name).audio(audio.audio);
        builder = builder.auto_answer(auto_answer).contacts_only(contacts_only);
        let has_one_tracker = trackers.0.len() == 1;
        for tracker in trackers.0 {
            builder = builder.tracker(tracker);
        }
        if let Some(bind) = bind {
            builder = builder.bind(bind);
        }
        if let Some(path) = identity_file {
            builder = builder.identity_file(path);
        }
        if let Some(encoder) = encoder {
            builder = builder.encoder(encoder.get().to_core(py)?);
        }
        if let Some(jitter) = jitter {
            builder = builder.jitter(jitter.get().to_core());
        }
        if let Some(limit) = ring_timeout {
            builder = builder.ring_timeout(seconds("ring_timeout", &limit)?);
        }
        builder = builder.relay_only(relay_only).mesh(mesh).lan(lan);
        for address in connect.0 {
            builder = builder.connect(address);
        }
        if let Some(path) = history_file {
            builder = builder.history_file(path);
        }
        for (uri, username, password) in turn_servers {
            builder = builder.turn_server(uri, username, password);
        }
        if let Some(calls) = max_calls {
            builder = builder.max_calls(whole("max_calls", &calls)?);
        }
        let core = Arc::new(py.detach(|| builder.start()).or_raise(py)?);
        exit::remember(&core);
        let owner = Owner { process: std::process::id(), format: audio.format };
        Ok(Node { core, owner, has_one_tracker })
    }

    /// The name.
    #[getter]
    fn name(&self) -> &str {
        self.core.name()
    }

    /// The key, a `PeerId`.
    #[getter]
    fn id(&self) -> PeerId {
        PeerId(self.core.id())
    }

    /// The local UDP address, "ip:port"; of the IPv4 socket if there are two.
    #[getter]
    fn local_address(&self) -> String {
        self.core.local_address().to_string()
    }

    /// Whether the node was closed, or belongs to the process before a fork.
    #[getter]
    fn closed(&self) -> bool {
        self.owner.process != std::process::id() || self.core.is_closed()
    }

    /// Waits until one tracker has accepted this node. Raises `NameTaken` at once, and
    /// `TrackerUntrusted` if there is no other tracker; after `timeout` seconds the reason of the last refusal (`TrackerUnreachable` …) or `TimedOut`. The node keeps
    /// trying.
    #[pyo3(signature = (timeout = Timeout::NEVER), text_signature = "($self, timeout=None)")]
    fn wait_registered(&self, py: Python<'_>, timeout: Timeout) -> PyResult<()> {
        let core = self.core(py)?;
        let goes_on = |error: &core::Error| match error.kind() {
            ErrorKind::NameTaken | ErrorKind::Closed => false,
            ErrorKind::TrackerUntrusted => !self.has_one_tracker,
            _ => true,
        };
        wait_while(py, timeout, goes_on, |slice| core.wait_registered(slice))
    }

    /// Who is online, by name, a list of `Peer`: the lists of all trackers that answer and the nodes of the
    /// mesh, each peer once, this node included. Raises `TrackerUnreachable` with neither, `TimedOut`: trackers have
    /// `timeout` seconds and never more than 5.
    #[pyo3(signature = (timeout = Timeout::NEVER), text_signature = "($self, timeout=None)")]
    fn peers(&self, py: Python<'_>, timeout: Timeout) -> PyResult<Vec<Peer>> {
        self.core(py)?;
        let core = self.core.clone();
        let peers = ask(py, timeout, move |limit| core.peers(limit))?;
        peers.into_iter().map(|peer| Peer::new(py, peer)).collect()
    }

    /// Calls somebody: a name, or a key as `PeerId` or its 64 hexadecimal digits. Returns a `Call` at
    /// once; what becomes of it is told by events and by `Call.wait_answered`. It rings for
    /// `ring_timeout` seconds, 1 to 600; `None` is what the node has. Raises `InvalidArgument` for what
    /// is no name, or this node's own; `Closed`.
    #[pyo3(signature = (target, *, ring_timeout = None))]
    fn place(
        &self,
        py: Python<'_>,
        target: Target,
        ring_timeout: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Call> {
        let core = self.core(py)?;
        let call = match ring_timeout {
            Some(limit) => core.place_for(&target.0, seconds("ring_timeout", &limit)?),
            None => core.place(&target.0),
        };
        Ok(Call::new(call.or_raise(py)?, self.owner))
    }

    /// `place`, then waits until the call is answered. Raises what it has ended with instead: `Busy`,
    /// `Declined`, `NoAnswer`, `UnknownPeer`, `TrackerUnreachable`, `Unreachable` … Ctrl-C cancels
    /// the call.
    #[pyo3(signature = (target, *, ring_timeout = None))]
    fn call(
        &self,
        py: Python<'_>,
        target: Target,
        ring_timeout: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Call> {
        let call = self.place(py, target, ring_timeout)?;
        if let Err(error) = call.wait_answered(py, Timeout::NEVER) {
            // Dropping it would not do: events have it, too.
            call.hang_up(py)?;
            return Err(error);
        }
        Ok(call)
    }

    /// Waits for somebody who waits for somebody, too, at any of the trackers: they are handed to each
    /// other, first come, first served, and `Paired` tells both. Returns at once; does nothing if this node
    /// waits already. It waits until somebody comes or `unpair`, and again at a tracker that was lost and is
    /// back.
    ///
    /// Nothing else happens by itself: the side whose event says `calls` calls the other, `place(event.peer.id)`,
    /// and the other lets itself be called. Whoever is not called within ten seconds should ask again: the
    /// other may have met somebody at another tracker, given up, or blocked this node. Whom this node has
    /// blocked, strangers with `contacts_only` and names pinned to other keys are passed over: it asks again
    /// by itself after one to three seconds.
    ///
    /// `PairingFailed` tells that it has no tracker (`TrackerUnreachable`), or that all are of older versions,
    /// which cannot pair (`InvalidState`). Raises `Closed`.
    fn pair(&self, py: Python<'_>) -> PyResult<()> {
        self.core(py)?.pair().or_raise(py)
    }

    /// Waits for nobody any more. Nothing happens if it did not. A `Paired` may be among the events already.
    /// Raises `Closed`.
    fn unpair(&self, py: Python<'_>) -> PyResult<()> {
        self.core(py)?.unpair().or_raise(py)
    }

    /// Links this node to the one that listens at this address, "host:port", and so to all that it knows.
    /// Returns at once; an address that cannot be reached is tried again, ever more seldom, up to once a
    /// minute. Raises `InvalidArgument` for what is no address; `InvalidState` unless the node takes part
    /// in the mesh; `Closed`.
    fn connect(&self, py: Python<'_>, address: &str) -> PyResult<()> {
        self.core(py)?.connect(address).or_raise(py)
    }

    /// Writes a text to everybody in the mesh, a room or a peer: `to` is `All()`, a `Room` or a `PeerId`.
    /// Returns its `TextId`. It is kept by everybody there, within bounds, so that who is away gets it when
    /// it is back: the last 1,000 texts or 1 MiB of an author at least. One for a peer only that peer can
    /// read, and `TextDelivered` tells when it has arrived. Waits for the node's own thread only.
    ///
    /// Raises `InvalidArgument` for a text that is empty, longer than 8 KiB or with control characters other
    /// than line breaks and tabs, a room's name or a key that is none, oneself; `Busy` for more than 50 texts at once
    /// and 5 a second; `InvalidState` unless the node takes part in the mesh; `TimedOut` after `timeout`
    /// seconds, though it may be written all the same; `Closed`.
    #[pyo3(
        signature = (to, text, timeout = Timeout::NEVER),
        text_signature = "($self, to, text, timeout=None)"
    )]
    fn send_text(
        &self,
        py: Python<'_>,
        to: Audience,
        text: String,
        timeout: Timeout,
    ) -> PyResult<TextId> {
        self.core(py)?;
        let core = self.core.clone();
        let id = ask(py, timeout, move |limit| core.send_text(&to.0, &text, limit))?;
        Ok(id.into())
    }

    /// Earlier texts of all, of a room, or with a peer, this node's own included, a list of `Text`: the last
    /// `limit` (1,000 at most), or the last of those that came before the text `before`, a `TextId`. The
    /// oldest comes first. A text that is not kept any more has none before it.
    ///
    /// Raises `InvalidState` unless the node takes part in the mesh; `TimedOut` after `timeout` seconds;
    /// `Closed`.
    #[pyo3(
        signature = (of, *, before = None, limit = None, timeout = Timeout::NEVER),
        text_signature = "($self, of, *, before=None, limit=100, timeout=None)"
    )]
    fn history(
        &self,
        py: Python<'_>,
        of: Audience,
        before: Option<Bound<'_, TextId>>,
        limit: Option<Bound<'_, PyAny>>,
        timeout: Timeout,
    ) -> PyResult<Vec<Text>> {
        self.core(py)?;
        let core = self.core.clone();
        let before = before.map(|id| id.get().to_core());
        let limit = limit.map_or(Ok(100), |limit| whole("limit", &limit))?;
        let texts = ask(py, timeout, move |slice| core.history(&of.0, before, limit, slice))?;
        texts.into_iter().map(|text| Text::new(py, text)).collect()
    }

    /// Waits for the next event; `None` after `timeout` seconds. Raises `Closed`.
    #[pyo3(signature = (timeout = Timeout::NEVER), text_signature = "($self, timeout=None)")]
    fn next_event<'py>(
        &self,
        py: Python<'py>,
        timeout: Timeout,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.next(py, timeout, own_object(py), raise_closed)
    }

    /// The next event if there is one, with `wrap(call)` for its call: for `voip.aio`.
    fn _next_event<'py>(
        &self,
        py: Python<'py>,
        wrap: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let now = Timeout::after(0);
        self.next(py, now, |call| Ok(wrap.call1((call,))?.unbind()), raise_closed)
    }

    /// Makes the event descriptor unreadable until the next event, and tells whether it was readable: for
    /// `voip.aio`.
    #[cfg(unix)]
    fn _rest_descriptor(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.core(py)?.rest_event_descriptor())
    }

    /// The events as they come, until the node is closed or `timeout` seconds pass without one.
    #[pyo3(signature = (timeout = Timeout::NEVER), text_signature = "($self, timeout=None)")]
    fn events(slf: Py<Self>, timeout: Timeout) -> Events {
        Events { node: slf, timeout }
    }

    /// The number of a descriptor that is readable while events wait: for `select` and event loops.
    /// Only to wait on; read the events with `next_event(0)`. It lives as long as this object.
    #[cfg(unix)]
    fn event_descriptor(&self, py: Python<'_>) -> PyResult<i32> {
        Ok(self.core(py)?.event_descriptor().as_raw_fd())
    }

    /// `event_descriptor()`: so that `select` and `selectors` take the node itself.
    #[cfg(unix)]
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        self.event_descriptor(py)
    }

    /// Accepts that `name` now belongs to another key, as the event `KeyChanged` offered it. Ask the
    /// person over another way first. Its owner stays a contact, or blocked; but is not verified any
    /// more. Raises `InvalidArgument` for what is no name; `InvalidState` when 65,536 names are pinned;
    /// `Closed`.
    fn accept_key(&self, py: Python<'_>, name: &str, id: &Bound<'_, PeerId>) -> PyResult<()> {
        self.core(py)?.accept_key(name, id.get().0).or_raise(py)
    }

    /// All whose names are pinned to keys, by name, a list of `Contact`: with an identity file whoever
    /// was in a call under a name, and in any case whom `set_contact` was told of.
    fn contacts(&self, py: Python<'_>) -> PyResult<Vec<Contact>> {
        let contacts = self.core(py)?.contacts();
        contacts.into_iter().map(|contact| Contact::new(py, contact)).collect()
    }

    /// Says what the owner of `name`, whose key is `id`, is to the user, and pins the name to the key
    /// whatever it was pinned to before; `state` is a `ContactState`. It is kept where the pinned names
    /// are.
    ///
    /// `BLOCKED`: a call with that key ends, and later ones are refused unheard, under any name, as are
    /// those of other keys under this name. No event tells of them; `NodeStats.signals_dropped` counts.
    /// The caller is told what all are told whose calls nobody answers: that it rings, or that this node is in
    /// another call if it is, and in the end that nobody came. The user may still call whom they have
    /// blocked. `SEEN` takes that, or that they were a contact, back.
    ///
    /// Raises `InvalidArgument` for what is no name, `InvalidState` when 65,536 names are pinned,
    /// `Closed`.
    fn set_contact(
        &self,
        py: Python<'_>,
        name: &str,
        id: &Bound<'_, PeerId>,
        state: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let states = [
            ContactState::Seen,
            ContactState::Accepted,
            ContactState::Verified,
            ContactState::Blocked,
        ];
        let state = value(state, "ContactState", &states)?;
        self.core(py)?.set_contact(name, id.get().0, state).or_raise(py)
    }

    /// Forgets `name` and what its owner was: the next key that uses it is taken for theirs. Nothing
    /// happens if it is not pinned. Raises `InvalidArgument` for what is no name; `Closed`.
    fn forget_contact(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.core(py)?.forget_contact(name).or_raise(py)
    }

    /// The number that this node's key and the key `id` have in common: 60 digits, twelve groups of five
    /// with a space between. Two people who read it out to each other, or compare it in any other way
    /// that nobody can forge, know that each has the other's key; it is the same for every call. It takes
    /// some milliseconds to compute.
    fn safety_number(&self, py: Python<'_>, id: &Bound<'_, PeerId>) -> PyResult<String> {
        Ok(self.core(py)?.safety_number(id.get().0))
    }

    /// Uses another microphone or loudspeaker from now on, calls under way included: `direction` is a
    /// `DeviceDirection`, `device` as in `Devices`. `DeviceChanged` tells what came of it. Raises
    /// `InvalidState` if the node's audio is not that of devices; `Closed`.
    fn choose_device(
        &self,
        py: Python<'_>,
        direction: &Bound<'_, PyAny>,
        device: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let directions = [DeviceDirection::Input, DeviceDirection::Output];
        let direction = value(direction, "DeviceDirection", &directions)?;
        self.core(py)?.choose_device(direction, choice(device)?).or_raise(py)
    }

    /// Statistics, a `NodeStats`: at most 0.2 s old.
    fn stats(&self, py: Python<'_>) -> PyResult<NodeStats> {
        NodeStats::new(py, self.core(py)?.stats())
    }

    /// Ends all calls, leaves the trackers and stops, within half a second. Whoever waits for this node
    /// or its calls in another thread gets `Closed`. A second time does nothing.
    fn close(&self, py: Python<'_>) {
        if self.owner.process == std::process::id() {
            py.detach(|| self.core.close());
        }
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        let closed = if self.closed() { ", closed" } else { "" };
        format!("<voip.Node {:?}, key {}…{closed}>", self.core.name(), self.core.id().short())
    }
}

impl Node {
    /// The library's node, unless this is a process forked from that of the node.
    fn core(&self, py: Python<'_>) -> PyResult<&core::Node> {
        if self.owner.process == std::process::id() {
            return Ok(&self.core);
        }
        raise(py, ErrorKind::Closed, "the node belongs to another process".to_owned())
    }

    /// The next event, with what `wrap` makes of its call; `closed` once there are no more.
    fn next<'py>(
        &self,
        py: Python<'py>,
        timeout: Timeout,
        wrap: impl Fn(Call) -> PyResult<Py<PyAny>>,
        closed: impl FnOnce(Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let core = self.core(py)?;
        let next = wait(py, timeout, |slice| match core.next_event(slice) {
            // It may have said something last.
            None if core.is_closed() => Some(core.next_event(Duration::ZERO)),
            None => None,
            event => Some(event),
        })?;
        match next {
            Some(Some(event)) => {
                events::to_python(py, event, |call| wrap(Call::new(call, self.owner))).map(Some)
            }
            Some(None) => closed(py),
            None => Ok(None),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.owner.process == std::process::id() {
            Python::try_attach(|py| py.detach(|| self.core.close()));
        }
    }
}

fn own_object(py: Python<'_>) -> impl Fn(Call) -> PyResult<Py<PyAny>> {
    move |call| Ok(Py::new(py, call)?.into_any())
}

fn raise_closed<T>(py: Python<'_>) -> PyResult<T> {
    raise(py, ErrorKind::Closed, "the node was closed".to_owned())
}

/// The arguments `trackers` and `connect`: any iterable of texts but a text.
#[derive(Default)]
struct Addresses(Vec<String>);

impl<'py> FromPyObject<'_, 'py> for Addresses {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<PyString>() {
            return Err(PyTypeError::new_err("it is a list of addresses, not one text"));
        }
        object.try_iter()?.map(|address| address?.extract()).collect::<PyResult<_>>().map(Addresses)
    }
}

/// The iterator of `Node.events()`.
#[pyclass(frozen, module = "voip")]
struct Events {
    node: Py<Node>,
    timeout: Timeout,
}

#[pymethods]
impl Events {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.node.get().next(py, self.timeout, own_object(py), |_| Ok(None))
    }
}
