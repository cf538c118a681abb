"""What all measurements share: where they run, how they load a peer, and how they tell what they found.

A result is {column: {row: value}}: a column is a party ("ours", "go", ...), a value is a number, a list of numbers (one for
each peer, say) or a sentence ("not within 300 s").
"""
import contextlib
import json
import pathlib
import shutil
import tempfile

from harness import tools
from harness.lab import Lab

OUT = tools.ROOT / "build" / "bench"
TITLES = {"ours": "ipfs-cluster-agent", "go": "ipfs-cluster-service 1.1.6", "kubo": "straight into Kubo"}
# As a user has it, but for the search of neighbours, which would find the other party.
DEFAULTS = {"cluster": {"mdns_interval": "0s"}}


def print_now(text):
    print(text, flush=True)


def has_work(peer):
    """Whether its Kubo has still to be told something. Ours is asked for its counts, so that looking costs nothing."""
    if peer.flavour == "ours":
        status = peer.call("GET", "/health/summary").json()["status"]
        return status.get("pinning", 0) + status.get("pin_queued", 0) > 0
    return peer.call("GET", "/pins?local=true&filter=pinning,pin_queued", timeout=300).status != 204


@contextlib.contextmanager
def laboratory():
    """A Lab in a folder of its own. A failure shows the logs; leftovers and crashes end the measurement."""
    OUT.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ica-bench-", dir=OUT))
    lab = Lab(folder)
    try:
        yield lab
    except BaseException:
        print_now(lab.logs())
        raise
    finally:
        problems = lab.close()
        shutil.rmtree(folder)
    if problems:
        raise SystemExit("\n".join(problems))


def cell(value):
    """A value as people read it: three digits that count, thousands apart."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return " / ".join(cell(v) for v in value)
    if value == 0 or abs(value) >= 100 or isinstance(value, int):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(results, corner=""):
    """Markdown lines."""
    lines = [f"| {corner} | " + " | ".join(TITLES.get(c, c) for c in results) + " |", "|---|" + "---:|" * len(results)]
    for name in dict.fromkeys(name for rows in results.values() for name in rows):
        lines.append(f"| {name} | " + " | ".join(cell(rows.get(name)) for rows in results.values()) + " |")
    return lines


def report(name, results, corner=""):
    """Keeps the result for scripts/bench compare and prints it."""
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.json").write_text(json.dumps(results, indent=1))
    print_now("\n" + "\n".join(table(results, corner)))
