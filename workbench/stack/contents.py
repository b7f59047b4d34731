"""What is in a stack: its services, their instances and groups, its links and addresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.errors import UnknownService, UsageError, nearest
from workbench.links import Link
from workbench.runtimes.death import Death
from workbench.runtimes.running import Running
from workbench.services import Service
from workbench.stack.book import describe
from workbench.stack.groups import find_primary, the_group
from workbench.stack.health import Health, look
from workbench.stack.instances import further
from workbench.stack.network import CLIENT, Network


class Contents:
    """A stack as one looks into it; what it does is added by `Stack`."""

    runtime: str
    _state: str
    _services: dict[str, Service]
    _groups: dict[str, tuple[str, ...]]  # of every member of a group, the whole of it
    _running: dict[str, Running]
    _network: Network
    _deaths: list[Death]

    def __getitem__(self, name: str) -> Running:
        if name in self._running:
            return self._running[name]
        if name in self._services:
            raise UsageError(f"{name} is not there yet: the stack is {self._state}. Call start() first.")
        raise UnknownService(
            f"There is no {name!r} in this stack{nearest(name, self._services)} There is: {', '.join(self._services)}."
        )

    def __contains__(self, name: object) -> bool:
        return name in self._services

    def __iter__(self) -> Iterator[str]:
        return iter(self._services)

    def __len__(self) -> int:
        return len(self._services)

    @property
    def links(self) -> list[Link]:
        """Every link, in the order they were made."""
        return self._network.all()

    def link(self, source: str, target: str) -> Link:
        """The link from "client" or a service to a service. Raises `UsageError` that names those there are."""
        return self._network.link(source, target)

    @property
    def clients(self) -> tuple[str, ...]:
        """The groups of clients."""
        return self._network.clients

    def instances(self, name: str) -> list[str]:
        """A service and its further instances (`Running.scale`): "app", "app-2", …"""
        self[name]
        return [name, *further(name, self._services)]

    def group(self, name: str) -> list[str]:
        """The group a service belongs to, the first one first: "redis", "redis-2", "redis-sentinel", …

        Of a service without companions, its instances.
        """
        self[name]
        return list(self._groups.get(name) or self.instances(name))

    @property
    def groups(self) -> list[str]:
        """The first one of each group of services that are not alike."""
        return [name for name, group in self._groups.items() if group[0] == name]

    def primary(self, name: str = "") -> str:
        """The one of a group that is primary now, as most of its sentinels say or, without any, as it alone says.

        ``name`` may be left out where there is one group. Raises `NotPossible`, which says what each member said.
        """
        name = name or the_group(self.groups)
        return find_primary([self[one] for one in self.group(name)])

    def url(self, name: str, *, source: str = CLIENT) -> str:
        """How a group of clients reaches a service: through their link to it, credentials included."""
        return self[name].url_from(source)

    def urls(self, name: str, *, source: str = CLIENT) -> list[str]:
        """How they reach each instance of it."""
        return [self.url(one, source=source) for one in self.instances(name)]

    @property
    def secrets(self) -> frozenset[str]:
        """Every secret made for this stack."""
        return frozenset(secret for running in self._running.values() for secret in running.place.secrets.values())

    def deaths(self) -> list[Death]:
        """Services that ended although nobody asked them to, in order. Kills and stops by hand or fault don't count."""
        return sorted(self._deaths, key=lambda death: death.at_ns)

    def health(self, *, timeout_s: float = 0.5) -> Health:
        """How every service is now, asked all at once: a table. Whoever does not answer within ``timeout_s`` seconds
        does not answer. Raises nothing for what is broken: that is what it shows."""
        return look(self._services, self._running, state=self._state, timeout_s=timeout_s, secrets=self.secrets)

    def describe(self) -> dict[str, Any]:
        """For the evidence: of every service its program and version, runtime, readiness (ms), options and role."""
        return describe(self._running, self._network.relay, grouped=self._groups)
