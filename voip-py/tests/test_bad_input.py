"""Whatever is given to it: a clear exception, never a crash."""

import array
import os
import sys
import threading

import pytest
from conftest import LIMIT, Pair, await_event, in_thread, node, online

import voip

class Fails:
    """A number that cannot be had."""

    def __float__(self) -> float:
        raise ZeroDivisionError


NONSENSE = [None, 1.5, b"bytes", [], {}, object()]


@pytest.mark.parametrize("name", NONSENSE)
def test_a_name_is_text(name: object) -> None:
    with pytest.raises(TypeError):
        voip.Node(name)


@pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "é" * 33, "\ud800"])
def test_a_name_is_a_name(name: str) -> None:
    with pytest.raises((voip.InvalidArgument, UnicodeEncodeError)) as raised:
        voip.Node(name, audio=None)
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"trackers": "127.0.0.1:6000"}, TypeError),
        ({"trackers": [1]}, TypeError),
        ({"trackers": 5}, TypeError),
        ({"trackers": ["nonsense"]}, voip.InvalidArgument),
        ({"trackers": ["a\0b:1"]}, voip.InvalidArgument),
        ({"trackers": ["h:1", "h:1"]}, voip.InvalidArgument),
        ({"trackers": [f"h:{i}" for i in range(1, 18)]}, voip.InvalidArgument),
        ({"bind": "nonsense"}, voip.InvalidArgument),
        ({"bind": "203.0.113.1:0"}, voip.InvalidArgument),
        ({"bind": 5}, TypeError),
        ({"identity_file": 5}, TypeError),
        ({"identity_file": "/dev/null/key"}, voip.FileError),
        ({"audio": "manual"}, TypeError),
        ({"audio": voip.Manual}, TypeError),
        ({"encoder": 5}, TypeError),
        ({"jitter": voip.EncoderConfig()}, TypeError),
        ({"auto_answer": "yes"}, TypeError),
        ({"ring_timeout": 0.5}, voip.InvalidArgument),
        ({"ring_timeout": -1}, voip.InvalidArgument),
        ({"ring_timeout": float("nan")}, voip.InvalidArgument),
        ({"ring_timeout": "long"}, TypeError),
        ({"max_calls": 0}, voip.InvalidArgument),
        ({"max_calls": -1}, voip.InvalidArgument),
        ({"max_calls": 2**100}, voip.InvalidArgument),
        ({"max_calls": 1.5}, TypeError),
        ({"nonsense": 1}, TypeError),
    ],
    ids=str,
)
def test_options_of_a_node(options: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        voip.Node("alice", **{"audio": None, **options})


def test_a_wav_file_that_is_none(tmp_path) -> None:
    for path in (tmp_path / "missing.wav", tmp_path):
        with pytest.raises(voip.FileError, match=path.name):
            voip.Node("alice", audio=voip.Wav(play=path))
    with pytest.raises(TypeError):
        voip.Wav(play=5)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"samplerate": 7_999}, voip.InvalidArgument),
        ({"samplerate": 192_001}, voip.InvalidArgument),
        ({"samplerate": -1}, voip.InvalidArgument),
        ({"samplerate": 2**40}, voip.InvalidArgument),
        ({"samplerate": 48_000.0}, TypeError),
        ({"samplerate": "48000"}, TypeError),
        ({"channels": 0}, voip.InvalidArgument),
        ({"channels": 33}, voip.InvalidArgument),
        ({"channels": "two"}, TypeError),
        ({"blocksize": 0}, voip.InvalidArgument),
        ({"blocksize": -1}, voip.InvalidArgument),
        ({"blocksize": 10**9}, voip.InvalidArgument),
        ({"blocksize": 0.5}, TypeError),
    ],
    ids=str,
)
def test_options_of_pcm(arguments: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(arguments))):
        voip.Manual(**arguments)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: voip.EncoderConfig(bitrate=5_999), voip.InvalidArgument),
        (lambda: voip.EncoderConfig(bitrate=-1), voip.InvalidArgument),
        (lambda: voip.EncoderConfig(complexity=11), voip.InvalidArgument),
        (lambda: voip.EncoderConfig(complexity=256), voip.InvalidArgument),
        (lambda: voip.EncoderConfig(expected_loss=101), voip.InvalidArgument),
        (lambda: voip.EncoderConfig(frame=20), TypeError),
        (lambda: voip.EncoderConfig(application=voip.Presence.BUSY), TypeError),
        (lambda: voip.EncoderConfig(32_000), TypeError),
        (lambda: voip.JitterConfig(max_delay=0.7), voip.InvalidArgument),
        (lambda: voip.JitterConfig(min_delay=0.5), voip.InvalidArgument),
        (lambda: voip.JitterConfig(min_delay=-0.1), voip.InvalidArgument),
        (lambda: voip.JitterConfig(min_delay="0"), TypeError),
        (lambda: voip.JitterConfig(quality=1_001), voip.InvalidArgument),
        (lambda: voip.JitterConfig(quality=3.5), TypeError),
        (lambda: voip.PeerId("ab"), voip.InvalidArgument),
        (lambda: voip.PeerId(b"ab"), TypeError),
        (lambda: voip.Devices(5), TypeError),
        (lambda: voip.Devices(("a", "b", "c")), TypeError),
        (lambda: voip.Devices((None, 5)), TypeError),
        (lambda: voip.devices(-1), voip.InvalidArgument),
        (lambda: voip.devices("long"), TypeError),
        (lambda: voip.devices(10**400), voip.InvalidArgument),
        (lambda: voip.devices(Fails()), ZeroDivisionError),
        (lambda: voip.Tracker("nonsense"), voip.InvalidArgument),
        (lambda: voip.Tracker("203.0.113.1:0"), voip.InvalidArgument),
        (lambda: voip.Tracker(5), TypeError),
        (lambda: voip.Tracker("127.0.0.1:0", max_connections=-1), voip.InvalidArgument),
        (lambda: voip.Tracker("127.0.0.1:0", max_per_address=0), voip.InvalidArgument),
        (lambda: voip.Tracker("127.0.0.1:0", connection_rate=-1), voip.InvalidArgument),
        (lambda: voip.Tracker("127.0.0.1:0", request_rate=10_001), voip.InvalidArgument),
        (lambda: voip.Tracker("127.0.0.1:0", stun_rate="many"), TypeError),
        (lambda: voip.Call(), TypeError),
        (lambda: voip.Event(), TypeError),
        (lambda: voip.Incoming(call=None), TypeError),
    ],
)
def test_other_arguments(make, error: type[Exception]) -> None:
    with pytest.raises(error):
        make()


