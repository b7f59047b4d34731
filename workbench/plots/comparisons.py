"""What was found beside what was expected, kind by kind and key by key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.checkers.judge import OK, doubts_of
from workbench.errors import UsageError
from workbench.history import History
from workbench.words import plural

if TYPE_CHECKING:
    from workbench.plots.look import Picture

MOST_ROWS, MOST_COLUMNS = 14, 12
"""Of more than that the letters could not be read."""

_TINTS, _WRONG = ("#e6f2ff", "#fff0d1", "#e6f4ea", "#ece6fb"), "#ffb0d6"


def comparisons(
    history: History, *, rows: Sequence[str] | None = None, columns: Sequence[str] | None = None
) -> Picture:
    """A table of the ok operations that are comparisons (their value is ``{"expected": …, "found": …}``, see
    `matched`): a row for each kind, a column for each key, and in each cell what was found, tinted alike where it is
    the same. What is not as expected is strong, and says what was expected; what was asked and never compared is
    hatched; a dash stands where nothing was asked. The title says how many cells are as expected.

    ``rows`` and ``columns`` give the order of kinds and keys (else that of first appearance); they name all there are.
    Raises `UsageError` if there is no comparison, or more kinds or keys than can be read, or one that is not named.
    """
    from workbench.plots.look import sheet
    from workbench.plots.table import alike, in_order, ruled, write

    cells = _cells(history)
    compared = {cell: seen for cell, seen in cells.items() if seen}
    if not compared:
        raise UsageError('There is no comparison here: no ok operation carries {"expected": …, "found": …}.')
    kinds = in_order("rows", rows, [kind for kind, _ in cells], most=MOST_ROWS)
    keys = in_order("columns", columns, [key for _, key in cells], most=MOST_COLUMNS)
    known = list(dict.fromkeys(found for seen in compared.values() for expected, found in seen if expected == found))
    tints = {found: _TINTS[i % len(_TINTS)] for i, found in enumerate(known)}
    figure = sheet(_title(cells, compared), doubts=doubts_of(history))
    axes = ruled(figure, kinds, keys)
    texts, lines = [], []
    for i, kind in enumerate(kinds):
        for j, key in enumerate(keys):
            seen = cells.get((kind, key))
            if seen is None:
                write(axes, i, j, "–")
            elif not seen:
                texts.append(write(axes, i, j, "unknown", "?", hatched=True))
                lines.append(f"{kind}, {key}: unknown")
            else:
                wrong = [pair for pair in seen if pair[0] != pair[1]]
                expected, found = (wrong or seen)[0]
                said = f"{found}, not {expected}" if wrong else found
                tint = _WRONG if wrong else tints[found]
                texts.append(write(axes, i, j, said, said.replace(", ", ",\n"), found, tint=tint, strong=bool(wrong)))
                lines.append(f"{kind}, {key}: {said}")
    alike(texts)
    figure.alt = "\n".join([figure.alt, *lines])
    return figure


def _cells(history: History) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """By kind and key in the order of appearance, the different pairs of what was expected and found there."""
    c = history.columns
    slots = c.kind.codes.astype(np.int64) * max(len(c.key.names), 1) + c.key.codes
    cells: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for i in range(len(c.kind.names)):
        for j in range(len(c.key.names)):
            rows = np.flatnonzero(slots == i * len(c.key.names) + j)
            if not len(rows):
                continue
            values = [c.value[row] for row in rows[c.outcome[rows] == OK].tolist()]
            pairs = [(value["expected"], value["found"]) for value in values if _is_comparison(value)]
            cells[c.kind.names[i], c.key.names[j]] = list(dict.fromkeys(_said(*pair) for pair in pairs))
    return cells


def _is_comparison(value: Any) -> bool:
    return isinstance(value, Mapping) and "expected" in value and "found" in value


def _said(expected: Any, found: Any) -> tuple[str, str]:
    """Texts as they are; of anything else whether it is as expected."""
    if isinstance(expected, str) and isinstance(found, str):
        return expected, found
    return "as expected", "as expected" if expected == found else "otherwise"


def _title(cells: Mapping[Any, Any], compared: Mapping[Any, list[tuple[str, str]]]) -> str:
    wrong = [cell for cell, seen in compared.items() if any(expected != found for expected, found in seen)]
    many = f"{plural(len(compared), 'cell')}"
    counts = Counter(seen[0][1] for seen in compared.values())
    found = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    said = f"All {many} are as expected: {found}" if len(compared) > 1 else "The only cell is as expected"
    if wrong:
        named = ", ".join(" ".join(cell).strip() for cell in wrong[:3])
        more = f" and {len(wrong) - 3:,} more" if len(wrong) > 3 else ""
        said = f"{len(wrong):,} of {many} {'is' if len(wrong) == 1 else 'are'} not as expected: {named}{more}"
    unknown = len(cells) - len(compared)
    return f"{said}; {unknown:,} {'is' if unknown == 1 else 'are'} unknown" if unknown else said
