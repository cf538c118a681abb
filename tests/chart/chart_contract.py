"""What the chart, its dashboards, alerts and pages say of the agent is so: variables, metrics, probes, ports."""
import json
import re
import subprocess

import pytest
import yaml

from harness import helm, tools
from harness.wait import wait_until

DOCS = tools.ROOT / "docs"
# Read by the scripts of the chart, by Kubo or by libraries, and by nobody under another name.
OF_THE_CHART = {"POD_NAME", "POD_INDEX", "BOOTSTRAP_ENABLED", "BOOTSTRAP_DOMAIN", "BOOTSTRAP_PROTOCOL",
                "BOOTSTRAP_BUDGET", "IDENTITY_MODE", "IDENTITY_SALT"}
OF_KUBO = {"POD_NAME", "POD_INDEX", "POD_IP", "HOST_IP", "IPFS_PATH", "HOME", "IPFS_PROFILE", "IPFS_STORAGE_MAX", "IPFS_ANNOUNCE",
           "IPFS_PRIVATE_SWARM", "IPFS_BITSWAP_BROADCAST", "IPFS_MDNS", "GOMEMLIMIT"}
METRIC = re.compile(r"\b(?:cluster|ipfs|ipfscluster|ipfs_cluster_agent|go|process)_[a-z0-9_]+\b")
# Words of that form that are no metrics.
NOT_METRICS = {"cluster_name", "ipfs_cluster_agent", "ipfs_connector", "cluster_secret", "ipfs_path", "ipfs_test"}


def documented_variables():
    return set(re.findall(r"`([A-Z][A-Z0-9_]+)`", (DOCS / "configuration.md").read_text()))


def test_p22_every_variable_of_a_render_is_read_by_somebody():
    known = documented_variables()
    assert "CLUSTER_PEERNAME" in known
    for values in (None, helm.EVERYTHING, {"bootstrap": {"peers": ["/dns4/a/tcp/9096/p2p/12D3KooWx"]}}, {"cluster": {"logFormat": "json", "mdnsInterval": "0s"}}):
        r = helm.render(values)
        for container in ("init-cluster", "configure-bootstrap", "cluster"):
            assert set(r.env(container)) - OF_THE_CHART <= known, set(r.env(container)) - OF_THE_CHART - known
        assert set(r.env("ipfs")) <= OF_KUBO


def test_the_compose_file_sets_what_is_read_and_names_its_own_services():
    compose = yaml.safe_load((helm.CHART.parent / "compose/docker-compose.yml").read_text())
    services = compose["services"]
    assert sorted(services) == [f"{half}{k}" for half in ("cluster", "ipfs") for k in range(3)]
    for k in range(3):
        peer = services[f"cluster{k}"]
        assert set(peer["environment"]) <= documented_variables()
        assert peer["environment"]["CLUSTER_IPFSHTTP_NODEMULTIADDRESS"] == f"/dns4/ipfs{k}/tcp/5001"
        assert peer["read_only"] and peer["user"] == "1000:1000" and peer["cap_drop"] == ["ALL"]
        assert peer["environment"]["CLUSTER_BOOTSTRAP_DNS"] in peer["networks"]["default"]["aliases"]


def test_variables_of_the_chart_are_used_by_its_scripts():
    scripts = "".join(p.read_text() for p in (helm.CHART / "files").glob("*/*.sh"))
    for name in OF_THE_CHART - {"POD_INDEX"}:
        assert re.search(rf"\${{?{name}\b", scripts), name


@pytest.fixture(scope="module")
def scraped(tmp_path_factory):
    """Names of a running agent's metrics, from the first scrape on."""
    from harness.lab import Lab
    lab = Lab(tmp_path_factory.mktemp("contract"))
    try:
        peer = lab.peer(lab.fake_kubo(), settings={"observations/metrics": {"enable_stats": True}})
        text = wait_until(lambda: scrape(peer), 20, "metrics are served")
        yield peer, set(re.findall(r"^([a-z_]+)(?:\{|\s)", text, re.M))
    finally:
        problems = lab.close()
    assert not problems


def scrape(peer):
    from harness import http
    answer = http.request(peer.metrics_port, "GET", "/metrics")
    return answer.body.decode() if answer.status == 200 else None


def named_metrics(text):
    return set(METRIC.findall(text)) - NOT_METRICS


