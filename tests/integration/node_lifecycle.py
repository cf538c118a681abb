"""The program as an operator meets it: start, stop, refusals that say what to do, probes and metrics."""
import json
import re
import shutil
import socket
import ssl
import subprocess
import urllib.request

import pytest

from harness import http, tools
from harness.corpus import FIXTURES
from harness.wait import wait_until

CID = FIXTURES["f0"]


@pytest.fixture
def kubo(lab):
    return lab.fake_kubo()


def command(peer, *argv, env=None):
    """Runs the agent's program for a command that ends: (exit code, all output)."""
    done = subprocess.run([peer.program_path(), "--config", str(peer.config_dir), *argv], capture_output=True, text=True,
                          timeout=60, env=dict(peer.env, **(env or {})), stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def get(port, path):
    answer = http.request(port, "GET", path)
    return answer.status, answer.body.decode()


def test_stops_quickly_while_busy(lab, kubo, flavour):
    """SIGTERM with a hanging Kubo, open connections and a listing in progress: exit code 0 within 2 s."""
    peer = lab.peer(kubo, flavour)
    peer.wait_candidates()
    kubo.mode("hang")
    for n in range(20):
        assert peer.call("POST", f"/pins/{FIXTURES[f'f{n}']}").status == 200
    idle = [socket.create_connection(("127.0.0.1", peer.rest_port)) for _ in range(20)]
    assert peer.stop() == 0
    for s in idle:
        s.close()
    assert peer.process.stop_time < 2.0, f"took {peer.process.stop_time:.1f} s"


def test_one_process_per_folder(lab, kubo):
    peer = lab.peer(kubo)
    code, text = command(peer, "daemon")
    assert code != 0 and re.search("lock|another|already", text), text
    assert peer.call("GET", "/id").status == 200


def test_init_does_not_overwrite(lab, kubo):
    peer = lab.peer(kubo, start=False)
    before = (peer.config_dir / "identity.json").read_text()
    code, text = command(peer, "init", "--consensus", "crdt")
    assert code != 0 or "n" in text
    assert (peer.config_dir / "identity.json").read_text() == before


def test_identity_and_version_commands(lab, kubo):
    peer = lab.peer(kubo, start=False)
    code, text = command(peer, "id")
    assert code == 0 and peer.id in text
    code, text = command(peer, "version")
    assert code == 0 and re.search(r"\d+\.\d+\.\d+", text)


@pytest.mark.parametrize("where,values,names", [
    ("cluster", {"secret": "abc"}, "secret"),
    ("ipfs_connector/ipfshttp", {"node_multiaddress": "nonsense"}, "node_multiaddress"),
    ("pin_tracker/stateless", {"concurrent_pins": -3}, "concurrent_pins"),
    ("cluster", {"replication_factor_min": 3, "replication_factor_max": 2}, "replication_factor"),
])
def test_wrong_setting_is_named(lab, kubo, where, values, names):
    peer = lab.peer(kubo, start=False, settings={where: values})
    for argv in (("config", "check"), ("daemon",)):
        code, text = command(peer, *argv)
        assert code != 0 and names in text, (argv, code, text)


def test_broken_file_is_refused(lab, kubo):
    peer = lab.peer(kubo, start=False)
    (peer.config_dir / "service.json").write_text("{ not json")
    code, text = command(peer, "daemon")
    assert code != 0 and "service.json" in text, text


def test_environment_over_file_and_secrets_masked(lab, kubo):
    peer = lab.peer(kubo, env={"CLUSTER_PEERNAME": "from-the-environment"})
    assert peer.call("GET", "/id").json()["peername"] == "from-the-environment"
    code, text = command(peer, "config", "show", "--effective")
    secret = json.loads((peer.config_dir / "service.json").read_text())["cluster"]["secret"]
    assert code == 0 and "from-the-environment" in text and secret not in text


def test_folder_of_a_go_peer(lab, kubo):
    """A folder that the reference's init made is read as it is: same identity, same settings."""
    go = lab.peer(kubo, "go", name="was-go", start=False)
    ours = lab.peer(kubo, name="ours", start=False)
    shutil.rmtree(ours.config_dir)
    shutil.copytree(go.config_dir, ours.config_dir)
    ours.id = go.id
    ours.rest_port = go.rest_port
    ours.start()
    identity = ours.call("GET", "/id").json()
    assert identity["id"] == go.id and identity["peername"] == "was-go"


def test_probes_and_metrics(lab, kubo):
    peer = lab.peer(kubo, settings={"observations/metrics": {"enable_stats": True},
                                    "ipfs_connector/ipfshttp": {"ipfs_request_timeout": "3s"}})
    assert get(peer.metrics_port, "/healthz")[0] == 200
    wait_until(lambda: get(peer.metrics_port, "/readyz")[0] == 200, 20, "the peer is ready")
    status, text = get(peer.metrics_port, "/metrics")
    assert status == 200
    values = dict(re.findall(r"^([a-z_]+)(?:\{[^}]*\})? (\S+)$", text, re.M))
    for name in ("cluster_peers_total", "cluster_pins_total", "cluster_pins_pinned", "cluster_pins_pin_error",
                 "cluster_pins_queued", "cluster_pins_pin_duration_seconds_count", "ipfs_repo_size_bytes",
                 "ipfs_repo_objects_total", "go_goroutines", "go_memstats_alloc_bytes", "process_resident_memory_bytes",
                 "process_cpu_seconds_total", "ipfscluster_pins", "ipfscluster_pins_ipfs_pins", "ipfscluster_pins_pin_add",
                 "ipfscluster_pins_pin_add_errors", "ipfscluster_pins_pin_queued", "ipfscluster_pins_pinning",
                 "ipfscluster_pins_pin_error", "ipfscluster_blocks_put", "ipfscluster_blocks_put_errors",
                 "ipfscluster_blocks_added", "ipfscluster_blocks_added_size", "ipfscluster_informer_disk"):
        assert name in values, name
    peer.wait_candidates()
    assert peer.call("POST", f"/pins/{CID}").status == 200
    peer.wait_status(CID, "pinned")
    wait_until(lambda: re.search(r"^cluster_pins_pinned(\{[^}]*\})? 1$", get(peer.metrics_port, "/metrics")[1], re.M), 20,
               "the pin is counted")
    assert CID not in get(peer.metrics_port, "/metrics")[1]
    assert command(peer, "health")[0] == 0
    assert command(peer, "health", "--ready")[0] == 0
    kubo.mode("hang")
    wait_until(lambda: get(peer.metrics_port, "/readyz")[0] == 503, 60, "not ready without Kubo", 0.2)
    assert get(peer.metrics_port, "/healthz")[0] == 200
    kubo.mode("ok")
    wait_until(lambda: get(peer.metrics_port, "/readyz")[0] == 200, 60, "ready again", 0.2)


def test_metrics_are_closed_when_not_enabled(lab, kubo):
    peer = lab.peer(kubo)
    try:
        status = get(peer.metrics_port, "/metrics")[0]
    except OSError:
        status = None
    assert status in (None, 404)


def test_tls(lab, kubo):
    peer = lab.peer(kubo, start=False)
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                           "-keyout", peer.config_dir / "key.pem", "-out", peer.config_dir / "cert.pem"], capture_output=True)
    assert made.returncode == 0, made.stderr
    peer.configure({"api/restapi": {"ssl_cert_file": "cert.pem", "ssl_key_file": "key.pem"}})
    peer.start(wait=False)
    trust = ssl.create_default_context(cafile=str(peer.config_dir / "cert.pem"))
    trust.check_hostname = False

    def answer():
        with urllib.request.urlopen(f"https://127.0.0.1:{peer.rest_port}/id", context=trust, timeout=5) as reply:
            return json.loads(reply.read())
    assert wait_until(answer, 20, "the API answers over TLS")["id"] == peer.id
    code = subprocess.run([tools.go_ctl(), "--host", peer.rest_multiaddr, "--https", "--no-check-certificate", "id"],
                          capture_output=True, text=True, timeout=30)
    assert code.returncode == 0 and peer.id in code.stdout, code


def test_log_as_json(lab, kubo):
    """Every line of the log is a JSON document when asked for so (the first one is older than the settings)."""
    peer = lab.peer(kubo, env={"CLUSTER_AGENT_LOGFORMAT": "json"})
    peer.stop()
    lines = [line for line in peer.process.log_text().splitlines()[1:] if line]
    assert lines
    for line in lines:
        assert {"time", "level", "component", "message"} <= set(json.loads(line)), line
