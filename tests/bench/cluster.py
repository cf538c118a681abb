"""Three peers, each beside a stand-in for Kubo that answers at once, then a fourth. See scripts/bench."""
import argparse
import time

from harness import loadgen
from report import DEFAULTS, cell, has_work, laboratory, print_now, report

# What the reference's documentation recommends for many pins.
BATCHING = {"consensus/crdt": {"batching": {"max_batch_size": 500, "max_batch_age": "1s", "max_queue_size": 50000}}}
CONNECTIONS = 64


class Bench:
    def __init__(self, lab, flavour, settings, count=3):
        self.lab, self.flavour, self.settings = lab, flavour, settings
        self.rows, self.next, self.peers = {}, 0, []
        for _ in range(count):
            self.add_peer()
        for peer in self.peers:
            peer.start()
        for peer in self.peers:
            peer.wait_candidates(count, 180)

    def add_peer(self):
        kubo = self.lab.fake_kubo(start=False)
        kubo.start(state=False)
        peer = self.lab.peer(kubo, self.flavour, f"{self.flavour}{len(self.peers)}", self.settings, start=False, base=DEFAULTS)
        peer.allow_errors(".*")
        self.peers.append(peer)
        for one in self.peers:
            if one.process is None:
                others = [other.swarm_multiaddr for other in self.peers if other is not one]
                one.configure({"cluster": {"peer_addresses": others}})
        return peer

    def row(self, name, value):
        self.rows[name] = value
        print_now(f"  {self.flavour}: {name}: {cell(value)}")

    def pins_of(self, peer):
        if self.flavour == "ours":
            return peer.call("GET", "/health/pinset").json()["pins"]
        return loadgen.run(peer, "list", "-path", "/allocations")["lines"]

    def wait_everywhere(self, peers, begin, limit):
        """Seconds from `begin` until each of them has all pins; looking costs the less the longer it takes."""
        missing = list(peers)
        while missing:
            missing = [peer for peer in missing if self.pins_of(peer) < self.next]
            passed = time.monotonic() - begin
            if passed > limit:
                return None
            if missing:
                time.sleep(min(0.05 + passed / 50, 1))
        return time.monotonic() - begin

    def pins(self, count, limit):
        """False when a peer of the reference refuses some, as it does when its queue is full."""
        begin = self.begin = time.monotonic()
        result = loadgen.run(self.peers[0], "pin", "-connections", CONNECTIONS, "-from", self.next, "-count", count,
                             may_fail=self.flavour != "ours")
        name = f"{count:,} more pins"
        if result["errors"]:
            self.row(f"{name}: taken at one peer after, s", f"{result['errors']:,} refused ({result['first_error']})")
            return False
        self.next += count
        took = self.wait_everywhere(self.peers, begin, limit)
        self.row(f"{name}: taken at one peer after, s", result["seconds"])
        self.row(f"{name}: on all {len(self.peers)} peers after, s", took or f"not within {limit}")
        return True

    def resources(self, name):
        self.row(f"RSS at {name}, MB", [p.process.rss()[0] / 1e6 for p in self.peers])
        self.row(f"peak RSS at {name}, MB", [p.process.peak_rss() / 1e6 for p in self.peers])
        self.row(f"folders at {name}, MB", [p.disk_bytes() / 1e6 for p in self.peers])

    def settle(self):
        """Until every Kubo has been told everything."""
        limit = time.monotonic() + 600
        busy = list(self.peers)
        while busy and time.monotonic() < limit:
            busy = [p for p in busy if has_work(p)]
            time.sleep(0.5 if busy else 0)

    def newcomer(self, limit):
        peer = self.add_peer()
        begin = time.monotonic()
        peer.start(wait=False)
        peer.wait_up(60)
        took = self.wait_everywhere([peer], begin, limit)
        self.row(f"an empty fourth peer has {self.next:,} pins after, s", took or f"not within {limit}")

    def chain(self, count, limit):
        """The worst history for a newcomer: one change a node, each on top of the last."""
        loadgen.run(self.peers[0], "pin", "-connections", 1, "-from", 0, "-count", count)
        self.next = count
        self.settle()
        peer = self.add_peer()
        begin = time.monotonic()
        peer.start()
        took = self.wait_everywhere([peer], begin, limit)
        self.row(f"an empty peer takes {count:,} changes of one pin each in, s", took or f"not within {limit}")

    def run(self, sizes, limit, full):
        for size in sizes:
            if not self.pins(size - self.next, limit):
                self.resources(f"{size:,} without those")
                return
        self.settle()
        self.row(f"{sizes[-1]:,}: the last told to each stand-in for Kubo after, s", time.monotonic() - self.begin)
        self.resources(f"{self.next:,}")
        self.newcomer(limit)
        if full:
            self.pins(1_000_000 - self.next, 3600)
            self.settle()
            self.resources(f"{self.next:,}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true", help="ours goes on to a million pins")
    parser.add_argument("--only", choices=("ours", "go"))
    parser.add_argument("--sizes", default="2000,22000,122000", help="sizes of the pinset, each on top of the last")
    parser.add_argument("--chain", type=int, default=0, help="also: a newcomer and a history of so many single changes")
    parser.add_argument("--limit", type=int, default=300, help="seconds after which a step is given up")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    runs = {"ours": ("ours", {}, sizes), "go": ("go", {}, sizes[:1]), "go, batching": ("go", BATCHING, sizes)}
    results = {}
    for title, (flavour, settings, steps) in runs.items():
        if options.only and flavour != options.only:
            continue
        with laboratory() as lab:
            bench = Bench(lab, flavour, settings)
            results[title] = bench.rows
            bench.run(steps, options.limit, options.full and flavour == "ours")
        if options.chain and not settings:
            with laboratory() as lab:
                alone = Bench(lab, flavour, settings, 1)
                alone.chain(options.chain, options.limit)
                results[title].update(alone.rows)
    report("cluster", results, "three peers")


if __name__ == "__main__":
    main()
