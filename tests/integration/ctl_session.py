"""A day with the two programs under the names that scripts know, `ipfs-cluster-service` and `ipfs-cluster-ctl`: what the
reference's own suite of shell tests asks for, in our words. `--target go` runs it with the reference's programs.

Left out: its tests of raft, which this program refuses (`init --consensus raft` says so)."""
import json
import os
import re
import signal
import subprocess

import pytest

from harness import http, ports, tools
from harness.corpus import long_text
from harness.wait import wait_until

OUR_NAMES = {"ipfs-cluster-service": "ipfs-cluster-agent", "ipfs-cluster-ctl": "ipfs-cluster-ctl"}


class Shell:
    """The programs on a PATH of their own, and a folder `test-config` made by `ipfs-cluster-service init`."""

    def __init__(self, lab, flavour, settings=None):
        self.folder = lab.folder / "shell"
        self.bin = self.folder / "bin"
        self.bin.mkdir(parents=True)
        for name, ours in OUR_NAMES.items():
            target = tools.our(ours) if flavour == "ours" else tools.tool_dir("cluster") / name
            (self.bin / name).symlink_to(target)
        self.kubo = lab.kubo()
        self.daemon = None
        self.rest, self.proxy = ports.free_port(), ports.free_port()
        self.env = tools.clean_env(PATH=f"{self.bin}:{os.environ['PATH']}", HOME=str(self.folder))
        self.service("init", "--force", "--consensus", "crdt")
        self.configure(settings or {})

    def configure(self, settings):
        path = self.folder / "test-config" / "service.json"
        config = json.loads(path.read_text())
        config["cluster"].update(listen_multiaddress=f"/ip4/127.0.0.1/tcp/{ports.free_port()}", mdns_interval="0s",
                                 monitor_ping_interval="2s")
        config["api"]["restapi"].update({"http_listen_multiaddress": f"/ip4/127.0.0.1/tcp/{self.rest}"}, **settings)
        config["api"]["ipfsproxy"].update(listen_multiaddress=f"/ip4/127.0.0.1/tcp/{self.proxy}",
                                          node_multiaddress=self.kubo.multiaddr)
        config["api"]["pinsvcapi"].update(http_listen_multiaddress=f"/ip4/127.0.0.1/tcp/{ports.free_port()}")
        config["ipfs_connector"]["ipfshttp"]["node_multiaddress"] = self.kubo.multiaddr
        config["observations"]["metrics"]["prometheus_endpoint"] = f"/ip4/127.0.0.1/tcp/{ports.free_port()}"
        path.write_text(json.dumps(config))

    def run(self, *argv, code=0, data=None, env=None):
        done = subprocess.run(argv, cwd=self.folder, env=dict(self.env, **(env or {})), input=data, text=True,
                              capture_output=True, timeout=120, check=False)
        text = done.stdout + done.stderr
        assert (done.returncode != 0) if code is None else (done.returncode == code), f"{argv}: {done.returncode}\n{text}"
        return text

    def service(self, *argv, **kw):
        return self.run("ipfs-cluster-service", "--config", "test-config", *argv, **kw)

    def ctl(self, *argv, **kw):
        return self.run("ipfs-cluster-ctl", "--host", f"/ip4/127.0.0.1/tcp/{self.rest}", *argv, **kw)

    def documents(self, *argv):
        """The answers of a command with --enc=json, one by one."""
        text, decoder, found, at = self.ctl("--enc=json", *argv).strip(), json.JSONDecoder(), [], 0
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            found += value if isinstance(value, list) else [value]
            at += len(text[at:]) - len(text[at:].lstrip())
        return found

    def start(self):
        with open(self.folder / "daemon.log", "ab") as log:
            self.daemon = subprocess.Popen(["ipfs-cluster-service", "--config", "test-config", "daemon"], cwd=self.folder,
                                           env=self.env, stdout=log, stderr=log,
                                           executable=str(self.bin / "ipfs-cluster-service"))
        # The proxy says when the peer is there, as it does in the reference's suite.
        wait_until(lambda: subprocess.run(["curl", "-sf", "-o", "/dev/null", "-X", "POST",
                                           f"http://127.0.0.1:{self.proxy}/api/v0/version"], check=False).returncode == 0,
                   40, "the proxy answers", 0.1)
        return self

    def stop(self):
        """As the suite does it: with SIGHUP."""
        if self.daemon and self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGHUP)
            self.daemon.wait(30)
        self.daemon = None

    @property
    def id(self):
        return json.loads((self.folder / "test-config" / "identity.json").read_text())["id"]

    def pinned(self, cid):
        wait_until(lambda: re.search(r"\bPINNED\b", self.ctl("status", cid)), 30, f"{cid} is pinned", 0.2)

    def settled(self):
        wait_until(lambda: self.documents("health", "metrics", "freespace"), 40, "there is a candidate", 0.3)