def test_k116_to_k126_k138_every_metric_of_the_guide_is_there_from_the_first_scrape(scraped):
    wanted = {"cluster_peers_total", "cluster_pins_total", "cluster_pins_pinned", "cluster_pins_pin_error", "cluster_pins_queued",
              "ipfs_repo_size_bytes", "ipfs_repo_objects_total", "go_goroutines", "go_memstats_alloc_bytes", "process_cpu_seconds_total",
              "cluster_pins_pin_duration_seconds_sum", "cluster_pins_pin_duration_seconds_count", "cluster_pins_pin_duration_seconds_bucket"}
    assert wanted <= scraped[1]


def test_k128_to_k132_k137_every_metric_of_a_dashboard_is_there(scraped):
    boards = sorted((helm.CHART / "files/dashboards").glob("*.json"))
    assert len(boards) == 5
    titles = {}
    for board in boards:
        data = json.loads(board.read_text())
        titles[board.stem] = [p["title"] for p in data["panels"]]
        assert data["uid"] and data["panels"]
        for panel in data["panels"]:
            for target in panel["targets"]:
                assert named_metrics(target["expr"]) <= scraped[1], (board.name, panel["title"])
    assert titles["overview"][:5] == ["Cluster peer count", "Total pins across cluster", "Pin success rate", "Storage usage per node", "Pin operation latency"]


def test_queries_of_the_dashboards_parse(tmp_path):
    """As recording rules, which promtool reads."""
    rules = []
    for board in (helm.CHART / "files/dashboards").glob("*.json"):
        for panel in json.loads(board.read_text())["panels"]:
            for target in panel["targets"]:
                rules.append({"record": f"q:{len(rules)}", "expr": target["expr"].replace("$namespace", "a").replace("$pod", "b")})
    (tmp_path / "q.yaml").write_text(json.dumps({"groups": [{"name": "q", "rules": rules}]}))
    done = subprocess.run([tools.ROOT / "scripts/promtool", "check", "rules", tmp_path / "q.yaml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_of_an_alert_is_there(scraped):
    for group in helm.render({"metrics": {"enabled": True, "forceCrds": True}}).one("PrometheusRule")["spec"]["groups"]:
        for rule in group["rules"]:
            names = named_metrics(rule["expr"])
            assert names and names <= scraped[1], rule["alert"]


def test_every_metric_of_the_pages_is_there(scraped):
    for page in [*(DOCS / "runbooks").glob("*.md"), *(DOCS / "operations").glob("*.md")]:
        assert named_metrics(page.read_text()) <= scraped[1], page.name


def test_k115_probes_answer_on_a_running_agent(scraped):
    """The very commands of the render."""
    peer, _ = scraped
    container = helm.render().container("cluster")
    from harness import http
    for probe in ("startupProbe", "livenessProbe"):
        assert http.request(peer.rest_port, "GET", container[probe]["httpGet"]["path"]).status // 100 == 2
    command = container["readinessProbe"]["exec"]["command"]
    assert command[0] == "ipfs-cluster-agent"
    ask = lambda: subprocess.run([tools.our(command[0]), "--config", peer.config_dir, *command[1:]], capture_output=True, text=True, check=False).returncode == 0
    wait_until(ask, 20, "the readiness probe passes")
    container = helm.render({"metrics": {"enabled": True}}).container("cluster")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert http.request(peer.metrics_port, "GET", container[probe]["httpGet"]["path"]).status == 200


def test_d14_metrics_off_health_on(lab):
    """Off: 8888 answers the pod's own probes, says 404 to /metrics, and nothing outside reaches it."""
    from harness import http
    peer = lab.peer(lab.fake_kubo())
    assert http.request(peer.metrics_port, "GET", "/metrics").status == 404
    assert http.request(peer.metrics_port, "GET", "/healthz").status == 200
    assert helm.render().env()["CLUSTER_METRICS_PROMETHEUSENDPOINT"].startswith("/ip4/127.0.0.1/")


def test_every_named_port_is_one_that_the_agent_listens_on():
    text = (DOCS / "configuration.md").read_text()
    for port in helm.render(helm.EVERYTHING).container("cluster")["ports"]:
        assert f"/tcp/{port['containerPort']}`" in text or f"/tcp/{port['containerPort']}\"" in text, port
