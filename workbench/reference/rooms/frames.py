"""What a socket may say about rooms, checked, and what it is told."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from workbench.reference.problems import Problem
from workbench.reference.rooms.messages import Id, error, read_id
from workbench.reference.wire import text_frame

ROOM = r"^[A-Za-z0-9._:-]{1,128}$"
LONGEST_REF = 64

_ROOM = re.compile(ROOM)

_FIELDS = {
    "join": {"type", "ref", "room", "relay", "after"},
    "leave": {"type", "ref", "room"},
    "send": {"type", "ref", "room", "body"},
}
"""What a frame of each type may have; a ``ref`` comes back in the answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a socket asks for."""

    kind: Literal["join", "leave", "send"]
    room: str
    ref: str | int | None = None
    relay: Literal["pubsub", "stream"] = "pubsub"
    after: Id | None = None
    body: Any = None


def is_wish(frame: Mapping[str, Any]) -> bool:
    """Whether a frame is about rooms."""
    return frame["type"] in _FIELDS


def read(frame: Mapping[str, Any]) -> Wish:
    """A frame that `is_wish`. Raises `Problem` that names the field which makes no sense."""
    kind = frame["type"]
    unknown = sorted(frame.keys() - _FIELDS[kind])
    if unknown:
        raise _invalid(f'A {kind} has no "{unknown[0][:40]}".')
    room = frame.get("room")
    if not (isinstance(room, str) and _ROOM.fullmatch(room)):
        raise _invalid('A "room" is 1 to 128 letters, digits, dots, colons, hyphens and underscores.')
    ref = frame.get("ref")
    if not _is_ref(ref):
        raise _invalid(f'A "ref" is a whole number or a text of at most {LONGEST_REF} characters.')
    relay = frame.get("relay", "pubsub")
    if relay not in ("pubsub", "stream"):
        raise _invalid('A "relay" is "pubsub" or "stream".')
    if kind == "send" and "body" not in frame:
        raise _invalid('A send has a "body".')
    return Wish(kind=kind, room=room, ref=ref, relay=relay, after=_after(frame, relay), body=frame.get("body"))


def _is_ref(ref: object) -> bool:
    if isinstance(ref, str):
        return len(ref) <= LONGEST_REF
    return ref is None or (isinstance(ref, int) and not isinstance(ref, bool) and abs(ref) < 1 << 63)


def _after(frame: Mapping[str, Any], relay: str) -> Id | None:
    after = frame.get("after")
    if after is None:
        return None
    if relay != "stream":
        raise _invalid('Only a room over "stream" keeps messages to go on "after" one.')
    try:
        return read_id(after)
    except (ValueError, TypeError):
        raise _invalid('An "after" is the id of a message, like "1700000000000-0".') from None


def _invalid(detail: str) -> Problem:
    return Problem(422, "invalid", detail)


def told(kind: str, wish: Wish, **members: Any) -> bytes:
    """The frame that answers a wish."""
    return text_frame(json.dumps({"type": kind, "room": wish.room, **_ref(wish), **members}).encode())


def refused(problem: Problem, wish: Wish) -> bytes:
    """The frame that says why a wish was not fulfilled."""
    return error(problem, room=wish.room, **_ref(wish))


def _ref(wish: Wish) -> dict[str, Any]:
    return {} if wish.ref is None else {"ref": wish.ref}
