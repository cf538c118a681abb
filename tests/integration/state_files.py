"""The pinset as files: exported, imported and copied beside a running peer, and between the two kinds of peer."""
import json
import subprocess
import threading

import pytest

from harness import loadgen
from harness.wait import wait_until


def load(peer, first, count, connections=16):
    return loadgen.start(peer, "pin", "-connections", connections, "-from", first, "-count", count)


def command(peer, *arguments, expect=0, program=None, **options):
    argv = [program or peer.program_path(), "--config", peer.config_dir, *map(str, arguments)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, env=peer.env, check=False, **options)
    assert done.returncode == expect, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def pins_of(text):
    return {pin["cid"]: pin for pin in map(json.loads, text.splitlines())}


def timeless(pins):
    """Without what the reference leaves out when it writes the file."""
    return {cid: {k: v for k, v in pin.items() if v not in (None, [], {}, "")} for cid, pin in pins.items()}


def test_export_and_checkpoint_of_a_running_peer(lab):
    kubo = lab.fake_kubo()
    peer = lab.peer(kubo)
    peer.wait_candidates()
    assert load(peer, 0, 2000).wait(120) == 0
    busy = load(peer, 2000, 6000)
    exports = []
    while busy.poll() is None:
        exports.append(pins_of(command(peer, "state", "export")))
    assert busy.returncode == 0 and exports
    for number, pins in enumerate(exports):
        assert len(pins) >= 2000
        assert number == 0 or set(exports[number - 1]) <= set(pins)  # one moment each, in order
    stopping = threading.Event()

    def churn():
        first = 8000
        while not stopping.is_set():
            assert load(peer, first, 500).wait(120) == 0
            first += 500
    thread = threading.Thread(target=churn)
    thread.start()
    try:
        copies = [lab.folder / f"copy{n}" for n in range(3)]
        for copy in copies:
            before = len(pins_of(command(peer, "state", "export")))
            command(peer, "state", "checkpoint", copy)
            other = lab.peer(kubo, name=copy.name, start=False)
            copy.rename(other.config_dir / "store")
            pins = pins_of(command(other, "state", "export"))
            assert len(pins) >= before
            other.start()
            wait_until(lambda: len(other.pinset()) == len(pins), 30, "the copy has the pinset")
            other.stop()
    finally:
        stopping.set()
        thread.join()
    peer.stop()
    # The same of a stopped peer, from hard links.
    command(peer, "state", "checkpoint", lab.folder / "cold")
    other = lab.peer(kubo, name="cold", start=False)
    (lab.folder / "cold").rename(other.config_dir / "store")
    assert pins_of(command(other, "state", "export")) == pins_of(command(peer, "state", "export"))
    command(peer, "state", "checkpoint", other.config_dir, expect=1)  # there already


def test_tar_of_a_running_peer(lab):
    """The files of a plain tar need not fit together; the peer that is started on them makes the best of it."""
    kubo = lab.fake_kubo()
    peer = lab.peer(kubo)
    peer.wait_candidates()
    assert load(peer, 0, 3000, 64).wait(120) == 0
    stopping = threading.Event()

    def churn():
        first = 3000
        while not stopping.is_set():
            assert load(peer, first, 1000, 64).wait(120) == 0
            first += 1000
    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for number in range(4):
            archive = lab.folder / f"{number}.tar"
            done = subprocess.run(["tar", "-C", peer.config_dir, "-cf", archive, "store"], capture_output=True, check=False)
            assert done.returncode in (0, 1), done.stderr  # 1: a file changed as it was read
            other = lab.peer(kubo, name=f"restored{number}", start=False)
            subprocess.run(["tar", "-C", other.config_dir, "-xf", archive], check=True)
            other.start()
            pins = other.pinset()
            assert len(pins) >= 3000, len(pins)
            other.stop()
    finally:
        stopping.set()
        thread.join()


def test_import_replaces_or_merges(lab):
    kubo = lab.fake_kubo()
    source, target = (lab.peer(kubo, name=name) for name in ("source", "target"))
    for peer, first in ((source, 0), (target, 50)):
        peer.wait_candidates()
        assert load(peer, first, 100).wait(60) == 0
    file = lab.folder / "state.ndjson"
    command(source, "state", "export", "-f", file)
    before = target.pinset()
    command(target, "state", "import", "--merge", file, expect=1)  # it is running
    target.stop()
    command(target, "state", "import", "--merge", file)
    target.start()
    after = target.pinset()
    assert len(after) == 150
    assert {cid: after[cid] for cid in before} == before
    wait_until(lambda: all(target.status(cid) == "pinned" for cid in list(source.pinset())[:5]), 60, "imported pins are pinned")
    target.stop()
    command(target, "state", "import", "-f", file)
    assert pins_of(command(target, "state", "export")) == pins_of(file.read_text())
    broken = lab.folder / "broken.ndjson"
    broken.write_text(file.read_text() + "{]\n")
    command(target, "state", "import", "-f", broken, expect=1)
    assert len(pins_of(command(target, "state", "export"))) == 100
    command(target, "state", "cleanup", "-f")
    target.start()
    assert target.pinset() == {}


@pytest.mark.parametrize("first, second", [("ours", "go"), ("go", "ours")])
def test_files_of_one_kind_of_peer_are_read_by_the_other(lab, first, second):
    kubo = lab.fake_kubo()
    source = lab.peer(kubo, first, name="source")
    source.wait_candidates()
    assert load(source, 0, 200).wait(60) == 0
    cid = next(iter(source.pinset()))
    answer = source.call("POST", f"/pins/{cid}?name=a%20name&replication-min=1&replication-max=1&meta-k=v&expire-in=100h")
    assert answer.status == 200, answer.body
    source.stop()
    file = lab.folder / "state.ndjson"
    command(source, "state", "export", "-f", file)
    target = lab.peer(kubo, second, name="target", start=False)
    command(target, "state", "import", "-f", file)
    copied = command(target, "state", "export")
    assert timeless(pins_of(copied)) == timeless(pins_of(file.read_text()))
    target.start()
    assert len(target.pinset()) == 200
