"""scripts/quickstart as the README has it: three Kubos, three agents, a real file pinned by all, nothing left running."""
import os
import re
import subprocess

import pytest

from harness import tools


def running():
    """Processes of a quickstart of this tree."""
    mark = f"ICA_QUICKSTART={tools.ROOT}/.quickstart".encode()
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as environment:
                found += [pid] if mark in environment.read() else []
        except OSError:
            pass  # ended, or not ours
    return found


@pytest.mark.skipif(os.environ.get("ICA_PRESET", "release") != "release", reason="would build the release preset")
def test_from_a_clone_to_a_pinned_file():
    if running():
        pytest.skip("a quickstart of this tree runs, which this would end")
    done = subprocess.run([tools.ROOT / "scripts/quickstart", "--ci"], capture_output=True, text=True, timeout=540, check=False,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    cid = re.search(r"(\w+), pinned by 3 peer", done.stdout)[1]
    for n in range(3):
        assert re.search(rf"^kubo{n}: {cid} recursive", done.stdout, re.M), done.stdout
    assert not running()
