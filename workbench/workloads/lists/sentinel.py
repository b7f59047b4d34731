"""A Redis list per key, on whichever node the sentinels call the primary.

Clients do what Redis asks of clients of Sentinel (redis.io, "Guidelines for Redis clients with support for Redis
Sentinel"): ask a sentinel for the primary, the next one if it stays silent; connect; ask for the ROLE. Every node and
every sentinel is reached through the client's own links. What sentinels tell are addresses that nodes announce, so
every node is asked for its own before the clock starts.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from workbench.errors import UsageError
from workbench.workloads.asking import Answer, Ask
from workbench.workloads.lists import redis
from workbench.workloads.resp import RedisError, Resp, command

if TYPE_CHECKING:
    from workbench.history import Outcome

PATIENCE_S = 0.25
"""How long a sentinel may take to answer before the next one is asked. A healthy one takes a few milliseconds."""


class Astray(Exception):
    """No primary to speak to: nothing was sent. The text says why."""


class Alone(Exception):
    """Written, and then copied to fewer replicas than was asked. The text says what WAIT answered."""


class Node(Resp):
    """A connection over which a write and its WAIT travel in one go: both replies are one answer."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = False
        """Whether the answer to the question that is asked next is two replies."""
        self._first: Any = None

    def answer(self, value: Any) -> None:
        if self.pair:
            self.pair, self._first = False, (value,)
        elif self._first is not None:
            first, self._first = self._first, None
            super().answer((*first, value))
        else:
            super().answer(value)


class Lists:
    """What the clients of one driver share."""

    def __init__(self, urls: Mapping[str, str], run: str, entry: str) -> None:
        self.prefix = f"{run}:"
        self.wait = self.wait_ms = 0
        self.timeout_s: float | None = None
        self._groups: Sequence[str] = ("client",)
        self._always = False
        self._rank: dict[int, int] = {}
        self._urls, self._entry = urls, entry
        self._nodes = [name for name in urls if re.fullmatch(rf"{re.escape(entry)}(-\d+)?", name)]
        self._sentinels = [name for name in urls if re.fullmatch(rf"{re.escape(entry)}-sentinel(-\d+)?", name)]
        self._asked: dict[int, int] = {}
        """Of each client the sentinel to begin with: the one that answered last, a position in ``_sentinels``."""
        self._names: dict[int, str] = {}
        """Of each announced port the node."""
        self._settled = False

    def deal(self, clients: Sequence[int], *, groups: Sequence[str], always: bool, timeout_s: float | None) -> None:
        """Deal the clients out over the groups, and say how they go about it; see `Appends`."""
        self._rank = {client: rank for rank, client in enumerate(clients)}
        self._groups, self._always, self.timeout_s = groups, always, timeout_s

    async def prepare(self) -> None:
        """Raises `UsageError` if there are no sentinels."""
        if not self._sentinels:
            raise UsageError(
                f'Appends(via="sentinel") asks sentinels for the primary, and {self._entry} has none: '
                f'Stack({self._entry}={{"replicas": 2, "sentinels": 3}}).'
            )
        for name in self._nodes:
            wire = await Resp.to(self._urls[name])
            found = await wire.command("CONFIG", "GET", "*port")
            wire.close()
            ports = dict(zip(found[::2], map(int, found[1::2]), strict=True))
            self._names[ports[b"replica-announce-port"] or ports[b"port"]] = name

    async def connect(self, client: int) -> Connection:
        """Raises `Astray`, and `TimeoutError` if the node stays silent."""
        async with asyncio.timeout(self.timeout_s):
            return await self._connect(client)

    async def _connect(self, client: int) -> Connection:
        if self._settled:
            node = await self.agreed()
            return Connection(self, await self.visit("client", node), node, {"group": "client", "told_by": "most"})
        turn, number = divmod(self._rank[client], len(self._groups))
        group, count = self._groups[number], len(self._sentinels)
        first = self._asked.get(client, turn % count)
        for place in (n % count for n in range(first, first + count)):
            name = self._sentinels[place]
            self._asked[client] = place + 1  # also if there is no time left for it now
            try:
                sentinel, node = await self._consult(group, name)
            except (OSError, RedisError):
                continue
            self._asked[client] = place
            try:
                wire = await self.visit(group, node)
            except BaseException:
                sentinel.close()
                raise
            if not self._always:
                sentinel.close()
            return Connection(self, wire, node, {"group": group, "told_by": name}, sentinel if self._always else None)
        raise Astray("no sentinel answered")

    async def visit(self, group: str, node: str) -> Node:
        """A connection to a node that says that it is a primary. Raises `Astray`."""
        try:
            wire = await Node.to(self._url(group, node))
            try:
                role, *_ = await wire.command("ROLE")
                if role != b"master":
                    raise Astray("the node is no primary")
            except BaseException:
                wire.close()
                raise
        except (OSError, RedisError) as error:
            raise Astray("the node let nobody in") from error
        return wire

    async def agreed(self) -> str:
        """The node that most of all sentinels call the primary, once the load is over. Raises `Astray`."""
        self._settled = True
        found = await asyncio.gather(
            *(self._consult("client", name) for name in self._sentinels), return_exceptions=True
        )
        votes = Counter[str]()
        for one in found:
            if isinstance(one, tuple):
                one[0].close()
                votes[one[1]] += 1
        for node, count in votes.most_common(1):
            if 2 * count > len(self._sentinels):
                return node
        raise Astray("the sentinels do not agree")

    async def told(self, sentinel: Resp) -> str:
        """The node that a sentinel calls the primary. Raises `Astray`, and `OSError` if it stays silent."""
        async with asyncio.timeout(PATIENCE_S):
            address = await sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._entry)
        try:
            return self._names[int(address[1])]
        except (KeyError, TypeError):
            raise Astray("the sentinel named no node") from None

    async def _consult(self, group: str, name: str) -> tuple[Resp, str]:
        """A connection to a sentinel, and what it told."""
        async with asyncio.timeout(PATIENCE_S):
            sentinel = await Resp.to(self._url(group, name))
        try:
            return sentinel, await self.told(sentinel)
        except BaseException:
            sentinel.close()
            raise

    def _url(self, group: str, name: str) -> str:
        return self._urls[name if group == "client" else f"{group} {name}"]


