"""A Celery worker under test (https://docs.celeryq.dev), with Redis as its broker and for its results.

It is installed from PyPI (``pip install 'workbench[examples]'``) and started as its documentation says; the tasks are
those of ``celery_tasks.py``. A write is acknowledged when Celery has accepted the task, which is when a web
application tells its user that it is taken care of. Reads are tasks, too: the worker takes one task at a time in the
order of the queue, so that a read comes after all that was accepted before it. A worker that exits is started again,
as a supervisor does where workers run for good: this one sometimes exits when its broker goes away.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import celery
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as Refused

from workbench import System

python = os.environ.get("WORKBENCH_CELERY_PYTHON") or sys.executable  # of another environment, by its path

worker = f"{shlex.quote(python)} -m celery -A celery_tasks worker --concurrency 1 --loglevel INFO"

system = System(
    "celery",
    command=["sh", "-c", f"while true; do {worker}; sleep 0.1; done"],
    env={"REDIS_URL": "{redis.url}", "PYTHONUNBUFFERED": "1"},
    ready="log: celery@.* ready",
    listens=False,
    version=celery.__version__,
)


class Asking:
    """One client: an application of its own in a thread of its own, since Celery's client is a blocking one."""

    def __init__(self, url: str) -> None:
        patience = {"socket_timeout": 5, "socket_connect_timeout": 5, "max_retries": 0}
        self.celery = celery.Celery(broker=url, backend=url, set_as_current=False)
        self.celery.conf.update(broker_transport_options=patience, result_backend_transport_options=patience)
        self.thread = ThreadPoolExecutor(1)

    async def __call__(self, ask: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.thread, ask, *args)

    def connected(self) -> None:
        """Celery connects when it has to; here it has to."""
        with self.celery.connection_or_acquire() as connection:
            connection.default_channel.client.ping()

    def accepted(self, task: str, *args: Any) -> Any:
        """Hand a task over, without the retries that Celery's client makes by itself."""
        return self.celery.send_task(f"celery_tasks.{task}", args=args, retry=False)

    def done(self, task: str, *args: Any) -> Any:
        """What a task returned."""
        return self.accepted(task, *args).get(timeout=5)

    def close(self) -> None:
        """Without waiting for a thread that may still wait itself."""
        self.thread.submit(self.celery.close)
        self.thread.shutdown(wait=False)


@system.operation
async def connect(urls: dict[str, str], token: None) -> Asking:
    ask = Asking(urls["redis"])
    try:
        await ask(ask.connected)
    except BaseException:
        ask.close()
        raise
    return ask


@system.operation
async def write(ask: Asking, key: str, value: int) -> None:
    await ask(ask.accepted, "append", key, value)


@system.operation
async def read(ask: Asking, key: str) -> list[int]:
    values: list[int] = await ask(ask.done, "read", key)
    return values


@system.operation
async def echo(ask: Asking, text: str) -> str:
    answer: str = await ask(ask.done, "echo", text)
    return answer


@system.operation
def classify(error: BaseException) -> str:
    """Refused before anything was sent is certain, all else may have happened."""
    refused = isinstance(error, OperationalError | Refused) and "refused" in str(error).lower()
    return "fail" if refused else "info"
