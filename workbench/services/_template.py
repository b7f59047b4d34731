"""Data folders that are expensive to make are made once, kept as a tar file in the user's cache, and unpacked after.

A template is written beside its final name and renamed, so it is there whole or not at all; one that cannot be
unpacked nevertheless is made again. Without a cache that can be written, every stack makes its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from workbench.errors import ServiceError
from workbench.services import Command, Place

_FORMAT = 1
_ENOUGH_TIME_S = 60.0


def fingerprint(program: Path, *options: object) -> str:
    """A name that changes with the program (its path, size and time) and with the options it is prepared with."""
    seen = program.resolve().stat()
    text = repr((_FORMAT, str(program.resolve()), seen.st_size, seen.st_mtime_ns, options))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fill(place: Place, folder: Path, *, name: str, build: Callable[[], None], complete: str) -> None:
    """Fill ``folder`` from the template ``name``, or by ``build()``, which makes it there, and keep that as template.

    ``complete`` is a file that every good folder has. Raises `ServiceError` when there is no space.
    """
    template = cache() / f"{name}.tar"
    if _unpacked(place, template, folder, complete):
        return
    with _one_at_a_time(template):
        if _unpacked(place, template, folder, complete):  # another run made it meanwhile
            return
        build()
        with contextlib.suppress(OSError):  # a cache that cannot be written only costs time
            _save(place, template, folder)


def cache() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("workbench"))


def _unpacked(place: Place, template: Path, folder: Path, complete: str) -> bool:
    shutil.rmtree(folder, ignore_errors=True)
    if not os.access(template, os.R_OK):
        return False
    folder.mkdir(mode=0o700)
    owner = ["--same-owner", "--numeric-owner"] if os.geteuid() == 0 else []
    tar = place.spawn(Command(("tar", "-xf", str(template), "-C", str(folder), "-p", *owner)))
    if tar.wait(_ENOUGH_TIME_S) == 0 and (folder / complete).exists():
        return True
    tar.kill()
    left = shutil.disk_usage(folder).free
    if left < template.stat().st_size:
        raise ServiceError(
            f"No space for the data of {place.name}: {folder.parent} has {left >> 20:,} MiB left. "
            "Free some, or name a larger folder with the environment variable TMPDIR."
        )
    shutil.rmtree(folder, ignore_errors=True)
    return False


def _save(place: Place, template: Path, folder: Path) -> None:
    fresh = template.with_suffix(f".{os.getpid()}")
    for abandoned in template.parent.glob(f"{template.stem}.[0-9]*"):  # of a run that was killed; we hold the lock
        abandoned.unlink()
    fresh.touch(mode=0o600)  # it holds a password, if one that no running server takes
    tar = place.spawn(Command(("tar", "-cf", str(fresh), "--numeric-owner", "-C", str(folder), ".")))
    if tar.wait(_ENOUGH_TIME_S) == 0:
        fresh.replace(template)
    else:
        tar.kill()
        fresh.unlink(missing_ok=True)


@contextlib.contextmanager
def _one_at_a_time(template: Path) -> Iterator[None]:
    import filelock

    lock = filelock.FileLock(template.with_suffix(".lock"), timeout=2 * _ENOUGH_TIME_S)
    try:
        template.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire()
    except OSError:  # no cache to write to, or a lock that nobody gives back
        yield
        return
    try:
        yield
    finally:
        lock.release()
