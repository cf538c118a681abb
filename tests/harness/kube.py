"""kubectl and helm, as found on PATH, against whatever cluster they reach."""
import json
import os
import pathlib
import subprocess

from . import helm
from .wait import wait_until

NAMESPACE = "ipfs"
RELEASE = "my-ipfs-cluster"
CLUSTER, KUBO = "ipfs-cluster-cluster", "ipfs-test"


def sh(command, check=True, timeout=300, cwd=None, env=None):
    """A line as a user types it. Returns what it prints."""
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=timeout, cwd=cwd or helm.CHART,
                          env=dict(os.environ, **(env or {})), stdin=subprocess.DEVNULL)
    if check and done.returncode:
        raise AssertionError(f"$ {command}\n{done.stdout}{done.stderr}")
    return done.stdout + (done.stderr if not check else "")


def reachable():
    return subprocess.run(["kubectl", "version", "--request-timeout=5s"], capture_output=True, check=False).returncode == 0


def kubectl(*args, **how):
    return sh("kubectl " + " ".join(args), **how)


def get(kind, name="", selector=""):
    out = kubectl("get", kind, name, "-n", NAMESPACE, f"-l {selector}" if selector else "", "-o json")
    data = json.loads(out)
    return data if name else data["items"]


def execute(pod, command, check=True, timeout=300):
    container = "cluster" if pod.startswith(CLUSTER) else "ipfs"
    return sh(f"kubectl exec {pod} -n {NAMESPACE} -c {container} -- {command}", check=check, timeout=timeout)


def ctl(k, command, check=True):
    return execute(f"{CLUSTER}-{k}", f"ipfs-cluster-ctl {command}", check=check)


def documents(text):
    """JSON documents one after the other, as the client prints them; arrays are taken apart."""
    decoder, at, found = json.JSONDecoder(), 0, []
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        value, at = decoder.raw_decode(text, at)
        found += value if isinstance(value, list) else [value]
    return [v for v in found if v is not None]


def pods(half):
    return get("pods", selector=f"app.kubernetes.io/instance={RELEASE},nodeType={half}")


def ready(pod):
    return not pod["metadata"].get("deletionTimestamp") and any(
        c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


def settled(replicas, half):
    """Whether that many pods are ready and run what their set says now."""
    s = get("statefulset", CLUSTER if half == "cluster" else KUBO)
    status = s["status"]
    return (status.get("observedGeneration") == s["metadata"]["generation"] and s["spec"]["replicas"] == replicas
            and status.get("readyReplicas", 0) == replicas and status.get("updatedReplicas", 0) == replicas
            and status.get("replicas", 0) == replicas and status["currentRevision"] == status["updateRevision"]
            and len([p for p in pods(half) if ready(p)]) == replicas)


def wait_settled(replicas=3, deadline=300):
    for half in ("cluster", "ipfs"):
        wait_until(lambda half=half: settled(replicas, half), deadline, f"{replicas} {half} pods are ready and up to date", 1)


def wait_seen(replicas=3, deadline=120):
    def seen():
        for k in range(replicas):
            out = ctl(k, "--enc=json id", check=False)
            if not out.startswith("{") or len(documents(out)[0]["cluster_peers"]) != replicas:
                return False
        return True
    wait_until(seen, deadline, f"{replicas} peers see each other", 1)


def pinset(k):
    """{cid: pin} as peer k has it."""
    out = ctl(k, "--enc=json pin ls")
    return {pin["cid"]: pin for pin in documents(out)}


def statuses(k, cid):
    return {e["peername"]: e["status"] for d in documents(ctl(k, f"--enc=json status {cid}")) for e in d["peer_map"].values()}


def add(k, content, options=""):
    """Adds text at peer k; returns its CID."""
    line = f'printf %s "{content}" >/tmp/file && ipfs-cluster-ctl add --quieter {options} /tmp/file && rm /tmp/file'
    return execute(f"{CLUSTER}-{k}", f"sh -c '{line}'").strip().splitlines()[-1]


def in_kubo(k, cid):
    return cid in execute(f"{KUBO}-{k}", f"ipfs pin ls --type=recursive {cid}", check=False).split()


def wait_pinned(cid, replicas=3, deadline=120):
    wait_until(lambda: all(in_kubo(k, cid) for k in range(replicas)), deadline, f"{cid} is in {replicas} Kubos", 1)


def write(path, text):
    pathlib.Path(path).write_text(text)
    return path
