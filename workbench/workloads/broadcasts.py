"""Messages to every subscriber, straight through Redis: over publish and subscribe, or over a stream."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from workbench.errors import UsageError
from workbench.workloads.asking import Ask, Note, in_short, was_refused
from workbench.workloads.messages import STRIDE, NotQuiet, Quiet, check_source, check_whole, read, write
from workbench.workloads.resp import RedisError, Resp
from workbench.workloads.subscriptions import Acknowledged, Matched, Place, Pushed, Read, Stalled, Subscription

if TYPE_CHECKING:
    from workbench.history import Outcome

RELAYS: dict[str, type[Subscription]] = {"pubsub": Pushed, "pattern": Matched, "stream": Read, "group": Acknowledged}


@dataclass(frozen=True, kw_only=True)
class Broadcasts:
    """Each client sends to ``channels`` in turn, and hears all that anybody sends to one of them.

    ``relay``: "pubsub" (SUBSCRIBE), "pattern" (PSUBSCRIBE), "stream" (XREAD, each reader remembers how far it has got)
    or "group" (XREADGROUP: Redis remembers it, in a consumer group of its own for each reader, for within one group
    each message would go to one reader only). ``payload`` is the size of a message in bytes. Subscriptions are made
    through the links of the group of clients ``subscriptions_from``, sends through those of "client": so a fault can
    cut off subscribers and spare senders. The first ``stalled`` clients of each driver subscribe and never read, and
    keep but a small buffer; then Redis has to keep what they leave unread, up to its limit.

    Kinds: ``subscribe`` (opening a subscription; key: the channel; value: the id after which it goes on, if any),
    ``send`` (value: the number of the message, unique over the run), ``receive`` (key: the channel; value: the number;
    intended: when the sender was due) and, at the end, ``settle`` (waits until nothing has arrived for a moment) or,
    of stalled clients, ``fate`` (value: ``{"expected": "cut off", "found": "cut off" or "open"}``).
    A subscription that broke is opened anew in the client's next turn; nothing is sent twice.
    """

    relay: Literal["pubsub", "pattern", "stream", "group"] = "pubsub"
    channels: int = 1
    payload: int = 64
    subscriptions_from: str = "client"
    stalled: int = 0

    def __post_init__(self) -> None:
        if self.relay not in RELAYS:
            raise UsageError(f"Broadcasts go over one of {', '.join(RELAYS)}; got relay={self.relay!r}.")
        check_whole("Broadcasts", "channels", self.channels, least=1)
        check_whole("Broadcasts", "payload", self.payload, least=0)
        check_whole("Broadcasts", "stalled", self.stalled, least=0)
        check_source(self.subscriptions_from)
        if self.stalled and self.relay != "pubsub":
            raise UsageError(
                "A client that does not read falls behind where Redis pushes: stalled goes with relay='pubsub', "
                f"not with {self.relay!r}."
            )

    @property
    def name(self) -> str:
        return f"broadcasts over {self.relay}"

    @property
    def services(self) -> tuple[str, ...]:
        return ("redis",)

    @property
    def connections(self) -> int:
        return 2  # one to hear, one to send

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(("client", self.subscriptions_from)))

    @property
    def connect_kind(self) -> str:
        return "subscribe"

    async def prepare(self, urls: Mapping[str, str], run: str, clients: Sequence[int]) -> Any:
        source = "" if self.subscriptions_from == "client" else f"{self.subscriptions_from} "
        return _Shared(
            urls["redis"], urls[f"{source}redis"], run, {client: rank for rank, client in enumerate(clients)}
        )

    async def connect(self, shared: _Shared, client: int) -> _Member:
        rank = shared.ranks[client]
        key = f"c{rank % self.channels}"
        place = shared.places.setdefault(client, Place(shared.channel(key), name=f"{shared.run}-{client}"))
        resumed = place.last or None
        kind = Stalled if rank < self.stalled else RELAYS[self.relay]
        subscription = await kind.to(shared.heard_at)
        try:
            await subscription.begin(place)
        except BaseException:
            subscription.close()
            raise
        return _Member(shared, key, place.name, subscription, opened=(key, resumed))

    def next(self, rng: random.Random, client: int, n: int) -> Ask:
        return Ask("send", f"c{rng.randrange(self.channels)}", n * STRIDE + client)

    async def do(self, connection: _Member, ask: Ask) -> Any:
        if ask.kind == "settle":
            return await connection.shared.quiet.settle()
        if ask.kind == "fate":
            return {"expected": "cut off", "found": "open" if await connection.is_known() else "cut off"}
        sending = RELAYS[self.relay].sending
        await connection.send(*sending(connection.shared.channel(ask.key), write(ask, self.payload)))
        return None

    def classify(self, error: BaseException) -> tuple[Outcome, str]:
        if isinstance(error, RedisError):
            return "fail", error.word
        if isinstance(error, NotQuiet):
            return "fail", "messages still arrive"
        return ("fail" if was_refused(error) else "info"), in_short(error)

    async def close(self, connection: _Member) -> None:
        connection.close()

    def steady(self, rank: int, of: int) -> Sequence[Ask]:
        return ()

    def final(self, rank: int, of: int, turns: int) -> Sequence[Ask]:
        return [Ask("fate")] if rank < self.stalled else [Ask("settle")]


@dataclass(eq=False)
class _Shared:
    """What the clients of one driver have in common."""

    sent_at: str = field(repr=False)
    heard_at: str = field(repr=False)
    run: str
    ranks: Mapping[int, int]
    places: dict[int, Place] = field(default_factory=dict)
    quiet: Quiet = field(default_factory=Quiet)

    def channel(self, key: str) -> str:
        return f"broadcasts:{self.run}:{key}"


class _Member:
    """A client that hears over one connection and sends over another, which it opens when it needs it."""

    lasting = True

    def __init__(
        self, shared: _Shared, key: str, name: str, subscription: Subscription, *, opened: tuple[str, str | None]
    ) -> None:
        self.shared, self.subscription, self.opened = shared, subscription, opened
        self._key, self._name = key, name
        self._sender: Resp | None = None

    @property
    def closed(self) -> bool:
        return self.subscription.closed

    def listen(self, note: Note) -> None:
        """Hand on what is heard; see `Workload.connect`."""
        quiet, key = self.shared.quiet, self._key

        def hear(text: bytes) -> None:
            quiet.heard()
            number, due_ns = read(text)
            note("receive", key, number, sent_ns=due_ns)

        if not isinstance(self.subscription, Stalled):
            self.subscription.told.to(hear)

    async def is_known(self) -> bool:
        """Whether Redis still has the subscription: it alone knows, for who does not read hears of no end either."""
        return f" name={self._name} ".encode() in await self.send("CLIENT", "LIST", "TYPE", "pubsub")

    async def send(self, *words: str) -> Any:
        """A command over the other connection. Raises what `command` raises."""
        if self._sender is None or self._sender.closed:
            self._sender = None
            self._sender = await Resp.to(self.shared.sent_at)
        try:
            return await self._sender.command(*words)
        except RedisError:
            raise
        except BaseException:  # its answer may still come, to a question that is no longer open
            self._sender.close()
            self._sender = None
            raise

    def close(self) -> None:
        self.subscription.close()
        if self._sender is not None:
            self._sender.close()
