"""The chart as a whole: helm's own checks, every Kubernetes version, the kinds' schemas, wrong values."""
import subprocess

import pytest

from harness import helm, tools

CRDS = "VirtualService,AuthorizationPolicy,HTTPRoute,ServiceMonitor,PodMonitor,PrometheusRule"
# Versions whose schemas there are.
SCHEMA_VERSIONS = ("1.25.0", "1.29.0", "1.34.0", "1.37.0")


@pytest.mark.parametrize("file", [None, *helm.VALUES_FILES])
def test_k10_helm_lint_strict(file):
    extra = ["--values", helm.CHART / file] if file else []
    code, out, err = helm.helm("lint", "--strict", helm.CHART, "--set-string", f"sharedSecret={helm.SECRET}", *extra)
    assert code == 0, out + err


@pytest.mark.parametrize("version", helm.VERSIONS)
def test_k2_every_version_of_kubernetes_renders(version):
    for values in (None, helm.EVERYTHING):
        helm.render(values, kube=version)


@pytest.mark.parametrize("file", helm.VALUES_FILES)
def test_k47_values_files_render(file):
    helm.render(files=(file,))


def test_k11_debug_render():
    helm.render_text(extra=("--debug",))


@pytest.mark.parametrize("version", SCHEMA_VERSIONS)
def test_objects_fit_the_schemas_of_kubernetes(version, tmp_path):
    schemas = subprocess.run([tools.ROOT / "scripts" / "k8s-schemas"], capture_output=True, text=True, check=True).stdout.strip()
    renders = {"default": helm.render(kube=version), "everything": helm.render(helm.EVERYTHING, kube=version)}
    renders.update({f.replace("/", "-"): helm.render(files=(f,), kube=version) for f in helm.VALUES_FILES})
    for name, render in renders.items():
        (tmp_path / f"{name}.yaml").write_text(render.text)
    location = schemas + "/{{.NormalizedKubernetesVersion}}-standalone{{.StrictSuffix}}/{{.ResourceKind}}{{.KindSuffix}}.json"
    done = subprocess.run([tools.tool_dir("helm") / "kubeconform", "-strict", "-summary", "-kubernetes-version", version,
                           "-schema-location", location, "-skip", CRDS, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # The schemas do refuse something.
    (tmp_path / "default.yaml").write_text(renders["default"].text.replace("replicas: 3", "replicass: 3"))
    done = subprocess.run([tools.tool_dir("helm") / "kubeconform", "-strict", "-kubernetes-version", version, "-schema-location",
                           location, tmp_path / "default.yaml"], capture_output=True, text=True, check=False)
    assert done.returncode and "replicass" in done.stdout


# What kube-score finds and we leave: each with its reason.
ACCEPTED = (
    "low user ID", "low group ID",  # 1000, as Kubo's and the reference's images have it
    "ImagePullPolicy is not set to Always",  # tags are pinned
    "Ephemeral Storage",  # /tmp has a size limit, and nothing else can be written
    "(ipfs) The pod has a container with a writable root filesystem",  # as the guide has it
    "v1/Pod: The pod does not have a matching NetworkPolicy",  # the pod of helm test
    "batch/v1/CronJob: The pod does not have a matching NetworkPolicy", "CronJob: The pod does not have a matching NetworkPolicy",
)


def test_kube_score_of_the_production_values(tmp_path):
    (tmp_path / "render.yaml").write_text(helm.render(files=("values-production.yaml",)).text)
    done = subprocess.run([tools.tool_dir("kube-score") / "kube-score", "score", "-o", "ci", tmp_path / "render.yaml"],
                          capture_output=True, text=True, check=False)
    findings = [line for line in done.stdout.splitlines() if line.startswith(("[CRITICAL]", "[WARNING]"))]
    assert "[OK]" in done.stdout
    assert [f for f in findings if not any(word in f for word in ACCEPTED)] == []


WRONG = [
    ({"replicaCount": "three"}, "/replicaCount"),
    ({"replicaCount": -1}, "/replicaCount"),
    ({"sharedSecret": "abc"}, "sharedSecret must be 64 hex digits (32 bytes), but has 3 characters"),
    ({"sharedSecret": "x" * 64}, "sharedSecret must be 64 hex digits"),
    ({"bootstrap": {"enabled": "yes"}}, "/bootstrap/enabled"),
    ({"bootstrap": {"peers": ["10.0.0.1:9096"]}}, "/bootstrap/peers/0"),
    ({"bootstrap": {"peers": "/dns4/x/tcp/9096"}}, "/bootstrap/peers"),
    ({"metrics": {"enabled": 1}}, "/metrics/enabled"),
    ({"cluster": {"image": {"flavor": "rust"}}}, "/cluster/image/flavor"),
    ({"cluster": {"image": {"tag": 1.1}}}, "/cluster/image/tag"),
    ({"cluster": {"image": {"digest": "sha256:12"}}}, "/cluster/image/digest"),
    ({"cluster": {"storage": {"volumeSize": "5 GB"}}}, "/cluster/storage/volumeSize"),
    ({"cluster": {"storage": {"accessModes": ["Often"]}}}, "/cluster/storage/accessModes/0"),
    ({"cluster": {"env": {"A": "b"}}}, "/cluster/env"),
    ({"cluster": {"env": [{"name": "A", "value": 5}]}}, "/cluster/env/0/value"),
    ({"cluster": {"trustedPeers": ["peer-0"]}}, "/cluster/trustedPeers/0"),
    ({"cluster": {"service": {"type": "External"}}}, "/cluster/service/type"),
    ({"cluster": {"replicationFactorMin": 3, "replicationFactorMax": 2}},
     "cluster.replicationFactorMin (3) is above cluster.replicationFactorMax (2)"),
    ({"cluster": {"replicationFactorMin": 0, "replicationFactorMax": 0}}, "0 copies is no pin"),
    ({"cluster": {"replicationFactorMin": 2}}, "either both are -1 or none is"),
    ({"cluster": {"fullnameOverride": "Upper_Case"}}, "/cluster/fullnameOverride"),
    ({"cluster": {"fullnameOverride": "same"}, "ipfs": {"fullnameOverride": "same"}}, "the two halves have the same name same"),
    ({"ipfs": {"hostPort": 70000}}, "/ipfs/hostPort"),
    ({"ipfs": {"privateSwarm": {"key": "zz"}}}, "/ipfs/privateSwarm/key"),
    ({"identity": {"mode": "random"}}, "/identity/mode"),
    ({"identity": {"mode": "existingSecret"}}, "identity.mode existingSecret needs identity.existingSecret"),
    ({"service": {"type": "None"}}, "/service/type"),
    ({"ingress": {"enabled": True}}, "ingress.enabled needs ingress.hosts"),
    ({"httpRoute": {"enabled": True}}, "httpRoute.enabled needs httpRoute.parentRefs"),
    ({"istio": {"enabled": True}}, "istio.enabled needs istio.gateways"),
    ({"autoscaling": {"enabled": True, "minReplicas": 5, "maxReplicas": 3}}, "autoscaling.minReplicas (5) is above"),
    ({"cluster": {"image": {"flavor": "go"}}, "bootstrap": {"peers": ["/dns4/a/tcp/9096"]}}, "has no /p2p/ with the peer's ID"),
    ({"cluster": {"image": {"flavor": "go"}}, "identity": {"mode": "derived", "seed": "a"}}, "needs ipfs-cluster-agent"),
    ({"metrics": {"prometheusRule": {"storageRatio": 1.5}}}, "/metrics/prometheusRule/storageRatio"),
    ({"volumePermissions": {"owner": "ipfs"}}, "/volumePermissions/owner"),
    ({"dnsProtocol": "tcp"}, "/dnsProtocol"),
]


@pytest.mark.parametrize("values,sentence", WRONG, ids=[s.strip("/") for _, s in WRONG])
def test_wrong_values_are_refused_with_a_sentence(values, sentence):
    # The secret of the render must not hide the one of the values.
    assert sentence.strip("/").replace("/", ".") in helm.refusal(values, secret="sharedSecret" not in values).replace("/", ".")


def test_p4_no_secret_without_a_cluster():
    assert "no cluster secret: set sharedSecret" in helm.refusal(secret=False)


def test_k13_unknown_keys_are_let_through():
    helm.render({"cluster": {"somethingElse": 1}, "futureSection": {"a": True}})
