"""Who is in the cluster, and how each pin is there, as seen from peers of both kinds and by both clients."""
import json
import subprocess

import pytest

from harness import tools
from harness.pins import cid_of
from harness.wait import wait_until

CLIENTS = {"go": tools.go_ctl, "ours": lambda: tools.our("ipfs-cluster-ctl")}


def ctl(client, peer, *args):
    done = subprocess.run([CLIENTS[client](), "--host", peer.rest_multiaddr, "--enc", "json", *args],
                          capture_output=True, text=True, timeout=60, env=tools.clean_env(), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in _documents(done.stdout)]


def _documents(text):
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, end = decoder.raw_decode(text, at)
        yield text[at:end]
        at = end
        del value


@pytest.fixture(params=["go-ours", "2go-2ours", "3ours"])
def peers(request, lab):
    flavours = {"go-ours": ["go", "ours"], "2go-2ours": ["go", "go", "ours", "ours"], "3ours": ["ours"] * 3}[request.param]
    return lab.cluster(len(flavours), flavours, kubos=[lab.fake_kubo() for _ in flavours])


def listed(client, peer, count):
    def complete():
        documents = ctl(client, peer, "peers", "ls")
        return len(documents) == count and all(not d["error"] for d in documents) and documents
    return {d["id"]: d for d in wait_until(complete, 60, f"{client} client at {peer.name} lists {count} peers", 0.5)}


def test_all_list_all(peers):
    names = {p.id: p.name for p in peers}
    for peer in peers:
        for client in CLIENTS:
            documents = listed(client, peer, len(peers))
            assert {i: d["peername"] for i, d in documents.items()} == names
            for other in peers:
                document = documents[other.id]
                assert other.swarm_multiaddr in document["addresses"], document
                assert document["version"] == "1.1.6" and document["ipfs"]["id"], document
                assert set(document["cluster_peers"]) == set(names), (peer.name, document)


def test_status_agrees(peers):
    everywhere = cid_of("everywhere")
    one = cid_of("one")
    assert peers[0].call("POST", f"/pins/{everywhere}").status == 200
    assert peers[-1].call("POST", f"/pins/{one}?replication-min=1&replication-max=1").status == 200

    def settled(peer, cid):
        entry = peer.call("GET", f"/pins/{cid}").json()["peer_map"]
        if set(entry) != {p.id for p in peers} or any(e["error"] for e in entry.values()):
            return None
        return {i: (e["status"], e["peername"], e["ipfs_peer_id"]) for i, e in entry.items()}

    for cid, pinned in ((everywhere, len(peers)), (one, 1)):
        def same(cid=cid, pinned=pinned):
            seen = [settled(peer, cid) for peer in peers]
            statuses = [s for s, _, _ in (seen[0] or {}).values()]
            return statuses.count("pinned") == pinned and all(s == seen[0] for s in seen)
        wait_until(same, 60, f"all peers say the same of {cid}", 0.5)
    # The list of all says so too.
    for peer in peers:
        entries = {d["cid"]: d["peer_map"] for d in peer.call("GET", "/pins").documents()}
        assert {i: e["status"] for i, e in entries[everywhere].items()} == {p.id: "pinned" for p in peers}


def test_added_content_is_in_every_kubo(lab):
    """Real Kubos: what is added at one peer is pinned by all, whatever their kind."""
    peers = lab.cluster(2, ["go", "ours"])
    for n, peer in enumerate(peers):
        cid = peer.add(f"added at {peer.flavour}\n".encode() * 1000)
        for other in peers:
            other.wait_status(cid, "pinned", 60)
            assert cid in other.kubo.pins(), (n, other.name)


def test_untrusted_writers_change_nothing(lab):
    """trusted_peers is checked on the author of an announcement and reloaded with SIGHUP."""
    kubos = [lab.fake_kubo() for _ in range(2)]
    names = ["strict", "stranger"]
    peers = [lab.peer(k, "ours", n, start=False) for k, n in zip(kubos, names)]
    strict, stranger = peers
    strict.configure({"consensus/crdt": {"trusted_peers": []},
                      "cluster": {"peer_addresses": [stranger.swarm_multiaddr]}})
    for peer in peers:
        peer.start()
    wait_until(lambda: len(stranger.call("GET", "/monitor/metrics/ping").documents()) == 2 or
               len(stranger.call("GET", "/monitor/metrics/ping").json()) == 2, 30, "they hear each other", 0.2)
    refused, taken = cid_of("refused"), cid_of("taken")
    assert stranger.call("POST", f"/pins/{refused}").status == 200
    assert strict.call("POST", f"/pins/{taken}").status == 200
    wait_until(lambda: taken in stranger.pinset(), 30, "the trusting one follows", 0.2)
    assert refused not in strict.pinset()
    strict.configure({"consensus/crdt": {"trusted_peers": [stranger.id]}})
    strict.process.signal(1)
    wait_until(lambda: refused in strict.pinset(), 60, "trusted from now on", 0.2)
