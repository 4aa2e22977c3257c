"""Answers every call and says back what it hears: python echo_bot.py TRACKER [NAME]"""

import sys
import threading

import voip


def echo(call: voip.Call) -> None:
    try:
        while True:
            call.write(call.read())
    except voip.Error as over:
        print(f"{call.peer.name}: {over}", flush=True)


tracker, name = sys.argv[1], (sys.argv[2:] or ["echo"])[0]
pcm = voip.Manual()
with voip.Node(name, trackers=[tracker], audio=pcm, auto_answer=True, max_calls=32) as me:
    print(f"{name} waits for calls", flush=True)
    try:
        for event in me.events():
            if isinstance(event, voip.Connected):
                threading.Thread(target=echo, args=[event.call], daemon=True).start()
    except KeyboardInterrupt:
        pass
