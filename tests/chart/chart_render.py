"""What the chart renders. Titles name the rows of docs/chart-rows.md."""
import base64
import re

import pytest
import yaml

from harness import helm
from harness.helm import render

SEED = ("ci/seed-names-values.yaml",)
GUIDE = {  # the quick start's values file
    "replicaCount": 3, "bootstrap": {"enabled": True}, "metrics": {"enabled": True},
    "cluster": {"image": {"tag": "v1.0.8"},
                "resources": {"limits": {"cpu": "1000m", "memory": "2Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}},
                "storage": {"volumeSize": "5Gi"}},
    "ipfs": {"resources": {"limits": {"cpu": "1000m", "memory": "2Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}},
             "storage": {"volumeSize": "100Gi"}},
}
POD_SECURITY = {
    "cluster": {"podSecurityContext": {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
                "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}},
    "ipfs": {"podSecurityContext": {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000},
             "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}},
}


def claim(half, values=None):
    claims = render(values).set(half)["spec"]["volumeClaimTemplates"]
    assert len(claims) == 1
    return claims[0]


def test_k1_the_charts_name():
    assert yaml.safe_load((helm.CHART / "Chart.yaml").read_text())["name"] == "ipfs-cluster"
    assert (helm.CHART.parent / "helm-ipfs-cluster").resolve() == helm.CHART.resolve()
    assert render().set("cluster")["metadata"]["labels"]["app.kubernetes.io/name"] == "ipfs-cluster"


def test_k3_k70_default_install_needs_no_foreign_kind_and_no_cluster_role():
    kinds = {o["kind"] for o in render().objects}
    assert kinds <= {"ServiceAccount", "Secret", "ConfigMap", "Service", "StatefulSet", "PodDisruptionBudget", "Pod"}
    for o in render(helm.EVERYTHING).objects:
        assert o["metadata"]["namespace"] == "ipfs", o["metadata"]
        assert not o["kind"].startswith(("ClusterRole", "Role", "Gateway"))  # K107: never a Gateway


def test_k4_no_dependencies():
    assert "dependencies" not in yaml.safe_load((helm.CHART / "Chart.yaml").read_text())


def test_k5_the_guides_values():
    r = render(GUIDE)
    assert r.set("cluster")["spec"]["replicas"] == 3 and r.set("ipfs")["spec"]["replicas"] == 3
    assert r.container("cluster")["image"].endswith(":v1.0.8")
    assert r.container("cluster")["resources"] == GUIDE["cluster"]["resources"]
    assert r.container("ipfs")["resources"] == GUIDE["ipfs"]["resources"]
    assert claim("cluster", GUIDE)["spec"]["resources"]["requests"]["storage"] == "5Gi"
    assert claim("ipfs", GUIDE)["spec"]["resources"]["requests"]["storage"] == "100Gi"


def test_k6_k19_image_tag():
    app = yaml.safe_load((helm.CHART / "Chart.yaml").read_text())["appVersion"]
    assert render().container("cluster")["image"] == f"ipfs-cluster-agent:{app}"
    assert render({"cluster": {"image": {"tag": "v9"}}}).container("cluster")["image"] == "ipfs-cluster-agent:v9"
    digest = "sha256:" + "1" * 64
    assert render({"cluster": {"image": {"digest": digest}}}).container("cluster")["image"] == f"ipfs-cluster-agent@{digest}"
    go = render({"cluster": {"image": {"flavor": "go"}}}).container("cluster")
    assert go["image"] == f"ipfs/ipfs-cluster:v{app}"
    assert render({"global": {"imageRegistry": "r.example.com/x"}}).container("ipfs")["image"].startswith("r.example.com/x/ipfs/kubo:")


def test_k9_k62_labels_reach_the_claims():
    for half in ("cluster", "ipfs"):
        s = render().set(half)["spec"]
        wanted = {"app.kubernetes.io/name": "ipfs-cluster", "app.kubernetes.io/instance": "my-ipfs-cluster", "nodeType": half}
        assert s["selector"]["matchLabels"] == wanted
        assert wanted.items() <= s["template"]["metadata"]["labels"].items()
        assert wanted.items() <= s["volumeClaimTemplates"][0]["metadata"]["labels"].items()


@pytest.mark.parametrize("item", ["metrics.enabled=true", "replicaCount=5", "cluster.resources.limits.memory=4Gi",
                                  "ipfs.resources.limits.memory=4Gi"])
def test_k12_k184_set_on_an_otherwise_unset_tree(item):
    assert render(sets=(item,)).all("StatefulSet")


def test_k14_both_sets_get_the_same_count():
    r = render(sets=("replicaCount=5",))
    assert [s["spec"]["replicas"] for s in r.all("StatefulSet")] == [5, 5]


def test_k15_k66_secret_from_the_value():
    data = render().one("Secret")["data"]
    assert base64.b64decode(data["secret"]).decode() == helm.SECRET
    assert render().one("Secret")["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_k16_k80_bootstrap_is_on_and_visible():
    env = render().env()
    assert env["BOOTSTRAP_ENABLED"] == "true"
    assert env["CLUSTER_BOOTSTRAP_DNS"] == "my-ipfs-cluster-cluster.ipfs.svc.cluster.local"
    off = render({"bootstrap": {"enabled": False}}).env()
    assert off["BOOTSTRAP_ENABLED"] == "false" and "CLUSTER_BOOTSTRAP_DNS" not in off


def test_k17_k149_peers_elsewhere():
    peers = ["/ip4/10.0.1.100/tcp/9096/p2p/12D3KooWPeer1", "/dns4/cluster.example.com/tcp/9096/p2p/12D3KooWPeer2"]
    for enabled in (True, False):
        env = render({"bootstrap": {"enabled": enabled, "peers": peers}}).env()
        assert env["CLUSTER_PEERADDRESSES"] == ",".join(peers)


def test_k18_k78_k82_k109_metrics_are_off_by_default():
    r = render()
    assert r.env()["CLUSTER_METRICS_ENABLESTATS"] == "false"
    assert r.env()["CLUSTER_METRICS_PROMETHEUSENDPOINT"] == "/ip4/127.0.0.1/tcp/8888"
    assert "metrics" not in [p["name"] for p in r.container("cluster")["ports"]]
    on = render(sets=("metrics.enabled=true",))
    assert on.env()["CLUSTER_METRICS_ENABLESTATS"] == "true"
    assert on.env()["CLUSTER_METRICS_PROMETHEUSENDPOINT"] == "/ip4/0.0.0.0/tcp/8888"
    assert {"name": "metrics", "containerPort": 8888, "protocol": "TCP"} in on.container("cluster")["ports"]
    assert on.one("Service", "my-ipfs-cluster-cluster-metrics")["spec"]["ports"][0]["port"] == 8888


@pytest.mark.parametrize("half,size", [("cluster", "1Gi"), ("ipfs", "10Gi")])
def test_k20_to_k23_k151_storage(half, size):
    c = claim(half)
    assert c["metadata"]["name"] == "data" and c["spec"]["resources"]["requests"]["storage"] == size
    assert "storageClassName" not in c["spec"] and c["spec"]["accessModes"] == ["ReadWriteOnce"]
    c = claim(half, {half: {"storage": {"storageClassName": "fast-ssd", "volumeSize": "1Ti"}}})
    assert c["spec"]["storageClassName"] == "fast-ssd" and c["spec"]["resources"]["requests"]["storage"] == "1Ti"
    assert claim(half, {half: {"storage": {"storageClassName": "-"}}})["spec"]["storageClassName"] == ""


ISTIO = {"istio": {"enabled": True, "gateways": ["istio-ingress/ingressgateway-public"], "hosts": ["ipfs.example.com"],
                   "adminEnabled": True, "adminGateways": ["istio-ingress/ingressgateway-admin"],
                   "adminHosts": ["ipfs-admin.example.com"]}, "metrics": {"enabled": True}}


def routes(service):
    return [([list(m["uri"].items())[0] for m in r.get("match", [])], r["route"][0]["destination"]["host"].split(".")[0],
             r["route"][0]["destination"]["port"]["number"]) for r in service["spec"]["http"]]


def test_k24_to_k29_k67_k112_k113_k139_k180_k181_istio():
    assert not render().all("VirtualService")
    r = render(ISTIO, SEED)
    public, admin = r.one("VirtualService", "ipfs-test"), r.one("VirtualService", "ipfs-cluster-cluster-admin")
    assert public["spec"]["gateways"] == ISTIO["istio"]["gateways"] and public["spec"]["hosts"] == ["ipfs.example.com"]
    assert routes(public) == [([("prefix", "/ipfs/"), ("prefix", "/ipns/")], "ipfs-test", 8080), ([("prefix", "/api/v0/")], "ipfs-test", 5001)]
    assert admin["spec"]["gateways"] == ISTIO["istio"]["adminGateways"] and admin["spec"]["hosts"] == ["ipfs-admin.example.com"]
    assert routes(admin) == [([("exact", "/metrics")], "ipfs-cluster-cluster-metrics", 8888), ([], "ipfs-cluster-cluster-api", 9094)]
    for _, service, port in routes(public) + routes(admin):
        assert port in [p["port"] for p in r.one("Service", service)["spec"]["ports"]]


def test_k164_istio_authorization():
    values = {"istio": dict(ISTIO["istio"], authorizationPolicy={"enabled": True, "requestPrincipals": ["cluster-local/ns/admin/sa/admin-user"]})}
    r = render(values, SEED)
    policy = r.one("AuthorizationPolicy", "ipfs-test")["spec"]
    assert policy["selector"]["matchLabels"] == {"app": "ipfs-test"} and policy["action"] == "ALLOW"
    assert policy["rules"][1]["from"] == [{"source": {"requestPrincipals": ["cluster-local/ns/admin/sa/admin-user"]}}]
    assert policy["rules"][1]["to"][0]["operation"]["ports"] == ["5001"]
    assert policy["rules"][2]["to"][0]["operation"]["notPorts"] == ["5001"]  # the gateway and the swarm stay open
    assert r.one("AuthorizationPolicy", "ipfs-cluster-cluster")["spec"]["rules"][1]["to"][0]["operation"]["ports"] == ["9094"]


def test_k30_k31_k147_resources_pass_through():
    values = {h: {"resources": {"limits": {"cpu": "4000m", "memory": "8Gi"}, "requests": {"cpu": "2000m", "memory": "4Gi"}}} for h in ("cluster", "ipfs")}
    for half in values:
        assert render(values).container(half)["resources"] == values[half]["resources"]
    # Of what changes a StatefulSet forbids, resources are not one.
    a, b = render(values).set("ipfs")["spec"], render().set("ipfs")["spec"]
    assert a["volumeClaimTemplates"] == b["volumeClaimTemplates"] and a["selector"] == b["selector"]


@pytest.mark.parametrize("half", ["cluster", "ipfs"])
def test_k32_k33_k34_k61_k148_scheduling(half):
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchExpressions": [{"key": "nodeType", "operator": "In", "values": [half]}]}, "topologyKey": "kubernetes.io/hostname"}]}}
    values = {half: {"affinity": affinity, "nodeSelector": {"topology.kubernetes.io/region": "us-east-1"},
                     "tolerations": [{"operator": "Exists"}], "priorityClassName": "high",
                     "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]}}
    pod = render(values).pod(half)
    assert pod["affinity"] == affinity and pod["nodeSelector"] == {"topology.kubernetes.io/region": "us-east-1"}
    assert pod["tolerations"] == [{"operator": "Exists"}] and pod["priorityClassName"] == "high"
    assert pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"]["nodeType"] == half
    # Without any: apart from one another, close to its other half, and never a must.
    soft = render().pod(half)["affinity"]
    assert soft["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0]["podAffinityTerm"]["labelSelector"]["matchLabels"]["nodeType"] == half
    assert "requiredDuringSchedulingIgnoredDuringExecution" not in soft["podAntiAffinity"]


def restricted(spec):
    """Reasons why the Pod Security standard "restricted" would refuse a pod."""
    pod, wrong = spec.get("securityContext", {}), []
    for c in spec.get("initContainers", []) + spec["containers"]:
        own = c.get("securityContext", {})
        if not own.get("runAsNonRoot", pod.get("runAsNonRoot")) or own.get("runAsUser", pod.get("runAsUser")) == 0:
            wrong.append(f"{c['name']}: may run as root")
        if own.get("allowPrivilegeEscalation") is not False:
            wrong.append(f"{c['name']}: may gain privileges")
        if own.get("capabilities", {}).get("drop") != ["ALL"] or own.get("capabilities", {}).get("add"):
            wrong.append(f"{c['name']}: has capabilities")
        if own.get("seccompProfile", pod.get("seccompProfile", {})).get("type") not in ("RuntimeDefault", "Localhost"):
            wrong.append(f"{c['name']}: no seccomp profile")
        if any("hostPort" in p for p in c.get("ports", [])):
            wrong.append(f"{c['name']}: a port of the host")
    wrong += [v["name"] for v in spec.get("volumes", []) if not set(v) & {"configMap", "emptyDir", "secret", "persistentVolumeClaim", "projected", "downwardAPI"}]
    return wrong


@pytest.mark.parametrize("values", [None, POD_SECURITY, {"backup": {"enabled": True}}], ids=["default", "guide", "backup"])
def test_k35_to_k38_k166_pods_are_restricted(values):
    r = render(values)
    pods = [r.pod("cluster"), r.pod("ipfs"), *[p["spec"] for p in r.all("Pod")]]
    pods += [c["spec"]["jobTemplate"]["spec"]["template"]["spec"] for c in r.all("CronJob")]
    for pod in pods:
        assert restricted(pod) == []
        assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
    assert r.pod("cluster")["securityContext"]["runAsUser"] == 1000 and r.pod("cluster")["securityContext"]["fsGroup"] == 1000
    assert r.container("cluster")["securityContext"]["readOnlyRootFilesystem"] is True


def test_d8_tmp_is_writable_in_both_pods():
    for name in ("cluster", "ipfs", "init-cluster", "configure-bootstrap"):
        assert {"name": "tmp", "mountPath": "/tmp"} in render().container(name)["volumeMounts"]


def test_p7_openshift_chooses_the_users():
    r = render({"openshift": {"enabled": True}})
    for half in ("cluster", "ipfs"):
        assert not {"runAsUser", "fsGroup", "runAsGroup"} & set(r.pod(half)["securityContext"])


def test_k39_k40_k84_to_k88_k170_k171_variables_of_the_user_win():
    mine = [{"name": "CLUSTER_MONITORPINGINTERVAL", "value": "2s"}, {"name": "CLUSTER_IPFSHTTP_POOLSIZE", "value": "100"},
            {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://jaeger-collector:4318"}, {"name": "OTEL_SERVICE_NAME", "value": "ipfs-cluster"},
            {"name": "CLUSTER_DISABLEREPINNING", "value": "true"}]
    kubo = [{"name": "IPFS_SWARM_CONNMGR_HIGHWATER", "value": "900"}, {"name": "IPFS_SWARM_CONNMGR_LOWWATER", "value": "600"},
            {"name": "IPFS_ENABLE_EXPERIMENTAL_FEATURES", "value": "true"}]
    r = render({"cluster": {"env": mine}, "ipfs": {"env": kubo}})
    assert r.container("cluster")["env"][-5:] == mine and r.container("ipfs")["env"][-3:] == kubo
    for name in ("cluster", "ipfs", "init-cluster", "configure-bootstrap"):
        names = [e["name"] for e in r.container(name)["env"]]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort", "LoadBalancer"])
def test_k41_to_k45_k141_k142_services_by_type(kind):
    values = {"service": {"type": "NodePort"}, "ipfs": {"service": {"type": kind, "annotations": {"a": "nlb"}}},
              "cluster": {"service": {"annotations": {"b": "c"}}}}
    r = render(values, SEED)
    assert r.one("Service", "ipfs-test")["spec"]["type"] == kind
    assert r.one("Service", "ipfs-test")["metadata"]["annotations"] == {"a": "nlb"}
    assert r.one("Service", "ipfs-cluster-cluster-api")["spec"]["type"] == "NodePort"
    assert r.one("Service", "ipfs-cluster-cluster-api")["metadata"]["annotations"] == {"b": "c"}
    # The pods' names are of no service that has an address.
    for headless in ("ipfs-cluster-cluster", "ipfs-test-headless"):
        assert r.one("Service", headless)["spec"]["clusterIP"] == "None"


def test_k46_the_family_values():
    r = render({"imagePullSecrets": [{"name": "a"}, "b"], "tolerations": [{"key": "x"}], "podAnnotations": {"p": "q"},
                "serviceAccount": {"annotations": {"role": "x"}}, "ipfs": {"image": {"repository": "kubo", "tag": "t", "pullPolicy": "Always"}},
                "nameOverride": "other"})
    assert r.pod("cluster")["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]
    assert r.pod("ipfs")["tolerations"] == [{"key": "x"}]
    assert r.set("ipfs")["spec"]["template"]["metadata"]["annotations"]["p"] == "q"
    assert r.one("ServiceAccount")["metadata"]["annotations"] == {"role": "x"}
    assert r.container("ipfs")["image"] == "kubo:t" and r.container("ipfs")["imagePullPolicy"] == "Always"
    assert r.set("ipfs")["metadata"]["labels"]["app.kubernetes.io/name"] == "other"
    assert render({"fullnameOverride": "x"}).names("StatefulSet") == ["x-cluster", "ipfs-x"]


def test_k47_minimal_and_production_sizes():
    r = render(files=("values-minimal.yaml",))
    assert r.container("cluster")["resources"]["limits"] == {"cpu": "100m", "memory": "128Mi"}
    assert r.container("ipfs")["resources"]["requests"] == {"cpu": "500m", "memory": "512Mi"}
    assert r.set("cluster")["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] == "500Mi"
    r = render(files=("values-production.yaml",))
    assert r.container("ipfs")["resources"]["requests"] == {"cpu": "2000m", "memory": "4Gi"}
    assert r.container("cluster")["resources"]["requests"] == {"cpu": "500m", "memory": "512Mi"}


def test_k48_k49_k50_two_sets_from_their_files():
    for half in ("cluster", "ipfs"):
        assert "kind: StatefulSet" in (helm.CHART / "templates" / f"{half}.statefulset.yaml").read_text()
    assert len(render().all("StatefulSet")) == 2
    for s in render().all("StatefulSet"):
        assert s["spec"]["podManagementPolicy"] == "Parallel"


def test_k51_to_k55_containers_and_folders():
    r = render()
    assert [c["name"] for c in r.pod("cluster")["initContainers"]] == ["init-cluster", "configure-bootstrap"]
    assert [c["name"] for c in r.pod("cluster")["containers"]] == ["cluster"]
    assert [c["name"] for c in r.pod("ipfs")["containers"]] == ["ipfs"]
    assert {"name": "data", "mountPath": "/data/ipfs-cluster"} in r.container("cluster")["volumeMounts"]
    assert {"name": "data", "mountPath": "/data/ipfs"} in r.container("ipfs")["volumeMounts"]


def test_k57_to_k60_k71_seed_names_and_services():
    r = render(files=SEED)
    assert sorted(r.names("StatefulSet")) == ["ipfs-cluster-cluster", "ipfs-test"]
    assert r.set("ipfs")["spec"]["serviceName"] == "ipfs-test-headless"
    assert r.set("cluster")["spec"]["serviceName"] == "ipfs-cluster-cluster"
    for name in ("ipfs-cluster-cluster", "ipfs-test-headless"):
        spec = r.one("Service", name)["spec"]
        assert spec["clusterIP"] == "None" and spec["publishNotReadyAddresses"] is True
    assert [p["port"] for p in r.one("Service", "ipfs-test")["spec"]["ports"]] == [8080, 5001]
    assert [p["port"] for p in r.one("Service", "ipfs-cluster-cluster-api")["spec"]["ports"]] == [9094]


def test_d1_two_releases_do_not_clash():
    a, b = render(release="one"), render(release="two")
    ours = {(o["kind"], o["metadata"]["name"]) for o in a.objects}
    assert not ours & {(o["kind"], o["metadata"]["name"]) for o in b.objects}


def test_k63_app_label():
    r = render(files=SEED)
    assert r.set("ipfs")["spec"]["template"]["metadata"]["labels"]["app"] == "ipfs-test"
    assert "app" not in r.set("ipfs")["spec"]["selector"]["matchLabels"]


@pytest.mark.parametrize("kube", [helm.NEWEST, "1.27.0"])
def test_k64_k81_pairing_by_ordinal(kube):
    r = render(files=SEED, kube=kube)
    address = r.env()["CLUSTER_IPFSHTTP_NODEMULTIADDRESS"]
    if kube == helm.NEWEST:
        assert r.env()["POD_INDEX"] == {"fieldRef": {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}}
        assert address == "/dns4/ipfs-test-$(POD_INDEX).ipfs-test-headless.ipfs.svc.cluster.local/tcp/5001"
    else:
        assert address == "/dns4/$(POD_NAME)-kubo.ipfs.svc.cluster.local/tcp/5001"
        for k in range(3):
            assert r.one("Service", f"ipfs-cluster-cluster-{k}-kubo")["spec"]["selector"]["statefulset.kubernetes.io/pod-name"] == f"ipfs-test-{k}"


def test_k65_k167_secret_from_outside():
    r = render({"existingSecret": "ipfs-cluster-secret"}, secret=False)
    assert not r.all("Secret")
    assert r.env()["CLUSTER_SECRET"] == {"secretKeyRef": {"name": "ipfs-cluster-secret", "key": "secret"}}
    r = render({"existingSecret": "s", "existingSecretKey": "k"}, secret=False)
    assert r.env()["CLUSTER_SECRET"] == {"secretKeyRef": {"name": "s", "key": "k"}}


def test_p5_another_secret_restarts_the_peers_and_not_the_kubos():
    a, b = render(), render({"sharedSecret": "cd" * 32}, secret=False)
    note = lambda r, half: r.set(half)["spec"]["template"]["metadata"]["annotations"]
    assert note(a, "cluster")["checksum/secret"] != note(b, "cluster")["checksum/secret"]
    assert note(a, "ipfs") == note(b, "ipfs")


MONITORED = {"metrics": {"enabled": True, "forceCrds": True}}


def test_k68_k127_service_monitor():
    assert not render({"metrics": {"enabled": True}}).all("ServiceMonitor")  # the operator's kinds are not there
    r = render(MONITORED)
    endpoint = r.one("ServiceMonitor")["spec"]["endpoints"][0]
    assert endpoint["port"] == "metrics" and endpoint["path"] == "/metrics"
    labels = r.one("ServiceMonitor")["spec"]["selector"]["matchLabels"]
    scraped = [s for s in r.all("Service") if labels.items() <= s["metadata"]["labels"].items() and "metrics" in [p["name"] for p in s["spec"]["ports"]]]
    assert [s["metadata"]["name"] for s in scraped] == ["my-ipfs-cluster-cluster-metrics"]
    assert helm.render_text({"metrics": {"enabled": True}}, extra=("--api-versions", "monitoring.coreos.com/v1")).count("kind: ServiceMonitor") == 1


def test_k69_k140_ingress():
    values = {"ingress": {"enabled": True, "exposeApi": True, "className": "nginx", "hosts": ["ipfs.example.com"],
                          "annotations": {"cert-manager.io/cluster-issuer": "letsencrypt-prod"},
                          "tls": [{"hosts": ["ipfs.example.com"], "secretName": "ipfs-tls"}]}}
    r = render(values, SEED)
    spec = r.one("Ingress")["spec"]
    assert spec["tls"] == values["ingress"]["tls"] and spec["ingressClassName"] == "nginx"
    paths = {p["path"]: (p["backend"]["service"]["name"], p["backend"]["service"]["port"]["number"]) for p in spec["rules"][0]["http"]["paths"]}
    assert paths == {"/ipfs": ("ipfs-test", 8080), "/ipns": ("ipfs-test", 8080), "/api/v0": ("ipfs-test", 5001)}


def test_gateway_api_routes():
    r = render({"httpRoute": {"enabled": True, "parentRefs": [{"name": "g"}], "hostnames": ["h"]}}, SEED)
    spec = r.one("HTTPRoute")["spec"]
    assert spec["parentRefs"] == [{"name": "g"}] and spec["hostnames"] == ["h"]
    assert [(x["matches"][0]["path"]["value"], x["backendRefs"][0]["port"]) for x in spec["rules"]] == [("/ipfs", 8080), ("/ipns", 8080)]


def test_k72_to_k77_k79_ports():
    ports = lambda c: {(p["name"], p["containerPort"], p["protocol"]) for p in render().container(c)["ports"]}
    assert ports("ipfs") == {("swarm", 4001, "TCP"), ("swarm-udp", 4001, "UDP"), ("api", 5001, "TCP"), ("gateway", 8080, "TCP"), ("zeroconf", 5353, "UDP")}
    assert ports("cluster") == {("api", 9094, "TCP"), ("p2p", 9096, "TCP")}
    on = render({"cluster": {"ipfsProxy": {"enabled": True}, "pinningService": {"enabled": True}}})
    assert {9095, 9097} <= {p["containerPort"] for p in on.container("cluster")["ports"]}
    assert on.env()["CLUSTER_IPFSPROXY_LISTENMULTIADDRESS"] == "/ip4/0.0.0.0/tcp/9095"


def test_k83_k89_k161_variables_of_the_peer():
    env = render().env()
    assert env["CLUSTER_SECRET"]["secretKeyRef"]["key"] == "secret"
    assert env["CLUSTER_PEERNAME"] == "$(POD_NAME)" and env["POD_NAME"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert env["CLUSTER_CRDT_TRUSTEDPEERS"] == "*"
    assert env["CLUSTER_RESTAPI_HTTPLISTENMULTIADDRESS"] == "/ip4/0.0.0.0/tcp/9094"


def test_k115_k176_probes_do_not_count_peers():
    c = render().container("cluster")
    assert c["livenessProbe"]["httpGet"] == {"path": "/health", "port": "api"}  # itself only, and no process for it
    assert c["readinessProbe"]["exec"]["command"] == ["ipfs-cluster-agent", "health", "--ready"]
    for closed in ({"basicAuth": {"existingSecret": "a"}}, {"tls": {"existingSecret": "a"}}):
        assert render({"cluster": closed}).container("cluster")["livenessProbe"]["tcpSocket"] == {"port": "api"}
    assert c["startupProbe"]["periodSeconds"] * c["startupProbe"]["failureThreshold"] >= 300
    c = render({"metrics": {"enabled": True}}).container("cluster")
    assert c["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert c["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    i = render().container("ipfs")
    assert i["readinessProbe"]["httpGet"]["port"] == "gateway" and i["startupProbe"]["failureThreshold"] * i["startupProbe"]["periodSeconds"] >= 300
    custom = render({"cluster": {"livenessProbe": {"custom": {"httpGet": {"path": "/id", "port": "api"}}}, "startupProbe": {"enabled": False}}}).container("cluster")
    assert custom["livenessProbe"]["httpGet"]["path"] == "/id" and "startupProbe" not in custom
    assert render().pod("cluster")["terminationGracePeriodSeconds"] == 60 and render().pod("ipfs")["terminationGracePeriodSeconds"] == 120


def rules(values=None):
    return {a["alert"]: a for g in render(dict(MONITORED, **(values or {}))).one("PrometheusRule")["spec"]["groups"] for a in g["rules"]}


def test_k133_to_k136_alerts_follow_the_values():
    group = render(MONITORED).one("PrometheusRule")["spec"]["groups"][0]
    assert group["name"] == "ipfs-cluster" and group["interval"] == "30s"
    r = rules()
    assert (r["ClusterPeerDown"]["expr"], r["ClusterPeerDown"]["for"], r["ClusterPeerDown"]["labels"]["severity"]) == ("cluster_peers_total < 3", "5m", "critical")
    assert (r["PinReplicationFailed"]["expr"], r["PinReplicationFailed"]["for"]) == ("cluster_pins_pin_error > 0", "10m")
    assert "$labels.pod" in r["IPFSStorageHigh"]["annotations"]["description"] and r["IPFSStorageHigh"]["for"] == "1h"
    assert rules({"replicaCount": 5})["ClusterPeerDown"]["expr"] == "cluster_peers_total < 5"
    assert rules({"ipfs": {"storage": {"volumeSize": "500G"}}})["IPFSStorageHigh"]["expr"] == "ipfs_repo_size_bytes > 450000000000"


def test_k137_k177_dashboards():
    data = render({"metrics": {"dashboards": {"enabled": True}}}).config_map("-dashboards")
    assert sorted(data) == ["kubo.json", "network.json", "overview.json", "pins.json", "store.json"]


def test_k143_k168_services_say_what_they_carry():
    for s in render().all("Service"):
        for port in s["spec"]["ports"]:
            assert port["name"] and port.get("appProtocol") in ("http", "tcp"), port


def test_k144_per_pod_services():
    r = render(files=("values-multi-region.yaml",), secret=False)
    for k in range(3):
        s = r.one("Service", f"my-ipfs-cluster-cluster-p2p-{k}")
        assert s["spec"]["selector"]["statefulset.kubernetes.io/pod-name"] == f"my-ipfs-cluster-cluster-{k}"
        assert s["spec"]["type"] == "LoadBalancer" and s["spec"]["ports"][0]["port"] == 9096
        assert s["metadata"]["annotations"]["external-dns.alpha.kubernetes.io/hostname"] == f"cluster-{k}.eu-west-1.example.com"
    assert "/dns4/cluster-$(POD_INDEX).eu-west-1.example.com/tcp/9096" in r.env()["CLUSTER_ANNOUNCEMULTIADDRESS"].split(",")
    nodes = render({"ipfs": {"perPodService": {"enabled": True, "type": "NodePort", "nodePortBase": 30400}}})
    assert nodes.one("Service", "ipfs-my-ipfs-cluster-swarm-2")["spec"]["ports"][0]["nodePort"] == 30402


def test_k150_paired_autoscalers():
    assert not render().all("HorizontalPodAutoscaler")
    r = render({"autoscaling": {"enabled": True}})
    hpas = r.all("HorizontalPodAutoscaler")
    assert {h["spec"]["scaleTargetRef"]["name"] for h in hpas} == set(r.names("StatefulSet"))
    assert {(h["spec"]["minReplicas"], h["spec"]["maxReplicas"]) for h in hpas} == {(3, 10)}
    assert all("replicas" not in s["spec"] for s in r.all("StatefulSet"))  # P19
    assert hpas[0]["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 70


def test_k152_k153_replication():
    env = render().env()
    assert env["CLUSTER_DISABLEREPINNING"] == "false"
    assert env["CLUSTER_REPLICATIONFACTORMIN"] == "-1" and env["CLUSTER_REPLICATIONFACTORMAX"] == "-1"


def test_k156_k159_backups():
    r = render({"backup": {"enabled": True, "keep": 3}, "velero": {"enabled": True}})
    job = r.one("CronJob")
    assert job["spec"]["schedule"] == "0 2 * * *"
    container = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == ["/bin/sh", "/scripts/backup.sh", "/backup", "3"]
    assert r.one("PersistentVolumeClaim")["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    notes = r.set("cluster")["spec"]["template"]["metadata"]["annotations"]
    assert notes["pre.hook.backup.velero.io/container"] == "cluster" and "/scripts/export-state.sh" in notes["pre.hook.backup.velero.io/command"]


def test_k162_k163_network_policies():
    r = render({"networkPolicy": {"enabled": True, "adminFrom": [{"namespaceSelector": {"matchLabels": {"name": "admin-namespace"}}}]},
                "metrics": {"enabled": True}}, SEED)
    cluster, ipfs = r.one("NetworkPolicy", "ipfs-cluster-cluster")["spec"], r.one("NetworkPolicy", "ipfs-test")["spec"]
    allowed = lambda spec, port: [rule.get("from") for rule in spec["ingress"] if any(p["port"] == port for p in rule["ports"])]
    assert allowed(cluster, 9096) == [[{"podSelector": {"matchLabels": cluster["podSelector"]["matchLabels"]}}]]
    assert allowed(cluster, 8888)[0][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "monitoring"}
    assert {"namespaceSelector": {"matchLabels": {"name": "admin-namespace"}}} in allowed(ipfs, 5001)[0]
    assert allowed(ipfs, 8080) == [None] and allowed(ipfs, 4001) == [None]  # K114: the gateway is for everybody
    assert {p["protocol"] for p in cluster["egress"][0]["ports"]} == {"UDP", "TCP"} and "to" not in cluster["egress"][0]


def test_k165_credentials_from_a_secret():
    r = render({"cluster": {"basicAuth": {"existingSecret": "logins"}}})
    assert r.env()["CLUSTER_RESTAPI_BASICAUTHCREDENTIALS"] == {"secretKeyRef": {"name": "logins", "key": "credentials"}}


def test_k169_pod_names_of_the_log_pattern():
    assert render(files=SEED).set("cluster")["metadata"]["name"].startswith("ipfs-cluster-")


def test_k182_kubo_by_a_pinned_tag():
    assert re.fullmatch(r"ipfs/kubo:v\d+\.\d+\.\d+", render().container("ipfs")["image"])


def test_p11_disruption_budgets():
    for budget in render().all("PodDisruptionBudget"):
        assert budget["spec"]["maxUnavailable"] == 1 and budget["apiVersion"] == "policy/v1"
    assert len(render().all("PodDisruptionBudget")) == 2
    assert not render(files=("values-minimal.yaml",)).all("PodDisruptionBudget")
    assert render(kube="1.20.0").all("PodDisruptionBudget")[0]["apiVersion"] == "policy/v1beta1"


def test_p16_claims_stay():
    for s in render().all("StatefulSet"):
        assert s["spec"]["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}


def test_p25_limits_follow_the_volume_and_the_memory():
    env = render({"ipfs": {"resources": {"limits": {"memory": "2Gi"}}, "storage": {"volumeSize": "100Gi"}}}).env("ipfs")
    assert env["IPFS_STORAGE_MAX"] == f"{100 * 2**30 * 80 // 100}B" and env["GOMEMLIMIT"] == f"{2 * 2**30 * 85 // 100}B"


def test_p24_other_domains_and_families():
    r = render({"clusterDomain": "k8s.example", "dnsProtocol": "dns6", "ipv6": True, "ipFamilyPolicy": "PreferDualStack"})
    assert r.env()["CLUSTER_BOOTSTRAP_DNS"].endswith(".svc.k8s.example")
    assert r.env()["CLUSTER_IPFSHTTP_NODEMULTIADDRESS"].startswith("/dns6/")
    assert r.env()["CLUSTER_RESTAPI_HTTPLISTENMULTIADDRESS"] == "/ip6/::/tcp/9094"
    assert all(s["spec"]["ipFamilyPolicy"] == "PreferDualStack" for s in r.all("Service"))


def test_extra_objects_and_labels():
    r = render({"extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-x", "namespace": "ipfs"}}],
                "commonLabels": {"team": "storage"}, "commonAnnotations": {"note": "hello"}})
    assert "my-ipfs-cluster-x" in r.names("ConfigMap")
    assert r.set("ipfs")["metadata"]["labels"]["team"] == "storage" and r.set("ipfs")["metadata"]["annotations"]["note"] == "hello"
    assert "team" not in r.set("ipfs")["spec"]["selector"]["matchLabels"]


def test_a_pod_has_time_to_hear_of_every_change_before_the_next_one_restarts():
    seconds = int(render().env()["CLUSTER_CRDT_REBROADCASTINTERVAL"].rstrip("s"))
    assert render().set("cluster")["spec"]["minReadySeconds"] >= 2 * seconds
    assert "minReadySeconds" not in render(kube="1.24.0").set("cluster")["spec"]


def test_go_flavor_runs_the_stock_image_with_the_same_values():
    a, b = render(), render({"cluster": {"image": {"flavor": "go"}}})
    assert b.container("cluster")["command"] == a.container("cluster")["command"] == ["ipfs-cluster-service"]
    assert b.container("cluster")["readinessProbe"]["exec"]["command"][-1] == "ready"
    assert "CLUSTER_BOOTSTRAP_DNS" not in b.env()
    assert a.set("cluster")["spec"]["volumeClaimTemplates"] == b.set("cluster")["spec"]["volumeClaimTemplates"]
