"""A claim may be that something goes wrong."""

from __future__ import annotations

from typing import Literal

from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding
from workbench.errors import UsageError


@derived
def expect(finding: Finding, verdict: Literal["held", "refuted"]) -> Finding:
    """The finding of the claim that ``finding`` comes out as ``verdict``: held if it does, refuted if it comes out as
    the opposite; unknown stays unknown, and so does what came out as expected without a fault. Numbers and
    counterexample are those of ``finding``.

    Raises `UsageError` for any other verdict: nobody can claim not to know.
    """
    if verdict not in ("held", "refuted"):
        raise UsageError(f"A verdict that can be expected is 'held' or 'refuted', not {verdict!r}.")
    if finding.verdict == "unknown":
        return finding
    met = finding.verdict == verdict
    if met and not finding.faulted:
        text = f"No fault was in force. Seen: {finding.text}"
        return Finding("unknown", text, finding.measured, finding.counterexample, faulted=False)
    text = f"{'As' if met else 'Not as'} expected, {finding.verdict}: {finding.text}"
    return Finding("held" if met else "refuted", text, finding.measured, finding.counterexample)
