"""All measurements, ours and the reference side by side, written to docs/benchmarks.md with plots. See scripts/bench.

Each bench measures both parties in the same run; rounds repeat whole benches, so that a figure has a median and a spread.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

from harness import tools
from plot import chart
from report import OUT, TITLES, cell, print_now

HERE = pathlib.Path(__file__).resolve().parent
DOCS = tools.ROOT / "docs"
ROUNDS = 3
# Bench: title, arguments, arguments of a short run.
BENCHES = {
    "single": ("One peer", ["--full"], []),
    "cluster": ("Three peers, one pinset", [], ["--sizes", "2000"]),
    "cluster_status": ("`GET /pins` over three peers", [], ["--pins", "10000"]),
    "repin": ("A peer of three is lost", [], ["--count", "200"]),
    "add": ("Uploads", [], ["--mib", "64"]),
    "crowd": ("Crowds", [], ["--seconds", "10"]),
    "growth": ("Growth", [], ["--sizes", "1000,10000", "--peers", "3"]),
}
ONE_ROUND = ("growth",)  # many points of their own

# Aims of the project: (bench, row, kind, value). at most / at least: ours; times: ours divided by the reference's;
# share: ours is at most that part of the reference's.
AIMS = [
    ("single", "RSS idle, MB", "at most", 24),
    ("single", "anonymous memory idle, MB", "at most", 8),
    ("single", "start to first /id, ms", "at most", 50),
    ("single", "folder when empty, MB", "at most", 1),
    ("single", "pins/s, 32 connections", "times", 5),
    ("single", "pins/s, 256 connections", "times", 5),
    ("single", "GET /allocations at 100,000, lines/s", "times", 3),
    ("single", "GET /pins at 100,000, lines/s", "times", 20),
    ("single", "GET /pins at 100,000, first byte ms", "at most", 20),
    ("single", "folder at 100,000, MB", "at most", 60),
    ("single", "GET /pins at 1,000,000, first byte ms", "at most", 20),
    ("single", "RSS at 1,000,000 after listings, MB", "at most", 96),
    ("single", "SIGTERM to exit, s", "at most", 2),
    ("cluster", "2,000 more pins: on all 3 peers after, s", "at most", 2),
    ("cluster", "20,000 more pins: on all 3 peers after, s", "at most", 5),
    ("cluster", "100,000 more pins: on all 3 peers after, s", "at most", 20),
    ("cluster", "RSS at 122,000, MB", "at most", 80),
    ("cluster", "folders at 122,000, MB", "at most", 73),  # 60 at 100,000
    ("cluster", "an empty fourth peer has 122,000 pins after, s", "at most", 10),
    ("cluster_status", "best, lines/s", "times", 10),
    ("cluster_status", "listing 2: first byte, ms", "at most", 50),
    ("cluster_status", "listing 2: growth of the asked peer, MB", "at most", 8),
    ("repin", "200 pins, ping every 2 s: last copy back after, s", "at most", 13),
    ("repin", "100,000 pins, ping every 2 s: re-allocated, pins/s", "at least", 2000),
    ("repin", "100,000 pins, ping every 2 s: GET /id p99 while they are re-allocated, ms", "at most", 50),
    ("add", "median, MiB/s", "times", 3),
    ("crowd", "reads p99, ms", "at most", 100),
    ("crowd", "RSS peak, MB", "at most", 128),
    ("crowd", "10,000 unfinished requests: GET /id p99, ms", "at most", 25),
    ("crowd", "10,000 unfinished requests: growth of RSS, MB", "at most", 40),
    ("growth", "RSS of a peer of 30, median, MB", "at most", 32),
    ("growth", "GET /pins?filter=error with 100 errors at 1,000,000, p99 ms", "at most", 20),
]
PLOTS = [
    ("rss", "Resident memory of one peer", "pins", "MB", r"RSS at ([\d,]+) after listings, MB"),
    ("folder", "Data folder of one peer", "pins", "MB", r"folder at ([\d,]+), MB"),
    ("allocations", "GET /allocations", "pins", "lines/s", r"GET /allocations at ([\d,]+), lines/s"),
    ("pins", "GET /pins", "pins", "lines/s", r"GET /pins at ([\d,]+), lines/s"),
    ("first-byte", "GET /pins, first byte", "pins", "ms", r"GET /pins at ([\d,]+), first byte ms"),
    ("errors", "GET /pins?filter=error with 100 errors, p99", "pins", "ms", r"with 100 errors at ([\d,]+), p99 ms"),
    ("spread", "2,000 pins are on all peers", "peers", "s", r"2,000 pins on all of (\d+) peers after, s"),
    ("peers-rss", "Resident memory of a peer with 2,000 pins", "peers", "MB", r"RSS of a peer of (\d+), median, MB"),
]


def one(value):
    """A number for statistics: of several peers the worst; None for a sentence."""
    if isinstance(value, list):
        return max(value)
    return value if isinstance(value, (int, float)) else None


def gather(rounds):
    """{column: {row: {"median", "low", "high"} or a sentence}} of the results of some rounds."""
    found = {}
    for result in rounds:
        for column, rows in result.items():
            for name, value in rows.items():
                found.setdefault(column, {}).setdefault(name, []).append(value)
    for rows in found.values():
        for name, values in rows.items():
            numbers = [n for n in map(one, values) if n is not None]
            rows[name] = values[-1] if len(numbers) < len(values) else {
                "median": statistics.median(numbers), "low": min(numbers), "high": max(numbers)}
    return found


def median(rows, name):
    value = rows.get(name)
    return value["median"] if isinstance(value, dict) else None


def spread(value):
    if not isinstance(value, dict):
        return cell(value)
    if value["low"] == value["high"]:
        return cell(value["median"])
    return f"{cell(value['median'])} ({cell(value['low'])} to {cell(value['high'])})"


def ratio(ours, theirs):
    return f"{cell(ours / theirs)}×" if ours is not None and theirs else ""


def section(name, found):
    columns = list(found)
    names = list(dict.fromkeys(n for rows in found.values() for n in rows))
    lines = [f"## {BENCHES[name][0]}", "", "| | " + " | ".join(TITLES.get(c, c) for c in columns) + " | ours / reference |",
             "|---|" + "---:|" * (len(columns) + 1)]
    for row in names:
        lines.append(f"| {row} | " + " | ".join(spread(found[c].get(row)) for c in columns) + " | "
                     + ratio(median(found.get("ours", {}), row), median(found.get("go", {}), row)) + " |")
    return lines + [""]


def judge(found):
    """Lines of the table of aims, and how many hold."""
    lines, held, asked = ["| aim | ours | reference | holds |", "|---|---:|---:|---|"], 0, 0
    for bench, row, kind, value in AIMS:
        ours = median(found.get(bench, {}).get("ours", {}), row)
        theirs = median(found.get(bench, {}).get("go", {}), row)
        if ours is None or (kind == "times" and not theirs):
            continue
        good = {"at most": lambda: ours <= value, "at least": lambda: ours >= value, "times": lambda: ours >= value * theirs}[kind]()
        asked, held = asked + 1, held + good
        text = f"{value}× the reference's" if kind == "times" else f"{kind} {value:,}"
        lines.append(f"| {BENCHES[bench][0]}: {row}: {text} | {cell(ours)} | {cell(theirs)} | {'yes' if good else '**no**'} |")
    return lines, held, asked


def points(rows, pattern):
    found = []
    for name in rows:
        if match := re.fullmatch(pattern, name):
            if (value := median(rows, name)) and value > 0:
                found.append((int(match[1].replace(",", "")), value))
    return sorted(found)


def plots(growth):
    lines = []
    folder = DOCS / "benchmarks"
    folder.mkdir(exist_ok=True)
    for name, title, x_label, y_label, pattern in PLOTS:
        series = {TITLES[c]: found for c, rows in growth.items() if len(found := points(rows, pattern)) > 1}
        if series:
            (folder / f"{name}.svg").write_text(chart(title, x_label, y_label, series))
            lines += [f"![{title}](benchmarks/{name}.svg)", ""]
    return lines


def line_through(found):
    """Least squares a + b·x."""
    xs, ys = [x for x, _ in found], [y for _, y in found]
    mx, my = statistics.mean(xs), statistics.mean(ys)
    b = sum((x - mx) * (y - my) for x, y in found) / sum((x - mx) ** 2 for x in xs)
    return my - b * mx, b


def model(growth):
    """What more would cost: straight lines through the smaller sizes, checked at the largest one that was measured."""
    lines = ["## A model of more", "",
             "A straight line through the smaller sizes tells the largest one that was measured; its error says how far to trust the rest.", "",
             "| ours | line | told for the largest measured | measured | for 100 M pins or 1,000 peers |", "|---|---|---:|---:|---:|"]
    for title, pattern, unit, more in (("folder", r"folder at ([\d,]+), MB", "MB", 100_000_000),
                                       ("RSS after listings", r"RSS at ([\d,]+) after listings, MB", "MB", 100_000_000),
                                       ("RSS of a peer among N", r"RSS of a peer of (\d+), median, MB", "MB", 1_000),
                                       ("CPU of an idle peer among N", r"CPU of an idle peer of (\d+), ms a second", "ms/s", 1_000),
                                       ("2,000 pins on all of N peers", r"2,000 pins on all of (\d+) peers after, s", "s", 1_000)):
        found = points(growth.get("ours", {}), pattern)
        if len(found) < 3:
            continue
        a, b = line_through(found[:-1])
        x, y = found[-1]
        a_all, b_all = line_through(found)
        lines.append(f"| {title}, {unit} | {a_all:.3g} + {b_all:.3g} × N | {cell(a + b * x)} at {x:,} | {cell(y)} | {cell(a_all + b_all * more)} |")
    return lines + [""]


def command(*argv):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "unknown"


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    processor = re.search(r"model name\s*:\s*(.*)", info)
    memory = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) / 1e6
    system = dict(re.findall(r'^(\w+)="?(.*?)"?$', pathlib.Path("/etc/os-release").read_text(), re.M))
    return (f"{processor[1] if processor else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB of memory, "
            f"{system.get('PRETTY_NAME', 'Linux')}, Linux {platform.release()}; {command('c++', '--version')}; {command('go', 'version')}")


def document(found, rounds, short):
    """rounds: {bench: how many}"""
    aims, held, asked = judge(found)
    ours = command(str(tools.ROOT / "build" / "release" / "bin" / "ipfs-cluster-agent"), "--version")
    lines = ["# Side by side with the reference", "",
             "Written by `scripts/bench compare`; do not edit. Where we lose or miss an aim, `docs/measurements.md` says why.", "",
             f"* Date: {datetime.date.today()}. Machine: {machine()}.",
             f"* Ours: {ours}, release build, default settings. Reference: ipfs-cluster-service 1.1.6, built from its Go module. Kubo: 0.43.0, or a stand-in that answers at once.",
             f"* Method: each bench measures both parties one after the other in the same run, on loopback. Median of the rounds, with lowest and highest in brackets; of several peers the worst counts. Rounds: "
             + ", ".join(f"{name} {count}" for name, count in rounds.items()) + "."
             + (" **A short run: sizes are smaller than usual.**" if short else ""),
             "", f"{held} of {asked} aims hold.", ""] + aims + [""]
    for name in BENCHES:
        if name in found:
            lines += section(name, found[name])
    if "growth" in found:
        lines += plots(found["growth"]) + model(found["growth"])
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--short", action="store_true", help="small sizes, to try it out")
    parser.add_argument("--benches", default=",".join(BENCHES), help="some of: " + ",".join(BENCHES))
    parser.add_argument("--again", action="store_true", help="keep earlier results of the other benches")
    options = parser.parse_args()
    kept = OUT / "compare.json"
    results = json.loads(kept.read_text()) if options.again and kept.exists() else {}
    for name in options.benches.split(","):
        _, full, short = BENCHES[name]
        results[name] = []
        for number in range(1 if name in ONE_ROUND else options.rounds):
            print_now(f"== {name}, round {number + 1}")
            (OUT / f"{name}.json").unlink(missing_ok=True)
            done = subprocess.run([sys.executable, HERE / f"{name}.py", *(short if options.short else full)], check=False)
            if done.returncode:
                print_now(f"== {name} failed; it is left out of this round")
                continue
            results[name].append(json.loads((OUT / f"{name}.json").read_text()))
            kept.write_text(json.dumps(results, indent=1))
    found = {name: gather(rounds) for name, rounds in results.items() if rounds}
    (DOCS / "benchmarks.md").write_text(document(found, {name: len(rounds) for name, rounds in results.items() if rounds}, options.short))
    print_now(f"\n{DOCS / 'benchmarks.md'} is written")


if __name__ == "__main__":
    main()
