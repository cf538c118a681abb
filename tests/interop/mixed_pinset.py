"""One pinset on peers of both kinds, whoever writes, starts first or is restarted."""
import pytest

from harness.pins import cid_of
from harness.wait import wait_until

LAYOUTS = {
    "go-ours": ["go", "ours"],
    "ours-go": ["ours", "go"],
    "2go-2ours": ["go", "go", "ours", "ours"],
    "3ours": ["ours", "ours", "ours"],
}


def start(lab, flavours):
    return lab.cluster(len(flavours), flavours, kubos=[lab.fake_kubo() for _ in flavours])


def pin(peer, number, query=""):
    cid = cid_of(number)
    answer = peer.call("POST", f"/pins/{cid}?name={number}{query}")
    assert answer.status == 200, answer.body
    return cid


def names(peer):
    return {cid: doc["name"] for cid, doc in peer.pinset().items()}


def agree(peers, wanted, deadline=60):
    for peer in peers:
        wait_until(lambda p=peer: names(p) == wanted, deadline,
                   f"{peer.name} ({peer.flavour}) has the {len(wanted)} pins", 0.2)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pins_of_every_peer_are_on_all(lab, layout):
    peers = start(lab, LAYOUTS[layout])
    wanted = {}
    for number in range(20):
        writer = peers[number % len(peers)]
        wanted[pin(writer, number)] = str(number)
    agree(peers, wanted)
    # Everybody may remove what another has written, and write it anew.
    for number in range(0, 20, 3):
        cid = cid_of(number)
        remover = peers[(number + 1) % len(peers)]
        assert remover.call("DELETE", f"/pins/{cid}").status == 200
        del wanted[cid]
    agree(peers, wanted)
    again = pin(peers[0], 3)
    wanted[again] = "3"
    agree(peers, wanted)
    for peer in peers:
        peer.wait_status(again, "pinned")


@pytest.mark.parametrize("layout", ["go-ours", "2go-2ours", "3ours"])
def test_restarted_peers_catch_up(lab, layout):
    peers = start(lab, LAYOUTS[layout])
    wanted = {}
    number = 0
    for restarted in (peers[0], peers[-1]):
        restarted.stop()
        for other in peers:
            if other is not restarted:
                for _ in range(5):
                    wanted[pin(other, number)] = str(number)
                    number += 1
        restarted.start()
        wanted[pin(restarted, number)] = str(number)
        number += 1
        agree(peers, wanted)


def test_a_newcomer_gets_everything(lab):
    """A peer that knows one address gets the pinset and connects to all, whatever their kind."""
    peers = start(lab, ["go", "ours"])
    wanted = {pin(peers[n % 2], n): str(n) for n in range(30)}
    agree(peers, wanted)
    for flavour in ("ours", "go"):
        newcomer = lab.peer(lab.fake_kubo(), flavour, f"new-{flavour}", start=False)
        newcomer.start("--bootstrap", peers[0].swarm_multiaddr)
        peers.append(newcomer)
        agree(peers, wanted)
        wanted[pin(newcomer, 100 + len(peers))] = str(100 + len(peers))
        agree(peers, wanted)


def test_a_pin_reaches_a_peer_of_the_reference_at_once_after_our_restart(lab):
    """What we announce is served at once: a head that nobody serves would block a Go peer for two minutes."""
    go, ours = start(lab, ["go", "ours"])
    wanted = {pin(ours, n): str(n) for n in range(50)}
    agree([go], wanted)
    for round_ in range(3):
        ours.process.kill()
        ours.start()
        cid = pin(ours, 1000 + round_)
        wanted[cid] = str(1000 + round_)
        agree([go, ours], wanted, 30)
