"""Random changes at all peers of a cluster of both kinds: what the one kind tells of it, the other tells as well."""
import itertools

import pytest

from harness import differential
from harness.random_rest import RestRequests
from harness.wait import wait_until


class Reads(RestRequests):
    """Only what reads the whole cluster."""

    def __next__(self):
        while True:
            method, target, headers, body = super().__next__()
            if method == "GET" and "local" not in target and not headers and target.startswith(("/pins", "/allocations", "/peers")):
                return method, target, headers, body


class Changes(RestRequests):
    """Only what changes the pinset, and more of it right than random_rest has."""

    def good_pin(self):
        pairs = [self.one_of("replication=1", "replication=2", "replication=-1", "replication-min=1&replication-max=3",
                             "replication-min=4&replication-max=4", "replication-min=2&replication-max=2"),
                 self.one_of("name=a", "meta-a=1", "expire-in=1h", "user-allocations=SELF", "mode=direct", "shard-size=5", "name=")]
        return "POST", f"/pins/{self.random.choice(self.cids)}?" + "&".join(self.random.sample(pairs, self.random.randint(0, 2))), {}, None

    def update(self):
        old, new = self.random.sample(self.cids, 2)
        return "POST", f"/pins/{new}?pin-update={old}&{self.one_of('', 'name=u', 'expire-in=2h')}", {}, None

    def __next__(self):
        kinds = [self.good_pin, self.update, self.pin, self.pin_path, self.unpin, self.add, self.recover]
        while True:
            method, target, headers, body = self.random.choices(kinds, [40, 10, 10, 5, 20, 10, 5])[0]()
            if method in ("POST", "DELETE") and "local" not in target:
                return method, target.replace("CID", self.random.choice(self.cids)), headers, body


@pytest.mark.long_timeout(1800)
def test_told_alike(lab, pytestconfig):
    peers = lab.cluster(4, ["go", "ours", "go", "ours"], differential.SETTINGS)
    cids = [peers[number % len(peers)].add(f"hello {number}".encode()) for number in range(8)]
    changes, reads, different = Changes(1, cids), Reads(2, cids), []
    for _ in range(1500 if pytestconfig.getoption("--long") else 150):
        method, target, headers, body = next(changes)
        peer = changes.random.choice(peers)
        differential.ask(peer.rest_port, method, target.replace("SELF", peer.id), headers, body)
        found = differential.differences(peers[:2], lambda peer: peer.rest_port, itertools.islice(reads, 2), lambda *_: False, lambda _: {})
        different += [f"after {method} {target} at {peer.name}: {text}" for text in found]
    assert not different, "\n".join(different)
    # Also moments and weights, which the comparison leaves out.
    wait_until(lambda: all(peer.pinset() == peers[0].pinset() for peer in peers[1:]), 10, "all have the same pinset")
