"""Many connections at once: 2,000 with mixed calls, and 10,000 that never finish a request. See scripts/bench."""
import argparse
import json
import subprocess
import threading
import time

from harness import loadgen
from report import DEFAULTS, laboratory, print_now, report

PINS = 2_000


class Peak:
    """The largest resident memory while it runs."""

    def __init__(self, process):
        self.process, self.most, self.stop = process, 0, threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def _watch(self):
        while not self.stop.wait(0.1):
            self.most = max(self.most, self.process.rss()[0])

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def latencies(peer, count):
    """Milliseconds of GET /id on new connections, sorted."""
    found = []
    for _ in range(count):
        begin = time.perf_counter()
        assert peer.call("GET", "/id").status == 200
        found.append((time.perf_counter() - begin) * 1000)
        time.sleep(0.05)
    return sorted(found)


def measure(lab, flavour, args):
    kubo = lab.fake_kubo(start=False)
    kubo.start(state=False)
    peer = lab.peer(kubo, flavour, flavour, base=DEFAULTS)
    peer.wait_candidates()
    peer.allow_errors(".*")
    loadgen.run(peer, "pin", "-count", PINS, "-connections", 32)
    rows = {}
    time.sleep(2)
    rows["RSS before, MB"] = peer.process.rss()[0] / 1e6
    with Peak(peer.process) as peak:
        done = subprocess.run(loadgen.command(peer, "mixed", "-connections", args.connections, "-seconds", args.seconds, "-cids",
                                        PINS, "-pause", args.pause), check=True, capture_output=True, text=True)
    mixed = json.loads(done.stdout)
    rows[f"{args.connections:,} connections: calls/s"] = mixed["per_second"]
    rows["errors"] = f"{mixed['errors']} ({mixed['first_error']})" if mixed["first_error"] else mixed["errors"]
    rows["429"] = mixed["too_many"]
    for kind in ("reads", "writes"):
        for quantile in ("p50", "p99", "max"):
            rows[f"{kind} {quantile}, ms"] = mixed[kind][quantile]
    rows["RSS peak, MB"] = peak.most / 1e6
    print_now(f"  {flavour}: {rows}")
    peer.stop()

    peer.start()
    peer.wait_candidates()
    latencies(peer, 20)
    before = peer.process.rss()[0]
    holder = subprocess.Popen(loadgen.command(peer, "hold", "-connections", args.held, "-seconds", 30), stdout=subprocess.PIPE,
                              text=True)
    try:
        holder.stdout.readline()
        with Peak(peer.process) as peak:
            times = latencies(peer, 100)
    finally:
        holder.terminate()
        holder.wait()
    rows[f"{args.held:,} unfinished requests: GET /id p50, ms"] = times[50]
    rows[f"{args.held:,} unfinished requests: GET /id p99, ms"] = times[98]
    rows[f"{args.held:,} unfinished requests: growth of RSS, MB"] = (peak.most - before) / 1e6
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("ours", "go"))
    parser.add_argument("--connections", type=int, default=2_000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--pause", type=int, default=1_000, help="ms between the calls of one connection")
    parser.add_argument("--held", type=int, default=10_000)
    args = parser.parse_args()
    results = {}
    for flavour in [args.only] if args.only else ["ours", "go"]:
        with laboratory() as lab:
            results[flavour] = measure(lab, flavour, args)
    report("crowd", results)


if __name__ == "__main__":
    main()
