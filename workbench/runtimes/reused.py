"""A service of a standing stack, borrowed: a database of its own in a server that others may use, too.

What is done to the process is done by its owner, and only while nobody else borrows it.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.errors import ServiceError, UsageError
from workbench.progress import tell
from workbench.runtimes.death import Death
from workbench.runtimes.lease import Lease
from workbench.runtimes.readiness import QUOTED_LINES
from workbench.runtimes.resources import Resources
from workbench.runtimes.running import GRACE_S, Running
from workbench.services import Place, Service

_PROBE_TIMEOUT_S = 5.0
_FOLLOW_S = 0.05


class Reused(Running):
    """A borrowed service: same address, and data of our own, which goes with us."""

    runtime = "reused"

    def __init__(
        self,
        service: Service,
        *,
        lease: Lease,
        name: str,
        folder: Path,
        log: Path,
        on_death: Callable[[Death], None] | None = None,
        limit_s: float = 30.0,
        image: str = "",
    ) -> None:
        """Raises `UsageError` if an ``image`` is asked for and its container was made of another."""
        self._lease = lease
        about = lease.lent[name]
        if image and about["facts"].get("image") != image:
            raise UsageError(
                f"{name} cannot be reused as {image}: in the standing stack {lease.name} it is "
                f"{about['facts'].get('image', 'no container')}. Leave images= out, or reuse."
            )
        place = Place(
            name,
            about["host"],
            about["port"],
            folder / name,
            log,
            secrets=dict(about["secrets"]),
            database=about["database"],
        )
        super().__init__(service, name=name, place=place, log=log, limit_s=limit_s, on_death=on_death)
        self._over = threading.Event()
        self._follower = threading.Thread(
            target=_follow, args=(Path(about["log"]), log, self._over), name=f"workbench-log-{name}", daemon=True
        )
        self._follower.start()
        lease.tell(name, self._told)

    def __repr__(self) -> str:
        return f"{super().__repr__()}, database {self.place.database} of the standing stack {self._lease.name}"

    @property
    def facts(self) -> dict[str, Any]:
        """Whose it is, and what its owner knows of it, as its image."""
        about = self._lease.lent[self.name]
        return {**about["facts"], "standing": self.standing, "there": about["runtime"], "database": about["database"]}

    @property
    def standing(self) -> str:
        """The name of the stack it is borrowed from."""
        return self._lease.name

    @property
    def alive(self) -> bool:
        return bool(self._see().get("alive"))

    @property
    def pid(self) -> int | None:
        return self._see().get("pid")

    @property
    def returncode(self) -> int | None:
        return self._see().get("returncode")

    @property
    def incarnation(self) -> str:
        return str(self._ask("incarnation")["incarnation"])

    def start(self) -> Running:
        with self._lock:
            if self._abandoned:
                raise ServiceError(f"{self.name} is not started: its stack was stopped. Make a new one.")
            began = time.monotonic()
            if not self.alive:
                self._ask("start")
            moved = self._see()["port"] != self.port
            if moved:
                self.place.port = self._see()["port"]
                if self.moved is not None:
                    self.moved()
            if moved or not self.program:
                try:
                    self.program = self.service.probe(self.place, timeout_s=_PROBE_TIMEOUT_S)
                except OSError as error:
                    raise ServiceError(
                        f"{self.name} of the standing stack {self.standing} lent its database {self.place.database}, "
                        f"which does not answer: {error}. See {self.log_path}, or bring up another: workbench up "
                        f"{self.service.name} --name another"
                    ) from error
            self.ready_ms = (time.monotonic() - began) * 1000
            tell("service", name=self.name, state="ready", program=self.program, ready_ms=round(self.ready_ms, 1))
        return self

    def stop(self, *, grace_s: float = GRACE_S) -> None:
        with self._lock:
            self._ask("stop", grace_s=grace_s)
            self.paused = False
        tell("service", name=self.name, state="stopped", program=self.program)

    def kill(self) -> None:
        with self._lock:
            self._ask("kill")
            self.paused = False

    def pause(self) -> None:
        self._ask("pause")
        self.paused = True

    def resume(self) -> None:
        self._ask("resume")
        self.paused = False

    def forget(self) -> None:
        """Never: what the server keeps is not ours alone. Raises `UsageError`."""
        raise UsageError(
            f"What {self.name} keeps cannot be removed: it is of the standing stack {self.standing}, and only its "
            f"database {self.place.database} is ours. Start your own: Stack({self.name!r}) without reuse."
        )

    def resources(self) -> Resources:
        return Resources(**self._ask("resources")["resources"])

    def abandon(self) -> None:
        self._abandoned = True

    def remove(self) -> None:
        self._abandoned = True
        self._lease.give_back()
        self._over.set()
        self._follower.join(2.0)

    # --- inside

    def _ask(self, act: str, **fields: Any) -> dict[str, Any]:
        return self._lease.ask(act, service=self.name, **fields)

    def _see(self) -> dict[str, Any]:
        try:
            return self._ask("see")
        except ServiceError:  # given back, or gone with its owner
            return {"port": self.port}

    def _told(self, death: dict[str, Any]) -> None:
        """It died unasked, or (``death`` is empty) its owner did."""
        if self.expendable or self._abandoned:
            return
        tell("service", name=self.name, state="died", program=self.program)
        if self._on_death is not None:
            why = f"The standing stack {self.standing} has ended."
            code, at_ns = death.get("returncode", -signal.SIGKILL), death.get("at_ns", time.monotonic_ns())
            self._on_death(Death(self.name, at_ns, code, death.get("log") or f"{self.logs(QUOTED_LINES)}\n{why}"))


def _follow(source: Path, log: Path, over: threading.Event) -> None:
    """Copy what a server writes from now on, so that the run has a log of its own."""
    with contextlib.suppress(OSError), source.open("rb") as reading, log.open("ab", buffering=0) as writing:
        reading.seek(0, 2)
        last = False
        while True:
            while block := reading.read(1 << 16):
                writing.write(block)
            if last:
                return
            last = over.wait(_FOLLOW_S)
