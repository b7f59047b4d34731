"""A driver process, from its spec on standard input to the last line on standard output."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ctypes
import gc
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from workbench.driver import clock
from workbench.driver.client import Client
from workbench.driver.spec import Spec
from workbench.driver.stage import Stage
from workbench.errors import DriverError, HistoryError, WorkbenchError
from workbench.history.parts import frame
from workbench.history.recorder import BATCH_S, Recorder
from workbench.workloads import preparing

SET_UP_S = 20.0
"""How long the set-up may show no progress. Thousands of accounts take longer, and tell how far they are."""

TELL_S = 0.1
CLOSE_S = 0.5
FINAL_NS = 500_000
"""Between the beginnings of two clients' final asks, nanoseconds."""

_PR_SET_PDEATHSIG = 1

HANDED_ROWS = 500
"""Rows per line when they are handed over because they could not be written."""


class Driver:
    """Reads lines, plays its clients, tells what it counts."""

    def __init__(self, lines: asyncio.StreamReader, spec: Spec) -> None:
        self._lines = lines
        self._spec = spec
        self._orders: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._stage = Stage(spec, Recorder(Path(spec.part)))
        self._clients: list[Client] = []
        self._cpu_s = 0.0

    async def run(self) -> None:
        listening = asyncio.create_task(self._listen())
        try:
            async with asyncio.timeout(SET_UP_S) as patience:
                told = asyncio.create_task(self._tell_progress(patience))
                try:
                    await self._set_up()
                finally:
                    told.cancel()
        except TimeoutError as error:
            raise DriverError(
                f"The clients were not set up: for {SET_UP_S:g} s nothing came of it. `prepare` does not end."
            ) from error
        tell({"ready": True, "clock": clock.source()})
        go = await self._orders.get()
        if "go" in go:
            await self._play(go["go"], ahead_ns=go.get("ahead", 0))
        await self._end()
        listening.cancel()

    async def _listen(self) -> None:
        """Orders, until there is nobody left to give them."""
        while line := await self._lines.readline():
            order = json.loads(line)
            if "ping" in order:
                tell({"pong": order["ping"], "at_ns": clock.now_ns()})
                continue
            if "stop" in order:
                break
            self._orders.put_nowait(order)
        self._stage.stop()
        self._orders.put_nowait({})

    async def _set_up(self) -> None:
        for share in self._spec.shares:
            workload = share.load()
            shared = await workload.prepare(share.urls, share.run, tuple(share.clients))
            self._clients += [
                Client(self._stage, workload, shared, number=number, rank=rank, of=share.of)
                for number, rank in zip(share.clients, share.ranks, strict=True)
            ]
        self._stage.counts.rss_before = resident()
        await asyncio.gather(*(client.connect() for client in self._clients))
        gc.collect()
        gc.freeze()  # what stands now stays: the collector need not look at it again
        gc.set_threshold(50_000, 20, 50)

    async def _tell_progress(self, patience: asyncio.Timeout) -> None:
        """Hand on how far the set-up is, and wait on as long as it goes on."""
        before = preparing.made()
        while True:
            await asyncio.sleep(TELL_S)
            if before != (before := preparing.made()):
                patience.reschedule(asyncio.get_running_loop().time() + SET_UP_S)
                tell({"prepared": before}, wait=False)

    async def _play(self, t0_ns: int, *, ahead_ns: int) -> None:
        self._stage.begin(t0_ns, ahead_ns=ahead_ns)
        self._cpu_s = time.process_time()
        ticking = [asyncio.create_task(self._flush()), asyncio.create_task(self._tell())]
        await asyncio.gather(*(client.play() for client in self._clients))
        await self._stage.until(t0_ns + round(self._spec.duration_s * 1e9))
        self._stage.counts.rss_end = resident()
        self._stage.recorder.flush()
        self._stage.measure()
        tell({"done": self._counted()})
        order = await self._orders.get()
        if "final" in order and not self._stage.stopped:
            await self._ask_finally(order["final"], within_s=order["within_s"])
        for task in ticking:
            task.cancel()

    async def _ask_finally(self, turns: int, *, within_s: float) -> None:
        """One client begins after the other: thousands of questions at once would only wait for one another."""
        now = clock.now_ns()
        until_ns = now + round(within_s * 1e9)
        asking = (
            client.ask_finally(turns, from_ns=now + n * FINAL_NS, until_ns=until_ns)
            for n, client in enumerate(self._clients)
        )
        await asyncio.gather(*asking)

    async def _end(self) -> None:
        recorder = self._stage.recorder
        self._stage.written = True
        end = {"end": self._counted(), "failure": ""}
        try:
            recorder.close()
        except HistoryError as error:
            end["failure"] = str(error)
            for at in range(0, len(recorder.rows), HANDED_ROWS):
                rows = frame(recorder.rows[at : at + HANDED_ROWS], [], first=0)
                tell({"rows": base64.b64encode(rows).decode()})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await asyncio.gather(*(client.close() for client in self._clients))
        tell(end)

    def _counted(self) -> dict[str, Any]:
        counts = self._stage.counts
        counts.cpu_s = time.process_time() - self._cpu_s
        found: dict[str, Any] = msgspec.to_builtins(counts)
        return found

    async def _flush(self) -> None:
        while not self._stage.recorder.failure:  # then everything stays in memory, and is handed over at the end
            await asyncio.sleep(BATCH_S)
            self._stage.recorder.flush()
            self._stage.measure()

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TELL_S)
            tell({"counts": self._counted()}, wait=False)


def resident() -> int:
    """Bytes of memory this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


_owner = 1
"""Where lines to the owner go."""


def _keep_apart() -> Any:
    """Where orders come from. Nobody else gets hold of the two pipes: not what operations print, not what they start,
    which would speak in between and keep them open."""
    global _owner
    _owner, orders = os.dup(1), os.dup(0)  # not inheritable
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return os.fdopen(orders, "rb")


def tell(news: dict[str, Any], *, wait: bool = True) -> None:
    """One line to the owner. Without ``wait`` it is dropped rather than let a reader who is slow stop the load."""
    line = f"{json.dumps(news)}\n".encode()
    os.set_blocking(_owner, wait)
    with contextlib.suppress(BlockingIOError):
        while line:
            line = line[os.write(_owner, line) :]


def _settle_in(path: list[str]) -> None:
    """On a worker of a cluster: nobody but the worker ends this process, so it dies with it; and there is no supervisor
    that has allowed it many files. What the worker's Python finds, it finds first."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sys.path += [entry for entry in path if entry not in sys.path and Path(entry).exists()]


async def _main(orders: Any) -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), orders)
    spec = msgspec.json.decode(await lines.readline(), type=Spec)
    if spec.elsewhere:
        _settle_in(spec.path)
    else:
        sys.path[:] = spec.path
    try:
        await Driver(lines, spec).run()
    except WorkbenchError as error:
        tell({"error": str(error), "kind": type(error).__name__})
    except Exception as error:
        tell({"error": f"{type(error).__name__}: {error}", "kind": ""})
        raise
    else:  # at once: threads and tasks that operations left behind would be waited for
        sys.stderr.flush()
        os._exit(0)


def main() -> None:
    """Play one driver's part. Whatever the clients still hold open is left to the end of the process."""
    orders = _keep_apart()
    sys.stdout = sys.stderr  # what a workload prints is for the log
    try:
        uvloop.run(_main(orders))
    except BrokenPipeError:  # the owner is gone, the record is written
        os._exit(1)
