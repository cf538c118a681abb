"""A full or broken disk under a running peer: no lie, no lost change, and work goes on when the disk is well again.

The faults come from tests/harness/disk_fault.c in front of libc, from a small file system that is filled up, and from
bytes that are changed in the folder of a stopped peer.
"""
import json
import os
import shutil
import subprocess
import threading
import time

import pytest

from harness import http, tools
from harness.disk import TOLD, FaultyDisk, has_ended
from harness.pins import cid_of
from harness.wait import wait_until

WRITERS = 8
FAULTS = {"ENOSPC write": "No space left on device", "ENOSPC create": "No space left on device",
          "ENOSPC short": "No space left on device", "EIO write": "Input/output error", "EIO sync": "Input/output error",
          "full": "No space left on device"}
# What operators find in docs/operations/troubleshooting.md.
LOST, DAMAGED = "has lost changes that were written and acknowledged", "it is damaged"


class SmallDisk:
    """The peer's folder on a file system of its own, that another file fills up."""
    SIZE = "24m"

    def __init__(self, peer):
        self.folder, kept = peer.config_dir, peer.folder / "kept"
        shutil.copytree(self.folder, kept)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.SIZE}", "tmpfs", self.folder],
                                 capture_output=True, text=True, check=False)
        if mounted.returncode:
            pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
        shutil.copytree(kept, self.folder, dirs_exist_ok=True)

    def fail(self):
        filler = os.open(self.folder / "filler", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        try:
            # Page by page in the end, as the peer may take some meanwhile.
            for size in (1 << 20, 4096):
                try:
                    while True:
                        os.write(filler, bytes(size))
                except OSError:
                    pass
        finally:
            os.close(filler)

    def work(self):
        (self.folder / "filler").unlink(missing_ok=True)

    def remove(self):
        subprocess.run(["umount", self.folder], check=True)


@pytest.fixture
def world(lab):
    """Makes (peer, its disk, its Kubo); the disk fails when told."""
    made = []

    def make(fault):
        kubo = lab.fake_kubo()
        peer = lab.peer(kubo, start=False)
        peer.allow_errors(*TOLD)
        disk = SmallDisk(peer) if fault == "full" else FaultyDisk(lab, peer, fault)
        made.append((peer, disk))
        peer.start()
        peer.wait_candidates()
        wait_until(lambda: ready(peer), 20, "the peer is ready")
        return peer, disk, kubo
    yield make
    for peer, disk in made:
        disk.work()
        if peer.process:
            peer.process.stop()
        disk.remove()


class Stream:
    """Pins from several connections without a pause; keeps what was answered to each."""

    def __init__(self, peer, prefix="stream"):
        self.peer, self.prefix = peer, prefix
        self.acknowledged, self.refused = {}, {}
        self._next, self._lock, self._stopping = 0, threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(WRITERS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self):
        while not self._stopping.is_set():
            with self._lock:
                number, self._next = self._next, self._next + 1
            name = f"{self.prefix}-{number}"
            answer = pin(self.peer, name)
            (self.acknowledged if answer.status == 200 else self.refused)[cid_of(name)] = (name, answer)

    def grows(self, answers, by=50):
        wanted = len(answers) + by
        wait_until(lambda: len(answers) >= wanted, 20, f"{by} more answers of the kind", 0.01)


def pin(peer, name):
    """The answer; one without a status when there was none."""
    try:
        return peer.call("POST", f"/pins/{cid_of(name)}?name={name}", timeout=20)
    except OSError as error:
        return http.Answer(body=str(error).encode())


def command(peer, *arguments):
    return subprocess.run([peer.program_path(), "--config", peer.config_dir, *arguments], capture_output=True, text=True,
                          timeout=60, env=tools.clean_env(), check=False)


def ready(peer):
    """Whether the peer says that it can be used: what the probe is told and what an operator is."""
    status = http.request(peer.metrics_port, "GET", "/readyz", timeout=10).status
    told = command(peer, "health", "--ready")
    return status == 200 and told.returncode == 0


def assert_told(answers, reason):
    """Each is an error in JSON that says what is wrong with the disk."""
    assert answers
    for answer in answers:
        assert answer.status is not None and 500 <= answer.status < 600, answer
        document = answer.json()
        assert document["code"] == answer.status and reason in document["message"], document


def assert_kept(peer, stream):
    """All that was acknowledged is there, of what was refused each pin wholly or not at all, and nothing else."""
    pinset = peer.pinset()
    lost = [cid for cid, (name, _) in stream.acknowledged.items() if pinset.get(cid, {}).get("name") != name]
    assert not lost, f"{len(lost)} of {len(stream.acknowledged)} acknowledged pins are lost, such as {lost[:3]}"
    asked = stream.acknowledged | stream.refused
    wrong = [cid for cid, found in pinset.items() if cid not in asked or found["name"] != asked[cid][0]]
    assert not wrong, f"{len(wrong)} pins that nobody asked for, such as {wrong[:3]}"
    # Rows, statuses, the running total and the files are written together.
    statuses = {document["cid"] for document in peer.call("GET", "/pins").documents()}
    assert statuses == set(pinset), f"{len(statuses ^ set(pinset))} pins are in one list only"
    assert peer.call("GET", "/health/pinset").json()["pins"] == len(pinset)
    exported = command(peer, "state", "export")
    assert exported.returncode == 0, exported.stderr
    assert {json.loads(line)["cid"] for line in exported.stdout.splitlines()} == set(pinset)


def assert_quiet(peer, seconds=1.5, lines=200):
    begin, before = peer.process.cpu_seconds(), len(peer.process.log_text().splitlines())
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, seconds + 5, "a while passes")
    used, written = peer.process.cpu_seconds() - begin, len(peer.process.log_text().splitlines()) - before
    assert used < 0.3 * seconds, f"{used:.2f} s of processor time in {seconds} s"
    assert written < lines, f"{written} lines of log in {seconds} s"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("end", ["killed", "stopped"])
