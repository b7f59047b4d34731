"""Finding what a killed process left behind: processes, folders, System V segments."""

import os
import tempfile
import time
from pathlib import Path


def patience_s():
    """What is promised, seconds; of a machine on which many wait to be run at all nothing is."""
    return 3.0 if os.getloadavg()[0] < 3 * (os.cpu_count() or 1) else 10.0


def processes(marker, owner):
    """Living processes with ``marker`` in their environment, or with a working directory in ``owner``'s data folder.

    Redis writes its title over its environment, so that the marker alone would miss it.
    """
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in (os.getpid(), owner):
            try:
                marked = marker.encode() in (entry / "environ").read_bytes()
                where = str((entry / "cwd").readlink())
            except OSError:  # it has ended, or is a zombie
                continue
            if marked or ("/workbench-" in where and f"-{owner}-" in where):
                found.append(int(entry.name))
    return found


def alive(pid):
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def folders(owner):
    """Data folders named after ``owner``."""
    bases = {Path("/dev/shm"), Path(tempfile.gettempdir())}
    return [folder for base in bases for folder in base.glob(f"workbench-*-{owner}-*")]


def segments(creators):
    """System V segments made by one of these processes."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return [line.split()[1] for line in lines if int(line.split()[4]) in creators]


def left(marker, owner, known=(), but=()):
    """What is still there after the patience: an empty list when all is gone.

    ``known`` are pids that must have ended; ``but`` are processes that may stay.
    """
    deadline = time.monotonic() + patience_s()
    while True:
        living = {*processes(marker, owner), *filter(alive, known)} - set(but)
        found = [*living, *folders(owner), *segments(set(known))]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.02)
