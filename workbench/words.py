"""Words that are the same wherever somebody reads them: the order of verdicts, counts, reasons."""

from __future__ import annotations

from collections.abc import Collection, Mapping

WORST_FIRST = ("refuted", "unknown", "undecided", "held")
"""Of several verdicts the one that stands further to the left wins."""

UNITS = {"ms": "ms", "hz": "per second", "s": "s", "bytes": "bytes", "mib": "MiB"}
"""What names of measured numbers end with, behind an underscore, and the unit that it is."""


def worst(verdicts: Collection[object], *, of_none: str = "unknown") -> str:
    """The verdict that wins; ``of_none`` if none of them is one."""
    return next((verdict for verdict in WORST_FIRST if verdict in verdicts), of_none)


def tally(verdicts: Collection[object]) -> dict[str, int]:
    """How often each verdict is there, the worst first; those that are not there are left out."""
    said = list(verdicts)
    return {word: count for word in WORST_FIRST if (count := said.count(word))}


def rank(verdict: object) -> int:
    """To sort by, the worst first; what is no verdict promises nothing, and stands with the unknown."""
    return WORST_FIRST.index(verdict) if verdict in WORST_FIRST else WORST_FIRST.index("unknown")


def plural(count: int, noun: str) -> str:
    """``1 write``, ``2,606 writes``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def by_reason(reasons: Mapping[str, str]) -> dict[str, str]:
    """Reason → the names that it is given for: ``{"it is small": "few, many"}``."""
    names: dict[str, list[str]] = {}
    for name, why in reasons.items():
        names.setdefault(str(why), []).append(str(name))
    return {why: ", ".join(those) for why, those in names.items()}
