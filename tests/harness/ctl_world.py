"""A stand-in for the API that a recorded run of ipfs-cluster-ctl talked to.

The recordings (data/rest/ctl-transcripts.json) hold what the reference's client printed. Here that text is read back
into the JSON which the peer must have sent, so that a client which is given this JSON has to print the same text.
"""
import http.server
import json
import re
import threading
import time

from .corpus import NAMES

IDS = {NAMES["peernames"][k]: v for k, v in NAMES["ids"].items() if k in NAMES["peernames"]}


class StandIn:
    """Answers by `plan(method, path, query)`: a list of (status, body documents, trailer error) or raw bytes."""

    def __init__(self):
        self.requests, self.plan = [], None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def parse_request(self):
                if not self.raw_requestline.startswith(b"\x16"):
                    return super().parse_request()
                # A TLS hello: answered in the clear, as Go's server does.
                self.wfile.write(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
                self.close_connection = True
                return False

            def _handle(self):
                body = self._read_body()
                path, _, query = self.path.partition("?")
                outer.requests.append((self.command, path, query, dict(self.headers.items()), body))
                answer = outer.plan(self.command, path, query)
                if isinstance(answer, tuple) and len(answer) == 2:  # status, whole body
                    status, raw = answer
                    self.send_response(status)
                    if status != 204:
                        self.send_header("Content-Length", str(len(raw)))
                    self.end_headers()
                    self.wfile.write(raw)
                    return
                documents, error = answer["stream"], answer.get("error", "")
                self.send_response(200)
                self.send_header("Trailer", "X-Stream-Error")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for document in documents:
                    raw = compact(document) + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw))
                self.wfile.write(b"0\r\n" + b"X-Stream-Error: %s\r\n\r\n" % error.encode())

            def _read_body(self):
                if self.headers.get("Transfer-Encoding", "") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                out = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    out += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return out

            do_GET = do_POST = do_DELETE = _handle

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def compact(document):
    """JSON as Go's encoder writes it, <, > and & escaped."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode()


def documents(text):
    """The JSON values one after another in `text`; one that is cut off at the end is left out."""
    decoder, out, at = json.JSONDecoder(), [], 0
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except ValueError:
            break
        out.append(value)
        while at < len(text) and text[at].isspace():
            at += 1
    return out


def split_error(text):
    """Output of text mode -> (what came before an error, (code, message) or None)."""
    found = re.search(r"^An error occurred:\n  Code: (\d+)\n  Message: (.*)\n\Z", text, re.M | re.S)
    return (text[:found.start()], (int(found[1]), found[2])) if found else (text, None)


def pins(text):
    """Lines of `pin ls`."""
    out = []
    for line in text.splitlines():
        cid, name, kind, factor, allocations, depth, metadata, expiry, added = [p.strip() for p in line.split(" | ")]
        low, high = ("-1", "-1") if factor.endswith(": -1") else factor.split(": ")[1].split("--")
        ids = allocations[len("Allocations: ["):-1].split()
        when = [v.split(": ", 1)[1].replace(" ", "T") + "Z" for v in (expiry, added)]
        out.append({
            "replication_factor_min": int(low), "replication_factor_max": int(high), "name": name,
            "mode": "direct" if kind.endswith("-DIRECT") else "recursive", "shard_size": 0, "user_allocations": None,
            "expire_at": "0001-01-01T00:00:00Z" if "∞" in expiry else when[0],
            "metadata": {"k": "v"} if metadata.endswith("yes") else None, "pin_update": None, "origins": [], "cid": cid,
            "type": kind.removesuffix("-DIRECT").lower(), "allocations": [] if ids == ["everywhere"] else ids[::-1],
            "max_depth": {"Direct": 0, "Recursive": -1}.get(depth) if "-" not in depth else int(depth.split("-")[1]),
            "reference": None, "timestamp": when[1]})
    return out


STATUS_LINE = re.compile(r"    > (\S+) +: ([A-Z_]+)(?:: (.*?))? \| (\S+) \| Attempts: (\d+) \| Priority: (true|false)\n",
                         re.S)


def statuses(text):
    """Blocks of `status`."""
    out = []
    for block in re.split(r"^(?=[^ \n])", text, flags=re.M):
        head, _, rest = block.partition(":\n")
        if not rest:
            continue
        cid, _, name = head.partition(" | ")
        peers = {}
        for who, status, error, when, attempts, priority in STATUS_LINE.findall(rest):
            peers[IDS.get(who, who)] = {
                "peername": who if who in IDS else "", "status": status.lower(), "timestamp": when,
                "error": error, "attempt_count": int(attempts), "priority_pin": priority == "true"}
        out.append({"cid": cid, "name": name, "allocations": [], "origins": [], "created": "2026-11-22T15:00:00Z",
                    "metadata": None, "peer_map": dict(sorted(peers.items(), reverse=True))})
    return out


def peers(text):
    """Blocks of `id` and `peers ls`."""
    out = []
    for block in re.split(r"^(?=12D3KooW)", text, flags=re.M)[1:]:
        if failed := re.match(r"(\S+) \| ERROR: (.*)\n\Z", block, re.S):
            out.append({"id": failed[1], "addresses": None, "error": failed[2], "ipfs": {"error": ""}, "peername": ""})
            continue
        head = re.match(r"(\S+) \| (\S*) \| Sees (-?\d+) other peers\n", block)
        cluster, _, kubo = block.partition("  > IPFS")
        lines = re.compile(r"^    - (.*)$", re.M)
        ipfs = {"id": kubo[2:].partition("\n")[0], "addresses": lines.findall(kubo)[::-1], "error": ""}
        if kubo.startswith(" ERROR: "):
            ipfs = {"addresses": None, "error": kubo[len(" ERROR: "):-1]}
        out.append({"id": head[1], "addresses": lines.findall(cluster)[::-1],
                    "cluster_peers": [head[1]] * (int(head[3]) + 1), "error": "", "ipfs": ipfs, "peername": head[2]})
    return out


def _moment(phrase):
    """"5 seconds from now", "1 minute ago" -> nanoseconds, in the middle of what the phrase can mean."""
    if phrase == "now":
        return time.time_ns()
    count, unit, *rest = phrase.split()
    size = {"second": 1, "minute": 60, "hour": 3600}[unit.removesuffix("s")]
    offset = int((int(count) + 0.5) * size * 1e9)
    return time.time_ns() + (offset if rest == ["from", "now"] else -offset)


def metrics(text):
    out = []
    for line in text.splitlines():
        peer, name, value, when = re.fullmatch(r"(\S+) \| (\S+): (.*) \| Expires in: (.*)", line).groups()
        size = re.fullmatch(r"([\d.]+) GB", value)
        weight = int(float(size[1]) * 1e9) if size else 0
        out.append({"name": name, "peer": peer, "value": str(weight) if size else value, "expire": _moment(when),
                    "valid": True, "weight": weight, "partitionable": False, "received_at": 0})
    return out


def alerts(text):
    out = []
    for line in text.splitlines():
        peer, name, expired, triggered = re.fullmatch(r"(\S+): (\S+)\. Expired at: (.*)\. Triggered at: (.*)",
                                                      line).groups()
        seconds, nanos = divmod(_moment(triggered), 10**9)
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanos:09}"
        out.append({"name": name, "peer": peer, "value": "", "expire": _moment(expired), "valid": True, "weight": 0,
                    "partitionable": False, "received_at": 0, "triggered_at": at + "Z"})
    return out


def bandwidth(text):
    row = re.compile(r" *(\S*): In: +([\d.]+) (k?)B\. Out: +([\d.]+) (k?)B\. RateIn: ([\d.]+)B/s\. RateOut: ([\d.]+)B/s")
    return {name: {"total_in": int(float(i) * (1000 if ki else 1)), "total_out": int(float(o) * (1000 if ko else 1)),
                   "rate_in": float(ri), "rate_out": float(ro)}
            for name, i, ki, o, ko, ri, ro in row.findall(text)}


def collected(text):
    """Blocks of `ipfs gc`."""
    out = {}
    for who, error, keys in re.findall(r"^(\S+) *(?: \| ERROR: ([^>]*?))?\n  > CIDs:\n((?:    - .*\n)*)", text, re.M):
        peer = IDS.get(who, who)
        out[peer] = {"peer": peer, "peername": who if who in IDS else "",
                     "keys": [{"key": k} for k in re.findall(r"- (.*)\n", keys)]}
        if error:
            out[peer]["error"] = error
    return {"peer_map": out}


def graph(dot):
    """Graphviz source of `health graph`."""
    nodes = re.findall(r'^([CTI]\d+) \[label=< <B> (.*?) </B> <BR/> <B> (.*?) </B> > group="(\w+)"', dot, re.M)
    ids = {name: peer for name, _, _, peer in nodes}
    edges = re.findall(r"^([CTI]\d+) -> ([CTI]\d+)(.*)$", dot, re.M)
    links = {"cluster": {ids[n]: [] for n, *_ in nodes if n[0] != "I"},
             "ipfs": {p: [] for n, _, label, p in nodes if n[0] == "I" and label != "Errored"}}
    to_ipfs = {}
    for start, end, style in edges:
        if start[0] == "I":
            links["ipfs"][ids[start]].append(ids[end])
        elif end[0] != "I":
            links["cluster"][ids[start]].append(ids[end])
        elif not style:
            to_ipfs[ids[start]] = ids[end]
    own = re.findall(r'group="(\w+)".*peripheries="2"', dot)
    return {"cluster_id": own[0], "id_to_peername": {p: title for n, title, _, p in nodes if n[0] != "I"},
            "ipfs_links": links["ipfs"], "cluster_links": links["cluster"],
            "cluster_trust_links": {p: n[0] == "T" for n, _, _, p in nodes if n[0] != "I"}, "cluster_to_ipfs": to_ipfs}


def added(text):
    out = []
    for line in text.splitlines():
        words = line.split(" ", 2) if line.startswith("added ") else ["added", line, ""]
        out.append({"name": words[2], "cid": words[1], "size": 1})
    return out
