"""What a run's results say of its notebooks, held against what the notebooks' own records say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from workbench.records import Note, Run, mappings
from workbench.redact import MASK

_OF_A_CLAIM = ("sentence", "scenarios", "text", "measured", "counterexample", "doubts")
_COUNTED = ("held", "refuted", "unknown")


def entry_of(run: Run, note: Note) -> Mapping[str, Any]:
    """What ``results.json`` says of a notebook; empty if nothing, or if only the notebook is looked at."""
    return note.listed if run.results else {}


def claims_of(entry: Mapping[str, Any]) -> dict[str, Mapping[str, Any]] | None:
    """The claims that ``results.json`` states of a notebook, by name; ``None`` if it says nothing of claims."""
    if not isinstance(entry.get("claims"), list):
        return None
    return {str(one.get("name")): one for one in mappings(entry.get("claims"))}


def told_otherwise(listed: Mapping[str, Any], stored: Mapping[str, Any], *, verdict: str) -> str:
    """What ``results.json`` says otherwise of a claim than its record, a clause; "" if nothing. ``verdict``: what the
    claim is worth as the run is read."""
    if listed.get("verdict", verdict) != verdict:
        return f"results.json says {listed['verdict']}, and verdict.json {verdict}"
    if stored.get("verdict") == verdict:
        for name in _OF_A_CLAIM:
            if name in listed and name in stored and _differs(listed[name], stored[name]):
                return f"results.json has another {name} than verdict.json"
    return ""


def contradictions(results: Mapping[str, Any]) -> Iterator[str]:
    """Where ``results.json`` does not follow from itself, a clause each: counts, and promises no claim bears out."""
    entries = mappings(results.get("notebooks"))
    claims = [claim for entry in entries for claim in mappings(entry.get("claims"))]
    summary = results.get("summary")
    for word in _COUNTED:
        said = summary.get(word) if isinstance(summary, Mapping) else None
        count = sum(claim.get("verdict") == word for claim in claims)
        if isinstance(said, int) and said != count:
            yield f"its summary says {said} {word}, and its notebooks {count}"
    for entry in entries:
        if promises_more(entry):
            yield f"it says held of {entry.get('name')}, and not of all its claims"
    if results.get("exit_code") == 0 and any(entry.get("exit_code", 0) != 0 for entry in entries):
        yield "its exit code is 0, and not that of all its notebooks"


def promises_more(document: Mapping[str, Any]) -> bool:
    """Whether ``verdict.json``, or an entry of ``results.json``, says held as a whole and not of all its claims."""
    verdicts = {str(claim.get("verdict")) for claim in mappings(document.get("claims"))}
    return (document.get("verdict") == "held" or document.get("exit_code") == 0) and not verdicts <= {"held"}


def _differs(listed: Any, stored: Any) -> bool:
    """Secrets that were learned later are masked in the results only."""
    one, other = (json.dumps(value, sort_keys=True) for value in (listed, stored))
    return one != other and MASK not in one
