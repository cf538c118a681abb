"""Random requests to the reference and to ours, each alone beside a real Kubo, in the same order: the answers are the same.

The recordings (integration/rest_corpus.py) show what the API is for; this finds where nobody looked. With --long many
more requests with a seed of the day, which a failure names.
"""
import datetime

import pytest

from harness import http
from harness.random_rest import Requests, names_of, normal

SETTINGS = {"ipfs_connector/ipfshttp": {"pin_timeout": "3s"}}
COUNT, LONG_COUNT = 700, 5000


def added(peer):
    """CIDs of content that this peer and its Kubo have."""
    found = []
    for number in range(6):
        kind, body = http.multipart([(f"f{number}", f"hello {number}".encode())])
        found.append(peer.call("POST", "/add", {"Content-Type": kind}, body).added())
    return found


def state_dependent(method, target, answers):
    """Over states that pins pass through: which lines there are depends on the moment."""
    return ("filter=" in target or target.startswith("/pins/recover")) and all(a["status"] in (200, 204) for a in answers)


@pytest.mark.long_timeout(1800)
def test_both_answer_the_same(lab, pytestconfig):
    long = pytestconfig.getoption("--long")
    seed = datetime.date.today().toordinal() if long else 1
    peers = [lab.peer(lab.kubo(), flavour, "peer0", SETTINGS) for flavour in ("go", "ours")]
    names = []
    for peer in peers:
        peer.wait_candidates(1)
        names.append(names_of(peer))
    cids = [added(peer) for peer in peers]
    assert cids[0] == cids[1]
    requests, different = Requests(seed, cids[0]), []
    for number in range(LONG_COUNT if long else COUNT):
        method, target, headers, body = requests.next()
        answers = []
        for peer, own in zip(peers, names):
            data = http.build(peer.rest_port, method, target.replace("SELF", peer.id), headers, body)
            answers.append(normal(http.exchange(peer.rest_port, data, method, 60), own))
        if answers[0] != answers[1] and not state_dependent(method, target, answers):
            parts = [f"  {part}:\n    go   {answers[0][part]}\n    ours {answers[1][part]}" for part in answers[0]
                     if answers[0][part] != answers[1][part]]
            different.append("\n".join([f"{number}: {method} {target} {headers} {body}", *parts]))
    assert not different, f"seed {seed}:\n" + "\n".join(different)
