"""Copies stay where they should be: five agents with five real Kubos, three copies of every pin.

Peers are lost (SIGKILL, agent and Kubo), come back, are drained, and a peer dies in the middle of a drain. What counts is
what the Kubos themselves hold.

Default: 40 files. --long: 500 files up to 20 MiB.
"""
import random
import subprocess
import time

import pytest

from harness import http, tools
from harness.pins import cid_of
from harness.wait import wait_until

pytestmark = pytest.mark.long_timeout(3600)
COPIES = 3
SETTINGS = {
    "cluster": {"replication_factor_min": COPIES, "replication_factor_max": COPIES, "monitor_ping_interval": "2s",
                "pin_recover_interval": "30s"},
    "consensus/crdt": {"rebroadcast_interval": "5s"},
    "informer/disk": {"metric_ttl": "5s"},
    "informer/tags": {"metric_ttl": "5s"},
    "agent": {"repin_grace": "5s", "surplus_delay": "5s"},
}


class World:
    def __init__(self, lab, count=5):
        self.lab = lab
        self.peers = lab.cluster(count, settings=SETTINGS)
        self.cids = []

    def add_files(self, count, largest):
        """Random files through every peer in turn."""
        chance = random.Random(7)
        for number in range(count):
            size = int(2 ** chance.uniform(10, largest.bit_length() - 1))
            data = chance.randbytes(size)
            kind, body = http.multipart([(f"file-{number}", data)])
            peer = self.peers[number % len(self.peers)]
            answer = peer.call("POST", "/add", {"Content-Type": kind}, body)
            assert answer.status == 200 and answer.complete, answer.body[-300:]
            self.cids.append(answer.added())

    def held(self, peers):
        """{cid: how many of these peers' Kubos pin it}."""
        count = dict.fromkeys(self.cids, 0)
        for peer in peers:
            for cid in peer.kubo.pins():
                if cid in count:
                    count[cid] += 1
        return count

    def wait_copies(self, peers, least, most, deadline, floor=0):
        """Until every pin has between least and most copies; never fewer than floor meanwhile."""
        begin = time.monotonic()
        fewest = []

        def settled():
            count = self.held(peers)
            fewest.append(min(count.values()))
            return all(least <= n <= most for n in count.values())
        wait_until(settled, deadline, f"every pin has {least} to {most} copies", 0.5)
        assert min(fewest) >= floor, fewest
        return time.monotonic() - begin

    def kill(self, *peers):
        for peer in peers:
            peer.process.kill()
            peer.kubo.process.kill()

    def revive(self, *peers):
        for peer in peers:
            peer.kubo.start()
            peer.start()


@pytest.fixture
def world(lab, long_form):
    world = World(lab)
    world.add_files(*((500, 20 << 20) if long_form else (40, 1 << 20)))
    world.wait_copies(world.peers, COPIES, COPIES, 120)
    return world


def past_losses(peer):
    return [loss["peer"] for loss in peer.call("GET", "/repin").json()["past"]]


def test_a_lost_peer_and_its_return(world):
    *rest, lost = world.peers
    world.kill(lost)
    took = world.wait_copies(rest, COPIES, COPIES, 60)
    print(f"copies were back after {took:.1f} s")
    told = rest[0].call("GET", "/repin").json()
    assert [p["peer"] for p in told["lost"]] in ([], [lost.id]), told
    wait_until(lambda: all(past_losses(peer) == [lost.id] for peer in rest), 60, "all remember the loss when its pins have places")
    assert sum(loss["moved"] for peer in rest for loss in peer.call("GET", "/repin").json()["past"]) > 0
    assert "Earlier, since this peer started:\n" in ctl(rest[0], "repin", "status")[1]
    world.revive(lost)
    world.wait_copies(world.peers, COPIES, COPIES, 120, floor=COPIES)
    # Quiet: nothing moves any more.
    before = {c: p["allocations"] for c, p in rest[0].pinset().items()}
    wait_until(lambda: rest[0].call("GET", "/repin").json()["lost"] == [], 30, "nobody is missed")
    assert {c: p["allocations"] for c, p in rest[0].pinset().items()} == before


def test_two_lost_at_once(world):
    *rest, one, two = world.peers
    world.kill(one, two)
    world.wait_copies(rest, COPIES, COPIES, 60)


