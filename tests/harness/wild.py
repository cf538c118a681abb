"""Clients and suites of other people, installed from npm and PyPI into the cache at their first use."""
import contextlib
import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import sys

import pytest

CACHE = pathlib.Path.home() / ".cache" / "ipfs-cluster-agent"


@contextlib.contextmanager
def _made_once(kind, name, parts):
    """The folder for these parts; yields (folder, whether it has to be filled) under a lock."""
    key = hashlib.sha256(" ".join(parts).encode()).hexdigest()[:12]
    folder = CACHE / kind / f"{name}-{key}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f"{name}-{key}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / ".done"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        yield folder, not done.exists()
        done.touch()


def _run(command, cwd, what):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        pytest.fail(f"{what} cannot be installed: {' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def npm(name, *packages):
    """Folder whose node_modules hold these packages (name@version). Install scripts do not run."""
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("npm and node are not installed (scripts/deps clients)")
    with _made_once("npm", name, packages) as (folder, empty):
        if empty:
            (folder / "package.json").write_text('{"private": true, "type": "module"}\n')
            _run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", *packages],
                 folder, f"npm {packages}")
    return folder


def venv(name, *packages):
    """The Python of a virtual environment with these packages (name==version)."""
    with _made_once("venv", name, packages) as (folder, empty):
        if empty:
            _run([sys.executable, "-m", "venv", folder / "env"], folder, "a virtual environment")
            _run([folder / "env" / "bin" / "pip", "-q", "install", "--disable-pip-version-check", *packages], folder,
                 f"PyPI {packages}")
    return folder / "env" / "bin" / "python"


def node(folder, script, *args, timeout=120, env=None):
    """Runs a script beside the packages of `folder`; returns its output."""
    path = folder / f"test-{hashlib.sha256(script.encode()).hexdigest()[:12]}.mjs"
    path.write_text(script, encoding="utf-8")
    done = subprocess.run(["node", path, *map(str, args)], cwd=folder, capture_output=True, text=True, check=False,
                          timeout=timeout, env=env)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
