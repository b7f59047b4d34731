"""``workbench doctor --system FILE``: start a system of one's own, ask for each operation once, say what works."""

from __future__ import annotations

import asyncio
import inspect
import os
import secrets
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from workbench.cli.doctor import Row, print_rows
from workbench.errors import ServiceError, UsageError
from workbench.history.folder import RUN
from workbench.systems.addresses import addresses

if TYPE_CHECKING:
    from workbench.stack import Stack
    from workbench.systems import System

PATIENCE_S = 10.0
"""So long an operation may take."""

HEAVY_S = 0.01
"""An operation that keeps the processor for longer is too heavy for thousands of clients."""

NEEDS = {"failover": ("write", "read"), "scale": ("connect", "echo")}
"""Which notebook of this project cannot do without which operations."""


def try_system(where: str, *, runtime: str = "embedded") -> int:
    """Print a line for each step; exit code 0, or 3 if an operation did not do what it is for.

    Raises what a start raises: `UsageError` for a description that makes no sense, `ServiceError` for a system that
    does not start.
    """
    from workbench.stack import Stack
    from workbench.tested import APP, under_test

    tested = under_test(where)
    if not tested.own:
        raise UsageError("--system names the file that describes a system of yours: --system shop_system.py.")
    system: Any = tested.services[APP]
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    console.print(repr(system), markup=False)
    before = os.environ.get(RUN)
    with tempfile.TemporaryDirectory(prefix="workbench-doctor-") as folder:
        os.environ[RUN] = folder  # the logs of services
        try:
            with console.status("Starting it"):
                stack = Stack(runtime=runtime, **tested.services).start()
            try:
                rows = [_started(stack, name) for name in stack]
                with console.status("Asking"):
                    rows += asyncio.run(_ask(system, {name: stack.url(name) for name in stack}, entry=APP))
            finally:
                stack.stop()
        finally:
            del os.environ[RUN]
            os.environ |= {} if before is None else {RUN: before}
    print_rows(console, rows)
    return _conclude(console, system, rows, where=where)


def _started(stack: Stack, name: str) -> Row:
    running = stack[name]
    return Row(name, "ok", f"{running.program}, ready in {running.ready_ms:.0f} ms")


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
        said = classify(ConnectionRefusedError("refused"))
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
        began = time.perf_counter()
        try:
            returned = await asyncio.wait_for(function(*given), PATIENCE_S)
        except TimeoutError:
            return self._wrong(name, f"took longer than {PATIENCE_S:g} s", _at(function))
        except Exception as error:
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


async def _close(asked: _Asked, connection: Any) -> None:
    """By its own operation, or by what the connection has."""
    if asked.has("close"):
        await asked("close", connection)
        return
    close: Callable[[], Awaitable[None] | None] | None = getattr(connection, "aclose", None)
    close = close or getattr(connection, "close", None)
    if callable(close) and inspect.isawaitable(waits := close()):
        await waits


def _conclude(console: Console, system: System, rows: list[Row], *, where: str) -> int:
    """Which notebooks it is ready for, and what went wrong."""
    works = [
        name for name, needs in NEEDS.items() if set(needs) <= {row.what for row in rows if row.state != "missing"}
    ]
    wrong = [row.what for row in rows if row.state == "missing"]
    if wrong:
        console.print(f"\nWhat does not work: {', '.join(wrong)}. Mend it in {where}; the lines above say where.")
        return ServiceError.exit_code
    if works:
        console.print(f"\nEverything works. Next: workbench run {' '.join(works)} -p system {where}", soft_wrap=True)
    for name in NEEDS.keys() - set(works):
        lacking = [need for need in NEEDS[name] if need not in system.operations]
        console.print(f"The notebook {name} needs {' and '.join(lacking)} as well.")
    return 0


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
