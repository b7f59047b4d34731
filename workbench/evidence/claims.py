"""A claim: a falsifiable sentence stated before the run, and what was found about it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.checkers import Finding, Verdict
from workbench.errors import UsageError, nearest
from workbench.history import Operation
from workbench.schemas import SCENARIO

_SCENARIOS = re.compile(rf"\s*((?:{SCENARIO}\s*,\s*)*{SCENARIO})\s*:\s*")
_LONGEST = 20  # elements of a read in the files of record; the history has them all

NEVER_DECIDED = Finding("unknown", "Never decided.")
"""Of a claim that its notebook did not come to, or forgot."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence, the scenarios it answers (``FLO-02``), and its finding once it is decided."""

    name: str
    sentence: str
    scenarios: tuple[str, ...] = ()
    finding: Finding | None = None

    @classmethod
    def stated(cls, name: str, sentence: str) -> Claim:
        """From ``"FLO-02, FLO-07: Every append …"``. Raises `UsageError` if no sentence is left."""
        if not isinstance(sentence, str):
            raise UsageError(f"The claim {name} is a sentence, not {sentence!r}.")
        found = _SCENARIOS.match(sentence)
        scenarios = tuple(re.split(r"\s*,\s*", found[1])) if found else ()
        text = sentence[found.end() :] if found else sentence
        if not text.strip():
            raise UsageError(f"The claim {name} says nothing; state a sentence that a run could refute.")
        return cls(name, " ".join(text.split()), scenarios)

    @property
    def verdict(self) -> Verdict:
        return "undecided" if self.finding is None else self.finding.verdict

    @property
    def text(self) -> str:
        return "" if self.finding is None else self.finding.text

    def record(self, *, home: Path) -> dict[str, Any]:
        """As it stands in ``verdict.json`` in the folder ``home``, with how its finding came to be; where that cannot
        be told, ``not_judged_again`` is why."""
        derivation, why = None, ""
        if self.finding is not None and self.finding.derivation is not None:
            derivation, why = self.finding.derivation.told(home=home)
        elif self.finding not in (None, NEVER_DECIDED):
            why = "its finding was made or changed by hand, and is none of a checker of the workbench"
        return {
            "name": self.name,
            "sentence": self.sentence,
            "scenarios": list(self.scenarios),
            **decided(self.finding or Finding("unknown", "")),
            "verdict": self.verdict,
            "derivation": derivation,
            **({"not_judged_again": why} if why else {}),
        }


def decided(finding: Finding) -> dict[str, Any]:
    """What of a finding stands in the record of its claim."""
    return {
        "verdict": finding.verdict,
        "text": finding.text,
        "measured": plain(finding.measured),
        "counterexample": [_operation(operation) for operation in finding.counterexample],
        "doubts": [{"kind": doubt.kind, "text": doubt.text} for doubt in finding.doubts],
    }


def check_left_out(left_out: object, claims: Mapping[str, str]) -> dict[str, str]:
    """The claims that are not stated, with the reasons. Raises `UsageError` for anything but names of claims with
    reasons, and if no claim is left."""
    if not isinstance(left_out, Mapping) or not all(isinstance(why, str) and why for why in left_out.values()):
        raise UsageError(
            'Claims that are left out are given with their reasons, as in Evidence({"exact": "it does not count"}, '
            f"exact=…); got {left_out!r}."
        )
    for name in left_out:
        if name not in claims:
            raise UsageError(f"No claim is called {name!r}, to be left out{nearest(str(name), claims)}")
    if len(left_out) == len(claims):
        why = "; ".join(dict.fromkeys(left_out.values()))
        raise UsageError(f"Nothing can be claimed of this system, so there is nothing to run: {why}.")
    return dict(left_out)


def plain(value: Any) -> Any:
    """As JSON can hold it: numpy's numbers as Python's, NaN and infinity as null, anything else as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def _operation(operation: Operation) -> dict[str, Any]:
    value, more = operation.value, 0
    if isinstance(value, (list, tuple)) and len(value) > _LONGEST:
        more = len(value) - _LONGEST
        value = value[:_LONGEST]
    record = {
        "client": operation.client,
        "workload": operation.workload,
        "kind": operation.kind,
        "key": operation.key,
        "value": plain(value),
        "called_s": plain(operation.called),
        "returned_s": plain(operation.returned),
        "outcome": operation.outcome,
        "error": operation.error,
    }
    return {**record, "more_values": more} if more else record
