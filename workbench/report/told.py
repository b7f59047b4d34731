"""What a claim was judged by, in words and tables: its numbers, its counterexample, the windows of the faults."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.history.disk import windows_of
from workbench.records import histories_in
from workbench.redact import Redactor
from workbench.words import UNITS

MOST_ROWS = 25
"""Of a table under a claim."""

LONGEST = 240
"""Characters of one value in a table."""

_MEASURE = re.compile(rf"(.+)_({'|'.join(UNITS)})(?:_(low|high))?")


@dataclass(frozen=True, slots=True)
class Table:
    """A table: what it shows, the words over its columns, its rows; ``cut`` rows more are not shown."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    cut: int = 0


def value(given: Any, *, longest: int = LONGEST) -> str:
    """A measured value as a reader writes it: ``1,548``, ``0.0662``, ``0.9404``, ``1, 2, 3``."""
    if given is None:
        return "–"
    if isinstance(given, bool):
        return "yes" if given else "no"
    if isinstance(given, int):
        return f"{given:,}"
    if isinstance(given, float):
        return f"{given:,.0f}" if abs(given) >= 1000 else f"{given:.4g}"
    if isinstance(given, list | tuple):
        text = ", ".join(value(one) for one in given[:MOST_ROWS]) or "none"
        text += f" and {len(given) - MOST_ROWS:,} more" if len(given) > MOST_ROWS else ""
    elif isinstance(given, Mapping):
        text = ", ".join(f"{name} {value(one)}" for name, one in given.items()) or "none"
    else:
        text = str(given)
    return shortened(text, longest)


def shortened(text: str, longest: int) -> str:
    """At most that many characters, and an ellipsis if there were more."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def named(name: str) -> str:
    """``recovery_max_s`` as ``recovery max (s)``, ``p95_ms_low`` as ``p95 low (ms)``."""
    if found := _MEASURE.fullmatch(name):
        name = f"{found[1]} {found[3] or ''}".strip() + f" ({UNITS[found[2]]})"
    return name.replace("_", " ")


def numbers(measured: Mapping[str, Any]) -> tuple[list[tuple[str, str]], list[Table]]:
    """The single numbers of a finding with their names, and a table for each list of records among them."""
    single, tables = [], []
    for name, given in measured.items():
        if isinstance(given, list) and given and all(isinstance(one, dict) and one for one in given):
            columns = tuple(dict.fromkeys(key for one in given[:MOST_ROWS] for key in one))[:12]
            rows = tuple(tuple(value(one.get(key), longest=60) for key in columns) for one in given[:MOST_ROWS])
            tables.append(Table(named(name), tuple(map(named, columns)), rows, max(0, len(given) - MOST_ROWS)))
        else:
            single.append((named(name), value(given)))
    return single, tables


def counterexample(operations: Sequence[Mapping[str, Any]]) -> Table | None:
    """The operations that refute a claim, in the order of their calls; None if there are none."""
    if not operations:
        return None
    shown = sorted(operations, key=lambda one: _seconds(one.get("called_s")))[:MOST_ROWS]
    digits = _digits([one.get(edge) for one in shown for edge in ("called_s", "returned_s")])
    workloads = {str(one.get("workload") or "") for one in shown}
    errors = any(one.get("error") for one in shown)
    columns = ["called (s)", "returned (s)", "client", "operation", "value", "outcome"]
    columns += ["error"] * errors + ["workload"] * (len(workloads) > 1)
    rows = []
    for one in shown:
        row = [
            _at(one.get("called_s"), digits),
            _at(one.get("returned_s"), digits),
            str(one.get("client", "")),
            " ".join(filter(None, (str(one.get("kind") or ""), str(one.get("key") or "")))),
            _said(one),
            str(one.get("outcome", "")),
        ]
        row += [shortened(str(one.get("error") or ""), LONGEST)] * errors
        row += [str(one.get("workload") or "")] * (len(workloads) > 1)
        rows.append(tuple(row))
    of = f" of {next(iter(workloads))}" if len(workloads) == 1 and "" not in workloads else ""
    many = f"{len(operations):,} operations" if len(operations) > 1 else "1 operation"
    return Table(f"{many}{of}", tuple(columns), tuple(rows), max(0, len(operations) - MOST_ROWS))


def faults(folder: Path, redactor: Redactor) -> Table | None:
    """The windows of all runs of a notebook and how each fault was seen to be in force; None if there were none."""
    runs = [(run.name, one) for run in histories_in(folder) for one in windows_of(run)]
    if not runs:
        return None
    several = len({name for name, _ in runs}) > 1
    columns = ("run",) * several + ("fault", "began (s)", "healed (s)", "seen by an independent probe")
    rows = tuple(
        (name,) * several
        + (
            one.fault,
            f"{one.began:.2f}",
            "–" if one.healed is None else f"{one.healed:.2f}",
            shortened(redactor.text(one.proof), LONGEST) or "nothing: it proves nothing",
        )
        for name, one in runs[: 4 * MOST_ROWS]
    )
    return Table("Faults", columns, rows, max(0, len(runs) - len(rows)))


def _said(one: Mapping[str, Any]) -> str:
    given = one.get("value")
    text = "" if given is None else given if isinstance(given, str) else _written(given)
    more = one.get("more_values")
    return shortened(text, LONGEST) + (f" and {more:,} more" if isinstance(more, int) and more else "")


def _written(given: Any) -> str:
    return json.dumps(given, ensure_ascii=False, default=str).replace('"', "")


def _digits(times: Iterable[Any]) -> int:
    """So many after the point that two moments which differ look different."""
    moments = {moment for moment in times if isinstance(moment, int | float)}
    return next((digits for digits in (3, 4, 5) if len({f"{one:.{digits}f}" for one in moments}) == len(moments)), 6)


def _at(moment: Any, digits: int) -> str:
    return f"{moment:.{digits}f}" if isinstance(moment, int | float) else "never"


def _seconds(moment: Any) -> float:
    return float(moment) if isinstance(moment, int | float) else 0.0
