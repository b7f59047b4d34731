"""Where the record of one notebook is kept: the folder in ``WORKBENCH_RUN``, else a new one in ``outputs``."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from workbench.errors import WorkbenchError

RUN = "WORKBENCH_RUN"
OUTPUTS = "WORKBENCH_OUTPUTS"


def outputs() -> Path:
    """The outputs folder: ``WORKBENCH_OUTPUTS``, else ``outputs`` beside the notebooks."""
    given = os.environ.get(OUTPUTS)
    if given:
        return Path(given)
    here = Path.cwd()
    return (here.parent if here.name == "notebooks" else here) / "outputs"


def new_name(what: str) -> str:
    """``20260102T030405Z-<what>-<hash>``: sorts by time, and two at once never meet."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{what}-{secrets.token_hex(3)}"


def run_folder(*, what: str = "by-hand") -> Path:
    """The folder of this process's run, made on the first call and the same ever after.

    Raises `WorkbenchError` if it cannot be written to.
    """
    given = os.environ.get(RUN)
    path = Path(given) if given else outputs() / new_name(what)
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".writable-{secrets.token_hex(4)}"
        try:
            probe.write_bytes(bytes(4096))  # a full disk still takes an empty file
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise WorkbenchError(
            f"The outputs folder {path} cannot be written: {error.strerror}. "
            f"Free some space or give another one with the environment variable {OUTPUTS}."
        ) from error
    os.environ[RUN] = str(path.resolve())
    return path.resolve()


def shown(path: Path) -> str:
    """A path for people: from the folder that holds ``outputs``, so that it reads the same on every machine."""
    home = outputs().resolve().parent
    return str(path.relative_to(home) if path.is_relative_to(home) else path)
