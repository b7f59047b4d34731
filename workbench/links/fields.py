"""The JSON body of a request, taken apart: what is missing has a default, what has the wrong type is refused."""

from __future__ import annotations

import json
from typing import Any

LARGEST = 2**63 - 1  # Toxiproxy's integers have 64 bits


class Refused(Exception):
    """The request cannot be done; carries the status to answer with."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def bad(text: object) -> Refused:
    """The body is not what it should be."""
    return Refused(400, f"bad request body: {text}")


def decode(body: bytes) -> Any:
    """The first JSON value in the body; what follows it is ignored, as Toxiproxy does."""
    try:
        text = body.decode().lstrip()
        if not text:
            raise bad("EOF")
        return json.JSONDecoder().raw_decode(text)[0]
    except (ValueError, RecursionError) as error:
        raise bad(error) from error


class Fields:
    """A JSON object. ``null`` anywhere means: not given."""

    def __init__(self, value: Any) -> None:
        if not isinstance(value, dict | None):
            raise bad(f"an object is needed, not {_kind(value)}")
        self._given = {name: field for name, field in (value or {}).items() if field is not None}

    def text(self, name: str, default: str) -> str:
        """A string that can be written as UTF-8."""
        value = self._given.get(name, default)
        if not isinstance(value, str):
            raise bad(f"{name} must be a string, not {_kind(value)}")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise bad(f"{name} is no valid text") from error
        return value

    def flag(self, name: str, default: bool) -> bool:
        """A boolean."""
        value = self._given.get(name, default)
        if not isinstance(value, bool):
            raise bad(f"{name} must be a boolean, not {_kind(value)}")
        return value

    def share(self, name: str, default: float) -> float:
        """A number from 0 to 1."""
        value = self._given.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise bad(f"{name} must be a number, not {_kind(value)}")
        if not 0 <= value <= 1:
            raise bad(f"{name} must be from 0 to 1, not {value}")
        return value

    def whole_numbers(self, name: str, known: list[str]) -> dict[str, int]:
        """Those of an object's members that are known; each must be a 64-bit integer."""
        given = Fields(self._given.get(name))._given
        numbers = {key: given[key] for key in known if key in given}
        for key, value in numbers.items():
            if isinstance(value, bool) or not isinstance(value, int):
                raise bad(f"{key} must be an integer, not {_kind(value)}")
            if not -LARGEST <= value <= LARGEST:
                raise bad(f"{key} is out of range")
        return numbers


def _kind(value: Any) -> str:
    return {dict: "object", list: "array", str: "string", bool: "boolean"}.get(type(value), f"number {value}")
