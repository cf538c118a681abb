"""The pods of the chart as processes: the very init scripts, variables, arguments and probes of a render, in network
namespaces with a small DNS server. Then what the bootstrap must survive. --target go runs the reference's peers.
"""
import os
import random
import shutil
import tempfile
import pathlib

import pytest

from harness import helm
from harness.pods import World
from harness.wait import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
# Shorter intervals than in a cluster, or the tests would only wait.
FAST = [{"name": "CLUSTER_MONITORPINGINTERVAL", "value": "2s"}, {"name": "CLUSTER_PUBSUBMON_CHECKINTERVAL", "value": "2s"},
        {"name": "CLUSTER_PEERWATCHINTERVAL", "value": "1s"}, {"name": "CLUSTER_MDNSINTERVAL", "value": "0s"},
        {"name": "CLUSTER_IPFSHTTP_CONNECTSWARMSDELAY", "value": "2s"}, {"name": "CLUSTER_DISK_METRICTTL", "value": "10s"},
        {"name": "CLUSTER_TAGS_METRICTTL", "value": "10s"}, {"name": "CLUSTER_CRDT_REBROADCASTINTERVAL", "value": "5s"}]
KUBO = {"config": {"Bootstrap": [], "Routing.Type": "none", "AutoConf.Enabled": False, "AutoTLS.Enabled": False, "DNS.Resolvers": {},
                   "Routing.DelegatedRouters": [], "Ipns.DelegatedPublishers": [], "Provide.Enabled": False}}


@pytest.fixture
def worlds(pytestconfig, request):
    """Makes worlds of pods; every one is taken down at the end."""
    made = []
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ica-pods-"))
    folder.chmod(0o755)

    def rendered(flavor):
        values = {"cluster": {"env": FAST, "image": {"flavor": flavor}}, "ipfs": KUBO, "bootstrap": {"budgetSeconds": 5}}
        return helm.Render(helm.render_text(values, kube="1.34.0", files=("ci/seed-names-values.yaml",)))

    def make(flavor=None, others=None):
        """others: {ordinal: flavor} of pods that differ."""
        flavor = flavor or {"ours": "agent", "go": "go"}[pytestconfig.getoption("--target")]
        world = World(rendered(flavor), folder, f"chart{random.randrange(1000)}",
                      others={k: rendered(f) for k, f in (others or {}).items()})
        made.append(world)
        return world

    yield make
    failed = getattr(request.node, "call_failed", True)
    for world in made:
        world.close()
        if failed:
            print(world.logs())
    shutil.rmtree(folder, ignore_errors=True)


def add(world, k, text):
    world.pods[("cluster", k)].execute("sh", "-c", f"printf %s '{text}' >/tmp/file")
    return world.ctl(k, "add", "--quieter", "/tmp/file").strip().splitlines()[-1]


def wait_everywhere(world, cid, ordinals, deadline=60):
    for k in ordinals:
        wait_until(lambda k=k: world.pinned_in_kubo(k, cid), deadline, f"{cid} is in Kubo {k}", 0.5)


def test_three_pairs_and_the_failures_of_bootstrap(worlds):
    world = worlds()
    world.start_pairs([0, 1, 2])
    world.wait_seen([0, 1, 2])
    first = add(world, 0, "added at pod 0")
    wait_everywhere(world, first, [0, 1, 2])
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert all(world.pods[(half, k)].probe(probe) for half in ("cluster", "ipfs") for k in range(3))

    # A pod restarts, with another address, while pod 0 is down.
    world.stop("cluster", 0, kill=True)
    world.stop("cluster", 2)
    world.start("cluster", 2)
    wait_until(lambda: world.pods[("cluster", 2)].probe("readinessProbe"), 60, "pod 2 is ready without pod 0", 0.5)
    wait_until(lambda: world.peer_count(2) >= 2, 60, "pod 2 found pod 1", 0.5)
    second = add(world, 1, "added while pod 0 was down")
    wait_everywhere(world, second, [1, 2])

    # Pod 0 comes back without its volume: another identity, the same pins.
    world.lose_volume("cluster", 0)
    world.start("cluster", 0)
    world.wait_ready([0])
    wait_everywhere(world, second, [0])

    # All of them at once, all with new addresses.
    for k in range(3):
        world.stop("cluster", k, kill=True)
    for k in range(3):
        world.start("cluster", k)
    world.wait_ready([0, 1, 2])
    wait_until(lambda: all(world.peer_count(k) >= 3 for k in range(3)), 90, "all see each other again", 0.5)
    third = add(world, 2, "added after all had new addresses")
    wait_everywhere(world, third, [0, 1, 2])


def test_scale_up_and_down(worlds):
    world = worlds()
    world.start_pairs([0, 1, 2])
    world.wait_seen([0, 1, 2])
    cid = add(world, 0, "before there were five")
    world.start_pairs([3, 4])
    wait_until(lambda: all(world.peer_count(k) == 5 for k in range(5)), 90, "five peers see each other", 0.5)
    other = add(world, 4, "from the fifth")
    wait_everywhere(world, other, range(5))
    for k in (3, 4):
        for half in ("cluster", "ipfs"):
            world.stop(half, k)
    wait_until(lambda: all(world.peer_count(k) == 3 for k in range(3)), 90, "three peers are left", 0.5)
    for c in (cid, other):
        wait_everywhere(world, c, range(3))


def test_half_rotated_secret(worlds):
    """Peers with the new secret and peers with the old one are two groups, until the last one has it."""
    old = worlds()
    old.start_pairs([0, 1])
    old.wait_seen([0, 1])
    before = add(old, 0, "before the rotation")
    wait_everywhere(old, before, [0, 1])
    old.stop("cluster", 1)
    import base64
    for name in old.secrets:
        old.secrets[name] = {"secret": base64.b64encode(("cd" * 32).encode()).decode()}
    old.start("cluster", 1)
    wait_until(lambda: old.pods[("cluster", 1)].probe("readinessProbe"), 60, "pod 1 is ready by itself", 0.5)
    wait_until(lambda: old.peer_count(0) == 1, 60, "pod 0 misses pod 1", 0.5)
    assert before in old.ctl(1, "pin", "ls")
    old.stop("cluster", 0)
    old.start("cluster", 0)
    old.wait_ready([0])
    old.wait_seen([0, 1])
    after = add(old, 1, "after the rotation")
    wait_everywhere(old, after, [0, 1])


def test_go_pods_among_ours_and_a_pod_that_changes_over(worlds):
    """The same values and volumes, another image: pod 1 is the reference's, and pod 0 becomes it and is ours again."""
    world = worlds("agent", {1: "go"})
    world.start_pairs([0, 1, 2])
    wait_until(lambda: all(world.peer_count(k) == 3 for k in range(3)), 90, "all see each other", 0.5)
    cids = [add(world, k, f"from pod {k}") for k in range(3)]
    for cid in cids:
        wait_everywhere(world, cid, range(3))
    go = world.others[1]
    for render in (go, world.render):
        world.stop("cluster", 0)
        world.others[0] = render
        world.start("cluster", 0)
        world.wait_ready([0])
        wait_until(lambda: all(world.peer_count(k) == 3 for k in range(3)), 90, "all see each other", 0.5)
        wait_until(lambda: all(cid in world.ctl(0, "pin", "ls") for cid in cids), 60, "pod 0 knows all pins", 0.5)
        cids.append(add(world, 0, f"from pod 0 as {'go' if render is go else 'ours'}"))
        wait_everywhere(world, cids[-1], range(3))
