"""Brings about the states that the recordings were made in.

A world is one cluster of one flavour for one stage of the recordings; exchanges are sent in their order, and the
state carries over. `before(exchange)` makes what the exchange's `setup` says and the order alone does not give.
"""
import json

from . import corpus, http
from .corpus import FIXTURES
from .wait import WaitError, wait_until

# Recording runs that share a state, in order.
STAGES = {"main": ("A", "B", "C", "D", "D2"), "solo": ("E",), "small": ("F",), "down": ("G",), "services": ("H",)}
DEAD_PORT = 22999  # of the recordings: error texts name it

SOLO_SETTINGS = {
    "solo3": {"ipfs_connector/ipfshttp": {"node_multiaddress": f"/ip4/127.0.0.1/tcp/{DEAD_PORT}",
                                          "ipfs_request_timeout": "20s"}},
    "solo4": {"api/restapi": {"basic_auth_credentials": {"alice": "wonder", "bob": "builder"},
                              "headers": {"X-Custom": ["one", "two"]},
                              "cors_allowed_origins": ["http://good.example"],
                              "cors_allowed_methods": ["GET", "POST"], "cors_max_age": "10m"}},
    "solo5": {"cluster": {"follower_mode": True}},
}


def stage_of(exchange):
    return next(name for name, runs in STAGES.items() if exchange["run"] in runs)


def add_fixtures(kubos):
    """The blocks of names.json, unpinned, spread over the Kubos as recorded."""
    count = len(kubos)

    def same(name, cid):
        if cid != FIXTURES[name]:
            raise AssertionError(f"fixture {name} is {cid}, expected {FIXTURES[name]}")
    for k in range(40):
        same(f"f{k}", kubos[k % count].add([("f", f"fixture {k}\n".encode())]))
    same("v1", kubos[0].add([("f", b"fixture v1\n")], "pin=false&cid-version=1"))
    tree = [("tree", None), ("tree/a.txt", b"alpha\n"), ("tree/b.txt", b"beta\n"), ("tree/sub", None),
            ("tree/sub/c.txt", b"gamma\n")]
    same("tree", kubos[1 % count].add(tree))
    same("big", kubos[2 % count].add([("f", corpus.long_text("golden", 700000))]))
    kind, body = http.multipart([("f", json.dumps({"a": 1, "l": {"/": FIXTURES["f0"]}}).encode())])
    put = kubos[0].call("dag/put?store-codec=dag-cbor&input-codec=dag-json&pin=false", body, kind)
    same("dagcbor", put.json()["Cid"]["/"])


