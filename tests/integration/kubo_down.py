"""Kubo that is late, away, hanging or talking nonsense: nothing is lost, the status is truthful, no busy loop."""
import time

import pytest

from harness.wait import wait_until

CIDS = ["QmfJQ4QDf4suppgtQKZcyrBb6aA8YU4DSv3hsBwiYdsFNr", "QmYtUdtdPCjJTqN4c4DvBqyYHs36WuQYo68mm8VaeGzzp4",
        "bafkreicvrqjcp4ckglzcz4zypi5t2k6j4o26qe2sqa3of7luyx37sstxtu"]
# The reference retries failed pins at pin_recover_interval only.
SETTINGS = {"cluster": {"pin_recover_interval": "3s"}, "ipfs_connector/ipfshttp": {"ipfs_request_timeout": "5s"}}


def pin_all(peer):
    for cid in CIDS:
        assert peer.call("POST", f"/pins/{cid}").status == 200


def assert_quiet(peer, seconds=3):
    """The peer does not burn the processor while Kubo is of no use."""
    before, end = peer.process.cpu_seconds(), time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, seconds + 5, "a while passes")
    used = peer.process.cpu_seconds() - before
    assert used < 0.25 * seconds, f"{used:.2f} s of processor time in {seconds} s"


def assert_honest(peer, kubo):
    """What is called pinned is in Kubo."""
    held = kubo.pins()
    for cid in CIDS:
        assert peer.status(cid) != "pinned" or cid in held


def test_kubo_starts_after_the_peer(lab, flavour):
    kubo = lab.kubo(start=False)
    peer = lab.peer(kubo, flavour, settings=SETTINGS)
    identity = peer.call("GET", "/id").json()
    assert identity["ipfs"]["error"] and "id" not in identity["ipfs"]
    cid = CIDS[0]
    assert peer.call("POST", f"/pins/{cid}").status == 200
    assert peer.call("GET", "/allocations").status == 200
    kubo.start()
    assert kubo.add([("f", b"fixture 0\n")]) == cid
    peer.wait_status(cid, "pinned", 60)
    assert cid in kubo.pins()
    assert peer.call("GET", "/id").json()["ipfs"]["id"] == kubo.id


def test_kubo_killed_and_back(lab, flavour):
    kubo = lab.kubo()
    peer = lab.peer(kubo, flavour, settings=SETTINGS)
    peer.wait_candidates()
    first = kubo.add([("f", b"before\n")])
    second = kubo.add([("f", b"while away\n")])
    peer.call("POST", f"/pins/{first}")
    peer.wait_status(first, "pinned")
    kubo.process.kill()
    assert peer.call("POST", f"/pins/{second}").status == 200
    assert peer.call("GET", f"/pins/{second}").status == 200
    assert_quiet(peer)
    kubo.start()
    peer.wait_status(second, "pinned", 60)
    assert {first, second} <= kubo.pins()


@pytest.mark.parametrize("mode", ["hang", "error", "half"])
def test_misbehaving_kubo(lab, flavour, mode):
    kubo = lab.fake_kubo()
    peer = lab.peer(kubo, flavour, settings=SETTINGS)
    peer.wait_candidates()
    kubo.mode(mode)
    pin_all(peer)
    assert_quiet(peer)
    assert_honest(peer, kubo)
    assert peer.call("GET", "/allocations").status == 200
    kubo.mode("ok")
    for cid in CIDS:
        peer.wait_status(cid, "pinned", 90)
    assert set(CIDS) <= kubo.pins()


def test_connection_refused_for_a_while(lab, flavour):
    kubo = lab.fake_kubo()
    peer = lab.peer(kubo, flavour, settings=SETTINGS)
    peer.wait_candidates()
    pin_all(peer)
    for cid in CIDS:
        peer.wait_status(cid, "pinned")
    kubo.process.stop()
    assert peer.call("DELETE", f"/pins/{CIDS[0]}").status == 200
    assert_quiet(peer)
    kubo.start()
    wait_until(lambda: kubo.pins() == set(CIDS[1:]), 90, "the unpin reaches Kubo when it is back")
    assert set(peer.pinset()) == set(CIDS[1:])


def test_restart_while_kubo_is_away(lab, flavour):
    """Queued work is not forgotten over a restart of the peer."""
    kubo = lab.fake_kubo()
    peer = lab.peer(kubo, flavour, settings=SETTINGS)
    peer.wait_candidates()
    kubo.mode("hang")
    pin_all(peer)
    peer.process.kill()
    peer.start()
    assert set(peer.pinset()) == set(CIDS)
    kubo.mode("ok")
    for cid in CIDS:
        peer.wait_status(cid, "pinned", 90)


def test_kubo_loses_pins(lab, flavour):
    kubo = lab.fake_kubo()
    peer = lab.peer(kubo, flavour, settings=dict(SETTINGS, cluster={"pin_recover_interval": "2s"}))
    peer.wait_candidates()
    pin_all(peer)
    for cid in CIDS:
        peer.wait_status(cid, "pinned")
    kubo.forget(CIDS[1])
    wait_until(lambda: CIDS[1] in kubo.pins(), 60, "the lost pin is found and pinned again")
    peer.wait_status(CIDS[1], "pinned")
