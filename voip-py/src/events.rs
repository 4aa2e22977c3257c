//! What a node tells: one class for each event, all of them under `Event`.

use pyo3::prelude::*;
use pyo3::types::{PyGenericAlias, PyTuple, PyType};
use pyo3::{PyClass, PyTypeInfo};
use voip_core as core;

use crate::devices::AudioDevice;
use crate::enums::member;
use crate::errors::exception;
use crate::peers::{Peer, PeerId};
use crate::record::record;
use crate::texts::{Text, TextId};

/// What a node tells its user, in the order in which it happened. Each event is of one of the classes
/// under this one; they are frozen and made for `match`:
///
///     for event in node.events():
///         match event:
///             case voip.Incoming(call=call):
///                 call.answer()
///             case voip.Ended(call=call, reason=reason):
///                 print(call.peer.name, reason.describe())
#[pyclass(frozen, subclass, module = "voip")]
pub(crate) struct Event;

#[pymethods]
impl Event {
    /// `Event[Call]`: what its calls are is for type checkers.
    #[classmethod]
    #[pyo3(signature = (handle, /))]
    fn __class_getitem__<'py>(
        class: &Bound<'py, PyType>,
        handle: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyGenericAlias>> {
        PyGenericAlias::new(class.py(), class, handle)
    }
}

