"""One peer, alone, with default settings beside a stand-in for Kubo that answers at once. See scripts/bench."""
import argparse
import json
import pathlib
import shutil
import subprocess
import tempfile
import time

from harness import tools
from harness.lab import Lab
from harness.wait import wait_until

DEFAULTS = {"cluster": {"mdns_interval": "0s"}}
ERRORS = 2_000


def loadgen(peer, *argv):
    command = [tools.tool_dir("lab") / "loadgen", "-addr", f"127.0.0.1:{peer.rest_port}", *map(str, argv)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    if result.get("errors") or result.get("error"):
        raise SystemExit(f"{peer.name}: {argv}: {result}")
    return result


class Bench:
    def __init__(self, lab, flavour, log):
        self.rows, self.next, self.log = {}, 0, log
        self.kubo = lab.fake_kubo(start=False)
        self.kubo.start(state=False)
        self.peer = lab.peer(self.kubo, flavour, flavour, start=False, base=DEFAULTS)
        self.peer.allow_errors(".*")  # the bench makes pins fail on purpose

    def row(self, name, value):
        self.rows[name] = value
        self.log(f"  {self.peer.flavour}: {name}: {value}")

    def memory(self, name):
        total, anonymous = self.peer.process.rss()
        self.row(f"RSS {name}, MB (anonymous)", f"{total / 1e6:.1f} ({anonymous / 1e6:.1f})")

    def start(self, name):
        begin = time.monotonic()
        self.peer.start(wait=False)
        self.peer.wait_up(300, 0.002)
        self.row(f"start to first /id{name}, ms", f"{(time.monotonic() - begin) * 1000:.0f}")

    def pins(self, count, connections):
        result = loadgen(self.peer, "pin", "-connections", connections, "-from", self.next, "-count", count)
        self.next += count
        return result

    def settle(self):
        """Until Kubo has been told everything: listings and memory of work in progress are another matter."""
        wait_until(lambda: self.peer.call("GET", "/pins?local=true&filter=pinning,pin_queued", timeout=300).status == 204,
                   1800, "every pin is done", 0.5)

    def listing(self, path, name):
        result = loadgen(self.peer, "list", "-path", path)
        self.row(f"GET {path} at {name}, lines/s", f"{result['lines_per_second']:,.0f}")
        self.row(f"GET {path} at {name}, first byte ms", f"{result['first_byte_ms']:.1f}")
        return result["lines"]

    def at(self, name):
        """What is measured at every size of the pinset."""
        self.settle()
        for path in ("/allocations", "/pins"):
            lines = self.listing(path, name)
            if lines != self.next:
                raise SystemExit(f"{self.peer.name}: {path} has {lines} lines, expected {self.next}")
        self.memory(f"at {name} after listings")
        self.row(f"folder at {name}, MB", f"{self.peer.disk_bytes() / 1e6:.1f}")

    def run(self, full):
        self.start("")
        self.peer.wait_candidates(1, 120)
        end = time.monotonic() + 5
        wait_until(lambda: time.monotonic() > end, 10, "five idle seconds pass", 0.2)
        self.memory("idle")
        self.row("folder when empty, MB", f"{self.peer.disk_bytes() / 1e6:.2f}")
        for connections, count in ((1, 1_000), (32, 9_000), (256, 10_000)):
            result = self.pins(count, connections)
            self.row(f"pins/s, {connections} connections", f"{result['per_second']:,.0f}")
            self.row(f"pin p99, {connections} connections, ms", f"{result['p99_ms']:.1f}")
        self.at("20,000")
        self.pins(100_000 - self.next, 64)
        self.at("100,000")
        self.kubo.mode("refusepins")
        self.pins(ERRORS, 64)
        wait_until(lambda: loadgen(self.peer, "list", "-path", "/pins?filter=error")["lines"] == ERRORS, 300,
                   f"{ERRORS} pins in error", 1)
        self.listing("/pins?filter=error", f"{ERRORS:,} of {self.next:,}")
        self.kubo.mode("ok")
        if full:
            self.pins(1_000_000 - self.next, 64)
            self.settle_errors()
            self.at("1,000,000")
        self.row("peak RSS, MB", f"{self.peer.process.peak_rss() / 1e6:.1f}")
        self.peer.stop(120)
        self.row("SIGTERM to exit, s", f"{self.peer.process.stop_time:.2f}")
        self.start(f" with {self.next:,} pins")
        self.peer.stop(120)

    def settle_errors(self):
        self.peer.call("POST", "/pins/recover", timeout=600)
        wait_until(lambda: self.peer.call("GET", "/pins?filter=error", timeout=300).status == 204, 600, "errors recover", 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--go-full", action="store_true")
    parser.add_argument("--only", choices=("ours", "go"))
    options = parser.parse_args()
    out = tools.ROOT / "build" / "bench"
    out.mkdir(parents=True, exist_ok=True)
    results = {}
    for flavour in [options.only] if options.only else ["ours", "go"]:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="ica-bench-", dir=out))
        lab = Lab(folder)
        try:
            bench = Bench(lab, flavour, lambda text: print(text, flush=True))
            results[flavour] = bench.rows
            bench.run(options.go_full if flavour == "go" else options.full)
        except BaseException:
            print(lab.logs())
            raise
        finally:
            problems = lab.close()
            shutil.rmtree(folder)
        if problems:
            raise SystemExit("\n".join(problems))
    (out / "single.json").write_text(json.dumps(results, indent=1))
    titles = {"ours": "ipfs-cluster-agent", "go": "ipfs-cluster-service 1.1.6"}
    names = list(dict.fromkeys(name for rows in results.values() for name in rows))
    print("\n| | " + " | ".join(titles[f] for f in results) + " |")
    print("|---|" + "---:|" * len(results))
    for name in names:
        print(f"| {name} | " + " | ".join(rows.get(name, "") for rows in results.values()) + " |")


if __name__ == "__main__":
    main()
