"""The links of one stack: every group of clients and every service reaches a service through a link of its own."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import UsageError
from workbench.links import Link, Links
from workbench.runtimes.death import Death
from workbench.runtimes.readiness import QUOTED_LINES

if TYPE_CHECKING:
    from workbench.runtimes.relay import Relay
    from workbench.runtimes.running import Running

CLIENT = "client"
"""The group of clients that every stack has."""
_LOOPBACK = "127.0.0.1"
_NEW_DOOR = f"{_LOOPBACK}:0"


def _upstream(target: Running) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{host}:{target.port}"


def check_clients(clients: object, *, services: Collection[str]) -> tuple[str, ...]:
    """The groups of clients, or `UsageError`."""
    names = tuple(clients) if isinstance(clients, list | tuple) else ()
    if not all(isinstance(name, str) and name and not set(name) & set(" \t\n") for name in names) or not names:
        raise UsageError(f'Groups of clients are named by words: clients=("client", "subscriber"); got {clients!r}.')
    if CLIENT not in names or len(set(names)) < len(names):
        raise UsageError(f'Groups of clients are named once each, and one of them "{CLIENT}"; got {clients!r}.')
    if taken := set(names) & set(services):
        raise UsageError(f"{taken.pop()} is a service of this stack; a group of clients needs a name of its own.")
    return names


class Network:
    """Links by source and target, made through one relay."""

    def __init__(self, clients: tuple[str, ...], *, on_death: Callable[[Death], None]) -> None:
        self.clients = clients
        self._on_death = on_death
        self.relay: Relay | None = None
        self._links: dict[tuple[str, str], Link] = {}
        self._linker: Links | None = None
        self._lock = threading.Lock()

    def join(self, relay: Relay) -> None:
        """Make links through this relay from now on, and tell its death. A second time does nothing."""
        with self._lock:
            if self._linker is None:
                self.relay = relay
                relay.watchers.add(self)
                self._linker = Links(relay.api, prefix=f"{secrets.token_hex(3)}-")

    def introduce(self, members: Sequence[Running]) -> None:
        """A link from each to each of the others, and the address of a door to everyone: see `Service`, ``peers``.

        Whoever comes to a door from a member's host takes that member's link, everybody else that of "client". The door
        opens when there is that link too: a member that starts before another one is ready waits there for it.
        """
        for target in members:
            door = _NEW_DOOR
            for source in members:
                if source is not target:
                    door = self._add(source.name, target, door=door, of=source.host).door
            host, _, port = door.rpartition(":")
            target.place.announced = host, int(port)
        for one in members:
            one.place.peers = {other.name: other.place.announced for other in members if other.place.announced}

    def connect(self, source: str | Running, target: Running) -> None:
        """A link from a group of clients or a service to a service, if there is none yet."""
        name, host = (source, _LOOPBACK) if isinstance(source, str) else (source.name, source.reaches_us_at)
        if (name, target.name) not in self._links:
            announced = target.place.announced if name == CLIENT else None
            self._add(name, target, host=host, door="{}:{}".format(*announced) if announced else "")

    def follow(self, target: Running) -> None:
        """Lead every link to a service where it listens now; their own addresses stay."""
        for link in self.all():
            if link.target == target.name:
                link.lead_to(_upstream(target))

    def _add(self, source: str, target: Running, *, host: str = _LOOPBACK, door: str, of: str = "") -> Link:
        assert self._linker is not None
        tls = getattr(target.service, "tls", None)  # of what runs elsewhere
        upstream = _upstream(target)
        link = self._linker.add(source, target.name, upstream=upstream, host=host, tls=tls, door=door, of=of)
        self._links[source, target.name] = link
        return link

    def all(self) -> list[Link]:
        """Every link, in the order they were made."""
        return list(self._links.values())

    def link(self, source: str, target: str) -> Link:
        """The link between two ends. Raises `UsageError` that names those there are."""
        try:
            return self._links[source, target]
        except KeyError:
            there = ", ".join(f"{link.source} → {link.target}" for link in self.all())
            raise UsageError(
                f"There is no link {source} → {target} in this stack; there are: {there or 'none'}."
            ) from None

    def address(self, source: str, target: str) -> tuple[str, int]:
        """Where the source finds the target."""
        link = self.link(source, target)
        return link.host, link.port

    def disconnect(self, name: str) -> None:
        """Remove every link from or to a service."""
        for ends, link in list(self._links.items()):
            if name in ends:
                self._remove(link)
                del self._links[ends]

    def end(self) -> None:
        """Remove every link; their addresses are still told."""
        for link in self.all():
            self._remove(link)
        if self.relay is not None:
            self.relay.watchers.discard(self)

    def relay_died(self, returncode: int, at_ns: int, log: Path) -> None:
        """Told by the relay: nobody reaches any service any more."""
        lines = log.read_text(errors="replace").splitlines()[-QUOTED_LINES:] if log.exists() else []
        self._on_death(Death("relay", at_ns, returncode, "\n".join(lines)))

    def _remove(self, link: Link) -> None:
        if self._linker is not None and self.relay is not None and self.relay.alive:
            with contextlib.suppress(Exception):  # it ends with its relay at the latest
                self._linker.remove(link)
