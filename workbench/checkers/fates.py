"""What became of every write to an append-only list: the ground of `durable` and of the picture of delivery.

The fates are those of Jepsen's checkers ``set`` (ok, lost, unexpected, recovered) and ``set-full`` (never-read, and a
write that one read shows and a later one does not), computed on arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from workbench.checkers.judge import FAIL, INFO, OK, last_heal
from workbench.checkers.lists import Lists, lists
from workbench.checkers.numbered import Ints
from workbench.history import History

Fate = Literal["ok", "lost", "unexpected", "duplicated", "recovered", "failed", "absent", "never-read"]
FATES: tuple[Fate, ...] = get_args(Fate)

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fates:
    """One entry per append, in the order of their calls.

    ``ok`` acknowledged and in the final read · ``lost`` acknowledged and not in the final read, or shown by one read
    and missing from a later one · ``unexpected`` read although it certainly failed, or before it was called ·
    ``duplicated`` twice in one read · ``recovered`` not acknowledged, and in the final read · ``failed`` certainly not
    done, and never read · ``absent`` may have been done, and is not in the final read · ``never-read`` its key has no
    final read.

    The final read of a key is the last ok read of it, provided it was called after every append of the key had
    returned (or, for one that never returned, had been called) and after the last heal.
    """

    rows: Ints
    """Row of each append in the history."""
    codes: npt.NDArray[np.int8]
    """Its fate, a position in `FATES`."""
    final: Mask
    """Whether its key has a final read."""
    back: int
    """How many of the lost were there again in the final read."""
    strangers: tuple[tuple[int, Any], ...]
    """Values that no append of their key ever attempted: row of the first read that shows each, and the value."""
    keys: int
    """Keys with at least one acknowledged append."""
    unread: tuple[str, ...]
    """Those of them without a final read."""
    lists: Lists

    def count(self, fate: Fate) -> int:
        return int(np.count_nonzero(self.codes == FATES.index(fate)))

    def first(self, fate: Fate) -> int | None:
        """Position of the first append of this fate, in the order of their calls."""
        found = np.flatnonzero(self.codes == FATES.index(fate))
        return int(found[0]) if len(found) else None


def fates(history: History) -> Fates:
    """The fate of every append; near-linear in operations plus elements read.

    Raises `UsageError` if appends carry anything but integers that are unique per key, or a read no list.
    """
    c, of = history.columns, lists(history)
    called, outcome = c.called[of.appends], c.outcome[of.appends]
    last, is_final = _final_reads(history, of)
    final = is_final[of.list_of_append]
    there = np.zeros(len(of.appends), dtype=bool)
    there[of.append[of.read == last[of.list_of_append[of.append]]]] = True
    seen, vanished = _sightings(history, of)
    twice = np.zeros(len(of.appends), dtype=bool)
    twice[of.twice_append] = True

    acknowledged = outcome == OK
    lost = acknowledged & ((final & ~there) | vanished)
    # The first that applies is the fate.
    rules: list[tuple[Fate, Mask]] = [
        ("unexpected", (np.isfinite(seen) & (outcome == FAIL)) | (seen < called)),
        ("failed", outcome == FAIL),
        ("lost", lost),
        ("duplicated", twice),
        ("never-read", ~final),
        ("ok", acknowledged),
        ("recovered", (outcome == INFO) & there),
    ]
    codes = np.select([mask for _, mask in rules], [FATES.index(fate) for fate, _ in rules], FATES.index("absent"))

    asked, example = np.unique(of.list_of_append[acknowledged], return_index=True)
    unread = of.appends[acknowledged][example[~is_final[asked]]]
    return Fates(
        rows=of.appends,
        codes=codes.astype(np.int8),
        final=final,
        back=int(np.count_nonzero(lost & final & there)),
        strangers=tuple((int(of.reads[read]), value) for read, value in of.strangers),
        keys=len(asked),
        unread=tuple(c.key.names[code] for code in c.key.codes[unread]),
        lists=of,
    )


def shown_by(history: History, fates: Fates, position: int) -> list[int]:
    """Rows of the reads that show the anomaly of one append: the fewest, in the order of their calls.

    For a lost one the final read that misses it, or the read that had shown it and the later one that did not; for the
    others the first read that shows it (twice).
    """
    c, of = history.columns, fates.lists
    fate = FATES[fates.codes[position]]
    if fate == "duplicated":
        return [int(of.reads[of.twice_read[of.twice_append == position][0]])]
    showing = of.read[of.append == position]
    if fate != "lost":
        return [int(of.reads[showing[0]])] if len(showing) else []
    own = np.flatnonzero(of.list_of_read == of.list_of_append[position])
    if fates.final[position] and own[-1] not in showing:
        return [int(of.reads[own[-1]])]
    sighting = showing[np.argmin(c.returned[of.reads[showing]])]
    after = own[c.called[of.reads[own]] > c.returned[of.reads[sighting]]]
    missing = after[~np.isin(after, showing)]
    return [int(of.reads[sighting]), int(of.reads[missing[0]])]


def _final_reads(history: History, of: Lists) -> tuple[Ints, Mask]:
    """Of each list the position of its last read (-1 without one), and whether that read is final."""
    c = history.columns
    last = np.full(of.count, -1, dtype=np.int64)
    last[of.list_of_read] = np.arange(len(of.reads))  # ordered by call: the last assignment stays
    quiet = np.full(of.count, last_heal(history))
    np.maximum.at(quiet, of.list_of_append, np.fmax(c.returned[of.appends], c.called[of.appends]))
    called = np.full(of.count, -np.inf)
    called[last >= 0] = c.called[of.reads[last[last >= 0]]]
    return last, (last >= 0) & (called >= quiet)


def _sightings(history: History, of: Lists) -> tuple[npt.NDArray[np.float64], Mask]:
    """When each append was first seen by a read (infinite: never), and whether a read called after that misses it."""
    c = history.columns
    called, returned = c.called[of.reads], c.returned[of.reads]
    seen = np.full(len(of.appends), np.inf)
    np.minimum.at(seen, of.append, returned[of.read])
    following = np.searchsorted(called, seen, side="right")  # the first of all reads called after the sighting
    width = len(of.reads) + 1
    by_list = np.sort(of.list_of_read * width + np.arange(len(of.reads)))
    ends = np.searchsorted(by_list, (of.list_of_append + 1) * width)
    later = ends - np.searchsorted(by_list, of.list_of_append * width + following)
    shown = np.bincount(of.append[called[of.read] > seen[of.append]], minlength=len(of.appends))
    return seen, np.isfinite(seen) & (shown < later)
