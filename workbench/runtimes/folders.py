"""Data folders: in memory where there is room, and named after their owner, so that a stale one can be told.

A folder is called ``workbench-<owner>-<random>``, and an owner ``<pid namespace>-<pid>-<start time>``. It goes when its
stack stops, and at the latest when the supervisor sees its owner die. Only if both were killed at once does it stay,
for `sweep` to find.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from workbench.errors import ServiceError

MEMORY = Path("/dev/shm")
ROOM_IN_MEMORY = 1 << 30
LEAST_ROOM = 64 << 20
_NAME = re.compile(r"workbench-(\d+-\d+-\d+)-[0-9a-f]{8}")
_owner_pid = 0


def owner(pid: int = 0) -> str:
    """Of a living process, so that what is named after it can be told from what has lost its owner.

    Without ``pid``, of whoever owns what we make: this process, unless `belong_to` has named another.
    """
    pid = pid or _owner_pid or os.getpid()
    return f"{_namespace()}-{pid}-{_started(pid)}"


def belong_to(pid: int) -> None:
    """What this process makes from now on belongs to another one, which may outlive it; 0: to itself again."""
    global _owner_pid
    _owner_pid = pid


os.register_at_fork(after_in_child=lambda: belong_to(0))


def pid_of(owner: str) -> int:
    return int(owner.split("-")[1])


def is_gone(owner: str) -> bool:
    """Whether the process that called itself so has ended; False for one that cannot be seen from here."""
    _, pid, started = (int(part) for part in owner.split("-"))
    return is_of_this_namespace(owner) and _started(pid) != started


def is_of_this_namespace(owner: str) -> bool:
    """Whether the pid it is named after is a pid of ours."""
    return int(owner.split("-")[0]) == _namespace()


def new_folder(keep: Callable[[Path], None], *, room: int = LEAST_ROOM) -> Path:
    """A new empty folder, in /dev/shm when that has 1 GiB and ``room`` bytes free, else in the temporary directory.

    ``keep`` is told its name before it is made, so that whoever removes it after our death knows it from the beginning.

    Others may pass through it (a server may run as another user) but not list it.
    Raises `ServiceError` when neither place has ``room`` bytes free or can be written.
    """
    disk = Path(tempfile.gettempdir())
    base = MEMORY if _free(MEMORY) >= max(room, ROOM_IN_MEMORY) else disk
    if _free(base) < room:
        raise ServiceError(
            f"No space for the services' data: {disk} has {_free(disk) >> 20:,} MiB free, {MEMORY} has "
            f"{_free(MEMORY) >> 20:,} MiB, and {max(room >> 20, 1):,} MiB are needed. "
            "Free some space, or name a larger folder with the environment variable TMPDIR."
        )
    folder = base / f"workbench-{owner()}-{secrets.token_hex(4)}"
    keep(folder)
    try:
        folder.mkdir()
        folder.chmod(0o711)
    except OSError as error:
        raise ServiceError(
            f"The services' data folder {folder} cannot be made: {error.strerror}. "
            "Name a folder that can be written with the environment variable TMPDIR."
        ) from error
    return folder


@contextlib.contextmanager
def passing() -> Iterator[Path]:
    """A folder of this user's alone in the temporary directory, gone afterwards; what a kill leaves `sweep` finds."""
    folder = Path(tempfile.gettempdir()) / f"workbench-{owner()}-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def stale_folders() -> list[Path]:
    """Data folders of this user whose owner has ended without them being removed."""
    found = []
    for base in dict.fromkeys([MEMORY, Path(tempfile.gettempdir())]):
        for folder in sorted(base.glob("workbench-*")) if base.is_dir() else ():
            named = _NAME.fullmatch(folder.name)
            if named is not None and _is_ours(folder) and is_gone(named[1]):
                found.append(folder)
    return found


def sweep() -> list[Path]:
    """Remove the stale data folders; returns those that are gone."""
    folders = stale_folders()
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return [folder for folder in folders if not folder.exists()]


def _is_ours(folder: Path) -> bool:
    try:
        seen = folder.lstat()
    except OSError:  # gone meanwhile
        return False
    return stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.geteuid()


def _free(path: Path) -> int:
    """Bytes that may be written below ``path``; 0 when it is not a folder we can write to."""
    try:
        numbers = os.statvfs(path)
    except OSError:
        return 0
    return numbers.f_bavail * numbers.f_frsize if os.access(path, os.W_OK | os.X_OK) else 0


def _namespace() -> int:
    """The pid namespace we live in: pids of another one (a container that shares /tmp) say nothing here."""
    return Path("/proc/self/ns/pid").stat().st_ino


def _started(pid: int) -> int:
    """When a living process started, in clock ticks since boot; 0 when there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])
