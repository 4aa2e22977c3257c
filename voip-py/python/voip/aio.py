"""Calls for asyncio: what waits in ``voip`` is awaited here, what does not is the same.

    from voip import aio

    async with aio.Node("alice", trackers=["127.0.0.1:6000"], audio=voip.Manual()) as me:
        async with await me.call("bob") as call:
            while True:
                await call.write(await call.read())

There is no thread behind it but the library's own: the event loop watches descriptors, a node's for
events and one for each call whose PCM is awaited. (So it needs a loop with ``add_reader``: that of
every Unix.) A cancelled wait takes nothing with it: the event or the sound is there for the next
one. A node and its calls belong to the loop in which they are first awaited.

Trackers are those of ``voip``: none of their functions is needed in a loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TypeVar
from weakref import WeakValueDictionary

import voip

if TYPE_CHECKING:
    import os

    from typing_extensions import Buffer

__all__ = ["Call", "Node"]

T = TypeVar("T")


class _Descriptor:
    """Wakes whoever waits for a descriptor; it is watched only while somebody does."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._waiting: set[asyncio.Future[None]] = set()

    async def ready(self) -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        if not self._waiting:
            loop.add_reader(self._number, self.wake)
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)
            if not self._waiting:
                loop.remove_reader(self._number)

    def wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)


async def _result(
    attempt: Callable[[], T],
    descriptor: _Descriptor,
    timeout: float | None,
    goes_on: Callable[[voip.Error], bool] = lambda error: isinstance(error, voip.TimedOut),
) -> T:
    """What ``attempt`` gives, tried again whenever the descriptor says so while ``goes_on`` of its
    errors; the last of them is raised when the time is over."""
    too_late: voip.Error | None = None
    try:
        async with asyncio.timeout(timeout):
            while True:
                try:
                    return attempt()
                except voip.Error as error:
                    if not goes_on(error):
                        raise
                    # Without what would tie it to this frame, and so to the call.
                    too_late = error.with_traceback(None)
                await descriptor.ready()
    except TimeoutError:
        if too_late is None:
            raise
        try:
            raise too_late from None
        finally:
            # Its traceback has this frame now, and the frame would have it: nothing would go before the
            # next collection of garbage, the call included.
            too_late = None


