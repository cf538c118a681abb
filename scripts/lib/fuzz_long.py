"""Fuzzes each target until it has had its share of processor time; see scripts/fuzz --processor-seconds.

Slices of a few minutes, several targets at once with the lowest priority, so that it may run for days beside other
work and be ended at any moment (SIGINT; not SIGSTOP, which libFuzzer takes for an input that hangs): what each target has had is
kept in build/fuzz/spent.json after every slice.
"""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import threading

SLICE = 300
INTERRUPTED = 72  # libFuzzer's exit code after SIGINT
interrupted = threading.Event()
OPTIONS = ["-rss_limit_mb=2048", "-timeout=20", "-print_final_stats=1"]


class Ledger:
    """Processor seconds and runs that each target has had, in a file. Thread-safe."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.spent = json.load(open(path, encoding="utf-8")) if os.path.exists(path) else {}

    def seconds(self, target):
        return self.spent.get(target, {}).get("seconds", 0)

    def add(self, target, seconds, runs):
        with self.lock:
            entry = self.spent.setdefault(target, {"seconds": 0, "runs": 0})
            entry["seconds"] += seconds
            entry["runs"] += runs
            with open(self.path + ".new", "w", encoding="utf-8") as out:
                json.dump(self.spent, out, indent=1, sort_keys=True)
            os.replace(self.path + ".new", self.path)


def fuzz_slice(target, seconds):
    """One slice; returns its exit code, processor seconds and runs. Its log is build/fuzz/TARGET.log."""
    found = f"build/fuzz/corpus/{target}"
    seeds = f"tests/fuzz/corpus/{target}"
    os.makedirs(found, exist_ok=True)
    command = ["nice", "-n", "19", f"build/fuzz/bin/{target}_fuzz", f"-artifact_prefix=build/fuzz/crashes/{target}-",
               f"-max_total_time={seconds}", *OPTIONS, found]
    if os.path.isdir(seeds):
        command.append(seeds)
    log_path = f"build/fuzz/{target}.log"
    with open(log_path, "w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    with open(log_path, encoding="utf-8", errors="replace") as log:
        runs = re.search(r"stat::number_of_executed_units: *(\d+)", log.read())
    return process.returncode, usage.ru_utime + usage.ru_stime, int(runs[1]) if runs else 0


def fuzz(target, wanted, ledger):
    """All slices of a target; True when it had its time, False when it found something, None after an interruption."""
    while ledger.seconds(target) < wanted:
        if interrupted.is_set():
            return None
        left = wanted - ledger.seconds(target)
        code, seconds, runs = fuzz_slice(target, max(10, min(SLICE, int(left) + 1)))
        ledger.add(target, seconds, runs)
        if code == INTERRUPTED:
            interrupted.set()
            return None
        if code != 0:
            with open(f"build/fuzz/{target}.log", encoding="utf-8", errors="replace") as log:
                print(f"FAIL {target}", *log.read().splitlines()[-40:], sep="\n", flush=True)
            return False
    entry = ledger.spent[target]
    print(f"ok   {target}: {entry['runs']:,} runs in {entry['seconds']:,.0f} s of processor time", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("seconds", type=int)
    parser.add_argument("targets", nargs="+")
    options = parser.parse_args()
    os.makedirs("build/fuzz/crashes", exist_ok=True)
    ledger = Ledger("build/fuzz/spent.json")
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        outcomes = list(pool.map(lambda target: fuzz(target, options.seconds, ledger), options.targets))
    if None in outcomes:
        print("interrupted; the next run goes on from here")
    print(f"{outcomes.count(True)} passed, {outcomes.count(False)} failed")
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
