"""A workload without a service, for tests of what plays it."""

import asyncio
import subprocess
from dataclasses import dataclass

from workbench.workloads import Ask, preparing


@dataclass(frozen=True, kw_only=True)
class Recite:
    """Says numbers to nobody. Every ``broken``-th is an error, every ``slow``-th takes longer than it may.
    ``deaf`` cannot be set up; ``mute`` never answers what is asked out of turn; ``wild`` names a method that returns
    what it should not, or does not return. ``quick`` asks by callback; ``chatty`` connections also hear themselves.
    To say one ``takes_s``; to prepare takes ``tables`` times 0.15 s. The first that is said ``leaves`` a process."""

    broken: int = 0
    slow: int = 0
    deaf: bool = False
    mute: bool = False
    wild: str = ""
    quick: bool = False
    chatty: bool = False
    takes_s: float = 0.0
    tables: int = 0
    leaves: bool = False
    name = "recitals"
    services = ()
    connect_kind = None

    async def prepare(self, urls, run, clients):
        if self.deaf:
            raise OSError("nobody listens")
        for _ in range(self.tables):
            await asyncio.sleep(0.15)
            preparing.advance()
        return run

    async def connect(self, shared, client):
        if self.wild == "connect":
            await asyncio.sleep(1000)
        return Quick(self) if self.quick else Chatty() if self.chatty else shared

    def next(self, rng, client, n):
        if self.wild == "next":
            return None if n == 3 else Ask("say", f"k{n}", n)
        if self.wild == "key":
            return Ask("say", 5, n)
        return Ask("say", f"k{rng.randrange(4)}", n)

    async def do(self, connection, ask):
        if self.wild in ("classify", "outcome"):
            raise ValueError("broken")
        if self.mute and ask.kind == "look":
            raise ValueError("broken")
        if ask.kind != "say":
            return "heard"
        if self.chatty:
            connection.note("hear", ask.key, ask.value, sent_ns=ask.due_ns)
        if self.leaves and ask.value == 0:
            subprocess.Popen(["sleep", "40"])  # noqa: ASYNC220
        if self.broken and ask.value % self.broken == 1:
            raise ValueError("broken")
        if self.slow and ask.value % self.slow == 1:
            await asyncio.sleep(10)
        if self.takes_s:
            await asyncio.sleep(self.takes_s)
        return None

    def classify(self, error):
        if self.wild in ("classify", "outcome"):
            return None if self.wild == "classify" else ("maybe", "broken")
        return ("fail", "broken") if isinstance(error, ValueError) else ("info", type(error).__name__)

    async def close(self, connection):
        pass

    def steady(self, rank, of):
        return [Ask("look")] if rank == 0 else []

    def final(self, rank, of, turns):
        return [Ask("look", str(turns))]


class Quick:
    """Asks without a coroutine. Breaks when it is let go of."""

    def __init__(self, workload):
        self.workload, self.closed = workload, False

    def pose(self, ask, answer):
        loop, value = asyncio.get_running_loop(), ask.value
        if ask.kind != "say":
            return False
        if self.workload.wild == "pose":
            raise ValueError("broken")
        if self.workload.wild in ("classify", "outcome") or (
            self.workload.broken and value % self.workload.broken == 1
        ):
            loop.call_soon(answer, ValueError("broken"))
        elif self.workload.slow and value % self.workload.slow == 1:
            loop.call_later(10, answer, None)
        else:
            loop.call_later(self.workload.takes_s, answer, None)
        return True


class Chatty:
    """Hears what it says."""

    def listen(self, note):
        self.note = note


@dataclass(frozen=True, kw_only=True)
class Doors(Recite):
    """To open one takes a moment, and is an operation of its own."""

    connect_kind = "open"

    async def connect(self, shared, client):
        await asyncio.sleep(0.01)
        return Ajar()


class Ajar:
    closed = False
    opened = ("door", "ajar")
