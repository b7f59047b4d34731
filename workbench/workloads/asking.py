"""What a workload is: the questions of single-threaded clients, each with a connection of its own."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from workbench.history import Outcome


class Ask(NamedTuple):
    """One operation before it is done."""

    kind: str
    key: str = ""
    value: Any = None
    """What is written; None if the operation's value is what it returns. Plain data: text, numbers, lists, dicts."""
    due_ns: int = 0
    """When it was due, by `workbench.workloads.moments`; in a closed loop now. Set by the driver: a message that
    carries it tells whoever receives it how long it took from then on."""


class Note(Protocol):
    """Records an ok operation that nobody asked: a message that arrived, called when it was sent, returned now."""

    def __call__(self, kind: str, key: str, value: Any, *, sent_ns: int) -> None:
        """``sent_ns`` by `workbench.workloads.moments`: as a rule the ``due_ns`` of who sent it."""


Answer = Callable[[Any], None]
"""Called once with the value to record (None: what was asked) or with the exception that `Workload.do` would raise."""


class Workload(Protocol):
    """Methods are called in driver processes, except ``name``, ``services`` and ``connect_kind``.

    A workload whose clients belong together, so that those of one group must be played by one driver, has an attribute
    ``sockets``: how many in a row are a group. One whose clients hold several connections at once has an attribute
    ``connections``: how many.
    """

    @property
    def name(self) -> str:
        """ "appends in redis": the first word says what, the rest where. It stands in every operation."""

    @property
    def services(self) -> tuple[str, ...]:
        """The stack entries it needs; the first is the one it speaks to. A property ``sources`` may name the groups of
        clients whose links it uses, ``("client", "subscriber")``; without it they are ``("client",)``."""

    @property
    def connect_kind(self) -> str | None:
        """The kind under which connecting is an operation of its own, done in a turn of its own; None if connecting
        is a part of the operation that needs it."""

    async def prepare(self, urls: Mapping[str, str], run: str, clients: Sequence[int]) -> Any:
        """Once per driver before the clock starts: what its clients share. Accounts and tables are made here.

        ``urls`` has an entry for each of ``services``, "redis", and each further instance of it, "app-2"; through the
        links of another group of clients it is called "subscriber redis". ``run`` is a short text no other run has, to
        keep what it writes apart; ``clients`` are the numbers of the clients this driver plays, in order. What takes
        long calls `preparing.advance`. An error ends the run before it begins.
        """

    async def connect(self, shared: Any, client: int) -> Any:
        """A new connection, really connected. Whatever is raised here means that the operation was not sent.

        What a connection may have: ``closed``, which becomes true when it is to be replaced before the next operation;
        ``lasting``, true if it is kept all the same after an operation of which it is not known whether it happened;
        ``opened``, the key and the value with which connecting is recorded where it is an operation of its own;
        ``listen(note: Note)``, called as soon as it is connected; and ``pose(ask: Ask, answer: Answer) -> bool``, the
        quick way to do what `do` does: it sends at once, returns true, and calls ``answer`` later. False: this kind of
        question takes `do`. What `pose` raises was not sent. A connection with ``pose`` has ``closed``, answers an open
        question when it breaks, and may be let go of before the answer comes.
        """

    def next(self, rng: random.Random, client: int, n: int) -> Ask:
        """The n-th operation of a client, from nothing but these three."""

    async def do(self, connection: Any, ask: Ask) -> Any:
        """Do it once, never again. Returns the value to record (None: the value asked) or raises. It is cancelled
        when its time is over."""

    def classify(self, error: BaseException) -> tuple[Outcome, str]:
        """Of an error raised by `do`: "fail" only if it was certainly not done, else "info"; and a short text that is
        the same for the same kind of error."""

    async def close(self, connection: Any) -> None:
        """Let go of a connection, broken or not."""

    def steady(self, rank: int, of: int) -> Sequence[Ask]:
        """What client ``rank`` of the ``of`` clients of this workload asks once in the steady state."""

    def final(self, rank: int, of: int, turns: int) -> Sequence[Ask]:
        """What it asks at the end, when all else has returned and every fault is healed. Asked again until answered,
        for at most 10 s. ``turns``: no client was asked for an n as large as this."""


def in_short(error: BaseException) -> str:
    """An error as a short text without addresses or numbers that differ each time."""
    if isinstance(error, TimeoutError):
        return "timeout"
    return type(error).__name__


def was_refused(error: BaseException | None) -> bool:
    """Whether no connection could be made: nothing was sent."""
    while error is not None:
        if isinstance(error, ConnectionRefusedError):
            return True
        error = error.__cause__
    return False


def instances(urls: Mapping[str, str], service: str) -> list[str]:
    """The addresses of a service and of its further instances, of the first one first."""
    others = re.compile(rf"{re.escape(service)}-\d+")  # "app-cache" is a service of its own
    return [url for name, url in urls.items() if name == service or others.fullmatch(name)]
