"""Renders of the chart."""
import functools
import subprocess

import yaml

from . import tools

CHART = tools.ROOT / "charts" / "ipfs-cluster"
SECRET = "ab" * 32
OLDEST, NEWEST = "1.19.0", "1.37.0"
VERSIONS = ("1.19.0", "1.20.0", "1.21.0", "1.23.0", "1.25.0", "1.27.0", "1.29.0", "1.34.0", "1.37.0")
VALUES_FILES = ("values-minimal.yaml", "values-production.yaml", "values-multi-region.yaml", "ci/seed-names-values.yaml")
# Everything that can be switched on, together.
EVERYTHING = {
    "metrics": {"enabled": True, "forceCrds": True, "podMonitor": {"enabled": True}, "dashboards": {"enabled": True}},
    "istio": {"enabled": True, "gateways": ["istio-ingress/public"], "hosts": ["ipfs.example.com"], "adminEnabled": True,
              "adminGateways": ["istio-ingress/admin"], "adminHosts": ["ipfs-admin.example.com"],
              "authorizationPolicy": {"enabled": True, "principals": ["cluster.local/ns/admin/sa/admin-user"]}},
    "ingress": {"enabled": True, "hosts": ["ipfs.example.com"], "exposeApi": True,
                "admin": {"enabled": True, "hosts": [{"host": "admin.example.com"}]}},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}], "exposeApi": True,
                  "admin": {"enabled": True, "parentRefs": [{"name": "admin"}]}},
    "networkPolicy": {"enabled": True}, "backup": {"enabled": True}, "velero": {"enabled": True},
    "autoscaling": {"enabled": True}, "volumePermissions": {"enabled": True},
    "identity": {"mode": "derived", "seed": SECRET},
    "cluster": {"perPodService": {"enabled": True}, "ipfsProxy": {"enabled": True}, "pinningService": {"enabled": True},
                "basicAuth": {"existingSecret": "logins"}, "tls": {"existingSecret": "tls"},
                "service": {"type": "LoadBalancer"}},
    "ipfs": {"perPodService": {"enabled": True, "type": "NodePort", "nodePortBase": 30400},
             "privateSwarm": {"enabled": True, "key": SECRET}, "config": {"Gateway.NoFetch": True},
             "resources": {"limits": {"memory": "2Gi"}}, "service": {"type": "NodePort"}},
}


def helm(*args, stdin=None):
    """(exit code, standard output, standard error) of one helm call."""
    done = subprocess.run([tools.tool_dir("helm") / "helm", *map(str, args)], input=stdin, capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def render_text(values=None, files=(), sets=(), kube=NEWEST, release="my-ipfs-cluster", namespace="ipfs", secret=True,
                extra=()):
    """What `helm template` prints. values: a dict over the files. Raises AssertionError with helm's sentence."""
    command = ["template", release, CHART, "--namespace", namespace, "--kube-version", kube, *extra]
    if secret:
        command += ["--set-string", f"sharedSecret={SECRET}"]
    for name in files:
        command += ["--values", name if str(name).startswith("/") else CHART / name]
    if values is not None:
        command += ["--values", "-"]
    for item in sets:
        command += ["--set", item]
    code, out, err = helm(*command, stdin=yaml.safe_dump(values) if values is not None else None)
    assert code == 0, err
    return out


class Render:
    """The objects of one render."""

    def __init__(self, text):
        self.text = text
        self.objects = [o for o in yaml.safe_load_all(text) if o]

    def all(self, kind):
        return [o for o in self.objects if o["kind"] == kind]

    def names(self, kind):
        return [o["metadata"]["name"] for o in self.all(kind)]

    def one(self, kind, name=None):
        found = [o for o in self.all(kind) if name is None or o["metadata"]["name"] == name]
        assert len(found) == 1, (kind, name, self.names(kind))
        return found[0]

    def set(self, half):
        """The StatefulSet of "cluster" or "ipfs"."""
        found = [o for o in self.all("StatefulSet") if o["metadata"]["labels"]["nodeType"] == half]
        assert len(found) == 1
        return found[0]

    def pod(self, half):
        return self.set(half)["spec"]["template"]["spec"]

    def container(self, name):
        """A container of either set, also an init container."""
        found = [c for half in ("cluster", "ipfs") for c in self.pod(half).get("initContainers", []) + self.pod(half)["containers"]
                 if c["name"] == name]
        assert len(found) == 1, name
        return found[0]

    def env(self, container="cluster"):
        return {e["name"]: e.get("value", e.get("valueFrom")) for e in self.container(container)["env"]}

    def config_map(self, suffix):
        return [o for o in self.all("ConfigMap") if o["metadata"]["name"].endswith(suffix)][0]["data"]


@functools.lru_cache(maxsize=None)
def _cached(values, files, sets, kube, release, namespace, secret):
    return Render(render_text(yaml.safe_load(values) if values else None, files, sets, kube, release, namespace, secret))


def render(values=None, files=(), sets=(), kube=NEWEST, release="my-ipfs-cluster", namespace="ipfs", secret=True):
    """Objects of a render; the same question is answered once."""
    return _cached(yaml.safe_dump(values) if values is not None else "", tuple(files), tuple(sets), kube, release, namespace, secret)


def refusal(values=None, **how):
    """The sentence with which a render is refused."""
    try:
        render_text(values, **how)
    except AssertionError as error:
        return str(error)
    raise AssertionError("rendered, although it should be refused")
