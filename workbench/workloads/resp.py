"""A Redis connection: the few commands a workload sends, answered in RESP2."""

from __future__ import annotations

from typing import Any, Self
from urllib.parse import unquote, urlsplit

from workbench.workloads.wire import Wire


class RedisError(Exception):
    """The server answered with an error: it did not do what was asked. The text is its first word, as in ``OOM``."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.word = message.partition(" ")[0]


class Resp(Wire):
    """One question, one reply."""

    def __init__(self) -> None:
        super().__init__()
        self._buffer = b""

    @classmethod
    async def to(cls, url: str) -> Self:
        """Connect to ``redis://user:password@host:port/db`` and log in."""
        parts = urlsplit(url)
        wire = await cls.open(parts.hostname or "127.0.0.1", parts.port or 6379)
        try:
            if parts.password:
                await wire.command("AUTH", *filter(None, [unquote(parts.username or "")]), unquote(parts.password))
            if parts.path.strip("/") not in ("", "0"):
                await wire.command("SELECT", parts.path.strip("/"))
        except BaseException:
            wire.close()
            raise
        return wire

    async def command(self, *words: str | int) -> Any:
        """Send a command. Raises `RedisError` for an error reply."""
        return await self.ask(command(*words))

    def feed(self, data: bytes) -> None:
        if data.startswith(b":") and not self._buffer and 0 < data.find(b"\r\n") == len(data) - 2:  # as most are
            self.answer(int(data[1:]))
            return
        self._buffer = data = self._buffer + data if self._buffer else data
        at = 0
        try:
            while at < len(data):
                reply, at = _parse(data, at)
                self.answer(reply)
        except IndexError:
            pass  # not all here yet
        except ValueError:
            self.answer(ConnectionError(f"not a Redis reply: {data[at : at + 20]!r}"))
            self.close()
        self._buffer = data[at:]


def command(*words: str | int) -> bytes:
    """A command as it travels."""
    data = [b"*%d\r\n" % len(words)]
    for word in words:
        text = str(word).encode()
        data.append(b"$%d\r\n%b\r\n" % (len(text), text))
    return b"".join(data)


def _parse(data: bytes, at: int) -> tuple[Any, int]:
    """The reply that begins at ``at`` and where it ends. Raises `IndexError` if it is not complete, `ValueError` if it
    is none."""
    stop = data.find(b"\r\n", at)
    if stop < 0:
        raise IndexError
    mark, line = data[at : at + 1], data[at + 1 : stop]
    end = stop + 2
    if mark == b"+":
        return line.decode(), end
    if mark == b"-":
        return RedisError(line.decode(errors="replace")), end
    if mark == b":":
        return int(line), end
    size = int(line)
    if size < 0:
        return None, end
    if mark == b"$":
        if len(data) < end + size + 2:
            raise IndexError
        return data[end : end + size], end + size + 2
    if mark != b"*":
        raise ValueError
    items = []
    for _ in range(size):
        item, end = _parse(data, end)
        items.append(item)
    return items, end
