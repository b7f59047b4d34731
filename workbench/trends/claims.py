"""Every claim over all runs: its verdicts in order, since when it is red, and whether it says now this, now that.

A claim is followed apart for each set of parameters it ran with: what is refuted without a log on disk says nothing of
what holds with one. A set counts as *current* as long as it is among the last `CURRENT` runs of its notebook. What ran
with a defect switched on was meant to be refuted: it is shown, and never counted as red.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.trends.digest import NoteDigest, RunDigest, Told

CURRENT = 10
"""Runs of a notebook; see above."""

FOLLOWED = 120
"""Runs of a notebook that are looked at, the newest: its claims and numbers are followed that far back."""

STRIP = 40
"""Verdicts of a claim that are shown, the newest last."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A notebook in a run; ``run`` is an index into all runs."""

    run: int
    note: NoteDigest


@dataclass(frozen=True, slots=True)
class Flaky:
    """Different verdicts of one claim with the same code and parameters; ``last`` is the newest such run."""

    code: str
    counts: Mapping[str, int]
    last: int


@dataclass(frozen=True, slots=True)
class Row:
    """One claim with one set of parameters."""

    notebook: str
    title: str
    name: str
    sentence: str
    scenarios: tuple[str, ...]
    text: str
    with_: str
    """How its parameters differ from the usual ones; "" if they do not."""
    deliberate: bool
    verdicts: tuple[str, ...]
    """The last `STRIP` of them."""
    times: int
    last: Seen
    since: int
    """The run from which on its verdict has been what it is now."""
    flaky: Flaky | None

    @property
    def verdict(self) -> str:
        return self.verdicts[-1]

    @property
    def red(self) -> bool:
        return self.verdict == "refuted" and not self.deliberate


def seen(runs: Sequence[RunDigest]) -> dict[str, list[Seen]]:
    """Notebook → where it ran, the oldest first, the last `FOLLOWED` times."""
    found: dict[str, list[Seen]] = {}
    for index, run in enumerate(runs):
        for note in run.notes:
            found.setdefault(note.name, []).append(Seen(index, note))
    return {name: there[-FOLLOWED:] for name, there in found.items()}


def current(all_of_one: Sequence[Seen]) -> set[str]:
    """The sets of parameters among the last runs of one notebook."""
    return {each.note.parameters_id for each in all_of_one[-CURRENT:]}


def claim_rows(notebooks: Mapping[str, Sequence[Seen]]) -> list[Row]:
    """Of all notebooks, the one that ran last first; of each the set of parameters that ran last first; in the order in
    which the claims stand."""
    rows: list[Row] = []
    for there in sorted(notebooks.values(), key=lambda one: one[-1].run, reverse=True):
        usual = usual_parameters(there)
        sets: dict[str, list[Seen]] = {}
        for each in there:
            sets.setdefault(each.note.parameters_id, []).append(each)
        live = current(there)
        recent = {id(each) for each in there[-CURRENT:]}
        for one in sorted(sets.values(), key=lambda mine: mine[-1].run, reverse=True):
            if one[-1].note.parameters_id in live:
                rows += _rows_of_set(one, usual, recent)
    return rows


def _rows_of_set(there: Sequence[Seen], usual: Mapping[str, str], recent: set[int]) -> list[Row]:
    """Claims that have not been made by any recent run are gone from the notebook."""
    order: dict[str, list[Seen]] = {}
    for each in reversed(there):
        for name in each.note.claims:
            order.setdefault(name, []).append(each)
    return [
        _row(name, mine[::-1], unusual(mine[0].note.told, usual))
        for name, mine in order.items()
        if id(mine[0]) in recent
    ]


def _row(name: str, mine: Sequence[Seen], with_: str) -> Row:
    last, told = mine[-1], mine[-1].note.told
    sentence, scenarios, text = told.claims[name]
    verdicts = [each.note.claims[name] for each in mine]
    first = len(verdicts) - 1
    while first and verdicts[first - 1] == verdicts[-1]:
        first -= 1
    return Row(
        notebook=last.note.name,
        title=told.title,
        name=name,
        sentence=sentence,
        scenarios=scenarios,
        text=text,
        with_=with_,
        deliberate=last.note.deliberate,
        verdicts=tuple(verdicts[-STRIP:]),
        times=len(verdicts),
        last=last,
        since=mine[first].run,
        flaky=None if last.note.deliberate else _flaky(name, mine[-STRIP:]),
    )


def _flaky(name: str, mine: Sequence[Seen]) -> Flaky | None:
    """The newest code whose runs disagree. A run that broke off, or whose code is not known, is not compared."""
    codes: dict[str, list[Seen]] = {}
    for each in mine:
        if each.note.concluded and each.note.code:
            codes.setdefault(each.note.code, []).append(each)
    for code, runs in reversed(codes.items()):
        counts = Counter(each.note.claims[name] for each in runs)
        if len(counts) > 1:
            return Flaky(code, counts, runs[-1].run)
    return None


def usual_parameters(there: Sequence[Seen]) -> dict[str, str]:
    """Of each parameter the value that more than half of a notebook's runs had."""
    sets = Counter(each.note.parameters_id for each in there)
    one_of = {each.note.parameters_id: each.note for each in there}
    counts: dict[str, Counter[str]] = {}
    for name, times in sets.items():
        for parameter, value in one_of[name].told.parameters.items():
            counts.setdefault(parameter, Counter())[value] += times
    return {
        parameter: value
        for parameter, counted in counts.items()
        for value, times in counted.most_common(1)
        if 2 * times > len(there)
    }


def unusual(told: Told, usual: Mapping[str, str]) -> str:
    """``runtime = docker, no system``: what tells a set of parameters from the usual one."""
    other = [f"{name} = {value}" for name, value in told.parameters.items() if usual.get(name) != value]
    absent = [f"no {name}" for name in usual if name not in told.parameters]
    words = other + absent
    return ", ".join(words[:5]) + (f" and {len(words) - 5} more" if len(words) > 5 else "")
