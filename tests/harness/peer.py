"""A cluster peer: ours (Agent) or the reference's (GoPeer). Both take the same files, so one class drives both."""
import json
import re
import shutil
import subprocess

from . import http, ports, tools
from .process import Process
from .wait import wait_until

# As the recordings were made: everything on loopback, and intervals that tests can wait for.
FAST = {
    "cluster": {"mdns_interval": "0s", "monitor_ping_interval": "5s"},
    "consensus/crdt": {"rebroadcast_interval": "5s"},
    "monitor/pubsubmon": {"check_interval": "5s"},
    "ipfs_connector/ipfshttp": {"pin_timeout": "10s", "connect_swarms_delay": "5s"},
    "informer/disk": {"metric_ttl": "10s"},
    "informer/tags": {"metric_ttl": "10s"},
}
SECRET = "0" * 62 + "17"  # one private network for all peers of the tests


class Peer:
    program = None
    address = "127.0.0.1"  # where its APIs are
    # Lines that are not a defect although they say ERROR.
    expected_errors = ()

    def __init__(self, folder, kubo, name="peer0", settings=None, env=None, base=None):
        """base: settings for every test (FAST), or those given. kubo: something with .multiaddr, or a multiaddr. settings: {"section/part": {key: value}}."""
        self.folder, self.name = folder, name
        folder.mkdir(parents=True, exist_ok=True)
        self.config_dir = folder / "config"
        self.kubo = kubo
        self.process = None
        self.allowed_errors = [re.compile(p) for p in self.expected_errors]
        self.swarm_port, self.rest_port, self.proxy_port, self.pinsvc_port, self.metrics_port = (
            ports.free_port() for _ in range(5))
        self.env = tools.clean_env(**(env or {}))
        init_env = dict(self.env, CLUSTER_SECRET=SECRET)
        done = subprocess.run([self.program_path(), "--config", str(self.config_dir), "init", "--consensus", "crdt"],
                              env=init_env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError(f"{name}: init failed: {done.stdout}{done.stderr}")
        self.id = json.loads((self.config_dir / "identity.json").read_text())["id"]
        node = kubo if isinstance(kubo, str) else kubo.multiaddr
        self.configure(FAST if base is None else base)
        self.configure({
            "cluster": {"peername": name, "listen_multiaddress": [f"/ip4/127.0.0.1/tcp/{self.swarm_port}"]},
            "api/restapi": {"http_listen_multiaddress": f"/ip4/127.0.0.1/tcp/{self.rest_port}"},
            "api/pinsvcapi": {"http_listen_multiaddress": f"/ip4/127.0.0.1/tcp/{self.pinsvc_port}"},
            "api/ipfsproxy": {"listen_multiaddress": f"/ip4/127.0.0.1/tcp/{self.proxy_port}", "node_multiaddress": node},
            "ipfs_connector/ipfshttp": {"node_multiaddress": node},
            "observations/metrics": {"prometheus_endpoint": f"/ip4/127.0.0.1/tcp/{self.metrics_port}"},
        })
        self.configure(settings or {})

    @classmethod
    def program_path(cls):
        raise NotImplementedError

    def configure(self, settings):
        """Changes service.json; takes effect at the next start. A value None removes the key."""
        path = self.config_dir / "service.json"
        config = json.loads(path.read_text())
        for where, values in settings.items():
            section = config
            for key in where.split("/"):
                section = section.setdefault(key, {})
            for key, value in values.items():
                if value is None:
                    section.pop(key, None)
                else:
                    section[key] = value
        path.write_text(json.dumps(config, indent=2))

    @property
    def swarm_multiaddr(self):
        return f"/ip4/127.0.0.1/tcp/{self.swarm_port}/p2p/{self.id}"

    @property
    def rest_multiaddr(self):
        return f"/ip4/127.0.0.1/tcp/{self.rest_port}"

    def start(self, *flags, wait=True, env=None):
        self.process = Process(self.name, [self.program_path(), "--config", self.config_dir, "daemon", *flags],
                               self.folder / "log", dict(self.env, **(env or {})))
        if wait:
            self.wait_up()
        return self

    def wait_up(self, deadline=30, interval=0.02):
        def up():
            if not self.process.alive():
                raise RuntimeError(f"exited with {self.process.exit_code}: {self.process.log_text()[-2000:]}")
            return self.call("GET", "/id").status in (200, 401)
        wait_until(up, deadline, f"{self.name} answers /id", interval)

    def wait_candidates(self, count=1, deadline=60):
        """Until `count` peers can be given pins: the allocator needs their metrics."""
        def ready():
            for metric in ("freespace", "tag:group"):
                valid = [m for m in self.call("GET", f"/monitor/metrics/{metric}").json() if m["valid"]]
                if len(valid) < count:
                    return False
            return True
        wait_until(ready, deadline, f"{self.name} knows the metrics of {count} peers", 0.2)

    def stop(self, grace=20):
        return self.process.stop(grace)

    def call(self, method, target, headers=(), body=None, timeout=60):
        return http.request(self.rest_port, method, target, headers, body, timeout=timeout)

    def add(self, content, query=""):
        """Uploads one file and returns its CID. query: "name=n&cid-version=1"."""
        kind, body = http.multipart([("file", content)])
        return self.call("POST", "/add" + ("?" + query if query else ""), {"Content-Type": kind}, body, timeout=120).added()

    def status(self, cid, local=False):
        """This peer's status word for a CID."""
        entry = self.call("GET", f"/pins/{cid}" + ("?local=true" if local else "")).json()
        return entry["peer_map"][self.id]["status"]

    def wait_status(self, cid, wanted, deadline=30):
        wait_until(lambda: self.status(cid) == wanted, deadline, f"{self.name}: {cid} is {wanted}", 0.1)

    def pinset(self):
        """{cid: pin document} of GET /allocations."""
        answer = self.call("GET", "/allocations", timeout=300)
        assert answer.status in (200, 204) and answer.complete, (answer.status, answer.body[-300:])
        assert all(v == "" for _, v in answer.trailers), answer.trailers
        return {pin["cid"]: pin for pin in answer.documents()}

    def allow_errors(self, *patterns):
        """ERROR lines that this test provokes."""
        self.allowed_errors += [re.compile(p) for p in patterns]

    def unexpected_errors(self):
        return []

    def disk_bytes(self):
        """What the folder takes on disk."""
        return int(subprocess.run(["du", "-s", "-B1", self.config_dir], capture_output=True, check=True).stdout.split()[0])

    def wipe(self):
        """Removes the state, keeps identity and configuration."""
        for path in self.config_dir.iterdir():
            if path.is_dir():
                shutil.rmtree(path)


class Agent(Peer):
    """Ours: ipfs-cluster-agent."""
    flavour = "ours"
    # Tests take Kubo away at any moment, also while the peer greets it.
    expected_errors = (r"IPFS signaled ready but ID\(\) errored",)

    @classmethod
    def program_path(cls):
        return tools.our("ipfs-cluster-agent")

    def unexpected_errors(self):
        lines = [line for line in self.process.log_text().splitlines()
                 if re.search(r"^\S+\s+ERROR\s|\"level\":\s*\"error\"", line, re.I)]
        return [line for line in lines if not any(p.search(line) for p in self.allowed_errors)]


class GoPeer(Peer):
    """The reference: ipfs-cluster-service 1.1.6 from tests/tools/cluster."""
    flavour = "go"

    @classmethod
    def program_path(cls):
        return tools.go_service()

    def wait_up(self, deadline=30, interval=0.02):
        # Its API listens before the calls behind it exist; a question in that moment stops the whole process.
        def begun():
            if not self.process.alive():
                raise RuntimeError(f"exited with {self.process.exit_code}: {self.process.log_text()[-2000:]}")
            return b"Cluster Peers (without including ourselves)" in self.process.log.read_bytes()[self.process.log_start:]
        wait_until(begun, deadline, f"{self.name} has begun", interval)
        super().wait_up(deadline, interval)


FLAVOURS = {"ours": Agent, "go": GoPeer}
