"""A message, written once for all its readers; and the ids of messages in a stream."""

from __future__ import annotations

import json
import re
from typing import Any

from workbench.reference.problems import Problem
from workbench.reference.wire import text_frame

LARGEST_BODY = 16 * 1024
"""Bytes of the body as JSON."""

Id = tuple[int, int]
"""Where a message stands in its stream: milliseconds, and a number within them."""

BEGINNING: Id = (0, 0)

_ID = re.compile(r"(\d{1,20})-(\d{1,20})", re.ASCII)


class TooLarge(ValueError):
    """A body beyond `LARGEST_BODY`."""


def read_id(text: str) -> Id:
    """Raises `ValueError`."""
    found = _ID.fullmatch(text)
    if found is None:
        raise ValueError(text)
    first, second = int(found[1]), int(found[2])
    if max(first, second) >= 1 << 64:
        raise ValueError(text)
    return first, second


def write_id(identity: Id) -> str:
    return f"{identity[0]}-{identity[1]}"


def write(room: str, user: str, body: Any) -> bytes:
    """What is handed to Redis. Raises `TooLarge`, and `ValueError` for what JSON can't say (NaN)."""
    text = json.dumps(body, allow_nan=False, separators=(",", ":"))
    if len(text) > LARGEST_BODY:
        raise TooLarge(f"{len(text)} bytes")
    return b'{"type":"message","room":%b,"from":%b,"body":%b}' % (_text(room), _text(user), text.encode())


def frame(message: bytes, identity: bytes | None) -> bytes | None:
    """The frame that every member gets; None for what is no message, which somebody else must have put there."""
    try:
        if json.loads(message.decode())["type"] != "message" or not message.endswith(b"}"):
            return None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return text_frame(message[:-1] + (b',"id":null}' if identity is None else b',"id":"%b"}' % identity))


def error(problem: Problem, **about: Any) -> bytes:
    """The frame of an error; ``effect`` says what was left behind, as over HTTP."""
    members = {"type": "error", "code": problem.kind, "detail": problem.detail, "effect": problem.effect}
    return text_frame(json.dumps({**members, **about, **problem.members}).encode())


def _text(text: str) -> bytes:
    return json.dumps(text).encode()
