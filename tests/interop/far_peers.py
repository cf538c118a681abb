"""Many agents that are far from each other: every packet takes 50 ms and one of a hundred is lost. Pins of one are
everywhere within 30 s.

Default: 6 agents, 500 pins. --long: 30 and 5,000.
"""
import os
import time

import pytest

from harness import loadgen
from harness.islands import FarIslands, free_number, laid, place_agents, start_connected
from harness.wait import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/dev/net/tun"),
                                reason="network namespaces and TUN devices need root")
EVERYWHERE_WITHIN = 30  # seconds
CONNECTIONS = 64


@pytest.fixture
def far(lab):
    with laid(lab, FarIslands(free_number())) as islands:
        yield islands


def test_pins_reach_all(lab, far, long_form):
    count, pins = (30, 5000) if long_form else (6, 500)
    peers = place_agents(lab, far, count, lambda n: None, {"cluster": {"mdns_interval": "0s"}})
    far.open(lab.folder, "50ms", 0.01)
    begin = time.monotonic()
    start_connected(peers, 180)
    print(f"{count} agents all connected after {time.monotonic() - begin:.1f} s")

    begin = time.monotonic()
    loadgen.run(peers[0], "pin", "-connections", CONNECTIONS, "-from", 0, "-count", pins)
    taken = time.monotonic() - begin
    for peer in peers:
        left = max(1, EVERYWHERE_WITHIN - (time.monotonic() - begin))
        wait_until(lambda p=peer: p.metric("ipfscluster_pins") >= pins, left, f"{peer.name} has {pins} pins", 0.2)
    print(f"{pins} pins taken after {taken:.1f} s, on {count} peers after {time.monotonic() - begin:.1f} s")
    digests = {peer.call("GET", "/health/pinset").json()["digest"] for peer in peers}
    assert len(digests) == 1
