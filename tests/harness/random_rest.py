"""Random requests to the Cluster REST API, and answers without what differs from peer to peer and moment to moment."""
import random
import re

OTHER = "12D3KooWBUGGiuu6hXvkkTxGb4v6YWnLJgMnPThYVxXzYkk8zHLe"  # a peer that is not there
ABSENT = ["QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH", "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
          "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"]
NO_CIDS = ["foo", "QmX", "", "bafy", "zdj7", "Qm%20", "%00", "ipfs", OTHER,
           "k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8"]
# Any of these may be the value of any parameter.
VALUES = ["", "0", "1", "-1", "2", "-2", "100", "abc", "1.5", "%201", "1%20", "+1", "0x1", "9999999999999999999999", "true",
          "false", "True", "TRUE", "t", "f", "yes", "%zz", "%", "a;b", "a,b", "%F0%9F%98%80", "%ff", "null", "1000s", "1h", "-5m",
          "2130-01-01T00:00:00Z", "2130-01-01", "1e3", "%C3%A9", "a%0ab", "recursive", "direct", "Direct", "a&b=c", "01", "1_000"]
ORIGIN = f"/ip4/1.2.3.4/tcp/4001/p2p/{OTHER}"
# And these of one; CID and SELF stand for a CID that was added and for the asked peer.
FITTING = {
    "mode": ["recursive", "direct", "0", "", "Recursive"],
    "origins": [ORIGIN, f"{ORIGIN},{ORIGIN}", "/ip4/1.2.3.4", "foo"],
    "user-allocations": [OTHER, f"{OTHER},{OTHER}", "foo", "SELF", f"SELF,{OTHER}", f"{OTHER},foo"],
    "expire-in": ["1h", "300s", "500ms", "999ms", "2540400h", "1h30m", "-1h", "1d", "1%C2%B5s", "0", "0s", ""],
    "expire-at": ["2130-01-01T00:00:00Z", "2130-01-01T00:00:00+02:00", "2130-01-01T00:00:00.5Z", "2000-01-01T00:00:00Z",
                  "2130-01-01%2000:00:00", "0001-01-01T00:00:00Z"],
    "filter": ["pinned", "error", "all", "queued", "pinned,error", "cluster_error", "foo", "pinned,foo", "undefined",
               "remote,pinned", "pin_queued", "unpinned", "", "%20pinned", "PINNED", "pinned,"],
    "allocations": ["pin", "all", "clusterdag-type", "shard-type", "meta-type", "pin-type", "bad"],
    "pin-update": ["CID", "foo", "/ipfs/CID"],
    "local": ["true", "false", "1", "t", "x", ""],
    "cids": ["CID", "CID,CID", "foo", ""],
    "chunker": ["size-100", "size-262144", "rabin", "rabin-1-2-3", "buzhash", "size-0", "size--1", "foo", "size-10000000", ""],
    "layout": ["trickle", "balanced", "foo", ""],
    "hash": ["sha2-256", "sha3-512", "blake2b-256", "foo", "blake3", "sha1", "keccak-256", "sha2-384"],
    "cid-version": ["0", "1", "2", "-1", "x"],
    "format": ["unixfs", "foo", ""],
}
PIN = ["name", "replication-min", "replication-max", "replication", "shard-size", "user-allocations", "expire-at", "expire-in",
       "meta-a", "meta-b.c", "pin-update", "origins", "mode", "metadata", "unknown"]
ADD = ["name", "replication-min", "replication-max", "format", "layout", "chunker", "raw-leaves", "hidden", "wrap-with-directory",
       "cid-version", "hash", "shard", "progress", "recursive", "nocopy", "stream-channels", "local", "no-pin", "user-allocations",
       "expire-in", "meta-a", "mode", "pin-update", "shard-size", "unknown"]
