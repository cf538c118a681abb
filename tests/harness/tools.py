"""Where the programs are."""
import functools
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


@functools.lru_cache(maxsize=None)
def tool_dir(name):
    """Folder of the Go tool module's programs, built at the first use (scripts/tools)."""
    done = subprocess.run([ROOT / "scripts" / "tools", name], stdout=subprocess.PIPE, check=True, text=True)
    return pathlib.Path(done.stdout.strip().splitlines()[-1])


def ipfs():
    return os.environ.get("KUBO") or tool_dir("kubo") / "ipfs"


def go_service():
    return tool_dir("cluster") / "ipfs-cluster-service"


def go_ctl():
    return tool_dir("cluster") / "ipfs-cluster-ctl"


def our(name):
    path = ROOT / "build" / os.environ.get("ICA_PRESET", "release") / "bin" / name
    if not path.exists():
        raise FileNotFoundError(f"{path}: build it first (scripts/build)")
    return path


def clean_env(**extra):
    """The environment without settings of a cluster or a Kubo that the developer may have."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("CLUSTER_", "IPFS_", "GOLOG_"))}
    env.update(extra)
    return env
