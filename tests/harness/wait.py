"""Waiting for a condition with a deadline, instead of sleeping for a guessed time."""
import time


class WaitError(AssertionError):
    """The condition did not come true in time."""


def wait_until(condition, deadline, why, interval=0.05):
    """Calls condition() until it returns something true, which is returned.

    deadline: seconds. why: what is waited for, for the message. An exception of the condition counts as
    "not yet" and is shown if it is the last thing that happened.
    """
    end = time.monotonic() + deadline
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except Exception as error:  # noqa: BLE001 - whatever the condition raises is only reported
            last = error
        if time.monotonic() >= end:
            raise WaitError(f"waited {deadline} s for: {why}; last: {last!r}")
        time.sleep(interval)
