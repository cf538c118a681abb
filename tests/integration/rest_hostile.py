"""Clients that are slow, many, greedy or malformed: the API keeps answering and memory stays bounded.

--long: 10,000 idle connections, a million-line list, ten minutes of malformed requests. For the sanitizers run it with
ICA_PRESET=asan.
"""
import os
import random
import resource
import socket
import time

import pytest

from harness import http, loadgen
from harness.wait import wait_until

CID = "QmfJQ4QDf4suppgtQKZcyrBb6aA8YU4DSv3hsBwiYdsFNr"
INSTRUMENTED = os.environ.get("ICA_PRESET", "release") in ("asan", "tsan")


@pytest.fixture
def peer(lab, flavour):
    peer = lab.peer(lab.fake_kubo(), flavour)
    peer.wait_candidates()
    return peer


def fill(peer, count):
    loadgen.run(peer, "pin", "-connections", 64, "-count", count)


def assert_answers(peer, within=2.0):
    begin = time.monotonic()
    assert peer.call("GET", "/id", timeout=10).status == 200
    assert time.monotonic() - begin < within


def test_idle_connections(peer, long_form):
    count = 10_000 if long_form else 2_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 500:
        pytest.fail(f"this machine allows {hard} open files, the test needs {count + 500}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 500), hard))
    before = peer.process.rss()[0]
    connections = []
    try:
        for _ in range(count):
            connections.append(socket.create_connection(("127.0.0.1", peer.rest_port), timeout=10))
        assert_answers(peer)
        grown = peer.process.rss()[0] - before
        assert grown < count * 16_384 or INSTRUMENTED, f"{grown / count:.0f} bytes for a connection"
    finally:
        for connection in connections:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert_answers(peer)


def test_headers_a_byte_at_a_time(peer):
    """read_header_timeout is 5 s: such a client is dropped, however busily it sends."""
    with socket.create_connection(("127.0.0.1", peer.rest_port), timeout=10) as s:
        s.sendall(b"GET /id HTTP/1.1\r\nX-Slow: ")
        begin = time.monotonic()

        def dropped():
            try:
                s.sendall(b"a")
            except OSError:
                return True
            s.settimeout(0.01)
            try:
                return s.recv(100) == b""
            except TimeoutError:
                return False
            except OSError:
                return True
        wait_until(dropped, 15, "the connection is closed", 0.2)
        assert 4 < time.monotonic() - begin < 12
    assert_answers(peer)


def test_readers_that_stop(peer, long_form):
    """Listings that nobody reads: bounded buffers, a working API, and a clean end when the readers go."""
    fill(peer, 1_000_000 if long_form else 30_000)
    before = peer.process.rss()[0]
    readers = []
    for _ in range(50):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(("127.0.0.1", peer.rest_port))
        s.sendall(http.build(peer.rest_port, "GET", "/pins"))
        readers.append(s)
    for s in readers:
        assert s.recv(1000)
    assert_answers(peer)
    assert peer.call("POST", f"/pins/{CID}").status == 200
    grown = peer.process.rss()[0] - before
    assert grown < 50 * 1_500_000 or INSTRUMENTED, f"{grown / 1e6:.0f} MB for 50 stopped readers"
    for s in readers:
        s.close()
    listing = peer.call("GET", "/allocations", timeout=300)
    assert listing.complete and listing.trailers == [["X-Stream-Error", ""]]


def test_upload_that_stops(peer):
    """An upload that breaks off leaves nothing behind that keeps the peer from working or stopping."""
    kind, body = http.multipart([("f", b"x" * 1_000_000)])
    for cut in (0, 10, 200, 500_000):
        with socket.create_connection(("127.0.0.1", peer.rest_port), timeout=10) as s:
            s.sendall(http.build(peer.rest_port, "POST", "/add", {"Content-Type": kind, "Content-Length": str(len(body))},
                                 body[:cut]))
    assert_answers(peer)
    assert peer.pinset() == {}


MALFORMED = [
    b"\r\n\r\n", b"GET\r\n\r\n", b"GET /id\r\n\r\n", b"GET /id HTTP/9.9\r\n\r\n", b"\x00\x01\x02\x03\r\n\r\n",
    b"GET /id HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n", b"GET /id HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n",
    b"POST /add HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST /add HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /peers HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /peers HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /id HTTP/1.1\r\n" + b"X: y\r\n" * 5_000 + b"\r\n",
    b"GET /pins/%00 HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /pins/%zz HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
]


def poke(peer, data):
    """Sends bytes and takes whatever comes back within a moment."""
    with socket.create_connection(("127.0.0.1", peer.rest_port), timeout=10) as s:
        s.settimeout(0.05)
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            return s.recv(65536)
        except OSError:
            return b""


@pytest.mark.parametrize("number", range(len(MALFORMED)))
def test_malformed(peer, number):
    answer = http.exchange(peer.rest_port, MALFORMED[number], timeout=8) if MALFORMED[number][-4:] == b"\r\n\r\n" else None
    poke(peer, MALFORMED[number])
    assert answer is None or answer.status is None or answer.status >= 300, answer
    assert peer.process.alive()
    assert_answers(peer)


def mutations(chance):
    """Endless requests: recorded shapes with pieces replaced, doubled, cut or filled with noise."""
    methods = [b"GET", b"POST", b"DELETE", b"HEAD", b"OPTIONS", b"PUT", b"PATCH", b"get", b""]
    paths = [b"/id", b"/peers", b"/pins", b"/pins/" + CID.encode(), b"/pins/ipfs/" + CID.encode() + b"/a/b", b"/add",
             b"/allocations", b"/allocations/" + CID.encode(), b"/health/graph", b"/monitor/metrics/ping", b"/ipfs/gc",
             b"/token", b"/pins/recover", b"/%2e%2e/%2e%2e", b"//", b"/pins/bafy" + b"a" * 200]
    queries = [b"", b"?filter=pinned,error", b"?replication=-5", b"?expire-in=1h&expire-at=x", b"?cids=" + CID.encode() * 40,
               b"?name=%ff%fe&meta-=x&meta-a=%00", b"?origins=/ip4/1.2.3.4/tcp/1/p2p/x", b"?pin-update=" + CID.encode(),
               b"?user-allocations=,,,", b"?local=true;x=y", b"?chunker=size-1&format=car", b"?shard-size=18446744073709551616"]
    bodies = [b"", b"{}", b'{"peer_id":"' + b"x" * 100 + b'"}', b"[" * 3000, b"--b\r\n\r\n--b--\r\n",
              b'--b\r\nContent-Disposition: form-data; name="file"; filename="%2e%2e%2fx"\r\n\r\nabc\r\n--b--\r\n',
              b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.car"\r\n\r\n\x0a\xa1\x67version\x01\r\n--b--\r\n']
    while True:
        body = chance.choice(bodies)
        head = [b"Host: x", b"Content-Type: multipart/form-data; boundary=b", b"Content-Length: %d" % len(body)]
        if chance.random() < 0.2:
            head.append(chance.choice([b"Transfer-Encoding: chunked", b"Connection: close", b"Expect: 100-continue",
                                       b"Origin: http://x", b"Authorization: Basic !!!", b"Authorization: Bearer a.b.c",
                                       b"Range: bytes=0-1", b"Upgrade: h2c"]))
        data = chance.choice(methods) + b" " + chance.choice(paths) + chance.choice(queries) + b" HTTP/1.1\r\n"
        data = bytearray(data + b"\r\n".join(head) + b"\r\n\r\n" + body)
        for _ in range(chance.choice([0, 0, 1, 3, 10])):
            at = chance.randrange(len(data))
            if chance.random() < 0.5:
                data[at] = chance.randrange(256)
            else:
                data[at:at + chance.randrange(8)] = bytes(chance.randrange(256) for _ in range(chance.randrange(8)))
            if not data:
                data = bytearray(b"x")
        yield bytes(data) * chance.choice([1, 1, 1, 2, 20])


def test_fuzzed_requests(peer, long_form):
    seconds = 600 if long_form else 8
    seed = int(os.environ.get("ICA_SEED", "1"))
    requests = mutations(random.Random(seed))
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data = next(requests)
        poke(peer, data)
        sent += 1
        assert peer.process.alive(), f"seed {seed}, request {sent}: {data!r}"
    print(f"{sent} requests, seed {seed}")
    assert_answers(peer)
