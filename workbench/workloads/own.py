"""What `Writes` and `Echoes` have in common: clients of a system that its owner described, each with a connection."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from workbench.errors import DriverError, UsageError
from workbench.systems import System, load_system
from workbench.systems.addresses import addresses
from workbench.workloads.asking import in_short, instances
from workbench.workloads.preparing import advance

if TYPE_CHECKING:
    from workbench.history import Outcome

AT_ONCE = 16
"""Logins at the same time."""

_OF_THE_ADAPTER = (NameError, AttributeError, TypeError, KeyError, IndexError, ImportError)
"""Errors that are told with their text: most come from a mistake in an operation."""
_BEFORE_SENDING = ("ConnectError", "ConnectTimeout", "PoolTimeout")
"""What httpx raises when it has no connection to send anything over. Other libraries may have sent it before, over a
connection that broke, and have asked again by themselves."""


_TOOK_TOO_LONG = 408
"""Some servers answer so when they give up on what they have begun."""


class WrongAnswer(Exception):
    """An operation returned what it must not: the description is wrong, whatever the system does."""


class Escaped(Exception):
    """An operation raised what would end its process: SystemExit, say. It is an error like others."""


def check_system(system: object, *needed: str, by: str) -> tuple[str, tuple[str, ...]]:
    """From where drivers load the system, and the entries it uses.

    Raises `UsageError` if there is none, if they could not load it, or if it lacks an operation.
    """
    if not isinstance(system, str | Path | System):
        raise UsageError(f"{by} ask a System, or that of a file (examples/shop.py); got {system!r}.")
    found = load_system(system)
    found.require(*needed, by=by)
    if not found.where:
        raise UsageError(
            f"{found.name} is described in the notebook, but its clients run in another process. Put it into a file "
            "and name that: examples/shop.py."
        )
    again = load_system(found.where)  # a file may describe several
    if again.name != found.name or again.operations != found.operations:
        raise UsageError(
            f"{found.name} was described in {found.where}, which by now says something else: {again!r}. Load it again."
        )
    return again.where, found.uses


def check_entry(entry: object, *, by: str) -> None:
    """Raise `UsageError` unless it can be the name of an entry."""
    if not (isinstance(entry, str) and entry):
        raise UsageError(f'{by}: entry is what the system is called in the stack, "app"; got {entry!r}.')


class Connection:
    """One client's, whatever the system's ``connect`` returned."""

    def __init__(self, system: System, inner: Any, *, run: str, client: int) -> None:
        self._system, self._inner, self._ended = system, inner, False
        self.run, self.client = run, client
        self.closed = False
        """It is replaced: something went wrong on it."""

    async def call(self, name: str, *given: Any) -> Any:
        """Ask for an operation, once."""
        function = self._system.function(name)
        assert function is not None  # the workload was checked when it was made
        try:
            return await contained(function(self._inner, *given))
        except BaseException:
            self.closed = True
            raise

    async def close(self) -> None:
        """By the system's own ``close``; else by what the connection has: ``aclose()`` or ``close()``."""
        self.closed = True
        if self._ended:  # it was left in order
            return
        self._ended = True
        if (own := self._system.function("close")) is not None:
            await contained(own(self._inner))
            return
        close = getattr(self._inner, "aclose", None) or getattr(self._inner, "close", None)
        if callable(close) and inspect.isawaitable(waits := close()):
            await contained(waits)


async def contained(operation: Awaitable[Any]) -> Any:
    """What it returns. Raises what it raises, and `Escaped` for what is no `Exception` and not our own cancelling."""
    try:
        return await operation
    except (Exception, GeneratorExit):
        raise
    except BaseException as error:
        here = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and here is not None and here.cancelling():
            raise
        raise Escaped(f"{type(error).__name__}: {error}".rstrip(": ")) from error


class Seat(NamedTuple):
    """Where one client connects, and as whom."""

    urls: dict[str, str]
    token: Any


