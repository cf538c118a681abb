import pathlib
import shutil
import tempfile

import pytest

from harness.lab import Lab


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when == "call":
        item.call_failed = report.failed


@pytest.fixture
def lab(request):
    """Processes for one test. Their folder is kept when the test fails."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ica-test-"))
    lab = Lab(folder)
    yield lab
    problems = lab.close()
    failed = bool(problems) or getattr(request.node, "call_failed", True)
    if failed:
        print(lab.logs())
        print(f"folder kept: {folder}")
    else:
        shutil.rmtree(folder)
    assert not problems, "\n".join(problems)
