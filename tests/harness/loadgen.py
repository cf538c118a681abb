"""The load generator (tests/tools/lab/loadgen) at a peer's REST API; its head has the commands."""
import json
import subprocess
import time

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


class Pings:
    """One GET after the other, by a process of its own: is the API responsive meanwhile?"""

    def __init__(self, peer, path, pause_ms):
        self.process = subprocess.Popen(command(peer, "ping", "-path", path, "-pause", pause_ms), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def stop(self):
        """Milliseconds that the calls took: a dictionary of "p50", "p99" and so on."""
        answer = json.loads(self.process.communicate(timeout=120)[0])
        assert answer["error"] is None, answer
        return answer["took_ms"]

    def after(self, seconds):
        """stop() after so many seconds."""
        time.sleep(seconds)
        return self.stop()
