"""Requests that two servers could read differently: none may carry a second request past whoever stands in front.

Each is followed on the same connection by an unpin. It must not be heard: the request is refused and its connection closed.
"""
import socket

import pytest

from harness.pins import cid_of

CID = cid_of(1)
HIDDEN = f"DELETE /pins/{CID} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
LENGTH = str(len(HIDDEN)).encode()
HEAD = b"POST /pins/recover?local=true HTTP/1.1\r\nHost: a\r\n"
AMBIGUOUS = {
    "length and chunked": HEAD + b"Content-Length: " + LENGTH + b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: " + LENGTH + b"\r\n\r\n" + HIDDEN,
    "a list of lengths": HEAD + b"Content-Length: 0, " + LENGTH + b"\r\n\r\n" + HIDDEN,
    "a signed length": HEAD + b"Content-Length: +0\r\n\r\n" + HIDDEN,
    "a hexadecimal length": HEAD + b"Content-Length: 0x0\r\n\r\n" + HIDDEN,
    "space before the colon": HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "tab before the colon": HEAD + b"Content-Length\t: 0\r\n\r\n" + HIDDEN,
    "a folded header": HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "chunked twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "chunked is not last": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + HIDDEN,
    "an unknown coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "a chunk size with a sign": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-0\r\n\r\n" + HIDDEN,
    "a chunk size in 0x form": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + HIDDEN,
    "a chunk size that overflows": HEAD + b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n" + HIDDEN,
    "chunked in HTTP/1.0": HEAD.replace(b"1.1", b"1.0") + b"Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "a carriage return in a value": HEAD + b"X: a\rContent-Length: " + LENGTH + b"\r\n\r\n" + HIDDEN,
    "a zero byte in a value": HEAD + b"X: a\0b\r\n\r\n" + HIDDEN,
    "two hosts": HEAD + b"Host: b\r\n\r\n" + HIDDEN,
}


def answers(port, data):
    """Status of every answer until the server closes, which it has to do soon."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.sendall(data)
        s.settimeout(10)
        received = b""
        try:
            while piece := s.recv(65536):
                received += piece
        except ConnectionResetError:
            pass
    return [int(line.split()[1]) for line in received.splitlines() if line.startswith(b"HTTP/1.")]


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    from harness.lab import Lab
    lab = Lab(tmp_path_factory.mktemp("smuggling"))
    try:
        peer = lab.peer(lab.fake_kubo())
        peer.wait_candidates()
        assert peer.call("POST", f"/pins/{CID}").status == 200
        yield peer
    finally:
        problems = lab.close()
    assert not problems, problems


@pytest.mark.parametrize("what", AMBIGUOUS)
def test_nothing_is_smuggled(peer, what):
    found = answers(peer.rest_port, AMBIGUOUS[what])
    assert peer.call("GET", f"/allocations/{CID}").status == 200, f"the hidden request was heard; answers: {found}"
    assert len(found) <= 1, found
    # A route that needs no body may answer before the chunks are looked at.
    assert what.startswith("a chunk size") or all(400 <= status < 502 for status in found), found


def test_an_ordinary_pipeline_is_answered(peer):
    """The hidden request is one that would be heard: two requests in one go get two answers."""
    ask = b"GET /allocations/" + CID.encode() + b" HTTP/1.1\r\nHost: a\r\n"
    assert answers(peer.rest_port, ask + b"\r\n" + ask + b"Connection: close\r\n\r\n") == [200, 200]
