"""Two Go peers and two of ours, all four writing at once; one of each kind is restarted meanwhile and one of each joins
late. In the end six identical exports.

Default: 800 pins and 200 unpins. --long: 20,000 and 5,000.
"""
import subprocess
import threading

from harness import loadgen
from harness.wait import wait_until

# What the reference's documentation recommends for many pins; without, it takes a minute a thousand pins.
BATCHING = {"consensus/crdt": {"batching": {"max_batch_size": 100, "max_batch_age": "300ms", "max_queue_size": 50000}}}


def export(peer):
    """The state as the peer's own program exports it; the peer must be stopped."""
    path = peer.folder / "export"
    subprocess.run([peer.program_path(), "--config", str(peer.config_dir), "state", "export", "-f", str(path)],
                   env=peer.env, check=True, capture_output=True, timeout=300)
    return sorted(path.read_text().splitlines())


def together(tasks):
    failures = []

    def run(task):
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - shown by the main thread
            failures.append(error)
    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def test_identical_exports(lab, request):
    pins, unpins = (20000, 5000) if request.config.getoption("--long") else (800, 200)
    flavours = ["go", "ours", "go", "ours"]
    peers = lab.cluster(4, flavours, BATCHING, kubos=[lab.fake_kubo() for _ in flavours])
    each, gone = pins // 8, unpins // 4

    def write(number, half):
        first = (2 * number + half) * each
        loadgen.run(peers[number], "pin", "-connections", 8, "-from", first, "-count", each)

    together([lambda n=n: write(n, 0) for n in range(4)])
    # Each removes what another wrote, while it writes on and one of each kind is restarted.
    wait_until(lambda: all(len(p.pinset()) == 4 * each for p in peers), 600, "the first half is everywhere", 1)

    def churn(number):
        write(number, 1)
        loadgen.run(peers[number], "unpin", "-connections", 8, "-from", 2 * ((number + 1) % 4) * each, "-count", gone)

    def restart(peer):
        peer.stop(60)
        peer.start()

    together([lambda: churn(0), lambda: churn(1), lambda: restart(peers[2]), lambda: restart(peers[3])])
    together([lambda: churn(2), lambda: churn(3)])
    for flavour in ("go", "ours"):
        late = lab.peer(lab.fake_kubo(), flavour, f"late-{flavour}", BATCHING, start=False)
        late.start("--bootstrap", peers[0].swarm_multiaddr)
        peers.append(late)
    for peer in peers:
        wait_until(lambda p=peer: len(p.pinset()) == 8 * each - 4 * gone, 600, f"{peer.name} has all", 1)
    for peer in peers:
        peer.stop(60)
    exports = [export(peer) for peer in peers]
    assert len(exports[0]) == 8 * each - 4 * gone
    for peer, lines in zip(peers, exports):
        assert lines == exports[0], (peer.name, set(lines) ^ set(exports[0]))
