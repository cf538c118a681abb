"""Replays the recorded exchanges of the reference against running peers.

  pytest integration/rest_corpus.py [--target ours|go] [--peers 1|3] [--groups a,b] [--no-live]

With three peers every answer is compared with its recording. With one peer many recordings show more peers than
there are; there the same requests go to a peer of the reference (1.1.6, built from tests/tools/cluster) in the same
state, and an answer is right if it equals the recording or what the reference answers at that moment.
`--target go` replays against the reference itself and so checks this replayer.
Known differences stand in data/rest/exceptions.json, each with its reason; they are printed in every run, and one
that is not needed any more fails.
"""
import pytest

from harness import corpus, corpus_world
from harness.lab import Lab

EXCHANGES = sorted(corpus.load("corpus.json"), key=lambda e: e["seq"])


def pytest_generate_tests(metafunc):
    option = metafunc.config.getoption
    groups = option("--groups")
    chosen = []
    for exchange in EXCHANGES:
        # A lone peer cannot play the second and third peer, nor lose them.
        if option("--peers") == 1 and (exchange["peer"] in ("cluster1", "cluster2")
                                       or exchange["group"] in ("ipfs-down-one", "peer-down")):
            continue
        # The state carries over, so what is not judged is still sent.
        chosen.append(dict(exchange, judged=not groups or exchange["group"] in groups.split(",")))
    metafunc.parametrize("exchange", chosen, ids=[e["id"] for e in chosen])


class Replay:
    """The worlds of the current stage; made anew when the stage changes."""

    def __init__(self, config, factory):
        self.target, self.count = config.getoption("--target"), config.getoption("--peers")
        self.live = self.count == 1 and config.getoption("live")
        self.factory, self.stage, self.lab, self.world, self.reference = factory, None, None, None, None

    def enter(self, stage):
        if stage == self.stage:
            if self.reference is self.world is None:
                pytest.fail(f"the cluster of the stage '{stage}' did not start; see its first exchange")
            return
        self.leave()
        self.lab = Lab(self.factory.mktemp(stage))
        self.stage, self.world, self.reference = stage, None, None
        self.world = corpus_world.World(self.lab, self.target, stage, self.count)
        self.reference = corpus_world.World(self.lab, "go", stage, self.count) if self.live else None

    def leave(self):
        problems = self.lab.close() if self.lab else []
        self.lab = self.stage = None
        assert not problems, "\n".join(problems)

    def one(self, exchange):
        """Differences of one exchange; empty when it is as the reference's."""
        self.world.before(exchange)
        got = corpus.send(exchange, self.world.port(exchange), self.world.ids)
        answer = corpus.received_answer(exchange, got)
        differences = corpus.compare(exchange, corpus.recorded_answer(exchange), corpus.NAMES["ids"], answer,
                                     self.world.ids)
        other = None
        if self.reference:
            self.reference.before(exchange)
            other = corpus.send(exchange, self.reference.port(exchange), self.reference.ids)
            live = corpus.received_answer(exchange, other)
            if differences:
                differences = corpus.compare(exchange, live, self.reference.ids, answer, self.world.ids)
        elif self.count == 1 and corpus.needs_three(exchange):
            pytest.skip("shows three peers, and there is no reference to ask (--no-live)")
        return differences + corpus.bytes_problems(exchange, got, other)


@pytest.fixture(scope="module")
def replay(pytestconfig, tmp_path_factory):
    replay = Replay(pytestconfig, tmp_path_factory)
    yield replay
    replay.leave()


def test_exchange(replay, exchange, pytestconfig):
    replay.enter(corpus_world.stage_of(exchange))
    differences = replay.one(exchange)
    if not exchange["judged"]:
        pytest.skip("only sent, for the state (--groups)")
    exception = pytestconfig.corpus_exceptions.get(exchange["id"])
    if exception and replay.target == "ours":
        assert differences, f"{exchange['id']} is as recorded now; take it off the list of exceptions"
        assert {d[0] for d in differences} <= set(exception["differs"]), show(exchange, differences)
        return
    assert not differences, show(exchange, differences)


def show(exchange, differences):
    sent = exchange["request"]
    lines = [f"{exchange['id']} ({exchange['group']}): {exchange['title']}",
             f"{sent['method']} {sent['path']}" + ("?" + sent["query"] if sent["query"] else "")]
    for what, wanted, got in differences:
        lines += [f"  {what}", f"    wanted {str(wanted)[:1500]}", f"    got    {str(got)[:1500]}"]
    return "\n".join(lines)