record! {
    /// A tracker has accepted this node's name and key.
    Registered extends Event {
        /// The tracker's address as it was given.
        tracker: String,
        /// Peers online there, this one included.
        online: u32,
    }
}
record! {
    /// A tracker refused the registration or cannot be reached. The node goes on trying, unless the
    /// same key has registered from elsewhere.
    TrackerLost extends Event {
        /// The tracker's address as it was given.
        tracker: String,
        /// Why, an `Error`.
        error: Py<PyAny>,
    }
}
record! {
    /// A peer came online.
    Joined extends Event {
        /// Who, a `Peer`.
        peer: Py<Peer>,
        /// Peers online now.
        online: u32,
    }
}
record! {
    /// A peer says something else about itself: its presence.
    Changed extends Event {
        /// Who, a `Peer` as it is now.
        peer: Py<Peer>,
    }
}
record! {
    /// A peer went offline.
    Left extends Event {
        /// Whose name.
        name: String,
        /// Whose key.
        id: PeerId,
        /// Peers online now.
        online: u32,
    }
}
record! {
    /// A peer that `Node.pair` waited for: both were handed to each other.
    Paired extends Event {
        /// Who, a `Peer`.
        peer: Py<Peer>,
        /// Whether it is this side's part to call: true on one of the two sides, that of the smaller key.
        calls: bool,
    }
}
record! {
    /// No tracker can do what `Node.pair` asks; the node waits no longer.
    PairingFailed extends Event {
        /// Why, an `Error`.
        error: Py<PyAny>,
    }
}
record! {
    /// Somebody calls: answer or reject it. When this event and its call are let go, it is declined.
    Incoming extends Event {
        /// The call.
        call: Py<PyAny>,
    }
}
record! {
    /// It rings at the peer.
    Ringing extends Event {
        /// The call.
        call: Py<PyAny>,
    }
}
record! {
    /// The call was answered, here or there.
    Answered extends Event {
        /// The call.
        call: Py<PyAny>,
    }
}
record! {
    /// There is an encrypted path: sound can flow.
    Connected extends Event {
        /// The call.
        call: Py<PyAny>,
    }
}
record! {
    /// The words by which two people check that nobody sits between them are known: right after
    /// `Connected`, some seconds later on a line that loses packets, never for a peer of a version
    /// without them. See `Call.verification_words`.
    VerificationReady extends Event {
        /// The call.
        call: Py<PyAny>,
        /// The four words, a tuple: the same at both ends.
        words: Py<PyTuple>,
    }
}
record! {
    /// The first sound of the peer was handed to playout.
    FirstAudio extends Event {
        /// The call.
        call: Py<PyAny>,
    }
}
record! {
    /// The peer muted or unmuted its microphone. Of ten changes one soon after the other each is
    /// told, of more than that not every one.
    PeerMuted extends Event {
        /// The call.
        call: Py<PyAny>,
        /// Muted now.
        muted: bool,
    }
}
record! {
    /// Nothing is heard of the peer any more, or nothing was from the beginning.
    /// The call goes on. Told once: another of these means another reason, and `MediaResumed` that it
    /// is over.
    MediaSilent extends Event {
        /// The call.
        call: Py<PyAny>,
        /// Why, a `SilenceReason`.
        reason: Py<PyAny>,
    }
}
record! {
    /// What `MediaSilent` told is over: sound comes again, or the peer is no longer muted.
    MediaResumed extends Event {
        /// The call.
        call: Py<PyAny>,
    }
}
record! {
    /// Nothing comes of the peer any more, not even a sign of life: the path to it is lost, and
    /// another one is looked for. The call goes on; without a path for 45 s it ends.
    Reconnecting extends Event {
        /// The call.
        call: Py<PyAny>,
    }
}
record! {
    /// There is a path again: what `Reconnecting` told is over.
    Reconnected extends Event {
        /// The call.
        call: Py<PyAny>,
    }
}
record! {
    /// The call is over.
    Ended extends Event {
        /// The call.
        call: Py<PyAny>,
        /// Why, an `EndReason`.
        reason: Py<PyAny>,
    }
}
record! {
    /// A name that is pinned to one key was used by another; the call was refused. See
    /// `Node.accept_key`.
    KeyChanged extends Event {
        /// The name.
        name: String,
        /// The key it is pinned to.
        pinned: PeerId,
        /// The key that used it now.
        offered: PeerId,
    }
}
record! {
    /// Somebody in the mesh has written. What this node's own user writes is not told.
    TextReceived extends Event {
        /// What, a `Text`.
        text: Py<Text>,
    }
}
record! {
    /// Texts of this node's have come to the peer they are for.
    TextDelivered extends Event {
        /// To whom, a `PeerId`.
        to: PeerId,
        /// Which, a tuple of `TextId`.
        ids: Py<PyTuple>,
    }
}
record! {
    /// Texts of an author are not to be had any more from anybody; others that came after them follow.
    TextsMissing extends Event {
        /// Whose, a `PeerId`.
        author: PeerId,
        /// How many, those for others included.
        count: u32,
    }
}
record! {
    /// The file that keeps texts cannot be written: what comes now is lost when the node is closed. Told
    /// once, and again if it has worked in between.
    HistoryFailed extends Event {
        /// Why, an `Error`.
        error: Py<PyAny>,
    }
}
record! {
    /// Another microphone or loudspeaker is in use than before, or none.
    DeviceChanged extends Event {
        /// Which of the two, a `DeviceDirection`.
        direction: Py<PyAny>,
        /// The `AudioDevice` in use now; `None` while there is none.
        device: Option<Py<AudioDevice>>,
        /// Why, a `DeviceChange`.
        change: Py<PyAny>,
    }
}
record! {
    /// The queue overflowed and events were dropped, first those about what can be read again: who is
    /// online, texts, which devices are in use, whether the peers of calls are muted or silent. Read these
    /// and the states of calls again.
    Lagged extends Event {
    }
}

