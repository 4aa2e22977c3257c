"""Events: all of them, as classes to match, and a descriptor that says when."""

import select
import time

import pytest
from conftest import LIMIT, Pair, await_event, in_thread, online

import voip


def test_both_ends_are_told_everything_in_order(pair: Pair) -> None:
    at_alice, _at_bob = pair.connect()
    at_alice.hang_up()
    told = []
    for event in pair.alice.events(LIMIT):
        match event:
            case voip.Registered(tracker=address, online=count):
                assert address == pair.tracker.address and count == 1
            case voip.Joined(peer=voip.Peer(name=name), online=2):
                told.append(f"{name} joined")
            case voip.Ringing(call) | voip.Answered(call) | voip.Connected(call):
                assert call == at_alice
                told.append(type(event).__name__)
            case voip.Ended(call=call, reason=reason):
                assert call == at_alice and call.peer.name == "bob"
                told.append(reason)
                break
    assert told == ["bob joined", "Ringing", "Answered", "Connected", voip.EndReason.HUNG_UP]


def test_events_are_frozen_values(pair: Pair) -> None:
    registered = await_event(pair.bob, voip.Registered)
    at_alice, at_bob = pair.ring()
    event = await_event(pair.alice, voip.Ringing)
    assert event.__match_args__ == ("call",)
    assert event.call == at_alice and event.call != at_bob
    assert hash(event.call) == hash(at_alice)
    assert {at_alice: 1}[event.call] == 1
    with pytest.raises(AttributeError):
        event.call = at_bob
    assert repr(event).startswith("Ringing(call=<voip.Call with \"bob\"")
    assert repr(registered) == f"Registered(tracker='{pair.tracker.address}', online=2)"
    assert registered == registered and registered != event and hash(registered) == hash(registered)


def test_a_peer_leaves(pair: Pair) -> None:
    left = pair.bob.id
    pair.bob.close()
    event = await_event(pair.alice, voip.Left)
    assert (event.name, event.id, event.online) == ("bob", left, 1)


def test_no_event_within_the_time_limit(pair: Pair) -> None:
    while pair.alice.next_event(0) is not None:
        pass
    before = time.monotonic()
    assert pair.alice.next_event(0.25) is None
    assert 0.2 < time.monotonic() - before < 5
    assert list(pair.alice.events(0)) == []


def test_a_closed_node_has_no_more_events(pair: Pair) -> None:
    pair.alice.close()
    assert pair.alice.closed
    assert all(isinstance(event, voip.Event) for event in pair.alice.events())
    with pytest.raises(voip.Closed):
        pair.alice.next_event()
    pair.alice.close()


def test_the_descriptor_is_readable_while_events_wait(pair: Pair) -> None:
    while pair.bob.next_event(0) is not None:
        pass
    assert select.select([pair.bob], [], [], 0)[0] == []
    call = pair.alice.place("bob")
    assert select.select([pair.bob.event_descriptor()], [], [], LIMIT)[0]
    assert await_event(pair.bob, voip.Incoming).call.peer.name == "alice"
    call.hang_up()


def test_silence_is_told_with_its_reason(tracker: voip.Tracker) -> None:
    pair = Pair(tracker, audio=None)
    _calls = pair.connect()
    event = await_event(pair.alice, voip.MediaSilent)
    assert event.reason is voip.SilenceReason.DIGITAL_SILENCE
    assert event.call.peer_silence is event.reason
    assert "silence" in event.reason.describe()
    pair.close()


def test_a_lost_tracker_is_told_with_an_error(tracker: voip.Tracker) -> None:
    with online("alice", tracker, audio=None) as alice:
        tracker.close()
        lost = await_event(alice, voip.TrackerLost)
        assert isinstance(lost.error, voip.TrackerUnreachable)
        assert lost.tracker == tracker.address


def test_what_happens_at_a_tracker() -> None:
    with voip.Tracker(
        "127.0.0.1:0",
        wire_log=True,
        max_connections=10,
        max_per_address=10,
        connection_rate=5,
        request_rate=50,
        stun_rate=9,
    ) as tracker:
        waiting = in_thread(lambda: list(tracker.events()))
        with online("alice", tracker, audio=None) as alice:
            key = alice.id
            assert tracker.stats().online == 1
        give_up = time.monotonic() + LIMIT
        while tracker.stats().online:
            assert time.monotonic() < give_up
        tracker.close()
        events = waiting()
    kinds = {type(event) for event in events}
    assert kinds == {
        voip.TrackerEvent.Registered,
        voip.TrackerEvent.Left,
        voip.TrackerEvent.Wire,
    }
    for event in events:
        match event:
            case voip.TrackerEvent.Registered(id=id, name=name, online=online_now):
                assert (id, name, online_now) == (key, "alice", 1)
            case voip.TrackerEvent.Left(name=name, why=why):
                assert (name, why) == ("alice", voip.Departure.LEFT)
            case voip.TrackerEvent.Wire(direction=direction, text=text):
                assert isinstance(direction, voip.WireDirection) and text
    with pytest.raises(voip.Closed):
        tracker.next_event()


def test_reasons_have_words_and_kinds() -> None:
    for reason in voip.EndReason:
        assert reason.describe() and isinstance(reason.error_kind, voip.ErrorKind)
    assert voip.EndReason.NO_ANSWER.error_kind is voip.ErrorKind.NO_ANSWER
    assert voip.SilenceReason.NO_PACKETS.describe() == "no sound arrives"
    assert voip.SilenceReason.MUTED.describe() == "the microphone there is muted"
