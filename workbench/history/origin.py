"""Where a history is from, told so that it can be found again: a folder, and what was taken of the record in it.

A step is plain JSON: ``{"where": {"workload": "appends", "fault": ["redis"], …}}`` with the selectors that were given
(`History.where`; clients that are a range as ``{"range": [start, stop, step]}``), or ``{"until": seconds}``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench.errors import UsageError, nearest
from workbench.history.operation import OUTCOMES

if TYPE_CHECKING:
    from workbench.history.record import History

Step = Mapping[str, Any]

Names = str | list[str]
Clients = int | range | list[int]
Span = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Origin:
    """The folder in which a history was recorded, absolute, and the steps taken since; or why that cannot be told."""

    folder: str = ""
    steps: tuple[Step, ...] = ()
    lost: str = "was made or changed by hand, or could not be written"
    """Why it cannot be told, of a history; "" where it can."""

    def then(self, step: Step) -> Origin:
        """After one more step."""
        return self if self.lost else replace(self, steps=(*self.steps, step))

    def lose(self, why: str) -> Origin:
        """After something that cannot be told."""
        return self if self.lost else Origin(lost=why)


def names(given: str | Iterable[str]) -> Names:
    """One name, or a list of them; `told` refuses anything else."""
    return list(given) if isinstance(given, Iterable) and not isinstance(given, (str, bytes)) else given


def clients(given: int | Iterable[int]) -> Clients:
    """One number, a range, or a list. Raises `UsageError` for anything else."""
    try:
        if isinstance(given, range):
            return given
        return [operator.index(one) for one in given] if isinstance(given, Iterable) else operator.index(given)
    except TypeError:
        raise UsageError(f"client is a number or several, like range(0, 10, 2): got {given!r}. {_FUNCTIONS}") from None


_FUNCTIONS = "What no selector can say, a function can: where(also=…)."


def span(given: tuple[float | None, float | None]) -> Span:
    """Begin and end, seconds; ``None`` where it is open. Raises `UsageError` for anything else."""
    try:
        begin, end = given
        begin = None if begin is None or begin == -math.inf else float(begin)
        end = None if end is None or end == math.inf else float(end)
        if all(one is None or math.isfinite(one) for one in (begin, end)):
            return begin, end
    except (TypeError, ValueError, OverflowError):
        pass
    raise UsageError(
        f"called is when, from and below, in seconds since the start, like (1.5, 3) or (3, None): got {given!r}. "
        f"{_FUNCTIONS}"
    )


def told(selectors: Mapping[str, Any]) -> Step:
    """A step of `History.where` out of what was given. Raises `UsageError` for what `taken` would not take."""
    plain: dict[str, Any] = {}
    for name, value in selectors.items():
        if isinstance(value, range):
            plain[name] = {"range": [value.start, value.stop, value.step]}
        elif value is not None:
            plain[name] = list(value) if isinstance(value, (list, tuple)) else value
        if name in plain:
            _selector(name, plain[name])
    return {"where": plain}


def taken(history: History, step: object) -> History:
    """What a step, as it stands in a file, takes of a history.

    Raises `UsageError` for a step that is none of this version's; nothing else is ever done.
    """
    if isinstance(step, Mapping) and len(step) == 1:
        ((word, given),) = step.items()
        if word == "until" and _is_number(given):
            return history.until(given)
        if word == "where" and isinstance(given, Mapping):
            return history.where(**{name: _selector(name, value) for name, value in given.items()})
    raise UsageError(f"This version takes no such step of a history: {_shown(step)}.")


def _selector(name: str, value: Any) -> Any:
    if name not in _SELECTORS:
        raise UsageError(f"This version selects no operations by {name!r}{nearest(str(name), _SELECTORS)}")
    if name == "client" and isinstance(value, Mapping) and set(value) == {"range"}:
        ends = value["range"]
        if isinstance(ends, list) and len(ends) == 3 and all(map(_is_whole, ends)) and ends[2]:
            return range(*ends)
    elif _SELECTORS[name](value):
        return value
    raise UsageError(f"Operations cannot be selected by {name} = {_shown(value)}.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31


def _is_names(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def _is_clients(value: object) -> bool:
    return _is_whole(value) or (isinstance(value, list) and all(map(_is_whole, value)))


def _is_span(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(one is None or _is_number(one) for one in value)


_SELECTORS: Mapping[str, Callable[[object], bool]] = {
    "workload": _is_names,
    "kind": _is_names,
    "key": lambda value: isinstance(value, str),
    "outcome": lambda value: value in OUTCOMES,
    "fault": _is_names,
    "client": _is_clients,
    "called": _is_span,
}
"""What a value of each selector is in a file."""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
