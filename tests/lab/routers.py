#!/usr/bin/env python3
"""Calls through routers: every pair of natlab's kinds, and what routers do in the middle of a call.

  routers.py [--write FILE] [--binaries DIR] [KIND ...]

Two terminal peers, each behind a router of its own, and a tracker on the public Internet, all in network namespaces
(see natlab; needs root, iproute2, nftables, conntrack, and kernel support for both). Prints Markdown: which pairs hear
each other and how long after the answer, by which path; and how long a call is silent when a cable is out, when a router
forgets or changes its mappings, or gets another address. Its exit status is 1 if a pair failed, or went
by the relay that hole punching can connect.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import wave

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NATLAB = str(HERE / "natlab")
# By IPv4 and IPv6; with both, peers reach it by IPv4.
TRACKER = {"4": "203.0.113.10", "6": "2001:db8::10", "46": "203.0.113.10"}
# A call has to be heard again within so many seconds.
LIMIT = 3.0
KINDS = "none fw full addr port portopen sym cgnat cgnatsym noudp tcp443".split()
# Hole punching connects these with each other, and the symmetric ones with those of the second line.
PUNCHABLE = {"none", "fw", "full", "addr", "port", "cgnat"}
OPEN = {"none", "full", "addr"}
SYMMETRIC = {"sym", "cgnatsym"}
# IPv6 has no address translation: what remains of these is a firewall. With both, IPv6 connects what IPv4 cannot.
KINDS_6 = "none fw port".split()
KINDS_46 = "none fw port sym".split()


def can_punch(a, b):
    kinds = {a, b}
    return kinds <= PUNCHABLE or bool(kinds & SYMMETRIC and kinds & OPEN and kinds <= SYMMETRIC | OPEN)


def long_speech(folder):
    """A recording of speech, again and again for two minutes."""
    with wave.open(str(ROOT / "examples/speech/english.wav")) as short:
        settings, sound = short.getparams(), short.readframes(short.getnframes())
    with wave.open(str(folder / "speech.wav"), "w") as long:
        long.setparams(settings)
        for _ in range(120 * settings.framerate // settings.nframes + 1):
            long.writeframes(sound)
    return folder / "speech.wav"


class Program:
    """A program in a namespace, and the JSON lines it writes, each with the time at which it came."""

    def __init__(self, node, *command):
        self.process = subprocess.Popen(
            [NATLAB, "exec", node, *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.lines = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            try:
                self.lines.append((time.monotonic(), json.loads(line)))
            except ValueError:
                pass

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def wait(self, what, seconds, since=0.0):
        """When the first line of that kind came after `since`; the line. None if none comes."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for at, line in list(self.lines):
                if line["event"] == what and at >= since:
                    return at, line
            time.sleep(0.005)
        return None

    def count(self, what):
        return sum(line["event"] == what for _, line in list(self.lines))

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Call:
    """A tracker and two peers behind routers of these kinds, who call each other."""

    def __init__(self, kinds, binaries, ip="4"):
        self.binaries, self.ip = binaries, ip
        self.programs = []
        self.kinds = kinds
        self.folder = tempfile.TemporaryDirectory()
        self.speech = long_speech(pathlib.Path(self.folder.name))
        subprocess.run([NATLAB, "up", "--a", kinds[0], "--b", kinds[1], "--ip", ip], check=True)

    def start(self, node, *command):
        self.programs.append(Program(node, *command))
        return self.programs[-1]

    def peer(self, name, kind):
        folder = pathlib.Path(self.folder.name)
        port = 443 if kind == "tcp443" else 6000
        host = f"[{TRACKER['6']}]" if self.ip == "6" else TRACKER[self.ip]
        return self.start(
            "p" + name[0], str(self.binaries / "peer"), "--json", "--username", name,
            "--tracker", f"{host}:{port}", "--identity", str(folder / f"{name}.key"),
            "--wav", str(self.speech), "--record", str(folder / f"{name}.wav"),
            *(["--auto-answer"] if name == "bob" else []))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in self.programs:
            program.stop()
        subprocess.run([NATLAB, "down"], check=True)
        self.folder.cleanup()

    def connect(self, seconds=8.0):
        """Milliseconds from the answer until both hear; or what went wrong."""
        self.start("trk", str(self.binaries / "tracker"), "--host", "0.0.0.0" if self.ip == "4" else "::",
                   "--relay", "--also-port", "443")
        time.sleep(0.3)
        self.alice, self.bob = self.peer("alice", self.kinds[0]), self.peer("bob", self.kinds[1])
        if not all(peer.wait("registered", 6.0) for peer in (self.alice, self.bob)):
            return "no tracker"
        self.alice.say("call bob")
        answered = self.alice.wait("answered", seconds)
        if not answered:
            return "no answer"
        end = time.monotonic() + seconds
        heard = [peer.wait("first_audio", max(0.0, end - time.monotonic())) for peer in (self.alice, self.bob)]
        if not all(heard):
            return "one way" if any(heard) else "–"
        return round(1e3 * (max(at for at, _ in heard) - answered[0]))

    @staticmethod
    def stats(peer):
        told = peer.count("stats")
        peer.say("stats")
        while peer.count("stats") == told:
            time.sleep(0.01)
        return [line for _, line in peer.lines if line["event"] == "stats"][-1]

    def is_relayed(self):
        """Whether the path leads through the relay, once it has been found."""
        time.sleep(2)
        paths = [str(self.stats(peer).get("path")) for peer in (self.alice, self.bob)]
        return any(address in path for address in TRACKER.values() for path in paths)

    def hears(self):
        """Whether sound still comes to both."""
        def received(peer):
            return self.stats(peer)["packets"]["received"]

        peers = (self.alice, self.bob)
        before = [received(peer) for peer in peers]
        time.sleep(1)
        return all(received(peer) > was + 30 for peer, was in zip(peers, before))

    def silence(self, *steps, seconds=15.0):
        """Does this to the routers: how long one of the two did not hear the other afterwards, in seconds. Silence of less
        than 0.9 s is not told, and nothing here; None: it goes on."""
        for step in steps[:-1]:
            step()
        since = time.monotonic()
        steps[-1]()
        lost = [peer.wait("media_silent", 3.0, since - (0 if len(steps) == 1 else 60)) for peer in (self.alice, self.bob)]
        if not any(lost):
            return 0.0
        back = [peer.wait("media_resumed", seconds, since) for peer, told in zip((self.alice, self.bob), lost) if told]
        return max(at - since for at, _ in back) if all(back) else None


