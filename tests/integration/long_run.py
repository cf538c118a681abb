"""Three agents with real Kubos under mixed work while everything fails at random; nothing is lost, nothing is undone.

Clients pin, unpin, re-pin, add, update and read at all agents. Meanwhile agents are killed or stopped, the links between them
cut or muted, Kubos killed or hung, disks full, failing or slow, and clocks jump. At checkpoints the faults stop. Within a bounded
time all agents show what their clients were told (harness/history.py), with one digest; the Kubos themselves hold what is
allocated to them and nothing else; no agent has ended by itself or logged an error that no fault explains. In the long form
one agent after the other is spared what would end it for a third of the run, and its memory has to stay flat.

Three settings make the verdict exact. Each CID is changed at one agent, which gives its changes an order. Pins of lost peers
get no new places (disable_repinning): an agent that is cut off would be a second writer, and of two concurrent changes one has
to give way (scripts/test sim has that). Pins that expire do so long after any jump of a clock.

Default: about 90 seconds of work in which each fault happens. --long: two hours, or ICA_LONG_RUN_MINUTES. The seed is printed;
ICA_LONG_RUN_SEED repeats the faults of a run in their order.
"""
import collections
import contextlib
import os
import random
import resource
import time

import pytest

from harness import clock, http
from harness.clients import ADD_OPTIONS, Crew, Home, Reader, Writer, contents
from harness.clock import JumpingClock
from harness.disk import TOLD, FaultyDisk, has_ended
from harness.history import History, Pinned, misplaced
from harness.holdings import least, remembered
from harness.proxy import Mesh
from harness.wait import WaitError, wait_until

MINUTES = float(os.environ.get("ICA_LONG_RUN_MINUTES", 120))
pytestmark = [pytest.mark.timeout(900), pytest.mark.long_timeout(60 * MINUTES + 1800)]

PEERS = 3
SETTINGS = {
    "cluster": {"disable_repinning": True, "monitor_ping_interval": "2s", "pin_recover_interval": "15s"},
    "consensus/crdt": {"rebroadcast_interval": "5s"},
    "monitor/pubsubmon": {"check_interval": "2s"},
    # A Kubo that hangs must not hold a client longer than its patience.
    "ipfs_connector/ipfshttp": {"ipfs_request_timeout": "4s"},
    "informer/disk": {"metric_ttl": "5s"},
    "informer/tags": {"metric_ttl": "5s"},
    "agent": {"surplus_delay": "2s"},
    "observations/metrics": {"enable_stats": True},
}
# After the last fault, until all is as it should be: a minute for the longest pause between two dials, and as much for the pins.
HEALS_WITHIN = 150
CHECKPOINTS = 12  # in the long form
MIB = 1 << 20
# What a spared agent may grow by in a third of a run, besides the IDs of messages: malloc keeps some of what a burst took.
GROWS_BY = 6 * MIB


# ---- faults: each begins, lets others act, and ends ----

@contextlib.contextmanager
def agent_killed(world, n, chance):
    """In the middle of writing; back at once or after seconds."""
    with world.homes[n] as home:
        with home.hurried():
            time.sleep(chance.uniform(0.1, 1))
            world.kill(n)
        yield
        world.start(n)


@contextlib.contextmanager
def agent_stopped(world, n, chance):
    with world.homes[n]:
        assert world.peers[n].stop() == 0, f"{world.peers[n].name} did not end well after SIGTERM"
        yield
        world.start(n)


@contextlib.contextmanager
def one_cut_off(world, n, chance):
    rest = [peer for peer in world.peers if peer is not world.peers[n]]
    world.mesh.part([world.peers[n]], rest)
    yield
    world.mesh.heal()


@contextlib.contextmanager
def one_muted(world, n, chance):
    """Its connections stay open, and nothing arrives on them."""
    world.mesh.mute([world.peers[n]], [peer for peer in world.peers if peer is not world.peers[n]])
    yield
    world.mesh.heal()


@contextlib.contextmanager
def all_apart(world, n, chance):
    world.mesh.part(*([peer] for peer in world.peers))
    yield
    world.mesh.heal()


@contextlib.contextmanager
def kubo_killed(world, n, chance):
    """It comes back with its repository."""
    world.kubos[n].process.kill()
    yield
    world.kubos[n].start()
    world.kubos[n].meet_anew()


