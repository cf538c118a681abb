"""Prints "PASSED FAILED" test cases of a `ctest -V` log of doctest programs. Of a program that ran twice the
last run counts."""
import re
import sys

text = open(sys.argv[1], encoding="utf-8", errors="replace").read()
counts = {}
for program, ok, bad in re.findall(
        r"^(\d+): \[doctest\] test cases:\s+\d+ \|\s+(\d+) passed \|\s+(\d+) failed", text, re.M):
    counts[program] = (int(ok), int(bad))
passed = sum(ok for ok, _ in counts.values())
failed = sum(bad for _, bad in counts.values())
# A program that crashed or ran into its time limit prints no summary, but ctest counts it; so does one
# that failed after its summary, for instance on a leak.
total = re.search(r"(\d+) tests failed out of (\d+)", text)
if not total:
    failed += 1
failed = max(failed, int(total.group(1)) if total else 0)
print(passed, failed)
