"""Listens to a call and draws what was heard: level over time, and a spectrogram, as a PNG.

    python level_meter.py TRACKER PICTURE.png [--name meter] [--seconds 5]

It answers the first call that comes. Nothing but Python is needed.
"""

import argparse
import array
import cmath
import math
import struct
import zlib

import voip

RATE = 16_000  # what is drawn goes up to 8 kHz
WINDOW = 256
STEP = RATE // 100  # one column is 10 ms
HEIGHT = WINDOW // 2
METER = 48  # rows of the level's strip
GAP = 6
DARKEST = -85.0  # dBFS, of the spectrogram
LOWEST = -60.0  # dBFS, of the level


def spectrum(samples: list[float]) -> list[complex]:
    """The Fourier transform, by halves."""
    if len(samples) == 1:
        return [complex(samples[0])]
    even, odd = spectrum(samples[0::2]), spectrum(samples[1::2])
    count = len(samples)
    turned = [cmath.exp(-2j * cmath.pi * k / count) * o for k, o in enumerate(odd)]
    return [e + t for e, t in zip(even, turned)] + [e - t for e, t in zip(even, turned)]


def decibels(power: float) -> float:
    return 10 * math.log10(power + 1e-12)


def colour(level: float) -> tuple[int, int, int]:
    """Black, violet, orange, white, from the darkest level up to full scale."""
    stops = [(0, 0, 0), (72, 18, 112), (226, 92, 40), (255, 240, 200)]
    place = min(max(1 - level / DARKEST, 0), 0.999) * (len(stops) - 1)
    low, part = int(place), place % 1
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(stops[low], stops[low + 1]))
    return red, green, blue


def draw(samples: array.array) -> list[list[tuple[int, int, int]]]:
    """Rows of pixels: the spectrogram, lowest frequency at the bottom, and the level under it."""
    window = [0.5 - 0.5 * math.cos(2 * math.pi * i / WINDOW) for i in range(WINDOW)]
    columns = []
    for start in range(0, len(samples) - WINDOW, STEP):
        block = samples[start : start + WINDOW]
        bins = spectrum([w * s for w, s in zip(window, block)])[:HEIGHT]
        tops = [colour(decibels(abs(b / (WINDOW / 4)) ** 2)) for b in reversed(bins)]
        level = decibels(sum(s * s for s in block) / WINDOW)
        lit = round(METER * min(max(1 - level / LOWEST, 0), 1))
        meter = [(24, 24, 28)] * (METER - lit) + [colour(level)] * lit
        columns.append(tops + [(255, 255, 255)] * GAP + meter)
    return [list(row) for row in zip(*columns)]


def png(rows: list[list[tuple[int, int, int]]]) -> bytes:
    """The rows as a PNG of 8-bit RGB (RFC 2083)."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 2, 0, 0, 0)
    plain = b"".join(b"\0" + bytes(value for pixel in row for value in pixel) for row in rows)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(plain)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def listen(me: voip.Node, seconds: float) -> array.array:
    """What the first caller says from the first sound on."""
    heard = array.array("f")
    for event in me.events():
        match event:
            case voip.Incoming(call=call):
                call.answer()
                call.muted = True  # it only listens
            case voip.FirstAudio(call=call):
                print(f"{call.peer.name} is heard", flush=True)
                try:
                    while len(heard) < seconds * RATE:
                        heard.frombytes(call.read(STEP, dtype="float32"))
                except voip.Error:
                    pass
                return heard
            case voip.Ended(reason=reason):
                raise SystemExit(f"the call ended before anything was heard: {reason.describe()}")
    return heard


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw what is heard.")
    parser.add_argument("tracker", help="host:port")
    parser.add_argument("picture", help="the PNG to write")
    parser.add_argument("--name", default="meter", help="the name to be called by (meter)")
    parser.add_argument("--seconds", type=float, default=5, help="how much is drawn (5)")
    options = parser.parse_args()
    audio = voip.Manual(samplerate=RATE)
    with voip.Node(options.name, trackers=[options.tracker], audio=audio) as me:
        me.wait_registered(10)
        print(f"{options.name} waits for a call", flush=True)
        heard = listen(me, options.seconds)
    with open(options.picture, "wb") as file:
        file.write(png(draw(heard)))
    print(f"{len(heard) / RATE:.1f} s are drawn in {options.picture}")


main()
