"""The scripts of the chart, by the shell and tools that the images have: BusyBox."""
import base64
import gzip
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import threading
import time

import pytest

from harness import helm, tools

FILES = helm.CHART / "files"
IDS = [f"12D3KooW{c * 44}" for c in "ABCDE"]
DOMAIN = "peers.ns.svc.cluster.local"


def test_scripts_are_clean_posix_shell():
    scripts = sorted(FILES.glob("*/*.sh"))
    assert len(scripts) >= 8
    done = subprocess.run(["shellcheck", "-s", "sh", "-e", "SC2086,SC2010,SC2012", *scripts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def box(tmp_path):
    """A folder with BusyBox's programs and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    busybox = shutil.which("busybox")
    for name in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
        (folder / name).symlink_to(busybox)
    return folder


class Names(http.server.ThreadingHTTPServer):
    """Answers for host names, as a proxy: {host: body, None (hangs up), or a function}."""

    def __init__(self, answers):
        self.answers, self.asked, self.logins = answers, [], []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        host = self.path.split("/")[2].split("@")[-1].split(":")[0]
        self.server.asked.append(host)
        self.server.logins.append(self.headers.get("Authorization"))
        answer = self.server.answers.get(host)
        if answer is None:
            self.send_error(503)
            return
        body = (answer() if callable(answer) else answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def names():
    servers = []

    def make(answers):
        servers.append(Names(answers))
        return servers[-1]

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


def host(k):
    return f"peer-{k}.{DOMAIN}"


def id_answer(k):
    """As /id of the reference answers, with Kubo's ID after the peer's."""
    return json.dumps({"id": IDS[k], "addresses": [], "ipfs": {"id": "12D3KooWKubo", "addresses": []}, "peername": f"peer-{k}"})


def run(script, box, env, args=(), timeout=60):
    return subprocess.run([box / "sh", FILES / script, *map(str, args)], env={"PATH": str(box), "HOME": "/tmp", **env},
                          capture_output=True, text=True, check=False, timeout=timeout)


def bootstrap(box, server, folder, ordinal=1, replicas=3, budget=3, **env):
    folder.mkdir(exist_ok=True)
    (folder / "replicas").write_text(str(replicas))
    begin = time.monotonic()
    done = run("cluster/configure-bootstrap.sh", box, {
        "POD_NAME": f"peer-{ordinal}", "BOOTSTRAP_ENABLED": "true", "BOOTSTRAP_DOMAIN": DOMAIN, "BOOTSTRAP_REPLICAS_FILE": str(folder / "replicas"),
        "BOOTSTRAP_BUDGET": str(budget), "IPFS_CLUSTER_PATH": str(folder), "http_proxy": server.url, **env})
    assert done.returncode == 0, done.stdout + done.stderr
    path = folder / "peerstore"
    return done.stdout, path.read_text().splitlines() if path.exists() else [], time.monotonic() - begin


def address(k, who=None):
    return f"/dns4/{host(k)}/tcp/9096/p2p/{IDS[k if who is None else who]}"


def test_k55_k56_configure_bootstrap_asks_all_siblings(box, names, tmp_path):
    server = names({host(k): id_answer(k) for k in range(3)})
    out, store, _ = bootstrap(box, server, tmp_path / "data")
    assert store == [address(0), address(2)]
    assert sorted(server.asked) == [host(0), host(2)]
    assert "2 of 2 other pods answered" in out and "peer-0 has the ID" in out


def test_pod_0_is_not_special(box, names, tmp_path):
    """Failure row: pod k restarts while pod 0 is down."""
    server = names({host(2): id_answer(2)})
    out, store, spent = bootstrap(box, server, tmp_path / "data", budget=20)
    assert store == [address(2)] and "1 of 2" in out
    assert spent < 10  # one answer is enough


def test_the_budget_is_kept_when_nobody_answers(box, names, tmp_path):
    out, store, spent = bootstrap(box, names({}), tmp_path / "data", budget=2)
    assert store == [] and 2 <= spent < 8
    assert "nobody answered within 2 s" in out


def test_ordinal_0_waits_for_nobody(box, names, tmp_path):
    server = names({})
    out, _, spent = bootstrap(box, server, tmp_path / "data", ordinal=0, budget=60)
    assert spent < 10 and "nobody is waited for" in out
    assert sorted(server.asked) == [host(1), host(2)]  # asked all the same: after a restart they are there


def test_a_sibling_that_comes_late_is_waited_for(box, names, tmp_path):
    server = names({})
    threading.Timer(1.5, lambda: server.answers.update({host(0): id_answer(0)})).start()
    _, store, _ = bootstrap(box, server, tmp_path / "data", budget=30)
    assert store == [address(0)]


def test_a_hanging_sibling_costs_at_most_its_time(box, names, tmp_path):
    held = threading.Event()
    server = names({host(0): lambda: held.wait(30) and "" or "", host(2): id_answer(2)})
    _, store, spent = bootstrap(box, server, tmp_path / "data")
    held.set()
    assert store == [address(2)] and spent < 10


@pytest.mark.parametrize("answer", ["", "not json", "{}", '{"error":"x"}', '{"id":"../../etc"}', '{"id":""}', "x" * 100000],
                         ids=["empty", "text", "no-id", "error", "path", "empty-id", "long"])
def test_answers_without_an_id_are_left_alone(box, names, tmp_path, answer):
    out, store, _ = bootstrap(box, names({host(0): answer}), tmp_path / "data", replicas=2, budget=1)
    assert store == [] and "0 of 1" in out


def test_a_new_id_replaces_the_old_one_of_a_name(box, names, tmp_path):
    """Failure row: a pod lost its volume, and with it its identity."""
    folder = tmp_path / "data"
    folder.mkdir()
    outside = "/dns4/elsewhere.example.com/tcp/9096/p2p/12D3KooWOutside"
    (folder / "peerstore").write_text(f"{outside}\n{address(0, who=3)}\n{address(2)}\n")
    _, store, _ = bootstrap(box, names({host(k): id_answer(k) for k in range(3)}), folder)
    assert store == [outside, address(0), address(2)]


def test_bootstrap_off_and_single_replicas_do_nothing(box, names, tmp_path):
    server = names({host(0): id_answer(0)})
    out, store, _ = bootstrap(box, server, tmp_path / "a", BOOTSTRAP_ENABLED="false")
    assert store == [] and "bootstrap is off" in out
    out, store, _ = bootstrap(box, server, tmp_path / "b", ordinal=0, replicas=1)
    assert store == [] and "one replica" in out and server.asked == []


def test_the_first_login_is_used(box, names, tmp_path):
    server = names({host(0): id_answer(0)})
    _, store, _ = bootstrap(box, server, tmp_path / "data", replicas=2, CLUSTER_RESTAPI_BASICAUTHCREDENTIALS="ann:secret,bob:x")
    assert store == [address(0)]
    assert server.logins[0] in (None, "Basic " + base64.b64encode(b"ann:secret").decode())


def test_an_unwritable_folder_does_not_stop_the_pod(box, names, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "peerstore").mkdir()  # nothing can be written there, not even by root
    out, _, _ = bootstrap_raw(box, names({host(0): id_answer(0)}), folder)
    assert "1 of 2 other pods answered" in out


def bootstrap_raw(box, server, folder):
    (folder / "replicas").write_text("3")
    done = run("cluster/configure-bootstrap.sh", box, {
        "POD_NAME": "peer-1", "BOOTSTRAP_DOMAIN": DOMAIN, "BOOTSTRAP_REPLICAS_FILE": str(folder / "replicas"), "BOOTSTRAP_BUDGET": "2",
        "IPFS_CLUSTER_PATH": str(folder), "http_proxy": server.url})
    assert done.returncode == 0
    return done.stdout, done.stderr, done.returncode


@pytest.fixture(params=["ours", "go"])
def service(request, box):
    """The peer's program under the name by which both images have it."""
    program = tools.our("ipfs-cluster-agent") if request.param == "ours" else tools.go_service()
    (box / "ipfs-cluster-service").symlink_to(program)
    if request.param == "ours":
        (box / "ipfs-cluster-agent").symlink_to(program)
    return request.param


def init(box, folder, **env):
    return run("cluster/init-cluster.sh", box, {"POD_NAME": "peer-1", "IPFS_CLUSTER_PATH": str(folder), "CLUSTER_SECRET": helm.SECRET, **env})


def test_k54_k56_init_cluster_makes_and_then_keeps(box, service, tmp_path):
    folder = tmp_path / "data"
    done = init(box, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    config, identity = (folder / "service.json").read_bytes(), (folder / "identity.json").read_bytes()
    assert json.loads(config)["cluster"]["secret"] == helm.SECRET
    assert json.loads(identity)["id"] in done.stdout and "made the configuration" in done.stdout
    again = init(box, folder)
    assert again.returncode == 0 and "keeping the configuration" in again.stdout
    assert (folder / "service.json").read_bytes() == config and (folder / "identity.json").read_bytes() == identity


def test_settings_of_the_pod_do_not_stay_in_the_file(box, service, tmp_path):
    folder = tmp_path / "data"
    assert init(box, folder, CLUSTER_PEERNAME="renamed", CLUSTER_RESTAPI_BASICAUTHCREDENTIALS="a:b").returncode == 0
    text = (folder / "service.json").read_text()
    assert "renamed" not in text and json.loads(text)["api"]["restapi"]["basic_auth_credentials"] is None


@pytest.mark.parametrize("secret,sentence", [("", "must be 64 hex digits, but has 0"), ("ab", "but has 2"), ("z" * 64, "not hex digits")])
def test_k160_wrong_secrets_stop_the_pod_with_a_sentence(box, tmp_path, secret, sentence):
    done = init(box, tmp_path / "data", CLUSTER_SECRET=secret)
    assert done.returncode == 1 and sentence in done.stderr


def test_k160_a_line_end_after_the_secret_is_tolerated(box, service, tmp_path):
    done = init(box, tmp_path / "data", CLUSTER_SECRET=helm.SECRET + "\n")
    assert done.returncode == 0, done.stderr


def test_p3_identity_from_a_secret(box, service, tmp_path):
    folder, given = tmp_path / "data", tmp_path / "identity"
    other = tmp_path / "other"
    assert init(box, other).returncode == 0
    given.mkdir()
    shutil.copy(other / "identity.json", given / "identity-1.json")
    env = {"IDENTITY_MODE": "existingSecret", "IDENTITY_FOLDER": str(given)}
    assert init(box, folder, **env).returncode == 0
    assert (folder / "identity.json").read_bytes() == (given / "identity-1.json").read_bytes()
    assert init(box, folder, **env).returncode == 0  # again, and the same
    missing = init(box, tmp_path / "x", POD_NAME="peer-2", **env)
    assert missing.returncode == 1 and "no key identity-2.json" in missing.stderr
    assert init(box, tmp_path / "own").returncode == 0
    mismatch = init(box, tmp_path / "own", **env)
    assert mismatch.returncode == 1 and "remove" in mismatch.stderr


def test_identity_derived_from_a_seed(box, tmp_path):
    """Known before the pods are there, and a volume's own identity wins."""
    for name in ("ipfs-cluster-service", "ipfs-cluster-agent"):
        (box / name).symlink_to(tools.our("ipfs-cluster-agent"))
    given = tmp_path / "identity"
    given.mkdir()
    (given / "identity-seed").write_text("5eed" * 16 + "\n")
    env = {"IDENTITY_MODE": "derived", "IDENTITY_FOLDER": str(given), "IDENTITY_SALT": "ns/peers"}
    foretold = subprocess.run([tools.our("ipfs-cluster-agent"), "identity", "derive", "--seed-file", given / "identity-seed", "--salt", "ns/peers",
                               "--count", "3"], capture_output=True, text=True, check=True).stdout.split()
    for k in range(3):
        done = init(box, tmp_path / f"data{k}", POD_NAME=f"peer-{k}", **env)
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads((tmp_path / f"data{k}/identity.json").read_text())["id"] == foretold[k]
    assert init(box, tmp_path / "own").returncode == 0
    own = json.loads((tmp_path / "own/identity.json").read_text())["id"]
    kept = init(box, tmp_path / "own", **env)
    assert kept.returncode == 0 and f"keeping the identity {own}" in kept.stdout


def test_k159_export_of_a_running_peer_and_backups(box, names, tmp_path):
    pins = "".join(json.dumps({"cid": f"Qm{k}"}) + "\n" for k in range(5))
    server = names({"localhost": pins, "api.svc": pins})
    env = {"http_proxy": server.url, "API_HOST": "api.svc"}
    done = run("cluster/export-state.sh", box, env, [tmp_path / "backup"])
    assert done.returncode == 0 and "5 pins" in done.stdout, done.stderr
    assert gzip.decompress((tmp_path / "backup/state.json.gz").read_bytes()).decode() == pins
    folder = tmp_path / "kept"
    folder.mkdir()
    for day in range(4):
        (folder / f"pinset-2020010{day}T000000Z.json.gz").write_bytes(b"")
    done = run("cluster/backup.sh", box, env, [folder, 3])
    assert done.returncode == 0, done.stderr
    left = sorted(os.listdir(folder))
    assert left[:2] == ["pinset-20200102T000000Z.json.gz", "pinset-20200103T000000Z.json.gz"] and len(left) == 3
    # A peer that does not answer leaves the last export as it is.
    server.answers["localhost"] = None
    assert run("cluster/export-state.sh", box, env, [tmp_path / "backup"]).returncode != 0
    assert gzip.decompress((tmp_path / "backup/state.json.gz").read_bytes()).decode() == pins


@pytest.fixture
def kubo(box, tmp_path):
    """A new repository, and a function that runs the scripts of /container-init.d on it."""
    (box / "ipfs").symlink_to(tools.ipfs())
    repo = tmp_path / "repo"
    base = {"IPFS_PATH": str(repo)}
    subprocess.run([tools.ipfs(), "init"], env={**os.environ, **base}, capture_output=True, check=True)

    def start(**env):
        for script in sorted((FILES / "ipfs").glob("*.sh")):
            done = run(f"ipfs/{script.name}", box, {**base, **env})
            assert done.returncode == 0, done.stdout + done.stderr
        return json.loads((repo / "config").read_text())

    start.repo = repo
    return start


def test_k86_k87_kubo_obeys_the_pods_variables_at_every_start(kubo):
    config = kubo(IPFS_SWARM_CONNMGR_HIGHWATER="900", IPFS_SWARM_CONNMGR_LOWWATER="600",
                  IPFS_ENABLE_EXPERIMENTAL_FEATURES="true", IPFS_STORAGE_MAX="8000000B", IPFS_BITSWAP_BROADCAST="true")
    assert config["Internal"]["Bitswap"]["BroadcastControl"]["Enable"] is False
    assert config["Discovery"]["MDNS"]["Enabled"] is False and kubo(IPFS_MDNS="true")["Discovery"]["MDNS"]["Enabled"] is True
    assert config["Swarm"]["ConnMgr"]["HighWater"] == 900 and config["Swarm"]["ConnMgr"]["LowWater"] == 600
    assert config["Experimental"]["FilestoreEnabled"] is True and config["Datastore"]["StorageMax"] == "8000000B"
    assert config["Addresses"]["API"] == "/ip4/0.0.0.0/tcp/5001" and config["Addresses"]["Gateway"] == "/ip4/0.0.0.0/tcp/8080"
    assert kubo(IPFS_SWARM_CONNMGR_HIGHWATER="700")["Swarm"]["ConnMgr"]["HighWater"] == 700


def test_p14_a_private_swarm_starts(kubo, box, tmp_path):
    (tmp_path / "key").mkdir()
    (tmp_path / "key/swarm.key").write_text(f"/key/swarm/psk/1.0.0/\n/base16/\n{helm.SECRET}\n")
    kubo(IPFS_PRIVATE_SWARM="true", SWARM_KEY_FOLDER=str(tmp_path / "key"))
    config = json.loads((kubo.repo / "config").read_text())
    config["Addresses"].update(API="/ip4/127.0.0.1/tcp/0", Gateway="/ip4/127.0.0.1/tcp/0", Swarm=["/ip4/127.0.0.1/tcp/0"])
    (kubo.repo / "config").write_text(json.dumps(config))
    daemon = subprocess.Popen([tools.ipfs(), "daemon"], env={**os.environ, "IPFS_PATH": str(kubo.repo)}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
    try:
        lines = []
        for line in daemon.stdout:
            lines.append(line)
            if "Daemon is ready" in line:
                break
        assert any("Daemon is ready" in line for line in lines), "".join(lines)
        assert any("private network" in line for line in lines)
    finally:
        daemon.terminate()
        daemon.wait(20)


def test_render_has_the_scripts_as_they_are():
    data = helm.render().config_map("-scripts")
    assert data.pop("replicas") == "3"
    assert data == {p.name: p.read_text() for p in (FILES / "cluster").iterdir()}
    init = helm.render({"ipfs": {"config": {"Gateway.NoFetch": True, "Peering.Peers": [{"ID": "x"}]}, "initScripts": {"900-mine.sh": "echo hi"}}}).config_map("-init")
    assert "ipfs config --json 'Gateway.NoFetch' 'true'" in init["200-values.sh"] and init["900-mine.sh"].strip() == "echo hi"
    assert pathlib.Path(FILES / "ipfs/001-settings.sh").read_text() == init["001-settings.sh"]
