"""A call with voip whose sound goes through files, and how long that takes.

    python file_call.py SECONDS [--busy]

The delay is that of the bursts of `bursts.py`, from the moment at which a sample of the microphone's file
was due to the one at which the recorder played it, by the node's own clocks. Prints one JSON object.
"""

import json
import sys
import tempfile
import threading
import time
import wave
from pathlib import Path

import numpy
import voip
from bursts import FRAME, LOUD, RATE, Source, compute, cpu, median

LIMIT = 10.0


def onsets(path: Path) -> numpy.ndarray:
    """The samples at which bursts begin."""
    with wave.open(str(path)) as file:
        samples = numpy.frombuffer(file.readframes(file.getnframes()), numpy.int16)
    loud = numpy.nonzero(numpy.abs(samples.astype(numpy.int32)) > LOUD)[0]
    begins = numpy.diff(loud, prepend=-RATE) > RATE // 5
    return loud[begins]


def main(seconds: float, busy: bool) -> None:
    folder = Path(tempfile.mkdtemp())
    spoken, heard = folder / "spoken.wav", folder / "heard.wav"
    source = Source()
    with wave.open(str(spoken), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for _ in range(round((seconds + 4) * RATE / FRAME)):
            file.writeframes(source.next())
    stop: list[bool] = []
    with voip.Tracker("127.0.0.1:0") as tracker:
        options = {"trackers": [tracker.address], "bind": "127.0.0.1:0"}
        with (
            voip.Node("alice", audio=voip.Wav(play=spoken), **options) as alice,
            voip.Node("bob", audio=voip.Wav(record=heard), auto_answer=True, **options) as bob,
        ):
            bob.wait_registered(LIMIT)
            call = alice.call("bob")
            at_bob = next(e.call for e in bob.events() if isinstance(e, voip.FirstAudio))
            time.sleep(2)
            if busy:
                threading.Thread(target=compute, args=[stop], daemon=True).start()
                time.sleep(1)
            before, used, started = at_bob.stats(), cpu(), time.monotonic()
            time.sleep(seconds)
            lasted, after = time.monotonic() - started, at_bob.stats()
            used = cpu() - used
            said_at = alice.stats().capture_started_unix_us / 1e6
            heard_at = bob.stats().playout_started_unix_us / 1e6
            call.hang_up()
            at_bob.wait_ended(LIMIT)
    stop.append(True)
    said, came = onsets(spoken) / RATE + said_at, onsets(heard) / RATE + heard_at
    delays = [float(min(came[came > moment], default=numpy.inf) - moment) for moment in said]
    # What was still under way at the end, or settling at the beginning, is left out.
    delays = [delay for delay in delays[2:] if delay < 1.0]
    print(
        json.dumps(
            {
                "delay_ms": median(delays) * 1e3,
                "bursts": len(delays),
                "cpu_ms_per_s": used / lasted / 2 * 1e3,
                "packets_lost": after.packets_lost - before.packets_lost,
                "packets_late": after.packets_late - before.packets_late,
                "unread_ms": after.unread_ms - before.unread_ms,
            }
        )
    )


main(float(sys.argv[1]), "--busy" in sys.argv)
