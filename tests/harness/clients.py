"""Clients that change pins and read them without a pause, and note in a history what they were told."""
import contextlib
import dataclasses
import json
import random
import threading
import time

from . import http
from .history import NEVER, Pinned, shown

# Seconds. An answer that takes longer is none, whatever has failed: agents wait 15 for each other, and for Kubo as they are set.
BOUND = 30
FACTORS = ((-1, -1), (1, 2))
FAR = "2100-01-01T00:00:00Z"  # behind any jump of a clock
# As they make the same CIDs everywhere.
ADD_OPTIONS = "cid-version=1&raw-leaves=true&chunker=size-262144"


class Unsent(Exception):
    """Nobody listened, so nothing has changed."""


class Home:
    """A peer as clients see it, and whether they may be left without an answer at this moment."""

    def __init__(self, peer, problems):
        self.peer, self.problems = peer, problems
        self.unsteady, self.outages, self.hurry = 0, 0, False
        self.longest = {}  # seconds by kind of request

    def __enter__(self):
        self.unsteady, self.outages = self.unsteady + 1, self.outages + 1
        return self

    def __exit__(self, *_):
        self.unsteady -= 1

    @contextlib.contextmanager
    def hurried(self):
        """Its clients make no pauses, so that whatever happens meets changes that are under way."""
        self.hurry = True
        yield
        self.hurry = False

    def ask(self, kind, method, target, headers=(), body=None):
        """The answer; one without a status where none came. Problems are noted where none may be."""
        outages, begin = self.outages, time.monotonic()

        def excused():
            return self.unsteady > 0 or self.outages != outages

        def problem(what):
            if not excused():
                self.problems.append(f"{self.peer.name}: {method} {target[:200]}: {what}")
        try:
            answer = self.peer.call(method, target, headers, body, timeout=BOUND)
        except ConnectionRefusedError:
            problem("nobody listens")
            raise Unsent from None
        except TimeoutError:
            self.problems.append(f"{self.peer.name}: {method} {target[:200]}: no answer within {BOUND} s")
            return http.Answer(complete=False)
        except OSError as error:
            problem(f"no answer: {error}")
            return http.Answer(complete=False)
        except (ValueError, IndexError) as error:
            problem(f"not HTTP: {error}")
            return http.Answer(complete=False)
        took = time.monotonic() - begin
        self.longest[kind] = max(took, self.longest.get(kind, 0))
        if took > BOUND:
            self.problems.append(f"{self.peer.name}: {method} {target[:200]}: took {took:.1f} s")
        if answer.status is None or not answer.complete:
            problem("no whole answer")
        elif answer.status not in (204, 304) and answer.documents() is None:
            problem(f"not JSON: {answer.body[-200:]!r}")
            return http.Answer(complete=False)
        elif answer.status >= 400 and "message" not in (answer.documents() or [{}])[0]:
            problem(f"an error without a message: {answer.body[-200:]!r}")
        return answer


class Crew:
    """Threads that work in turns, until they are told to stop, and can be held while the work is looked at."""

    def __init__(self, problems):
        self.problems, self.threads = problems, []
        self.condition = threading.Condition()
        self.held, self.ended, self.busy = True, False, 0

    def add(self, turn, home, pause, chance):
        """turn: what a thread does again and again. pause: seconds between two turns, in the mean."""
        thread = threading.Thread(target=self._work, args=(turn, home, pause, chance), daemon=True)
        self.threads.append(thread)
        thread.start()

    def _work(self, turn, home, pause, chance):
        while True:
            with self.condition:
                self.condition.wait_for(lambda: self.ended or not self.held)
                if self.ended:
                    return
                self.busy += 1
            try:
                turn()
            except Exception as error:  # noqa: BLE001 - a thread that ends silently would test nothing
                self.problems.append(f"a client failed: {error!r}")
            finally:
                with self.condition:
                    self.busy -= 1
                    self.condition.notify_all()
            end = time.monotonic() + chance.expovariate(1 / pause)
            with self.condition:
                while not (self.ended or self.held or home.hurry) and (left := end - time.monotonic()) > 0:
                    self.condition.wait(min(left, 0.1))  # a hurry is not told

    def resume(self):
        with self.condition:
            self.held = False
            self.condition.notify_all()

    def hold(self, end=False):
        """Until nobody is at work; nothing is under way then but what a peer goes on with after an error."""
        with self.condition:
            self.held, self.ended = True, end
            self.condition.notify_all()
            assert self.condition.wait_for(lambda: self.busy == 0, 2 * BOUND), "clients wait for answers"


