"""The IPFS proxy: calls that mean the cluster, everything else passed through as it is and as it comes."""
import base64
import hashlib
import http.server
import json
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import http as raw
from harness import ports, tools, wild
from harness.corpus import FIXTURES, long_text
from harness.wait import wait_until

MIB = 1 << 20


def call(peer, path, headers=(), body=None, method="POST", timeout=60):
    return raw.request(peer.proxy_port, method, "/api/v0/" + path, headers, body, timeout=timeout)


def ipfs(peer, *argv, data=None, check=True):
    """The unmodified client of Kubo, talking to the proxy."""
    done = subprocess.run([tools.ipfs(), "--api", f"/ip4/127.0.0.1/tcp/{peer.proxy_port}", *argv], input=data,
                          capture_output=True, check=False, timeout=120, env=tools.clean_env())
    assert not check or done.returncode == 0, f"ipfs {argv}: {done.stderr.decode()}"
    return done.stdout if check else done


def test_ipfs_client(lab):
    """Kubo's own client through the proxy: pins are the cluster's, the rest is Kubo's."""
    kubo = lab.kubo()
    peer = lab.peer(kubo)
    peer.wait_candidates()
    one, two = (kubo.add([("f", b"proxied %d\n" % n)]) for n in (1, 2))
    assert one in ipfs(peer, "pin", "add", one).decode()
    assert one in peer.pinset()
    wait_until(lambda: kubo.is_pinned(one), 30, "Kubo pins it")
    assert one in ipfs(peer, "pin", "ls").decode()
    assert one in ipfs(peer, "pin", "ls", "--stream").decode()
    ipfs(peer, "pin", "update", one, two)
    assert set(peer.pinset()) == {two}
    ipfs(peer, "pin", "rm", two)
    assert not peer.pinset()
    failed = ipfs(peer, "pin", "rm", two, check=False)
    assert failed.returncode and b"not part of the pinset" in failed.stderr

    path = lab.folder / "tree"
    (path / "sub").mkdir(parents=True)
    (path / "a.txt").write_text("alpha\n")
    (path / "sub" / "big.bin").write_bytes(long_text("proxy", 3 * MIB))
    root = ipfs(peer, "add", "-r", "-Q", str(path)).decode().strip()
    assert root == kubo.cli("add", "-r", "-Q", "--only-hash", str(path)).decode().strip()
    assert set(peer.pinset()) == {root}
    assert ipfs(peer, "cat", f"{root}/sub/big.bin") == long_text("proxy", 3 * MIB)

    assert "RepoSize" in ipfs(peer, "repo", "stat").decode()
    ipfs(peer, "repo", "gc")
    assert ipfs(peer, "id", "-f", "<id>").decode() == kubo.id
    block = ipfs(peer, "block", "put", "--pin=true", data=b"a block\n").decode().strip()
    node = ipfs(peer, "dag", "put", "--pin=true", data=b'{"a":1}').decode().strip()
    assert {block, node} <= set(peer.pinset())
    assert json.loads(ipfs(peer, "dag", "get", node)) == {"a": 1}
    ipfs(peer, "files", "write", "--create", "/x", data=b"mutable\n")
    assert ipfs(peer, "files", "read", "/x") == b"mutable\n"


def test_collection_that_fails(lab):
    """A pin whose links cannot be read keeps Kubo from collecting: the proxy and the REST API say so."""
    peer = lab.peer(lab.kubo())
    kind, body = raw.multipart([("f", b"no protobuf")])
    assert call(peer, "block/put?cid-codec=dag-pb&pin=true", {"Content-Type": kind}, body).status == 200
    answer = call(peer, "repo/gc")
    assert answer.status == 200
    assert "could not retrieve links" in answer.trailer("X-Stream-Error")
    lines = call(peer, "repo/gc?stream-errors=true").documents()
    assert all(line["Key"] is None for line in lines)
    assert lines[-1]["Error"] == "garbage collection aborted: could not retrieve some links"
    told = peer.call("POST", "/ipfs/gc").json()["peer_map"][peer.id]
    assert "error" not in told
    assert [key["error"] for key in told["keys"]] == [line["Error"] for line in lines]