def test_drain_goes_on_when_a_peer_dies(world):
    leaving, asked, other, *_ = world.peers
    answer = asked.call("POST", f"/peers/{leaving.id}/drain")
    assert answer.status == 200 and answer.json()["mode"] == "draining", answer.body
    # The others hear of it before the one that was asked goes.
    wait_until(lambda: other.call("GET", f"/peers/{leaving.id}/drain").json()["mode"] == "draining", 20, "the order spreads")
    asked.process.kill()
    asked.start()
    wait_until(lambda: other.call("GET", f"/peers/{leaving.id}/drain").json()["safe"], 90, "the peer is drained", 0.5)
    rest = [p for p in world.peers if p is not leaving]
    world.wait_copies(rest, COPIES, COPIES, 60, floor=COPIES)
    wait_until(lambda: not set(world.cids) & leaving.kubo.pins(), 60, "the drained Kubo is empty", 0.5)
    # It gets nothing new, whoever is asked.
    for peer in rest:
        kind, body = http.multipart([("new", random.Random(peer.name).randbytes(2000))])
        answer = peer.call("POST", "/add", {"Content-Type": kind}, body)
        cid = answer.added()
        assert leaving.id not in peer.call("GET", f"/allocations/{cid}").json()["allocations"]
    assert other.call("POST", f"/peers/{leaving.id}/uncordon").json()["mode"] == "active"
    leaving.wait_candidates(5)


def test_events_tell_what_happens(world):
    import http.client
    peer = world.peers[0]
    connection = http.client.HTTPConnection("127.0.0.1", peer.rest_port, timeout=20)
    connection.request("GET", "/events?after=0&type=pin")
    answer = connection.getresponse()
    seen = set()
    while len(seen) < len(world.cids):
        line = answer.readline()
        assert line, "the stream ended"
        for cid in world.cids:
            if line.startswith(b"data:") and cid.encode() in line:
                seen.add(cid)
    connection.close()


def ctl(peer, *args):
    done = subprocess.run([tools.our("ipfs-cluster-ctl"), "--host", peer.rest_multiaddr, *args], capture_output=True,
                          text=True, timeout=120, env=tools.clean_env(), check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_client_cordons_drains_and_rebalances(lab):
    settings = dict(SETTINGS, cluster=dict(SETTINGS["cluster"], replication_factor_min=1, replication_factor_max=1))
    peers = lab.cluster(3, settings=settings, kubos=[lab.fake_kubo() for _ in range(3)])
    first, second, third = peers
    wait_until(lambda: ctl(first, "repin", "status")[1].startswith("Re-replication: on, grace 5s, 3 of 3 peers in sight"),
               10, "the client shows how many peers are in sight")
    code, text = ctl(first, "peers", "cordon", third.name)
    assert code == 0 and "cordoned" in text, text
    for number in range(40):
        assert first.call("POST", f"/pins/{cid_of(number)}").status == 200
    assert all(third.id not in pin["allocations"] for pin in first.pinset().values())
    # Told to peers of the reference as well: no free space.
    wait_until(lambda: third.id not in {m["peer"] for m in second.call("GET", "/monitor/metrics/freespace").json()}, 20,
               "its free space is not told any more")
    code, text = ctl(first, "peers", "drain", second.name, "--wait")
    assert code == 0 and "safe to remove" in text, text
    wait_until(lambda: all(p["allocations"] == [first.id] for p in first.pinset().values()), 30, "all is on the first")
    assert ctl(second, "peers", "uncordon", second.name)[0] == 0
    assert ctl(second, "peers", "uncordon", third.name)[0] == 0
    for peer in peers:
        peer.wait_candidates(3)
    code, text = ctl(third, "rebalance", "--dry-run")
    assert code == 0 and "pins would move" in text, text
    assert ctl(third, "rebalance", "--start")[0] == 0
    wait_until(lambda: "not running (done)" in ctl(third, "rebalance")[1], 60, "the rebalance ends", 0.5)
    held = {p.id: 0 for p in peers}
    for pin in first.pinset().values():
        assert len(pin["allocations"]) == 1
        held[pin["allocations"][0]] += 1
    assert max(held.values()) < 40 and min(held.values()) >= 0, held
    code, text = ctl(first, "peers", "drain", "nobody")
    assert code == 1 and "no peer is called" in text, text
    code, text = ctl(first, "status", "-v", cid_of(1))
    assert code == 0, text
