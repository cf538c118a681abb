"""Crowds at the REST API: many connections with mixed calls, many that never finish a request. `scripts/bench crowd` is the long
form, beside the reference."""
import json
import os
import subprocess
import time

import pytest

from harness import loadgen

MIB = 1 << 20
# The sanitizers' and the debug build are larger; there only the absence of errors counts.
MEASURED = os.environ.get("ICA_PRESET", "release") == "release"
# Times are the bench's, on a quiet machine. Here nobody may be forgotten, however busy it is.
FORGOTTEN_MS = 5000


@pytest.fixture
def peer(lab):
    kubo = lab.fake_kubo()
    peer = lab.peer(kubo)
    peer.wait_candidates()
    subprocess.run(loadgen.command(peer, "pin", "-count", 500), check=True, stdout=subprocess.DEVNULL)
    return peer


def test_mixed_calls_on_many_connections(peer):
    done = subprocess.run(loadgen.command(peer, "mixed", "-connections", 2000, "-seconds", 10, "-cids", 500, "-pause", 2000),
                          check=True, capture_output=True, text=True, timeout=120)
    result = json.loads(done.stdout)
    assert result["errors"] == 0 and result["calls"] > 2000, result
    assert result["reads"]["p99"] < FORGOTTEN_MS, result
    if MEASURED:
        assert peer.process.peak_rss() <= 128 * MIB


def test_unfinished_requests(peer):
    """10,000 clients that never finish: others are served, and memory grows by little."""
    for _ in range(20):
        peer.call("GET", "/id")
    before = peer.process.rss()[0]
    holder = subprocess.Popen(loadgen.command(peer, "hold", "-connections", 10000, "-seconds", 20), stdout=subprocess.PIPE,
                              text=True)
    try:
        assert json.loads(holder.stdout.readline()) == {"open": 10000}
        times = []
        for _ in range(50):
            begin = time.perf_counter()
            assert peer.call("GET", "/id").status == 200
            times.append(time.perf_counter() - begin)
        grown = peer.process.rss()[0] - before
    finally:
        holder.terminate()
        holder.wait(20)
    assert max(times) * 1000 < FORGOTTEN_MS, times
    if MEASURED:
        assert grown <= 40 * MIB
