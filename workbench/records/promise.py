"""What a claim is worth that no conclusion stands behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNTIL_THEN = "Held until then: "
"""How the text of a claim begins that was decided as held in a notebook that did not conclude."""


def unpromised(claim: Mapping[str, Any]) -> dict[str, Any]:
    """A claim of ``verdict.json`` whose notebook did not come to its conclusion.

    What was held is unknown, and what was not decided, too; what was refuted stays so: an operation that refutes a
    claim does so however the notebook ended.
    """
    text = str(claim.get("text") or "")
    if claim.get("verdict") in ("refuted", "unknown"):
        return dict(claim)
    if claim.get("verdict") == "held":
        return {**claim, "verdict": "unknown", "text": f"{UNTIL_THEN}{text.removeprefix('held: ')}"}
    return {**claim, "verdict": "unknown", "text": "Not decided: the notebook ended before."}
