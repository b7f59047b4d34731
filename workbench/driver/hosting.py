"""A driver on a worker of a Dask cluster: what happens on the worker.

`install` gives the worker a handler beside its own. Whoever connects to the worker's address and asks for it gets a
driver, a child of the worker, and the connection carries what otherwise goes through its pipes:

    to the worker      {"op": "workbench-driver", "spec": text}, then {"line": text}; closing the connection ends it
    from the worker    {"line": text}; {"part": bytes}, whole frames of its record as they are written; {"log": bytes};
                       {"ended": return code}, last

The record is a file without a name, and the child dies with the worker: however either ends, nothing stays behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from workbench.history.parts import whole
from workbench.history.recorder import BATCH_S

HANDLER = "workbench-driver"
LONGEST_LINE = 1 << 24
MOST = 1 << 20
"""Bytes of a record that are sent at once."""
END_S = 5.0
"""A driver whose owner is gone has so long to end by itself."""


def install(dask_worker: Any) -> None:
    """Have this worker host drivers."""
    dask_worker.handlers[HANDLER] = host


async def host(comm: Any, spec: str) -> Any:
    """One driver, from its start to its end or to that of the connection, whichever comes first."""
    from distributed.core import Status

    with tempfile.TemporaryFile(prefix="workbench-") as record:
        await _Hosted(comm, record.fileno()).play(spec)
    return Status.dont_reply


class _Hosted:
    def __init__(self, comm: Any, record: int) -> None:
        self._comm, self._record = comm, record
        self._sent = 0
        self._one_at_a_time = asyncio.Lock()
        self._child: asyncio.subprocess.Process

    async def play(self, spec: str) -> None:
        package = Path(__file__).parents[2]
        found = os.pathsep.join(filter(None, (str(package), os.environ.get("PYTHONPATH"))))
        self._child = child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "workbench.driver",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": found},
            pass_fds=[self._record],
            start_new_session=True,
            limit=LONGEST_LINE,
        )
        tasks = [asyncio.create_task(one) for one in (self._hear(), self._log(), self._follow(), self._clear())]
        try:
            self._order({**json.loads(spec), "part": f"/proc/self/fd/{self._record}", "elsewhere": True})
            await self._speak()
            code = await child.wait()
            await tasks[1]
            await self._send_record(last=True)
            await self._send({"ended": code})
            await self._comm.close()  # when all of it is sent
        except OSError:  # the owner is gone: a comm that is closed is one
            child.stdin.close()  # type: ignore[union-attr]
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(child.wait(), END_S)
        finally:
            for task in tasks:
                task.cancel()
            self._kill()
            self._comm.abort()
            await child.wait()

    def _order(self, order: Any) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(f"{order if isinstance(order, str) else json.dumps(order)}\n".encode())

    async def _hear(self) -> None:
        """Hand on what the owner says. When the connection ends, the driver is told so as always: nobody is there."""
        assert self._child.stdin is not None
        with contextlib.suppress(OSError):
            while True:
                self._order((await self._comm.read())["line"])
        self._child.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._child.wait(), END_S)
            return
        self._kill()

    async def _clear(self) -> None:
        """What operations have started ends with the driver. Else it would hold the other ends of the pipes, which then
        never end, and `wait` waits for them."""
        while self._child.returncode is None:  # noqa: ASYNC110
            await asyncio.sleep(BATCH_S)
        self._kill()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):  # it, and whatever it started
            os.killpg(self._child.pid, signal.SIGKILL)

    async def _speak(self) -> None:
        assert self._child.stdout is not None
        async for line in self._child.stdout:
            await self._send({"line": line.decode()})

    async def _log(self) -> None:
        assert self._child.stderr is not None
        while told := await self._child.stderr.read(1 << 16):
            with contextlib.suppress(OSError):
                await self._send({"log": told})

    async def _follow(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                await asyncio.sleep(BATCH_S)
                await self._send_record()

    async def _send_record(self, *, last: bool = False) -> None:
        """What has been recorded since the last time; the ``last`` time also what is damaged."""
        while True:
            found = os.pread(self._record, MOST, self._sent)
            if not (ready := whole(found)):  # nothing yet, or one frame that is larger than that
                found = os.pread(self._record, max(0, os.fstat(self._record).st_size - self._sent), self._sent)
                ready = len(found) if last else whole(found)
            if not ready:
                return
            self._sent += ready
            await self._send({"part": found[:ready]})

    async def _send(self, message: dict[str, Any]) -> None:
        async with self._one_at_a_time:
            await self._comm.write(message)
