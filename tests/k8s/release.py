"""A release in a real Kubernetes, by the users' guide: installed, used, damaged, scaled, upgraded, saved and restored.

The tests build on each other, in this order. ICA_K8S_FLAVOR is the peers' image (agent or go), ICA_K8S_REGISTRY what
goes before the names of the images (default localhost: made by scripts/image and put onto the nodes).
"""
import datetime
import os
import re
import time

import pytest

from harness import kube, tools
from harness.kube import CLUSTER, KUBO, NAMESPACE, RELEASE, sh
from harness.wait import wait_until

FLAVOR = os.environ.get("ICA_K8S_FLAVOR", "agent")
REGISTRY = os.environ.get("ICA_K8S_REGISTRY", "localhost")
SECRET = os.urandom(32).hex()

# The guide's quick start, with requests that fit one small node.
VALUES = """
replicaCount: 3
sharedSecret: "%s"
bootstrap:
  enabled: true
metrics:
  enabled: true
cluster:
  resources:
    limits: {cpu: 1000m, memory: 2Gi}
    requests: {cpu: 50m, memory: 64Mi}
  storage:
    volumeSize: "5Gi"
  minReadySeconds: 15
ipfs:
  resources:
    limits: {cpu: 1000m, memory: 2Gi}
    requests: {cpu: 50m, memory: 128Mi}
  storage:
    volumeSize: "100Gi"
"""

pytestmark = pytest.mark.skipif(not kube.reachable(), reason="kubectl reaches no cluster")


class Release:
    """What the tests hand on to each other."""
    values = None
    cids = []
    flavor = FLAVOR

    def helm(self, verb, *more, check=True):
        """helm install or upgrade as the guide has it, with the names of the guide and where the images are."""
        return sh(f"helm {verb} {RELEASE} . -f {self.values} -f ci/seed-names-values.yaml "
                  f"--set global.imageRegistry={REGISTRY},cluster.image.flavor={self.flavor} --namespace {NAMESPACE} {' '.join(more)}",
                  check=check, timeout=900)

    def whole(self, replicas=3):
        """Nothing is lost: every peer knows every pin, and every Kubo of theirs has it."""
        kube.wait_settled(replicas)
        kube.wait_seen(replicas)
        for k in range(replicas):
            wait_until(lambda k=k: set(self.cids) <= set(kube.pinset(k)), 120, f"peer {k} knows all pins", 1)
        for cid in self.cids:
            kube.wait_pinned(cid, replicas)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    r = Release()
    folder = tmp_path_factory.mktemp("release")
    r.folder = folder
    r.values = kube.write(folder / "my-values.yaml", VALUES % SECRET)
    taken = kube.kubectl("get namespace", NAMESPACE, check=False)
    assert "NotFound" in taken, f"there is a namespace {NAMESPACE} already: this test would take it over"
    yield r
    if os.environ.get("ICA_K8S_KEEP"):
        return
    sh(f"helm uninstall {RELEASE} --namespace {NAMESPACE} --wait", check=False)
    kube.kubectl("delete namespace", NAMESPACE, "--wait=false", check=False)


def test_k4_k8_k90_install_until_ready(release):
    release.helm("install", "--create-namespace")
    kube.wait_settled()
    assert len(sh(f"kubectl get pods -n {NAMESPACE}").splitlines()) == 7


def test_k91_peers_see_each_other(release):
    kube.wait_seen()
    for k in range(3):
        wait_until(lambda k=k: kube.ctl(k, "peers ls", check=False).count("Sees 2 other peers") == 3, 60, f"peer {k} lists three peers that see two others", 1)


def test_k173_a_file_added_at_pod_0_is_in_every_kubo(release):
    release.cids.append(kube.add(0, "from the guide"))
    kube.wait_pinned(release.cids[0])
    for k in range(3):
        assert kube.execute(f"{KUBO}-{k}", f"ipfs cat {release.cids[0]}") == "from the guide"


def test_any_peer_takes_files(release):
    for k in range(3):
        release.cids.append(kube.add(k, f"from peer {k}", "--name mine"))
    release.whole()


