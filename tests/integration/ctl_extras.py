"""What our ipfs-cluster-ctl has beyond the reference's: completion, manual, health on one page, status --watch, a short
history."""
import json
import os
import pty
import re
import shutil
import subprocess

import pytest

from harness import ports, tools
from harness.ctl_world import StandIn, compact
from harness.pins import cid_of
from harness.wait import wait_until

CID = "QmP63DkAFEnDYNjDYBpyNDfttu1fvUw99x1brscPzpqmmq"


def ctl(*argv, env=None):
    return subprocess.run([tools.our("ipfs-cluster-ctl"), *argv], capture_output=True, text=True, check=False,
                          env=tools.clean_env(**(env or {})), timeout=60)


def on_terminal(*argv, typed=""):
    """Runs it with a terminal as its input and output: (exit code, what was shown)."""
    leader, follower = pty.openpty()
    child = subprocess.Popen([tools.our("ipfs-cluster-ctl"), *argv], stdin=follower, stdout=follower, stderr=follower,
                             env=tools.clean_env(), close_fds=True)
    os.close(follower)
    os.write(leader, typed.encode())
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    return child.wait(60), shown.decode()


def complete(script, *words):
    """What bash offers for the last word."""
    line = " ".join(f"'{w}'" for w in words)
    program = (f"source /dev/stdin\nCOMP_WORDS=(ipfs-cluster-ctl {line})\nCOMP_CWORD={len(words)}\n_ipfs_cluster_ctl\n"
               'printf "%s\\n" "${COMPREPLY[@]}"\n')
    done = subprocess.run(["bash", "--norc", "-c", program], input=script, capture_output=True, text=True, check=True)
    assert not done.stderr, done.stderr
    return set(done.stdout.split())


def test_help_tells_people_of_more_than_programs():
    code, shown = on_terminal("--help")
    assert code == 0 and "MORE COMMANDS" in shown and "state compact" in shown and "rebalance" in shown
    assert "MORE COMMANDS" not in ctl("--help").stdout
    assert "--watch" in on_terminal("status", "--help")[1] and "--watch" not in ctl("status", "--help").stdout


