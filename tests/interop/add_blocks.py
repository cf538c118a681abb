"""Uploads with placement: the blocks reach the Kubos of all chosen peers by the cluster itself, whoever is chosen and whoever is asked."""
import random

import pytest

from harness import http
from harness.wait import wait_until

LAYOUTS = {"3ours": ["ours"] * 3, "ours-go-ours": ["ours", "go", "ours"], "go-ours-ours": ["go", "ours", "ours"]}


@pytest.fixture
def cluster(lab, request):
    # Kubos are not told of each other: what one has, it got from its peer. Ours takes 0 as never, the reference as at once.
    never = {"ours": "0s", "go": "1h"}
    return lab.cluster(3, LAYOUTS[request.param], settings=lambda flavour: {"ipfs_connector/ipfshttp": {"connect_swarms_delay": never[flavour]}})


def add(peer, content, query):
    kind, body = http.multipart([("f.bin", content)])
    answer = peer.call("POST", "/add?stream-channels=false&" + query, {"Content-Type": kind}, body, timeout=120)
    assert answer.status == 200, answer.body
    return answer.json()[-1]


def has(kubo, cid):
    """Whether the whole file is there, without asking anybody."""
    done = kubo.call(f"cat?arg={cid}&offline=true", timeout=60)
    return done.status == 200 and done.complete and not any(v for _, v in done.trailers if v)


@pytest.mark.parametrize("cluster", LAYOUTS, indirect=True)
def test_blocks_reach_every_destination(cluster):
    content = random.Random(1).randbytes(3 << 20)
    added = add(cluster[0], content, "replication-min=-1&replication-max=-1")
    assert set(added["allocations"]) == {p.id for p in cluster}
    for peer in cluster:
        peer.wait_status(added["cid"], "pinned", 60)
    for peer in cluster:
        wait_until(lambda p=peer: has(p.kubo, added["cid"]), 30, f"the Kubo of {peer.name} has all blocks")


@pytest.mark.parametrize("cluster", LAYOUTS, indirect=True)
def test_only_the_chosen_peers_get_them(cluster):
    content = random.Random(2).randbytes(1 << 20)
    chosen = cluster[2]
    added = add(cluster[0], content, f"replication-min=1&replication-max=1&user-allocations={chosen.id}")
    assert added["allocations"] == [chosen.id]
    chosen.wait_status(added["cid"], "pinned", 60)
    assert has(chosen.kubo, added["cid"])
    assert not has(cluster[1].kubo, added["cid"])
    # Local: the blocks stay at the peer that was asked, and the allocated one fetches them as any pin.
    local = add(cluster[0], random.Random(3).randbytes(1000), "local=true&replication-min=1&replication-max=1")
    assert has(cluster[0].kubo, local["cid"])


@pytest.mark.parametrize("cluster", ["3ours"], indirect=True)
def test_a_destination_that_hangs_does_not_hold_the_upload_up_for_ever(cluster):
    slow = cluster[1]
    slow.process.pause()
    added = add(cluster[0], random.Random(4).randbytes(24 << 20), "replication-min=-1&replication-max=-1")
    slow.process.resume()
    assert has(cluster[0].kubo, added["cid"]) and has(cluster[2].kubo, added["cid"])
    cluster[0].allow_errors(".*")
