"""A client of the tracker protocol, written from docs/tracker-protocol.md with the standard library only.

    python3 tracker_client.py HOST PORT silent|frames|websocket [CERTIFICATE]

Registers two peers at the tracker, lets them see, find, signal and be handed to each other, asks for its address over STUN,
and ends with status 0 if everything was as the document says.
"""

import base64
import hashlib
import json
import os
import socket
import ssl
import struct
import sys
import time

# Ed25519, RFC 8032 §5.1, in affine coordinates: slow and not in constant time, but short.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def x_of(y, sign):
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P:
        raise ValueError("not a point of the curve")
    return P - x if x % 2 != sign else x


BASE = (x_of(4 * pow(5, -1, P) % P, 0), 4 * pow(5, -1, P) % P)


def add(a, b):
    product = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + product, -1, P) % P
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P) % P
    return x, y


def times(n, point):
    total = (0, 1)
    while n:
        if n & 1:
            total = add(total, point)
        point = add(point, point)
        n >>= 1
    return total


def encode(point):
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def decode(data):
    number = int.from_bytes(data, "little")
    y = number & ((1 << 255) - 1)
    return x_of(y, number >> 255), y


def sha512(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


class Key:
    def __init__(self, secret):
        digest = hashlib.sha512(secret).digest()
        self.scalar = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | 1 << 254
        self.prefix = digest[32:]
        self.public = encode(times(self.scalar, BASE))
        self.id = self.public.hex()

    def sign(self, kind, *parts):
        message = b"voip/1/" + kind.encode() + b"\0" + b"".join(parts)
        r = sha512(self.prefix, message) % ORDER
        point = encode(times(r, BASE))
        s = (r + sha512(point, self.public, message) * self.scalar) % ORDER
        return (point + s.to_bytes(32, "little")).hex()


def verify(peer_id, kind, body, signature):
    public, signature = bytes.fromhex(peer_id), bytes.fromhex(signature)
    message = b"voip/1/" + kind.encode() + b"\0" + body
    s = int.from_bytes(signature[32:], "little")
    assert s < ORDER, "S is not reduced"
    point = decode(public)
    assert times(8, point) != (0, 1), "a key of small order"
    right = add(decode(signature[:32]), times(sha512(signature[:32], public, message), point))
    assert times(s, BASE) == right, f"the signature over {body!r} does not hold"


def now():
    return time.time_ns() // 1_000_000


# The protocol.


class Frames:
    """Messages on a byte stream. A ping goes at once, so that the tracker need not wait for what will come."""

    def __init__(self, stream):
        self.socket = stream
        self.send(b'{"type":"ping","id":0}')

    def send(self, content):
        self.socket.sendall(struct.pack(">I", len(content)) + content)

    def hear(self):
        (length,) = struct.unpack(">I", self.read(4))
        return self.read(length)

    def read(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError("the tracker closed the connection")
            data += piece
        return data


class SilentFrames(Frames):
    """Waits until it is greeted."""

    def __init__(self, stream):
        self.socket = stream


class WebSocket(Frames):
    """A message of RFC 6455 for each message; now and then in fragments, with a ping between them."""

    def __init__(self, stream):
        self.socket, self.count = stream, 0
        key = base64.b64encode(os.urandom(16)).decode()
        stream.sendall((
            "GET / HTTP/1.1\r\nHost: tracker\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.read(1)
        status, *lines = head.decode().split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        assert status.startswith("HTTP/1.1 101 "), head
        assert headers["sec-websocket-accept"] == base64.b64encode(digest).decode(), head

    def send_frame(self, first, payload):
        mask, length = os.urandom(4), len(payload)
        if length < 126:
            head = struct.pack(">BB", first, 0x80 | length)
        else:
            head = struct.pack(">BBH", first, 0x80 | 126, length)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.socket.sendall(head + mask + masked)

    def send(self, content):
        self.count += 1
        opcode = 1 + self.count % 2  # text and binary are the same to the tracker
        if self.count % 3:
            return self.send_frame(0x80 | opcode, content)
        self.send_frame(opcode, content[:5])
        self.send_frame(0x89, b"still there?")
        self.send_frame(0x80, content[5:])

    def hear(self):
        while True:
            first, length = self.read(2)
            assert not length & 0x80, "a tracker masks nothing"
            if length == 126:
                (length,) = struct.unpack(">H", self.read(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", self.read(8))
            payload = self.read(length)
            if first == 0x8A:
                assert payload == b"still there?", payload
            elif first == 0x88:
                raise EOFError("the tracker said goodbye")
            else:
                assert first == 0x81, first
                return payload


class Peer:
    def __init__(self, connect, name):
        self.key, self.name, self.last_id = Key(os.urandom(32)), name, 0
        self.connection = connect()
        self.unasked = []

    def send(self, message):
        self.connection.send(json.dumps(message).encode())

    def hear(self):
        while (message := json.loads(self.connection.hear())) == {"type": "pong", "id": 0}:
            pass
        return message

    def ask(self, kind, **fields):
        """Sends a request and returns its answer; what comes in between is kept."""
        self.last_id += 1
        self.send({"type": kind, "id": self.last_id, **fields})
        while (message := self.hear()).get("id") != self.last_id:
            self.unasked.append(message)
        return message

    def notice(self):
        return self.unasked.pop(0) if self.unasked else self.hear()

    def sealed(self, kind, body):
        text = json.dumps(body)
        return {"body": text, "signature": self.key.sign(kind, text.encode())}

    def register(self):
        hello = self.hear()
        assert hello["type"] == "hello" and hello["version"] >= 1, hello
        at = now()
        record = self.sealed("presence", {
            "v": 1, "id": self.key.id, "name": self.name, "seq": at,
            "issued": at, "expires": at + 600_000, "presence": "available",
        })
        signature = self.key.sign("register", bytes.fromhex(hello["nonce"]), record["body"].encode())
        return self.ask("register", version=1, record=record, signature=signature)


def opened(entry):
    body = entry["record"]["body"]
    record = json.loads(body)
    verify(record["id"], "presence", body.encode(), entry["record"]["signature"])
    assert record["v"] == 1 and record["expires"] - record["issued"] <= 600_000, record
    return record


def observed_address(address):
    transaction = os.urandom(12)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(20)
        udp.connect(address)
        udp.send(struct.pack(">HHI", 1, 0, 0x2112A442) + transaction)
        kind, length, cookie = struct.unpack(">HHI", (answer := udp.recv(100))[:8])
        assert (kind, length, cookie) == (0x0101, 12, 0x2112A442) and answer[8:20] == transaction
        attribute, size, _, family, port, ip = struct.unpack(">HHBBHI", answer[20:])
        assert (attribute, size, family) == (0x0020, 8, 1)
        told = socket.inet_ntoa(struct.pack(">I", ip ^ cookie)), port ^ cookie >> 16
        assert told == udp.getsockname(), told
        return told


TRANSPORTS = {"silent": SilentFrames, "frames": Frames, "websocket": WebSocket}


def main(host, port, transport, certificate=None):
    """`transport` is one of TRANSPORTS; with the tracker's certificate, a PEM file, it is within TLS."""
    address = host, int(port)

    def connect():
        stream = socket.create_connection(address, timeout=20)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(certificate)
            stream = context.wrap_socket(stream, server_hostname="voip-tracker")
            assert stream.version() == "TLSv1.3", stream.version()
        return TRANSPORTS[transport](stream)

    alice, bob = Peer(connect, "alice"), Peer(connect, "bob \"the\" Bär")
    registered = alice.register()
    assert registered["type"] == "registered" and registered["online"] == 1, registered
    assert alice.ask("subscribe")["type"] == "subscribed"
    assert bob.register()["online"] == 2

    joined = alice.notice()
    assert joined["type"] == "joined" and opened(joined["peer"])["id"] == bob.key.id, joined
    page = alice.ask("list", limit=1)
    assert [opened(peer)["name"] for peer in page["peers"]] == ["alice"], page
    page = alice.ask("list", after=page["next"])
    assert [opened(peer)["name"] for peer in page["peers"]] == [bob.name] and "next" not in page, page
    assert opened(alice.ask("lookup", name=bob.name)["peer"])["id"] == bob.key.id
    assert alice.ask("lookup", peer="00" * 32)["type"] == "not_found"

    bye = alice.sealed("bye", {
        "kind": "bye", "call": os.urandom(16).hex(), "from": alice.key.id, "to": bob.key.id,
        "at": now(), "nonce": os.urandom(16).hex(), "reason": "hung_up",
    })
    assert alice.ask("signal", to=bob.key.id, signal=bye)["type"] == "relayed"
    signal = bob.notice()
    assert signal["type"] == "signal" and signal["from"] == alice.key.id and signal["signal"] == bye, signal
    verify(alice.key.id, "bye", signal["signal"]["body"].encode(), signal["signal"]["signature"])

    assert alice.ask("pair")["type"] == "pairing"
    assert alice.ask("unpair")["type"] == "unpaired"
    assert bob.ask("pair")["type"] == "pairing" and not bob.unasked, bob.unasked
    assert alice.ask("pair")["type"] == "pairing"
    for peer, other in ((alice, bob), (bob, alice)):
        paired = peer.notice()
        assert paired["type"] == "paired" and opened(paired["peer"])["id"] == other.key.id, paired

    assert alice.ask("teleport")["code"] == "unknown_type"
    assert alice.ask("ping")["type"] == "pong"
    observed_address(address)
    assert bob.ask("leave")["type"] == "goodbye"
    left = alice.notice()
    assert left == {"type": "left", "peer": bob.key.id, "name": bob.name, "online": 1}, left
    print("as the document says")


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    main(*sys.argv[1:])
