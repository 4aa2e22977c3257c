"""How long each kind of wait goes on after Ctrl-C. Prints JSON.

    python ctrl_c.py [ROUNDS 8]

The signal comes from another thread, at another moment of the wait in each round. `voip.Tracker(…)` waits
for a name to be looked up as `peers` and `devices` do: for a thread that asks.
"""

import array
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import voip
from bursts import RATE, bar

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 8
LIMIT = 10.0
LONG = 30 * RATE


def interrupted(wait: Callable[[], object], after: float) -> float:
    """Milliseconds from the signal to the end of the wait."""
    pressed: list[float] = []

    def press() -> None:
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Timer(after, press).start()
    try:
        while True:
            wait()
    except KeyboardInterrupt:
        return (time.monotonic() - pressed[0]) * 1e3


def node(name: str, tracker: str, **options: object) -> voip.Node:
    options = {"audio": voip.Manual(RATE), "bind": "127.0.0.1:0", **options}
    return voip.Node(name, trackers=[tracker], **options)


@contextmanager
def in_vain() -> Iterator[Callable[[], object]]:
    """Asks a tracker that stands still meanwhile who is online."""
    serve = "import voip; t = voip.Tracker('127.0.0.1:0'); print(t.address, flush=True); list(t.events())"
    command = [sys.executable, "-c", serve]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tracker:
        with node("there", tracker.stdout.readline().strip()) as there:
            there.wait_registered(LIMIT)

            def ask() -> None:
                tracker.send_signal(signal.SIGSTOP)
                try:
                    there.peers()
                finally:
                    tracker.send_signal(signal.SIGCONT)

            try:
                yield ask
            finally:
                tracker.kill()


def main() -> None:
    with (
        voip.Tracker("127.0.0.1:0") as tracker,
        node("alice", tracker.address, max_calls=2) as alice,
        node("bob", tracker.address, auto_answer=True) as bob,
        node("carol", tracker.address) as carol,
        node("alone", "127.0.0.1:1") as alone,
        in_vain() as ask_in_vain,
    ):
        for each in (bob, carol):
            each.wait_registered(LIMIT)
        call = alice.call("bob")
        call.wait_connected(LIMIT)
        ringing = alice.place("carol", ring_timeout=600)
        buffer = array.array("h", bytes(2 * LONG))
        waits: dict[str, Callable[[], object]] = {
            "next_event": alice.next_event,
            "events": lambda: list(alice.events()),
            "wait_registered": alone.wait_registered,
            "wait_answered": ringing.wait_answered,
            "wait_connected": ringing.wait_connected,
            "wait_ended": call.wait_ended,
            "wait_ended with a limit": lambda: call.wait_ended(30),
            "read": lambda: call.read(LONG),
            "read_into": lambda: call.read_into(buffer),
            "write": lambda: call.write(buffer),
            "peers": ask_in_vain,
            "devices": voip.devices,
            "tracker": tracker.next_event,
        }
        took: dict[str, list[float]] = {name: [] for name in waits}
        for number in range(ROUNDS):
            for name, wait in waits.items():
                took[name].append(interrupted(wait, 0.15 + 0.1 * number / ROUNDS))
    print(
        json.dumps(
            {
                "what": "milliseconds from Ctrl-C to the end of the wait",
                "rounds": ROUNDS,
                **{
                    name: {"median": round(statistics.median(ms), 1), "most": round(max(ms), 1)}
                    for name, ms in took.items()
                },
                "bars": [bar("any wait, ms", max(map(max, took.values())), 200)],
            },
            indent=1,
        )
    )


main()
