"""A peer in the smallest container of the users' guide, 128 MiB and a tenth of a core: it takes a large pinset from
another peer, tells its Kubo, dies by kill -9 and starts again, and answers its probes all the while.

Default: 5,000 pins. --long: 100,000.
"""
import os
import threading
import time

import pytest

from harness import http, limits, loadgen
from harness.pins import cid_of
from harness.peer import Agent
from harness.process import Process
from harness.wait import wait_until

pytestmark = [
    pytest.mark.skipif(not limits.available(), reason="control groups cannot be made here"),
    pytest.mark.skipif(os.environ.get("ICA_PRESET", "release") != "release", reason="what we ship is meant"),
]
MEMORY, CPU = 128 << 20, 0.1
PROBE_TIMEOUT = 10  # seconds; timeoutSeconds of the chart's probes
STARTUP = 300       # the chart's periodSeconds * failureThreshold


class SmallAgent(Agent):
    """One of ours within limits."""
    limits = None

    def start(self, *flags, wait=True, env=None):
        argv = self.limits.command([self.program_path(), "--config", self.config_dir, "daemon", *flags])
        self.process = Process(self.name, argv, self.folder / "log", dict(self.env, **(env or {})))
        if wait:
            self.wait_up(STARTUP)
        return self


class Probe:
    """The chart's readiness probe, once a second: the longest answer, and what went wrong."""

    def __init__(self, peer):
        self.peer, self.worst, self.failures, self.count = peer, 0.0, [], 0
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ends.wait(1):
            begin = time.monotonic()
            try:
                answer = http.request(self.peer.metrics_port, "GET", "/readyz", timeout=PROBE_TIMEOUT)
                if answer.status != 200:
                    self.failures.append(f"{answer.status} {answer.body[:200]}")
            except OSError as error:
                self.failures.append(str(error))
            self.count += 1
            self.worst = max(self.worst, time.monotonic() - begin)

    def end(self):
        self.ends.set()
        self.thread.join()


@pytest.fixture
def small(lab, request):
    kubo = lab.fake_kubo()
    folder = lab.folder / f"{len(lab.parts)}-small"
    peer = SmallAgent(folder, kubo, "small")
    peer.limits = limits.Limits(f"ica-small-{os.getpid()}", MEMORY, CPU)
    lab.parts.append(peer)
    yield peer
    if peer.process:
        peer.process.stop()
    peer.limits.close()


def wait_ready(peer):
    wait_until(lambda: http.request(peer.metrics_port, "GET", "/readyz").status == 200, STARTUP, f"{peer.name} is ready", 0.2)


def wait_pinned(peer, count, deadline):
    wait_until(lambda: len(peer.kubo.pins()) >= count, deadline, f"the Kubo of {peer.name} has {count} pins", 2)


def test_a_large_pinset(lab, small, long_form):
    count = 100_000 if long_form else 5_000
    deadline = 60 + count / 100
    large = lab.peer(lab.fake_kubo(), name="large")
    loadgen.run(large, "pin", "-connections", 64, "-from", 0, "-count", count)
    small.configure({"cluster": {"peer_addresses": [large.swarm_multiaddr]}})
    small.start()
    wait_ready(small)
    probe = Probe(small)
    begin = time.monotonic()
    wait_until(lambda: loadgen.run(small, "list", "-path", "/allocations")["lines"] == count, deadline, "the pinset is here", 2)
    arrived = time.monotonic() - begin
    wait_pinned(small, count, deadline)
    pinned = time.monotonic() - begin
    begin = time.monotonic()
    listed = loadgen.run(small, "list", "-path", "/pins?local=true&filter=pinned")
    took = time.monotonic() - begin
    assert listed["lines"] == count
    probe.end()
    print(f"{count} pins: here after {arrived:.1f} s, in Kubo after {pinned:.1f} s; GET /pins took {took:.1f} s; "
          f"slowest of {probe.count} probes {probe.worst:.2f} s; memory {small.process.peak_rss() >> 20} MiB at most; "
          f"throttled in {small.limits.throttled():.0%} of the time")
    assert not probe.failures, probe.failures[:5]

    small.process.kill()
    begin = time.monotonic()
    small.start()
    wait_ready(small)
    print(f"ready {time.monotonic() - begin:.1f} s after the start that follows a kill -9")
    probe = Probe(small)
    assert loadgen.run(small, "list", "-path", "/allocations")["lines"] == count
    more = [cid_of(n) for n in range(100)]
    for cid in more:
        assert small.call("POST", f"/pins/{cid}").status == 200
    wait_pinned(small, count + len(more), deadline)
    assert set(more) <= small.kubo.pins()
    probe.end()
    assert not probe.failures, probe.failures[:5]
    assert small.limits.kills() == 0
    print(f"memory {small.process.peak_rss() >> 20} MiB at most after the restart")
