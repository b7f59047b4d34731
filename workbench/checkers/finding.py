"""What a checker returns: a verdict, a measured sentence, plain numbers, and the operations that refute."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from workbench.errors import UsageError
from workbench.history import Doubt, Operation
from workbench.words import worst

if TYPE_CHECKING:
    from workbench.checkers.derivation import Derivation

Verdict = Literal["held", "refuted", "unknown", "undecided"]
"""``held``, ``refuted``, ``unknown``; a claim without a finding is ``undecided``."""

SHAPES: Mapping[Verdict, str] = {"held": "●", "refuted": "✕", "unknown": "▲", "undecided": "○"}
COLOURS: Mapping[Verdict, str] = {"held": "#1a6fb5", "refuted": "#c4006a", "unknown": "#9a5b00", "undecided": "#6b7280"}
"""Darker relatives of the outcomes' colours, so that white words on them can be read on light and dark pages."""

_LONGEST_LIST = 6
_LONGEST_VALUE = 240  # of a counterexample, where what is cut off may be what shows it


@dataclass(frozen=True)
class Finding:
    """The answer of one checker to one history.

    ``text`` is one measured sentence; ``measured`` its plain numbers, with units in their names;
    ``counterexample`` the fewest operations that refute; ``doubts`` why nothing can be decided; ``faulted`` is false
    where the claim is about faults and none was in force. ``derivation`` is which checker found it, and of
    what; a finding that is made or changed by hand (``dataclasses.replace``) has none.
    Raises `UsageError` if the verdict is not ``held``, ``refuted`` or ``unknown``, or if it is anything but
    ``unknown`` although there are doubts.
    """

    verdict: Verdict
    text: str
    measured: Mapping[str, Any] = field(default_factory=dict)
    counterexample: tuple[Operation, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    faulted: bool = True
    derivation: Derivation | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.verdict not in ("held", "refuted", "unknown"):
            raise UsageError(f"A finding is held, refuted or unknown, not {self.verdict!r}.")
        if self.doubts and self.verdict != "unknown":
            raise UsageError(f"A finding in doubt is unknown, not {self.verdict}: {self.doubts[0]}")

    def __repr__(self) -> str:
        return f"{self.verdict}: {self.text}"

    def _repr_html_(self) -> str:
        return f'<div style="line-height:1.5">{badge(self.verdict)} {lines(self.text)}{self._table()}</div>'

    def _table(self) -> str:
        if not self.counterexample:
            return ""
        cell = "text-align:left;padding:1px 14px 1px 0;border:0;font-variant-numeric:tabular-nums"
        heads = "".join(
            f'<th style="{cell};font-weight:600">{head}</th>'
            for head in ("client", "kind", "key", "value", "called s", "returned s", "outcome", "error")
        )
        rows = "".join(
            "<tr>" + "".join(f'<td style="{cell}">{html.escape(text)}</td>' for text in _cells(operation)) + "</tr>"
            for operation in self.counterexample
        )
        return (
            '<div style="margin-top:6px;opacity:.75">the counterexample</div><table style="border-collapse:collapse;'
            f'margin:0;font-size:92%"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
        )


def merge(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict for many: refuted > unknown > undecided > held. Of nothing at all: unknown."""
    seen = set(verdicts)
    if strange := seen - set(get_args(Verdict)):
        raise UsageError(f"There is no verdict {', '.join(sorted(map(repr, strange)))}.")
    return cast("Verdict", worst(seen))


def badge(verdict: Verdict) -> str:
    """The verdict as a coloured word with a shape of its own, readable on light and dark pages alike."""
    return (
        f'<span style="display:inline-block;white-space:nowrap;padding:0 8px;border-radius:4px;font-weight:600;'
        f'color:#fff;background:{COLOURS[verdict]}">{SHAPES[verdict]} {verdict}</span>'
    )


def lines(text: str) -> str:
    """Escaped for HTML, line ends kept (a doubt may quote a log)."""
    return html.escape(text).replace("\n", "<br>")


def short(value: Any, *, longest: int = 80) -> str:
    """A value in few characters: of a long list the ends and the length."""
    if isinstance(value, (list, tuple)) and len(value) > _LONGEST_LIST:
        head, tail = ", ".join(map(repr, value[:3])), ", ".join(map(repr, value[-2:]))
        return f"[{head}, … {tail}] ({len(value):,} values)"
    text = "" if value is None else repr(value)
    return text if len(text) <= longest else text[: longest - 3] + "…"


def _cells(operation: Operation) -> tuple[str, ...]:
    returned = f"{operation.returned:.3f}" if operation.returned == operation.returned else "never"
    return (
        str(operation.client),
        operation.kind,
        operation.key,
        short(operation.value, longest=_LONGEST_VALUE),
        f"{operation.called:.3f}",
        returned,
        operation.outcome,
        operation.error,
    )
