"""The reference's client, unmodified, and ours against our peer: both give the output and exit code that the reference's
client gives against the reference's peer in the same state."""
import json
import re
import subprocess

import pytest

from harness import tools
from harness.corpus import FIXTURES
from harness.corpus_world import add_fixtures
from harness.tools import ROOT
from harness.wait import wait_until

HELLO = "hello from a file\n"


def run(client, peer, *argv, cwd=None):
    command = [client, "--host", peer.rest_multiaddr, *argv]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=cwd, env=tools.clean_env(TZ="UTC"))
    return done.returncode, done.stdout, done.stderr


def plain(text, peer):
    """Without what differs between two peers: identities, ports, times, sizes of the disk."""
    text = text.replace(peer.id, "<peer>").replace(peer.kubo.id, "<kubo>")
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", "<time>", text)
    text = re.sub(r"\b12\*\w{6}\b", "<short id>", text)
    # What was queued a moment ago may have begun.
    text = re.sub(r"(PIN_QUEUED|PINNING) \| <time> \| Attempts: \d+", "<in flight> | <time>", text)
    text = re.sub(r"/tcp/\d+", "/tcp/<port>", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:<port>", text)
    text = re.sub(r'("?(value|weight|expire|received_at)"?: )"?\d+"?', r"\1<number>", text)
    text = re.sub(r"^(<peer>\s*\|.*?: ).*? \| Expires in: .*$", r"\1<value and expiry>", text, flags=re.M)
    return text


# In order: the state carries over. (name, arguments, lines in any order)
COMMANDS = [
    ("version", ["version"], False), ("id", ["id"], False), ("id-json", ["--enc=json", "id"], False),
    ("peers-ls", ["peers", "ls"], False), ("pin-ls-empty", ["pin", "ls"], False), ("status-empty", ["status"], False),
    ("add", ["add", "hello.txt"], False), ("add-quiet", ["add", "--quieter", "hello.txt"], False),
    ("add-dir", ["add", "-r", "dir"], False), ("add-json", ["--enc=json", "add", "--name", "one", "hello.txt"], False),
    ("add-wrap", ["add", "-w", "hello.txt"], False), ("add-missing", ["add", "nothing.txt"], False),
    ("pin-add", ["pin", "add", "--wait", "--name", "named", FIXTURES["f0"]], False),
    ("pin-add-no-status", ["pin", "add", "--no-status", "--metadata", "a=b", FIXTURES["f1"]], False),
    ("pin-add-direct", ["pin", "add", "--wait", "--mode", "direct", FIXTURES["f2"]], False),
    ("pin-add-bad", ["pin", "add", "nonsense"], False), ("pin-add-none", ["pin", "add"], False),
    ("pin-add-path", ["pin", "add", "--wait", f"/ipfs/{FIXTURES['tree']}/sub"], False),
    ("pin-add-too-many", ["pin", "add", "--rmin", "3", "--rmax", "3", FIXTURES["f9"]], False),
    ("pin-update", ["pin", "update", "--wait", FIXTURES["f0"], FIXTURES["f3"]], False),
    # The reference's lists show direct pins as unexpectedly unpinned, so none is left for them.
    ("pin-rm-direct", ["pin", "rm", "--wait", FIXTURES["f2"]], False),
    ("pin-ls", ["pin", "ls"], True), ("pin-ls-one", ["pin", "ls", FIXTURES["f1"]], False),
    ("pin-ls-json", ["--enc=json", "pin", "ls", FIXTURES["f0"]], False),
    ("pin-ls-unknown", ["pin", "ls", FIXTURES["f20"]], False),
    ("status-one", ["status", FIXTURES["f0"]], False), ("status-all", ["status"], True),
    ("status-json", ["--enc=json", "status", FIXTURES["f3"]], False),
    ("status-filter", ["status", "--filter", "error"], True), ("status-local", ["status", "--local"], True),
    ("status-bad-filter", ["status", "--filter", "nonsense"], False),
    ("recover", ["recover", FIXTURES["f0"]], False), ("recover-all", ["recover"], True),
    ("pin-rm", ["pin", "rm", "--wait", FIXTURES["f0"]], False), ("pin-rm-again", ["pin", "rm", FIXTURES["f0"]], False),
    ("health-graph", ["health", "graph"], False), ("health-metrics-list", ["health", "metrics"], True),
    ("health-metrics", ["health", "metrics", "freespace"], False), ("health-alerts", ["health", "alerts"], False),
    ("ipfs-gc", ["ipfs", "gc", "--local"], True), ("peers-rm", ["peers", "rm", "nonsense"], False),
]


@pytest.fixture(scope="module", params=["go-client", "our-client"])
def pair(request, pytestconfig, tmp_path_factory):
    """(client, folder with the files, the tested peer, a peer of the reference), each beside its own Kubo."""
    client = tools.go_ctl() if request.param == "go-client" else tools.our("ipfs-cluster-ctl")
    from harness.lab import Lab
    folder = tmp_path_factory.mktemp("ctl")
    lab = Lab(folder)
    peers = []
    for flavour in (pytestconfig.getoption("--target"), "go"):
        kubo = lab.kubo()
        add_fixtures([kubo])
        peers.append(lab.peer(kubo, flavour))
        peers[-1].wait_candidates()
    files = folder / "files"
    (files / "dir").mkdir(parents=True)
    (files / "hello.txt").write_text(HELLO)
    (files / "dir" / "a.txt").write_text("alpha\n")
    yield client, files, *peers
    problems = lab.close()
    assert not problems, problems


@pytest.mark.parametrize("name,argv,unordered", COMMANDS, ids=[c[0] for c in COMMANDS])
def test_command(pair, name, argv, unordered):
    client, files, peer, reference = pair
    for one in (peer, reference):
        # What was queued by the command before is done, so that both show the same.
        wait_until(lambda p=one: p.call("GET", "/pins?filter=pinning,pin_queued,unpinning,unpin_queued").status == 204,
                   60, f"{one.name} is idle")
    code, out, err = run(client, peer, *argv, cwd=files)
    wanted_code, wanted_out, wanted_err = run(tools.go_ctl(), reference, *argv, cwd=files)
    out, wanted_out = plain(out, peer), plain(wanted_out, reference)
    if unordered:
        out, wanted_out = (sorted(o.splitlines()) for o in (out, wanted_out))
    if name == "ipfs-gc":
        # Which blocks were garbage depends on what the two importers left behind; how they are shown does not.
        out, wanted_out = ({re.sub(r"\b(bafk|bafy|Qm)\w+", "<cid>", line).strip() for line in o} for o in (out, wanted_out))
    assert out == wanted_out
    assert code == wanted_code, err


def test_repository_readme_is_addable(pair):
    """A real file of this repository, through the real client."""
    client, _, peer, _ = pair
    code, out, err = run(client, peer, "add", "--quieter", "README.md", cwd=ROOT)
    assert code == 0, err
    assert peer.kubo.cli("cat", out.strip()) == (ROOT / "README.md").read_bytes()
    assert json.loads(peer.call("GET", f"/allocations/{out.strip()}").body)["cid"] == out.strip()
