"""What scripts/release makes: a Debian package and a tarball whose programs run, and sums that hold."""
import hashlib
import pathlib
import re
import subprocess
import tarfile

from harness import tools

VERSION = "9.8.7-rc1"


def make(folder, *arguments):
    programs = tools.our("ipfs-cluster-agent").parent
    done = subprocess.run([tools.ROOT / "scripts" / "release", "--version", VERSION, "--programs", programs,
                           "--out", folder, "--no-image", "--no-chart", *arguments],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.name: path for path in pathlib.Path(folder).iterdir()}


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_package_tarball_and_sums(tmp_path):
    files = make(tmp_path / "out")
    deb = next(path for name, path in files.items() if name.endswith(".deb"))
    tarball = next(path for name, path in files.items() if name.endswith(".tar.gz"))

    # A candidate sorts before its release.
    assert run("dpkg-deb", "--field", str(deb), "Version").strip() == "9.8.7~rc1"
    depends = run("dpkg-deb", "--field", str(deb), "Depends")
    assert re.search(r"\blibc6\b", depends) and "adduser" in depends
    root = tmp_path / "root"
    run("dpkg-deb", "-x", str(deb), str(root))
    unit = (root / "lib/systemd/system/ipfs-cluster-agent.service").read_text()
    for program in re.findall(r"^ExecStart=(\S+)", unit, re.M):
        assert (root / program.lstrip("/")).exists(), program
    assert run(root / "usr/bin/ipfs-cluster-agent", "version").splitlines()[0] == "1.1.6"
    assert "ipfs-cluster-ctl version" in run(root / "usr/bin/ipfs-cluster-ctl", "--version")

    with tarfile.open(tarball) as tar:
        names = {pathlib.PurePath(name).name for name in tar.getnames()}
    assert {"ipfs-cluster-agent", "ipfs-cluster-ctl", "LICENSE-MIT", "LICENSE-APACHE", "CHANGELOG.md"} <= names

    sums = dict(reversed(line.split()) for line in files["SHA256SUMS"].read_text().splitlines())
    assert set(sums) == set(files) - {"SHA256SUMS"}
    for name, wanted in sums.items():
        assert hashlib.sha256(files[name].read_bytes()).hexdigest() == wanted, name


def test_same_tarball_twice(tmp_path):
    """Nothing of the moment goes into it."""
    digests = set()
    for name in ("a", "b"):
        files = make(tmp_path / name)
        digests.add(hashlib.sha256(next(p for n, p in files.items() if n.endswith(".tar.gz")).read_bytes()).digest())
    assert len(digests) == 1


def test_wrong_version_is_refused(tmp_path):
    done = subprocess.run([tools.ROOT / "scripts" / "release", "--version", "latest", "--out", tmp_path / "x"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "is not a version" in done.stderr