def test_writes_that_fail_are_refused_and_nothing_is_lost(world, fault, end):
    """The peer ends while the disk still fails, and starts on a disk that works."""
    peer, disk, kubo = world(fault)
    with Stream(peer) as stream:
        stream.grows(stream.acknowledged)
        disk.fail()
        stream.grows(stream.refused)
    answers = [answer for _, answer in stream.refused.values()]
    ended = has_ended(peer, FAULTS[fault])
    answered = [answer for answer in answers if answer.status is not None]
    if answered or not ended:
        assert_told(answered if ended else answers, FAULTS[fault])
    if not ended:
        # Reading needs no space.
        shown = peer.pinset()
        assert set(stream.acknowledged) <= set(shown)
        assert peer.call("GET", f"/pins/{next(iter(stream.acknowledged))}").status == 200
    if end == "killed":
        peer.process.kill()
    else:
        assert ended or peer.stop() == 0
    disk.work()
    peer.start()
    assert_kept(peer, stream)
    # Work goes on by itself: Kubo comes to hold every pin.
    wait_until(lambda: set(peer.pinset()) <= kubo.pins(), 30, "Kubo holds the pinset", 0.2)
    assert pin(peer, "afterwards").status == 200


@pytest.mark.parametrize("fault", FAULTS)
def test_a_peer_whose_disk_fails_is_not_ready(world, fault):
    peer, disk, _ = world(fault)
    with Stream(peer) as stream:
        stream.grows(stream.acknowledged)
        disk.fail()
        stream.grows(stream.refused, 10)
        wait_until(lambda: has_ended(peer, FAULTS[fault]) or not ready(peer), 8, "the peer is not ready any more", 0.2)
    if has_ended(peer, FAULTS[fault]):
        peer.process = None  # which is an answer too


@pytest.mark.parametrize("fault", ["ENOSPC write", "EIO sync"])
def test_a_disk_that_fails_makes_no_work(world, fault):
    """It is no reason to burn the processor or to fill the log, which may be on the same disk."""
    peer, disk, _ = world(fault)
    with Stream(peer) as stream:
        # What Kubo has done just then cannot be written down.
        stream.grows(stream.acknowledged)
        disk.fail()
        stream.grows(stream.refused, 10)
    if has_ended(peer, FAULTS[fault]):
        disk.work()
        peer.start()
    assert_quiet(peer)