def test_kubo_rpc_client(lab):
    """The JavaScript client of Kubo's API."""
    folder = wild.npm("kubo-rpc", "kubo-rpc-client@5.4.1")
    kubo = lab.kubo()
    peer = lab.peer(kubo)
    peer.wait_candidates()
    out = wild.node(folder, """
import { create } from 'kubo-rpc-client'
const client = create({ url: process.argv[2] })
const added = await client.add('from javascript', { pin: true })
const pins = []
for await (const pin of client.pin.ls()) pins.push(pin.cid.toString())
const chunks = []
for await (const chunk of client.cat(added.cid)) chunks.push(chunk)
await client.pin.rm(added.cid)
await client.pin.add(added.cid)
const id = await client.id()
console.log(JSON.stringify({ cid: added.cid.toString(), pins, text: Buffer.concat(chunks).toString(), id: id.id.toString() }))
""", f"http://127.0.0.1:{peer.proxy_port}")
    result = json.loads(out)
    assert result["text"] == "from javascript" and result["pins"] == [result["cid"]] and result["id"] == kubo.id
    assert set(peer.pinset()) == {result["cid"]}


def test_pin_lists(lab, flavour):
    """Both forms of pin/ls, of one CID and of all, and what is not pinned."""
    peer = lab.peer(lab.kubo(), flavour)
    cids = sorted(FIXTURES[f"f{n}"] for n in range(5))
    for cid in cids:
        assert call(peer, f"pin/add?arg={cid}").json() == {"Pins": [cid]}
    assert call(peer, "pin/ls").json() == {"Keys": {cid: {"Type": "recursive"} for cid in cids}}
    lines = call(peer, "pin/ls?stream=true")
    assert lines.header("Trailer") == "X-Stream-Error"
    assert sorted(d["Cid"] for d in lines.documents()) == cids
    assert call(peer, f"pin/ls/{cids[0]}").json()["Keys"] == {cids[0]: {"Type": "recursive"}}
    missing = call(peer, f"pin/ls?arg={FIXTURES['f9']}")
    assert missing.status == 500
    assert missing.body.decode() == json.dumps(
        {"Message": f"Error: path '{FIXTURES['f9']}' is not pinned", "Code": 0, "Type": "error"},
        separators=(",", ":"))
    for query, message in (("", 'argument "from-path" is required'), (f"?arg={cids[0]}", 'argument "to-path" is required')):
        answer = call(peer, "pin/update" + query)
        assert (answer.status, answer.json()["Message"]) == (400, message)


def test_long_pin_list_in_constant_memory(lab):
    """A list longer than what is sorted in memory comes whole, as one valid document."""
    peer = lab.peer(lab.fake_kubo())

    def pin(n):
        digest = hashlib.sha256(b"proxy %d" % n).digest()
        cid = "b" + base64.b32encode(b"\x01\x55\x12\x20" + digest).decode().lower().rstrip("=")
        assert call(peer, f"pin/add?arg={cid}").status == 200
        return cid
    with ThreadPoolExecutor(16) as pool:
        cids = set(pool.map(pin, range(5000)))
    answer = call(peer, "pin/ls")
    assert answer.complete and set(answer.json()["Keys"]) == cids


class Stub(http.server.BaseHTTPRequestHandler):
    """A server in Kubo's place that shows what arrives and answers as the test says."""
    protocol_version = "HTTP/1.1"
    seen = None
    early = False

    def log_message(self, *args):
        pass

    def _reply(self):
        self.seen.append((self.command, self.path, list(self.headers.items())))
        if self.early and self.command == "POST" and "early" in self.path:
            self.send_response(400)
            self.send_header("Content-Length", "3")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"no\n")
            self.close_connection = True
            return
        if self.headers.get("Content-Length"):
            self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Trailer", "X-Stream-Error")
        self.send_header("X-Custom", "one")
        self.send_header("Access-Control-Expose-Headers", "X-Stream-Output")
        if self.headers.get("Origin"):
            self.send_header("Access-Control-Allow-Origin", self.headers["Origin"])
        self.end_headers()
        self.wfile.write(b"5\r\nhello\r\n0\r\nX-Stream-Error: broke off\r\n\r\n")

    do_GET = do_POST = do_PUT = do_OPTIONS = do_HEAD = do_DELETE = _reply


@pytest.fixture
def stub():
    handler = type("Handler", (Stub,), {"seen": [], "early": True})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server, handler
    server.shutdown()
    server.server_close()


def stub_peer(lab, server, settings=None):
    node = f"/ip4/127.0.0.1/tcp/{server.server_address[1]}"
    return lab.peer(lab.fake_kubo(), settings={"api/ipfsproxy": dict({"node_multiaddress": node}, **(settings or {}))})


