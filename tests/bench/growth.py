"""How the costs grow with the pinset and with the number of peers. See scripts/bench.

Pinset: one peer beside an instant stand-in for Kubo. Peers: that many, each beside such a stand-in; 2,000 pins go in at one.
"""
import argparse
import re
import time

from cluster import Bench as Cluster
from report import laboratory, print_now, report
from single import Bench as Single

PINS = 2_000
# Peers have greeted each other, then whole turns of all that is done every 15 and every 30 s.
GREETING_SECONDS = 20
IDLE_SECONDS = 60


def pinset(lab, flavour, sizes):
    bench = Single(lab, flavour)
    bench.idle()
    for size in sizes:
        bench.pins(size - bench.next, 64)
        bench.at(f"{size:,}")
        bench.few_errors(f"{size:,}")
    bench.peer.stop(120)
    return {name: value for name, value in bench.rows.items() if re.search(r" at [\d,]+", name)}


def peers(lab, flavour, count):
    bench = Cluster(lab, flavour, {}, count)
    time.sleep(GREETING_SECONDS)
    begin = [peer.process.cpu_seconds() for peer in bench.peers]
    time.sleep(IDLE_SECONDS)
    idle = [peer.process.cpu_seconds() - b for peer, b in zip(bench.peers, begin)]
    bench.pins(PINS, 300)
    took = bench.rows[f"{PINS:,} more pins: on all {count} peers after, s"]
    memory = sorted(peer.process.rss()[0] / 1e6 for peer in bench.peers)
    rows = {f"{PINS:,} pins on all of {count} peers after, s": took,
            f"RSS of a peer of {count}, median, MB": memory[count // 2],
            f"CPU of an idle peer of {count}, ms a second": sum(idle) / count / IDLE_SECONDS * 1000}
    for name, value in rows.items():
        print_now(f"  {flavour}: {name}: {value}")
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=("ours", "go"))
    parser.add_argument("--sizes", default="1000,10000,100000,1000000", help="the reference stops at 100,000")
    parser.add_argument("--peers", default="3,5,10,30", help="the reference stops at 10")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",") if size]
    counts = [int(count) for count in options.peers.split(",") if count]
    results = {}
    for flavour in [options.only] if options.only else ["ours", "go"]:
        rows = results.setdefault(flavour, {})
        with laboratory() as lab:
            rows.update(pinset(lab, flavour, [s for s in sizes if flavour == "ours" or s <= 100_000]))
        for count in counts:
            if flavour == "go" and count > 10:
                continue
            with laboratory() as lab:
                rows.update(peers(lab, flavour, count))
    report("growth", results)


if __name__ == "__main__":
    main()
