"""Two who do not know each other's name are handed to each other."""

import asyncio

import pytest
from conftest import LIMIT, Pair, await_event, online

import voip
from voip import aio


def test_two_strangers_are_handed_to_each_other_and_one_calls(pair: Pair) -> None:
    pair.alice.unpair()
    pair.bob.pair()
    pair.alice.pair()
    at_alice = await_event(pair.alice, voip.Paired)
    at_bob = await_event(pair.bob, voip.Paired)
    assert (at_alice.peer.name, at_bob.peer.name) == ("bob", "alice")
    assert (at_alice.peer.id, at_bob.peer.id) == (pair.bob.id, pair.alice.id)
    assert at_alice.calls is not at_bob.calls
    caller, event, callee = (
        (pair.alice, at_alice, pair.bob) if at_alice.calls else (pair.bob, at_bob, pair.alice)
    )
    with caller.place(event.peer.id) as call:
        answered = await_event(callee, voip.Incoming).call
        answered.answer()
        call.wait_connected(LIMIT)
    events = (e for e in pair.tracker.events(LIMIT) if isinstance(e, voip.TrackerEvent.Paired))
    match next(events):
        case voip.TrackerEvent.Paired(name=name, other_name=other):
            assert {name, other} == {"alice", "bob"}


def test_without_a_tracker_there_is_nobody(tracker: voip.Tracker) -> None:
    with voip.Node("alice", audio=None) as alice:
        alice.pair()
        assert isinstance(await_event(alice, voip.PairingFailed).error, voip.TrackerUnreachable)
    with pytest.raises(voip.Closed):
        alice.pair()
    with pytest.raises(voip.Closed):
        alice.unpair()


def test_the_same_for_asyncio(tracker: voip.Tracker) -> None:
    async def main() -> None:
        async with aio.Node("alice", trackers=[tracker.address], audio=None) as alice:
            await alice.wait_registered(LIMIT)
            alice.unpair()
            alice.pair()
            with online("bob", tracker) as bob:
                bob.pair()
                async for event in alice.events(LIMIT):
                    if isinstance(event, voip.Paired):
                        assert event.peer.id == bob.id
                        return
        pytest.fail("nobody came")

    asyncio.run(main())
