"""Clients of a workload, played by hand in the test's own process: one step after another, no schedule."""

import functools
import random
import time
from contextlib import asynccontextmanager

import uvloop

from workbench.workloads import Ask


def played(test):
    """A test that is a coroutine, on the event loop of the drivers."""

    @functools.wraps(test)
    def play(*arguments, **named):
        uvloop.run(test(*arguments, **named))

    return play


class Player:
    """One client. ``got`` is what it received: (key, value), in order; ``late_ns`` how long each was under way."""

    def __init__(self, workload, shared, number):
        self.workload, self.shared, self.number = workload, shared, number
        self.got, self.late_ns, self.connection = [], [], None

    async def connect(self):
        """The value its subscribing or joining is recorded with."""
        self.connection = connection = await self.workload.connect(self.shared, self.number)

        def note(kind, key, value, *, sent_ns):
            assert kind == "receive"
            if connection is self.connection:
                self.got.append((key, value))
                self.late_ns.append(time.monotonic_ns() - sent_ns)

        connection.listen(note)
        return connection.opened

    async def do(self, kind, key="", value=None):
        return await self.workload.do(self.connection, Ask(kind, key, value, time.monotonic_ns()))

    async def turn(self, n):
        """Its n-th operation; what was asked."""
        ask = self.workload.next(random.Random(f"{self.number} {n}"), self.number, n)
        await self.do(*ask[:3])
        return ask

    async def close(self):
        if self.connection is not None:
            await self.workload.close(self.connection)


def urls_of(stack, workload):
    """What the driver hands to ``prepare``."""
    return {
        name if source == "client" else f"{source} {name}": stack.url(name, source=source)
        for source in workload.sources
        for service in workload.services
        for name in stack.instances(service)
    }


@asynccontextmanager
async def playing(stack, workload, clients, *, run="run"):
    """So many players, connected."""
    numbers = list(range(clients))
    shared = await workload.prepare(urls_of(stack, workload), f"{run}{time.monotonic_ns()}", numbers)
    players = [Player(workload, shared, number) for number in numbers]
    try:
        for player in players:
            await player.connect()
        yield players
    finally:
        for player in players:
            await player.close()


def values(player):
    return [value for _, value in player.got]