def test_an_address_in_use(tracker: voip.Tracker) -> None:
    with pytest.raises(voip.AddressInUse) as raised:
        voip.Tracker(tracker.address)
    assert isinstance(raised.value, OSError)
    assert raised.value.kind is voip.ErrorKind.ADDRESS_IN_USE


@pytest.mark.parametrize("target", [*NONSENSE, True])
def test_whom_to_call_is_text_or_a_key(pair: Pair, target: object) -> None:
    with pytest.raises(TypeError):
        pair.alice.place(target)


@pytest.mark.parametrize("target", ["", "a\0b", "alice", "x" * 65])
def test_whom_to_call_is_somebody_else(pair: Pair, target: str) -> None:
    with pytest.raises(voip.InvalidArgument):
        pair.alice.call(target)


def test_functions_of_a_node(pair: Pair) -> None:
    key = pair.bob.id
    for call, error in [
        (lambda: pair.alice.place("bob", ring_timeout=0), voip.InvalidArgument),
        (lambda: pair.alice.call("bob", ring_timeout="1"), TypeError),
        (lambda: pair.alice.call("bob", 5), TypeError),
        (lambda: pair.alice.accept_key("bob", "ab"), TypeError),
        (lambda: pair.alice.accept_key("a\0", key), voip.InvalidArgument),
        (lambda: pair.alice.choose_device("input", None), TypeError),
        (lambda: pair.alice.choose_device(voip.DeviceDirection.INPUT, 5), TypeError),
        (lambda: pair.alice.choose_device(voip.DeviceDirection.INPUT, None), voip.InvalidState),
        (lambda: pair.alice.next_event(-1), voip.InvalidArgument),
        (lambda: pair.alice.next_event(float("nan")), voip.InvalidArgument),
        (lambda: pair.alice.next_event("1"), TypeError),
        (lambda: pair.alice.peers(timeout=[]), TypeError),
    ]:
        with pytest.raises(error):
            call()


