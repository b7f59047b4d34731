"""A service that runs elsewhere already: it is reached, not started, and not ours to break.

Of its process nothing is known here: no memory, no log, and not that it died. Faults of the network act on the links
in front of it.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, cast

from workbench.errors import NotPossible, ServiceError
from workbench.progress import tell
from workbench.runtimes.death import Death
from workbench.runtimes.resources import Resources
from workbench.runtimes.running import GRACE_S, Running
from workbench.services import Place, Service
from workbench.services._elsewhere import Outside
from workbench.services._unreachable import explain

REACH_S = 4.0
"""So long the first answer may take: resolving the name, connecting, TLS and login together."""


class Reached:
    """What stands for the process. It is alive as long as the stack is."""

    pid = 0
    ended_ns: int | None = None
    returncode: int | None = None

    def __init__(self, title: str) -> None:
        self.title = title
        self.alive = True

    def wait(self, timeout_s: float | None = None) -> int | None:
        return None if self.alive else 0

    def signal(self, number: int) -> bool:
        return False

    def signal_tree(self, number: int) -> int:
        return 0

    def kill(self) -> None:
        """Nothing but that it is not ours any more."""
        self.alive = False


class Elsewhere(Running):
    """A service that somebody else runs."""

    runtime = "elsewhere"

    def __init__(
        self,
        service: Service,
        *,
        name: str,
        folder: Path,
        log: Path,
        limit_s: float = REACH_S,
        on_death: Callable[[Death], None] | None = None,
        first: Running | None = None,
    ) -> None:
        self._outside = cast(Outside, service)
        place = Place(name, "", 0, folder / name, log)
        self._outside.place(place)
        super().__init__(service, name=name, place=place, log=log, limit_s=limit_s, on_death=on_death)

    @property
    def pid(self) -> None:
        """It has none here."""
        return None

    def resources(self) -> Resources:
        """Raises `ServiceError`: nobody here can look at its process."""
        raise ServiceError(f"What {self.name} uses is not known: it runs elsewhere, at {self._outside.where}.")

    def stop(self, *, grace_s: float = GRACE_S) -> None:
        self._refuse("stop")

    def kill(self) -> None:
        self._refuse("kill")

    def restart(self) -> Running:
        self._refuse("restart")

    def pause(self) -> None:
        self._refuse("pause")

    def resume(self) -> None:
        self._refuse("resume")

    def forget(self) -> None:
        self._refuse("removal of the data of")

    def scale(self, instances: int) -> Running:
        if instances != 1 or isinstance(instances, bool):
            self._refuse("scaling")
        return self  # one it is, as far as anybody here can see

    def promote(self, *, timeout_s: float = 10.0) -> Running:
        self._refuse("promotion of")

    # --- inside

    def _refuse(self, verb: str) -> NoReturn:
        raise NotPossible(f"{verb} {self.name} is not possible: {refusal(self)}")

    def _start(self) -> None:
        tell("service", name=self.name, state="starting")
        began = time.monotonic()
        told: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()

        def probe() -> None:
            try:
                told.put(self.service.probe(self.place, timeout_s=self.limit_s))
            except Exception as error:  # whatever it is, it says why
                told.put(error)

        # A thread of its own: how long the resolver of names takes nobody can say, and all else has its limit.
        threading.Thread(target=probe, name=f"probe-{self.name}", daemon=True).start()
        try:
            answer = told.get(timeout=self.limit_s + 0.5)
        except queue.Empty:
            answer = socket.gaierror(socket.EAI_AGAIN, f"nobody has told within {self.limit_s:g} s")
        if isinstance(answer, Exception):
            raise ServiceError(
                f"{self.name} cannot be reached at {self._outside.where}: {explain(self._outside, answer)}"
            ) from answer
        self.program = answer
        self.ready_ms = (time.monotonic() - began) * 1000
        self._child = cast(Any, Reached(self._outside.where))
        self.log_path.write_text(f"{self.name} runs elsewhere, at {self._outside.where}: its log is not here.\n")
        tell("service", name=self.name, state="ready", program=self.program, ready_ms=round(self.ready_ms, 1))


def refusal(running: Running) -> str:
    """Why nothing but the links in front of it can be broken; for the end of a message."""
    where = getattr(running.service, "where", "")
    return (
        f"it runs elsewhere, at {where}, and its process and its disk are not ours. What can be broken is the network "
        "in front of it: Partition, Delay, Throttle and Reset act on the links that lead there."
    )
