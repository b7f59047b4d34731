"""Groups: a service and its companions, which start with it, and who of them is the primary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from workbench.errors import NotPossible, UsageError

if TYPE_CHECKING:
    from workbench.runtimes.running import Running

_PATIENCE_S = 0.5


def find_primary(members: Sequence[Running]) -> str:
    """The name of the one that is primary now: most of those who decide it say so, or, without such, it alone does.

    Raises `NotPossible`, which says what each said, and `UsageError` if this service knows no primary.
    """
    first = members[0].name
    judges = [one for one in members if hasattr(one.service, "primary")]
    if judges:
        said = _ask(judges, lambda one: str(one.service.primary(one.place, timeout_s=_PATIENCE_S)))  # type: ignore[attr-defined]
        votes = Counter(one for one in said if isinstance(one, str))
        found = [name for name, count in votes.items() if 2 * count > len(judges)]
        lacking = "no majority of its sentinels names the same"
        what = "says {}"
    else:
        known = [one for one in members if hasattr(one.service, "role")]
        if not known:
            raise UsageError(f"{first} has no primary: a {members[0].service.name} does not know of any.")
        said = _ask(judges := known, lambda one: str(one.service.role(one.place, timeout_s=_PATIENCE_S)))  # type: ignore[attr-defined]
        found = [one.name for one, role in zip(judges, said, strict=True) if role == "primary"]
        lacking = "of its members not exactly one takes itself for it"
        what = "is a {}"
    if len(found) == 1:
        return found[0]
    each = [
        f"{one.name} {what.format(answer) if isinstance(answer, str) else f'does not answer ({answer!r})'}"
        for one, answer in zip(judges, said, strict=True)
    ]
    raise NotPossible(f"Nobody can be called the primary of {first} now: {lacking}. {'; '.join(each)}.")


def _ask(members: Sequence[Running], question: Callable[[Running], str]) -> list[str | Exception]:
    """Each one's answer, or why there is none; all are asked at the same time."""

    def ask(one: Running) -> str | Exception:
        try:
            return question(one)
        except Exception as error:  # whatever it is, it is no answer
            return error

    with ThreadPoolExecutor(len(members)) as pool:
        return list(pool.map(ask, members))


def the_group(groups: Sequence[str]) -> str:
    """The only group of a stack. Raises `UsageError` if there is none, or a choice."""
    if len(groups) == 1:
        return groups[0]
    what = f"it has the groups {', '.join(groups)}; name one" if groups else "it has no group of services"
    raise UsageError(f"Whose primary is not clear in this stack: {what}.")
