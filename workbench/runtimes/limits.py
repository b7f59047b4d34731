"""How many files and sockets the processes of a stack may have open."""

from __future__ import annotations

import contextlib
import resource

MANY_FILES = 1 << 16
"""Descriptors every process of a stack may have, if the system allows it: a thousand sockets need as many."""


def allow_many_files(pid: int) -> None:
    """Raise the limit of a process, and of all it starts, as far as anybody may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    many = MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < many:
        with contextlib.suppress(OSError, ValueError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (many, hard))
