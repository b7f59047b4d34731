"""What the routes work with: the parts of the running system, made once at its start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from workbench.reference.accounts import Accounts
from workbench.reference.problems import NotConfigured
from workbench.reference.registry import Registry
from workbench.reference.rooms.hall import Hall
from workbench.reference.settings import Settings
from workbench.reference.stores import Store
from workbench.reference.tokens import Tokens


@dataclass(frozen=True, kw_only=True)
class System:
    settings: Settings
    tokens: Tokens
    accounts: Accounts
    stores: dict[str, Store]
    """What is configured, by name."""
    registry: Registry | None
    """None without Redis."""
    hall: Hall | None
    """Where the rooms are; None without Redis."""

    def store(self, name: str) -> Store:
        """Raises `NotConfigured`."""
        if name not in self.stores:
            raise NotConfigured(name)
        return self.stores[name]

    def connections(self) -> Registry:
        """Raises `NotConfigured`."""
        if self.registry is None:
            raise NotConfigured("redis")
        return self.registry

    def rooms(self) -> Hall:
        """Raises `NotConfigured`."""
        if self.hall is None:
            raise NotConfigured("redis")
        return self.hall


async def _system(connection: HTTPConnection) -> System:
    system = connection.app.state.system
    assert isinstance(system, System)
    return system


Here = Annotated[System, Depends(_system)]
"""What a route asks for to get at the system."""


async def _user(system: Here, connection: HTTPConnection) -> str:
    return system.tokens.verify(connection.headers.get("authorization"))


User = Annotated[str, Depends(_user)]
"""What a route asks for to be reached with a valid token only: the id of the user."""
