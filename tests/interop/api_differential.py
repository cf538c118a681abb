"""Random requests to the reference and to ours, each alone beside a real Kubo, in the same order: the answers are the same.

The recordings (integration/rest_corpus.py) show what the API is for; this finds where nobody looked. With --long many
more requests with a seed of the day, which a failure names.
"""
import datetime
import itertools

import pytest

from harness import differential, random_pinsvc
from harness.random_pinsvc import PinsvcRequests
from harness.random_proxy import ProxyRequests
from harness.random_rest import RestRequests


@pytest.fixture
def peers(lab):
    return differential.alone(lab)


@pytest.fixture
def cids(peers):
    return differential.add_to_each(peers, [f"hello {number}".encode() for number in range(6)])


def compare(pytestconfig, peers, port_of, requests, counts, same):
    """requests: the endless requests of a seed. counts: how many, and with --long."""
    long = pytestconfig.getoption("--long")
    seed = datetime.date.today().toordinal() if long else 1
    different = differential.differences(peers, port_of, itertools.islice(requests(seed), counts[long]), same)
    assert not different, f"seed {seed}:\n" + "\n".join(different)


def state_dependent(method, target, answers):
    """Over states that pins pass through: which lines there are depends on the moment."""
    return ("filter=" in target or target.startswith("/pins/recover")) and all(a["status"] in (200, 204) for a in answers)


def collected(_, target, answers):
    """What Kubo could collect: the reference leaves directories behind that it passed through while it added others."""
    rest = [[(part, answer[part]) for part in ("status", "headers", "trailers")] for answer in answers]
    return "repo/gc" in target and rest[0] == rest[1] and not any("Error" in line for answer in answers for line in answer["body"])


@pytest.mark.long_timeout(1800)
def test_rest(pytestconfig, peers, cids):
    compare(pytestconfig, peers, lambda peer: peer.rest_port, lambda seed: RestRequests(seed, cids), (700, 5000), state_dependent)


@pytest.mark.long_timeout(1800)
def test_proxy(pytestconfig, peers, cids):
    """The proxy; what it passes through comes from two Kubos that hold the same."""
    for peer in peers:
        for number, cid in enumerate(cids):  # so that repo/gc leaves them where they are
            assert peer.kubo.call(f"files/cp?arg=/ipfs/{cid}&arg=/kept-{number}").status == 200
    compare(pytestconfig, peers, lambda peer: peer.proxy_port, lambda seed: ProxyRequests(seed, cids), (500, 4000), collected)


@pytest.mark.long_timeout(1800)
def test_pinsvc(pytestconfig, peers, cids):
    """The Pinning Services API."""
    compare(pytestconfig, peers, lambda peer: peer.pinsvc_port, lambda seed: PinsvcRequests(seed, cids), (500, 4000), random_pinsvc.same)
