"""A whole call with nothing but the module: what a new installation has to be able to do.

With ``--no-devices`` also that there are no sound devices, and that this is told by list and event.
"""

import array
import math
import sys

import voip

LIMIT = 10.0


def talk(caller: voip.Call, callee: voip.Call) -> float:
    """How loud the callee heard what the caller said, at its loudest."""
    step = 2 * math.pi * 440 / 48_000
    tone = array.array("h", (round(16_000 * math.sin(step * i)) for i in range(480)))
    loudest = 0.0
    for _ in range(60):
        caller.write(tone, LIMIT)
        heard = array.array("h", callee.read(480, timeout=LIMIT))
        loudest = max(loudest, math.sqrt(sum(s * s for s in heard) / 480) / 32768)
    return loudest


def event(node: voip.Node, kind: type) -> voip.Event:
    return next(event for event in node.events(LIMIT) if isinstance(event, kind))


def main() -> None:
    options = {"audio": voip.Manual(48_000), "bind": "127.0.0.1:0"}
    with voip.Tracker("127.0.0.1:0") as tracker:
        options["trackers"] = [tracker.address]
        with voip.Node("alice", **options) as alice, voip.Node("bob", **options) as bob:
            bob.wait_registered(LIMIT)
            at_alice = alice.place("bob")
            at_bob = event(bob, voip.Incoming).call
            at_bob.answer()
            at_alice.wait_connected(LIMIT)
            at_bob.wait_connected(LIMIT)
            loudness = talk(at_alice, at_bob)
            assert loudness > 0.2, loudness
            at_alice.hang_up()
            assert at_bob.wait_ended(LIMIT) is voip.EndReason.PEER_HUNG_UP
            print(f"voip {voip.__version__}, Python {sys.version.split()[0]}: a call was heard")
            if "--no-devices" in sys.argv:
                without_devices(alice, {**options, "audio": voip.Devices()})


def without_devices(alice: voip.Node, options: dict) -> None:
    assert voip.devices() == []
    with voip.Node("carol", **options) as carol:
        carol.wait_registered(LIMIT)
        at_carol = carol.place("alice")
        at_alice = event(alice, voip.Incoming).call
        at_alice.answer()
        at_carol.wait_connected(LIMIT)
        changed = {event(carol, voip.DeviceChanged) for _ in range(2)}
        assert {c.direction for c in changed} == set(voip.DeviceDirection), changed
        assert {(c.device, c.change) for c in changed} == {(None, voip.DeviceChange.MISSING)}
        assert at_carol.state is at_alice.state is voip.CallState.CONNECTED
    print("no devices: an empty list, a call all the same, and events that say so")


main()
