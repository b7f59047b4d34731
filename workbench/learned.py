"""Secrets that come to be while a notebook runs: passwords made for its services, or given in addresses.

Whoever makes one says so with `learn`, so that every `workbench.redact.Redactor` of this process finds it. A runner
hears of them too, through a file in memory that its kernel inherits by name: nothing is on disk, and nothing is lost
when the kernel is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from types import TracebackType

VARIABLE = "WORKBENCH_LEARNED"
"""Environment variable with the path of the file in which a runner is told; empty or not there: it need not know."""

_known: set[str] = set()


def learn(values: Iterable[str]) -> None:
    """These are secrets from now on. Never raises for a runner that cannot be told: it has ended."""
    new = {value for value in values if value} - _known
    _known.update(new)
    if new and (path := os.environ.get(VARIABLE)):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(descriptor, "".join(f"{json.dumps(value)}\n" for value in new).encode())
            finally:
                os.close(descriptor)


def known() -> frozenset[str]:
    """What this process has learned."""
    return frozenset(_known)


class Ear:
    """A runner's: what its kernel learns, it learns as well, at the latest when the ``with`` ends."""

    def __init__(self) -> None:
        self._descriptor = os.memfd_create("learned")
        self._heard = 0
        self.environment = {VARIABLE: f"/proc/{os.getpid()}/fd/{self._descriptor}"}
        """For the kernel."""

    def __enter__(self) -> Ear:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.hear()
        os.close(self._descriptor)

    def hear(self) -> None:
        """Learn what was told since."""
        told = os.pread(self._descriptor, os.fstat(self._descriptor).st_size - self._heard, self._heard)
        whole = told[: told.rfind(b"\n") + 1]
        self._heard += len(whole)
        learn(str(json.loads(line)) for line in whole.splitlines())
