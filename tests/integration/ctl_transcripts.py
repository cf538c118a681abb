"""Replays the recorded runs of the reference's ipfs-cluster-ctl 1.1.6 with our client, without a cluster.

Each run gets a stand-in for the peer it talked to (harness/ctl_world.py). Compared are standard output, standard
error (log lines left out), the exit code and, with data/rest/ctl-requests.json, what was asked of the API: method,
path, query, credentials and the parts of an upload.

  pytest integration/ctl_transcripts.py                 our client
  pytest integration/ctl_transcripts.py --target go     the reference's client: checks the stand-in
  ICA_RECORD_REQUESTS=1 pytest ... --target go          also writes ctl-requests.json
"""
import base64
import json
import os
import re
import socket
import subprocess
import urllib.parse

import pytest

from harness import corpus, ctl_world, tools
from harness.ctl_world import StandIn, compact, split_error

RUNS = corpus.load("ctl-transcripts.json")
REQUESTS = corpus.FOLDER / "ctl-requests.json"
LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\dT\S+Z\t(DEBUG|INFO|WARN|ERROR)\t.*\n+", re.M)
# Go names a timeout in one of several ways, by chance.
GO_TIMEOUT = re.compile(r'(Get \S+": )(?:context deadline exceeded|net/http: request canceled)(?: \(Client.*?\))?')
TIMEOUT = r"\1net/http: request canceled (Client.Timeout exceeded while awaiting headers)"
VALUE_FLAGS = {"--host", "-l", "--secret", "--enc", "--timeout", "--basic-auth"}

# Runs whose text cannot be the same, and why.
DIFFERENT = {
    "conn-libp2p": "HTTP over libp2p is not offered; the client says so",
    "conn-libp2p-nosecret": "HTTP over libp2p is not offered; the client says so",
}
DIFFERENT_REQUESTS = {
    "status-filter-two": "the reference adds every composite status that shares a bit, in random order",
}


def command(run):
    """The words behind the global flags."""
    words = run["argv"][1:]
    while words and words[0].startswith("-"):
        words = words[2:] if words[0] in VALUE_FLAGS else words[1:]
    return words


def is_json(run):
    return "json" in run["argv"] or "--enc=json" in run["argv"]


class Plan:
    """What the stand-in answers during one run."""

    def __init__(self, run):
        self.run, self.words = run, command(run)
        self.text, self.error = run["stdout"], None
        if run.get("truncated") and not is_json(run):
            self.text = re.sub(r"(\S+:\n)?[^\n]*\Z", "", self.text)
        if is_json(run):
            self.docs = ctl_world.documents(self.text)
            if run.get("truncated"):
                self.text = self.text[:self.text.rindex("\n}\n") + 3]
            if run["exit_code"] == 2:
                last = self.docs.pop()
                self.error = last["code"], last["message"]
        else:
            self.docs, (self.before, self.error) = None, split_error(self.text)

    def expected(self):
        return self.text

    def read(self, parse):
        """The JSON documents that were shown."""
        return self.docs if is_json(self.run) else parse(self.before)

    def __call__(self, method, path, query):
        run_id = self.run["id"]
        if run_id == "conn-404-json":
            return 404, b"404 page not found\n"
        if run_id == "conn-not-cluster":
            return 200, b"from the web\n"
        if path == "/some/name.txt":
            return 200, b"from the web\n"
        if path == "/add" and self.error and self.error[0] == 500:
            return {"stream": self.read(ctl_world.added), "error": self.error[1]}
        if self.error:
            return self.error[0], compact({"code": self.error[0], "message": self.error[1]})
        return self.answer(method, path, query)

    def answer(self, method, path, _query):
        first, second = (self.words + ["", ""])[:2]
        one = lambda parse: (200, compact(self.read(parse)[0]))
        if first == "id":
            return one(ctl_world.peers)
        if first == "peers":
            return {"stream": self.read(ctl_world.peers)}
        if first == "version":
            return 200, b'{"version":"1.1.6"}'
        if first == "health":
            parse = {"/health/graph": ctl_world.graph, "/health/alerts": ctl_world.alerts,
                     "/health/bandwidth": ctl_world.bandwidth, "/monitor/metrics": str.split}.get(path, ctl_world.metrics)
            if path == "/health/graph":
                return 200, compact(ctl_world.graph(self.text or graph_text()))
            return one(lambda text: [parse(text)])
        if first == "ipfs":
            return one(lambda text: [ctl_world.collected(text)])
        if first == "add":
            return self.answer_add(method, path)
        if path.startswith("/allocations"):
            return one(ctl_world.pins) if path != "/allocations" else {"stream": self.read(ctl_world.pins)}
        if first == "pin" and second in ("add", "rm", "update"):
            return self.answer_pin(method)
        infos = self.read(ctl_world.statuses)
        return {"stream": infos} if path in ("/pins", "/pins/recover") else (200, compact(infos[0]))

    def answer_add(self, method, path):
        if method == "POST":
            docs = self.read(ctl_world.added)
            return {"stream": docs[0] if docs and isinstance(docs[0], list) else docs}
        if path.startswith("/allocations/"):
            return 200, compact({"cid": path.rsplit("/", 1)[1], "replication_factor_min": 1})
        return 200, compact({"cid": path.rsplit("/", 1)[1], "peer_map": {"a": {"status": "pinned"}, "b": {"status": "remote"}}})

    def answer_pin(self, method):
        quiet = "--ns" in self.words or "--no-status" in self.words
        if quiet:
            return 200, compact(self.read(ctl_world.pins)[0])
        infos = self.read(ctl_world.statuses)
        if method != "GET":
            cid = infos[0]["cid"] if infos else next(w for w in self.words if w.startswith("Qm"))
            return 200, compact({"cid": cid, "replication_factor_min": -1, "type": "pin"})
        if infos:
            return 200, compact(infos[0])
        status = "pinning" if self.run["exit_code"] == 62 else "pin_error"
        return 200, compact({"cid": self.words[-1], "peer_map": {"a": {"status": status}}})


