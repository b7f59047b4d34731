"""One claim that takes more than one checker."""

from __future__ import annotations

from typing import Any

from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding, merge
from workbench.errors import UsageError


@derived
def both(first: Finding, *others: Finding) -> Finding:
    """Held if all of them hold; refuted if one is refuted; else unknown. With the sentences of all, those that decide
    it first, the counterexample of the first that is refuted, and the doubts of all.

    Measured: what each measured; where two measured a number of one name, the earlier one's stands.
    Raises `UsageError` for what is no finding, or for one alone.
    """
    findings = (first, *others)
    if len(findings) < 2 or not all(isinstance(finding, Finding) for finding in findings):
        raise UsageError("both takes two findings or more, as in both(matched(history), bounded(history, within_s=1)).")
    verdict = merge(finding.verdict for finding in findings)
    deciding = sorted(findings, key=lambda finding: finding.verdict != verdict)
    measured: dict[str, Any] = {}
    for finding in findings:
        measured = {**finding.measured, **measured}
    return Finding(
        verdict,
        " ".join(finding.text for finding in deciding),
        measured,
        next((finding.counterexample for finding in deciding if finding.counterexample), ()),
        tuple(dict.fromkeys(doubt for finding in findings for doubt in finding.doubts)) if verdict == "unknown" else (),
        all(finding.faulted for finding in findings),
    )