def test_times_without_end_are_no_mistake(pair: Pair) -> None:
    assert pair.alice.next_event(float("inf")) is not None
    assert pair.alice.next_event(1e300) is not None



def strided() -> memoryview:
    return memoryview(array.array("h", range(20)))[::2]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (None, TypeError),
        ("text", TypeError),
        (5, TypeError),
        ([1, 2, 3], TypeError),
        (array.array("i", [1, 2]), TypeError),
        (array.array("d", [0.5, 0.5]), TypeError),
        (array.array("H", [1, 2]), TypeError),
        (memoryview(bytes(8)).cast("b"), TypeError),
        (b"odd", voip.InvalidArgument),
        (bytearray(1), voip.InvalidArgument),
        (strided(), voip.InvalidArgument),
        (memoryview(bytes(16)).cast("h", (2, 4)), voip.InvalidArgument),
    ],
)
def test_buffers_that_hold_no_samples(pair: Pair, data: object, error: type[Exception]) -> None:
    call = pair.alice.place("bob")
    with pytest.raises(error):
        call.write(data)
    with pytest.raises(error):
        call.read_into(data)


def test_numpy_arrays_that_hold_no_samples(pair: Pair) -> None:
    numpy = pytest.importorskip("numpy")
    call = pair.alice.place("bob")
    for array_, error in [
        (numpy.zeros(10), TypeError),
        (numpy.zeros(10, "complex64"), TypeError),
        (numpy.zeros(10, ">i2"), TypeError),
        (numpy.zeros((10, 2), "int16"), voip.InvalidArgument),
        (numpy.zeros((10, 2), "int16")[:, :1], voip.InvalidArgument),
        (numpy.zeros((1, 1, 1), "int16"), voip.InvalidArgument),
        (numpy.frombuffer(bytes(9), "int16", offset=1, count=4), BufferError),
    ]:
        with pytest.raises(error):
            call.write(array_)


def test_what_cannot_be_read(pair: Pair) -> None:
    call = pair.alice.place("bob")
    for read, error in [
        (lambda: call.read(-1), voip.InvalidArgument),
        (lambda: call.read(10**12), voip.InvalidArgument),
        (lambda: call.read(2**70), voip.InvalidArgument),
        (lambda: call.read(1.5), TypeError),
        (lambda: call.read("all"), TypeError),
        (lambda: call.read(480, dtype="int32"), voip.InvalidArgument),
        (lambda: call.read(480, dtype=5), TypeError),
        (lambda: call.read(480, timeout=-1), voip.InvalidArgument),
        (lambda: call.read_into(bytes(10)), TypeError),
        (lambda: call.read_into(memoryview(bytearray(10)).toreadonly()), TypeError),
    ]:
        with pytest.raises(error):
            read()


def test_use_after_the_end(pair: Pair) -> None:
    at_alice, at_bob = pair.connect()
    at_alice.hang_up()
    at_bob.wait_ended(LIMIT)
    at_alice.wait_ended(LIMIT)
    for call in (at_alice, at_bob):
        for use in (
            lambda: call.write(bytes(960)),
            lambda: call.read(480),
            lambda: call.read_into(bytearray(960)),
            lambda: call.answer(),
            lambda: call.reject(),
            lambda: call.wait_connected(),
        ):
            with pytest.raises(voip.CallEnded):
                use()
        call.hang_up()
        call.muted = True
        assert call.state is voip.CallState.ENDED
        assert call.stats().packets_sent >= 0
        assert "hung up" in repr(call)
    with pytest.raises(TypeError):
        at_alice.muted = "yes"


def test_what_does_not_ring_cannot_be_answered(pair: Pair) -> None:
    call = pair.alice.place("bob")
    for use in (call.answer, call.reject, lambda: call.reject(voip.Reject.BUSY)):
        with pytest.raises(voip.InvalidState):
            use()
    with pytest.raises(TypeError):
        call.reject("busy")


