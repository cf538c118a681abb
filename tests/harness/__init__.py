"""Real processes for the tests: unmodified Kubo, our agent, the reference's peer, a stand-in for Kubo.

A test takes the fixture `lab` (tests/conftest.py) and starts what it needs from it. Each process has its own
folder, free loopback ports and a log file; the lab stops everything at the end and fails the test on
sanitizer reports, unexpected ERROR lines, and processes that did not go away.
"""
