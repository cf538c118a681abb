"""POST /add beside a real Kubo: large uploads in constant memory, clients that hang up, and CIDs of random content.

Default: 256 MiB, directories of 3,000 files, 30 random cases. --long: 10 GiB, 100,000 files, 300 cases.
"""
import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import http
from harness.wait import wait_until

pytestmark = pytest.mark.long_timeout(3600)
BOUNDARY = "ica-test-boundary"
MIB = 1 << 20


@pytest.fixture
def pair(lab, flavour):
    kubo = lab.kubo()
    peer = lab.peer(kubo, flavour)
    peer.wait_candidates()
    return kubo, peer


def part(name, kind="application/octet-stream"):
    return (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            f"Content-Type: {kind}\r\n\r\n").encode()


def send(peer, pieces, query="", on_piece=None, answer=True):
    """Streams an upload; gives the answer, which is read meanwhile, or hangs up after the last piece."""
    with socket.create_connection(("127.0.0.1", peer.rest_port), timeout=600) as s:
        s.sendall((f"POST /add?{query} HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n").encode())

        def upload():
            for piece in pieces:
                s.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
                if on_piece:
                    on_piece()
        if not answer:
            upload()
            return None
        with ThreadPoolExecutor(1) as pool, s.makefile("rb") as file:
            uploading = pool.submit(lambda: (upload(), s.sendall(b"0\r\n\r\n")))
            reply = http.read_answer(file, "POST")
            uploading.result()
            return reply


def content(seed, mib):
    """Every chunk differs, and making it costs nothing."""
    block = random.Random(seed).randbytes(MIB)
    for n in range(mib):
        yield n.to_bytes(8, "big") + block[8:]


def test_a_large_file_in_constant_memory(pair, long_form):
    kubo, peer = pair
    mib = 10 * 1024 if long_form else 256
    send(peer, [part("warm.bin"), *content(0, 8), f"\r\n--{BOUNDARY}--\r\n".encode()])
    before = peer.process.rss()[0]
    most = [before]

    def pieces():
        yield part("large.bin")
        yield from content(1, mib)
        yield f"\r\n--{BOUNDARY}--\r\n".encode()
    begin = time.monotonic()
    answer = send(peer, pieces(), "stream-channels=false",
                  lambda: most.append(max(most[-1], peer.process.rss()[0])))
    assert answer.status == 200, answer.body
    added = answer.json()[-1]
    grown = (most[-1] - before) / 1e6
    print(f"{mib} MiB in {time.monotonic() - begin:.1f} s, memory grew by {grown:.1f} MB")
    assert added["size"] > mib * MIB
    assert grown <= 32, f"{grown:.1f} MB"
    peer.wait_status(added["cid"], "pinned", 60)
    assert kubo.is_pinned(added["cid"])


def test_a_client_that_hangs_up_leaves_nothing_pinned(pair):
    kubo, peer = pair
    before = kubo.pins()

    def half():
        yield part("half.bin")
        yield from content(2, 12)
    for query in ("", "local=true", "wrap-with-directory=true"):
        send(peer, half(), query, answer=False)
    # The peer has noticed when it answers others and holds no request any more.
    answer = send(peer, [part("whole.txt"), b"whole", f"\r\n--{BOUNDARY}--\r\n".encode()], "stream-channels=false")
    assert answer.status == 200
    whole = answer.json()[-1]["cid"]
    peer.wait_status(whole, "pinned")
    assert set(peer.pinset()) == {whole}
    assert kubo.pins() - before == {whole}
    assert peer.call("GET", "/pins?filter=error").status == 204


def directory(count):
    """A directory of so many files as the body of an upload, in pieces."""
    yield part("many", "application/x-directory") + b"\r\n"
    for first in range(0, count, 500):
        yield b"".join(part(f"many%2Ffile-{n:06}.txt") + f"file {n}\n".encode() + b"\r\n"
                       for n in range(first, min(first + 500, count)))
    yield f"--{BOUNDARY}--\r\n".encode()


