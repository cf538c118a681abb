"""An unmodified Kubo on loopback without any outside network."""
import json
import subprocess

from . import http, ports, tools
from .process import Process
from .wait import wait_until


class Kubo:
    def __init__(self, folder, name="kubo"):
        """Makes the repository; start() runs the daemon."""
        self.folder, self.name = folder, name
        folder.mkdir(parents=True, exist_ok=True)
        self.repo = folder / "repo"
        self.api_port, self.gateway_port, self.swarm_port = (ports.free_port() for _ in range(3))
        self.env = tools.clean_env(IPFS_PATH=str(self.repo), IPFS_TELEMETRY="off")
        self.process = None
        subprocess.run([tools.ipfs(), "init", "--profile=test"], env=self.env, check=True, stdout=subprocess.DEVNULL)
        path = self.repo / "config"
        config = json.loads(path.read_text())
        config["Addresses"].update(API=f"/ip4/127.0.0.1/tcp/{self.api_port}",
                                   Gateway=f"/ip4/127.0.0.1/tcp/{self.gateway_port}",
                                   Swarm=[f"/ip4/127.0.0.1/tcp/{self.swarm_port}"])
        config["Bootstrap"] = []
        # A DHT without anybody in it: local IPNS records resolve, nothing leaves the machine.
        config["Routing"] = {"Type": "dht", "DelegatedRouters": []}
        config.setdefault("AutoConf", {})["Enabled"] = False
        config["DNS"] = {"Resolvers": {}}
        config["Ipns"]["DelegatedPublishers"] = []
        config["Discovery"]["MDNS"]["Enabled"] = False
        path.write_text(json.dumps(config, indent=2))
        self.id = config["Identity"]["PeerID"]

    @property
    def multiaddr(self):
        return f"/ip4/127.0.0.1/tcp/{self.api_port}"

    def start(self, wait=True):
        self.process = Process(self.name, [tools.ipfs(), "daemon"], self.folder / "log", self.env)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        wait_until(lambda: self.call("id").status == 200, 60, f"{self.name} answers")

    def meet_anew(self):
        """Ends its connections, which agents make again. A Kubo (0.43.0) never asks a peer for blocks that dialled it while it
        started, as long as that connection lasts: ipfs/boxo#1201."""
        for peer in self.call("swarm/peers").json()["Peers"] or []:
            self.call(f"swarm/disconnect?arg=/p2p/{peer['Peer']}")

    def call(self, path, body=None, content_type=None, timeout=60):
        """POST /api/v0/<path>"""
        headers = {"Content-Type": content_type} if content_type else {}
        return http.request(self.api_port, "POST", "/api/v0/" + path, headers, body, timeout=timeout)

    def cli(self, *argv, data=None, check=True):
        done = subprocess.run([tools.ipfs(), *argv], env=self.env, input=data, capture_output=True, check=False)
        if check and done.returncode:
            raise AssertionError(f"ipfs {' '.join(argv)}: {done.stderr.decode()}")
        return done.stdout

    def add(self, files, options="pin=false"):
        """Adds [(name, bytes)] and returns the CID of the last document."""
        kind, body = http.multipart(files)
        answer = self.call("add?" + options, body, kind)
        assert answer.status == 200, answer.body
        return answer.documents()[-1]["Hash"]

    def pins(self, kind="recursive"):
        """CIDs that are pinned."""
        answer = self.call(f"pin/ls?type={kind}")
        assert answer.status == 200, answer.body
        return set(answer.json()["Keys"])

    def is_pinned(self, cid):
        return self.call(f"pin/ls?arg={cid}").status == 200