def test_passes_through_untouched(lab, stub):
    """Path, query, headers and trailers arrive as they were sent; hop-by-hop headers do not."""
    server, handler = stub
    peer = stub_peer(lab, server)
    answer = call(peer, "some/call%2Fx?b=2&a=%20%3B&b=1", {"X-Mine": "v", "Connection": "X-Hop", "X-Hop": "1",
                                                          "User-Agent": "me/1"})
    assert answer.status == 200 and answer.body == b"hello"
    assert answer.header("X-Custom") == "one" and answer.trailers == [["X-Stream-Error", "broke off"]]
    method, path, headers = handler.seen[-1]
    names = {k.lower(): v for k, v in headers}
    assert (method, path) == ("POST", "/api/v0/some/call%2Fx?b=2&a=%20%3B&b=1")
    assert names["x-mine"] == "v" and names["user-agent"] == "me/1" and "x-hop" not in names
    assert names["x-forwarded-for"] == "127.0.0.1"
    for method in ("GET", "PUT", "DELETE", "OPTIONS", "HEAD"):
        assert call(peer, "other", method=method).status == 200
        assert handler.seen[-1][0] == method


def test_early_answer(lab, stub):
    """Kubo may answer before it has read the body; the client gets that answer at once."""
    server, _ = stub
    peer = stub_peer(lab, server)
    with socket.create_connection(("127.0.0.1", peer.proxy_port), timeout=10) as s:
        s.sendall(b"POST /api/v0/early HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        assert raw.read_answer(s.makefile("rb")).status == 400


def test_headers_of_own_answers(lab, stub):
    """CORS headers for the origin, and those to be extracted, come from Kubo; the latter are asked for once."""
    server, handler = stub
    peer = stub_peer(lab, server, {"extract_headers_extra": ["x-custom"], "extract_headers_path": "/api/v0/sample"})
    for _ in range(3):
        answer = call(peer, "pin/ls", {"Origin": "http://a.example"})
        assert answer.header("X-Custom") == "one"
        assert answer.header("Access-Control-Allow-Origin") == "http://a.example"
        assert answer.header("Access-Control-Expose-Headers") == "X-Stream-Output"
        assert answer.header("Content-Type") == "application/json"
    assert call(peer, "pin/ls", {"Origin": "http://b.example"}).header("Access-Control-Allow-Origin") == "http://b.example"
    assert [path for _, path, _ in handler.seen].count("/api/v0/sample") == 1


def test_without_kubo(lab):
    """What is Kubo's is 502; what is the cluster's works."""
    peer = lab.peer(lab.fake_kubo(), settings={"api/ipfsproxy": {"node_multiaddress": f"/ip4/127.0.0.1/tcp/{ports.free_port()}"}})
    answer = call(peer, "version")
    assert (answer.status, answer.body) == (502, b"")
    assert call(peer, f"pin/add?arg={FIXTURES['f0']}").status == 200
    assert set(peer.pinset()) == {FIXTURES["f0"]}


def test_large_bodies_in_constant_memory(lab):
    """128 MiB up and down; a slow reader holds up Kubo, not our memory."""
    kubo = lab.kubo()
    peer = lab.peer(kubo)
    content = long_text("large", MIB) * 128
    kind, body = raw.multipart([("x", content)])
    call(peer, "version")
    before, _ = peer.process.rss()
    assert call(peer, "files/write?arg=/x&create=true", {"Content-Type": kind}, body, timeout=120).status == 200
    assert peer.process.rss()[0] - before < 24 * MIB
    with socket.create_connection(("127.0.0.1", peer.proxy_port), timeout=60) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        s.sendall(raw.build(peer.proxy_port, "POST", "/api/v0/files/read?arg=/x"))
        file = s.makefile("rb")
        assert b"200" in file.readline()
        # It stands still until somebody reads.
        wait_until(lambda: _quiet(peer), 20, "nothing moves any more", 0.1)
        assert peer.process.rss()[0] - before < 24 * MIB
        received = 0
        while received < len(content):
            received += len(file.read(min(MIB, len(content) - received)))
    assert peer.process.rss()[0] - before < 24 * MIB


def _quiet(peer):
    used = peer.process.cpu_seconds()
    time.sleep(0.2)
    return peer.process.cpu_seconds() == used
