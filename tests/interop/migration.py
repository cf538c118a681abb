"""A cluster of Go peers is moved over peer by peer on the same folders, works at every step, and goes back."""
from harness import loadgen
from harness.peer import Agent, GoPeer
from harness.wait import wait_until


def become(peer, kind):
    """The same folder, run by the other program."""
    peer.__class__ = kind
    peer.flavour = kind.flavour


def pin(peer, first, count):
    loadgen.run(peer, "pin", "-connections", 8, "-from", first, "-count", count)


def same_everywhere(peers, count):
    def same():
        pinsets = [peer.pinset() for peer in peers]
        return all(len(p) == count and p == pinsets[0] for p in pinsets)
    wait_until(same, 90, f"all peers have the same {count} pins", 0.5)


def test_a_go_cluster_moves_over_and_back(lab):
    kubos = [lab.fake_kubo() for _ in range(3)]
    peers = lab.cluster(3, "go", kubos=kubos)
    ids = [peer.id for peer in peers]
    pin(peers[0], 0, 100)
    same_everywhere(peers, 100)
    count = 100
    steps = [(peer, Agent) for peer in peers] + [(peer, GoPeer) for peer in peers]
    for number, (peer, kind) in enumerate(steps):
        peer.stop()
        # Written while it is away; an unpin too.
        writer = peers[(number + 1) % 3]
        pin(writer, 1000 * (number + 1), 20)
        gone = next(iter(writer.pinset()))
        assert writer.call("DELETE", f"/pins/{gone}").status == 200
        count += 19
        become(peer, kind)
        peer.start()
        assert peer.call("GET", "/id").json()["id"] in ids
        peer.wait_candidates(3, 90)
        same_everywhere(peers, count)
        # And on it.
        pin(peer, 1000 * (number + 1) + 500, 5)
        count += 5
        same_everywhere(peers, count)
    cid = next(iter(peers[0].pinset()))
    wait_until(lambda: all(peer.status(cid, local=True) == "pinned" for peer in peers), 60, "content is pinned", 0.5)
