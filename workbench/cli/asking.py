"""``python -m workbench.cli.asking``: asks a system of one's own for each operation once.

In a process of its own, because an operation may do anything: block, exit, leave threads behind. It reads one line of
JSON (``where``, ``urls``, ``entry``, ``path``) and writes lines of it: what it is about to ask, and the rows so far.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import secrets
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.cli.doctor import Row
from workbench.systems import load_system
from workbench.systems.addresses import addresses

if TYPE_CHECKING:
    from workbench.systems import System

PATIENCE_S = 10.0
"""So long an operation may take."""

HEAVY_S = 0.01
"""An operation that keeps the processor for longer is too heavy for thousands of clients."""

_owner = 1


def main() -> None:
    """Ends at once when all is asked: what operations left behind is not waited for."""
    global _owner
    given = json.loads(sys.stdin.readline())
    _owner = os.dup(1)
    os.dup2(2, 1)  # what operations print, and what they start, does not come in between
    os.close(0)
    os.open(os.devnull, os.O_RDONLY)
    sys.path[:] = given["path"]
    asyncio.run(_ask_and_tell(load_system(given["where"]), given["urls"], entry=given["entry"]))


def _tell(**news: Any) -> None:
    os.write(_owner, f"{json.dumps(news)}\n".encode())


async def _ask_and_tell(system: System, urls: dict[str, str], *, entry: str) -> None:
    _tell(rows=await _ask(system, urls, entry=entry), end=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


async def _ask(system: System, urls: dict[str, str], *, entry: str) -> list[Row]:
    """In the order in which clients would: log in, connect, write, read, echo, close."""
    rows: list[Row] = []
    key, text, numbers = f"doctor-{secrets.token_hex(4)}", "is anybody there? äöü €", [1, 2]
    urls = addresses(urls[entry], {name: url for name, url in urls.items() if name != entry}, entry=entry)
    asked = _Asked(system, rows)
    token = await asked("login", urls, f"doctor-{secrets.token_hex(4)}")
    bare = system.function("connect") is None
    connection: Any = dict(urls) if bare else await asked("connect", urls, token)
    if bare or asked.well("connect"):
        for number in numbers:
            await asked("write", connection, key, number, again=number > numbers[0])
        await asked("read", connection, key, right=numbers if asked.well("write") else None)
        if asked.well("read"):
            await asked("read", connection, f"{key}-nobody-wrote", right=[], again=True)
        await asked("echo", connection, text, right=text)
        await _close(asked, connection)
        await asked.weigh("connect", urls, token)
    if (classify := system.function("classify")) is not None:
        _tell(asking="classify", at=_at(classify), rows=rows)
        try:
            said = classify(ConnectionRefusedError("refused"))
        except BaseException as error:
            rows.append(Row("classify", "missing", f"raised {type(error).__name__}: {error}", _line(error, classify)))
        else:
            state = "ok" if said in ("fail", "info", None) else "missing"
            rows.append(Row("classify", state, f"says {said!r} of a refused connection", _at(classify)))
    return rows


class _Asked:
    """Operations that are asked for, and a row for each."""

    def __init__(self, system: System, rows: list[Row]) -> None:
        self._system, self._rows = system, rows

    def has(self, name: str) -> bool:
        return self._system.function(name) is not None

    def well(self, name: str) -> bool:
        """It is there and works, so far."""
        return any(row.what == name and row.state != "missing" for row in self._rows)

    async def __call__(self, name: str, *given: Any, right: Any = None, again: bool = False) -> Any:
        """What it returned; None if it is not there, or raised. Asked ``again``, it tells only what goes wrong."""
        function = self._system.function(name)
        if function is None or (again and not self.well(name)):
            return None
        _tell(asking=name, at=_at(function), rows=self._rows)
        began = time.perf_counter()
        try:
            returned, error = await asyncio.wait_for(_settled(function(*given)), PATIENCE_S)
        except TimeoutError:
            return self._wrong(name, f"took longer than {PATIENCE_S:g} s", _at(function))
        if error is not None:
            told = f"raised {type(error).__name__}: {error}".rstrip(": ")
            return self._wrong(name, told, _line(error, function))
        took = f"{(time.perf_counter() - began) * 1e3:.1f} ms"
        if right is not None and (list(returned) if isinstance(returned, tuple) else returned) != right:
            where = " for a key that nobody wrote to" if right == [] else ""
            return self._wrong(name, f"returned {_short(returned)} instead of {_short(right)}{where}", _at(function))
        if not again:
            self._rows.append(Row(name, "ok", f"{took}{_returned(name, returned)}"))
        return returned

    async def weigh(self, name: str, *given: Any) -> None:
        """Note how long it keeps the processor, once everything is imported: thousands of clients do it."""
        function = self._system.function(name)
        if function is None:
            return
        began = time.process_time()
        connection = await self(name, *given, again=True)
        busy_s = time.process_time() - began
        await _close(self, connection)
        if self.well(name) and busy_s > HEAVY_S:
            seen = f"works, but keeps the processor for {busy_s * 1e3:.0f} ms, and scale opens thousands of connections"
            cure = (
                "httpx.AsyncClient takes so long by itself unless it is given verify=False; aiohttp.ClientSession not"
            )
            self._rows[:] = [Row(name, "note", seen, cure) if row.what == name else row for row in self._rows]

    def _wrong(self, name: str, seen: str, cure: str) -> None:
        self._rows[:] = [row for row in self._rows if row.what != name]
        self._rows.append(Row(name, "missing", seen, cure))


async def _settled(operation: Awaitable[Any]) -> tuple[Any, BaseException | None]:
    """What it returned, or what it raised, be it ``SystemExit``."""
    try:
        return await operation, None
    except BaseException as error:
        here = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and here is not None and here.cancelling():
            raise  # its time is over
        return None, error


async def _close(asked: _Asked, connection: Any) -> None:
    """By its own operation, or by what the connection has."""
    if asked.has("close"):
        await asked("close", connection)
        return
    close: Callable[[], Awaitable[None] | None] | None = getattr(connection, "aclose", None)
    close = close or getattr(connection, "close", None)
    if callable(close) and inspect.isawaitable(waits := close()):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_settled(waits), PATIENCE_S)


def _returned(name: str, returned: Any) -> str:
    return f", returned {_short(returned)}" if name in ("read", "echo") else ""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _line(error: BaseException, function: Callable[..., Any]) -> str:
    """The last line of the owner's own file that the error went through."""
    file = function.__code__.co_filename
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"{file}, line {frames[-1].lineno}: {frames[-1].line}" if frames else _at(function)


def _at(function: Callable[..., Any]) -> str:
    code = function.__code__
    return f"{Path(code.co_filename)}, line {code.co_firstlineno}"


if __name__ == "__main__":
    main()