/// An event as its Python object; `wrap` makes that of its call.
pub(crate) fn to_python<'py>(
    py: Python<'py>,
    event: core::Event<core::Call>,
    wrap: impl Fn(core::Call) -> PyResult<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    use core::Event as E;
    let peer = |peer| Py::new(py, Peer::new(py, peer)?);
    match event {
        E::Registered { tracker, online } => make(py, Registered { tracker, online }),
        E::TrackerLost { tracker, error } => {
            let error = exception(py, &error).into_value(py).into_any();
            make(py, TrackerLost { tracker, error })
        }
        E::Joined { peer: who, online } => make(py, Joined { peer: peer(who)?, online }),
        E::Changed { peer: who } => make(py, Changed { peer: peer(who)? }),
        E::Left { name, id, online } => make(py, Left { name, id: PeerId(id), online }),
        E::Paired { peer: who, calls } => make(py, Paired { peer: peer(who)?, calls }),
        E::PairingFailed { error } => {
            let error = exception(py, &error).into_value(py).into_any();
            make(py, PairingFailed { error })
        }
        E::Incoming { call } => make(py, Incoming { call: wrap(call)? }),
        E::Ringing { call } => make(py, Ringing { call: wrap(call)? }),
        E::Answered { call } => make(py, Answered { call: wrap(call)? }),
        E::Connected { call } => make(py, Connected { call: wrap(call)? }),
        E::VerificationReady { call, words } => {
            let words = PyTuple::new(py, words)?.unbind();
            make(py, VerificationReady { call: wrap(call)?, words })
        }
        E::FirstAudio { call } => make(py, FirstAudio { call: wrap(call)? }),
        E::PeerMuted { call, muted } => make(py, PeerMuted { call: wrap(call)?, muted }),
        E::MediaSilent { call, reason } => {
            let reason = member(py, "SilenceReason", reason)?;
            make(py, MediaSilent { call: wrap(call)?, reason })
        }
        E::MediaResumed { call } => make(py, MediaResumed { call: wrap(call)? }),
        E::Reconnecting { call } => make(py, Reconnecting { call: wrap(call)? }),
        E::Reconnected { call } => make(py, Reconnected { call: wrap(call)? }),
        E::Ended { call, reason } => {
            make(py, Ended { call: wrap(call)?, reason: member(py, "EndReason", reason)? })
        }
        E::KeyChanged { name, pinned, offered } => {
            make(py, KeyChanged { name, pinned: PeerId(pinned), offered: PeerId(offered) })
        }
        E::Text { text } => {
            let text = Py::new(py, Text::new(py, text)?)?;
            make(py, TextReceived { text })
        }
        E::TextDelivered { to, ids } => {
            let ids = PyTuple::new(py, ids.into_iter().map(TextId::from))?.unbind();
            make(py, TextDelivered { to: PeerId(to), ids })
        }
        E::TextsMissing { author, count } => {
            make(py, TextsMissing { author: PeerId(author), count })
        }
        E::HistoryFailed { error } => {
            let error = exception(py, &error).into_value(py).into_any();
            make(py, HistoryFailed { error })
        }
        E::DeviceChanged { direction, device, change } => {
            let direction = member(py, "DeviceDirection", direction)?;
            let device = device.map(|d| Py::new(py, AudioDevice::new(py, d)?)).transpose()?;
            make(
                py,
                DeviceChanged { direction, device, change: member(py, "DeviceChange", change)? },
            )
        }
        // `Lagged`, and what a later version of the library may tell: both mean "look again".
        _ => make(py, Lagged {}),
    }
}

fn make<T>(py: Python<'_>, event: T) -> PyResult<Bound<'_, PyAny>>
where
    T: PyClass<BaseType = Event> + PyTypeInfo,
{
    let event = PyClassInitializer::from(Event).add_subclass(event);
    Ok(Bound::new(py, event)?.into_any())
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Event>()?;
    module.add_class::<Registered>()?;
    module.add_class::<TrackerLost>()?;
    module.add_class::<Joined>()?;
    module.add_class::<Changed>()?;
    module.add_class::<Left>()?;
    module.add_class::<Paired>()?;
    module.add_class::<PairingFailed>()?;
    module.add_class::<Incoming>()?;
    module.add_class::<Ringing>()?;
    module.add_class::<Answered>()?;
    module.add_class::<Connected>()?;
    module.add_class::<VerificationReady>()?;
    module.add_class::<FirstAudio>()?;
    module.add_class::<PeerMuted>()?;
    module.add_class::<MediaSilent>()?;
    module.add_class::<MediaResumed>()?;
    module.add_class::<Reconnecting>()?;
    module.add_class::<Reconnected>()?;
    module.add_class::<Ended>()?;
    module.add_class::<KeyChanged>()?;
    module.add_class::<TextReceived>()?;
    module.add_class::<TextDelivered>()?;
    module.add_class::<TextsMissing>()?;
    module.add_class::<HistoryFailed>()?;
    module.add_class::<DeviceChanged>()?;
    module.add_class::<Lagged>()
}
