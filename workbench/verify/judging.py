"""The claims of a notebook judged again: the history on disk, the same checker, the same arguments. Nothing is run.

A derivation stands in a file that anybody may have written. So only checkers of this package are called, by a list of
their names, with plain values and histories of the notebook's own folder; what is anything else cannot be judged again.
Whether a checker with its arguments is what the sentence of the claim calls for is for a person to read: that nobody
exchanged them since the run, the chain says, and not this. Nor does it bound how long a checker may take.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from workbench import checkers
from workbench.checkers import Finding, Verdict
from workbench.errors import UsageError, WorkbenchError, nearest
from workbench.evidence.claims import NEVER_DECIDED
from workbench.history import History
from workbench.history.origin import taken
from workbench.redact import MASK
from workbench.verify.agreeing import depends_on_time, differences, ran_out_of_time, settled

CHECKERS: Mapping[str, Callable[..., Finding]] = MappingProxyType(
    {name: getattr(checkers, name) for name in checkers.__all__ if name not in ("Finding", "Verdict", "merge")}
)
"""What may be called."""

_TIMED = "linearizable"
_DEEPEST = 20
_PARTS = {"checker", "args", "kwargs"}

Histories = dict[Path, History]


@dataclass(frozen=True, slots=True)
class Again:
    """One claim, judged again."""

    claim: str
    stored: str
    """The verdict on record."""
    verdict: Verdict | None
    """What was found now; ``None`` if it could not be judged again."""
    agrees: bool | None
    """Whether all that is on record was found again; ``None`` if that cannot be said."""
    why: str = ""
    """What differs, or why it cannot be said; of a claim that agrees what is special about it, if anything."""


class CannotJudge(UsageError):
    """Why a derivation cannot be followed here; the message is a clause."""


def judge_again(claim: Mapping[str, Any], folder: Path, *, histories: Histories | None = None) -> Again:
    """A claim, as it stands in ``verdict.json`` in the folder of its notebook, against the history beside it.

    ``histories`` keeps what was read, for the other claims. Never raises for what stands in the files.
    """
    name, stored = str(claim.get("name", "")), str(claim.get("verdict", ""))
    derivation = claim.get("derivation")
    if derivation is None:
        if _never_decided(claim):
            return Again(name, stored, "unknown", True, "it was never decided, and promises nothing")
        why = claim.get("not_judged_again") or "how its finding came to be is not on record"
        return Again(name, stored, None, None, str(why))
    try:
        finding = follow(derivation, folder, histories={} if histories is None else histories)
        timed = _is_of(derivation, _TIMED)
        if timed and ran_out_of_time(claim, finding):
            why = f"to decide it takes time, which was enough only once: {finding.verdict} now. {finding.text}"
            return Again(name, stored, finding.verdict, None, why)
        found = differences(claim, finding, timed=timed)
    except CannotJudge as error:
        return Again(name, stored, None, None, str(error))
    except RecursionError:
        return Again(name, stored, None, None, "its record is nested too deeply")
    if found:
        more = f" Judged again: {finding.text}" if finding.verdict != stored else ""
        return Again(name, stored, finding.verdict, False, f"{'; '.join(found)}.{more}")
    why = "it was held until its notebook broke off" if settled(claim, finding) else ""
    if timed and depends_on_time(claim, finding):
        why = "its text and counterexample depend on how much time there was, and are not compared"
    return Again(name, stored, finding.verdict, True, why)


def _never_decided(claim: Mapping[str, Any]) -> bool:
    """Whether nothing was found, neither well nor badly: a claim that says more has lost how it came to be."""
    said = any(claim.get(name) for name in ("measured", "counterexample", "doubts", "not_judged_again"))
    text = str(claim.get("text", ""))
    return (
        not said
        and claim.get("verdict") in ("unknown", "undecided")
        and (text in ("", NEVER_DECIDED.text) or text.startswith("Not decided: "))
    )


def follow(derivation: object, folder: Path, *, histories: Histories) -> Finding:
    """The finding that a derivation leads to, of histories in ``folder``.

    Raises `CannotJudge` for one that this version does not understand, and where a history is missing.
    """
    return _finding(derivation, folder, histories, depth=0)


def _finding(derivation: object, folder: Path, histories: Histories, *, depth: int) -> Finding:
    if not isinstance(derivation, Mapping) or not _PARTS.issuperset(derivation) or depth > _DEEPEST:
        raise CannotJudge("how its finding came to be is told in a way that this version does not understand")
    name, args, kwargs = derivation.get("checker"), derivation.get("args", []), derivation.get("kwargs", {})
    checker = CHECKERS.get(name) if isinstance(name, str) else None
    if checker is None:
        raise CannotJudge(f"this version has no checker {name!r}{nearest(str(name), CHECKERS).removesuffix('.')}")
    if not isinstance(args, list) or not isinstance(kwargs, Mapping):
        raise CannotJudge(f"the arguments of {name} are told in a way that this version does not understand")
    known = inspect.signature(checker).parameters
    for keyword in kwargs:
        if keyword not in known:
            raise CannotJudge(f"this version's checker {name} takes no {keyword!r}")
    given = [_argument(one, folder, histories, depth=depth) for one in args]
    named = {keyword: _argument(one, folder, histories, depth=depth) for keyword, one in kwargs.items()}
    try:
        return checker(*given, **named)
    except WorkbenchError as error:
        raise CannotJudge(f"{name} cannot judge it: {error}") from error
    except RecursionError:
        raise
    except Exception as error:  # whatever stands in that file, it is no reason to break
        raise CannotJudge(f"{name} cannot judge it: {type(error).__name__}: {error}") from error


def _argument(told: Any, folder: Path, histories: Histories, *, depth: int) -> Any:
    if isinstance(told, list):
        return [_argument(one, folder, histories, depth=depth) for one in told]
    if not isinstance(told, Mapping):
        if isinstance(told, str) and MASK in told:
            raise CannotJudge("among its arguments is one that was masked as a secret")
        return told
    if set(told) == {"$history"}:
        return _history(told["$history"], folder, histories)
    if set(told) == {"$finding"}:
        return _finding(told["$finding"], folder, histories, depth=depth + 1)
    if any(name.startswith("$") for name in told):
        raise CannotJudge(f"this version does not understand an argument {', '.join(told)!r:.80}")
    return {name: _argument(one, folder, histories, depth=depth) for name, one in told.items()}


def _history(told: object, folder: Path, histories: Histories) -> History:
    name, steps = (told.get("folder"), told.get("steps")) if isinstance(told, Mapping) else (None, None)
    if not isinstance(name, str) or not isinstance(steps, list) or set(told) != {"folder", "steps"}:  # type: ignore[call-overload]
        raise CannotJudge("where its history is from is told in a way that this version does not understand")
    home = folder.resolve()
    place = home / name
    try:
        if place.parent != home or name == ".." or not name.isprintable() or _leads_elsewhere(place):
            raise CannotJudge(f"its history would be in {name!r}, which is none of its notebook, or leads out of it")
        if place not in histories:
            histories[place] = History.read(place)
        history = histories[place]
        for step in steps:
            if MASK in str(step):
                raise CannotJudge("its history was filtered by what is masked as a secret")
            history = taken(history, step)
    except (CannotJudge, RecursionError):
        raise
    except WorkbenchError as error:
        raise CannotJudge(str(error)) from error
    except Exception as error:
        raise CannotJudge(f"the history in {name!r} cannot be read: {type(error).__name__}: {error}") from error
    return history


def _leads_elsewhere(place: Path) -> bool:
    return place.is_symlink() or (place.is_dir() and any(one.is_symlink() for one in place.iterdir()))


def _is_of(derivation: Any, checker: str) -> bool:
    """Whether a checker is among those that it took."""
    if isinstance(derivation, Mapping):
        return derivation.get("checker") == checker or any(_is_of(one, checker) for one in derivation.values())
    return isinstance(derivation, list) and any(_is_of(one, checker) for one in derivation)
