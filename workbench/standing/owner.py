"""The process that owns a standing stack: ``python -m workbench.standing.owner <descriptor>``.

What to start comes on standard input; how it goes is told over the descriptor, a JSON line each, the last one ``ready``
or ``error``. It ends at SIGTERM and leaves nothing. If it is killed, its supervisor sees to that.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import secrets
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from workbench import progress
from workbench.errors import UsageError, WorkbenchError
from workbench.history.folder import RUN
from workbench.runtimes import outliving, states
from workbench.runtimes.children import keeper
from workbench.runtimes.death import Death
from workbench.stack import Stack
from workbench.stack.book import options_of
from workbench.standing.door import serve
from workbench.standing.leases import Leases

Tell = Callable[..., None]
TAKEN = "taken"
"""In place of the error's kind: somebody else has the name."""


S = TypeVar("S", bound=Stack)


class Owned(Stack):
    """A stack whose deaths are told to those who borrow from it."""

    leases: Leases | None = None

    def _died(self, death: Death) -> None:
        super()._died(death)
        if self.leases is not None and self._state == "running":
            self.leases.died(death)


def main(descriptor: int) -> None:
    """Own a stack until SIGTERM."""
    os.environ.pop(outliving.VARIABLE, None)  # nothing outlives us, whoever gave the command
    asked = json.load(sys.stdin)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())

    def tell(**news: Any) -> None:
        with contextlib.suppress(OSError):  # whoever waited is gone: that changes nothing
            os.write(descriptor, json.dumps(news, default=str).encode() + b"\n")

    try:
        folder = states.claim(asked["name"], {"kind": "up", "since": _now(), "asked": asked}, pid=os.getpid())
        if folder is None:
            tell(error="", kind=TAKEN)
            return
    except WorkbenchError as error:
        tell(error=str(error), kind=type(error).__name__)
        return
    try:
        keeper().keep(folder)
        _own(folder, asked, stop, tell)
    except Exception as error:
        ours = isinstance(error, WorkbenchError)
        if not ours:
            traceback.print_exc()
        text = str(error) if ours else f"The owner of the stack broke: {error!r}. Its log: {folder / 'owner.log'}"
        keeper().forget(folder)
        aside = states.set_aside(folder)
        tell(error=text.replace(str(folder), str(aside)), kind=type(error).__name__ if ours else "ServiceError")


def _own(folder: Path, asked: dict[str, Any], stop: threading.Event, tell: Tell) -> None:
    log = os.open(folder / "owner.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ[RUN] = str(folder)
    os.environ.pop(progress.VARIABLE, None)
    stack = make_stack(asked, kind=Owned)
    address = f"workbench-{secrets.token_hex(16)}"
    starting = threading.Thread(target=_end_early, args=(stop, stack, done := threading.Event()), daemon=True)
    starting.start()
    try:
        stack.start()
        done.set()
        stack.leases = Leases(stack)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
            listening.bind(f"\0{address}")
            listening.listen()
            threading.Thread(target=serve, args=(listening, stack.leases), daemon=True).start()
            services = _services(stack)
            states.write_addresses(folder, {name: about["url"] for name, about in services.items()})
            states.update(folder, ready=True, socket=address, services=services, runtime=stack.runtime)
            tell(ready=True)
            stop.wait()
    finally:
        done.set()
        stack.stop()


def make_stack(asked: Mapping[str, Any], *, kind: type[S]) -> S:
    """Not started yet. Raises `UsageError` and `UnknownService`."""
    own = [name for name, p in inspect.signature(Stack).parameters.items() if p.kind is p.KEYWORD_ONLY]
    if taken := sorted(set(own) & set(asked["entries"])):
        raise UsageError(f"A service that stays up cannot be called {taken[0]}: Stack({taken[0]}=…) is an option.")
    arguments: dict[str, Any] = {name: dict(options) for name, options in asked["entries"].items()}
    return kind(**arguments, runtime=asked["runtime"])


def _end_early(stop: threading.Event, stack: Stack, done: threading.Event) -> None:
    """Asked to end while it starts: the start is given up."""
    while not done.wait(0.05):
        if stop.is_set():
            stack.stop()
            return


def _services(stack: Stack) -> dict[str, dict[str, Any]]:
    described = stack.describe()
    return {
        name: {
            "kind": stack[name].service.name,
            "program": stack[name].program,
            "runtime": stack[name].runtime,
            "options": options_of(stack[name].service),
            "url": stack.url(name),
            "lends": hasattr(stack[name].service, "lend") and len(stack.group(name)) == 1,
            "log": str(stack[name].log_path),
            **({"role": described[name]["role"]} if "role" in described[name] else {}),
        }
        for name in stack
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


if __name__ == "__main__":
    main(int(sys.argv[1]))
