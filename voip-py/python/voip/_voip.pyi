"""The native half of ``voip``."""

from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from pathlib import Path
from types import GenericAlias, TracebackType
from typing import ClassVar, Final, Generic, Literal, Self, TypeAlias, final, type_check_only

from typing_extensions import Buffer, TypeVar

from ._enums import (
    Application,
    CallState,
    CheckKind,
    ContactState,
    Departure,
    DeviceChange,
    DeviceDirection,
    EndReason,
    ErrorKind,
    FrameDuration,
    Presence,
    Quality,
    Reject,
    SilenceReason,
    Verdict,
    WireDirection,
)
from ._errors import Error

__all__ = [
    "All",
    "Answered",
    "AudioDevice",
    "Call",
    "CallPeer",
    "CallStats",
    "Changed",
    "Check",
    "Connected",
    "Contact",
    "DeviceChanged",
    "DeviceStats",
    "Devices",
    "EncoderConfig",
    "Ended",
    "Event",
    "FirstAudio",
    "HistoryFailed",
    "Incoming",
    "JitterConfig",
    "JitterSecond",
    "Joined",
    "KeyChanged",
    "Lagged",
    "Left",
    "Manual",
    "MediaResumed",
    "MediaSilent",
    "Node",
    "NodeStats",
    "Paired",
    "PairingFailed",
    "Peer",
    "PeerId",
    "PeerMuted",
    "Reconnected",
    "Reconnecting",
    "Registered",
    "Report",
    "Ringing",
    "Room",
    "Stages",
    "Text",
    "TextDelivered",
    "TextId",
    "TextReceived",
    "TextsMissing",
    "Tracker",
    "TrackerEvent",
    "TrackerLost",
    "TrackerStats",
    "VERSION",
    "VerificationReady",
    "Wav",
    "devices",
    "doctor",
]

VERSION: Final[str]
"""The version of the library, as in "0.1.0"."""

_CallT = TypeVar("_CallT", default=Call)
_OtherT = TypeVar("_OtherT")
_Device: TypeAlias = str | AudioDevice | None

