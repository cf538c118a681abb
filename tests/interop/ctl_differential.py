"""Random command lines for the reference's client and ours, each at a peer of its own, in the same order: output and exit codes
are the same. --target go lets them ask peers of the reference.
"""
import subprocess

from harness import differential, tools
from harness.random_ctl import CommandLines, make_files, normal
from harness.random_rest import names_of

COUNT, LONG_COUNT = 250, 2000


def answer(program, peer, line, names, folder):
    host = [] if "--host" in line else ["--host", peer.rest_multiaddr]
    done = subprocess.run([program, *host, *(word.replace("SELF", peer.id) for word in line)], capture_output=True, text=True,
                          timeout=60, env=tools.clean_env(), cwd=folder, check=False)
    return {"exit code": done.returncode, "output": normal(done.stdout, names), "errors": normal(done.stderr, names)}


def test_both_say_the_same(lab, flavour, pytestconfig):
    peers = [lab.peer(lab.kubo(), flavour, "peer0", differential.SETTINGS) for _ in range(2)]
    cids, names = [], []
    for peer in peers:
        peer.wait_candidates(1)
        names.append(names_of(peer))
        cids = [peer.add(b"hello", f"cid-version={version}") for version in (0, 1)]
    folder = lab.folder / "files"
    make_files(folder)
    programs = (tools.go_ctl(), tools.our("ipfs-cluster-ctl"))
    lines, different = CommandLines(1, cids), []
    for number in range(LONG_COUNT if pytestconfig.getoption("--long") else COUNT):
        line = next(lines)
        theirs, ours = (answer(*each, folder) for each in zip(programs, peers, [line] * 2, names))
        if theirs != ours:
            different.append(differential.described(f"{number}: {' '.join(line)}", theirs, ours))
    assert not different, "\n".join(different)
