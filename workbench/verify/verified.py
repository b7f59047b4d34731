"""A run, or a notebook's folder, held against its seal and its own history."""

from __future__ import annotations

import os
import string
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workbench import chain
from workbench.chain import Break
from workbench.errors import ClaimRefuted, ClaimUnknown, UsageError
from workbench.evidence.code import code
from workbench.history import History
from workbench.records import Claim, Note, Run, mappings, read_json, read_run
from workbench.verify.judging import Again, judge_again
from workbench.verify.listed import claims_of, contradictions, entry_of, promises_more, told_otherwise
from workbench.words import plural

SHORTEST_HEAD = 12
"""Digits of a head that was noted elsewhere: fewer could be met by trying."""

_NEWER = "was written by a newer version of the workbench; what is known of it is judged"

State = Literal["agrees", "differs", "unsure"]
Watch = Callable[[str, str, int, int], None]
"""Called before each claim with the names of notebook and claim, its number from 0, and how many there are."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One claim: the verdict that the run is worth, and whether its history says so, too."""

    name: str
    verdict: str
    state: State
    why: str = ""


@dataclass(frozen=True, slots=True)
class Seal:
    """What the chain of a folder says of it."""

    head: str | None
    breaks: tuple[Break, ...]
    beside: tuple[Break, ...] = ()

    @classmethod
    def of(cls, folder: Path) -> Seal:
        if not os.path.lexists(folder / chain.FILE):
            return cls(None, ())
        return cls(chain.head(folder), tuple(chain.check(folder)), tuple(chain.beside(folder)))

    @property
    def sealed(self) -> bool:
        return self.head is not None or bool(self.breaks)


