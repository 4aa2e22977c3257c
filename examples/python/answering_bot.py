"""An answering machine: answers, beeps, and records each caller to a WAV file of their own.

    python answering_bot.py TRACKER [--name answering] [--folder .] [--seconds 30] [--calls 0]
"""

import argparse
import array
import math
import threading
import wave
from pathlib import Path

import voip

RATE = 48_000


def beep(seconds: float = 0.4, hertz: float = 880.0) -> array.array:
    """A tone that swells and fades, so that it does not click."""
    count = round(seconds * RATE)
    swell = (math.sin(math.pi * i / count) for i in range(count))
    return array.array(
        "h",
        (round(9_000 * s * math.sin(2 * math.pi * hertz * i / RATE)) for i, s in enumerate(swell)),
    )


def record(call: voip.Call, path: Path, seconds: float) -> None:
    """Beeps, then writes what is said until it is over, or long enough."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        try:
            call.write(beep())
            call.muted = True  # from here on this side has nothing to say
            for _ in range(round(seconds * 50)):
                file.writeframes(call.read(RATE // 50))
        except voip.Error:
            pass
    call.hang_up()
    print(f"{call.peer.name} left a message: {path}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Answer calls and record them.")
    parser.add_argument("tracker", help="host:port")
    parser.add_argument("--name", default="answering", help="the name to be called by (answering)")
    parser.add_argument("--folder", type=Path, default=Path("."), help="where recordings go (.)")
    parser.add_argument("--seconds", type=float, default=30, help="the longest message (30)")
    parser.add_argument("--calls", type=int, default=0, help="end after so many (0: never)")
    options = parser.parse_args()

    recordings: list[threading.Thread] = []
    with voip.Node(
        options.name,
        trackers=[options.tracker],
        audio=voip.Manual(RATE),
        auto_answer=True,
        max_calls=8,
    ) as me:
        me.wait_registered(10)
        print(f"{options.name} waits for calls", flush=True)
        for event in me.events():
            match event:
                case voip.Connected(call=call):
                    path = options.folder / f"{len(recordings) + 1}-{call.peer.id.short()}.wav"
                    work = threading.Thread(target=record, args=[call, path, options.seconds])
                    work.start()
                    recordings.append(work)
                case voip.Ended() if options.calls and len(recordings) >= options.calls:
                    break
        for work in recordings:
            work.join()


try:
    main()
except KeyboardInterrupt:
    pass
