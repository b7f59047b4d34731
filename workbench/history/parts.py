"""The part file a driver writes while a run goes on: an append-only chain of checksummed frames.

A frame is a head of 28 bytes and a payload in msgpack:

    magic  4    where a frame begins, to find the next one behind damaged bytes
    length u32  of the payload, bytes
    first  u64  rows in the frames before this one: a gap tells exactly how many rows are missing
    rows   u32  rows in this frame
    sum    u32  CRC-32 of the payload
    head   u32  CRC-32 of the head up to here: a torn frame still tells how many rows it had

The payload is ``[rows, open, ended]``: operations that returned since the last frame, those called but not yet
returned at this moment, and whether the driver ended by itself with this frame.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

Row: TypeAlias = tuple[Any, ...]
"""``(client, workload, kind, key, value, intended_ns, called_ns, returned_ns, outcome, error)``, the three times in
nanoseconds since the start of the run, ``returned_ns`` None if it never returned."""

Open: TypeAlias = tuple[Any, ...]
"""The first seven of a row: an operation that was called and has not returned."""

NEVER = "never returned"

_MAGIC = b"\xf5WBr"
_HEAD = struct.Struct("<4sIQII")
_SUM = struct.Struct("<I")
_SIZE = _HEAD.size + _SUM.size

_encode = msgspec.msgpack.Encoder(enc_hook=repr).encode
_decode = msgspec.msgpack.Decoder().decode


def frame(rows: list[Row], opened: list[Open], *, first: int, ended: bool = False) -> bytes:
    """One frame. Values msgpack cannot carry are kept as their repr: recording never fails for a value's sake."""
    try:
        payload = _encode((rows, opened, ended))
    except (TypeError, ValueError, OverflowError, RecursionError):
        payload = _encode(([_plain(row) for row in rows], [_plain(row) for row in opened], ended))
    head = _HEAD.pack(_MAGIC, len(payload), first, len(rows), zlib.crc32(payload))
    return head + _SUM.pack(zlib.crc32(head)) + payload


def _plain(row: Row) -> Row:
    try:
        _encode(row[4])
    except (TypeError, ValueError, OverflowError, RecursionError):
        return (*row[:4], repr(row[4]), *row[5:])
    return row


@dataclass
class Part:
    """What could be read of a part file."""

    rows: list[Row] = field(default_factory=list)
    open: list[Open] = field(default_factory=list)
    """Operations that had been called and not returned when the last readable frame was written."""
    ended: bool = False
    """The driver closed this file itself: nothing is missing at its end."""
    lost: int = 0
    """Rows that were written but cannot be read; at least one if even the head of the last frame is torn."""
    damaged: bool = False
    """Some bytes could not be read."""


def scan(data: bytes) -> Part:
    """Everything in a part file whose checksum is right, in order. Never raises, never returns a wrong row."""
    part = Part()
    written = 0  # rows that certainly were
    headless = False
    at = 0
    while at < len(data):
        head = _head(data, at)
        if head is not None:
            length, first, rows, checksum = head
            written = max(written, first + rows)
            headless = False  # whatever was before is counted by `first`
            payload = data[at + _SIZE : at + _SIZE + length]
            if len(payload) == length and zlib.crc32(payload) == checksum:
                returned, part.open, part.ended = _decode(payload)
                part.rows += returned
                at += _SIZE + length
                continue
        part.damaged, part.ended = True, False
        headless = headless or head is None
        at = _next(data, at)
    part.lost = max(written - len(part.rows), int(headless))
    return part


def whole(data: bytes) -> int:
    """How many bytes at the beginning are whole frames: what a file that is still written can be read up to."""
    at = 0
    while (head := _head(data, at)) is not None and at + _SIZE + head[0] <= len(data):
        at += _SIZE + head[0]
    return at


def _head(data: bytes, at: int) -> tuple[int, int, int, int] | None:
    """Length, first row, rows and checksum of the frame that begins here, or None."""
    head = data[at : at + _HEAD.size]
    if len(data) < at + _SIZE or _SUM.unpack_from(data, at + _HEAD.size)[0] != zlib.crc32(head):
        return None
    magic, length, first, rows, checksum = _HEAD.unpack(head)
    return (length, first, rows, checksum) if magic == _MAGIC else None


def _next(data: bytes, at: int) -> int:
    found = data.find(_MAGIC, at + 1)
    return len(data) if found < 0 else found
