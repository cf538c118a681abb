"""kill -9 at random moments while changes are acknowledged.

After each restart every acknowledged change is there, none is half there, and work goes on by itself. The load
generator keeps for each CID what was acknowledged last; a change that was sent and never answered may have happened or
not. The number of a change is the pin's name, so an older version that comes back is seen.

Default: 4 rounds of 3,000 changes. --long: 50 rounds of 20,000. The reference fails this test.
"""
import json
import random
import time

from harness import loadgen
from harness.wait import wait_until

CIDS = 2000


def churn(peer, state, count, connections, seed):
    return loadgen.start(peer, "churn", "-connections", connections, "-count", count, "-cids", CIDS, "-state", state, "-seed", seed)


def check_and_settle(peer, state):
    """Compares the pinset with what was acknowledged; settles what was in doubt by what is found."""
    pinset = peer.pinset()
    wrong = []
    entries = json.loads(state.read_text())
    known = {entry["cid"] for entry in entries}
    wrong += [f"{cid}: never asked for" for cid in pinset if cid not in known]
    for entry in entries:
        pin = pinset.get(entry["cid"])
        found = (True, int(pin["name"])) if pin else (False, None)
        right = {(entry["pinned"], entry["seq"] if entry["pinned"] else None)}
        if entry["doubt"]:
            right.add((False, None) if entry.get("unpin") else (True, entry["sent"]))
        if found not in right:
            wrong.append(f"{entry['cid']}: found {found}, right would be {right}")
        entry["pinned"], entry["seq"] = found[0], found[1] or max(entry["seq"], entry.get("sent", 0))
        entry["doubt"] = False
    state.write_text(json.dumps(entries))
    return wrong, set(pinset)


def test_acknowledged_changes_survive(lab, flavour, long_form):
    rounds, count = (50, 20_000) if long_form else (4, 3_000)
    chance = random.Random(20261122)
    kubo = lab.fake_kubo()
    peer = lab.peer(kubo, flavour)
    peer.wait_candidates()
    state = lab.folder / "churn.json"
    acknowledged = 0
    for number in range(rounds):
        load = churn(peer, state, count, 32, number)
        # The first half of the rounds is cut within the first changes too, where files are new.
        time.sleep(chance.uniform(0.02, 0.5) if number % 2 else chance.uniform(0.5, 2.0))
        if number % 4 == 3:
            load.wait(300)  # every change acknowledged, then killed at once
        peer.process.kill()
        result = json.loads(load.communicate(timeout=120)[0])
        assert not result["unexpected"], result
        acknowledged += result["acknowledged"]
        peer.start()
        wrong, pinset = check_and_settle(peer, state)
        assert not wrong, f"round {number}: {len(wrong)} wrong, such as " + "; ".join(wrong[:5])
    # Work goes on by itself: Kubo comes to hold the pinset, no more and no less.
    wait_until(lambda: kubo.pins() == pinset, 120, "Kubo holds exactly the pinset", 0.5)
    wait_until(lambda: all(p["status"] == "pinned" for d in peer.call("GET", "/pins", timeout=120).documents()
                           for p in d["peer_map"].values()), 60, "every pin is shown as pinned", 0.5)
    assert acknowledged > 0
    print(f"{acknowledged} changes acknowledged over {rounds} kills, {len(pinset)} pins at the end")


def test_kill_during_start(lab, flavour):
    """Killed again and again while it starts: it starts in the end, with everything."""
    kubo = lab.fake_kubo()
    peer = lab.peer(kubo, flavour)
    peer.wait_candidates()
    state = lab.folder / "churn.json"
    churn(peer, state, 500, 16, 1).wait(120)
    before = peer.pinset()
    for number in range(10):
        peer.process.kill()
        peer.start(wait=False)
        time.sleep(0.01 * number)
    peer.process.kill()
    peer.start()
    assert peer.pinset() == before
