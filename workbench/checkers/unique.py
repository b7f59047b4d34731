"""Is one person one user, and one user one person?"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding
from workbench.checkers.judge import OK, judge, operation
from workbench.errors import UsageError
from workbench.history import History
from workbench.words import plural


@derived
def unique(history: History, *, simultaneous: bool = False, faults: bool = False) -> Finding:
    """Judge the ok operations of kind ``login``: their key is who logged in, their value ``{"user": id, …}``.

    Within a workload every key must always get the same user id, and no two keys the same one. Refuted by two logins
    that show otherwise; they are the counterexample, the first such pair. Held when there is none and at least one key
    was logged in twice or more, else unknown: of single logins nothing can come apart. With ``simultaneous=True`` the
    claim is about logins at the same time, and one key needs two of them; with ``faults=True`` it is about faults and
    needs a window to hold.
    Measured: ``logins``, ``keys``, ``users``, ``repeated`` (keys with several ok logins), ``simultaneous`` (keys with
    two ok logins that were open at the same time), ``created`` (logins that say they made their user), ``conflicts``.
    Raises `UsageError` if a login carries anything else.
    """
    c = history.columns
    rows = np.flatnonzero((c.kind.codes == c.kind.code("login")) & (c.outcome == OK)).tolist()
    user_of: dict[tuple[int, int], tuple[Any, int]] = {}
    key_of: dict[tuple[int, Any], tuple[int, int]] = {}
    ends: dict[tuple[int, int], float] = {}
    repeated, overlapping = set(), set()
    conflicts: list[tuple[int, int]] = []
    created = 0
    for row in rows:
        workload, key = int(c.workload.codes[row]), int(c.key.codes[row])
        user = _user(c.value[row])
        created += bool(c.value[row].get("created"))
        person = workload, key
        known, first = user_of.setdefault(person, (user, row))
        if first != row:
            repeated.add(person)
            if c.called[row] < ends[person]:
                overlapping.add(person)
        ends[person] = max(ends.get(person, -np.inf), float(c.returned[row]))
        if known != user:
            conflicts.append((first, row))
        owner, shown = key_of.setdefault((workload, user), (key, row))
        if owner != key:
            conflicts.append((shown, row))
    measured = {
        "logins": len(rows),
        "keys": len(user_of),
        "users": len(key_of),
        "repeated": len(repeated),
        "simultaneous": len(overlapping),
        "created": created,
        "conflicts": len(conflicts),
    }
    if conflicts:
        one, other = (operation(history, row) for row in conflicts[0])
        if one.key == other.key:
            text = f"{one.key} was given two users, {one.value['user']} and {other.value['user']}"
        else:
            text = f"{one.key} and {other.key} were given the same user, {one.value['user']}"
        text = f"{plural(len(conflicts), 'login')} of {len(rows):,} disagreed with an earlier one: {text}."
        return judge(history, "refuted", text, measured=measured, counterexample=[one, other], faults=faults)
    if not repeated:
        text = f"No key was logged in twice ({plural(len(rows), 'ok login')}), so nothing could come apart."
        return judge(history, "unknown", text, measured=measured)
    if simultaneous and not overlapping:
        text = f"No key was logged in twice at the same time ({plural(len(rows), 'ok login')})."
        return judge(history, "unknown", text, measured=measured)
    text = (
        f"{plural(len(rows), 'login')} of {plural(len(user_of), 'key')} agree on one user each; "
        f"{len(repeated):,} logged in more than once, {len(overlapping):,} of them at the same time."
    )
    return judge(history, "held", text, measured=measured, faults=faults)


def _user(value: Any) -> Any:
    try:
        user = value["user"]
        hash(user)
    except (KeyError, TypeError) as error:
        raise UsageError(f'A login carries {{"user": id, "created": bool}}, not {value!r}.') from error
    return user
