"""The same requests to the reference and to ours, each alone beside a real Kubo, in the same order."""
import os
import time

from . import http
from .random_rest import names_of, normal

SETTINGS = {
    "ipfs_connector/ipfshttp": {"pin_timeout": "3s"},
    # The reference's init writes these, and ours no section for an API that is off.
    "api/pinsvcapi": {"cors_allowed_origins": ["*"], "cors_allowed_methods": ["GET"], "cors_allow_credentials": True,
                      "cors_exposed_headers": ["Content-Type", "X-Stream-Output", "X-Chunked-Output", "X-Content-Length"]},
}
# Seconds after which peers have done what they were told: more than pin_timeout, until which they try to pin what nobody has.
SETTLED = 8


def alone(lab):
    """A peer of the reference and one of ours."""
    peers = [lab.peer(lab.kubo(), flavour, "peer0", SETTINGS) for flavour in ("go", "ours")]
    for peer in peers:
        peer.wait_candidates(1)
    return peers


def add_to_each(peers, contents):
    """Adds each content through every peer; their CIDs."""
    cids = []
    for content in contents:
        found = {peer.add(content) for peer in peers}
        assert len(found) == 1, found
        cids += found
    return cids


def ask(port, method, target, headers, body):
    try:
        return http.exchange(port, http.build(port, method, target, headers, body), method, 60)
    except TimeoutError:
        return http.Answer(status="nothing in a minute")


def from_where_they_differ(texts):
    start = max(0, len(os.path.commonprefix(texts)) - 40)
    return [("..." if start else "") + text[start:start + 500] for text in texts]


def described(title, theirs, ours):
    """Where two answers, dicts with the same keys, differ."""
    lines = [title]
    for part in theirs:
        if theirs[part] != ours[part]:
            go, own = from_where_they_differ([str(theirs[part]), str(ours[part])])
            lines.append(f"  {part}:\n    go   {go}\n    ours {own}")
    return "\n".join(lines)


def differences(peers, port_of, requests, same, names_of=names_of):
    """A text for each of (method, target, headers, body) to which the peers do not answer the same.

    port_of: which API of a peer is asked. same(method, target, answers): whether two answers that differ mean no difference.
    names_of: what of a peer is masked in its answers, as random_rest.names_of tells it.
    What is only read is asked again for a while: one peer may be faster than the other at what was changed before.
    """
    names, found = [names_of(peer) for peer in peers], []
    for number, (method, target, headers, body) in enumerate(requests):

        def answers():
            return [normal(ask(port_of(peer), method, target.replace("SELF", peer.id), headers, body), own)
                    for peer, own in zip(peers, names)]

        def alike(got):
            return got[0] == got[1] or same(method, target, got)

        got = answers()
        until = time.monotonic() + (SETTLED if method == "GET" and body is None else 0)
        while not alike(got) and time.monotonic() < until:
            got = answers()
        if not alike(got):
            found.append(described(f"{number}: {method} {target} {headers} {body}", *got))
    return found
