"""The load generator (tests/tools/lab/loadgen) at a peer's REST API; its head has the commands."""
import json
import subprocess

from . import tools


def command(peer, *argv):
    return [str(a) for a in (tools.tool_dir("lab") / "loadgen", "-addr", f"{peer.address}:{peer.rest_port}", *argv)]


def start(peer, *argv):
    return subprocess.Popen(command(peer, *argv), stdout=subprocess.PIPE, text=True)


def run(peer, *argv, timeout=None, may_fail=False):
    """What it says in the end, a dictionary. No call may have failed, unless `may_fail`: then "errors" has how many."""
    done = subprocess.run(command(peer, *argv), capture_output=True, text=True, check=False, timeout=timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert not result.get("error") and (may_fail or not result.get("errors")), (peer.name, argv, result)
    return result
