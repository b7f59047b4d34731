"""Does a finding say what stands in a record? And if not, what precisely differs?

Numbers that no arithmetic rounds are compared as they are; others to nine digits, as another machine adds in another
order. Where a secret was masked in the record, anything may stand.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from workbench.checkers import Finding
from workbench.evidence.claims import decided
from workbench.records import UNTIL_THEN
from workbench.redact import MASK

_BY_THE_CLOCK = ("seconds",)
_CUT_SHORT = ("algorithms", "smallest", "undecided")
_OUT_OF_TIME = "could not be decided within"
_NAMED = 3
_NOTHING = object()


def settled(claim: Mapping[str, Any], finding: Finding) -> bool:
    """Whether the claim had been decided as held, as it is found here, before its notebook broke off."""
    text = str(claim.get("text", ""))
    return claim.get("verdict") == "unknown" and finding.verdict == "held" and text.startswith(UNTIL_THEN)


def ran_out_of_time(claim: Mapping[str, Any], finding: Finding) -> bool:
    """Whether one of the two, the record and the finding, is undecided for lack of time alone, and the other is not."""
    texts = {str(claim.get("verdict")): str(claim.get("text", "")), finding.verdict: finding.text}
    return len(texts) == 2 and _OUT_OF_TIME in texts.get("unknown", "")


def depends_on_time(claim: Mapping[str, Any], finding: Finding) -> bool:
    """Whether what a checker with a time limit shows was not shown to be the smallest there is, both then and now."""
    stored = claim.get("measured")
    before = stored.get("smallest") if isinstance(stored, Mapping) else None
    return not (before is True and finding.measured.get("smallest") is True)


def differences(claim: Mapping[str, Any], finding: Finding, *, timed: bool) -> list[str]:
    """What differs, a clause each: verdict, measured numbers, text, counterexample, doubts. Empty if nothing does.

    ``timed``: among the checkers is one with a time limit. What it measures of time is not compared, and, where what it
    shows `depends_on_time`, neither is that, nor how far it got.
    """
    again: dict[str, Any] = json.loads(json.dumps(decided(finding), default=str))
    broke_off = settled(claim, finding)
    found = []
    if claim.get("verdict") != again["verdict"] and not broke_off:
        found.append(f"the verdict on record is {claim.get('verdict')}, and judged again it is {again['verdict']}")
    stored = claim.get("measured")
    before, now = dict(stored) if isinstance(stored, Mapping) else {}, dict(again["measured"])
    loose = timed and depends_on_time(claim, finding)
    for name in (*_BY_THE_CLOCK * timed, *_CUT_SHORT * loose):
        before.pop(name, None)
        now.pop(name, None)
    found += _numbers(before, now)
    doubts = claim.get("doubts", [])
    if not _same(doubts, again["doubts"]):
        found.append(f"the doubts on record are {_short(doubts)}, and judged again {_short(again['doubts'])}")
    if loose:
        return found
    text = str(claim.get("text", ""))
    if not (_same_text(text, again["text"]) or (broke_off and _same_text(text, again["text"], ends=True))):
        found.append(f"the text on record is {_short(text)}, and judged again {_short(again['text'])}")
    return found + _example(claim.get("counterexample", []), again["counterexample"])


def _numbers(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    differing = [name for name in {**before, **now} if not _same(before.get(name, _NOTHING), now.get(name, _NOTHING))]
    told = [f"{name} is {_at(before, name)} on record, and judged again {_at(now, name)}" for name in differing]
    more = len(told) - _NAMED
    return told[:_NAMED] + ([f"and {more} more numbers differ"] if more > 0 else [])


def _example(before: Any, now: list[dict[str, Any]]) -> list[str]:
    if _same(before, now):
        return []
    if not isinstance(before, list) or len(before) != len(now):
        count = len(before) if isinstance(before, list) else "no"
        return [f"the counterexample on record has {count} operations, and judged again {len(now)}"]
    which, one, other = next(
        (n, one, other) for n, (one, other) in enumerate(zip(before, now, strict=True), 1) if not _same(one, other)
    )
    one = one if isinstance(one, Mapping) else {}
    name = next(name for name in {**one, **other} if not _same(one.get(name, _NOTHING), other.get(name, _NOTHING)))
    told = f"has {name} {_at(one, name)} on record, and judged again {_at(other, name)}"
    return [f"operation {which} of the counterexample {told}"]


def _same(stored: Any, again: Any) -> bool:
    if isinstance(stored, str) and isinstance(again, str):
        return _same_text(stored, again)
    if stored == MASK and _is_number(again):
        return True
    if _is_number(stored) and _is_number(again):
        if isinstance(stored, int) and isinstance(again, int):
            return stored == again
        if max(abs(stored), abs(again)) > 1e300:
            return bool(stored == again)
        return math.isclose(stored, again, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(stored, Mapping) and isinstance(again, Mapping):
        pairs = list(_pairs(stored, again))
        return len(stored) == len(again) == len(pairs) and all(_same(*pair) for pair in pairs)
    if isinstance(stored, list) and isinstance(again, list):
        return len(stored) == len(again) and all(map(_same, stored, again))
    return type(stored) is type(again) and bool(stored == again)


def _pairs(stored: Mapping[str, Any], again: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Values by their names; where names are masked, by their places."""
    if any(MASK in name for name in stored):
        for (name, one), (other, two) in zip(stored.items(), again.items(), strict=False):
            if _same_text(name, other):
                yield one, two
    else:
        for name in stored:
            if name in again:
                yield stored[name], again[name]


def _same_text(stored: str, again: str, *, ends: bool = False) -> bool:
    """Whether they are the same but for what is masked; with ``ends`` what is stored need only end with the other."""
    if ends and MASK not in stored:
        return stored.endswith(again)
    first, *others = stored.split(MASK)
    if not others:
        return stored == again
    if not (ends or again.startswith(first)):
        return False
    at = 0 if ends else len(first)
    *middle, last = others
    for part in middle:
        at = again.find(part, at) + len(part)
        if at < len(part):
            return False
    return again.endswith(last) and len(again) - len(last) >= at


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _at(values: Mapping[str, Any], name: str) -> str:
    return _short(values[name]) if name in values else "nothing"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "…"
