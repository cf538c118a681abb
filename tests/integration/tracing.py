"""Traces by OTLP: from a request to the calls to Kubo, in the caller's trace, and no harm when nobody collects them."""
import json

import pytest

from harness import http, ports
from harness.collector import Collector
from harness.wait import wait_until

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.close()


def add(peer, headers=()):
    kind, body = http.multipart([("a.txt", b"traced\n")])
    answer = peer.call("POST", "/add?stream-channels=false", dict(headers, **{"Content-Type": kind}), body)
    assert answer.status == 200, answer.body
    return answer.json()[-1]["cid"]


def test_one_trace_from_the_caller_to_kubo(lab, collector):
    peer = lab.peer(lab.fake_kubo(), settings={"agent": {"log_format": "json"}}, env={
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20token",
        "OTEL_SERVICE_NAME": "cluster", "OTEL_RESOURCE_ATTRIBUTES": "zone=eu", "OTEL_BSP_SCHEDULE_DELAY": "50"})
    peer.wait_candidates()
    add(peer, {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "vendor=x"})
    wait_until(lambda: any(s.trace == TRACE and s.name == "POST /add" for s in collector.spans), 20, "the span arrives")
    spans = {s.name: s for s in collector.spans if s.trace == TRACE}
    server, kubo = spans["POST /add"], spans["kubo dag/import"]
    assert (server.parent, server.kind, server.state) == (CALLER, 2, "vendor=x")
    assert server.attributes["http.route"] == "/add" and server.attributes["http.response.status_code"] == 200
    assert (kubo.parent, kubo.kind, kubo.failed) == (server.id, 3, False)
    assert server.start <= kubo.start <= kubo.end <= server.end
    assert server.resource["service.name"] == "cluster" and server.resource["zone"] == "eu"
    assert server.resource["service.instance.id"] == peer.id
    assert collector.paths[0] == "/v1/traces" and collector.headers[0]["authorization"] == "Bearer token"
    # The pin itself is made by the tracker, in a trace of its own.
    wait_until(lambda: {"tracker pin", "kubo pin/add"} <= {s.name for s in collector.spans}, 20, "the pin's spans arrive")
    pin, call = (next(s for s in collector.spans if s.name == name) for name in ("tracker pin", "kubo pin/add"))
    assert pin.parent == "" and call.trace == pin.trace and call.parent == pin.id
    # What a caller does not want to be sampled is not.
    before = len(collector.spans)
    peer.call("GET", "/version", {"traceparent": f"00-{TRACE}-{CALLER}-00"})
    peer.call("GET", "/id", {"traceparent": f"00-{TRACE[::-1]}-{CALLER}-01"})
    wait_until(lambda: any(s.name == "GET /id" for s in collector.spans[before:]), 20, "the next span arrives")
    assert not any(s.name == "GET /version" for s in collector.spans)


def test_json_log_lines_name_the_trace(lab, collector):
    kubo = lab.fake_kubo()
    peer = lab.peer(kubo, settings={"agent": {"log_format": "json"}},
                    env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "IPFS_CLUSTER_LOG_LEVEL": "info,restapilog:debug"})
    peer.wait_candidates()
    peer.call("GET", "/version", {"traceparent": f"00-{TRACE}-{CALLER}-01"})

    def traced():
        lines = [json.loads(line) for line in peer.process.log_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("trace_id") == TRACE]
    wait_until(traced, 10, "a line with the trace")
    assert len(traced()[0]["span_id"]) == 16


def test_nobody_collects(lab):
    """Requests are as fast, memory is bounded, and the log says it once."""
    peer = lab.peer(lab.fake_kubo(), env={"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{ports.free_port()}",
                                          "OTEL_BSP_SCHEDULE_DELAY": "10"})
    peer.wait_candidates()
    for _ in range(3000):
        assert peer.call("GET", "/version").status == 200
    wait_until(lambda: "traces are dropped" in peer.process.log_text(), 20, "it is told")
    assert peer.process.log_text().count("traces are dropped") == 1
    assert peer.process.rss()[1] < 40e6
    assert peer.stop() == 0 and peer.process.stop_time < 3


def test_a_wrong_variable_is_an_error_at_the_start(lab):
    peer = lab.peer(lab.fake_kubo(), start=False, env={"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"})
    peer.start(wait=False)
    wait_until(lambda: not peer.process.alive(), 20, "it gives up")
    assert peer.process.exit_code == 1 and "OTEL_EXPORTER_OTLP_ENDPOINT" in peer.process.log_text()
    peer.process = None