@contextlib.contextmanager
def kubo_hangs(world, n, chance):
    world.kubos[n].process.pause()
    yield
    world.kubos[n].process.resume()


@contextlib.contextmanager
def disk_fails(world, n, chance, fault, reason):
    """The agent may end by it, if it says so; sometimes it is killed before the disk is well again."""
    with world.homes[n] as home:
        with home.hurried():
            time.sleep(chance.uniform(0.1, 0.5))
            world.disks[n].fail(fault)
            time.sleep(0.2)
        yield
        if chance.random() < 0.3 and world.peers[n].process.alive():
            world.kill(n)
            world.disks[n].work()
            world.start(n)
        elif has_ended(world.peers[n], reason):
            world.note(f"{world.peers[n].name} has ended because of its disk")
            world.disks[n].work()
            world.start(n)
        else:
            world.disks[n].work()
            # It may still end by what has failed, within the time that its own tries take.
            end = time.monotonic() + 5
            wait_until(lambda: time.monotonic() > end or not world.peers[n].process.alive(), 10, "it has ended or gone on", 0.2)
            if has_ended(world.peers[n], reason):
                world.note(f"{world.peers[n].name} has ended after its disk failed")
                world.start(n)


def disk_full(world, n, chance):
    fault = chance.choice(("ENOSPC write", "ENOSPC create", "ENOSPC short"))
    return disk_fails(world, n, chance, fault, "No space left on device")


def disk_sync_fails(world, n, chance):
    return disk_fails(world, n, chance, "EIO sync", "Input/output error")


@contextlib.contextmanager
def disk_slow(world, n, chance):
    world.disks[n].fail(f"{chance.choice((20, 80, 250))} slow")
    yield
    world.disks[n].work()


@contextlib.contextmanager
def clock_jumps(world, n, chance, sign):
    """By more than the ten minutes that peers forgive each other. It is set right in the end, which is a jump too."""
    world.clocks[n].jump(sign * chance.randint(1800, 72 * 3600))
    if not world.homes[n].unsteady:  # an agent that is down starts with this clock
        world.clocks[n].wait_shown()
    yield
    world.clocks[n].jump(0)


def clock_ahead(world, n, chance):
    return clock_jumps(world, n, chance, 1)


def clock_behind(world, n, chance):
    return clock_jumps(world, n, chance, -1)


# What each is about, as two at once are never about the same, and for how many seconds it lasts.
FAULTS = {agent_killed: ("agent", 0, 5), agent_stopped: ("agent", 0, 5), disk_full: ("agent", 1, 5), disk_sync_fails: ("agent", 1, 5),
          disk_slow: ("agent", 2, 6), one_cut_off: ("links", 1, 7), one_muted: ("links", 1, 7), all_apart: ("links", 1, 7),
          kubo_killed: ("kubo", 0, 5), kubo_hangs: ("kubo", 2, 8), clock_ahead: ("clock", 2, 7), clock_behind: ("clock", 2, 7)}
ENDING = (agent_killed, agent_stopped, disk_full, disk_sync_fails)  # for the agent


def about(kind):
    return FAULTS[kind][0]


def schedule(chance, spared, paired, stretched):
    """Rounds without end in which each fault happens once: (faults with their numbers and chances, seconds that they last).

    spared(): the number of an agent that nothing ends, or None. paired: how many steps have a second fault that the first one
    does not exclude. stretched: by how much they last longer.
    """
    while True:
        kinds = list(FAULTS)
        chance.shuffle(kinds)
        while kinds:
            step = [kinds.pop()]
            others = [kind for kind in kinds if about(kind) != about(step[0])]
            second = chance.choice(others or list(FAULTS))
            if chance.random() < paired and second in others:
                step.append(second)
                kinds.remove(second)
            drawn = []
            for kind in step:
                n, own = chance.randrange(PEERS), random.Random(chance.random())
                if kind in ENDING and n == spared():
                    n = (n + 1) % PEERS
                drawn.append((kind, n, own))
            _, shortest, longest = FAULTS[step[0]]
            yield drawn, stretched * (chance.uniform(shortest, longest) if chance.random() < 0.8 else shortest)


