"""Whole calls: who is called, what becomes of it, and what is said."""

import gc
import threading
import time

import pytest
from conftest import BLOCK, LIMIT, Pair, await_event, in_thread, loudness, online, tone

import voip


def test_a_call_is_heard_on_both_sides(pair: Pair) -> None:
    at_alice, at_bob = pair.connect()
    said = tone(BLOCK)
    heard = {at_alice: 0.0, at_bob: 0.0}
    for _ in range(110):
        for call in heard:
            assert call.write(said, LIMIT) == BLOCK
        for call in heard:
            heard[call] = max(heard[call], loudness(call.read(BLOCK, timeout=LIMIT)))
    assert min(heard.values()) > 0.2
    assert at_alice.peer.name == "bob" and at_alice.peer.id == pair.bob.id
    assert at_alice.stats().packets_sent > 10
    assert at_alice.stats().stages_ms.total > 0
    at_alice.hang_up()
    assert at_alice.wait_ended(LIMIT) is voip.EndReason.HUNG_UP
    assert at_bob.wait_ended(LIMIT) is voip.EndReason.PEER_HUNG_UP
    assert at_bob.state is voip.CallState.ENDED
    assert at_bob.end_reason is voip.EndReason.PEER_HUNG_UP
    (second,) = at_bob.stats().history
    assert 0 <= second.delay_ms < 1_000 and second.concealed_ms <= 1_000
    assert at_bob.stats().bitrate == 32_000


def test_a_blocking_call_is_a_context_that_hangs_up(pair: Pair) -> None:
    calling = in_thread(lambda: pair.alice.call("bob"))
    at_bob = await_event(pair.bob, voip.Incoming).call
    assert at_bob.state is voip.CallState.RINGING
    at_bob.answer()
    with calling() as call:
        assert call.end_reason is None
    assert at_bob.wait_ended(LIMIT) is voip.EndReason.PEER_HUNG_UP


@pytest.mark.parametrize(
    ("how", "error"),
    [(voip.Reject.BUSY, voip.Busy), (voip.Reject.DECLINED, voip.Declined)],
)
def test_who_is_rejected_is_told_so(
    pair: Pair, how: voip.Reject, error: type[voip.Error]
) -> None:
    calling = in_thread(lambda: pair.alice.call("bob"))
    await_event(pair.bob, voip.Incoming).call.reject(how)
    with pytest.raises(error) as raised:
        calling()
    assert raised.value.kind.name == error.__name__.upper()
    assert raised.value.code == raised.value.kind.value


def test_nobody_answers_for_the_ring_time(pair: Pair) -> None:
    before = time.monotonic()
    with pytest.raises(voip.NoAnswer):
        pair.alice.call("bob", ring_timeout=1)
    assert time.monotonic() - before > 0.9
    missed = await_event(pair.bob, voip.Ended)
    assert missed.reason is voip.EndReason.MISSED


def test_nobody_of_that_name(pair: Pair) -> None:
    with pytest.raises(voip.UnknownPeer):
        pair.alice.call("nobody")
    with pytest.raises(LookupError):
        pair.alice.call("ab" * 32)


def test_a_key_is_called_as_well(pair: Pair) -> None:
    call = pair.alice.place(pair.bob.id)
    assert await_event(pair.bob, voip.Incoming).call.peer.name == "alice"
    call.hang_up()


def test_without_a_tracker() -> None:
    with voip.Node("alone", audio=None, bind="127.0.0.1:0") as alone:
        with pytest.raises(voip.TrackerUnreachable):
            alone.peers()
        with pytest.raises(TimeoutError):
            alone.wait_registered(0.05)


def test_a_name_is_taken(tracker: voip.Tracker, pair: Pair) -> None:
    with voip.Node("bob", trackers=[tracker.address], audio=None) as other:
        with pytest.raises(voip.NameTaken):
            other.wait_registered(LIMIT)


