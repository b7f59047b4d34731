"""Two runs beside each other: what was asked, where, what came of the claims, and how long answers took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from workbench.compare.changes import ABSENT, Change, changes, surroundings
from workbench.compare.latencies import Latency, histories, latencies
from workbench.errors import UsageError
from workbench.history import History
from workbench.records import Claim, Note, Run, read_run

_RANK = {"held": 0, "unknown": 1, "undecided": 1, "refuted": 2}


@dataclass(frozen=True, slots=True)
class Judged:
    """One claim in both runs; ``None`` where it was not stated."""

    name: str
    a: Claim | None
    b: Claim | None

    @property
    def sentence(self) -> str:
        claim = self.b or self.a
        return claim.sentence if claim else ""

    @property
    def verdicts(self) -> tuple[str, str]:
        """Of both; `ABSENT` where it was not stated."""
        return tuple(claim.verdict if claim else ABSENT for claim in (self.a, self.b))  # type: ignore[return-value]

    @property
    def change(self) -> str:
        """``worse``, ``better``, ``same``; ``only in A``, ``only in B``."""
        if self.a is None or self.b is None:
            return "only in B" if self.a is None else "only in A"
        before, after = (_RANK.get(verdict, 1) for verdict in self.verdicts)
        return "same" if before == after else "worse" if after > before else "better"

    @property
    def numbers(self) -> list[Change]:
        """Measured numbers of both that differ; lists are left out."""
        if self.a is None or self.b is None:
            return []
        return [
            change
            for change in changes(self.a.numbers, self.b.numbers)
            if isinstance(change.a, (int, float)) and isinstance(change.b, (int, float))
        ]


@dataclass(frozen=True)
class Pair:
    """One notebook in both runs."""

    name: str
    a: Note
    b: Note

    @cached_property
    def parameters(self) -> list[Change]:
        return changes(self.a.parameters, self.b.parameters)

    @cached_property
    def surroundings(self) -> list[Change]:
        return changes(surroundings(self.a), surroundings(self.b))

    @cached_property
    def claims(self) -> list[Judged]:
        a, b = ({claim.name: claim for claim in note.claims} for note in (self.a, self.b))
        return [Judged(name, a.get(name), b.get(name)) for name in dict.fromkeys([*a, *b])]

    @cached_property
    def histories(self) -> tuple[Mapping[str, History], Mapping[str, History]]:
        """By the names of their folders, of each run; those that can be read."""
        return histories(self.a.folder), histories(self.b.folder)

    @cached_property
    def latencies(self) -> list[Latency]:
        return latencies(*self.histories)


@dataclass(frozen=True)
class Comparison:
    """A run B against a run A."""

    a: Run
    b: Run
    pairs: tuple[Pair, ...]
    alone: tuple[tuple[str, ...], tuple[str, ...]]
    """Notebooks of only one of them."""

    @property
    def claims(self) -> list[Judged]:
        return [judged for pair in self.pairs for judged in pair.claims]

    @property
    def same(self) -> bool:
        """Whether every claim that both state came out the same."""
        return not any(judged.change in ("worse", "better") for judged in self.claims)

    @property
    def headline(self) -> str:
        """The whole comparison in a sentence."""
        counts: dict[str, int] = {}
        for judged in self.claims:
            counts[judged.change] = counts.get(judged.change, 0) + 1
        both = sum(counts.get(word, 0) for word in ("same", "worse", "better"))
        parts = [f"{counts[word]} {word}" for word in ("worse", "better", "only in A", "only in B") if word in counts]
        claims = f"{both} claim{'s' * (both != 1)} in both: {', '.join(parts) or 'all came out the same'}"
        altered = []
        for word in ("slower", "faster"):
            if count := sum(row.verdict == word for pair in self.pairs for row in pair.latencies):
                altered.append(f"{count} {'kind' if count == 1 else 'kinds'} of operations {_is(count)} {word}")
        return f"{claims}; {' and '.join(altered) or 'no kind of operation is slower or faster'}."


def compare(a: Path, b: Path) -> Comparison:
    """Read two run folders. Raises `UsageError` if they have no notebook, or no claim, in common."""
    runs = read_run(a), read_run(b)
    mine, theirs = ({_name(note): note for note in run.notes} for run in runs)
    for run, notes in zip(runs, (mine, theirs), strict=True):
        if not notes:
            raise UsageError(f"{run.folder} holds no run: nothing in it is the record of a notebook.")
    pairs = tuple(Pair(name, mine[name], theirs[name]) for name in mine if name in theirs)
    if not any(judged.a and judged.b for pair in pairs for judged in pair.claims):
        what = "claim" if pairs else "notebook"
        raise UsageError(
            f"The two runs have no {what} in common, so there is nothing to compare: {runs[0].folder.name} has "
            f"{_listed(mine)}, {runs[1].folder.name} has {_listed(theirs)}."
        )
    alone = tuple(tuple(name for name in one if name not in other) for one, other in ((mine, theirs), (theirs, mine)))
    return Comparison(*runs, pairs, alone)  # type: ignore[arg-type]


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _name(note: Note) -> str:
    told: Any = note.environment.get("notebook")
    return note.name if note.name or not isinstance(told, str) else told


def _listed(notes: Mapping[str, Note]) -> str:
    return "; ".join(f"{name} ({', '.join(c.name for c in note.claims) or 'no claim'})" for name, note in notes.items())