class Node:
    """``voip.Node`` for asyncio: it takes the same arguments, and has the same functions."""

    def __init__(
        self,
        name: str,
        *,
        trackers: Iterable[str] = (),
        bind: str = "[::]:0",
        identity_file: str | os.PathLike[str] | None = None,
        audio: voip.Devices | voip.Manual | voip.Wav | None = voip.Devices(),
        encoder: voip.EncoderConfig | None = None,
        jitter: voip.JitterConfig | None = None,
        auto_answer: bool = False,
        contacts_only: bool = False,
        ring_timeout: float = 45.0,
        max_calls: int = 1,
        turn_servers: Iterable[tuple[str, str, str]] = (),
        relay_only: bool = False,
        mesh: bool = False,
        connect: Iterable[str] = (),
        lan: bool = True,
        history_file: str | os.PathLike[str] | None = None,
    ) -> None:
        self._node = voip.Node(
            name,
            trackers=trackers,
            bind=bind,
            identity_file=identity_file,
            audio=audio,
            encoder=encoder,
            jitter=jitter,
            auto_answer=auto_answer,
            contacts_only=contacts_only,
            ring_timeout=ring_timeout,
            max_calls=max_calls,
            turn_servers=turn_servers,
            relay_only=relay_only,
            mesh=mesh,
            connect=connect,
            lan=lan,
            history_file=history_file,
        )
        self._descriptor = _Descriptor(self._node.event_descriptor())
        # One object for each call: it owns the watch on the call's descriptor.
        self._calls: WeakValueDictionary[voip.Call, Call] = WeakValueDictionary()

    @property
    def name(self) -> str:
        """The name."""
        return self._node.name

    @property
    def id(self) -> voip.PeerId:
        """The key."""
        return self._node.id

    @property
    def local_address(self) -> str:
        """The local UDP address, "ip:port"; of the IPv4 socket if there are two."""
        return self._node.local_address

    @property
    def closed(self) -> bool:
        """Whether the node was closed."""
        return self._node.closed

    async def wait_registered(self, timeout: float | None = None) -> None:
        """``voip.Node.wait_registered``."""

        def goes_on(error: voip.Error) -> bool:
            return not isinstance(error, voip.NameTaken | voip.Closed)

        def attempt() -> None:
            self._rest()
            self._node.wait_registered(0)

        await _result(attempt, self._descriptor, timeout, goes_on)

    def _rest(self) -> None:
        """Events are for somebody else: only the next one is news. Whoever waits for those that are
        there may not have been told yet."""
        if self._node._rest_descriptor():
            self._descriptor.wake()

    async def peers(self, timeout: float | None = None) -> list[voip.Peer]:
        """``voip.Node.peers``. A thread asks for it, and ends with the answer."""
        return await asyncio.to_thread(self._node.peers, timeout)

    def place(self, target: str | voip.PeerId, *, ring_timeout: float | None = None) -> Call:
        """``voip.Node.place``: returns at once."""
        return self._wrap(self._node.place(target, ring_timeout=ring_timeout))

    async def call(self, target: str | voip.PeerId, *, ring_timeout: float | None = None) -> Call:
        """``voip.Node.call``. Cancelling the wait cancels the call."""
        call = self.place(target, ring_timeout=ring_timeout)
        try:
            await call.wait_answered()
        except BaseException:
            call.hang_up()
            raise
        return call

    def pair(self) -> None:
        """``voip.Node.pair``."""
        self._node.pair()

    def unpair(self) -> None:
        """``voip.Node.unpair``."""
        self._node.unpair()

    def connect(self, address: str) -> None:
        """``voip.Node.connect``: returns at once."""
        self._node.connect(address)

    async def send_text(
        self, to: voip.All | voip.Room | voip.PeerId, text: str, timeout: float | None = None
    ) -> voip.TextId:
        """``voip.Node.send_text``. A thread asks for it, and ends with the answer: a text whose wait is
        cancelled may be written all the same."""
        return await asyncio.to_thread(self._node.send_text, to, text, timeout)

    async def history(
        self,
        of: voip.All | voip.Room | voip.PeerId,
        *,
        before: voip.TextId | None = None,
        limit: int = 100,
        timeout: float | None = None,
    ) -> list[voip.Text]:
        """``voip.Node.history``. A thread asks for it, and ends with the answer."""
        return await asyncio.to_thread(
            self._node.history, of, before=before, limit=limit, timeout=timeout
        )

    async def next_event(self, timeout: float | None = None) -> voip.Event[Call] | None:
        """``voip.Node.next_event``; the calls of its events are those of this module."""

        def attempt() -> voip.Event[Call]:
            event = self._node._next_event(self._wrap)
            if event is None:
                raise voip.TimedOut("no event within the time limit")
            return event

        try:
            return await _result(attempt, self._descriptor, timeout)
        except voip.TimedOut:
            return None

    async def events(self, timeout: float | None = None) -> AsyncIterator[voip.Event[Call]]:
        """The events as they come, until the node is closed or ``timeout`` seconds pass without one."""
        try:
            while (event := await self.next_event(timeout)) is not None:
                yield event
        except voip.Closed:
            return

    def accept_key(self, name: str, id: voip.PeerId) -> None:
        """``voip.Node.accept_key``."""
        self._node.accept_key(name, id)

    def contacts(self) -> list[voip.Contact]:
        """``voip.Node.contacts``."""
        return self._node.contacts()

    def set_contact(self, name: str, id: voip.PeerId, state: voip.ContactState) -> None:
        """``voip.Node.set_contact``."""
        self._node.set_contact(name, id, state)

    def forget_contact(self, name: str) -> None:
        """``voip.Node.forget_contact``."""
        self._node.forget_contact(name)

    def safety_number(self, id: voip.PeerId) -> str:
        """``voip.Node.safety_number``."""
        return self._node.safety_number(id)

    def choose_device(
        self, direction: voip.DeviceDirection, device: str | voip.AudioDevice | None
    ) -> None:
        """``voip.Node.choose_device``."""
        self._node.choose_device(direction, device)

    def stats(self) -> voip.NodeStats:
        """``voip.Node.stats``."""
        return self._node.stats()

    async def close(self) -> None:
        """``voip.Node.close``, on a thread that ends with it: for at most half a second."""
        await asyncio.to_thread(self._node.close)

    async def __aenter__(self) -> Node:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return repr(self._node).replace("voip.", "voip.aio.", 1)

    def _wrap(self, call: voip.Call) -> Call:
        known = self._calls.get(call)
        if known is None:
            known = self._calls[call] = Call(self, call)
        return known


