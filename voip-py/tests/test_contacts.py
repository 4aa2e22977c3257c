"""Who is at the other end: the words of a call, the number of two keys, contacts and the blocked."""

from pathlib import Path

import pytest
from conftest import LIMIT, Pair, await_event, node, online

import voip

OTHER = voip.PeerId("ab" * 32)


def test_the_words_are_the_same_at_both_ends(pair: Pair) -> None:
    at_alice, at_bob = pair.ring()
    assert at_alice.verification_words is None
    at_bob.answer()
    ready = await_event(pair.alice, voip.VerificationReady)
    assert ready.call == at_alice and ready.words == at_alice.verification_words
    assert len(ready.words) == 4 and all(word.isalpha() for word in ready.words)
    assert await_event(pair.bob, voip.VerificationReady).words == ready.words
    assert at_bob.verification_words == ready.words


def test_the_safety_number_is_that_of_two_keys(pair: Pair) -> None:
    number = pair.alice.safety_number(pair.bob.id)
    assert number == pair.bob.safety_number(pair.alice.id)
    groups = number.split(" ")
    assert len(groups) == 12 and all(len(g) == 5 and g.isdigit() for g in groups)
    assert pair.alice.safety_number(OTHER) != number


def test_whoever_is_blocked_does_not_ring(pair: Pair) -> None:
    at_alice, at_bob = pair.connect()
    pair.bob.set_contact("alice", pair.alice.id, voip.ContactState.BLOCKED)
    assert at_alice.wait_ended(LIMIT) is voip.EndReason.PEER_HUNG_UP
    assert at_bob.wait_ended(LIMIT) is voip.EndReason.HUNG_UP
    before = pair.bob.stats().signals_dropped
    with pytest.raises(voip.NoAnswer):
        pair.alice.call("bob", ring_timeout=1)
    told = [type(event) for event in pair.bob.events(0.3)]
    assert told.count(voip.Incoming) == 0, "the one before was read by connect()"
    assert pair.bob.stats().signals_dropped > before
    pair.bob.set_contact("alice", pair.alice.id, voip.ContactState.SEEN)
    pair.connect()


def test_only_contacts_may_call(tracker: voip.Tracker) -> None:
    with (
        online("alice", tracker) as alice,
        online("bob", tracker, contacts_only=True, auto_answer=True) as bob,
    ):
        with pytest.raises(voip.NoAnswer):
            alice.call("bob", ring_timeout=1)
        bob.set_contact("alice", alice.id, voip.ContactState.ACCEPTED)
        with alice.call("bob") as call:
            call.wait_connected(LIMIT)


def test_contacts_are_kept_beside_the_identity(tracker: voip.Tracker, tmp_path: Path) -> None:
    identity = tmp_path / "alice.key"
    (tmp_path / "alice.key.pins").write_text(f"voip-pins 1\n{OTHER} Ana María\n")
    with node("alice", tracker, identity_file=identity) as alice:
        old = alice.contacts()
        assert [(c.name, c.id, c.state) for c in old] == [
            ("Ana María", OTHER, voip.ContactState.SEEN)
        ]
        alice.set_contact("bob", OTHER, voip.ContactState.VERIFIED)
        alice.forget_contact("Ana María")
        (bob,) = alice.contacts()
        assert hash(bob) == hash(alice.contacts()[0])
        match bob:
            case voip.Contact(name="bob", state=voip.ContactState.VERIFIED):
                pass
            case _:
                pytest.fail(f"{bob}")
    with node("alice", tracker, identity_file=identity) as alice:
        assert alice.contacts() == [bob]
        with pytest.raises(voip.InvalidArgument):
            alice.set_contact(" ", OTHER, voip.ContactState.SEEN)
        with pytest.raises(TypeError):
            alice.set_contact("bob", OTHER, "blocked")  # type: ignore[arg-type]
    with pytest.raises(voip.Closed):
        alice.set_contact("bob", OTHER, voip.ContactState.SEEN)