class World:
    def __init__(self, lab, flavour, stage, count):
        self.lab, self.stage, self.count = lab, stage, count
        self.roles, self.ids, self.kubos = {}, {}, []
        if stage == "solo":
            for name, settings in SOLO_SETTINGS.items():
                kubo = f"/ip4/127.0.0.1/tcp/{DEAD_PORT}" if name == "solo3" else lab.kubo()
                self._join(name, lab.peer(kubo, flavour, name, settings))
            return
        self.kubos = [lab.kubo() for _ in range(count)]
        for n, kubo in enumerate(self.kubos):
            self.ids[f"ipfs{n}"] = kubo.id
        add_fixtures(self.kubos)
        for n, peer in enumerate(lab.cluster(count, flavour, kubos=self.kubos)):
            self._join(f"cluster{n}", peer)
        # The peers connect the Kubos with each other some seconds after their start; content moves only then.
        for kubo in self.kubos:
            wait_until(lambda k=kubo: len(k.call("swarm/peers").json()["Peers"] or []) >= count - 1, 60,
                       "the Kubos are connected", 0.2)
        if stage != "main":
            self._small_pinset()

    def _join(self, role, peer):
        self.roles[role], self.ids[role] = peer, peer.id

    def port(self, exchange):
        peer = self.roles[exchange["peer"]]
        return {"pinsvc": peer.pinsvc_port, "proxy": peer.proxy_port}.get(exchange["group"], peer.rest_port)

    def _pin(self, name, query=""):
        ids = dict(corpus.NAMES["ids"], **self.ids)
        for role in ("cluster1", "cluster2"):
            query = query.replace(role, ids[role])
        answer = self.roles["cluster0"].call("POST", f"/pins/{FIXTURES[name]}" + ("?" + query if query else ""))
        if answer.status != 200:
            raise AssertionError(f"setup: pin {name}: {answer.status} {answer.body}")

    def _small_pinset(self):
        self._pin("f0")
        self._pin("f1", "name=named&replication-min=1&replication-max=2&meta-k=v&user-allocations=cluster1,cluster2")
        self._pin("f2", "replication=1&user-allocations=cluster2&name=solo&expire-at=2037-01-02T03:04:05Z")
        self._pin("v1", "name=one")
        self.settle()

    def _local(self, filter_):
        """{role: [cid]} of the peers' own lists for an operation filter; those do not ask Kubo."""
        return {role: [d["cid"] for d in peer.call("GET", f"/pins?local=true&filter={filter_}").documents()]
                for role, peer in self.roles.items() if peer.process.alive()}

    def settle(self, deadline=15):
        """Waits until every peer has heard the same pinset and works on nothing but missing content."""
        missing = {FIXTURES[n] for n in ("missing", "missing2", "missing3")}

        def settled():
            busy = [cid for cids in self._local("pinning,pin_queued,unpinning,unpin_queued").values() for cid in cids]
            sets = {tuple(sorted(peer.pinset())) for peer in self.roles.values() if peer.process.alive()}
            return len(sets) == 1 and not set(busy) - missing
        try:
            wait_until(settled, deadline, "the cluster settles", 0.1)
        except WaitError:
            pass  # the comparison that follows shows what is different

    def _wait_listed(self, filter_, names, roles=None):
        want = {FIXTURES[n] for n in names}
        wait_until(lambda: all(want <= set(cids) for role, cids in self._local(filter_).items()
                               if roles is None or role in roles), 40, f"{names} listed as {filter_}", 0.2)

    def before(self, exchange):
        what = exchange["id"]
        if what == "pin-missing-content-1":
            return
        if what == "status-pinning":
            self._wait_listed("pinning", ["missing"])
        elif what == "status-filter-pinning-local":
            self._wait_listed("pinning", ["missing", "missing2"], {"cluster0"})
        elif what in ("status-filter-pin-error", "status-filter-error"):
            self._wait_listed("pin_error", ["missing"])
            self._wait_listed("pin_error", ["missing2"], {"cluster0"})
        elif what == "recover-all":
            # "missing in pin_error on peer1, peer2": peer0 tries it again already.
            self._wait_listed("pin_error", ["missing"])
            self.roles["cluster0"].call("POST", f"/pins/{FIXTURES['missing']}/recover?local=true")
        elif what in ("status-error-repl1", "recover-one", "status-cids-mixed"):
            self._wait_listed("pin_error", ["missing2"], {"cluster0"})
        elif what == "status-unexpectedly":
            self._pin("f5")
            self.settle()
            for kubo in self.kubos:
                wait_until(lambda k=kubo: k.is_pinned(FIXTURES["f5"]), 20, "f5 is pinned", 0.1)
                kubo.call(f"pin/rm?arg={FIXTURES['f5']}")
        elif what == "add-shard-bad-size":
            # Recorded later: "an earlier failed sharded add left its own shards". It failed because its root was
            # an ordinary pin already.
            kind, body = http.multipart([("big.bin", corpus.long_text("golden", 700000))])
            self.roles["cluster0"].call("POST", "/add?shard=true&shard-size=300000&replication=1&name=sharded",
                                        {"Content-Type": kind}, body)
        elif what == "ps-delete":
            self._pin("f11")  # by an exchange that is not among these
        elif what == "ipfsdown-pin-status":
            self.roles["cluster0"].wait_status(exchange["request"]["path"].split("/")[2], "pinned")
            self.settle()
        elif what in ("ipfsdown-alerts", "later-alerts"):
            want = {m["name"] for m in exchange["response"]["body"]}
            peer = self.roles["cluster0"]
            wait_until(lambda: {m["name"] for m in peer.call("GET", "/health/alerts").json()} >= want, 60,
                       f"alerts for {want}", 0.3)
        elif what == "pinpath-ipns":
            kind, body = http.multipart([("tree", None), ("tree/a.txt", b"alpha\n"), ("tree/b.txt", b"beta\n"),
                                         ("tree/sub", None), ("tree/sub/c.txt", b"gamma\n")])
            self.kubos[0].call("add?pin=false", body, kind)
            answer = self.kubos[0].call(f"name/publish?arg=/ipfs/{FIXTURES['tree']}&allow-offline=true")
            if answer.status != 200:
                raise AssertionError(answer.body)
        elif what == "dead-status-filter-error":
            self._wait_solo("pin_error")
        elif what == "ipfsdown-id":
            wait_until(lambda: all(k.call(f"block/get?arg={FIXTURES['f4']}", timeout=20).status == 200
                                   for k in self.kubos), 60, "every Kubo holds f4")
            self.kubos[1].process.stop()
        elif what == "ipfsdown-freespace":
            metrics = self.roles["cluster0"]
            wait_until(lambda: sum(m["valid"] for m in metrics.call("GET", "/monitor/metrics/freespace").json()) == 2,
                       40, "the metric of the peer without Kubo expires", 0.3)
        elif what == "down-peers":
            self.roles["cluster2"].process.kill()
        elif what == "later-peers":
            peer = self.roles["cluster0"]
            wait_until(lambda: len(peer.call("GET", "/peers").documents()) == 2, 40, "the dead peer is forgotten", 0.3)
        elif self.stage in ("main", "small", "down", "services") and exchange["setup"].find("a moment ago") < 0:
            self.settle(4)

    def _wait_solo(self, status):
        peer = self.roles["solo3"]
        wait_until(lambda: peer.call("GET", f"/pins?local=true&filter={status}").status == 200, 30,
                   f"the pin is {status}", 0.2)