def natlab(*arguments):
    return lambda: subprocess.run([NATLAB, *arguments], check=True, capture_output=True)


def pairs(kinds, binaries, ip="4"):
    found = {}
    for n, a in enumerate(kinds):
        for b in kinds[n:]:
            with Call((a, b), binaries, ip) as call:
                found[a, b] = found[b, a] = call.connect()
                if isinstance(found[a, b], int) and call.is_relayed():
                    found[a, b] = found[b, a] = f"{found[a, b]} R"
            print(f"IPv{ip} {a} {b}: {found[a, b]}", file=sys.stderr, flush=True)
    return found


def table(kinds, found):
    rows = ["| | " + " | ".join(kinds) + " |", "|---" * (len(kinds) + 1) + "|"]
    for a in kinds:
        rows.append(f"| **{a}** | " + " | ".join(str(found[a, b]) for b in kinds) + " |")
    return "\n".join(rows)


def trouble(binaries):
    """What happens to a call behind two port-restricted routers: a table, and whether all was well."""
    cable = lambda seconds: (natlab("link", "a", "down"), lambda: time.sleep(seconds), natlab("link", "a", "up"))
    cases = {
        "cable out for 3 s": cable(3),
        "cable out for 10 s": cable(10),
        "cable out for 30 s": cable(30),
        "the router forgets all mappings": (natlab("flush", "a"),),
        "the router maps to other ports": (natlab("rebind", "a"),),
        "the router gets another address": (natlab("rebind", "a", "--ip"),),
    }
    well, rows = True, ["| in the middle of a call | heard again after, s |", "|---|---|"]
    for name, steps in cases.items():
        with Call(("port", "port"), binaries) as call:
            connected = isinstance(call.connect(), int)
            time.sleep(2)
            lasted = call.silence(*steps) if connected else None
            if lasted is not None and not call.hears():
                lasted = None
        well = well and lasted is not None and lasted <= LIMIT
        told = "not within 15" if lasted is None else f"{lasted:.1f}" if lasted else "under 0.9"
        rows.append(f"| {name} | {told} |")
        print(rows[-1], file=sys.stderr, flush=True)
    return "\n".join(rows), well


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--write", type=pathlib.Path)
    options.add_argument("--binaries", type=pathlib.Path, default=ROOT / "target/release")
    options.add_argument("--only-pairs", action="store_true", help="no trouble in the middle of calls")
    options.add_argument("kinds", nargs="*", metavar="KIND")
    given = options.parse_args()
    kinds = given.kinds or KINDS
    found = pairs(kinds, given.binaries)
    found_6, found_46 = (pairs(of, given.binaries, ip) for of, ip in ((KINDS_6, "6"), (KINDS_46, "46")))
    troubled, well = ("", True) if given.only_pairs else trouble(given.binaries)
    text = "\n\n".join([
        "# Through routers",
        "Written by `make test-nat WRITE=1`: two terminal peers behind routers made of Linux's own NAT, in network namespaces without "
        "delay, and a tracker with a relay. Milliseconds from the answer until both hear each other; R: two seconds later the path leads through "
        "the relay, by datagrams or, behind noudp and tcp443, over a connection. "
        "What the kinds do is told by `tests/lab/natlab`.",
        table(kinds, found),
        "With IPv6 alone:",
        table(KINDS_6, found_6),
        "With both, where IPv6 is behind a firewall without address translation:",
        table(KINDS_46, found_46),
        troubled,
    ]) + "\n"
    print(text)
    if given.write:
        given.write.write_text(text)
    deaf = [pair for of in (found, found_6, found_46) for pair in of if not re.match(r"\d", str(of[pair]))]
    deaf += [pair for of in (found_6, found_46) for pair in of if not isinstance(of[pair], int)]
    relayed = [pair for pair in found if can_punch(*pair) and not isinstance(found[pair], int)]
    failed = deaf + relayed
    for a, b in sorted({tuple(sorted(pair)) for pair in failed}):
        print(f"routers: {a} and {b} did not hear each other, or not directly though hole punching connects them", file=sys.stderr)
    if not well:
        print("routers: a call was not heard again in time", file=sys.stderr)
    sys.exit(0 if well and not failed else 1)


if __name__ == "__main__":
    main()
