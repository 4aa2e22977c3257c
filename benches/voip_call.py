"""Calls with voip, both ends in this process, PCM through Python: what `aiortc_call.py` does with aiortc.

    python voip_call.py SECONDS CALLS [--busy] [--one-way]

`--one-way`: Bob only listens, and Alice only speaks. Prints one JSON object.
"""

import array
import json
import sys
import threading
import time
from collections.abc import Callable

import voip
from bursts import FRAME, FRAMES_PER_S, RATE, Ear, Source, compute, cpu, median, memory_kb

LIMIT = 10.0
BLOCK = FRAME  # 20 ms, which is what aiortc hears by, and what voip reads by default


def speak(call: voip.Call, source: Source) -> None:
    try:
        while True:
            time.sleep(source.wait())
            call.write(source.next())
    except voip.Error:
        pass


def listen(call: voip.Call, ear: Ear) -> None:
    block = array.array("h", bytes(2 * BLOCK))
    try:
        while True:
            call.read_into(block)
            ear.hear(block)
    except voip.Error:
        pass


def start(work: Callable[..., None], *args: object) -> None:
    threading.Thread(target=work, args=args, daemon=True).start()


def begin(
    alice: voip.Node, bob: voip.Node, one_way: bool
) -> tuple[voip.Call, voip.Call, Source, Ear, float]:
    """Alice calls Bob: her end and his, what she says and he hears, and seconds to his first sound."""
    sources = Source(), Source()
    ears = Ear(sources[1]), Ear(sources[0])
    began = time.monotonic()
    at_alice = alice.place("bob")
    for event in bob.events(LIMIT):
        if isinstance(event, voip.Incoming):
            break
    at_bob = event.call
    at_bob.answer()
    start(speak, at_alice, sources[0])
    start(listen, at_bob, ears[1])
    if one_way:
        at_bob.muted = True
    else:
        start(speak, at_bob, sources[1])
        start(listen, at_alice, ears[0])
    while ears[1].first is None:
        time.sleep(0.0005)
    return at_alice, at_bob, sources[0], ears[1], ears[1].first - began


def main(seconds: float, calls: int, busy: bool, one_way: bool) -> None:
    with voip.Tracker("127.0.0.1:0") as tracker:
        options = {"trackers": [tracker.address], "audio": voip.Manual(RATE), "bind": "127.0.0.1:0"}
        with voip.Node("alice", **options) as alice, voip.Node("bob", **options) as bob:
            bob.wait_registered(LIMIT)
            setups = []
            for i in range(calls):
                at_alice, at_bob, source, ear, setup = begin(alice, bob, one_way)
                setups.append(setup)
                if i < calls - 1:
                    at_alice.hang_up()
                    at_bob.wait_ended(LIMIT)
            time.sleep(2)
            stop: list[bool] = []
            if busy:
                start(compute, stop)
                time.sleep(1)
            ear.delays.clear()
            before = at_bob.stats()
            said, heard, used, started = source.frames, ear.samples, cpu(), time.monotonic()
            time.sleep(seconds)
            lasted = time.monotonic() - started
            after = at_bob.stats()
            due = lasted * FRAMES_PER_S
            found = {
                "first_audio_ms": median(setups) * 1e3,
                "delay_ms": median(ear.delays) * 1e3,
                "bursts": len(ear.delays),
                "cpu_ms_per_s": (cpu() - used) / lasted / 2 * 1e3,
                "not_said_pct": max(0.0, 1 - (source.frames - said) / due) * 100,
                "not_heard_pct": max(0.0, 1 - (ear.samples - heard) / FRAME / due) * 100,
                "packets_lost": after.packets_lost - before.packets_lost,
                "packets_late": after.packets_late - before.packets_late,
                "unread_ms": after.unread_ms - before.unread_ms,
                "memory_kb": memory_kb(),
            }
            stop.append(True)
    print(json.dumps(found))


main(float(sys.argv[1]), int(sys.argv[2]), "--busy" in sys.argv, "--one-way" in sys.argv)
