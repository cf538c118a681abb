"""What our ipfs-cluster-ctl has beyond the reference's: completion, manual, health on one page, status --watch."""
import json
import os
import pty
import re
import shutil
import subprocess

import pytest

from harness import ports, tools
from harness.wait import wait_until

CID = "QmP63DkAFEnDYNjDYBpyNDfttu1fvUw99x1brscPzpqmmq"


def ctl(*argv, env=None):
    return subprocess.run([tools.our("ipfs-cluster-ctl"), *argv], capture_output=True, text=True, check=False,
                          env=tools.clean_env(**(env or {})), timeout=60)


def on_terminal(*argv):
    """Runs it with a terminal as its output: (exit code, what was shown)."""
    leader, follower = pty.openpty()
    child = subprocess.Popen([tools.our("ipfs-cluster-ctl"), *argv], stdout=follower, stderr=follower,
                             env=tools.clean_env(), close_fds=True)
    os.close(follower)
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


def test_completion_in_bash():
    done = ctl("completion", "bash")
    assert done.returncode == 0
    assert complete(done.stdout, "pi") == {"pin"}
    assert {"add", "rm", "ls", "update"} <= complete(done.stdout, "pin", "")
    assert complete(done.stdout, "--host", "/ip4/127.0.0.1/tcp/9094", "health", "gr") == {"graph"}
    assert "--replication-min" in complete(done.stdout, "pin", "add", "--rep")
    assert complete(done.stdout, "--enc", "json", "pin", "add", "--no-s") == {"--no-status"}


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
