#!/usr/bin/env python3
"""The tracker's relay beside coturn's turnserver, under the same load by coturn's own client.

  versus_coturn.py [--runs 3] [--packets 20000] [--binaries DIR]

For each run and each way to the server (UDP, TCP, and TLS for the tracker alone) turnutils_uclient relays packets of 100 bytes to
turnutils_peer, which sends them back. Prints JSON: microseconds of processor time of the server for each packet relayed, medians
over the runs, the ratio, and what was lost. Runs alternate. Needs Debian's coturn and the release binaries. Its exit status is 1 if the relay lost a packet
that coturn's client had sent.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "voip-core/tests"))
import tracker_client  # noqa: E402

SIZE = 100
# The client's options for each way to the server.
WAYS = {"udp": [], "tcp": ["-t"], "tls": ["-t", "-S"]}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def running(*command):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def processor_seconds(pid):
    """On a processor so far, all threads."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def wait_for(port):
    for _ in range(500):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
            return
        time.sleep(0.01)
    sys.exit(f"nobody listens at port {port}")


def load(pid, port, user, password, echo, packets, way):
    """Microseconds of processor time for each packet that server relays, and the packets lost."""
    before = processor_seconds(pid)
    command = ["turnutils_uclient", *WAYS[way], "-c", "-u", user, "-w", password, "-p", str(port),
               "-e", "127.0.0.1", "-r", str(echo), "-m", "1", "-n", str(packets), "-l", str(SIZE), "-z", "1",
               "127.0.0.1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    used = processor_seconds(pid) - before
    told = done.stdout + done.stderr
    counts = re.findall(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", told)
    sent, received = map(int, counts[-1]) if counts else (0, 0)
    if done.returncode != 0 or sent < packets:
        sys.exit(f"turnutils_uclient failed:\n{told}")
    return 1e6 * used / (sent + received), sent - received


def of_ours(binaries, echo, packets, way):
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        running(str(binaries / "tracker"), "--host", "127.0.0.1", "--port", str(port), "--relay", "--relay-private",
                "--relay-bitrate", "1000000000", "--tls-self-signed", f"{folder}/tracker.pem") as pid,
    ):
        wait_for(port)
        connect = lambda: tracker_client.Frames(socket.create_connection(("127.0.0.1", port)))  # noqa: E731
        alice, bob = (tracker_client.Peer(connect, name) for name in ("alice", "bob"))
        for peer in (alice, bob):
            peer.register()
        grant = alice.ask("relay", call=os.urandom(16).hex(), peer=bob.key.id)
        return load(pid, port, grant["username"], grant["password"], echo, packets, way)


def of_coturn(_, echo, packets, way):
    port = free_port()
    with running("turnserver", "-n", "--no-tls", "--no-dtls", "--no-cli", "-L", "127.0.0.1", "-E", "127.0.0.1", "-p", str(port),
                 "--allow-loopback-peers", "--lt-cred-mech", "-u", "u:p", "-r", "voip", "--log-file", "/dev/null") as pid:
        wait_for(port)
        return load(pid, port, "u", "p", echo, packets, way)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--packets", type=int, default=20_000)
    options.add_argument("--binaries", type=pathlib.Path, default=ROOT / "target/release")
    given = options.parse_args()
    echo, report, lost = free_port(), {}, 0
    with running("turnutils_peer", "-L", "127.0.0.1", "-p", str(echo)):
        for way in WAYS:
            # Its TLS would need a certificate of its own.
            servers = {"ours": of_ours} if way == "tls" else {"ours": of_ours, "coturn": of_coturn}
            runs = {name: [] for name in servers}
            for _ in range(given.runs):
                for name, measure in servers.items():
                    runs[name].append(measure(given.binaries, echo, given.packets, way))
            cost = {name: statistics.median(cost for cost, _ in of) for name, of in runs.items()}
            gone = {name: sum(lost for _, lost in of) for name, of in runs.items()}
            lost += gone["ours"]
            report[way] = {
                "us_per_packet": {name: round(of, 2) for name, of in cost.items()},
                "lost": gone,
                "sent": given.packets * given.runs,
            }
            if "coturn" in cost:
                report[way]["ratio"] = round(cost["ours"] / cost["coturn"], 2)
    print(json.dumps(report, indent=1))
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
