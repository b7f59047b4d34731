"""Which links a network fault acts on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from workbench.errors import UnknownService, UsageError, nearest
from workbench.faults.processes import check_name

if TYPE_CHECKING:
    from workbench.links import Link
    from workbench.stack import Role, Stack

TOXIC = "fault"
"""Every toxic a fault adds carries this prefix, so that healing removes its own and nothing else."""
MOST_NAMED = 12
"""A message names so many links at most: a group of six has dozens."""


def between(stack: Stack, one: str | Role, other: str | Role) -> list[Link]:
    """The link between two ends, whichever of them is the service; every link to ``one`` if ``other`` is empty.

    Raises `UsageError` if the stack has no such link, `UnknownService` for a name of nobody.
    """
    what = f"between {one} and {other}" if other else f"to {one}"
    check_known(stack, [check_name(name) for name in (one, other) if name != ""], what)
    found = [
        link
        for link in stack.links
        if (not other and link.target == one) or (other and {link.source, link.target} == {one, other})
    ]
    if not found:
        raise UsageError(f"There is no link {what} in this stack; there are: {there(stack)}.")
    return found


def check_known(stack: Stack, names: Iterable[object], what: str) -> None:
    """Raise `UnknownService`, with the nearest name, for one that is no service and no group of clients."""
    known = {*stack, *stack.clients}
    for name in names:
        if name not in known:
            raise UnknownService(
                f"There is no link {what}: nobody in this stack is called {name}{nearest(str(name), known)} "
                f"There are: {there(stack)}."
            )


def there(stack: Stack) -> str:
    """The links of a stack for a message, the first of them where there are many."""
    names = [f"{link.source} → {link.target}" for link in stack.links]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more or "none"


def touched(stack: Stack, one: str | Role, other: str | Role, toxic: str) -> set[str]:
    """What a fault holds that acts on links: two of one kind on one link would heal each other."""
    return {f"the {toxic} of {link.source} → {link.target}" for link in between(stack, one, other)}


def add(link: Link, toxic: str, stream: str, **attributes: int) -> None:
    """Add a toxic of ours to one direction of a link; ``upstream`` flows to the service, ``downstream`` back."""
    link.add(toxic, name=f"{TOXIC}_{toxic}_{stream}", stream=stream, **attributes)


def clear(link: Link, toxic: str) -> None:
    """Remove our toxics of one type from a link, as far as they are there."""
    for found in link.toxics():
        if found["name"].startswith(f"{TOXIC}_{toxic}_"):
            link.remove(found["name"])


def each(probe: Callable[[Link], str], links: list[Link]) -> str:
    """The sentences of a probe of every link, asked at the same time: the fault is in force meanwhile."""
    with ThreadPoolExecutor(len(links)) as pool:
        return "; ".join(pool.map(probe, links))


def name(verb: str, one: str | Role, other: str | Role) -> str:
    return f"{verb} {one}–{other}" if other else f"{verb} {one}"
