"""Numbers over runs: one series for each number of a claim or workload, with one set of parameters on one machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.trends.claims import Seen, unusual, usual_parameters
from workbench.trends.numbers import Kind, kind_of, parts
from workbench.trends.regression import Judgement, false_alarms, judge

FEWEST = 3
"""Values that make a trend."""


@dataclass(frozen=True, slots=True)
class Series:
    """``values`` in the unit of ``kind``, the newest last; ``runs`` are indices into all runs."""

    notebook: str
    of: str
    owner: str
    kind: Kind
    with_: str
    machine: str
    machine_id: str
    values: tuple[float, ...]
    runs: tuple[int, ...]
    last: Seen
    judgement: Judgement
    deliberate: bool

    @property
    def regressed(self) -> bool:
        return self.judgement.state == "regressed" and not self.deliberate

    @property
    def ratio(self) -> float | None:
        """The newest value to the median of those before; None where there is none, or it is zero."""
        return self.values[-1] / self.judgement.median if self.judgement.median else None


def series(notebooks: Mapping[str, Sequence[Seen]]) -> list[Series]:
    """Every series of at least `FEWEST` values that a current run of its notebook has added to."""
    found: list[Series] = []
    for there in sorted(notebooks.values(), key=lambda one: one[-1].run, reverse=True):
        usual = usual_parameters(there)
        points: dict[tuple[str, str, str], list[tuple[Seen, float]]] = {}
        for each in there:
            note = each.note
            for kept, value in note.numbers.items():
                points.setdefault((kept, note.parameters_id, note.machine_id), []).append((each, value))
        for (kept, _, _), mine in points.items():
            last = mine[-1][0]
            if len(mine) >= FEWEST and last.current:
                of, owner, name = parts(kept)
                found.append(_series(of, owner, kind_of(of, name), mine, unusual(last.note.told, usual)))
    return found


def _series(of: str, owner: str, kind: Kind, mine: Sequence[tuple[Seen, float]], with_: str) -> Series:
    last = mine[-1][0]
    values = tuple(value for _, value in mine)
    return Series(
        notebook=last.note.name,
        of=of,
        owner=owner,
        kind=kind,
        with_=with_,
        machine=last.note.told.machine,
        machine_id=last.note.machine_id,
        values=values,
        runs=tuple(each.run for each, _ in mine),
        last=last,
        judgement=judge(values, worse=kind.worse),
        deliberate=last.note.deliberate,
    )


def expected_alarms(found: Sequence[Series]) -> float:
    """The most flags that one more run of everything has to be expected to raise on noise alone."""
    return sum(false_alarms(min(20, len(one.values) - 1)) for one in found)