# The guide's commands and something that each prints.
COMMANDS = [
    ("kubectl get pods -n ipfs", r"ipfs-cluster-cluster-0 +1/1 +Running"),
    ("kubectl exec -it ipfs-cluster-cluster-0 -n ipfs -c cluster -- ipfs-cluster-ctl peers ls", "Sees 2 other peers"),
    ("kubectl exec -it ipfs-cluster-cluster-0 -n ipfs -c cluster -- \\\n  ipfs-cluster-ctl health graph", "digraph cluster"),
    ("kubectl logs -n ipfs ipfs-cluster-cluster-0 -c cluster --tail=100", "."),
    ("kubectl logs -n ipfs ipfs-test-0 -c ipfs --tail=100", "Daemon is ready"),
    ("kubectl logs -n ipfs ipfs-cluster-cluster-0 -c init-cluster", "init-cluster: this is ipfs-cluster-cluster-0"),
    ("kubectl logs -n ipfs ipfs-cluster-cluster-0 -c configure-bootstrap", "configure-bootstrap: "),
    ("kubectl get pods -n ipfs -o yaml | grep BOOTSTRAP", "BOOTSTRAP_ENABLED"),
    ("kubectl get secret -n ipfs", "test-secret"),
    ("kubectl exec -it ipfs-cluster-cluster-0 -n ipfs -c cluster -- \\\n  wget -O- http://ipfs-cluster-cluster-1.ipfs-cluster-cluster.ipfs.svc.cluster.local:9094/id", '"peername":"ipfs-cluster-cluster-1"'),
    ("kubectl get pods -n ipfs -l nodeType=ipfs", "ipfs-test-2"),
    ("kubectl exec -it ipfs-cluster-cluster-0 -n ipfs -c cluster -- \\\n  env | grep CLUSTER_IPFSHTTP_NODEMULTIADDRESS", "/dns4/ipfs-test-0.ipfs-test-headless.ipfs.svc.cluster.local/tcp/5001"),
    ("kubectl exec -it ipfs-test-0 -n ipfs -c ipfs -- \\\n  ipfs id", '"ID"'),
    ("kubectl exec -it ipfs-cluster-cluster-0 -n ipfs -c cluster -- \\\n  nslookup ipfs-test-0.ipfs-test-headless.ipfs.svc.cluster.local", "Address"),
    ("kubectl exec -it ipfs-cluster-cluster-0 -n ipfs -c cluster -- \\\n  ipfs-cluster-ctl status CID", "PINNED"),
    ("kubectl exec -it ipfs-cluster-cluster-0 -n ipfs -c cluster -- \\\n  ipfs-cluster-ctl pin recover CID", "ipfs-cluster-cluster-0"),
    ("kubectl exec -it ipfs-test-0 -n ipfs -c ipfs -- \\\n  ipfs pin ls CID", "recursive"),
    ("kubectl exec -it ipfs-test-0 -n ipfs -c ipfs -- \\\n  ipfs repo stat", "RepoSize"),
    ("kubectl get pods -n ipfs -o yaml | grep CLUSTER_METRICS_ENABLESTATS", "CLUSTER_METRICS_ENABLESTATS"),
    ("kubectl exec -it ipfs-cluster-cluster-0 -n ipfs -c cluster -- \\\n  wget -O- http://localhost:8888/metrics", "pins"),
    ("kubectl exec -it ipfs-test-0 -n ipfs -c ipfs -- \\\n  df -h /data/ipfs", "Filesystem"),
    ("kubectl get pods -n ipfs -o jsonpath='{.items[*].spec.containers[*].name}'", "cluster"),
    ("kubectl get all -n ipfs", "statefulset.apps/ipfs-cluster-cluster"),
    ("kubectl describe pod ipfs-cluster-cluster-0 -n ipfs", "init-cluster"),
    ("kubectl get pvc -n ipfs", "data-ipfs-cluster-cluster-0"),
    ("kubectl describe pvc data-ipfs-cluster-cluster-0 -n ipfs", "Bound"),
    ("kubectl logs -n ipfs ipfs-cluster-cluster-0 -c cluster --since=1h", "."),
    ("kubectl exec -it ipfs-cluster-cluster-0 -n ipfs -c cluster -- /bin/sh", ""),
    ("kubectl get endpoints -n ipfs", "ipfs-test-headless"),
    ("kubectl get pvc -n ipfs -l app.kubernetes.io/instance=my-ipfs-cluster", "data-ipfs-test-2"),
    ("kubectl exec -it ipfs-cluster-cluster-0 -n ipfs -c cluster -- \\\n  tar -czf /tmp/cluster-backup.tar.gz /data/ipfs-cluster", ""),
    ("kubectl exec -it ipfs-test-0 -n ipfs -c ipfs -- \\\n  tar -czf /tmp/ipfs-backup.tar.gz /data/ipfs", ""),
    ("helm lint . -f MY-VALUES", "0 chart"),
    ("helm template my-ipfs-cluster . -f MY-VALUES --debug", "StatefulSet"),
]
# The operations guide's commands that only look, and need nothing that a plain release lacks.
ABSENT = ("QmHash", "drill", "--previous", "virtualservice", "gateway", "/drain", "-drain", "kubectl top", "backup", "pinset.json", "port-forward", "tar ",
          "rollout restart", "cat - ")


