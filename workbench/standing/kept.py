"""What notebooks left under ``workbench run --keep``: ended where they were green, handed over where they were red."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
from pathlib import Path

from workbench.errors import LinkError, ServiceError
from workbench.links import Links
from workbench.runtimes import outliving, states
from workbench.runtimes.states import Standing


def environment() -> dict[str, str]:
    """Of a notebook whose services are to stay until this process has decided what becomes of them.

    Raises `ServiceError` if it could not be written down how they are reached.
    """
    states.place()
    # Testcontainers' own reaper would remove containers as soon as the kernel is gone; our supervisor stays.
    return {outliving.VARIABLE: str(os.getpid()), "TESTCONTAINERS_RYUK_DISABLED": "true"}


def end(run: Path) -> None:
    """End what the notebook with this folder left. What does not end now, ends with this process."""
    for standing in _left_by(run):
        with contextlib.suppress(ServiceError):
            states.end(standing)


def leave(run: Path) -> list[Standing]:
    """Let what the notebook with this folder left stay until `workbench down`, with its links as they were made."""
    found = []
    for standing in _left_by(run):
        states.signal_owner(standing, signal.SIGUSR1)
        for relay in standing.about.get("relays", ()):
            with contextlib.suppress(LinkError, OSError):
                Links(relay).heal()
        with contextlib.suppress(FileNotFoundError):  # somebody has ended it meanwhile
            states.update(standing.folder, ready=True)
            found.append(dataclasses.replace(standing, about={**standing.about, "ready": True}))
    return found


def _left_by(run: Path) -> list[Standing]:
    return [one for one in states.all_standing() if one.kept and one.about["run"] == str(run)]
