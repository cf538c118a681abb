"""The history of the pinset begins anew on all peers while they run: nothing acknowledged is lost, reads go on, and peers
that were away, die on the way or are of the Go kind bring nothing back.
"""
import random
import shutil
import subprocess
import threading
import time

import pytest

from harness.churn import churn, lost, settle_doubt
from harness.pins import cid_of
from harness.wait import wait_until

# Members that were away are told of at once.
SETTINGS = {"consensus/crdt": {"rebroadcast_interval": "2s"}}


def compact(peer, *without):
    """The status after a compaction that this peer led, once all are there."""
    wait_until(lambda: plan(peer, *without)["possible"], 60, "a compaction is possible", 0.1)
    query = "?without=" + ",".join(p.id for p in without) if without else ""
    answer = peer.call("POST", f"/compact/start{query}")
    assert answer.status == 200, answer.body
    return wait_until(lambda: (s := status(peer)) and not s["running"] and s, 180, "the compaction has ended", 0.05)


def status(peer):
    return peer.call("GET", "/compact").json()


def plan(peer, *without):
    query = "?without=" + ",".join(p.id for p in without) if without else ""
    return peer.call("GET", f"/compact/plan{query}").json()


def health(peer):
    return peer.call("GET", "/health/pinset").json()


def epochs(peers):
    return [status(peer)["epoch"] for peer in peers]


def same(peers, deadline=60):
    def equal():
        pinsets = [peer.pinset() for peer in peers]
        return all(p == pinsets[0] for p in pinsets)
    wait_until(equal, deadline, f"the {len(peers)} peers have the same pinset", 0.2)
    return peers[0].pinset()


def start(lab, count, flavours="ours"):
    return lab.cluster(count, flavours, settings=SETTINGS, kubos=[lab.fake_kubo() for _ in range(count)])


def write_history(peers, pins=300):
    """Pins at all peers, two thirds of which are removed elsewhere; what stays."""
    for number in range(pins):
        assert peers[number % len(peers)].call("POST", f"/pins/{cid_of(number)}?name={number}").status == 200
    same(peers)
    for number in range(pins):
        if number % 3:
            assert peers[(number + 1) % len(peers)].call("DELETE", f"/pins/{cid_of(number)}").status == 200
    same(peers)
    return {cid_of(number) for number in range(0, pins, 3)}


def run(peer, *arguments):
    subprocess.run([peer.program_path(), "--config", peer.config_dir, *arguments], env=peer.env, check=True, timeout=60,
                   capture_output=True)


class Reader(threading.Thread):
    """Reads at a peer until it is told to stop; every answer must be right, and soon."""

    def __init__(self, peer, cid):
        super().__init__(daemon=True)
        self.peer, self.cid, self.ended, self.slowest, self.answers, self.wrong = peer, cid, threading.Event(), 0, 0, []

    def run(self):
        while not self.ended.is_set():
            for target in ("/id", f"/allocations/{self.cid}", "/allocations", "/pins?local=true"):
                begin = time.monotonic()
                answer = self.peer.call("GET", target)
                self.slowest = max(self.slowest, time.monotonic() - begin)
                self.answers += 1
                if answer.status != 200 or not answer.complete:
                    self.wrong.append((target, answer.status, answer.body[:200]))

    def stop(self):
        self.ended.set()
        self.join(60)
        return self


def test_writers_and_readers_go_on(lab):
    peers = start(lab, 3)
    stays = write_history(peers)
    before = health(peers[0])
    made = plan(peers[1])
    assert made["possible"] and made["epoch"] == 1 and len(made["members"]) == 3 and made["pins"] == len(stays)
    assert made["changes"] == before["blocks"] > made["changes_after"]

    readers = [Reader(peer, sorted(stays)[0]) for peer in peers]
    states = [lab.folder / f"churn{n}.json" for n in range(3)]
    loads = [churn(peer, n, states[n], 1500, n) for n, peer in enumerate(peers)]
    for reader in readers:
        reader.start()
    done = compact(peers[1])
    print(done)
    for load in loads:
        assert load.wait(120) == 0
    assert done["error"] == "" and done["members"] == 3
    for reader in readers:
        reader.stop()
        print(f"{reader.answers} answers, slowest {reader.slowest:.3f} s")
        assert reader.wrong == [] and reader.answers > 0
        assert reader.slowest < 5
    pinset = same(peers)
    assert epochs(peers) == [1, 1, 1]
    for state in states:
        assert lost(pinset, state) == []
    assert stays <= pinset.keys()

    # Once more, now quiet: as short as it can be, on the disk too.
    done = compact(peers[2])
    assert done["error"] == "" and done["changes_after"] == 1
    for peer in peers:
        wait_until(lambda p=peer: health(p)["blocks"] == 1, 30, "one change is left", 0.2)
        assert health(peer)["digest"] == health(peers[0])["digest"]
    assert same(peers) == pinset
    # What is removed from now on stays away, also when a peer is started anew.
    gone = sorted(stays)[:20]
    for cid in gone:
        assert peers[0].call("DELETE", f"/pins/{cid}").status == 200
    peers[2].stop()
    peers[2].start()
    pinset = same(peers)
    assert not pinset.keys() & set(gone)
    assert epochs(peers) == [2, 2, 2]


