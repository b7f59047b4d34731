"""The page of all runs: one file beside their folders, that asks for nothing and needs no script."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from workbench.history import whole
from workbench.trends.claims import CURRENT, FOLLOWED, STRIP, TOGETHER, Row, Seen
from workbench.trends.digest import RunDigest
from workbench.trends.numbers import said
from workbench.trends.overview import Overview
from workbench.trends.regression import AT_LEAST, LEAST, MOST, false_alarms
from workbench.trends.series import FEWEST, Series
from workbench.trends.sparkline import sparkline

if TYPE_CHECKING:
    import jinja2

PAGE = "index.html"

LARGEST = 1_000_000
"""Bytes that a page may have. What there is more of is counted, not shown."""

_TEMPLATES = (Path(__file__).parent / "templates", Path(__file__).parents[1] / "report" / "templates")
_FIRST_RUNS = 12  # before the fold


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of everything a page shows."""

    runs: int = 200
    earlier: int = 1_000
    claims: int = 400
    trends: int = 250

    def times(self, share: float) -> Limits:
        return Limits(*(max(1, int(share * one)) for one in (self.runs, self.earlier, self.claims, self.trends)))


def write(all_runs: Overview) -> Path:
    """Write the page into the outputs; its path. Raises `OSError`."""
    page = all_runs.outputs / PAGE
    page.parent.mkdir(parents=True, exist_ok=True)
    whole.write(page, render(all_runs).encode(errors="replace"))
    return page


def render(all_runs: Overview, *, limits: Limits | None = None, largest: int = LARGEST) -> str:
    """The page as text of at most ``largest`` bytes, as far as leaving out can make it so."""
    text = ""
    for share in (1.0, 0.5, 0.2, 0.05):
        text = _render(all_runs, (limits or Limits()).times(share))
        if len(text.encode(errors="replace")) <= largest:
            break
    return text


def _render(all_runs: Overview, limits: Limits) -> str:
    links = _Links(all_runs)
    runs, now = all_runs.runs, datetime.now(UTC)
    rows, trends = all_runs.rows[: limits.claims], _ordered(all_runs.series)
    values: dict[str, Any] = {
        "all": all_runs,
        "links": links,
        "written": f"{now:%Y-%m-%d %H:%M} UTC",
        "last": runs[-1] if runs else None,
        "books": _books(rows),
        "rows_left": len(all_runs.rows) - len(rows),
        "trends": _trends(trends[: limits.trends]),
        "trends_left": max(0, len(trends) - limits.trends),
        "machines": len({one.machine_id for one in trends}),
        "listed": [(len(runs) - 1 - n, run) for n, run in enumerate(reversed(runs[-limits.runs :]))] if runs else [],
        "first_runs": _FIRST_RUNS,
        "earlier": _months(runs, limits),
        "months": _counted(runs, limits),
        "ahead": _ahead(runs, now),
        "newer": [run for run in runs if run.newer],
        "rule": {
            "least": LEAST,
            "most": MOST,
            "at_least": AT_LEAST,
            "few": false_alarms(LEAST),
            "many": false_alarms(MOST),
        },
        "longest_strip": STRIP,
        "current": CURRENT,
        "together": TOGETHER,
        "followed": FOLLOWED,
        "held_scenarios": sum(area.count("held") for area in all_runs.coverage),
        "fewest": FEWEST,
        "said": said,
        "in_words": in_words,
        "runs_of": runs_of,
    }
    return _environment().get_template("all.html.j2").render(**values)


def _environment() -> jinja2.Environment:
    """Its templates, and those of the other pages, whose frame and style it has.

    (Theirs, `workbench.report.render.templates`, would do as well, but with it comes all that makes reports.)
    """
    import jinja2

    own, reports = map(jinja2.FileSystemLoader, _TEMPLATES)
    loader = jinja2.ChoiceLoader([own, reports, jinja2.PrefixLoader({"report": reports})])  # one style.css has both
    kinds = jinja2.select_autoescape(enabled_extensions=("j2",), default=True)
    return jinja2.Environment(loader=loader, autoescape=kinds, trim_blocks=True, lstrip_blocks=True)


