"""What stays up when its command or notebook has ended: a folder each, per user, that says what it is.

``<state>/standing/<name>/`` holds ``state.json``, readable by this user alone, and the logs. It is there from the
moment the name is taken. Whoever owns it has it removed at its own end; one whose owner is dead is removed by the next
look. ``WORKBENCH_STATE`` names another place than the user's state folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import select
import shlex
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import ServiceError, UsageError
from workbench.history import whole
from workbench.runtimes.folders import is_gone, is_of_this_namespace, owner, pid_of

VARIABLE = "WORKBENCH_STATE"
NAME = "default"
"""Of a stack that is brought up without one."""
END_S = 15.0
"""How long one that was asked to end may take before it is killed."""
_GONE_S = 5.0
_ATTEMPTS = 100
"""To take a name that others leave and take at the same time."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_FILE = "state.json"


@dataclass(frozen=True)
class Standing:
    """One that is up. ``about`` is what its file says."""

    name: str
    folder: Path
    about: dict[str, Any]

    @property
    def pid(self) -> int:
        """Of the process that owns it, and takes it along."""
        return pid_of(self.about["owner"])

    @property
    def here(self) -> bool:
        """Whether its owner is a process of this machine and this pid namespace: others cannot be seen or ended."""
        return _is_here(self.about)

    @property
    def ready(self) -> bool:
        return bool(self.about.get("ready"))

    @property
    def kept(self) -> bool:
        """Whether it was left by a red notebook: nobody can reuse it."""
        return self.about.get("kind") == "kept"

    def __repr__(self) -> str:
        what = "kept" if self.kept else "up" if self.ready else "starting"
        return f"{self.name}, {what}, owned by process {self.pid}: {', '.join(self.about.get('services', {}))}"


def place() -> Path:
    """Where the folders are. Raises `ServiceError` if it cannot be made."""
    import platformdirs

    given = os.environ.get(VARIABLE)
    path = (Path(given) if given else platformdirs.user_state_path("workbench")) / "standing"
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ServiceError(
            f"The state folder {path} cannot be made: {error.strerror}. Name another with the environment variable "
            f"{VARIABLE}."
        ) from error
    return path


