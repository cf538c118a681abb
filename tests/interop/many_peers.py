"""Many agents in network namespaces on one machine: everybody finds everybody from one address, pins reach all, and a
partition of half of them heals.

Default: 6 agents. --long: 30 at default intervals, with a bound on the memory of each (release builds).
"""
import os
import time

import pytest

from harness.islands import Islands, free_number, laid, place_agents, start_connected
from harness.pins import cid_of
from harness.wait import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
HEALED_WITHIN = 15  # seconds
RSS_LIMIT = 32_000_000


@pytest.fixture
def islands(lab):
    with laid(lab, Islands(free_number())) as islands:
        yield islands


def pin(peer, number):
    cid = cid_of(number)
    assert peer.call("POST", f"/pins/{cid}?name={number}").status == 200
    return cid


def everywhere(peers, cids, deadline):
    """Seconds until every peer has them."""
    begin = time.monotonic()
    for peer in peers:
        wait_until(lambda p=peer: cids <= set(p.pinset()), deadline, f"{peer.name} has {len(cids)} pins", 0.1)
    return time.monotonic() - begin


def test_all_find_all_and_a_partition_heals(lab, islands, request):
    long = request.config.getoption("--long")
    count = 30 if long else 6
    peers = place_agents(lab, islands, count, lambda n: "a" if n < count // 2 else "b",
                         {"cluster": {"mdns_interval": "0s"}} if long else None)
    start_connected(peers)
    cids = {pin(peer, n) for n, peer in enumerate(peers)}
    print(f"{count} pins on {count} peers after {everywhere(peers, cids, 30):.2f} s")
    for peer in (peers[0], peers[-1]):
        documents = peer.call("GET", "/peers").documents()
        assert len(documents) == count and not [d for d in documents if d["error"]], documents

    islands.cut()
    here, there = peers[:count // 2], peers[count // 2:]
    # Long enough for connections to be given up: until then they would only be late.
    for side, others in ((here, there), (there, here)):
        for peer in side:
            wait_until(lambda p=peer, n=len(side): p.metric("ipfs_cluster_agent_connections") < n, 90,
                       f"{peer.name} has noticed the cut", 0.5)
        cids |= {pin(side[0], 1000 + peers.index(side[0]))}
        everywhere(side, {cid_of(1000 + peers.index(side[0]))}, 30)
        assert cid_of(1000 + peers.index(side[0])) not in others[0].pinset()
    islands.heal()
    begin = time.monotonic()
    everywhere(peers, cids, HEALED_WITHIN)
    print(f"one pinset again {time.monotonic() - begin:.2f} s after the end of the partition")
    for peer in peers:
        wait_until(lambda p=peer: p.metric("ipfs_cluster_agent_connections") >= count - 1, HEALED_WITHIN,
                   f"{peer.name} is connected to all again", 0.1)
    healed = time.monotonic() - begin
    print(f"{count} peers all connected after {healed:.2f} s")
    assert healed < HEALED_WITHIN

    def sizes():
        return [peer.process.rss()[0] for peer in peers]
    print(f"RSS of {count} peers right after it: {min(sizes()) / 1e6:.1f} to {max(sizes()) / 1e6:.1f} MB")
    if os.environ.get("ICA_PRESET", "release") == "release":
        wait_until(lambda: max(sizes()) <= RSS_LIMIT, 45, "what the partition's end took is given back", 1)
        print(f"RSS at rest: {min(sizes()) / 1e6:.1f} to {max(sizes()) / 1e6:.1f} MB")
