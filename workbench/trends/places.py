"""Where runs are: in the project's outputs, and anywhere below folders that other machines left."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import UsageError
from workbench.records import read_json, runs_in, when

_DEEPEST = 8
_NO_RUNS = frozenset({"node_modules", "__pycache__", "site-packages"})


@dataclass(frozen=True, slots=True)
class Place:
    """One run folder and the name that its run goes by."""

    folder: Path
    name: str


def places(outputs: Path, merge: Sequence[Path] = ()) -> list[Place]:
    """Every run once, by its name, the oldest first; where two folders hold the same run, the one in ``outputs``.

    Names begin with the time, so this is the order in which the clocks of their machines say that they began; one
    without it comes first, so that it is never taken for the last.
    Raises `UsageError` if a folder to merge is none.
    """
    found = {folder.name: Place(folder, folder.name) for folder in runs_in(outputs)}
    for place in merge:
        if not place.is_dir():
            raise UsageError(f"--merge {place}: there is no such folder. Give one with outputs of other jobs in it.")
        for one in _below(place.absolute()):
            there = found.setdefault(one.name, one)
            if there is not one and not _told(there.folder) and _told(one.folder):
                found[one.name] = one  # the same run, but whole
    return sorted(found.values(), key=lambda one: (one.name[:8].isdigit(), one.name))


def _below(top: Path) -> Iterator[Place]:
    """Runs in a folder, itself included, those that have a run's name and those that only hold its results."""
    for folder, below, files in os.walk(top):
        here = Path(folder)
        if when(here.name) or "results.json" in files:
            below.clear()
            name = here.name if when(here.name) else str(read_json(here / "results.json").get("run", ""))
            yield Place(here, name if when(name) else here.name)
        elif len(here.relative_to(top).parts) >= _DEEPEST:
            below.clear()
        else:
            below[:] = sorted(name for name in below if not name.startswith(".") and name not in _NO_RUNS)


def _told(folder: Path) -> bool:
    """Whether it holds the record of a run that came to its end."""
    return (folder / "results.json").exists() or (folder / "verdict.json").exists()
