"""The scripted peer in Python; see README.md beside it."""

import argparse
import array
import math
import sys

import voip

RATE = 48_000
BLOCK = 480
LIMIT = 10.0
REJECTIONS = {"decline": voip.Reject.DECLINED, "busy": voip.Reject.BUSY}


def say(line: str) -> None:
    print(line, flush=True)


class Talk:
    """Says a tone of 440 Hz and listens, 10 ms at a time."""

    def __init__(self, call: voip.Call) -> None:
        self.call = call
        self.said = 0
        self.heard = False

    def turn(self) -> None:
        """The end of the call is no mistake."""
        step = 2 * math.pi * 440 / RATE
        block = array.array(
            "f", (0.3 * math.sin(step * i) for i in range(self.said, self.said + BLOCK))
        )
        self.said += BLOCK
        try:
            self.call.write(block, LIMIT)
            self.call.read_into(block, LIMIT)
        except voip.Error:
            if self.call.end_reason is None:
                raise
            return
        self.heard |= math.sqrt(sum(s * s for s in block) / BLOCK) > 0.01

    def finish(self) -> None:
        say(f"ended {self.call.wait_ended(LIMIT).name.lower()}")
        say(f"heard {'yes' if self.heard else 'no'}")


def wait_for_a_call(me: voip.Node) -> voip.Call:
    for event in me.events(LIMIT):
        if isinstance(event, voip.Incoming):
            return event.call
    sys.exit("nobody called")


def take_a_call(me: voip.Node, how: str) -> None:
    call = wait_for_a_call(me)
    say(f"incoming {call.peer.name}")
    if how != "answer":
        if how in REJECTIONS:
            call.reject(REJECTIONS[how])
        say(f"ended {call.wait_ended(LIMIT).name.lower()}")
        return
    call.answer()
    talk = Talk(call)
    while call.state is not voip.CallState.ENDED:
        talk.turn()
        for event in me.events(0):
            if isinstance(event, voip.PeerMuted):
                say(f"peer {'muted' if event.muted else 'unmuted'}")
    talk.finish()


def make_a_call(me: voip.Node, target: str, unregistered: bool) -> None:
    if not unregistered:
        say(" ".join(["listed", *(peer.name for peer in me.peers(LIMIT))]))
    try:
        call = me.call(target)
    except voip.Error as error:
        say(f"error {error.kind.name.lower()}")
        return
    say("answered")
    talk = Talk(call)
    for muted, blocks in [(False, 60), (True, 40), (False, 60)]:
        call.muted = muted
        for _ in range(blocks):
            talk.turn()
    call.hang_up()
    talk.finish()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tracker", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--role", choices=["callee", "caller"], required=True)
    parser.add_argument("--how", choices=["answer", "decline", "busy", "ignore"])
    parser.add_argument("--target")
    parser.add_argument("--unregistered", action="store_true")
    script = parser.parse_args()
    with voip.Node(
        script.name,
        trackers=[script.tracker],
        bind="127.0.0.1:0",
        audio=voip.Manual(RATE),
        ring_timeout=3,
    ) as me:
        if not script.unregistered:
            me.wait_registered(LIMIT / 2)
        say("ready")
        if script.role == "callee":
            take_a_call(me, script.how)
        else:
            make_a_call(me, script.target, script.unregistered)


main()
