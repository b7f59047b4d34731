"""Every claim over all runs: its verdicts in order, since when it is red, and whether it says now this, now that.

A claim is followed apart for each set of parameters it ran with: what is refuted without a log on disk says nothing of
what holds with one. A set counts as *current* as long as it is among the last `CURRENT` runs of its notebook, or ran
in the `TOGETHER` hours before the last: a pipeline may try many sets, and none of them may drop out. What ran with a
defect switched on was meant to be refuted: it is shown, and never counted as red.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from workbench.trends.digest import NoteDigest, RunDigest, Told

CURRENT = 10
"""Runs of a notebook, however old; see above."""

TOGETHER = 3
"""Hours; see above."""

FOLLOWED = 120
"""Runs of a notebook that are looked at, the newest, beside all current ones: its claims and numbers are followed that
far back."""

STRIP = 40
"""Verdicts of a claim that are shown, the newest last."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A notebook in a run; ``run`` is an index into all runs."""

    run: int
    note: NoteDigest
    current: bool


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
    """Notebook → where it ran, the oldest first, the last `FOLLOWED` times and whenever it is current."""
    found: dict[str, list[tuple[int, NoteDigest]]] = {}
    for index, run in enumerate(runs):
        for note in run.notes:
            found.setdefault(note.name, []).append((index, note))
    return {name: _followed(there, runs) for name, there in found.items()}


def _followed(there: Sequence[tuple[int, NoteDigest]], runs: Sequence[RunDigest]) -> list[Seen]:
    since, back = _before(runs[there[-1][0]].when), len(there)
    all_of_one = [
        Seen(index, note, back - place <= CURRENT or runs[index].when[:16] >= since)
        for place, (index, note) in enumerate(there)
    ]
    return [each for place, each in enumerate(all_of_one) if each.current or back - place <= FOLLOWED]


def _before(moment: str) -> str:
    """`TOGETHER` before what `RunDigest.when` tells; after all times if it tells none."""
    try:
        return f"{datetime.strptime(moment[:16], '%Y-%m-%d %H:%M') - timedelta(hours=TOGETHER):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError):
        return "~"


def last_of_sets(there: Sequence[Seen]) -> list[Seen]:
    """The last run of a notebook with each current set of parameters, the oldest first."""
    last = {each.note.parameters_id: each for each in there}
    return sorted((each for each in last.values() if each.current), key=lambda each: each.run)


def claim_rows(notebooks: Mapping[str, Sequence[Seen]]) -> list[Row]:
    """Of all notebooks, the one that ran last first; of each the set of parameters that ran last first; in the order in
    which the claims stand."""
    rows: list[Row] = []
    for there in sorted(notebooks.values(), key=lambda one: one[-1].run, reverse=True):
        usual = usual_parameters(there)
        sets: dict[str, list[Seen]] = {}
        for each in there:
            sets.setdefault(each.note.parameters_id, []).append(each)
        for last in reversed(last_of_sets(there)):
            rows += _rows_of_set(sets[last.note.parameters_id], usual)
    return rows


def _rows_of_set(there: Sequence[Seen], usual: Mapping[str, str]) -> list[Row]:
    """Claims that none of the last `CURRENT` runs with these parameters made are gone from the notebook."""
    order: dict[str, list[Seen]] = {}
    for each in reversed(there):
        for name in each.note.claims:
            order.setdefault(name, []).append(each)
    return [
        _row(name, mine[::-1], unusual(mine[0].note.told, usual))
        for name, mine in order.items()
        if mine[0].run >= there[-CURRENT:][0].run
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