class Connection:
    """To the primary that was found; of no use any more after the first error."""

    def __init__(
        self, lists: Lists, wire: Node, node: str, how: Mapping[str, str], sentinel: Resp | None = None
    ) -> None:
        self.opened = node, dict(how)
        self._lists, self._wire, self._sentinel = lists, wire, sentinel
        self._over = False

    @property
    def closed(self) -> bool:
        return self._over or self._wire.closed

    def pose(self, ask: Ask, answer: Answer) -> bool:
        if self._sentinel is not None or self._lists.timeout_s is not None or ask.kind == "settle":
            return False
        self._wire.pose(self._question(ask), partial(self._hand_on, ask.kind, answer))
        return True

    async def append(self, key: str, value: int) -> None:
        await self._ask(Ask("append", key, value))

    async def read(self, key: str) -> list[int]:
        values: list[int] = await self._ask(Ask("read", key))
        return values

    async def settle(self) -> str:
        """Go to the primary that the sentinels agree on, whatever this client believes. Its name; raises `Astray`."""
        node = await self._lists.agreed()
        wire = await self._lists.visit("client", node)
        await self.close()
        self._wire, self._sentinel = wire, None
        return node

    async def close(self) -> None:
        self._wire.close()
        if self._sentinel is not None:
            self._sentinel.close()

    async def _ask(self, ask: Ask) -> Any:
        if self._sentinel is not None:
            await self._look_again(self._sentinel)
        try:
            async with asyncio.timeout(self._lists.timeout_s):
                reply = await self._wire.ask(self._question(ask))
        except RedisError as error:
            reply = error
        taken = self._taken(ask.kind, reply)
        if isinstance(taken, Exception):
            raise taken
        return taken

    async def _look_again(self, sentinel: Resp) -> None:
        """Raises `Astray` unless the sentinel still calls this node the primary."""
        try:
            node = await self._lists.told(sentinel)
        except (OSError, RedisError) as error:
            self._over = True
            raise Astray("the sentinel did not answer") from error
        if node != self.opened[0]:
            self._over = True
            raise Astray("the primary is another one now")

    def _question(self, ask: Ask) -> bytes:
        key = self._lists.prefix + ask.key
        if ask.kind == "read":
            return command("LRANGE", key, 0, -1)
        append = command("RPUSH", key, ask.value)
        if not self._lists.wait:
            return append
        self._wire.pair = True
        return append + command("WAIT", self._lists.wait, self._lists.wait_ms)

    def _hand_on(self, kind: str, answer: Answer, reply: Any) -> None:
        answer(self._taken(kind, reply))

    def _taken(self, kind: str, reply: Any) -> Any:
        """What a reply comes to: a value, None for a write that was acknowledged, or the exception that says why not.
        After any error the next operation is to ask a sentinel again."""
        if kind == "read" and not isinstance(reply, Exception):
            return [int(item) for item in reply]
        pushed, copies = reply if isinstance(reply, tuple) else (reply, 0)
        error: Exception | None = None
        if isinstance(pushed, Exception):
            error = pushed
        elif isinstance(copies, Exception):
            error = Alone(str(copies).partition(" ")[0])
        elif copies < self._lists.wait:
            error = Alone("too few replicas")
        self._over = error is not None
        return error


def classify(error: BaseException) -> tuple[Outcome, str]:
    if isinstance(error, Astray):
        return "fail", str(error)
    if isinstance(error, Alone):
        return "info", str(error)
    return redis.classify(error)
