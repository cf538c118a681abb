"""Changes of one writer at one peer, with a file of what was acknowledged, and what must be in the pinset afterwards."""
import json

from . import loadgen

CIDS = 300  # of one writer


def churn(peer, number, state, count, seed):
    return loadgen.start(peer, "churn", "-connections", 8, "-count", count, "-cids", CIDS, "-from", number * CIDS, "-state", state,
                         "-seed", seed)


def lost(pinset, state):
    """Acknowledged changes of one writer that are not there; what was in doubt may have happened or not."""
    wrong = []
    for entry in json.loads(state.read_text()):
        pin = pinset.get(entry["cid"])
        found = (True, int(pin["name"])) if pin else (False, None)
        right = {(entry["pinned"], entry["seq"] if entry["pinned"] else None)}
        if entry["doubt"]:
            right.add((False, None) if entry.get("unpin") else (True, entry["sent"]))
        if found not in right:
            wrong.append(f"{entry['cid']}: found {found}, right would be {right}")
    return wrong


def settle_doubt(pinset, state):
    entries = json.loads(state.read_text())
    for entry in entries:
        pin = pinset.get(entry["cid"])
        entry["pinned"], entry["seq"] = bool(pin), int(pin["name"]) if pin else max(entry["seq"], entry.get("sent", 0))
        entry["doubt"] = False
    state.write_text(json.dumps(entries))
