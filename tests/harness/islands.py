"""Peers in network namespaces, each with an address of its own on one of two islands; the bridge between the islands can
be cut. A second network, for the tests and the stand-in for Kubo, is never cut. Needs root.
"""
import contextlib
import re
import subprocess

from . import http, ports, tools
from .fake_kubo import FakeKubo
from .peer import Agent
from .process import Process
from .wait import wait_until

# Each run has two networks of its own, so that two runs at once do not meet.
FIRST_NETWORK, NETWORKS = 100, 50


def sh(*argv, check=True):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(map(str, argv))}: {done.stderr.strip()}")
    return done


class Islands:
    """number: below NETWORKS; it chooses the addresses and the names of namespaces and links."""

    def __init__(self, number):
        self.prefix, self.namespaces, self.links = f"isl{number}", [], []
        self.swarm, self.manage = (f"10.{FIRST_NETWORK + 2 * number + n}" for n in (0, 1))
        prefix = self.prefix
        for bridge in ("a", "b", "m"):
            sh("ip", "link", "add", f"{prefix}{bridge}", "type", "bridge")
            sh("ip", "link", "set", f"{prefix}{bridge}", "up")
        sh("ip", "addr", "add", f"{self.manage}.0.1/16", "dev", f"{prefix}m")
        sh("ip", "link", "add", f"{prefix}x", "type", "veth", "peer", "name", f"{prefix}y")
        sh("ip", "link", "set", f"{prefix}x", "master", f"{prefix}a", "up")
        sh("ip", "link", "set", f"{prefix}y", "master", f"{prefix}b", "up")

    def add(self, island):
        """A namespace on island "a" or "b"; its name and number, which is the end of its addresses."""
        number = len(self.namespaces) + 2
        name = f"{self.prefix}n{number}"
        sh("ip", "netns", "add", name)
        self.namespaces.append(name)
        self.link(name, number, "s", island, self.swarm, "eth0")
        self.link(name, number, "t", "m", self.manage, "eth1")
        sh("ip", "-n", name, "link", "set", "lo", "up")
        return name, number

    def link(self, name, number, letter, bridge, net, device):
        """Joins a namespace to a bridge."""
        outer = f"{self.prefix}{letter}{number}"
        sh("ip", "link", "add", outer, "type", "veth", "peer", "name", device, "netns", name)
        self.links.append(outer)
        sh("ip", "link", "set", outer, "master", f"{self.prefix}{bridge}", "up")
        sh("ip", "-n", name, "addr", "add", f"{net}.0.{number}/16", "dev", device)
        sh("ip", "-n", name, "link", "set", device, "up")

    def cut(self):
        sh("ip", "link", "set", f"{self.prefix}x", "down")

    def heal(self):
        sh("ip", "link", "set", f"{self.prefix}x", "up")

    def close(self):
        # A deleted namespace goes some time later, and its links with it; the next islands may want their names at once.
        for link in self.links:
            sh("ip", "link", "del", link, check=False)
        for name in self.namespaces:
            sh("ip", "netns", "del", name, check=False)
        for link in ("x", "a", "b", "m"):
            sh("ip", "link", "del", f"{self.prefix}{link}", check=False)


class FarIslands(Islands):
    """Namespaces that are all far from each other and lose packets, by a program: not every kernel has netem.

    Namespaces are added first; open() then lays the network. It goes on while the process runs.
    """

    def __init__(self, number):
        self.prefix, self.namespaces, self.links, self.process = f"isl{number}", [], [], None
        self.swarm, self.manage = (f"10.{FIRST_NETWORK + 2 * number + n}" for n in (0, 1))
        sh("ip", "link", "add", f"{self.prefix}m", "type", "bridge")
        sh("ip", "link", "set", f"{self.prefix}m", "up")
        sh("ip", "addr", "add", f"{self.manage}.0.1/16", "dev", f"{self.prefix}m")

    def add(self, island=None):
        number = len(self.namespaces) + 2
        name = f"{self.prefix}n{number}"
        sh("ip", "netns", "add", name)
        self.namespaces.append(name)
        self.link(name, number, "t", "m", self.manage, "eth1")
        sh("ip", "-n", name, "link", "set", "lo", "up")
        return name, number

    def open(self, folder, delay, loss):
        places = {name: f"{self.swarm}.0.{n + 2}" for n, name in enumerate(self.namespaces)}
        argv = [tools.tool_dir("lab") / "slownet", "-delay", delay, "-loss", str(loss), "-device", "far0"]
        self.process = Process("slownet", argv + [f"{name}={address}" for name, address in places.items()], folder / "slownet.log")
        wait_until(lambda: "ready" in self.process.log_text(), 20, "the slow network is there")
        for name, address in places.items():
            sh("ip", "-n", name, "addr", "add", f"{address}/16", "dev", "far0")
            sh("ip", "-n", name, "link", "set", "far0", "up")

    def close(self):
        if self.process:
            self.process.stop()
        super().close()


