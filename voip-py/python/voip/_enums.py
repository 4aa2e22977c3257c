"""The words that calls, events and statistics are told in. The numbers are those of C."""

from enum import Enum

__all__ = [
    "Application",
    "CallState",
    "CheckKind",
    "ContactState",
    "Departure",
    "DeviceChange",
    "DeviceDirection",
    "EndReason",
    "ErrorKind",
    "FrameDuration",
    "Presence",
    "Quality",
    "Reject",
    "SilenceReason",
    "Verdict",
    "WireDirection",
]


class ErrorKind(Enum):
    """What went wrong: ``Error.kind``. Each has an exception class, whose text says what to do."""

    INVALID_ARGUMENT = 1
    FILE = 2
    ADDRESS_IN_USE = 3
    SYSTEM = 4
    TRACKER_UNREACHABLE = 5
    NAME_TAKEN = 6
    UNKNOWN_PEER = 7
    AMBIGUOUS_NAME = 8
    KEY_CHANGED = 9
    BUSY = 10
    DECLINED = 11
    NO_ANSWER = 12
    UNREACHABLE = 13
    NETWORK_LOST = 14
    CALL_ENDED = 15
    TIMED_OUT = 16
    CLOSED = 17
    INVALID_STATE = 18
    PROTOCOL = 19
    INTERNAL = 20
    TRACKER_UNTRUSTED = 21


class CallState(Enum):
    """Where a call stands.

    ``PLACING``: outgoing, the peer is being looked up or has not reacted yet.
    ``RINGING``: it rings, here or at the peer. ``CONNECTING``: answered, the path is being made.
    ``CONNECTED``: sound goes both ways. ``ENDED``: over, and ``Call.end_reason`` says why.
    """

    PLACING = 0
    RINGING = 1
    CONNECTING = 2
    CONNECTED = 3
    ENDED = 4


class EndReason(Enum):
    """Why a call is over; ``describe()`` says it in words.

    ``HUNG_UP``: this side hung up, or cancelled before the answer. ``PEER_HUNG_UP``: the peer did.
    ``BUSY``: the peer is in another call, or this node has as many as it takes.
    ``DECLINED``: the peer declined. ``NO_ANSWER``: nobody answered within the ring time.
    ``MISSED``: an incoming call not answered in time, or given up by the caller.
    ``UNKNOWN_PEER``: no peer of that name or key is online. ``AMBIGUOUS_NAME``: trackers disagree
    on whose name it is, and none is pinned. ``KEY_CHANGED``: the name belongs to another key than
    the one pinned. ``TRACKER_UNREACHABLE``: no tracker could be asked. ``UNREACHABLE``: the peer
    did not react, or no path to it was found. ``NETWORK_LOST``: the path to the peer was lost.
    ``PROTOCOL``: the peer sent what makes no sense. ``NODE_CLOSED``: the node was closed.
    ``VERIFICATION_FAILED``: the caller broke its word on which the verification words rest.
    """

    HUNG_UP = 1
    PEER_HUNG_UP = 2
    BUSY = 3
    DECLINED = 4
    NO_ANSWER = 5
    MISSED = 6
    UNKNOWN_PEER = 7
    AMBIGUOUS_NAME = 8
    KEY_CHANGED = 9
    TRACKER_UNREACHABLE = 10
    UNREACHABLE = 11
    NETWORK_LOST = 12
    PROTOCOL = 13
    NODE_CLOSED = 14
    VERIFICATION_FAILED = 15

    def describe(self) -> str:
        """The reason in words, for people."""
        from ._voip import _end_reason

        return _end_reason(self)[0]

    @property
    def error_kind(self) -> ErrorKind:
        """The kind of error that a waiting call raises for this end."""
        from ._voip import _end_reason

        return _end_reason(self)[1]


class Reject(Enum):
    """How to refuse an incoming call.

    ``DECLINED``: "I do not want to talk." ``BUSY``: "I am in another call."
    """

    DECLINED = 0
    BUSY = 1


class Presence(Enum):
    """Whether a peer wants to be called.

    ``AVAILABLE``: call me. ``BUSY``: in a call. ``AWAY``: online, nobody at the device.
    ``UNKNOWN``: something a later version says.
    """

    AVAILABLE = 0
    BUSY = 1
    AWAY = 2
    UNKNOWN = 3


class ContactState(Enum):
    """What somebody whose name is known is to this node's user.

    ``SEEN``: the name was used in a call, and is pinned to its key since. ``ACCEPTED``: the user's
    contact, who may call though there is ``contacts_only``, and learns this node's addresses while it
    rings, so that the answer is heard at once. ``VERIFIED``: a contact of whom the user
    knows that the key is theirs: words or safety numbers were compared. ``BLOCKED``: calls from this
    key, and from whoever goes by this name, are refused unheard.
    """

    SEEN = 0
    ACCEPTED = 1
    VERIFIED = 2
    BLOCKED = 3


