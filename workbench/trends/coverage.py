"""Which scenarios are claimed: of each id the claims that prove it, and what became of them last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.trends.claims import Row
from workbench.trends.scenarios import Area, Scenario
from workbench.words import worst


@dataclass(frozen=True, slots=True)
class Covered:
    """One scenario. ``verdict`` is the worst of its claims; "" if no run claims it."""

    scenario: Scenario
    rows: tuple[Row, ...]
    deliberate: bool
    """Whether it was only ever tried with a defect switched on."""

    @property
    def verdict(self) -> str:
        return worst([row.verdict for row in self.rows], of_none="")


@dataclass(frozen=True, slots=True)
class CoveredArea:
    """One area and how much of it is claimed."""

    area: Area
    covered: tuple[Covered, ...]

    def count(self, verdict: str) -> int:
        return sum(one.verdict == verdict for one in self.covered)

    @property
    def claimed(self) -> int:
        return sum(one.verdict != "" for one in self.covered)


def coverage(areas: Sequence[Area], rows: Sequence[Row]) -> list[CoveredArea]:
    """All areas in their order; ids that claims name and no list has come last, as an area of their own."""
    claimed: dict[str, list[Row]] = {}
    for row in rows:
        for one in row.scenarios:
            claimed.setdefault(one, []).append(row)
    known = {one.id for area in areas for one in area.scenarios}
    strange = tuple(Scenario(one, "Claims name it, and it is in no list.") for one in sorted(claimed.keys() - known))
    extra = [Area("unlisted", "In no list", strange)] if strange else []
    return [CoveredArea(area, tuple(_covered(one, claimed) for one in area.scenarios)) for area in [*areas, *extra]]


def _covered(scenario: Scenario, claimed: dict[str, list[Row]]) -> Covered:
    rows = claimed.get(scenario.id, [])
    meant = tuple(row for row in rows if not row.deliberate)
    return Covered(scenario, meant, deliberate=bool(rows) and not meant)
