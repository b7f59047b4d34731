"""The formats of the JSON files, published: a JSON Schema (draft 2020-12) for each, in a file beside this one.

They are self-contained and carry the number of the format in their name, ``urn:workbench:schema:verdict:1``. Documents
say theirs under ``schema``; keys may be added without a new number.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from workbench.errors import UsageError, nearest

SCENARIO = r"[A-Z][A-Z0-9]{1,5}-\d{1,3}"
"""How a scenario is called: ``FLO-02``, ``E2E-01``."""

_HERE = Path(__file__).parent


def names() -> list[str]:
    """What there is a schema of."""
    return sorted(path.stem for path in _HERE.glob("*.json"))


def text(name: str) -> str:
    """A schema as it is published. Raises `UsageError` naming the nearest."""
    if name not in names():
        raise UsageError(
            f"There is no schema '{name}'{nearest(name, names())} There is: {', '.join(names())}. "
            "Print one with: workbench schema verdict"
        )
    return (_HERE / f"{name}.json").read_text(encoding="utf-8")


def read(name: str) -> dict[str, Any]:
    """A schema, parsed. Raises `UsageError` naming the nearest."""
    found: dict[str, Any] = json.loads(text(name))
    return found