@pytest.fixture
def shell(lab, flavour):
    made = []

    def make(settings=None, start=True):
        shell = Shell(lab, flavour, settings)
        made.append(shell)
        return shell.start() if start else shell
    yield make
    for one in made:
        one.stop()


def test_help_and_versions(shell):
    sh = shell(start=False)
    for argv in (["--help"], ["-h"], ["h"], ["help"]):
        assert re.search(r"(?mi)^(Usage|Commands|Global options)", sh.run("ipfs-cluster-ctl", *argv))
    commands = sh.run("ipfs-cluster-ctl", "commands")
    for word in ("id", "peers", "pin", "status", "recover", "version", "commands"):
        assert f"ipfs-cluster-ctl {word}" in commands
    for line in filter(str.strip, commands.splitlines()):
        assert max(map(len, sh.run(*line.split(), "--help").splitlines())) <= 120, line
    assert re.search(r"(?mi)^(Usage|Commands|Description|Global Options)", sh.run("ipfs-cluster-service", "--help"))
    versions = {re.search(r"\d+\.\d+\.\d+", sh.run(name, "--version"))[0] for name in OUR_NAMES}
    assert versions == {"1.1.6"}


def test_init(shell):
    sh = shell(start=False)
    peers = [f"/ip4/192.168.0.129/tcp/9196/p2p/{p}" for p in ("12D3KooWRN8KRjpyg9rsW2w7StbBRGper65psTZm68cjud9KAkaW",
                                                             "12D3KooWPwrYNj7VficHw5qYidepMGA85756kYgMdNmRM9A1ZHjN")]
    sh.service("init", "-f", "--peers", ",".join(peers))
    assert (sh.folder / "test-config" / "peerstore").read_text().split() == peers
    sh.service("init", "-f")
    assert (sh.folder / "test-config" / "peerstore").read_text() == ""
    sh.service("init", "-f", "--consensus", "crdt")
    config = json.loads((sh.folder / "test-config" / "service.json").read_text())
    assert list(config["consensus"]) == ["crdt"]
    assert set(config["api"]) == {"ipfsproxy", "pinsvcapi", "restapi"}


def test_status_reports(shell):
    sh = shell()
    sh.service(code=1)  # a second peer in the same folder
    assert sh.id in sh.ctl("id") and len(sh.documents("peers", "ls")) == 1
    for argv in (["peers", "add"], ["peers", "add", "XXXinvalid"], ["peers", "rm"], ["peers", "rm", "XXXinvalid"],
                 ["status", "XXXinvalid"], ["pin", "ls", "XXXinvalid"]):
        sh.ctl(*argv, code=None)
    for argv in (["status"], ["recover"], ["pin", "ls"], ["health", "alerts"], ["health", "metrics"]):
        sh.ctl(*argv)


def test_pins(shell):
    sh = shell()
    sh.settled()
    cids = [sh.kubo.add([("f", long_text(f"session {n}", 200_000))], "pin=true") for n in range(3)]
    sh.ctl("pin", "add", cids[0])
    assert cids[0] in sh.ctl("pin", "ls", cids[0])
    sh.pinned(cids[0])
    sh.ctl("pin", "rm", cids[0])
    assert "UNPINNED" in sh.ctl("status", cids[0]) and not sh.documents("pin", "ls")
    for wait in (["--wait"], ["--wait", "--wait-timeout", "10s"]):
        assert "PINNED" in sh.ctl("pin", "add", *wait, cids[1])
        assert "UNPINNED" in sh.ctl("pin", "rm", *wait, cids[1])
    kind, body = _tree()
    root = json.loads(sh.kubo.call("add?pin=true&wrap-with-directory=true", body, kind).body.splitlines()[-1])["Hash"]
    leaf = sh.kubo.add([("f", b"in a tree\n")], "pin=false")
    assert leaf in sh.ctl("pin", "add", f"/ipfs/{root}/sub/leaf.txt")
    sh.pinned(leaf)
    assert leaf in sh.ctl("pin", "rm", f"/ipfs/{root}/sub/leaf.txt")
    name = json.loads(sh.kubo.call(f"name/publish?arg=/ipfs/{leaf}&allow-offline=true").body)["Name"]
    assert leaf in sh.ctl("pin", "add", "--wait", "--wait-timeout", "20s", f"/ipns/{name}")
    assert leaf in sh.ctl("pin", "rm", f"/ipns/{name}")
    sh.ctl("pin", "add", "--allocations", sh.id, "-r", "1", cids[2])
    assert sh.documents("pin", "ls", cids[2])[0]["allocations"] == [sh.id]
    sh.ctl("pin", "add", "--expire-in", "1h", "--metadata", "kind=text", "--name", "again", cids[2])
    pin = sh.documents("pin", "ls", cids[2])[0]
    assert pin["metadata"] == {"kind": "text"} and pin["name"] == "again" and not pin["expire_at"].startswith("0001")