# What begins with an underscore is for the rest of the package.
def _end_reason(member: EndReason) -> tuple[str, ErrorKind]: ...
def _silence_reason(member: SilenceReason) -> str: ...
def _check_kind(member: CheckKind) -> str: ...
def _verdict(member: Verdict) -> str: ...
@final
class Node:
    """One participant: it has a name and a key, is registered at its trackers, and calls and is called.

    `name` has 1 to 64 bytes of UTF-8 without control characters.
    `trackers`: up to 16; the node is registered at all of them. Each is "host:port" (plain TCP), or
    "tls://host:port": TLS 1.3, with a certificate for that host by an authority that the system trusts.
    "#ca=FILE" behind it names another authority, a PEM file, and "#sha256=DIGITS" the one key to trust,
    as `Tracker.key_sha256` tells it.
    `bind`: the local address and UDP port, "ip:port"; the default is any free port, the same one for
    IPv4 and IPv6.
    `identity_file` holds the key; made if it is not there. Names of peers are pinned to their keys on
    first use and kept beside it. Without one the key lives as long as the node.
    `audio` is a `Devices` (the default: the system's microphone and loudspeaker), a `Manual`, a `Wav`, or
    `None`: says nothing and plays nothing.
    `encoder` is an `EncoderConfig`, `jitter` a `JitterConfig`; `None` is one of defaults.
    `auto_answer`: whether incoming calls are answered at once.
    `contacts_only`: whether only those may call that `set_contact` was told are accepted or verified, and
    whoever is being called just then; all others, a contact's name with another key included, are refused
    as if they were blocked.
    `ring_timeout`: how long an outgoing call rings, 1 to 600 s.
    `max_calls`: calls at one time, 1 to 32; one more is answered "busy".
    `turn_servers`: relays beside those of the trackers, up to 4, each a tuple of a URI,
    "turn:host[:port][?transport=udp|tcp]" or "turns:host[:port]" (TLS), and the name and the password that it wants.
    `relay_only=True`: peers learn no address of this host, calls go through relays only; without one they fail
    as `Unreachable`.
    `mesh`: whether to take part in the mesh of nodes that needs no tracker: the node listens for others,
    TCP on its own port number, and is reached by them and whoever they know.
    `connect`: takes part in the mesh, and begins with the nodes that listen at these addresses,
    "host:port", up to 64. One that cannot be reached is tried again, ever more seldom, up to once a minute.
    `lan`: whether a node of the mesh announces itself on its local network, key and port, and finds others
    there, by multicast DNS (RFC 6762); one that is bound to a loopback address does not.
    `history_file`: in which texts of the mesh are kept from one start to the next, those of others
    included; made if it is not there, readable by its owner only. Texts for one peer are encrypted in it,
    others are not. Without one they are kept as long as the node runs, and others have them.

    Does not wait for the trackers: see `wait_registered`. The end of a `with` block closes the node; so do
    dropping it and the end of the program, when other threads that still wait end as by `sys.exit()`.
    Raises `InvalidArgument` naming the argument, `AddressInUse`, `FileError` for the identity, its pins
    the history or a WAV file, `SystemError`.
    """

    def __new__(
        cls,
        name: str,
        *,
        trackers: Iterable[str] = (),
        bind: str = "[::]:0",
        identity_file: str | PathLike[str] | None = None,
        audio: Devices | Manual | Wav | None = ...,
        encoder: EncoderConfig | None = None,
        jitter: JitterConfig | None = None,
        auto_answer: bool = False,
        contacts_only: bool = False,
        ring_timeout: float = 45.0,
        max_calls: int = 1,
        turn_servers: Iterable[tuple[str, str, str]] = (),
        relay_only: bool = False,
        mesh: bool = False,
        connect: Iterable[str] = (),
        lan: bool = True,
        history_file: str | PathLike[str] | None = None,
    ) -> Self: ...
    @property
    def name(self) -> str:
        """The name."""
    @property
    def id(self) -> PeerId:
        """The key, a `PeerId`."""
    @property
    def local_address(self) -> str:
        """The local UDP address, "ip:port"; of the IPv4 socket if there are two."""
    @property
    def closed(self) -> bool:
        """Whether the node was closed, or belongs to the process before a fork."""
    def wait_registered(self, timeout: float | None = None) -> None:
        """Waits until one tracker has accepted this node. Raises `NameTaken` at once, and
        `TrackerUntrusted` if there is no other tracker; after `timeout` seconds the reason of the last refusal (`TrackerUnreachable` …) or `TimedOut`. The node keeps
        trying.
        """
    def peers(self, timeout: float | None = None) -> list[Peer]:
        """Who is online, by name, a list of `Peer`: the lists of all trackers that answer and the nodes of the
        mesh, each peer once, this node included. Raises `TrackerUnreachable` with neither, `TimedOut`: trackers have
        `timeout` seconds and never more than 5.
        """
    def place(self, target: str | PeerId, *, ring_timeout: float | None = None) -> Call:
        """Calls somebody: a name, or a key as `PeerId` or its 64 hexadecimal digits. Returns a `Call` at
        once; what becomes of it is told by events and by `Call.wait_answered`. It rings for
        `ring_timeout` seconds, 1 to 600; `None` is what the node has. Raises `InvalidArgument` for what
        is no name, or this node's own; `Closed`.
        """
    def call(self, target: str | PeerId, *, ring_timeout: float | None = None) -> Call:
        """`place`, then waits until the call is answered. Raises what it has ended with instead: `Busy`,
        `Declined`, `NoAnswer`, `UnknownPeer`, `TrackerUnreachable`, `Unreachable` … Ctrl-C cancels
        the call.
        """
    def pair(self) -> None:
        """Waits for somebody who waits for somebody, too, at any of the trackers: they are handed to each
        other, first come, first served, and `Paired` tells both. Returns at once; does nothing if this node
        waits already. It waits until somebody comes or `unpair`, and again at a tracker that was lost and is
        back.

        Nothing else happens by itself: the side whose event says `calls` calls the other, `place(event.peer.id)`,
        and the other lets itself be called. Whoever is not called within ten seconds should ask again: the
        other may have met somebody at another tracker, given up, or blocked this node. Whom this node has
        blocked, strangers with `contacts_only` and names pinned to other keys are passed over: it asks again
        by itself after one to three seconds.

        `PairingFailed` tells that it has no tracker (`TrackerUnreachable`), or that all are of older versions,
        which cannot pair (`InvalidState`). Raises `Closed`.
        """
    def unpair(self) -> None:
        """Waits for nobody any more. Nothing happens if it did not. A `Paired` may be among the events already.
        Raises `Closed`.
        """
    def connect(self, address: str) -> None:
        """Links this node to the one that listens at this address, "host:port", and so to all that it knows.
        Returns at once; an address that cannot be reached is tried again, ever more seldom, up to once a
        minute. Raises `InvalidArgument` for what is no address; `InvalidState` unless the node takes part
        in the mesh; `Closed`.
        """
    def send_text(self, to: All | Room | PeerId, text: str, timeout: float | None = None) -> TextId:
        """Writes a text to everybody in the mesh, a room or a peer: `to` is `All()`, a `Room` or a `PeerId`.
        Returns its `TextId`. It is kept by everybody there, within bounds, so that who is away gets it when
        it is back: the last 1,000 texts or 1 MiB of an author at least. One for a peer only that peer can
        read, and `TextDelivered` tells when it has arrived. Waits for the node's own thread only.

        Raises `InvalidArgument` for a text that is empty, longer than 8 KiB or with control characters other
        than line breaks and tabs, a room's name or a key that is none, oneself; `Busy` for more than 50 texts at once
        and 5 a second; `InvalidState` unless the node takes part in the mesh; `TimedOut` after `timeout`
        seconds, though it may be written all the same; `Closed`.
        """
    def history(
        self,
        of: All | Room | PeerId,
        *,
        before: TextId | None = None,
        limit: int = 100,
        timeout: float | None = None,
    ) -> list[Text]:
        """Earlier texts of all, of a room, or with a peer, this node's own included, a list of `Text`: the last
        `limit` (1,000 at most), or the last of those that came before the text `before`, a `TextId`. The
        oldest comes first. A text that is not kept any more has none before it.

        Raises `InvalidState` unless the node takes part in the mesh; `TimedOut` after `timeout` seconds;
        `Closed`.
        """
    def next_event(self, timeout: float | None = None) -> Event | None:
        """Waits for the next event; `None` after `timeout` seconds. Raises `Closed`."""
    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """The events as they come, until the node is closed or `timeout` seconds pass without one."""
    def event_descriptor(self) -> int:
        """The number of a descriptor that is readable while events wait: for `select` and event loops.
        Only to wait on; read the events with `next_event(0)`. It lives as long as this object.
        """
    def fileno(self) -> int:
        """`event_descriptor()`: so that `select` and `selectors` take the node itself."""
    def accept_key(self, name: str, id: PeerId) -> None:
        """Accepts that `name` now belongs to another key, as the event `KeyChanged` offered it. Ask the
        person over another way first. Its owner stays a contact, or blocked; but is not verified any
        more. Raises `InvalidArgument` for what is no name; `InvalidState` when 65,536 names are pinned;
        `Closed`.
        """
    def contacts(self) -> list[Contact]:
        """All whose names are pinned to keys, by name, a list of `Contact`: with an identity file whoever
        was in a call under a name, and in any case whom `set_contact` was told of.
        """
    def set_contact(self, name: str, id: PeerId, state: ContactState) -> None:
        """Says what the owner of `name`, whose key is `id`, is to the user, and pins the name to the key
        whatever it was pinned to before; `state` is a `ContactState`. It is kept where the pinned names
        are.

        `BLOCKED`: a call with that key ends, and later ones are refused unheard, under any name, as are
        those of other keys under this name. No event tells of them; `NodeStats.signals_dropped` counts.
        The caller is told what all are told whose calls nobody answers: that it rings, or that this node is in
        another call if it is, and in the end that nobody came. The user may still call whom they have
        blocked. `SEEN` takes that, or that they were a contact, back.

        Raises `InvalidArgument` for what is no name, `InvalidState` when 65,536 names are pinned,
        `Closed`.
        """
    def forget_contact(self, name: str) -> None:
        """Forgets `name` and what its owner was: the next key that uses it is taken for theirs. Nothing
        happens if it is not pinned. Raises `InvalidArgument` for what is no name; `Closed`.
        """
    def safety_number(self, id: PeerId) -> str:
        """The number that this node's key and the key `id` have in common: 60 digits, twelve groups of five
        with a space between. Two people who read it out to each other, or compare it in any other way
        that nobody can forge, know that each has the other's key; it is the same for every call. It takes
        some milliseconds to compute.
        """
    def choose_device(self, direction: DeviceDirection, device: _Device) -> None:
        """Uses another microphone or loudspeaker from now on, calls under way included: `direction` is a
        `DeviceDirection`, `device` as in `Devices`. `DeviceChanged` tells what came of it. Raises
        `InvalidState` if the node's audio is not that of devices; `Closed`.
        """
    def stats(self) -> NodeStats:
        """Statistics, a `NodeStats`: at most 0.2 s old."""
    def _next_event(self, wrap: Callable[[Call], _OtherT]) -> Event[_OtherT] | None: ...
    def _rest_descriptor(self) -> bool: ...
    def close(self) -> None:
        """Ends all calls, leaves the trackers and stops, within half a second. Whoever waits for this node
        or its calls in another thread gets `Closed`. A second time does nothing.
        """
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...