def assert_goes_on(peer, name, reason):
    """Takes pins again by itself, or after the restart that it asks for by ending with a sentence about its disk."""
    wait_until(lambda: has_ended(peer, reason) or pin(peer, name).status == 200, 12, "pins are taken again", 0.2)
    if has_ended(peer, reason):
        peer.start()
        wait_until(lambda: pin(peer, name).status == 200, 20, "pins are taken again")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_peer_goes_on_when_its_disk_works_again(world, fault):
    peer, disk, _ = world(fault)
    with Stream(peer) as stream:
        stream.grows(stream.acknowledged)
        disk.fail()
        stream.grows(stream.refused, 10)
        disk.work()
        assert_goes_on(peer, "again", FAULTS[fault])
        stream.acknowledged[cid_of("again")] = ("again", None)
        stream.grows(stream.acknowledged)
    wait_until(lambda: ready(peer), 20, "the peer is ready")
    assert_kept(peer, stream)
    # What it has in memory now is nothing else than what it has on the disk.
    peer.process.kill()
    peer.start()
    assert_kept(peer, stream)


def test_a_slow_disk_takes_its_time_and_refuses_nothing(world):
    peer, disk, _ = world("150 slow")
    with Stream(peer) as stream:
        stream.grows(stream.acknowledged)
        disk.fail()
        begin = time.monotonic()
        assert pin(peer, "slow").status == 200
        took = time.monotonic() - begin
        disk.work()
        stream.acknowledged[cid_of("slow")] = ("slow", None)
        stream.grows(stream.acknowledged)
    assert took > 0.3, took  # a write and its sync
    assert not stream.refused
    assert_kept(peer, stream)


def in_tables(peer):
    """Restarts with the pinset in tables on the disk instead of the log, none of it read so far."""
    peer.stop()
    state = peer.folder / "state.ndjson"
    for arguments in (("state", "export", "-f", state), ("state", "import", "-f", state)):
        done = command(peer, *arguments)
        assert done.returncode == 0, done.stderr
    tables = sorted((peer.config_dir / "store").glob("*.sst"))
    assert tables, "no tables"
    return tables


def filled(peer, count=300):
    with Stream(peer) as stream:
        stream.grows(stream.acknowledged, count)
    assert not stream.refused
    return stream


def listing(peer, path):
    """What a client makes of a streamed list: (documents, the error that it was told)."""
    answer = peer.call("GET", path)
    if answer.status != 200:
        return [], answer.json()["message"]
    return answer.documents() or [], answer.trailer("X-Stream-Error") or ("" if answer.complete else "cut off")


def test_reads_that_fail_are_told_and_nothing_is_called_missing(world):
    peer, disk, _ = world("EIO read")
    stream = filled(peer)
    in_tables(peer)
    peer.start()
    disk.fail()
    process = peer.process
    documents, told = listing(peer, "/allocations")
    assert "Input/output error" in told, (len(documents), told)
    cid, (name, _) = next(iter(stream.acknowledged.items()))
    # What is in the cache can be answered; the rest is not known, which is not the same as not there.
    answers = [peer.call("GET", f"/{where}/{one}") for where in ("allocations", "pins") for one in stream.acknowledged]
    assert_told([answer for answer in answers if answer.status != 200], "Input/output error")
    assert process.alive(), process.log_text()[-2000:]
    disk.work()
    assert peer.call("GET", f"/allocations/{cid}").json()["name"] == name
    assert_kept(peer, stream)


def test_writes_go_on_after_reads_that_failed(world):
    """Also those that the peer does for itself, such as merging tables."""
    peer, disk, _ = world("EIO read")
    filled(peer)
    in_tables(peer)
    peer.start()
    disk.fail()
    assert listing(peer, "/allocations")[1]
    wait_until(lambda: "Compaction error" in peer.process.log_text() or pin(peer, "meanwhile").status == 500, 10,
               "a write fails")
    disk.work()
    assert_goes_on(peer, "again", "Input/output error")


