"""Workers of a Dask cluster: connect to its scheduler, and see that every worker runs the code that this process runs.

client = connect("tcp://127.0.0.1:8786")
workers(client) → [Worker(name='…', address='tcp://127.0.0.1:40001', host='…', pid=4711, here=True), …]
leave(client)

`distributed` (the extra "cluster") is imported by `connect`, and by nobody who does not call it.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from workbench.errors import ServiceError, UsageError

if TYPE_CHECKING:
    from distributed import Client

CONNECT_S = 5.0
"""So long a scheduler and its workers have to answer."""

T = TypeVar("T")


@dataclass(frozen=True)
class Worker:
    """One worker process of a cluster, whose code is the code of this process."""

    name: str
    address: str
    host: str
    """What its machine calls itself."""
    pid: int
    here: bool
    """It reaches what listens on the loopback interface of this process: same machine, same network namespace."""

    def __str__(self) -> str:
        return f"worker {self.name} on {self.host}" if self.name != self.address else f"{self.address} on {self.host}"


def connect(address: str, *, timeout_s: float = CONNECT_S) -> Client:
    """A client of the scheduler at this address, with a thread and an event loop of its own; close it when done.

    Raises `UsageError` if `distributed` is not installed or the address is none, and `ServiceError` if no scheduler
    answers there within ``timeout_s`` seconds.
    """
    if not isinstance(address, str) or not address.strip():
        raise UsageError(f'A cluster is the address of its scheduler, as in "tcp://10.0.0.5:8786"; got {address!r}.')
    alone = "distributed" not in sys.modules
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError(
            f"The cluster {address} cannot be used: the package `distributed` is not installed ({error}). Install the "
            "extra for it, `pip install 'workbench[cluster]'`, here and on the workers."
        ) from error
    if alone:  # what goes wrong is told by our errors; its own log would stand beside them, with tracebacks
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL + 1)
    # Held here also when it fails in its making: else it waits at the end of this process for its loop, and complains.
    client = Client.__new__(Client)
    try:
        with warnings.catch_warnings():  # which packages differ that are not ours is nobody's business here
            warnings.simplefilter("ignore")
            client.__init__(  # type: ignore[misc]
                address.strip().rstrip("/"),
                timeout=timeout_s,
                set_as_default=False,
                asynchronous=False,
                name="workbench",
            )
            return client
    except (ValueError, TypeError) as error:
        leave(client)
        raise UsageError(
            f"{address!r} is no address of a scheduler: {error}. It looks like tcp://10.0.0.5:8786."
        ) from error
    except Exception as error:  # nobody is there, or somebody who speaks another language
        leave(client)
        raise ServiceError(
            f"No scheduler answers at {address} within {timeout_s:g} s: {_first(error)}. Start one with "
            "`dask scheduler`, and give the address that it prints."
        ) from error


def workers(client: Client, *, timeout_s: float = CONNECT_S) -> list[Worker]:
    """The workers there are now, in the order of their names, when each of them runs the code this process runs.

    Raises `ServiceError` if there are none or they do not answer within ``timeout_s`` seconds, and `UsageError` that
    names a worker with another version of the package, or with other source under the same version.
    """
    where = _address(client)
    answers: dict[str, Any] = within(
        timeout_s,
        lambda: client.run(_by_value(_look), on_error="return"),
        late=f"The workers of {where} do not answer within {timeout_s:g} s. Look at them with `dask worker`'s log.",
    )
    if not answers:
        raise ServiceError(f"The cluster {where} has no workers. Start some: `dask worker {where}`.")
    known = client.scheduler_info(n_workers=-1)["workers"]
    mine = _look()
    found = []
    for address, seen in answers.items():
        name = str(known.get(address, {}).get("name", address))
        if isinstance(seen, BaseException):
            raise ServiceError(f"Worker {name} ({address}) cannot be asked what it runs: {_first(seen)}.") from seen
        worker = Worker(name, address, seen["host"], seen["pid"], seen["place"] == mine["place"])
        _check(worker, seen, mine)
        found.append(worker)
    return sorted(found, key=lambda worker: (worker.name, worker.address))


def leave(client: Client) -> None:
    """Let go of a client, whatever its state and that of its cluster. May be called again."""
    with contextlib.suppress(Exception):  # a scheduler that is gone cannot be taken leave of
        within(4.0, lambda: client.close(timeout=2), late="It does not end.")  # type: ignore[no-untyped-call]


def within(seconds: float, ask: Callable[[], T], *, late: str) -> T:
    """What ``ask`` returns or raises; `ServiceError` with the text ``late`` if that takes longer."""
    told: list[tuple[T | None, BaseException | None]] = []

    def work() -> None:
        try:
            told.append((ask(), None))
        except BaseException as error:
            told.append((None, error))

    thread = threading.Thread(target=work, name="workbench-cluster", daemon=True)
    thread.start()
    thread.join(seconds)
    if not told:
        raise ServiceError(late)
    answer, error = told[0]
    if isinstance(error, OSError):
        raise ServiceError(f"The cluster does not answer any more: {_first(error)}. Is its scheduler gone?") from error
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]


def _check(worker: Worker, seen: dict[str, Any], mine: dict[str, Any]) -> None:
    if not seen["version"]:
        raise UsageError(
            f"{worker} ({worker.address}) has no package `workbench`: install version {mine['version']} into the "
            f"Python it runs, {seen['python']}, and start it again."
        )
    if seen["version"] != mine["version"]:
        raise UsageError(
            f"{worker} ({worker.address}) has another version of the package: {seen['version']} in {seen['package']}, "
            f"and here it is {mine['version']}. Install the same on both, and start the worker again."
        )
    if seen["digest"] != mine["digest"]:
        raise UsageError(
            f"{worker} ({worker.address}) has other source than this process: digest {seen['digest'][:12]} in "
            f"{seen['package']}, and here {mine['digest'][:12]} in {mine['package']}, both called version "
            f"{mine['version']}. Bring the same commit to both, and start the worker again."
        )


def _look() -> dict[str, Any]:
    """What a process is and runs. It is sent to workers as it stands here, so that one without the package answers,
    too: nothing outside this function may be used."""
    import hashlib
    import importlib.util
    import os
    import re
    import socket
    import sys
    from pathlib import Path

    def read(path: str) -> str:
        try:
            return Path(path).read_text().strip()
        except OSError:
            return ""

    try:
        namespace = str(Path("/proc/self/ns/net").readlink())
    except OSError:
        namespace = ""
    seen = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "python": sys.executable,
        "place": [read("/proc/sys/kernel/random/boot_id") or socket.gethostname(), namespace],
        "version": "",
        "digest": "",
        "package": "",
    }
    spec = importlib.util.find_spec("workbench")
    if spec is not None and spec.origin:
        package = Path(spec.origin).parent
        told = re.search(r'^__version__ = "(.+)"$', read(spec.origin), re.MULTILINE)
        sources = hashlib.sha256()
        for path in sorted(package.rglob("*.py")):
            content = path.read_bytes()
            sources.update(f"{path.relative_to(package)}\n{len(content)}\n".encode() + content)
        seen |= {"version": told[1] if told else "", "digest": sources.hexdigest(), "package": str(package)}
    return seen


def _by_value(function: types.FunctionType | Callable[..., T]) -> Callable[..., T]:
    """The same function without a module to be imported from: it is sent as a whole."""
    assert isinstance(function, types.FunctionType)
    alone = types.FunctionType(function.__code__, {"__builtins__": __builtins__}, function.__name__)
    alone.__module__ = "__main__"
    return alone


def _address(client: Client) -> str:
    scheduler = client.scheduler
    return str(scheduler.address) if scheduler is not None else "that was given"


def _first(error: BaseException) -> str:
    """The first line of an error, without its full stop."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
