"""Random requests to the Pinning Services API."""
import json
import re

from .random_rest import ABSENT, HEADERS, NO_CIDS, ORIGIN, VALUES, Choices

NAMES = ["", "n", "Report", "report", "rep", "a b", "é", "É", "x" * 255, "x" * 256, "\\u0000", "a/b"]
METAS = ['{"a":"1"}', '{"a":"2"}', '{"a":"1","b":"2"}', '{"b":""}', "{}", "null", '{"a":null}', '{"a":1}', "[]", '"x"', "{", ' {"a":"1"} ', '{"a":"1"}x']
FILTERS = {
    "name": ["n", "Report", "report", "REPORT", "rep", "É", "é", "x" * 256, "a%20b"], "match": ["exact", "iexact", "partial", "ipartial", "foo", ""],
    "limit": ["1", "2", "0", "10", "1000", "-1", "x", "99999999999999999999", "1.5", "+1", "01"], "meta": METAS,
    "before": ["2130-01-01T00:00:00Z", "2000-01-01T00:00:00Z", "2130-01-01", "foo", "2130-01-01T00:00:00.5%2B02:00", "2130-01-01T00:00:00"],
    "after": ["2130-01-01T00:00:00Z", "2000-01-01T00:00:00Z", "x", "0001-01-01T00:00:00Z"],
    "status": ["queued,pinning,pinned,failed", "pinned", "foo", "foo,failed", "", "Pinned", "%20pinned%20,%20queued"], "unknown": ["1"],
}
ODD = ["/", "/foo", "/pins/", "/pins//", "/pins/CID/", "/pins/CID/x", "/token", "/token/", "/health", "/pin", "/pins?", "/api/v0/id", "/pins/../pins",
       "/health?x", "/openapi.json", "/pins/CID?x=1", "/id", "/version"]
BODIES = ["{}", "null", "", "{", "[]", '"x"', "1", '{"cid":null}', '{"cid":1}', '{"cid":"foo"}', '{"cid":""}', ' {"cid":"CID"} trailing', '{"cid":"CID"}{}',
          '{"CID":"CID"}', '{"Cid":"CID","Name":"n"}', '{"cid":"CID","name":1}', '{"cid":"CID","origins":"x"}', '{"cid":"CID","origins":["foo"]}',
          '{"cid":"CID","origins":[1]}', '{"cid":"CID","meta":1}', '{"cid":"CID","meta":{"a":1}}', '{"cid":"CID","other":[{}]}', '{"cid":"CID","cid":"foo"}',
          '{"cid":"CID","name":null,"meta":null,"origins":null}', '{"cid":"/ipfs/CID"}']


class PinsvcRequests(Choices):
    """Endless (method, target, headers, body)."""

    def cid(self):
        return self.random.choice(self.random.choices([self.cids, ABSENT[:1], NO_CIDS], [8, 1, 2])[0])

    def body(self):
        if self.random.random() < 0.3:
            return self.random.choice(BODIES)
        pin = {"cid": self.random.choice(self.cids)}
        for key, values in {"name": NAMES, "origins": [[], [ORIGIN], [ORIGIN, ORIGIN]], "meta": [{}, {"a": "1"}, {"a": "2", "b": ""}]}.items():
            if self.random.random() < 0.5:
                pin[key] = self.random.choice(values)
        return json.dumps(pin, ensure_ascii=self.random.random() < 0.5)

    def listed(self):
        pairs = []
        if self.random.random() < 0.25:  # ours has the other filters hold for these as well
            pairs.append("cid=" + ",".join(self.cid() for _ in range(self.random.randint(1, 3))) + self.one_of("", "", "", ","))
        else:
            for name in self.random.choices(list(FILTERS), k=self.random.randint(0, 3)):
                pairs.append(f"{name}={self.random.choice(FILTERS[name] if self.random.random() < 0.85 else VALUES)}")
        return "GET", "/pins" + ("?" + "&".join(pairs) if pairs else ""), {}, None

    def added(self):
        return "POST", "/pins", {}, self.body()

    def replaced(self):
        # Ours takes metadata and origins from the request, and the rest from the old pin.
        old, body = self.cid(), self.one_of(json.dumps({"cid": self.random.choice(self.cids), "name": self.random.choice(NAMES)}), *BODIES[:11])
        if old in NO_CIDS or (body.count(old) and old in self.cids):
            old = ABSENT[0]  # ours pins nothing for a bad request ID, and keeps a pin that is replaced by itself
        return "POST", f"/pins/{old}", {}, body

    def one(self):
        return self.one_of("GET", "GET", "DELETE"), f"/pins/{self.cid()}", {}, None

    def odd(self):
        return self.one_of("GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT"), self.random.choice(ODD), {}, None

    def headers(self):
        return self.one_of("GET", "OPTIONS", "POST"), self.one_of("/pins", "/token", "/health", "/foo"), self.random.choice(HEADERS), None

    def __next__(self):
        kinds = [self.listed, self.added, self.replaced, self.one, self.odd, self.headers]
        method, target, headers, body = self.random.choices(kinds, [35, 25, 8, 20, 8, 4])[0]()
        own = self.random.choice(self.cids)
        return method, target.replace("CID", own), headers, None if body is None else body.replace("CID", own).encode()


# How far a pin has come, and how a JSON reader says that it cannot read.
PROGRESS = re.compile(r'"status":"(queued|pinning|pinned|failed)"')
UNREADABLE = re.compile(r'(error decoding request body|error unmarshalling \'meta\' query param|error decoding \'(?:before|after)\' query param): .*"\}')


def same(method, target, answers):
    """Whether two answers mean the same: ours is 202 where the reference's is 200, and lists from the other end."""
    if "status=" in target and all(answer["status"] == 200 for answer in answers):
        return True  # which there are depends on the moment
    return meaning(answers[0], method) == meaning(answers[1], method)


def meaning(answer, method):
    text = UNREADABLE.sub(r'\1"}', PROGRESS.sub('"status":"<pin>"', "\n".join(answer["body"]).strip()))
    status = 202 if method == "POST" and '"requestid"' in text else answer["status"]
    if answer["status"] == 200 and text.startswith('{"count"'):
        found = json.loads(text.replace("<value>", '"<value>"'))
        pins = sorted(json.dumps(pin) for pin in found["results"])
        text = (found["count"], pins if len(pins) == found["count"] else len(pins))
    headers = {name: value for name, value in answer["headers"].items() if name != "transfer-encoding"}  # of long ones
    return status, headers, answer["trailers"], text
