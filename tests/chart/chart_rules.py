"""Alerts: promtool's own checks, a case for each, a runbook for each."""
import re
import subprocess

import yaml

from harness import helm, tools

MONITORED = {"metrics": {"enabled": True, "forceCrds": True}, "ipfs": {"storage": {"volumeSize": "500G"}}}


def promtool(*args):
    return subprocess.run([tools.ROOT / "scripts" / "promtool", *map(str, args)], capture_output=True, text=True, check=False)


def rules():
    return helm.render(MONITORED).one("PrometheusRule")["spec"]["groups"]


def alerts():
    return [rule["alert"] for group in rules() for rule in group["rules"]]


def test_k133_rules_are_well_formed(tmp_path):
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": rules()}))
    done = promtool("check", "rules", tmp_path / "rules.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_k134_k135_k136_every_alert_fires_and_rests_as_its_cases_say(tmp_path):
    cases = yaml.safe_load((tools.ROOT / "tests/chart/data/alert_cases.yaml").read_text())
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": rules()}))
    (tmp_path / "cases.yaml").write_text(yaml.safe_dump(dict(cases, rule_files=["rules.yaml"])))
    done = promtool("test", "rules", tmp_path / "cases.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    fired, rested = set(), set()
    for test in cases["tests"]:
        for case in test["alert_rule_test"]:
            (fired if case["exp_alerts"] else rested).add(case["alertname"])
    assert fired == rested == set(alerts())


def test_every_alert_has_a_runbook():
    for group in rules():
        for rule in group["rules"]:
            page = tools.ROOT / rule["annotations"]["runbook_url"]
            text = page.read_text()
            assert text.startswith(f"# {rule['alert']}\n")
            for part in ("## What it means", "## What to do"):
                assert part in text, page
    pages = {p.stem for p in (tools.ROOT / "docs/runbooks").glob("*.md")} - {"README"}
    assert pages == set(alerts())


def test_alerts_can_be_left_out():
    left = helm.render(dict(MONITORED, metrics=dict(MONITORED["metrics"], prometheusRule={"disabled": ["StoreStalls"]})))
    names = [r["alert"] for g in left.one("PrometheusRule")["spec"]["groups"] for r in g["rules"]]
    assert "StoreStalls" not in names and len(names) == len(alerts()) - 1


def test_names_are_words():
    for name in alerts():
        assert re.fullmatch(r"([A-Z]+[a-z]+)+", name)
