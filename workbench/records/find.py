"""Where runs are: by name, by path, or the last one."""

from __future__ import annotations

import re
from pathlib import Path

from workbench.errors import UsageError

_RUN = re.compile(r"^\d{8}T\d{6}Z-.+")


def is_run_name(name: str) -> bool:
    """Whether a folder of this name was made for a run: ``20260102T030405Z-tour-0a1b2c``."""
    return _RUN.match(name) is not None


def runs_in(outputs: Path) -> list[Path]:
    """The folders of runs in an outputs folder, the oldest first."""
    if not outputs.is_dir():
        return []
    return sorted(
        path for path in outputs.iterdir() if is_run_name(path.name) and path.is_dir() and not path.is_symlink()
    )


def histories_in(folder: Path) -> list[Path]:
    """The folders of a notebook's histories in the order of its runs: history, history-2, …, history-10."""
    there = (path for path in folder.glob("history*") if path.is_dir())
    return sorted(there, key=lambda path: (len(path.name), path.name))


def find_run(where: str | Path, *, outputs: Path) -> Path:
    """The folder of a run: a path, a name in ``outputs``, or ``latest``. Raises `UsageError` naming the last run."""
    place = next((path for path in (Path(where), outputs / where) if path.is_dir()), None)
    if place is None and Path(where).is_file():
        raise UsageError(f"{where} is a file. Give the folder of a run, as in outputs/latest.")
    if place is None:
        runs = runs_in(outputs)
        last = f" The last one is {runs[-1].name}." if runs else ""
        raise UsageError(f"There is no run '{where}', neither here nor in {outputs}.{last}")
    return place.resolve()