class World:
    """Agents with their Kubos, links, disks and clocks, what clients were told, and what is wrong."""

    def __init__(self, lab, seed, cids, files):
        self.begin, self.seed = time.monotonic(), seed
        self.problems, self.faults = [], collections.deque(maxlen=25)
        self.kubos = [lab.kubo() for _ in range(PEERS)]
        self.peers = [lab.peer(kubo, settings=SETTINGS, name=f"peer{n}", start=False) for n, kubo in enumerate(self.kubos)]
        self.disks = [FaultyDisk(lab, peer) for peer in self.peers]
        self.clocks = [JumpingClock(lab, peer) for peer in self.peers] if clock.library() else []
        self.mesh = Mesh(self.peers)
        self.homes = [Home(peer, self.problems) for peer in self.peers]
        self.spared = None
        self.happened = collections.Counter()
        for peer in self.peers:
            peer.allow_errors(*TOLD)
            peer.start()
        for peer in self.peers:
            peer.wait_candidates(PEERS)
        # A part of the links can be cut only if there is no other way.
        assert sum(len(link.open) for link in self.mesh.links.values()) >= PEERS * (PEERS - 1) // 2
        self.others_pins = [kubo.pins() for kubo in self.kubos]  # Kubo's own
        # Each content is in one Kubo, so that the others have to fetch it.
        small, large = contents(f"{seed} small", cids, 4096), contents(f"{seed} large", files, 2 << 20)
        self.cids = [cid for n, kubo in enumerate(self.kubos) for cid in put(kubo, small[n::PEERS], "pin=false")]
        self.files = dict(zip(put(self.kubos[0], large, "only-hash=true"), large))
        self.history = History([*self.cids, *self.files])

    def note(self, what):
        self.faults.append(f"{time.monotonic() - self.begin:8.2f} s  {what}")

    def crew(self, pause):
        """Two writers and a reader at each agent."""
        crew = Crew(self.problems)
        files = sorted(self.files)
        for n, home in enumerate(self.homes):
            for k in (0, 1):
                part = slice(PEERS * k + n, None, 2 * PEERS)
                writer = Writer(home, self.history, self.cids[part], {cid: self.files[cid] for cid in files[part]},
                                random.Random(f"{self.seed} writer {n} {k}"), f"w{n}{k}")
                crew.add(writer.turn, home, pause, random.Random(f"{self.seed} pauses {n} {k}"))
            reader = Reader(home, self.cids, random.Random(f"{self.seed} reader {n}"))
            crew.add(reader.turn, home, 2 * pause, random.Random(f"{self.seed} pauses {n}"))
        return crew

    def kill(self, n):
        process = self.peers[n].process
        process.kill()
        if self.clocks:
            self.clocks[n].clean(process.pid)

    def start(self, n):
        if self.clocks:
            self.clocks[n].clean(self.peers[n].process.pid)
        self.peers[n].start()

    def check_processes(self):
        """Nobody is down but who was taken down."""
        for n, peer in enumerate(self.peers):
            if not peer.process.alive() and not self.homes[n].unsteady:
                self.problems.append(f"{peer.name} has ended with {peer.process.exit_code}: {peer.process.log_text()[-1000:]}")
        assert not self.problems, "\n".join(self.problems[:10])

    def step(self, faults, seconds):
        """These faults at once, for so long. Clocks may be out of reach of a test."""
        faults = [fault for fault in faults if self.clocks or about(fault[0]) != "clock"]
        with contextlib.ExitStack() as ends:
            for kind, n, chance in faults:
                self.note(f"begins: {kind.__name__} {n}")
                ends.callback(self.note, f"has ended: {kind.__name__} {n}")
                ends.enter_context(kind(self, n, chance))
                self.happened[kind.__name__] += 1
            self.pass_time(seconds)

    def pass_time(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.check_processes()
            time.sleep(min(0.2, max(0, end - time.monotonic())))
        self.check_processes()

    # ---- the verdict ----

    def wait(self, condition, why, deadline=HEALS_WITHIN):
        return wait_until(condition, deadline, why, 0.3)

    def settled(self):
        """Everybody is there, sees everybody, and has merged the same."""
        for peer in self.peers:
            peer.wait_candidates(PEERS, HEALS_WITHIN)
        for one in self.clocks:
            one.wait_shown()

        def health():
            return [peer.call("GET", "/health/pinset").json() for peer in self.peers]

        def same():
            told = health()
            return len({one["digest"] for one in told}) == 1 and not any(one["pending"] for one in told)
        self.wait(same, "one digest everywhere")
        for peer, one in zip(self.peers, health()):
            assert one["heads"] <= PEERS, f"{peer.name} has {one['heads']} heads"

    def check_pinsets(self):
        """The pinset, once all show the same and what clients were told."""
        pinsets = [peer.pinset() for peer in self.peers]
        wrong = self.history.differences(pinsets[0])
        for peer, pinset in zip(self.peers[1:], pinsets[1:]):
            wrong += [f"{cid}: {self.peers[0].name} shows {pinsets[0].get(cid)}, {peer.name} {pinset.get(cid)}"
                      for cid in pinsets[0].keys() | pinset.keys() if pinsets[0].get(cid) != pinset.get(cid)]
        self.refuse(wrong)
        return pinsets[0]

    def refuse(self, wrong):
        if wrong:
            told = [self.history.tell(cid) for cid in [one.split(":")[0] for one in wrong[:5]] if cid in self.history.entries]
            raise AssertionError("\n".join([f"{len(wrong)} CIDs are wrong:", *wrong[:20], *told]))

    def check_copies(self, pinset):
        """The Kubos come to hold what is allocated to their agents, and the agents know it."""
        ids = [peer.id for peer in self.peers]

        def wrong():
            held = {peer.id: peer.kubo.pins() - own for peer, own in zip(self.peers, self.others_pins)}
            return misplaced(pinset, held, ids)
        try:
            self.wait(lambda: not wrong(), "the Kubos hold what is allocated to them")
        except WaitError:
            sentences = wrong()
            self.tell_why([one.split(":")[0] for one in sentences[:5]])
            self.refuse(sentences)

        def statuses():
            return {entry["status"] for peer in self.peers for pin in peer.call("GET", "/pins").documents()
                    for entry in pin["peer_map"].values()}
        self.wait(lambda: statuses() <= {"pinned", "remote"}, "all is shown as pinned")

    def tell_why(self, cids):
        """What agents and Kubos know of CIDs that do not come to be pinned."""
        for peer in self.peers:
            for path in ("/health/summary", "/health/graph", *(f"/pins/{cid}?verbose=true&local=true" for cid in cids)):
                print(peer.name, peer.call("GET", path).body.decode())
            for path in ("swarm/peers?direction=true", "bitswap/stat?verbose=true",
                         *(f"bitswap/wantlist?peer={other.id}" for other in self.kubos if other is not peer.kubo)):
                print("Kubo of", peer.name, path, peer.kubo.call(path).body.decode()[:2000])

    def check_logs(self):
        self.problems += [f"{peer.name}: {line}" for peer in self.peers for line in peer.unexpected_errors()]
        self.check_processes()

    def checkpoint(self, crew):
        """All is right once the faults have ended. Returns what each agent holds then."""
        crew.hold()
        begin = time.monotonic()
        self.check_processes()
        self.settled()
        pinset = self.check_pinsets()
        self.check_copies(pinset)
        self.check_logs()
        self.history.settle(pinset)
        held = [dict(one, pid=peer.process.pid) for one, peer in zip(least(self.peers), self.peers)]
        self.note(f"checkpoint: right after {time.monotonic() - begin:.1f} s")
        memory = " ".join(f"{one['memory'] / MIB:.1f}" for one in held)
        print(f"{time.monotonic() - self.begin:7.0f} s: {len(pinset)} pins, right after {time.monotonic() - begin:.1f} s; "
              f"memory {memory} MiB; changes {dict(self.history.counts)}", flush=True)
        return held

    def report(self):
        lines = [f"ICA_LONG_RUN_SEED={self.seed}", "the last faults:", *self.faults]
        lines += [f"longest answers of {home.peer.name}, seconds: " +
                  ", ".join(f"{kind} {took:.2f}" for kind, took in sorted(home.longest.items())) for home in self.homes]
        if not self.clocks:
            lines.append("no clock has jumped, as there is no libfaketime here (scripts/deps)")
        return "\n".join(lines)

    def cpu_seconds(self):
        """Of this test, its agents and its Kubos, also those that are gone."""
        running = sum(part.process.cpu_seconds() for part in [*self.peers, *self.kubos] if part.process.alive())
        return running + sum(usage.ru_utime + usage.ru_stime for usage in map(
            resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def put(kubo, contents, options):
    """Adds contents to a Kubo in one call; their CIDs in the same order."""
    kind, body = http.multipart([(f"{n}", content) for n, content in enumerate(contents)])
    answer = kubo.call(f"add?{ADD_OPTIONS}&{options}", body, kind)
    assert answer.status == 200, answer.body
    named = {line["Name"]: line["Hash"] for line in answer.documents()}
    return [named[f"{n}"] for n in range(len(contents))]


@pytest.fixture
def world(lab, long_form):
    seed = os.environ.get("ICA_LONG_RUN_SEED") or str(random.SystemRandom().randrange(10**9))
    print(f"ICA_LONG_RUN_SEED={seed}", flush=True)
    world = World(lab, seed, *((2400, 240) if long_form else (240, 24)))
    yield world
    print(world.report(), flush=True)
    world.mesh.heal()
    for part in [*world.peers, *world.kubos]:
        part.process.resume()
    for n, disk in enumerate(world.disks):
        disk.work()
        world.peers[n].stop()
    if world.clocks:
        for peer, one in zip(world.peers, world.clocks):
            one.clean(peer.process.pid)
    world.mesh.close()


def flat(samples):
    """Empty when the memory of one process is flat, from its first sample on, else a sentence."""
    before, after = samples[0], max(samples[1:], key=lambda one: one["memory"])
    assert len({one["pid"] for one in samples}) == 1, "a spared agent has ended"
    grown = after["memory"] - before["memory"]
    return f"grew by {grown / MIB:.1f} MiB, from {before} to {after}" if grown > GROWS_BY + remembered(before, after) else ""


def test_nothing_is_lost_or_undone(world, long_form):
    chance = random.Random(f"{world.seed} faults")
    steps = schedule(chance, lambda: world.spared, *((0.5, 2) if long_form else (0.2, 1)))
    crew = world.crew(0.6 if long_form else 0.3)
    begin, cpu = time.monotonic(), world.cpu_seconds()
    samples = []
    if long_form:
        interval = 60 * MINUTES / CHECKPOINTS
        for number in range(CHECKPOINTS):
            # One agent after the other is spared for a third. The first sample of a third is taken after its first quarter.
            world.spared = number * PEERS // CHECKPOINTS
            crew.resume()
            while time.monotonic() < begin + (number + 1) * interval:
                world.pass_time(chance.uniform(1, 6))
                world.step(*next(steps))
            samples.append(world.checkpoint(crew))
    else:
        crew.resume()
        while len(world.happened) < len(FAULTS) - (0 if world.clocks else 2) or time.monotonic() < begin + 80:
            world.pass_time(chance.uniform(0.5, 2.5))
            world.step(*next(steps))
        samples.append(world.checkpoint(crew))
    used = (world.cpu_seconds() - cpu) / (time.monotonic() - begin)
    print(f"faults: {dict(world.happened)}; {used:.2f} cores in the mean")
    crew.hold(end=True)
    assert world.history.counts["acknowledged"] > 300
    # What they have in memory is nothing else than what is on the disks.
    pinset = world.check_pinsets()
    for n in range(PEERS):
        world.kill(n)
    for n in range(PEERS):
        world.start(n)
        assert world.peers[n].pinset() == pinset
    if long_form and os.environ.get("ICA_PRESET", "release") == "release":
        judge_memory(samples)
    # Last, that a change that is undone would have been seen.
    undone = next(iter(pinset))
    assert world.peers[0].call("DELETE", f"/pins/{undone}").status == 200
    with pytest.raises(AssertionError, match=undone):
        world.check_pinsets()


def judge_memory(samples):
    """Each third's spared agent is judged by itself. In their other thirds all start anew again and again, and they are no larger
    in the second half than in the first."""
    third = len(samples) // PEERS
    problems = [f"peer{n}: {wrong}" for n in range(PEERS)
                if (wrong := flat([one[n] for one in samples[n * third:(n + 1) * third]]))]
    half = len(samples) // 2
    for n in range(PEERS):
        before, after = (max(samples[i][n]["memory"] - remembered({"messages": 0}, samples[i][n])
                             for i in part if i // third != n) for part in (range(half), range(half, len(samples))))
        if after > before + GROWS_BY:
            problems.append(f"peer{n} held {before / MIB:.1f} MiB at most in the first half, then {after / MIB:.1f}")
    assert not problems, "\n".join(problems)


# ---- the checks themselves ----

ONE, TWO = Pinned("one", 1, 2), Pinned("two", -1, -1, frozenset({("key", "value")}))


def line(state, *allocations):
    """As GET /allocations has it."""
    return {**state.options(), "metadata": dict(state.metadata) or None, "allocations": list(allocations)}


@pytest.mark.parametrize("what, found", [
    ("lost", {}), ("undone", {"a": line(ONE, "p")}), ("not removed", {"a": line(TWO), "b": line(ONE, "p")}),
    ("another option", {"a": line(Pinned("two", -1, -1))}), ("not asked for", {"a": line(TWO), "c": line(ONE, "p")})])
def test_the_history_sees_what_is(what, found):
    history = History(["a", "b"])
    history.acknowledged("a", ONE, "pin")
    history.acknowledged("a", TWO, "pin")
    history.acknowledged("b", ONE, "pin")
    history.acknowledged("b", None, "unpin")
    assert not history.differences({"a": line(TWO)})
    assert history.differences(found), what


def test_a_change_in_doubt_may_have_happened_until_the_next():
    history = History(["a"])
    history.acknowledged("a", ONE, "pin")
    history.doubtful("a", None, "unpin")
    assert history.known("a") == (False, None)
    assert not history.differences({"a": line(ONE, "p")}) and not history.differences({})
    assert history.differences({"a": line(TWO)})
    history.settle({"a": line(ONE, "p")})
    assert history.known("a") == (True, ONE) and history.differences({})
    history.doubtful("a", None, "unpin")
    history.acknowledged("a", TWO, "pin")
    assert history.differences({}) and history.differences({"a": line(ONE, "p")})


@pytest.mark.parametrize("pin, held", [
    (line(ONE, "p"), {"p": set(), "q": set()}), (line(ONE, "p"), {"p": {"a"}, "q": {"a"}}),
    (line(ONE), {"p": set(), "q": set()}), (line(ONE, "p", "x"), {"p": {"a"}, "q": set()}),
    (line(TWO), {"p": {"a"}, "q": set()}), (line(TWO, "p"), {"p": {"a"}, "q": {"a"}}), (None, {"p": set(), "q": {"a"}})])
def test_misplaced_copies_are_seen(pin, held):
    peers = ["p", "q"]
    assert not misplaced({"a": line(ONE, "p")}, {"p": {"a"}, "q": set()}, peers)
    assert not misplaced({"a": line(ONE, "p", "q")}, {"p": {"a"}, "q": {"a"}}, peers)
    assert not misplaced({"a": line(TWO)}, {"p": {"a"}, "q": {"a"}}, peers)
    assert misplaced({"a": pin} if pin else {}, held, peers)


def test_memory_that_grows_is_seen():
    def sample(mib, pid=1):
        return {"pid": pid, "messages": 1000, "memory": mib * MIB}
    judge_memory([[sample(20 + n % 2)] * PEERS for n in range(CHECKPOINTS)])
    with pytest.raises(AssertionError, match="grew by"):
        judge_memory([[sample(20 + 3 * n)] * PEERS for n in range(CHECKPOINTS)])
    with pytest.raises(AssertionError, match="first half"):
        judge_memory([[sample(20 if n < CHECKPOINTS // 2 else 30)] * PEERS for n in range(CHECKPOINTS)])


def test_the_same_seed_is_the_same_run():
    def first(seed):
        steps = schedule(random.Random(seed), lambda: 1, 0.5, 1)
        return [([(kind.__name__, n) for kind, n, _ in faults], seconds) for faults, seconds in (next(steps) for _ in range(60))]
    run = first(7)
    assert run == first(7) and run != first(8)
    assert {kind for faults, _ in run for kind, _ in faults} == {kind.__name__ for kind in FAULTS}
    assert not any(n == 1 and kind in {one.__name__ for one in ENDING} for faults, _ in run for kind, n in faults)