@final
class Call:
    """A call: made by `Node.call` and `Node.place`, or handed over by an event.

    Several of these objects can be the same call; they are equal then. When the last one is dropped the
    call is hung up, without waiting; the end of a `with` block hangs up, too. (A call that the node
    answered by itself, `auto_answer=True`, stays up until somebody hangs up.) What does not say that it
    waits does not.
    """

    @property
    def peer(self) -> CallPeer:
        """Who is at the other end, a `CallPeer`."""
    @property
    def state(self) -> CallState:
        """Where the call stands, a `CallState`."""
    @property
    def end_reason(self) -> EndReason | None:
        """Why the call is over, an `EndReason`; `None` while it is not."""
    @property
    def muted(self) -> bool:
        """Whether the microphone of this side is muted; may be set. Muted, no voice packet leaves at
        all.
        """
    @muted.setter
    def muted(self, value: bool, /) -> None: ...
    @property
    def peer_muted(self) -> bool:
        """Whether the peer says that its microphone is muted."""
    @property
    def peer_silence(self) -> SilenceReason | None:
        """Why nothing is heard of the peer at present, a `SilenceReason`; `None` while all is well, and
        when the call is over.
        """
    @property
    def verification_words(self) -> tuple[str, str, str, str] | None:
        """Four words, a tuple, that are the same at both ends of this call, unless somebody sits between them
        and talks to each in the other's name: the two people read them to each other, one two and the
        other two, and hang up if they differ. `None` until the call is connected and `VerificationReady`
        has come, and for good if the peer's version knows no such words: then nothing is verified.

        Whoever sits in the middle has one guess for each call, and one of 4,294,967,296 is right: the words
        depend on what both ends chose before either could know the other's choice.
        """
    def stats(self) -> CallStats:
        """Statistics, a `CallStats`: at most 0.2 s old, and the final ones of a call that has ended."""
    def answer(self) -> None:
        """Answers an incoming call; `Connected` follows. Keep the call: dropped, it is hung up. Raises
        `InvalidState` if it does not ring here, and what the call has ended with if it has.
        """
    def reject(self, how: Reject = Reject.DECLINED) -> None:
        """Refuses an incoming call; `how` is a `Reject`. Raises as `answer`."""
    def hang_up(self) -> None:
        """Ends the call in whatever state it is: cancels, declines or hangs up. Twice is once."""
    def wait_answered(self, timeout: float | None = None) -> None:
        """Waits until the call is answered. Raises what it has ended with instead: `Busy`, `Declined`,
        `NoAnswer` …; and `TimedOut` after `timeout` seconds, while the call goes on.
        """
    def wait_connected(self, timeout: float | None = None) -> None:
        """Waits until sound can flow. Raises as `wait_answered`."""
    def wait_ended(self, timeout: float | None = None) -> EndReason:
        """Waits until the call is over and says why, an `EndReason`. Raises `TimedOut` after `timeout`
        seconds, while the call goes on.
        """
    def write(self, data: Buffer, timeout: float | None = None) -> int:
        """Manual PCM: says what is in `data`, any C-contiguous buffer of `int16` or `float32` (−1.0 to 1.0)
        such as an `array.array` or a numpy array; bytes are `int16`, little endian. Returns the
        number of frames accepted: all, or fewer when `timeout` seconds passed.

        Each complete packet leaves at once. Whoever writes faster than real time is paced: the queue
        holds 200 ms, then this waits. What is written before the call is connected is spoken to nobody,
        in real time. Whoever writes nothing sends nothing, which the peer is told after 0.9 s; a program
        that only listens sets `muted` instead.

        Raises the end of the call (`CallEnded` …), `TimedOut` if nothing was accepted in time,
        `InvalidState` without `audio=voip.Manual(…)`; `TypeError` for what holds no such samples,
        `InvalidArgument` for a buffer of another shape. What was accepted is sent, even if Ctrl-C
        ends the wait.
        """
    def read(
        self,
        frames: int | None = None,
        *,
        dtype: Literal["int16", "float32"] = "int16",
        timeout: float | None = None,
    ) -> bytes:
        """Manual PCM: hears exactly `frames` frames (`None`: the `blocksize` of `voip.Manual`), as bytes
        of `dtype` "int16" (little endian) or "float32".

        Reading *is* the playout clock of this call: sound is decoded on demand, and whoever reads early
        waits. If nobody reads for 200 ms time goes on without the reader, and `CallStats.unread_ms` counts
        what was not heard. Before the call is connected this hears silence.

        Raises the end of the call (`CallEnded` …), `TimedOut` after `timeout` seconds, when nothing is
        lost and a later call reads it; `InvalidState` without `audio=voip.Manual(…)`.
        """
    def read_into(self, buffer: Buffer, timeout: float | None = None) -> None:
        """Manual PCM: `read` into a writable C-contiguous buffer of `int16` or `float32`, or of bytes
        (`int16`, little endian), which it fills.
        """
    def _speech(self, data: Buffer) -> _Speech: ...
    def _write_now(self, speech: _Speech, skip: int) -> tuple[int, int]: ...
    def pcm_descriptor(self) -> int:
        """Manual PCM: the number of a descriptor for `select` and event loops, which read and write with
        `timeout=0`. After a read that came too early, or a write that could not do all it was asked, it
        becomes readable as soon as so much sound is there, or room for more; the next read or write
        makes it unreadable. When the call is over it is readable for good. Ask for it before the first
        read or write. Only to wait on; it lives as long as this object.
        """
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...

@final
@type_check_only
class _Speech: ...

@final
class Devices:
    """Sound cards of this system, opened while calls need them.

    `device` means what it means to sounddevice: `None` for the system's default, a device's name, id
    or `AudioDevice`, or a pair `(input, output)` of these. A part of a name is enough if it fits
    one device only. `"off"` is none: silence. A device that is not there is used as soon as it is,
    and the default until then. `DeviceChanged` tells which one is in use, and that there is none.
    """

    __match_args__: ClassVar[tuple[Literal["input"], Literal["output"]]]
    @property
    def input(self) -> str | AudioDevice | None:
        """The microphone as it was asked for."""
    @property
    def output(self) -> str | AudioDevice | None:
        """The loudspeaker as it was asked for."""
    def __new__(cls, device: _Device | tuple[_Device, _Device] = None) -> Self: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Manual:
    """The program itself writes and reads PCM, call by call: `Call.write`, `Call.read`.

    A voice is mono: with more `channels` the samples of a frame lie side by side, are averaged on
    the way in and are all the same on the way out.
    """

    __match_args__: ClassVar[tuple[Literal["samplerate"], Literal["channels"], Literal["blocksize"]]]
    @property
    def samplerate(self) -> int:
        """Frames per second, 8 000 to 192 000."""
    @property
    def channels(self) -> int:
        """Samples per frame, 1 to 32."""
    @property
    def blocksize(self) -> int:
        """Frames that `Call.read()` gives when not told how many."""
    def __new__(
        cls, samplerate: int = 48000, channels: int = 1, blocksize: int | None = None
    ) -> Self: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Wav:
    """A WAV file is the microphone, played once in real time while calls are connected and followed
    by digital silence; what is heard is recorded. Any rate of 8 to 192 kHz, any channels.
    """

    __match_args__: ClassVar[tuple[Literal["play"], Literal["record"]]]
    @property
    def play(self) -> Path | None:
        """The microphone, a path; `None` is silence."""
    @property
    def record(self) -> Path | None:
        """The recording, a path: 48 kHz mono 16 bit; an existing file is replaced. `None` keeps
        nothing.
        """
    def __new__(
        cls,
        play: str | PathLike[str] | None = None,
        record: str | PathLike[str] | None = None,
    ) -> Self: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class AudioDevice:
    """A microphone or a loudspeaker that this system has."""

    __match_args__: ClassVar[tuple[Literal["id"], Literal["name"], Literal["direction"], Literal["is_default"]]]
    @property
    def id(self) -> str:
        """Names it in `Devices(…)` and `Node.choose_device`, the same one after the next start:
        `host:id`, as in `alsa:default`.
        """
    @property
    def name(self) -> str:
        """A name for people."""
    @property
    def direction(self) -> DeviceDirection:
        """Microphone or loudspeaker, a `DeviceDirection`."""
    @property
    def is_default(self) -> bool:
        """Whether it is the system's default now."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class DeviceStats:
    """How a device in use is doing."""

    __match_args__: ClassVar[tuple[Literal["device"], Literal["rate"], Literal["channels"], Literal["callback_frames"], Literal["delay_ms"], Literal["drift_ppm"], Literal["missed_ms"], Literal["xruns"], Literal["errors"]]]
    @property
    def device(self) -> AudioDevice:
        """The device, an `AudioDevice`."""
    @property
    def rate(self) -> int:
        """Its sample rate, Hz."""
    @property
    def channels(self) -> int:
        """Its channels."""
    @property
    def callback_frames(self) -> int:
        """Samples per channel in its last callback."""
    @property
    def delay_ms(self) -> float:
        """Delay between the air and the library, milliseconds: the device's own buffers, the ring
        and the resampler.
        """
    @property
    def drift_ppm(self) -> float:
        """How fast its clock was found to run against the system's, parts per million; taken out by
        resampling.
        """
    @property
    def missed_ms(self) -> float:
        """Milliseconds of sound that were not there in time (loudspeaker) or found no room
        (microphone).
        """
    @property
    def xruns(self) -> int:
        """Buffer overruns and underruns that the system reported."""
    @property
    def errors(self) -> int:
        """Other errors that the system reported."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

