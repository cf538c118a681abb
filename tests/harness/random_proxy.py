"""Random requests to the IPFS proxy."""
from .random_rest import ABSENT, DIRECTORY, MULTIPART, NO_CIDS, OTHER, UPLOADS, VALUES, Choices, multipart

ADD = {"trickle": ["true", "false", "x"], "pin": ["true", "false", "x"], "raw-leaves": ["true", "false", "x"], "cid-version": ["0", "1", "2"],
       "wrap-with-directory": ["true", "false"], "chunker": ["size-100", "buzhash", "foo", "size-0"], "hash": ["sha2-256", "foo", "blake3"],
       "quiet": ["true"], "progress": ["true", "false"], "only-hash": ["false"], "nocopy": ["false", "true"], "to-files": ["/x"],
       "replication-min": ["1", "-1", "x"], "name": ["n"], "stream-channels": ["false", "true"], "silent": ["true"],
       "shard": ["false"], "local": ["true"], "inline": ["true"], "fscache": ["true"], "recursive": ["true"], "hidden": ["true"]}
# What of Kubo goes through and is the same at two of them.
PASSED = ["version", "cat?arg=CID", "cat?arg=CID&length=2", "cat?arg=foo", "cat", "block/get?arg=CID", "block/stat?arg=CID", "dag/get?arg=CID",
          "ls?arg=CID", "foo", "", "pin", "pin/", "pin/verify", "pin/ls/a/b", "pin/add/a/b", "pin/update/CID", "repo/version", "repo",
          "files/ls", "files/stat?arg=/", "refs?arg=CID", "cid/format?arg=CID", "repo/version?a=b;c=d",
          "add/", "ADD", "block/put", "block/put?pin=false", "dag/put?pin=x", "name/resolve?arg=foo", "resolve?arg=/ipfs/CID", "object/stat?arg=CID",
          "dag/stat?arg=CID&progress=false", "get?arg=CID&archive=true", "swarm/addrs/local?id=%zz", "bootstrap/list"]
OUTSIDE = ["/", "/foo", "/api", "/api/", "/api/v0", "/api/v0/", "/api/v1/id", "/webui/", "/ipfs/CID", "/api/v0/pin%2fls", "/api/v0//pin/ls",
           "/api/v0/./pin/ls", "/api/v0/pin/../pin/ls", "/api/v0/pin/ls/", "/api/v0/%70in/ls?arg=CID", "//api/v0/id", "/debug/vars/x", "/version/",
           "/api/v0/pin/ls?", "/api/v0/pin/ls/CID?stream=true", "/api/v0/pin/add/foo", "/api/v0/pin/rm/foo", "/api/v0/pin/ls/foo",
           "/api/v0/pin/ls/%20", "/api/v0/pin/add/CID?type=direct", "/api/v0/pin/ls/CID?arg=foo"]
BLOCKS = [[("a", "", b"block one")], [("a", "", b"block one"), ("b", "", b"block two")], [], [("a", "", b"")]]
NODES = [[("a", "", b'{"a":1}')], [("a", "", b'{"a":1}'), ("b", "", b'{"b":[1,2]}')], [("a", "", b"{")], [("a", "", b"")]]
HEADERS = [{"Origin": "http://a.b"}, {"Origin": "http://localhost:3000"}, {"Origin": "null"}, {"User-Agent": "Mozilla/5.0"}, {"Referer": "http://a.b/c"},
           {"Accept-Encoding": "gzip"}, {"Connection": "close"}, {"X-Forwarded-For": "1.2.3.4"}, {"Authorization": "Basic Zm9vOmJhcg=="}]


