"""Lines of JSON that carry their own checksum, so that a torn one is told from a whole one."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

BEGINNING = '{"sum": "'
"""Of every such line."""


def seal(record: Mapping[str, Any]) -> str:
    """One line of JSON that carries its own checksum."""
    return _sealed(json.dumps(record, default=str))


def unseal(line: str) -> dict[str, Any] | None:
    """What was sealed, or None if it is not whole."""
    text = line.strip()[len('{"sum": "01234567", "record": ') : -1]
    if line.strip() != _sealed(text):
        return None
    found: dict[str, Any] = json.loads(text)
    return found


def _sealed(text: str) -> str:
    return f'{BEGINNING}{zlib.crc32(text.encode()):08x}", "record": {text}}}'
