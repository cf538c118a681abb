"""One peer beside an unmodified Kubo: what users do first."""
import hashlib

import pytest

from harness import corpus, http
from harness.wait import wait_until


@pytest.fixture
def kubo(lab):
    return lab.kubo()


@pytest.fixture
def peer(lab, kubo, flavour):
    peer = lab.peer(kubo, flavour)
    peer.wait_candidates()
    return peer


def upload(peer, files, query=""):
    kind, body = http.multipart(files)
    answer = peer.call("POST", "/add" + query, {"Content-Type": kind}, body)
    assert answer.status == 200 and answer.complete, answer.body
    assert not answer.trailers, answer.trailers
    return answer.documents()


def test_added_file_is_pinned_and_comes_back(peer, kubo):
    content = b"hello from the cluster\n"
    root = upload(peer, [("hello.txt", content)])[-1]
    peer.wait_status(root["cid"], "pinned")
    assert root["cid"] in kubo.pins()
    assert kubo.cli("cat", root["cid"]) == content
    assert peer.pinset()[root["cid"]]["type"] == "pin"


@pytest.mark.parametrize("size", [0, 1, 262144, 262145, 3_000_001])
@pytest.mark.parametrize("options", ["", "cid-version=1", "raw-leaves=true", "layout=trickle", "chunker=size-1000000"])
def test_cids_are_those_of_kubo(peer, kubo, size, options):
    content = corpus.long_text(f"content {size}", size)
    own = {"layout=trickle": "trickle=true"}.get(options, options)
    expected = kubo.add([("f", content)], "only-hash=true&" + own)
    assert upload(peer, [("f", content)], "?" + options)[-1]["cid"] == expected


def test_directory(peer, kubo):
    files = [("site", None), ("site/index.html", b"<h1>hi</h1>"), ("site/css", None), ("site/css/a.css", b"a{}")]
    documents = upload(peer, files, "?name=site")
    assert documents[-1]["cid"] == kubo.add(files, "only-hash=true")
    assert [d["name"] for d in documents][-1] == "site"
    peer.wait_status(documents[-1]["cid"], "pinned")
    assert kubo.cli("cat", documents[-1]["cid"] + "/css/a.css") == b"a{}"
    assert peer.pinset()[documents[-1]["cid"]]["name"] == "site"


def test_large_file_streams(peer, kubo):
    """60 MB: the memory of the peer must not grow by the size of the upload."""
    block = hashlib.sha256(b"large").digest() * 32768  # 1 MiB
    content = b"".join(bytes([n]) + block[1:] for n in range(60))
    documents = upload(peer, [("large.bin", content)], "?progress=true")
    assert documents[-1]["cid"] == kubo.add([("f", content)], "only-hash=true")
    assert sum(1 for d in documents if d["cid"] is None) > 10, "progress documents"
    peer.wait_status(documents[-1]["cid"], "pinned")
    if peer.flavour == "ours":
        assert peer.process.rss()[1] < 60_000_000


def test_pin_and_unpin(peer, kubo):
    cid = kubo.add([("f", b"already there\n")])
    answer = peer.call("POST", f"/pins/{cid}?name=mine&meta-a=b")
    assert answer.status == 200 and answer.json()["name"] == "mine"
    peer.wait_status(cid, "pinned")
    assert cid in kubo.pins()
    assert peer.pinset()[cid]["metadata"] == {"a": "b"}
    assert peer.call("DELETE", f"/pins/{cid}").json()["cid"] == cid
    wait_until(lambda: cid not in kubo.pins(), 20, "Kubo has unpinned it")
    assert peer.pinset() == {}
    assert peer.call("DELETE", f"/pins/{cid}").status == 404


def test_pin_by_path_and_direct(peer, kubo):
    root = kubo.add([("d", None), ("d/x", b"x\n")])
    inner = kubo.cli("resolve", f"/ipfs/{root}/x").decode().strip().split("/")[-1]
    assert peer.call("POST", f"/pins/ipfs/{root}/x?mode=direct").json()["cid"] == inner
    peer.wait_status(inner, "pinned")
    assert inner in kubo.pins("direct") and inner not in kubo.pins()


def test_content_that_nobody_has(peer, kubo):
    """pin_timeout is 10 s in the tests: no progress for that long is an error, with its reason."""
    cid = corpus.FIXTURES["missing"]
    assert peer.call("POST", f"/pins/{cid}").status == 200
    peer.wait_status(cid, "pinning")
    peer.wait_status(cid, "pin_error", 30)
    entry = peer.call("GET", f"/pins/{cid}").json()["peer_map"][peer.id]
    assert entry["error"] and entry["attempt_count"] >= 1
    listed = peer.call("GET", "/pins?filter=error").documents()
    assert [d["cid"] for d in listed] == [cid]
    # Nothing that can be had waits behind it.
    other = kubo.add([("f", b"available\n")])
    peer.call("POST", f"/pins/{other}")
    peer.wait_status(other, "pinned", 5)
    assert peer.call("DELETE", f"/pins/{cid}").status == 200
    wait_until(lambda: peer.call("GET", "/pins?filter=error").status == 204, 20, "the failed pin is gone")


def test_content_that_comes_late(peer, kubo):
    content = b"comes late\n"
    cid = kubo.add([("f", content)], "only-hash=true")
    peer.call("POST", f"/pins/{cid}")
    peer.wait_status(cid, "pinning")
    assert kubo.add([("f", content)]) == cid
    peer.wait_status(cid, "pinned", 30)


def test_kubo_that_forgets_a_pin(peer, kubo):
    cid = kubo.add([("f", b"to be forgotten\n")])
    peer.call("POST", f"/pins/{cid}")
    peer.wait_status(cid, "pinned")
    kubo.cli("pin", "rm", cid)
    answer = peer.call("POST", f"/pins/{cid}/recover")
    assert answer.status == 200
    peer.wait_status(cid, "pinned")
    wait_until(lambda: cid in kubo.pins(), 20, "pinned again in Kubo")


def test_pins_survive_restarts(peer, kubo, lab):
    cids = [kubo.add([("f", f"file {n}\n".encode())]) for n in range(30)]
    for cid in cids[:20]:
        assert peer.call("POST", f"/pins/{cid}?name={cid[-4:]}").status == 200
    before = peer.pinset()
    assert peer.stop() == 0
    peer.start()
    assert peer.pinset() == before
    for cid in cids[20:]:
        assert peer.call("POST", f"/pins/{cid}").status == 200
    peer.process.kill()
    peer.start()
    assert set(peer.pinset()) == set(cids)
    for cid in cids:
        peer.wait_status(cid, "pinned")
    assert set(cids) <= kubo.pins()
