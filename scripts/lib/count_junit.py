"""Prints "PASSED FAILED" of a pytest JUnit file. No file, or no tests in it, is one failure.

With more files, each of a run of what had failed before: what passed there counts as passed, and is named on
standard error, because its outcome depends on something.
"""
import os
import sys
import xml.etree.ElementTree as tree


def read(path):
    """Names of passed and of failed tests."""
    passed, failed = set(), set()
    if os.path.exists(path):
        for case in tree.parse(path).getroot().iter("testcase"):
            name = f"{case.get('classname')}::{case.get('name')}"
            kinds = {child.tag for child in case}
            if kinds & {"failure", "error"}:
                failed.add(name)
            elif "skipped" not in kinds:
                passed.add(name)
    return passed - failed, failed


passed, failed = read(sys.argv[1])
for path in sys.argv[2:]:
    again, still = read(path)
    for name in sorted(failed & again):
        print(f"passed only when run again: {name}", file=sys.stderr)
    passed |= again
    failed = (failed - again) | still
print(len(passed), len(failed) if passed or failed else 1)
