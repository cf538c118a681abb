"""docs/chart-rows.md names for each promise of the guide what shows it; the chart's README has every value."""
import re
import subprocess

import yaml

from harness import helm, tools

PAGE = tools.ROOT / "docs/chart-rows.md"
ROW = re.compile(r"^\| K(\d+) \| (.+?) \| (.+) \|$", re.M)


def test_every_row_is_there_once():
    assert [int(n) for n, _, _ in ROW.findall(PAGE.read_text())] == list(range(1, 185))


def test_what_a_row_names_exists():
    for number, _, proofs in ROW.findall(PAGE.read_text()):
        named = re.findall(r"`([^`]+)`", proofs)
        assert named, number
        for name in named:
            path, _, test = name.partition("::")
            assert (tools.ROOT / path).is_file(), name
            assert not test or re.search(rf"^def {test}\(", (tools.ROOT / path).read_text(), re.M), name


def test_rows_in_the_names_of_tests_lead_back():
    """A test that names a row is named by that row."""
    rows = {int(n): proofs for n, _, proofs in ROW.findall(PAGE.read_text())}
    for file in [*(tools.ROOT / "tests/chart").glob("*.py"), *(tools.ROOT / "tests/k8s").glob("*.py")]:
        for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.M):
            for number in re.findall(r"_k(\d+)(?=_|$)", name):
                if not re.search(rf"_to_k{number}(?=_|$)|_k{number}_to_", name):
                    assert name in rows[int(number)], (name, number)


def test_readme_has_the_values_as_they_are():
    done = subprocess.run([tools.ROOT / "scripts/chart-docs", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_pages_of_the_guide_name_values_and_commands_that_there_are():
    values = yaml.safe_load((helm.CHART / "values.yaml").read_text())
    # The manual, because --help has the reference's commands only.
    known = subprocess.run([tools.our("ipfs-cluster-ctl"), "man"], capture_output=True, text=True, check=True).stdout
    for page in [*(tools.ROOT / "docs/operations").glob("*.md"), *(tools.ROOT / "docs/runbooks").glob("*.md")]:
        text = page.read_text()
        named = re.findall(r"--set(?:-string)? ([a-zA-Z.]+)=", text) + re.findall(r"`((?:cluster|ipfs|metrics|bootstrap|backup|drain|identity|velero)\.[a-zA-Z.]+)[:`]", text)
        for key in named:
            node = values
            for part in key.split("."):
                if node in ({}, None) or "type" in node:  # what Kubernetes defines
                    break
                assert part in node, (page.name, key)
                node = node[part]
        for command in re.findall(r"ipfs-cluster-ctl (?:--\S+ )*([a-z]+)", text):
            assert re.search(rf"^\.SS \"{command}\b", known, re.M), (page.name, command)


def test_pages_of_the_guide_link_to_what_there_is():
    for page in [*(tools.ROOT / "docs/operations").glob("*.md"), *(tools.ROOT / "docs/runbooks").glob("*.md"), tools.ROOT / "charts/ipfs-cluster/README.md"]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), (page.name, link)
