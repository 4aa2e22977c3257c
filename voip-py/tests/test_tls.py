"""The tracker behind TLS and WebSockets, met by its own nodes and by what others have written."""

import json
import socket
import ssl
from pathlib import Path

import pytest
from websockets.sync.client import connect

import voip

LIMIT = 10.0


def start(folder: Path, **options: bool) -> voip.Tracker:
    return voip.Tracker("127.0.0.1:0", tls_self_signed=folder / "tracker.pem", **options)


def test_nodes_call_each_other_over_tls_by_the_trackers_key(tmp_path: Path) -> None:
    with start(tmp_path, require_tls=True) as tracker:
        address = f"tls://{tracker.address}#sha256={tracker.key_sha256}"
        with (
            voip.Node("alice", trackers=[address], bind="127.0.0.1:0", audio=None) as alice,
            voip.Node("bob", trackers=[address], bind="127.0.0.1:0", audio=None, auto_answer=True) as bob,
        ):
            bob.wait_registered(LIMIT)
            alice.wait_registered(LIMIT)
            with alice.call("bob") as call:
                assert call.peer.id == bob.id
        assert (tracker.stats().tls, tracker.stats().tls_required) == (2, 0)


def test_the_doctor_looks_at_it_as_nodes_do(tmp_path: Path) -> None:
    with start(tmp_path, require_tls=True) as tracker:
        right = f"tls://{tracker.address}#sha256={tracker.key_sha256}"
        report = voip.doctor([right, tracker.address], input="off", output="off", timeout=8)
    of_tracker = {check.subject: check for check in report.checks if check.what is voip.CheckKind.TRACKER}
    assert of_tracker[right].verdict is voip.Verdict.GOOD
    assert of_tracker[tracker.address].verdict is voip.Verdict.BAD
    assert "tls://" in of_tracker[tracker.address].advice


def test_another_key_raises_at_once(tmp_path: Path) -> None:
    with start(tmp_path) as tracker:
        wrong = f"tls://{tracker.address}#sha256={'00' * 32}"
        with voip.Node("alice", trackers=[wrong], bind="127.0.0.1:0", audio=None) as alice:
            with pytest.raises(voip.TrackerUntrusted, match=str(tracker.key_sha256)) as raised:
                alice.wait_registered()
            assert raised.value.kind is voip.ErrorKind.TRACKER_UNTRUSTED and raised.value.code == 21
        assert tracker.stats().online == 0


def test_the_certificate_may_come_in_two_files(tmp_path: Path) -> None:
    start(tmp_path).close()
    pem = tmp_path / "tracker.pem"
    with voip.Tracker("127.0.0.1:0", tls=(pem, str(pem))) as tracker, start(tmp_path) as other:
        assert tracker.key_sha256 == other.key_sha256
    with pytest.raises(voip.InvalidArgument, match="one of the two"):
        voip.Tracker("127.0.0.1:0", tls=(pem, pem), tls_self_signed=pem)
    with pytest.raises(voip.InvalidArgument, match="require_tls"):
        voip.Tracker("127.0.0.1:0", require_tls=True)
    with pytest.raises(voip.FileError, match="missing"):
        voip.Tracker("127.0.0.1:0", tls=(tmp_path / "missing", pem))
    with voip.Tracker("127.0.0.1:0") as plain:
        assert plain.key_sha256 is None


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_websocket_client_of_others_gets_along(tmp_path: Path, scheme: str) -> None:
    with start(tmp_path, require_tls=scheme == "wss") as tracker:
        context = None
        if scheme == "wss":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(tmp_path / "tracker.pem")
        uri = f"{scheme}://{tracker.address}/"
        name = "voip-tracker" if context else None
        with connect(uri, ssl=context, server_hostname=name, open_timeout=LIMIT) as websocket:
            hello = json.loads(websocket.recv(LIMIT))
            assert hello["type"] == "hello"
            assert websocket.ping().wait(LIMIT)
            for number, ask in enumerate(('{"type":"ping","id":%d}', b'{"type":"ping","id":%d}')):
                websocket.send(ask % number)
                assert json.loads(websocket.recv(LIMIT)) == {"type": "pong", "id": number}
            # In three fragments.
            websocket.send(['{"type":', '"ping",', '"id":7}'])
            assert json.loads(websocket.recv(LIMIT)) == {"type": "pong", "id": 7}
            websocket.send('{"type":"leave","id":8}')
            assert json.loads(websocket.recv(LIMIT)) == {"type": "goodbye", "id": 8}
        stats = tracker.stats()
        assert (stats.websockets, stats.tls) == (1, 1 if context else 0)


def test_who_comes_without_tls_is_told(tmp_path: Path) -> None:
    with start(tmp_path, require_tls=True) as tracker:
        host, port = tracker.address.split(":")
        with socket.create_connection((host, int(port)), LIMIT) as plain:
            plain.sendall(b"\0")
            answer = plain.makefile("rb").read()
            assert json.loads(answer[4:])["code"] == "tls_required"
        with socket.create_connection((host, int(port)), LIMIT) as browser:
            browser.sendall(b"GET / HTTP/1.1\r\nHost: tracker\r\n\r\n")
            assert browser.makefile("rb").read().startswith(b"HTTP/1.1 403 ")
        assert tracker.stats().tls_required == 2
