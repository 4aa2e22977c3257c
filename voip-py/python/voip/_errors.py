"""One exception class for each kind of error, all of them under ``Error``."""

from __future__ import annotations

from ._enums import ErrorKind

TYPE_CHECKING = False  # as in typing, of which the import would take a third of that of this package
if TYPE_CHECKING:
    from typing import ClassVar

__all__ = [
    "AddressInUse",
    "AmbiguousName",
    "Busy",
    "CallEnded",
    "Closed",
    "Declined",
    "Error",
    "FileError",
    "InternalError",
    "InvalidArgument",
    "InvalidState",
    "KeyChangedError",
    "NameTaken",
    "NetworkLost",
    "NoAnswer",
    "ProtocolError",
    "SystemError",
    "TimedOut",
    "TrackerUnreachable",
    "TrackerUntrusted",
    "UnknownPeer",
    "Unreachable",
]


class Error(Exception):
    """Whatever this library raises, except ``TypeError`` for an argument of the wrong type.

    The text is for people; act on the class, or on ``kind``.
    """

    kind: ClassVar[ErrorKind]
    """What went wrong."""
    code: ClassVar[int]
    """The number of ``kind``, the same in C."""

    def __init_subclass__(cls, kind: ErrorKind | None = None) -> None:
        if kind is not None:
            cls.kind = kind
            cls.code = kind.value


class InvalidArgument(Error, ValueError, kind=ErrorKind.INVALID_ARGUMENT):
    """An argument is out of its range or not of its form; the message names it."""


class FileError(Error, OSError, kind=ErrorKind.FILE):
    """A file could not be read or written, or its contents make no sense; the message names it."""


class AddressInUse(Error, OSError, kind=ErrorKind.ADDRESS_IN_USE):
    """The address or port is taken by another program. Choose another, or 0 for any."""


class SystemError(Error, OSError, kind=ErrorKind.SYSTEM):
    """The operating system refused a socket, a thread or a device; the message says which."""


class TrackerUnreachable(Error, ConnectionError, kind=ErrorKind.TRACKER_UNREACHABLE):
    """No tracker answers. Check address and network; the node keeps trying."""


class NameTaken(Error, kind=ErrorKind.NAME_TAKEN):
    """Another key holds this name at the tracker.

    Choose another name, or use the identity file that registered it.
    """


class UnknownPeer(Error, LookupError, kind=ErrorKind.UNKNOWN_PEER):
    """No peer of that name or key is online."""


class AmbiguousName(Error, LookupError, kind=ErrorKind.AMBIGUOUS_NAME):
    """The trackers give different keys for that name and none is pinned. Call by key."""


class KeyChangedError(Error, kind=ErrorKind.KEY_CHANGED):
    """The name belongs to another key than the one pinned.

    Ask the person over another way, then call ``Node.accept_key`` with the key that the event
    ``KeyChanged`` offers.
    """


class Busy(Error, kind=ErrorKind.BUSY):
    """The peer is in another call."""


class Declined(Error, kind=ErrorKind.DECLINED):
    """The peer declined."""


class NoAnswer(Error, kind=ErrorKind.NO_ANSWER):
    """Nobody answered within the ring time."""


class Unreachable(Error, ConnectionError, kind=ErrorKind.UNREACHABLE):
    """The peer answered but no path to it was found."""


class NetworkLost(Error, ConnectionError, kind=ErrorKind.NETWORK_LOST):
    """The path to the peer was lost."""


class CallEnded(Error, kind=ErrorKind.CALL_ENDED):
    """The call is over: hung up on either side, cancelled, or never existed."""


class TimedOut(Error, TimeoutError, kind=ErrorKind.TIMED_OUT):
    """The time limit of this function passed; nothing else changed. Call again."""


class Closed(Error, kind=ErrorKind.CLOSED):
    """The node, the tracker or the call was closed, or belongs to the process before a fork."""


class InvalidState(Error, RuntimeError, kind=ErrorKind.INVALID_STATE):
    """Not possible in this state or with this kind of audio; the message says why."""


class ProtocolError(Error, kind=ErrorKind.PROTOCOL):
    """The peer or the tracker broke the protocol; the message says how."""


class InternalError(Error, kind=ErrorKind.INTERNAL):
    """A bug of the library. Please report it with the message."""


class TrackerUntrusted(Error, ConnectionError, kind=ErrorKind.TRACKER_UNTRUSTED):
    """A tracker's certificate or key is not the one that its address asks for.

    So nothing was said to it. The message says what does not fit. Check the address, and with an
    authority's certificate the clock; the node keeps trying.
    """
