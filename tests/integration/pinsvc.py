"""The Pinning Services API: the public compliance suite, `ipfs pin remote` of a real Kubo, credentials, lists."""
import base64
import hashlib
import json
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from harness import http, tools, wild
from harness.wait import wait_until

USERS = {"api/pinsvcapi": {"basic_auth_credentials": {"alice": "wonder"}}}
SPEC = tools.ROOT / "tests" / "data" / "pinsvc" / "ipfs-pinning-service.yaml"


def ask(peer, method, target, headers=(), body=None):
    data = None if body is None else json.dumps(body).encode()
    return http.request(peer.pinsvc_port, method, target, headers, data)


def token_of(peer):
    answer = ask(peer, "POST", "/token", {"Authorization": "Basic YWxpY2U6d29uZGVy"})
    assert answer.status == 200, answer.body
    return answer.json()["token"]


def announcing_kubo(lab):
    """A Kubo that announces a public address: others are never shown as delegates."""
    kubo = lab.kubo(start=False)
    kubo.cli("config", "--json", "Addresses.AppendAnnounce", '["/dns4/kubo.example.com/tcp/4001"]')
    return kubo.start()


def test_compliance_suite(lab):
    """The public suite, against its own copy of the specification instead of a download."""
    folder = wild.npm("compliance", "@ipfs-shipyard/pinning-service-compliance@1.8.1")
    suite = folder / "node_modules" / "@ipfs-shipyard" / "pinning-service-compliance"
    constants = suite / "dist" / "src" / "utils" / "constants.js"
    # The copy of the suite is shared by all clones on this machine, and another one may have put its own path in.
    text, found = re.subn(r"(?m)^const specLocation = .*;$", f"const specLocation = {json.dumps(str(SPEC))};", constants.read_text())
    assert found == 1, text
    constants.write_text(text)
    peer = lab.peer(announcing_kubo(lab), settings=USERS)
    wait_until(lambda: b"kubo.example.com" in peer.call("GET", "/monitor/metrics/ping").body, 60,
               "the ping tells the announced address")
    url = f"http://127.0.0.1:{peer.pinsvc_port}"
    results = suite / "dist" / "docs" / "127.0.0.1.json"
    results.unlink(missing_ok=True)
    done = subprocess.run(["node", suite / "dist" / "src" / "index.js", "-s", url, token_of(peer)], cwd=lab.folder,
                          capture_output=True, text=True, timeout=280, check=False)
    report = done.stdout + done.stderr
    assert results.exists(), report[-4000:]
    outcome = json.loads(results.read_text())
    assert outcome["success"] and outcome["total"] >= 9, f"{outcome}\n{report[-6000:]}"


def test_pin_remote_of_kubo(lab):
    """What a user does with `ipfs pin remote`: add and wait, list more than one page, filter, remove."""
    user, kubo = lab.kubo(), lab.kubo()
    peer = lab.peer(kubo, settings=USERS)
    user.cli("pin", "remote", "service", "add", "ours", f"http://127.0.0.1:{peer.pinsvc_port}", token_of(peer))
    user.cli("swarm", "connect", f"/ip4/127.0.0.1/tcp/{kubo.swarm_port}/p2p/{kubo.id}")
    cid = user.add([("file", b"pinned from afar\n")], "pin=true")
    text = user.cli("pin", "remote", "add", "--service=ours", "--name=far", cid).decode()
    assert cid in text and "pinned" in text and "far" in text
    assert kubo.is_pinned(cid)

    # More than a page of pins, all of the same moment.
    cids = {user.add([("f", b"remote %d\n" % n)], "pin=true") for n in range(60)}
    for one in cids:
        assert ask(peer, "POST", "/pins", {"Authorization": "Bearer " + token_of(peer)},
                   {"cid": one, "name": "many"}).status == 202
    wait_until(lambda: cids <= kubo.pins(), 60, "all are pinned", 0.3)
    listed = user.cli("pin", "remote", "ls", "--service=ours", "--name=many").decode()
    assert {line.split()[0] for line in listed.splitlines()} == cids
    one = sorted(cids)[0]
    assert one in user.cli("pin", "remote", "ls", "--service=ours", f"--cid={one}").decode()
    assert not user.cli("pin", "remote", "ls", "--service=ours", "--status=failed").strip()

    user.cli("pin", "remote", "rm", "--service=ours", "--name=far")
    wait_until(lambda: not kubo.is_pinned(cid), 30, "it is unpinned")
    user.cli("pin", "remote", "rm", "--service=ours", "--name=many", "--force")
    wait_until(lambda: not cids & kubo.pins(), 30, "all are unpinned", 0.3)


