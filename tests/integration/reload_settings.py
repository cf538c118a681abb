"""Settings that change while the peer runs: by SIGHUP, and by files that change. The cluster's secret is exchanged
without a cut between three agents."""
import base64
import signal

from harness.pins import cid_of
from harness.wait import wait_until

OLD = "0" * 62 + "17"
NEW = "1" * 62 + "23"


def reread(peer):
    before = peer.process.log_text().count("were read again")
    peer.process.signal(signal.SIGHUP)
    wait_until(lambda: peer.process.log_text().count("were read again") > before, 10, f"{peer.name} reads its settings", 0.05)


def connected(peers):
    for peer in peers:
        documents = peer.call("GET", "/peers").documents()
        if len(documents) != len(peers) or any(d["error"] for d in documents):
            return False
    return True


def test_the_secret_is_exchanged_without_a_cut(lab):
    peers = lab.cluster(3, kubos=[lab.fake_kubo() for _ in range(3)])
    wait_until(lambda: connected(peers), 60, "all are connected")

    def step(secret, old, restart):
        # One peer after the other, each restarted too, so that it must be let in again by the others.
        for peer in peers:
            peer.configure({"cluster": {"secret": secret, "secret_old": old}})
            reread(peer)
            if restart:
                peer.stop()
                peer.start()
            wait_until(lambda: connected(peers), 60, f"all are connected after {peer.name}", 0.2)

    step(OLD, NEW, False)
    step(NEW, OLD, True)
    step(NEW, None, True)
    cid = cid_of("after the exchange")
    assert peers[0].call("POST", f"/pins/{cid}").status == 200
    for peer in peers:
        wait_until(lambda p=peer: cid in p.pinset(), 30, f"{peer.name} has the pin")


def test_changed_files_are_read_without_a_signal(lab):
    peer = lab.peer(lab.fake_kubo())
    assert peer.call("GET", "/id").status == 200
    peer.configure({"api/restapi": {"basic_auth_credentials": {"admin": "secret"}}})
    wait_until(lambda: peer.call("GET", "/id").status == 401, 20, "credentials are asked for", 0.2)
    token = base64.b64encode(b"admin:secret").decode()
    assert peer.call("GET", "/id", {"Authorization": f"Basic {token}"}).status == 200


def test_settings_that_are_wrong_change_nothing(lab):
    peer = lab.peer(lab.fake_kubo())
    peer.allow_errors("reading the settings again")
    peer.configure({"cluster": {"secret": "nonsense"}})
    wait_until(lambda: "the old ones stay" in peer.process.log_text(), 20, "the agent complains")
    assert peer.call("GET", "/id").status == 200
