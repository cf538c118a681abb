"""The pods of a render as processes: their init containers, commands, variables and probes, each pod in a network
namespace with an address and a root of its own, and a small DNS server for the names. Needs root, for the namespaces.
"""
import os
import pathlib
import re
import shutil
import signal
import socket
import socketserver
import struct
import subprocess
import threading

from . import tools
from .wait import wait_until

SUBNET = "10.213"


def sh(*argv, check=True):
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=check)


class Names(socketserver.ThreadingUDPServer):
    """A for names that there are, NXDOMAIN for all others."""
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address):
        self.names = {}
        super().__init__((address, 53), Question)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Question(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        at, labels = 12, []
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode())
            at += 1 + data[at]
        question = data[12:at + 5]
        kind = struct.unpack("!H", data[at + 1:at + 3])[0]
        found = self.server.names.get(".".join(labels).lower())
        addresses = found if found and kind == 1 else []
        flags = 0x8580 if found is not None else 0x8583
        reply = data[:2] + struct.pack("!HHHHH", flags, 1, len(addresses), 0, 0) + question
        for address in addresses:
            reply += b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 1, 4) + socket.inet_aton(address)
        sock.sendto(reply, self.client_address)


def program_folder(folder, programs):
    """BusyBox and {name: program}, like /usr/local/bin of an image."""
    folder.mkdir()
    busybox = shutil.which("busybox")
    shutil.copy(busybox, folder / "busybox")
    for name in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
        if name != "busybox":
            (folder / name).symlink_to("busybox")
    for name, source in programs.items():
        (folder / name).unlink(missing_ok=True)
        try:
            os.link(source, folder / name)
        except OSError:
            shutil.copy(source, folder / name)
        (folder / name).chmod(0o755)
    folder.chmod(0o755)
    return folder


