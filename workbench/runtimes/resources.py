"""What a process and those below it use: CPU, memory, descriptors; read from /proc, which costs next to nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import ServiceError

_PER_S, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
# The fields of /proc/<pid>/stat, counted from behind the name.
_STATE, _PARENT, _CPU, _CPU_OF_ENDED, _THREADS, _BEGAN, _RSS = 0, 1, slice(11, 13), slice(13, 15), 17, 19, 21


@dataclass(frozen=True)
class Resources:
    """What a service and the processes below it use now."""

    cpu_s: float  # CPU time since their start, seconds, with that of children that have ended
    rss_bytes: int  # resident memory; what processes share counts for each of them
    descriptors: int  # open files and sockets

    def __repr__(self) -> str:
        return f"{self.cpu_s:.2f} s of CPU, {self.rss_bytes / 1e6:,.1f} MB resident, {self.descriptors} descriptors"


def measure(pid: int) -> Resources:
    """The sum over a process and all below it. Raises `ServiceError` when it has ended."""
    cpu_s, pages, descriptors = 0.0, 0, 0
    first = True
    for member, fields in _tree(pid):
        if first and (not fields or fields[_STATE] in (b"Z", b"X") or fields[_RSS] == b"0"):  # the last: as it ends
            raise ServiceError(f"Process {pid} has ended, so it uses nothing.")
        first = False
        if fields:  # else a short-lived worker that has ended meanwhile
            cpu_s += _cpu_s(member, fields)
            pages += int(fields[_RSS])
            descriptors += _descriptors(member)
    return Resources(cpu_s, pages * _PAGE, descriptors)


def age_s(pid: int) -> float:
    """Seconds since a process was started. Raises `ServiceError` when it has ended."""
    if not (fields := _stat(pid)):
        raise ServiceError(f"Process {pid} has ended.")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[_BEGAN]) / _PER_S


def _cpu_s(pid: int, fields: list[bytes]) -> float:
    """By the clock of the process, which is exact: what ``stat`` says is in steps of 10 ms. Of children that have ended
    nothing better is known."""
    ended = sum(map(int, fields[_CPU_OF_ENDED])) / _PER_S
    try:
        return time.clock_gettime(~pid << 3 | 2) + ended  # as clock_getcpuclockid(3) makes it
    except OSError:  # it has ended just now
        return sum(map(int, fields[_CPU])) / _PER_S + ended


def _tree(pid: int) -> Iterator[tuple[int, list[bytes]]]:
    """A process and all below it, each with the fields of its ``stat``; none of one that has ended."""
    below: dict[int, list[int]] | None = None  # of every process, where the kernel does not list children
    waiting, seen = [pid], {pid}
    while waiting:
        member = waiting.pop()
        fields = _stat(member)
        yield member, fields
        if not fields:
            continue
        found = _children(member, threads=int(fields[_THREADS])) if below is None else None
        if found is None:
            below = _all_children() if below is None else below
            found = below.get(member, [])
        waiting += [child for child in found if child not in seen]
        seen.update(found)


def _stat(pid: int) -> list[bytes]:
    return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()


def _children(pid: int, *, threads: int) -> list[int] | None:
    """Those that each of its threads has started; None where the kernel does not tell (CONFIG_PROC_CHILDREN)."""
    tasks = [str(pid)]
    if threads > 1:
        try:
            tasks = _names(f"/proc/{pid}/task")
        except OSError:  # it has ended
            return []
    found = b" ".join(_read(f"/proc/{pid}/task/{task}/children") for task in tasks)
    if not found and not Path("/proc/thread-self/children").exists():
        return None
    return list(map(int, found.split()))


def _all_children() -> dict[int, list[int]]:
    """Of every process that there is, the processes it is the parent of."""
    below: dict[int, list[int]] = {}
    for name in _names("/proc"):
        if name.isdigit() and (fields := _stat(int(name))):
            below.setdefault(int(fields[_PARENT]), []).append(int(name))
    return below


def _descriptors(pid: int) -> int:
    """Open ones; 0 of a process that has ended or that may not be looked into."""
    folder = f"/proc/{pid}/fd"
    try:
        return Path(folder).stat().st_size or len(_names(folder))  # their number is the size since Linux 6.2
    except OSError:
        return 0


def _names(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # it ended just now
        return b""
    finally:
        os.close(descriptor)