@dataclass(frozen=True, slots=True)
class Checked:
    """One notebook."""

    note: Note
    seal: Seal
    claims: tuple[Judged, ...]
    unsure: tuple[str, ...] = ()
    """Why not all of it can be confirmed, a clause each."""
    promises_more: bool = False
    """Whether its record says held as a whole, and not of all its claims."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A run, or one notebook's folder."""

    run: Run
    notes: tuple[Checked, ...]
    seal: Seal | None
    """Of the run's own folder; ``None`` where that is the notebook's."""
    noted: str = ""
    """The head that somebody noted elsewhere."""
    other_code: str = ""
    """The version that kept it, if its code is not that which judged it again."""

    @property
    def breaks(self) -> list[Break]:
        """Everything that is not as it was sealed, seen from the run's folder."""
        own = list(self.seal.breaks) if self.seal else []
        for one in self.notes:
            at = "" if self.seal is None else f"{one.note.folder.name}/"
            own += [Break(f"{at}{each.file}", each.what, each.why) for each in one.seal.breaks]
            if one.promises_more:
                own.append(Break(f"{at}verdict.json", "changed", "it says held, and not of all its claims"))
            listed = entry_of(self.run, one.note).get("head")
            gone = isinstance(listed, str) and not one.seal.sealed
            if gone and all(each.file != f"{at}{chain.FILE}" for each in own):
                own.append(Break(f"{at}{chain.FILE}", "missing", "results.json names its head"))
            elif isinstance(listed, str) and one.seal.head not in (None, listed):
                own.append(Break(f"{at}{chain.FILE}", "changed", "results.json names another head"))
        return own + [Break("results.json", "changed", why) for why in contradictions(self.run.results)]

    @property
    def claims(self) -> list[Judged]:
        return [claim for one in self.notes for claim in one.claims]

    @property
    def meets_noted(self) -> bool | None:
        """Whether the head that was noted is this one, or that of a notebook; ``None`` if none was."""
        return bool(self._noted_of) if self.noted else None

    @property
    def _noted_of(self) -> str:
        """Whose head the noted one is, for a sentence; "" if it is none here."""
        if self.seal is not None and (self.seal.head or "").startswith(self.noted):
            return "The head"
        found = [one.note.name for one in self.notes if (one.seal.head or "").startswith(self.noted)]
        return f"The head of {', '.join(found)} alone" if found and self.seal else "The head" if found else ""

    @property
    def unsure(self) -> list[str]:
        """Why not all can be confirmed, a clause each."""
        found = []
        if self.seal is not None and not self.run.whole:
            found.append("the run was cut off before it was sealed; its verdicts are unknown")
        elif self.seal is not None and not self.seal.sealed:
            found.append("the run has no chain: it was kept by an older version, or the chain was removed")
        for why in dict.fromkeys(why for one in self.notes for why in one.unsure):
            names = ", ".join(one.note.name for one in self.notes if why in one.unsure)
            found.append(f"{names}: {why}" if self.seal else why)
        if self.run.newer and not any(one.note.newer for one in self.notes):
            found.append(f"the run {_NEWER}")
        sure = [one for one in self.notes if not one.unsure and self.run.whole]
        if vague := [claim.name for one in sure for claim in one.claims if claim.state == "unsure"]:
            found.append(f"{plural(len(vague), 'claim')} cannot be confirmed ({', '.join(dict.fromkeys(vague))})")
        return found

    @property
    def exit_code(self) -> int:
        """0: whole, and every claim agrees. 1: changed, or one does not. 6: nothing contradicts, not all is sure."""
        if self.breaks or self.meets_noted is False or any(claim.state == "differs" for claim in self.claims):
            return ClaimRefuted.exit_code
        return ClaimUnknown.exit_code if self.unsure else 0

    @property
    def sentence(self) -> str:
        """The whole of it, for a person."""
        told = []
        if self.breaks:
            told.append(f"This is not what was sealed: {_some([str(each) for each in self.breaks])}.")
        if self.meets_noted is False:
            told.append(f"Its head is not the one that was noted ({self.noted}): it is another record.")
        if differ := [claim.name for claim in self.claims if claim.state == "differs"]:
            told.append(f"{plural(len(differ), 'claim')} {_do(differ)} not agree with the record: {', '.join(differ)}.")
        if told and (good := sum(claim.state == "agrees" for claim in self.claims)):
            told.append(f"The history as it is now agrees with {plural(good, 'claim')}.")
        if self.unsure:
            told.append(f"Not all can be confirmed: {_some(self.unsure)}.")
        if not told:
            claims = plural(len(self.claims), "claim")
            told.append(f"Nothing was changed since it was sealed, and judged again {claims} came out the same.")
            seals = [one.seal for one in self.notes] + ([self.seal] if self.seal else [])
            if later := sum(each.what == "not covered" for seal in seals for each in seal.beside):
                told.append(f"{plural(later, 'file')} came later and {'are' if later > 1 else 'is'} not part of it.")
        if self.meets_noted:
            told.append(f"{self._noted_of} is the one that was noted.")
        return " ".join(told)


def verify(folder: Path, *, noted: str = "", watch: Watch | None = None) -> Verified:
    """Hold a run's folder, or a notebook's, against its chain, and judge every claim again from its history.

    ``noted`` is a head that was written down elsewhere, or its first twelve digits or more. Nothing is run, and nothing
    is written. Raises `UsageError` if the folder holds no run, or ``noted`` is no head.
    """
    noted = noted.strip().lower()
    if noted and not (SHORTEST_HEAD <= len(noted) <= 64 and set(noted) <= set(string.hexdigits)):
        raise UsageError(
            f"A head is a number of 64 hexadecimal digits, of which the first {SHORTEST_HEAD} or more are "
            f"given, as the terminal and the pages of a run show it; got {noted!r}."
        )
    run = read_run(folder)
    if not run.notes:
        raise UsageError(f"{folder} holds no run: neither a results.json nor a notebook's folder is in it.")
    seal = None if run.by_hand else Seal.of(folder)
    documents = [read_json(note.folder / "verdict.json") for note in run.notes]
    raw = [_claims(document, note) for document, note in zip(documents, run.notes, strict=True)]
    total, before = sum(map(len, raw)), 0
    checked = []
    for note, document, claims in zip(run.notes, documents, raw, strict=True):
        judged, histories = [], dict[Path, History]()
        for number, (stored, claim) in enumerate(claims, before):
            if watch is not None:
                watch(note.name, claim.name, number, total)
            again = judge_again(stored, note.folder, histories=histories)
            judged.append(_judged(again, claim, note, otherwise=_otherwise(run, note, stored, claim)))
        if document:
            judged += _stated_nowhere_else(run, note, [claim.name for _, claim in claims])
        before += len(claims)
        of_note = Seal.of(note.folder)
        unsure = tuple(_unsure(note, of_note, run))
        checked.append(Checked(note, of_note, tuple(judged), unsure, promises_more=promises_more(document)))
    return Verified(run, tuple(checked), seal, noted, _other_code(run))


