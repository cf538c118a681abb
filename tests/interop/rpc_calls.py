"""Calls between peers of both kinds: what the reference's client shows at a Go peer and at ours is the same."""
import json
import re
import subprocess

import pytest

from harness import tools
from harness.wait import wait_until

TIMES = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


def ctl(peer, *args):
    """Lines of the reference's client, without what differs from moment to moment and in any order."""
    done = subprocess.run([tools.go_ctl(), "--host", peer.rest_multiaddr, *args], capture_output=True, text=True,
                          timeout=90, env=tools.clean_env(), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(TIMES.sub("TIME", line.rstrip()) for line in done.stdout.splitlines() if line.strip())


def agree(peers, *args, deadline=60):
    """Until all peers show the same; the lines."""
    seen = {}

    def same():
        for peer in peers:
            seen[peer.name] = ctl(peer, *args)
        first = seen[peers[0].name]
        return first and all(lines == first for lines in seen.values())
    try:
        wait_until(same, deadline, f"all peers show the same for {' '.join(args)}", 0.5)
    except Exception:
        print(json.dumps(seen, indent=1))
        raise
    return seen[peers[0].name]


@pytest.fixture
def mixed(lab):
    """A Go peer and ours, each beside a real Kubo."""
    return lab.cluster(2, ["go", "ours"])


def test_the_client_sees_one_cluster(mixed):
    go, ours = mixed
    everywhere = go.add(b"everywhere\n")
    alone = {p.flavour: p.add(f"alone at {p.flavour}\n".encode(),
                            f"replication-min=1&replication-max=1&user-allocations={p.id}") for p in mixed}
    for peer in mixed:
        peer.wait_status(everywhere, "pinned")

    peers = agree(mixed, "peers", "ls")
    assert not any("ERROR" in line for line in peers)
    assert sum(line.startswith("12D3") and "Sees 1 other peers" in line for line in peers) == 2, peers

    status = agree(mixed, "status")
    assert sum("PINNED" in line for line in status) == 4 and sum("REMOTE" in line for line in status) == 2, status
    for cid in (everywhere, *alone.values()):
        agree(mixed, "status", cid)
    agree(mixed, "status", "--filter", "pinned")
    agree(mixed, "status", "--filter", "remote")

    # Our Kubo loses a pin; who asks about this CID learns it, and whoever recovers it gets it pinned again.
    ours.kubo.cli("pin", "rm", everywhere)
    lost = agree(mixed, "status", everywhere)
    assert sum("UNEXPECTEDLY_UNPINNED" in line for line in lost) == 1, lost
    recovering = ctl(go, "recover", everywhere)
    assert any(word in line for line in recovering for word in ("PIN_QUEUED", "PINNING", "PINNED")), recovering
    ours.wait_status(everywhere, "pinned")
    go.kubo.cli("pin", "rm", everywhere)
    wait_until(lambda: any("UNEXPECTEDLY" in line for line in ctl(ours, "status", everywhere)), 30, "ours sees it")
    ctl(ours, "recover", everywhere)
    go.wait_status(everywhere, "pinned")

    ctl(go, "recover")
    ctl(ours, "recover")
    collected = agree(mixed, "ipfs", "gc")
    assert not any("ERROR" in line for line in collected), collected


def test_health_graph(mixed):
    def graph(peer):
        document = peer.call("GET", "/health/graph").json()
        document.pop("cluster_id")
        for links in (document["ipfs_links"], document["cluster_links"]):
            for key in links:
                links[key] = sorted(links[key] or [])
        return document
    go, ours = mixed
    both = {p.id for p in mixed}

    def settled():
        a, b = graph(go), graph(ours)
        complete = set(a["cluster_links"]) == both and all(len(v) == 1 for v in a["cluster_links"].values())
        return complete and all(a["ipfs_links"].values()) and a == b
    wait_until(settled, 60, "both draw the same graph", 0.5)
    assert set(graph(ours)["cluster_to_ipfs"]) == both


def test_blocks_go_to_where_they_are_allocated(mixed):
    """What is added at one peer and allocated to the other is in the other's Kubo, and in no other."""
    for at, to in (mixed, mixed[::-1]):
        content = b"".join(b"%d blocks of %s\n" % (n, at.flavour.encode()) for n in range(150000))
        assert len(content) > 2 << 20
        cid = at.add(content, f"local=false&replication-min=1&replication-max=1&user-allocations={to.id}")
        to.wait_status(cid, "pinned", 60)
        assert to.kubo.is_pinned(cid)
        assert to.kubo.cli("cat", cid) == content
        assert not at.kubo.is_pinned(cid)
        agree(mixed, "status", cid)


def test_a_peer_that_is_gone_shows_its_error(lab):
    peers = lab.cluster(3, ["go", "ours", "ours"], kubos=[lab.fake_kubo() for _ in range(3)])
    go, ours, dead = peers
    cid = "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4"
    assert go.call("POST", f"/pins/{cid}").status == 200
    for peer in peers:
        peer.wait_status(cid, "pinned")
    dead.process.kill()
    words = re.compile(rf"failed to dial: failed to dial {dead.id}: all dials failed\n  \* \[/ip4/127\.0\.0\.1/tcp/"
                       rf"{dead.swarm_port}\] .+")
    for peer in (go, ours):
        # Its ping holds for a while; in that time it is a member that does not answer.
        entry = wait_until(lambda p=peer: _error_of(p, cid, dead.id), 10, f"{peer.name} sees the error", 0.1)
        assert entry["status"] == "cluster_error"
        if peer is ours:
            assert words.fullmatch(entry["error"]), entry["error"]
        listed = {d["id"]: d for d in peer.call("GET", "/peers").documents()}
        if dead.id in listed:
            assert listed[dead.id]["error"] and not listed[dead.id]["addresses"], listed[dead.id]
        everything = [d for d in peer.call("GET", "/pins").documents() if d["cid"] == cid]
        assert len(everything) == 1


def _error_of(peer, cid, of):
    entry = peer.call("GET", f"/pins/{cid}").json()["peer_map"].get(of)
    return entry if entry and entry["error"] else None
