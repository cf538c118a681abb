import os
import pathlib
import shutil
import tempfile

import pytest

from harness import corpus
from harness.lab import Lab

# Programs that are built with the thread sanitizer read it; others do not.
os.environ.setdefault("TSAN_OPTIONS", f"suppressions={pathlib.Path(__file__).with_name('tsan.supp')}")


# Files whose tests build on each other's state: with --last-failed they run whole, or the failed one would miss the rest.
STORIES = ("integration/rest_corpus.py", "integration/ctl_output.py")


def pytest_addoption(parser):
    group = parser.getgroup("ipfs-cluster-agent")
    group.addoption("--target", choices=("ours", "go"), default="ours", help="peer that the tests run")
    group.addoption("--peers", type=int, choices=(1, 3), default=1, help="peers of rest_corpus")
    group.addoption("--groups", help="groups of recordings, comma-separated")
    group.addoption("--no-live", dest="live", action="store_false", help="recordings only, no peer of the reference")
    group.addoption("--long", action="store_true", help="the long forms of crash and input tests")


def pytest_configure(config):
    config.addinivalue_line("markers", "long_timeout(seconds): the limit of a test's long form")
    config.corpus_exceptions = {e["id"]: e for e in corpus.load("exceptions.json")}
    if config.getoption("lf"):
        failed = config.pluginmanager.get_plugin("lfplugin").lastfailed
        stories = {test.split("::")[0] for test in failed} & set(STORIES)
        failed.update((test, True) for test in config.cache.get("cache/nodeids", []) if test.split("::")[0] in stories)


def pytest_collection_modifyitems(config, items):
    for item in items:
        longer = config.getoption("--long") and item.get_closest_marker("long_timeout")
        if longer:
            item.add_marker(pytest.mark.timeout(*longer.args), append=False)


def pytest_terminal_summary(terminalreporter):
    exceptions = terminalreporter.config.corpus_exceptions.values()
    if exceptions and any("rest_corpus" in str(r.nodeid) for rs in terminalreporter.stats.values() for r in rs
                          if hasattr(r, "nodeid")):
        terminalreporter.section("known differences from the recordings")
        for exception in exceptions:
            terminalreporter.line(f"{exception['id']} ({', '.join(exception['differs'])}): {exception['reason']}")


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


@pytest.fixture
def flavour(pytestconfig):
    """Which peer a test runs: ours, or with --target go the reference, to check the test itself."""
    return pytestconfig.getoption("--target")


@pytest.fixture
def long_form(pytestconfig):
    return pytestconfig.getoption("--long")