def end_group(process, kill=False):
    """Ends a container's process. The wrapper around the program passes signals on."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


class Network:
    """A bridge in this machine's own namespace, with the DNS server on it."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.bridge = f"{prefix}br"
        self.count = 1
        sh("ip", "link", "add", self.bridge, "type", "bridge")
        sh("ip", "addr", "add", f"{SUBNET}.0.1/16", "dev", self.bridge)
        sh("ip", "link", "set", self.bridge, "up")
        self.dns = Names(f"{SUBNET}.0.1")

    def address(self):
        self.count += 1
        return f"{SUBNET}.{self.count // 250}.{self.count % 250 + 2}"

    def plug(self, tag):
        """A namespace with an address on the bridge: (namespace, address)."""
        name, link, address = f"{self.prefix}{tag}", f"{self.prefix}{tag}v", self.address()
        sh("ip", "netns", "add", name)
        sh("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        sh("ip", "link", "set", link, "master", self.bridge, "up")
        sh("ip", "-n", name, "addr", "add", f"{address}/16", "dev", "eth0")
        for device in ("lo", "eth0"):
            sh("ip", "-n", name, "link", "set", device, "up")
        return name, address

    def unplug(self, tag):
        sh("ip", "netns", "del", f"{self.prefix}{tag}", check=False)
        sh("ip", "link", "del", f"{self.prefix}{tag}v", check=False)

    def close(self):
        self.dns.shutdown()
        self.dns.server_close()
        sh("ip", "link", "del", self.bridge, check=False)


class Pod:
    """One pod of a StatefulSet's template. half: "cluster" or "ipfs"."""

    def __init__(self, world, half, ordinal, volume):
        self.world, self.half, self.ordinal, self.volume = world, half, ordinal, volume
        self.render = world.others.get(ordinal, world.render)
        self.set = self.render.set(half)
        self.name = f"{self.set['metadata']['name']}-{ordinal}"
        self.log = world.folder / f"{self.name}.log"
        self.namespace = None
        self.process = None

    # -- network ---------------------------------------------------------------
    def plug(self):
        self.tag = f"{self.half[0]}{self.ordinal}"
        self.namespace, self.address = self.world.network.plug(self.tag)
        self.world.publish(self)

    def unplug(self):
        self.world.withdraw(self)
        self.world.network.unplug(self.tag)

    # -- containers --------------------------------------------------------------
    def env(self, container):
        """The variables as the kubelet makes them: fields, keys of Secrets, $(NAME)."""
        values = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOSTNAME": self.name}
        fields = {"metadata.name": self.name, "metadata.labels['apps.kubernetes.io/pod-index']": str(self.ordinal),
                  "status.podIP": self.address, "status.hostIP": f"{SUBNET}.0.1"}
        for item in container["env"]:
            if "valueFrom" in item:
                source = item["valueFrom"]
                values[item["name"]] = (fields[source["fieldRef"]["fieldPath"]] if "fieldRef" in source
                                        else self.world.secret(source["secretKeyRef"]))
            else:
                values[item["name"]] = re.sub(r"\$\((\w+)\)", lambda m: values.get(m[1], m[0]), str(item.get("value", "")))
        return values

    def command(self, container, argv):
        """argv in the container's own root, as the pod's user."""
        context = self.set["spec"]["template"]["spec"]["securityContext"]
        mounts = []
        for mount in container["volumeMounts"]:
            mounts += [str(self.world.source(self, mount["name"])), mount["mountPath"]]
        variables = [f"{k}={v}" for k, v in self.env(container).items()]
        return ["ip", "netns", "exec", self.namespace, str(tools.ROOT / "scripts/lib/run_container"), str(self.world.image(self.render, self.half)),
                f"{context['runAsUser']}:{context['runAsGroup']}", str(len(mounts) // 2), *mounts, "env", "-i", *variables, *argv]

    def run(self, container, argv, timeout=120):
        return subprocess.run(self.command(container, argv), capture_output=True, text=True, check=False, timeout=timeout,
                              stdin=subprocess.DEVNULL)

    def start(self):
        """The init containers one after the other, then the main one."""
        self.plug()
        threading.Thread(target=self._start, daemon=True).start()
        return self

    def _start(self):
        spec = self.set["spec"]["template"]["spec"]
        with open(self.log, "a", encoding="utf-8") as log:
            for container in spec.get("initContainers", []):
                done = self.run(container, container["command"])
                log.write(done.stdout + done.stderr)
                log.flush()
                if done.returncode:
                    log.write(f"{container['name']} ended with {done.returncode}\n")
                    return
            main = spec["containers"][0]
            argv = [*main["command"], *main["args"]] if "command" in main else ["/usr/local/bin/start_ipfs", "daemon"]
            self.process = subprocess.Popen(self.command(main, argv), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)

    def probe(self, kind):
        """Whether a probe passes, asked as the kubelet does."""
        if self.process is None or self.process.poll() is not None:
            return False
        main = self.set["spec"]["template"]["spec"]["containers"][0]
        check = main[kind]
        if "exec" in check:
            return self.run(main, check["exec"]["command"], timeout=60).returncode == 0
        ports = {p["name"]: p["containerPort"] for p in main["ports"]}
        what = check.get("httpGet") or check["tcpSocket"]
        port = ports.get(what["port"], what["port"])
        if "httpGet" in check:
            return sh("curl", "-sf", "-o", "/dev/null", "-m", "5", f"http://{self.address}:{port}{what['path']}", check=False).returncode == 0
        with socket.socket() as s:
            s.settimeout(2)
            return s.connect_ex((self.address, port)) == 0

    def execute(self, *argv, timeout=120):
        """Like kubectl exec."""
        done = self.run(self.set["spec"]["template"]["spec"]["containers"][0], argv, timeout)
        return done.returncode, done.stdout + done.stderr

    def stop(self, kill=False):
        """Ends the pod; its volume stays."""
        if self.process is not None:
            end_group(self.process, kill)
        self.process = None
        self.unplug()


class World:
    """Two sets of pods from one render; others: renders of ordinals that differ."""

    def __init__(self, render, folder, prefix, namespace="ipfs", others=None):
        self.render, self.folder, self.namespace, self.others = render, folder, namespace, others or {}
        self.network = Network(prefix)
        self.pods = {}
        self.images = {}
        self.secrets = {o["metadata"]["name"]: o["data"] for o in render.all("Secret")}
        for each in [render, *self.others.values()]:  # the pods start in threads
            for half in ("cluster", "ipfs"):
                self.image(each, half)

    # -- what pods ask for ----------------------------------------------------------
    def secret(self, ref):
        import base64
        return base64.b64decode(self.secrets[ref["name"]][ref["key"]]).decode()

    def service(self, half):
        return self.render.set(half)["spec"]["serviceName"]

    def domain(self, half):
        return f"{self.service(half)}.{self.namespace}.svc.cluster.local"

    def publish(self, pod):
        names = self.network.dns.names
        names[f"{pod.name}.{self.domain(pod.half)}"] = [pod.address]
        names[self.domain(pod.half)] = [p.address for p in [*self.pods.values(), pod] if p.half == pod.half and p.namespace]
        names[self.domain(pod.half)] = sorted(set(names[self.domain(pod.half)]))

    def withdraw(self, pod):
        names = self.network.dns.names
        names.pop(f"{pod.name}.{self.domain(pod.half)}", None)
        pod.namespace, old = None, pod.namespace
        names[self.domain(pod.half)] = [p.address for p in self.pods.values() if p.half == pod.half and p.namespace]
        pod.namespace = old
        if not names[self.domain(pod.half)]:
            del names[self.domain(pod.half)]

    def image(self, render, half):
        """The programs of a half's container."""
        programs = self.programs(render, half)
        key = (half, str(programs))
        if key not in self.images:
            self.images[key] = program_folder(self.folder / f"image-{half}-{len(self.images)}", programs)
        return self.images[key]

    @staticmethod
    def programs(render, half):
        if half == "ipfs":
            return {"ipfs": tools.ipfs(), "start_ipfs": tools.ROOT / "tests/images/start_ipfs"}
        if "/ipfs/ipfs-cluster" in "/" + render.container("cluster")["image"]:
            return {"ipfs-cluster-service": tools.go_service(), "ipfs-cluster-ctl": tools.go_ctl()}
        ours = tools.our("ipfs-cluster-agent")
        return {"ipfs-cluster-service": ours, "ipfs-cluster-agent": ours, "ipfs-cluster-ctl": tools.our("ipfs-cluster-ctl")}

    def source(self, pod, volume):
        """The folder behind a volume of a pod."""
        if volume == "data":
            return pod.volume
        folder = self.folder / f"{pod.name}-{volume}"
        if not folder.exists():
            folder.mkdir()
            folder.chmod(0o1777)
            for v in pod.set["spec"]["template"]["spec"]["volumes"]:
                if v["name"] == volume and "configMap" in v:
                    for name, text in pod.render.one("ConfigMap", v["configMap"]["name"])["data"].items():
                        (folder / name).write_text(text)
                        (folder / name).chmod(0o555)
        return folder

    # -- what tests do ---------------------------------------------------------------
    def volume(self, half, ordinal):
        folder = self.folder / f"data-{half}-{ordinal}"
        if not folder.exists():
            folder.mkdir()
            os.chown(folder, 1000, 1000)
        return folder

    def start(self, half, ordinal):
        pod = Pod(self, half, ordinal, self.volume(half, ordinal))
        self.pods[(half, ordinal)] = pod
        return pod.start()

    def start_pairs(self, ordinals):
        for k in ordinals:
            for half in ("ipfs", "cluster"):
                self.start(half, k)
        self.wait_ready(ordinals)

    def stop(self, half, ordinal, kill=False):
        self.pods.pop((half, ordinal)).stop(kill)

    def lose_volume(self, half, ordinal):
        shutil.rmtree(self.folder / f"data-{half}-{ordinal}")

    def wait_ready(self, ordinals, deadline=120):
        for k in ordinals:
            for half in ("ipfs", "cluster"):
                wait_until(lambda half=half, k=k: self.pods[(half, k)].probe("readinessProbe"), deadline, f"{half} pod {k} is ready", 0.5)

    def ctl(self, k, *argv):
        code, out = self.pods[("cluster", k)].execute("ipfs-cluster-ctl", *argv)
        assert code == 0, out
        return out

    def peer_count(self, k):
        """Peers that peer k knows, itself included."""
        import json
        text = self.ctl(k, "--enc=json", "id")
        return len(json.loads(text)["cluster_peers"])

    def wait_seen(self, ordinals, deadline=90):
        for k in ordinals:
            wait_until(lambda k=k: self.peer_count(k) == len(ordinals), deadline, f"peer {k} knows {len(ordinals)} peers", 0.5)

    def pinned_in_kubo(self, k, cid):
        return cid in self.pods[("ipfs", k)].execute("ipfs", "pin", "ls", "--type=recursive", cid)[1].split()

    def close(self):
        for pod in list(self.pods.values()):
            pod.stop(kill=True)
        self.network.close()

    def logs(self, lines=25):
        return "\n".join(f"--- {p.name}\n" + "\n".join(p.read_text(errors="replace").splitlines()[-lines:])
                         for p in map(pathlib.Path, sorted(self.folder.glob("*.log"))))