def check_name(name: object) -> str:
    """The name, or `UsageError`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(f"A stack that stays up is named by letters, digits, - and _, as in 'shop'; got {name!r}.")
    return name


def claim(name: str, about: dict[str, Any], *, pid: int) -> Path | None:
    """Take a name for the process ``pid``: its folder, or None if somebody who lives has it."""
    folder = place() / check_name(name)
    beside = folder.with_name(f".{name}-{secrets.token_hex(4)}")
    try:
        beside.mkdir(mode=0o700)
    except OSError as error:
        raise ServiceError(
            f"The state folder {folder.parent} cannot be written to: {error.strerror}. Name another with the "
            f"environment variable {VARIABLE}."
        ) from error
    try:
        _write(beside, {"schema": 1, "name": name, "host": _host(), "owner": owner(pid), "ready": False, **about})
        for _ in range(_ATTEMPTS):
            try:
                return beside.rename(folder)
            except OSError as error:
                why = error
                if _read(folder) is not None:
                    return None
                _remove(folder)
        raise ServiceError(f"{folder} cannot be made: {why}. Remove it, or name another place with {VARIABLE}.")
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def update(folder: Path, **about: Any) -> None:
    """Add to what a folder of ours says."""
    _write(folder, json.loads((folder / _FILE).read_text()) | about)


def set_aside(folder: Path) -> Path:
    """What did not come up: its logs stay, until another of that name fails, and its name is free."""
    failed = folder.parent.parent / "failed" / folder.name
    failed.parent.mkdir(exist_ok=True, mode=0o700)
    _remove(failed)
    with contextlib.suppress(OSError):
        (folder / _FILE).unlink()
        folder.rename(failed)
    return failed


def all_standing() -> list[Standing]:
    """Those whose owner lives, by name. The folders of others are removed, but not what somebody is making."""
    found = []
    for folder in sorted(place().iterdir()):
        if folder.name.startswith("."):
            continue
        if (standing := _read(folder)) is None:
            _remove(folder)
        else:
            found.append(standing)
    return found


def write_addresses(folder: Path, urls: Mapping[str, str]) -> None:
    """``env``, for a shell to read: REDIS_URL=… of every service. It holds passwords, as does ``state.json``."""
    lines = [f"{re.sub(r'[^A-Za-z0-9]', '_', name).upper()}_URL={shlex.quote(url)}" for name, url in urls.items()]
    with _for_us_alone():
        whole.write(folder / "env", "\n".join([*lines, ""]))


def find(name: str) -> Standing | None:
    """The one of that name, if its owner lives."""
    return next((one for one in all_standing() if one.name == name), None)


def end(standing: Standing, *, patience_s: float = END_S) -> None:
    """Ask the owner to end, kill it if it does not, and wait until nothing is left. Raises `ServiceError`.

    `UsageError` if it is of another machine or container: its process id is somebody else's here.
    """
    if not standing.here:
        raise UsageError(
            f"{standing.name} cannot be ended from here: it is owned by process {standing.pid} of another machine or "
            f"container ({standing.about.get('host') or 'unknown'}). End it there: workbench down {standing.name}. If "
            f"there is no such place any more, remove {standing.folder}"
        )
    for number, patience in ((signal.SIGTERM, patience_s), (signal.SIGKILL, _GONE_S)):
        if _signal(standing, number, patience_s=patience):
            break
    else:
        raise ServiceError(f"{standing.name} does not end: the kernel holds process {standing.pid}.")
    deadline = time.monotonic() + _GONE_S
    while standing.folder.exists() and time.monotonic() < deadline:  # its supervisor removes it, last of all
        time.sleep(0.005)
    _remove(standing.folder)


def _signal(standing: Standing, number: int, *, patience_s: float) -> bool:
    """Whether the owner, and nobody who has its number by now, has ended within that time of the signal."""
    try:
        descriptor = os.pidfd_open(standing.pid)
    except ProcessLookupError:
        return True
    try:
        if is_gone(standing.about["owner"]):
            return True
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, number)
        return bool(select.select([descriptor], [], [], patience_s)[0])
    finally:
        os.close(descriptor)


def signal_owner(standing: Standing, number: int) -> None:
    """Send a signal to the owner, and not wait."""
    _signal(standing, number, patience_s=0)


def _read(folder: Path) -> Standing | None:
    """None if there is no owner, or it is dead. Raises `ServiceError` if that cannot be known."""
    try:
        about = json.loads((folder / _FILE).read_text())
        if about["schema"] != 1 or (_is_here(about) and is_gone(about["owner"])):
            return None
        return Standing(folder.name, folder, about)
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None
    except OSError as error:  # too many open files, another user's: it may well be up
        raise ServiceError(f"What is up cannot be read from {folder}: {error.strerror}.") from error


def _is_here(about: Mapping[str, Any]) -> bool:
    return about.get("host", _host()) == _host() and is_of_this_namespace(about["owner"])


def _host() -> str:
    """A home folder may be shared by machines, whose process ids say nothing of each other."""
    return os.uname().nodename


def _write(folder: Path, about: dict[str, Any]) -> None:
    with _for_us_alone():
        whole.write_json(folder / _FILE, about)


@contextlib.contextmanager
def _for_us_alone() -> Iterator[None]:
    """What is written holds passwords: nobody else may read it, at no moment."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _remove(folder: Path) -> None:
    """Moved away first: two who clean up at once must not remove what a third one puts there."""
    away = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    with contextlib.suppress(OSError):
        folder.rename(away)
        shutil.rmtree(away, ignore_errors=True)