def _tree():
    return http.multipart([("sub", None), ("sub/leaf.txt", b"in a tree\n")])


def test_adding(shell):
    """The lines of `add` are those of `ipfs add`, option by option."""
    sh = shell()
    sh.settled()
    tree = sh.folder / "tree"
    (tree / "subfolder").mkdir(parents=True)
    (tree / "abc.txt").write_text("abc\n")
    (sh.folder / "small.bin").write_bytes(long_text("small", 500))
    (sh.folder / "big.bin").write_bytes(long_text("big", 5_000_000))
    (tree / "subfolder" / "big.bin").write_bytes(long_text("big", 5_000_000))
    cases = [(options, file) for file in ("small.bin", "big.bin") for options in
             ([], ["-w"], ["--raw-leaves"], ["--raw-leaves", "-w"])]
    cases += [(["--layout", "trickle"], "big.bin"), (["-r"], "tree"), (["-r", "-w"], "tree"),
              (["--cid-version", "1", "-r"], "tree"), (["--hash", "sha3-512", "--cid-version", "1", "-r"], "tree")]
    for options, file in cases:
        theirs = ["--trickle" if o == "trickle" else o for o in options if o != "--layout"]
        done = subprocess.run([tools.ipfs(), "add", "--progress=false", "--pin=false", *theirs, file], cwd=sh.folder,
                              env=sh.kubo.env, capture_output=True, text=True, check=True)
        assert sh.ctl("add", *options, file).splitlines() == done.stdout.splitlines(), options
    car = sh.kubo.cli("dag", "export", sh.kubo.cli("add", "-Q", "-w", "-r", str(tree)).decode().strip())
    (sh.folder / "test.car").write_bytes(car)
    wrapped = sh.ctl("add", "--quieter", "-w", "-r", "tree").strip()
    assert sh.ctl("add", "--format", "car", "-Q", "test.car").strip() == wrapped
    cid = sh.ctl("add", "--quieter", "--metadata", "kind=text", "small.bin").strip()
    assert sh.documents("pin", "ls", cid)[0]["metadata"] == {"kind": "text"}
    assert cid in sh.ctl("pin", "ls")


def test_health(shell):
    sh = shell()
    sh.settled()
    assert "C0 -> I0" in sh.ctl("health", "graph")
    assert sh.ctl("health", "metrics", "ping")
    assert re.search(rf"(?m)^{sh.id} \| freespace: [0-9]+ (G|M|K)B \| Expires in: [0-9]+ seconds from now",
                     sh.ctl("health", "metrics", "freespace"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
    return {"ssl_cert_file": str(folder / "cert.pem"), "ssl_key_file": str(folder / "key.pem")}


def test_tls_and_credentials(shell, certificate):
    sh = shell(certificate)
    assert sh.id in sh.ctl("--https", "--no-check-certificate", "id")
    sh.stop()
    sh.configure({"basic_auth_credentials": {"testuser": "testpass"}})
    sh.start()
    for wrong in ("testuser:badpass", "baduser:testpass"):
        text = sh.ctl("--https", "--no-check-certificate", "--basic-auth", wrong, "id", code=None)
        assert "401" in text and "unauthorized" in text.lower()
    assert sh.id in sh.ctl("--no-check-certificate", "--basic-auth", "testuser:testpass", "id")


def test_credentials_over_http(shell):
    sh = shell({"basic_auth_credentials": {"testuser": "testpass"}})
    sh.ctl("--https", "--no-check-certificate", "id", code=None)  # there is no TLS
    for argv in ([], ["--basic-auth", "testuser"], ["--basic-auth", "testuser:bad"], ["--basic-auth", "bad:testpass"]):
        text = sh.ctl(*argv, "--force-http", "id", code=None)
        assert "401" in text and "unauthorized" in text.lower()
    assert sh.id in sh.ctl("--basic-auth", "testuser:testpass", "--force-http", "id")
    assert sh.id in sh.ctl("--force-http", "id", env={"CLUSTER_CREDENTIALS": "testuser:testpass"})


def test_state(shell):
    """Export, cleanup and import of a stopped peer, and that the three together change nothing."""
    sh = shell()
    cid = sh.kubo.add([("f", b"state\n")], "pin=true")
    sh.ctl("pin", "add", cid)
    sh.pinned(cid)
    sh.stop()
    sh.service("--debug", "state", "export", "-f", "export.json")
    assert cid in (sh.folder / "export.json").read_text()
    (sh.folder / "bad").write_text("not exactly json\n")
    sh.service("state", "import", "-f", "bad", code=1)
    sh.service("state", "cleanup", "-f")
    sh.start()
    assert not sh.documents("status")
    sh.stop()
    sh.service("state", "import", "-f", "export.json")
    sh.start()
    assert cid in sh.ctl("pin", "ls", cid)
    sh.pinned(cid)
    assert len(sh.documents("status")) == 1