def commands_of_the_guide():
    found = []
    for page in sorted((tools.ROOT / "docs/operations").glob("*.md")):
        for language, block in re.findall(r"^ *```(\w*)\n(.*?)^ *```$", page.read_text(), re.M | re.S):
            for command in [] if language else block.replace("\\\n", " ").splitlines():
                command = re.sub(r"\s+", " ", command.strip())
                if re.match(r"kubectl (get|describe|logs|rollout status|exec) ", command) and not any(word in command for word in ABSENT):
                    found.append(command)
    return sorted(set(found))


# Newer reference programs know `recover` alone.
OURS_ONLY = ("pin recover",)


@pytest.mark.parametrize("command,prints", COMMANDS, ids=[re.sub(r"\s+", " ", c.replace("\\\n", ""))[:90] for c, _ in COMMANDS])
def test_k91_to_k109_commands_of_the_guide(release, command, prints):
    if release.flavor == "go" and any(word in command for word in OURS_ONLY):
        pytest.skip("a command of our client")
    out = sh(command.replace("CID", release.cids[0]).replace("MY-VALUES", str(release.values)), check=False)
    assert re.search(prints, out) and "error:" not in out.lower().split("\n")[0], out[-2000:]


@pytest.mark.parametrize("command", commands_of_the_guide())
def test_commands_of_the_operations_guide(release, command):
    if release.flavor == "go" and "ipfs-cluster-agent" in command:
        pytest.skip("a command of our program")
    sh(command)


@pytest.mark.parametrize("what,port,path,prints", [
    (f"{CLUSTER}-0", 8888, "/metrics", "pins"), (f"svc/{KUBO}", 8080, "/ipfs/CID", "from the guide"),
    (f"svc/{CLUSTER}-api", 9094, "/pins/CID", "pinned")])
def test_k60_k105_k180_port_forward(release, what, port, path, prints):
    path = path.replace("CID", release.cids[0])
    out = sh(f"kubectl port-forward -n {NAMESPACE} {what} {port}:{port} >/dev/null & pid=$!; "
             f"for n in $(seq 100); do curl -sfL http://localhost:{port}{path} && break; sleep 0.1; done; kill $pid")
    assert prints in out


def test_k154_copies_out_and_in(release):
    name = f"cluster-backup-{datetime.date.today():%Y%m%d}.tar.gz"
    sh(f"kubectl cp {NAMESPACE}/{CLUSTER}-0:/tmp/cluster-backup.tar.gz {release.folder}/{name} -c cluster")
    listing = sh(f"tar -tzf {release.folder}/{name}")
    assert "data/ipfs-cluster/identity.json" in listing and "data/ipfs-cluster/service.json" in listing
    release.backup = release.folder / name
    release.backed_up = list(release.cids)


def test_helm_test_passes(release):
    sh(f"helm test {RELEASE} -n {NAMESPACE} --logs --timeout 180s")


def test_k175_killed_pods_come_back(release):
    for pod in (f"{CLUSTER}-0", f"{KUBO}-1", f"{CLUSTER}-2"):
        kube.kubectl("delete pod", pod, "-n", NAMESPACE, "--grace-period=0 --force", check=False)
    release.whole()


def test_all_pods_at_once_with_new_addresses(release):
    before = {p["metadata"]["name"]: p["status"]["podIP"] for p in kube.pods("cluster")}
    kube.kubectl("delete pod -n", NAMESPACE, "-l nodeType=cluster", timeout=300)
    release.whole()
    after = {p["metadata"]["name"]: p["status"]["podIP"] for p in kube.pods("cluster")}
    assert before.keys() == after.keys()


def peer_id(k):
    return kube.documents(kube.ctl(k, "--enc=json id"))[0]["id"]


def test_a_lost_claim_is_a_new_peer_with_the_same_pins(release):
    """Pod 0, whom no other peer needs."""
    old = peer_id(0)
    kube.kubectl("delete pvc", f"data-{CLUSTER}-0", "-n", NAMESPACE, "--wait=false")
    kube.kubectl("delete pod", f"{CLUSTER}-0", "-n", NAMESPACE)
    wait_until(lambda: kube.ctl(0, "--enc=json id", check=False).startswith("{") and peer_id(0) != old, 120, "pod 0 has a new identity", 1)
    kube.wait_settled()
    for k in range(3):
        wait_until(lambda k=k: set(release.cids) <= set(kube.pinset(k)), 120, f"peer {k} knows all pins", 1)
    for cid in release.cids:
        kube.wait_pinned(cid)


