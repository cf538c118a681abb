"""Every command that README, CONTRIBUTING and docs/ print: run here as printed, by another test, or said why not."""
import importlib.util
import pathlib
import re
import subprocess

import pytest

from harness import tools
from harness.pins import cid_of
from harness.wait import wait_until

PAGES = [tools.ROOT / "README.md", tools.ROOT / "CONTRIBUTING.md", *sorted((tools.ROOT / "docs").rglob("*.md")),
         tools.ROOT / "charts/ipfs-cluster/README.md"]
RELEASE = "tests/k8s/release.py"

# Pattern of a command: file whose test runs it, what shows that in the file.
ELSEWHERE = [
    (r"scripts/quickstart ", "tests/integration/quickstart.py", "scripts/quickstart"),
    (r"scripts/deps ", ".ci/run", "scripts/deps"),
    (r"scripts/test ", ".ci/run", "scripts/test"),
    (r"ICA_PRESET=asan scripts/test ", "scripts/test", "ICA_PRESET"),
    (r"scripts/build dev all ", "scripts/test", "scripts/build"),
    (r"scripts/format ", "scripts/test", "scripts/format"),
    (r"scripts/image ", "docs/operations/install.md", "prints the size"),
    (r"build/release/bin/(crdt|orchestration)_(sim|differential) ", "scripts/test", "crdt_differential"),
    (r"ipfs pin remote ", "tests/integration/pinsvc.py", '"remote"'),
    (r"ipfs-cluster-ctl peers (cordon|drain|uncordon) NAME", "tests/integration/orchestration.py", "drain"),
    (r"ipfs-cluster-ctl rebalance --(dry-run|start|stop)", "tests/integration/orchestration.py", "rebalance"),
    (r"ipfs-cluster-ctl state compact ", "tests/integration/ctl_extras.py", '"state", "compact"'),
    (r"ipfs-cluster-agent identity derive ", "tests/chart/chart_scripts.py", '"derive"'),
    (r"helm (install|upgrade) my-ipfs-cluster ", RELEASE, "def helm"),
    (r"helm test my-ipfs-cluster ", RELEASE, "helm test"),
    (r"helm rollback my-ipfs-cluster ", RELEASE, "helm rollback"),
    (r"helm uninstall my-ipfs-cluster ", RELEASE, "helm uninstall"),
    (r"kubectl exec .* (tar -czf|ipfs-cluster-ctl (status|pin recover)|ipfs pin ls|df -h) ?", RELEASE, "tar -czf"),
    (r"kubectl exec .* tar -xzf ", RELEASE, "tar -xzf"),
    (r"kubectl exec .*/allocations > pinset\.json", RELEASE, "pinset"),
    (r"kubectl cp .*cluster-backup", RELEASE, "kubectl cp"),
    (r"kubectl delete pod ", RELEASE, "delete pod"),
    (r"kubectl delete pvc ", RELEASE, "delete pvc"),
    (r"kubectl port-forward ", RELEASE, "kubectl port-forward"),
    (r"kubectl rollout status ", RELEASE, "wait_settled"),
    (r"kubectl logs .*drain", RELEASE, "scale_down"),
]
# Pattern: why nothing runs it.
NOT_RUN = {
    r"git clone <this repository>": "the reader has the address",
    r"docker push ": "to a registry of the reader's",
    r"velero ": "a program and an object store of the reader's",
    r"scripts/lint --changed": "clang-tidy takes longer than all tests",
    r"scripts/bench ": "measures for hours, with nothing else running",
    r"kubectl (create namespace|cp pinset.json|exec -n) ?.*drill|helm install drill|kubectl create namespace drill": "a second "
    "release of the same charts beside the first does not fit the test's node",
    r"kubectl cp pinset\.json ipfs/|kubectl exec .* sh -c '?sed": "the loop is run here, without kubectl",
    r"kubectl create job ": "needs backup.enabled; tests/chart renders it and runs its script",
    r"kubectl create secret |kubectl patch pvc |for n in 0 1 2; do kubectl patch|kubectl delete statefulset": "needs a storage "
    "class that grows volumes, or changes the logins of the whole test",
    r"kubectl top ": "needs a metrics server",
    r"kubectl logs .* --previous": "needs a container that has died",
    r"kubectl get (virtualservice|gateway) ": "needs Istio",
    r"kubectl rollout restart ": "the same as deleting the pods one by one",
}
INLINE = re.compile(r"`(ipfs-cluster-(?:ctl|agent) [^`]*)`")
PLACEHOLDER = re.compile(r"^<.*|^[A-Z]+$|.*[./~].*|^\d+$")


def block_commands(page):
    """(line, command on one line) of the page's blocks of commands; tables and trees are no commands."""
    text = page.read_text(encoding="utf-8")
    for match in re.finditer(r"^ *```(\w*)\n(.*?)^ *```$", text, re.M | re.S):
        if match[1] not in ("", "sh", "bash", "console"):
            continue
        line = text.count("\n", 0, match.start()) + 2
        for command in match[2].replace("\\\n", " ").splitlines():
            if command.strip():
                yield line, re.sub(r"\s+", " ", command.strip())