def graph_text():
    return next(r["stdout"] for r in RUNS if r["id"] == "health-graph")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files that the recorded runs added."""
    top = tmp_path_factory.mktemp("ctl")
    (top / "tree" / "sub").mkdir(parents=True)
    files = {"hello.txt": b"hello golden\n", "tree/a.txt": b"alpha\n", "tree/b.txt": b"beta\n", "tree/.hidden": b"hidden\n",
             "tree/sub/c.txt": b"gamma\n", "tree.car": b"no CAR file, the stand-in does not look\n",
             "big.bin": corpus.long_text("golden", 700000)}
    for name, content in files.items():
        (top / name).write_bytes(content)
        (top / name).chmod(0o640)
    for name in [*files, "tree/sub", "tree"]:
        os.utime(top / name, ns=(1577934245000000006, 1577934245000000006))
    return top


@pytest.fixture(scope="module")
def program(request):
    return tools.go_ctl() if request.config.getoption("--target") == "go" else tools.our("ipfs-cluster-ctl")


@pytest.fixture(scope="module")
def stand_in():
    server = StandIn()
    yield server
    server.close()


@pytest.fixture(scope="module")
def ports(stand_in):
    """Recorded port -> the port of this test: the stand-in, nothing, or a server that never answers."""
    silent = socket.create_server(("127.0.0.1", 0))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        unused = closed.getsockname()[1]
    out = {p: stand_in.port for p in (22101, 22131, 22141, 22151, 22501, 22991)}
    yield out | {22998: unused, 22990: silent.getsockname()[1]}
    silent.close()


@pytest.fixture(scope="module")
def recorded_requests():
    return json.loads(REQUESTS.read_text(encoding="utf-8")) if REQUESTS.exists() else {}


def other_ports(text, ports):
    """Text with the ports of the API's addresses replaced, as flags and as messages have them."""
    for old, new in ports.items():
        text = re.sub(rf"(/ip4/127\.0\.0\.1/tcp/|/dns4/localhost/tcp/|https?://127\.0\.0\.1:|dial tcp 127\.0\.0\.1:){old}\b", rf"\g<1>{new}", text)
    return text


def readable_requests(requests, folder, port):
    """Requests without what differs from run to run."""
    out = []
    for method, path, query, headers, body in requests:
        headers = {k.lower(): v for k, v in headers.items()}
        pairs = sorted((k, "<time>" if k == "expire-at" else v) for k, v in urllib.parse.parse_qsl(query, True))
        entry = {"method": method, "path": urllib.parse.unquote(path), "query": dict(pairs)}
        if "authorization" in headers:
            entry["credentials"] = base64.b64decode(headers["authorization"].split()[1]).decode()
        kind, _, boundary = headers.get("content-type", "").partition("; boundary=")
        if boundary:
            text = body.decode("latin-1").replace(boundary, "<boundary>").replace(str(port), "<port>")
            text = text.replace(urllib.parse.quote_plus(str(folder)), "<folder>")
            entry |= {"type": kind, "chunked": headers.get("transfer-encoding") == "chunked",
                      "body": text if len(text) < 5000 else [text[:400], len(text)]}
        out.append(entry)
    return out


@pytest.mark.parametrize("run", RUNS, ids=[r["id"] for r in RUNS])
def test_run(run, program, stand_in, ports, folder, recorded_requests, request):
    plan = Plan(run)
    stand_in.plan, stand_in.requests = plan, []
    argv = [other_ports(word, ports) for word in run["argv"][1:]]
    env = tools.clean_env(TZ="UTC", **(run.get("env") or {}))
    done = subprocess.run([program, *argv], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, timeout=60, text=True)
    assert done.returncode == run["exit_code"], done.stdout + done.stderr
    expected = other_ports(plan.expected(), ports)
    if run["id"] in DIFFERENT:
        until = expected.index("/version\": ")
        assert done.stdout[:until] == expected[:until]
        return
    assert GO_TIMEOUT.sub(TIMEOUT, done.stdout) == expected
    assert LOG_LINE.sub("", done.stderr) == LOG_LINE.sub("", run["stderr"])
    if run["id"] == "health-graph-file":
        assert (folder / "graph.dot").read_text(encoding="utf-8") == graph_text()
    asked = readable_requests(stand_in.requests, folder, stand_in.port)
    if os.environ.get("ICA_RECORD_REQUESTS"):
        assert request.config.getoption("--target") == "go"
        recorded_requests[run["id"]] = asked
        REQUESTS.write_text(json.dumps(recorded_requests, indent=1) + "\n", encoding="utf-8")
    elif run["id"] not in DIFFERENT_REQUESTS:
        assert asked == recorded_requests.get(run["id"], [])


def test_coverage(capsys):
    with capsys.disabled():
        print(f"\n{len(RUNS) - len(DIFFERENT)} of {len(RUNS)} recorded runs compared byte for byte; by exit code and "
              f"beginning only: " + "; ".join(f"{k} ({v})" for k, v in DIFFERENT.items()))
    assert set(DIFFERENT) | set(DIFFERENT_REQUESTS) <= {r["id"] for r in RUNS}