def test_credentials_as_in_the_rest_api(lab):
    peer = lab.peer(lab.fake_kubo(), settings=USERS)
    refused = ask(peer, "GET", "/pins")
    assert refused.status == 401
    assert refused.json() == {"error": {"reason": "unauthorized: no auth provided"}}
    assert ask(peer, "GET", "/health").status == 204
    bearer = {"Authorization": "Bearer " + token_of(peer)}
    assert ask(peer, "GET", "/pins", bearer).json() == {"count": 0, "results": []}
    # New credentials without a restart.
    peer.configure({"api/pinsvcapi": {"basic_auth_credentials": {"alice": "other"}}})
    peer.process.signal(1)
    wait_until(lambda: ask(peer, "GET", "/pins", bearer).status == 401, 10, "the old token is refused")


def test_replace(lab):
    """The new pin has what the request says, keeps the rest, and the old one is gone."""
    kubo = lab.kubo()
    peer = lab.peer(kubo)
    old, new = (kubo.add([("f", b"version %d\n" % n)]) for n in (1, 2))
    assert ask(peer, "POST", "/pins", body={"cid": old, "name": "doc", "meta": {"a": "1"}}).status == 202
    answer = ask(peer, "POST", f"/pins/{old}", body={"cid": new, "name": "doc2", "meta": {"a": "2"}})
    assert answer.status == 202, answer.body
    assert answer.json()["pin"] == {"cid": new, "name": "doc2", "meta": {"a": "2"}}
    assert ask(peer, "GET", f"/pins/{old}").status == 404
    wait_until(lambda: ask(peer, "GET", f"/pins/{new}").json()["status"] == "pinned", 30, "it is pinned")
    assert peer.pinset()[new]["metadata"] == {"a": "2"}
    # The same CID again: its options change, and it is not unpinned.
    assert ask(peer, "POST", f"/pins/{new}", body={"cid": new, "name": "doc3"}).status == 202
    assert ask(peer, "GET", f"/pins/{new}").json()["pin"]["name"] == "doc3"
    assert ask(peer, "POST", f"/pins/{old}", body={"cid": new}).status == 404
    assert ask(peer, "POST", "/pins/bogus", body={"cid": new}).status == 400


def test_a_list_costs_what_it_returns(lab):
    """A page of a large pinset is one read of the pinset and ten questions, in constant memory."""
    peer = lab.peer(lab.fake_kubo())

    def pin(n):
        cid = _raw_cid(n)
        assert peer.call("POST", f"/pins/{cid}?name=app-{n % 10}").status == 200
        return cid
    with ThreadPoolExecutor(32) as pool:
        cids = list(pool.map(pin, range(3000)))
    ask(peer, "GET", "/pins?limit=1")
    before, _ = peer.process.rss()
    start = time.monotonic()
    page = ask(peer, "GET", "/pins?name=app-3&limit=10").json()
    took = time.monotonic() - start
    assert page["count"] == 300 and len(page["results"]) == 10
    seen, cursor = set(), ""
    while True:
        page = ask(peer, "GET", f"/pins?limit=1000{cursor}").json()
        if not page["results"]:
            break
        seen |= {r["requestid"] for r in page["results"]}
        cursor = "&before=" + page["results"][-1]["created"]
    # A millisecond is the smallest step of the API's clients; two of 3,000 may share one.
    assert len(seen) >= len(cids) - 10
    assert took < 5 and peer.process.rss()[0] - before < 16 << 20


def _raw_cid(n):
    digest = hashlib.sha256(b"pinsvc %d" % n).digest()
    return "b" + base64.b32encode(b"\x01\x55\x12\x20" + digest).decode().lower().rstrip("=")


def test_off_unless_asked_for(lab):
    """`init` leaves the section out, and with it the port; a variable of it puts it in."""
    peer = lab.peer(lab.fake_kubo(), start=False)
    for env, there in (({}, False), ({"CLUSTER_PINSVCAPI_HTTPLISTENMULTIADDRESS": "/ip4/127.0.0.1/tcp/0"}, True)):
        folder = lab.folder / f"init-{there}"
        subprocess.run([peer.program_path(), "--config", folder, "init", "--consensus", "crdt"], check=True,
                       capture_output=True, env=tools.clean_env(**env))
        api = json.loads((folder / "service.json").read_text())["api"]
        assert ("pinsvcapi" in api) == there and "ipfsproxy" not in api and "restapi" in api
