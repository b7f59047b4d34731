"""Waiting for what takes its time."""

import contextlib
import time


def eventually(true, *, within_s=30.0, but=()):
    """Wait until something holds, and hand back what it said; fails if it does not in time. The errors ``but`` count as
    not yet."""
    deadline = time.monotonic() + within_s
    while True:
        with contextlib.suppress(*but):
            if found := true():
                return found
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.02)
