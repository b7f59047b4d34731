"""The folder of a run: made and checked before anything starts, and what ``latest`` points at."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.history.folder import OUTPUTS, new_name

ENOUGH = 256 * 2**20
"""Bytes that must be free: data folders of the services, the record, and room to write the reason of a failure."""


def new_run_folder(outputs: Path, names: list[str]) -> Path:
    """Make ``outputs/<UTC>-<names>-<hash>``.

    Raises `WorkbenchError` if the folder cannot be written or the disk is nearly full.
    """
    what = "-".join(names) if len("-".join(names)) <= 60 else f"{names[0]}-and-{len(names) - 1}-more"
    folder = outputs / new_name(what)
    try:
        folder.mkdir(parents=True)
        probe = folder / ".probe"
        probe.write_bytes(b"\0" * 65536)
        probe.unlink()
    except OSError as error:
        raise WorkbenchError(
            f"The outputs folder {outputs} cannot be written: {error.strerror}. Nothing was started. "
            f"Free some space, change its owner, or give another one with the environment variable {OUTPUTS}."
        ) from error
    try:
        check_room(folder)
    except WorkbenchError:
        folder.rmdir()
        raise
    return folder


def check_room(folder: Path, *, enough: int = ENOUGH) -> None:
    """Raises `WorkbenchError` if fewer than ``enough`` bytes are free where ``folder`` is."""
    free = shutil.disk_usage(folder).free
    if free < enough:
        raise WorkbenchError(
            f"There is no disk space: {free / 2**20:,.0f} MiB are free at {folder}, {enough / 2**20:,.0f} MiB "
            "are needed. Nothing was started. Remove old runs with 'workbench clean --outputs', or give another folder "
            f"with the environment variable {OUTPUTS}."
        )


def point_latest(run_folder: Path) -> Path:
    """Let ``latest``, beside the run's folder, point at it; at no moment is there no ``latest``."""
    latest = run_folder.parent / "latest"
    beside = run_folder.parent / f".latest-{secrets.token_hex(4)}"
    beside.symlink_to(run_folder.name)
    try:
        beside.replace(latest)
    except OSError as error:
        beside.unlink()
        raise WorkbenchError(
            f"{latest} is in the way: it must be a link to the last run, and is a folder. Move it elsewhere."
        ) from error
    return latest
