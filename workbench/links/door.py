"""Doors: one address that several links share, each for whoever comes from its own place.

A service that tells others where it can be found (a Redis that is replicated, a sentinel) has one address to tell, and
between each two of them there shall be a link of its own. So it tells the address of a door. Who connects there is
carried by the link *of* the host he comes from or, if that has none, by the link of the empty host. The original knows
no doors: the fields ``door`` and ``of`` of a proxy are an extension of its API.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

from workbench.links.connection import tear_down
from workbench.links.fields import Refused
from workbench.links.listener import Listener

if TYPE_CHECKING:
    from workbench.links.proxy import Proxy
    from workbench.links.wanted import Wanted


class Door:
    """Listens when made. Nobody is let in before there is a link for those who have none of their own: they wait.

    So whoever comes while the links are being made is carried by the right one. Raises ListenError.
    """

    def __init__(self, listen: str, *, loop: asyncio.AbstractEventLoop) -> None:
        self.links: dict[str, Proxy] = {}  # by the host that comes in
        self._listener = Listener(listen, self._take, loop=loop)
        self._listener.open()

    @property
    def address(self) -> str:
        return self._listener.listen

    def hang(self, proxy: Proxy, of: str) -> None:
        """Let those of this host in by this link; of the empty one, everybody else too."""
        self.links[of] = proxy
        if not of:
            self._listener.admit()

    def close(self) -> None:
        self._listener.close()

    def _take(self, client: socket.socket, host: str) -> None:
        proxy = self.links.get(host) or self.links.get("")
        if proxy is not None and proxy.enabled:
            proxy.carry(client)
        else:  # a door that others go through cannot refuse: next to that is to tear down at once
            tear_down(client)


class Doors:
    """The doors of one relay, by address."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._doors: dict[str, Door] = {}
        self._loop = loop

    def find(self, wanted: Wanted) -> Door | None:
        """The door a proxy asks for, a new one if there is none there; None if it asks for none.

        Raises Refused if that has a link of the same host already, and ListenError.
        """
        if not wanted.door:
            return None
        door = self._doors.get(wanted.door)
        if door is None:
            door = Door(wanted.door, loop=self._loop)
            self._doors[door.address] = door
        elif wanted.of in door.links:
            raise Refused(409, f"door {wanted.door} has a link of {wanted.of or 'everybody else'} already")
        return door

    def has(self, proxy: Proxy, wanted: Wanted) -> bool:
        """Whether a proxy that is there hangs where it is wanted."""
        now = self.described(proxy)
        return (now.get("door", ""), now.get("of", "")) == (wanted.door, wanted.of)

    def leave(self, proxy: Proxy) -> None:
        """Take a proxy off its door; the last one closes it."""
        for door in list(self._of(proxy)):
            door.links = {host: one for host, one in door.links.items() if one is not proxy}
            self.sweep(door)

    def sweep(self, door: Door | None) -> None:
        """Close a door that has no link."""
        if door is not None and not door.links:
            door.close()
            self._doors.pop(door.address, None)

    def described(self, proxy: Proxy) -> dict[str, str]:
        """The fields that the API adds for a proxy that has a door."""
        return {
            name: value
            for door in self._of(proxy)
            for host, one in door.links.items()
            if one is proxy
            for name, value in (("door", door.address), ("of", host))
        }

    def close(self) -> None:
        for door in self._doors.values():
            door.close()

    def _of(self, proxy: Proxy) -> Iterator[Door]:
        return (door for door in self._doors.values() if proxy in door.links.values())
