"""The programs of examples/python, and those in the documentation, as a user runs them."""

import os
import re
import signal
import struct
import subprocess
import sys
import wave
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from conftest import LIMIT, await_event, loudness, online, tone

import voip

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "python"


@contextmanager
def python(*args: object, folder: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """A program that ends with the block, at the latest."""
    command = [sys.executable, *map(str, args)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as program:
        try:
            yield program
        finally:
            program.kill()


def example(name: str, *args: object) -> AbstractContextManager[subprocess.Popen[str]]:
    return python(EXAMPLES / name, *args)


def ended(program: subprocess.Popen[str]) -> str:
    """What it says to its end, which is a good one."""
    said, _ = program.communicate(timeout=3 * LIMIT)
    assert program.returncode == 0, said
    return said


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """A second of a tone."""
    path = tmp_path / "spoken.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(tone(48_000))
    return path


def test_the_echo_bot_says_it_back(tracker: voip.Tracker) -> None:
    lines = (EXAMPLES / "echo_bot.py").read_text().splitlines()
    assert len(lines) <= 30
    with example("echo_bot.py", tracker.address) as bot, online("alice", tracker) as alice:
        assert "waits" in bot.stdout.readline()
        while "echo" not in [peer.name for peer in alice.peers()]:
            alice.next_event(1)
        loudest = 0.0
        with alice.call("echo") as call:
            for _ in range(100):
                call.write(tone(480))
                loudest = max(loudest, loudness(call.read(480)))
        assert loudest > 0.2
        assert "alice: the peer hung up" in bot.stdout.readline()
        bot.send_signal(signal.SIGINT)
        ended(bot)


def test_a_file_is_played_to_the_answering_bot(
    tracker: voip.Tracker, tmp_path: Path, spoken: Path
) -> None:
    beep = tmp_path / "beep.wav"
    bot_args = (tracker.address, "--folder", tmp_path, "--calls", 1)
    with example("answering_bot.py", *bot_args) as bot:
        assert "waits" in bot.stdout.readline()
        caller_args = (tracker.address, "answering", spoken, "--record", beep)
        with example("call_file.py", *caller_args) as caller:
            assert "answering has answered: 1.0 s will be played\nplayed; " in ended(caller)
        said = ended(bot)
    message = Path(re.search(r"player left a message: (.*)", said)[1])
    for path in (message, beep):
        with wave.open(str(path)) as file:
            assert file.getframerate() == 48_000
            assert loudness(file.readframes(file.getnframes())) > 0.03, path


def test_a_file_is_played_to_nobody(tracker: voip.Tracker, spoken: Path) -> None:
    command = [sys.executable, EXAMPLES / "call_file.py", tracker.address, "nobody", spoken]
    failed = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    assert failed.returncode == 1
    assert failed.stderr == "nobody: no such peer is online\n"


def test_two_talk_in_one_event_loop() -> None:
    with example("aio_call.py", 0.5) as program:
        said = ended(program)
    levels = re.findall(r"(alice|bob) was heard at (-?\d+) dBFS", said)
    assert sorted(name for name, _ in levels) == ["alice", "bob"]
    assert all(-20 < int(level) < -8 for _, level in levels)


def pixels(path: Path) -> list[bytes]:
    """The rows of an 8-bit RGB picture."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    place, body = 8, b""
    while place < len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        chunk = data[place + 8 : place + 8 + length]
        (crc,) = struct.unpack_from(">I", data, place + 8 + length)
        assert crc == zlib.crc32(kind + chunk)
        if kind == b"IHDR":
            width, height = struct.unpack_from(">II", chunk)
        if kind == b"IDAT":
            body += chunk
        place += 12 + length
    rows, size = zlib.decompress(body), 3 * width + 1
    return [rows[row * size + 1 : (row + 1) * size] for row in range(height)]


def test_the_level_meter_draws_what_it_hears(
    tracker: voip.Tracker, tmp_path: Path, spoken: Path
) -> None:
    picture = Path(os.environ.get("VOIP_KEEP_PICTURE", tmp_path / "heard.png"))
    with example("level_meter.py", tracker.address, picture, "--seconds", 0.8) as meter:
        assert "waits" in meter.stdout.readline()
        with online("player", tracker, audio=voip.Wav(play=spoken)) as player:
            with player.call("meter"):
                await_event(player, voip.Ended)
        assert "are drawn" in ended(meter)
    rows = pixels(picture)
    brightness = [sum(row) / len(row) for row in rows[:128]]
    # 440 Hz is in the seventh of the bins of 62.5 Hz, counted from below.
    assert max(range(128), key=brightness.__getitem__) in (119, 120, 121)


def programs_of(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def test_the_call_in_the_readme_is_made(tracker: voip.Tracker, tmp_path: Path) -> None:
    """As printed, but for the tracker's address, which is one that is there."""
    (program,) = programs_of("README.md")
    assert len(program.splitlines()) <= 22
    program = program.replace("tracker.example.org:6000", tracker.address)
    with online("bob", tracker, audio=None, auto_answer=True) as bob:
        with python("-c", program, folder=tmp_path) as alice:
            assert alice.stdout.readline() == "talking to bob\n"
            await_event(bob, voip.Connected).call.hang_up()
            said, _ = alice.communicate(timeout=3 * LIMIT)
        assert said.startswith("the call is over: the peer hung up\nCallStats(packets_sent="), said
    assert (tmp_path / "alice.key").exists()


def test_the_programs_on_the_package_page(tracker: voip.Tracker, tmp_path: Path) -> None:
    """As printed, but for the tracker's address, which is one that is there."""
    caller, bot = (
        program.replace("tracker.example.org:6000", tracker.address)
        for program in programs_of("voip-py/README.md")
    )
    bot = "import voip\n" + bot.replace('"bot"', '"bob"')
    with python("-c", bot) as echo:
        with online("watcher", tracker) as watcher:
            while "bob" not in [peer.name for peer in watcher.peers()]:
                watcher.next_event(1)
            with python("-c", caller, folder=tmp_path) as alice:
                assert alice.stdout.readline() == "talking to bob\n"
                echo.send_signal(signal.SIGINT)
                said, _ = alice.communicate(timeout=4 * LIMIT)
                assert said == "the call is over: the peer hung up\n"
    assert (tmp_path / "alice.key").exists()


def test_the_programs_in_the_docstrings_compile() -> None:
    for documented in (voip, voip.Event, __import__("voip.aio").aio):
        indented = re.findall(r"(?:^    .*\n|^\n)+", f"{documented.__doc__}\n", re.MULTILINE)
        programs = [text for text in indented if text.strip()]
        assert programs, documented
        for program in programs:
            lines = [line[4:] for line in program.splitlines()]
            wrapped = "async def f():\n" + "\n".join(f"    {line}" for line in lines)
            compile(wrapped, "docstring", "exec")
