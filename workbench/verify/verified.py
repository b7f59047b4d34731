"""A run, or a notebook's folder, held against its seal and its own history."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workbench import chain
from workbench.chain import Break
from workbench.errors import ClaimRefuted, ClaimUnknown, UsageError
from workbench.evidence.code import code
from workbench.history import History
from workbench.records import Claim, Note, Run, read_json, read_run
from workbench.verify.judging import Again, judge_again

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
        if not (folder / chain.FILE).exists():
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
            listed = _entry(self.run, one.note).get("head")
            if isinstance(listed, str) and one.seal.head not in (None, listed):
                own.append(Break(f"{at}{chain.FILE}", "changed", "results.json names another head"))
        return own

    @property
    def claims(self) -> list[Judged]:
        return [claim for one in self.notes for claim in one.claims]

    @property
    def meets_noted(self) -> bool | None:
        """Whether the head that was noted is this one, or that of a notebook; ``None`` if none was."""
        if not self.noted:
            return None
        seals = [*([self.seal] if self.seal else []), *(one.seal for one in self.notes)]
        return any(seal.head is not None and seal.head.startswith(self.noted) for seal in seals)

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
            found.append(f"{_count(len(vague), 'claim')} cannot be confirmed ({', '.join(dict.fromkeys(vague))})")
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
            told.append(f"Judged again, {_count(len(differ), 'claim')} came out otherwise: {', '.join(differ)}.")
        if told and (good := sum(claim.state == "agrees" for claim in self.claims)):
            told.append(f"The history as it is now agrees with {_count(good, 'claim')}.")
        if self.unsure:
            told.append(f"Not all can be confirmed: {_some(self.unsure)}.")
        if not told:
            claims = _count(len(self.claims), "claim")
            told.append(f"Nothing was changed since it was sealed, and judged again {claims} came out the same.")
        if self.meets_noted:
            told.append("The head is the one that was noted.")
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
    raw = [_claims(note) for note in run.notes]
    total, before = sum(map(len, raw)), 0
    checked = []
    for note, claims in zip(run.notes, raw, strict=True):
        judged, histories = [], dict[Path, History]()
        for number, (stored, claim) in enumerate(claims, before):
            if watch is not None:
                watch(note.name, claim.name, number, total)
            again = judge_again(stored, note.folder, histories=histories)
            judged.append(_judged(again, claim, note, listed=_listed(run, note, claim.name)))
        before += len(claims)
        of_note = Seal.of(note.folder)
        checked.append(Checked(note, of_note, tuple(judged), tuple(_unsure(note, of_note, run))))
    return Verified(run, tuple(checked), seal, noted, _other_code(run))


def _claims(note: Note) -> list[tuple[Mapping[str, Any], Claim]]:
    """Each claim as it stands in its file, and as it is read."""
    found = read_json(note.folder / "verdict.json").get("claims")
    stored = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return list(zip(stored, note.claims, strict=False))


def _entry(run: Run, note: Note) -> Mapping[str, Any]:
    """What ``results.json`` says of a notebook."""
    entries = run.results.get("notebooks")
    found = [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    return next((one for one in found if note.folder.name in (one.get("folder"), one.get("name"))), {})


def _listed(run: Run, note: Note, name: str) -> str:
    """The verdict of a claim as ``results.json`` has it; "" if it has none."""
    claims = _entry(run, note).get("claims")
    found = [one for one in claims if isinstance(one, dict)] if isinstance(claims, list) else []
    return next((str(one.get("verdict", "")) for one in found if one.get("name") == name), "")


def _judged(again: Again, claim: Claim, note: Note, *, listed: str) -> Judged:
    name = claim.name or claim.sentence
    if listed not in ("", claim.verdict):
        return Judged(name, claim.verdict, "differs", f"results.json says {listed}, and verdict.json {claim.verdict}")
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


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _some(texts: list[str], most: int = 3) -> str:
    more = len(texts) - most
    return "; ".join(texts[:most]) + (f"; and {more} more" if more > 0 else "")
