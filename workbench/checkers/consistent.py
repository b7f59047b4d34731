"""Does every client see a world that goes forward: its own writes, and nothing that it has seen disappear?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding
from workbench.checkers.judge import OK, judge, operation
from workbench.checkers.sessions import GUARANTEES, Broken, broken_in
from workbench.errors import UsageError, nearest
from workbench.history import History, Operation
from workbench.words import plural


@dataclass(frozen=True, slots=True)
class _Said:
    """How one guarantee is spoken of: what it is looked at in, how that breaks it, and when it could have."""

    what: str
    breaks: str
    break_: str
    needs: str


_OF = {
    "read your writes": _Said(
        "read",
        "lacks an acknowledged append of its own client",
        "lack an acknowledged append of their own client",
        "ok read after an acknowledged append of the same client",
    ),
    "monotonic reads": _Said(
        "read",
        "lacks what an earlier read of its client showed",
        "lack what an earlier read of their client showed",
        "ok read after one of the same client that showed something",
    ),
    "monotonic writes": _Said(
        "append",
        "is there without an acknowledged one of its client before it",
        "are there without an acknowledged one of their client before them",
        "append that was read and came after an acknowledged one of the same client",
    ),
    "writes follow reads": _Said(
        "append",
        "is there without what its client had read before it",
        "are there without what their client had read before them",
        "append that was read and came after a read of the same client that showed something",
    ),
}


@derived
def consistent(history: History, *guarantees: str, faults: bool = True) -> Finding:
    """Judge session guarantees (Terry et al., "Session guarantees for weakly consistent replicated data", 1994) of
    append-only lists, as `Appends` asks for them: ``append`` (an integer, unique per key), ``read`` (the whole list).

    A session is what one client does with one key of one workload. ``read your writes``: an ok read shows every
    acknowledged append that its client made before. ``monotonic reads``: it shows whatever an earlier one of its client
    showed. ``monotonic writes``: wherever an append is read, by whomever, the acknowledged ones that its client made
    before stand before it. ``writes follow reads``: and so does whatever its client had read before. Without names all
    four are judged.

    Refuted when any is broken; the counterexample is the first breach, in two or three operations. Held when none is
    and each was looked at, that is, there was an operation in which it could have been broken; else unknown. With
    ``faults=False`` it can hold without a window.
    Measured, of each guarantee by its name with underscores: breaches, and in ``…_checked`` how many operations could
    have shown one. Near-linear in operations and elements read; a list whose reads contradict one another costs that
    once for each version of it.
    Raises `UsageError` for other names, for other values, and for operations of one client that overlap.
    """
    for name in guarantees:
        if name not in GUARANTEES:
            known = ", ".join(GUARANTEES)
            raise UsageError(f"There is no session guarantee {name!r}{nearest(name, GUARANTEES)} There are: {known}.")
    asked = [name for name in GUARANTEES if not guarantees or name in guarantees]
    found = broken_in(history)
    measured: dict[str, Any] = {}
    for name in asked:
        measured[name.replace(" ", "_")] = len(found[name].rows)
        measured[f"{name.replace(' ', '_')}_checked"] = found[name].checked
    broken = [name for name in asked if found[name].rows]
    if broken:
        example = _breach(history, broken[0], found[broken[0]].rows[0])
        said = [_count(name, found[name]) for name in broken]
        text = "; ".join(said) + f". The first: {_told(broken[0], example)}."
        text = text[0].upper() + text[1:]
        return judge(history, "refuted", text, measured=measured, counterexample=example, faults=faults)
    if idle := [name for name in asked if not found[name].checked]:
        text = " ".join(f"There was no {_OF[name].needs}, so nothing could have broken {name}." for name in idle)
        return judge(history, "unknown", text, measured=measured)
    text = ", ".join(f"{name} in {plural(found[name].checked, _OF[name].what)}" for name in asked)
    return judge(history, "held", f"{text[0].upper()}{text[1:]}: all kept.", measured=measured, faults=faults)


def _count(name: str, broken: Broken) -> str:
    said, many = _OF[name], len(broken.rows)
    return f"{name}: {many:,} of {plural(broken.checked, said.what)} {said.breaks if many == 1 else said.break_}"


def _breach(history: History, name: str, row: int) -> list[Operation]:
    """The fewest operations that show one breach: what was before, what came after, and for writes who saw it."""
    rows = {
        "read your writes": _unread_write,
        "monotonic reads": _unread_again,
        "monotonic writes": _before_its_time,
        "writes follow reads": _before_its_cause,
    }[name](history, row)
    return [operation(history, each) for each in rows]


def _unread_write(history: History, row: int) -> list[int]:
    view = set(history.columns.value[row])
    values = history.columns.value
    missing = (each for each in _earlier(history, row, "append") if values[each] not in view)
    return [next(missing), row]


def _unread_again(history: History, row: int) -> list[int]:
    view, values = set(history.columns.value[row]), history.columns.value
    more = (each for each in _earlier(history, row, "read") if not view.issuperset(values[each]))
    return [next(more), row]


def _before_its_time(history: History, row: int) -> list[int]:
    values = history.columns.value
    for reading, before in _shown_before(history, row):
        for each in _earlier(history, row, "append"):
            if values[each] not in before:
                return [each, row, reading]
    raise AssertionError(f"no read shows that the append in row {row} broke a guarantee")


def _before_its_cause(history: History, row: int) -> list[int]:
    values = history.columns.value
    for reading, before in _shown_before(history, row):
        for each in _earlier(history, row, "read"):
            if not before.issuperset(values[each]):
                return [each, row, reading]
    raise AssertionError(f"no read shows that the append in row {row} broke a guarantee")


def _earlier(history: History, row: int, kind: str) -> Iterator[int]:
    """The ok operations of a kind that the same session did before a row, the latest first."""
    c = history.columns
    same = (c.client[:row] == c.client[row]) & _of_list(history, row, kind)[:row] & (c.outcome[:row] == OK)
    yield from np.flatnonzero(same)[::-1].tolist()


def _shown_before(history: History, row: int) -> Iterator[tuple[int, set[Any]]]:
    """Every ok read that shows what was appended in a row, with what it shows before that."""
    c = history.columns
    value = c.value[row]
    for reading in np.flatnonzero(_of_list(history, row, "read") & (c.outcome == OK)).tolist():
        view = list(c.value[reading])
        if value in view:
            yield reading, set(view[: view.index(value)])


def _of_list(history: History, row: int, kind: str) -> Any:
    c = history.columns
    same = (c.workload.codes == c.workload.codes[row]) & (c.key.codes == c.key.codes[row])
    return same & (c.kind.codes == c.kind.code(kind))


def _told(name: str, example: list[Operation]) -> str:
    one, other = example[:2]
    key = f" of {other.key}" if other.key else ""
    if name == "read your writes":
        return f"client {one.client} appended {one.value}, and its read{key} at {other.called:.3f} s has it not"
    if name == "monotonic reads":
        gone = next(item for item in one.value if item not in other.value)
        return (
            f"client {one.client} read {gone}{key} at {one.called:.3f} s, and no longer when it read at "
            f"{other.called:.3f} s"
        )
    reading = example[2]
    before = set(reading.value[: list(reading.value).index(other.value)])
    lacking = one.value if one.kind == "append" else next(item for item in one.value if item not in before)
    did = "appended" if one.kind == "append" else "read"
    return (
        f"client {one.client} {did} {lacking} and then appended {other.value}, but client {reading.client} read "
        f"{other.value}{key} without {lacking} before it"
    )
