"""Drivers on the workers of a Dask cluster: what happens on the owner's machine.

Each has one connection, from here to the address at which its worker is reached by the others; nobody listens for it
anew, and what the cluster encrypts is encrypted. A worker that dies ends its connections, and so does one that has lost
its scheduler.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from workbench import cluster
from workbench.driver.hosting import HANDLER, install
from workbench.driver.spec import Spec
from workbench.errors import DriverError
from workbench.history.parts import Row, scan
from workbench.history.recorder import cannot_write

if TYPE_CHECKING:
    from distributed import Client

    from workbench.cluster import Worker

T = TypeVar("T")


class Cluster:
    """The workers of one run. Raises what `workbench.cluster` does, before anything is started there."""

    def __init__(self, address: str, *, timeout_s: float = cluster.CONNECT_S) -> None:
        self.address = address
        self._client: Client = cluster.connect(address, timeout_s=timeout_s)
        try:
            self.workers: list[Worker] = cluster.workers(self._client, timeout_s=timeout_s)
            cluster.within(
                timeout_s,
                lambda: self._client.run(install),
                late=f"The workers of {address} did not get ready for load within {timeout_s:g} s.",
            )
        except BaseException:
            self.close()
            raise

    @property
    def here(self) -> bool:
        """Every worker reaches what listens on this machine's loopback interface."""
        return all(worker.here for worker in self.workers)

    def start(self, spec: Spec, *, number: int, log: Path) -> Distant:
        """Driver ``number`` of a run; they are dealt out to the workers in turn. Raises `DriverError`."""
        worker = self.workers[number % len(self.workers)]
        loop: Any = self._client.loop
        wire = Distant(worker, part=Path(spec.part), log=log, loop=loop.asyncio_loop)
        wire.open(msgspec.json.encode(spec).decode(), **self._client.security.get_connection_args("worker"))
        return wire

    def close(self) -> None:
        """Leave the cluster. May be called again."""
        cluster.leave(self._client)


class Distant:
    """The wire to a driver on a worker (`workbench.driver.wire`). Its record is written here as it arrives."""

    def __init__(self, worker: Worker, *, part: Path, log: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.worker, self.where = worker, str(worker)
        self.lost = self.failure = ""
        self._loop = loop
        self._log = log
        self._part = _Kept(part)
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self._comm: Any = None
        self._code: int | None = None
        self._over = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def open(self, spec: str, **given: Any) -> None:
        """Connect to the worker and have the driver started there. Raises `DriverError`."""
        try:
            self._do(self._open(spec, given))
        except (OSError, TimeoutError) as error:
            raise DriverError(
                f"No connection to {self.where}, at {self.worker.address}: {error}. Load drivers are spoken to "
                "directly, not through the scheduler: the addresses of the workers must be reachable from here "
                "(`dask worker --host` says which they announce)."
            ) from error

    def listen(self, take: Callable[[str], None], ended: Callable[[], None]) -> None:
        self._do(self._start(take, ended))

    def say(self, line: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._lines.put_nowait, line)

    def wait(self, timeout_s: float) -> int | None:
        self._over.wait(timeout_s)
        return self._code

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._do(self._close())
        self._over.wait(1.0)
        self._part.close()
        self.failure = self._part.failure

    @property
    def rows(self) -> list[Row]:
        return scan(self._part.waiting).rows

    # --- in the loop

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(cluster.CONNECT_S + 1)

    async def _open(self, spec: str, given: dict[str, Any]) -> None:
        from distributed.comm.core import connect

        self._comm = await connect(self.worker.address, timeout=cluster.CONNECT_S, **given)  # type: ignore[no-untyped-call]
        await self._comm.write({"op": HANDLER, "reply": False, "spec": spec})

    async def _start(self, take: Callable[[str], None], ended: Callable[[], None]) -> None:
        self._tasks = [asyncio.create_task(self._read(take, ended)), asyncio.create_task(self._write())]

    async def _write(self) -> None:
        with contextlib.suppress(OSError):  # the reader knows
            while True:
                await self._comm.write({"line": await self._lines.get()})

    async def _read(self, take: Callable[[str], None], ended: Callable[[], None]) -> None:
        try:
            while self._code is None:
                message = await self._comm.read()
                if "line" in message:
                    take(message["line"])
                elif "part" in message:
                    self._part.add(message["part"])
                elif "log" in message:
                    with contextlib.suppress(OSError), self._log.open("ab") as log:
                        log.write(message["log"])
                else:
                    self._code = message["ended"]
        except OSError:
            self.lost = "the connection to it ended: it was killed, or it has lost its scheduler and closed"
        except Exception as error:
            self.lost = f"what it says is not understood ({error!r})"
        finally:
            self._over.set()
            ended()

    async def _close(self) -> None:
        if self._code is None and not self.lost:
            self.lost = "it did not end when it was told to"
        if self._comm is not None:
            self._comm.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _Kept:
    """A part file that arrives in pieces. What cannot be written waits in memory, and is tried again with the next."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._size = 0
        self.waiting = b""
        self.failure = ""

    def add(self, frames: bytes) -> None:
        self.waiting += frames
        written = 0
        try:
            while written < len(self.waiting):
                written += os.write(self._file, self.waiting[written:])
        except OSError as error:
            self.failure = cannot_write(self._path, error)
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            return
        self._size += written
        self.waiting, self.failure = b"", ""

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
