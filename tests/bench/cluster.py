"""Three peers, each beside a stand-in for Kubo that answers at once, then a fourth. See scripts/bench."""
import argparse
import json
import pathlib
import shutil
import subprocess
import tempfile
import time

from harness import tools
from harness.lab import Lab

DEFAULTS = {"cluster": {"mdns_interval": "0s"}}
# What the reference's documentation recommends for many pins.
BATCHING = {"consensus/crdt": {"batching": {"max_batch_size": 500, "max_batch_age": "1s", "max_queue_size": 50000}}}
CONNECTIONS = 64


def loadgen(peer, *argv):
    return [tools.tool_dir("lab") / "loadgen", "-addr", f"127.0.0.1:{peer.rest_port}", *map(str, argv)]


class Bench:
    def __init__(self, lab, flavour, settings, log, count=3):
        self.lab, self.flavour, self.settings, self.log = lab, flavour, settings, log
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
        self.log(f"  {self.flavour}: {name}: {value}")

    def pins_of(self, peer):
        if self.flavour == "ours":
            return peer.call("GET", "/health/pinset").json()["pins"]
        done = subprocess.run(loadgen(peer, "list", "-path", "/allocations"), capture_output=True, text=True, check=True)
        return json.loads(done.stdout)["lines"]

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
        begin = time.monotonic()
        done = subprocess.run(loadgen(self.peers[0], "pin", "-connections", CONNECTIONS, "-from", self.next, "-count", count),
                              capture_output=True, text=True, check=True)
        result = json.loads(done.stdout)
        if result["errors"]:
            raise SystemExit(f"{self.flavour}: {result}")
        self.next += count
        took = self.wait_everywhere(self.peers, begin, limit)
        name = f"{count:,} more pins"
        self.row(f"{name}: taken at one peer after, s", f"{result['seconds']:.1f}")
        self.row(f"{name}: on all three peers after, s", f"{took:.1f}" if took else f"not within {limit}")

    def resources(self, name):
        self.row(f"RSS at {name}, MB", " / ".join(f"{p.process.rss()[0] / 1e6:.0f}" for p in self.peers))
        self.row(f"peak RSS at {name}, MB", " / ".join(f"{p.process.peak_rss() / 1e6:.0f}" for p in self.peers))
        self.row(f"folders at {name}, MB", " / ".join(f"{p.disk_bytes() / 1e6:.0f}" for p in self.peers))

    def settle(self):
        """Until every Kubo has been told everything."""
        limit = time.monotonic() + 600
        busy = list(self.peers)
        while busy and time.monotonic() < limit:
            busy = [p for p in busy if p.call("GET", "/pins?local=true&filter=pinning,pin_queued", timeout=300).status != 204]
            time.sleep(0.5 if busy else 0)

    def newcomer(self, limit):
        peer = self.add_peer()
        begin = time.monotonic()
        peer.start(wait=False)
        peer.wait_up(60)
        took = self.wait_everywhere([peer], begin, limit)
        self.row(f"an empty fourth peer has {self.next:,} pins after, s", f"{took:.1f}" if took else f"not within {limit}")

    def chain(self, count, limit):
        """The worst history for a newcomer: one change a node, each on top of the last."""
        done = subprocess.run(loadgen(self.peers[0], "pin", "-connections", 1, "-from", 0, "-count", count),
                              capture_output=True, text=True, check=True)
        if json.loads(done.stdout)["errors"]:
            raise SystemExit(f"{self.flavour}: {done.stdout}")
        self.next = count
        self.settle()
        peer = self.add_peer()
        begin = time.monotonic()
        peer.start()
        took = self.wait_everywhere([peer], begin, limit)
        self.row(f"an empty peer takes {count:,} changes of one pin each in, s", f"{took:.1f}" if took else f"not within {limit}")

    def run(self, sizes, limit, full):
        for size in sizes:
            self.pins(size - self.next, limit)
        self.settle()
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
    runs = {"ours, no setting touched": ("ours", {}, sizes),
            "Go, no setting touched": ("go", {}, sizes[:1]),
            "Go, batching": ("go", BATCHING, sizes)}
    out = tools.ROOT / "build" / "bench"
    out.mkdir(parents=True, exist_ok=True)
    results = {}
    for title, (flavour, settings, steps) in runs.items():
        if options.only and flavour != options.only:
            continue
        folder = pathlib.Path(tempfile.mkdtemp(prefix="ica-bench-", dir=out))
        lab = Lab(folder)
        try:
            print(title, flush=True)
            bench = Bench(lab, flavour, settings, lambda text: print(text, flush=True))
            results[title] = bench.rows
            bench.run(steps, options.limit, options.full and flavour == "ours")
            if options.chain and not settings:
                lab.close()
                alone = Bench(lab, flavour, settings, lambda text: print(text, flush=True), 1)
                alone.chain(options.chain, options.limit)
                results[title].update(alone.rows)
        except BaseException:
            print(lab.logs())
            raise
        finally:
            problems = lab.close()
            shutil.rmtree(folder)
        if problems:
            raise SystemExit("\n".join(problems))
    (out / "cluster.json").write_text(json.dumps(results, indent=1))
    names = list(dict.fromkeys(name for rows in results.values() for name in rows))
    print("\n| | " + " | ".join(results) + " |")
    print("|---|" + "---:|" * len(results))
    for name in names:
        print(f"| {name} | " + " | ".join(rows.get(name, "") for rows in results.values()) + " |")


if __name__ == "__main__":
    main()
