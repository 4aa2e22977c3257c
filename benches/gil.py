"""A thread that computes, beside a call: what it does to the sound. Prints JSON.

    python gil.py [ROUNDS 3] [SECONDS 15] [--without-aiortc]

With and without such a thread in turns: sound through files, which needs no Python; PCM through Python,
one way, where the interpreter has to be had twice for each frame: by the thread that speaks, to wake up in time,
and by the one that listens, to return; and the same with aiortc.

Each time costs the 5 ms that a thread which computes may keep the interpreter (`sys.setswitchinterval`), so
four threads that speak and listen, both ends of a two-way call, would fill the 20 ms of a frame.
"""

import json
import sys

from bursts import FRAMES_PER_S, bar, in_turns, medians

NUMBERS = [arg for arg in sys.argv[1:] if arg.isdigit()]
ROUNDS = int(NUMBERS[0]) if NUMBERS else 3
SECONDS = NUMBERS[1] if len(NUMBERS) > 1 else "15"
TURNS = 2
NETWORK = "packets_lost", "packets_late"

programs = {
    "file": ["file_call.py", SECONDS],
    "pcm": ["voip_call.py", SECONDS, "1", "--one-way"],
    "aiortc": ["aiortc_call.py", SECONDS, "1", "--one-way"],
}
if "--without-aiortc" in sys.argv:
    del programs["aiortc"]
busy = {f"{name}, busy": [*command, "--busy"] for name, command in programs.items()}
runs = in_turns(
    {name: command for pair in zip(programs.items(), busy.items()) for name, command in pair},
    ROUNDS,
)
found = medians(runs)


def more(name: str, key: str) -> float:
    return found[f"{name}, busy"][key] - found[name][key]


def worst(name: str, *keys: str) -> float:
    """The sum of these, in the worst round beside a busy thread."""
    return max(sum(run[key] for key in keys) for run in runs[f"{name}, busy"])


def missing(name: str, key: str) -> int:
    """Per cent as frames."""
    return round(worst(name, key) / 100 * float(SECONDS) * FRAMES_PER_S)


print(
    json.dumps(
        {
            "what": "one busy Python thread beside a call: medians; what was lost, in the worst round",
            "rounds": ROUNDS,
            **found,
            "bars": [
                bar("sound through files: delay, ms more", abs(more("file", "delay_ms")), 2.0),
                bar("sound through files: packets lost or late", worst("file", *NETWORK), 0),
                bar("sound through files: not played, ms", worst("file", "unread_ms"), 0),
                bar("PCM through Python: delay, ms more for each turn", more("pcm", "delay_ms") / TURNS, 6.0),
                bar("PCM through Python: packets lost or late", worst("pcm", *NETWORK), 0),
                bar("PCM through Python: not read in time, ms", worst("pcm", "unread_ms"), 0),
                # One may be under way at either end of the time.
                bar("PCM through Python: frames not said", missing("pcm", "not_said_pct"), 1),
                bar("PCM through Python: frames not heard", missing("pcm", "not_heard_pct"), 1),
            ],
        },
        indent=1,
    )
)
