"""Allocation, lost peers and drains where peers of both kinds share a cluster. Re-replication is off in the reference, as
its init writes it; ours does it for all, and nobody undoes what the other did."""
import pytest

from harness.pins import cid_of
from harness.wait import wait_until

SETTINGS = {
    "cluster": {"replication_factor_min": 2, "replication_factor_max": 2, "monitor_ping_interval": "2s"},
    "consensus/crdt": {"rebroadcast_interval": "5s"},
    "informer/disk": {"metric_ttl": "5s"},
    "informer/tags": {"metric_ttl": "5s"},
    "agent": {"repin_grace": "5s", "surplus_delay": "2s"},
}
PINS = 30


@pytest.fixture
def peers(lab):
    return lab.cluster(4, ["go", "go", "ours", "ours"], settings=SETTINGS, kubos=[lab.fake_kubo() for _ in range(4)])


def pin_all(peers):
    cids = [cid_of(number, "mixed") for number in range(PINS)]
    for number, cid in enumerate(cids):
        answer = peers[number % len(peers)].call("POST", f"/pins/{cid}?name=n{number}")
        assert answer.status == 200, answer.body
    wait_until(lambda: settled(peers, cids), 120, "two Kubos hold every pin", 0.5)
    return cids


def settled(peers, cids):
    held = [peer.kubo.pins() for peer in peers]
    return all(sum(cid in pins for pins in held) == 2 for cid in cids)


def same_everywhere(peers):
    pinsets = [{c: sorted(p["allocations"]) for c, p in peer.pinset().items()} for peer in peers]
    return all(pinset == pinsets[0] for pinset in pinsets)


def test_both_kinds_allocate_to_both(peers):
    cids = pin_all(peers)
    kinds = {p.id: p.flavour for p in peers}
    wait_until(lambda: same_everywhere(peers), 60, "one pinset", 0.5)
    pinset = peers[0].pinset()
    for maker in range(4):
        used = {kinds[a] for n, c in enumerate(cids) if n % 4 == maker for a in pinset[c]["allocations"]}
        assert used, (maker, used)
    assert {kinds[a] for c in cids for a in pinset[c]["allocations"]} == {"go", "ours"}


def test_a_lost_peer_of_the_reference_is_replaced_and_comes_back(peers):
    cids = pin_all(peers)
    lost, *rest = peers
    lost.process.kill()
    wait_until(lambda: all(lost.id not in p["allocations"] for p in rest[0].pinset().values()), 60, "new places", 0.5)
    wait_until(lambda: settled(rest, cids), 60, "two Kubos hold every pin again", 0.5)
    lost.start()
    wait_until(lambda: same_everywhere(peers), 90, "one pinset", 0.5)
    # The reference lets go at once of what is not its own any more.
    wait_until(lambda: settled(peers, cids), 90, "no copy too many", 0.5)
    before = {c: p["allocations"] for c, p in rest[1].pinset().items()}
    wait_until(lambda: rest[1].call("GET", "/repin").json()["lost"] == [], 30, "nobody is missed")
    assert {c: p["allocations"] for c, p in rest[1].pinset().items()} == before


def test_a_peer_of_the_reference_is_drained(peers):
    cids = pin_all(peers)
    leaving, other, ours, _ = peers
    assert ours.call("POST", f"/peers/{leaving.id}/drain").status == 200
    wait_until(lambda: ours.call("GET", f"/peers/{leaving.id}/drain").json()["safe"], 90, "it is drained", 0.5)
    wait_until(lambda: same_everywhere(peers), 60, "one pinset", 0.5)
    wait_until(lambda: settled([p for p in peers if p is not leaving], cids), 60, "copies elsewhere", 0.5)
    wait_until(lambda: not set(cids) & leaving.kubo.pins(), 60, "its Kubo is empty", 0.5)
    statuses = other.call("GET", f"/pins/{cids[0]}").json()["peer_map"]
    assert sorted(s["status"] for s in statuses.values()) == ["pinned", "pinned", "remote", "remote"], statuses