def devices(timeout: float | None = 5.0) -> list[AudioDevice]:
    """The microphones and loudspeakers that this system has now; none where there is no sound system.
    Raises `TimedOut` after `timeout` seconds: a sound server that hangs is not waited for.
    """

@final
class Check:
    """One check of `doctor`."""

    __match_args__: ClassVar[tuple[Literal["what"], Literal["subject"], Literal["verdict"], Literal["measured"], Literal["advice"]]]
    @property
    def what(self) -> CheckKind:
        """What was looked at, a `CheckKind`."""
    @property
    def subject(self) -> str:
        """Which one: the tracker's or the device's name; empty where there is but one."""
    @property
    def verdict(self) -> Verdict:
        """What came of it, a `Verdict`."""
    @property
    def measured(self) -> str:
        """What was found, in words."""
    @property
    def advice(self) -> str:
        """What to change, in words; empty if there is nothing."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Report:
    """All that `doctor` found."""

    __match_args__: ClassVar[tuple[Literal["checks"], Literal["good"], Literal["json"]]]
    @property
    def checks(self) -> tuple[Check, ...]:
        """`Check`s, one after the other: this machine, its devices, each tracker, the router."""
    @property
    def good(self) -> bool:
        """Whether nothing is bad."""
    @property
    def json(self) -> str:
        """The same as JSON: an object with a list `checks`."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

def doctor(trackers: Iterable[str] = (), *, input: _Device = None, output: _Device = None, timeout: float | None = 15.0) -> Report:
    """Says why a call would not work here, and what to change.

    Opens the devices, has two nodes of this program call each other on this machine, and asks each
    tracker for all that a call needs of it. At a tracker it is registered for a moment, with a key and a
    name (`doctor-…`) of its own. `trackers` are written as for `Node`, up to 16; two of different hosts tell the
    kind of router, too. `input` and `output` are as in `Devices`; `"off"` leaves them out. It takes at most
    `timeout`, 1 s to 10 min, and half a second. Raises `InvalidArgument`.
    """

@final
class EncoderConfig:
    """Options of the encoder, for `Node(encoder=…)`. A value out of its range raises
    `InvalidArgument`.
    """

    __match_args__: ClassVar[tuple[Literal["bitrate"], Literal["complexity"], Literal["frame"], Literal["fec"], Literal["dtx"], Literal["expected_loss"], Literal["application"]]]
    @property
    def bitrate(self) -> int:
        """Bits per second, 6 000 to 510 000. 32 000 is full-band speech with room for FEC.
        A call makes less while its packets queue up.
        """
    @property
    def complexity(self) -> int:
        """Effort, 0 to 10. 5 takes a quarter less CPU time than 9 for little audible loss."""
    @property
    def frame(self) -> FrameDuration:
        """Sound per packet, a `FrameDuration`."""
    @property
    def fec(self) -> bool:
        """In-band forward error correction: a packet carries a coarse copy of the one before
        (RFC 6716 §2.1.7). While a peer reports that packets are lost in bursts, which copies cannot
        mend, a call sends each packet twice in its place, at half the bits (RFC 2198).
        """
    @property
    def dtx(self) -> bool:
        """Discontinuous transmission: next to nothing is sent in silence (RFC 6716 §2.1.9)."""
    @property
    def expected_loss(self) -> int:
        """Packet loss to prepare for, in per cent, 0 to 100. A call prepares for more, up to 30, when
        its peer reports more.
        """
    @property
    def application(self) -> Application:
        """What to optimise for, an `Application`."""
    def __new__(
        cls,
        *,
        bitrate: int = 32000,
        complexity: int = 5,
        frame: FrameDuration = FrameDuration.MS20,
        fec: bool = True,
        dtx: bool = False,
        expected_loss: int = 10,
        application: Application = Application.VOIP,
    ) -> Self: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class JitterConfig:
    """Options of the jitter buffer, for `Node(jitter=…)`, in seconds. A value out of its range
    raises `InvalidArgument`.
    """

    __match_args__: ClassVar[tuple[Literal["min_delay"], Literal["max_delay"], Literal["quality"]]]
    @property
    def min_delay(self) -> float:
        """Delay over the fastest packet that is kept even on a perfect line, 0 to `max_delay`."""
    @property
    def max_delay(self) -> float:
        """Delay over the fastest packet that is never exceeded for long, up to 0.6. Beyond 0.4
        talking turns into taking turns (ITU-T G.114).
        """
    @property
    def quality(self) -> int:
        """What sound without gaps is worth: so many milliseconds of delay for each per cent of the
        sound that would otherwise be made up, 0 to 1000. 10 is for playing music together,
        300 for listening.
        """
    def __new__(
        cls, *, min_delay: float = 0.0, max_delay: float = 0.4, quality: int = 35
    ) -> Self: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class PeerId:
    """A peer *is* its Ed25519 public key (RFC 8032): 32 bytes, written as 64 hexadecimal digits."""

    def __new__(cls, digits: str) -> Self: ...
    def short(self) -> str:
        """The first eight hexadecimal digits: enough to tell two peers of one name apart on a screen,
        not enough to trust.
        """
    def __bytes__(self) -> bytes: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __lt__(self, other: PeerId, /) -> bool: ...
    def __le__(self, other: PeerId, /) -> bool: ...
    def __gt__(self, other: PeerId, /) -> bool: ...
    def __ge__(self, other: PeerId, /) -> bool: ...