def upload_directory(peer, count):
    """The lines of the answer: each file, and the directory."""
    begin = time.monotonic()
    answer = send(peer, directory(count), "quieter=true&stream-channels=true")
    assert answer.status == 200 and answer.complete and all(v == "" for _, v in answer.trailers), answer.trailers
    lines = answer.documents()
    print(f"{count} files in {time.monotonic() - begin:.1f} s")
    assert len(lines) == count + 1 and lines[-1]["name"] == "many"
    return lines


def test_a_directory_of_many_files(pair, long_form):
    kubo, peer = pair
    count = 10_000 if long_form else 3_000  # Kubo's own part takes a minute for the larger one
    lines = upload_directory(peer, count)
    reply = kubo.call("add?pin=false&quieter=true&progress=false", b"".join(directory(count)),
                      f"multipart/form-data; boundary={BOUNDARY}", 600)
    assert reply.status == 200, reply.body[-300:]
    assert reply.documents()[-1]["Hash"] == lines[-1]["cid"]
    if long_form:
        lines = upload_directory(peer, 100_000)
        listed = kubo.call(f"ls?arg={lines[-1]['cid']}&resolve-type=false&size=false", timeout=600).json()["Objects"][0]["Links"]
        assert {link["Name"]: link["Hash"] for link in listed} == {line["name"].removeprefix("many/"): line["cid"] for line in lines[:-1]}


def random_case(chance):
    """(files, our query, Kubo's query) with the same meaning."""
    size = chance.choice([0, 1, 1000, 262_144, 262_145, chance.randrange(3 * MIB), chance.randrange(60_000)])
    names = [f"f{n}" for n in range(chance.choice([1, 1, 1, 2, 5]))]
    if len(names) > 1:
        names = [f"dir{chance.choice(['', '/sub'])}/{name}" for name in names]
    files = [(name, chance.randbytes(size if n == 0 else chance.randrange(5000))) for n, name in enumerate(names)]
    version = chance.choice([0, 1])
    options = {"cid-version": version, "raw-leaves": chance.choice(["true", "false"]),
               "chunker": chance.choice(["size-262144", "size-1000", "size-100000", "rabin", "rabin-512-1024-4096", "buzhash"])}
    if version == 1:
        options["hash"] = chance.choice(["sha2-256", "sha2-512", "blake2b-256", "sha3-256"])
    layout = chance.choice(["", "trickle"])
    wrap = chance.choice(["true", "false"])
    ours = dict(options, layout=layout, **{"wrap-with-directory": wrap, "no-pin": "true", "stream-channels": "false"})
    theirs = dict(options, trickle="true" if layout else "false", pin="false", quieter="true", **{"wrap-with-directory": wrap})
    return files, "&".join(f"{k}={v}" for k, v in ours.items()), "&".join(f"{k}={v}" for k, v in theirs.items())


def test_random_content_and_options_give_kubos_cids(pair, long_form):
    kubo, peer = pair
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for number in range(300 if long_form else 30):
        files, ours, theirs = random_case(chance)
        kind, body = http.multipart(files)
        answer = peer.call("POST", "/add?" + ours, {"Content-Type": kind}, body)
        expected = kubo.call("add?" + theirs, body, kind)
        assert answer.status == 200 and expected.status == 200, (number, seed, ours, answer.body[-200:], expected.body[-200:])
        assert answer.json()[-1]["cid"] == expected.documents()[-1]["Hash"], (number, seed, ours)


def test_kubo_dies_in_the_middle(pair):
    kubo, peer = pair
    peer.allow_errors(".*")
    sent = [0]

    def count():
        sent[0] += 1
        if sent[0] == 20:
            kubo.process.kill()

    def pieces():
        yield part("cut.bin")
        yield from content(3, 64)
        yield f"\r\n--{BOUNDARY}--\r\n".encode()
    try:
        answer = send(peer, pieces(), "", count)
        trailer = dict(answer.trailers).get("X-Stream-Error") or answer.body.decode()
        assert "failed to put block on all destinations" in trailer, trailer
    except (BrokenPipeError, ConnectionResetError):
        pass  # told while we were still sending
    assert peer.pinset() == {}
    kubo.start()
    wait_until(lambda: send(peer, [part("a"), b"b", f"\r\n--{BOUNDARY}--\r\n".encode()], "stream-channels=false").status == 200,
               60, "uploads work again", 0.5)
