"""What the tests share: a tracker, and two who are registered there."""

import array
import faulthandler
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import voip

# Reached only by a failure.
LIMIT = 10.0
RATE = 48_000
BLOCK = 480

# Seconds for one test, and for one of those that take minutes; those of mypy have 120 for each run.
TEST, LONG_TEST = 300, 1_200
outside: list[int] = []


def pytest_configure() -> None:
    """Keeps the standard error that is nobody's capture yet. Programs are to end by Ctrl-C even where
    whoever started the tests had it ignored, as shells do for what they start with "&"."""
    outside.append(os.dup(2))
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def limit(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that hangs says where, and ends them all."""
    seconds = LONG_TEST if request.path.name == "test_long.py" else TEST
    faulthandler.dump_traceback_later(seconds, exit=True, file=outside[0])
    yield
    faulthandler.cancel_dump_traceback_later()


def node(name: str, tracker: voip.Tracker, **options: Any) -> voip.Node:
    """A node of that tracker's on IPv4 loopback, with manual PCM unless it is told otherwise."""
    options = {"audio": voip.Manual(RATE), "bind": "127.0.0.1:0", **options}
    return voip.Node(name, trackers=[tracker.address], **options)


def online(name: str, tracker: voip.Tracker, **options: Any) -> voip.Node:
    made = node(name, tracker, **options)
    made.wait_registered(LIMIT)
    return made


def await_event(of: voip.Node, kind: type) -> Any:
    """Reads events up to one of that class."""
    for event in of.events(LIMIT):
        if isinstance(event, kind):
            return event
    pytest.fail(f"{of} waits in vain for {kind}")


class Pair:
    """Two who are registered at one tracker; ``connect()`` makes a call."""

    def __init__(self, tracker: voip.Tracker, **options: Any) -> None:
        self.tracker = tracker
        self.alice = online("alice", tracker, **options)
        self.bob = online("bob", tracker, **options)

    def ring(self) -> tuple[voip.Call, voip.Call]:
        """Alice calls and it rings: her end and Bob's."""
        at_alice = self.alice.place("bob")
        return at_alice, await_event(self.bob, voip.Incoming).call

    def connect(self) -> tuple[voip.Call, voip.Call]:
        at_alice, at_bob = self.ring()
        at_bob.answer()
        at_alice.wait_connected(LIMIT)
        at_bob.wait_connected(LIMIT)
        return at_alice, at_bob

    def close(self) -> None:
        self.alice.close()
        self.bob.close()


@pytest.fixture
def tracker() -> Iterator[voip.Tracker]:
    with voip.Tracker("127.0.0.1:0") as made:
        yield made


@pytest.fixture
def pair(tracker: voip.Tracker) -> Iterator[Pair]:
    made = Pair(tracker)
    yield made
    made.close()


def in_thread(work: Callable[[], Any]) -> Callable[[], Any]:
    """Begins ``work`` in another thread; what is returned waits for its result or exception."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.extend((True, work()))
        except BaseException as error:
            outcome.extend((False, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def result() -> Any:
        thread.join(LIMIT)
        assert not thread.is_alive(), "it does not come back"
        done, value = outcome
        if done:
            return value
        raise value

    return result


def tone(frames: int, hertz: float = 440.0, rate: int = RATE) -> array.array:
    """A tone at half of full scale, int16."""
    step = 2 * math.pi * hertz / rate
    return array.array("h", (round(16_000 * math.sin(step * i)) for i in range(frames)))


def loudness(pcm: bytes) -> float:
    """RMS of int16 samples, full scale being 1."""
    samples = array.array("h", pcm)
    return math.sqrt(sum(s * s for s in samples) / len(samples)) / 32768


def python(program: str, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a program in an interpreter of its own."""
    command = [sys.executable, "-c", textwrap.dedent(program), *args]
    options = {"timeout": 30, **options}
    return subprocess.run(command, text=True, capture_output=True, **options)