def all_commands():
    return [(page, line, command) for page in PAGES for line, command in block_commands(page)]


def run_in_release():
    """What the test of a release takes out of the operations guide by itself."""
    spec = importlib.util.spec_from_file_location("release", tools.ROOT / RELEASE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {re.sub(r"\s+", " ", command) for command in module.commands_of_the_guide()}


def run_here():
    return {command for _, command in block_commands(tools.ROOT / "README.md")
            if command.startswith(("curl ", "cid=$(curl", "echo "))}


def test_every_command_is_run_or_said_why_not():
    known = run_in_release() | run_here()
    used, homeless = set(), []
    for page, line, command in all_commands():
        patterns = [p for p, _, _ in ELSEWHERE if re.match(p, command + " ")] + \
                   [p for p in NOT_RUN if re.match(p, command + " ")]
        used.update(patterns)
        if command not in known and not patterns:
            homeless.append(f"{page.relative_to(tools.ROOT)}:{line}: {command}")
    assert not homeless, "run by no test, and no reason is given:\n" + "\n".join(homeless)
    idle = {p for p, _, _ in ELSEWHERE} | set(NOT_RUN)
    assert not idle - used, f"no page has a command like these: {idle - used}"


def test_the_other_tests_have_them():
    for pattern, file, words in ELSEWHERE:
        path = tools.ROOT / file
        assert path.is_file() and words in path.read_text(encoding="utf-8"), f"{pattern}: {file} has no {words}"


def test_files_and_options_of_commands_exist():
    wrong = []
    for page, line, command in all_commands():
        for word in re.findall(r"(?:^|[\s=(])((?:scripts|tests)/[\w./-]+)", command):
            if not (tools.ROOT / word).exists():
                wrong.append(f"{page.relative_to(tools.ROOT)}:{line}: there is no {word}")
    assert not wrong, "\n".join(wrong)


def test_the_commands_of_the_readme(lab, tmp_path):
    """The block with curl, as printed but for the port."""
    kubo = lab.kubo()
    peer = lab.peer(kubo)
    peer.wait_candidates()
    script = "\n".join(c for _, c in block_commands(tools.ROOT / "README.md") if c in run_here())
    assert script.count("curl") == 8
    script = script.replace("127.0.0.1:9094", f"127.0.0.1:{peer.rest_port}")
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60,
                          env=tools.clean_env(), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ('"name":"hello"', '"status":"pinned"', '"green"', '"peername"', '"kubo_reachable"'):
        assert words in done.stdout, (words, done.stdout)
    assert not peer.pinset()


def test_the_loop_that_restores_a_list_of_pins(lab, tmp_path):
    """docs/operations/backup.md pins what a saved list has, through the client."""
    page = (tools.ROOT / "docs/operations/backup.md").read_text(encoding="utf-8")
    loop = re.search(r"^  '(sed -n .*done)'$", page, re.M)[1]
    peer = lab.peer(lab.fake_kubo())
    peer.wait_candidates()
    cids = [cid_of(f"restored-{n}") for n in range(5)]
    (tmp_path / "pinset.json").write_text("".join('{"cid":"%s","name":""}\n' % cid for cid in cids))
    program = loop.replace("/tmp/pinset.json", str(tmp_path / "pinset.json"))
    program = program.replace("ipfs-cluster-ctl", f"{tools.our('ipfs-cluster-ctl')} --host /ip4/127.0.0.1/tcp/{peer.rest_port}")
    done = subprocess.run(["sh", "-c", program], capture_output=True, text=True, timeout=60, env=tools.clean_env(), check=False)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: set(peer.pinset()) == set(cids), 10, "all of the list are pinned")


def inline_commands():
    found = {}
    for page in PAGES:
        for match in INLINE.finditer(page.read_text(encoding="utf-8")):
            found.setdefault(re.split(r" [|>] ?", match[1])[0].strip(), page.relative_to(tools.ROOT))
    for page, _, command in all_commands():
        for match in re.finditer(r"(?:^|-- )(ipfs-cluster-(?:ctl|agent) .*)$", re.sub(r" #.*", "", command)):
            found.setdefault(match[1], page.relative_to(tools.ROOT))
    return sorted(found.items())


@pytest.mark.parametrize("command,page", inline_commands(), ids=[command for command, _ in inline_commands()])
def test_commands_and_their_flags_exist(command, page):
    """By the help of each: a command that is not there has none."""
    program, *words = command.split()
    path, flags = [], []
    for word in words:
        if word.startswith("-"):
            flags.append(word.split("=")[0])
        elif not flags and not PLACEHOLDER.match(word) and not word.endswith("..."):
            path.append(word)
    helped = lambda *argv: subprocess.run([tools.our(program), *argv, "--help"], capture_output=True, text=True, timeout=20,
                                          env=tools.clean_env(), check=False).stdout
    text = helped(*path)
    title = " ".join([program, *path])
    assert f"{title} - " in text or (len(path) == 0 and program in text), f"{page}: there is no command {title}"
    known = text + helped()
    for flag in flags:
        assert re.search(rf"(^|[\s,]){re.escape(flag)}([\s,]|$)", known), f"{page}: {title} has no {flag}"
