"""What a process and those below it use: CPU, memory, descriptors."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.errors import ServiceError


@dataclass(frozen=True)
class Resources:
    """What a service and the processes below it use now."""

    cpu_s: float  # CPU time since their start, seconds
    rss_bytes: int  # resident memory
    descriptors: int  # open files and sockets

    def __repr__(self) -> str:
        return f"{self.cpu_s:.2f} s of CPU, {self.rss_bytes / 1e6:,.1f} MB resident, {self.descriptors} descriptors"


def measure(pid: int) -> Resources:
    """The sum over a process and all below it. Raises `ServiceError` when it has ended."""
    import psutil

    try:
        leader = psutil.Process(pid)
        members = [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess as error:
        raise ServiceError(f"Process {pid} has ended, so it uses nothing.") from error
    cpu, rss, descriptors = 0.0, 0, 0
    for member in members:
        try:
            with member.oneshot():
                times = member.cpu_times()
                cpu += times.user + times.system
                rss += member.memory_info().rss
                descriptors += member.num_fds()
        except psutil.Error:  # a short-lived worker that has ended meanwhile
            continue
    return Resources(cpu, rss, descriptors)