class Clients:
    """What the clients of one driver share: their system, and the seat of each."""

    def __init__(self, system: System, seats: Mapping[int, Seat], *, run: str) -> None:
        self.system, self.run, self._seats = system, run, seats

    @classmethod
    async def seat(
        cls, where: str, urls: Mapping[str, str], run: str, clients: Sequence[int], *, entry: str, sockets: int = 1
    ) -> Clients:
        """Deal them out over the instances of the entry; ``sockets`` in a row are logged in as one user.

        Raises `DriverError` if somebody cannot log in.
        """
        system = loaded(where)
        there = instances(urls, entry)
        others = {name: url for name, url in urls.items() if name != entry and url not in there}
        first = clients[0] // sockets % len(there)  # the clients of another driver begin elsewhere
        seats = [addresses(at, others, entry=entry) for at in islice(cycle(there), first, first + len(clients))]
        users = [f"{run}-{client}" for client in clients[::sockets]]
        tokens = await _log_in(system, users, seats)  # the n-th at the n-th instance, in turn
        dealt = {client: Seat(seats[n], tokens[n // sockets]) for n, client in enumerate(clients)}
        return cls(system, dealt, run=run)

    async def connect(self, client: int) -> Connection:
        """A new connection. Without ``connect`` of the system's own, it is the URLs themselves."""
        seat = self._seats[client]
        connect = self.system.function("connect")
        inner = seat.urls if connect is None else await contained(connect(dict(seat.urls), seat.token))
        return Connection(self.system, inner, run=self.run, client=client)


@functools.cache
def loaded(where: str) -> System:
    """In a driver: once, whatever becomes of the file meanwhile."""
    return load_system(where)


async def _log_in(system: System, users: Sequence[str], seats: Sequence[dict[str, str]]) -> list[Any]:
    """What ``login`` returned for each of them; None where there is no login."""
    tokens: list[Any] = [None] * len(users)
    login = system.function("login")
    if login is None:
        return tokens
    door = asyncio.Semaphore(AT_ONCE)

    async def one(n: int) -> None:
        async with door:
            tokens[n] = await contained(login(dict(seats[n]), users[n]))
            advance()

    for result in await asyncio.gather(*(one(n) for n in range(len(users))), return_exceptions=True):
        if isinstance(result, BaseException):
            raise DriverError(
                f"Clients cannot log in: login of {system.where} raised {_told(result)}. The log of the application "
                f"may say why; `workbench doctor --system {system.where}` tries each operation once."
            ) from result
    return tokens


def classify(where: str, error: BaseException) -> tuple[Outcome, str]:
    """By the system's own ``classify``, if it has one and that has an opinion; else by what is known of errors.

    Raises `DriverError` if it says what it must not, or if an operation returned what it must not.
    """
    if isinstance(error, WrongAnswer):
        raise DriverError(str(error)) from error
    system = loaded(where)
    own = system.function("classify")
    try:
        said = None if own is None else own(error)
    except BaseException as raised:
        raise DriverError(
            f"classify of {system.where} raised {_told(raised)} when it was asked about {error!r}. It returns "
            '"fail" (certainly not done), "info" (may be done) or nothing, whatever the error.'
        ) from raised
    if said in ("fail", "info"):
        return said, text_of(error)
    if said is not None:
        raise DriverError(
            f'classify of {system.where} says {said!r} of {error!r}. It returns "fail" (certainly not done), "info" '
            "(may be done) or nothing."
        )
    status = status_of(error)
    refused = (400 <= status < 500 and status != _TOOK_TOO_LONG) if status else _not_sent(error)
    return ("fail" if refused else "info"), text_of(error)


def text_of(error: BaseException) -> str:
    """The same for the same kind of error."""
    if status := status_of(error):
        return str(status)
    if isinstance(error, Escaped):
        return str(error)[:120]
    if isinstance(error, _OF_THE_ADAPTER):
        return f"{type(error).__name__}: {error}"[:120]
    return in_short(error)


def status_of(error: BaseException) -> int:
    """The status of the HTTP answer that a client library raised as an error; 0 if there was none."""
    answer = getattr(error, "response", None)
    code = "code" if type(error).__name__.startswith("HTTP") else ""  # elsewhere it may count anything
    return _status(answer, "status_code", "status") or _status(error, "status", code)


def check_written(returned: object, *, of: str) -> None:
    """Raise `WrongAnswer` for what a write must not return: what it should have waited for, or looked at."""
    status = _status(returned, "status_code", "status")
    if inspect.isawaitable(returned):
        if inspect.iscoroutine(returned):
            returned.close()
        raise WrongAnswer(f"write of {of} returned {type(returned).__name__} that nobody awaited: put await before it.")
    if status >= 400:
        raise WrongAnswer(
            f"write of {of} returned an answer with the status {status}, as if it had been done. It raises what went "
            "wrong: answer.raise_for_status()."
        )


def _status(holder: object, *names: str) -> int:
    for name in filter(None, names):
        status = getattr(holder, name, None)
        if isinstance(status, int) and not isinstance(status, bool) and 100 <= status < 600:
            return status
    return 0


def _told(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":")


def _not_sent(error: BaseException) -> bool:
    """Whether there was no connection to send anything over, and certainly none before."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_not_sent, error.exceptions))
    of_httpx = type(error).__module__.partition(".")[0] in ("httpx", "httpcore")
    return type(error) is ConnectionRefusedError or (of_httpx and type(error).__name__ in _BEFORE_SENDING)
