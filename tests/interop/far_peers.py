"""Many agents that are far from each other: every packet takes 50 ms and one of a hundred is lost. Pins of one are
everywhere within 30 s.

Default: 6 agents, 500 pins. --long: 30 and 5,000.
"""
import json
import os
import subprocess
import time

import pytest

from harness import tools
from harness.islands import FarIslands, IslandAgent, free_number, shared_kubo
from harness.wait import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/dev/net/tun"),
                                reason="network namespaces and TUN devices need root")
EVERYWHERE_WITHIN = 30  # seconds
CONNECTIONS = 64


@pytest.fixture
def far(lab):
    islands = FarIslands(free_number())
    yield islands
    for part in reversed(lab.parts):
        if part.process:
            part.process.stop()
    islands.close()


def loadgen(peer, *argv):
    done = subprocess.run([tools.tool_dir("lab") / "loadgen", "-addr", f"{peer.address}:{peer.rest_port}", *map(str, argv)],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_pins_reach_all(lab, far, long_form):
    count, pins = (30, 5000) if long_form else (6, 500)
    kubo = shared_kubo(lab, far)
    peers = []
    for number in range(count):
        folder = lab.folder / f"{len(lab.parts)}-peer{number}"
        peer = IslandAgent(far, None, folder, kubo, f"peer{number}", base={"cluster": {"mdns_interval": "0s"}})
        lab.parts.append(peer)
        if peers:
            peer.configure({"cluster": {"peer_addresses": [peers[0].swarm_multiaddr]}})
        peers.append(peer)
    far.open(lab.folder, "50ms", 0.01)
    begin = time.monotonic()
    for peer in peers:
        peer.start()
    for peer in peers:
        wait_until(lambda p=peer: p.metric("ipfs_cluster_agent_connections") >= count - 1, 180,
                   f"{peer.name} is connected to all", 0.5)
        peer.wait_candidates(count, 120)
    print(f"{count} agents all connected after {time.monotonic() - begin:.1f} s")

    begin = time.monotonic()
    loadgen(peers[0], "pin", "-connections", CONNECTIONS, "-from", 0, "-count", pins)
    taken = time.monotonic() - begin
    for peer in peers:
        left = max(1, EVERYWHERE_WITHIN - (time.monotonic() - begin))
        wait_until(lambda p=peer: p.metric("ipfscluster_pins") >= pins, left, f"{peer.name} has {pins} pins", 0.2)
    print(f"{pins} pins taken after {taken:.1f} s, on {count} peers after {time.monotonic() - begin:.1f} s")
    digests = {peer.call("GET", "/health/pinset").json()["digest"] for peer in peers}
    assert len(digests) == 1
