"""Services: one file per program, holding one class that says how to run it, when it is ready and how to ask it.

A service is a frozen dataclass whose fields are its options. ``Stack("redis")`` finds the class in ``redis.py`` by
that name; an object of a stranger's own class is handed over as ``Stack(queue=MyQueue())`` and checked by `check`.
Files that begin with an underscore are parts that several services share.
"""

from __future__ import annotations

import dataclasses
import importlib
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from workbench.errors import UnknownService, UsageError, nearest


@dataclass(frozen=True)
class Command:
    """How to start a program."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)  # added to the workbench's own environment
    cwd: Path | None = None  # None: the service's data folder
    user: tuple[int, int] | None = None  # uid and gid to run as; needs root
    namespace: bool = False  # run as an ordinary user of a user namespace of its own
    stop_signal: int = signal.SIGTERM  # what asks it to end in order


@dataclass(frozen=True)
class Image:
    """A container image, and how to start it.

    Of a service it is what `Service.image` returns. ``Stack(app=Image("mine:latest", port=8000))`` makes a service of
    one.
    """

    name: str  # "redis:7.2"
    port: int  # where the service listens in the container
    env: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()  # after the image's entry point; (): the image's own
    ready: str = ""  # of an entry of a stack: a path that is answered with 2xx; "": the port takes connections

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or any(map(str.isspace, self.name)):
            raise UsageError(f'An image is named as for docker run, "mine:latest"; got {self.name!r}.')
        if isinstance(self.port, bool) or not isinstance(self.port, int) or not 0 < self.port < 65536:
            raise UsageError(f"{self.name}: port is where it listens in the container, 1 to 65535, not {self.port!r}.")
        if not isinstance(self.command, list | tuple) or not all(isinstance(word, str) for word in self.command):
            raise UsageError(
                f'{self.name}: command is a sequence of words, as in ("serve", "--port", "8000"), not {self.command!r}.'
            )


class Process(Protocol):
    """What `Place.spawn` gives: a running program."""

    @property
    def alive(self) -> bool: ...
    def wait(self, timeout_s: float | None = None) -> int | None: ...
    def signal(self, number: int) -> bool: ...
    def kill(self) -> None: ...


def _no_spawn(command: Command) -> Process:
    raise UsageError(f"This place cannot start {command.argv[0]}: it was made without a runtime.")


@dataclass
class Place:
    """Where one service of one stack lives."""

    name: str  # of the entry in the stack
    host: str
    port: int
    data: Path  # its own folder, kept over restarts, removed with the stack
    log: Path
    urls: dict[str, str] = field(default_factory=dict, repr=False)  # of those it uses, through its links to them
    secrets: dict[str, str] = field(default_factory=dict, repr=False)  # made for the run: "password"
    spawn: Callable[[Command], Process] = field(default=_no_spawn, repr=False)  # a helper, logged to `log`
    common: Path | None = None  # the data folder of its first instance, which all instances share; None: they don't
    announced: tuple[str, int] | None = None  # the address to tell others of its group, of a door; None: it has none
    peers: dict[str, tuple[str, int]] = field(default_factory=dict)  # what each of its group tells, the first one first
    log_from: int = 0  # where in the log its present start begins, bytes
    user: str = ""  # who logs in; "": the service's own user
    database: str = ""  # that clients get, by name or number; "": the service's own


class Service(Protocol):
    """What a stack can start: ``name`` is short, ``uses`` are the stack's entries it is linked to, if there.

    What follows is there if it makes sense for it:

    * ``image(place)``: the `Image` to start instead, where the stack's runtime is docker; without, it stays a process.
    * ``runtime``: the only one it can be had in, "docker" or "elsewhere", whatever the stack's is.
    * ``requires``: the entries without which it cannot be started.
    * ``listens = False``: it has no port; nobody is linked to it, and its `url` is "".
    * ``limit_s``: how long a start of it may take, seconds.
    * ``unready(place, *, pid)``: a sentence why it may not be ready, "" if it does not know; asked when it is too late.
    * ``scales = True``: it keeps nothing in its process, so that several alike may serve the same clients.
    * ``settings_files``: names of files in its folder that say how it is set and hold no data. Once prepared they are
      its own: they stay when its data is removed, and it is not prepared again.
    * ``companions(name)``: by name, the services that start with the entry ``name`` and after it, as one group. They
      share its secrets and see its folder as ``Place.common``.
    * ``peers = True``: those of its group speak with each other both ways. Each listens at and sends from a host of its
      own, and tells the others ``Place.announced``.
    * ``joined(place, *, timeout_s)``: raises while it has not found its place in its group; asked at the first start.
    * ``role(place, *, timeout_s)``: what it is in its group now, "primary" or "replica".
    * ``primary(place, *, timeout_s)``: whom of its group it takes for the primary, by name; for those who decide it.
    * ``lend(place, *, lent, timeout_s)``: makes an empty database in it for somebody who borrows it, other than those
      ``lent``, and returns its name; ``take_back(place, database, *, timeout_s)`` removes it with all that is in it.
    """

    @property
    def name(self) -> str: ...
    @property
    def uses(self) -> tuple[str, ...]: ...

    def prepare(self, place: Place) -> None:
        """Fill the empty data folder, once, before the first start."""

    def command(self, place: Place) -> Command:
        """What to start, at every start."""

    def probe(self, place: Place, *, timeout_s: float) -> str:
        """The program and version as the running server states them, "redis 7.0.15"; raises while it is not ready."""

    def ask(self, place: Place, *, host: str, port: int, size: int = 0, timeout_s: float = 1.0) -> float:
        """Seconds of one round trip that carries ``size`` bytes or more to the service, over a new connection.

        Connecting and logging in are not counted, but ``timeout_s`` is for everything. Raises when it fails.
        """

    def url(self, place: Place, *, host: str, port: int) -> str:
        """How a client reaches it, credentials included."""


MEMBERS = ("name", "uses", "prepare", "command", "probe", "ask", "url")
COMPANIONS = {
    "sentinel": 'Sentinels start with the Redis they watch: Stack(redis={"replicas": 2, "sentinels": 3}).',
    "standby": 'A standby starts with the PostgreSQL it follows: Stack(postgres={"standby": "async"}).',
}
"""Services that make no sense alone, and how to have them."""


def names() -> list[str]:
    """The services that have a file here."""
    return sorted(file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_"))


def make(name: str, options: Mapping[str, Any] | None = None) -> Service:
    """The service described in ``<name>.py`` with these options; an option that is None keeps its default.

    Raises `UnknownService` for a name without a file and `UsageError` for an option it does not have.
    """
    if name not in names():
        there = f"{nearest(name, names())} There are: {', '.join(names())}."
        raise UnknownService(f"There is no service {name!r}{f'. {COMPANIONS[name]}' if name in COMPANIONS else there}")
    module = importlib.import_module(f"{__name__}.{name}")
    kind = next(
        value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__ and getattr(value, "name", None) == name
    )
    known = [option.name for option in dataclasses.fields(kind)]
    given = {option: value for option, value in (options or {}).items() if value is not None}
    for option in given:
        if option not in known:
            raise UsageError(
                f"{name} has no option {option!r}{nearest(option, known)} It has: {', '.join(known) or 'none'}."
            )
    return cast(Service, kind(**given))


def check(service: object, *, entry: str) -> Service:
    """The object itself if it can be a service; else `UsageError` names what it lacks."""
    lacking = [member for member in MEMBERS if not hasattr(service, member)]
    wrong = [member for member in MEMBERS[2:] if member not in lacking and not callable(getattr(service, member))]
    if lacking or wrong:
        what = [f"{member} is missing" for member in lacking] + [f"{member} is not a method" for member in wrong]
        raise UsageError(
            f"The stack's entry {entry!r} is a {type(service).__name__}, which cannot be a service: {', '.join(what)}. "
            "See workbench.services.Service for what each must do."
        )
    return cast(Service, service)


def one_of(owner: str, option: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise `UsageError` unless an option has one of its values."""
    if value not in allowed:
        raise UsageError(f"{owner}: {option} is one of {', '.join(map(repr, allowed))}, not {value!r}.")
