"""Where a service lives: a folder of its own, what it shares with those it belongs to, and how the folder is filled."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Collection
from pathlib import Path

from workbench.errors import ServiceError
from workbench.services import Place, Service


def make_place(
    name: str,
    *,
    host: str,
    port: int,
    folder: Path,
    log: Path,
    first: Place | None,
) -> Place:
    """A place with an empty data folder. ``first`` is that of the first instance, or of the first of its group.

    Raises `ServiceError` if the folder cannot be made.
    """
    data = folder / name
    try:
        data.mkdir()
        data.chmod(0o711)  # a server that runs as another user passes through
    except OSError as error:
        raise ServiceError(f"The data folder {data} of {name} cannot be made: {error.strerror}.") from error
    own = {"password": secrets.token_urlsafe(24)} if first is None else first.secrets
    common = data if first is None else first.data
    return Place(name, host, port, data, log, secrets=own, common=common)


def prepare(service: Service, place: Place) -> None:
    """Have the service fill its folder. Raises `ServiceError` if that cannot be written."""
    try:
        service.prepare(place)
    except OSError as error:
        free = shutil.disk_usage(place.data).free >> 20
        raise ServiceError(
            f"{place.name} could not be prepared in {place.data}, where {free:,} MiB are free: {error}. "
            "Free some space, or name a larger folder with the environment variable TMPDIR."
        ) from error


def empty(folder: Path, *, but: Collection[str] = ()) -> None:
    """Remove all that is in a folder but these. Raises `ServiceError` if something else stays."""
    try:
        for entry in folder.iterdir():
            if entry.name in but:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    except OSError as error:
        raise ServiceError(f"{error.filename} cannot be removed: {error.strerror}.") from error


def last_lines(log: Path, count: int) -> str:
    """The last lines of a log; nothing if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 400 * max(count, 1)))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-count:])
