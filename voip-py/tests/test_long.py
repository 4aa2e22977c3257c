"""Tests that take minutes: `make test-long` sets VOIP_LONG."""

import json
import os

import pytest
from conftest import python

pytestmark = pytest.mark.skipif("VOIP_LONG" not in os.environ, reason="takes minutes")

CALLS = """
    import gc, json, os, time
    import voip

    PAIRS = 4

    def now():
        gc.collect()
        with open("/proc/self/statm") as file:
            memory = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        descriptors = len(os.listdir("/proc/self/fd"))
        return memory / 1e6, descriptors, len(os.listdir("/proc/self/task"))

    def one_call(alice, bob, number):
        call = alice.place(bob.name)
        theirs = next(e.call for e in bob.events(10) if isinstance(e, voip.Incoming))
        theirs.answer()
        call.wait_connected(10)
        theirs.wait_connected(10)
        if number % 2:
            call.pcm_descriptor()
        call.write(bytes(960), 10)
        theirs.read(480, timeout=10)
        # Dropped: hung up. Bob hears of it before the next call.
        del call
        theirs.wait_ended(10)
        while alice.next_event(0) or bob.next_event(0):
            pass

    with voip.Tracker("127.0.0.1:0") as tracker:
        options = {"trackers": [tracker.address], "audio": voip.Manual(), "bind": "127.0.0.1:0"}
        callers = [voip.Node(f"caller {i}", **options) for i in range(PAIRS)]
        callees = [voip.Node(f"callee {i}", **options) for i in range(PAIRS)]
        for node in callers + callees:
            node.wait_registered(10)
        seen = []
        began = time.monotonic()
        for number in range(1, 1001 + 50 * PAIRS):
            one_call(callers[number % PAIRS], callees[number % PAIRS], number)
            if number in (50 * PAIRS, 1000 + 50 * PAIRS):
                seen.append(now())
            # A tracker answers each of its peers 20 times a second, which is enough for 3 calls.
            time.sleep(max(0, began + number / (3 * PAIRS) - time.monotonic()))
        for node in callers + callees:
            node.close()
    print(json.dumps(seen))
"""


def test_a_thousand_calls_leave_nothing_behind() -> None:
    ran = python(CALLS, timeout=600)
    assert ran.returncode == 0, ran.stderr
    (memory, *held), (memory_later, *held_later) = json.loads(ran.stdout)
    print(f"after 50 calls of each pair {memory:.1f} MB, 1,000 later {memory_later:.1f} MB; {held}")
    assert held_later == held, "descriptors and threads"
    # What the allocator keeps varies by as much.
    assert memory_later - memory < 1.0
