"""What a sweep left on disk: a table, a finding, and its pictures."""

from __future__ import annotations

import html
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from workbench.errors import UsageError, nearest
from workbench.plots import heat
from workbench.records import claims_in, mapping, mappings, read_json
from workbench.sweeps.finding import finding
from workbench.sweeps.ledger import SWEEP_FILE
from workbench.sweeps.matrix import SEED, shown
from workbench.words import worst

if TYPE_CHECKING:
    import pandas as pd

    from workbench.plots.look import Picture

NOTEBOOK = "notebook"
"""The axis of a sweep over several notebooks."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: what it was given and what became of it. ``measured`` is claim → its numbers."""

    id: str
    notebook: str
    parameters: Mapping[str, Any]
    state: str
    verdict: str
    reason: str
    seconds: float | None
    claims: Mapping[str, str]
    measured: Mapping[str, Mapping[str, Any]]

    @property
    def said(self) -> str:
        """Its verdict, or "" if it was not run to any end."""
        return self.verdict if self.state in ("concluded", "broke", "interrupted") else ""


@dataclass(frozen=True)
class Sweep:
    """A sweep as it stands in its folder, finished or not."""

    folder: Path
    document: Mapping[str, Any]
    cells: tuple[Cell, ...]

    @classmethod
    def read(cls, folder: str | Path) -> Sweep:
        """Read the folder of a sweep. Raises `UsageError` if there is none in it."""
        place = Path(folder).resolve()
        document = read_json(place / SWEEP_FILE)
        entries = mappings(document.get("cells"))
        if not entries:
            raise UsageError(f"{place} holds no sweep: there is no {SWEEP_FILE} in it, or it lists no cells.")
        found = cls(place, document, tuple(_cell(place, entry) for entry in entries))
        wrong = next((cell.said for cell in found.cells if cell.said not in (*heat.SHAPES, "")), None)
        if wrong is not None:
            raise UsageError(f"{place}: {SWEEP_FILE} tells of a verdict that there is not: {wrong!r}.")
        return found

    @property
    def name(self) -> str:
        return str(self._request.get("name") or self.folder.name)

    @property
    def shown(self) -> tuple[str, ...]:
        """The measured numbers that the sweep's file asks to be shown."""
        return tuple(map(str, self._request.get("show") or ()))

    @cached_property
    def axes(self) -> dict[str, list[Any]]:
        """The parameters in which cells differ, with their values in the order of the sweep's file; not the seed of
        repetitions."""
        names = [NOTEBOOK, *dict.fromkeys(name for cell in self.cells for name in cell.parameters)]
        asked = [*self._request.get("matrix", {}), *(n for one in self._request.get("include", ()) for n in one)]
        names.sort(key=lambda name: -1 if name == NOTEBOOK else asked.index(name) if name in asked else len(asked))
        found: dict[str, list[Any]] = {}
        for name in names:
            if name == SEED and self._request.get("repeat", 1) > 1:
                continue
            values = [self._value(cell, name) for cell in self.cells]
            distinct = {shown(value): value for value in values if value is not _NONE}
            if len(distinct) > 1:
                numeric = all(_is_number(value) for value in distinct.values())
                found[name] = sorted(distinct.values()) if numeric else [*distinct.values()]
        return found

    @property
    def finding(self) -> str:
        """The whole sweep in a sentence."""
        return finding([self._place(cell) for cell in self.cells], [cell.said for cell in self.cells])

    def frame(self) -> pd.DataFrame:
        """A row for each cell: its name, what it was given on each axis, its verdict, state, seconds and reason, the
        verdict of each claim (``durable``), and every plain number it measured (``durable.lost_share``)."""
        import pandas as pd

        rows = []
        for cell in self.cells:
            place: dict[str, Any] = {"cell": cell.id, **self._place(cell)}
            if SEED in cell.parameters:
                place[SEED] = cell.parameters[SEED]
            measured = {f"{claim}.{n}": v for claim, numbers in cell.measured.items() for n, v in numbers.items()}
            plain = {name: value for name, value in measured.items() if _is_number(value)}
            told = {"verdict": cell.said, "state": cell.state, "seconds": cell.seconds, "reason": cell.reason}
            rows.append(place | told | dict(cell.claims) | plain)
        return pd.DataFrame(rows)

    def table(self) -> pd.DataFrame:
        """The frame without what nobody asked to be shown: axes, verdict, seconds, the verdict of each claim, and the
        numbers that the sweep's file names."""
        frame = self.frame()
        claims = dict.fromkeys(claim for cell in self.cells for claim in cell.claims)
        wanted = [*self.axes, SEED, "verdict", "seconds", *claims, *self.shown]
        return frame[[column for column in wanted if column in frame]]

    def verdicts(self, part: int = 0) -> Picture:
        """The heat map of verdicts, the worst of repetitions; of more rows than one picture shows the ``part``."""
        down, across, keys = self._grid()
        chosen = self._part(keys, part)
        cells = {key: [c.said for c in group if c.said] if group else None for key, group in chosen.items()}
        return heat.verdicts(cells, title=self.finding, down=down, across=across)

    @property
    def measured(self) -> set[str]:
        """The numbers that a cell has measured, ``durable.lost_share``."""
        return {f"{c}.{n}" for cell in self.cells for c, ns in cell.measured.items() for n in ns if _is_number(ns[n])}

    def number(self, name: str, part: int = 0) -> Picture:
        """A measured number, ``durable.lost_share``: as a heat map over two axes and more, along a single one.

        Raises `UsageError` naming the nearest if no cell measured it.
        """
        values = {cell.id: self._measured(cell, name) for cell in self.cells}
        if all(value is None for value in values.values()):
            there = ", ".join(sorted(self.measured)) or "nothing"
            raise UsageError(f"No cell measured a number {name}{nearest(name, self.measured)} There is: {there}.")
        title = self._extremes(name, values)
        if len(self.axes) == 1 and NOTEBOOK not in self.axes and len(self._only_axis) <= 40:
            (axis,) = self.axes
            from workbench.plots.along import along

            groups = self._only_axis
            told = [worst([cell.said for cell in group], of_none="") for group in groups.values()]
            points = {x: [values[cell.id] for cell in group] for x, group in groups.items()}
            return along(points, name=name, title=title, axis=axis, verdicts=told)
        down, across, keys = self._grid()
        chosen = self._part(keys, part)
        cells = {key: [values[c.id] for c in group if c.said] if group else None for key, group in chosen.items()}
        return heat.numbers(cells, name=name, title=title, down=down, across=across)

    @property
    def parts(self) -> int:
        """How many pictures its heat maps are."""
        rows = {row for row, _ in self._grid()[2]}
        return -(-len(rows) // heat.MOST_ROWS)

    def __repr__(self) -> str:
        return self.finding

    def _repr_html_(self) -> str:
        """The finding, and what is not held with the way to its page."""
        red = [cell for cell in self.cells if cell.said and cell.said != "held"]
        rows = "".join(
            f'<tr><td style="{_LEFT};white-space:nowrap">{heat.SHAPES[cell.said]} {cell.said}</td>'
            f'<td style="{_LEFT}"><a href="{quote(cell.id)}/report.html">{html.escape(cell.id)}</a></td>'
            f'<td style="{_LEFT}">{html.escape(cell.reason or _refuted(cell))}</td></tr>'
            for cell in red[:_MOST_LISTED]
        )
        more = f"<p>and {len(red) - _MOST_LISTED:,} more</p>" if len(red) > _MOST_LISTED else ""
        return f"<p><strong>{html.escape(self.finding)}</strong></p><table>{rows}</table>{more}"

    @property
    def _request(self) -> Mapping[str, Any]:
        return mapping(self.document.get("request"))

    def _value(self, cell: Cell, name: str) -> Any:
        """On an axis; what it was not given is the notebook's default, or nothing it has."""
        if name == NOTEBOOK:
            return cell.notebook
        books = self.document.get("notebooks", {})
        defaults = books.get(cell.notebook, {}).get("defaults", {})
        return cell.parameters.get(name, defaults.get(name, _NONE))

    def _place(self, cell: Cell) -> dict[str, Any]:
        found = {name: self._value(cell, name) for name in self.axes}
        return {name: value for name, value in found.items() if value is not _NONE}

    @property
    def _only_axis(self) -> dict[Any, list[Cell]]:
        (axis,) = self.axes
        groups: dict[Any, list[Cell]] = {}
        plain = all(isinstance(value, int | float | str) and not isinstance(value, bool) for value in self.axes[axis])
        for cell in self.cells:
            value = self._value(cell, axis)
            groups.setdefault(value if plain else shown(value), []).append(cell)
        return groups

    def _grid(self) -> tuple[str, str, dict[tuple[str, str], list[Cell]]]:
        """The names of what goes down and across, and the cells at each row and column, all combinations of them.

        Across goes the axis with the most values that fit, of those that every cell has; all others go down, together.
        """
        shared = [name for name in self.axes if all(self._value(cell, name) is not _NONE for cell in self.cells)]
        fits = {name: len(self.axes[name]) for name in shared if len(self.axes[name]) <= heat.MOST_COLUMNS}
        across = max(fits, key=lambda name: (fits[name], [*self.axes].index(name))) if fits else ""
        below = [name for name in self.axes if name != across]
        groups: dict[tuple[str, str], list[Cell]] = {}
        for cell in self.cells:
            place = {name: shown(value) for name, value in self._place(cell).items()}
            row = ", ".join(place.get(name, "–") for name in below)
            groups.setdefault((row, place.get(across, "") if across else ""), []).append(cell)
        rows = dict.fromkeys(row for row, _ in groups)
        columns = [shown(value) for value in self.axes[across]] if across else [""]
        whole = {(row, column): groups.get((row, column), []) for row, column in itertools.product(rows, columns)}
        return ", ".join(below), across, whole

    def _part(self, keys: Mapping[tuple[str, str], list[Cell]], part: int) -> dict[tuple[str, str], list[Cell]]:
        rows = [*dict.fromkeys(row for row, _ in keys)]
        chosen = set(rows[part * heat.MOST_ROWS : (part + 1) * heat.MOST_ROWS])
        if not chosen:
            raise UsageError(f"This sweep has {self.parts} pictures of a kind, counted from 0; there is no {part}.")
        return {key: group for key, group in keys.items() if key[0] in chosen}

    def _measured(self, cell: Cell, name: str) -> float | None:
        claim, _, number = name.partition(".")
        value = cell.measured.get(claim, {}).get(number)
        return float(value) if value is not None and _is_number(value) else None

    def _extremes(self, name: str, values: Mapping[str, float | None]) -> str:
        from workbench.plots.units import spoken, worded

        known = [(value, cell) for cell in self.cells if (value := values[cell.id]) is not None]
        least, most = min(known, key=lambda one: one[0]), max(known, key=lambda one: one[0])
        what = worded(name)[0].upper() + worded(name)[1:]
        if least[0] == most[0]:
            return f"{what} is {spoken(name, most[0])} wherever it was measured"
        where = ", ".join(f"{axis}={shown(value)}" for axis, value in self._place(most[1]).items())
        return f"{what} is {spoken(name, least[0])} to {spoken(name, most[0])}, most with {where}"


_NONE: Any = object()
_LEFT = "text-align:left;vertical-align:top;padding:2px 14px 2px 0"
_MOST_LISTED = 50


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuted(cell: Cell) -> str:
    return ", ".join(f"{claim} is {verdict}" for claim, verdict in cell.claims.items() if verdict != "held")


def _cell(folder: Path, entry: Mapping[str, Any]) -> Cell:
    claims = claims_in(folder / str(entry.get("id")))
    return Cell(
        id=str(entry.get("id")),
        notebook=str(entry.get("notebook", "")),
        parameters=entry.get("parameters") or {},
        state=str(entry.get("state", "")),
        verdict=str(entry.get("verdict") or "unknown"),
        reason=str(entry.get("reason") or ""),
        seconds=entry.get("seconds"),
        claims={str(claim.get("name")): str(claim.get("verdict")) for claim in claims},
        measured={str(claim.get("name")): mapping(claim.get("measured")) for claim in claims},
    )
