"""What the routes work with: the parts of the running system, made once at its start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from workbench.reference.deadline import Deadline
from workbench.reference.passwords import Passwords
from workbench.reference.problems import NotConfigured
from workbench.reference.registry import Registry
from workbench.reference.rooms.hall import Hall
from workbench.reference.sessions import Sessions
from workbench.reference.settings import Settings
from workbench.reference.stores import Store
from workbench.reference.tokens import Identity, Tokens
from workbench.reference.users import Users

if TYPE_CHECKING:
    from workbench.reference.github import GitHub
    from workbench.reference.jobs import Jobs
    from workbench.reference.registers import Registers
    from workbench.reference.stores.ended import Listener


@dataclass(frozen=True, kw_only=True)
class System:
    settings: Settings
    tokens: Tokens
    sessions: Sessions
    deadline: Deadline
    """What bounds every use of a dependency."""
    users: Users
    passwords: Passwords
    github: GitHub | None
    """None if no identity provider is configured."""
    stores: dict[str, Store]
    """What is configured, by name."""
    registry: Registry | None
    """None without Redis."""
    listener: Listener | None
    """Hears of sessions that ended elsewhere; None without Redis."""
    hall: Hall | None
    """Where the rooms are; None without Redis."""
    registers: Registers | None
    """None without Redis."""
    jobs: Jobs | None
    """None without Redis or without PostgreSQL."""

    def store(self, name: str) -> Store:
        """Raises `NotConfigured`."""
        if name not in self.stores:
            raise NotConfigured(name)
        return self.stores[name]

    def identity_provider(self) -> GitHub:
        """Raises `NotConfigured`."""
        if self.github is None:
            raise NotConfigured("github")
        return self.github

    def connections(self) -> Registry:
        """Raises `NotConfigured`."""
        if self.registry is None:
            raise NotConfigured("redis")
        return self.registry

    def held(self) -> Registers:
        """Raises `NotConfigured`."""
        if self.registers is None:
            raise NotConfigured("redis")
        return self.registers

    def locked(self) -> Jobs:
        """Raises `NotConfigured`."""
        if self.jobs is None:
            raise NotConfigured("postgres" if "redis" in self.stores else "redis")
        return self.jobs

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


async def _who(system: Here, connection: HTTPConnection) -> Identity:
    return system.tokens.verify(connection.headers.get("authorization"))


Who = Annotated[Identity, Depends(_who)]
"""What a route asks for to be reached with a valid token only: the user and the session."""


async def _user(who: Who) -> str:
    return who.user


User = Annotated[str, Depends(_user)]
"""The same, for a route that needs to know the id of the user and no more."""
