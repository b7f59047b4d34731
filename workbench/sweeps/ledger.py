"""``sweep.json``: what a sweep asks for and what became of each of its cells, written as they end.

States of a cell: ``waiting``, ``running``, ``concluded`` (the notebook came to its conclusion), ``broke`` (it did not:
an exception, too little time, a kernel or worker that died), ``interrupted``, ``not run`` (with the reason). In a sweep
that was killed, what ran then is still ``running``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workbench.history import whole
from workbench.redact import Redactor

SWEEP_FILE = "sweep.json"
FEW = 500
"""Of so many cells the file is written for each that ends; of more, at most once in `EVERY_S`."""
EVERY_S = 1.0

State = Literal["waiting", "running", "concluded", "broke", "interrupted", "not run"]


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a cell. ``reason`` is empty if it came to its conclusion; ``seconds`` are those it took."""

    id: str
    state: State
    verdict: str = "unknown"
    exit_code: int = 3
    reason: str = ""
    seconds: float = 0.0
    where: str = ""
    """The cluster's worker that it ran on."""


def again(entry: Mapping[str, Any]) -> bool:
    """Whether a resumed sweep runs this cell: it has no ending, or one that says nothing about the system."""
    return entry.get("state") != "concluded" and entry.get("verdict") != "refuted"


class Ledger:
    """Writes ``sweep.json`` of one sweep."""

    def __init__(self, folder: Path, document: Mapping[str, Any]) -> None:
        """``document`` is all of it; its entries of cells are those that change."""
        self.folder = folder
        self._path = folder / SWEEP_FILE
        self.document = dict(document)
        self.cells: dict[str, dict[str, Any]] = {entry["id"]: entry for entry in document["cells"]}
        self.redactor = Redactor.known(*(entry["parameters"] for entry in self.cells.values()))
        """Knows the secrets among what its cells are given."""
        self._written = 0.0

    @property
    def waiting(self) -> list[str]:
        """The cells that a run of this sweep has to run, in their order."""
        return [name for name, entry in self.cells.items() if again(entry)]

    def begin(self, names: Iterable[str]) -> None:
        """These are run (again): what was known of them counts no more."""
        for name in names:
            self.cells[name] |= {"state": "waiting", "verdict": None, "exit_code": None, "seconds": None, "reason": ""}
        self.save()

    def running(self, name: str) -> None:
        """This one has begun."""
        self.cells[name] |= {"state": "running"}
        self._save_soon()

    def ended(self, ending: Ending) -> None:
        """This one has ended."""
        self.cells[ending.id] |= {
            "state": ending.state,
            "verdict": ending.verdict,
            "exit_code": ending.exit_code,
            "seconds": round(ending.seconds, 2),
            "reason": ending.reason,
            **({"where": ending.where} if ending.where else {}),
        }
        self._save_soon()

    def save(self) -> None:
        """Raises `OSError` if it cannot be written."""
        whole.write_json(self._path, self.redactor.tree(self.document))
        self._written = time.monotonic()

    def _save_soon(self) -> None:
        if len(self.cells) <= FEW or time.monotonic() - self._written > EVERY_S:
            self.save()
