"""A peer is lost: how long until every pin has its copies again. Three peers beside stand-ins for Kubo. See scripts/bench.

The reference does it only when disable_repinning is false, which is set for it here.
"""
import argparse
import contextlib
import time

from harness import http, loadgen
from harness.wait import wait_until
from report import cell, laboratory, print_now, report

GRACE = 5
MANY = 5_000


def settings(ping):
    return {
        "cluster": {"mdns_interval": "0s", "monitor_ping_interval": f"{ping}s", "replication_factor_min": 2,
                    "replication_factor_max": 2, "disable_repinning": False},
        "informer/disk": {"metric_ttl": "10s"},
        "informer/tags": {"metric_ttl": "10s"},
        "agent": {"repin_grace": f"{GRACE}s"},
    }


def copies(peers):
    """Pins that these peers hold, summed up. Ours is asked for its count, so that looking costs nothing."""
    total = 0
    for peer in peers:
        if peer.flavour == "ours":
            total += peer.call("GET", "/health/summary").json()["status"].get("pinned", 0)
            continue
        total += loadgen.run(peer, "list", "-path", "/pins?local=true&filter=pinned")["lines"]
    return total


def lost_pins(peer, lost):
    """Pins that are still allocated to the lost peer."""
    answer = http.request(peer.rest_port, "GET", "/allocations", timeout=600)
    return sum(1 for line in answer.body.splitlines() if lost.id.encode() in line)


def left(rest, lost, before):
    """The same while pins get new places. Of many pins ours is asked for its count, so that looking costs nothing."""
    if lost.flavour != "ours" or before < MANY:
        return lost_pins(rest[0], lost)
    entries = [entry for peer in rest for entry in peer.call("GET", "/repin").json()["lost"]]
    return before - sum(entry["moved"] for entry in entries if entry["peer"] == lost.id)


def run(lab, flavour, count, ping, deadline):
    kubos = []
    for _ in range(3):
        kubo = lab.fake_kubo(start=False)
        kubo.start(state=False)
        kubos.append(kubo)
    peers = [lab.peer(kubos[n], flavour, f"{flavour}{n}", settings(ping), start=False, base={}) for n in range(3)]
    for peer in peers:
        peer.allow_errors(".*")
        peer.configure({"cluster": {"peer_addresses": [p.swarm_multiaddr for p in peers if p is not peer]}})
    for peer in peers:
        peer.start()
    for peer in peers:
        peer.wait_candidates(3, 180)
    rows = {}
    begin = time.monotonic()
    loadgen.run(peers[0], "pin", "-connections", 64, "-count", count)
    wait_until(lambda: copies(peers) == 2 * count, deadline, "every pin has two copies", 0.5 if count < MANY else 3)
    rows["placed, s"] = time.monotonic() - begin
    # One that pins were given to: with few pins and the same free space everywhere a peer may have got none.
    lost = max(peers[1:], key=lambda peer: lost_pins(peers[0], peer))
    rest = [peer for peer in peers if peer is not lost]
    before = lost_pins(rest[0], lost)
    lost.process.kill()
    begin = time.monotonic()
    try:
        wait_until(lambda: left(rest, lost, before) < before, deadline, "re-allocation begins", 0.05)
        with contextlib.ExitStack() as stack:
            meanwhile = stack.enter_context(loadgen.Pings(rest[0], "/id", 100))
            at_first = stack.enter_context(loadgen.Pings(rest[0], "/id", 100))
            first = time.monotonic()
            wait_until(lambda: left(rest, lost, before) <= 0, deadline, "all are re-allocated", 0.05)
            end = time.monotonic()
            took = at_first.stop()
            wait_until(lambda: lost_pins(rest[0], lost) == 0, deadline, "no pin is allocated to it any more", 1)
            wait_until(lambda: copies(rest) == 2 * count, deadline, "every pin has two copies again",
                       0.25 if count < MANY else 3)
            rows["last copy back after, s"] = time.monotonic() - begin
            rows["begins after, s"] = first - begin
            if before >= MANY:
                rows["re-allocated, pins/s"] = before / max(end - first, 0.05)
                rows["GET /id p99 while they are re-allocated, ms"] = took["p99"]
            rows["GET /id p99 until the last copy is back, ms"] = meanwhile.stop()["p99"]
    except AssertionError:
        rows["last copy back after, s"] = f"not within {deadline} s; {2 * count - copies(rest)} copies lacking"
    for name, value in rows.items():
        print_now(f"  {flavour}, {count:,} pins, ping {ping} s: {name}: {cell(value)}")
    return {f"{count:,} pins, ping every {ping} s: {name}": value for name, value in rows.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=("ours", "go"))
    parser.add_argument("--count", type=int, help="this many pins with a ping of 2 s only")
    options = parser.parse_args()
    cases = {"ours": [(200, 2, 120), (200, 15, 180), (100_000, 2, 600)], "go": [(200, 2, 240), (200, 15, 240)]}
    results = {}
    for flavour in [options.only] if options.only else ["ours", "go"]:
        for count, ping, deadline in [(options.count, 2, 600)] if options.count else cases[flavour]:
            with laboratory() as lab:
                results.setdefault(flavour, {}).update(run(lab, flavour, count, ping, deadline))
    report("repin", results, "a peer of three is lost")


if __name__ == "__main__":
    main()
