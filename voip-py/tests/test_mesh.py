"""Nodes that need no tracker, and what they write to each other."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import LIMIT, await_event

import voip
from voip import aio

# It is nobody's: no point of the curve.
OTHER = voip.PeerId("ab" * 32)
EVERYBODY = voip.All()
GENERAL = voip.Room("general")


def node(name: str, **options: Any) -> voip.Node:
    return voip.Node(name, bind="127.0.0.1:0", audio=None, **options)


def joined(of: voip.Node, *names: str) -> None:
    missing = {*names} - {peer.name for peer in of.peers(LIMIT)}
    while missing:
        missing.discard(await_event(of, voip.Joined).peer.name)


def next_text(of: voip.Node) -> voip.Text:
    return await_event(of, voip.TextReceived).text


@pytest.fixture
def three() -> Iterator[tuple[voip.Node, voip.Node, voip.Node]]:
    """Alice, Bob who begins with her, and Carol who begins with him: each knows them all."""
    with node("alice", mesh=True) as alice:
        with node("bob", connect=[alice.local_address]) as bob:
            with node("carol", mesh=True) as carol:
                carol.connect(bob.local_address)
                joined(alice, "bob", "carol")
                joined(bob, "alice", "carol")
                joined(carol, "alice", "bob")
                yield alice, bob, carol


Three = tuple[voip.Node, voip.Node, voip.Node]


def test_texts_come_to_whom_they_are_for(three: Three) -> None:
    alice, bob, carol = three
    before = time.time()
    for_all = alice.send_text(EVERYBODY, "for all")
    for_room = alice.send_text(GENERAL, "für\n\tden Raum")
    for_carol = alice.send_text(carol.id, "for Carol", timeout=LIMIT)
    for_bob = alice.send_text(bob.id, "for Bob")
    assert for_all.author == alice.id and for_all.log == for_bob.log and for_all.seq < for_bob.seq
    for who, own, said in [(bob, for_bob, "for Bob"), (carol, for_carol, "for Carol")]:
        texts = [next_text(who) for _ in range(3)]
        assert [(t.id, t.to, t.text) for t in texts] == [
            (for_all, voip.All(), "for all"),
            (for_room, voip.Room("general"), "für\n\tden Raum"),
            (own, who.id, said),
        ]
        assert all(t.name == "alice" and not t.late for t in texts)
        assert all(before - 1 < t.at < time.time() + 1 for t in texts)
    delivered = {}
    while len(delivered) < 2:
        event = await_event(alice, voip.TextDelivered)
        delivered[event.to] = event.ids
    assert delivered == {bob.id: (for_bob,), carol.id: (for_carol,)}


def test_an_answer_goes_to_the_author_and_both_are_read_again(three: Three) -> None:
    alice, bob, carol = three
    sent = [alice.send_text(bob.id, f"{n}") for n in range(3)]
    for n in range(3):
        text = next_text(bob)
        assert text.text == f"{n}"
    match text:
        case voip.Text(id=voip.TextId(author=author), name="alice", to=voip.PeerId()):
            answer = bob.send_text(author, "thanks")
        case _:
            pytest.fail(f"{text}")
    assert next_text(alice).id == answer
    for here, there in [(alice, bob), (bob, alice)]:
        texts = here.history(there.id, timeout=LIMIT)
        assert [t.id for t in texts] == [*sent, answer]
        assert [t.name for t in texts] == ["alice", "alice", "alice", "bob"]
        assert [t.id for t in here.history(there.id, limit=2)] == [sent[2], answer]
        assert [t.id for t in here.history(there.id, before=sent[2], limit=1)] == [sent[1]]
        kept = voip.TextId(sent[1].author, sent[1].log, sent[1].seq)
        assert [t.text for t in here.history(there.id, before=kept)] == ["0"]
        assert here.history(there.id, limit=0) == []
    assert carol.history(alice.id) == [] and carol.history(EVERYBODY) == []


def test_texts_are_values(three: Three) -> None:
    alice, bob, _ = three
    sent = alice.send_text(GENERAL, "hello")
    event = await_event(bob, voip.TextReceived)
    (text,) = bob.history(GENERAL)
    assert text == event.text and hash(text) == hash(event.text)
    assert {sent: 1}[text.id] == 1
    assert repr(text.to) == "Room(name='general')" and repr(EVERYBODY) == "All()"
    assert repr(event).startswith("TextReceived(text=Text(id=TextId(author=PeerId('")
    with pytest.raises(AttributeError):
        text.text = "bye"


def test_peers_call_each_other(three: Three) -> None:
    alice, _, carol = three
    call = alice.place("carol")
    at_carol = await_event(carol, voip.Incoming).call
    at_carol.answer()
    call.wait_connected(LIMIT)
    at_carol.wait_connected(LIMIT)


def test_texts_outlive_a_restart(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "mesh": True,
        "identity_file": tmp_path / "alice.key",
        "history_file": tmp_path / "alice.texts",
    }
    with node("dave") as dave:
        other = dave.id
    with node("alice", **options) as alice:
        first = alice.send_text(EVERYBODY, "before")
        alice.send_text(other, "a secret")
    with node("alice", **options) as alice:
        assert [t.text for t in alice.history(other)] == ["a secret"]
        second = alice.send_text(EVERYBODY, "after")
        assert second.log > first.log
        assert [t.id for t in alice.history(EVERYBODY)] == [first, second]
    assert "before" in options["history_file"].read_text()
    assert "a secret" not in options["history_file"].read_text()
    # Who comes later is told by those who have them.
    with node("alice", **options) as alice, node("bob", connect=[alice.local_address]) as bob:
        texts = {next_text(bob).id for _ in range(2)}
        assert texts == {first, second}


def test_the_same_for_asyncio() -> None:
    async def talk() -> None:
        options: dict[str, Any] = {"bind": "127.0.0.1:0", "audio": None, "mesh": True}
        async with aio.Node("alice", **options) as alice:
            async with aio.Node("bob", **options) as bob:
                alice.connect(bob.local_address)
                sent = await alice.send_text(voip.Room("general"), "hello", timeout=LIMIT)
                async for event in bob.events(LIMIT):
                    if isinstance(event, voip.TextReceived):
                        break
                else:
                    pytest.fail("no text")
                assert event.text.id == sent
                assert await bob.history(GENERAL, timeout=LIMIT) == [event.text]
                assert await bob.history(GENERAL, before=sent, limit=5) == []

    async def limited() -> None:
        async with asyncio.timeout(2 * LIMIT):
            await talk()

    asyncio.run(limited())


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"mesh": "yes"}, TypeError),
        ({"connect": "127.0.0.1:1"}, TypeError),
        ({"connect": [1]}, TypeError),
        ({"connect": ["nonsense"]}, voip.InvalidArgument),
        ({"connect": [f"127.0.0.1:{n}" for n in range(1, 66)]}, voip.InvalidArgument),
        ({"mesh": True, "history_file": 5}, TypeError),
        ({"mesh": True, "history_file": "/dev/null/texts"}, voip.FileError),
    ],
    ids=str,
)
def test_options_that_are_none(options: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        node("alice", **options)


def test_arguments_that_are_none() -> None:
    with node("alice", mesh=True) as alice:
        some = voip.TextId(OTHER, 1, 1)
        assert alice.history(EVERYBODY, before=some) == [], "it is not kept here"
        calls: list[tuple[Any, type[Exception]]] = [
            (lambda: alice.connect("nonsense"), voip.InvalidArgument),
            (lambda: alice.connect(5), TypeError),
            (lambda: alice.send_text("general", "hello"), TypeError),
            (lambda: alice.send_text(voip.All, "hello"), TypeError),
            (lambda: alice.send_text(None, "hello"), TypeError),
            (lambda: alice.send_text(EVERYBODY, b"hello"), TypeError),
            (lambda: alice.send_text(EVERYBODY, "\ud800"), UnicodeEncodeError),
            (lambda: alice.send_text(EVERYBODY, ""), voip.InvalidArgument),
            (lambda: alice.send_text(EVERYBODY, "a\0b"), voip.InvalidArgument),
            (lambda: alice.send_text(EVERYBODY, "x" * 8193), voip.InvalidArgument),
            (lambda: alice.send_text(voip.Room(""), "hello"), voip.InvalidArgument),
            (lambda: alice.send_text(voip.Room("x" * 65), "hello"), voip.InvalidArgument),
            (lambda: alice.send_text(alice.id, "hello"), voip.InvalidArgument),
            (lambda: alice.send_text(OTHER, "hello"), voip.InvalidArgument),
            (lambda: alice.send_text(EVERYBODY, "hello", -1), voip.InvalidArgument),
            (lambda: alice.history("general"), TypeError),
            (lambda: alice.history(EVERYBODY, before=1), TypeError),
            (lambda: alice.history(EVERYBODY, limit=-1), voip.InvalidArgument),
            (lambda: alice.history(EVERYBODY, limit=2**100), voip.InvalidArgument),
            (lambda: alice.history(EVERYBODY, limit=1.5), TypeError),
            (lambda: voip.Room(5), TypeError),
            (lambda: voip.TextId("ab" * 32, 1, 1), TypeError),
            (lambda: voip.TextId(OTHER, -1, 1), voip.InvalidArgument),
            (lambda: voip.TextId(OTHER, 1, 2**32), voip.InvalidArgument),
            (lambda: voip.Text(), TypeError),
        ]
        for call, error in calls:
            with pytest.raises(error):
                call()
        for _ in range(100):
            try:
                alice.send_text(EVERYBODY, "again")
            except voip.Busy:
                break
        else:
            pytest.fail("so many at once")
    for call in [
        lambda: alice.connect("127.0.0.1:1"),
        lambda: alice.send_text(EVERYBODY, "hello"),
        lambda: alice.history(EVERYBODY),
    ]:
        with pytest.raises(voip.Closed):
            call()


def test_who_is_outside_is_told_so() -> None:
    with node("alice") as alice:
        for call in [
            lambda: alice.connect("127.0.0.1:1"),
            lambda: alice.send_text(EVERYBODY, "hello"),
            lambda: alice.history(EVERYBODY),
        ]:
            with pytest.raises(voip.InvalidState, match="mesh"):
                call()