@final
class Peer:
    """A peer as a tracker lists it; its record was signed by the peer's own key."""

    __match_args__: ClassVar[tuple[Literal["name"], Literal["id"], Literal["presence"], Literal["since"]]]
    @property
    def name(self) -> str:
        """The name it registered."""
    @property
    def id(self) -> PeerId:
        """Its key, a `PeerId`."""
    @property
    def presence(self) -> Presence:
        """Whether it can be called, a `Presence`."""
    @property
    def since(self) -> float:
        """Online since, by the tracker's clock: seconds since 1970-01-01 UTC."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Contact:
    """Somebody whose name is pinned to a key."""

    __match_args__: ClassVar[tuple[Literal["name"], Literal["id"], Literal["state"]]]
    @property
    def name(self) -> str:
        """The name."""
    @property
    def id(self) -> PeerId:
        """The key it is pinned to, a `PeerId`."""
    @property
    def state(self) -> ContactState:
        """What they are to the user, a `ContactState`."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class CallPeer:
    """Who is at the other end of a call."""

    __match_args__: ClassVar[tuple[Literal["name"], Literal["id"]]]
    @property
    def name(self) -> str:
        """The name it registered, or the one that is being looked up."""
    @property
    def id(self) -> PeerId | None:
        """Its key, a `PeerId`; `None` until it is known."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class All:
    """Everybody in the mesh, as the audience of a text."""

    __match_args__: ClassVar[tuple[()]]
    def __new__(cls) -> Self: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Room:
    """Everybody who reads the room of this name, as the audience of a text. Its texts are not secret:
    everybody in the mesh hands them on, and can read them.
    """

    __match_args__: ClassVar[tuple[Literal["name"]]]
    @property
    def name(self) -> str:
        """The name: 1 to 64 bytes of UTF-8 without control characters."""
    def __new__(cls, name: str) -> Self: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class TextId:
    """Which text: each has another one. Those of one author are in order within a log."""

    __match_args__: ClassVar[tuple[Literal["author"], Literal["log"], Literal["seq"]]]
    @property
    def author(self) -> PeerId:
        """Who has written it, a `PeerId`."""
    @property
    def log(self) -> int:
        """When the author's program began to write, in milliseconds since 1970: each run of it is
        another log.
        """
    @property
    def seq(self) -> int:
        """Its place in the log, from 1 on."""
    def __new__(cls, author: PeerId, log: int, seq: int) -> Self: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Text:
    """A text in the mesh."""

    __match_args__: ClassVar[tuple[Literal["id"], Literal["name"], Literal["to"], Literal["text"], Literal["at"], Literal["late"]]]
    @property
    def id(self) -> TextId:
        """Which, a `TextId`."""
    @property
    def name(self) -> str:
        """What the author calls itself."""
    @property
    def to(self) -> All | Room | PeerId:
        """For whom: `All()`, a `Room`, or the `PeerId` of one peer."""
    @property
    def text(self) -> str:
        """What it says: up to 8 KiB of UTF-8 without control characters, but for line breaks and tabs."""
    @property
    def at(self) -> float:
        """When it was written, by the author's clock: seconds since 1970-01-01 UTC."""
    @property
    def late(self) -> bool:
        """It was written more than half a minute ago, while this node was away or did not get it. Only
        a late text may come out of order.
        """
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Stages:
    """Mouth-to-ear delay by stage, milliseconds, for the first sample of a packet."""

    __match_args__: ClassVar[tuple[Literal["capture"], Literal["encode"], Literal["network"], Literal["buffer"], Literal["decode"], Literal["playout"]]]
    @property
    def capture(self) -> float:
        """Waiting until a whole packet's worth of sound is there, and the device's own buffer."""
    @property
    def encode(self) -> float:
        """Computing time of the encoder plus its look-ahead."""
    @property
    def network(self) -> float:
        """Half the round-trip time measured by ICE."""
    @property
    def buffer(self) -> float:
        """Mean wait in the jitter buffer."""
    @property
    def decode(self) -> float:
        """Computing time of the decoder."""
    @property
    def playout(self) -> float:
        """Waiting behind the mixer: the device's own buffer."""
    @property
    def total(self) -> float:
        """The sum: mouth to ear, milliseconds."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class JitterSecond:
    """A second in the life of a call's jitter buffer."""

    __match_args__: ClassVar[tuple[Literal["target_ms"], Literal["delay_ms"], Literal["concealed_ms"], Literal["rebuilt_ms"], Literal["stretched_ms"], Literal["skipped_ms"], Literal["recovered"], Literal["repeated"], Literal["late"]]]
    @property
    def target_ms(self) -> float:
        """What was aimed at when it ended, milliseconds over the fastest packet."""
    @property
    def delay_ms(self) -> float:
        """How long packets waited when it ended, milliseconds."""
    @property
    def concealed_ms(self) -> int:
        """Milliseconds of sound made up; a gap counts in the second in which it turns out to be none
        of silence.
        """
    @property
    def rebuilt_ms(self) -> int:
        """Milliseconds of lost sound rebuilt from the deep redundancy of later packets (feature `dred`)."""
    @property
    def stretched_ms(self) -> int:
        """Milliseconds of sound put in to lengthen the delay."""
    @property
    def skipped_ms(self) -> int:
        """Milliseconds of sound left out to shorten it."""
    @property
    def recovered(self) -> int:
        """Lost packets whose copy in the next one was played."""
    @property
    def repeated(self) -> int:
        """Lost packets that came once more in a later one and were played."""
    @property
    def late(self) -> int:
        """Packets that came after their time."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class CallStats:
    """Statistics of one call."""

    __match_args__: ClassVar[tuple[Literal["packets_sent"], Literal["bytes_sent"], Literal["packets_received"], Literal["bytes_received"], Literal["packets_lost"], Literal["packets_late"], Literal["packets_duplicate"], Literal["packets_recovered"], Literal["packets_repeated"], Literal["loss_pct"], Literal["concealed_pct"], Literal["jitter_ms"], Literal["rtt_ms"], Literal["buffer_target_ms"], Literal["buffer_delay_ms"], Literal["stretched_ms"], Literal["skipped_ms"], Literal["rebuilt_ms"], Literal["stages_ms"], Literal["level_in_dbfs"], Literal["level_out_dbfs"], Literal["digital_silence"], Literal["path"], Literal["dropped"], Literal["unread_ms"], Literal["quality"], Literal["answer_ms"], Literal["first_audio_ms"], Literal["bitrate"], Literal["peer_loss_pct"], Literal["history"]]]
    @property
    def packets_sent(self) -> int:
        """RTP packets sent."""
    @property
    def bytes_sent(self) -> int:
        """Bytes of RTP payload sent."""
    @property
    def packets_received(self) -> int:
        """RTP packets received and authentic."""
    @property
    def bytes_received(self) -> int:
        """Bytes of RTP payload received."""
    @property
    def packets_lost(self) -> int:
        """Packets that never came in time for anything."""
    @property
    def packets_late(self) -> int:
        """Packets that came after their time."""
    @property
    def packets_duplicate(self) -> int:
        """Packets that came twice."""
    @property
    def packets_recovered(self) -> int:
        """Lost packets that in-band FEC (RFC 6716 §2.1.7) brought back."""
    @property
    def packets_repeated(self) -> int:
        """Packets that did not come, or not in time, and were played as they came once more in a later
        one (RFC 2198).
        """
    @property
    def loss_pct(self) -> float:
        """Lost packets, percent of those expected."""
    @property
    def concealed_pct(self) -> float:
        """Sound that was made up, percent of the sound played."""
    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter (RFC 3550 §6.4.1), milliseconds."""
    @property
    def rtt_ms(self) -> float | None:
        """Round-trip time by ICE, milliseconds; `None` until it is measured."""
    @property
    def buffer_target_ms(self) -> float:
        """What the jitter buffer aims at, milliseconds."""
    @property
    def buffer_delay_ms(self) -> float:
        """How long packets wait in the jitter buffer lately, milliseconds."""
    @property
    def stretched_ms(self) -> int:
        """Milliseconds of sound put in to lengthen that delay."""
    @property
    def skipped_ms(self) -> int:
        """Milliseconds of sound left out to shorten it."""
    @property
    def rebuilt_ms(self) -> int:
        """Milliseconds of lost sound rebuilt from the deep redundancy of later packets (feature `dred`)."""
    @property
    def stages_ms(self) -> Stages:
        """Mouth-to-ear delay by stage, a `Stages`."""
    @property
    def level_in_dbfs(self) -> float:
        """Level of the microphone, dBFS (RMS of the last frame), −127 for silence."""
    @property
    def level_out_dbfs(self) -> float:
        """Level of what is heard, dBFS, −127 for silence."""
    @property
    def digital_silence(self) -> bool:
        """Whether the microphone of this side has given nothing but digital silence, the same value
        over and over, for a second though it is not muted. The peer is told: `MediaSilent`.
        """
    @property
    def path(self) -> tuple[str, str] | None:
        """Local and remote address of the path in use; `None` without one."""
    @property
    def dropped(self) -> int:
        """Datagrams from the network that made no sense to this call."""
    @property
    def unread_ms(self) -> int:
        """Milliseconds of sound that passed unread (manual PCM, nobody reading for 200 ms)."""
    @property
    def quality(self) -> Quality:
        """The quality in one word, a `Quality`."""
    @property
    def answer_ms(self) -> float | None:
        """From placing or ringing to the answer, milliseconds; `None` until then."""
    @property
    def first_audio_ms(self) -> float | None:
        """From placing or ringing to the first sound of the peer at playout, milliseconds; `None`
        until then.
        """
    @property
    def bitrate(self) -> int:
        """Bits per second that the encoder makes of the microphone's sound: as configured, or less
        while the line is too narrow for that.
        """
    @property
    def peer_loss_pct(self) -> float:
        """Packets of the microphone's sound that the peer missed of late, by its own word, percent."""
    @property
    def history(self) -> tuple[JitterSecond, ...]:
        """The jitter buffer second by second, a minute at most, oldest first: a tuple of
        `JitterSecond`.
        """
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class NodeStats:
    """Statistics of a node."""

    __match_args__: ClassVar[tuple[Literal["datagrams_dropped"], Literal["signals_dropped"], Literal["tracker_messages_dropped"], Literal["neighbors"], Literal["mesh_messages_dropped"], Literal["realtime"], Literal["events_dropped"], Literal["capture_started_unix_us"], Literal["playout_started_unix_us"], Literal["microphone"], Literal["loudspeaker"]]]
    @property
    def datagrams_dropped(self) -> int:
        """Datagrams that belonged to no call and no request."""
    @property
    def signals_dropped(self) -> int:
        """Signalling that was forged, stale, replayed or made no sense."""
    @property
    def tracker_messages_dropped(self) -> int:
        """Messages of trackers that made no sense, answered nothing, or held a record whose
        signature does not hold.
        """
    @property
    def neighbors(self) -> int:
        """Nodes of the mesh that this one is linked to and exchanges messages with."""
    @property
    def mesh_messages_dropped(self) -> int:
        """Messages of the mesh that were malformed, forged, stale, unknown, unasked for, or too many."""
    @property
    def realtime(self) -> bool:
        """Whether the operating system gave the engine real-time priority."""
    @property
    def events_dropped(self) -> int:
        """Events dropped because nobody read them."""
    @property
    def capture_started_unix_us(self) -> int | None:
        """When sample 0 of the microphone was captured: microseconds since 1970-01-01 UTC, with
        `audio=voip.Wav(…)` and `audio=None`, once a call has started them; else `None`.
        """
    @property
    def playout_started_unix_us(self) -> int | None:
        """When sample 0 was played, counting back from later ones: within the first seconds of a
        call playout may move by some milliseconds. `None` as before.
        """
    @property
    def microphone(self) -> DeviceStats | None:
        """The microphone in use, a `DeviceStats`, with `audio=voip.Devices(…)` and while a call wants
        sound; else `None`.
        """
    @property
    def loudspeaker(self) -> DeviceStats | None:
        """The loudspeaker in use, likewise."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

class Event(Generic[_CallT]):
    """What a node tells its user, in the order in which it happened. Each event is of one of the classes
    under this one; they are frozen and made for `match`:

        for event in node.events():
            match event:
                case voip.Incoming(call=call):
                    call.answer()
                case voip.Ended(call=call, reason=reason):
                    print(call.peer.name, reason.describe())
    """

    def __class_getitem__(cls, handle: object, /) -> GenericAlias: ...

@final
class Registered(Event[_CallT]):
    """A tracker has accepted this node's name and key."""

    __match_args__: ClassVar[tuple[Literal["tracker"], Literal["online"]]]
    @property
    def tracker(self) -> str:
        """The tracker's address as it was given."""
    @property
    def online(self) -> int:
        """Peers online there, this one included."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class TrackerLost(Event[_CallT]):
    """A tracker refused the registration or cannot be reached. The node goes on trying, unless the
    same key has registered from elsewhere.
    """

    __match_args__: ClassVar[tuple[Literal["tracker"], Literal["error"]]]
    @property
    def tracker(self) -> str:
        """The tracker's address as it was given."""
    @property
    def error(self) -> Error:
        """Why, an `Error`."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Joined(Event[_CallT]):
    """A peer came online."""

    __match_args__: ClassVar[tuple[Literal["peer"], Literal["online"]]]
    @property
    def peer(self) -> Peer:
        """Who, a `Peer`."""
    @property
    def online(self) -> int:
        """Peers online now."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Changed(Event[_CallT]):
    """A peer says something else about itself: its presence."""

    __match_args__: ClassVar[tuple[Literal["peer"]]]
    @property
    def peer(self) -> Peer:
        """Who, a `Peer` as it is now."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Left(Event[_CallT]):
    """A peer went offline."""

    __match_args__: ClassVar[tuple[Literal["name"], Literal["id"], Literal["online"]]]
    @property
    def name(self) -> str:
        """Whose name."""
    @property
    def id(self) -> PeerId:
        """Whose key."""
    @property
    def online(self) -> int:
        """Peers online now."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Paired(Event[_CallT]):
    """A peer that `Node.pair` waited for: both were handed to each other."""

    __match_args__: ClassVar[tuple[Literal["peer"], Literal["calls"]]]
    @property
    def peer(self) -> Peer:
        """Who, a `Peer`."""
    @property
    def calls(self) -> bool:
        """Whether it is this side's part to call: true on one of the two sides, that of the smaller key."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class PairingFailed(Event[_CallT]):
    """No tracker can do what `Node.pair` asks; the node waits no longer."""

    __match_args__: ClassVar[tuple[Literal["error"]]]
    @property
    def error(self) -> Error:
        """Why, an `Error`."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Incoming(Event[_CallT]):
    """Somebody calls: answer or reject it. When this event and its call are let go, it is declined."""

    __match_args__: ClassVar[tuple[Literal["call"]]]
    @property
    def call(self) -> _CallT:
        """The call."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Ringing(Event[_CallT]):
    """It rings at the peer."""

    __match_args__: ClassVar[tuple[Literal["call"]]]
    @property
    def call(self) -> _CallT:
        """The call."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Answered(Event[_CallT]):
    """The call was answered, here or there."""

    __match_args__: ClassVar[tuple[Literal["call"]]]
    @property
    def call(self) -> _CallT:
        """The call."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Connected(Event[_CallT]):
    """There is an encrypted path: sound can flow."""

    __match_args__: ClassVar[tuple[Literal["call"]]]
    @property
    def call(self) -> _CallT:
        """The call."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class VerificationReady(Event[_CallT]):
    """The words by which two people check that nobody sits between them are known: right after
    `Connected`, some seconds later on a line that loses packets, never for a peer of a version
    without them. See `Call.verification_words`.
    """

    __match_args__: ClassVar[tuple[Literal["call"], Literal["words"]]]
    @property
    def call(self) -> _CallT:
        """The call."""
    @property
    def words(self) -> tuple[str, str, str, str]:
        """The four words, a tuple: the same at both ends."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class FirstAudio(Event[_CallT]):
    """The first sound of the peer was handed to playout."""

    __match_args__: ClassVar[tuple[Literal["call"]]]
    @property
    def call(self) -> _CallT:
        """The call."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class PeerMuted(Event[_CallT]):
    """The peer muted or unmuted its microphone. Of ten changes one soon after the other each is
    told, of more than that not every one.
    """

    __match_args__: ClassVar[tuple[Literal["call"], Literal["muted"]]]
    @property
    def call(self) -> _CallT:
        """The call."""
    @property
    def muted(self) -> bool:
        """Muted now."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class MediaSilent(Event[_CallT]):
    """Nothing is heard of the peer any more, or nothing was from the beginning.
    The call goes on. Told once: another of these means another reason, and `MediaResumed` that it
    is over.
    """

    __match_args__: ClassVar[tuple[Literal["call"], Literal["reason"]]]
    @property
    def call(self) -> _CallT:
        """The call."""
    @property
    def reason(self) -> SilenceReason:
        """Why, a `SilenceReason`."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class MediaResumed(Event[_CallT]):
    """What `MediaSilent` told is over: sound comes again, or the peer is no longer muted."""

    __match_args__: ClassVar[tuple[Literal["call"]]]
    @property
    def call(self) -> _CallT:
        """The call."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Reconnecting(Event[_CallT]):
    """Nothing comes of the peer any more, not even a sign of life: the path to it is lost, and
    another one is looked for. The call goes on; without a path for 45 s it ends.
    """

    __match_args__: ClassVar[tuple[Literal["call"]]]
    @property
    def call(self) -> _CallT:
        """The call."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Reconnected(Event[_CallT]):
    """There is a path again: what `Reconnecting` told is over."""

    __match_args__: ClassVar[tuple[Literal["call"]]]
    @property
    def call(self) -> _CallT:
        """The call."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Ended(Event[_CallT]):
    """The call is over."""

    __match_args__: ClassVar[tuple[Literal["call"], Literal["reason"]]]
    @property
    def call(self) -> _CallT:
        """The call."""
    @property
    def reason(self) -> EndReason:
        """Why, an `EndReason`."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class KeyChanged(Event[_CallT]):
    """A name that is pinned to one key was used by another; the call was refused. See
    `Node.accept_key`.
    """

    __match_args__: ClassVar[tuple[Literal["name"], Literal["pinned"], Literal["offered"]]]
    @property
    def name(self) -> str:
        """The name."""
    @property
    def pinned(self) -> PeerId:
        """The key it is pinned to."""
    @property
    def offered(self) -> PeerId:
        """The key that used it now."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class TextReceived(Event[_CallT]):
    """Somebody in the mesh has written. What this node's own user writes is not told."""

    __match_args__: ClassVar[tuple[Literal["text"]]]
    @property
    def text(self) -> Text:
        """What, a `Text`."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class TextDelivered(Event[_CallT]):
    """Texts of this node's have come to the peer they are for."""

    __match_args__: ClassVar[tuple[Literal["to"], Literal["ids"]]]
    @property
    def to(self) -> PeerId:
        """To whom, a `PeerId`."""
    @property
    def ids(self) -> tuple[TextId, ...]:
        """Which, a tuple of `TextId`."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class TextsMissing(Event[_CallT]):
    """Texts of an author are not to be had any more from anybody; others that came after them follow."""

    __match_args__: ClassVar[tuple[Literal["author"], Literal["count"]]]
    @property
    def author(self) -> PeerId:
        """Whose, a `PeerId`."""
    @property
    def count(self) -> int:
        """How many, those for others included."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class HistoryFailed(Event[_CallT]):
    """The file that keeps texts cannot be written: what comes now is lost when the node is closed. Told
    once, and again if it has worked in between.
    """

    __match_args__: ClassVar[tuple[Literal["error"]]]
    @property
    def error(self) -> Error:
        """Why, an `Error`."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class DeviceChanged(Event[_CallT]):
    """Another microphone or loudspeaker is in use than before, or none."""

    __match_args__: ClassVar[tuple[Literal["direction"], Literal["device"], Literal["change"]]]
    @property
    def direction(self) -> DeviceDirection:
        """Which of the two, a `DeviceDirection`."""
    @property
    def device(self) -> AudioDevice | None:
        """The `AudioDevice` in use now; `None` while there is none."""
    @property
    def change(self) -> DeviceChange:
        """Why, a `DeviceChange`."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Lagged(Event[_CallT]):
    """The queue overflowed and events were dropped, first those about what can be read again: who is
    online, texts, which devices are in use, whether the peers of calls are muted or silent. Read these
    and the states of calls again.
    """

    __match_args__: ClassVar[tuple[()]]
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Tracker:
    """A tracker: peers register here, find each other, and exchange signed signals before they talk
    directly. No word of a call goes through it.

    `bind` is where to listen, `address:port`, TCP and UDP; port 0 is one that is free, `[::]` takes IPv4
    as well as IPv6. `wire_log=True` makes every message in and out a `TrackerEvent.Wire`. Of more
    than `max_connections` at once the others are turned away.

    What one address may do: an IPv4 address or IPv6 /64, but for this machine's own, has `max_per_address`
    connections at once, 1 to 1,000,000, and `connection_rate` new ones a second, 1 to 10,000, with ten seconds'
    worth at once; others are turned away. More of both where many peers are behind one router.
    `request_rate`: requests a second of one connection, 1 to 10,000, with five seconds' worth at once; others are
    refused. To list all peers takes one for each fifty.
    `stun_rate`: answers a second over UDP to one IPv4 /24 or IPv6 /56, 1 to 10,000, with four seconds' worth at
    once: of STUN, and as many of the relay to who has no credentials yet.

    `also_bind`: more addresses to listen on, up to 8 in all: at port 443, say, for peers whose networks let
    nothing else out.
    `relay=True` relays for peers whose routers let nothing of each other through: as a TURN server (RFC 8656)
    at the same addresses, by UDP and TCP, for the two peers of a call and with credentials that the tracker
    gives to those registered. It needs UDP ports above 1024 open to the world. What follows switches it on, too.
    `relay_allocations`: the most addresses that it has for peers at once; a call needs two at most.
    `relay_bitrate`: bits per second that one of them may relay each way, 1,000 to 1,000,000,000, twice as many in
    the first second.
    `relay_address`: the IP address by which the world reaches this machine, if it does not have it itself.
    `relay_private=True` relays to private, shared and loopback addresses, too: only for a network that is no
    part of the Internet.

    `tls=(chain, key)` takes TLS 1.3 on the same port, with the certificate in these PEM files: the
    chain, the tracker's own first, and its key. `tls_self_signed=file` takes it with a key and a
    certificate of the tracker's own making, kept in that file, which is made at the first start: peers
    know it by `key_sha256`. Give one of the two. `require_tls=True` turns away who comes without; UDP is
    answered either way: STUN, and TURN if there is a relay.

    It runs until `close()`, the end of its `with` block, or until it is dropped. Raises
    `InvalidArgument` (the address is none, or not of this machine; a limit is out of its range; TLS is required
    and there is no certificate, or there are two), `FileError` (a certificate or key), `AddressInUse`,
    `SystemError`.
    """

    def __new__(
        cls,
        bind: str = "0.0.0.0:6000",
        *,
        wire_log: bool = False,
        max_connections: int = 10000,
        max_per_address: int = 64,
        connection_rate: int = 10,
        request_rate: int = 20,
        stun_rate: int = 5,
        also_bind: Iterable[str] = (),
        relay: bool = False,
        relay_allocations: int = 1000,
        relay_bitrate: int = 100000,
        relay_address: str | None = None,
        relay_private: bool = False,
        tls: tuple[str | PathLike[str], str | PathLike[str]] | None = None,
        tls_self_signed: str | PathLike[str] | None = None,
        require_tls: bool = False,
    ) -> Self: ...
    @property
    def address(self) -> str:
        """Where it listens, as in "127.0.0.1:6000"."""
    @property
    def key_sha256(self) -> str | None:
        """SHA-256 of the SubjectPublicKeyInfo of the certificate's key, 64 hexadecimal digits: behind
        "tls://host:port#sha256=" in `Node(trackers=…)` it is all that a peer needs to trust. `None`
        without TLS.
        """
    @property
    def closed(self) -> bool:
        """Whether it was closed, or belongs to the process before a fork."""
    def next_event(self, timeout: float | None = None) -> TrackerEvent | None:
        """Waits for the next event, a `TrackerEvent`; `None` after `timeout` seconds. The last 4,096 are
        kept for whoever asks late. Raises `Closed`.
        """
    def events(self, timeout: float | None = None) -> Iterator[TrackerEvent]:
        """The events as they come, until the tracker is closed or `timeout` seconds pass without one."""
    def stats(self) -> TrackerStats:
        """Counters, a moment old. Raises `Closed` in a process forked from that of the tracker."""
    def close(self) -> None:
        """Stops and ends all connections, within half a second. A second time does nothing."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...

class TrackerEvent:
    """What happens at a tracker. The classes are `TrackerEvent.Registered`, `TrackerEvent.Left`,
    `TrackerEvent.Paired` and `TrackerEvent.Wire`: frozen, and made for `match`.
    """

    @final
    class Registered(TrackerEvent):
        """A peer came."""

        __match_args__: ClassVar[tuple[Literal["id"], Literal["name"], Literal["from_"], Literal["online"]]]
        @property
        def id(self) -> PeerId:
            """Its key."""
        @property
        def name(self) -> str:
            """Its name."""
        @property
        def from_(self) -> str:
            """Where its connection comes from."""
        @property
        def online(self) -> int:
            """How many peers are online now."""
        def __hash__(self) -> int: ...
        def __eq__(self, other: object, /) -> bool: ...

    @final
    class Left(TrackerEvent):
        """A peer went."""

        __match_args__: ClassVar[tuple[Literal["id"], Literal["name"], Literal["online"], Literal["why"]]]
        @property
        def id(self) -> PeerId:
            """Its key."""
        @property
        def name(self) -> str:
            """Its name."""
        @property
        def online(self) -> int:
            """How many peers are online now."""
        @property
        def why(self) -> Departure:
            """How, a `Departure`."""
        def __hash__(self) -> int: ...
        def __eq__(self, other: object, /) -> bool: ...

    @final
    class Paired(TrackerEvent):
        """Two peers who had asked for one were handed to each other."""

        __match_args__: ClassVar[tuple[Literal["id"], Literal["name"], Literal["other_id"], Literal["other_name"]]]
        @property
        def id(self) -> PeerId:
            """The key of the one who had waited."""
        @property
        def name(self) -> str:
            """Its name."""
        @property
        def other_id(self) -> PeerId:
            """The key of the one who came."""
        @property
        def other_name(self) -> str:
            """Its name."""
        def __hash__(self) -> int: ...
        def __eq__(self, other: object, /) -> bool: ...

    @final
    class Wire(TrackerEvent):
        """A message came or went. Only with `wire_log=True`."""

        __match_args__: ClassVar[tuple[Literal["direction"], Literal["from_"], Literal["name"], Literal["text"]]]
        @property
        def direction(self) -> WireDirection:
            """Which way, a `WireDirection`."""
        @property
        def from_(self) -> str | None:
            """The other end's address; `None` if it was turned away."""
        @property
        def name(self) -> str | None:
            """The other end's name; `None` until it is registered."""
        @property
        def text(self) -> str:
            """The JSON, or what came in place of it."""
        def __hash__(self) -> int: ...
        def __eq__(self, other: object, /) -> bool: ...

