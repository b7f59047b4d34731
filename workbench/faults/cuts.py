"""What is swallowed on which link: the working part of every fault that parts some ends from others.

A link carries both ways, so what one end is not to hear of another may pass two links: as requests (``upstream``)
where the other asks it, and as answers (``downstream``) where it asks the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from workbench.errors import LinkError, NotPossible
from workbench.faults.links import TOXIC

if TYPE_CHECKING:
    from workbench.links import Link
    from workbench.stack import Stack

Cuts = list[tuple["Link", tuple[str, ...]]]
"""Links with the streams that are swallowed there."""


def unheard(stack: Stack, of: Callable[[str, str], bool]) -> Cuts:
    """What it takes that nothing which ``sender`` sends reaches ``hearer``, wherever ``of(sender, hearer)`` is true."""
    cuts: Cuts = []
    for link in stack.links:
        streams = ("upstream",) * of(link.source, link.target) + ("downstream",) * of(link.target, link.source)
        if streams:
            cuts.append((link, streams))
    return cuts


def touched(cuts: Cuts) -> set[str]:
    """What a fault holds that cuts: of two on one link, the second one's proof would be the first one's work."""
    return {f"the timeout of {link.source} → {link.target}" for link, _ in cuts}


def begin(cuts: Cuts, fault: object) -> None:
    """Raises `NotPossible` when an equal fault is in force: healing one would heal the other."""
    if cuts and _of(cuts[0][0], fault):
        raise NotPossible(f"{fault} is not possible: it is in force already. Heal it before it begins again.")
    for link, streams in cuts:
        for stream in streams:
            link.add("timeout", name=f"{_mark(fault)}_{stream}", stream=stream, timeout=0)


def heal(stack: Stack, fault: object) -> None:
    """Remove what `begin` added for this fault, wherever it is: some whom it named may be gone, and their links.

    A link that cannot be healed stops no other.
    """
    failed: LinkError | None = None
    for link in stack.links:
        try:
            for toxic in _of(link, fault):
                link.remove(toxic)
        except LinkError as error:
            failed = error
    if failed is not None:
        raise failed


def listed(names: Iterable[object]) -> str:
    """ "redis, minority", and "redis +4" where there are more: a label has little room."""
    named = list(map(str, names))
    return f"{named[0]} +{len(named) - 1}" if len(named) > 2 else ", ".join(named)


def _of(link: Link, fault: object) -> list[str]:
    return [toxic["name"] for toxic in link.toxics() if toxic["name"].startswith(_mark(fault))]


def _mark(fault: object) -> str:
    """With which the names of its toxics begin: no other fault's do."""
    return f"{TOXIC}_timeout_{hashlib.sha256(repr(fault).encode()).hexdigest()[:8]}"
