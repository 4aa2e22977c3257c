"""Peer-to-peer voice: two people talk directly from machine to machine, encrypted end to end.

    import voip

    with voip.Tracker("127.0.0.1:0") as tracker, voip.Node("alice", trackers=[tracker.address]) as me:
        with me.call("bob", ring_timeout=45) as call:    # voip.Busy, voip.NoAnswer … if it fails
            print(call.wait_ended())

A ``Node`` calls and is called; a ``Tracker`` is where nodes find each other. What happens is told by
events: ``node.events()``. Every function that waits takes ``timeout`` in seconds (``None``: for
ever), lets other threads run meanwhile, and ends on Ctrl-C. All objects may be used from any thread.
``voip.aio`` has the same for asyncio.
"""

from ._enums import *
from ._errors import *
from ._voip import *

__version__ = VERSION

__all__ = [
    "AddressInUse",
    "All",
    "AmbiguousName",
    "Answered",
    "Application",
    "AudioDevice",
    "Busy",
    "Call",
    "CallEnded",
    "CallPeer",
    "CallState",
    "CallStats",
    "Changed",
    "Check",
    "CheckKind",
    "Closed",
    "Connected",
    "Contact",
    "ContactState",
    "Declined",
    "Departure",
    "DeviceChange",
    "DeviceChanged",
    "DeviceDirection",
    "DeviceStats",
    "Devices",
    "EncoderConfig",
    "EndReason",
    "Ended",
    "Error",
    "ErrorKind",
    "Event",
    "FileError",
    "FirstAudio",
    "FrameDuration",
    "HistoryFailed",
    "Incoming",
    "InternalError",
    "InvalidArgument",
    "InvalidState",
    "JitterConfig",
    "JitterSecond",
    "Joined",
    "KeyChanged",
    "KeyChangedError",
    "Lagged",
    "Left",
    "Manual",
    "MediaResumed",
    "MediaSilent",
    "NameTaken",
    "NetworkLost",
    "NoAnswer",
    "Node",
    "NodeStats",
    "Peer",
    "PeerId",
    "PeerMuted",
    "Presence",
    "ProtocolError",
    "Quality",
    "Reconnected",
    "Reconnecting",
    "Registered",
    "Reject",
    "Report",
    "Ringing",
    "Room",
    "SilenceReason",
    "Stages",
    "SystemError",
    "Text",
    "TextDelivered",
    "TextId",
    "TextReceived",
    "TextsMissing",
    "TimedOut",
    "Tracker",
    "TrackerEvent",
    "TrackerLost",
    "TrackerStats",
    "TrackerUnreachable",
    "TrackerUntrusted",
    "UnknownPeer",
    "Unreachable",
    "VERSION",
    "Verdict",
    "VerificationReady",
    "Wav",
    "WireDirection",
    "devices",
    "doctor",
]
