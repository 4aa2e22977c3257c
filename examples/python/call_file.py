"""Calls somebody, plays a WAV file and hangs up; what the other side says is recorded.

    python call_file.py TRACKER PEER FILE [--record HEARD.wav] [--name me]
"""

import argparse
import sys
import wave

import voip

parser = argparse.ArgumentParser(description="Call somebody and play a WAV file.")
parser.add_argument("tracker", help="host:port")
parser.add_argument("peer", help="a name, or a key of 64 hexadecimal digits")
parser.add_argument("file", help="what to say: a WAV file")
parser.add_argument("--record", metavar="FILE", help="where to keep what is heard")
parser.add_argument("--name", default="player", help="the name to call by (player)")
options = parser.parse_args()

with wave.open(options.file) as file:
    seconds = file.getnframes() / file.getframerate()
audio = voip.Wav(play=options.file, record=options.record)
try:
    with voip.Node(options.name, trackers=[options.tracker], audio=audio) as me:
        with me.call(options.peer, ring_timeout=30) as call:
            print(f"{call.peer.name} has answered: {seconds:.1f} s will be played")
            call.wait_connected(10)
            try:
                reason = call.wait_ended(seconds + 0.5)  # the file, and its way there
                print(f"over: {reason.describe()}")
            except voip.TimedOut:
                stats = call.stats()
                print(f"played; quality {stats.quality.name.lower()}, {stats.stages_ms.total:.0f} ms")
except voip.Error as error:
    sys.exit(f"{options.peer}: {error}")
except KeyboardInterrupt:
    sys.exit(130)
