"""Does whoever is refused know that nothing was done, and why?"""

from __future__ import annotations

import re

import numpy as np

from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding
from workbench.checkers.judge import FAIL, OK, During, chosen, judge, operation, phrase
from workbench.history import History
from workbench.words import plural

_BARE = re.compile(r"\s*(\d{3})?\s*$|500\b|.*time[ds]?[\s_-]?out", re.IGNORECASE)
"""Nothing at all, a status and no more, an error that nobody handled, a wait that was given up."""


@derived
def definite(history: History, *, during: During = "run", cause: str = "", faults: bool = True) -> Finding:
    """Judge the operations that were not ok: each certainly did not happen, and its error says why.

    Refuted by one that may have happened (``info``, or it never returned), or whose error names no cause: it is empty,
    a bare status ("503"), an unhandled error ("500 …"), a time-out, or does not hold the word ``cause`` where that is
    given. The counterexample is the first such operation. Held when there is none; unknown when every operation was
    ok, for then nobody was refused anything. ``during`` chooses the operations (see `judge.chosen`);
    ``faults=False`` lets the claim hold without a window, as ``during="steady"`` does by itself.
    Measured: ``operations``, ``refused`` (not ok), ``indefinite``, ``unnamed``.
    """
    c = history.columns
    within = chosen(history, during)
    rows = np.flatnonzero(within & ((c.outcome != OK) | np.isnan(c.returned)))
    open_ended = (c.outcome[rows] != FAIL) | np.isnan(c.returned[rows])
    bare = [i for i, name in enumerate(c.error.names) if _BARE.match(name) or not _holds(name, cause)]
    unnamed = np.isin(c.error.codes[rows], bare)
    wrong = rows[open_ended | unnamed]
    operations = int(np.count_nonzero(within))
    measured = {
        "operations": operations,
        "refused": len(rows),
        "indefinite": int(np.count_nonzero(open_ended)),
        "unnamed": int(np.count_nonzero(unnamed)),
    }
    about_faults = faults and during != "steady"
    if not len(rows):
        text = f"All {plural(operations, 'operation')} {phrase(during)} were ok, so nobody was refused anything."
        if not operations:
            text = f"There was no operation {phrase(during)}."
        return judge(history, "unknown", text, measured=measured)
    refused = f"{plural(len(rows), 'operation')} {phrase(during)} that {'was' if len(rows) == 1 else 'were'} not ok"
    if len(wrong):
        one = operation(history, wrong[0])
        said = f"said {one.error!r}" if one.error else "gave no reason"
        text = (
            f"Of {refused}, {measured['indefinite']:,} may have happened and {measured['unnamed']:,} named no cause"
            f"{f' ({cause})' if cause else ''}: the first, {f'{one.kind} {one.key}'.strip()} at {one.called:.2f} s, "
            f"was {one.outcome} and {said}."
        )
        return judge(history, "refuted", text, measured=measured, counterexample=[one], faults=about_faults)
    errors = c.error.codes[rows]
    most = c.error.names[int(np.bincount(errors).argmax())]
    text = f"Of {refused}, each certainly did not happen and named its cause, most often {most!r}."
    return judge(history, "held", text, measured=measured, faults=about_faults)


def _holds(error: str, word: str) -> bool:
    return word.casefold() in error.casefold()
