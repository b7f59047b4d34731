"""System V shared memory that dead processes left: a SIGKILLed PostgreSQL leaves a segment.

A module of the supervisor's, which imports it by its name alone, without the package.
"""

# ruff: noqa: PTH123 - pathlib would take as long to import as the rest of the supervisor

import contextlib
import ctypes

IPC_RMID = 0


def free(creators: set[int]) -> set[int]:
    """Remove the segments of these dead that nobody is attached to; whose are attached still."""
    held = set()
    with contextlib.suppress(OSError), open("/proc/sysvipc/shm") as table:
        next(table)
        for line in table:
            _, segment, _, _, creator, _, attached = line.split()[:7]
            if int(creator) in creators:
                if attached == "0":
                    ctypes.CDLL(None).shmctl(int(segment), IPC_RMID, None)
                else:
                    held.add(int(creator))
    return held
