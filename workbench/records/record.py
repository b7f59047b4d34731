"""A run, its notebooks and their claims, as whoever reads a run's folder sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench import chain
from workbench.records.find import histories_in
from workbench.words import tally

_LINKS = {
    "report": "report.html",
    "executed notebook": "notebook.ipynb",
    "verdict.json": "verdict.json",
    "environment.json": "environment.json",
    "logs": "logs/",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim and what became of it. ``measured`` is the sentence of its finding, ``numbers`` are its numbers,
    ``not_judged_again`` is why no reader of the record can judge it again; "" where he can, or that is not known."""

    verdict: str
    sentence: str
    scenarios: tuple[str, ...]
    measured: str
    name: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    counterexample: tuple[Mapping[str, Any], ...] = ()
    not_judged_again: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """One notebook of a run."""

    name: str
    title: str
    folder: Path
    verdict: str
    reason: str
    claims: tuple[Claim, ...]
    parameters: Mapping[str, Any]
    facts: tuple[str, ...]
    when: str
    concluded: bool = False
    seconds: float = 0.0
    tags: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Claims that were not stated, and why."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """What stands in its ``environment.json``."""
    listed: Mapping[str, Any] = field(default_factory=dict)
    """What ``results.json`` of its run says of it; empty if nothing."""
    newer: bool = False
    """Whether a newer version of the workbench wrote it: what is known of it is here, and there may be more."""

    @property
    def head(self) -> str | None:
        """What its chain ends in; ``None`` if it was never sealed."""
        return chain.head(self.folder)

    @property
    def headline(self) -> str:
        """The whole notebook in a sentence."""
        return _headline(self.claims, broken=bool(self.reason), of=1)

    @property
    def links(self) -> dict[str, str]:
        """Text → file, seen from its own folder, of what there is."""
        histories = {path.name: f"{path.name}/" for path in histories_in(self.folder)}
        return {text: target for text, target in (_LINKS | histories).items() if (self.folder / target).exists()}


@dataclass(frozen=True, slots=True)
class Run:
    """One call of ``workbench run``; or a notebook that was run by hand, whose folder is then that of the run, too."""

    folder: Path
    notes: tuple[Note, ...]
    command: str
    when: str
    seconds: float
    whole: bool = True
    """Whether it came to its end: the runner wrote its results; by hand, the notebook came to its conclusion."""
    results: Mapping[str, Any] = field(default_factory=dict)
    """What stands in its ``results.json``."""
    newer: bool = False
    """Whether a newer version of the workbench wrote it, or a part of it."""

    @property
    def head(self) -> str | None:
        """What its chain ends in; ``None`` if it was never sealed."""
        return chain.head(self.folder)

    @property
    def by_hand(self) -> bool:
        """Whether no runner made it: its one notebook lies in the run's own folder."""
        return [note.folder for note in self.notes] == [self.folder]

    @property
    def headline(self) -> str:
        """The whole run in a sentence."""
        claims = [claim for note in self.notes for claim in note.claims]
        return _headline(claims, broken=sum(bool(note.reason) for note in self.notes), of=len(self.notes))


def _headline(claims: Sequence[Claim], *, broken: int, of: int) -> str:
    """``broken`` of ``of`` notebooks broke off: then claims that all held are not the whole story."""
    counts = tally([claim.verdict for claim in claims])
    if not claims:
        return "Nothing was claimed"
    if counts.get("held") == len(claims):
        held = f"All {len(claims)} claims held" if len(claims) > 1 else "The claim held"
        which = "the notebook" if of == 1 else f"{broken} of {of} notebooks"
        return f"{held}, yet {which} broke off" if broken else held
    parts = [f"{count} {word}" for word, count in counts.items()]
    return f"Of {len(claims)} claims: {', '.join(parts)}" if len(claims) > 1 else f"The claim is {claims[0].verdict}"
