"""The recorded exchanges of the reference (tests/data/rest/corpus.json): what was sent, and how answers compare.

Rules, as the recordings state them: peer IDs are replaced by their names; values at the `variable` pointers are
masked; streams without an order are sorted; everything else, key order and number spelling included, is equal.
"""
import base64
import hashlib
import json

from . import http
from .tools import ROOT

FOLDER = ROOT / "tests" / "data" / "rest"
VARIABLE = "<variable>"


def load(name):
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


NAMES = load("names.json")
FIXTURES = NAMES["fixtures"]


def long_text(seed, size):
    """The pseudo-random fixtures of names.json."""
    pieces = (hashlib.sha256(f"{seed}-{i}".encode()).digest() for i in range(size // 32 + 1))
    return b"".join(pieces)[:size]


def _content(part):
    if "content_text" in part:
        return part["content_text"].encode()
    if "content_base64" in part:
        return base64.b64decode(part["content_base64"])
    content = long_text("shardme" if "shardme" in part["generator"] else "golden", 700000)
    if hashlib.sha256(content).hexdigest() != part["content_sha256"]:
        raise ValueError(f"cannot make the content {part['generator']}")
    return content


def _body(recorded, rename):
    if not recorded:
        return None
    if recorded["kind"] != "multipart":
        return rename(recorded["text"]).encode()
    boundary, out = recorded["boundary"], b""
    for part in recorded["parts"]:
        disposition = part.get("disposition") or (
            f'form-data; name="{part.get("name", "file")}"; filename="{part["filename"]}"')
        out += f"--{boundary}\r\nContent-Disposition: {disposition}\r\n".encode()
        out += "".join(f"{k}: {v}\r\n" for k, v in (part.get("headers") or {}).items()).encode()
        out += b"\r\n" + _content(part) + b"\r\n"
    return out + f"--{boundary}--\r\n".encode()


def renamer(ids):
    """Text with the recorded peer IDs -> the same with the IDs of running peers."""
    def rename(text):
        for name, old in NAMES["ids"].items():
            text = text.replace(old, ids.get(name, old))
        return text
    return rename


def send(exchange, port, ids, timeout=120):
    """Sends a recorded request to a running peer, to the byte."""
    rename, sent = renamer(ids), exchange["request"]
    target = rename(sent["path"] + ("?" + sent["query"] if sent["query"] else ""))
    headers = {k: rename(v) for k, v in sent["headers"].items()}
    data = http.build(port, sent["method"], target, headers, _body(sent.get("body"), rename),
                      sent.get("http_version", "HTTP/1.1"))
    return http.exchange(port, data, sent["method"], timeout)


def recorded_answer(exchange):
    """The recording in the form of a received answer: (status, headers, trailers, parsed body)."""
    answer = exchange["response"]
    return answer["status"], answer["headers"], answer["trailers"], answer["body"]


def received_answer(exchange, answer):
    """The same of an answer that was received; documents as the recording counts them."""
    body, kind = answer.body, exchange["response"]["body_kind"]
    found = http.documents(body)
    if found is None:
        parsed = body.decode("utf-8", "replace")
    elif not found:
        parsed = None
    elif kind == "ndjson" or len(found) > 1:
        parsed = found
    else:
        parsed = found[0]
    return answer.status, answer.headers, answer.trailers, parsed


def _mask(value, segments):
    if not segments:
        return VARIABLE
    head, rest = segments[0].replace("~1", "/").replace("~0", "~"), segments[1:]
    if head == "*":
        if isinstance(value, dict):
            # "/peer_map/*" says that the keys vary, which the names of the peers already cover.
            return {k: (_mask(v, rest) if rest else v) for k, v in value.items()}
        return [_mask(v, rest) for v in value] if isinstance(value, list) else value
    if isinstance(value, list) and not head.isdigit():
        return [_mask(v, segments) for v in value]  # of every document of a stream
    if isinstance(value, dict) and head in value:
        return {k: (_mask(v, rest) if k == head else v) for k, v in value.items()}
    return value


def _sort_peer_maps(value):
    """Maps with peer IDs as keys come in the order of the IDs, which differ between runs."""
    if isinstance(value, list):
        return [_sort_peer_maps(v) for v in value]
    if isinstance(value, dict):
        items = [(k, _sort_peer_maps(v)) for k, v in value.items()]
        if items and all(k.startswith("<") for k, _ in items):
            items.sort(key=lambda item: item[0])
        return dict(items)
    return value


def _normal(exchange, body, ids):
    text = json.dumps(body, ensure_ascii=False)
    for name, peer in ids.items():
        text = text.replace(peer, f"<{name}>")
    body = _sort_peer_maps(json.loads(text))
    for pointer in sorted(exchange["variable"], key=len):
        body = _mask(body, pointer.split("/")[1:])
    body = ADJUST.get(exchange["id"], lambda b: b)(body)
    if exchange.get("unordered") and isinstance(body, list):
        body = sorted(body, key=lambda v: json.dumps(v, sort_keys=True))
    return json.dumps(body, ensure_ascii=False)  # keeps the order of keys


def _in_flight(value):
    """Hides how far a pin has come that was queued a moment before."""
    if isinstance(value, list):
        return [_in_flight(v) for v in value]
    if isinstance(value, dict):
        value = {k: _in_flight(v) for k, v in value.items()}
        if value.get("status") in ("pin_queued", "pinning"):
            value.update(status="<in flight>", attempt_count=VARIABLE)
    return value


def _soon_failed(value):
    """The same where the pin is bound to fail within the second."""
    for entry in value["peer_map"].values():
        if entry["status"] in ("pin_queued", "pinning", "pin_error"):
            entry.update(status="<in flight or failed>", error=VARIABLE, attempt_count=VARIABLE)
    return value


def _alert_names(value):
    """Which metrics raised alerts. How many of each depends on how long the cluster has run before."""
    return sorted({alert["name"] for alert in value})


# Answers that are a race in the recordings themselves: (exchange, what to compare of the body).
ADJUST = {
    "recover-one": _in_flight, "recover-all": _in_flight, "status-attempts": _in_flight,
    "recover-unexpectedly": _in_flight, "status-filter-error-unexpectedly": _in_flight,
    "dead-pin-status": _soon_failed, "dead-pin-status-local": _soon_failed, "dead-recover": _soon_failed,
    "later-alerts": _alert_names,
}


def _headers(exchange, pairs, body_varies):
    # The recordings hold no Server header, neither the proxy's nor Kubo's own behind it.
    skip = {h.lower() for h in exchange.get("variable_headers", [])} | {"date", "server"}
    if body_varies:
        skip.add("content-length")
        if exchange["response"]["body_kind"] == "json":
            skip.add("transfer-encoding")  # the reference chunks a document of more than 2 KiB
    return sorted([k.lower(), v] for k, v in pairs if k.lower() not in skip)


def compare(exchange, want, want_ids, got, got_ids):
    """Differences as [(what, wanted, got)]. want and got: as recorded_answer and received_answer give them."""
    found = []
    if want[0] != got[0]:
        found.append(("status", want[0], got[0]))
    varies = bool(exchange["variable"])
    wanted, had = (_headers(exchange, x[1], varies) for x in (want, got))
    if wanted != had:
        found.append(("headers", wanted, had))
    if want[2] != got[2]:
        found.append(("trailers", want[2], got[2]))
    if not exchange["response"].get("body_truncated"):
        wanted, had = _normal(exchange, want[3], want_ids), _normal(exchange, got[3], got_ids)
        if wanted != had:
            found.append(("body", wanted, had))
    return found


def bytes_problems(exchange, answer, live=None):
    """Rules for the bytes of every JSON answer, whatever its values. live: the reference's answer just now."""
    expected = exchange["response"]
    if expected["body_kind"] not in ("json", "ndjson") or not answer.body:
        return []
    found = []
    if expected.get("raw") and not expected.get("raw_variable") and not exchange["variable"] and not exchange.get("unordered"):
        if answer.body != expected["raw"].encode() and not (live and answer.body == live.body):
            found.append(("raw", expected["raw"], answer.body.decode("utf-8", "replace")))
    if any(c in answer.body for c in b"<>&"):
        found.append(("escapes", "no <, > or & outside of \\u00XX", answer.body[:300].decode("utf-8", "replace")))
    if expected.get("raw", "\n").endswith("\n") and not answer.body.endswith(b"\n"):
        found.append(("newline", "a newline at the end", answer.body[-40:].decode("utf-8", "replace")))
    return found


def needs_three(exchange):
    """Whether the recording shows more than the asked peer: another peer's name in the answer or the request."""
    others = [NAMES["ids"][n] for n in ("cluster1", "cluster2", "ipfs1", "ipfs2")]
    text = json.dumps([exchange["request"], exchange["response"]["body"]])
    return exchange["peer"] in ("cluster1", "cluster2") or any(peer in text for peer in others)
