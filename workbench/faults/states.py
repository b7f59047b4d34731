"""What the operating system says of a process: whether it is there, and whether it is stopped."""

from __future__ import annotations

from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


def process_states(pid: int) -> dict[int, str]:
    """The state of a process and of all below it, by process id: "R", "S", "T" (stopped), "Z" (ended, not waited for).

    Empty if it is not there.
    """
    import psutil

    if pid <= 0:
        return {}
    try:
        leader = psutil.Process(pid)
        members = [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess:
        return {}
    return {member.pid: state for member in members if (state := _state(member.pid))}


def in_frozen_group(pid: int) -> bool:
    """Whether its control group is frozen, as those of paused containers are."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return False
    for line in lines:
        _, controllers, path = line.split(":", 2)
        of_two = _GROUPS / path.lstrip("/") / "cgroup.events"  # version 2: one tree for all controllers
        of_one = _GROUPS / "freezer" / path.lstrip("/") / "freezer.state"
        if not controllers and of_two.is_file() and "frozen 1" in of_two.read_text():
            return True
        if controllers == "freezer" and of_one.is_file() and of_one.read_text().strip() == "FROZEN":
            return True
    return False


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
