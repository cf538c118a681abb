"""One peer, alone, with default settings beside a stand-in for Kubo that answers at once. See scripts/bench."""
import argparse
import time

from harness.wait import wait_until
from harness import loadgen
from report import DEFAULTS, cell, has_work, laboratory, print_now, report

ERRORS = 2_000
FEW_ERRORS = 100


class Bench:
    def __init__(self, lab, flavour):
        self.rows, self.next = {}, 0
        self.kubo = lab.fake_kubo(start=False)
        self.kubo.start(state=False)
        self.peer = lab.peer(self.kubo, flavour, flavour, start=False, base=DEFAULTS)
        self.peer.allow_errors(".*")  # the bench makes pins fail on purpose

    def row(self, name, value):
        self.rows[name] = value
        print_now(f"  {self.peer.flavour}: {name}: {cell(value)}")

    def memory(self, name):
        total, anonymous = self.peer.process.rss()
        self.row(f"RSS {name}, MB", total / 1e6)
        self.row(f"anonymous memory {name}, MB", anonymous / 1e6)

    def start(self, name):
        begin = time.monotonic()
        self.peer.start(wait=False)
        self.peer.wait_up(300, 0.002)
        self.row(f"start to first /id{name}, ms", (time.monotonic() - begin) * 1000)

    def pins(self, count, connections):
        result = loadgen.run(self.peer, "pin", "-connections", connections, "-from", self.next, "-count", count)
        self.next += count
        return result

    def settle(self):
        """Until Kubo has been told everything: listings and memory of work in progress are another matter."""
        wait_until(lambda: not has_work(self.peer), 1800, "every pin is done", 0.5)

    def listing(self, path, name):
        """The median of three: the database may still be merging what was written before."""
        results = [loadgen.run(self.peer, "list", "-path", path) for _ in range(3)]
        result = sorted(results, key=lambda one: one["lines_per_second"])[1]
        self.row(f"GET {path} at {name}, lines/s", result["lines_per_second"])
        self.row(f"GET {path} at {name}, first byte ms", result["first_byte_ms"])
        return result["lines"]

    def at(self, name):
        """What is measured at every size of the pinset."""
        self.settle()
        for path in ("/allocations", "/pins"):
            lines = self.listing(path, name)
            if lines != self.next:
                raise SystemExit(f"{self.peer.name}: {path} has {lines} lines, expected {self.next}")
        self.memory(f"at {name} after listings")
        self.row(f"folder at {name}, MB", self.peer.disk_bytes() / 1e6)

    def fail_pins(self, count):
        """That many more pins that Kubo refuses."""
        self.kubo.mode("refusepins")
        self.pins(count, 64)
        wait_until(lambda: loadgen.run(self.peer, "list", "-path", "/pins?filter=error")["lines"] == count, 300,
                   f"{count} pins in error", 1)
        self.kubo.mode("ok")

    def few_errors(self, name):
        """Do a few lines cost what is asked for, or what there is?"""
        self.fail_pins(FEW_ERRORS)
        took = loadgen.Pings(self.peer, "/pins?filter=error", 10).after(5)
        self.row(f"GET /pins?filter=error with {FEW_ERRORS} errors at {name}, p99 ms", took["p99"])
        self.settle_errors()

    def idle(self):
        self.start("")
        self.peer.wait_candidates(1, 120)
        end = time.monotonic() + 5
        wait_until(lambda: time.monotonic() > end, 10, "five idle seconds pass", 0.2)
        self.memory("idle")
        self.row("folder when empty, MB", self.peer.disk_bytes() / 1e6)

    def run(self, full):
        self.idle()
        for connections, count in ((1, 1_000), (32, 9_000), (256, 10_000)):
            result = self.pins(count, connections)
            self.row(f"pins/s, {connections} connections", result["per_second"])
            self.row(f"pin p99, {connections} connections, ms", result["p99_ms"])
        self.at("20,000")
        self.pins(100_000 - self.next, 64)
        self.at("100,000")
        self.fail_pins(ERRORS)
        self.listing("/pins?filter=error", f"{ERRORS:,} of {self.next:,}")
        if full:
            self.pins(1_000_000 - self.next, 64)
            self.settle_errors()
            self.at("1,000,000")
        self.row("peak RSS, MB", self.peer.process.peak_rss() / 1e6)
        self.peer.stop(120)
        self.row("SIGTERM to exit, s", self.peer.process.stop_time)
        self.start(f" with {self.next:,} pins")
        self.peer.stop(120)

    def settle_errors(self):
        self.peer.call("POST", "/pins/recover", timeout=600)
        wait_until(lambda: self.peer.call("GET", "/pins?filter=error", timeout=300).status == 204, 600, "errors recover", 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true", help="ours goes on to a million pins")
    parser.add_argument("--go-full", action="store_true", help="the reference too")
    parser.add_argument("--only", choices=("ours", "go"))
    options = parser.parse_args()
    results = {}
    for flavour in [options.only] if options.only else ["ours", "go"]:
        with laboratory() as lab:
            bench = Bench(lab, flavour)
            results[flavour] = bench.rows
            bench.run(options.go_full if flavour == "go" else options.full)
    report("single", results)


if __name__ == "__main__":
    main()