def test_completion_in_bash():
    done = ctl("completion", "bash")
    assert done.returncode == 0
    assert complete(done.stdout, "pi") == {"pin"}
    assert {"add", "rm", "ls", "update"} <= complete(done.stdout, "pin", "")
    assert complete(done.stdout, "--host", "/ip4/127.0.0.1/tcp/9094", "health", "gr") == {"graph"}
    assert "--replication-min" in complete(done.stdout, "pin", "add", "--rep")
    assert complete(done.stdout, "--enc", "json", "pin", "add", "--no-s") == {"--no-status"}
    assert complete(done.stdout, "state", "") == {"compact"}
    assert complete(done.stdout, "state", "compact", "--wi") == {"--without"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_is_read_by(shell):
    done = ctl("completion", shell)
    assert done.returncode == 0 and "ipfs-cluster-ctl" in done.stdout
    if shutil.which(shell):
        check = subprocess.run([shell, "-n"], input=done.stdout, capture_output=True, text=True, check=False)
        assert check.returncode == 0, check.stderr


def test_completion_of_what():
    for argv in ([], ["tcsh"]):
        done = ctl("completion", *argv)
        assert done.returncode == 1 and "bash, zsh, fish" in done.stderr


def test_manual_names_every_command_and_flag():
    page = ctl("man").stdout
    text = page.replace("\\-", "-")
    for line in ctl("commands").stdout.split("\n"):
        words = line.split()[1:]
        if words and words[0] not in ("help", "commands") and words[-1] not in ("peers", "pin", "ipfs"):
            assert f'.SS "{" ".join(words)} ' in text, line
    assert "\\fB--replication-min\\fR" in text and "CLUSTER_CREDENTIALS" in text
    assert '.SS "state compact ' in text and "\\fB--without\\fR" in text
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww"], input=page, capture_output=True, text=True, check=True)
        assert "SYNOPSIS" in re.sub(".\x08", "", done.stdout) and not done.stderr, done.stderr


def test_health_and_watch(lab, flavour):
    kubo = lab.fake_kubo()
    peer = lab.peer(kubo, flavour)
    peer.wait_candidates()
    host = ["--host", peer.rest_multiaddr]
    done = ctl(*host, "health")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("HEALTHY\n") and "\x1b" not in done.stdout and "Pins: 0" in done.stdout
    summary = json.loads(ctl(*host, "--enc", "json", "health").stdout)
    assert summary["healthy"] and summary["peers"] == 1

    assert peer.call("POST", f"/pins/{CID}?name=one").status == 200
    watched = ctl(*host, "status", "--watch")
    assert watched.returncode == 0 and "in progress: 0  in error: 0" in watched.stdout
    peer.wait_status(CID, "pinned")
    assert "Pins: 1, all on their peers" in ctl(*host, "health").stdout
    code, shown = on_terminal(*host, "status", CID)
    assert code == 0 and "\x1b[32mPINNED\x1b[0m" in shown

    kubo.mode("refusepins")
    other = CID[:-1] + "r"
    peer.call("POST", f"/pins/{other}")
    wait_until(lambda: "error" in peer.status(other), 30, "the pin is in error", 0.1)
    done = ctl(*host, "health")
    assert done.returncode == 4, done.stdout
    assert done.stdout.startswith("NEEDS ATTENTION\n") and other in done.stdout and "recover" in done.stdout
    assert ctl(*host, "status", "--watch").returncode == 4
    code, shown = on_terminal(*host, "health")
    assert code == 4 and re.search(r"\x1b\[31m", shown)


def test_errors_say_what_to_try_on_a_terminal_only():
    argv = ["--host", f"/ip4/127.0.0.1/tcp/{ports.free_port()}", "id"]
    plain = ctl(*argv)
    assert plain.returncode == 1 and "Is the peer running?" not in plain.stdout + plain.stderr
    code, shown = on_terminal(*argv)
    assert code == 1 and "Is the peer running?" in shown


# --- state compact, from a plan and a course of events

IDS = ("12D3KooWEMFHt5b6UWHRrNKqZxS4tvEY1REivaeA7cmPsYGbuuLz", "12D3KooWR5uGu5jwK5sg7jYtEqgbMWWvWqpqcoPpMKdxcCJ5EoXN")


def member(number, problem=""):
    return {"peer": IDS[number], "peername": f"peer{number}", "problem": problem, "pins": 5, "changes": 31415, "digest": "00000000000000ab"}


def plan_of(*members):
    return {"possible": not any(m["problem"] for m in members), "epoch": 1, "pins": 5, "changes": 31415, "changes_after": 2,
            "disk_bytes": 45000000, "members": members, "without": []}


def state_of(step="", error="", led=True):
    return {"running": bool(step), "step": step, "epoch": 1, "led": led, "ended": "" if step else "2027-01-15T08:00:00Z",
            "error": error, "paused": "1.2s", "changes_before": 31415, "changes_after": 2, "members": 2}


@pytest.fixture
def told():
    """A stand-in for a peer: told(plan, states...) gives the arguments that lead to it. Each question how far it is takes one
    state more."""
    stand_in = StandIn()

    def prepare(plan, *states):
        left = list(states)

        def answer(_method, path, _query):
            if path == "/compact/plan":
                return 200, compact(plan)
            assert path in ("/compact", "/compact/start"), path
            return 200, compact(left.pop(0) if len(left) > 1 else left[0])
        stand_in.plan = answer
        stand_in.requests.clear()
        return ["--host", f"/ip4/127.0.0.1/tcp/{stand_in.port}"]
    prepare.asked = lambda: [f"{method} {path}" + (f"?{query}" if query else "") for method, path, query, _, _ in stand_in.requests]
    yield prepare
    stand_in.close()


GOOD = plan_of(member(0), member(1))
DONE = "2 changes instead of 31,415 on 2 peers; changes waited for 1.2 s\n"


def test_compact_shows_each_step_and_the_end(told):
    course = [state_of("one"), state_of("one"), state_of("two"), state_of()]
    done = ctl(*told(GOOD, *course), "state", "compact", "--force")
    assert done.returncode == 0 and done.stderr == "one\ntwo\n", done.stderr
    assert "All of these peers take part.\n" in done.stdout and done.stdout.endswith("\n" + DONE)
    assert told.asked() == ["GET /compact/plan", "POST /compact/start"] + 3 * ["GET /compact"]
    done = ctl(*told(GOOD, *course), "--enc", "json", "state", "compact", "--force")
    assert done.returncode == 0
    decoder = json.JSONDecoder()
    plan, end = decoder.raw_decode(done.stdout)
    assert plan == json.loads(compact(GOOD)) and decoder.raw_decode(done.stdout[end:].lstrip())[0] == state_of()


def test_compact_only_when_all_can(told):
    done = ctl(*told(plan_of(member(0), member(1, "is not connected"))), "state", "compact", "--force")
    assert done.returncode == 1 and "Not possible: 1 of 2 peers cannot take part.\n" in done.stdout
    assert done.stderr == f"error compacting the history: peer1 ({IDS[1]}): is not connected\n"
    assert told.asked() == ["GET /compact/plan"]
    assert ctl(*told(plan_of(member(0, "no"))), "state", "compact", "--plan").returncode == 1
    assert ctl(*told(GOOD), "state", "compact", "--plan").returncode == 0
    assert told.asked() == ["GET /compact/plan"]


def test_compact_that_fails(told):
    done = ctl(*told(GOOD, state_of("one"), state_of(error="peer1 went away")), "state", "compact", "--force")
    assert done.returncode == 1 and done.stderr == "one\nerror compacting the history: peer1 went away\n"
    done = ctl(*told(GOOD, state_of("one"), state_of(led=False)), "state", "compact", "--force")
    assert done.returncode == 1 and "started anew meanwhile" in done.stderr


def test_compact_asks_first(told):
    done = ctl(*told(GOOD, state_of()), "state", "compact")
    assert done.returncode == 1 and "--force is needed" in done.stderr
    for typed, code, end in (("n\n", 0, "Nothing was done.\n"), ("\n", 0, "Nothing was done.\n"), ("y\n", 0, DONE)):
        got, shown = on_terminal(*told(GOOD, state_of()), "state", "compact", typed=typed)
        assert got == code and "Continue? [y/n]:" in shown and shown.replace("\r", "").endswith(end), shown
        assert ("POST /compact/start" in told.asked()) == (typed == "y\n")


def test_compact_without_peers_by_id_and_name(told):
    done = ctl(*told(GOOD, state_of()), "state", "compact", "--force", "--without", f"peer1,{IDS[0]}")
    assert done.returncode == 0
    query = f"?without={IDS[1]},{IDS[0]}"
    assert told.asked() == ["GET /compact/plan", "GET /compact/plan" + query, "POST /compact/start" + query]
    done = ctl(*told(GOOD, state_of()), "state", "compact", "--force", "--without", "peer7")
    assert done.returncode == 1 and "no peer is called" in done.stderr


def test_compact_without_waiting(told):
    done = ctl(*told(GOOD, state_of("one")), "state", "compact", "--force", "--no-wait")
    assert done.returncode == 0 and done.stdout.endswith("Compaction: running, epoch 1 of the history\nNow: one\n")
    done = ctl(*told(GOOD, state_of()), "state", "compact", "--status")
    assert done.returncode == 0 and done.stdout.endswith(DONE) and told.asked() == ["GET /compact"]


def test_a_history_is_made_short(lab):
    """Of one real peer, with the pinset as it was."""
    peer = lab.peer(lab.fake_kubo())
    peer.wait_candidates()
    cids = [cid_of(f"short-{n}") for n in range(20)]
    for cid in cids:
        assert peer.call("POST", f"/pins/{cid}?name=kept").status == 200
    for cid in cids[5:]:
        assert peer.call("DELETE", f"/pins/{cid}").status == 200
    before, pinset = peer.call("GET", "/health/pinset").json(), peer.pinset()
    assert before["pins"] == 5 and before["blocks"] == 35 and set(pinset) == set(cids[:5])
    host = ["--host", peer.rest_multiaddr]

    plan = json.loads(ctl(*host, "--enc", "json", "state", "compact", "--plan").stdout)
    assert plan["possible"] and plan["epoch"] == 1 and plan["pins"] == 5 and plan["changes"] == 35, plan
    assert 0 < plan["changes_after"] < 35 and plan["disk_bytes"] > 0
    assert [(m["peer"], m["problem"], m["digest"]) for m in plan["members"]] == [(peer.id, "", before["digest"])]
    done = ctl(*host, "state", "compact", "--plan")
    assert done.returncode == 0 and "All of these peers take part." in done.stdout
    assert ctl(*host, "state", "compact").returncode == 1
    assert peer.call("GET", "/health/pinset").json()["blocks"] == 35
    # The command for stopped peers says where to go.
    stopped = subprocess.run([peer.program_path(), "--config", peer.config_dir, "state", "compact"], capture_output=True,
                             text=True, timeout=60, env=peer.env, check=False)
    assert stopped.returncode == 1 and "ipfs-cluster-ctl state compact" in stopped.stderr, stopped.stderr

    done = ctl(*host, "state", "compact", "--force")
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    assert re.fullmatch(r"\d+ changes? instead of 35 on 1 peer; changes waited for \d+\.\d s", last), last
    after, state = peer.call("GET", "/health/pinset").json(), peer.call("GET", "/compact").json()
    assert after["blocks"] < 35 and after["digest"] == before["digest"] and peer.pinset() == pinset
    assert state["epoch"] == 1 and not state["running"] and state["led"] and state["error"] == "", state
    assert state["changes_before"] == 35 and state["changes_after"] == after["blocks"] and state["members"] == 1
    # It goes on from there, also after a restart.
    assert peer.call("POST", f"/pins/{cids[9]}").status == 200
    assert peer.call("DELETE", f"/pins/{cids[0]}").status == 200
    peer.stop()
    peer.start()
    assert set(peer.pinset()) == {*cids[1:5], cids[9]}
    assert peer.call("GET", "/compact").json()["epoch"] == 1
