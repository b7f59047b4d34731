"""Everything that the page of all runs says, put together from the digests of the runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from workbench.errors import ClaimRefuted, ClaimUnknown, NothingSelected
from workbench.trends.cache import FILE, digests
from workbench.trends.claims import Row, Seen, claim_rows, last_of_sets, seen
from workbench.trends.coverage import CoveredArea, coverage
from workbench.trends.digest import NOTHING, RunDigest
from workbench.trends.places import Place, places
from workbench.trends.scenarios import Area
from workbench.trends.series import Series, expected_alarms, series
from workbench.words import plural


@dataclass(frozen=True)
class Overview:
    """All runs of a project. ``runs`` and ``found`` go together, the oldest first."""

    outputs: Path
    runs: tuple[RunDigest, ...]
    found: tuple[Place, ...]
    empty: int
    """Folders that are named as runs are, and hold none: of stacks that were started by hand, or of runs that were
    killed before anything was recorded."""
    areas: tuple[Area, ...]

    @cached_property
    def notebooks(self) -> dict[str, list[Seen]]:
        return seen(self.runs)

    @cached_property
    def rows(self) -> list[Row]:
        return claim_rows(self.notebooks)

    @cached_property
    def series(self) -> list[Series]:
        return series(self.notebooks)

    @cached_property
    def coverage(self) -> list[CoveredArea]:
        return coverage(self.areas, self.rows)

    @property
    def counted(self) -> list[Row]:
        """Without what ran with a defect switched on."""
        return [row for row in self.rows if not row.deliberate]

    @property
    def red(self) -> list[Row]:
        """Claims that were refuted when they were last tried."""
        return [row for row in self.rows if row.red]

    @property
    def unknown(self) -> list[Row]:
        return [row for row in self.counted if row.verdict == "unknown"]

    @property
    def cut_short(self) -> list[Seen]:
        """Notebooks that did not come to their end when they were last tried: claims may be missing of them."""
        last = [each for there in self.notebooks.values() for each in last_of_sets(there)]
        return [each for each in last if not (each.note.concluded or each.note.deliberate)]

    @property
    def regressed(self) -> list[Series]:
        return [one for one in self.series if one.regressed]

    @property
    def flaky(self) -> list[Row]:
        return [row for row in self.rows if row.flaky]

    @property
    def expected_alarms(self) -> float:
        return expected_alarms(self.series)

    @property
    def compared(self) -> tuple[int, int]:
        """Notebook runs that came to their end and whose code is known, and all of them."""
        notes = [each.note for there in self.notebooks.values() for each in there]
        return sum(bool(note.code) and note.concluded for note in notes), len(notes)

    @property
    def exit_code(self) -> int:
        """For a pipeline: 0 only if something is claimed here, and all of it held when it was last tried."""
        if self.red or self.regressed:
            return ClaimRefuted.exit_code
        if self.unknown or self.cut_short or (self.runs and self.runs[-1].broken):
            return ClaimUnknown.exit_code
        return 0 if self.counted else NothingSelected.exit_code

    @property
    def headline(self) -> str:
        """All of it in a sentence."""
        if not self.runs:
            return "No run is recorded here yet"
        red, worse, unknown, short = len(self.red), len(self.regressed), len(self.unknown), len(self.cut_short)
        parts = [f"{red} claim{' is' if red == 1 else 's are'} refuted"] if red else []
        parts += [f"{worse} number{' has' if worse == 1 else 's have'} got worse"] if worse else []
        parts += [f"{unknown} claim{' is' if unknown == 1 else 's are'} unknown"] if unknown else []
        end = "its end" if short == 1 else "their end"
        parts += [f"{plural(short, 'notebook')} did not come to {end}"] if short else []
        if parts:
            return _and(parts)
        if self.counted:
            return "Every claim held when it was last tried"
        if self.rows:
            return "Claims were tried with a defect switched on, and never without"
        return "Only cells of sweeps claim anything" if any(run.cells for run in self.runs) else "Nothing is claimed"

    @property
    def summary(self) -> str:
        """A paragraph for the terminal."""
        if not self.runs:
            return f"There is no run in {self.outputs}{self._empty}."
        last, verdicts = self.runs[-1], Counter(run.verdict for run in self.runs)
        counted = ", ".join(f"{verdicts[word]} {word}" for word in ("held", "refuted", "unknown") if verdicts[word])
        text = f"{plural(len(self.runs), 'run')} of {plural(len(self.notebooks), 'notebook')} ({counted}); "
        text += f"the last is {last.name}: "
        text += f"{last.verdict}. {self.headline}."
        if self.red:
            text += f" Refuted: {_few([_call(row.notebook, row.name, row.with_) for row in self.red])}."
        if self.regressed:
            numbers = [_call(f"{one.kind.label} of {one.notebook}", one.owner, one.with_) for one in self.regressed]
            text += f" Worse: {_few(numbers)}."
        total = sum(len(one.covered) for one in self.coverage)
        claimed, held = sum(one.claimed for one in self.coverage), sum(one.count("held") for one in self.coverage)
        text += f" Of {total} scenarios {claimed} are claimed, and {held} held."
        return text + (f" Not counted:{self._empty[5:]}." if self.empty else "")

    @property
    def _empty(self) -> str:
        return f", but {plural(self.empty, 'folder')} named like one with nothing recorded" if self.empty else ""


def overview(outputs: Path, *, merge: Sequence[Path] = (), areas: Sequence[Area]) -> Overview:
    """Of the runs in ``outputs`` and anywhere below the folders ``merge``. Raises `UsageError` for one that is none.

    Opens only runs that are new or changed since the last call.
    """
    outputs = outputs.absolute()
    found = places(outputs, merge)
    pairs = list(zip(found, digests(found, cache=outputs / FILE), strict=True))
    kept = [(place, run) for place, run in pairs if run.broken != NOTHING]
    return Overview(
        outputs,
        tuple(run for _, run in kept),
        tuple(place for place, _ in kept),
        len(pairs) - len(kept),
        tuple(areas),
    )


def _and(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _call(first: str, second: str, with_: str) -> str:
    return f"{first} {second}" + (f" ({with_})" if with_ else "")
