"""Calls with aiortc, both ends in this process, measured as `voip_call.py` measures those of voip.

    python aiortc_call.py SECONDS CALLS [--busy] [--one-way]

CALLS are set up one after the other, the last of them is kept for SECONDS; `--busy`: beside a thread that
computes; `--one-way`: Bob only listens, and Alice only speaks. Prints one JSON object.
"""

import asyncio
import fractions
import json
import sys
import threading
import time

import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection
from aiortc.mediastreams import MediaStreamError
from bursts import FRAME, FRAMES_PER_S, RATE, Ear, Source, compute, cpu, median, memory_kb


class Microphone(MediaStreamTrack):
    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.source = Source()

    async def recv(self) -> av.AudioFrame:
        wait = self.source.wait()
        if wait > 0:
            await asyncio.sleep(wait)
        pts = self.source.frames * FRAME
        samples = self.source.next().reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = RATE
        frame.pts = pts
        frame.time_base = fractions.Fraction(1, RATE)
        return frame


async def listen(track: MediaStreamTrack, ear: Ear) -> None:
    try:
        while True:
            frame = await track.recv()
            channels = len(frame.layout.channels)
            ear.hear(frame.to_ndarray().reshape(-1)[::channels].tolist())
    except MediaStreamError:
        pass


class Call:
    """Alice calls Bob; what Bob hears is measured."""

    def __init__(self) -> None:
        configuration = RTCConfiguration(iceServers=[])
        self.ends = RTCPeerConnection(configuration), RTCPeerConnection(configuration)
        self.microphones = Microphone(), Microphone()
        # What each end hears is said by the other.
        self.ears = Ear(self.microphones[1].source), Ear(self.microphones[0].source)
        self.listening: list[asyncio.Task[None]] = []

    async def begin(self, one_way: bool) -> float:
        """Seconds from the offer to the first frame that Bob gets."""
        alice, bob = self.ends
        for end, ear in zip(self.ends, self.ears):

            @end.on("track")
            def _(track: MediaStreamTrack, ear: Ear = ear) -> None:
                self.listening.append(asyncio.ensure_future(listen(track, ear)))

        began = time.monotonic()
        alice.addTrack(self.microphones[0])
        await alice.setLocalDescription(await alice.createOffer())
        await bob.setRemoteDescription(alice.localDescription)
        if not one_way:
            bob.addTrack(self.microphones[1])
        await bob.setLocalDescription(await bob.createAnswer())
        await alice.setRemoteDescription(bob.localDescription)
        while self.ears[1].first is None:
            await asyncio.sleep(0.0005)
        return self.ears[1].first - began

    async def end(self) -> None:
        for end in self.ends:
            await end.close()


async def main(seconds: float, calls: int, busy: bool, one_way: bool) -> None:
    setups = []
    for i in range(calls):
        call = Call()
        setups.append(await call.begin(one_way))
        if i < calls - 1:
            await call.end()
    await asyncio.sleep(2)
    stop: list[bool] = []
    if busy:
        threading.Thread(target=compute, args=[stop], daemon=True).start()
        await asyncio.sleep(1)
    source, ear = call.microphones[0].source, call.ears[1]
    ear.delays.clear()
    said, heard, used, began = source.frames, ear.samples, cpu(), time.monotonic()
    await asyncio.sleep(seconds)
    lasted = time.monotonic() - began
    due = lasted * FRAMES_PER_S
    found = {
        "first_audio_ms": median(setups) * 1e3,
        "delay_ms": median(ear.delays) * 1e3,
        "bursts": len(ear.delays),
        "cpu_ms_per_s": (cpu() - used) / lasted / 2 * 1e3,
        "not_said_pct": max(0.0, 1 - (source.frames - said) / due) * 100,
        "not_heard_pct": max(0.0, 1 - (ear.samples - heard) / FRAME / due) * 100,
        "memory_kb": memory_kb(),
    }
    stop.append(True)
    await call.end()
    print(json.dumps(found))


busy, one_way = ("--busy" in sys.argv), ("--one-way" in sys.argv)
asyncio.run(main(float(sys.argv[1]), int(sys.argv[2]), busy, one_way))