def test_newcomers_of_both_kinds_find_the_new_history(lab):
    peers = start(lab, 2)
    stays = write_history(peers, 60)
    assert compact(peers[0])["error"] == ""
    others = [lab.peer(lab.fake_kubo(), kind, f"new-{kind}", SETTINGS, start=False) for kind in ("ours", "go")]
    for other in others:
        other.configure({"cluster": {"peer_addresses": [p.swarm_multiaddr for p in peers]}})
        other.start()
        other.wait_candidates(3)
        same([peers[0], other])
    assert status(others[0])["epoch"] == 1
    everyone = peers + others
    for number, peer in enumerate(everyone):
        assert peer.call("POST", f"/pins/{cid_of(1000 + number)}?name={number}").status == 200
        assert peer.call("DELETE", f"/pins/{sorted(stays)[number]}").status == 200
    wanted = (stays | {cid_of(1000 + n) for n in range(4)}) - set(sorted(stays)[:4])
    wait_until(lambda: all(peer.pinset().keys() == wanted for peer in everyone), 60, "all have every change", 0.2)
    # The Go peer cannot take part, and the plan says so.
    made = plan(peers[0])
    assert not made["possible"]
    assert [m["peer"] for m in made["members"] if m["problem"]] == [others[1].id]
    answer = peers[0].call("POST", "/compact/start")
    assert answer.status == 409 and b"of another kind" in answer.body
    assert epochs(peers) == [1, 1]


def test_a_peer_that_was_away_follows(lab):
    peers = start(lab, 3)
    stays = write_history(peers, 60)
    peers[2].stop()
    wait_until(lambda: not plan(peers[0])["possible"], 30, "the plan misses the third peer", 0.1)
    assert compact(peers[0], peers[2])["error"] == ""
    removed = sorted(stays)[:5]
    for cid in removed:
        assert peers[1].call("DELETE", f"/pins/{cid}").status == 200
    peers[2].start()
    wait_until(lambda: epochs(peers) == [1, 1, 1], 60, "it has the new history", 0.2)
    assert same(peers).keys() == stays - set(removed)


def test_a_peer_with_changes_of_its_own_sets_them_aside(lab):
    peers = start(lab, 3)
    stays = write_history(peers, 60)
    alone = peers[2]
    for peer in peers:
        peer.stop()
    alone.start()
    own, removed_there = cid_of(5000), sorted(stays)[0]
    assert alone.call("POST", f"/pins/{own}?name=own").status == 200
    assert alone.call("DELETE", f"/pins/{removed_there}").status == 200
    alone.stop()
    for peer in peers[:2]:
        peer.start()
    assert compact(peers[0], alone)["error"] == ""
    removed_here = sorted(stays)[1]
    assert peers[1].call("DELETE", f"/pins/{removed_here}").status == 200

    alone.allow_errors("began the history of the pinset anew")
    alone.start()
    wait_until(lambda: not alone.process.alive(), 60, "it ends, because it cannot follow", 0.1)
    alone.start()
    wanted = (stays | {own}) - {removed_here}
    wait_until(lambda: all(peer.pinset().keys() == wanted for peer in peers), 60, "all have the same pinset", 0.2)
    assert epochs(peers) == [1, 1, 1]
    # Only what it alone has written was taken over; what it had removed is back, and its export tells.
    folder = next(p for p in alone.config_dir.glob("*.before-1") if p.is_dir())
    exported = folder.with_name(folder.name + ".json").read_text()
    assert own in exported and removed_there not in exported and removed_here in exported


def test_backups_belong_to_the_history(lab):
    peers = start(lab, 2)
    stays = write_history(peers, 60)
    assert compact(peers[0])["error"] == ""
    peer, backup = peers[1], lab.folder / "pinset.json"
    run(peer, "state", "export", "-f", backup)
    run(peer, "state", "checkpoint", lab.folder / "copy")
    removed = sorted(stays)[:2]
    peer.stop()
    for cid in removed:
        assert peers[0].call("DELETE", f"/pins/{cid}").status == 200
    # A copy of the database comes back in the same history, and so does an imported pinset, which is written anew.
    shutil.rmtree(peer.config_dir / "store")
    shutil.copytree(lab.folder / "copy", peer.config_dir / "store")
    peer.start()
    assert same(peers).keys() == stays - set(removed)
    peer.stop()
    run(peer, "state", "import", "-f", backup)
    peer.start()
    assert same(peers).keys() == stays
    assert epochs(peers) == [1, 1]


@pytest.mark.timeout(1500)
def test_deaths_at_any_moment(lab, long_form):
    rounds = 60 if long_form else 6
    chance = random.Random(20261129)
    peers = start(lab, 3)
    write_history(peers, 60)
    states = [lab.folder / f"churn{n}.json" for n in range(3)]
    committed = 0
    for number in range(rounds):
        loads = [churn(peer, n, states[n], 200, number) for n, peer in enumerate(peers)]
        leader, victim = peers[chance.randrange(3)], chance.randrange(3)
        leader.call("POST", "/compact/start")
        time.sleep(chance.uniform(0, 0.5))
        peers[victim].process.kill()
        for load in loads:
            load.wait(120)
        peers[victim].start()
        pinset = peers[victim].pinset()
        assert lost(pinset, states[victim]) == []
        settle_doubt(pinset, states[victim])
        # Whoever doubts how it ended takes 20 s at most.
        wait_until(lambda: len(set(epochs(peers))) == 1 and not any(status(p)["running"] for p in peers), 60,
                   f"all have one history after round {number}", 0.2)
        pinset = same(peers)
        for n, state in enumerate(states):
            assert lost(pinset, state) == [], f"writer {n} after round {number}"
        committed = epochs(peers)[0]
    print(f"{rounds} deaths, {committed} compactions came to their end")
    assert len({health(peer)["digest"] for peer in peers}) == 1
    done = compact(peers[0])
    assert done["error"] == "" and epochs(peers) == [committed + 1] * 3