class _Links:
    """Where a run or notebook is, seen from the page; "" where it left no page."""

    def __init__(self, all_runs: Overview) -> None:
        self._all = all_runs
        self._folders: dict[int, str] = {}
        self._known: dict[tuple[int, str], str] = {}

    def run(self, index: int) -> str:
        return self._to(index, PAGE) or self.note(index, "")

    def note(self, index: int, folder: str) -> str:
        return self._to(index, f"{folder}/report.html" if folder else "report.html")

    def seen(self, each: Seen) -> str:
        return self.note(each.run, each.note.folder) or self.run(each.run)

    def _to(self, index: int, file: str) -> str:
        if (index, file) not in self._known:
            folder = self._all.found[index].folder
            there = os.path.exists(f"{folder}/{file}")  # noqa: PTH110 - a thousand times
            self._known[index, file] = f"{self._folder(index)}/{quote(file)}" if there else ""
        return self._known[index, file]

    def _folder(self, index: int) -> str:
        if index not in self._folders:
            self._folders[index] = quote(os.path.relpath(self._all.found[index].folder, self._all.outputs))
        return self._folders[index]


def runs_of(verdicts: Sequence[str]) -> list[tuple[str, int]]:
    """Verdict and how often it came in succession."""
    return [(word, len(list(same))) for word, same in groupby(verdicts)]


def in_words(row: Row) -> str:
    """The strip of verdicts for those who do not see it."""
    parts = [f"{word} {count} times" if count > 1 else word for word, count in runs_of(row.verdicts)[-8:]]
    before = "" if len(runs_of(row.verdicts)) <= 8 else "…, "
    return f"{before}{', then '.join(parts)}"


@dataclass(frozen=True, slots=True)
class _Set:
    """The claims of one notebook with one set of parameters."""

    with_: str
    deliberate: bool
    rows: tuple[Row, ...]
    opened: bool


def _books(rows: Sequence[Row]) -> list[tuple[str, str, list[_Set]]]:
    """Notebook, its title, its sets of parameters; open are the one that ran last and those that are red."""
    books = []
    for name, mine in groupby(rows, key=lambda row: row.notebook):
        sets: list[_Set] = []
        for _, same in groupby(mine, key=lambda row: row.last.note.parameters_id):
            there = tuple(same)
            opened = not sets or any(row.red for row in there)
            sets.append(_Set(there[0].with_, there[0].deliberate, there, opened))
        books.append((name, sets[0].rows[0].title, sets))
    return books


def _ordered(found: Sequence[Series]) -> list[Series]:
    """What got worse comes first, then what may have."""
    order = {"regressed": 0, "suspect": 1}
    return sorted(found, key=lambda one: 3 if one.deliberate else order.get(one.judgement.state, 2))


def _trends(found: Sequence[Series]) -> list[dict[str, Any]]:
    """A row for each claim or workload, with its numbers side by side."""
    rows: dict[tuple[object, ...], dict[str, Any]] = {}
    for one in found:
        key = (one.notebook, one.of, one.owner, one.last.note.parameters_id, one.machine_id)
        row = rows.setdefault(key, {"first": one, "cells": []})
        row["cells"].append({"series": one, "picture": _picture(one), "value": said(one.values[-1], one.kind.unit)})
    return [*rows.values()]


def _picture(one: Series) -> Any:
    from markupsafe import Markup

    low, high = said(min(one.values), one.kind.unit), said(max(one.values), one.kind.unit)
    label = f"{one.kind.label}: {len(one.values)} runs, {low} to {high}, last {said(one.values[-1], one.kind.unit)}"
    since = one.judgement.since if one.regressed else None
    return Markup(sparkline(one.values, since=since, label=label))


def _months(runs: Sequence[RunDigest], limits: Limits) -> list[tuple[str, list[tuple[int, RunDigest]]]]:
    """The runs before those that are listed, by month, the newest first."""
    before = max(0, len(runs) - limits.runs)
    there = [(index, runs[index]) for index in range(before - 1, max(-1, before - 1 - limits.earlier), -1)]
    return [(month, list(same)) for month, same in groupby(there, key=lambda pair: pair[1].when[:7])]


def _counted(runs: Sequence[RunDigest], limits: Limits) -> list[tuple[str, int]]:
    """Of the runs before those, how many each month had."""
    rest = runs[: max(0, len(runs) - limits.runs - limits.earlier)]
    return [(month, len(list(same))) for month, same in groupby(reversed(rest), key=lambda run: run.when[:7])]


def _ahead(runs: Sequence[RunDigest], now: datetime) -> list[str]:
    """Runs whose names say that they are still to come: a clock was wrong, and what is last here may not be."""
    until = f"{now + timedelta(hours=1):%Y%m%dT%H%M%SZ}"
    return [run.name for run in _back(runs, until)]


def _back(runs: Sequence[RunDigest], until: str) -> Iterator[RunDigest]:
    for run in reversed(runs):
        if run.name <= until:
            return
        if run.when:
            yield run