class SharedKubo(FakeKubo):
    """A stand-in for Kubo that peers of all namespaces reach."""
    host = "127.0.0.1"

    @property
    def multiaddr(self):
        return f"/ip4/{self.host}/tcp/{self.api_port}"

    def start(self, state=False):
        argv = [tools.tool_dir("lab") / "fakekubo", "-listen", f"{self.host}:{self.api_port}", "-control",
                f"127.0.0.1:{self.control_port}"]
        self.process = Process(self.name, argv, self.folder / "log", tools.clean_env())
        wait_until(lambda: self.control("/stats").status == 200, 20, f"{self.name} answers")
        return self


class IslandAgent(Agent):
    """One of ours in a namespace of its own."""

    def __init__(self, islands, island, folder, kubo, name, settings=None, base=None):
        self.namespace, number = islands.add(island)
        self.island = island
        self.swarm_address, self.address = f"{islands.swarm}.0.{number}", f"{islands.manage}.0.{number}"
        super().__init__(folder, kubo, name, settings, base=base)
        self.rest_port, self.swarm_port, self.metrics_port = 9094, 9096, 8888
        self.configure({
            "cluster": {"listen_multiaddress": [f"/ip4/{self.swarm_address}/tcp/9096"]},
            "api/restapi": {"http_listen_multiaddress": f"/ip4/{self.address}/tcp/9094"},
            "observations/metrics": {"enable_stats": True, "prometheus_endpoint": f"/ip4/{self.address}/tcp/8888"},
        })

    @property
    def swarm_multiaddr(self):
        return f"/ip4/{self.swarm_address}/tcp/9096/p2p/{self.id}"

    def start(self, *flags, wait=True, env=None):
        # `ip netns exec` becomes the program, so its process ID is the program's.
        argv = ["ip", "netns", "exec", self.namespace, self.program_path(), "--config", self.config_dir, "daemon", *flags]
        self.process = Process(self.name, argv, self.folder / "log", dict(self.env, **(env or {})))
        if wait:
            self.wait_up()
        return self

    def call(self, method, target, headers=(), body=None, timeout=60):
        return http.request(self.rest_port, method, target, headers, body, timeout=timeout, host=self.address)

    def metric(self, name):
        """The first sample of a name."""
        text = http.request(self.metrics_port, "GET", "/metrics", host=self.address).body.decode()
        return float(re.search(rf"^{name}(?:{{[^}}]*}})? (\S+)", text, re.M)[1])


def shared_kubo(lab, islands):
    kubo = SharedKubo(lab.folder / f"{len(lab.parts)}-kubo")
    kubo.host = f"{islands.manage}.0.1"
    lab.parts.append(kubo)
    return kubo.start()


def free_number():
    """One that no run has; the rest of a run that was killed is not touched."""
    taken = sh("ip", "-o", "link").stdout
    start = ports.free_port()
    for n in range(NETWORKS):
        number = (start + n) % NETWORKS
        if f"isl{number}a" not in taken:
            return number
    raise RuntimeError("all networks for islands are taken")


@contextlib.contextmanager
def laid(lab, islands):
    """Takes the islands away in the end, after the processes on them."""
    try:
        yield islands
    finally:
        for part in reversed(lab.parts):
            if part.process:
                part.process.stop()
        islands.close()


def place_agents(lab, islands, count, island_of, base=None):
    """Agents beside one stand-in for Kubo that know the address of the first; not started yet."""
    kubo = shared_kubo(lab, islands)
    peers = []
    for number in range(count):
        folder = lab.folder / f"{len(lab.parts)}-peer{number}"
        peer = IslandAgent(islands, island_of(number), folder, kubo, f"peer{number}", base=base)
        lab.parts.append(peer)
        if peers:
            peer.configure({"cluster": {"peer_addresses": [peers[0].swarm_multiaddr]}})
        peers.append(peer)
    return peers


def start_connected(peers, deadline=120):
    """Until each is connected to all others and can be given pins."""
    for peer in peers:
        peer.start()
    for peer in peers:
        wait_until(lambda p=peer: p.metric("ipfs_cluster_agent_connections") >= len(peers) - 1, deadline,
                   f"{peer.name} is connected to all", 0.5)
        peer.wait_candidates(len(peers), 120)
