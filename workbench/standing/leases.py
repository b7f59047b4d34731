"""Who has borrowed what of a standing stack, and what each may do to it."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workbench.errors import NotPossible, ServiceError, UsageError

if TYPE_CHECKING:
    from workbench.runtimes.death import Death
    from workbench.runtimes.running import Running
    from workbench.stack import Stack

_TIMEOUT_S = 10.0
_BREAKING = {"kill": "killed", "stop": "stopped", "pause": "paused"}
_MENDING = ("start", "resume")


@dataclass(eq=False)
class Borrower:
    """One connection. ``tell`` sends it a message."""

    pid: int
    tell: Callable[[dict[str, Any]], None]
    who: str = ""
    lent: dict[str, str] = field(default_factory=dict)  # service → database

    def __str__(self) -> str:
        return self.who or f"process {self.pid}"


class Leases:
    """The borrowers of one stack. Every method may be called from any thread."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._borrowers: list[Borrower] = []
        self._broken: dict[str, tuple[Borrower, str]] = {}  # service → who broke it, and how
        self._owed: list[tuple[str, str]] = []  # service and database, of borrowers that are gone
        self._lock = threading.RLock()

    def borrowers(self) -> list[str]:
        """Who has borrowed something."""
        with self._lock:
            return [str(one) for one in self._borrowers if one.lent]

    def add(self, borrower: Borrower) -> None:
        with self._lock:
            self._borrowers.append(borrower)

    def died(self, death: Death) -> None:
        """Tell those who borrow it."""
        told = {"died": death.service, "at_ns": death.at_ns, "returncode": death.returncode, "log": death.log}
        with self._lock:
            for one in self._borrowers:
                if death.service in one.lent:
                    one.tell(told)

    def answer(self, borrower: Borrower, act: str, request: dict[str, Any]) -> dict[str, Any]:
        """Do what was asked. Raises `WorkbenchError`."""
        if act == "hello":
            borrower.who = str(request["who"])
            return {}
        if act == "lend":
            return {"lent": self._lend(borrower, request["services"])}
        if act == "give_back":
            self.take_back(borrower)
            return {}
        running = self._lent(borrower, request["service"])
        if act == "see":
            return _seen(running)
        if act == "resources":
            return {"resources": dataclasses.asdict(running.resources())}
        if act == "incarnation":
            return {"incarnation": running.incarnation}
        if act in _BREAKING:
            self._break(borrower, running, act, request)
        elif act in _MENDING:
            with self._lock:
                self._mend(running, act)
        else:
            raise UsageError(f"A standing stack cannot {act}.")
        return _seen(running)

    def take_back(self, borrower: Borrower) -> None:
        """All that was lent to somebody, with what was written there; what it broke is mended first."""
        with self._lock:
            for name, (who, _) in list(self._broken.items()):
                if who is borrower:
                    self._broken.pop(name)  # whoever broke it is gone, also if it cannot be mended: it is dead then
                    with contextlib.suppress(ServiceError):
                        self._mend(self._stack[name], "start")
            self._owed += borrower.lent.items()
            borrower.lent = {}
            self._remove_owed()
            if borrower in self._borrowers:
                self._borrowers.remove(borrower)

    # --- inside

    def _remove_owed(self) -> None:
        """Databases that nobody borrows any more. What cannot be asked now is asked when the next one borrows."""
        for name, database in tuple(self._owed):
            running = self._stack[name]
            if name in self._broken or not running.alive:
                continue
            with contextlib.suppress(OSError, ServiceError):
                running.service.take_back(running.place, database, timeout_s=_TIMEOUT_S)  # type: ignore[attr-defined]
                self._owed.remove((name, database))

    def _lend(self, borrower: Borrower, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        with self._lock:
            if borrower not in self._borrowers:
                raise ServiceError(f"Nothing is lent to {borrower}, who has gone meanwhile.")
            self._remove_owed()
            for name in names:
                if name in self._broken:
                    who, how = self._broken[name]
                    raise NotPossible(f"{name} cannot be lent now: {who} has {how} it. Try again when that has ended.")
                if not self._stack[name].alive:
                    raise ServiceError(
                        f"{name} cannot be lent: it has died. Bring the standing stack down and up again (workbench "
                        f"down, workbench up). Its last lines:\n{self._stack[name].logs()}"
                    )
            for name in names:
                borrower.lent[name] = self._database(name)
            return {name: self._about(name, database) for name, database in borrower.lent.items()}

    def _database(self, name: str) -> str:
        running = self._stack[name]
        lent = {one.lent[name] for one in self._borrowers if name in one.lent}
        lent |= {database for service, database in self._owed if service == name}
        try:
            return str(running.service.lend(running.place, lent=lent, timeout_s=_TIMEOUT_S))  # type: ignore[attr-defined]
        except OSError as error:
            raise ServiceError(f"{name} cannot be lent: no database can be made in it: {error}.") from error

    def _about(self, name: str, database: str) -> dict[str, Any]:
        running = self._stack[name]
        return {
            "host": running.host,
            "port": running.port,
            "secrets": dict(running.place.secrets),
            "database": database,
            "runtime": running.runtime,
            "facts": running.facts,
            "log": str(running.log_path),
        }

    def _lent(self, borrower: Borrower, name: str) -> Running:
        if name not in borrower.lent:
            raise UsageError(f"{name} is not lent to {borrower}.")
        return self._stack[name]

    def _break(self, borrower: Borrower, running: Running, act: str, request: dict[str, Any]) -> None:
        with self._lock:
            self._lent(borrower, running.name)  # still: its process may have ended meanwhile
            others = [str(one) for one in self._borrowers if one is not borrower and running.name in one.lent]
            if others:
                raise NotPossible(
                    f"{running.name} cannot be {_BREAKING[act]}: it is also reused by {', '.join(others)}, and "
                    "would be for them, too. Wait until they have ended, or start your own without reuse."
                )
            self._broken[running.name] = borrower, _BREAKING[act]
            if act == "stop":
                running.stop(grace_s=float(request["grace_s"]))
            else:
                getattr(running, act)()

    def _mend(self, running: Running, act: str) -> None:
        """``start`` also lets one go on that is paused, as its borrower is gone; it is told no more."""
        if act == "resume" or running.paused:
            running.resume()
        if act == "start":
            running.start()
        self._broken.pop(running.name, None)


def _seen(running: Running) -> dict[str, Any]:
    return {
        "alive": running.alive,
        "pid": running.pid,
        "returncode": running.returncode,
        "port": running.port,
    }
