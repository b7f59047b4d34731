"""What differs between two records of nested names and values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.records import Note

ABSENT = "–"

_NEVER_ALIKE = ("written", "notebook", "parameters", "seed")
"""Of a fingerprint: when, and what stands elsewhere."""
_OF_ONE_START = ("ready_ms", "url", "port", "pid", "log", "id", "container")


@dataclass(frozen=True, slots=True)
class Change:
    """One name whose value is another; `ABSENT` where there is none."""

    name: str
    a: Any
    b: Any

    def __str__(self) -> str:
        return f"{self.name}: {self.a} → {self.b}"


def changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Change]:
    """The names whose values differ, in the order of ``a``."""
    return [
        Change(name, a.get(name, ABSENT), b.get(name, ABSENT))
        for name in dict.fromkeys([*a, *b])
        if name not in a or name not in b or not _alike(a[name], b[name])
    ]


def surroundings(note: Note) -> dict[str, Any]:
    """The fingerprint of a notebook's run as flat names: ``packages.redis``, ``machine.kernel``, ``git.commit``."""
    kept = {name: value for name, value in note.environment.items() if name not in _NEVER_ALIKE}
    return dict(_flat(kept))


def _alike(a: Any, b: Any) -> bool:
    """Equal, or both not a number."""
    return bool(a == b) or (a != a and b != b)


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    pairs: Any = ()
    if isinstance(value, Mapping):
        pairs = value.items()
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        pairs = ((str(number), item) for number, item in enumerate(value, start=1))
    if not pairs:
        yield prefix, value
    for name, item in pairs:
        if name not in _OF_ONE_START:
            yield from _flat(item, f"{prefix}.{name}" if prefix else str(name))