def _claims(document: Mapping[str, Any], note: Note) -> list[tuple[Mapping[str, Any], Claim]]:
    """Each claim as it stands in its file, and as it is read."""
    return list(zip(mappings(document.get("claims")), note.claims, strict=False))


def _otherwise(run: Run, note: Note, stored: Mapping[str, Any], claim: Claim) -> str:
    """What the results of the run say otherwise of a claim; "" if nothing."""
    listed = claims_of(entry_of(run, note))
    if listed is None:
        return ""
    if claim.name not in listed:
        return "results.json does not state it"
    return told_otherwise(listed[claim.name], stored, verdict=claim.verdict)


def _stated_nowhere_else(run: Run, note: Note, names: Collection[str]) -> list[Judged]:
    """Claims that stand in the results of the run, and not in the notebook's own record."""
    listed = claims_of(entry_of(run, note)) or {}
    return [
        Judged(name, str(one.get("verdict", "")), "differs", "results.json states it, and verdict.json does not")
        for name, one in listed.items()
        if name not in names
    ]


def _judged(again: Again, claim: Claim, note: Note, *, otherwise: str) -> Judged:
    name = claim.name or claim.sentence
    if otherwise:
        return Judged(name, claim.verdict, "differs", otherwise)
    if again.agrees is None or (again.agrees is False and note.newer):
        return Judged(name, claim.verdict, "unsure", again.why)
    if again.agrees is False:
        return Judged(name, claim.verdict, "differs", again.why)
    if claim.verdict == "unknown" and again.verdict == "held":
        why = "it held until its notebook broke off, and its history says so again; nothing was concluded"
        return Judged(name, claim.verdict, "unsure", why)
    return Judged(name, claim.verdict, "agrees", again.why)


def _unsure(note: Note, seal: Seal, run: Run) -> Iterator[str]:
    if note.newer:
        yield f"it {_NEWER}"
    if run.whole and run.results and not entry_of(run, note):
        yield "the run's results do not know it"
    if note.concluded and not note.claims:
        yield "it states no claim"
    if not note.concluded:
        yield "it did not come to its conclusion, and what held until then is unknown"
    if not seal.sealed and run.whole:
        yield "it has no chain: it was kept by an older version, or the chain was removed"
    elif run.by_hand and note.concluded and not run.whole:
        yield "the run that it belongs to was cut off before it was sealed; its verdicts are unknown"


def _other_code(run: Run) -> str:
    """The version that kept it, unless it was this very code."""
    now = code()
    for note in run.notes:
        then = note.environment.get("code")
        if isinstance(then, dict) and then.get("sha256") != now["sha256"]:
            commit = f", commit {str(then['commit'])[:8]}" if then.get("commit") else ""
            return f"{then.get('version')}{commit}"
    return ""


def _do(names: list[str]) -> str:
    return "do" if len(names) != 1 else "does"


def _some(texts: list[str], most: int = 3) -> str:
    more = len(texts) - most
    return "; ".join(texts[:most]) + (f"; and {more} more" if more > 0 else "")