def refusal(peer):
    """What a peer says that does not start, in its last line."""
    peer.start(wait=False)
    wait_until(lambda: not peer.process.alive(), 20, "the peer ends")
    code, line = peer.process.exit_code, peer.process.log_text().splitlines()[-1]
    assert code > 0, (code, line)
    peer.process = None  # it was meant to end
    return line


def test_a_start_on_a_disk_that_cannot_be_read_is_refused(world):
    peer, disk, _ = world("EIO read")
    stream = filled(peer)
    in_tables(peer)
    disk.fail()
    peer.start(wait=False)
    wait_until(lambda: has_ended(peer, "Input/output error"), 20, "the peer ends")
    disk.work()
    peer.start()
    assert_kept(peer, stream)


@pytest.mark.parametrize("fault", ["ENOSPC create", "full"])
def test_a_start_on_a_full_disk_shows_the_pins_or_is_refused(world, fault):
    peer, disk, _ = world(fault)
    stream = filled(peer)
    peer.process.kill()
    disk.fail()
    peer.start(wait=False)
    wait_until(lambda: not peer.process.alive() or peer.call("GET", "/id").status == 200, 20, "it has started or ended")
    if not has_ended(peer, FAULTS[fault]):
        assert_kept(peer, stream)
        peer.process.kill()
    disk.work()
    peer.start()
    assert_kept(peer, stream)
    assert pin(peer, "afterwards").status == 200


def documented(sentence):
    page = (tools.ROOT / "docs" / "operations" / "troubleshooting.md").read_text()
    return sentence in " ".join(page.split())


@pytest.fixture
def cut_short(lab):
    """(peer, what it acknowledged, the sentence of its start) after the end of its log was cut off."""
    peer = lab.peer(lab.fake_kubo())
    peer.allow_errors(LOST)
    peer.wait_candidates()
    stream = filled(peer)
    peer.process.kill()
    log = max((peer.config_dir / "store").glob("*.log"), key=lambda path: path.stat().st_size)
    os.truncate(log, log.stat().st_size - 20_000)
    return peer, stream, refusal(peer)


def test_a_log_that_was_cut_short_is_refused(cut_short):
    peer, stream, line = cut_short
    assert LOST in line and "SYNCED" in line, line
    assert documented(LOST)
    assert LOST in refusal(peer)  # the first refusal changed nothing
    # Only who asks for it goes on with less, and the checks of this file see it.
    (peer.config_dir / "store" / "SYNCED").unlink()
    peer.start()
    assert 0 < len(peer.pinset()) < len(stream.acknowledged)
    with pytest.raises(AssertionError, match="acknowledged pins are lost"):
        assert_kept(peer, stream)


def test_a_log_that_was_cut_short_is_exported_as_the_refusal_says(cut_short):
    peer, stream, line = cut_short
    assert "'state export' still reads what is left" in line
    exported = command(peer, "state", "export")
    assert exported.returncode == 0, exported.stderr
    left = {json.loads(pin)["cid"] for pin in exported.stdout.splitlines()}
    assert left and left < set(stream.acknowledged)
    (peer.config_dir / "store" / "SYNCED").unlink()
    peer.start()
    assert set(peer.pinset()) == left


def test_a_flipped_bit_in_a_table_is_told(lab):
    """At the start or when it is read; never by fewer pins."""
    peer = lab.peer(lab.fake_kubo())
    peer.allow_errors(*TOLD, "Corruption")
    peer.wait_candidates()
    stream = filled(peer)
    tables = {path: path.read_bytes() for path in in_tables(peer)}
    for path, whole in tables.items():
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 0x10]) + whole[middle + 1:])
    peer.start(wait=False)
    wait_until(lambda: not peer.process.alive() or peer.call("GET", "/id").status == 200, 20, "it has started or ended")
    if peer.process.alive():
        told = listing(peer, "/allocations")[1]
        peer.stop()
    else:
        assert peer.process.exit_code > 0
        told = peer.process.log_text().splitlines()[-1]
    assert DAMAGED in told and "restore it from a backup" in told, told
    assert documented(DAMAGED)
    # The attempt made nothing worse.
    for path, whole in tables.items():
        path.write_bytes(whole)
    peer.start()
    assert_kept(peer, stream)