class Call:
    """``voip.Call`` for asyncio. Made by ``Node.call`` and ``Node.place``, or handed over by an event."""

    def __init__(self, node: Node, call: voip.Call) -> None:
        self._node = node
        self._call = call
        self._pcm: _Descriptor | None = None

    @property
    def peer(self) -> voip.CallPeer:
        """Who is at the other end."""
        return self._call.peer

    @property
    def state(self) -> voip.CallState:
        """Where the call stands."""
        return self._call.state

    @property
    def end_reason(self) -> voip.EndReason | None:
        """Why the call is over; ``None`` while it is not."""
        return self._call.end_reason

    @property
    def muted(self) -> bool:
        """Whether the microphone of this side is muted; may be set."""
        return self._call.muted

    @muted.setter
    def muted(self, muted: bool) -> None:
        self._call.muted = muted

    @property
    def peer_muted(self) -> bool:
        """Whether the peer says that its microphone is muted."""
        return self._call.peer_muted

    @property
    def peer_silence(self) -> voip.SilenceReason | None:
        """Why nothing is heard of the peer at present; ``None`` while all is well."""
        return self._call.peer_silence

    @property
    def verification_words(self) -> tuple[str, str, str, str] | None:
        """``voip.Call.verification_words``."""
        return self._call.verification_words

    def stats(self) -> voip.CallStats:
        """``voip.Call.stats``."""
        return self._call.stats()

    def answer(self) -> None:
        """``voip.Call.answer``."""
        self._call.answer()

    def reject(self, how: voip.Reject = voip.Reject.DECLINED) -> None:
        """``voip.Call.reject``."""
        self._call.reject(how)

    def hang_up(self) -> None:
        """``voip.Call.hang_up``."""
        self._call.hang_up()

    async def wait_answered(self, timeout: float | None = None) -> None:
        """``voip.Call.wait_answered``."""
        await self._state(self._call.wait_answered, timeout)

    async def wait_connected(self, timeout: float | None = None) -> None:
        """``voip.Call.wait_connected``."""
        await self._state(self._call.wait_connected, timeout)

    async def wait_ended(self, timeout: float | None = None) -> voip.EndReason:
        """``voip.Call.wait_ended``."""
        return await self._state(self._call.wait_ended, timeout)

    async def write(self, data: Buffer, timeout: float | None = None) -> int:
        """``voip.Call.write``. When the wait is cancelled, what was accepted is sent all the same."""
        speech = self._call._speech(data)
        accepted = 0

        def attempt() -> int:
            nonlocal accepted
            taken, left = self._call._write_now(speech, accepted)
            accepted += taken
            if left:
                raise voip.TimedOut("no room within the time limit")
            return accepted

        try:
            return await self._sound(attempt, lambda: self._call.write(b"", 0), timeout)
        except voip.TimedOut:
            if not accepted:
                raise
            return accepted

    async def read(
        self,
        frames: int | None = None,
        *,
        dtype: Literal["int16", "float32"] = "int16",
        timeout: float | None = None,
    ) -> bytes:
        """``voip.Call.read``. When the wait is cancelled nothing is lost."""

        def attempt() -> bytes:
            return self._call.read(frames, dtype=dtype, timeout=0)

        return await self._sound(attempt, lambda: self._call.read(0, timeout=0), timeout)

    async def read_into(self, buffer: Buffer, timeout: float | None = None) -> None:
        """``voip.Call.read_into``. When the wait is cancelled nothing is lost."""

        def attempt() -> None:
            self._call.read_into(buffer, 0)

        await self._sound(attempt, lambda: self._call.read(0, timeout=0), timeout)

    async def __aenter__(self) -> Call:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.hang_up()

    def __repr__(self) -> str:
        return repr(self._call).replace("voip.", "voip.aio.", 1)

    async def _state(self, wait: Callable[[float], T], timeout: float | None) -> T:
        """Waits for where the call stands, which changes before the event that tells it comes."""

        def attempt() -> T:
            self._node._rest()
            return wait(0)

        return await _result(attempt, self._node._descriptor, timeout)

    async def _sound(
        self, attempt: Callable[[], T], give_up: Callable[[], object], timeout: float | None
    ) -> T:
        """Waits for sound or for room; ``give_up`` takes back that somebody does."""
        if self._pcm is None:
            self._pcm = _Descriptor(self._call.pcm_descriptor())
        try:
            return await _result(attempt, self._pcm, timeout)
        except (asyncio.CancelledError, voip.TimedOut):
            with suppress(voip.Error):
                give_up()
            raise
        finally:
            # The library remembers one wish for sound and one for room: others who wait have to say
            # theirs again.
            self._pcm.wake()
