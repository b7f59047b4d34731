"""Setting by fault: how much of what was acknowledged each cell lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from workbench.checkers.finding import Finding
from workbench.checkers.intervals import percent
from workbench.errors import UsageError
from workbench.words import plural

if TYPE_CHECKING:
    from workbench.plots.look import Picture

MOST_ROWS, MOST_COLUMNS = 14, 8
"""Of more than that the letters could not be read."""

_NONE, _FEW, _ALL = (0xE6, 0xF2, 0xFF), (0xFF, 0xE4, 0xF1), (0xFF, 0x8F, 0xC6)  # light enough for dark letters


@dataclass(frozen=True, slots=True)
class _Cell:
    part: int = 0
    whole: int = 0
    strange: int = 0  # found there though it must not be: unexpected and duplicated
    known: bool = True

    def __str__(self) -> str:
        return self.texts()[0]

    def texts(self) -> tuple[str, ...]:
        """From the one that says all to what must be said where there is little room."""
        if not self.known:
            return ("unknown", "?")
        said, share = f"{self.part:,} of {self.whole:,}", self.share
        more = f"; {self.strange:,} too many" if self.strange else ""
        return (
            f"{said} ({share}){more}" if share else said + more,
            said + more,
            share or f"{self.part:,}{'+' * bool(more)}",
        )

    @property
    def share(self) -> str:
        """In whole percent where that says enough; nothing of nothing."""
        share = self.part / self.whole if self.part else 0
        return "" if not share else f"{share * 100:.0f}%" if 0.01 <= share <= 0.99 else percent(share)

    @property
    def tint(self) -> str:
        if not self.known:
            return ""
        if not self.part:
            return _hex(_FEW if self.strange else _NONE)
        share = self.part / self.whole
        return _hex(tuple(round(few + (most - few) * share) for few, most in zip(_FEW, _ALL, strict=True)))


def matrix(
    cells: Mapping[tuple[str, str], Finding],
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    part: str = "lost",
    of: str = "acknowledged",
    what: str = "acknowledged append",
) -> Picture:
    """A table with a row for each setting and a column for each fault: ``cells[row, column]`` is a finding, as a rule
    of `durable`, and its cell says how many of how many were lost, tinted by the share. What the finding left unknown
    is hatched and said to be unknown, and a dash stands where there is no finding.

    ``rows`` and ``columns`` give the order (else that of first appearance); they name all there are. ``part`` and
    ``of`` are the names of the two numbers among what the finding measured, ``what`` is one of those counted.
    The title says where how much was lost; the alternative text holds every cell, and why one is unknown.
    Raises `UsageError` if there is no cell, or too many to be read, if a key is no pair of names or its row or column
    is not named, or if a finding that is not unknown did not measure the two numbers.
    """
    from workbench.plots.look import sheet
    from workbench.plots.table import alike, in_order, ruled, write

    if not (isinstance(cells, Mapping) and cells):
        raise UsageError("A matrix needs at least one cell, like {('appendonly', 'kill redis'): durable(history)}.")
    for key in cells:
        if not (isinstance(key, tuple) and len(key) == 2 and all(isinstance(name, str) and name for name in key)):
            raise UsageError(
                f"A cell of a matrix is named by its row and its column, like ('no', 'kill'), not {key!r}."
            )
    across = in_order("columns", columns, [column for _, column in cells], most=MOST_COLUMNS)
    down = in_order("rows", rows, [row for row, _ in cells], most=MOST_ROWS)
    found = {key: _cell(key, finding, part, of) for key, finding in cells.items()}
    figure = sheet(_title(found, part, what))
    axes = ruled(figure, down, across)
    lines, texts = [], []
    for i, row in enumerate(down):
        for j, column in enumerate(across):
            cell = found.get((row, column))
            if cell is None:
                write(axes, i, j, "–")
                continue
            strong = cell.part + cell.strange > 0
            texts.append(write(axes, i, j, *cell.texts(), tint=cell.tint, hatched=not cell.known, strong=strong))
            why = "" if cell.known else f" ({cells[row, column].text})"
            lines.append(f"{row}, {column}: {cell}{why}")
    alike(texts)
    figure.alt = "\n".join([figure.alt, *lines])
    return figure


def _cell(key: tuple[str, str], finding: object, part: str, of: str) -> _Cell:
    if not isinstance(finding, Finding):
        raise UsageError(f"The cell {key} of a matrix holds a finding, as of durable(history), not {finding!r}.")
    if finding.verdict == "unknown":
        return _Cell(known=False)
    some, whole = finding.measured.get(part), finding.measured.get(of)
    if not (_is_count(some) and _is_count(whole)) or some > whole:
        raise UsageError(
            f"The cell {key} of a matrix needs how many were {part} of how many {of}; its finding measured "
            f"{part}={some!r} and {of}={whole!r}. Name two numbers that it measured: {', '.join(finding.measured)}."
        )
    return _Cell(some, whole, sum(finding.measured.get(name) or 0 for name in ("unexpected", "duplicated")))


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _title(found: Mapping[tuple[str, str], _Cell], part: str, what: str) -> str:
    known = {key: cell for key, cell in found.items() if cell.known}
    strange = sum(cell.strange > 0 for cell in known.values())
    bad = {key: cell for key, cell in known.items() if cell.part}
    part = part.replace("_", " ")
    if not known:
        return f"How many {what}s were {part} is not known: {_cells(len(found))} unknown"
    if bad:
        said = f"{what.capitalize()}s were {part} in {len(bad):,} of {plural(len(known), 'cell')}"
        said += _where(bad, len(found))
    else:
        said = f"No {what} was {part} in {'any of ' if len(known) > 1 else ''}{plural(len(known), 'cell')}"
    said += f"; {_cells(len(found) - len(known))} unknown" if len(known) < len(found) else ""
    return f"{said}; in {strange:,} some were too many" if strange else said


def _where(bad: Mapping[tuple[str, str], _Cell], cells: int) -> str:
    """Which cell is worst, as the end of a title; how many, where several lost everything."""
    gone = sum(cell.part == cell.whole for cell in bad.values())
    if gone > 1:
        return ", everything in all of them" if gone == len(bad) else f", everything in {gone:,} of them"
    worst = max(bad, key=lambda key: bad[key].part / bad[key].whole)
    cell = bad[worst]
    where = f"{' under '.join(worst)} ({cell.part:,} of {cell.whole:,}, {cell.share})" if cells > 1 else str(cell)
    return f", most in {where}" if len(bad) > 1 else f": {where}"


def _cells(count: int) -> str:
    return "1 cell is" if count == 1 else f"{count:,} cells are"


def _hex(colour: tuple[int, ...]) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)
