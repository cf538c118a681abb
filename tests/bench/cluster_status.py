"""GET /pins over three peers of one kind with the same pinset, beside stand-ins for Kubo. See scripts/bench."""
import argparse
import json
import shutil
import subprocess
import threading

from harness.pins import cid_of
from harness.wait import wait_until
from harness import loadgen
from report import cell, has_work, laboratory, print_now, report

SETTINGS = {"cluster": {"mdns_interval": "0s"}, "monitor/pubsubmon": {"check_interval": "5s"}}
ROUNDS = 3


def pin_document(number):
    return json.dumps({"cid": cid_of(number), "name": f"pin {number}", "type": "pin", "mode": "recursive", "max_depth": -1,
                       "replication_factor_min": -1, "replication_factor_max": -1, "allocations": [],
                       "timestamp": "2026-01-02T03:04:05Z"})


class Watch(threading.Thread):
    """The most memory that a process has while something happens."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.over = process, threading.Event()
        self.before, self.most = process.rss()[0], 0

    def __enter__(self):
        self.start()
        return self

    def run(self):
        while not self.over.wait(0.02):
            self.most = max(self.most, self.process.rss()[0])

    def __exit__(self, *_):
        self.most = max(self.most, self.process.rss()[0])
        self.over.set()
        self.join()

    @property
    def growth(self):
        return (self.most - self.before) / 1e6


def fill(peers, count, folder):
    """The same pinset in every peer and in every Kubo."""
    kubos = [peer.kubo for peer in peers]
    for kubo in kubos:
        (kubo.folder / "pins").write_text("".join(f"+ {cid_of(n)} recursive\n" for n in range(count)))
        kubo.start()
    file = folder / "pinset"
    file.write_text("\n".join(pin_document(n) for n in range(count)) + "\n")
    first = peers[0]
    done = subprocess.run([first.program_path(), "--config", first.config_dir, "state", "import", "-f", file], env=first.env,
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"state import: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    for other in peers[1:]:
        for path in first.config_dir.iterdir():
            if path.is_dir():
                shutil.copytree(path, other.config_dir / path.name, dirs_exist_ok=True)


def run(lab, flavour, count):
    rows = {}

    def row(name, value):
        rows[name] = value
        print_now(f"  {flavour}: {name}: {cell(value)}")
    peers = [lab.peer(lab.fake_kubo(start=False), flavour, f"{flavour}{n}", start=False, base=SETTINGS) for n in range(3)]
    for peer in peers:
        peer.configure({"cluster": {"peer_addresses": [p.swarm_multiaddr for p in peers if p is not peer]}})
    fill(peers, count, lab.folder)
    for peer in peers:
        peer.start(wait=False)
    for peer in peers:
        peer.wait_up(300)
    for peer in peers:
        peer.wait_candidates(3, 120)
        wait_until(lambda p=peer: not has_work(p), 1800, f"{peer.name} is done pinning", 1)

    def complete():
        answer = peers[0].call("GET", f"/pins/{cid_of(0)}").json()["peer_map"]
        return len(answer) == 3 and all(e["status"] == "pinned" for e in answer.values())
    wait_until(complete, 120, "all three answer", 0.5)
    best = None
    for round_ in range(ROUNDS):
        with Watch(peers[0].process) as watch:
            result = loadgen.run(peers[0], "list", "-path", "/pins")
        if result["lines"] != count:
            raise SystemExit(f"{flavour}: {result['lines']} lines, expected {count}")
        row(f"listing {round_ + 1}: lines/s", result["lines_per_second"])
        row(f"listing {round_ + 1}: first byte, ms", result["first_byte_ms"])
        row(f"listing {round_ + 1}: growth of the asked peer, MB", watch.growth)
        best = max(best or 0, result["lines_per_second"])
    row("best, lines/s", best)
    row("RSS of the asked peer afterwards, MB", peers[0].process.rss()[0] / 1e6)
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pins", type=int, default=100_000)
    parser.add_argument("--only", choices=("ours", "go"))
    options = parser.parse_args()
    results = {}
    for flavour in [options.only] if options.only else ["ours", "go"]:
        with laboratory() as lab:
            results[flavour] = run(lab, flavour, options.pins)
    report("cluster_status", results, f"three peers, {options.pins:,} pins")


if __name__ == "__main__":
    main()
