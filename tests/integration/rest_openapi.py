"""The OpenAPI document: served as it is in docs/, complete, and true of a running peer (schemathesis)."""
import json
import os
import re
import subprocess

from harness import tools, wild

DOCUMENT = tools.ROOT / "docs" / "openapi.json"


def test_served_as_documented(lab):
    peer = lab.peer(lab.fake_kubo())
    answer = peer.call("GET", "/openapi.json")
    assert answer.status == 200 and answer.header("Content-Type") == "application/json"
    assert answer.body == DOCUMENT.read_bytes()


def test_every_route_is_described():
    """The table of routes and the document name the same methods and paths."""
    table = (tools.ROOT / "agent" / "rest" / "routes.cc").read_text()
    routes = {(m.lower(), re.sub(r"\{(\w+)[^}]*\}", r"{\1}", p)) for m, p in re.findall(r'\{"([A-Z]+)",\s*"([^"]+)"', table)}
    paths = json.loads(DOCUMENT.read_text())["paths"]
    described = {(method, path) for path, methods in paths.items() for method in methods}
    assert len(routes) > 20 and described == routes


def test_a_running_peer_keeps_to_it(lab):
    """Requests made from the document: statuses, types, headers and bodies are as it says."""
    interpreter = wild.venv("schemathesis", "schemathesis==4.32.5")
    peer = lab.peer(lab.fake_kubo())
    peer.wait_candidates()
    base = f"http://127.0.0.1:{peer.rest_port}"
    # 500 is what the reference answers to many mistakes of its caller, and unknown keys are ignored: the checks that
    # would have it otherwise are left out.
    done = subprocess.run(
        [interpreter.parent / "schemathesis", "run", base + "/openapi.json", "--url", base, "--mode", "positive",
         "--checks", "status_code_conformance,content_type_conformance,response_headers_conformance,"
                     "response_schema_conformance", "--max-examples", "10", "--seed", "1", "--no-color",
         # It does not end by itself.
         "--exclude-path", "/events", "--phases", "coverage,fuzzing", "--request-timeout", "30"],
        env={**os.environ, "PYTHONPATH": str(tools.ROOT / "tests" / "data" / "schemathesis"), "SCHEMATHESIS_HOOKS": "schemathesis_hooks"},
        cwd=lab.folder, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert re.search(r"\d+ (generated|passed)|passed", done.stdout), done.stdout[-2000:]
