"""Why a few operations cannot be ordered, as the end of a sentence."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from itertools import permutations
from typing import Any

from workbench.checkers.finding import short
from workbench.history import Operation
from workbench.models.model import plain


def contradiction(example: Sequence[Operation], model: str, *, elsewhere: Container[Any] = ()) -> str:
    """Why these operations of one object cannot be ordered, where that can be said in a few words; else nothing.

    ``elsewhere`` are the values (see `leaves`) that operations beside these may have left in it by then: of them
    nobody can say where they came from.
    """
    told = [value for one in example if (value := leaves(one)) is not None]
    if any(value in elsewhere for value in told):
        return ""
    if model == "set":
        return _of_set(example, elsewhere)
    if any(plain(one.value) in elsewhere for one in example if one.kind in ("read", "dequeue")):
        return ""
    if model == "queue":
        return _of_queue(example)
    if model in ("register", "cas_register") and all(one.kind in ("read", "write") for one in example):
        return _of_register(example)
    if model == "cas_register" and [one.kind for one in example] == ["cas"]:
        before, after = example[0].value[:2]
        if before != after and plain(before) not in elsewhere:
            return f"nobody had written {short(before) or None} by then"
    return ""


def overtaken(last: Operation, example: Sequence[Operation], others: Iterable[Operation]) -> str:
    """Which of these operations on a register shows that what the last saw was over before it was called, as the end of
    a sentence; nothing where none does by itself. ``others`` are all on that register."""
    if last.kind not in ("read", "cas") or (last.kind == "cas" and leaves(last) is None):
        # A write saw nothing, and a cas that was refused anything but a value.
        return ""
    seen = plain(last.value if last.kind == "read" else last.value[0])
    if seen is None:
        return ""
    said = short(seen)
    for one in sorted(example, key=_call, reverse=True):
        left = leaves(one) if one.kind == "cas" else plain(one.value)
        refused = one.kind == "cas" and len(one.value) == 3 and plain(one.value[0]) == seen
        if one is last or _end(one) >= last.called or not (refused or left not in (None, seen)):
            continue
        if any(
            leaves(other) == seen and _end(other) >= one.called and other.called <= last.returned
            for other in others
            if other != last
        ):
            continue
        found = f"found something else than {said} there" if refused else f"{_DID[one.kind]} {short(left)}"
        return f"{spelt(one)} {found}, and returned before that was called; from then on nobody left {said} in it"
    return ""


_DID = {"read": "saw", "write": "left", "cas": "left"}


def leaves(one: Operation) -> Any:
    """What an operation leaves in a register, a set or a queue, for others to see; ``None``: nothing."""
    if one.kind == "cas":
        return plain(one.value[1]) if len(one.value) == 2 else None
    return plain(one.value) if one.kind in ("write", "add", "enqueue") else None


def spelt(one: Operation) -> str:
    """``read 3 of client 7``."""
    return f"{one.kind} {short(one.value) or None} of client {one.client}"


def _of_register(example: Sequence[Operation]) -> str:
    values = {plain(one.value): one.value for one in example}
    groups = {value: [one for one in example if plain(one.value) == value] for value in values}
    for value, group in groups.items():
        if value is not None and not any(one.kind == "write" for one in group):
            return f"nobody had written {short(values[value])} by then"
    for older, newer in permutations(groups, 2):
        if not (_once(groups[older], older) and _once(groups[newer], newer)):
            continue  # it was there twice, so that little follows from when it was seen
        if older is None:
            before = [one for one in groups[newer] if one.kind == "write"]
            later = max(groups[older], key=lambda one: one.called)
            first = min(groups[newer], key=_end)
            if before and _end(first) < later.called:
                return (
                    f"{spelt(first)} had returned before {spelt(later)} was called, which saw what was there at first"
                )
            continue
        if newer is None:
            continue
        pairs = [(min(groups[a], key=_end), max(groups[b], key=_call)) for a, b in ((older, newer), (newer, older))]
        if all(_end(one) < other.called for one, other in pairs):
            told = ", and ".join(f"{spelt(one)} returned before {spelt(other)} was called" for one, other in pairs)
            this, that = short(values[older]), short(values[newer])
            return f"{told}, so {this} would have to be older than {that} and {that} older than {this}"
    return ""


def _once(group: Sequence[Operation], value: Any) -> bool:
    """Whether a value was there once: written by one of these, or at first."""
    return sum(one.kind == "write" for one in group) == (value is not None)


def _of_set(example: Sequence[Operation], elsewhere: Container[Any]) -> str:
    reads = [one for one in example if one.kind == "read"]
    adds = {plain(one.value): one for one in example if one.kind == "add"}
    shows = [set(map(plain, one.value)) for one in reads]
    if len(example) == 1 and reads:
        return "" if all(value in elsewhere for value in shows[0]) else "it shows what nobody had added by then"
    if len(reads) == 2:
        more, less = sorted((0, 1), key=lambda n: len(shows[n]), reverse=True)
        lacking = _some(shows[more] - shows[less])
        if beyond := shows[less] - shows[more]:
            return (
                f"{_who(reads[more])} shows {lacking} and not {_some(beyond)}, {_who(reads[less])} shows "
                f"{_some(beyond)} and not {lacking}"
            )
        return f"{_who(reads[less])} lacks {lacking}, which {_who(reads[more])} shows, and that had returned before"
    if len(reads) == 1:
        read, shown = reads[0], shows[0]
        missing = [one for value, one in adds.items() if value not in shown]
        there = [one for value, one in adds.items() if value in shown]
        if missing and there:
            return (
                f"{_who(read)} shows {short(there[0].value)} and lacks {short(missing[0].value)}, though "
                f"{spelt(missing[0])} had returned before {spelt(there[0])} was called"
            )
        if missing:
            what = "" if _end(missing[0]) < read.called else " something was added that it shows"
            return f"{_who(read)} lacks {short(missing[0].value)}, though {spelt(missing[0])} had returned before{what}"
        if there:
            return f"{_who(read)} shows {short(there[0].value)}, though {spelt(there[0])} was called later"
    return ""


def _of_queue(example: Sequence[Operation]) -> str:
    put = {plain(one.value): one for one in example if one.kind == "enqueue"}
    got: dict[Any, list[Operation]] = {}
    for one in example:
        if one.kind == "dequeue":
            got.setdefault(plain(one.value), []).append(one)
    for value, those in got.items():
        if len(those) > 1 and value is not None:
            return f"{short(those[0].value)} came out twice"
        if value is not None and value not in put:
            return f"nobody had put {short(those[0].value)} in by then"
    for first, second in permutations(put, 2):
        came_out = second in got and (first not in got or _end(got[second][0]) < got[first][0].called)
        if _end(put[first]) < put[second].called and came_out:
            before, after = short(put[first].value), short(put[second].value)
            return f"{before} was put in before {after}, and {after} came out before {before} was asked for"
    if None in got:
        return "there was something in it all the time while it was found empty"
    return ""


def _who(one: Operation) -> str:
    return f"the {one.kind} of client {one.client} at {one.called:.3f} s"


def _some(values: set[Any]) -> str:
    return short(min(values, key=repr))


def _end(one: Operation) -> float:
    return one.returned if one.outcome == "ok" and one.returned == one.returned else float("inf")


def _call(one: Operation) -> float:
    return one.called
