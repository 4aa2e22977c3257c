"""voip beside aiortc from Python, in turns: call to first audio, one-way delay, CPU. Prints JSON.

    python versus_aiortc.py [ROUNDS 5] [SECONDS 15]

Needs voip, and from PyPI aiortc (which brings PyAV) and numpy. Both ends of a call are in one process, over
loopback; frames are 20 ms of 48 kHz, int16, handed over and heard in Python. `bursts.py` says what the
delay is. Ours speaks and listens in a thread each, for that is how it is used; aiortc in its event loop.
"""

import json
import sys

from bursts import bar, in_turns, medians

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
SECONDS = sys.argv[2] if len(sys.argv) > 2 else "15"
CALLS = "8"

programs = {
    "voip": ["voip_call.py", SECONDS, CALLS],
    "aiortc": ["aiortc_call.py", SECONDS, CALLS],
}
found = medians(in_turns(programs, ROUNDS))


def ratio(key: str) -> float:
    return found["voip"][key] / found["aiortc"][key]


print(
    json.dumps(
        {
            "what": "voip beside aiortc, medians",
            "rounds": ROUNDS,
            **found,
            "bars": [
                bar("call to first audio, of aiortc's", ratio("first_audio_ms"), 0.5),
                bar("one-way delay, of aiortc's", ratio("delay_ms"), 0.25),
                bar("CPU, of aiortc's", ratio("cpu_ms_per_s"), 0.4),
            ],
        },
        indent=1,
    )
)