DIRECTORY = ("d", "application/x-directory", b"")
UPLOADS = [
    [("a", "", b"x")], [("a", "application/octet-stream", b"x" * 300)], [DIRECTORY, ("d/a", "", b"1"), ("d/b", "", b"2")],
    [("a", "", b"1"), ("b", "", b"2")], [], [("", "", b"noname")], [("a%20b", "", b"1")], [("../x", "", b"1")],
    [("l", "application/symlink", b"target")], [("a", "", b"")], [("d%2Fa", "", b"1")], [("a", "", b"1"), ("a", "", b"2")],
    [(".hid", "", b"1")], [DIRECTORY, ("d/.h", "", b"1")], [("x", "text/plain", b"1")], [DIRECTORY],
]
MULTIPART = {"Content-Type": "multipart/form-data; boundary=B"}
PEER_BODIES = [None, b"", b"{}", b'{"peer_id":"foo"}', b'{"peer_id":""}', b"[]", b"null", b'"x"', b'{"peer_id":1}', b"{",
               b'{"peer_id":"x"} trailing', b'{"peer_id":null}', b'{"other":1}', f'{{"peer_id":"{OTHER}"}}'.encode()]
FIXED = ["/id", "/version", "/peers", "/health/graph", "/health/alerts", "/health/bandwidth", "/monitor/metrics/ping",
         "/monitor/metrics/foo", "/monitor/metrics/freespace", "/add", "/pins", "/allocations", "/pins/recover"]
ODD = ["/", "/foo", "/id/", "/Id", "/pins/", "/pins//", "/peers/", "/allocations/", "/health", "/health/", "/monitor",
       "/monitor/metrics/", "/./id", "/id/../version", "/id%2f", "/%69d", "/id?", "/id?a=b", "/id;a", "/pins/recover/",
       "/api/v0/id", "/pins/a/b", "/pins/a/b/c", "*", "/pins/CID/", "/pins/CID/foo", "/allocations/CID/", "/pins/CID%2frecover",
       "/pins/ipld///", "/monitor/metrics/a/b"]
HEADERS = [{"Origin": "http://a.b"}, {"Origin": "http://a.b", "Access-Control-Request-Method": "POST"},
           {"Origin": "null", "Access-Control-Request-Method": "FOO"}, {"Authorization": "Basic Zm9vOmJhcg=="},
           {"Authorization": "Bearer x"}, {"Accept": "text/plain"}, {"Accept-Encoding": "gzip"}, {"Connection": "close"},
           {"Range": "bytes=0-1"}, {"If-None-Match": "*"}]


def multipart(files):
    body = b""
    for name, kind, content in files:
        body += f'--B\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'.encode()
        body += (f"Content-Type: {kind}\r\n" if kind else "").encode() + b"\r\n" + content + b"\r\n"
    return body + b"--B--\r\n"


def names_of(peer):
    """{text of this peer: what stands for it}, for normal()."""
    ports = (peer.rest_port, peer.swarm_port, peer.kubo.api_port, peer.kubo.swarm_port)
    return {peer.id: "<self>", peer.kubo.id: "<kubo>", **{str(port): "<port>" for port in ports}}


class Choices:
    """An endless iterator over something random, the same for the same seed. cids: of content that was added."""

    def __init__(self, seed, cids):
        self.random, self.cids = random.Random(seed), cids

    def __iter__(self):
        return self

    def one_of(self, *choices):
        return self.random.choice(choices)