def test_k145_scale_up(release):
    release.helm("upgrade", "--set replicaCount=5")
    kube.wait_settled(5)
    wait_until(lambda: all(f"{CLUSTER}-{k}" in kube.ctl(0, "peers ls", check=False) for k in range(5)), 120, "five peers", 1)
    release.cids.append(kube.add(4, "from the fifth peer"))
    if release.flavor == "go":  # it looks at older pins every twelve minutes only
        for k in (3, 4):
            kube.ctl(k, "recover --local")
    for cid in release.cids:
        kube.wait_pinned(cid, 5)


def test_k146_scale_down_moves_what_the_leaving_pods_hold(release):
    few = [kube.add(k, f"two copies {k}", "--replication-min 2 --replication-max 2") for k in range(5)]
    held = lambda cid: [k for k in range(5) if kube.in_kubo(k, cid)]
    for cid in few:
        wait_until(lambda cid=cid: len(held(cid)) == 2, 120, f"{cid} has two copies", 1)
    release.helm("upgrade", "--set replicaCount=3")
    kube.wait_settled(3)
    for cid in few:
        wait_until(lambda cid=cid: len([k for k in range(3) if kube.in_kubo(k, cid)]) >= 2, 180, f"{cid} has two copies on the pods that stay", 1)
    for cid in release.cids:
        kube.wait_pinned(cid)
    # Claims of the pods that went stay (K8).
    assert f"data-{CLUSTER}-4" in sh(f"kubectl get pvc -n {NAMESPACE}")
    for cid in few:
        kube.ctl(0, f"pin rm {cid}")


def test_k12_upgrade_and_roll_back(release):
    release.helm("upgrade", "--set cluster.resources.limits.memory=4Gi --set ipfs.resources.limits.memory=4Gi")
    kube.wait_settled()
    pod = kube.get("pod", f"{CLUSTER}-0")
    assert pod["spec"]["containers"][0]["resources"]["limits"]["memory"] == "4Gi"
    for cid in release.cids:
        kube.wait_pinned(cid)
    sh(f"helm rollback {RELEASE} -n {NAMESPACE}")
    kube.wait_settled()
    assert kube.get("pod", f"{CLUSTER}-0")["spec"]["containers"][0]["resources"]["limits"]["memory"] == "2Gi"
    for cid in release.cids:
        kube.wait_pinned(cid)


def test_k161_rotate_the_secret(release):
    new = os.urandom(32).hex()
    kube.write(release.values, VALUES % new)
    release.helm("upgrade")
    kube.wait_settled()
    kube.wait_seen(deadline=180)
    for cid in release.cids:
        kube.wait_pinned(cid)


def test_k8_k158_uninstall_keeps_the_data(release):
    before = {k: peer_id(k) for k in range(3)}
    sh(f"helm uninstall {RELEASE} --namespace {NAMESPACE} --wait --timeout 180s", timeout=300)
    wait_until(lambda: not kube.pods("cluster") and not kube.pods("ipfs"), 180, "the pods are gone", 1)
    assert f"data-{CLUSTER}-0" in sh(f"kubectl get pvc -n {NAMESPACE}")
    release.helm("install")
    kube.wait_settled()
    assert {k: peer_id(k) for k in range(3)} == before
    for k in range(3):
        wait_until(lambda k=k: set(release.cids) <= set(kube.pinset(k)), 120, f"peer {k} knows all pins", 1)
    for cid in release.cids:
        kube.wait_pinned(cid)


def test_k102_k157_restore_into_pod_0(release):
    sh(f"kubectl cp {release.backup} {NAMESPACE}/{CLUSTER}-0:/tmp/cluster-backup.tar.gz -c cluster")
    # GNU tar, in the image that stands for the reference's, cannot set the times of the volume's own folder and says so.
    kube.execute(f"{CLUSTER}-0", "tar -xzf /tmp/cluster-backup.tar.gz -C /", check=release.flavor != "go")
    kube.kubectl("delete pod", f"{CLUSTER}-0", "-n", NAMESPACE)
    kube.wait_settled()
    wait_until(lambda: set(release.backed_up) <= set(kube.pinset(0)), 180, "the pins are there", 1)
    for cid in release.cids:
        kube.wait_pinned(cid)


@pytest.mark.skipif(FLAVOR == "go", reason="starts from our peers")
def test_to_the_reference_and_back(release):
    for flavor in ("go", "agent"):
        release.flavor = flavor
        release.helm("upgrade")
        kube.wait_settled(deadline=600)
        release.cids.append(kube.add(0, f"with the flavor {flavor} at {time.time()}"))
        for k in range(3):
            wait_until(lambda k=k: set(release.cids) <= set(kube.pinset(k)), 240, f"peer {k} ({flavor}) knows all pins", 1)
        for cid in release.cids:
            kube.wait_pinned(cid)
