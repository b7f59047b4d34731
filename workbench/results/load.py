"""What the load of a notebook was answered with, out of its stored histories: counts, percentiles, windows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from workbench.checkers.lateness import late_ms
from workbench.errors import HistoryError
from workbench.history import History
from workbench.history.operation import OUTCOMES
from workbench.records import histories_in

QUANTILES = (50, 95, 99)


class Load(TypedDict):
    """Of one notebook, as it stands in ``results.json``."""

    workloads: list[dict[str, Any]]
    windows: list[dict[str, Any]]
    unreadable: list[str]
    """Histories that are left out, and why."""


def read_load(folder: Path) -> Load:
    """The load of a notebook from its folder. Never raises: what cannot be read is named in ``unreadable``."""
    found: Load = {"workloads": [], "windows": [], "unreadable": []}
    for name, history in histories(folder):
        if isinstance(history, str):
            found["unreadable"].append(f"{name}: {history}")
            continue
        found["workloads"] += workloads_of(history, name=name)
        found["windows"] += [
            {
                "history": name,
                "fault": window.fault,
                "began": _rounded(window.began),
                "healed": None if window.healed is None else _rounded(window.healed),
                "proof": window.proof,
            }
            for window in history.windows
        ]
    return found


def histories(folder: Path) -> Iterator[tuple[str, History | str]]:
    """A notebook's histories by the names of their folders, in the order of its runs: history, history-2, …
    history-10; or why one cannot be read."""
    for place in histories_in(folder):
        try:
            yield place.name, History.read(place)
        except Exception as error:  # whatever a foreign or damaged record leads to, the others are read
            why = str(error) if isinstance(error, HistoryError) else f"{type(error).__name__}: {error}"
            yield place.name, why.replace(str(place), place.name)


def workloads_of(history: History, *, name: str = "history") -> list[dict[str, Any]]:
    """A row for each workload and kind: operations and outcomes, ``rate_hz`` over the whole run, and of those that
    are ok the latency from the intended start to the return, milliseconds (None where none is ok)."""
    return list(_rows(history, name))


def _rows(history: History, name: str) -> Iterator[dict[str, Any]]:
    c = history.columns
    if not len(history):
        return
    kinds = max(len(c.kind.names), 1)
    groups = c.workload.codes.astype(np.int64) * kinds + c.kind.codes
    order = np.argsort(groups, kind="stable")
    present, starts = np.unique(groups[order], return_index=True)
    late = late_ms(history)
    for group, rows in zip(present.tolist(), np.split(order, starts[1:]), strict=True):
        outcome = c.outcome[rows]
        counts: dict[str, int] = {word: int(np.count_nonzero(outcome == at)) for at, word in enumerate(OUTCOMES)}
        times = late[rows][np.isfinite(late[rows])]
        values = np.percentile(times, [*QUANTILES, 100]).tolist() if len(times) else [None] * (len(QUANTILES) + 1)
        yield {
            "history": name,
            "workload": c.workload.names[group // kinds],
            "kind": c.kind.names[group % kinds],
            "operations": len(rows),
            **counts,
            "rate_hz": _rounded(len(rows) / history.duration_s) if history.duration_s > 0 else None,
            **{
                f"{label}_ms": None if value is None else _rounded(value)
                for label, value in zip([*(f"p{q}" for q in QUANTILES), "max"], values, strict=True)
            },
        }


def _rounded(number: float) -> float:
    """To a thousandth: of milliseconds that is a microsecond."""
    return round(float(number), 3)
