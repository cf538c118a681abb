"""What an upgrade may and may not change. The cluster is a stand-in that answers look-ups."""
import base64
import json

from harness import helm, tools
from harness.kube_api import KubeApi

RECORDED = tools.ROOT / "tests/chart/data/immutable.json"


def immutable(render):
    """What Kubernetes refuses to change on a StatefulSet."""
    keep = {}
    for s in render.all("StatefulSet"):
        spec = s["spec"]
        keep[s["metadata"]["name"]] = {
            "selector": spec["selector"], "serviceName": spec["serviceName"], "podManagementPolicy": spec["podManagementPolicy"],
            "volumeClaimTemplates": spec["volumeClaimTemplates"]}
    return keep


def test_k7_upgrades_leave_immutable_fields_alone():
    """The recorded fields are those of the first release: a change here breaks every installed one."""
    recorded = json.loads(RECORDED.read_text())
    assert immutable(helm.render()) == recorded["default"]
    assert immutable(helm.render(files=("ci/seed-names-values.yaml",))) == recorded["seed-names"]


def test_k145_k147_what_users_change_leaves_them_alone_too():
    before = immutable(helm.render())
    for values in ({"replicaCount": 5}, {"cluster": {"resources": {"limits": {"memory": "4Gi"}}}}, {"metrics": {"enabled": True}},
                   {"cluster": {"image": {"flavor": "go", "tag": "v1.1.6"}}}, {"commonLabels": {"a": "b"}}, {"autoscaling": {"enabled": True}}):
        assert immutable(helm.render(values)) == before


def test_k145_scaling_restarts_no_pod():
    pods = lambda r: {s["metadata"]["name"]: s["spec"]["template"] for s in r.all("StatefulSet")}
    assert pods(helm.render({"replicaCount": 5})) == pods(helm.render())


def secrets(render):
    return {s["metadata"]["name"]: s["data"] for s in render.all("Secret")}


VALUES = {"identity": {"mode": "derived"}, "ipfs": {"privateSwarm": {"enabled": True}}}


def test_p4_generated_secrets_are_made_once():
    with KubeApi() as api:
        first = helm.Render(helm.render_text(VALUES, secret=False, extra=api.flags, kube="1.34.0"))
        other = helm.Render(helm.render_text(VALUES, secret=False, extra=api.flags, kube="1.34.0"))
    made = secrets(first)
    assert sorted(made) == ["ipfs-my-ipfs-cluster-swarm-key", "my-ipfs-cluster-identity", "my-ipfs-cluster-secret"]
    assert len(base64.b64decode(made["my-ipfs-cluster-secret"]["secret"])) == 64
    assert made["my-ipfs-cluster-secret"] != secrets(other)["my-ipfs-cluster-secret"]
    for s in first.all("Secret"):
        s["metadata"]["namespace"] = "ipfs"
    with KubeApi(first.all("Secret")) as api:
        again = helm.Render(helm.render_text(VALUES, secret=False, extra=[*api.flags, "--is-upgrade"], kube="1.34.0"))
    assert secrets(again) == made
    note = lambda r: r.set("cluster")["spec"]["template"]["metadata"]["annotations"]["checksum/secret"]
    assert note(first) == note(again)  # no restart without a change


def test_k146_p12_scaling_down_drains_first():
    with KubeApi() as api:
        # Nothing is installed yet.
        assert not helm.Render(helm.render_text(extra=[*api.flags, "--is-upgrade"], kube="1.34.0")).all("Job")
    installed = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "my-ipfs-cluster-cluster", "namespace": "ipfs"},
                 "spec": {"replicas": 5}}
    with KubeApi([installed]) as api:
        render = lambda *extra, **values: helm.Render(helm.render_text(values or None, extra=[*api.flags, *extra], kube="1.34.0"))
        job = render("--is-upgrade").one("Job")
        assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-upgrade"
        env = {e["name"]: e["value"] for e in job["spec"]["template"]["spec"]["containers"][0]["env"]}
        assert (env["DRAIN_FROM"], env["DRAIN_TO"], env["DRAIN_NAME"]) == ("3", "5", "my-ipfs-cluster-cluster")
        assert not render("--is-upgrade", replicaCount=5).all("Job")
        back = render("--is-upgrade", replicaCount=7).one("Job")
        assert back["metadata"]["annotations"]["helm.sh/hook"] == "post-upgrade"
        assert back["spec"]["template"]["spec"]["containers"][0]["command"][-1] == "undrain"
        assert not render("--is-upgrade", drain={"enabled": False}).all("Job")
        assert not render().all("Job")


def test_p5_a_changed_outside_secret_restarts_the_peers():
    notes = []
    for word in ("a", "b"):
        outside = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine", "namespace": "ipfs"}, "data": {"secret": word}}
        with KubeApi([outside]) as api:
            r = helm.Render(helm.render_text({"existingSecret": "mine"}, secret=False, extra=api.flags, kube="1.34.0"))
            notes.append(r.set("cluster")["spec"]["template"]["metadata"]["annotations"]["checksum/secret"])
    assert notes[0] != notes[1]
