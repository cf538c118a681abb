"""Many connections at once: 2,000 with mixed calls, and 10,000 that never finish a request. See scripts/bench."""
import argparse
import json
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

from harness import tools
from harness.lab import Lab

PINS = 2_000
MIB = 1 << 20


def generator(peer, *argv):
    return [str(a) for a in (tools.tool_dir("lab") / "loadgen", "-addr", f"127.0.0.1:{peer.rest_port}", *argv)]


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


def measure(lab, flavour, args, log):
    kubo = lab.fake_kubo(start=False)
    kubo.start(state=False)
    # The allocator's metrics and the like stay as they are by default.
    peer = lab.peer(kubo, flavour, flavour, base={"cluster": {"mdns_interval": "0s"}})
    peer.wait_candidates()
    peer.allow_errors(".*")
    subprocess.run(generator(peer, "pin", "-count", PINS, "-connections", 32), check=True, stdout=subprocess.DEVNULL)
    rows = {}
    time.sleep(2)
    rows["RSS before, MB"] = f"{peer.process.rss()[0] / 1e6:.1f}"
    with Peak(peer.process) as peak:
        done = subprocess.run(generator(peer, "mixed", "-connections", args.connections, "-seconds", args.seconds, "-cids",
                                        PINS, "-pause", args.pause), check=True, capture_output=True, text=True)
    mixed = json.loads(done.stdout)
    rows[f"{args.connections} connections: calls/s"] = f"{mixed['per_second']:.0f}"
    rows["errors"] = f"{mixed['errors']}" + (f" ({mixed['first_error']})" if mixed["first_error"] else "")
    rows["429"] = str(mixed["too_many"])
    rows["reads p50 / p99 / max, ms"] = " / ".join(f"{mixed['reads'][q]:.1f}" for q in ("p50", "p99", "max"))
    rows["writes p50 / p99 / max, ms"] = " / ".join(f"{mixed['writes'][q]:.1f}" for q in ("p50", "p99", "max"))
    rows["RSS peak, MB"] = f"{peak.most / 1e6:.1f}"
    log(f"  {flavour}: {rows}")
    peer.stop()

    peer.start()
    peer.wait_candidates()
    latencies(peer, 20)
    before = peer.process.rss()[0]
    holder = subprocess.Popen(generator(peer, "hold", "-connections", args.held, "-seconds", 30), stdout=subprocess.PIPE,
                              text=True)
    try:
        holder.stdout.readline()
        with Peak(peer.process) as peak:
            times = latencies(peer, 100)
    finally:
        holder.terminate()
        holder.wait()
    rows[f"{args.held} unfinished requests: /id p50 / p99, ms"] = f"{times[50]:.1f} / {times[98]:.1f}"
    rows["RSS growth, MB"] = f"{(peak.most - before) / 1e6:.1f}"
    return rows, mixed, times, peak.most - before


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("ours", "go"))
    parser.add_argument("--connections", type=int, default=2_000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--pause", type=int, default=1_000, help="ms between the calls of one connection")
    parser.add_argument("--held", type=int, default=10_000)
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ica-bench-"))
    columns = {}
    for flavour in [args.only] if args.only else ["ours", "go"]:
        lab = Lab(folder / flavour)
        try:
            columns[flavour], *_ = measure(lab, flavour, args, lambda line: print(line, flush=True))
        finally:
            lab.close()
    shutil.rmtree(folder)
    print("\n| | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    names = list(dict.fromkeys(name for rows in columns.values() for name in rows))
    for name in names:
        print(f"| {name} | " + " | ".join(rows.get(name, "") for rows in columns.values()) + " |")


if __name__ == "__main__":
    main()
