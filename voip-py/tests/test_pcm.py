"""Manual PCM: every kind of buffer, channels, pacing, time limits, a busy neighbour."""

import array
import struct
import threading

import pytest
from conftest import BLOCK, LIMIT, Pair, loudness, tone

import voip


def say_and_hear(pair: Pair, said: object, blocks: int = 40) -> float:
    """How loud Bob hears what Alice writes over and over."""
    at_alice, at_bob = pair.connect()
    loudest = 0.0
    for _ in range(blocks):
        assert at_alice.write(said, LIMIT) == BLOCK
        loudest = max(loudest, loudness(at_bob.read(BLOCK, timeout=LIMIT)))
    return loudest


def as_float(samples: array.array) -> array.array:
    return array.array("f", (sample / 32768 for sample in samples))


@pytest.mark.parametrize(
    "convert",
    [
        lambda samples: samples,
        lambda samples: samples.tobytes(),
        lambda samples: bytearray(samples.tobytes()),
        lambda samples: memoryview(samples),
        lambda samples: memoryview(samples.tobytes()).cast("h"),
        lambda samples: as_float(samples),
        lambda samples: memoryview(as_float(samples)),
    ],
    ids=["array h", "bytes", "bytearray", "memoryview h", "cast", "array f", "memoryview f"],
)
def test_any_buffer_of_samples_is_said(pair: Pair, convert) -> None:
    assert say_and_hear(pair, convert(tone(BLOCK))) > 0.2


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_numpy_arrays_are_buffers(pair: Pair, dtype: str) -> None:
    numpy = pytest.importorskip("numpy")
    samples = numpy.array(tone(BLOCK), dtype="int16")
    said = samples if dtype == "int16" else (samples / 32768).astype("float32")
    assert say_and_hear(pair, said.reshape(-1, 1)) > 0.2
    at_bob = pair.alice.place("bob")
    heard = numpy.ones((BLOCK, 1), dtype=dtype)
    at_bob.read_into(heard, LIMIT)
    assert not heard.any(), "before the call is connected there is silence"


def test_read_gives_what_it_is_asked_for(pair: Pair) -> None:
    call = pair.alice.place("bob")
    assert call.read(480, timeout=LIMIT) == bytes(960)
    assert call.read(480, dtype="float32", timeout=LIMIT) == bytes(1920)
    assert len(call.read(timeout=LIMIT)) == 960 * 2, "20 ms unless Manual says otherwise"
    assert call.read(0) == b""
    for buffer in (bytearray(b"x" * 20), array.array("h", [1] * 10), array.array("f", [1.0] * 10)):
        call.read_into(buffer, LIMIT)
        assert not any(buffer)


def test_float_and_int_are_the_same_sound(pair: Pair) -> None:
    at_alice, at_bob = pair.connect()
    for _ in range(20):
        at_alice.write(tone(BLOCK), LIMIT)
        at_bob.read(BLOCK, timeout=LIMIT)
    at_alice.write(tone(BLOCK), LIMIT)
    heard = struct.unpack("480f", at_bob.read(BLOCK, dtype="float32", timeout=LIMIT))
    assert 0.3 < max(heard) < 0.8


def test_more_channels_are_averaged_and_repeated(tracker: voip.Tracker) -> None:
    pair = Pair(tracker, audio=voip.Manual(channels=2, blocksize=BLOCK))
    at_alice, at_bob = pair.connect()
    one_side = array.array("h", (s for sample in tone(BLOCK) for s in (sample, 0)))
    loudest = 0.0
    for _ in range(40):
        assert at_alice.write(one_side, LIMIT) == BLOCK
        heard = array.array("h", at_bob.read(timeout=LIMIT))
        assert len(heard) == 2 * BLOCK
        assert heard[0::2] == heard[1::2]
        loudest = max(loudest, loudness(heard.tobytes()))
    assert 0.1 < loudest < 0.25, "half of what one channel alone would be"
    with pytest.raises(voip.InvalidArgument, match="2 channels"):
        at_alice.write(array.array("h", [1, 2, 3]))
    pair.close()


def test_another_rate(tracker: voip.Tracker) -> None:
    pair = Pair(tracker, audio=voip.Manual(samplerate=8_000))
    at_alice, at_bob = pair.connect()
    loudest = 0.0
    for _ in range(40):
        assert at_alice.write(tone(160, rate=8_000), LIMIT) == 160
        heard = at_bob.read(timeout=LIMIT)
        assert len(heard) == 320
        loudest = max(loudest, loudness(heard))
    assert loudest > 0.2
    pair.close()


def test_a_full_queue_takes_what_it_has_room_for(pair: Pair) -> None:
    at_alice, _at_bob = pair.connect()
    second = tone(48_000)
    accepted = at_alice.write(second, 0)
    assert 0 < accepted < 48_000
    with pytest.raises(TimeoutError):
        for _ in range(1_000):
            at_alice.write(second, 0)
    assert at_alice.write(second[:9_600], LIMIT) == 9_600, "waits until there was room for all"


def test_a_read_that_times_out_loses_nothing(pair: Pair) -> None:
    at_alice, at_bob = pair.connect()
    at_bob.read(BLOCK, timeout=LIMIT)
    with pytest.raises(voip.TimedOut):
        at_bob.read(9_600, timeout=0.01)
    at_bob.read(9_600, timeout=LIMIT)
    assert at_bob.stats().unread_ms == 0


def test_nobody_else_stands_still_while_one_waits(pair: Pair) -> None:
    """Every function that waits lets other threads run."""
    at_alice, _at_bob = pair.connect()
    empty = bytes(2 * 48_000)
    waits = [
        lambda: at_alice.read(48_000, timeout=0.3),
        lambda: at_alice.read_into(bytearray(96_000), 0.3),
        lambda: [at_alice.write(empty, 0.3) for _ in range(2)],
        lambda: at_alice.wait_ended(0.3),
        lambda: list(pair.alice.events(0.3)),
        lambda: list(pair.tracker.events(0.3)),
    ]
    for wait in waits:
        ran = 0
        done = threading.Event()

        def count() -> None:
            nonlocal ran
            while not done.wait(0.01):
                ran += 1

        counting = threading.Thread(target=count)
        counting.start()
        try:
            wait()
        except voip.TimedOut:
            pass
        done.set()
        counting.join()
        assert ran >= 3, wait
