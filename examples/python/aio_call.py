"""Two who talk, in one asyncio program: each says a tone and listens to the other's.

    python aio_call.py [SECONDS]
"""

import array
import asyncio
import math
import sys

import voip
from voip import aio

RATE = 48_000
BLOCK = RATE // 100


def tone(hertz: int) -> array.array:
    """A tenth of a second: a whole number of waves, so that it can be said over and over."""
    step = 2 * math.pi * hertz / RATE
    return array.array("f", (0.3 * math.sin(step * i) for i in range(RATE // 10)))


async def say(call: aio.Call, hertz: int) -> None:
    while True:
        await call.write(tone(hertz))


async def listen(call: aio.Call, seconds: float) -> float:
    """How loud it was at its loudest."""
    loudest = 0.0
    for _ in range(round(seconds * 100)):
        block = array.array("h", await call.read(BLOCK))
        loudest = max(loudest, math.sqrt(sum(s * s for s in block) / len(block)) / 32_768)
    return loudest


async def talk(call: aio.Call, hertz: int, seconds: float) -> None:
    await call.wait_connected(10)
    saying = asyncio.create_task(say(call, hertz))
    loudest = await listen(call, seconds)
    saying.cancel()
    print(f"{call.peer.name} was heard at {20 * math.log10(loudest + 1e-6):.0f} dBFS")


async def answer(node: aio.Node) -> aio.Call:
    async for event in node.events():
        match event:
            case voip.Incoming(call=call):
                call.answer()
                return call
    raise SystemExit("nobody called")


async def main(seconds: float) -> None:
    with voip.Tracker("127.0.0.1:0") as tracker:
        pcm, trackers = voip.Manual(RATE), [tracker.address]
        async with (
            aio.Node("alice", trackers=trackers, audio=pcm) as alice,
            aio.Node("bob", trackers=trackers, audio=pcm) as bob,
        ):
            await bob.wait_registered(5)
            answering = asyncio.create_task(answer(bob))
            async with await alice.call("bob", ring_timeout=10) as call:
                await asyncio.gather(
                    talk(call, 440, seconds), talk(await answering, 660, seconds)
                )


asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0))
