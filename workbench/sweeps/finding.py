"""A sweep in a sentence: how many cells, what became of them, and what the refuted ones have in common."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.sweeps.matrix import shown
from workbench.words import plural

_WORDS = ("refuted", "unknown", "held")


def finding(places: Sequence[Mapping[str, Any]], said: Sequence[str]) -> str:
    """``12 cells: 3 refuted, all with appendonly=no``.

    ``places`` are the values of each cell on the axes that it has; ``said`` its verdict, or "" if it was not run.
    What is in common is told where other cells lack it; *all and only those* is told where no other cell has it.
    """
    counts = {word: sum(one == word for one in said) for word in _WORDS}
    whole = plural(len(said), "cell")
    missing = sum(not one for one in said)
    if missing == len(said):
        return f"{whole}: none was run"
    if counts["held"] == len(said):
        return f"{whole}: all held" if len(said) > 1 else f"{whole}: held"
    parts = [f"{count:,} {word}" for word, count in counts.items() if count]
    parts += [f"{missing:,} not run"] if missing else []
    word = next((word for word in ("refuted", "unknown") if counts[word]), "")
    values, only = _shared(places, said, word) if word and counts[word] < len(said) - missing else ({}, False)
    common = " and ".join(f"{axis}={value}" for axis, value in values.items())
    if common:
        which = "" if counts[word] == 1 else "all and only those " if only else "all "
        common = f", {which}with {common}"
    return f"{whole}: {parts[0]}{common}{'; ' + ', '.join(parts[1:]) if parts[1:] else ''}"


def _shared(places: Sequence[Mapping[str, Any]], said: Sequence[str], word: str) -> tuple[dict[str, str], bool]:
    """What all cells of this verdict have in common, and whether no other cell has all of it: the fewest values for
    which that is so, else all that not every other cell has, too."""
    mine = [place for place, one in zip(places, said, strict=True) if one == word]
    others = [place for place, one in zip(places, said, strict=True) if one and one != word]
    common = {
        axis: shown(value)
        for axis, value in mine[0].items()
        if all(axis in place and shown(place[axis]) == shown(value) for place in mine)
    }
    telling = [axis for axis, value in common.items() if any(shown(other.get(axis)) != value for other in others)]
    for size in range(1, len(telling) + 1):
        for axes in itertools.combinations(telling, size):
            if not any(all(shown(other.get(axis)) == common[axis] for axis in axes) for other in others):
                return {axis: common[axis] for axis in axes}, True
    return {axis: common[axis] for axis in telling}, False
