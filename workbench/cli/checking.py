"""``workbench check``: judge a record, also one that was made elsewhere."""

from __future__ import annotations

import math
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workbench import foreign
from workbench.checkers import Finding, linearizable
from workbench.checkers.finding import SHAPES, short
from workbench.errors import ClaimRefuted, ClaimUnknown, HistoryError, UsageError
from workbench.history import History, Operation
from workbench.models import by_name
from workbench.words import plural

_COLOURS = {"held": "#3d9bf0", "refuted": "#ff3d9e", "unknown": "#e59400"}
_CODES = {"held": 0, "refuted": ClaimRefuted.exit_code, "unknown": ClaimUnknown.exit_code}


def check(path: Path, *, model: str, within_s: float) -> int:
    """Print what the record is, the verdict, its sentence and the counterexample. The exit code: 0 held, 1 refuted,
    6 unknown. Raises `UsageError` for an unknown model, a limit that is not positive, or a record that cannot be
    read or judged."""
    if not (math.isfinite(within_s) and within_s > 0):
        raise UsageError(f"--within is a positive number of seconds, not {within_s}.")
    by_name(model)
    try:
        history = foreign.read(path, model=model)
    except HistoryError as error:
        raise UsageError(str(error)) from error
    finding = linearizable(history, model=model, within_s=within_s, faults=False)
    console = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 120)
    console.print(escape(_record(history)))
    console.print(f"[{_COLOURS[finding.verdict]}]{SHAPES[finding.verdict]} {finding.verdict}[/] {_shown(finding.text)}")
    if finding.counterexample:
        console.print("\nThe counterexample:")
        console.print(_table(history, finding))
    return _CODES[finding.verdict]


def _record(history: History) -> str:
    facts = history.facts
    kind = {"jepsen": "a history of Jepsen", "jepsen log": "a log of Jepsen"}.get(facts.get("record", ""), "a run")
    clients = len(set(history.columns.client.tolist()))
    text = f"{plural(len(history), 'operation')} of {plural(clients, 'client')} in {kind}"
    if history.windows:
        text += f", {plural(len(history.windows), 'window')} of faults"
    if _by_lines(history):
        return f"{text}. It has no times: its lines are the clock, and 12.000 s is line 12."
    return f"{text}."


def _by_lines(history: History) -> bool:
    return history.facts.get("clock") == "lines" and len(history) > 0


def _table(history: History, finding: Finding) -> Table:
    unit = "line" if _by_lines(history) else "s"
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for heading in ("client", "kind", "key", "value", f"called ({unit})", f"returned ({unit})", "outcome", "error"):
        table.add_column(heading, justify="right" if heading.endswith(")") else "left")
    for operation in finding.counterexample:
        table.add_row(*map(_shown, _cells(operation, digits=0 if unit == "line" else 6)))
    return table


def _shown(text: str) -> str:
    """What a record says is written, and nothing in it obeyed: by the terminal, or as markup."""
    return escape("".join(one if one.isprintable() else repr(one)[1:-1] for one in text))


def _cells(operation: Operation, *, digits: int) -> tuple[str, ...]:
    returned = operation.returned
    return (
        str(operation.client),
        operation.kind,
        operation.key,
        short(operation.value) or "nil",
        f"{operation.called:.{digits}f}",
        "never" if math.isnan(returned) else f"{returned:.{digits}f}",
        operation.outcome,
        operation.error,
    )
