"""Prints "PASSED FAILED" of a pytest JUnit file. No file, or no tests in it, is one failure.

With a second file, of a run of what failed in the first: what passed there counts as passed, and is named on
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
if len(sys.argv) > 2:
    again, still = read(sys.argv[2])
    for name in sorted(failed & again):
        print(f"passed only the second time: {name}", file=sys.stderr)
    passed |= again
    failed = (failed - again) | still
print(len(passed), len(failed) if passed or failed else 1)