class SilenceReason(Enum):
    """Why nothing is heard of a peer.

    ``NO_PACKETS``: no packet of sound has come for 0.9 s.
    ``DIGITAL_SILENCE``: packets come, and the peer says that its microphone gives nothing but the
    same value over and over: unplugged, switched off, or forbidden to the program.
    ``MUTED``: the peer says that it has muted its microphone: it sends nothing, by design.
    """

    NO_PACKETS = 1
    DIGITAL_SILENCE = 2
    MUTED = 3

    def describe(self) -> str:
        """The reason in words, for people."""
        from ._voip import _silence_reason

        return _silence_reason(self)


class CheckKind(Enum):
    """What `doctor` looks at.

    ``MICROPHONE``: it can be opened, and gives more than digital silence. ``LOUDSPEAKER``: it can be
    opened. ``LOOPBACK_CALL``: two nodes of this program hear each other. ``TRACKER``: it can be reached
    by TCP, and answers. ``REGISTRATION``: it accepts one. ``UDP``: datagrams get to its port and back.
    ``NAT``: what the router does to addresses. ``RELAY_UDP``, ``RELAY_TCP``: the tracker's relay gives an
    address. ``CLOCK``: the one of this machine, against the tracker's.
    """

    MICROPHONE = 0
    LOUDSPEAKER = 1
    LOOPBACK_CALL = 2
    TRACKER = 3
    REGISTRATION = 4
    UDP = 5
    NAT = 6
    RELAY_UDP = 7
    RELAY_TCP = 8
    CLOCK = 9

    def describe(self) -> str:
        """What it is in words, for people."""
        from ._voip import _check_kind

        return _check_kind(self)


class Verdict(Enum):
    """What came of a check of `doctor`.

    ``GOOD``: nothing to change. ``WARNING``: some calls may not work, or not as well. ``BAD``: calls do
    not work before that is changed. ``SKIPPED``: it was not looked at, or cannot be known.
    """

    GOOD = 0
    WARNING = 1
    BAD = 2
    SKIPPED = 3

    def describe(self) -> str:
        """The verdict in words, for people."""
        from ._voip import _verdict

        return _verdict(self)


class Quality(Enum):
    """The quality of a call in one word.

    ``UNKNOWN``: nothing has been heard yet. ``GOOD``: under 1 % of the sound made up and under
    150 ms one way. ``FAIR``: under 5 % and under 400 ms. ``POOR``: worse.
    """

    UNKNOWN = 0
    GOOD = 1
    FAIR = 2
    POOR = 3


class DeviceDirection(Enum):
    """``INPUT``: a microphone. ``OUTPUT``: a loudspeaker."""

    INPUT = 0
    OUTPUT = 1


class DeviceChange(Enum):
    """Why another device is in use than before.

    ``OPENED``: opened for a call. ``CHOSEN``: the user chose it. ``DEFAULT_MOVED``: the system has
    another default now. ``LOST``: unplugged, or it stopped to work; there is silence until another
    one is found. ``MISSING``: none could be opened; the search goes on. ``FELL_BACK``: the chosen
    one is not there, the default stands in for it. ``RESTORED``: sound is back after a loss.
    """

    OPENED = 0
    CHOSEN = 1
    DEFAULT_MOVED = 2
    LOST = 3
    MISSING = 4
    FELL_BACK = 5
    RESTORED = 6


class Application(Enum):
    """What the encoder optimises for (RFC 6716 §2.1.10).

    ``VOIP``: intelligible speech. ``AUDIO``: faithful sound of any kind. ``LOW_DELAY``: 2.5 ms of
    look-ahead in place of 6.5, and no in-band FEC.
    """

    VOIP = 0
    AUDIO = 1
    LOW_DELAY = 2


class FrameDuration(Enum):
    """How much sound one packet carries; the number is that of milliseconds.

    ``MS10``: least delay, most overhead. ``MS20``: the usual choice. ``MS60``: least overhead.
    """

    MS10 = 10
    MS20 = 20
    MS40 = 40
    MS60 = 60


class Departure(Enum):
    """How a peer left a tracker.

    ``LEFT``: it said goodbye. ``CLOSED``: its connection ended. ``TIMED_OUT``: it fell silent, or
    let its record expire. ``SLOW_READER``: it did not read what was sent to it.
    ``MISBEHAVED``: it broke the protocol. ``RENAMED``: it goes by another name now.
    """

    LEFT = 0
    CLOSED = 1
    TIMED_OUT = 2
    SLOW_READER = 3
    MISBEHAVED = 4
    RENAMED = 5


class WireDirection(Enum):
    """Which way a message went: ``IN`` to the tracker, ``OUT`` from it."""

    IN = 0
    OUT = 1