@final
class TrackerStats:
    """What a tracker has seen. All but `connections`, `online` and `relay_allocations` count from its start."""

    __match_args__: ClassVar[tuple[Literal["connections"], Literal["online"], Literal["accepted"], Literal["turned_away"], Literal["accept_pauses"], Literal["registrations_refused"], Literal["replaced"], Literal["timeouts"], Literal["slow_readers"], Literal["malformed"], Literal["too_long"], Literal["unknown_type"], Literal["not_registered"], Literal["rate_limited"], Literal["relayed"], Literal["undeliverable"], Literal["stun_answered"], Literal["stun_dropped"], Literal["events_dropped"], Literal["relay_allocations"], Literal["relay_packets"], Literal["relay_bytes"], Literal["relay_dropped"], Literal["relay_refused"], Literal["tls"], Literal["websockets"], Literal["handshakes_failed"], Literal["tls_required"]]]
    @property
    def connections(self) -> int:
        """Connections now."""
    @property
    def online(self) -> int:
        """Peers registered now."""
    @property
    def accepted(self) -> int:
        """Connections accepted."""
    @property
    def turned_away(self) -> int:
        """Of them: turned away at once, because there were too many."""
    @property
    def accept_pauses(self) -> int:
        """Times that accepting paused because the system had no descriptor left."""
    @property
    def registrations_refused(self) -> int:
        """Registrations refused: version, form, dates, name, signature."""
    @property
    def replaced(self) -> int:
        """Connections ended because their key registered on another."""
    @property
    def timeouts(self) -> int:
        """Connections ended because nothing, or too little, came in time."""
    @property
    def slow_readers(self) -> int:
        """Connections ended because the peer did not read."""
    @property
    def malformed(self) -> int:
        """Frames that were no message, and WebSockets that broke their protocol."""
    @property
    def too_long(self) -> int:
        """Frames or signals longer than allowed."""
    @property
    def unknown_type(self) -> int:
        """Messages of a type unknown to this version."""
    @property
    def not_registered(self) -> int:
        """Requests of peers that were not registered."""
    @property
    def rate_limited(self) -> int:
        """Requests refused because there were too many, of the sender or for the addressee."""
    @property
    def relayed(self) -> int:
        """Signals handed on."""
    @property
    def undeliverable(self) -> int:
        """Signals to peers that were not online."""
    @property
    def stun_answered(self) -> int:
        """Datagrams answered with the address they came from."""
    @property
    def stun_dropped(self) -> int:
        """Datagrams dropped: no plain binding request, or too many of one network."""
    @property
    def events_dropped(self) -> int:
        """Events dropped because nobody fetched them."""
    @property
    def relay_allocations(self) -> int:
        """Allocations at the relay now."""
    @property
    def relay_packets(self) -> int:
        """Packets that the relay passed on."""
    @property
    def relay_bytes(self) -> int:
        """Bytes in them, as the peers sent them."""
    @property
    def relay_dropped(self) -> int:
        """Packets that the relay dropped: too many, not permitted, of no call."""
    @property
    def relay_refused(self) -> int:
        """Requests that the relay refused or left without an answer."""
    @property
    def tls(self) -> int:
        """Connections in TLS, counted when the handshake is done."""
    @property
    def websockets(self) -> int:
        """Connections by WebSocket, plain or in TLS, counted when the handshake is done."""
    @property
    def handshakes_failed(self) -> int:
        """Connections ended because a handshake of TLS or of a WebSocket failed."""
    @property
    def tls_required(self) -> int:
        """Connections turned away because they were not in TLS."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