class ProxyRequests(Choices):
    """Endless (method, target, headers, body)."""

    def arg(self):
        known = self.random.choice(self.random.choices([self.cids, ABSENT[:2], NO_CIDS], [6, 1, 2])[0])
        space = self.random.choices(["", "/ipfs/", "ipfs/", "/ipld/", "/ipns/", "/foo/", "/"], [70, 15, 3, 3, 3, 3, 3])[0]
        # Not below what is absent: Kubo looks for it for a minute.
        below = self.one_of("/", "/a", "//", "/a/b") if known in self.cids and self.random.random() < 0.1 else ""
        return space.replace("/", self.one_of("/", "%2F")) + known + below

    def pairs(self, table, most):
        found = []
        for name in self.random.choices(list(table), k=self.random.randint(0, most)):
            found.append(f"{name}={self.random.choice(table[name] if self.random.random() < 0.8 else VALUES)}")
        return found

    def call(self, name, pairs):
        self.random.shuffle(pairs)
        return "/api/v0/" + name + ("?" + "&".join(pairs) if pairs else "")

    def pins(self):
        name = self.one_of("pin/add", "pin/add", "pin/rm", "pin/ls")
        args = [f"arg={self.arg()}" for _ in range(self.random.choices([0, 1, 2], [1, 8, 1])[0])]
        options = self.pairs({"type": ["direct", "recursive", "all", "indirect"], "stream": ["true", "false"], "s": ["true"], "quiet": ["true"],
                              "recursive": ["true", "false"], "progress": ["true"], "names": ["true"], "name": ["n"]}, 2)
        return self.call(name, args + options), None

    def update(self):
        args = [f"arg={self.arg()}" for _ in range(self.random.choices([0, 1, 2, 3], [1, 1, 8, 1])[0])]
        # Ours keeps a pin that is updated to itself, and the reference has Kubo look for what is absent without an end.
        if any(sum(cid in arg for arg in args) > 1 for cid in self.cids + NO_CIDS[-1:]) or any(cid in arg for arg in args for cid in ABSENT):
            args = args[:1] + [f"arg={OTHER}"]
        return self.call("pin/update", args + self.pairs({"unpin": ["true", "false"]}, 1)), None

    def add(self):
        return self.call("add", self.pairs(ADD, 3)), multipart(self.random.choice(UPLOADS + [[DIRECTORY]]))

    def put(self):
        name, bodies = self.one_of(("block/put", BLOCKS), ("dag/put", NODES))
        pairs = self.pairs({"cid-codec": ["raw", "dag-pb", "dag-cbor", "foo"], "mhtype": ["sha2-256", "sha2-512", "foo"], "mhlen": ["-1", "32"],
                            "store-codec": ["dag-cbor", "dag-json", "foo"], "input-codec": ["dag-json", "foo"], "hash": ["sha2-256"],
                            "format": ["v0", "protobuf"], "allow-big-block": ["true"]}, 2)
        pin = self.one_of("true", "true", "true", "false")
        # Of several blocks that the reference passes through it loses some now and then.
        fitting = bodies if pin == "true" else [body for body in bodies if len(body) < 2]
        return self.call(name, pairs + [f"pin={pin}"]), multipart(self.random.choice(fitting))

    def repo(self):
        return self.call(*self.one_of(("repo/stat", []), ("repo/stat", ["human=true"]), ("repo/gc", self.pairs({"stream-errors": ["true"], "quiet": ["true"]}, 2)))), None

    def passed(self):
        return "/api/v0/" + self.random.choice(PASSED), self.one_of(None, None, b"", b"x")

    def outside(self):
        return self.random.choice(OUTSIDE), None

    def __next__(self):
        kinds = [self.pins, self.update, self.add, self.put, self.repo, self.passed, self.outside]
        target, body = self.random.choices(kinds, [30, 10, 15, 10, 4, 20, 11])[0]()
        method = self.random.choices(["POST", "GET", "PUT", "OPTIONS", "HEAD", "DELETE"], [75, 9, 5, 5, 3, 3])[0]
        headers = dict(MULTIPART) if body is not None else {}
        if self.random.random() < 0.12:
            headers.update(self.random.choice(HEADERS))
        return method, target.replace("CID", self.random.choice(self.cids)), headers, body
