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

from bursts import alternate, bar

NUMBERS = [arg for arg in sys.argv[1:] if arg.isdigit()]
ROUNDS = int(NUMBERS[0]) if NUMBERS else 3
SECONDS = NUMBERS[1] if len(NUMBERS) > 1 else "15"
TURNS = 2

programs = {
    "file": ["file_call.py", SECONDS],
    "pcm": ["voip_call.py", SECONDS, "1", "--one-way"],
    "aiortc": ["aiortc_call.py", SECONDS, "1", "--one-way"],
}
if "--without-aiortc" in sys.argv:
    del programs["aiortc"]
busy = {f"{name}, busy": [*command, "--busy"] for name, command in programs.items()}
found = alternate(
    {name: command for pair in zip(programs.items(), busy.items()) for name, command in pair},
    ROUNDS,
)


def more(name: str, key: str) -> float:
    return found[f"{name}, busy"][key] - found[name][key]


def lost(name: str) -> float:
    """Frames that were not said in time, did not come in time, or were not listened to."""
    run = found[f"{name}, busy"]
    return run["packets_lost"] + run["packets_late"] + run["unread_ms"]


print(
    json.dumps(
        {
            "what": "one busy Python thread beside a call, medians",
            "rounds": ROUNDS,
            **found,
            "bars": [
                bar("sound through files: delay, ms more", abs(more("file", "delay_ms")), 2.0),
                bar("sound through files: frames lost", lost("file"), 0),
                bar("PCM through Python: delay, ms more for each turn", more("pcm", "delay_ms") / TURNS, 6.0),
                bar("PCM through Python: frames lost", lost("pcm"), 0),
            ],
        },
        indent=1,
    )
)
