"""The same for asyncio: no thread waits, and what is cancelled takes nothing with it."""

import array
import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import BLOCK, LIMIT, loudness, tone

import voip
from voip import aio


def run(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def in_a_loop() -> None:
        async def limited() -> None:
            async with asyncio.timeout(2 * LIMIT), both() as (alice, bob):
                await test(alice, bob)

        asyncio.run(limited())

    in_a_loop.__name__ = test.__name__
    in_a_loop.__doc__ = test.__doc__
    return in_a_loop


@asynccontextmanager
async def both() -> AsyncIterator[tuple[aio.Node, aio.Node]]:
    def node(name: str) -> aio.Node:
        return aio.Node(name, trackers=[at], audio=voip.Manual(), bind="127.0.0.1:0")

    with voip.Tracker("127.0.0.1:0") as tracker:
        at = tracker.address
        async with node("alice") as alice, node("bob") as bob:
            await alice.wait_registered(LIMIT)
            await bob.wait_registered(LIMIT)
            yield alice, bob


async def answer_one(node: aio.Node) -> aio.Call:
    async for event in node.events(LIMIT):
        match event:
            case voip.Incoming(call=call):
                assert isinstance(call, aio.Call)
                call.answer()
                return call
    raise AssertionError("nobody calls")


async def connect(alice: aio.Node, bob: aio.Node) -> tuple[aio.Call, aio.Call]:
    at_alice, at_bob = await asyncio.gather(alice.call("bob"), answer_one(bob))
    await asyncio.gather(at_alice.wait_connected(LIMIT), at_bob.wait_connected(LIMIT))
    return at_alice, at_bob


def count_threads() -> tuple[int, int]:
    """Python's, and all that this process has; only Linux tells those."""
    tasks = Path("/proc/self/task")
    return threading.active_count(), len([*tasks.iterdir()]) if tasks.exists() else 0


@run
async def test_a_whole_call(alice: aio.Node, bob: aio.Node) -> None:
    at_alice, at_bob = await connect(alice, bob)
    threads = count_threads()

    async def talk(call: aio.Call) -> float:
        loudest = 0.0

        async def say() -> None:
            for _ in range(60):
                assert await call.write(tone(BLOCK)) == BLOCK

        async def hear() -> None:
            nonlocal loudest
            for _ in range(60):
                loudest = max(loudest, loudness(await call.read(BLOCK)))

        await asyncio.gather(say(), hear())
        return loudest

    assert min(await asyncio.gather(talk(at_alice), talk(at_bob))) > 0.2
    # One of the library that set up the call may have ended meanwhile.
    assert all(now <= before for now, before in zip(count_threads(), threads))
    assert (at_alice.peer.name, at_bob.peer.id) == ("bob", alice.id)
    at_bob.muted = True
    async with at_alice:
        async for event in alice.events(LIMIT):
            if isinstance(event, voip.PeerMuted):
                assert event.call is at_alice and at_alice.peer_muted
                break
    assert await at_alice.wait_ended(LIMIT) is voip.EndReason.HUNG_UP
    assert await at_bob.wait_ended(LIMIT) is voip.EndReason.PEER_HUNG_UP
    with pytest.raises(voip.CallEnded):
        await at_bob.read()


@run
async def test_calls_that_come_to_nothing(alice: aio.Node, bob: aio.Node) -> None:
    async def refuse() -> None:
        async for event in bob.events(LIMIT):
            if isinstance(event, voip.Incoming):
                event.call.reject(voip.Reject.BUSY)
                return

    refusing = asyncio.create_task(refuse())
    with pytest.raises(voip.Busy):
        await alice.call("bob")
    await refusing
    with pytest.raises(voip.UnknownPeer):
        await alice.call("nobody")
    with pytest.raises(voip.NoAnswer):
        await alice.call("bob", ring_timeout=1)
    assert [peer.name for peer in await alice.peers()] == ["alice", "bob"]


@run
async def test_cancelling_a_call_hangs_it_up(alice: aio.Node, bob: aio.Node) -> None:
    calling = asyncio.create_task(alice.call("bob"))
    async for event in bob.events(LIMIT):
        if isinstance(event, voip.Incoming):
            break
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert await event.call.wait_ended(LIMIT) is voip.EndReason.MISSED


@run
async def test_cancelling_loses_no_event(alice: aio.Node, bob: aio.Node) -> None:
    while await alice.next_event(0) is not None:
        pass
    waits = [asyncio.create_task(alice.next_event()) for _ in range(3)]
    await asyncio.sleep(0)
    waits[0].cancel()
    waits[2].cancel()
    call = bob.place("alice")
    event = await waits[1]
    assert isinstance(event, voip.Incoming) and event.call.peer.name == "bob"
    assert await alice.next_event(0.01) is None
    call.hang_up()


@run
async def test_cancelling_loses_no_sound(alice: aio.Node, bob: aio.Node) -> None:
    at_alice, at_bob = await connect(alice, bob)
    await at_alice.read(BLOCK)
    for _ in range(10):
        reading = asyncio.create_task(at_alice.read(4 * BLOCK))
        await asyncio.sleep(0.003)
        reading.cancel()
        await at_alice.read(BLOCK)
    assert at_alice.stats().unread_ms == 0
    long = bytes(2 * 48_000)
    assert 0 < await at_bob.write(long, timeout=0) < 48_000
    with pytest.raises(voip.TimedOut):
        for _ in range(1_000):
            await at_bob.write(long, timeout=0)
    assert await at_bob.write(tone(9_600)) == 9_600
    floats = array.array("f", bytes(4 * 9_600))
    assert await at_bob.write(floats) == 9_600
    await at_bob.read_into(floats)


@run
async def test_a_reader_and_a_writer_wait_at_the_same_time(
    alice: aio.Node, bob: aio.Node
) -> None:
    at_alice, _at_bob = await connect(alice, bob)

    async def write() -> None:
        await at_alice.write(bytes(2 * 24_000))

    async def read() -> None:
        for _ in range(25):
            await at_alice.read(960)

    await asyncio.wait_for(asyncio.gather(write(), read()), LIMIT)


@run
async def test_waiting_for_a_call_leaves_the_events_to_others(
    alice: aio.Node, bob: aio.Node
) -> None:
    """And costs nothing: events that nobody reads do not keep the loop busy."""
    at_alice, _at_bob = await connect(alice, bob)
    turns = 0

    async def count() -> None:
        nonlocal turns
        loop = asyncio.get_running_loop()
        select = loop._selector.select  # type: ignore[attr-defined]

        def counted(timeout: float | None) -> Any:
            nonlocal turns
            turns += 1
            return select(timeout)

        loop._selector.select = counted  # type: ignore[attr-defined]

    await count()
    with pytest.raises(voip.TimedOut):
        await at_alice.wait_ended(0.3)
    assert turns < 20
    told = [type(event) async for event in alice.events(0.01)]
    assert told[:1] == [voip.Registered] and voip.Connected in told


@run
async def test_waiting_for_a_call_takes_no_event_from_whoever_waits_for_it(
    alice: aio.Node, bob: aio.Node
) -> None:
    async def see_the_end() -> None:
        async for event in alice.events():
            if isinstance(event, voip.Ended):
                return

    seen = asyncio.create_task(see_the_end())
    call = alice.place("nobody")
    await asyncio.sleep(0)
    # The loop is busy while the call ends: what the descriptor says it has not seen yet.
    with suppress(voip.UnknownPeer):
        call._call.wait_ended(LIMIT)
    with pytest.raises(voip.UnknownPeer):
        await call.wait_answered(LIMIT)
    await asyncio.wait_for(seen, LIMIT)


@run
async def test_two_readers_of_one_call_both_get_what_they_wait_for(
    alice: aio.Node, bob: aio.Node
) -> None:
    at_alice, _at_bob = await connect(alice, bob)
    sizes = [9_600, 480]
    heard = await asyncio.gather(*(at_alice.read(size, timeout=LIMIT) for size in sizes))
    assert [len(pcm) for pcm in heard] == [2 * size for size in sizes]


@run
async def test_a_dropped_call_is_hung_up(alice: aio.Node, bob: aio.Node) -> None:
    at_alice, at_bob = await connect(alice, bob)
    with pytest.raises(voip.TimedOut):
        await at_alice.wait_ended(0.01)
    gc.disable()
    del at_alice
    try:
        assert await at_bob.wait_ended(LIMIT) is voip.EndReason.PEER_HUNG_UP
    finally:
        gc.enable()


@run
async def test_closing_ends_what_waits(alice: aio.Node, bob: aio.Node) -> None:
    at_alice, _at_bob = await connect(alice, bob)

    async def listen() -> int:
        return len([event async for event in alice.events()])

    waits = [
        asyncio.create_task(wait)
        for wait in (listen(), at_alice.read(480_000), at_alice.wait_ended())
    ]
    await asyncio.sleep(0)
    await alice.close()
    events, read, ended = await asyncio.gather(*waits, return_exceptions=True)
    assert events > 0 and isinstance(read, voip.Closed)
    assert ended is voip.EndReason.NODE_CLOSED
    with pytest.raises(voip.Closed):
        await alice.next_event()


def test_without_manual_pcm_there_is_none() -> None:
    async def main() -> None:
        async with aio.Node("alice", audio=None) as alice:
            call = alice.place("bob")
            with pytest.raises(voip.InvalidState):
                await call.read(480)

    asyncio.run(main())
