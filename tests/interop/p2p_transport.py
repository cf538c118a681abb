"""The connection layers against go-libp2p: every direction, many streams, speed, cuts, secrets.

p2ppeer is a go-libp2p 0.48 peer in a private network, p2p_peer the same with our Host. Figures are printed.
"""
import json
import os
import re
import subprocess

import pytest

from harness import tools
from harness.proxy import Proxy

SECRET = "61" * 32
OTHER = "62" * 32
MIB = 1 << 20


class Peer:
    """A serving peer of one kind; ends when its standard input does."""

    def __init__(self, kind, seed, secret=SECRET):
        if kind == "go":
            argv = [tools.tool_dir("p2p") / "p2ppeer", "serve", "-secret", secret, "-seed", str(seed)]
        else:
            argv = [tools.our("p2p_peer"), "serve", secret, str(seed)]
        self.child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.address = self.child.stdout.readline().strip()
        assert "/p2p/" in self.address, self.child.stderr.read()
        self.port = int(re.search(r"/tcp/(\d+)", self.address)[1])

    def rss(self):
        status = open(f"/proc/{self.child.pid}/status").read()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.child.pid}/fd"))

    def close(self):
        _, errors = self.child.communicate("", timeout=20)
        assert self.child.returncode == 0, errors
        return errors


def run(kind, target, bytes=0, streams=0, secret=SECRET, seed=99, limit=240):
    if kind == "go":
        argv = [tools.tool_dir("p2p") / "p2ppeer", "run", "-secret", secret, "-seed", str(seed), "-target", target,
                "-bytes", str(bytes), "-streams", str(streams)]
    else:
        argv = [tools.our("p2p_peer"), "run", secret, str(seed), target, str(bytes), str(streams)]
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=limit)


def measure(*args, **kwargs):
    done = run(*args, **kwargs)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def serve():
    peers = []

    def start(kind, seed=1, secret=SECRET):
        peers.append(Peer(kind, seed, secret))
        return peers[-1]

    yield start
    for peer in peers:
        peer.close()


PAIRS = [("ours", "go"), ("go", "ours"), ("ours", "ours")]


@pytest.mark.parametrize("dialler,listener", PAIRS)
def test_connects_identifies_and_carries_a_thousand_streams(serve, dialler, listener):
    result = measure(dialler, serve(listener).address, bytes=3 * MIB + 1, streams=1000)
    assert result["streams_ok"] == 1000
    assert result["connections"] == 1
    assert result["agent"] == ("p2ppeer" if listener == "go" else "ipfs-cluster-agent")
    if dialler == "go":
        assert {"/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0", "/lab/echo/1"} <= set(result["protocols"])


@pytest.mark.parametrize("dialler,listener", PAIRS)
def test_another_secret_does_not_connect(serve, dialler, listener):
    listening = serve(listener)
    done = run(dialler, listening.address, secret=OTHER, limit=60)
    assert done.returncode != 0
    if dialler == "ours":
        assert "no common secret, or not a cluster peer" in done.stderr
    # And the listener is none the worse for it.
    assert measure(dialler, listening.address, streams=10)["streams_ok"] == 10


class CuttingProxy(Proxy):
    """Cuts each connection after `budget` bytes from one side."""

    def __init__(self, port, from_dialler):
        self.from_dialler, self.budget = from_dialler, 0
        super().__init__(port)

    def limits(self):
        return (self.budget, None) if self.from_dialler else (None, self.budget)


@pytest.mark.parametrize("dialler,listener,from_dialler", [
    ("ours", "go", True), ("ours", "go", False), ("go", "ours", True), ("go", "ours", False)])
def test_handshake_cut_anywhere(serve, pytestconfig, dialler, listener, from_dialler):
    """Every byte offset in the long form; in the short one, those around the messages' borders."""
    listening = serve(listener)
    proxy = CuttingProxy(listening.port, from_dialler)
    through = listening.address.replace(f"/tcp/{listening.port}/", f"/tcp/{proxy.own}/")
    offsets = range(0, 360) if pytestconfig.getoption("--long") else (0, 1, 23, 24, 25, 51, 52, 86, 87, 200, 300)
    before = None
    try:
        for offset in offsets:
            proxy.budget = offset
            done = run(dialler, through, limit=60)
            assert done.returncode != 0, f"cut after {offset} bytes and yet: {done.stdout}"
            before = before or listening.descriptors()
    finally:
        proxy.close()
    # Directly it still works, and nothing was left behind.
    assert measure(dialler, listening.address, streams=10)["streams_ok"] == 10
    assert listening.descriptors() <= before + 3


def test_speed_is_at_least_go_to_go(serve, pytestconfig):
    """1 GiB each way (64 MiB in the short form). Judged in release builds with --long; printed always."""
    size = 1024 * MIB if pytestconfig.getoption("--long") else 64 * MIB
    go, ours = serve("go"), serve("ours")
    figures = {}
    for name, dialler, listener in [("go-go", "go", go), ("ours-ours", "ours", ours), ("ours-go", "ours", go), ("go-ours", "go", ours)]:
        result = measure(dialler, listener.address, bytes=size)
        figures[name] = (result["up_mib_s"], result["down_mib_s"])
    rss = ours.rss()
    for name, (up, down) in figures.items():
        print(f"{name}: {up:.0f} MiB/s up, {down:.0f} MiB/s down ({size // MIB} MiB)")
    print(f"memory of our listener afterwards: {rss // 1024} KiB")
    assert rss < 64 * MIB or os.environ.get("ICA_PRESET") in ("asan", "tsan")
    if pytestconfig.getoption("--long") and os.environ.get("ICA_PRESET", "release") == "release":
        assert min(figures["ours-ours"]) >= 0.95 * min(figures["go-go"]), figures


def test_connections_come_and_go_without_a_trace(serve):
    listening = serve("ours")
    for seed in range(10, 13):
        measure("ours", listening.address, streams=20, seed=seed)
    descriptors, memory = listening.descriptors(), listening.rss()
    for seed in range(20, 50):
        measure("ours" if seed % 3 else "go", listening.address, streams=20, seed=seed)
    assert listening.descriptors() <= descriptors + 2
    # The sanitizers keep what was freed for a while.
    assert listening.rss() <= memory + 8 * MIB or os.environ.get("ICA_PRESET") in ("asan", "tsan")
