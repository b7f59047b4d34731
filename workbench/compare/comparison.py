"""Two runs beside each other: what was asked, where, what came of the claims, and how long answers took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Literal

from workbench.compare.changes import ABSENT, Change, changes, surroundings
from workbench.compare.latencies import Latency, latencies, together
from workbench.errors import UsageError
from workbench.history import History
from workbench.records import Claim, Note, Run, read_run
from workbench.results.load import histories
from workbench.words import plural

_UNKNOWN = 1
_RANK = {"held": 0, "refuted": 2}
_ALONE = ("only in A", "only in B")
Stored = tuple[tuple[str, History | str], ...]


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
        """``same``, ``worse``, ``better``; ``now unknown`` of what was refuted, which is neither; ``only in A``,
        ``only in B``."""
        if self.a is None or self.b is None:
            return "only in B" if self.a is None else "only in A"
        before, after = map(_rank, self.verdicts)
        if before == after:
            return "same"
        return "worse" if after > before else "now unknown" if after == _UNKNOWN else "better"

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
        a, b = ({name: one for name, one in those if isinstance(one, History)} for those in self._stored)
        return a, b

    @property
    def remarks(self) -> Iterator[str]:
        """What keeps the two from being compared in full."""
        for side, note, stored in zip("AB", (self.a, self.b), self._stored, strict=True):
            if note.reason:
                yield f"{self.name} broke off in {side}: {note.reason}"
            for _, one in stored:
                if isinstance(one, str):
                    yield f"{self.name} in {side}, a history that cannot be read is left out: {one}"
        a, b = self.histories
        for side, mine, theirs in (("A", a, b), ("B", b, a)):
            if only := [name for name in mine if name not in theirs]:
                yield f"{self.name}: only {side} has {', '.join(only)}."

    @cached_property
    def _stored(self) -> tuple[Stored, Stored]:
        return tuple(histories(self.a.folder)), tuple(histories(self.b.folder))


@dataclass(frozen=True)
class Comparison:
    """A run B against a run A."""

    a: Run
    b: Run
    pairs: tuple[Pair, ...]
    alone: tuple[tuple[Note, ...], tuple[Note, ...]]
    """Notebooks of only one of them."""

    @cached_property
    def claims(self) -> list[Judged]:
        """Of all notebooks, also of those that only one of the runs has."""
        a, b = ([claim for note in notes for claim in note.claims] for notes in self.alone)
        found = [judged for pair in self.pairs for judged in pair.claims]
        return [*found, *(Judged(c.name, c, None) for c in a), *(Judged(c.name, None, c) for c in b)]

    @property
    def verdict(self) -> Literal["agree", "differ", "unknown"]:
        """``agree``: each claim is in both, with the same verdict. ``unknown``: so far as both state them."""
        changes = {judged.change for judged in self.claims}
        if changes - {"same", *_ALONE}:
            return "differ"
        return "unknown" if changes - {"same"} or any(self.alone) else "agree"

    @cached_property
    def latencies(self) -> Mapping[str, list[Latency]]:
        """By the names of the notebooks; the p-values are adjusted for how many there are in all."""
        rows = {pair.name: latencies(*pair.histories) for pair in self.pairs}
        every = together(row for those in rows.values() for row in those)
        return {name: list(islice(every, len(those))) for name, those in rows.items()}

    @property
    def headline(self) -> str:
        """The whole comparison in a sentence."""
        counts = Counter(judged.change for judged in self.claims)
        both = sum(count for word, count in counts.items() if word not in _ALONE)
        told = [f"{counts[word]} {word}" for word in ("worse", "better", "now unknown") if counts[word]]
        if not told:
            unknown = sum(judged.change == "same" and _rank(judged.verdicts[0]) == _UNKNOWN for judged in self.claims)
            told = [f"all came out the same{f' ({unknown} unknown)' if unknown else ''}"]
        told += [f"{counts[word]} {word}" for word in _ALONE if counts[word]]
        return f"{plural(both, 'claim')} in both: {', '.join(told)}; {self._late()}."

    def _late(self) -> str:
        rows = [(name, row) for name, those in self.latencies.items() for row in those if row.difference]
        if not rows:
            return "latencies could not be compared"
        altered = []
        for word in ("slower", "faster"):
            kinds = {(name, row.history, row.workload, row.kind) for name, row in rows if row.verdict == word}
            if count := len(kinds):
                altered.append(f"{count} {'kind of operation is' if count == 1 else 'kinds of operations are'} {word}")
        return " and ".join(altered) or "no kind of operation is slower or faster"

    @property
    def remarks(self) -> Iterator[str]:
        """What keeps the two from being compared in full."""
        for side, run in zip("AB", (self.a, self.b), strict=True):
            if run.newer:
                yield f"A newer version of the workbench wrote {side}: there may be more in it than is compared here."
            if not run.whole:
                yield f"{side} was cut off before its end."
        for pair in self.pairs:
            yield from pair.remarks


def compare(a: Path, b: Path) -> Comparison:
    """Read two run folders. Raises `UsageError` if they have no notebook, or no claim, in common."""
    runs = read_run(a), read_run(b)
    mine, theirs = ({_name(note, run): note for note in run.notes} for run in runs)
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
    only = [
        tuple(note for name, note in one.items() if name not in other)
        for one, other in ((mine, theirs), (theirs, mine))
    ]
    return Comparison(*runs, pairs, (only[0], only[1]))


def _name(note: Note, run: Run) -> str:
    """Of one run from a script, by hand, it is the folder's, which no other run has."""
    return "by hand" if run.by_hand and note.name == run.folder.name else note.name


def _rank(verdict: str) -> int:
    return _RANK.get(verdict, _UNKNOWN)


def _listed(notes: Mapping[str, Note]) -> str:
    return "; ".join(f"{name} ({', '.join(c.name for c in note.claims) or 'no claim'})" for name, note in notes.items())
