"""A proxy: one listening address, one upstream, the connections between them and the toxics on those."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from typing import TYPE_CHECKING, Any

from workbench.links.address import Address
from workbench.links.connection import Connection
from workbench.links.listener import Listener, ListenError, explain

if TYPE_CHECKING:
    from workbench.links.alarm import Alarm
    from workbench.links.dose import Dose
    from workbench.tls import Tls


class Proxy:
    """Disabled when created. Its connections are numbered: with the seed, that decides which ones a toxic reaches."""

    def __init__(
        self,
        name: str,
        *,
        listen: str,
        upstream: str,
        tls: Tls | None = None,
        seed: int,
        loop: asyncio.AbstractEventLoop,
        alarm: Alarm,
    ) -> None:
        self.name = name
        self.upstream = upstream
        self.tls = tls  # which the upstream speaks, and clients need not
        self.enabled = False
        self.doses: dict[str, Dose] = {}
        self.traffic: Counter[tuple[str, str]] = Counter()  # (direction, received | sent) → bytes of ended connections
        self._seed = seed
        self._loop = loop
        self._alarm = alarm
        self._listener = Listener(listen, lambda client, _: self.carry(client), loop=loop)
        self._connections: dict[Connection, None] = {}
        self._number = 0

    # being there

    @property
    def listen(self) -> str:
        return self._listener.listen

    def start(self) -> None:
        """Listen. Raises ListenError; enabled already is no error."""
        if not self.enabled:
            self._listener.open()
            self.enabled = True
            self._listener.admit()

    def stop(self) -> None:
        """Refuse new connections and end those there are. The port stays ours: bound, but not listening."""
        if not self.enabled:
            return
        self.enabled = False
        self._listener.shut()
        for connection in list(self._connections):
            connection.close()

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._listener.close()

    def move(self, *, listen: str, upstream: str) -> None:
        """Take new addresses; stopped if either differs. Raises ListenError when ``listen`` makes no sense."""
        if not self.is_at(listen, upstream):
            self.stop()
            if listen != self.listen:
                self._listener.close()
            self._listener.listen, self.upstream = listen, upstream

    def is_at(self, listen: str, upstream: str) -> bool:
        """It listens and connects there; names of the same place count as the same."""
        try:
            if listen != self.listen and Address(listen).resolved() != Address(self.listen).resolved():
                return False
        except (ValueError, OSError) as error:
            raise ListenError(explain(listen, error)) from error
        return upstream == self.upstream

    # toxics

    def apply(self, dose: Dose) -> None:
        """This dose is new or was changed: every live connection takes it at once."""
        changed = self.doses.get(dose.name)
        self.doses[dose.name] = dose
        self._tell(changed)

    def remove(self, *names: str) -> None:
        """Take these toxics away from every live connection; all of them when none is named."""
        for name in names or list(self.doses):
            del self.doses[name]
        self._tell()

    def in_order(self) -> list[Dose]:
        """Its toxics in order of creation, upstream first."""
        return sorted(self.doses.values(), key=lambda dose: not dose.upstream)

    def _tell(self, changed: Dose | None = None) -> None:
        for connection in list(self._connections):
            connection.take(self.in_order(), changed)

    # connections

    def carry(self, client: socket.socket) -> None:
        """Connect somebody who came in with the upstream."""
        self._number += 1
        connection = Connection(
            client,
            self.upstream,
            tls=self.tls,
            seed=f"{self._seed}/{self.name}/{self._number}",
            doses=self.in_order,
            gone=self._gone,
            loop=self._loop,
            alarm=self._alarm,
        )
        self._connections[connection] = None

    def _gone(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        for direction, pipe in (("upstream", connection.upstream), ("downstream", connection.downstream)):
            if pipe is not None:
                self.traffic[direction, "received"] += pipe.received
                self.traffic[direction, "sent"] += pipe.sent

    def describe(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.enabled,
            "toxics": [dose.describe() for dose in self.in_order()],
            **({"tls": self.tls.name} if self.tls else {}),
        }
