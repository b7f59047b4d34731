"""The protocol of Redis, version 3: commands as bytes, and values out of a stream of bytes."""

from __future__ import annotations

from typing import Any

Word = bytes | str | int


class Garbled(ConnectionError):
    """The other side does not speak the protocol."""


class Push(list[Any]):
    """Something that Redis says of itself, not the answer to a command."""


class Refused(Exception):
    """Redis answered with an error: it did nothing. ``reason`` is its first word: OOM, READONLY, LOADING, …"""

    @property
    def reason(self) -> str:
        return str(self).partition(" ")[0]


class _Incomplete(Exception):
    pass


def pack(*words: Word) -> bytes:
    """One command."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


class Reader:
    """Bytes in, values out: text is bytes, maps are flat lists, an error is a `Refused`."""

    def __init__(self) -> None:
        self._bytes = b""

    def feed(self, data: bytes) -> list[Any]:
        """The values that are complete now. Raises `Garbled`."""
        self._bytes = self._bytes + data if self._bytes else data
        values, at = [], 0
        try:
            while at < len(self._bytes):
                value, at = self._value(at)
                values.append(value)
        except _Incomplete:
            pass
        except (ValueError, RecursionError):
            raise Garbled("what came is not the protocol of Redis") from None
        self._bytes = self._bytes[at:]
        return values

    def _value(self, at: int) -> tuple[Any, int]:
        end = self._bytes.find(b"\r\n", at)
        if end < 0:
            raise _Incomplete
        kind, text, at = self._bytes[at : at + 1], self._bytes[at + 1 : end], end + 2
        if kind == b"$":
            return self._string(int(text), at)
        if kind in b"*>%~":
            return self._several(kind, int(text), at)
        if kind in b":(":
            return int(text), at
        if kind == b"+":
            return text, at
        if kind == b"-":
            return Refused(text.decode(errors="replace")), at
        if kind == b"_":
            return None, at
        raise ValueError(kind)

    def _string(self, size: int, at: int) -> tuple[bytes | None, int]:
        if size < 0:
            return None, at
        if len(self._bytes) < at + size + 2:
            raise _Incomplete
        return self._bytes[at : at + size], at + size + 2

    def _several(self, kind: bytes, size: int, at: int) -> tuple[list[Any] | None, int]:
        if size < 0:
            return None, at
        values: list[Any] = Push() if kind == b">" else []
        for _ in range(size * 2 if kind == b"%" else size):
            value, at = self._value(at)
            values.append(value)
        return values, at
