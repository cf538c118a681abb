"""docs/dependencies.md names what scripts/deps installs and what the programs are linked with, no more and no less."""
import os
import pathlib
import re
import subprocess

import pytest

from harness import tools

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRESET = os.environ.get("ICA_PRESET", "release")


def rows():
    """{package: cells} of both tables."""
    found = {}
    for line in (ROOT / "docs/dependencies.md").read_text().splitlines():
        if match := re.match(r"\| \[([^\]]+)\]\((\S+)\) \| (.*) \|$", line):
            assert match[2] == f"https://packages.debian.org/bookworm/{match[1]}", line
            assert match[1] not in found, line
            found[match[1]] = [cell.strip() for cell in match[3].split("|")]
    return found


def linked_files():
    return {name for cells in rows().values() if len(cells) == 5 for name in cells[3].split()}


def test_packages_are_those_that_are_installed():
    text = (ROOT / "scripts/deps").read_text()
    boost = re.search(r'"debian 12"\) boost=(\S+)', text)[1]
    packages = re.search(r"^build=\(([^)]*)\)", text, re.M)[1].replace('"$boost"', boost).split()
    assert sorted(rows()) == sorted(packages)


@pytest.mark.skipif("VERSION_ID=\"12\"" not in pathlib.Path("/etc/os-release").read_text(), reason="versions are Debian 12's")
def test_versions():
    shown = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *rows()], capture_output=True, text=True)
    for line in shown.stdout.splitlines():
        package, version = line.split()
        assert rows()[package][0] in version, line


@pytest.mark.skipif(PRESET in ("asan", "tsan", "fuzz"), reason="instrumented programs have other libraries")
def test_libraries_are_those_that_are_linked():
    shared = set()
    for program in ("ipfs-cluster-agent", "ipfs-cluster-ctl"):
        text = subprocess.run(["readelf", "-dW", tools.our(program)], capture_output=True, text=True, check=True).stdout
        shared |= {name.split(".so")[0] for name in re.findall(r"NEEDED.*\[([^\]]+)\]", text)}
    ninja = (ROOT / "build" / PRESET / "build.ninja").read_text()
    link = re.search(r"^build bin/ipfs-cluster-agent: .*?^  LINK_LIBRARIES = (.*?)$", ninja, re.M | re.S)[1]
    archives = {pathlib.Path(part).name for part in link.split() if part.startswith("/") and part.endswith(".a")}
    assert shared - {"ld-linux-x86-64", "ld-linux-aarch64"} | archives == linked_files()
