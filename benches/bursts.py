"""Sound whose way can be timed: noise, and a burst of 1 kHz once a second.

The delay of a burst is the time from handing over the 20 ms frame that begins with it to the return
of the read that contains it. Frames are 1.3 ms later every second against their first grid, so that bursts
meet every phase of whatever works in blocks.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy

RATE = 48_000
FRAME = 960
EVERY = 50  # frames from burst to burst
SHIFT = 0.0013  # seconds by which the grid moves after each burst
FRAMES_PER_S = EVERY / (EVERY * 0.02 + SHIFT)
LOUD = 3_000


class Source:
    """Frames of 20 ms, int16, and when the bursts among them were handed over.

    They are made beforehand, for numpy lets go of the interpreter whenever it computes.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.bursts: list[float] = []
        self._began: float | None = None
        noise = numpy.random.default_rng(1).integers(-100, 100, (EVERY, FRAME), numpy.int16)
        tone = 12_000 * numpy.sin(2 * numpy.pi * 1_000 * numpy.arange(FRAME) / RATE)
        self._quiet = list(noise)
        self._loud = list(noise[:3] + tone.astype(numpy.int16))

    def wait(self) -> float:
        """Seconds until the next frame is due."""
        now = time.monotonic()
        if self._began is None:
            self._began = now
        shift = (self.frames // EVERY) * SHIFT
        return max(self._began + self.frames * 0.02 + shift - now, 0.0)

    def next(self) -> numpy.ndarray:
        """The next frame, to be handed over at once."""
        place = self.frames % EVERY
        loud = self.frames > EVERY and place < len(self._loud)
        if loud and place == 0:
            self.bursts.append(time.monotonic())
        self.frames += 1
        return self._loud[place] if loud else self._quiet[place]


class Ear:
    """Hears blocks and finds the bursts of a source in them."""

    def __init__(self, source: Source) -> None:
        self.first: float | None = None
        self.samples = 0
        self.delays: list[float] = []
        self._source = source
        self._seen = 0
        self._quiet_until = 0.0

    def hear(self, block: Sequence[int]) -> None:
        now = time.monotonic()
        self.samples += len(block)
        loudness = max(block)
        if self.first is None and loudness > 0:
            self.first = now
        if loudness > LOUD:
            if now > self._quiet_until and len(self._source.bursts) != self._seen:
                self._seen = len(self._source.bursts)
                self.delays.append(now - self._source.bursts[-1])
            self._quiet_until = now + 0.2


def median(values: list[float]) -> float:
    return float(numpy.median(values)) if values else float("nan")


def cpu() -> float:
    """Seconds of CPU that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def memory_kb() -> int:
    """Resident memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def compute(stop: list[bool]) -> None:
    """A thread that computes and does not let go of the interpreter."""
    x = 0
    while not stop:
        for _ in range(100_000):
            x += 1


def in_turns(programs: dict[str, list[str]], rounds: int) -> dict[str, list[dict[str, float]]]:
    """Runs programs of this folder in turns, `rounds` times; the JSON of each run."""
    folder = Path(__file__).parent
    found: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
    for number in range(rounds):
        for name, command in programs.items():
            print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
            path, *args = command
            ran = subprocess.run(
                [sys.executable, str(folder / path), *args], stdout=subprocess.PIPE, check=True
            )
            found[name].append(json.loads(ran.stdout))
    return found


def medians(found: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Of what `in_turns` has found."""
    return {
        name: {key: median([run[key] for run in runs]) for key in runs[0]}
        for name, runs in found.items()
    }


def bar(what: str, found: float, most: float) -> dict[str, object]:
    """A figure beside what was promised of it."""
    return {"what": what, "found": round(found, 3), "most": most, "held": bool(found <= most)}