def test_who_is_online(pair: Pair) -> None:
    peers = pair.alice.peers(LIMIT)
    assert [peer.name for peer in peers] == ["alice", "bob"]
    assert peers[1].id == pair.bob.id
    assert peers[1].presence is voip.Presence.AVAILABLE
    assert abs(peers[1].since - time.time()) < 60


def test_mute_reaches_the_peer(pair: Pair) -> None:
    at_alice, at_bob = pair.connect()
    assert not at_alice.muted
    at_alice.muted = True
    assert at_alice.muted
    event = await_event(pair.bob, voip.PeerMuted)
    assert (event.call, event.muted) == (at_bob, True)
    assert at_bob.peer_muted


def test_a_dropped_call_is_hung_up_without_waiting(pair: Pair) -> None:
    at_alice, at_bob = pair.connect()
    before = time.monotonic()
    del at_alice
    gc.collect()
    assert time.monotonic() - before < 0.2
    assert at_bob.wait_ended(LIMIT) is voip.EndReason.PEER_HUNG_UP


def test_a_dropped_node_ends_its_calls(pair: Pair) -> None:
    _at_alice, at_bob = pair.connect()
    pair.alice = pair.bob  # the only reference to Alice's node
    gc.collect()
    assert at_bob.wait_ended(LIMIT) is voip.EndReason.PEER_HUNG_UP


def test_closing_wakes_whoever_waits(pair: Pair) -> None:
    at_alice, _at_bob = pair.connect()
    waits = [
        in_thread(lambda: [*pair.alice.events()]),
        in_thread(lambda: at_alice.read(48_000)),
        in_thread(at_alice.wait_ended),
    ]
    pair.alice.close()
    assert all(isinstance(event, voip.Event) for event in waits[0]())
    with pytest.raises(voip.Closed):
        waits[1]()
    assert waits[2]() is voip.EndReason.NODE_CLOSED


def test_calls_at_once_of_many_threads(tracker: voip.Tracker) -> None:
    callers = 4
    with online("bot", tracker, auto_answer=True, max_calls=callers) as bot:
        nodes = [online(f"caller {i}", tracker) for i in range(callers)]
        heard: list[float] = []

        def talk(me: voip.Node) -> None:
            with me.call("bot") as call:
                for _ in range(30):
                    call.write(tone(BLOCK))
                    call.read(BLOCK)
                heard.append(call.stats().packets_sent)

        def echo(call: voip.Call) -> None:
            try:
                while True:
                    call.write(call.read(BLOCK))
            except voip.CallEnded:
                pass

        def serve() -> None:
            for event in bot.events():
                if isinstance(event, voip.Connected):
                    threading.Thread(target=echo, args=(event.call,), daemon=True).start()

        serving = in_thread(serve)
        talks = [in_thread(lambda me=me: talk(me)) for me in nodes]
        for wait in talks:
            wait()
        assert len(heard) == callers and min(heard) > 5
        for me in nodes:
            me.close()
        bot.close()
        serving()


def test_files_are_microphone_and_recorder(tracker: voip.Tracker, tmp_path) -> None:
    import wave

    spoken = tmp_path / "spoken.wav"
    with wave.open(str(spoken), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(tone(16_000, rate=16_000).tobytes())
    heard = tmp_path / "heard.wav"
    with (
        online("player", tracker, audio=voip.Wav(play=spoken)) as player,
        online("recorder", tracker, audio=voip.Wav(record=heard), auto_answer=True),
    ):
        with player.call("recorder") as call:
            call.wait_connected(LIMIT)
            with pytest.raises(voip.TimedOut):
                call.wait_ended(0.8)
            with pytest.raises(voip.InvalidState):
                call.read(480)
        assert player.stats().capture_started_unix_us > 1_000_000
    with wave.open(str(heard)) as file:
        assert file.getframerate() == 48_000
        recorded = file.readframes(file.getnframes())
    assert loudness(recorded) > 0.05
