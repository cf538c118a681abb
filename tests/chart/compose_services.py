"""The services of the compose file as processes, each in a network namespace and a root of its own, with the entry points,
users and variables of the images: they find each other by name, pin, and go on after all were stopped and got other
addresses. No container engine is needed.
"""
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile

import pytest
import yaml

from harness import helm, tools
from harness.pods import Network, end_group, program_folder
from harness.wait import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
FILE = helm.CHART.parent / "compose" / "docker-compose.yml"


def interpolated(text, variables):
    """${NAME}, ${NAME:-default} and ${NAME:?message}, as compose reads them."""
    def value(match):
        name, kind, rest = match[1], match[2], match[3]
        if variables.get(name):
            return variables[name]
        if kind == ":?":
            raise KeyError(f"{name}: {rest}")
        return rest or ""
    return re.sub(r"\$\{(\w+)(:-|:\?)?([^}]*)\}", value, text)


class Image:
    """What a Dockerfile says about how its image runs."""

    def __init__(self, dockerfile, programs):
        last = dockerfile.read_text().split("\nFROM ")[-1].replace("\\\n", " ")
        self.programs = programs
        self.entry = json.loads(re.search(r"^ENTRYPOINT (.*)$", last, re.M)[1])
        self.command = json.loads(re.search(r"^CMD (.*)$", last, re.M)[1])
        self.environment = dict(item.split("=", 1) for line in re.findall(r"^ENV (.*)$", last, re.M) for item in line.split())
        self.volume = re.search(r"^VOLUME (\S+)$", last, re.M)[1]
        user = re.search(r"^USER (\S+)$", last, re.M)
        self.user = user[1] if user else "0:0"
        health = re.search(r"^HEALTHCHECK .*?CMD (\[.*\])$", last, re.M)
        self.health = json.loads(health[1]) if health else None


class Service:
    def __init__(self, project, name, spec, image):
        self.project, self.name, self.spec, self.image = project, name, spec, image
        self.tag = name[0] + name[-1]
        self.folder = project.folder / f"volume-{name}"
        self.folder.mkdir()
        os.chown(self.folder, 1000, 1000)
        volume, target = spec["volumes"][0].split(":")
        assert volume == name and target == image.volume
        self.log = project.folder / f"{name}.log"
        self.process = None

    def start(self):
        network = self.project.network
        self.namespace, self.address = network.plug(self.tag)
        names = network.dns.names
        names[self.name] = [self.address]
        for alias in self.spec.get("networks", {}).get("default", {}).get("aliases", []):
            names.setdefault(alias, []).append(self.address)
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.inside(*self.image.entry, *self.spec.get("command", self.image.command)), stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)

    def inside(self, *argv):
        variables = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOSTNAME": self.name, **self.image.environment, **self.spec.get("environment", {})}
        user = self.spec.get("user", self.image.user)
        mounts = [str(self.folder), self.image.volume]
        for target in self.spec.get("tmpfs", []):
            folder = self.project.folder / f"tmpfs-{self.name}{target.replace('/', '-')}"
            folder.mkdir(exist_ok=True)
            folder.chmod(0o1777)
            mounts += [str(folder), target]
        return ["ip", "netns", "exec", self.namespace, str(tools.ROOT / "scripts/lib/run_container"), str(self.image.programs), user,
                str(len(mounts) // 2), *mounts, "env", "-i", *[f"{k}={v}" for k, v in variables.items()], *argv]

    def execute(self, *argv):
        """Like docker compose exec."""
        done = subprocess.run(self.inside(*argv), capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout + done.stderr

    def stop(self):
        if self.process:
            end_group(self.process)
            self.project.network.unplug(self.tag)
        self.process = None


class Project:
    def __init__(self, folder):
        self.folder, self.network = folder, Network(f"comp{random.randrange(1000)}")
        text = interpolated(FILE.read_text(), {"CLUSTER_SECRET": os.urandom(32).hex()})
        ours, ctl = tools.our("ipfs-cluster-agent"), tools.our("ipfs-cluster-ctl")
        agent = Image(tools.ROOT / "Dockerfile", program_folder(folder / "agent", {
            "ipfs-cluster-service": ours, "ipfs-cluster-agent": ours, "ipfs-cluster-ctl": ctl, "entrypoint.sh": tools.ROOT / "image/entrypoint.sh"}))
        kubo = Image(tools.ROOT / "tests/images/kubo.Dockerfile", program_folder(folder / "kubo", {
            "ipfs": tools.ipfs(), "start_ipfs": tools.ROOT / "tests/images/start_ipfs"}))
        kubo.user = "1000:1000"  # the official image changes to it by itself
        specs = yaml.safe_load(text)["services"]
        self.services = {name: Service(self, name, spec, kubo if "kubo" in spec["image"] else agent) for name, spec in specs.items()}

    def up(self):
        started = []
        while len(started) < len(self.services):
            for name, service in self.services.items():
                if name not in started and set(service.spec.get("depends_on", [])) <= set(started):
                    service.start()
                    started.append(name)

    def down(self):
        for service in self.services.values():
            service.stop()
        self.network.dns.names.clear()

    def peer(self, k):
        return self.services[f"cluster{k}"]

    def wait_whole(self):
        for k in range(3):
            wait_until(lambda k=k: self.peer(k).execute(*self.peer(k).image.health)[0] == 0, 120, f"cluster{k} is healthy", 0.5)
            wait_until(lambda k=k: len(re.findall(r"\| Sees 2 other peers", self.peer(k).execute("ipfs-cluster-ctl", "peers", "ls")[1])) == 3,
                       90, f"cluster{k} lists three peers that see each other", 0.5)

    def pinned(self, k, cid):
        code, out = self.services[f"ipfs{k}"].execute("ipfs", "pin", "ls", "--type=recursive", cid)
        return code == 0 and cid in out


@pytest.fixture
def project(request):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ica-compose-"))
    folder.chmod(0o755)
    project = Project(folder)
    yield project
    project.down()
    project.network.close()
    if getattr(request.node, "call_failed", True):
        for log in sorted(folder.glob("*.log")):
            print(f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-25:]))
    shutil.rmtree(folder, ignore_errors=True)


def test_three_pairs_find_each_other_pin_and_go_on_at_other_addresses(project):
    project.up()
    project.wait_whole()
    code, out = project.peer(0).execute("sh", "-c", "echo composed >/tmp/file; ipfs-cluster-ctl add --quieter /tmp/file")
    assert code == 0, out
    cid = out.split()[-1]
    for k in range(3):
        wait_until(lambda k=k: project.pinned(k, cid), 60, f"ipfs{k} has the pin", 0.5)
    project.down()
    project.up()
    project.wait_whole()
    for k in range(3):
        assert project.pinned(k, cid)
        code, out = project.peer(k).execute("ipfs-cluster-ctl", "pin", "ls", cid)
        assert code == 0 and cid in out