def test_use_after_the_node_was_closed(pair: Pair) -> None:
    at_alice, _at_bob = pair.connect()
    pair.alice.close()
    for use in (
        lambda: pair.alice.place("bob"),
        lambda: pair.alice.call("bob"),
        lambda: pair.alice.peers(),
        lambda: pair.alice.wait_registered(),
        lambda: pair.alice.accept_key("bob", pair.bob.id),
        lambda: at_alice.write(bytes(960)),
        lambda: at_alice.read(480),
        lambda: at_alice.wait_connected(),
    ):
        with pytest.raises(voip.Closed):
            use()
    assert at_alice.end_reason is voip.EndReason.NODE_CLOSED
    assert pair.alice.name == "alice" and pair.alice.stats() and "closed" in repr(pair.alice)
    at_alice.hang_up()
    pair.alice.close()


def test_use_after_the_tracker_was_closed() -> None:
    tracker = voip.Tracker("127.0.0.1:0")
    with tracker as same:
        assert same is tracker
    assert tracker.closed and tracker.address and tracker.stats().online == 0
    assert list(tracker.events()) == []
    with pytest.raises(voip.Closed):
        tracker.next_event(1)
    tracker.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_has_none_of_it(pair: Pair) -> None:
    at_alice, at_bob = pair.connect()
    uses = [
        lambda: pair.alice.next_event(1),
        lambda: next(pair.alice.events()),
        lambda: pair.alice.place("bob"),
        lambda: pair.alice.peers(),
        lambda: pair.alice.stats(),
        lambda: pair.alice.wait_registered(),
        lambda: pair.alice.fileno(),
        lambda: pair.tracker.next_event(1),
        lambda: pair.tracker.stats(),
        lambda: at_alice.write(bytes(960)),
        lambda: at_alice.read(480),
        lambda: at_alice.wait_ended(),
        lambda: at_alice.state,
        lambda: at_alice.hang_up(),
        lambda: at_alice.stats(),
        lambda: repr(at_alice),
    ]
    carol, dave = online("carol", pair.tracker), online("dave", pair.tracker)
    others = [voip.Tracker("127.0.0.1:0"), carol, carol.place("dave")]
    ringing = await_event(dave, voip.Incoming).call
    del carol
    child = os.fork()
    if child == 0:
        status = 1
        sys.unraisablehook = lambda _: os._exit(3)
        try:
            closed = 0
            for use in uses:
                try:
                    use()
                except voip.Closed:
                    closed += 1
            with pair.alice, pair.tracker, at_alice:
                pass
            # Dropped here, they live on in the parent.
            others.clear()
            # A node of its own is as good as ever.
            with voip.Tracker("127.0.0.1:0") as tracker, node("child", tracker) as own:
                own.wait_registered(LIMIT)
            status = 0 if closed == len(uses) and pair.alice.closed and pair.tracker.closed else 2
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    # The parent has not noticed.
    assert not others[0].closed and not others[1].closed
    for call in (others[2], ringing):
        assert call.state is voip.CallState.RINGING
    assert at_alice.write(bytes(960), LIMIT) == 480
    assert at_bob.state is voip.CallState.CONNECTED


def test_all_at_once_from_many_threads(pair: Pair) -> None:
    """Closing and using in disorder gives exceptions of this library and nothing else."""
    at_alice, at_bob = pair.connect()
    begin = threading.Barrier(9)

    def use(work) -> None:
        begin.wait(LIMIT)
        for _ in range(50):
            try:
                work()
            except voip.Error:
                pass

    works = [
        lambda: at_alice.read(480, timeout=0.01),
        lambda: at_bob.write(bytes(960), 0.01),
        lambda: at_alice.stats(),
        lambda: pair.alice.next_event(0.01),
        lambda: pair.alice.place("bob").hang_up(),
        lambda: repr(at_alice) and hash(at_bob),
        lambda: pair.alice.peers(0.1),
        lambda: setattr(at_alice, "muted", True),
    ]
    waits = [in_thread(lambda work=work: use(work)) for work in works]
    begin.wait(LIMIT)
    await_event(pair.bob, voip.PeerMuted)
    pair.alice.close()
    for wait in waits:
        wait()
