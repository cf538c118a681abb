"""Libraries in front of those of a peer, by LD_PRELOAD."""
import functools
import pathlib
import re
import subprocess
import tempfile


def sanitizers(program):
    """Libraries that insist on being in front of every other."""
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"lib[at]san\S* => (\S+)", linked)


def preload(peer, *libraries):
    """At the peer's next start, behind those that were named before."""
    before = [one for one in peer.env.get("LD_PRELOAD", "").split(":") if one] or sanitizers(peer.program_path())
    peer.env["LD_PRELOAD"] = ":".join(map(str, [*before, *libraries]))


@functools.lru_cache(maxsize=None)
def folder():
    return tempfile.TemporaryDirectory(prefix="ica-preload-")  # goes with the interpreter


@functools.lru_cache(maxsize=None)
def compiled(source):
    """The library of a C file of this folder."""
    path = pathlib.Path(folder().name, source).with_suffix(".so")
    file = pathlib.Path(__file__).with_name(source)
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", path, file, "-ldl"], check=True)
    return path