class Writer:
    """Changes pins at one peer. Its CIDs are nobody else's."""

    def __init__(self, home, history, cids, files, chance, label):
        """cids: content that some Kubo has. files: {cid: bytes} that POST /add brings."""
        self.home, self.history, self.chance, self.label = home, history, chance, label
        self.cids, self.files, self.number = list(cids), files, 0

    def turn(self):
        change = self.chance.choices((self.pin, self.unpin, self.bulk, self.add, self.update), (45, 27, 8, 12, 8))[0]
        try:
            change()
        except Unsent:
            pass

    def new_state(self):
        """One that was never there: an older version that comes back is seen by its name."""
        self.number += 1
        low, high = self.chance.choice(FACTORS)
        metadata = frozenset((f"key{n}", f"value{self.chance.randrange(100)}") for n in range(self.chance.choice((0, 0, 1, 3))))
        return Pinned(f"{self.label}-{self.number}", low, high, metadata, FAR if self.chance.random() < 0.2 else NEVER)

    def outcome(self, answer, cid, state, what):
        if answer.status == 200 and answer.complete:
            self.history.acknowledged(cid, state, what)
            if self.chance.random() < 0.2:
                self.look(cid)
            return
        if answer.status is not None and answer.status < 500 and answer.status not in (200, 429):
            self.home.problems.append(f"{what} {cid}: {answer.status} {answer.body[:300]!r}")
        self.history.doubtful(cid, state, f"{what} ({answer.status}: {answer.body[:100]!r})")

    def look(self, cid):
        """A peer shows what it has just acknowledged."""
        answer = self.home.ask("GET /allocations/{cid}", "GET", f"/allocations/{cid}")
        if answer.complete and answer.status in (200, 404):
            pin = answer.json() if answer.status == 200 else None
            if wrong := self.history.wrong(cid, shown(pin)):
                self.home.problems.append(f"read at {self.home.peer.name}: {wrong}\n{self.history.tell(cid)}")

    def pin(self):
        cid, state = self.chance.choice(self.cids), self.new_state()
        answer = self.home.ask("POST /pins/{cid}", "POST", f"/pins/{cid}?{state.query()}")
        self.outcome(answer, cid, state, "pin")

    def unpin(self):
        pinned = [cid for cid in self.cids if self.history.entries[cid].possible != [None]]
        if not pinned:
            return
        cid = self.chance.choice(pinned)
        answer = self.home.ask("DELETE /pins/{cid}", "DELETE", f"/pins/{cid}")
        if answer.status == 404 and answer.complete:
            # What was in doubt stays so: a peer whose disk fails shows what it has in memory, and after its next start what it
            # had written in vain.
            if wrong := self.history.wrong(cid, None):
                self.home.problems.append(f"unpin at {self.home.peer.name}: {wrong}\n{self.history.tell(cid)}")
            self.history.seen(cid, None, "not pinned, said an unpin")
            return
        self.outcome(answer, cid, None, "unpin")

    def bulk(self):
        wishes = {cid: self.new_state() for cid in self.chance.sample(self.cids, self.chance.randint(2, 12))}
        body = "".join(json.dumps({"cid": cid, **state.options()}) + "\n" for cid, state in wishes.items()).encode()
        answer = self.home.ask("POST /pins", "POST", "/pins", {"Content-Type": "application/x-ndjson"}, body)
        told = {line["cid"]: line["error"] for line in answer.documents() or [] if "cid" in line} if answer.status == 200 else {}
        for cid, state in wishes.items():
            if told.get(cid) == "":
                self.history.acknowledged(cid, state, "bulk pin")
            else:
                self.history.doubtful(cid, state, f"bulk pin ({answer.status}: {told.get(cid)!r})")

    def add(self):
        cid = self.chance.choice(sorted(self.files))
        state = self.new_state()
        kind, body = http.multipart([("file", self.files[cid])])
        answer = self.home.ask("POST /add", "POST", f"/add?{ADD_OPTIONS}&{state.query()}", {"Content-Type": kind}, body)
        if answer.status == 200 and answer.complete and not answer.trailer("X-Stream-Error"):
            if answer.added() != cid:
                self.home.problems.append(f"{self.home.peer.name} added {answer.added()} for {cid}")
            self.outcome(answer, cid, state, "add")
            if cid not in self.cids:
                self.cids.append(cid)  # some Kubo has it now, so it can be pinned by its CID
            return
        why = answer.trailer("X-Stream-Error") or answer.body[:100]
        self.history.doubtful(cid, state, f"add ({answer.status}: {why!r})")

    def update(self):
        """The pin of one CID becomes that of another one, with its options."""
        source, cid = self.chance.choice(self.cids), self.chance.choice(self.cids)
        sure, state = self.history.known(source)
        if not sure or state is None or source == cid:
            return
        self.number += 1
        state = dataclasses.replace(state, name=f"{self.label}-{self.number}")
        answer = self.home.ask("pin update", "POST", f"/pins/{cid}?name={state.name}&pin-update={source}")
        self.outcome(answer, cid, state, f"update of {source}")


class Reader:
    """Reads at one peer. Whatever has failed, an answer is whole, in time, and says what it should or that it cannot."""

    def __init__(self, home, cids, chance):
        self.home, self.cids, self.chance = home, cids, chance

    def turn(self):
        kind, target, needed = self.chance.choice((
            ("GET /pins", "/pins", ("cid", "peer_map")),
            ("GET /allocations", "/allocations", ("cid", "allocations", "name")),
            ("GET /pins/{cid}", f"/pins/{self.chance.choice(self.cids)}", ("cid", "peer_map")),
            ("GET /health/summary", "/health/summary", ("pins", "digest", "status", "heads"))))
        try:
            answer = self.home.ask(kind, "GET", target)
        except Unsent:
            return
        if answer.status == 200 and answer.complete:
            for document in answer.documents():
                if missing := [key for key in needed if key not in document]:
                    self.home.problems.append(f"{self.home.peer.name}: {target}: no {missing} in {document}")
                    return
        elif answer.status is not None and 400 <= answer.status < 500:
            self.home.problems.append(f"{self.home.peer.name}: {target}: {answer.status} {answer.body[:200]!r}")


def contents(seed, count, largest):
    """Random bytes of random sizes from 1 KiB on."""
    return [chance.randbytes(int(1024 * (largest / 1024) ** chance.random()))
            for chance in (random.Random(f"{seed} content {n}") for n in range(count))]