class RestRequests(Choices):
    """Endless (method, target, headers, body)."""

    def cid(self):
        return self.random.choice(self.random.choices([self.cids, ABSENT, NO_CIDS], [6, 2, 2])[0])

    def query(self, names, most=3):
        pairs = []
        for _ in range(self.random.randint(0, most)):
            name = self.random.choice(names)
            fits = name in FITTING and self.random.random() < 0.75
            value = self.random.choice(FITTING[name] if fits else VALUES)
            pairs.append(name if self.random.random() < 0.05 else f"{name}={value}")
        return "?" + "&".join(pairs) if pairs else self.random.choices(["", "?"], [97, 3])[0]

    def pin(self):
        return "POST", f"/pins/{self.cid()}" + self.query(PIN), {}, None

    def pin_path(self):
        # Not below what is absent: Kubo looks for it for a minute.
        root = self.random.choice(self.random.choices([self.cids, NO_CIDS], [8, 2])[0])
        end = self.one_of("", "/", "/a", "/a/b", "//", "/%20", "/..")
        return (self.one_of("POST", "POST", "DELETE"), f"/pins/{self.one_of('ipfs', 'ipns', 'ipld', 'foo')}/{root}{end}"
                + self.query(PIN, 1), {}, None)

    def unpin(self):
        return "DELETE", f"/pins/{self.cid()}" + self.query(["local", "name"], 1), {}, None

    def status(self):
        return "GET", f"/pins/{self.cid()}" + self.query(["local", "filter"], 1), {}, None

    def statuses(self):
        return "GET", "/pins" + self.query(["filter", "local", "cids", "stream-channels"]), {}, None

    def allocations(self):
        end = self.one_of("", f"/{self.cid()}")
        return "GET", f"/allocations{end}" + self.query(["filter", "allocations", "local", "type"]), {}, None

    def recover(self):
        return "POST", self.one_of(f"/pins/{self.cid()}/recover", "/pins/recover") + self.query(["local", "filter"], 1), {}, None

    def fixed(self):
        method = self.one_of("GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH")
        return method, self.random.choice(FIXED), {}, None

    def odd(self):
        return self.one_of("GET", "GET", "POST", "HEAD", "DELETE", "OPTIONS"), self.random.choice(ODD), {}, None

    def peers(self):
        target = self.one_of("/peers", "/peers/", f"/peers/{OTHER}", "/peers/foo")
        return self.one_of("POST", "POST", "DELETE", "PUT"), target, {}, self.random.choice(PEER_BODIES)

    def headers(self):
        return self.one_of("GET", "OPTIONS", "POST"), self.one_of("/id", "/pins", "/version", "/foo"), self.random.choice(HEADERS), None

    def add(self):
        body, headers, dice = multipart(self.random.choice(UPLOADS)), MULTIPART, self.random.random()
        if dice < 0.06:
            kind = self.one_of("", "text/plain", "multipart/form-data", "multipart/mixed; boundary=B",
                               "multipart/form-data; boundary=C", 'multipart/form-data; boundary="B"')
            headers = {"Content-Type": kind} if kind else {}
        elif dice < 0.1:
            body = self.one_of(body + b"junk", b"junk" + body, b"\r\n" + body)
        return "POST", "/add" + self.query(ADD), headers, body

    def noise(self):
        target = "".join(self.random.choice("abc/%?&=.;") for _ in range(self.random.randint(0, 8)))
        # To a path that begins with two slashes the reference gives no answer at all.
        return self.one_of("GET", "POST", "DELETE"), "/" + target.lstrip("/"), {}, None

    def __next__(self):
        kinds = [self.pin, self.pin_path, self.unpin, self.status, self.statuses, self.allocations, self.recover, self.fixed,
                 self.odd, self.peers, self.headers, self.add, self.noise]
        method, target, headers, body = self.random.choices(kinds, [22, 6, 6, 8, 8, 10, 4, 3, 6, 6, 4, 13, 3])[0]()
        return method, target.replace("CID", self.random.choice(self.cids)), headers, body


MOMENTS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
GIVEN_YEARS = ("0001", "2000", "2130")  # of moments that requests named
VARIABLE = re.compile(r'"(attempt_count|expire|received_at|weight|value|created|priority_pin|RepoSize)":("[^"]*"|[^,}]*)')
# How far a pin has come, and with what luck: a matter of time.
PROGRESS = re.compile(r'"status":"(?:pin_queued|pinning|pinned|pin_error)"([^}]*?)"error":"[^"]*"')


def normal(answer, names):
    """status, headers, trailers and body of an answer; names: {text of this peer: what stands for it}. Lines are sorted."""
    body = answer.body.decode("utf-8", "surrogateescape")
    body = MOMENTS.sub(lambda m: m[0] if m[0].startswith(GIVEN_YEARS) else "<time>", body)
    for text, name in names.items():
        body = body.replace(text, name)
    body = PROGRESS.sub(r'"status":"<pin>"\1"error":<error>', VARIABLE.sub(r'"\1":<value>', body))
    headers = {k.lower(): v for k, v in answer.headers}
    for text, name in names.items():
        if "location" in headers:
            headers["location"] = headers["location"].replace(text, name)
    for name in ("date", "content-length", "server"):
        headers.pop(name, None)
    return {"status": answer.status, "headers": headers, "trailers": answer.trailers, "body": sorted(body.split("\n"))}
