"""What clients were told about their pins, and whether a pinset agrees with it.

All changes of a CID go through one peer, one after the other. So the pinset is an ordinary map: an acknowledged change holds
until the next one, whatever happens to peers and links. A change without an answer, or with an error, may have happened or not.
"""
import collections
import dataclasses
import threading
import time

NEVER = "0001-01-01T00:00:00Z"
KEPT = 12  # changes of a CID that are shown when something is wrong with it


@dataclasses.dataclass(frozen=True)
class Pinned:
    """What a client decides of a pin. Where nothing is pinned, the state of a CID is None."""
    name: str
    low: int
    high: int
    metadata: frozenset = frozenset()
    expire: str = NEVER

    @property
    def everywhere(self):
        return self.high == -1

    def options(self):
        """By their JSON names, as a line of POST /pins has them."""
        return {"name": self.name, "replication_factor_min": self.low, "replication_factor_max": self.high,
                "metadata": dict(self.metadata), "expire_at": self.expire}

    def query(self):
        """As parameters of a URL. Texts must need no escapes."""
        parts = [f"name={self.name}", f"replication-min={self.low}", f"replication-max={self.high}"]
        parts += [f"meta-{key}={value}" for key, value in sorted(self.metadata)]
        if self.expire != NEVER:
            parts.append(f"expire-at={self.expire}")
        return "&".join(parts)


def shown(pin):
    """The state that a peer shows: a line of GET /allocations, or None."""
    return pin and Pinned(pin["name"], pin["replication_factor_min"], pin["replication_factor_max"],
                          frozenset((pin["metadata"] or {}).items()), pin["expire_at"])


class Entry:
    def __init__(self):
        self.possible = [None]
        self.changes = collections.deque(maxlen=KEPT)


class History:
    """Thread-safety: entries of different CIDs from any threads; the rest while nobody changes any."""

    def __init__(self, cids=()):
        self.begin = time.monotonic()
        self.entries = {cid: Entry() for cid in cids}
        self.counts = collections.Counter()
        self.lock = threading.Lock()

    def _note(self, cid, kind, what, state):
        with self.lock:
            self.counts[kind] += 1
        self.entries[cid].changes.append((time.monotonic() - self.begin, kind, what, state))

    def acknowledged(self, cid, state, what):
        self.entries[cid].possible = [state]
        self._note(cid, "acknowledged", what, state)

    def doubtful(self, cid, state, what):
        """It may have happened or not, and will not happen later: its peer has given up, or is gone."""
        entry = self.entries[cid]
        if state not in entry.possible:
            entry.possible = entry.possible + [state]
        self._note(cid, "in doubt", what, state)

    def seen(self, cid, state, what):
        """Decides nothing."""
        self._note(cid, "seen", what, state)

    def known(self, cid):
        """(True, the state of a CID), or (False, None) while that is not known."""
        possible = self.entries[cid].possible
        return (True, possible[0]) if len(possible) == 1 else (False, None)

    def wrong(self, cid, found):
        """What is wrong with a state that was found; empty when it is right."""
        possible = self.entries[cid].possible
        return "" if found in possible else f"{cid}: found {found}, right would be " + " or ".join(map(str, possible))

    def differences(self, pinset):
        """What is wrong with a pinset ({cid: line of /allocations}), a sentence for each CID."""
        wrong = [sentence for cid in self.entries if (sentence := self.wrong(cid, shown(pinset.get(cid))))]
        return wrong + [f"{cid}: nobody asked for it" for cid in pinset if cid not in self.entries]

    def settle(self, pinset):
        """What was in doubt is what is found, from here on. Nothing may be under way."""
        for cid, entry in self.entries.items():
            entry.possible = [shown(pinset.get(cid))]

    def tell(self, cid):
        """The last changes of a CID, a line each."""
        return "\n".join([f"history of {cid}:"] + [f"  {at:8.2f} s  {kind:12}  {what}: {state}"
                                                  for at, kind, what, state in self.entries[cid].changes])


def misplaced(pinset, held, peers):
    """What is wrong with the places of copies, a sentence for each CID.

    held: {peer ID: the CIDs that its Kubo pins}, of the CIDs that the test knows. peers: all peer IDs.
    """
    wrong = []
    for cid, pin in pinset.items():
        allocations = set(pin["allocations"])
        if shown(pin).everywhere:
            if allocations:
                wrong.append(f"{cid}: is for all, and is allocated to {sorted(allocations)}")
            continue
        if not pin["replication_factor_min"] <= len(allocations) <= pin["replication_factor_max"] or allocations - set(peers):
            wrong.append(f"{cid}: is allocated to {sorted(allocations)}, of {shown(pin)}")
    for peer in peers:
        wanted = {cid for cid, pin in pinset.items() if shown(pin).everywhere or peer in pin["allocations"]}
        wrong += [f"{cid}: is not pinned by the Kubo of {peer}" for cid in wanted - held[peer]]
        wrong += [f"{cid}: is still pinned by the Kubo of {peer}" for cid in held[peer] - wanted]
    return wrong
